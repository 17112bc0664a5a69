/** Owns `base64`, `base32` and `basenc`. */
import { CommandFailure, type Command, type CommandContext } from "../command.js";
import { errorText } from "../support/errors.js";
import { openInput, type ByteSource } from "../support/input.js";
import { parseOptions, usageFailure } from "../support/options.js";
import { byteString, bytesOf, quoted } from "../support/text.js";

interface Coding {
  /** Bytes that make a whole group, and how many characters that is. */
  bytes: number;
  chars: number;
  alphabet: RegExp;
  encode(data: Buffer): string;
  decode(text: string): Buffer | undefined;
}

const letters32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

const base64: Coding = {
  bytes: 3,
  chars: 4,
  alphabet: /[^A-Za-z0-9+/=]/g,
  encode: (data) => data.toString("base64"),
  decode(text) {
    return /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text)
      ? Buffer.from(text, "base64")
      : undefined;
  },
};

const base32: Coding = {
  bytes: 5,
  chars: 8,
  alphabet: /[^A-Z2-7=]/g,
  encode(data) {
    let text = "";
    let [value, bits] = [0, 0];
    for (const byte of data) {
      value = (value << 8) | byte;
      for (bits += 8; bits >= 5; bits -= 5) text += letters32[(value >> (bits - 5)) & 31]!;
      value &= 31;
    }
    if (bits > 0) text += letters32[(value << (5 - bits)) & 31]!;
    return text.padEnd(Math.ceil(text.length / 8) * 8, "=");
  },
  decode(text) {
    if (text.length % 8 !== 0 || !/^[A-Z2-7]*=*$/.test(text)) return undefined;
    const output: number[] = [];
    let [value, bits] = [0, 0];
    for (const char of text.replace(/=+$/, "")) {
      value = ((value << 5) | letters32.indexOf(char)) & 0xfff;
      bits += 5;
      if (bits >= 8) output.push((value >> (bits -= 8)) & 255);
    }
    return Buffer.from(output);
  },
};

/** A digit for so many bits, without padding: base16 and base2. */
function digits(base: 2 | 16, lastFirst = false): Coding {
  const width = base === 16 ? 2 : 8;
  const order = (text: string) => (lastFirst ? [...text].reverse().join("") : text);
  return {
    bytes: 1,
    chars: width,
    alphabet: base === 16 ? /[^0-9A-F]/g : /[^01]/g,
    encode: (data) =>
      [...data]
        .map((byte) => order(byte.toString(base).toUpperCase().padStart(width, "0")))
        .join(""),
    decode(text) {
      if (text.length % width !== 0 || this.alphabet.test(text)) return undefined;
      const parts = text.match(base === 16 ? /../g : /.{8}/g) ?? [];
      return Buffer.from(parts.map((part) => parseInt(order(part), base)));
    },
  };
}

/** Another coding's letters in place of this one's. */
function renamed(coding: Coding, from: string, to: string): Coding {
  const swap = (text: string, a: string, b: string) =>
    [...text].map((char) => (a.includes(char) ? b[a.indexOf(char)]! : char)).join("");
  const good = new RegExp(`^[${to.replace(/[-\\\]^]/g, "\\$&")}=]*$`);
  return {
    ...coding,
    alphabet: new RegExp(`[^${to.replace(/[-\\\]^]/g, "\\$&")}=]`, "g"),
    encode: (data) => swap(coding.encode(data), from, to),
    decode: (text) => (good.test(text) ? coding.decode(swap(text, to, from)) : undefined),
  };
}

const letters64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const codings: Record<string, () => Coding> = {
  base64: () => base64,
  base64url: () => renamed(base64, letters64, letters64.replace("+/", "-_")),
  base32: () => base32,
  base32hex: () => renamed(base32, letters32, "0123456789ABCDEFGHIJKLMNOPQRSTUV"),
  base16: () => digits(16),
  base2msbf: () => digits(2),
  base2lsbf: () => digits(2, true),
};

export const main: Command = (context) => {
  const named = context.name === "basenc";
  const options = parseOptions(context, "diw:", {
    decode: "d",
    "ignore-garbage": "i",
    "wrap=": "w",
    ...(named ? Object.fromEntries(Object.keys(codings).map((name) => [name, name])) : {}),
  });
  const chosen = named ? options.last(...Object.keys(codings)) : context.name;
  if (chosen === undefined) throw usageFailure(context, "missing encoding type");
  const extra = options.operands[1];
  if (extra !== undefined) throw usageFailure(context, `extra operand ${quoted(extra)}`);
  const wrap = options.get("w") ?? "76";
  if (!/^\d+$/.test(wrap)) throw new CommandFailure(`invalid wrap size: ${quoted(wrap)}`);
  const name = options.operands[0] ?? "-";
  const coding = (codings[chosen] ?? codings["base64"]!)();
  let source: ByteSource;
  try {
    source = openInput(context, name);
  } catch (error) {
    throw new CommandFailure(`${name}: ${errorText(error)}`);
  }
  if (options.has("d")) decode(context, source, coding, options.has("i"));
  else encode(context, source, coding, Number(wrap));
  source.close();
  return 0;
};

function encode(context: CommandContext, source: ByteSource, coding: Coding, wrap: number): void {
  let rest = Buffer.alloc(0);
  let column = 0;
  const emit = (text: string) => {
    if (wrap === 0) return context.writeBytes(text);
    for (let at = 0; at < text.length;) {
      const piece = text.slice(at, at + wrap - column);
      at += piece.length;
      column += piece.length;
      context.writeBytes(column === wrap ? `${piece}\n` : piece);
      if (column === wrap) column = 0;
    }
  };
  for (;;) {
    const chunk = source.read();
    const data = Buffer.concat([rest, chunk]);
    if (chunk.length === 0) {
      emit(coding.encode(data));
      if (column > 0) context.writeBytes("\n");
      return;
    }
    const whole = data.length - (data.length % coding.bytes);
    emit(coding.encode(data.subarray(0, whole)));
    rest = data.subarray(whole);
  }
}

function decode(context: CommandContext, source: ByteSource, coding: Coding, loose: boolean): void {
  let rest = "";
  for (;;) {
    const chunk = source.read();
    const text = rest + byteString(chunk).replace(loose ? coding.alphabet : /\n/g, "");
    const whole = chunk.length === 0 ? text.length : text.length - (text.length % coding.chars);
    const data = coding.decode(text.slice(0, whole));
    if (data === undefined) {
      // What is good before the fault is still written.
      let good = 0;
      while (coding.decode(text.slice(good, good + coding.chars)) !== undefined && good < whole)
        good += coding.chars;
      context.write(coding.decode(text.slice(0, good)) ?? bytesOf(""));
      const partial = text
        .slice(good, good + coding.chars)
        .replace(coding.alphabet, "")
        .replace(/=.*$/, "");
      if (
        coding === base64 &&
        partial.length > 1 &&
        /^[A-Za-z0-9+/]+/.exec(text.slice(good))![0].length >= partial.length
      ) {
        context.write(Buffer.from(partial, "base64"));
      }
      throw new CommandFailure("invalid input");
    }
    context.write(data);
    if (chunk.length === 0) return;
    rest = text.slice(whole);
  }
}
