/** Owns `fmt`: paragraphs filled to a width, with breaks where they cost least, as GNU's chooses them. */
import { CommandFailure, type Command, type CommandContext } from "../command.js";
import { textColumns } from "../support/characters.js";
import { eachInput, LineReader } from "../support/input.js";
import { parseOptions, type Options } from "../support/options.js";
import { quoted, toBytes } from "../support/text.js";

interface Word {
  text: string;
  /** Columns of the word, and of the blanks behind it. */
  width: number;
  space: number;
  paren: boolean;
  period: boolean;
  punct: boolean;
  final: boolean;
}

/** Weights of GNU fmt (fmt.c): what a line end costs. */
const equivalent = (n: number) => n * n;
const shortCost = (n: number) => equivalent(n * 10);
const raggedCost = (n: number) => Math.trunc(shortCost(n) / 2);
const lineCost = equivalent(70);
const widowCost = (length: number) => Math.trunc(equivalent(200) / (length + 2));
const orphanCost = (length: number) => Math.trunc(equivalent(150) / (length + 2));
const sentenceBonus = equivalent(50);
const noBreakCost = equivalent(600);
const parenBonus = equivalent(40);
const punctBonus = equivalent(40);
const leeway = 7;

export const main: Command = (context) => {
  const argv = context.argv.map((word, at) =>
    at === 1 && /^-\d+$/.test(word) ? `-w${word.slice(1)}` : word,
  );
  const options = parseOptions({ ...context, argv }, "cg:p:stuw:", {
    "crown-margin": "c",
    "goal=": "g",
    "prefix=": "p",
    "split-only": "s",
    "tagged-paragraph": "t",
    "uniform-spacing": "u",
    "width=": "w",
  });
  const text =
    options.get("w") ?? (options.has("g") ? String(Number(options.get("g")) + 10) : "75");
  if (!/^\d+$/.test(text) || Number(text) > 2500)
    throw new CommandFailure(`invalid width: ${quoted(text)}`);
  const filler = new Filler(context, options, Number(text));
  const good = eachInput(
    context,
    options.operands,
    (source) => {
      const reader = new LineReader(source);
      for (let line = reader.next(); line !== undefined; line = reader.next()) filler.line(line);
      filler.flush();
    },
    (name, reason) => `cannot open ${quoted(name)} for reading: ${reason}`,
  );
  return good ? 0 : 1;
};

class Filler {
  #lines: { indent: number; text: string }[] = [];
  readonly #goal: number;
  readonly #prefix: string;

  constructor(
    private readonly context: CommandContext,
    private readonly options: Options,
    private readonly width: number,
  ) {
    const goal = options.get("g");
    this.#goal =
      goal === undefined ? Math.trunc((width * (2 * (100 - leeway) + 1)) / 200) : Number(goal);
    this.#prefix = toBytes(options.get("p") ?? "").trim();
  }

  line(line: string): void {
    if (this.#prefix !== "" && !line.trimStart().startsWith(this.#prefix)) {
      this.flush();
      this.context.writeBytes(`${line.replace(/[ \t]+$/, "")}\n`);
      return;
    }
    const outside = /^[ \t]*/.exec(line)![0];
    const content = this.#prefix === "" ? line : line.slice(outside.length + this.#prefix.length);
    let indent = this.#prefix === "" ? 0 : columnAfter(outside, 0) + this.#prefix.length;
    const blanks = /^[ \t]*/.exec(content)![0];
    indent = columnAfter(blanks, indent);
    const text = content.slice(blanks.length);
    if (text.trim() === "") {
      this.flush();
      this.context.writeBytes(this.#prefix === "" ? "\n" : `${outside}${this.#prefix}\n`);
      return;
    }
    const first = this.#lines[0];
    const second = this.#lines[1];
    const fits =
      first === undefined ||
      (this.options.has("s")
        ? false
        : this.options.has("c") || this.options.has("t")
          ? second === undefined
            ? !this.options.has("t") || indent !== first.indent
            : indent === second.indent
          : indent === first.indent);
    if (!fits) this.flush();
    this.#lines.push({ indent, text });
  }

  flush(): void {
    const lines = this.#lines;
    this.#lines = [];
    if (lines.length === 0) return;
    const words = lines.flatMap(({ text }) => wordsOf(text, this.options.has("u")));
    const firstIndent = lines[0]!.indent;
    const otherIndent =
      this.options.has("c") || this.options.has("t")
        ? (lines[1]?.indent ?? (this.options.has("t") ? (firstIndent === 0 ? 3 : 0) : firstIndent))
        : firstIndent;
    this.#put(words, firstIndent, otherIndent);
  }

  /** The cheapest breaks from every word to the end, computed backwards. */
  #put(words: Word[], firstIndent: number, otherIndent: number): void {
    const count = words.length;
    const best = new Float64Array(count + 1);
    const breaks = new Int32Array(count + 1);
    const lengths = new Int32Array(count + 1);
    breaks[count] = count;
    words[count - 1]!.final = true;
    words[count - 1]!.period = true;
    for (let start = count - 1; start >= 0; start--) {
      let cheapest = Infinity;
      let length = start === 0 ? firstIndent : otherIndent;
      let at = start;
      length += words[at]!.width;
      do {
        at++;
        const after = { breaks: breaks[at]!, length: lengths[at]! };
        const cost = this.#lineCost(at, length, count, after) + best[at]!;
        if (cost < cheapest) {
          cheapest = cost;
          breaks[start] = at;
          lengths[start] = length;
        }
        if (at === count) break;
        length += words[at - 1]!.space + words[at]!.width;
      } while (length < this.width);
      best[start] = cheapest + baseCost(words, start);
    }
    for (let start = 0; start < count;) {
      const end = breaks[start]!;
      const indent = start === 0 ? firstIndent : otherIndent;
      let line = this.#prefix === "" ? " ".repeat(indent) : this.#prefix.padEnd(indent);
      for (let at = start; at < end; at++) {
        line += words[at]!.text + (at === end - 1 ? "" : " ".repeat(words[at]!.space));
      }
      this.context.writeBytes(`${line}\n`);
      start = end;
    }
  }

  #lineCost(
    next: number,
    length: number,
    count: number,
    after: { breaks: number; length: number },
  ): number {
    if (next === count) return 0;
    const ragged = after.breaks === count ? 0 : raggedCost(length - after.length);
    return shortCost(this.#goal - length) + ragged;
  }
}

function baseCost(words: Word[], start: number): number {
  let cost = lineCost;
  const word = words[start]!;
  if (start > 0) {
    const before = words[start - 1]!;
    if (before.period) cost += before.final ? -sentenceBonus : noBreakCost;
    else if (before.punct) cost -= punctBonus;
    else if (start > 1 && words[start - 2]!.final) cost += widowCost(before.width);
  }
  if (word.paren) cost -= parenBonus;
  else if (word.final) cost += orphanCost(word.width);
  return cost;
}

function wordsOf(line: string, uniform: boolean): Word[] {
  const words: Word[] = [];
  let column = 0;
  for (const [, text = "", blanks = ""] of line.matchAll(/([^ \t]+)([ \t]*)/g)) {
    const atEnd = blanks === "";
    const bare = text.replace(/[)\]'"]+$/, "");
    const period = /[.?!]$/.test(bare);
    const start = column;
    column = columnAfter(blanks, start + textColumns(text));
    const given = column - start - textColumns(text);
    const final = period && (atEnd || given > 1);
    const space = atEnd || uniform ? (final ? 2 : 1) : given;
    words.push({
      text,
      width: textColumns(text),
      space,
      paren: /^[('`"[]/.test(text),
      period,
      punct: /[!-/:-@[-`{-~]$/.test(text),
      final,
    });
  }
  return words;
}

function columnAfter(blanks: string, from: number): number {
  let column = from;
  for (const char of blanks) column = char === "\t" ? (Math.floor(column / 8) + 1) * 8 : column + 1;
  return column;
}
