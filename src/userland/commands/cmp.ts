/** Owns `cmp`. */
import { CommandFailure, type Command } from "../command.js";
import { errorText } from "../support/errors.js";
import { openInput } from "../support/input.js";
import { parseOptions, usageFailure } from "../support/options.js";
import { parseSize } from "../support/text.js";

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
  const open = (name: string, skip: number) => {
    try {
      if (name !== "-" && context.fs.statSync(name).isDirectory())
        throw Object.assign(new Error(), { code: "EISDIR" });
      const source = openInput(context, name);
      for (let left = skip; left > 0;) {
        const chunk = source.read(Math.min(left, 65536));
        if (chunk.length === 0) break;
        left -= chunk.length;
      }
      let held: Uint8Array = new Uint8Array(0);
      return {
        fill(): Uint8Array {
          if (held.length === 0) held = source.read();
          return held;
        },
        drop(count: number): void {
          held = held.subarray(count);
        },
      };
    } catch (error) {
      throw new CommandFailure(`${name}: ${errorText(error)}`, 2);
    }
  };
  const left = open(first, skipA!);
  const right = open(second, skipB!);
  let position = 0;
  let line = 1;
  let differences = 0;
  let lastByte = 10;
  const limit = parseSize(options.get("n") ?? "") ?? Infinity;
  while (position < limit) {
    const a = left.fill();
    const b = right.fill();
    const common = Math.min(a.length, b.length, limit - position);
    if (common === 0) {
      if (a.length === b.length) break;
      if (!options.has("s")) {
        const name = a.length === 0 ? first : second;
        const where =
          position === 0
            ? "which is empty"
            : options.has("l")
              ? `after byte ${position}`
              : `after byte ${position}, ${lastByte === 10 ? `line ${line - 1}` : `in line ${line}`}`;
        context.writeError(`cmp: EOF on ${name} ${where}\n`);
      }
      return 1;
    }
    for (let at = 0; at < common; at++) {
      if (a[at] !== b[at]) {
        differences++;
        const octal = (value: number) => value.toString(8).padStart(3);
        if (options.has("s")) return 1;
        if (!options.has("l")) {
          const bytes = options.has("b")
            ? ` is ${octal(a[at]!)} ${shown(a[at]!)} ${octal(b[at]!)} ${shown(b[at]!)}`
            : "";
          context.write(
            `${first} ${second} differ: ${options.has("b") || !inC ? "byte" : "char"} ${position + at + 1}, line ${line}${bytes}\n`,
          );
          return 1;
        }
        context.write(`${position + at + 1} ${octal(a[at]!)} ${octal(b[at]!)}\n`);
      }
      if (a[at] === 10) line++;
    }
    position += common;
    lastByte = a[common - 1]!;
    left.drop(common);
    right.drop(common);
  }
  return differences > 0 ? 1 : 0;
};

function shown(byte: number): string {
  if (byte < 32) return `^${String.fromCharCode(byte + 64)}`;
  return byte === 127 ? "^?" : byte < 128 ? String.fromCharCode(byte) : `M-${shown(byte - 128)}`;
}
