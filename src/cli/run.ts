/**
 * Owns `secure-exec run`: one program of the host's disk in a fresh virtual
 * machine, with this process's streams and signals connected to it.
 * Invariant: of the file's host path only the last part enters the machine.
 * Untrusted: the program, and so its output, which is copied as bytes.
 */
import { closeSync, openSync, readFileSync, writeSync } from "node:fs";
import { basename } from "node:path";
import type { Writable } from "node:stream";
import { jsonLines } from "../sdk/audit.js";
import type { NodeRuntimeProcess } from "../sdk/process.js";
import { NodeRuntime } from "../sdk/runtime.js";

const forwardedSignals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
/** What a shell reports for a program that wrote into a closed pipe. */
const brokenPipeCode = 141;

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

function connectStdin(guest: NodeRuntimeProcess): void {
  const end = (): void => guest.closeStdin();
  process.stdin.on("data", (chunk: Buffer) => guest.writeStdin(chunk));
  process.stdin.on("end", end);
  // A stdin that cannot be read, such as a directory, is an empty one.
  process.stdin.on("error", end);
}

/**
 * Runs FILE and resolves with the exit code for this process. Rejects when the file cannot be read, or
 * the one for the decisions cannot be written.
 */
export async function runFile(file: string, args: string[], audit?: string): Promise<number> {
  const source = readFileSync(file, "utf8");
  const log = audit === undefined ? undefined : openSync(audit, "w", 0o600);
  const runtime = await NodeRuntime.create(
    log === undefined ? {} : { onDecision: (decision) => writeSync(log, jsonLines([decision])) },
  );
  try {
    let brokenPipe = false;
    let guest: NodeRuntimeProcess | undefined;
    const pipeBroke = (): void => {
      brokenPipe = true;
      guest?.kill("SIGKILL");
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
    guest = await runtime.spawn(source, {
      args,
      name: basename(file),
      onStdout: copyTo(process.stdout),
      onStderr: copyTo(process.stderr),
    });
    const running = guest;
    if (early !== undefined) running.kill(early);
    connectStdin(running);
    const code = await running.wait();
    return brokenPipe ? brokenPipeCode : code;
  } finally {
    await runtime.dispose();
    if (log !== undefined) closeSync(log);
  }
}
