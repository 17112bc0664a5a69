/** Owns `cmp`. */
import { CommandFailure, type Command, type CommandContext } from "../command.js";
import { errorText } from "../support/errors.js";
import { openInput, type ByteSource } from "../support/input.js";
import { parseOptions, usageFailure } from "../support/options.js";
import { parseSize } from "../support/text.js";

const newline = 10;

interface Style {
  /** Which of the differences are reported. */
  report: "none" | "first" | "all";
  printBytes: boolean;
  /** What a position counts, in words. */
  unit: "byte" | "char";
}

export const main: Command = (context) => {
  const options = parseOptions(
    context,
    "bi:ln:s",
    {
      "print-bytes": "b",
      "ignore-initial=": "i",
      verbose: "l",
      "bytes=": "n",
      quiet: "s",
      silent: "s",
    },
    { status: 2 },
  );
  const { env } = context;
  const inC = /^(?:|C|POSIX)$/.test(env["LC_ALL"] || env["LC_MESSAGES"] || env["LANG"] || "");
  const [first, second = "-"] = options.operands;
  if (first === undefined) throw usageFailure(context, "missing operand after 'cmp'", 2);
  const [skipA, skipB = skipA] = (options.get("i") ?? options.operands[2] ?? "0")
    .split(":")
    .map((part) => parseSize(part) ?? 0);
  const left = Side.open(context, first, skipA!);
  const right = Side.open(context, second, skipB!);
  const limitBytes = parseSize(options.get("n") ?? "") ?? Infinity;
  const comparison = new Comparison(context, left, right, {
    report: options.has("s") ? "none" : options.has("l") ? "all" : "first",
    printBytes: options.has("b"),
    unit: options.has("b") || !inC ? "byte" : "char",
  });
  return comparison.run(limitBytes) ? 0 : 1;
};

/** One of the two inputs, and what was read of it but not compared yet. */
class Side {
  #held: Uint8Array = new Uint8Array(0);

  private constructor(
    readonly name: string,
    private readonly source: ByteSource,
  ) {}

  static open(context: CommandContext, name: string, skipBytes: number): Side {
    try {
      if (name !== "-" && context.fs.statSync(name).isDirectory())
        throw Object.assign(new Error(), { code: "EISDIR" });
      const source = openInput(context, name);
      for (let left = skipBytes; left > 0;) {
        const chunk = source.read(Math.min(left, 65536));
        if (chunk.length === 0) break;
        left -= chunk.length;
      }
      return new Side(name, source);
    } catch (error) {
      throw new CommandFailure(`${name}: ${errorText(error)}`, 2);
    }
  }

  /** What comes next; empty at the end. */
  fill(): Uint8Array {
    if (this.#held.length === 0) this.#held = this.source.read();
    return this.#held;
  }

  drop(bytes: number): void {
    this.#held = this.#held.subarray(bytes);
  }
}

class Comparison {
  /** Bytes compared so far. */
  #position = 0;
  #line = 1;
  #lastByte = newline;

  constructor(
    private readonly context: CommandContext,
    private readonly left: Side,
    private readonly right: Side,
    private readonly style: Style,
  ) {}

  /** Whether the two are the same. */
  run(limitBytes: number): boolean {
    const { left, right, style } = this;
    let same = true;
    while (this.#position < limitBytes) {
      const a = left.fill();
      const b = right.fill();
      const common = Math.min(a.length, b.length, limitBytes - this.#position);
      if (common === 0) {
        if (a.length === b.length) break;
        this.#reportEnd(a.length === 0 ? left : right);
        return false;
      }
      for (let at = 0; at < common; at++) {
        if (a[at] !== b[at]) {
          same = false;
          this.#reportDifference(this.#position + at + 1, a[at]!, b[at]!);
          if (style.report !== "all") return false;
        }
        if (a[at] === newline) this.#line++;
      }
      this.#position += common;
      this.#lastByte = a[common - 1]!;
      left.drop(common);
      right.drop(common);
    }
    return same;
  }

  #reportDifference(byte: number, a: number, b: number): void {
    const { context, style } = this;
    if (style.report === "none") return;
    if (style.report === "all") {
      context.write(`${byte} ${octal(a)} ${octal(b)}\n`);
      return;
    }
    const bytes = style.printBytes ? ` is ${octal(a)} ${shown(a)} ${octal(b)} ${shown(b)}` : "";
    context.write(
      `${this.left.name} ${this.right.name} differ: ${style.unit} ${byte}, line ${this.#line}${bytes}\n`,
    );
  }

  /** One is the other's beginning. */
  #reportEnd(shorter: Side): void {
    if (this.style.report === "none") return;
    const position = this.#position;
    const line = this.#lastByte === newline ? `line ${this.#line - 1}` : `in line ${this.#line}`;
    const where =
      position === 0
        ? "which is empty"
        : this.style.report === "all"
          ? `after byte ${position}`
          : `after byte ${position}, ${line}`;
    this.context.writeError(`cmp: EOF on ${shorter.name} ${where}\n`);
  }
}

function octal(byte: number): string {
  return byte.toString(8).padStart(3);
}

function shown(byte: number): string {
  if (byte < 32) return `^${String.fromCharCode(byte + 64)}`;
  return byte === 127 ? "^?" : byte < 128 ? String.fromCharCode(byte) : `M-${shown(byte - 128)}`;
}
