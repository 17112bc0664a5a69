/** Owns running a command as this process: its context over Node's own modules, and its exit status. */
import * as childProcess from "node:child_process";
import * as fs from "node:fs";
import { constants } from "node:os";
import { isatty } from "node:tty";
import {
  BrokenPipe,
  CommandExit,
  CommandFailure,
  type CaptureOptions,
  type CommandContext,
  type SpawnEnd,
  type SpawnOptions,
} from "./command.js";
import { bufferOf } from "../abi/byte-text.js";
import { commands } from "./commands/index.js";
import { setLocale } from "./support/characters.js";
import { codeText, errorCode } from "./support/errors.js";
import { toBytes } from "./support/text.js";
import type { Fifos, Offsets, Terminal } from "./system.js";

const bufferBytes = 128 * 1024;
const retryPause = new Int32Array(new SharedArrayBuffer(4));
const forwardedSignals = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2"] as const;

/** Descriptors may be non-blocking: what they were opened with is not ours to change. */
function retrying<T>(call: () => T): T {
  for (;;) {
    try {
      return call();
    } catch (error) {
      if (errorCode(error) !== "EAGAIN") throw error;
      Atomics.wait(retryPause, 0, 0, 2);
    }
  }
}

/** Buffered output of one descriptor. */
export class Output {
  #pending = "";
  readonly #write: (data: Uint8Array) => void;

  constructor(write: (data: Uint8Array) => void) {
    this.#write = write;
  }

  writeBytes(byteString: string): void {
    this.#pending += byteString;
    if (this.#pending.length > bufferBytes) this.flush();
  }

  write(data: string | Uint8Array): void {
    if (typeof data === "string") return this.writeBytes(toBytes(data));
    if (data.length < 4096) return this.writeBytes(Buffer.from(data).toString("latin1"));
    this.flush();
    this.#write(data);
  }

  flush(): void {
    if (this.#pending === "") return;
    const data = Buffer.from(this.#pending, "latin1");
    this.#pending = "";
    this.#write(data);
  }
}

export function writeAll(fd: number, data: Uint8Array): void {
  for (let at = 0; at < data.length;) {
    try {
      at += retrying(() => fs.writeSync(fd, data, at));
    } catch (error) {
      // A pipe that is a socket underneath resets when its reader leaves data behind.
      const code = errorCode(error);
      if (code === "EPIPE" || code === "ECONNRESET") throw new BrokenPipe();
      throw new CommandFailure(`write error: ${codeText(code ?? String(error))}`);
    }
  }
}

export function signalNumber(name: string): number {
  return (constants.signals as Record<string, number>)[name] ?? 0;
}

/** How a shell counts the end of a program. */
export function endOf(
  status: number | null,
  signal: string | null,
  error: string | undefined,
): SpawnEnd {
  if (error !== undefined) return { code: error === "ENOENT" ? 127 : 126, signal: null, error };
  return { code: signal === null ? (status ?? 1) : 128 + signalNumber(signal), signal };
}

/** What commands ask of the machine that Node has no function for. */
export interface CommandMachine extends Offsets, Fifos {
  readonly terminal?: Terminal | undefined;
}

function processContext(
  name: string,
  argv: readonly string[],
  { seekBy, makeFifo, terminal }: CommandMachine,
): CommandContext {
  const output = new Output((data) => writeAll(1, data));
  let input: Buffer | undefined;
  let terminalOutput: boolean | undefined;
  const stdioOf = (options: SpawnOptions) => options.stdin ?? "inherit";
  return {
    argv,
    name,
    env: process.env,
    fs,
    readInput(maxBytes = bufferBytes) {
      terminalOutput ??= isatty(1);
      if (terminalOutput) output.flush();
      if (input === undefined || input.length < maxBytes) {
        input = Buffer.allocUnsafe(Math.max(maxBytes, bufferBytes));
      }
      const buffer = input;
      return buffer.subarray(
        0,
        retrying(() => fs.readSync(0, buffer, 0, maxBytes, null)),
      );
    },
    unreadInput: (byteCount) => void seekBy(0, -byteCount),
    write: (data) => output.write(data),
    writeBytes: (byteString) => output.writeBytes(byteString),
    flush: () => output.flush(),
    writeError(text) {
      output.flush();
      writeAll(2, bufferOf(text));
    },
    writeErrorFirst(text) {
      terminalOutput ??= isatty(1);
      if (terminalOutput) output.flush();
      writeAll(2, bufferOf(text));
    },
    cwd: () => process.cwd(),
    isTerminal: (fd) => isatty(fd),
    makeFifo,
    ...(terminal !== undefined && { terminal }),
    spawn(file, args, options = {}) {
      output.flush();
      return spawnForwarding(file, args, options, stdioOf(options));
    },
    spawnSync(file, args, options: CaptureOptions = {}) {
      output.flush();
      const stdin = options.input === undefined ? stdioOf(options) : "pipe";
      const result = childProcess.spawnSync(file, args as string[], {
        stdio: [stdin, options.capture ? "pipe" : "inherit", "inherit"],
        env: options.env ?? process.env,
        cwd: options.cwd,
        input: options.input,
        maxBuffer: Infinity,
      });
      // A child that does not read all of its input is no failure.
      const error = errorCode(result.error);
      const end = endOf(result.status, result.signal, error === "EPIPE" ? undefined : error);
      return options.capture ? { ...end, stdout: result.stdout ?? new Uint8Array(0) } : end;
    },
  };
}

function spawnForwarding(
  file: string,
  args: readonly string[],
  options: SpawnOptions,
  stdin: "inherit" | "ignore",
): Promise<SpawnEnd> {
  return new Promise((resolve) => {
    const child = childProcess.spawn(file, args, {
      stdio: [stdin, "inherit", "inherit"],
      env: options.env ?? process.env,
      cwd: options.cwd,
    });
    const forward = (signal: NodeJS.Signals) => void child.kill(signal);
    for (const signal of forwardedSignals) process.on(signal, forward);
    const done = (end: SpawnEnd) => {
      for (const signal of forwardedSignals) process.off(signal, forward);
      resolve(end);
    };
    child.on("error", (error) => done(endOf(null, null, errorCode(error) ?? "EIO")));
    child.on("close", (code, signal) => done(endOf(code, signal, undefined)));
  });
}

/** What a command's exception means: its exit status, after saying on stderr what there is to say. */
export function statusOf(context: CommandContext, error: unknown): number {
  if (error instanceof CommandExit) return error.status;
  if (error instanceof CommandFailure) {
    context.writeError(`${context.name}: ${error.message}\n${error.hint}`);
    return error.status;
  }
  const { code, path } = error as { code?: unknown; path?: unknown };
  if (typeof code === "string" && /^E[A-Z0-9]+$/.test(code)) {
    const where = typeof path === "string" ? `${path}: ` : "";
    context.writeError(`${context.name}: ${where}${codeText(code)}\n`);
    return 1;
  }
  if (error instanceof RangeError) context.writeError(`${context.name}: memory exhausted\n`);
  else context.writeError(`${context.name}: internal error: ${String(error)}\n`);
  return 2;
}

/** Runs a command in a context; the answer is its exit status, whatever happens. */
export async function runInContext(context: CommandContext, command: string): Promise<number> {
  const load = commands.get(command);
  if (load === undefined) {
    context.writeError(`${command}: command not found\n`);
    return 127;
  }
  setLocale(context.env);
  try {
    try {
      const status = await load().main(context);
      context.flush();
      return status;
    } catch (error) {
      const status = statusOf(context, error);
      context.flush();
      return status;
    }
  } catch (error) {
    return statusOf(context, error);
  }
}

/** Runs the named command as this process's program. */
export function runCommand(
  name: string,
  argv: readonly string[],
  machine: CommandMachine,
): Promise<number> {
  return runInContext(processContext(name, argv, machine), name);
}
