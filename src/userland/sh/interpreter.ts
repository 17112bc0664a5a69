/**
 * Owns the execution of the syntax tree. One `Interpreter` is one shell process;
 * any number of environments run in it at once. A status is returned; `break`,
 * `return`, `exit` and errors are thrown (control.ts). `tested` is true where a
 * failure is somebody's condition, so that `set -e` must not act on it.
 */
import { builtins } from "./builtins/index.js";
import { expandPrompt } from "./prompt.js";
import { ArithmeticError } from "./arithmetic-parser.js";
import type { Command } from "./ast.js";
import { fileOfSubstitution } from "./ast.js";
import { evaluateCondition } from "./conditions.js";
import { Exit, Killed, LoopJump, Return, ShellError } from "./control.js";
import { Beside } from "./beside.js";
import { runCoprocess } from "./coprocess.js";
import { Capture } from "./descriptors.js";
import { complain, report } from "./diagnostics.js";
import type { Environment } from "./environment.js";
import { expandArithmetic } from "./expansion.js";
import { CommandHash } from "./external.js";
import type { JobControl } from "./job-control.js";
import type { LineEditor } from "./line-editor.js";
import { limits } from "./limits.js";
import { runArithmeticFor, runCase, runFor, runSelect, runWhile } from "./loops.js";
import { runBackground, runPipeline } from "./pipelines.js";
import { closeTemporaries } from "./process-substitution.js";
import { RedirectionError, performRedirections } from "./redirections.js";
import { SIGINT } from "./signals.js";
import { callFunction, invoke, runSimple, tellSubshellKilled } from "./simple-command.js";
import type { InvokeOptions } from "./simple-command.js";
import type { ShellSystem } from "./system.js";
import { decodeText } from "./text.js";
import type { TextOptions } from "./texts.js";
import { runText } from "./texts.js";
import { timed } from "./time.js";
import { traceHead } from "./trace.js";
import { Traps } from "./traps.js";
import { commandText } from "./unparse.js";

/** Commands between two looks at signals and other work of a loop that never waits. */
const COMMANDS_PER_BREATH = 128;
const CHUNK_BYTES = 64 * 1024;

const noAliases: ReadonlyMap<string, string> = new Map();

export class Interpreter {
  /** Reached through the shell by those who are in the table themselves. */
  readonly builtins = builtins;
  readonly hash = new CommandHash();
  /** At a terminal, where somebody types. */
  jobControl: JobControl | undefined;
  editor: LineEditor | undefined;
  /** ^C while the shell itself was busy. */
  interrupted = false;
  /** ^Z while a command was being started: SIGTSTP, otherwise 0. */
  early = 0;
  readonly traps: Traps;
  readonly startMs: number;
  #umask: number | undefined;
  #subshells = 0;
  #commands = 0;
  /** Process substitutions that write: the shell does not end before them. */
  readonly beside = new Beside();

  constructor(
    readonly system: ShellSystem,
    readonly bash: boolean,
    readonly interactive: boolean,
  ) {
    this.traps = new Traps(this);
    this.startMs = system.nowMs();
  }

  // The parts of the shell call each other through it, so that none needs another to be loaded.

  invoke(env: Environment, argv: readonly string[], options: InvokeOptions): Promise<number> {
    return invoke(this, env, argv, options);
  }

  callFunction(
    env: Environment,
    name: string,
    args: readonly string[],
    tested: boolean,
  ): Promise<number> {
    return callFunction(this, env, name, args, tested);
  }

  prompt(env: Environment, text: string): Promise<string> {
    return expandPrompt(this, env, text);
  }

  async execute(env: Environment, command: Command, tested: boolean): Promise<number> {
    if (env.options.has("noexec") && !this.interactive) return 0;
    if (this.interrupted) throw new Killed(SIGINT);
    switch (command.kind) {
      case "simple":
        return this.settle(env, await runSimple(this, env, command, tested), tested);
      case "pipeline":
        return this.settle(env, await runPipeline(this, env, command.commands, tested), tested);
      case "not": {
        const status = (await this.execute(env, command.command, true)) === 0 ? 1 : 0;
        env.status = status;
        return status;
      }
      case "and-or": {
        let status = await this.execute(env, command.first, true);
        const last = command.rest.at(-1);
        for (const next of command.rest) {
          if ((status === 0) !== (next.operator === "&&")) continue;
          status = await this.execute(env, next.command, tested || next !== last);
        }
        return status;
      }
      case "list": {
        let status = 0;
        for (const next of command.commands) status = await this.execute(env, next, tested);
        return status;
      }
      case "background":
        return this.finish(env, await runBackground(this, env, command));
      case "coprocess":
        return this.finish(env, await runCoprocess(this, env, command));
      case "group":
        return this.execute(env, command.body, tested);
      case "subshell":
        return this.#subshell(env, command, tested);
      case "redirected":
        return this.#redirected(env, command, tested);
      case "if":
        for (const { condition, body } of command.clauses) {
          if ((await this.execute(env, condition, true)) === 0) {
            return this.execute(env, body, tested);
          }
        }
        if (command.otherwise !== undefined) return this.execute(env, command.otherwise, tested);
        return this.finish(env, 0);
      case "while":
        return runWhile(this, env, command, tested);
      case "for":
        return runFor(this, env, command, tested);
      case "select":
        return runSelect(this, env, command, tested);
      case "arithmetic-for":
        return runArithmeticFor(this, env, command, tested);
      case "case":
        return runCase(this, env, command, tested);
      case "function":
        return this.#define(env, command);
      case "conditional":
      case "arithmetic":
        return this.#test(env, command, tested);
      case "time":
        return timed(this, env, command.posix, () => this.execute(env, command.command, tested));
    }
  }

  finish(env: Environment, status: number): number {
    env.status = status;
    env.pipeStatus = [status];
    return status;
  }

  /** A member of a pipeline; of the status of one that is a command alone, the trap of ERR does not hear. */
  executeMember(env: Environment, command: Command, tested: boolean): Promise<number> {
    return this.bash && command.kind === "simple"
      ? runSimple(this, env, command, tested)
      : this.execute(env, command, tested);
  }

  /** The ERR trap and `set -e`. */
  async settle(env: Environment, status: number, tested: boolean): Promise<number> {
    if (status === 0 || tested) return status;
    if (env.traps.has("ERR")) await this.traps.event(env, "ERR");
    if (env.options.has("errexit")) throw new Exit(status);
    return status;
  }

  async #define(
    env: Environment,
    { body, line, name }: Extract<Command, { kind: "function" }>,
  ): Promise<number> {
    env.line = line;
    const old = env.functions.get(name);
    if (old?.readonly === true) {
      await this.complain(env, `${name}: readonly function`);
      return this.finish(env, 1);
    }
    const source = env.frame?.source ?? "environment";
    env.functions.set(name, { ...old, body, line, source });
    return this.finish(env, 0);
  }

  async #subshell(
    env: Environment,
    command: Extract<Command, { kind: "subshell" }>,
    tested: boolean,
  ): Promise<number> {
    if (this.bash && env.activeTrap === undefined) env.commandText = () => commandText(command);
    const clone = env.clone();
    const status = await this.runSubshell(clone, () => this.execute(clone, command.body, tested));
    env.line = command.line;
    if (clone.killedBy !== 0) await tellSubshellKilled(this, env, clone, commandText(command));
    if (env.pendingSignals.length > 0) await this.traps.run(env);
    return this.settle(env, this.finish(env, status), tested);
  }

  /** `[[ … ]]` and `(( … ))` */
  async #test(
    env: Environment,
    command: Extract<Command, { kind: "conditional" | "arithmetic" }>,
    tested: boolean,
  ): Promise<number> {
    env.line = command.line;
    if (this.bash && env.activeTrap === undefined) env.commandText = () => commandText(command);
    if (env.traps.has("DEBUG") && (await this.traps.before(env))) return env.status;
    if (this.bash && env.options.has("xtrace")) await traceHead(this, env, command);
    const mark = env.temporaryDescriptors.length;
    let status: number;
    try {
      const holds =
        command.kind === "conditional"
          ? await evaluateCondition(this, env, command.expression)
          : (await expandArithmetic(this, env, command.expression)) !== 0n;
      status = holds === undefined ? 2 : holds ? 0 : 1;
    } catch (error) {
      if (!this.bash || !(error instanceof ArithmeticError)) throw error;
      const name = command.kind === "conditional" ? "[[" : "((";
      await this.complain(env, `${name}: ${error.messageFor(true)}`);
      status = 1;
    } finally {
      closeTemporaries(env, mark);
    }
    return this.settle(env, this.finish(env, status), tested);
  }

  async #redirected(
    env: Environment,
    command: Extract<Command, { kind: "redirected" }>,
    tested: boolean,
  ): Promise<number> {
    env.line = command.line;
    const mark = env.temporaryDescriptors.length;
    try {
      let saved;
      try {
        saved = await performRedirections(this, env, command.redirections);
      } catch (error) {
        if (!(error instanceof RedirectionError)) throw error;
        if (!error.told) await this.complain(env, error.messageFor(this.bash));
        return await this.settle(env, this.finish(env, error.statusFor(this.bash)), tested);
      }
      try {
        return await this.execute(env, command.command, tested);
      } finally {
        saved.restore();
      }
    } finally {
      closeTemporaries(env, mark);
    }
  }

  // --- environments inside this process ------------------------------------------------------------

  /** Runs something to its end in a clone, with its EXIT trap, and closes the clone. */
  async runSubshell(env: Environment, body: () => Promise<number>): Promise<number> {
    if (this.#subshells >= limits.subshells) {
      await this.complain(env, "too many subshells");
      env.descriptors.closeAll();
      return 2;
    }
    this.#subshells += 1;
    try {
      return await this.runToEnd(env, body);
    } finally {
      this.#subshells -= 1;
      this.traps.forget(env);
      env.descriptors.closeAll();
    }
  }

  /** The status with which an environment ends, whatever ends it. Runs its EXIT trap. */
  async runToEnd(env: Environment, body: () => Promise<number>): Promise<number> {
    let ending = await this.#ending(env, body);
    const action = env.traps.get("EXIT");
    if (action !== undefined && action !== "" && ending.trap) {
      env.traps.delete("EXIT");
      env.status = ending.status;
      env.trapStatus = ending.status;
      const before = ending;
      ending = await this.#ending(env, async () => {
        await this.runText(env, action, { origin: "exit trap: " });
        return before.status;
      });
    }
    return ending.status;
  }

  async #ending(
    env: Environment,
    body: () => Promise<number>,
  ): Promise<{ status: number; trap: boolean }> {
    try {
      return { status: await body(), trap: true };
    } catch (end) {
      if (end instanceof Exit) return { status: end.status, trap: end.runTrap };
      if (end instanceof Return) return { status: end.status, trap: true };
      if (end instanceof LoopJump) return { status: 0, trap: true };
      if (end instanceof Killed) {
        env.killedBy = end.signal;
        return { status: 128 + end.signal, trap: false };
      }
      const status = await report(env, end);
      const isParent = this.bash && end instanceof ShellError && end.bash.ends === "shell";
      return { status: isParent && env.isSubshell ? 1 : status, trap: true };
    }
  }

  complain(env: Environment, message: string): Promise<void> {
    return complain(env, message);
  }

  /** The output of a command substitution. */
  async substitute(env: Environment, body: Command): Promise<string> {
    const clone = env.clone();
    const capture = new Capture(this.system);
    clone.descriptors.set(1, capture);
    clone.callDepth += 1;
    clone.traceDepth += 1;
    if (this.bash && !env.shellOptions.has("inherit_errexit") && !env.options.has("posix")) {
      clone.options.set("errexit", false);
    }
    const status = await this.runSubshell(clone, () => {
      this.checkDepth(clone);
      return this.bash && fileOfSubstitution(body) !== undefined
        ? this.#copyFile(clone, body)
        : this.execute(clone, body, false);
    });
    env.substitutionStatus = status;
    if (this.bash) env.status = status;
    const text = decodeText(await capture.output());
    let end = text.length;
    while (end > 0 && text[end - 1] === "\n") end -= 1;
    const kept = text.slice(0, end);
    if (!kept.includes("\0")) return kept;
    if (this.bash) {
      await this.complain(env, "warning: command substitution: ignored null byte in input");
    }
    return kept.replaceAll("\0", "");
  }

  /** `$(< file)` */
  async #copyFile(env: Environment, body: Command): Promise<number> {
    const output = env.descriptors.get(1);
    try {
      const only = [fileOfSubstitution(body)!];
      (await performRedirections(this, env, only)).keep();
    } catch (error) {
      if (!(error instanceof RedirectionError)) throw error;
      return 1;
    }
    for (;;) {
      const bytes = await env.descriptors.get(0)!.read(CHUNK_BYTES);
      if (typeof bytes === "number") return 1;
      if (bytes.length === 0) return 0;
      if (((await output?.write(bytes)) ?? -1) < 0) return 1;
    }
  }

  /** Runs a script: see texts.ts. */
  runText(env: Environment, text: string, options?: TextOptions): Promise<number> {
    return runText(this, env, text, options);
  }

  /** bash expands aliases where somebody types, or asks for it. */
  aliasesOf({ aliases, shellOptions }: Environment): ReadonlyMap<string, string> {
    return !this.bash || shellOptions.has("expand_aliases") ? aliases : noAliases;
  }

  /** Calls inside calls. */
  checkDepth(env: Environment): void {
    if (env.callDepth > limits.callDepth) throw new ShellError("maximum recursion depth exceeded");
  }

  /** Every so often, lets the rest of the process run. */
  async breathe(): Promise<void> {
    this.#commands += 1;
    if (this.#commands % COMMANDS_PER_BREATH === 0) await this.system.yield();
  }

  /** Environments have masks of their own, the process has one. */
  useUmask(env: Environment): void {
    if (this.#umask === env.umask) return;
    this.system.umask(env.umask);
    this.#umask = env.umask;
  }
}
