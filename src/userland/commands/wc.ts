/** Owns `wc`. */
import type { Command } from "../command.js";
import { codeText, errorCode } from "../support/errors.js";
import { openInput, type ByteSource } from "../support/input.js";
import { parseOptions } from "../support/options.js";

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
  });
  let wanted = ["l", "w", "m", "c", "L"].filter((key) => options.has(key));
  if (wanted.length === 0) wanted = ["l", "w", "c"];
  const listed = options.get("files");
  const operands =
    listed === undefined
      ? options.operands
      : context.fs
          .readFileSync(listed === "-" ? 0 : listed, "utf8")
          .split("\0")
          .filter((n) => n !== "");
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
        } else regular = false;
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
  if (operands.length > 1) rows.push({ name: "total", counts: total });
  // One number of one input stands alone; otherwise columns are as wide as the sizes ask.
  const alone = wanted.length === 1 && operands.length <= 1;
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

function countAll(source: ByteSource): Counts {
  const counts: Counts = { lines: 0, words: 0, chars: 0, bytes: 0, longest: 0 };
  let inWord = false;
  let column = 0;
  for (;;) {
    const chunk = source.read();
    if (chunk.length === 0) break;
    counts.bytes += chunk.length;
    for (const byte of chunk) {
      // A character of UTF-8 is counted at its first byte.
      if ((byte & 0xc0) !== 0x80) {
        counts.chars++;
        if (byte >= 32 && byte !== 127) column++;
      }
      const blank = byte === 32 || (byte >= 9 && byte <= 13);
      if (!blank && !inWord) counts.words++;
      inWord = !blank;
      if (byte === 9) column += 8 - (column % 8);
      if (byte === 10 || byte === 13 || byte === 12) {
        counts.longest = Math.max(counts.longest, column);
        column = 0;
        if (byte === 10) counts.lines++;
      }
    }
  }
  counts.longest = Math.max(counts.longest, column);
  return counts;
}
