/** Owns `uniq`. */
import { CommandFailure, type Command } from "../command.js";
import { errorText } from "../support/errors.js";
import { LineReader, openInput } from "../support/input.js";
import { parseOptions, usageFailure } from "../support/options.js";
import { bytesOf, quoted } from "../support/text.js";

export const main: Command = (context) => {
  const options = parseOptions(
    context,
    "cdDf:is:uw:z",
    {
      count: "c",
      repeated: "d",
      "all-repeated=?": "D",
      "skip-fields=": "f",
      "ignore-case": "i",
      "skip-chars=": "s",
      unique: "u",
      "check-chars=": "w",
      "zero-terminated": "z",
    },
    {},
  );
  const number = (key: string, what: string): number => {
    const text = options.get(key);
    if (text !== undefined && !/^\d+$/.test(text)) {
      throw new CommandFailure(`${text}: invalid number of ${what}`);
    }
    return Number(text ?? 0);
  };
  const fields = number("f", "fields to skip");
  const chars = number("s", "bytes to skip");
  const width = options.has("w") ? number("w", "bytes to compare") : Infinity;
  const delimiter = options.has("z") ? "\0" : "\n";
  const [input = "-", output, extra] = options.operands;
  if (extra !== undefined) throw usageFailure(context, `extra operand ${quoted(extra)}`);
  let reader: LineReader;
  try {
    reader = new LineReader(openInput(context, input), delimiter);
  } catch (error) {
    throw new CommandFailure(`${input}: ${errorText(error)}`);
  }
  const parts: string[] = [];
  const emit = (text: string) => {
    if (output === undefined || output === "-") context.writeBytes(text);
    else parts.push(text);
  };
  const skipFields = new RegExp(`^(?:[ \\t]*[^ \\t]+){0,${Math.min(fields, 1000)}}`);
  const keyOf = (line: string) => {
    let key = fields === 0 ? line : line.slice(skipFields.exec(line)![0].length);
    key = key.slice(chars, width === Infinity ? undefined : chars + width);
    return options.has("i") ? key.replace(/[a-z]+/g, (text) => text.toUpperCase()) : key;
  };
  const all = options.has("D");
  const finish = (group: string[], count: number) => {
    const line = group[0]!;
    if (all) {
      if (count > 1) {
        const how = options.get("D");
        if (how === "prepend" || (how === "separate" && separated)) emit(delimiter);
        separated = true;
        for (const each of group) emit(each + delimiter);
      }
      return;
    }
    if (options.has("d") && count === 1) return;
    if (options.has("u") && count > 1) return;
    emit((options.has("c") ? `${String(count).padStart(7)} ` : "") + line + delimiter);
  };
  let separated = false;
  let group: string[] = [];
  let count = 0;
  let key = "";
  for (let line = reader.next(); line !== undefined; line = reader.next()) {
    const next = keyOf(line);
    if (count > 0 && next === key) {
      count++;
      if (all) group.push(line);
      continue;
    }
    if (count > 0) finish(group, count);
    group = [line];
    count = 1;
    key = next;
  }
  if (count > 0) finish(group, count);
  if (output !== undefined && output !== "-") {
    context.fs.writeFileSync(output, bytesOf(parts.join("")));
  }
  return 0;
};
