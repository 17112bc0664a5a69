/** Owns `head`. */
import { CommandFailure, type Command, type CommandContext } from "../command.js";
import { chunkBytes, eachInput, LineReader, type ByteSource } from "../support/input.js";
import { parseOptions } from "../support/options.js";
import { byteString, parseSize, quoted } from "../support/text.js";

export const main: Command = (context) => {
  const options = parseOptions(
    context,
    "n:c:qvz",
    {
      "lines=": "n",
      "bytes=": "c",
      quiet: "q",
      silent: "q",
      verbose: "v",
      "zero-terminated": "z",
    },
    { numberOption: "n" },
  );
  const unit = options.last("n", "c") ?? "n";
  const text = options.get(unit) ?? "10";
  const allBut = text.startsWith("-");
  const count = parseSize(text.replace(/^[-+]/, ""));
  if (count === undefined) {
    throw new CommandFailure(
      `invalid number of ${unit === "n" ? "lines" : "bytes"}: ${quoted(text)}`,
    );
  }
  const delimiter = options.has("z") ? "\0" : "\n";
  const headers = options.has("v") || (options.operands.length > 1 && !options.has("q"));
  let first = true;
  const show = (source: ByteSource, name: string) => {
    if (headers) {
      const title = name === "-" ? "standard input" : name;
      context.write(`${first ? "" : "\n"}==> ${title} <==\n`);
    }
    first = false;
    if (unit === "c") (allBut ? bytesAllBut : firstBytes)(context, source, count);
    else (allBut ? linesAllBut : firstLines)(context, source, count, delimiter);
  };
  const good = eachInput(context, options.operands, show, (name, reason) =>
    reason === "Is a directory"
      ? `error reading ${quoted(name)}: ${reason}`
      : `cannot open ${quoted(name)} for reading: ${reason}`,
  );
  return good ? 0 : 1;
};

function firstBytes(context: CommandContext, source: ByteSource, count: number): void {
  for (let left = count; left > 0;) {
    const chunk = source.read(Math.min(left, chunkBytes));
    if (chunk.length === 0) return;
    context.write(chunk);
    left -= chunk.length;
  }
}

function firstLines(
  context: CommandContext,
  source: ByteSource,
  count: number,
  delimiter: string,
): void {
  const code = delimiter.charCodeAt(0);
  for (let left = count; left > 0;) {
    const chunk = source.read();
    if (chunk.length === 0) return;
    let end = 0;
    while (left > 0) {
      const found = chunk.indexOf(code, end);
      end = found === -1 ? chunk.length : found + 1;
      if (found === -1) break;
      left--;
    }
    context.write(chunk.subarray(0, end));
    if (end < chunk.length) source.unread?.(chunk.length - end);
  }
}

function bytesAllBut(context: CommandContext, source: ByteSource, count: number): void {
  let held = "";
  for (;;) {
    const chunk = source.read();
    if (chunk.length === 0) return;
    held += byteString(chunk);
    if (held.length > count) {
      context.writeBytes(held.slice(0, held.length - count));
      held = held.slice(held.length - count);
    }
  }
}

function linesAllBut(
  context: CommandContext,
  source: ByteSource,
  count: number,
  delimiter: string,
): void {
  const reader = new LineReader(source, delimiter);
  const held: string[] = [];
  let start = 0;
  for (let line = reader.next(); line !== undefined; line = reader.next()) {
    held.push(line + (reader.terminated ? delimiter : ""));
    if (held.length - start > count) {
      context.writeBytes(held[start]!);
      held[start++] = "";
      if (start > 4096) {
        held.splice(0, start);
        start = 0;
      }
    }
  }
}
