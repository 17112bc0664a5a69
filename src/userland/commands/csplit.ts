/** Owns `csplit`: a file in pieces, where lines match. */
import { CommandExit, CommandFailure, type Command, type CommandContext } from "../command.js";
import { errorText } from "../support/errors.js";
import { openInput, readAll } from "../support/input.js";
import { parseOptions, usageFailure, type Options } from "../support/options.js";
import { formatInteger } from "../support/printf.js";
import { PosixRegex, RegexError } from "../support/regex.js";
import { bytesOf, byteString, quoted, toBytes } from "../support/text.js";

interface Cut {
  text: string;
  /** A number of a line, or an expression with an offset; skipped text makes no piece. */
  at: number | { regex: PosixRegex; offset: number; skip: boolean };
  /** How often again; -1 is as often as it goes. */
  repeat: number;
}

export const main: Command = (context) => {
  const options = parseOptions(context, "b:f:kn:qsz", {
    "suffix-format=": "b",
    "prefix=": "f",
    "keep-files": "k",
    "suppress-matched": "suppress",
    "digits=": "n",
    quiet: "q",
    silent: "q",
    "elide-empty-files": "z",
  });
  const [name, ...patterns] = options.operands;
  if (name === undefined) throw usageFailure(context, "missing operand");
  if (patterns.length === 0) throw usageFailure(context, `missing operand after ${quoted(name)}`);
  let text: string;
  const cuts = readCuts(patterns);
  try {
    text = byteString(readAll(openInput(context, name)));
  } catch (error) {
    throw new CommandFailure(`cannot open ${quoted(name)} for reading: ${errorText(error)}`);
  }
  return new Splitter(context, options, text.match(/[^\n]*\n|[^\n]+$/g) ?? []).run(cuts);
};

function readCuts(patterns: string[]): Cut[] {
  const cuts: Cut[] = [];
  for (const text of patterns) {
    const repeat = /^\{(\d+|\*)\}$/.exec(text);
    const last = cuts.at(-1);
    if (repeat !== null && last !== undefined) {
      last.repeat = repeat[1] === "*" ? -1 : Number(repeat[1]);
      continue;
    }
    if (/^\d+$/.test(text)) {
      if (Number(text) === 0)
        throw new CommandFailure(`${text}: line number must be greater than zero`);
      cuts.push({ text, at: Number(text), repeat: 0 });
      continue;
    }
    const match = /^([/%])([^]*)\1([-+]?\d+)?$/.exec(text);
    if (match === null)
      throw new CommandFailure(
        /^[/%]/.test(text)
          ? `${text}: closing delimiter '${text[0]}' missing`
          : `${quoted(text)}: invalid pattern`,
      );
    try {
      const regex = new PosixRegex(toBytes(match[2]!.replaceAll(`\\${match[1]}`, match[1]!)), {
        extended: false,
      });
      cuts.push({
        text,
        at: { regex, offset: Number(match[3] ?? 0), skip: match[1] === "%" },
        repeat: 0,
      });
    } catch (error) {
      if (!(error instanceof RegexError)) throw error;
      throw new CommandFailure(`${quoted(text)}: invalid regular expression: ${error.message}`);
    }
  }
  return cuts;
}

class Splitter {
  #from = 0;
  #count = 0;
  readonly #made: string[] = [];

  constructor(
    private readonly context: CommandContext,
    private readonly options: Options,
    private readonly lines: string[],
  ) {}

  run(cuts: Cut[]): number {
    for (const cut of cuts) {
      for (let round = 0; cut.repeat < 0 || round <= cut.repeat; round++) {
        if (!this.#cut(cut, round)) break;
      }
    }
    this.#piece(this.lines.length);
    return 0;
  }

  /** False when a cut that is repeated to the end finds no more. */
  #cut({ text, at, repeat }: Cut, round: number): boolean {
    const { lines } = this;
    if (typeof at === "number") {
      const line = at * (round + 1) - 1;
      if (line > lines.length || (line >= lines.length && repeat >= 0 && at > lines.length)) {
        if (repeat < 0) return false;
        this.#fail(
          `${quoted(text)}: line number out of range${round > 0 ? ` on repetition ${round}` : ""}`,
        );
      }
      if (line < this.#from)
        this.#fail(
          `line number ${quoted(text)} is smaller than preceding line number, ${this.#from + 1}`,
        );
      this.#piece(line);
      if (this.options.has("suppress")) this.#from++;
      return true;
    }
    let place = this.#from + (round > 0 || this.#count > 0 || this.#skipped ? 1 : 0);
    while (place < lines.length && !at.regex.test(lines[place]!.replace(/\n$/, ""))) place++;
    const target = place + at.offset;
    if (place >= lines.length || target > lines.length || target < this.#from) {
      if (repeat < 0) return false;
      if (!at.skip) this.#piece(lines.length);
      this.#fail(
        `${quoted(text)}: ${place >= lines.length ? "match not found" : "line number out of range"}${round > 0 ? ` on repetition ${round}` : ""}`,
      );
    }
    if (at.skip) {
      this.#from = target;
      this.#skipped = true;
    } else this.#piece(target);
    if (this.options.has("suppress")) this.#from++;
    return true;
  }

  #skipped = false;

  #fail(message: string): never {
    if (!this.options.has("k"))
      for (const name of this.#made) this.context.fs.rmSync(name, { force: true });
    this.context.writeError(`csplit: ${message}\n`);
    throw new CommandExit(1);
  }

  #piece(end: number): void {
    const { options } = this;
    const data = bytesOf(this.lines.slice(this.#from, end).join(""));
    this.#from = Math.max(this.#from, end);
    if (data.length === 0 && options.has("z")) return;
    const format = options.get("b");
    const digits = Number(options.get("n") ?? 2);
    const suffix =
      format === undefined
        ? String(this.#count).padStart(digits, "0")
        : format.replace(
            /%([-#0 +]*)(\d*)(?:\.(\d+))?([diuoxX])/,
            (_, flags: string, width: string, precision: string | undefined, letter: string) =>
              formatInteger(BigInt(this.#count), {
                flags,
                width: Number(width),
                precision: precision === undefined ? undefined : Number(precision),
                letter,
              }),
          );
    this.#count++;
    const name = `${options.get("f") ?? "xx"}${suffix}`;
    this.context.fs.writeFileSync(name, data);
    this.#made.push(name);
    if (!options.has("q", "s")) this.context.write(`${data.length}\n`);
  }
}
