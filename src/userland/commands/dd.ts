/** Owns `dd`: blocks from input to output, without conversions but for case and padding. */
import { CommandFailure, type Command, type CommandContext } from "../command.js";
import { errorText } from "../support/errors.js";
import { usageFailure } from "../support/options.js";
import { byteString, bytesOf, parseSize, quoted } from "../support/text.js";

const maxBlockBytes = 256 * 1024 * 1024;

const conversions = [
  "notrunc",
  "sync",
  "ucase",
  "lcase",
  "noerror",
  "fsync",
  "fdatasync",
  "excl",
  "nocreat",
  "swab",
] as const;
type Conversion = (typeof conversions)[number];

/** The words `key=value` of the command line. */
class Operands {
  readonly #given = new Map<string, string>();

  constructor(context: CommandContext) {
    for (const word of context.argv.slice(1)) {
      const match = /^(if|of|bs|ibs|obs|cbs|count|skip|seek|conv|iflag|oflag|status)=(.*)$/.exec(
        word,
      );
      if (match === null) throw usageFailure(context, `unrecognized operand ${quoted(word)}`);
      this.#given.set(match[1]!, match[2]!);
    }
  }

  get(key: string): string | undefined {
    return this.#given.get(key);
  }

  /** A product of sizes, as in `2x1k`. */
  number(key: string, fallback: number): number {
    const text = this.get(key);
    if (text === undefined) return fallback;
    const factors = text.split("x").map((part) => parseSize(part.replace(/w$/, "")));
    if (factors.some((factor) => factor === undefined)) {
      throw new CommandFailure(`invalid number: ${quoted(text)}`);
    }
    return factors.reduce<number>((product, factor) => product * factor!, 1);
  }

  blockBytes(): number {
    const bytes = this.number("bs", this.number("ibs", 512));
    if (bytes === 0 || bytes > maxBlockBytes) {
      throw new CommandFailure(
        `invalid number: ${quoted(this.get("bs") ?? this.get("ibs") ?? "0")}`,
      );
    }
    return bytes;
  }

  conversions(context: CommandContext): Set<Conversion> {
    const words = (this.get("conv") ?? "").split(",").filter((word) => word !== "");
    const known = (word: string): word is Conversion =>
      (conversions as readonly string[]).includes(word);
    for (const word of words)
      if (!known(word)) throw usageFailure(context, `invalid conversion: ${quoted(word)}`);
    return new Set(words.filter(known));
  }
}

export const main: Command = (context) => {
  const operands = new Operands(context);
  const blockBytes = operands.blockBytes();
  const count = operands.number("count", Infinity);
  const copy = new Copy(context, operands, blockBytes, operands.conversions(context));
  copy.open();
  copy.run(count);
  copy.close();
  copy.report(operands.get("status"));
  return 0;
};

/** Blocks that were as long as they could be, and others. */
interface Records {
  full: number;
  partial: number;
}

class Copy {
  /** Undefined: standard input and output. */
  #input: number | undefined;
  #output: number | undefined;
  /** Where the next byte goes in a file. */
  #position = 0;
  #totalBytes = 0;
  #startedMs = 0;
  readonly #in: Records = { full: 0, partial: 0 };
  readonly #out: Records = { full: 0, partial: 0 };
  #block: Buffer = Buffer.alloc(0);

  constructor(
    private readonly context: CommandContext,
    private readonly operands: Operands,
    private readonly blockBytes: number,
    private readonly conversions: ReadonlySet<Conversion>,
  ) {}

  open(): void {
    const { operands, conversions } = this;
    const { fs } = this.context;
    this.#input = this.#openFile(operands.get("if"), "r");
    const { O_WRONLY, O_CREAT, O_TRUNC, O_EXCL } = fs.constants;
    const seekBytes = operands.number("seek", 0) * operands.number("obs", this.blockBytes);
    const keepsRest = conversions.has("notrunc");
    const output = this.#openFile(
      operands.get("of"),
      O_WRONLY |
        (conversions.has("nocreat") ? 0 : O_CREAT) |
        (conversions.has("excl") ? O_EXCL : 0) |
        (keepsRest || seekBytes > 0 ? 0 : O_TRUNC),
    );
    if (output !== undefined && seekBytes > 0 && !keepsRest) fs.ftruncateSync(output, seekBytes);
    this.#output = output;
    this.#position = seekBytes;
  }

  #openFile(path: string | undefined, flags: number | string): number | undefined {
    if (path === undefined) return undefined;
    try {
      return this.context.fs.openSync(path, flags, 0o666);
    } catch (error) {
      throw new CommandFailure(`failed to open ${quoted(path)}: ${errorText(error)}`);
    }
  }

  run(count: number): void {
    const { operands, blockBytes } = this;
    this.#block = Buffer.allocUnsafe(blockBytes);
    const fullBlocks = (operands.get("iflag") ?? "").split(",").includes("fullblock");
    this.#startedMs = performance.now();
    for (let left = operands.number("skip", 0); left > 0; left--)
      if (this.#readBlock(true) === 0) break;
    for (let done = 0; done < count; done++) {
      const length = this.#readBlock(fullBlocks);
      if (length === 0) break;
      this.#in[length === blockBytes ? "full" : "partial"]++;
      const data = this.#converted(length);
      this.#out[data.length === blockBytes ? "full" : "partial"]++;
      this.#totalBytes += data.length;
      this.#write(data);
    }
    this.context.flush();
  }

  /** One read, or as many as fill the block; how many bytes there were. */
  #readBlock(full: boolean): number {
    const { context, blockBytes } = this;
    const block = this.#block;
    let length = 0;
    do {
      let read: number;
      if (this.#input === undefined) {
        const chunk = context.readInput(blockBytes - length);
        block.set(chunk, length);
        read = chunk.length;
      } else read = context.fs.readSync(this.#input, block, length, blockBytes - length, null);
      if (read === 0) break;
      length += read;
    } while (full && length < blockBytes);
    return length;
  }

  /** The first `length` bytes of the block as they are to be written. */
  #converted(length: number): Buffer {
    const { conversions, blockBytes } = this;
    let data = this.#block.subarray(0, length);
    if (conversions.has("sync") && length < blockBytes) data = this.#block.fill(0, length);
    if (conversions.has("ucase"))
      data = bytesOf(byteString(data).replace(/[a-z]+/g, (text) => text.toUpperCase()));
    if (conversions.has("lcase"))
      data = bytesOf(byteString(data).replace(/[A-Z]+/g, (text) => text.toLowerCase()));
    if (conversions.has("swab")) data = Buffer.from(data.subarray(0, data.length & ~1)).swap16();
    return data;
  }

  #write(data: Buffer): void {
    const { context } = this;
    // The block is read into again before buffered output is written.
    if (this.#output === undefined) return context.write(Buffer.from(data));
    for (let at = 0; at < data.length;) {
      const left = data.length - at;
      const written = context.fs.writeSync(this.#output, data, at, left, this.#position);
      at += written;
      this.#position += written;
    }
  }

  close(): void {
    const { fs } = this.context;
    if (this.#input !== undefined) fs.closeSync(this.#input);
    if (this.#output !== undefined) fs.closeSync(this.#output);
  }

  report(status: string | undefined): void {
    if (status === "none") return;
    const { context } = this;
    const records = ({ full, partial }: Records) => `${full}+${partial} records`;
    context.writeError(`${records(this.#in)} in\n${records(this.#out)} out\n`);
    if (status === "noxfer") return;
    const seconds = Math.max((performance.now() - this.#startedMs) / 1000, 1e-6);
    const rate = (this.#totalBytes / seconds / 1e6).toFixed(1);
    context.writeError(
      `${this.#totalBytes} bytes copied, ${Number(seconds.toPrecision(6))} s, ${rate} MB/s\n`,
    );
  }
}
