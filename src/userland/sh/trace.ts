/** Owns `set -x`. */
import type { Assignment, Command } from "./ast.js";
import type { Environment } from "./environment.js";

import type { Interpreter } from "./interpreter.js";
import { expandPrompt } from "./prompt.js";
import { quoteForTrace } from "./quoting.js";
import { encodeText } from "./text.js";
import { assignmentText, headText, wordText } from "./unparse.js";

/** One line; in bash the first character of PS4 tells the depth of substitutions. */
export async function trace(shell: Interpreter, env: Environment, text: string): Promise<void> {
  const prompt = env.variables.value("PS4") ?? (shell.bash ? "" : "+ ");
  let prefix = prompt;
  if (prompt !== "" && prompt !== "+ ") {
    env.options.set("xtrace", false);
    try {
      prefix = await expandPrompt(shell, env, prompt);
    } finally {
      env.options.set("xtrace", true);
    }
  }
  if (shell.bash && prefix !== "") prefix = prefix[0]!.repeat(env.traceDepth) + prefix;
  const target = Number(env.variables.value("BASH_XTRACEFD") ?? 2);
  await (env.descriptors.get(target) ?? env.descriptors.get(2))?.write(
    encodeText(`${prefix}${text}\n`),
  );
}

/** The text of an assignment that has been made. */
function madeAssignment(env: Environment, assignment: Assignment): string {
  const { append, index, name, value } = assignment;
  if (!("parts" in value)) return assignmentText(assignment);
  const key = index === undefined ? "" : `[${wordText(index)}]`;
  const stored = env.variables.value(name) ?? "";
  if (index !== undefined || append) return assignmentText(assignment);
  return `${name}${key}=${stored === "" ? "" : quoteForTrace(stored)}`;
}

export async function traceSimple(
  shell: Interpreter,
  env: Environment,
  assignments: readonly Assignment[],
  argv: readonly string[],
): Promise<void> {
  if (!shell.bash) {
    const words = assignments.map(
      ({ name }) => `${name}=${dashQuote(env.variables.value(name) ?? "")}`,
    );
    return trace(shell, env, [...words, ...argv.map(dashQuote)].join(" "));
  }
  for (const one of assignments) await trace(shell, env, madeAssignment(env, one));
  if (argv.length > 0) await trace(shell, env, argv.map(quoteForTrace).join(" "));
}

/** A command that is traced by its head: loops, `case`, `[[` and `((`. */
export async function traceHead(
  shell: Interpreter,
  env: Environment,
  command: Command,
): Promise<void> {
  switch (command.kind) {
    case "for":
    case "case":
      return trace(shell, env, command.kind === "case" ? headText(command) : headText(command));
    case "arithmetic":
      return trace(shell, env, `(( ${wordText(command.expression)} ))`);
    default:
  }
}

export function traceArithmetic(shell: Interpreter, env: Environment, text: string): Promise<void> {
  return trace(shell, env, `(( ${text.trim()} ))`);
}

/** One test of `[[`, when it is made. */
export async function traceTest(
  shell: Interpreter,
  env: Environment,
  words: readonly string[],
): Promise<void> {
  await trace(shell, env, `[[ ${words.join(" ")} ]]`);
}

function dashQuote(text: string): string {
  return /^[\w%+,./:=@^-]+$/.test(text) || text === ""
    ? text
    : `'${text.replaceAll("'", `'"'"'`)}'`;
}
