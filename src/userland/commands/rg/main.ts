/** Owns `rg`: a search of trees as ripgrep's, with its defaults about what is left out. Expressions are JavaScript's. */
import { CommandExit, type Command, type CommandContext } from "../../command.js";
import { decode } from "../../support/characters.js";
import { errorText } from "../../support/errors.js";
import { statOrNothing } from "../../support/files.js";
import { openInput, readAll } from "../../support/input.js";
import { parseOptions, type Options } from "../../support/options.js";
import { byteString, toBytes } from "../../support/text.js";
import { linesOf, type Line, type Match } from "./lines.js";
import { longOptions, shortOptions } from "./options.js";
import { compile } from "./pattern.js";
import { Printer } from "./print.js";
import { fileTypes } from "./types.js";
import { Walk } from "./walk.js";

export const main: Command = (context) => {
  const options = parseOptions(context, shortOptions, longOptions, { status: 2 });
  if (options.has("typeList")) {
    for (const [name, globs] of Object.entries(fileTypes))
      context.write(`${name}: ${globs.join(", ")}\n`);
    return 0;
  }
  return new Search(context, options).run();
};

class Search {
  readonly #regex: RegExp;
  readonly #paths: string[];
  readonly #printer: Printer;
  readonly #walk: Walk;
  #matched = false;
  #failed = false;
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
    this.#regex = compile(options, patterns);
    this.#paths = operands;
    const single =
      operands.length === 1 && statOrNothing(context, operands[0]!, true)?.isDirectory() !== true;
    const stdin = operands.length === 0 && this.#readsInput();
    this.#printer = new Printer(context, options, this.#regex, { single, stdin });
    this.#walk = new Walk(context, options, operands, {
      file: (path) => this.#file(path, true),
      complain: (path, reason) => this.#complain(path, reason),
      enough: () => this.#matched && options.has("q"),
    });
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
    else if (this.#paths.length === 0) this.#walk.run(".", "");
    for (const path of this.#paths) {
      const stats = path === "-" ? undefined : statOrNothing(context, path, true);
      if (path !== "-" && stats === undefined) {
        this.#complain(path, "No such file or directory (os error 2)");
      } else if (stats?.isDirectory()) {
        const root = path.replace(/(?<=.)\/+$/, "");
        this.#walk.run(root, root);
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
    const found: Match[] = [];
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
    const shownName = this.#printer.paint(toBytes(name), "35");
    const end = options.has("0") ? "\0" : "\n";
    if (options.has("l")) return context.writeBytes(`${shownName}${end}`);
    if (options.has("c", "countMatches")) {
      const count =
        options.last("c", "countMatches") === "c" && !options.has("o") ? found.length : matches;
      return context.writeBytes(
        `${this.#printer.named ? `${shownName}${options.has("0") ? "\0" : ":"}` : ""}${count}\n`,
      );
    }
    if (options.has("json")) return this.#printer.json(name, found);
    if (binary) {
      const at = data.indexOf(0);
      return context.writeBytes(
        `${this.#printer.named ? `${shownName}: ` : ""}binary file matches (found "\\0" byte around offset ${at})\n`,
      );
    }
    this.#printer.print(shownName, lines, found);
  }

  #spans(text: string): [number, number][] {
    const spans: [number, number][] = [];
    this.#regex.lastIndex = 0;
    for (const match of text.matchAll(this.#regex))
      spans.push([match.index, match.index + match[0].length]);
    return spans;
  }

  #acrossLines(text: string, lines: Line[], found: Match[]): number {
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
}
