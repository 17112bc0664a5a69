/**
 * Owns commands that take the shell's place: `exec`, and the last command of
 * `sh -c`. A process cannot be replaced here, so the shell stays as a shadow: it
 * passes on the signals it gets and ends the way the command ended.
 */
import { Exit } from "./control.js";
import type { Environment } from "./environment.js";
import type { StartOptions } from "./external.js";
import { startCommand } from "./external.js";
import type { Interpreter } from "./interpreter.js";
import { exitStatus } from "./jobs.js";
import { signalNumber } from "./signals.js";

const passedOn = ["HUP", "INT", "QUIT", "USR1", "USR2", "TERM"];

/** Ends the environment; throws a StartFailure when the command cannot be started. */
export async function becomeCommand(
  shell: Interpreter,
  env: Environment,
  argv: readonly string[],
  options: StartOptions = {},
): Promise<never> {
  const { system } = shell;
  const pid = await startCommand(shell, env, argv, options);
  // A subshell shares its process with others; only its own end can stand for the command's.
  if (env.isSubshell) throw new Exit(exitStatus(await system.wait(pid)), false);
  const signals = passedOn.filter((name) => env.traps.get(name) !== "").map(signalNumber);
  for (const signal of signals) {
    if (!system.startedIgnored(signal))
      system.onSignal(signal, () => void system.kill(pid, signal));
  }
  const status = await system.wait(pid);
  for (const signal of signals)
    if (!system.startedIgnored(signal)) system.onSignal(signal, "default");
  if (status.signal !== 0) {
    system.kill(system.pid, status.signal);
    await system.yield();
  }
  throw new Exit(exitStatus(status), false);
}
