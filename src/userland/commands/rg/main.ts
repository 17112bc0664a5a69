/** Owns `rg`: a search of trees as ripgrep's, with its defaults about what is left out. Expressions are JavaScript's. */
import { CommandExit, CommandFailure, type Command, type CommandContext } from "../../command.js";
import { decode, encode } from "../../support/characters.js";
import { errorText } from "../../support/errors.js";
import { joinPath, sortedNames, statOrNothing } from "../../support/files.js";
import { openInput, readAll } from "../../support/input.js";
import { parseOptions, type Options } from "../../support/options.js";
import { byteString, toBytes } from "../../support/text.js";
import { IgnoreList, ignoreRule, readIgnore } from "./ignore.js";
import { fileTypes } from "./types.js";

const longOptions: Record<string, string> = {
  "after-context=": "A",
  "before-context=": "B",
  "context=": "C",
  "case-sensitive": "s",
  "ignore-case": "i",
  "smart-case": "S",
  count: "c",
  "count-matches": "countMatches",
  "files-with-matches": "l",
  "files-without-match": "without",
  files: "files",
  "fixed-strings": "F",
  "regexp=": "e",
  "file=": "f",
  follow: "L",
  "glob=": "g",
  "iglob=": "iglob",
  hidden: ".",
  "no-ignore": "noIgnore",
  "no-ignore-vcs": "noIgnore",
  "line-number": "n",
  "no-line-number": "N",
  "line-regexp": "x",
  "word-regexp": "w",
  "invert-match": "v",
  "max-count=": "m",
  "max-depth=": "d",
  "maxdepth=": "d",
  "max-filesize=": "maxSize",
  "only-matching": "o",
  quiet: "q",
  "replace=": "r",
  "type=": "t",
  "type-not=": "T",
  "type-list": "typeList",
  heading: "heading",
  "no-heading": "noHeading",
  "with-filename": "H",
  "no-filename": "I",
  "color=": "color",
  "colors=": "colors",
  column: "column",
  vimgrep: "vimgrep",
  json: "json",
  stats: "stats",
  "sort=": "sort",
  "sortr=": "sortr",
  "no-messages": "noMessages",
  multiline: "U",
  "multiline-dotall": "dotall",
  pcre2: "P",
  text: "a",
  null: "0",
  trim: "trim",
  unrestricted: "u",
  "threads=": "j",
  pretty: "p",
  passthru: "passthru",
  "no-config": "noConfig",
  "context-separator=": "contextSeparator",
  "engine=": "engine",
  "max-columns=": "M",
  "no-require-git": "noGit",
  "byte-offset": "b",
  "line-buffered": "lineBuffered",
  "search-zip": "z",
  binary: "binary",
};

export const main: Command = (context) => {
  const options = parseOptions(
    context,
    "0A:B:C:E:FHILM:NPST:UVabcd:e:f:g:ij:lm:nopqr:st:uvwxz.",
    longOptions,
    { status: 2 },
  );
  if (options.has("typeList")) {
    for (const [name, globs] of Object.entries(fileTypes))
      context.write(`${name}: ${globs.join(", ")}\n`);
    return 0;
  }
  return new Search(context, options).run();
};

interface Line {
  number: number;
  text: string;
  offset: number;
}

class Search {
  readonly #regex: RegExp;
  readonly #paths: string[];
  readonly #globs: { rule: NonNullable<ReturnType<typeof ignoreRule>> }[];
  readonly #types: RegExp[];
  readonly #notTypes: RegExp[];
  readonly #named: boolean;
  readonly #numbers: boolean;
  readonly #heading: boolean;
  readonly #color: boolean;
  readonly #before: number;
  readonly #after: number;
  #matched = false;
  #failed = false;
  #shown = false;
  #totals = { matches: 0, lines: 0, files: 0, searched: 0 };

  constructor(
    private readonly context: CommandContext,
    private readonly options: Options,
  ) {
    const operands = [...options.operands];
    let patterns = options.all("e");
    for (const file of options.all("f")) {
      patterns.push(
        ...readAll(openInput(context, file)).toString("utf8").replace(/\n$/, "").split("\n"),
      );
    }
    if (!options.has("e", "f", "files")) {
      const pattern = operands.shift();
      if (pattern === undefined) {
        context.writeError(
          "error: the following required arguments were not provided:\n  <PATTERN>\n\nUSAGE:\n    \n    rg [OPTIONS] PATTERN [PATH ...]\n",
        );
        throw new CommandExit(2);
      }
      patterns = [pattern];
    }
    this.#regex = this.#compile(patterns);
    this.#paths = operands;
    const terminal = context.isTerminal(1) || options.has("p");
    const color = options.get("color") ?? "auto";
    this.#color =
      options.has("p") || color === "always" || color === "ansi" || (color === "auto" && terminal);
    const single =
      operands.length === 1 && statOrNothing(context, operands[0]!, true)?.isDirectory() !== true;
    const stdin = operands.length === 0 && this.#readsInput();
    const named = options.last("H", "I");
    this.#named =
      options.has("vimgrep") || (named === undefined ? !single && !stdin : named === "H");
    const numbered = options.last("n", "N");
    this.#numbers =
      options.has("vimgrep", "column") ||
      (numbered === undefined ? terminal && !stdin : numbered === "n");
    const heading = options.last("heading", "noHeading");
    this.#heading =
      !options.has("vimgrep") &&
      this.#named &&
      (heading === undefined ? terminal : heading === "heading");
    const lines = (key: string) => {
      const text =
        options.list.findLast((each) => each.key === key || each.key === "C")?.value ?? "0";
      if (!/^\d+$/.test(text))
        throw new CommandFailure(`error: invalid value '${text}' for context`, 2);
      return Number(text);
    };
    this.#before = lines("B");
    this.#after = lines("A");
    this.#globs = options.list
      .filter(({ key }) => key === "g" || key === "iglob")
      .map(({ key, value }) => ({ rule: ignoreRule(value, key === "iglob")! }))
      .filter(({ rule }) => rule !== undefined);
    this.#types = this.#typesOf("t");
    this.#notTypes = this.#typesOf("T");
  }

  #typesOf(key: string): RegExp[] {
    return this.options.all(key).flatMap((name) => {
      if (name === "all") return Object.values(fileTypes).flat().map(globOf);
      const globs = Object.hasOwn(fileTypes, name) ? fileTypes[name] : undefined;
      if (globs === undefined) throw new CommandFailure(`unrecognized file type: ${name}`, 2);
      return globs.map(globOf);
    });
  }

  #compile(patterns: string[]): RegExp {
    const { options } = this;
    const escape = (text: string) => text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
    const inline = /^\(\?([ims]+)\)/.exec(patterns[0] ?? "");
    let source = patterns
      .map((pattern) => `(?:${options.has("F") ? escape(pattern) : javaScript(pattern)})`)
      .join("|");
    if (patterns.length === 1)
      source = options.has("F") ? escape(patterns[0]!) : javaScript(patterns[0]!);
    if (options.has("x")) source = `^(?:${source})$`;
    else if (options.has("w"))
      source = `(?<![\\p{Alphabetic}\\p{Nd}_])(?:${source})(?![\\p{Alphabetic}\\p{Nd}_])`;
    const mode = options.last("s", "i", "S");
    const smart = mode === "S" && !/\p{Lu}/u.test(patterns.join("").replace(/\\[^]/g, ""));
    let flags = mode === "i" || smart ? "gimu" : "gmu";
    if (options.has("dotall")) flags += "s";
    for (const letter of inline?.[1] ?? "") if (!flags.includes(letter)) flags += letter;
    for (const each of [flags, flags.replace("u", "")]) {
      try {
        return new RegExp(source, each);
      } catch (error) {
        if (each === flags) continue;
        const reason = error instanceof Error ? error.message.replace(/^.*: /s, "") : "";
        throw new CommandFailure(
          `regex parse error:\n    ${patterns.join("|")}\nerror: ${reason}`,
          2,
        );
      }
    }
    throw new CommandFailure("regex parse error", 2);
  }

  /** A pipe or a file as input is searched when no path is given; the terminal and nothing at all are not. */
  #readsInput(): boolean {
    try {
      const stats = this.context.fs.fstatSync(0);
      return !stats.isCharacterDevice() && (stats.isFIFO() || stats.isSocket() || stats.isFile());
    } catch {
      return false;
    }
  }

  run(): number {
    const { context, options } = this;
    if (this.#paths.length === 0 && this.#readsInput() && !options.has("files")) this.#file("-");
    else if (this.#paths.length === 0) this.#walk(".", "", this.#rootIgnores("."), 0);
    for (const path of this.#paths) {
      const stats = path === "-" ? undefined : statOrNothing(context, path, true);
      if (path !== "-" && stats === undefined) {
        this.#complain(path, "No such file or directory (os error 2)");
      } else if (stats?.isDirectory()) {
        const root = path.replace(/(?<=.)\/+$/, "");
        this.#walk(root, root, this.#rootIgnores(root), 0);
      } else this.#file(path);
      if (this.#matched && options.has("q")) return 0;
    }
    if (options.has("stats") && !options.has("json")) {
      const { matches, lines, files, searched } = this.#totals;
      context.write(
        `\n${matches} matches\n${lines} matched lines\n${files} files contained matches\n${searched} files searched\n`,
      );
    }
    if (this.#failed && !(this.#matched && options.has("q"))) return 2;
    return this.#matched ? 0 : 1;
  }

  #complain(path: string, reason: string): void {
    this.#failed = true;
    if (!this.options.has("noMessages")) this.context.writeError(`rg: ${path}: ${reason}\n`);
  }

  #usesIgnores(): boolean {
    return !this.options.has("noIgnore", "u");
  }

  /** What the folders above say counts as well, when this is in a repository. */
  #rootIgnores(root: string): IgnoreList {
    let list = new IgnoreList();
    if (!this.#usesIgnores()) return list;
    const { fs } = this.context;
    let folder: string;
    try {
      folder = fs.realpathSync(root);
    } catch {
      return list;
    }
    const above: string[] = [];
    for (let at = folder; at !== "/" && at !== ""; at = at.slice(0, at.lastIndexOf("/"))) {
      above.unshift(at);
      if (fs.existsSync(`${at}/.git`)) {
        list = list.with("", readIgnore(this.context, `${at}/.git/info/exclude`));
        break;
      }
      if (at.lastIndexOf("/") <= 0) return list;
    }
    // Rules from above are turned into ones that begin at the root, as far as they can reach it.
    for (const each of above.slice(0, -1)) {
      const rest = folder.slice(each.length + 1);
      const lines = readIgnore(this.context, `${each}/.gitignore`)
        .split("\n")
        .map((line) =>
          line.replace(/^!/, "").startsWith(`/${rest}/`) ? line.replace(`/${rest}/`, "/") : line,
        )
        .filter(
          (line) => !line.replace(/^!/, "").slice(0, -1).includes("/") || line.startsWith("/"),
        );
      list = list.with("", lines.join("\n"));
    }
    return list;
  }

  #walk(folder: string, shown: string, ignores: IgnoreList, depth: number): void {
    const { context, options } = this;
    const most = options.get("d");
    if (most !== undefined && depth >= Number(most)) return;
    let names: string[];
    try {
      names = sortedNames(context, folder);
    } catch (error) {
      return this.#complain(folder, errorText(error));
    }
    let list = ignores;
    const base = this.#relative(shown);
    if (this.#usesIgnores()) {
      const inRepository = depth > 0 || options.has("noGit") || this.#inRepository(folder);
      for (const name of [".gitignore", ".ignore", ".rgignore"]) {
        if (!names.includes(name) || (name === ".gitignore" && !inRepository && !this.#repository))
          continue;
        list = list.with(base, readIgnore(context, joinPath(folder, name)));
      }
    }
    const hidden = options.has(".") || options.count("u") > 1;
    for (const name of names) {
      if (!hidden && name.startsWith(".")) continue;
      const path = shown === "" ? name : joinPath(shown, name);
      const real = joinPath(folder, name);
      let stats = statOrNothing(context, real, false);
      if (stats?.isSymbolicLink()) {
        if (!options.has("L")) continue;
        stats = statOrNothing(context, real, true);
      }
      if (stats === undefined) continue;
      const directory = stats.isDirectory();
      const relative = this.#relative(path);
      if (list.ignores(relative, directory)) continue;
      if (!this.#wanted(relative, directory)) continue;
      if (directory) this.#walk(real, path, list, depth + 1);
      else if (stats.isFile()) this.#file(path, true);
      if (this.#matched && options.has("q")) return;
    }
  }

  #repository = false;

  #inRepository(folder: string): boolean {
    const { fs } = this.context;
    try {
      for (let at = fs.realpathSync(folder); at !== ""; at = at.slice(0, at.lastIndexOf("/"))) {
        if (fs.existsSync(`${at}/.git`)) {
          this.#repository = true;
          return true;
        }
      }
    } catch {
      // A folder that cannot be looked up is in no repository.
    }
    return false;
  }

  /** Rules know paths from where the walk began. */
  #relative(path: string): string {
    const root = this.#paths.find(
      (each) => path === each || path.startsWith(`${each.replace(/\/+$/, "")}/`),
    );
    return root === undefined ? path : path.slice(root.replace(/\/+$/, "").length + 1);
  }

  #wanted(path: string, directory: boolean): boolean {
    const includes = this.#globs.filter(({ rule }) => !rule.kept);
    for (let at = this.#globs.length - 1; at >= 0; at--) {
      const { rule } = this.#globs[at]!;
      if (rule.matches(path, directory)) return !rule.kept;
    }
    if (directory) return true;
    if (includes.length > 0) return false;
    const name = path.slice(path.lastIndexOf("/") + 1);
    if (this.#notTypes.some((rule) => rule.test(name))) return false;
    return this.#types.length === 0 || this.#types.some((rule) => rule.test(name));
  }

  #file(path: string, walked = false): void {
    const { context, options } = this;
    if (options.has("files")) {
      this.#matched = true;
      if (!options.has("q")) context.write(`${path}${options.has("0") ? "\0" : "\n"}`);
      return;
    }
    let data: Buffer;
    try {
      const source = openInput(context, path);
      data = readAll(source);
      source.close();
    } catch (error) {
      return this.#complain(path, errorText(error));
    }
    const limit = options.get("maxSize");
    if (
      limit !== undefined &&
      data.length >
        Number(/^\d+/.exec(limit)?.[0]) *
          (({ K: 1024, M: 1048576, G: 1073741824 } as Record<string, number>)[limit.at(-1)!] ?? 1)
    )
      return;
    this.#totals.searched++;
    const binary = data.subarray(0, 65536).includes(0);
    if (binary && walked && !options.has("a", "binary") && options.count("u") < 3) return;
    this.#search(path === "-" ? "<stdin>" : path, data, binary && !options.has("a"));
  }

  #search(name: string, data: Buffer, binary: boolean): void {
    const { context, options } = this;
    const text = decode(byteString(data));
    const lines = linesOf(text);
    const inverted = options.has("v");
    const limit = Number(options.get("m") ?? Infinity);
    const found: { line: Line; spans: [number, number][] }[] = [];
    let matches = 0;
    if (options.has("U") && !inverted) {
      matches = this.#acrossLines(text, lines, found);
    } else {
      for (const line of lines) {
        if (found.length >= limit) break;
        const spans = this.#spans(line.text);
        if (spans.length > 0 === inverted) continue;
        matches += inverted ? 1 : spans.length;
        found.push({ line, spans: inverted ? [] : spans });
      }
    }
    if (options.has("without")) {
      if (found.length === 0) {
        this.#matched = true;
        if (!options.has("q")) context.write(`${name}\n`);
      }
      return;
    }
    if (found.length === 0) return;
    this.#matched = true;
    this.#totals.matches += matches;
    this.#totals.lines += found.length;
    this.#totals.files++;
    if (options.has("q")) return;
    const shownName = this.#paint(toBytes(name), "35");
    const end = options.has("0") ? "\0" : "\n";
    if (options.has("l")) return context.writeBytes(`${shownName}${end}`);
    if (options.has("c", "countMatches")) {
      const count =
        options.last("c", "countMatches") === "c" && !options.has("o") ? found.length : matches;
      return context.writeBytes(
        `${this.#named ? `${shownName}${options.has("0") ? "\0" : ":"}` : ""}${count}\n`,
      );
    }
    if (options.has("json")) return this.#json(name, found);
    if (binary) {
      const at = data.indexOf(0);
      return context.writeBytes(
        `${this.#named ? `${shownName}: ` : ""}binary file matches (found "\\0" byte around offset ${at})\n`,
      );
    }
    this.#print(shownName, lines, found);
  }

  #spans(text: string): [number, number][] {
    const spans: [number, number][] = [];
    this.#regex.lastIndex = 0;
    for (const match of text.matchAll(this.#regex))
      spans.push([match.index, match.index + match[0].length]);
    return spans;
  }

  #acrossLines(
    text: string,
    lines: Line[],
    found: { line: Line; spans: [number, number][] }[],
  ): number {
    let matches = 0;
    for (const [from, to] of this.#spans(text)) {
      matches++;
      for (const line of lines) {
        const end = line.offset + line.text.length;
        if (end < from || line.offset > to || (line.offset === to && to > from)) continue;
        const span: [number, number] = [
          Math.max(0, from - line.offset),
          Math.min(line.text.length, to - line.offset),
        ];
        const known = found.at(-1);
        if (known?.line === line) known.spans.push(span);
        else found.push({ line, spans: [span] });
      }
    }
    return matches;
  }

  #print(name: string, lines: Line[], found: { line: Line; spans: [number, number][] }[]): void {
    const { context, options } = this;
    if (this.#heading) context.writeBytes(`${this.#shown ? "\n" : ""}${name}\n`);
    const around = this.#before > 0 || this.#after > 0 || options.has("passthru");
    const byNumber = new Map(found.map((each) => [each.line.number, each]));
    const wanted = new Set<number>();
    for (const { line } of found) {
      const [from, to] = options.has("passthru")
        ? [1, lines.length]
        : [line.number - this.#before, line.number + this.#after];
      for (let number = Math.max(1, from); number <= Math.min(lines.length, to); number++)
        wanted.add(number);
    }
    let last = 0;
    for (const number of around ? [...wanted].sort((a, b) => a - b) : byNumber.keys()) {
      if (around && number !== last + 1 && (last > 0 || (this.#shown && !this.#heading)))
        context.write(`${options.get("contextSeparator") ?? "--"}\n`);
      last = number;
      const match = byNumber.get(number);
      const line = lines[number - 1]!;
      if (match === undefined) this.#line(name, line, "-", line.text, 0);
      else if (options.has("o") && !options.has("v")) {
        for (const span of match.spans)
          this.#line(
            name,
            line,
            ":",
            this.#replaced(line.text.slice(...span), [[0, span[1] - span[0]]]),
            span[0],
          );
      } else if (options.has("vimgrep")) {
        for (const span of match.spans) this.#line(name, line, ":", line.text, span[0]);
      } else
        this.#line(
          name,
          line,
          ":",
          this.#replaced(line.text, match.spans),
          match.spans[0]?.[0] ?? 0,
        );
    }
    this.#shown = true;
  }

  #replaced(text: string, spans: [number, number][]): string {
    const replacement = this.options.get("r");
    let output = "";
    let at = 0;
    for (const [from, to] of spans) {
      let part = text.slice(from, to);
      if (replacement !== undefined) {
        part = part.replace(
          new RegExp(this.#regex.source, this.#regex.flags.replace("g", "")),
          replacement
            .replace(/\$\{(\w+)\}/g, (_, group: string) =>
              /^\d+$/.test(group) ? `$${group}` : `$<${group}>`,
            )
            .replace(/\$0/g, "$$&"),
        );
      }
      output += text.slice(at, from) + this.#paint(part, "1;31");
      at = to;
    }
    return output + text.slice(at);
  }

  #paint(text: string, code: string): string {
    return this.#color ? `\x1b[0m\x1b[${code}m${text}\x1b[0m` : text;
  }

  #line(name: string, line: Line, separator: string, text: string, column: number): void {
    const { options } = this;
    let prefix = "";
    if (this.#named && !this.#heading) prefix += name + (options.has("0") ? "\0" : separator);
    if (this.#numbers) prefix += this.#paint(String(line.number), "32") + separator;
    if (options.has("column", "vimgrep"))
      prefix += `${encode(line.text.slice(0, column)).length + 1}${separator}`;
    if (options.has("b"))
      prefix += `${encode(line.text.slice(0, options.has("o") ? column : 0)).length + line.offset}${separator}`;
    const shown = options.has("trim") ? text.trimStart() : text;
    const most = Number(options.get("M") ?? 0);
    const long = most > 0 && encode(shown).length > most;
    this.context.writeBytes(`${prefix}${long ? "[Omitted long matching line]" : encode(shown)}\n`);
  }

  #json(name: string, found: { line: Line; spans: [number, number][] }[]): void {
    const { context } = this;
    const emit = (type: string, data: unknown) =>
      context.write(`${JSON.stringify({ type, data })}\n`);
    const path = { text: name };
    emit("begin", { path });
    for (const { line, spans } of found) {
      const byte = (at: number) => encode(line.text.slice(0, at)).length;
      emit("match", {
        path,
        lines: { text: `${line.text}\n` },
        line_number: line.number,
        absolute_offset: line.offset,
        submatches: spans.map(([from, to]) => ({
          match: { text: line.text.slice(from, to) },
          start: byte(from),
          end: byte(to),
        })),
      });
    }
    emit("end", {
      path,
      binary_offset: null,
      stats: {
        matched_lines: found.length,
        matches: found.reduce((sum, { spans }) => sum + spans.length, 0),
      },
    });
  }
}

function globOf(glob: string): RegExp {
  const source = glob
    .replace(/[\\^$.+()|]/g, "\\$&")
    .replace(/\*/g, ".*")
    .replace(/\?/g, ".")
    .replace(/\{([^}]*)\}/g, (_, list: string) => `(?:${list.split(",").join("|")})`);
  return new RegExp(`^${source}$`);
}

function linesOf(text: string): Line[] {
  const lines: Line[] = [];
  for (let at = 0; at < text.length;) {
    const end = text.indexOf("\n", at);
    const stop = end === -1 ? text.length : end;
    lines.push({
      number: lines.length + 1,
      text: text.slice(at, text[stop - 1] === "\r" && stop > at ? stop - 1 : stop),
      offset: at,
    });
    at = stop + 1;
  }
  return lines;
}

/** Rust's expressions as JavaScript's: the same but for a few spellings. */
function javaScript(pattern: string): string {
  return pattern
    .replace(/^\(\?[ims]+\)/, "")
    .replace(/\(\?P</g, "(?<")
    .replace(
      /\[\[:(\^?)(\w+):\]\]/g,
      (_, not: string, name: string) => `[${not}${classes[name] ?? ""}]`,
    )
    .replace(/\[:(\w+):\]/g, (text, name: string) => classes[name] ?? text)
    .replace(/\\([AzZ])/g, (_, letter: string) => (letter === "A" ? "^" : "$"))
    .replace(/\\[<>]/g, "\\b")
    .replace(/(?<!\\)\\h/g, "[ \\t]")
    .replace(/\{(?!\d+,?\d*\})/g, (text, at: number, whole: string) =>
      /[\\pPxuk]$/.test(whole.slice(0, at)) ? text : "\\{",
    )
    .replace(/(?<!\\)\\([-#&~ "'@!%,:;<=>`_/])/g, (text, char: string) =>
      char === "/" || char === "-" ? text : char,
    );
}

const classes: Record<string, string> = {
  alpha: "A-Za-z",
  digit: "0-9",
  alnum: "A-Za-z0-9",
  upper: "A-Z",
  lower: "a-z",
  space: "\\s",
  punct: "!-\\/:-@\\[-`{-~",
  xdigit: "0-9A-Fa-f",
  word: "\\w",
};
