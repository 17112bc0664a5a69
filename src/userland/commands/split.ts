/** Owns `split`. */
import { CommandFailure, type Command, type CommandContext } from "../command.js";
import { errorText } from "../support/errors.js";
import { LineReader, openInput, readAll, type ByteSource } from "../support/input.js";
import { parseOptions, type Options } from "../support/options.js";
import { bytesOf, parseSize, quoted } from "../support/text.js";

/** Text of one piece that is held before it is written. */
const heldChars = 65536;
const usualLines = 1000;

export const main: Command = (context) => {
  const options = parseOptions(
    context,
    "a:b:C:dl:n:ex",
    {
      "suffix-length=": "a",
      "bytes=": "b",
      "line-bytes=": "C",
      "numeric-suffixes=?": "d",
      "hex-suffixes=?": "x",
      "lines=": "l",
      "number=": "n",
      "additional-suffix=": "extra",
      "elide-empty-files": "e",
      verbose: "v",
    },
    { numberOption: "l" },
  );
  const [name = "-", prefix = "x"] = options.operands;
  const pieces = new Pieces(context, options, prefix);
  let source: ByteSource;
  try {
    source = openInput(context, name);
  } catch (error) {
    throw new CommandFailure(`cannot open ${quoted(name)} for reading: ${errorText(error)}`);
  }
  if (options.has("n")) intoChunks(source, options.get("n")!, options.has("e"), pieces);
  else if (options.has("b")) byBytes(source, sizeOf(options, "b", "bytes"), pieces);
  else if (options.has("C")) byLines(source, sizeOf(options, "C", "bytes"), "bytes", pieces);
  else {
    const limit = options.has("l") ? sizeOf(options, "l", "lines") : usualLines;
    byLines(source, limit, "lines", pieces);
  }
  pieces.finish();
  return 0;
};

function sizeOf(options: Options, key: string, what: string): number {
  const text = options.get(key)!;
  const value = parseSize(text);
  if (value === undefined || value === 0)
    throw new CommandFailure(`invalid number of ${what}: ${quoted(text)}`);
  return value;
}

/** The files that are made, one after the other. */
class Pieces {
  #fd = -1;
  #index: number;
  readonly #alphabet: string;
  readonly #suffixLength: number;

  constructor(
    private readonly context: CommandContext,
    private readonly options: Options,
    private readonly prefix: string,
  ) {
    this.#alphabet = options.has("x")
      ? "0123456789abcdef"
      : options.has("d")
        ? "0123456789"
        : "abcdefghijklmnopqrstuvwxyz";
    this.#suffixLength = Number(options.get("a") ?? 2) || 2;
    this.#index = Number(options.get("d") || options.get("x") || 0);
  }

  /** Ends the current one and opens the next. */
  begin(): void {
    this.finish();
    const path = this.prefix + this.#suffix(this.#index++) + (this.options.get("extra") ?? "");
    if (this.options.has("v")) this.context.write(`creating file ${quoted(path)}\n`);
    this.#fd = this.context.fs.openSync(path, "w");
  }

  #suffix(index: number): string {
    const alphabet = this.#alphabet;
    let rest = index;
    let suffix = "";
    for (let at = 0; at < this.#suffixLength; at++) {
      suffix = alphabet[rest % alphabet.length]! + suffix;
      rest = Math.floor(rest / alphabet.length);
    }
    if (rest > 0) throw new CommandFailure("output file suffixes exhausted");
    return suffix;
  }

  /** To the current one, if there is one. */
  write(data: Uint8Array): void {
    if (this.#fd < 0) return;
    for (let at = 0; at < data.length;) at += this.context.fs.writeSync(this.#fd, data, at);
  }

  finish(): void {
    if (this.#fd >= 0) this.context.fs.closeSync(this.#fd);
    this.#fd = -1;
  }
}

/** `how` is a count, behind `l/` when no line may be torn. */
function intoChunks(source: ByteSource, how: string, elide: boolean, pieces: Pieces): void {
  const match = /^(l\/)?([1-9]\d*)$/.exec(how);
  if (match === null) throw new CommandFailure(`invalid number of chunks: ${quoted(how)}`);
  const wholeLines = match[1] !== undefined;
  const count = Number(match[2]);
  const data = readAll(source);
  let start = 0;
  for (let part = 1; part <= count; part++) {
    let end = part === count ? data.length : Math.floor((data.length * part) / count);
    if (wholeLines && end > start && part < count) {
      const newline = data.indexOf(10, end - 1);
      end = newline === -1 ? data.length : newline + 1;
    }
    end = Math.max(end, start);
    if (end === start && elide) continue;
    pieces.begin();
    pieces.write(data.subarray(start, end));
    pieces.finish();
    start = end;
  }
}

function byBytes(source: ByteSource, limitBytes: number, pieces: Pieces): void {
  let left = 0;
  for (let chunk = source.read(); chunk.length > 0; chunk = source.read()) {
    for (let at = 0; at < chunk.length;) {
      if (left === 0) {
        pieces.begin();
        left = limitBytes;
      }
      const part = chunk.subarray(at, at + left);
      pieces.write(part);
      at += part.length;
      left -= part.length;
    }
  }
}

/** Whole lines, until there are `limit` of them or of their bytes. */
function byLines(
  source: ByteSource,
  limit: number,
  counted: "lines" | "bytes",
  pieces: Pieces,
): void {
  const reader = new LineReader(source);
  let used = limit;
  let held = "";
  const flush = () => {
    pieces.write(bytesOf(held));
    held = "";
  };
  for (let line = reader.next(); line !== undefined; line = reader.next()) {
    const text = line + (reader.terminated ? "\n" : "");
    const cost = counted === "bytes" ? text.length : 1;
    if (used + cost > limit) {
      flush();
      pieces.begin();
      used = 0;
    }
    used += cost;
    held += text;
    if (held.length > heldChars) flush();
  }
  flush();
}
