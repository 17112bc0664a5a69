/** Owns `nl`. */
import { CommandFailure, type Command } from "../command.js";
import { eachInput, LineReader } from "../support/input.js";
import { parseOptions } from "../support/options.js";
import { PosixRegex } from "../support/regex.js";
import { quoted, toBytes } from "../support/text.js";

export const main: Command = (context) => {
  const options = parseOptions(context, "b:d:f:h:i:l:n:ps:v:w:", {
    "body-numbering=": "b",
    "line-increment=": "i",
    "number-format=": "n",
    "number-separator=": "s",
    "starting-line-number=": "v",
    "number-width=": "w",
    "join-blank-lines=": "l",
    "no-renumber": "p",
  });
  const number = (key: string, fallback: number): number => {
    const text = options.get(key);
    if (text !== undefined && !/^-?\d+$/.test(text))
      throw new CommandFailure(`invalid line number: ${quoted(text)}`);
    return Math.min(text === undefined ? fallback : Number(text), 1 << 20);
  };
  const style = options.get("b") ?? "t";
  if (!/^(a|t|n|p)/.test(style))
    throw new CommandFailure(`invalid body numbering style: ${quoted(style)}`);
  const pattern =
    style[0] === "p" ? new PosixRegex(toBytes(style.slice(1)), { extended: false }) : undefined;
  const counted = (line: string) =>
    style === "a" || (style === "t" && line !== "") || (pattern?.test(line) ?? false);
  const width = number("w", 6);
  const separator = toBytes(options.get("s") ?? "\t");
  const format = options.get("n") ?? "rn";
  const show = (value: number) =>
    format === "ln"
      ? String(value).padEnd(width)
      : String(value).padStart(width, format === "rz" ? "0" : " ");
  let next = number("v", 1);
  const step = number("i", 1);
  const good = eachInput(context, options.operands, (source) => {
    const reader = new LineReader(source);
    for (let line = reader.next(); line !== undefined; line = reader.next()) {
      if (counted(line)) {
        context.writeBytes(`${show(next)}${separator}${line}\n`);
        next += step;
      } else context.writeBytes(`${" ".repeat(width + separator.length)}${line}\n`);
    }
  });
  return good ? 0 : 1;
};
