/** Owns `bc`: texts read line by line, each run at once, and what is said of those that fail. Programs are hostile. */
import { CommandFailure, type Command, type CommandContext } from "../../command.js";
import { errorText } from "../../support/errors.js";
import { openInput, readAll } from "../../support/input.js";
import { parseOptions } from "../../support/options.js";
import { byteString } from "../../support/text.js";
import { DivisionByZero } from "./decimal.js";
import { Halt, RuntimeFailure, SyntaxFailure } from "./failures.js";
import { split } from "./lexer.js";
import { Machine } from "./machine.js";
import { StatementParser } from "./statements.js";
import { Tokens } from "./tokens.js";

export const main: Command = (context) => {
  const options = parseOptions(context, "chilqsvw", {
    mathlib: "l",
    quiet: "q",
    standard: "s",
    warn: "w",
    interactive: "i",
  });
  const machine = new Machine(context, options.has("l"));
  try {
    for (const name of options.operands) {
      let text: string;
      try {
        text = byteString(readAll(openInput(context, name)));
      } catch (error) {
        throw new CommandFailure(`File ${name} is unavailable: ${errorText(error)}`);
      }
      run(context, machine, text);
    }
    run(context, machine, byteString(readAll(openInput(context, "-"))));
  } catch (error) {
    if (!(error instanceof Halt)) throw error;
  }
  return 0;
};

function run(context: CommandContext, machine: Machine, text: string): void {
  const tokens = new Tokens(
    split(text, (char, line) =>
      context.writeError(`(standard_in) ${line}: illegal character: ${char}\n`),
    ),
  );
  const parser = new StatementParser(tokens, machine);
  while (tokens.token.kind !== "end") {
    if (tokens.accept("\n") || tokens.accept(";")) continue;
    const start = tokens.at;
    try {
      for (const each of parser.line()) each();
    } catch (error) {
      const line = tokens.list[Math.max(start, tokens.at)]?.line ?? 1;
      context.writeError(complaint(error, line));
      machine.recover();
      tokens.skipLine();
    }
  }
}

/** What is said of a line that failed; throws on what ends the program. */
function complaint(error: unknown, line: number): string {
  if (error instanceof SyntaxFailure) return `(standard_in) ${line}: syntax error\n`;
  if (error instanceof DivisionByZero) return runtimeError("Divide by zero");
  if (error instanceof RuntimeFailure || error instanceof CommandFailure)
    return runtimeError(error.message);
  throw error;
}

function runtimeError(message: string): string {
  return `Runtime error (func=(main), adr=3): ${message}\n`;
}
