/**
 * Owns the process's signal dispositions as its environments want them, and the
 * running of trap actions. A signal is only noted when it comes; its action runs
 * between two commands of the environment that set it.
 */
import type { Environment } from "./environment.js";
import type { Interpreter } from "./interpreter.js";
import type { SignalName } from "./signals.js";
import { signalNumber } from "./signals.js";

export class Traps {
  readonly #shell: Interpreter;
  /** Environments that catch a signal. */
  readonly #watchers = new Map<SignalName, Set<Environment>>();
  /** The signals the shell itself ignores. */
  readonly #ignored = new Set<SignalName>();

  constructor(shell: Interpreter) {
    this.#shell = shell;
  }

  /** `undefined` is the default again, "" ignores. */
  set(env: Environment, signal: SignalName, action: string | undefined): void {
    const number = signalNumber(signal);
    if (number > 0 && !this.#shell.interactive && this.#shell.system.startedIgnored(number)) return;
    if (action === undefined) env.traps.delete(signal);
    else env.traps.set(signal, action);
    if (number <= 0) return;
    const watchers = this.#watchers.get(signal) ?? new Set();
    this.#watchers.set(signal, watchers);
    if (action) watchers.add(env);
    else watchers.delete(env);
    if (!env.isSubshell) {
      if (action === "") this.#ignored.add(signal);
      else this.#ignored.delete(signal);
    }
    this.#apply(signal, number);
  }

  /** The environment ends: what it caught is no longer caught for its sake. */
  forget(env: Environment): void {
    for (const [signal, watchers] of this.#watchers) {
      if (watchers.delete(env)) this.#apply(signal, signalNumber(signal));
    }
  }

  /** Acts on what has been caught. */
  async run(env: Environment): Promise<void> {
    const { pendingSignals } = env;
    for (
      let signal = pendingSignals.shift();
      signal !== undefined;
      signal = pendingSignals.shift()
    ) {
      const action = env.traps.get(signal);
      if (action === undefined || action === "") continue;
      const { status, trapStatus } = env;
      env.trapStatus = status;
      env.callDepth += 1;
      try {
        this.#shell.checkDepth(env);
        await this.#shell.runText(env, action, false);
      } finally {
        env.callDepth -= 1;
        env.trapStatus = trapStatus;
      }
      env.status = status;
    }
  }

  #apply(signal: SignalName, number: number): void {
    const watchers = this.#watchers.get(signal);
    const { system } = this.#shell;
    if (watchers !== undefined && watchers.size > 0) {
      system.onSignal(number, () => this.#deliver(signal));
    } else system.onSignal(number, this.#ignored.has(signal) ? "ignore" : "default");
  }

  #deliver(signal: SignalName): void {
    for (const env of this.#watchers.get(signal) ?? []) {
      if (!env.pendingSignals.includes(signal)) env.pendingSignals.push(signal);
      env.wakeOnSignal?.();
    }
  }
}
