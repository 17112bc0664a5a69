/** Owns `ls`, `dir` and `vdir`. */
import type { Stats } from "node:fs";
import type { Command, CommandContext } from "../command.js";
import { errorText } from "../support/errors.js";
import { joinPath, modeText, nameTable, statOrNothing, typeLetter } from "../support/files.js";
import { globRegex } from "../support/glob.js";
import { parseOptions, type Options } from "../support/options.js";
import { strftime } from "../support/strftime.js";
import { compareBytes, humanSize, quoted, toBytes } from "../support/text.js";
import { compareVersions } from "../support/versions.js";

interface Entry {
  name: string;
  path: string;
  stats: Stats;
  /** Behind the link, when it leads somewhere. */
  target?: Stats | undefined;
  link?: string;
}

const halfYearMs = 31556952000 / 2;

export const main: Command = (context) => {
  const options = parseOptions(
    context,
    "aAbBcCdfFghHiI:kLlmnNopqQrRsStT:uUvw:x1XZ",
    {
      all: "a",
      "almost-all": "A",
      "ignore-backups": "B",
      directory: "d",
      "classify=?": "F",
      "file-type": "p",
      "full-time": "fullTime",
      "no-group": "G",
      "group-directories-first": "dirsFirst",
      "human-readable": "h",
      si: "si",
      inode: "i",
      "ignore=": "I",
      kibibytes: "k",
      dereference: "L",
      "dereference-command-line": "H",
      "numeric-uid-gid": "n",
      literal: "N",
      "quote-name": "Q",
      escape: "b",
      reverse: "r",
      recursive: "R",
      size: "s",
      "sort=": "sort",
      "time=": "time",
      "time-style=": "timeStyle",
      "width=": "w",
      "color=?": "color",
      "hide=": "I",
      "format=": "format",
      "block-size=": "blockSize",
      "indicator-style=": "indicator",
      "show-control-chars": "N",
      "hide-control-chars": "q",
      zero: "zero",
    },
    { status: 2 },
  );
  return new Lister(context, options).run();
};

class Lister {
  #status = 0;
  #first = true;
  readonly #long: boolean;
  readonly #users: Map<number, string>;
  readonly #groups: Map<number, string>;
  readonly #hidden: RegExp[];
  readonly #ancestors: string[] = [];

  constructor(
    private readonly context: CommandContext,
    private readonly options: Options,
  ) {
    const format = options.last("l", "n", "g", "o", "C", "1", "m", "x", "format", "fullTime");
    const word = options.get("format");
    this.#long =
      ["l", "n", "g", "o", "fullTime"].includes(format ?? "") ||
      (format === "1" && options.has("l", "n", "g", "o", "fullTime")) ||
      (format === "format" && (word === "long" || word === "verbose")) ||
      context.name === "vdir";
    const named = this.#long && !options.has("n");
    this.#users = named ? nameTable(context, "passwd") : new Map();
    this.#groups = named ? nameTable(context, "group") : new Map();
    this.#hidden = options.all("I").map((pattern) => globRegex(pattern));
  }

  run(): number {
    const { options } = this;
    const operands = options.operands.length === 0 ? ["."] : options.operands;
    const files: Entry[] = [];
    const directories: Entry[] = [];
    const followNamed = !options.has("d") && !options.has("F") && !this.#long;
    for (const path of operands) {
      const entry = this.#entry(path, path, followNamed || options.has("H"));
      if (entry === undefined) continue;
      const directory = entry.stats.isDirectory() && !options.has("d");
      (directory ? directories : files).push(entry);
    }
    this.#print(this.#sorted(files), false);
    if (files.length > 0) this.#first = false;
    const titles = operands.length > 1 || options.has("R");
    for (const entry of this.#sorted(directories)) this.#directory(entry.path, titles);
    return this.#status;
  }

  #complain(status: number, message: string): void {
    this.context.writeError(`${this.context.name}: ${message}\n`);
    this.#status = Math.max(this.#status, status);
  }

  #entry(name: string, path: string, follow: boolean): Entry | undefined {
    const { fs } = this.context;
    try {
      let stats = fs.lstatSync(path);
      if (!stats.isSymbolicLink()) return { name, path, stats };
      const target = statOrNothing(this.context, path, true);
      if (this.options.has("L") || (follow && target !== undefined)) {
        if (target === undefined) throw Object.assign(new Error(path), { code: "ENOENT" });
        stats = target;
        return { name, path, stats };
      }
      return { name, path, stats, target, link: fs.readlinkSync(path) };
    } catch (error) {
      this.#complain(name === path ? 2 : 1, `cannot access ${quoted(path)}: ${errorText(error)}`);
      return undefined;
    }
  }

  #directory(path: string, titled: boolean): void {
    let names: string[];
    try {
      names = this.context.fs.readdirSync(path);
    } catch (error) {
      return this.#complain(
        this.#ancestors.length === 0 ? 2 : 1,
        `cannot open directory ${quoted(path)}: ${errorText(error)}`,
      );
    }
    const { options } = this;
    const which = options.last("a", "A", "f");
    if (which === undefined) names = names.filter((name) => !name.startsWith("."));
    if (options.has("B")) names = names.filter((name) => !name.endsWith("~"));
    names = names.filter((name) => !this.#hidden.some((pattern) => pattern.test(name)));
    if (which === "a" || which === "f") names.unshift(".", "..");
    const entries = names
      .map((name) => this.#entry(name, joinPath(path, name), false))
      .filter((entry) => entry !== undefined);
    if (titled) {
      this.context.write(`${this.#first ? "" : "\n"}${path}:\n`);
      this.#first = false;
    }
    const sorted = this.#sorted(entries);
    this.#print(sorted, true);
    if (!options.has("R")) return;
    this.#ancestors.push(path);
    for (const entry of sorted) {
      if (entry.stats.isDirectory() && entry.name !== "." && entry.name !== "..") {
        this.#directory(entry.path, true);
      }
    }
    this.#ancestors.pop();
  }

  #timeOf(stats: Stats): number {
    const word = this.options.get("time") ?? "";
    if (this.options.has("u") || /^(atime|access|use)$/.test(word)) return stats.atimeMs;
    if (this.options.has("c") || /^(ctime|status)$/.test(word)) return stats.ctimeMs;
    return stats.mtimeMs;
  }

  #sorted(entries: Entry[]): Entry[] {
    const { options } = this;
    const byWord: Record<string, string> = {
      none: "U",
      size: "S",
      time: "t",
      version: "v",
      extension: "X",
      name: "",
    };
    const last = options.list.findLast(({ key }) =>
      ["S", "t", "U", "v", "X", "f", "sort"].includes(key),
    );
    let key = last?.key === "sort" ? (byWord[last.value] ?? "") : (last?.key ?? "");
    if (key === "" && !this.#long && options.has("u", "c")) key = "t";
    if (key === "U" || key === "f") return entries;
    const keyed = entries.map((entry) => ({ entry, name: toBytes(entry.name) }));
    keyed.sort((a, b) => {
      let order = 0;
      if (key === "S") order = b.entry.stats.size - a.entry.stats.size;
      if (key === "t") order = this.#timeOf(b.entry.stats) - this.#timeOf(a.entry.stats);
      if (key === "X") order = compareBytes(extension(a.name), extension(b.name));
      if (key === "v") order = compareVersions(a.name, b.name);
      return order || compareBytes(a.name, b.name);
    });
    if (options.has("r")) keyed.reverse();
    const sorted = keyed.map(({ entry }) => entry);
    if (!options.has("dirsFirst")) return sorted;
    const isDirectory = (entry: Entry) => (entry.target ?? entry.stats).isDirectory();
    return [...sorted.filter(isDirectory), ...sorted.filter((entry) => !isDirectory(entry))];
  }

  #indicator(stats: Stats, word: string): string {
    const letter = typeLetter(stats.mode);
    const full = word === "F" || word === "classify";
    if (letter === "d") return "/";
    if (word === "slash") return "";
    if (letter === "l") return "@";
    if (letter === "p") return "|";
    if (letter === "s") return "=";
    return full && letter === "-" && stats.mode & 0o111 ? "*" : "";
  }

  #name(entry: Entry): string {
    const { options } = this;
    // The later of the two counts.
    const quoting = options.last("b", "Q");
    const style =
      options.get("indicator") ??
      (options.has("F") ? "F" : options.last("p") === "p" ? "slash" : "none");
    const mark = (stats: Stats) => (style === "none" ? "" : this.#indicator(stats, style));
    const shown = (text: string): string =>
      quoting === "Q" ? `"${escaped(text, '"')}"` : quoting === "b" ? escaped(text, " ") : text;
    const name = shown(entry.name);
    if (!this.#long) return name + mark(entry.stats);
    if (entry.link === undefined) return name + mark(entry.stats);
    return `${name} -> ${shown(entry.link)}${entry.target === undefined ? "" : mark(entry.target)}`;
  }

  #blocks(stats: Stats): number {
    return Math.ceil(stats.blocks / 2);
  }

  #size(bytes: number): string {
    if (this.options.has("si")) return humanSize(bytes, 1000);
    return this.options.has("h") ? humanSize(bytes) : String(bytes);
  }

  #blockText(stats: Stats): string {
    if (this.options.has("h", "si")) return this.#size(stats.blocks * 512);
    return String(this.#blocks(stats));
  }

  #print(entries: Entry[], total: boolean): void {
    const { options, context } = this;
    if (total && (this.#long || options.has("s"))) {
      const sum = entries.reduce((all, { stats }) => all + stats.blocks * 512, 0);
      const text = options.has("h", "si") ? this.#size(sum) : String(Math.ceil(sum / 1024));
      context.write(`total ${text}\n`);
    }
    const columns: { text: string; right: boolean }[][] = entries.map((entry) => {
      const row: { text: string; right: boolean }[] = [];
      if (options.has("i")) row.push({ text: String(entry.stats.ino), right: true });
      if (options.has("s")) row.push({ text: this.#blockText(entry.stats), right: true });
      if (this.#long) row.push(...this.#longColumns(entry));
      return row;
    });
    const widths: number[] = [];
    for (const row of columns) {
      row.forEach(({ text }, at) => (widths[at] = Math.max(widths[at] ?? 0, text.length)));
    }
    const rows = entries.map((entry, index) => {
      const cells = columns[index]!.map(({ text, right }, at) =>
        right ? text.padStart(widths[at]!) : text.padEnd(widths[at]!),
      );
      return [...cells, this.#name(entry)].join(" ");
    });
    const format = options.last("C", "x", "m", "1", "l", "format");
    const end = options.has("zero") ? "\0" : "\n";
    if (rows.length === 0) return;
    if (!this.#long && format === "m") context.write(`${rows.join(", ")}\n`);
    else if (
      !this.#long &&
      (format === "C" || format === "x" || (format === undefined && context.isTerminal(1)))
    ) {
      this.#inColumns(rows, format === "x");
    } else context.write(rows.map((row) => row + end).join(""));
  }

  #longColumns({ stats }: Entry): { text: string; right: boolean }[] {
    const { options } = this;
    const letter = typeLetter(stats.mode);
    const device = letter === "c" || letter === "b";
    const size = device
      ? `${(stats.rdev >> 8) & 0xfff}, ${(stats.rdev & 0xff) | ((stats.rdev >> 12) & 0xfff00)}`
      : this.#size(stats.size);
    const row = [
      { text: modeText(stats.mode), right: false },
      { text: String(stats.nlink), right: true },
    ];
    const numeric = options.has("n");
    if (!options.has("g"))
      row.push({ text: this.#users.get(stats.uid) ?? String(stats.uid), right: numeric });
    if (!options.has("o", "G"))
      row.push({ text: this.#groups.get(stats.gid) ?? String(stats.gid), right: numeric });
    row.push({ text: size, right: true }, { text: this.#timeText(stats), right: true });
    return row;
  }

  #timeText(stats: Stats): string {
    const ms = this.#timeOf(stats);
    const style = this.options.has("fullTime") ? "full-iso" : (this.options.get("timeStyle") ?? "");
    if (style === "full-iso") return strftime("%Y-%m-%d %H:%M:%S.%N %z", ms, false);
    if (style === "long-iso") return strftime("%Y-%m-%d %H:%M", ms, false);
    if (style.startsWith("+")) return strftime(style.slice(1), ms, false);
    const now = Date.now();
    const recent = ms > now - halfYearMs && ms <= now;
    if (style === "iso") return strftime(recent ? "%m-%d %H:%M" : "%Y-%m-%d ", ms, false);
    return strftime(recent ? "%b %e %H:%M" : "%b %e  %Y", ms, false);
  }

  #inColumns(rows: string[], across: boolean): void {
    const { context, options } = this;
    const width = Number(options.get("w") ?? context.env["COLUMNS"] ?? 80) || 80;
    const lengths = rows.map((row) => [...row].length);
    // The most columns that fit count.
    for (
      let columns = Math.min(rows.length, Math.max(1, Math.floor(width / 3)));
      columns >= 1;
      columns--
    ) {
      const height = Math.ceil(rows.length / columns);
      const columnOf = (index: number) => (across ? index % columns : Math.floor(index / height));
      const used = across ? columns : Math.ceil(rows.length / height);
      if (used !== columns && columns > 1) continue;
      const widths = Array.from({ length: used }, () => 0);
      lengths.forEach((length, index) => {
        const column = columnOf(index);
        widths[column] = Math.max(widths[column]!, length + (column === used - 1 ? 0 : 2));
      });
      if (columns > 1 && widths.reduce((sum, value) => sum + value, 0) > width) continue;
      for (let line = 0; line < height; line++) {
        let text = "";
        let start = 0;
        for (let column = 0; column < used; column++) {
          const index = across ? line * columns + column : column * height + line;
          if (index >= rows.length) continue;
          const isLast =
            (across ? index + 1 : index + height) >= rows.length || column === used - 1;
          text += rows[index]!;
          if (isLast) continue;
          const from = start + lengths[index]!;
          start += widths[column]!;
          text += gap(from, start);
        }
        context.write(`${text}\n`);
      }
      return;
    }
  }
}

/** From one column to another, with tabs where they fit. */
function gap(from: number, to: number): string {
  let text = "";
  for (let at = from; at < to;) {
    const tab = Math.floor(to / 8) > Math.floor((at + 1) / 8);
    text += tab ? "\t" : " ";
    at += tab ? 8 - (at % 8) : 1;
  }
  return text;
}

function extension(name: string): string {
  const dot = name.lastIndexOf(".");
  return dot <= 0 ? "" : name.slice(dot);
}

const letters: Readonly<Record<string, string>> = {
  "\x07": "a",
  "\b": "b",
  "\f": "f",
  "\n": "n",
  "\r": "r",
  "\t": "t",
  "\v": "v",
  "\\": "\\",
};

/** A name as C would have it in a string; `mark` is what ends one, and gets a backslash too. */
function escaped(name: string, mark: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  return name.replace(/[\\ "\x00-\x1f\x7f]/g, (one) => {
    if (one === " " || one === '"') return one === mark ? `\\${one}` : one;
    return `\\${letters[one] ?? one.charCodeAt(0).toString(8).padStart(3, "0")}`;
  });
}
