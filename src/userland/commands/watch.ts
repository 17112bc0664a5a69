/** Owns `watch`: runs a command again and again, on a cleared screen where there is one. */
import { CommandFailure, type Command } from "../command.js";
import { parseOptions } from "../support/options.js";
import { strftime } from "../support/strftime.js";

export const main: Command = async (context) => {
  const options = parseOptions(
    context,
    "bcdegn:pqtwx",
    {
      beep: "b",
      color: "c",
      "differences=?": "d",
      errexit: "e",
      chgexit: "g",
      "interval=": "n",
      precise: "p",
      "no-title": "t",
      "no-wrap": "w",
      exec: "x",
      "equexit=": "q",
    },
    { stopAtOperand: true },
  );
  if (options.operands.length === 0) {
    context.writeError("Usage:\n watch [options] command\n");
    return 1;
  }
  const seconds = Number((options.get("n") ?? "2").replace(",", "."));
  if (!(seconds >= 0)) throw new CommandFailure(`failed to parse argument: '${options.get("n")}'`);
  const command = options.operands.join(" ");
  const terminal = context.isTerminal(1);
  let before: string | undefined;
  for (;;) {
    if (terminal) context.write("\x1b[H\x1b[2J");
    if (!options.has("t")) {
      context.write(
        `Every ${seconds.toFixed(1)}s: ${command}    ${strftime("%a %b %e %H:%M:%S %Y", Date.now(), false)}\n\n`,
      );
    }
    const [file, ...args] = options.has("x") ? options.operands : ["/bin/sh", "-c", command];
    const { stdout, code } = context.spawnSync(file!, args, { capture: true, stdin: "ignore" });
    const output = Buffer.from(stdout ?? new Uint8Array(0));
    context.write(output);
    context.flush();
    if (options.has("e") && code !== 0) return code;
    const text = output.toString("latin1");
    if (options.has("g") && before !== undefined && before !== text) return 0;
    before = text;
    await new Promise((resolve) => setTimeout(resolve, Math.max(seconds, 0.1) * 1000));
  }
};
