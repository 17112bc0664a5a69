/** Owns `tail`. */
import { CommandFailure, type Command, type CommandContext } from "../command.js";
import { eachInput, openFile, type ByteSource } from "../support/input.js";
import { parseOptions } from "../support/options.js";
import { parseSize, quoted } from "../support/text.js";

const pollMs = 200;

export const main: Command = async (context) => {
  const options = parseOptions(
    context,
    "n:c:fFqvzs:",
    {
      "lines=": "n",
      "bytes=": "c",
      "follow=?": "f",
      retry: "r",
      quiet: "q",
      silent: "q",
      verbose: "v",
      "zero-terminated": "z",
      "sleep-interval=": "s",
      "pid=": "pid",
    },
    { numberOption: "n" },
  );
  const operands = options.operands.filter((word) => !/^\+\d+$/.test(word));
  const plus = options.operands.find((word) => /^\+\d+$/.test(word));
  const unit = options.last("n", "c") ?? "n";
  const text = plus ?? options.get(unit) ?? "10";
  const count = parseSize(text.replace(/^[-+]/, ""));
  if (count === undefined) {
    throw new CommandFailure(
      `invalid number of ${unit === "n" ? "lines" : "bytes"}: ${quoted(text)}`,
    );
  }
  const delimiter = options.has("z") ? 0 : 10;
  const headers = options.has("v") || (operands.length > 1 && !options.has("q"));
  const header = (name: string, first: boolean) => {
    if (!headers) return;
    context.write(`${first ? "" : "\n"}==> ${name === "-" ? "standard input" : name} <==\n`);
  };
  let shown = "";
  const sizes = new Map<string, number>();
  const show = (source: ByteSource, name: string) => {
    header(name, shown === "");
    shown = name;
    let size = 0;
    const counted: ByteSource = {
      read(maxBytes) {
        const chunk = source.read(maxBytes);
        size += chunk.length;
        return chunk;
      },
      close: () => source.close(),
    };
    if (text.startsWith("+")) fromStart(context, counted, count, unit === "c", delimiter);
    else if (unit === "c") lastBytes(context, counted, count);
    else lastLines(context, counted, count, delimiter);
    sizes.set(name, size);
  };
  const good = eachInput(context, operands, show, (name, reason) =>
    reason === "Is a directory"
      ? `error reading ${quoted(name)}: ${reason}`
      : `cannot open ${quoted(name)} for reading: ${reason}`,
  );
  if (options.has("f", "F") && operands.some((name) => name !== "-")) {
    const byName = options.has("F") || options.get("f") === "name";
    await follow(context, operands, sizes, byName, (name) => {
      if (name !== shown) header(name, false);
      shown = name;
    });
  }
  return good ? 0 : 1;
};

function fromStart(
  context: CommandContext,
  source: ByteSource,
  count: number,
  bytes: boolean,
  delimiter: number,
): void {
  let skip = Math.max(count - 1, 0);
  for (;;) {
    const chunk = source.read();
    if (chunk.length === 0) return;
    let from = 0;
    if (bytes) {
      from = Math.min(skip, chunk.length);
      skip -= from;
    }
    while (!bytes && skip > 0 && from < chunk.length) {
      const found = chunk.indexOf(delimiter, from);
      from = found === -1 ? chunk.length : found + 1;
      if (found !== -1) skip--;
    }
    context.write(chunk.subarray(from));
  }
}

function lastBytes(context: CommandContext, source: ByteSource, count: number): void {
  let held: Buffer[] = [];
  let total = 0;
  for (;;) {
    const chunk = source.read();
    if (chunk.length === 0) break;
    held.push(Buffer.from(chunk));
    total += chunk.length;
    while (held.length > 1 && total - held[0]!.length >= count) total -= held.shift()!.length;
  }
  const all = Buffer.concat(held);
  context.write(all.subarray(Math.max(0, all.length - count)));
}

function countOf(chunk: Uint8Array, code: number): number {
  let count = 0;
  for (let at = chunk.indexOf(code); at !== -1; at = chunk.indexOf(code, at + 1)) count++;
  return count;
}

function lastLines(
  context: CommandContext,
  source: ByteSource,
  count: number,
  delimiter: number,
): void {
  const held: { data: Buffer; lines: number }[] = [];
  let lines = 0;
  for (;;) {
    const chunk = source.read();
    if (chunk.length === 0) break;
    const entry = { data: Buffer.from(chunk), lines: countOf(chunk, delimiter) };
    held.push(entry);
    lines += entry.lines;
    // One more than wanted: the line before the first that is shown ends in an older chunk.
    while (held.length > 1 && lines - held[0]!.lines > count) lines -= held.shift()!.lines;
  }
  const all = Buffer.concat(held.map((entry) => entry.data));
  let left = count;
  let start = all.length;
  if (all.length > 0 && all[all.length - 1] !== delimiter) left--;
  if (count === 0) return;
  while (start > 0) {
    const found = all.lastIndexOf(delimiter, start - 1);
    if (found === -1) start = 0;
    else if (left-- > 0) {
      start = found;
      continue;
    } else start = found + 1;
    break;
  }
  context.write(all.subarray(start));
}

async function follow(
  context: CommandContext,
  names: string[],
  sizes: Map<string, number>,
  byName: boolean,
  announce: (name: string) => void,
): Promise<void> {
  const inodes = new Map<string, number>();
  for (;;) {
    context.flush();
    await new Promise((resolve) => setTimeout(resolve, pollMs));
    for (const name of names) {
      let source: ByteSource;
      try {
        const stats = context.fs.statSync(name);
        const replaced = byName && (inodes.get(name) ?? stats.ino) !== stats.ino;
        inodes.set(name, stats.ino);
        const from = sizes.get(name) ?? 0;
        if (replaced || stats.size < from) {
          context.writeError(
            `tail: ${name}: file ${replaced ? "has been replaced" : "truncated"}\n`,
          );
          sizes.set(name, 0);
        }
        if (stats.size === sizes.get(name)) continue;
        source = openFile(context, name);
      } catch {
        continue;
      }
      announce(name);
      sizes.set(name, copyFrom(context, source, sizes.get(name) ?? 0));
    }
  }
}

function copyFrom(context: CommandContext, source: ByteSource, from: number): number {
  let position = 0;
  for (;;) {
    const chunk = source.read();
    if (chunk.length === 0) break;
    const skip = Math.min(Math.max(from - position, 0), chunk.length);
    context.write(chunk.subarray(skip));
    position += chunk.length;
  }
  source.close();
  return position;
}
