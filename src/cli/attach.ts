/**
 * Owns the connection between a program of a machine and this process: streams, terminal, signals, and
 * the exit code for this process.
 *
 * Invariants: the host's terminal is as it was at every end, also by a signal or an error; a reader of ours that is
 * gone ends the program as a pipe would.
 * Untrusted: the program's output, which is copied as bytes.
 */
import type { Writable } from "node:stream";
import { SecureExecError } from "../sdk/errors.js";
import type { OutputHook } from "../sdk/output-channel.js";
import type { NodeRuntimeProcess } from "../sdk/process.js";
import type { NodeRuntimeEnd } from "../sdk/usage.js";
import { mostLookedAt } from "./hints.js";

const forwardedSignals = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2"] as const;
/** What a shell reports for a program that wrote into a closed pipe, that is not there, or that is no program. */
const brokenPipeCode = 141;
const notFoundCode = 127;
const notExecutableCode = 126;

/** Variables by which programs know a terminal's colours. */
const terminalVariables = ["TERM", "COLORTERM", "NO_COLOR", "FORCE_COLOR"];

export interface TerminalSize {
  cols: number;
  rows: number;
}

/** What a program is started with so that it is connected. */
export interface Attached {
  onStdout: OutputHook;
  onStderr: OutputHook;
  pty?: TerminalSize;
  env: Record<string, string>;
}

/** Writes a chunk; the promise, if any, settles when `stream` wants more. */
function copyTo(stream: Writable): (chunk: Uint8Array) => Promise<void> | undefined {
  return (chunk) => {
    if (stream.destroyed || stream.write(chunk)) return undefined;
    return new Promise((resolve) => {
      const done = (): void => {
        stream.off("drain", done);
        stream.off("close", done);
        resolve();
      };
      stream.on("drain", done);
      stream.on("close", done);
    });
  };
}

function terminalSize(): TerminalSize {
  return { cols: process.stdout.columns || 80, rows: process.stdout.rows || 24 };
}

/** Of this terminal, for a program in one. */
function terminalEnvironment(): Record<string, string> {
  const named = terminalVariables.map((name) => [name, process.env[name]] as const);
  return Object.fromEntries(
    named.filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}

/** Whether all three streams are one terminal's. */
export const isAtTerminal = (): boolean =>
  process.stdin.isTTY === true && process.stdout.isTTY === true && process.stderr.isTTY === true;

/** Raw mode until the answer is called, and at the end of this process. */
function rawMode(): () => void {
  const { stdin } = process;
  stdin.setRawMode(true);
  const restore = (): void => void stdin.setRawMode(false);
  process.once("exit", restore);
  return () => {
    process.off("exit", restore);
    restore();
    stdin.pause();
  };
}

function connectStdin(guest: NodeRuntimeProcess): void {
  const end = (): void => guest.closeStdin();
  process.stdin.on("data", (chunk: Buffer) => {
    if (guest.exitCode === null) guest.writeStdin(chunk);
  });
  process.stdin.on("end", end);
  // A stdin that cannot be read, such as a directory, is an empty one.
  process.stdin.on("error", end);
}

/** Lines about a program's end; `output` is the end of what it wrote to stderr, or to its terminal. */
type Explain = (end: NodeRuntimeEnd, code: number, output: string) => string[] | Promise<string[]>;

/** The same hook, which keeps the last bytes that went through it. */
function keepingTail(hook: OutputHook, bytes: number): [hook: OutputHook, tail: () => string] {
  let kept = Buffer.alloc(0);
  const keeping: OutputHook = (chunk) => {
    kept = Buffer.concat([kept, chunk.subarray(-bytes)]).subarray(-bytes);
    return hook(chunk);
  };
  return [keeping, () => kept.toString("utf8")];
}

/**
 * Starts a program with `start` and stays with it until its end; resolves with the exit code for this process.
 * `tty`: in a terminal of its own that is this one.
 */
export async function attach(
  start: (attached: Attached) => Promise<NodeRuntimeProcess>,
  { tty, explain }: { tty: boolean; explain?: Explain },
): Promise<number> {
  let brokenPipe = false;
  let guest: NodeRuntimeProcess | undefined;
  const pipeBroke = (): void => {
    brokenPipe = true;
    guest?.kill("SIGKILL", { group: true });
  };
  process.stdout.on("error", pipeBroke);
  process.stderr.on("error", pipeBroke);
  // Listened to before there is a program: its first output may already bring a signal.
  let early: (typeof forwardedSignals)[number] | undefined;
  for (const signal of forwardedSignals) {
    process.on(signal, () => {
      if (guest === undefined) early = signal;
      else guest.kill(signal);
    });
  }
  let restore = (): void => {};
  // A terminal's one stream is stdout.
  const [errors, tail] = keepingTail(copyTo(tty ? process.stdout : process.stderr), mostLookedAt);
  try {
    guest = await start({
      onStdout: tty ? errors : copyTo(process.stdout),
      onStderr: tty ? copyTo(process.stderr) : errors,
      env: tty ? terminalEnvironment() : {},
      ...(tty && { pty: terminalSize() }),
    });
    const running = guest;
    if (early !== undefined) running.kill(early);
    if (tty) {
      restore = rawMode();
      process.stdout.on("resize", () => running.resize(terminalSize().cols, terminalSize().rows));
    }
    connectStdin(running);
    const code = await running.wait();
    restore();
    if (running.end !== null && !brokenPipe)
      for (const line of (await explain?.(running.end, code, tail())) ?? [])
        process.stderr.write(`secure-exec: ${line}\n`);
    return brokenPipe ? brokenPipeCode : code;
  } catch (error) {
    restore();
    const errno =
      SecureExecError.isSecureExecError(error) && error.code === "ERR_SECURE_EXEC_SPAWN_FAILED"
        ? error.details?.errno
        : undefined;
    if (errno !== "ENOENT" && errno !== "EACCES" && errno !== "ENOEXEC") throw error;
    process.stderr.write(`secure-exec: ${(error as Error).message}\n`);
    return errno === "ENOENT" ? notFoundCode : notExecutableCode;
  }
}

/** Why a program did not end by itself, in words; nothing where it did. */
export function explanationOf(end: NodeRuntimeEnd): string[] {
  switch (end.reason) {
    case "timeout":
      return ["the program was killed at its --timeout"];
    case "limit":
      return [
        `the program went over limits.${end.limit ?? "?"}; --limit ${end.limit ?? "NAME"}=… allows more`,
      ];
    case "lost":
      return ["the program's outcome is not known"];
    default:
      return [];
  }
}
