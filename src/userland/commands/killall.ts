/** Owns `killall`: signals to all processes of a name. */
import { CommandFailure, type Command } from "../command.js";
import { errorText } from "../support/errors.js";
import { parseOptions } from "../support/options.js";
import { processes } from "../support/processes.js";
import { signalName } from "../support/signals.js";

export const main: Command = (context) => {
  let signal = "SIGTERM";
  const words = context.argv.filter((word, at) => {
    const name =
      at > 0 && /^-(?:\d+|[A-Z][A-Z0-9+]+)$/.test(word)
        ? signalName(word.slice(1).replace(/^SIG/, ""))
        : undefined;
    if (name !== undefined) signal = name;
    return name === undefined;
  });
  const options = parseOptions({ ...context, argv: words }, "eIqvws:", {
    exact: "e",
    "ignore-case": "I",
    quiet: "q",
    verbose: "v",
    wait: "w",
    "signal=": "s",
  });
  const given = options.get("s");
  if (given !== undefined) {
    const name = signalName(given.replace(/^SIG/, ""));
    if (name === undefined) throw new CommandFailure(`${given}: unknown signal`);
    signal = name;
  }
  const { operands } = options;
  if (operands.length === 0) throw new CommandFailure("no process name given");
  const fold = (name: string): string => (options.has("I") ? name.toLowerCase() : name);
  const all = processes(context).filter(({ pid }) => pid !== process.pid);
  let status = 0;
  for (const name of operands) {
    const found = all.filter((row) => fold(row.name) === fold(name));
    if (found.length === 0) {
      status = 1;
      if (!options.has("q")) context.writeError(`${name}: no process found\n`);
    }
    for (const { pid } of found) {
      try {
        process.kill(pid, signal);
        if (options.has("v"))
          context.writeError(`Killed ${name}(${pid}) with signal ${signal.slice(3)}\n`);
      } catch (error) {
        status = 1;
        context.writeError(`${name}(${pid}): ${errorText(error)}\n`);
      }
    }
  }
  return status;
};
