/**
 * Owns the question "is this `sh -c` nothing but one command that is a file?". Then the process need not become
 * a shell at all: it can be that command at once, with the environment that the shell would have given it.
 *
 * Invariant: undefined whenever the shell itself would do more than start the file: a builtin, a function, an
 * expansion, a redirection, an assignment, an option, a start-up file, or a message that something is wrong.
 */
import type { SimpleCommand, Word } from "./ast.js";
import { builtinOf } from "./builtins/builtin.js";
import type { Environment } from "./environment.js";
import { childEnvironment, findCommand } from "./external.js";
import { firstEnvironment } from "./first-environment.js";
import { Interpreter } from "./interpreter.js";
import { Parser } from "./parser.js";
import type { ShellSystem } from "./system.js";

export interface SoleCommand {
  readonly file: string;
  readonly argv: string[];
  /** NAME=value. */
  readonly env: string[];
}

/** Longer scripts are parsed once, by the shell. */
const mostChars = 4096;
/** Text that means itself where it is not quoted: no pattern, no brace, no tilde, no history. */
const plain = /^[\w@%+=:,./-]*$/;
/** What has bash read a file, or changes how it reads a script. */
const changesBash = ["BASH_ENV", "BASHOPTS", "SHELLOPTS", "POSIXLY_CORRECT", "BASH_COMPAT"];

/** `argv[0]` is the name by which the shell was called. */
export function soleCommand(
  system: ShellSystem,
  argv: readonly string[],
  environment: Readonly<Record<string, string>>,
): SoleCommand | undefined {
  const [called = "sh", dashC, text = ""] = argv;
  if (dashC !== "-c" || text.length > mostChars) return undefined;
  const name = /(?:^|\/)(sh|bash)$/.exec(called)?.[1];
  const bash = name === "bash";
  if (name === undefined) return undefined;
  if (bash && changesBash.some((variable) => environment[variable] !== undefined)) return undefined;
  const shell = new Interpreter(system, bash, false);
  const env = firstEnvironment(shell, called, environment);
  const command = parse(shell, env, text);
  if (command === undefined) return undefined;
  const words: string[] = [];
  for (const word of command.words) {
    const literal = literalOf(word);
    if (literal === undefined) return undefined;
    words.push(literal);
  }
  const first = words[0];
  if (first === undefined || first === "") return undefined;
  if (builtinOf(env, first) !== undefined || env.functions.has(first)) return undefined;
  const file = findCommand(shell, env, first);
  if (typeof file === "number") return undefined;
  return { file, argv: words, env: childEnvironment(shell, env, file) };
}

function parse(shell: Interpreter, env: Environment, text: string): SimpleCommand | undefined {
  const { aliases, shellOptions } = env;
  const options = { bash: shell.bash, aliases, shellOptions, final: true, line: 1 };
  try {
    const command = new Parser(text, options).program();
    if (command.kind !== "simple") return undefined;
    return command.assignments.length + command.redirections.length === 0 ? command : undefined;
  } catch {
    // What is wrong with it is the shell's to say.
    return undefined;
  }
}

function literalOf({ parts, assignment }: Word): string | undefined {
  if (assignment !== undefined) return undefined;
  let text = "";
  for (const part of parts) {
    if (part.kind !== "text" || !(part.quoted || plain.test(part.text))) return undefined;
    text += part.text;
  }
  return text;
}
