/**
 * Owns a command that runs in the shell's process: its context over Node's modules and the shell's descriptors.
 *
 * Invariants: output goes out when the command is done, in the order in which it was written, or as soon as there is
 * much of it; what it finds that it cannot have here ends it before it has done anything; what it has opened is
 * closed when it ends.
 */
import * as nodeFs from "node:fs";
import { O_NONBLOCK, O_RDONLY } from "../abi/fcntl.js";
import { bufferOf } from "../abi/byte-text.js";
import { BrokenPipe, CommandExit, CommandFailure, type CommandContext } from "./command.js";
import { Output, runInContext, statusOf, writeAll } from "./run-command.js";
import { codeText } from "./support/errors.js";
import { errnoName } from "../abi/errno.js";
import type { CommandMachine } from "./run-command.js";
import type { HereOutput, HereRequest } from "./system.js";

/** Of output that waits for a command's end. */
const mostWaiting = 1024 * 1024;
const bufferBytes = 128 * 1024;

/** What a command has opened and not closed would stay open in the shell. */
class TrackedFiles {
  readonly fs: typeof nodeFs;
  readonly #open = new Set<number>();

  /** Where it is given, no file is opened that waits for another process. */
  constructor(input: HereRequest["input"], waits?: () => void) {
    const own = {
      openSync: (...[path, flags, mode]: Parameters<typeof nodeFs.openSync>): number => {
        const looks = waits !== undefined && flags === "r";
        const fd = nodeFs.openSync(path, looks ? O_RDONLY | O_NONBLOCK : flags, mode);
        this.#open.add(fd);
        if (looks && nodeFs.fstatSync(fd).isFIFO()) waits();
        return fd;
      },
      closeSync: (fd: number): void => {
        this.#open.delete(fd);
        nodeFs.closeSync(fd);
      },
      fstatSync: (fd: number): nodeFs.Stats =>
        // Bytes in memory are no file, and so no file of that number.
        nodeFs.fstatSync(fd === 0 ? (typeof input === "number" ? input : -1) : fd),
    };
    // Over what has getters alone.
    this.fs = Object.create(nodeFs, Object.getOwnPropertyDescriptors(own)) as typeof nodeFs;
  }

  closeRest(): void {
    for (const fd of this.#open) nodeFs.closeSync(fd);
  }
}

/** What a command writes, to two descriptors that may be one. */
class Waiting {
  /** Something has left this process: the command cannot begin anew in another. */
  isOut = false;
  readonly #request: HereRequest;
  readonly #tooMuch: () => never;
  #parts: { to: HereOutput; data: Uint8Array }[] = [];
  #bytes = 0;

  constructor(request: HereRequest, tooMuch: () => never) {
    this.#request = request;
    this.#tooMuch = tooMuch;
  }

  add(to: "output" | "errors", data: Uint8Array): void {
    if (data.length === 0) return;
    // A copy: a command reads into the same memory again, and a Buffer's slice is a view.
    this.#parts.push({ to: this.#request[to], data: new Uint8Array(data) });
    this.#bytes += data.length;
    if (this.#bytes > (this.#request.turn?.mostBytes ?? Infinity)) this.#tooMuch();
    if (this.#bytes > mostWaiting) this.flush();
  }

  flush(): void {
    const parts = this.#parts;
    this.#parts = [];
    this.#bytes = 0;
    for (const { to, data } of parts) {
      this.isOut = true;
      if (typeof to === "number") writeAll(to, data);
      else {
        const result = to.append(data);
        if (result < 0)
          throw new CommandFailure(`write error: ${codeText(errnoName(-result) ?? "EIO")}`);
      }
    }
  }
}

/** The status of the command, or undefined where it needs a process of its own. */
export async function runCommandHere(
  name: string,
  request: HereRequest,
  machine: CommandMachine,
): Promise<number | undefined> {
  const env = environmentOf(request.env);
  // The engine's time zone is one for all of the process.
  if (env["TZ"] !== process.env["TZ"]) return undefined;
  let isNeeded = false;
  const needed = (): never => {
    isNeeded = true;
    throw new CommandExit(1);
  };
  const waiting = new Waiting(request, needed);
  const files = new TrackedFiles(request.input, request.turn && (() => waiting.isOut || needed()));
  const context = contextOf(name, request, { env, fs: files.fs, machine, needed, waiting });
  try {
    const status = await runInContext(context, name);
    if (isNeeded && !waiting.isOut) return undefined;
    return flushed(context, waiting, status);
  } finally {
    files.closeRest();
  }
}

function flushed(context: CommandContext, waiting: Waiting, status: number): number {
  try {
    waiting.flush();
    return status;
  } catch (error) {
    const failed = error instanceof BrokenPipe ? error.status : statusOf(context, error);
    try {
      waiting.flush();
    } catch {
      // Nobody is there to be told.
    }
    return failed;
  }
}

function environmentOf(strings: readonly string[]): Record<string, string> {
  const env: Record<string, string> = {};
  for (const string of strings) {
    const equals = string.indexOf("=");
    env[string.slice(0, equals)] ??= string.slice(equals + 1);
  }
  return env;
}

interface Parts {
  env: Record<string, string>;
  fs: typeof nodeFs;
  machine: CommandMachine;
  /** What it asks for it cannot have here. */
  needed: () => never;
  waiting: Waiting;
}

function contextOf(
  name: string,
  { argv, cwd, input, turn }: HereRequest,
  { env, fs, machine, needed, waiting }: Parts,
): CommandContext {
  let isFile: boolean | undefined;
  const output = new Output((data) => waiting.add("output", data));
  const writeError = (text: string): void => {
    output.flush();
    waiting.add("errors", bufferOf(text));
  };
  return {
    argv,
    name,
    env,
    fs,
    readInput(maxBytes = bufferBytes) {
      if (typeof input !== "number") return input.take(maxBytes);
      // Whoever is to write it may wait for the shell; and what is read is read once.
      isFile ??= turn === undefined && nodeFs.fstatSync(input).isFile();
      if (!isFile) return needed();
      const buffer = Buffer.allocUnsafe(maxBytes);
      return buffer.subarray(0, nodeFs.readSync(input, buffer, 0, maxBytes, null));
    },
    unreadInput(byteCount) {
      if (typeof input === "number") machine.seekBy(input, -byteCount);
    },
    write: (data) => output.write(data),
    writeBytes: (byteString) => output.writeBytes(byteString),
    flush: () => output.flush(),
    writeError,
    writeErrorFirst: (text) => waiting.add("errors", bufferOf(text)),
    cwd: () => cwd,
    isTerminal: () => false,
    makeFifo: machine.makeFifo,
    spawn: needed,
    spawnSync: needed,
  };
}
