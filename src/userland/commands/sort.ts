/** Owns `sort`. Lines are byte strings, so the C locale's order is the engine's own. */
import { CommandFailure, type Command, type CommandContext } from "../command.js";
import { errorText } from "../support/errors.js";
import { LineReader, openInput } from "../support/input.js";
import { parseOptions, usageFailure, type Options } from "../support/options.js";
import { bytesOf, compareBytes, quoted, toBytes } from "../support/text.js";
import { compareVersions } from "../support/versions.js";

const orders = "bdfghiMnRrV";

interface Key {
  startField: number;
  startChar: number;
  /** Undefined: to the end of the line. */
  endField: number | undefined;
  /** 0: to the end of the field. */
  endChar: number;
  skipStart: boolean;
  skipEnd: boolean;
  flags: string;
}

type Compare = (a: string, b: string) => number;

export const main: Command = (context) => {
  const options = parseOptions(
    context,
    "bdfghiMnRrVcCk:mo:sS:t:T:uz",
    {
      "ignore-leading-blanks": "b",
      "dictionary-order": "d",
      "ignore-case": "f",
      "general-numeric-sort": "g",
      "human-numeric-sort": "h",
      "ignore-nonprinting": "i",
      "month-sort": "M",
      "numeric-sort": "n",
      "random-sort": "R",
      reverse: "r",
      "version-sort": "V",
      "sort=": "sort",
      "check=?": "c",
      "key=": "k",
      merge: "m",
      "output=": "o",
      stable: "s",
      "buffer-size=": "S",
      "field-separator=": "t",
      "temporary-directory=": "T",
      unique: "u",
      "zero-terminated": "z",
      "parallel=": "parallel",
    },
    { status: 2 },
  );
  const delimiter = options.has("z") ? "\0" : "\n";
  const compare = comparator(context, options);
  if (options.has("c", "C")) return check(context, options, compare, delimiter);
  const lines: string[] = [];
  for (const name of options.operands.length === 0 ? ["-"] : options.operands) {
    const reader = open(context, name, delimiter);
    try {
      for (let line = reader.next(); line !== undefined; line = reader.next()) lines.push(line);
    } catch (error) {
      throw new CommandFailure(`read failed: ${name}: ${errorText(error)}`, 2);
    } finally {
      reader.close();
    }
  }
  const plain = compare === compareBytes;
  if (plain) lines.sort();
  else lines.sort(compare);
  const unique = options.has("u");
  const output = options.get("o");
  const parts: string[] = [];
  const emit =
    output === undefined
      ? (text: string) => context.writeBytes(text)
      : (text: string) => parts.push(text);
  const same = keyComparator(context, options);
  for (let at = 0; at < lines.length; at++) {
    if (unique && at > 0 && same(lines[at - 1]!, lines[at]!) === 0) continue;
    emit(lines[at]! + delimiter);
  }
  if (output !== undefined) {
    try {
      context.fs.writeFileSync(output, bytesOf(parts.join("")));
    } catch (error) {
      throw new CommandFailure(`open failed: ${output}: ${errorText(error)}`, 2);
    }
  }
  return 0;
};

function open(context: CommandContext, name: string, delimiter: string): LineReader {
  try {
    return new LineReader(openInput(context, name), delimiter);
  } catch (error) {
    throw new CommandFailure(`cannot read: ${name}: ${errorText(error)}`, 2);
  }
}

function check(
  context: CommandContext,
  options: Options,
  compare: Compare,
  delimiter: string,
): number {
  const name = options.operands[0] ?? "-";
  const extra = options.operands[1];
  if (extra !== undefined)
    throw usageFailure(context, `extra operand ${quoted(extra)} not allowed with -c`, 2);
  const reader = open(context, name, delimiter);
  const limit = options.has("u") ? 0 : 1;
  let before: string | undefined;
  let number = 0;
  for (let line = reader.next(); line !== undefined; line = reader.next()) {
    number++;
    if (before !== undefined && compare(before, line) >= limit) {
      if (!options.has("C") && !/^(quiet|silent)$/.test(options.get("c") ?? "")) {
        context.flush();
        context.writeError(`sort: ${name}:${number}: disorder: ${line}\n`);
      }
      return 1;
    }
    before = line;
  }
  return 0;
}

function parseKey(text: string, globalFlags: string): Key {
  const match = /^(\d+)(?:\.(\d+))?([a-zA-Z]*)(?:,(\d+)(?:\.(\d+))?([a-zA-Z]*))?$/.exec(text);
  if (match === null) {
    const bad = /^\D/.test(text) || text === "";
    throw new CommandFailure(
      bad
        ? `invalid number at field start: invalid count at start of ${quoted(text)}`
        : `stray character in field spec: invalid field specification ${quoted(text)}`,
      2,
    );
  }
  const startFlags = match[3]!;
  const endFlags = match[6] ?? "";
  for (const flag of startFlags + endFlags) {
    if (!orders.includes(flag)) {
      throw new CommandFailure(
        `stray character in field spec: invalid field specification ${quoted(text)}`,
        2,
      );
    }
  }
  if (match[1] === "0" || match[4] === "0") {
    throw new CommandFailure(
      `-: invalid field specification ${quoted(text)}`.replace("-: ", "field number is zero: "),
      2,
    );
  }
  if (match[2] === "0") {
    throw new CommandFailure(
      `character offset is zero: invalid field specification ${quoted(text)}`,
      2,
    );
  }
  const own = startFlags + endFlags;
  const inherits = own === "";
  return {
    startField: Number(match[1]),
    startChar: Number(match[2] ?? 1),
    endField: match[4] === undefined ? undefined : Number(match[4]),
    endChar: Number(match[5] ?? 0),
    skipStart: inherits ? globalFlags.includes("b") : startFlags.includes("b"),
    skipEnd: inherits ? globalFlags.includes("b") : endFlags.includes("b"),
    flags: inherits ? globalFlags : own,
  };
}

function globalFlagsOf(options: Options): string {
  const words: Record<string, string> = {
    numeric: "n",
    "general-numeric": "g",
    "human-numeric": "h",
    month: "M",
    random: "R",
    version: "V",
  };
  let flags = "";
  for (const { key, value } of options.list) {
    if (key === "sort") flags += words[value] ?? "";
    else if (key.length === 1 && orders.includes(key)) flags += key;
  }
  const numeric = [...new Set(flags.replace(/[^ghMnRV]/g, ""))].sort().join("");
  if (numeric.length > 1) throw new CommandFailure(`options '-${numeric}' are incompatible`, 2);
  return flags;
}

function comparator(context: CommandContext, options: Options): Compare {
  const byKeys = keyComparator(context, options);
  const reverse = globalFlagsOf(options).includes("r") ? -1 : 1;
  if (byKeys === compareBytes) return compareBytes;
  if (options.has("s", "u")) return byKeys;
  return (a, b) => byKeys(a, b) || reverse * compareBytes(a, b);
}

function keyComparator(context: CommandContext, options: Options): Compare {
  const flags = globalFlagsOf(options);
  const separator = separatorOf(options.get("t"));
  const keys = options.all("k").map((text) => parseKey(text, flags));
  if (keys.length === 0) {
    if (flags === "") return compareBytes;
    const key: Key = {
      startField: 1,
      startChar: 1,
      endField: undefined,
      endChar: 0,
      skipStart: flags.includes("b"),
      skipEnd: false,
      flags,
    };
    keys.push(key);
  }
  const compares = keys.map((key) => {
    const compare = compareBy(key.flags);
    const sign = key.flags.includes("r") ? -1 : 1;
    const whole =
      key.startField === 1 && key.startChar === 1 && key.endField === undefined && !key.skipStart;
    const extract = whole ? (line: string) => line : extractor(key, separator);
    // A line takes part in many comparisons: its key is worked out once.
    const known = new Map<string, string>();
    const keyOf = (line: string) => {
      let value = known.get(line);
      if (value === undefined) {
        value = extract(line);
        known.set(line, value);
      }
      return value;
    };
    return whole
      ? (a: string, b: string) => sign * compare(a, b)
      : (a: string, b: string) => sign * compare(keyOf(a), keyOf(b));
  });
  return (a, b) => {
    for (const compare of compares) {
      const order = compare(a, b);
      if (order !== 0) return order;
    }
    return 0;
  };
}

function separatorOf(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const bytes = text === "\\0" ? "\0" : toBytes(text);
  if (bytes === "") throw new CommandFailure("empty tab", 2);
  if (bytes.length > 1) throw new CommandFailure(`multi-character tab ${quoted(text)}`, 2);
  return bytes;
}

const isBlank = (char: string | undefined) => char === " " || char === "\t" || char === "\n";

function extractor(key: Key, separator: string | undefined): (line: string) => string {
  /** Where field `number` (from 1) begins; blanks before a field belong to it. */
  const fieldStart = (line: string, number: number): number => {
    let at = 0;
    for (let field = 1; field < number && at < line.length; field++) {
      if (separator !== undefined) {
        const found = line.indexOf(separator, at);
        if (found === -1) return line.length;
        at = found + 1;
      } else at = fieldEnd(line, at);
    }
    return at;
  };
  const fieldEnd = (line: string, from: number): number => {
    if (separator !== undefined) {
      const found = line.indexOf(separator, from);
      return found === -1 ? line.length : found;
    }
    let at = from;
    while (at < line.length && isBlank(line[at])) at++;
    while (at < line.length && !isBlank(line[at])) at++;
    return at;
  };
  const skipBlanks = (line: string, from: number) => {
    let at = from;
    while (isBlank(line[at])) at++;
    return at;
  };
  return (line) => {
    let start = fieldStart(line, key.startField);
    if (key.skipStart) start = skipBlanks(line, start);
    start = Math.min(start + key.startChar - 1, line.length);
    if (key.endField === undefined) return line.slice(start);
    let end = fieldStart(line, key.endField);
    if (key.endChar === 0) end = fieldEnd(line, end);
    else {
      if (key.skipEnd) end = skipBlanks(line, end);
      end = Math.min(end + key.endChar, line.length);
    }
    return line.slice(start, Math.max(start, end));
  };
}

const months = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const units = "KMGTPEZY";

function compareBy(flags: string): Compare {
  if (flags.includes("n")) return compareNumbers;
  if (flags.includes("g")) return (a, b) => compareFloats(floatOf(a), floatOf(b));
  if (flags.includes("h")) {
    return (a, b) => {
      const [x, y] = [humanOf(a), humanOf(b)];
      return x.sign * (x.unit + 1) - y.sign * (y.unit + 1) || x.value - y.value;
    };
  }
  if (flags.includes("M")) {
    const month = (text: string) => months.indexOf(text.trimStart().slice(0, 3).toUpperCase());
    return (a, b) => month(a) - month(b);
  }
  if (flags.includes("V")) return compareVersions;
  if (flags.includes("R")) {
    const seed = new Map<string, number>();
    const rank = (text: string) => {
      if (!seed.has(text)) seed.set(text, Math.random());
      return seed.get(text)!;
    };
    return (a, b) => (a === b ? 0 : rank(a) - rank(b));
  }
  let change = (text: string) => text;
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  if (flags.includes("d")) change = (text) => text.replace(/[^A-Za-z0-9 \t]/g, "");
  else if (flags.includes("i")) change = (text) => text.replace(/[^ -~]/g, "");
  if (flags.includes("f")) {
    const before = change;
    change = (text) => before(text).replace(/[a-z]+/g, (letters) => letters.toUpperCase());
  }
  return (a, b) => compareBytes(change(a), change(b));
}

/** Decimal numbers of any length, as text. */
function compareNumbers(a: string, b: string): number {
  const [x, y] = [
    /^[ \t\n]*(-?)0*(\d*)(?:\.(\d*))?/.exec(a)!,
    /^[ \t\n]*(-?)0*(\d*)(?:\.(\d*))?/.exec(b)!,
  ];
  const [xf, yf] = [(x[3] ?? "").replace(/0+$/, ""), (y[3] ?? "").replace(/0+$/, "")];
  const xSign = x[2] === "" && xf === "" ? 0 : x[1] === "-" ? -1 : 1;
  const ySign = y[2] === "" && yf === "" ? 0 : y[1] === "-" ? -1 : 1;
  if (xSign !== ySign) return xSign - ySign;
  const order = x[2]!.length - y[2]!.length || compareBytes(x[2]!, y[2]!) || compareBytes(xf, yf);
  return xSign * order;
}

function floatOf(text: string): number | undefined {
  const match =
    /^\s*([-+]?(?:inf(?:inity)?|nan|0x[0-9a-f]+|(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?))/i.exec(text);
  if (match === null) return undefined;
  const word = match[1]!
    .toLowerCase()
    .replace(/^\+/, "")
    .replace(/inf(inity)?/, "Infinity");
  return /nan/.test(word) ? NaN : Number(word);
}

function compareFloats(a: number | undefined, b: number | undefined): number {
  const rank = (value: number | undefined) =>
    value === undefined ? 0 : Number.isNaN(value) ? 1 : 2;
  if (rank(a) !== rank(b)) return rank(a) - rank(b);
  return a === undefined || b === undefined || a === b || Number.isNaN(a) ? 0 : a < b ? -1 : 1;
}

function humanOf(text: string): { sign: number; unit: number; value: number } {
  const match = /^[ \t]*(-?)(\d*\.?\d*)([a-zA-Z]?)/.exec(text)!;
  const number = Number(match[2]) || 0;
  const sign = number === 0 ? 0 : match[1] === "-" ? -1 : 1;
  return { sign, unit: units.indexOf((match[3] || " ").toUpperCase()) + 1, value: sign * number };
}
