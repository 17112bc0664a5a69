/** Owns `iconv`: from whatever the engine decodes to UTF-8, UTF-16, UTF-32, Latin-1 and ASCII. */
import { TextDecoder } from "node:util";
import { CommandFailure, type Command } from "../command.js";
import { eachInput, readAll } from "../support/input.js";
import { parseOptions } from "../support/options.js";

const names = [
  "ASCII",
  "US-ASCII",
  "UTF-8",
  "UTF-16",
  "UTF-16LE",
  "UTF-16BE",
  "UTF-32",
  "UTF-32LE",
  "UTF-32BE",
  "ISO-8859-1",
  "LATIN1",
  "ISO-8859-2",
  "ISO-8859-5",
  "ISO-8859-15",
  "WINDOWS-1250",
  "WINDOWS-1251",
  "WINDOWS-1252",
  "CP1252",
  "KOI8-R",
  "SHIFT_JIS",
  "EUC-JP",
  "EUC-KR",
  "GBK",
  "GB18030",
  "BIG5",
];

class Unconvertible extends Error {}

export const main: Command = (context) => {
  const options = parseOptions(context, "cf:lo:st:", {
    "from-code=": "f",
    "to-code=": "t",
    list: "l",
    "output=": "o",
    silent: "s",
  });
  if (options.has("l")) {
    context.write(names.map((name) => `${name}//\n`).join(""));
    return 0;
  }
  const plain = (text: string) => text.replace(/\/\/.*$/, "").toLowerCase();
  const toText = options.get("t") ?? "UTF-8";
  const lenient = options.has("c") || /\/\/IGNORE/i.test(toText);
  const translit = /\/\/TRANSLIT/i.test(toText);
  const decode = decoderOf(plain(options.get("f") ?? "UTF-8"));
  const encode = encoderOf(plain(toText), lenient, translit);
  if (decode === undefined || encode === undefined) {
    const wrong = decode === undefined ? `from \`${options.get("f")}'` : `to \`${toText}'`;
    throw new CommandFailure(
      `conversion ${wrong} is not supported`,
      1,
      "Try `iconv --help' or `iconv --usage' for more information.\n",
    );
  }
  const parts: Uint8Array[] = [];
  let status = 0;
  const good = eachInput(
    context,
    options.operands,
    (source) => {
      const data = readAll(source);
      try {
        parts.push(encode(decode(data, lenient)));
      } catch (error) {
        if (!(error instanceof Unconvertible || error instanceof TypeError)) throw error;
        status = 1;
        const at = firstFault(data, plain(options.get("f") ?? "UTF-8"));
        parts.push(encode(decode(data.subarray(0, at), true)));
        context.writeError(
          error instanceof Unconvertible
            ? `iconv: cannot convert\n`
            : `iconv: illegal input sequence at position ${at}\n`,
        );
      }
    },
    (name, reason) => `cannot open input file \`${name}': ${reason}`,
  );
  const output = options.get("o");
  if (output === undefined) for (const part of parts) context.write(part);
  else context.fs.writeFileSync(output, Buffer.concat(parts));
  return good ? status : 1;
};

/** How much of the input is good. */
function firstFault(data: Buffer, name: string): number {
  if (!/^utf-?8$/.test(name)) return 0;
  let [low, high] = [0, data.length];
  const decoder = new TextDecoder("utf-8", { fatal: true });
  // The longest prefix that is not at fault: a character that is cut off counts as good in the stream mode.
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    try {
      decoder.decode(data.subarray(0, middle), { stream: true });
      low = middle;
    } catch {
      high = middle - 1;
    }
    try {
      decoder.decode();
    } catch {
      // What was left over is dropped.
    }
  }
  let start = low;
  while (start > 0 && low - start < 3 && (data[start - 1]! & 0xc0) === 0x80) start--;
  return start > 0 && data[start - 1]! >= 0xc0 ? start - 1 : low;
}

type Decode = (data: Buffer, lenient: boolean) => string;

function decoderOf(name: string): Decode | undefined {
  if (/^(us-?)?ascii$|^ansi_x3\.4-1968$|^646$/.test(name)) {
    return (data, lenient) => {
      if (!lenient && data.some((byte) => byte > 127)) throw new TypeError("not ASCII");
      return Buffer.from(data.filter((byte) => byte < 128)).toString("latin1");
    };
  }
  if (/^(iso-?8859-?1|latin-?1|l1)$/.test(name)) return (data) => data.toString("latin1");
  if (/^utf-?32(le|be)?$|^ucs-?4(le|be)?$/.test(name)) return (data) => fromUtf32(data, name);
  if (/^utf-?16$|^ucs-?2$/.test(name)) {
    return (data) =>
      new TextDecoder(data[0] === 0xfe && data[1] === 0xff ? "utf-16be" : "utf-16le").decode(data);
  }
  let label = name
    .replace(/^cp(125\d)$/, "windows-$1")
    .replace(/^utf8$/, "utf-8")
    .replace(/^utf-?16(le|be)$/, "utf-16$1");
  if (label === "eucjp") label = "euc-jp";
  try {
    const strict = new TextDecoder(label, { fatal: true, ignoreBOM: true });
    const loose = new TextDecoder(label, { ignoreBOM: true });
    return (data, lenient) =>
      lenient ? loose.decode(data).replaceAll("\ufffd", "") : strict.decode(data);
  } catch {
    return undefined;
  }
}

function fromUtf32(data: Buffer, name: string): string {
  const marked = data.length >= 4 && data.readUInt32BE(0) === 0xfeff;
  const big = name.endsWith("be") || (!name.endsWith("le") && marked);
  let text = "";
  for (let at = 0; at + 4 <= data.length; at += 4) {
    const code = big ? data.readUInt32BE(at) : data.readUInt32LE(at);
    if (code > 0x10ffff) throw new TypeError("not UTF-32");
    if (at > 0 || code !== 0xfeff) text += String.fromCodePoint(code);
  }
  return text;
}

function encoderOf(
  name: string,
  lenient: boolean,
  translit: boolean,
): ((text: string) => Uint8Array) | undefined {
  const narrow = (limit: number) => (text: string) => {
    const source = translit ? transliterated(text, limit) : text;
    const codes: number[] = [];
    for (const char of source) {
      const code = char.codePointAt(0)!;
      if (code <= limit) codes.push(code);
      else if (translit) codes.push(63);
      else if (!lenient) throw new Unconvertible();
    }
    return Uint8Array.from(codes);
  };
  if (/^utf-?8$/.test(name)) return (text) => Buffer.from(text, "utf8");
  if (/^(us-?)?ascii$|^ansi_x3\.4-1968$|^646$/.test(name)) return narrow(127);
  if (/^(iso-?8859-?1|latin-?1|l1)$/.test(name)) return narrow(255);
  const sixteen = /^utf-?16(le|be)?$|^ucs-?2(le|be)?$/.exec(name);
  if (sixteen !== null) {
    return (text) => {
      const order = sixteen[1] ?? sixteen[2];
      const data = Buffer.from((order === undefined ? "\ufeff" : "") + text, "utf16le");
      return order === "be" ? data.swap16() : data;
    };
  }
  const wide = /^utf-?32(le|be)?$|^ucs-?4(le|be)?$/.exec(name);
  if (wide !== null) {
    return (text) => {
      const order = wide[1] ?? wide[2];
      const chars = [...(order === undefined ? "\ufeff" : ""), ...text];
      const data = Buffer.alloc(chars.length * 4);
      chars.forEach((char, at) => {
        const code = char.codePointAt(0)!;
        if (order === "be") data.writeUInt32BE(code, at * 4);
        else data.writeUInt32LE(code, at * 4);
      });
      return data;
    };
  }
  return undefined;
}

const nearest: Record<string, string> = {
  "‘": "'",
  "’": "'",
  "“": '"',
  "”": '"',
  "–": "-",
  "—": "-",
  "…": "...",
  "€": "EUR",
  ß: "ss",
  æ: "ae",
  Æ: "AE",
  ø: "o",
  Ø: "O",
  œ: "oe",
  "\u00a0": " ",
};

function transliterated(text: string, limit: number): string {
  return [...text]
    .map((char) => {
      if (char.codePointAt(0)! <= limit) return char;
      if (nearest[char] !== undefined) return nearest[char];
      const base = char.normalize("NFD").replace(/\p{M}/gu, "");
      return [...base].every((each) => each.codePointAt(0)! <= limit) ? base : "?";
    })
    .join("");
}
