/** Owns `pr`: pages with a heading, columns, and files side by side. */
import { CommandFailure, type Command, type CommandContext } from "../command.js";
import { charactersOf, textColumns } from "../support/characters.js";
import { eachInput, LineReader } from "../support/input.js";
import { parseOptions, type Options } from "../support/options.js";
import { strftime } from "../support/strftime.js";
import { toBytes } from "../support/text.js";

interface Source {
  name: string;
  lines: string[];
  modifiedMs: number;
}

export const main: Command = (context) => {
  // +FIRST[:LAST] is an option that looks like an operand.
  let pages = [1, Infinity];
  const argv = context.argv.filter((word) => {
    const match = /^\+(\d+)(?::(\d+))?$/.exec(word);
    if (match !== null) pages = [Number(match[1]), Number(match[2] ?? Infinity)];
    return match === null;
  });
  const options = parseOptions(
    { ...context, argv },
    "acdD:e::Ffh:i::Jl:mn::N:o:rs::S::tTvw:W:",
    {
      "pages=": "pages",
      "columns=": "columns",
      across: "a",
      "double-space": "d",
      "date-format=": "D",
      "expand-tabs=?": "e",
      "form-feed": "F",
      "header=": "h",
      "length=": "l",
      merge: "m",
      "number-lines=?": "n",
      "first-line-number=": "N",
      "indent=": "o",
      "no-file-warnings": "r",
      "separator=?": "s",
      "sep-string=?": "S",
      "omit-header": "t",
      "omit-pagination": "T",
      "width=": "w",
      "page-width=": "W",
      "join-lines": "J",
    },
    { numberOption: "columns" },
  );
  const range = /^(\d+)(?::(\d+))?$/.exec(options.get("pages") ?? "");
  if (range !== null) pages = [Number(range[1]), Number(range[2] ?? Infinity)];
  const sources: Source[] = [];
  const good = eachInput(context, options.operands, (source, name) => {
    const reader = new LineReader(source);
    const lines: string[] = [];
    for (let line = reader.next(); line !== undefined; line = reader.next())
      lines.push(expanded(line));
    const stats = name === "-" ? undefined : context.fs.statSync(name, { throwIfNoEntry: false });
    sources.push({
      name: name === "-" ? "" : name,
      lines,
      modifiedMs: stats?.mtimeMs ?? Date.now(),
    });
  });
  const printer = new Printer(context, options, pages[0]!, pages[1]!);
  if (options.has("m") && sources.length > 0) printer.merged(sources);
  else for (const source of sources) printer.file(source);
  return good ? 0 : 1;
};

function expanded(line: string): string {
  if (!line.includes("\t")) return line;
  let output = "";
  let column = 0;
  for (const char of charactersOf(line)) {
    const next = char === "\t" ? (Math.floor(column / 8) + 1) * 8 : column + 1;
    output += char === "\t" ? " ".repeat(next - column) : char;
    column = next;
  }
  return output;
}

function cut(text: string, width: number): string {
  const chars = charactersOf(text);
  return chars.length > width ? chars.slice(0, width).join("") : text;
}

/** From one column to another, by tabs as far as they go. */
function blanks(from: number, to: number): string {
  let output = "";
  let column = from;
  for (;;) {
    const stop = (Math.floor(column / 8) + 1) * 8;
    if (to - column <= 1 || stop > to) break;
    output += "\t";
    column = stop;
  }
  return output + " ".repeat(Math.max(0, to - column));
}

class Printer {
  readonly #body: number;
  readonly #headed: boolean;
  readonly #width: number;
  readonly #columns: number;
  readonly #separator: string | undefined;
  #number: number;

  constructor(
    private readonly context: CommandContext,
    private readonly options: Options,
    private readonly first: number,
    private readonly last: number,
  ) {
    const number = (key: string, fallback: number, least = 1) => {
      const text = options.get(key);
      if (text === undefined) return fallback;
      if (!/^-?\d+$/.test(text) || Number(text) < least)
        throw new CommandFailure(`'-${key}': invalid number '${text}'`);
      return Math.min(Number(text), 1 << 20);
    };
    const length = number("l", 66);
    this.#headed = !options.has("t", "T") && length > 10;
    this.#body = this.#headed ? length - 10 : length;
    this.#width = number("W", number("w", 72));
    this.#columns = number("columns", 1);
    this.#number = number("N", 1, -1e9);
    this.#separator = options.has("s")
      ? toBytes(options.get("s") || "\t")
      : options.has("S")
        ? toBytes(options.get("S") || " ")
        : undefined;
  }

  #numbered(line: string): string {
    const given = this.options.get("n");
    if (given === undefined) return line;
    const [, mark = "", digits = ""] = /^([^\d]?)(\d*)$/.exec(given) ?? [];
    return `${String(this.#number++).padStart(Number(digits || 5))}${mark || "\t"}${line}`;
  }

  #joined(cells: (string | undefined)[]): string {
    if (this.#separator !== undefined) return cells.map((cell) => cell ?? "").join(this.#separator);
    const width = Math.floor((this.#width - (cells.length - 1)) / cells.length);
    let line = "";
    let column = 0;
    cells.forEach((cell, at) => {
      const text = cut(cell ?? "", width);
      if (text === "") return;
      line += blanks(column, at * (width + 1)) + text;
      column = at * (width + 1) + textColumns(text);
    });
    return line;
  }

  file(source: Source): void {
    const lines = source.lines.map((line) => this.#numbered(line));
    const spaced = this.options.has("d");
    const rows = spaced ? Math.max(1, Math.floor(this.#body / 2)) : this.#body;
    const perPage = rows * this.#columns;
    const pages: string[][] = [];
    for (let at = 0; at < lines.length; at += perPage) {
      const part = lines.slice(at, at + perPage);
      if (this.#columns === 1) {
        pages.push(part);
        continue;
      }
      // The last page is as high as it needs to be.
      const height = Math.ceil(part.length / this.#columns);
      pages.push(
        Array.from({ length: height }, (_, row) =>
          this.#joined(
            Array.from({ length: this.#columns }, (_each, column) =>
              this.options.has("a")
                ? part[row * this.#columns + column]
                : part[column * height + row],
            ),
          ),
        ),
      );
    }
    this.#pages(pages, source, spaced);
  }

  merged(sources: Source[]): void {
    const height = Math.max(...sources.map(({ lines }) => lines.length));
    const rows = Array.from({ length: height }, (_, at) =>
      this.#numbered(this.#joined(sources.map(({ lines }) => lines[at]))),
    );
    const pages: string[][] = [];
    for (let at = 0; at < rows.length; at += this.#body)
      pages.push(rows.slice(at, at + this.#body));
    this.#pages(pages, { name: "", lines: [], modifiedMs: Date.now() }, this.options.has("d"));
  }

  #pages(pages: string[][], source: Source, spaced: boolean): void {
    const { context, options } = this;
    const indent = " ".repeat(Math.min(Number(options.get("o") ?? 0) || 0, 1000));
    const feed = options.has("F", "f");
    pages.forEach((lines, index) => {
      const number = index + 1;
      if (number < this.first || number > this.last) return;
      if (this.#headed) context.writeBytes(this.#heading(source, number, indent, feed));
      let used = 0;
      for (const line of lines) {
        context.writeBytes(`${line === "" ? "" : indent}${line}\n${spaced ? "\n" : ""}`);
        used += spaced ? 2 : 1;
      }
      if (!this.#headed) return;
      context.writeBytes(feed ? "\f" : "\n".repeat(Math.max(0, this.#body - used) + 5));
    });
  }

  #heading(source: Source, page: number, indent: string, feed: boolean): string {
    const date = strftime(this.options.get("D") ?? "%Y-%m-%d %H:%M", source.modifiedMs, false);
    const title = toBytes(this.options.get("h") ?? source.name);
    const right = `Page ${page}`;
    const room = Math.max(0, this.#width - date.length - right.length - textColumns(title));
    const left = Math.floor(room / 2);
    const line = `${date}${" ".repeat(left)}${title}${" ".repeat(room - left)}${right}`;
    return `${feed ? "" : "\n\n"}${indent}${line}\n\n\n`;
  }
}
