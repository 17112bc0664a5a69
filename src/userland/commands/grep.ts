/** Owns `grep`, `egrep`, `fgrep` and `rgrep`. */
import { CommandExit, CommandFailure, type Command, type CommandContext } from "../command.js";
import { isInvalid } from "../support/characters.js";
import { errorText } from "../support/errors.js";
import { joinPath, sortedNames } from "../support/files.js";
import { namedBy } from "../support/glob.js";
import { LineReader, openInput, type ByteSource } from "../support/input.js";
import { parseOptions, type Options } from "../support/options.js";
import { fromBytes, toBytes } from "../support/text.js";
import { lineMatcher, paintedMatches, type LineMatcher } from "../support/line-matcher.js";

export const main: Command = (context) => {
  const options = parseOptions(
    context,
    "A:B:C:D:EFGHILPRTUVZabcd:e:f:hilm:noqrsvwxyz",
    {
      "after-context=": "A",
      "before-context=": "B",
      "context=": "C",
      "extended-regexp": "E",
      "fixed-strings": "F",
      "basic-regexp": "G",
      "perl-regexp": "P",
      "with-filename": "H",
      "no-filename": "h",
      "files-without-match": "L",
      "files-with-matches": "l",
      "dereference-recursive": "R",
      recursive: "r",
      "initial-tab": "T",
      binary: "U",
      null: "Z",
      text: "a",
      "binary-files=": "binary",
      "byte-offset": "b",
      count: "c",
      "directories=": "d",
      "regexp=": "e",
      "file=": "f",
      "ignore-case": "i",
      "no-ignore-case": "noI",
      "max-count=": "m",
      "line-number": "n",
      "only-matching": "o",
      quiet: "q",
      silent: "q",
      "no-messages": "s",
      "invert-match": "v",
      "word-regexp": "w",
      "line-regexp": "x",
      "null-data": "z",
      "line-buffered": "lineBuffered",
      "color=?": "color",
      "colour=?": "color",
      "include=": "include",
      "exclude=": "exclude",
      "exclude-dir=": "excludeDir",
      "exclude-from=": "excludeFrom",
      "label=": "label",
      "group-separator=": "groupSeparator",
      "no-group-separator": "noGroupSeparator",
    },
    {
      status: 2,
      numberOption: "C",
      hint: `Usage: ${context.name} [OPTION]... PATTERNS [FILE]...\n`,
      usage: "[OPTION]... PATTERNS [FILE]...",
    },
  );
  return new Grep(context, options).run();
};

interface Line {
  text: string;
  /** Its number, from 1. */
  line: number;
  /** Where it begins in the file. */
  offset: number;
}

/** What is shown of one file. */
interface View {
  readonly name: string;
  /** Lines that become context if a match comes. */
  readonly before: Line[];
  /** Number of the last line shown. */
  lastShown: number;
  /** Lines of context that are still to come. */
  trailing: number;
}

class Grep {
  readonly #matcher: LineMatcher;
  readonly #recursive: boolean;
  readonly #named: boolean;
  readonly #before: number;
  readonly #after: number;
  readonly #limit: number;
  /** Whether no line can be selected, so that no file is read and no count printed. */
  readonly #selectsNothing: boolean;
  readonly #delimiter: string;
  readonly #color: { match: string; file: string; line: string; separator: string } | undefined;
  #matchedAny = false;
  #failed = false;
  #shownAny = false;

  constructor(
    private readonly context: CommandContext,
    private readonly options: Options,
  ) {
    const { operands } = options;
    let patterns = options.all("e").flatMap((text) => text.split("\n"));
    for (const file of options.all("f")) patterns.push(...this.#patternsOf(file));
    if (!options.has("e", "f")) {
      const word = operands.shift();
      if (word === undefined) {
        context.writeError(
          `Usage: ${context.name} [OPTION]... PATTERNS [FILE]...\nTry '${context.name} --help' for more information.\n`,
        );
        throw new CommandExit(2);
      }
      patterns = word.split("\n");
    }
    const syntax =
      options.last("E", "F", "G", "P") ?? { egrep: "E", fgrep: "F" }[context.name] ?? "G";
    this.#matcher = lineMatcher(patterns.map(toBytes), {
      syntax: syntax as "E" | "F" | "G" | "P",
      ignoreCase:
        options.last("i", "y", "noI") !== undefined && options.last("i", "y", "noI") !== "noI",
      whole: options.has("x") ? "line" : options.has("w") ? "word" : undefined,
    });
    this.#recursive =
      options.has("r", "R") || options.get("d") === "recurse" || context.name === "rgrep";
    const named = options.last("H", "h");
    const onlyDirectory = operands.length === 1 && this.#recursive;
    this.#named =
      named !== undefined
        ? named === "H"
        : operands.length > 1 ||
          (this.#recursive && operands.length === 0) ||
          (onlyDirectory && this.#isDirectory(operands[0]!));
    const lines = (key: string) => {
      const entry = options.list.findLast((each) => each.key === key || each.key === "C");
      if (entry === undefined) return 0;
      if (!/^\d+$/.test(entry.value)) {
        throw new CommandFailure(`${entry.value}: invalid context length argument`, 2);
      }
      return Number(entry.value);
    };
    this.#before = lines("B");
    this.#after = lines("A");
    const limit = options.get("m");
    if (limit !== undefined && !/^-?\d+$/.test(limit))
      throw new CommandFailure("invalid max count", 2);
    this.#limit = limit === undefined || limit.startsWith("-") ? Infinity : Number(limit);
    const matchesAll = patterns.length === 1 && patterns[0] === "" && !options.has("x", "w");
    this.#selectsNothing =
      this.#limit === 0 || (options.has("v") ? matchesAll : patterns.length === 0);
    this.#delimiter = options.has("z") ? "\0" : "\n";
    const color = options.get("color");
    const colored =
      color === "always" || ((color === "auto" || color === "") && context.isTerminal(1));
    this.#color = colored
      ? {
          match: "\x1b[01;31m\x1b[K",
          file: "\x1b[35m\x1b[K",
          line: "\x1b[32m\x1b[K",
          separator: "\x1b[36m\x1b[K",
        }
      : undefined;
  }

  #patternsOf(file: string): string[] {
    const patterns: string[] = [];
    try {
      const reader = new LineReader(openInput(this.context, file));
      for (let line = reader.next(); line !== undefined; line = reader.next())
        patterns.push(fromBytes(line));
    } catch (error) {
      throw new CommandFailure(`${file}: ${errorText(error)}`, 2);
    }
    return patterns;
  }

  #isDirectory(path: string): boolean {
    return this.context.fs.statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
  }

  run(): number {
    const { options } = this;
    if (this.#selectsNothing && !options.has("L")) return 1;
    const operands = options.operands.length > 0 ? options.operands : [this.#recursive ? "." : "-"];
    const implicit = options.operands.length === 0 && this.#recursive;
    for (const path of operands) {
      if (this.#recursive && path !== "-" && this.#isDirectory(path))
        this.#walk(path, implicit, true);
      else if (path === "-" || this.#included(path, true)) this.#file(path);
      if (this.#matchedAny && options.has("q")) return 0;
    }
    if (this.#failed && !(options.has("q") && this.#matchedAny)) return 2;
    return this.#matchedAny ? 0 : 1;
  }

  #complain(path: string, error: unknown): void {
    const text = errorText(error);
    this.#failed = true;
    if (!this.options.has("s")) this.context.writeError(`grep: ${path}: ${text}\n`);
  }

  #included(path: string, named: boolean): boolean {
    const include = this.options.all("include");
    const exclude = this.options.all("exclude");
    if (exclude.length > 0 && namedBy(exclude)(path)) return false;
    return include.length === 0 || (named && !this.#recursive) || namedBy(include)(path);
  }

  #walk(path: string, implicit: boolean, named: boolean): void {
    let names: string[];
    try {
      names = sortedNames(this.context, path);
    } catch (error) {
      return this.#complain(path, error);
    }
    const excludeDirectory = this.options.all("excludeDir");
    if (!named && excludeDirectory.length > 0 && namedBy(excludeDirectory)(path)) return;
    for (const name of names) {
      const child = implicit && path === "." ? name : joinPath(path, name);
      let stats = this.context.fs.lstatSync(child, { throwIfNoEntry: false });
      if (stats?.isSymbolicLink()) {
        if (!this.options.has("R")) continue;
        stats = this.context.fs.statSync(child, { throwIfNoEntry: false });
      }
      if (stats?.isDirectory()) this.#walk(child, implicit, false);
      else if (stats?.isFile() && this.#included(child, false)) this.#file(child);
      if (this.#matchedAny && this.options.has("q")) return;
    }
  }

  #file(path: string): void {
    let source: ByteSource | undefined;
    try {
      if (path !== "-" && this.options.get("d") === "skip" && this.#isDirectory(path)) return;
      source = openInput(this.context, path);
      this.#search(
        new LineReader(source, this.#delimiter),
        path === "-" ? (this.options.get("label") ?? "(standard input)") : path,
      );
    } catch (error) {
      this.#complain(path, error);
    } finally {
      source?.close();
    }
  }

  #prefix(name: string, line: number, offset: number, separator: string): string {
    const { options } = this;
    const color = this.#color;
    const paint = (text: string, code: string) =>
      color === undefined ? text : `${code}${text}\x1b[m\x1b[K`;
    const mark = paint(separator, color?.separator ?? "");
    let prefix = "";
    if (this.#named)
      prefix += paint(toBytes(name), color?.file ?? "") + (options.has("Z") ? "\0" : mark);
    if (options.has("n")) prefix += paint(String(line), color?.line ?? "") + mark;
    if (options.has("b")) prefix += paint(String(offset), color?.line ?? "") + mark;
    return prefix === "" || !options.has("T") ? prefix : `${prefix}\t`;
  }

  #search(reader: LineReader, name: string): void {
    const { options } = this;
    const silent = options.has("q", "l", "L", "c");
    const inverted = options.has("v");
    const only = options.has("o");
    const asText = options.has("a") || options.get("binary") === "text" || options.has("z");
    const omitsBinary = options.has("I") || options.get("binary") === "without-match";
    // A line that is not text in the locale is not shown, and ends the search.
    const reportBinary = () => this.context.writeError(`grep: ${name}: binary file matches\n`);
    const view: View = { name, before: [], lastShown: 0, trailing: 0 };
    let matches = 0;
    let line = 0;
    let offset = 0;
    let binary = false;
    if (this.#limit === 0) return this.#finish(name, 0);
    for (let text = reader.next(); text !== undefined; text = reader.next()) {
      line++;
      const from = offset;
      offset += text.length + 1;
      if (!asText && !binary && text.includes("\0")) binary = true;
      if (this.#matcher.test(text) === inverted) {
        if (!silent && !only) this.#showUnmatched(view, { text, line, offset: from });
        continue;
      }
      // As if such a file had no match.
      if (binary && omitsBinary) {
        matches = 0;
        break;
      }
      this.#matchedAny = true;
      matches++;
      if (silent && !options.has("c")) break;
      if (!silent) {
        if (binary || (!asText && isInvalid(text) && !(only && this.#onlyValid(text)))) {
          if (!omitsBinary) reportBinary();
          return;
        }
        this.#showMatched(view, { text, line, offset: from });
      }
      view.trailing = this.#after;
      if (matches >= this.#limit) break;
    }
    if (matches >= this.#limit && !silent && !only) this.#showRest(reader, view, line, offset);
    this.#finish(name, matches);
  }

  #show(view: View, { text, line, offset }: Line, separator: ":" | "-"): void {
    const color = this.#color;
    if ((this.#before > 0 || this.#after > 0) && this.#shownAny && line !== view.lastShown + 1) {
      const mark = toBytes(this.options.get("groupSeparator") ?? "--");
      if (this.options.last("groupSeparator", "noGroupSeparator") !== "noGroupSeparator")
        this.context.writeBytes(
          color === undefined ? `${mark}\n` : `${color.separator}${mark}\x1b[m\x1b[K\n`,
        );
    }
    this.#shownAny = true;
    view.lastShown = line;
    const painted = separator === ":" && !this.options.has("v") && color !== undefined;
    this.context.writeBytes(
      this.#prefix(view.name, line, offset, separator) +
        (painted ? paintedMatches(this.#matcher, text, color.match) : text) +
        this.#delimiter,
    );
  }

  #showMatched(view: View, matched: Line): void {
    for (const line of view.before) this.#show(view, line, "-");
    view.before.length = 0;
    if (!this.options.has("o")) this.#show(view, matched, ":");
    else if (!this.options.has("v")) {
      view.lastShown = matched.line;
      this.#onlyMatches(view.name, matched.text, matched.line, matched.offset);
    }
  }

  /** As context: behind a match at once, before the next one perhaps. */
  #showUnmatched(view: View, line: Line): void {
    if (view.trailing > 0) {
      view.trailing--;
      this.#show(view, line, "-");
    } else if (this.#before > 0) {
      view.before.push(line);
      if (view.before.length > this.#before) view.before.shift();
    }
  }

  /** Context behind the last match that -m allows, up to the next match. */
  #showRest(reader: LineReader, view: View, lastLine: number, from: number): void {
    const inverted = this.options.has("v");
    let [line, offset] = [lastLine, from];
    for (; view.trailing > 0; view.trailing--) {
      const text = reader.next();
      if (text === undefined || this.#matcher.test(text) !== inverted) break;
      this.#show(view, { text, line: ++line, offset }, "-");
      offset += text.length + 1;
    }
  }

  #finish(name: string, matches: number): void {
    const { options, context } = this;
    const end = options.has("Z") ? "\0" : "\n";
    const list = options.last("l", "L");
    if (options.has("q")) return;
    if (list === "l" && matches > 0) context.write(name + end);
    if (list === "L") {
      if (matches === 0) context.write(name + end);
    } else if (list === undefined && options.has("c")) {
      const prefix = this.#named ? toBytes(name) + (options.has("Z") ? "\0" : ":") : "";
      context.writeBytes(`${prefix}${matches}\n`);
    }
  }

  /** With -o only what matched is shown. */
  #onlyValid(text: string): boolean {
    return this.#matcher.all(text).every(({ index, end }) => !isInvalid(text.slice(index, end)));
  }

  #onlyMatches(name: string, text: string, line: number, offset: number): void {
    for (const { index, end } of this.#matcher.all(text)) {
      if (end === index) continue;
      const found = text.slice(index, end);
      const shown = this.#color === undefined ? found : `${this.#color.match}${found}\x1b[m\x1b[K`;
      this.context.writeBytes(
        this.#prefix(name, line, offset + index, ":") + shown + this.#delimiter,
      );
    }
  }
}
