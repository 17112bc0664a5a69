/** Owns running a text: it is parsed and executed one complete command after the other. */
import type { Command } from "./ast.js";
import { Exit, SyntaxFailure } from "./control.js";
import { complain, goOnAfter, report } from "./diagnostics.js";
import type { Environment } from "./environment.js";
import type { Interpreter } from "./interpreter.js";
import { Parser } from "./parser.js";
import { runSimple } from "./simple-command.js";
import { encodeText } from "./text.js";

export interface TextOptions {
  readonly tested?: boolean;
  /** Nothing follows: the last command may take the shell's place. */
  readonly last?: boolean;
  /** The number of the text's first line. */
  readonly line?: number;
  /** What bash says of the text in syntax errors: "-c: ", "eval: ". */
  readonly origin?: string;
  /** The shell's own script, which a syntax error ends. */
  readonly main?: boolean;
}

/** Of `-c`, scripts, `eval`, `.` and traps. */
export async function runText(
  shell: Interpreter,
  env: Environment,
  text: string,
  options: TextOptions = {},
): Promise<number> {
  const outer = env.textOrigin;
  env.textOrigin = options.origin ?? "";
  env.fromArgument ||= env.textOrigin === "-c: ";
  try {
    return await runCommands(shell, env, text, options);
  } finally {
    env.textOrigin = outer;
  }
}

async function runCommands(
  shell: Interpreter,
  env: Environment,
  text: string,
  { tested = false, last = false, line = 1, main = false }: TextOptions,
): Promise<number> {
  const { shellOptions } = env;
  const parser = new Parser(text, {
    bash: shell.bash,
    // `shopt -s expand_aliases` counts from the next command on.
    get aliases() {
      return shell.aliasesOf(env);
    },
    shellOptions,
    final: true,
    line,
  });
  const { scanner } = parser;
  let status = 0;
  for (;;) {
    const from = scanner.position;
    try {
      const command = parser.nextCommand();
      if (env.options.has("verbose") && !env.isSubshell) {
        const source = scanner.text.slice(from, scanner.position);
        const end = source === "" || source.endsWith("\n") ? "" : "\n";
        await env.descriptors.get(2)?.write(encodeText(source + end));
      }
      if (shell.bash) await warn(env, parser);
      if (command === undefined) return status;
      if (last && scanner.text.slice(scanner.position).trim() === "") {
        return await executeLast(shell, env, command);
      }
      status = await shell.execute(env, command, tested);
    } catch (error) {
      if (error instanceof SyntaxFailure && shell.bash) {
        status = await report(env, error);
        if (main) throw new Exit(status);
        env.status = status;
        return status;
      }
      status = await goOnAfter(env, error);
    }
  }
}

async function warn(env: Environment, parser: Parser): Promise<void> {
  for (const { line, text } of parser.lexer.warnings.splice(0)) {
    const before = env.line;
    env.line = line;
    await complain(env, `warning: ${text}`);
    env.line = before;
  }
}

/** The last thing that this shell does: a command in a file may take its place. */
async function executeLast(
  shell: Interpreter,
  env: Environment,
  command: Command,
): Promise<number> {
  if (env.options.has("noexec")) return 0;
  switch (command.kind) {
    case "simple":
      return shell.settle(env, await runSimple(shell, env, command, false, true), false);
    case "list": {
      for (const next of command.commands.slice(0, -1)) await shell.execute(env, next, false);
      const final = command.commands.at(-1);
      return final === undefined ? 0 : executeLast(shell, env, final);
    }
    case "and-or": {
      const { first, rest } = command;
      const { operator, command: final } = rest.at(-1)!;
      const before: Command = { kind: "and-or", first, rest: rest.slice(0, -1) };
      const status = await shell.execute(env, before, true);
      return (status === 0) === (operator === "&&") ? executeLast(shell, env, final) : status;
    }
    default:
      return shell.execute(env, command, false);
  }
}
