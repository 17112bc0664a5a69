/** Owns `diff`: normal, unified and context output, brief and recursive comparison. */
import { CommandFailure, type Command, type CommandContext } from "../../command.js";
import { codeText, errorText } from "../../support/errors.js";
import { baseName, joinPath, sortedNames, statOrNothing } from "../../support/files.js";
import { globRegex } from "../../support/glob.js";
import { openInput, readAll } from "../../support/input.js";
import { parseOptions, type Options } from "../../support/options.js";
import { strftime } from "../../support/strftime.js";
import { byteString, toBytes } from "../../support/text.js";
import { lineMatcher } from "../../support/line-matcher.js";
import { changes, type Hunk } from "./compare.js";
import { edScript, rcsScript } from "./scripts.js";
import { SideBySide } from "./side-by-side.js";

export interface Side {
  name: string;
  lines: string[];
  /** Whether the last line had its newline. */
  ended: boolean;
  label: string;
}

export const main: Command = (context) => {
  // -u5 is -U5.
  const argv = context.argv.map((word) => word.replace(/^(-[a-zA-Z]*)u(\d+)$/, "$1U$2"));
  const options = parseOptions(
    { ...context, argv },
    "abBcC:deiI:NnpqrsS:tTuU:wW:x:yEZ",
    {
      text: "a",
      "ignore-space-change": "b",
      "ignore-blank-lines": "B",
      "context=?": "C",
      "unified=?": "U",
      "ignore-case": "i",
      "new-file": "N",
      "show-c-function": "p",
      brief: "q",
      recursive: "r",
      "report-identical-files": "s",
      "ignore-all-space": "w",
      "ignore-trailing-space": "Z",
      "exclude=": "x",
      "label=": "label",
      "strip-trailing-cr": "stripCr",
      "color=?": "color",
      "side-by-side": "y",
      "width=": "W",
      "left-column": "leftColumn",
      "suppress-common-lines": "suppressCommon",
      "expand-tabs": "t",
      normal: "normal",
      minimal: "d",
      ed: "e",
      rcs: "n",
      "ignore-matching-lines=": "I",
      "speed-large-files": "d",
    },
    { status: 2, numberOption: "U" },
  );
  const [first, second, extra] = options.operands;
  const usage = (message: string) =>
    new CommandFailure(message, 2, "diff: Try 'diff --help' for more information.\n");
  if (first === undefined) throw usage("missing operand after 'diff'");
  if (second === undefined) throw usage(`missing operand after '${first}'`);
  if (extra !== undefined) throw usage(`extra operand '${extra}'`);
  return new Differ(context, options).compare(first, second, true);
};

const [bold, red, green, cyan] = [1, 31, 32, 36];
/** Of lines, by what stands in front of them. */
const colors: Readonly<Record<string, number>> = { "<": red, "-": red, ">": green, "+": green };

class Differ {
  constructor(
    private readonly context: CommandContext,
    private readonly options: Options,
  ) {}

  compare(first: string, second: string, named: boolean): number {
    const { context, options } = this;
    const [a, b] = [first, second].map((path) =>
      path === "-" ? undefined : statOrNothing(context, path, true),
    );
    // With -N a folder that is not there is an empty one.
    if (options.has("N") && (a ?? b)?.isDirectory() && (a === undefined || b === undefined))
      return options.has("r") ? this.#directories(first, second, named) : 0;
    const missing = [first, second].filter((path, at) => path !== "-" && [a, b][at] === undefined);
    if (missing.length > 0 && !(options.has("N") && missing.length === 1)) {
      for (const path of missing) context.writeError(`diff: ${path}: ${codeText("ENOENT")}\n`);
      return 2;
    }
    if (a?.isDirectory() && b?.isDirectory()) return this.#directories(first, second, named);
    if (named && a?.isDirectory())
      return this.compare(joinPath(first, baseName(second)), second, false);
    if (named && b?.isDirectory())
      return this.compare(first, joinPath(second, baseName(first)), false);
    return this.#files(first, second);
  }

  #directories(first: string, second: string, named: boolean): number {
    const { context, options } = this;
    if (!named && !options.has("r")) {
      context.write(`Common subdirectories: ${first} and ${second}\n`);
      return 0;
    }
    const excluded = options.all("x").map((pattern) => globRegex(pattern));
    const list = (path: string) =>
      statOrNothing(context, path, true) === undefined
        ? []
        : sortedNames(context, path).filter((name) => !excluded.some((rule) => rule.test(name)));
    const [left, right] = [list(first), list(second)];
    let status = 0;
    const all = [...new Set([...left, ...right])].sort((a, b) =>
      toBytes(a) < toBytes(b) ? -1 : 1,
    );
    for (const name of all) {
      const [inLeft, inRight] = [left.includes(name), right.includes(name)];
      if ((inLeft && inRight) || options.has("N")) {
        const [a, b] = [joinPath(first, name), joinPath(second, name)];
        const [x, y] = [statOrNothing(context, a, true), statOrNothing(context, b, true)];
        if (x !== undefined && y !== undefined && x.isDirectory() !== y.isDirectory()) {
          const kind = (directory: boolean) => (directory ? "directory" : "regular file");
          context.write(
            `File ${a} is a ${kind(x.isDirectory())} while file ${b} is a ${kind(y.isDirectory())}\n`,
          );
          status = Math.max(status, 1);
          continue;
        }
        status = Math.max(status, this.compareEntry(a, b));
      } else {
        context.write(`Only in ${inLeft ? first : second}: ${name}\n`);
        status = Math.max(status, 1);
      }
    }
    return status;
  }

  #header: string | undefined;

  compareEntry(first: string, second: string): number {
    const words = this.context.argv.slice(1, -2).filter((word) => word.startsWith("-"));
    this.#header = ["diff", ...words, first, second].join(" ");
    const status = this.compare(first, second, false);
    this.#header = undefined;
    return status;
  }

  #read(path: string, label: string | undefined): Side & { binary: boolean } {
    const { context } = this;
    const stats = path === "-" ? undefined : statOrNothing(context, path, true);
    let data = "";
    let ms = 0;
    if (path === "-" || stats !== undefined) {
      try {
        const source = openInput(context, path);
        data = byteString(readAll(source));
        source.close();
      } catch (error) {
        throw new CommandFailure(`${path}: ${errorText(error)}`, 2);
      }
      ms = stats?.mtimeMs ?? Date.now();
    }
    const lines = data.split("\n");
    const ended = lines.at(-1) === "";
    if (ended) lines.pop();
    const time = strftime("%Y-%m-%d %H:%M:%S.%N %z", ms, false);
    return {
      name: path,
      lines,
      ended,
      label: label ?? `${path}\t${time}`,
      binary: data.includes("\0"),
    };
  }

  #key(line: string): string {
    const { options } = this;
    let key = line;
    if (options.has("stripCr")) key = key.replace(/\r$/, "");
    if (options.has("w")) key = key.replace(/[ \t\r\f\v]+/g, "");
    else if (options.has("b")) key = key.replace(/[ \t\r\f\v]+$/, "").replace(/[ \t\r\f\v]+/g, " ");
    else if (options.has("Z")) key = key.replace(/[ \t\r\f\v]+$/, "");
    return options.has("i") ? key.toLowerCase() : key;
  }

  #files(first: string, second: string): number {
    const { context, options } = this;
    const labels = options.all("label");
    const a = this.#read(first, labels[0]);
    const b = this.#read(second, labels[1]);
    const keys = (side: Side) => {
      const list = side.lines.map((line) => this.#key(line));
      // A last line without its newline differs from the same line with it.
      if (!side.ended && list.length > 0) list[list.length - 1] += "\0no newline";
      return list;
    };
    const same =
      first === second ||
      (a.ended === b.ended &&
        a.lines.length === b.lines.length &&
        a.lines.every((line, at) => line === b.lines[at]));
    let hunks = same ? [] : changes(keys(a), keys(b));
    if (options.has("B")) {
      const blank = (lines: string[]) => lines.every((line) => line === "");
      hunks = hunks.filter(
        (hunk) =>
          !(
            blank(a.lines.slice(hunk.aStart, hunk.aEnd)) &&
            blank(b.lines.slice(hunk.bStart, hunk.bEnd))
          ),
      );
    }
    if (options.has("I")) hunks = this.#withoutMatching(a, b, hunks);
    const sideBySide = options.has("y") && !options.has("q");
    if (sideBySide && hunks.length === 0) new SideBySide(context, options).print(a, b, hunks);
    if (hunks.length === 0) {
      if (options.has("s")) context.write(`Files ${first} and ${second} are identical\n`);
      return 0;
    }
    if (options.has("q")) {
      context.write(`Files ${first} and ${second} differ\n`);
      return 1;
    }
    if ((a.binary || b.binary) && !options.has("a")) {
      context.write(`Binary files ${first} and ${second} differ\n`);
      return 1;
    }
    if (this.#header !== undefined) context.write(`${this.#header}\n`);
    if (sideBySide) {
      new SideBySide(context, options).print(a, b, hunks);
      return 1;
    }
    const style = options.last("u", "U", "c", "C", "normal", "e", "n");
    const lines = Number(options.get(style ?? "") || 3);
    if (style === "u" || style === "U") this.#unified(a, b, hunks, style === "u" ? 3 : lines);
    else if (style === "c" || style === "C") this.#context(a, b, hunks, style === "c" ? 3 : lines);
    else if (style === "e") context.writeBytes(edScript(a, b, hunks));
    else if (style === "n") context.writeBytes(rcsScript(a, b, hunks));
    else this.#normal(a, b, hunks);
    return 1;
  }

  /** Hunks all of whose lines match an expression of -I are none. */
  #withoutMatching(a: Side, b: Side, hunks: Hunk[]): Hunk[] {
    const matcher = lineMatcher(this.options.all("I").map(toBytes), {
      syntax: "G",
      ignoreCase: false,
      whole: undefined,
    });
    return hunks.filter(({ aStart, aEnd, bStart, bEnd }) =>
      [...a.lines.slice(aStart, aEnd), ...b.lines.slice(bStart, bEnd)].some(
        (line) => !matcher.test(line),
      ),
    );
  }

  /** `--color=always`; whether output goes to a terminal is not asked. */
  #painted(code: number, text: string): string {
    return this.options.get("color") === "always" ? `\x1b[${code}m${text}\x1b[0m` : text;
  }

  #line(prefix: string, side: Side, index: number, color = colors[prefix.trim()]): void {
    const text = prefix + side.lines[index]!;
    this.context.writeBytes(`${color === undefined ? text : this.#painted(color, text)}\n`);
    if (!side.ended && index === side.lines.length - 1) {
      this.context.write("\\ No newline at end of file\n");
    }
  }

  #normal(a: Side, b: Side, hunks: Hunk[]): void {
    const range = (start: number, end: number) =>
      end - start <= 1 ? String(Math.max(start + 1, end)) : `${start + 1},${end}`;
    for (const { aStart, aEnd, bStart, bEnd } of hunks) {
      const letter = aStart === aEnd ? "a" : bStart === bEnd ? "d" : "c";
      const left = letter === "a" ? String(aStart) : range(aStart, aEnd);
      const right = letter === "d" ? String(bStart) : range(bStart, bEnd);
      this.context.write(`${this.#painted(cyan, left + letter + right)}\n`);
      for (let at = aStart; at < aEnd; at++) this.#line("< ", a, at);
      if (letter === "c") this.context.write("---\n");
      for (let at = bStart; at < bEnd; at++) this.#line("> ", b, at);
    }
  }

  /** Hunks whose surroundings touch are shown as one. */
  #groups(hunks: Hunk[], lines: number): Hunk[][] {
    const groups: Hunk[][] = [];
    for (const hunk of hunks) {
      const last = groups.at(-1)?.at(-1);
      if (last !== undefined && hunk.aStart - last.aEnd <= 2 * lines) groups.at(-1)!.push(hunk);
      else groups.push([hunk]);
    }
    return groups;
  }

  #bounds(group: Hunk[], a: Side, b: Side, lines: number) {
    const [first, last] = [group[0]!, group.at(-1)!];
    return {
      aFrom: Math.max(0, first.aStart - lines),
      aTo: Math.min(a.lines.length, last.aEnd + lines),
      bFrom: Math.max(0, first.bStart - lines),
      bTo: Math.min(b.lines.length, last.bEnd + lines),
    };
  }

  #unified(a: Side, b: Side, hunks: Hunk[], lines: number): void {
    const names = [`--- ${a.label}`, `+++ ${b.label}`];
    for (const name of names) this.context.write(`${this.#painted(bold, name)}\n`);
    const range = (from: number, to: number) =>
      to - from === 1 ? String(from + 1) : to === from ? `${from},0` : `${from + 1},${to - from}`;
    for (const group of this.#groups(hunks, lines)) {
      const { aFrom, aTo, bFrom, bTo } = this.#bounds(group, a, b, lines);
      this.context.write(
        `${this.#painted(cyan, `@@ -${range(aFrom, aTo)} +${range(bFrom, bTo)} @@`)}${this.#function(a, aFrom)}\n`,
      );
      let at = aFrom;
      for (const hunk of group) {
        for (; at < hunk.aStart; at++) this.#line(" ", a, at);
        for (; at < hunk.aEnd; at++) this.#line("-", a, at);
        for (let from = hunk.bStart; from < hunk.bEnd; from++) this.#line("+", b, from);
      }
      for (; at < aTo; at++) this.#line(" ", a, at);
    }
  }

  #function(a: Side, from: number): string {
    if (!this.options.has("p")) return "";
    for (let at = from - 1; at >= 0; at--) {
      if (/^[A-Za-z_$]/.test(a.lines[at]!)) return ` ${a.lines[at]!.slice(0, 40).trimEnd()}`;
    }
    return "";
  }

  #context(a: Side, b: Side, hunks: Hunk[], lines: number): void {
    for (const name of [`*** ${a.label}`, `--- ${b.label}`])
      this.context.write(`${this.#painted(bold, name)}\n`);
    const range = (from: number, to: number) => (to - from <= 1 ? String(to) : `${from + 1},${to}`);
    for (const group of this.#groups(hunks, lines)) {
      const { aFrom, aTo, bFrom, bTo } = this.#bounds(group, a, b, lines);
      const heading = this.#painted(cyan, `*** ${range(aFrom, aTo)} ****`);
      this.context.write(`***************\n${heading}\n`);
      const side = (which: Side, mark: string, from: number, to: number, key: "a" | "b") => {
        const touched = group.some((hunk) => hunk[`${key}Start`] < hunk[`${key}End`]);
        if (!touched) return;
        for (let at = from; at < to; at++) {
          const hunk = group.find((each) => at >= each[`${key}Start`] && at < each[`${key}End`]);
          const both = hunk !== undefined && hunk.aStart < hunk.aEnd && hunk.bStart < hunk.bEnd;
          const prefix = hunk === undefined ? "  " : both ? "! " : `${mark} `;
          this.#line(prefix, which, at, colors[mark]);
        }
      };
      side(a, "-", aFrom, aTo, "a");
      this.context.write(`${this.#painted(cyan, `--- ${range(bFrom, bTo)} ----`)}\n`);
      side(b, "+", bFrom, bTo, "b");
    }
  }
}
