/** Owns `split`. */
import { CommandFailure, type Command } from "../command.js";
import { errorText } from "../support/errors.js";
import { LineReader, openInput, readAll } from "../support/input.js";
import { parseOptions } from "../support/options.js";
import { bytesOf, parseSize, quoted } from "../support/text.js";

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
  const size = (key: string, what: string): number => {
    const value = parseSize(options.get(key)!);
    if (value === undefined || value === 0)
      throw new CommandFailure(`invalid number of ${what}: ${quoted(options.get(key)!)}`);
    return value;
  };
  const alphabet = options.has("x")
    ? "0123456789abcdef"
    : options.has("d")
      ? "0123456789"
      : "abcdefghijklmnopqrstuvwxyz";
  const length = Number(options.get("a") ?? 2) || 2;
  let index = Number(options.get("d") || options.get("x") || 0);
  const open = (): number => {
    let rest = index++;
    let suffix = "";
    for (let at = 0; at < length; at++) {
      suffix = alphabet[rest % alphabet.length]! + suffix;
      rest = Math.floor(rest / alphabet.length);
    }
    if (rest > 0) throw new CommandFailure("output file suffixes exhausted");
    const path = prefix + suffix + (options.get("extra") ?? "");
    if (options.has("v")) context.write(`creating file ${quoted(path)}\n`);
    return context.fs.openSync(path, "w");
  };
  const write = (fd: number, data: Uint8Array) => {
    for (let at = 0; at < data.length;) at += context.fs.writeSync(fd, data, at);
  };
  let source;
  try {
    source = openInput(context, name);
  } catch (error) {
    throw new CommandFailure(`cannot open ${quoted(name)} for reading: ${errorText(error)}`);
  }
  if (options.has("n")) {
    const match = /^(l\/)?([1-9]\d*)$/.exec(options.get("n")!);
    if (match === null)
      throw new CommandFailure(`invalid number of chunks: ${quoted(options.get("n")!)}`);
    const data = readAll(source);
    const count = Number(match[2]);
    let start = 0;
    for (let part = 1; part <= count; part++) {
      let end = part === count ? data.length : Math.floor((data.length * part) / count);
      if (match[1] !== undefined && end > start && part < count) {
        const newline = data.indexOf(10, end - 1);
        end = newline === -1 ? data.length : newline + 1;
      }
      end = Math.max(end, start);
      if (end === start && options.has("e")) continue;
      const fd = open();
      write(fd, data.subarray(start, end));
      context.fs.closeSync(fd);
      start = end;
    }
    return 0;
  }
  if (options.has("b")) {
    const limit = size("b", "bytes");
    let fd = -1;
    let left = 0;
    for (let chunk = source.read(); chunk.length > 0; chunk = source.read()) {
      for (let at = 0; at < chunk.length;) {
        if (left === 0) {
          if (fd >= 0) context.fs.closeSync(fd);
          fd = open();
          left = limit;
        }
        const part = chunk.subarray(at, at + left);
        write(fd, part);
        at += part.length;
        left -= part.length;
      }
    }
    if (fd >= 0) context.fs.closeSync(fd);
    return 0;
  }
  const byBytes = options.has("C");
  const limit = byBytes ? size("C", "bytes") : options.has("l") ? size("l", "lines") : 1000;
  const reader = new LineReader(source);
  let fd = -1;
  let used = limit;
  let pending = "";
  const flush = () => {
    if (fd >= 0) write(fd, bytesOf(pending));
    pending = "";
  };
  for (let line = reader.next(); line !== undefined; line = reader.next()) {
    const text = line + (reader.terminated ? "\n" : "");
    const cost = byBytes ? text.length : 1;
    if (used + cost > limit) {
      flush();
      if (fd >= 0) context.fs.closeSync(fd);
      fd = open();
      used = 0;
    }
    used += cost;
    pending += text;
    if (pending.length > 65536) flush();
  }
  flush();
  if (fd >= 0) context.fs.closeSync(fd);
  return 0;
};
