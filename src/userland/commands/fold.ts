/** Owns `fold`. */
import { CommandFailure, type Command } from "../command.js";
import { columnsOf, sizeAt } from "../support/characters.js";
import { eachInput, LineReader } from "../support/input.js";
import { parseOptions } from "../support/options.js";
import { quoted } from "../support/text.js";

export const main: Command = (context) => {
  const options = parseOptions(
    context,
    "bsw:",
    { bytes: "b", spaces: "s", "width=": "w" },
    { numberOption: "w" },
  );
  const text = options.get("w") ?? "80";
  if (!/^[1-9]\d*$/.test(text))
    throw new CommandFailure(`invalid number of columns: ${quoted(text)}`);
  const width = Number(text);
  const after = (column: number, char: string) => {
    if (options.has("b")) return column + 1;
    if (char === "\b") return Math.max(0, column - 1);
    if (char === "\r") return 0;
    if (char === "\t") return column + 8 - (column % 8);
    return column + (char.length === 1 ? 1 : columnsOf(char));
  };
  const good = eachInput(context, options.operands, (source) => {
    const reader = new LineReader(source);
    for (let line = reader.next(); line !== undefined; line = reader.next()) {
      let start = 0;
      let column = 0;
      for (let at = 0; at < line.length;) {
        const size = options.has("b") ? 1 : sizeAt(line, at);
        const next = after(column, line.slice(at, at + size));
        if (next <= width || at === start) {
          column = next;
          at += size;
          continue;
        }
        let cut = at;
        if (options.has("s")) {
          const blank = Math.max(line.lastIndexOf(" ", at - 1), line.lastIndexOf("\t", at - 1));
          if (blank >= start) cut = blank + 1;
        }
        context.writeBytes(`${line.slice(start, cut)}\n`);
        start = cut;
        column = 0;
        at = cut;
      }
      context.writeBytes(line.slice(start) + (reader.terminated ? "\n" : ""));
    }
  });
  return good ? 0 : 1;
};
