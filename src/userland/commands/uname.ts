/** Owns `uname` and `arch`. */
import * as os from "node:os";
import type { Command } from "../command.js";
import { parseOptions, usageFailure } from "../support/options.js";
import { quoted } from "../support/text.js";

export const main: Command = (context) => {
  if (context.name === "arch") {
    context.write(`${os.machine()}\n`);
    return 0;
  }
  const options = parseOptions(context, "asnrvmpio", {
    all: "a",
    "kernel-name": "s",
    nodename: "n",
    "kernel-release": "r",
    "kernel-version": "v",
    machine: "m",
    processor: "p",
    "hardware-platform": "i",
    "operating-system": "o",
  });
  const extra = options.operands[0];
  if (extra !== undefined) throw usageFailure(context, `extra operand ${quoted(extra)}`);
  const facts: [string, string][] = [
    ["s", os.type()],
    ["n", os.hostname()],
    ["r", os.release()],
    ["v", os.version()],
    ["m", os.machine()],
    ["p", "unknown"],
    ["i", "unknown"],
    ["o", "GNU/Linux"],
  ];
  const none = options.list.length === 0;
  const shown = facts.filter(([key]) =>
    options.has("a") ? key !== "p" && key !== "i" : options.has(key) || (none && key === "s"),
  );
  context.write(`${shown.map(([, value]) => value).join(" ")}\n`);
  return 0;
};
