/** Owns `shuf`. */
import { randomInt } from "node:crypto";
import { CommandFailure, type Command } from "../command.js";
import { errorText } from "../support/errors.js";
import { LineReader, openInput } from "../support/input.js";
import { parseOptions, usageFailure } from "../support/options.js";
import { bytesOf, quoted, toBytes } from "../support/text.js";

const maxRange = 1 << 24;

export const main: Command = (context) => {
  const options = parseOptions(context, "ei:n:o:rz", {
    echo: "e",
    "input-range=": "i",
    "head-count=": "n",
    "output=": "o",
    repeat: "r",
    "zero-terminated": "z",
    "random-source=": "source",
  });
  const end = options.has("z") ? "\0" : "\n";
  let items: string[];
  const range = options.get("i");
  if (options.has("e")) items = options.operands.map(toBytes);
  else if (range !== undefined) {
    const match = /^(\d+)-(\d+)$/.exec(range);
    if (match === null || Number(match[1]) > Number(match[2]) + 1)
      throw new CommandFailure(`invalid input range: ${quoted(range)}`);
    const [low, high] = [Number(match[1]), Number(match[2])];
    if (high - low > maxRange) throw new CommandFailure("memory exhausted");
    items = Array.from({ length: high - low + 1 }, (_, at) => String(low + at));
  } else {
    const [name = "-", extra] = options.operands;
    if (extra !== undefined) throw usageFailure(context, `extra operand ${quoted(extra)}`);
    try {
      const reader = new LineReader(openInput(context, name), end);
      items = [];
      for (let line = reader.next(); line !== undefined; line = reader.next()) items.push(line);
    } catch (error) {
      throw new CommandFailure(`${name}: ${errorText(error)}`);
    }
  }
  const text = options.get("n");
  if (text !== undefined && !/^\d+$/.test(text))
    throw new CommandFailure(`invalid line count: ${quoted(text)}`);
  const output = options.get("o");
  const parts: string[] = [];
  const emit = (item: string) =>
    output === undefined ? context.writeBytes(item + end) : void parts.push(item + end);
  if (options.has("r")) {
    if (items.length === 0) throw new CommandFailure("no lines to repeat");
    for (let left = Number(text ?? Infinity); left > 0; left--)
      emit(items[randomInt(items.length)]!);
  } else {
    const count = Math.min(items.length, Number(text ?? Infinity));
    for (let at = 0; at < count; at++) {
      const other = at + randomInt(items.length - at);
      [items[at], items[other]] = [items[other]!, items[at]!];
      emit(items[at]!);
    }
  }
  if (output !== undefined) context.fs.writeFileSync(output, bytesOf(parts.join("")));
  return 0;
};
