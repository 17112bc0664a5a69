/** Owns `rev`: by characters, not bytes. */
import type { Command } from "../command.js";
import { eachInput, LineReader } from "../support/input.js";
import { parseOptions } from "../support/options.js";
import { fromBytes, toBytes } from "../support/text.js";

export const main: Command = (context) => {
  const options = parseOptions(context, "");
  const good = eachInput(
    context,
    options.operands,
    (source) => {
      const reader = new LineReader(source);
      for (let line = reader.next(); line !== undefined; line = reader.next()) {
        const text = fromBytes(line);
        const valid = !text.includes("\ufffd");
        const reversed = valid
          ? toBytes([...text].reverse().join(""))
          : [...line].reverse().join("");
        context.writeBytes(reversed + (reader.terminated ? "\n" : ""));
      }
    },
    (name, reason) => `cannot open ${name}: ${reason}`,
  );
  return good ? 0 : 1;
};
