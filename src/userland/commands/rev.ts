/** Owns `rev`: by characters, not bytes. */
import type { Command } from "../command.js";
import { charactersOf } from "../support/characters.js";
import { eachInput, LineReader } from "../support/input.js";
import { parseOptions } from "../support/options.js";

export const main: Command = (context) => {
  const options = parseOptions(context, "");
  const good = eachInput(
    context,
    options.operands,
    (source) => {
      const reader = new LineReader(source);
      for (let line = reader.next(); line !== undefined; line = reader.next()) {
        const reversed = charactersOf(line).reverse().join("");
        context.writeBytes(reversed + (reader.terminated ? "\n" : ""));
      }
    },
    (name, reason) => `cannot open ${name}: ${reason}`,
  );
  return good ? 0 : 1;
};
