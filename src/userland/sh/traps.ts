/**
 * Owns the process's signal dispositions as its environments want them, and the
 * running of trap actions. A signal is only noted when it comes; its action runs
 * between two commands of the environment that set it.
 */
import type { Environment } from "./environment.js";
import type { Interpreter } from "./interpreter.js";
import type { TextOptions } from "./texts.js";
import type { SignalName, TrapName } from "./signals.js";
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
  set(env: Environment, signal: TrapName, action: string | undefined): void {
    env.inheritedTraps = undefined;
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
      await this.#act(env, action, {});
    }
  }

  /** Acts on ERR, DEBUG or RETURN; the status of the action's last command. */
  async event(env: Environment, trap: TrapName): Promise<number> {
    const action = env.traps.get(trap);
    if (action === undefined || action === "" || env.activeTrap !== undefined) return 0;
    env.activeTrap = trap;
    try {
      return await this.#act(env, action, { line: env.line });
    } finally {
      env.activeTrap = undefined;
    }
  }

  /** DEBUG, in front of a command. True when `extdebug` wants the command left out. */
  async before(env: Environment): Promise<boolean> {
    const status = await this.event(env, "DEBUG");
    return status !== 0 && env.shellOptions.has("extdebug");
  }

  async #act(env: Environment, action: string, options: TextOptions): Promise<number> {
    const { line, pipeStatus, status, trapStatus } = env;
    env.trapStatus = status;
    env.callDepth += 1;
    try {
      this.#shell.checkDepth(env);
      return await this.#shell.runText(env, action, { origin: "trap: ", ...options });
    } finally {
      env.callDepth -= 1;
      env.trapStatus = trapStatus;
      env.status = status;
      env.pipeStatus = pipeStatus;
      env.line = line;
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
