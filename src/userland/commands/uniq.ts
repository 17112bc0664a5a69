/** Owns `uniq`. */
import { CommandFailure, type Command } from "../command.js";
import { errorText } from "../support/errors.js";
import { LineReader, openInput } from "../support/input.js";
import { parseOptions, usageFailure, type Options } from "../support/options.js";
import { bytesOf, quoted } from "../support/text.js";

export const main: Command = (context) => {
  const options = parseOptions(
    context,
    "cdDf:is:uw:z",
    {
      count: "c",
      repeated: "d",
      "all-repeated=?": "D",
      "group=?": "group",
      "skip-fields=": "f",
      "ignore-case": "i",
      "skip-chars=": "s",
      unique: "u",
      "check-chars=": "w",
      "zero-terminated": "z",
    },
    {},
  );
  const keyOf = comparedPart(options);
  const delimiter = options.has("z") ? "\0" : "\n";
  const [input = "-", output, extra] = options.operands;
  if (extra !== undefined) throw usageFailure(context, `extra operand ${quoted(extra)}`);
  let reader: LineReader;
  try {
    reader = new LineReader(openInput(context, input), delimiter);
  } catch (error) {
    throw new CommandFailure(`${input}: ${errorText(error)}`);
  }
  const toFile = output !== undefined && output !== "-";
  const parts: string[] = [];
  const emit = (text: string) => {
    if (toFile) parts.push(text);
    else context.writeBytes(text);
  };
  if (options.has("group") && options.has("c", "d", "D", "u"))
    throw usageFailure(context, "--group is mutually exclusive with -c/-d/-D/-u");
  const show = options.has("group")
    ? grouped(options.get("group")!, delimiter, emit)
    : options.has("D")
      ? allRepeated(options.get("D")!, delimiter, emit)
      : oneOfEach(options, delimiter, emit);
  let anyGroup = false;
  for (const group of groups(reader, keyOf, options.has("D", "group"))) {
    show(group);
    anyGroup = true;
  }
  if (options.has("group") && anyGroup && /^(?:append|both)$/.test(options.get("group")!))
    emit(delimiter);
  if (toFile) context.fs.writeFileSync(output, bytesOf(parts.join("")));
  return 0;
};

/** Lines next to each other that count as equal. */
interface Group {
  count: number;
  /** All of them, or the first alone. */
  lines: string[];
}

function* groups(
  reader: LineReader,
  keyOf: (line: string) => string,
  keepLines: boolean,
): Generator<Group> {
  let group: Group | undefined;
  let key = "";
  for (let line = reader.next(); line !== undefined; line = reader.next()) {
    const next = keyOf(line);
    if (group !== undefined && next === key) {
      group.count++;
      if (keepLines) group.lines.push(line);
      continue;
    }
    if (group !== undefined) yield group;
    group = { count: 1, lines: [line] };
    key = next;
  }
  if (group !== undefined) yield group;
}

/** What of a line is compared. */
function comparedPart(options: Options): (line: string) => string {
  const number = (key: string, what: string): number => {
    const text = options.get(key);
    if (text !== undefined && !/^\d+$/.test(text)) {
      throw new CommandFailure(`${text}: invalid number of ${what}`);
    }
    return Number(text ?? 0);
  };
  const fields = number("f", "fields to skip");
  const chars = number("s", "bytes to skip");
  const end = options.has("w") ? chars + number("w", "bytes to compare") : undefined;
  const skipFields = new RegExp(`^(?:[ \\t]*[^ \\t]+){0,${Math.min(fields, 1000)}}`);
  const ignoreCase = options.has("i");
  return (line) => {
    const rest = fields === 0 ? line : line.slice(skipFields.exec(line)![0].length);
    const key = rest.slice(chars, end);
    return ignoreCase ? key.replace(/[a-z]+/g, (text) => text.toUpperCase()) : key;
  };
}

type Emit = (text: string) => void;

/** --group: all lines, with an empty one between groups, and as `how` says before the first or behind the last. */
function grouped(how: string, delimiter: string, emit: Emit): (group: Group) => void {
  let separated = how === "prepend" || how === "both";
  return ({ lines }) => {
    if (separated) emit(delimiter);
    separated = true;
    for (const line of lines) emit(line + delimiter);
  };
}

/** -D: every line of a group of several; `how` says where empty lines go between groups. */
function allRepeated(how: string, delimiter: string, emit: Emit): (group: Group) => void {
  let separated = false;
  return ({ count, lines }) => {
    if (count === 1) return;
    if (how === "prepend" || (how === "separate" && separated)) emit(delimiter);
    separated = true;
    for (const line of lines) emit(line + delimiter);
  };
}

function oneOfEach(options: Options, delimiter: string, emit: Emit): (group: Group) => void {
  const [onlyRepeated, onlyUnique] = [options.has("d"), options.has("u")];
  const counted = options.has("c");
  return ({ count, lines }) => {
    if ((onlyRepeated && count === 1) || (onlyUnique && count > 1)) return;
    emit((counted ? `${String(count).padStart(7)} ` : "") + lines[0]! + delimiter);
  };
}
