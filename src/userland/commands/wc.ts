/** Owns `wc`. */
import type { Command, CommandContext } from "../command.js";
import {
  columnsOf,
  decode,
  hasWide,
  sizeAt,
  wholeCharacters,
  wideSpace,
} from "../support/characters.js";
import { codeText, errorCode } from "../support/errors.js";
import { openInput, type ByteSource } from "../support/input.js";
import { parseOptions, usageFailure, type Options } from "../support/options.js";
import { byteString, quoted } from "../support/text.js";

interface Counts {
  lines: number;
  words: number;
  chars: number;
  bytes: number;
  longest: number;
}

export const main: Command = (context) => {
  const options = parseOptions(context, "clwmL", {
    bytes: "c",
    chars: "m",
    lines: "l",
    words: "w",
    "max-line-length": "L",
    "files0-from=": "files",
    "total=": "total",
  });
  let wanted = ["l", "w", "m", "c", "L"].filter((key) => options.has(key));
  if (wanted.length === 0) wanted = ["l", "w", "c"];
  const operands = namesOf(context, options);
  const bytesOnly = !wanted.some((key) => key !== "c" && key !== "l");
  const rows: { name: string; counts: Counts }[] = [];
  let status = 0;
  const total: Counts = { lines: 0, words: 0, chars: 0, bytes: 0, longest: 0 };
  let regular = true;
  let sizes = 0;
  for (const name of operands.length === 0 ? [""] : operands) {
    let counts: Counts = { lines: 0, words: 0, chars: 0, bytes: 0, longest: 0 };
    try {
      const source = openInput(context, name || "-");
      try {
        if (name !== "" && name !== "-") {
          const stats = context.fs.statSync(name);
          regular &&= stats.isFile();
          sizes += stats.size;
        } else {
          const size = sizeOfInput(context);
          regular &&= size !== undefined;
          sizes += size ?? 0;
        }
        counts = bytesOnly ? countLines(source) : countAll(source);
      } finally {
        source.close();
      }
      rows.push({ name, counts });
    } catch (error) {
      const code = errorCode(error);
      if (code === undefined) throw error;
      context.writeError(`wc: ${name || "-"}: ${codeText(code)}\n`);
      status = 1;
      if (code !== "EISDIR") continue;
      regular = false;
      rows.push({ name, counts });
    }
    total.lines += counts.lines;
    total.words += counts.words;
    total.chars += counts.chars;
    total.bytes += counts.bytes;
    total.longest = Math.max(total.longest, counts.longest);
  }
  const when = options.get("total") ?? "auto";
  if (!["auto", "always", "only", "never"].includes(when))
    throw usageFailure(context, `invalid argument ${quoted(when)} for '--total'`);
  if (when === "only") rows.splice(0, rows.length, { name: "", counts: total });
  else if (when === "always" || (when === "auto" && operands.length > 1))
    rows.push({ name: "total", counts: total });
  // One number of one input stands alone; otherwise columns are as wide as the sizes ask.
  const alone = when === "only" || (wanted.length === 1 && operands.length <= 1);
  const width = alone ? 1 : regular ? String(sizes).length : Math.max(7, String(sizes).length);
  for (const { name, counts } of rows) {
    const byKey = {
      l: counts.lines,
      w: counts.words,
      m: counts.chars,
      c: counts.bytes,
      L: counts.longest,
    };
    const numbers = wanted.map((key) => String(byKey[key as "l"]).padStart(width));
    context.write(`${numbers.join(" ")}${name === "" ? "" : ` ${name}`}\n`);
  }
  return status;
};

/** The operands, or what a file of names has. */
function namesOf(context: CommandContext, options: Options): readonly string[] {
  const listed = options.get("files");
  if (listed === undefined) return options.operands;
  const text = context.fs.readFileSync(listed === "-" ? 0 : listed, "utf8");
  return text.split("\0").filter((name) => name !== "");
}

/** Standard input's size when it is a regular file. */
function sizeOfInput(context: CommandContext): number | undefined {
  try {
    const stats = context.fs.fstatSync(0);
    return stats.isFile() ? stats.size : undefined;
  } catch {
    return undefined;
  }
}

function countLines(source: ByteSource): Counts {
  let lines = 0;
  let bytes = 0;
  for (;;) {
    const chunk = source.read();
    if (chunk.length === 0) return { lines, words: 0, chars: 0, bytes, longest: 0 };
    bytes += chunk.length;
    for (let at = chunk.indexOf(10); at !== -1; at = chunk.indexOf(10, at + 1)) lines++;
  }
}

/** Spaces that do not break, which separate words all the same. */
const noBreak = /^[\u00a0\u2007\u202f\u2060]$/;

/** Counts as GNU's does: a word begins with something printable, a stray byte is no character. */
class Counter {
  readonly counts: Counts = { lines: 0, words: 0, chars: 0, bytes: 0, longest: 0 };
  #inWord = false;
  #column = 0;

  byte(byte: number): void {
    const { counts } = this;
    counts.chars++;
    if (byte === 32 || (byte >= 9 && byte <= 13)) this.#blank(byte);
    else if (byte > 32 && byte < 127) {
      this.#column++;
      if (!this.#inWord) counts.words++;
      this.#inWord = true;
    }
  }

  #blank(byte: number): void {
    this.#inWord = false;
    if (byte === 32) this.#column++;
    else if (byte === 9) this.#column += 8 - (this.#column % 8);
    else if (byte !== 11) {
      this.#endLine();
      if (byte === 10) this.counts.lines++;
    }
  }

  #endLine(): void {
    this.counts.longest = Math.max(this.counts.longest, this.#column);
    this.#column = 0;
  }

  /** A character of several bytes. */
  wide(character: string): void {
    const { counts } = this;
    counts.chars++;
    const text = decode(character);
    if (!/[^\p{Cn}\p{Cc}\p{Cs}\u2028\u2029]/u.test(text)) return;
    this.#column += columnsOf(character);
    if (wideSpace.test(text) || noBreak.test(text)) this.#inWord = false;
    else {
      if (!this.#inWord) counts.words++;
      this.#inWord = true;
    }
  }

  finish(): Counts {
    this.#endLine();
    return this.counts;
  }
}

function countAll(source: ByteSource): Counts {
  const counter = new Counter();
  /** The bytes of a character whose end has not been read. */
  let cut = "";
  for (;;) {
    const chunk = source.read();
    counter.counts.bytes += chunk.length;
    const text = cut + byteString(chunk);
    if (!hasWide(text)) {
      for (const byte of chunk) counter.byte(byte);
    } else {
      const end = chunk.length === 0 ? text.length : wholeCharacters(text);
      for (let at = 0; at < end;) {
        const size = sizeAt(text, at);
        if (size > 1) counter.wide(text.slice(at, at + size));
        else if (text.charCodeAt(at) < 0x80) counter.byte(text.charCodeAt(at));
        at += size;
      }
      cut = text.slice(end);
    }
    if (chunk.length === 0) return counter.finish();
  }
}
