/** Owns `tac`. */
import type { Command } from "../command.js";
import { eachInput, readAll } from "../support/input.js";
import { parseOptions } from "../support/options.js";
import { byteString, quoted, toBytes } from "../support/text.js";

export const main: Command = (context) => {
  const options = parseOptions(context, "bs:", { before: "b", "separator=": "s" });
  const separator = toBytes(options.get("s") ?? "\n") || "\0";
  const good = eachInput(
    context,
    options.operands,
    (source) => {
      const text = byteString(readAll(source));
      let end = text.length;
      while (end > 0) {
        if (options.has("b")) {
          const start = Math.max(text.lastIndexOf(separator, end - 1), 0);
          context.writeBytes(text.slice(start, end));
          end = start;
        } else {
          const found = text.lastIndexOf(separator, end - separator.length - 1);
          const start =
            found === -1 || end - separator.length - 1 < 0 ? 0 : found + separator.length;
          context.writeBytes(text.slice(start, end));
          end = start;
        }
      }
    },
    (name, reason) =>
      reason === "Is a directory"
        ? `${name}: read error: ${reason}`
        : `failed to open ${quoted(name)} for reading: ${reason}`,
  );
  return good ? 0 : 1;
};
