/** Owns running a text: it is parsed and executed one complete command after the other. */
import type { Command } from "./ast.js";
import type { Environment } from "./environment.js";
import type { Interpreter } from "./interpreter.js";
import { Parser } from "./parser.js";
import { runSimple } from "./simple-command.js";
import { encodeText } from "./text.js";

/** Of `-c`, scripts, `eval`, `.` and traps. Nothing follows the `last`. */
export async function runText(
  shell: Interpreter,
  env: Environment,
  text: string,
  tested: boolean,
  last: boolean,
): Promise<number> {
  const options = { bash: shell.bash, aliases: env.aliases, final: true, line: 1 };
  const parser = new Parser(text, options);
  const { scanner } = parser;
  let status = 0;
  for (;;) {
    const from = scanner.position;
    const command = parser.nextCommand();
    if (env.options.has("verbose") && !env.isSubshell) {
      const source = scanner.text.slice(from, scanner.position);
      await env.descriptors.get(2)?.write(encodeText(source));
    }
    if (command === undefined) return status;
    if (last && scanner.text.slice(scanner.position).trim() === "") {
      return executeLast(shell, env, command);
    }
    status = await shell.execute(env, command, tested);
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
      return runSimple(shell, env, command, false, true);
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
