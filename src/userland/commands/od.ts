/** Owns `od`. */
import { CommandFailure, type Command } from "../command.js";
import { errorText } from "../support/errors.js";
import { openInput, readAll } from "../support/input.js";
import { parseOptions } from "../support/options.js";
import { parseSize, quoted } from "../support/text.js";

interface Format {
  letter: string;
  size: number;
  width: number;
  text: boolean;
}

const names = [
  "nul",
  "soh",
  "stx",
  "etx",
  "eot",
  "enq",
  "ack",
  "bel",
  "bs",
  "ht",
  "nl",
  "vt",
  "ff",
  "cr",
  "so",
  "si",
  "dle",
  "dc1",
  "dc2",
  "dc3",
  "dc4",
  "nak",
  "syn",
  "etb",
  "can",
  "em",
  "sub",
  "esc",
  "fs",
  "gs",
  "rs",
  "us",
  "sp",
];
const escapes: Record<number, string> = {
  0: "\\0",
  7: "\\a",
  8: "\\b",
  9: "\\t",
  10: "\\n",
  11: "\\v",
  12: "\\f",
  13: "\\r",
};

export const main: Command = (context) => {
  const options = parseOptions(context, "A:j:N:t:vw::abcdox", {
    "address-radix=": "A",
    "skip-bytes=": "j",
    "read-bytes=": "N",
    "format=": "t",
    "output-duplicates": "v",
    "width=?": "w",
  });
  const short: Record<string, string> = { a: "a", b: "o1", c: "c", d: "u2", o: "o2", x: "x2" };
  const formats = options.list.flatMap(({ key, value }) =>
    key === "t" ? parseFormats(value) : short[key] === undefined ? [] : parseFormats(short[key]),
  );
  if (formats.length === 0) formats.push(...parseFormats("o2"));
  const radix = options.get("A") ?? "o";
  if (!/^[doxn]$/.test(radix))
    throw new CommandFailure(
      `invalid output address radix '${radix}'; it must be one character from [doxn]`,
    );
  const number = (key: string, fallback: number) => {
    const text = options.get(key);
    if (text === undefined) return fallback;
    const value = /^0x/i.test(text) ? Number(text) : parseSize(text);
    if (value === undefined || Number.isNaN(value))
      throw new CommandFailure(`invalid -${key} argument ${quoted(text)}`);
    return value;
  };
  const perLine = options.has("w") ? Number(options.get("w") || 32) : 16;
  let status = 0;
  const parts: Buffer[] = [];
  for (const name of options.operands.length === 0 ? ["-"] : options.operands) {
    try {
      parts.push(readAll(openInput(context, name)));
    } catch (error) {
      context.writeError(`od: ${name}: ${errorText(error)}\n`);
      status = 1;
    }
  }
  const skip = number("j", 0);
  const data = Buffer.concat(parts).subarray(skip, skip + number("N", Infinity));
  const address = (at: number) =>
    radix === "n"
      ? ""
      : at.toString({ o: 8, d: 10, x: 16 }[radix]!).padStart(radix === "x" ? 6 : 7, "0");
  // Columns of all formats line up: each unit takes what the widest needs.
  const perByte = Math.max(...formats.map((format) => (format.width + 1) / format.size));
  let before = "";
  let starred = false;
  for (let at = 0; at < data.length; at += perLine) {
    const line = data.subarray(at, at + perLine);
    const key = line.toString("latin1");
    if (!options.has("v") && key === before && line.length === perLine && at > 0) {
      if (!starred) context.write("*\n");
      starred = true;
      continue;
    }
    starred = false;
    before = key;
    formats.forEach((format, index) => {
      let text = index === 0 ? address(at + skip) : " ".repeat(address(0).length);
      for (let from = 0; from < line.length; from += format.size) {
        const unit = Buffer.alloc(format.size);
        line.copy(unit, 0, from);
        text += shown(unit, format).padStart(Math.round(perByte * format.size));
      }
      if (format.text) {
        const missing = (perLine - line.length) / format.size;
        text += " ".repeat(Math.floor(missing) * Math.round(perByte * format.size));
        text += `  >${key.replace(/[^ -~]/g, ".")}<`;
      }
      context.write(`${text}\n`);
    });
  }
  if (radix !== "n") context.write(`${address(data.length + skip)}\n`);
  return status;
};

function parseFormats(text: string): Format[] {
  const formats: Format[] = [];
  for (const match of text.matchAll(/([acdfoux])([0-9]+|[CSILFD])?(z?)|(.)/g)) {
    if (match[4] !== undefined)
      throw new CommandFailure(`invalid character '${match[4]}' in type string ${quoted(text)}`);
    const letter = match[1]!;
    const sizes: Record<string, number> = { C: 1, S: 2, I: 4, L: 8, F: 4, D: 8 };
    const size =
      letter === "a" || letter === "c"
        ? 1
        : (sizes[match[2] ?? ""] ?? Number(match[2] ?? (letter === "f" ? 8 : 4)));
    if (![1, 2, 4, 8].includes(size))
      throw new CommandFailure(
        `invalid type string ${quoted(text)};\nthis system doesn't provide a ${size}-byte integral type`,
      );
    const widths: Record<string, number[]> = {
      o: [3, 6, 11, 22],
      x: [2, 4, 8, 16],
      u: [3, 5, 10, 20],
      d: [4, 6, 11, 20],
      f: [0, 0, 15, 24],
    };
    const width = letter === "a" || letter === "c" ? 3 : widths[letter]![Math.log2(size)]!;
    formats.push({ letter, size, width, text: match[3] === "z" });
  }
  return formats;
}

function shown(unit: Buffer, { letter, size, width }: Format): string {
  if (letter === "a")
    return (
      names[unit[0]! & 127] ??
      (unit[0]! & 127 ? String.fromCharCode(unit[0]! & 127).replace("\x7f", "del") : "nul")
    );
  if (letter === "c") {
    const byte = unit[0]!;
    return (
      escapes[byte] ??
      (byte < 32 || byte > 126 ? byte.toString(8).padStart(3, "0") : String.fromCharCode(byte))
    );
  }
  if (letter === "f")
    return String(size === 4 ? Number(unit.readFloatLE().toPrecision(8)) : unit.readDoubleLE());
  const unsigned = size === 8 ? unit.readBigUInt64LE() : BigInt(unit.readUIntLE(0, size));
  if (letter === "d") return BigInt.asIntN(size * 8, unsigned).toString();
  if (letter === "u") return unsigned.toString();
  return unsigned.toString(letter === "o" ? 8 : 16).padStart(width, "0");
}
