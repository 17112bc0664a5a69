/**
 * Owns the execution of the syntax tree. One `Interpreter` is one shell process;
 * any number of environments run in it at once. A status is returned; `break`,
 * `return`, `exit` and errors are thrown (control.ts). `tested` is true where a
 * failure is somebody's condition, so that `set -e` must not act on it.
 */
import type { CaseItem, Command } from "./ast.js";
import { evaluateCondition } from "./conditions.js";
import { Exit, Killed, LoopJump, Return, ShellError, SyntaxFailure } from "./control.js";
import { Capture } from "./descriptors.js";
import type { Environment } from "./environment.js";
import { expandArithmetic, expandPattern, expandText, expandWords } from "./expansion.js";
import { CommandHash } from "./external.js";
import { limits } from "./limits.js";
import type { ParameterContext } from "./parameters.js";
import { compilePattern } from "./pattern.js";
import { runBackground, runPipeline } from "./pipelines.js";
import { applyRedirections, expandRedirections } from "./redirections.js";
import { runSimple } from "./simple-command.js";
import type { ShellSystem } from "./system.js";
import { decodeText, encodeText } from "./text.js";
import { runText } from "./texts.js";
import { timed } from "./time.js";
import { Traps } from "./traps.js";

/** Commands between two looks at signals and other work of a loop that never waits. */
const COMMANDS_PER_BREATH = 128;

export class Interpreter implements ParameterContext {
  readonly hash = new CommandHash();
  readonly traps: Traps;
  readonly startMs: number;
  #umask: number | undefined;
  #subshells = 0;
  #commands = 0;

  constructor(
    readonly system: ShellSystem,
    readonly bash: boolean,
    readonly interactive: boolean,
  ) {
    this.traps = new Traps(this);
    this.startMs = system.nowMs();
  }

  async execute(env: Environment, command: Command, tested: boolean): Promise<number> {
    if (env.options.has("noexec") && !this.interactive) return 0;
    switch (command.kind) {
      case "simple":
        return this.#checked(env, await runSimple(this, env, command, tested), tested);
      case "pipeline":
        return this.#checked(env, await runPipeline(this, env, command.commands, tested), tested);
      case "not":
        return this.#finish(env, (await this.execute(env, command.command, true)) === 0 ? 1 : 0);
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
        return this.#finish(env, await runBackground(this, env, command));
      case "group":
        return this.execute(env, command.body, tested);
      case "subshell": {
        const clone = env.clone();
        const status = await this.runSubshell(clone, () =>
          this.execute(clone, command.body, tested),
        );
        env.line = command.line;
        return this.#checked(env, this.#finish(env, status), tested);
      }
      case "redirected":
        return this.#redirected(env, command, tested);
      case "if":
        for (const { condition, body } of command.clauses) {
          if ((await this.execute(env, condition, true)) === 0) {
            return this.execute(env, body, tested);
          }
        }
        if (command.otherwise !== undefined) return this.execute(env, command.otherwise, tested);
        return this.#finish(env, 0);
      case "while":
        return this.#while(env, command, tested);
      case "for":
        return this.#for(env, command, tested);
      case "arithmetic-for":
        return this.#arithmeticFor(env, command, tested);
      case "case":
        return this.#case(env, command, tested);
      case "function":
        env.functions.set(command.name, command.body);
        return this.#finish(env, 0);
      case "conditional": {
        env.line = command.line;
        const holds = await evaluateCondition(this, env, command.expression);
        return this.#checked(env, this.#finish(env, holds ? 0 : 1), tested);
      }
      case "arithmetic": {
        env.line = command.line;
        const value = await expandArithmetic(this, env, command.expression);
        return this.#checked(env, this.#finish(env, value === 0n ? 1 : 0), tested);
      }
      case "time":
        return timed(this, env, () => this.execute(env, command.command, tested));
    }
  }

  #finish(env: Environment, status: number): number {
    env.status = status;
    return status;
  }

  /** `set -e` */
  #checked(env: Environment, status: number, tested: boolean): number {
    if (status !== 0 && !tested && env.options.has("errexit")) throw new Exit(status);
    return status;
  }

  async #redirected(
    env: Environment,
    command: Extract<Command, { kind: "redirected" }>,
    tested: boolean,
  ): Promise<number> {
    env.line = command.line;
    const expanded = await expandRedirections(this, env, command.redirections);
    let saved;
    try {
      saved = applyRedirections(this, env, expanded);
    } catch (error) {
      if (!(error instanceof ShellError)) throw error;
      await this.complain(env, error.message);
      return this.#checked(env, this.#finish(env, error.status), tested);
    }
    try {
      return await this.execute(env, command.command, tested);
    } finally {
      saved.restore();
    }
  }

  // --- loops ---------------------------------------------------------------------------------------

  /** Runs a loop's body once. True when the loop is to end. */
  async #turn(env: Environment, body: () => Promise<unknown>): Promise<boolean> {
    await this.breathe();
    try {
      await body();
      return false;
    } catch (jump) {
      if (!(jump instanceof LoopJump)) throw jump;
      if (--jump.count > 0) throw jump;
      return jump.kind === "break";
    }
  }

  async #loop(env: Environment, run: () => Promise<void>): Promise<void> {
    env.loopDepth += 1;
    try {
      await run();
    } finally {
      env.loopDepth -= 1;
    }
  }

  async #while(
    env: Environment,
    { condition, body, until }: Extract<Command, { kind: "while" }>,
    tested: boolean,
  ): Promise<number> {
    let status = 0;
    await this.#loop(env, async () => {
      for (let ended = false; !ended;) {
        ended = await this.#turn(env, async () => {
          const holds = ((await this.execute(env, condition, true)) === 0) !== until;
          if (!holds) ended = true;
          else {
            status = 0;
            status = await this.execute(env, body, tested);
          }
        }).then((jumped) => jumped || ended);
      }
    });
    return this.#finish(env, status);
  }

  async #for(
    env: Environment,
    command: Extract<Command, { kind: "for" }>,
    tested: boolean,
  ): Promise<number> {
    env.line = command.line;
    const values =
      command.words === undefined ? env.positional : await expandWords(this, env, command.words);
    let status = 0;
    await this.#loop(env, async () => {
      for (const value of values) {
        env.assign(command.variable, value);
        const ended = await this.#turn(env, async () => {
          status = 0;
          status = await this.execute(env, command.body, tested);
        });
        if (ended) break;
      }
    });
    return this.#finish(env, status);
  }

  async #arithmeticFor(
    env: Environment,
    command: Extract<Command, { kind: "arithmetic-for" }>,
    tested: boolean,
  ): Promise<number> {
    env.line = command.line;
    const { initial, condition, update } = command;
    const endless =
      condition.parts.length === 0 || (await expandText(this, env, condition)).trim() === "";
    await expandArithmetic(this, env, initial);
    let status = 0;
    await this.#loop(env, async () => {
      while (endless || (await expandArithmetic(this, env, condition)) !== 0n) {
        const ended = await this.#turn(env, async () => {
          status = await this.execute(env, command.body, tested);
        });
        if (ended) break;
        await expandArithmetic(this, env, update);
      }
    });
    return this.#finish(env, status);
  }

  async #case(
    env: Environment,
    command: Extract<Command, { kind: "case" }>,
    tested: boolean,
  ): Promise<number> {
    env.line = command.line;
    const subject = await expandText(this, env, command.subject);
    const matches = async (item: CaseItem): Promise<boolean> => {
      for (const word of item.patterns) {
        if (compilePattern(await expandPattern(this, env, word)).matches(subject)) return true;
      }
      return false;
    };
    let status = 0;
    let falling = false;
    for (const item of command.items) {
      if (!falling && !(await matches(item))) continue;
      status = await this.execute(env, item.body, tested);
      if (item.end === ";;") break;
      falling = item.end === ";&";
    }
    return this.#finish(env, status);
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
        await this.runText(env, action, false);
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
      if (end instanceof Killed) return { status: 128 + end.signal, trap: false };
      const status = await this.report(env, end);
      return { status, trap: true };
    }
  }

  /** Prints what ended a command; rethrows what is no error of the script. The status to go on with. */
  async report(env: Environment, error: unknown): Promise<number> {
    if (error instanceof SyntaxFailure) env.line = error.line;
    if (error instanceof ShellError) await this.complain(env, error.message);
    // Deeper or longer than the engine can hold, in spite of the limits: the script's fault all the same.
    else if (error instanceof RangeError) await this.complain(env, "out of memory");
    else throw error;
    if (!(error instanceof ShellError)) return 2;
    // bash ends with 1 where dash ends with 2.
    const asDash = !this.bash || error instanceof SyntaxFailure || error.status !== 2;
    return asDash ? error.status : 1;
  }

  async complain(env: Environment, message: string): Promise<void> {
    const text = `${env.name}: ${env.line}: ${message}\n`;
    await env.descriptors.get(2)?.write(encodeText(text));
  }

  /** The output of a command substitution. */
  async substitute(env: Environment, body: Command): Promise<string> {
    const clone = env.clone();
    const capture = new Capture(this.system);
    clone.descriptors.set(1, capture);
    clone.callDepth += 1;
    env.substitutionStatus = await this.runSubshell(clone, () => {
      this.checkDepth(clone);
      return this.execute(clone, body, false);
    });
    const text = decodeText(await capture.output());
    let end = text.length;
    while (end > 0 && text[end - 1] === "\n") end -= 1;
    return text.slice(0, end).replaceAll("\0", "");
  }

  /** Runs a script: see texts.ts. */
  runText(env: Environment, text: string, tested: boolean, last = false): Promise<number> {
    return runText(this, env, text, tested, last);
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
