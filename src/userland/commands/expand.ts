/** Owns `expand` and `unexpand`. */
import { CommandFailure, type Command } from "../command.js";
import { eachInput, LineReader } from "../support/input.js";
import { parseOptions } from "../support/options.js";
import { quoted } from "../support/text.js";

export const main: Command = (context) => {
  const options = parseOptions(
    context,
    "at:i",
    { all: "a", "tabs=": "t", initial: "i", "first-only": "first" },
    { numberOption: "t" },
  );
  const stops = (options.get("t") ?? "8").split(/[, ]+/).map((text) => {
    if (!/^[1-9]\d*$/.test(text)) {
      throw new CommandFailure(
        text === "0"
          ? "tab size cannot be 0"
          : `tab size contains invalid character(s): ${quoted(text)}`,
      );
    }
    return Math.min(Number(text), 1 << 16);
  });
  const nextStop = (column: number): number => {
    if (stops.length === 1) return column + stops[0]! - (column % stops[0]!);
    return stops.find((stop) => stop > column) ?? column + 1;
  };
  const convert = context.name === "unexpand" ? unexpand : expand;
  const initialOnly =
    context.name === "unexpand" ? !options.has("a", "t") || options.has("first") : options.has("i");
  const good = eachInput(context, options.operands, (source) => {
    const reader = new LineReader(source);
    for (let line = reader.next(); line !== undefined; line = reader.next()) {
      context.writeBytes(convert(line, nextStop, initialOnly) + (reader.terminated ? "\n" : ""));
    }
  });
  return good ? 0 : 1;
};

function expand(line: string, nextStop: (column: number) => number, initialOnly: boolean): string {
  let output = "";
  let initial = true;
  for (const char of line) {
    if (char === "\t" && (initial || !initialOnly))
      output += " ".repeat(nextStop(output.length) - output.length);
    else output += char;
    if (char !== " " && char !== "\t") initial = false;
  }
  return output;
}

function unexpand(
  line: string,
  nextStop: (column: number) => number,
  initialOnly: boolean,
): string {
  let output = "";
  let column = 0;
  for (let at = 0; at < line.length;) {
    const blanks = /^[ \t]+/.exec(line.slice(at))?.[0] ?? "";
    if (
      blanks === "" ||
      (initialOnly && column > 0 && at > 0 && !/^[ \t]*$/.test(line.slice(0, at)))
    ) {
      output += line[at++]!;
      column++;
      continue;
    }
    let end = column;
    for (const char of blanks) end = char === "\t" ? nextStop(end) : end + 1;
    const single = blanks === " " && nextStop(column) !== end;
    let made = "";
    while (!single && nextStop(column) <= end) {
      made += "\t";
      column = nextStop(column);
    }
    output += made + " ".repeat(end - column);
    column = end;
    at += blanks.length;
  }
  return output;
}
