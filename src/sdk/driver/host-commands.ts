/**
 * Owns the commands that an older generation's command executor runs for programs of a machine: which run, their
 * output on its way, their ends.
 *
 * Invariants: the executor is called for what the machine's policy admitted, as the kernel says it, and for
 * nothing else; output that waits is bounded, and a command that writes more is ended; a command whose process
 * in the machine is gone is ended.
 * Untrusted: command, arguments and environment are a program's; output is the command's.
 */
import { spawn } from "node:child_process";
import { constants } from "node:os";
import { posix } from "node:path";
import {
  executorTool,
  fromShellMark,
  hostCommandLimits,
  HostCommandStep,
} from "../../protocol/host-commands.js";
import type { HostCommandOrder, HostCommandPiece } from "../../protocol/host-commands.js";
import { invalidOption } from "../errors.js";
import { parseTools } from "../tool-definitions.js";
import type { ParsedTools } from "../tool-definitions.js";

/** Runs commands that a machine has not itself. */
export interface CommandExecutor {
  /**
   * Whether it is asked for commands that `sh` of the machine does not find, too. Without, it is for those of a
   * program's own `spawn` alone, as the older generation's executors were, which ran `sh` themselves and let it say
   * what there is not.
   * @default false
   */
  readonly servesShell?: boolean;
  /**
   * Starts a command, or throws, which the program sees as a command that could not be started. `cwd` is the
   * program's, a directory of the machine; `env` all of its environment; `onStdout` and `onStderr` take its output.
   */
  spawn(
    command: string,
    args: string[],
    options: {
      cwd?: string;
      env?: Record<string, string>;
      onStdout?: (chunk: Uint8Array) => void;
      onStderr?: (chunk: Uint8Array) => void;
    },
  ): {
    /** A promise that it returns holds back the program until it settles. */
    writeStdin(data: Uint8Array | string): void | Promise<void>;
    /** The program's input has ended. */
    closeStdin(): void;
    /** Sends a signal, by its number. */
    kill(signal?: number): void;
    /** The exit code. */
    wait(): Promise<number>;
  };
}

const SIGKILL = 9;
/** 128 + SIGKILL. */
const killedCode = 137;
const notStarted = 126;
const notFound = 127;

/** One command: pieces that nobody has taken, and who waits for one. */
class HostCommand {
  readonly #pieces: HostCommandPiece[] = [];
  #waitingBytes = 0;
  #taker: ((piece: HostCommandPiece) => void) | undefined;
  #running: ReturnType<CommandExecutor["spawn"]> | undefined;
  #over = false;
  /** Input that was handed over without a promise. */
  #unheldBytes = 0;

  /** Resolves when the command has ended, and its output waits to be read. */
  async run(executor: CommandExecutor, order: HostCommandOrder): Promise<void> {
    const { command = "", args = [], cwd, env } = order;
    try {
      const running = executor.spawn(command, args, {
        ...(cwd !== undefined && { cwd }),
        ...(env !== undefined && { env }),
        onStdout: (chunk) => this.#output("stdout", chunk),
        onStderr: (chunk) => this.#output("stderr", chunk),
      });
      this.#running = running;
      // Says that it takes input now.
      this.#add({ stream: "stdout", data: "" });
      this.#end(await running.wait());
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      const exitCode = code === "ENOENT" ? notFound : notStarted;
      this.#end(exitCode, `${command}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  get running(): boolean {
    return this.#running !== undefined;
  }

  /** Ends before it began. */
  fail(message: string): void {
    this.#end(notStarted, message);
  }

  #output(stream: "stdout" | "stderr", chunk: Uint8Array): void {
    if (this.#over) return;
    const { pieceBytes, waitingBytes } = hostCommandLimits;
    this.#waitingBytes += chunk.byteLength;
    if (this.#waitingBytes > waitingBytes) {
      this.kill();
      this.#pieces.length = 0;
      return this.#end(killedCode, `killed: more than ${waitingBytes} bytes of output waited`);
    }
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    for (let at = 0; at < bytes.byteLength; at += pieceBytes)
      this.#add({ stream, data: bytes.toString("base64", at, at + pieceBytes) });
  }

  #end(exitCode: number, message?: string): void {
    if (this.#over) return;
    this.#over = true;
    this.#running = undefined;
    this.#add({ exitCode: exitCode & 0xff, ...(message !== undefined && { message }) });
  }

  #add(piece: HostCommandPiece): void {
    const taker = this.#taker;
    this.#taker = undefined;
    if (taker === undefined) this.#pieces.push(piece);
    else this.#hand(piece, taker);
  }

  #hand(piece: HostCommandPiece, taker: (piece: HostCommandPiece) => void): void {
    if ("stream" in piece) this.#waitingBytes -= Buffer.byteLength(piece.data, "base64");
    taker(piece);
  }

  /** The next piece; the last one has the exit code. */
  read(): Promise<HostCommandPiece> {
    return new Promise((resolve) => {
      const piece = this.#pieces.shift();
      if (piece === undefined) this.#taker = resolve;
      else this.#hand(piece, resolve);
    });
  }

  async write(data: Uint8Array): Promise<void> {
    const held = this.#running?.writeStdin(data);
    if (held !== undefined) return held;
    // Nobody says how much of it waits in the executor.
    this.#unheldBytes += data.byteLength;
    const { stdinBytes } = hostCommandLimits;
    if (this.#unheldBytes <= stdinBytes) return;
    this.kill();
    this.#end(killedCode, `killed: more than ${stdinBytes} bytes of input`);
  }

  close(): void {
    this.#running?.closeStdin();
  }

  kill(): void {
    this.#running?.kill(SIGKILL);
  }
}

/** What answers the steps of a machine's processes; see protocol/host-commands.ts. */
export function executorTools(executor: CommandExecutor): ParsedTools {
  const commands = new Map<string, HostCommand>();
  /** Steps may come in another order than they were made: the first of them makes the entry. */
  const entry = (id: string, signal: AbortSignal): HostCommand => {
    const command = commands.get(id) ?? new HostCommand();
    commands.set(id, command);
    signal.addEventListener("abort", () => {
      commands.delete(id);
      command.kill();
    });
    return command;
  };
  const handler = async (order: HostCommandOrder, { signal }: { signal: AbortSignal }) => {
    const { id, step, data = "" } = order;
    if (step === HostCommandStep.run) {
      const running = [...commands.values()].filter(({ running }) => running).length;
      const command = entry(id, signal);
      if (running < hostCommandLimits.commands) return command.run(executor, order);
      return command.fail(`${hostCommandLimits.commands} commands of the host run already`);
    }
    if (step === HostCommandStep.read) {
      const piece = await entry(id, signal).read();
      if ("exitCode" in piece) commands.delete(id);
      return piece;
    }
    const command = commands.get(id);
    if (step === HostCommandStep.write) await command?.write(Buffer.from(data, "base64"));
    else command?.close();
  };
  const [tool] = parseTools("commandExecutor", {
    commands: {
      handler,
      timeoutMs: 0,
      ...(executor.servesShell === true && { description: fromShellMark }),
    },
  }).values();
  const descriptor = { ...tool!.descriptor, name: executorTool, aliases: [] };
  return new Map([[executorTool, { ...tool!, descriptor }]]);
}

/** Where and with what the commands of the host run. */
export interface NodeHostCommandExecutorOptions {
  /**
   * Where commands run whose program is in no directory below it.
   * @default where this process runs
   */
  cwd?: string;
  /**
   * Their environment.
   * @default PATH and HOME of this process
   */
  env?: Record<string, string | undefined>;
  /**
   * Names of variables that commands get as their program has them.
   * @default none, as some of them decide what is run
   */
  passEnv?: readonly string[];
}

/**
 * An executor that starts programs of this host, with the rights of this process and **no isolation at all**: what
 * `permissions.childProcess` allows by name, a program of the machine runs here, with arguments of its choice.
 * @throws {INVALID_OPTION} for options.
 * @example
 * const driver = createNodeDriver({
 *   commandExecutor: createNodeHostCommandExecutor({ cwd: "/srv/project" }),
 *   permissions: { fs: "allow", childProcess: { default: "deny", rules: [{ mode: "allow", patterns: ["make"] }] } },
 * });
 */
export function createNodeHostCommandExecutor(
  options: NodeHostCommandExecutorOptions = {},
): CommandExecutor {
  const { PATH, HOME } = process.env;
  const { cwd: base = process.cwd(), env: own = { PATH, HOME }, passEnv = [] } = options;
  return {
    servesShell: true,
    spawn(command, args, { cwd = base, env = {}, onStdout, onStderr }) {
      const passed = passEnv.filter((name) => Object.hasOwn(env, name));
      const child = spawn(command, args, {
        cwd: isBelow(base, cwd) ? cwd : base,
        env: { ...own, ...Object.fromEntries(passed.map((name) => [name, env[name]])) },
        stdio: ["pipe", "pipe", "pipe"],
      });
      child.stdout.on("data", (chunk: Buffer) => onStdout?.(chunk));
      child.stderr.on("data", (chunk: Buffer) => onStderr?.(chunk));
      // A command that reads no more is no error of its caller's.
      child.stdin.on("error", () => {});
      return {
        writeStdin: (data) => new Promise((resolve) => child.stdin.write(data, () => resolve())),
        closeStdin: () => void child.stdin.end(),
        kill: (signal) => void child.kill(signal),
        wait: () =>
          new Promise((resolve, reject) => {
            child.once("error", reject);
            child.once("close", (code, signal) => resolve(code ?? codeOf(signal)));
          }),
      };
    },
  };
}

const codeOf = (signal: NodeJS.Signals | null): number =>
  128 + (signal === null ? 0 : constants.signals[signal]);

/** Whether a program's directory has the name of one of the host's that is meant for commands. */
function isBelow(base: string, path: string): boolean {
  const relative = posix.relative(base, path);
  return relative !== ".." && !relative.startsWith("../");
}

/** Throws INVALID_OPTION for what is no command executor. */
export function checkCommandExecutor(value: unknown): void {
  const spawn = typeof value === "object" && value !== null && "spawn" in value && value.spawn;
  if (typeof spawn !== "function")
    throw invalidOption("commandExecutor", "must be an object with a spawn function");
}
