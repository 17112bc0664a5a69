/** Owns `kill`. */
import { constants } from "node:os";
import { CommandFailure, type Command, type CommandContext } from "../command.js";
import { errorCode } from "../support/errors.js";
import { signalList, signalName } from "../support/signals.js";

export const main: Command = (context) => {
  const words = context.argv.slice(1);
  let signal: NodeJS.Signals | 0 = "SIGTERM";
  const first = words[0];
  if (first === undefined)
    throw new CommandFailure("usage: kill [-s sigspec | -n signum | -sigspec] pid ...", 2);
  if (first === "-l" || first === "-L" || first === "--list") return list(context, words.slice(1));
  const parse = (text: string | undefined): NodeJS.Signals | 0 => {
    if (text === "0") return 0;
    const name = text === undefined ? undefined : signalName(text);
    if (name === undefined)
      throw new CommandFailure(`${text ?? "-s"}: invalid signal specification`);
    return name;
  };
  if (first === "-s" || first === "-n" || first === "--signal") {
    signal = parse(words[1]);
    words.splice(0, 2);
  } else if (first.startsWith("--signal=")) {
    signal = parse(first.slice(9));
    words.shift();
  } else if (/^-./.test(first) && first !== "--") {
    signal = parse(first.slice(1));
    words.shift();
  }
  if (words[0] === "--") words.shift();
  if (words.length === 0)
    throw new CommandFailure("usage: kill [-s sigspec | -n signum | -sigspec] pid ...", 2);
  let status = 0;
  for (const word of words) {
    if (!/^-?\d+$/.test(word)) {
      context.writeError(`kill: ${word}: arguments must be process or job IDs\n`);
      status = 1;
      continue;
    }
    try {
      process.kill(Number(word), signal);
    } catch (error) {
      const reason = errorCode(error) === "EPERM" ? "Operation not permitted" : "No such process";
      context.writeError(`kill: (${word}) - ${reason}\n`);
      status = 1;
    }
  }
  return status;
};

function list(context: CommandContext, words: string[]): number {
  if (words.length === 0) {
    context.write(
      `${signalList()
        .map(({ name }) => name)
        .join("\n")}\n`,
    );
    return 0;
  }
  let status = 0;
  for (const word of words) {
    // An exit status of a killed command stands for its signal.
    const number = /^\d+$/.test(word) ? Number(word) % 128 : undefined;
    const name = signalName(number === undefined ? word : String(number));
    if (name === undefined) {
      context.writeError(`kill: ${word}: invalid signal specification\n`);
      status = 1;
    } else context.write(`${number === undefined ? constants.signals[name] : name.slice(3)}\n`);
  }
  return status;
}
