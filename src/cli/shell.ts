/**
 * Owns `secure-exec shell`: a shell, or another command, in a fresh machine at the terminal of whoever called.
 * Untrusted: the shell's output, which is bytes for the terminal.
 */
import { UsageError } from "./arguments.js";
import type { Arguments } from "./arguments.js";
import { attach, explanationOf } from "./attach.js";
import { makeMachine } from "./make-machine.js";
import { machineOptionsOf } from "./machine-options.js";

/** Runs until the shell ends; resolves with the exit code for this process. */
export async function shell({ given, rest }: Arguments): Promise<number> {
  if (process.stdin.isTTY !== true || process.stdout.isTTY !== true)
    throw new UsageError("shell needs a terminal; exec takes a command and pipes");
  const [command = "bash", ...args] = rest;
  const rt = await makeMachine(machineOptionsOf(given));
  try {
    return await attach((attached) => rt.spawnCommand(command, args, attached), {
      tty: true,
      explain: explanationOf,
    });
  } finally {
    await rt.dispose();
  }
}
