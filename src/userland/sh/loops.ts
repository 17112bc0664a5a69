/** Owns loops, `select` and `case`. */
import { ArithmeticError } from "./arithmetic-parser.js";
import type { CaseItem, Command, Word } from "./ast.js";
import { LoopJump, ShellError } from "./control.js";
import type { Environment } from "./environment.js";
import { expandArithmetic, expandPattern, expandText, expandWords } from "./expansion.js";
import type { Interpreter } from "./interpreter.js";
import { patternOf } from "./matching.js";
import { closeTemporaries } from "./process-substitution.js";
import { selectMenu } from "./select-menu.js";
import { decodeText, encodeText } from "./text.js";
import { traceArithmetic, traceHead } from "./trace.js";
import { headText, wordText } from "./unparse.js";
import { validName } from "./variables.js";

type Loop<K extends Command["kind"]> = Extract<Command, { kind: K }>;

const MAX_LINE_BYTES = 1 << 20;

/** Runs a loop's body once. True when the loop is to end. */
async function turn(shell: Interpreter, body: () => Promise<unknown>): Promise<boolean> {
  await shell.breathe();
  try {
    await body();
    return false;
  } catch (jump) {
    if (!(jump instanceof LoopJump)) throw jump;
    if (--jump.count > 0) throw jump;
    return jump.kind === "break";
  }
}

async function loop(env: Environment, run: () => Promise<void>): Promise<void> {
  env.loopDepth += 1;
  const mark = env.temporaryDescriptors.length;
  try {
    await run();
  } finally {
    env.loopDepth -= 1;
    closeTemporaries(env, mark);
  }
}

export async function runWhile(
  shell: Interpreter,
  env: Environment,
  { condition, body, until }: Loop<"while">,
  tested: boolean,
): Promise<number> {
  let status = 0;
  await loop(env, async () => {
    for (let ended = false; !ended;) {
      const jumped = await turn(shell, async () => {
        const holds = ((await shell.execute(env, condition, true)) === 0) !== until;
        if (!holds) ended = true;
        else {
          status = 0;
          status = await shell.execute(env, body, tested);
        }
      });
      ended ||= jumped;
    }
  });
  return shell.finish(env, status);
}

/** Says which command is being run: for the DEBUG trap, BASH_COMMAND and `set -x`. */
async function announce(shell: Interpreter, env: Environment, command: Command): Promise<void> {
  if (shell.bash && env.activeTrap === undefined) env.commandText = () => headText(command);
  if (env.traps.has("DEBUG")) await shell.traps.before(env);
  if (shell.bash && env.options.has("xtrace")) await traceHead(shell, env, command);
}

function checkVariable(variable: string): void {
  if (!validName.test(variable)) throw new ShellError(`\`${variable}': not a valid identifier`);
}

export async function runFor(
  shell: Interpreter,
  env: Environment,
  command: Loop<"for">,
  tested: boolean,
): Promise<number> {
  env.line = command.line;
  checkVariable(command.variable);
  let status = 0;
  await loop(env, async () => {
    const values = await listed(shell, env, command.words);
    for (const value of values) {
      env.line = command.line;
      await announce(shell, env, command);
      setVariable(env, command.variable, value);
      const ended = await turn(shell, async () => {
        status = 0;
        status = await shell.execute(env, command.body, tested);
      });
      if (ended) break;
    }
  });
  return shell.finish(env, status);
}

/** A name reference as the variable of a loop is led elsewhere by each turn. */
function setVariable(env: Environment, name: string, value: string): void {
  const own = env.variables.own(name);
  if (own?.reference === true) env.variables.restore(name, { ...own, value });
  else env.assign(name, value);
}

async function listed(
  shell: Interpreter,
  env: Environment,
  words: readonly Word[] | undefined,
): Promise<readonly string[]> {
  return words === undefined ? env.positional : expandWords(shell, env, words);
}

export async function runSelect(
  shell: Interpreter,
  env: Environment,
  command: Loop<"select">,
  tested: boolean,
): Promise<number> {
  env.line = command.line;
  checkVariable(command.variable);
  let status = 0;
  await loop(env, async () => {
    const values = await listed(shell, env, command.words);
    if (values.length === 0) return;
    await announce(shell, env, command);
    let showsMenu = true;
    for (;;) {
      const errors = env.descriptors.get(2);
      if (showsMenu) await errors?.write(encodeText(selectMenu(env, values)));
      await errors?.write(encodeText(env.variables.value("PS3") ?? "#? "));
      const bytes = await env.descriptors.get(0)?.readLine(MAX_LINE_BYTES);
      if (bytes === undefined || typeof bytes === "number" || bytes.length === 0) {
        await env.descriptors.get(1)?.write(encodeText("\n"));
        status = 1;
        return;
      }
      const reply = decodeText(bytes).replace(/\n$/, "");
      env.assign("REPLY", reply);
      showsMenu = reply === "";
      if (showsMenu) continue;
      const number = /^\s*\d+\s*$/.test(reply) ? Number(reply) : 0;
      env.assign(command.variable, values[number - 1] ?? "");
      const ended = await turn(shell, async () => {
        status = 0;
        status = await shell.execute(env, command.body, tested);
      });
      if (ended) return;
      // The menu comes again where the body has made REPLY empty.
      showsMenu = (env.variables.value("REPLY") ?? "") === "";
    }
  });
  return shell.finish(env, status);
}

export async function runArithmeticFor(
  shell: Interpreter,
  env: Environment,
  command: Loop<"arithmetic-for">,
  tested: boolean,
): Promise<number> {
  const { initial, condition, update } = command;
  /** One of the three expressions; an empty condition holds. */
  const evaluate = async (expression: Word): Promise<bigint> => {
    env.line = command.line;
    const text = wordText(expression);
    if (shell.bash && env.activeTrap === undefined) env.commandText = () => `((${text.trim()}))`;
    if (expression.parts.length > 0) {
      if (env.traps.has("DEBUG")) await shell.traps.before(env);
      if (shell.bash && env.options.has("xtrace")) await traceArithmetic(shell, env, text);
    }
    return expandArithmetic(shell, env, expression);
  };
  const endless =
    condition.parts.length === 0 || (await expandText(shell, env, condition)).trim() === "";
  let status = 0;
  try {
    await evaluate(initial);
    await loop(env, async () => {
      while (endless || (await evaluate(condition)) !== 0n) {
        const ended = await turn(shell, async () => {
          status = await shell.execute(env, command.body, tested);
        });
        if (ended) break;
        await evaluate(update);
      }
    });
  } catch (error) {
    if (!shell.bash || !(error instanceof ArithmeticError)) throw error;
    await shell.complain(env, `((: ${error.messageFor(true)}`);
    status = 1;
  }
  return shell.finish(env, status);
}

export async function runCase(
  shell: Interpreter,
  env: Environment,
  command: Loop<"case">,
  tested: boolean,
): Promise<number> {
  env.line = command.line;
  const mark = env.temporaryDescriptors.length;
  await announce(shell, env, command);
  const subject = await expandText(shell, env, command.subject);
  const matches = async (item: CaseItem): Promise<boolean> => {
    for (const word of item.patterns) {
      if (patternOf(env, await expandPattern(shell, env, word)).matches(subject)) return true;
    }
    return false;
  };
  let status = 0;
  let falling = false;
  try {
    for (const item of command.items) {
      if (!falling && !(await matches(item))) continue;
      status = await shell.execute(env, item.body, tested);
      if (item.end === ";;") break;
      falling = item.end === ";&";
    }
  } finally {
    closeTemporaries(env, mark);
  }
  return shell.finish(env, status);
}
