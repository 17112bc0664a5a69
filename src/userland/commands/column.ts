/** Owns `column`: lists in columns, and tables. */
import type { Command, CommandContext } from "../command.js";
import { CommandFailure } from "../command.js";
import { textColumns } from "../support/characters.js";
import { eachInput, LineReader } from "../support/input.js";
import { parseOptions, type Options } from "../support/options.js";
import { toBytes } from "../support/text.js";

export const main: Command = (context) => {
  const options = parseOptions(context, "c:C:deE:hH:iJl:LnN:o:O:p:r:R:s:tT:VW:x", {
    "output-width=": "c",
    table: "t",
    "separator=": "s",
    "output-separator=": "o",
    "table-columns=": "N",
    "table-right=": "R",
    "table-order=": "O",
    "table-hide=": "H",
    "table-noheadings": "d",
    "table-columns-limit=": "l",
    "table-empty-lines": "L",
    "keep-empty-lines": "L",
    "table-truncate=": "T",
    "table-wrap=": "W",
    "table-name=": "n",
    json: "J",
    fillrows: "x",
  });
  const lines: string[] = [];
  const good = eachInput(
    context,
    options.operands,
    (source) => {
      const reader = new LineReader(source);
      for (let line = reader.next(); line !== undefined; line = reader.next()) {
        if (line.trim() !== "" || options.has("L")) lines.push(line);
      }
    },
    (name, reason) => `cannot open ${name}: ${reason}`,
  );
  if (options.has("J")) json(context, options, lines);
  else if (options.has("t")) table(context, options, lines);
  else list(context, options, lines);
  return good ? 0 : 1;
};

function padded(text: string, width: number, right: boolean): string {
  const blanks = " ".repeat(Math.max(0, width - textColumns(text)));
  return right ? blanks + text : text + blanks;
}

/** Fields of a line: runs of blanks, or each of the separators by itself. */
function fieldsOf(line: string, options: Options): string[] {
  const separators = options.get("s");
  const limit = Number(options.get("l") ?? Infinity);
  let fields: string[];
  if (separators === undefined) fields = line.split(/[ \t]+/).filter((field) => field !== "");
  else {
    const chars = new Set(toBytes(separators));
    fields = [""];
    for (const char of line) {
      if (chars.has(char)) fields.push("");
      else fields[fields.length - 1] += char;
    }
  }
  if (fields.length <= limit) return fields;
  const kept = fields.slice(0, limit - 1);
  return [...kept, fields.slice(limit - 1).join(separators?.[0] ?? " ")];
}

/** Which columns a list of names or numbers means. */
function chosen(text: string | undefined, names: string[], count: number): Set<number> {
  const wanted = new Set<number>();
  for (const word of (text ?? "").split(",").filter((each) => each !== "")) {
    const range = /^(\d+)-(\d+)$/.exec(word);
    if (range !== null) {
      for (let at = Number(range[1]); at <= Math.min(Number(range[2]), count); at++)
        wanted.add(at - 1);
    } else if (/^-?\d+$/.test(word)) {
      wanted.add(Number(word) < 0 ? count + Number(word) : Number(word) - 1);
    } else if (names.includes(word)) wanted.add(names.indexOf(word));
    else throw new CommandFailure(`undefined column name '${word}'`);
  }
  return wanted;
}

function table(context: CommandContext, options: Options, lines: string[]): void {
  const names = options.has("N") ? toBytes(options.get("N")!).split(",") : [];
  const rows = lines.map((line) => (line.trim() === "" ? [] : fieldsOf(line, options)));
  if (names.length > 0 && !options.has("d")) rows.unshift(names);
  const count = Math.max(0, ...rows.map((row) => row.length));
  const right = chosen(options.get("R"), names, count);
  const hidden = chosen(options.get("H"), names, count);
  const order = [...new Set([...chosen(options.get("O"), names, count), ...Array(count).keys()])];
  const shown = order.filter((at) => !hidden.has(at));
  const widths = Array.from({ length: count }, (_, at) =>
    Math.max(0, ...rows.map((row) => textColumns(row[at] ?? ""))),
  );
  const separator = toBytes(options.get("o") ?? "  ");
  for (const row of rows) {
    const cells = shown.map((at, place) => {
      const cell = row[at] ?? "";
      const last = place === shown.length - 1;
      return last && !right.has(at) ? cell : padded(cell, widths[at]!, right.has(at));
    });
    context.writeBytes(`${cells.join(separator)}\n`);
  }
}

function json(context: CommandContext, options: Options, lines: string[]): void {
  const names = (options.get("N") ?? "").split(",");
  if (names[0] === "")
    throw new CommandFailure("option --table-columns or --table-column required for --json");
  const title = options.get("n") ?? "table";
  const rows = lines.map((line) => {
    const fields = fieldsOf(line, options).map((field) => Buffer.from(field, "latin1").toString());
    const parts = names.map((name, at) => {
      const value = fields[at];
      return `         ${JSON.stringify(name.toLowerCase())}: ${value === undefined ? "null" : JSON.stringify(value)}`;
    });
    return `{\n${parts.join(",\n")}\n      }`;
  });
  context.write(`{\n   ${JSON.stringify(title)}: [\n      ${rows.join(",")}\n   ]\n}\n`);
}

/** Entries in as many columns as fit, each as wide as the longest, to a multiple of eight. */
function list(context: CommandContext, options: Options, lines: string[]): void {
  const given = options.get("c") ?? context.env["COLUMNS"];
  const total = given === "unlimited" ? Infinity : Number(given || 80) || 80;
  const entries = lines.map((line) => line.trim()).filter((line) => line !== "");
  const longest = Math.max(0, ...entries.map(textColumns));
  const width = (Math.floor(longest / 8) + 1) * 8;
  const perRow = Math.max(1, Math.floor(total / width));
  if (longest >= total || perRow === 1) {
    for (const entry of entries) context.writeBytes(`${entry}\n`);
    return;
  }
  const rowCount = Math.ceil(entries.length / perRow);
  for (let row = 0; row < rowCount; row++) {
    const cells: string[] = [];
    for (let column = 0; column < perRow; column++) {
      const at = options.has("x") ? row * perRow + column : column * rowCount + row;
      if (at < entries.length) cells.push(entries[at]!);
    }
    let line = "";
    cells.forEach((cell, at) => {
      line += cell;
      if (at === cells.length - 1) return;
      // Tabs reach the next column.
      for (let place = textColumns(cell); place < width; place = (Math.floor(place / 8) + 1) * 8)
        line += "\t";
    });
    context.writeBytes(`${line}\n`);
  }
}
