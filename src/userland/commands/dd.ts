/** Owns `dd`: blocks from input to output, without conversions but for case and padding. */
import { CommandFailure, type Command } from "../command.js";
import { errorText } from "../support/errors.js";
import { usageFailure } from "../support/options.js";
import { byteString, bytesOf, parseSize, quoted } from "../support/text.js";

const maxBlockBytes = 256 * 1024 * 1024;

export const main: Command = (context) => {
  const given = new Map<string, string>();
  for (const word of context.argv.slice(1)) {
    const match = /^(if|of|bs|ibs|obs|cbs|count|skip|seek|conv|iflag|oflag|status)=(.*)$/.exec(
      word,
    );
    if (match === null) throw usageFailure(context, `unrecognized operand ${quoted(word)}`);
    given.set(match[1]!, match[2]!);
  }
  const number = (key: string, fallback: number): number => {
    const text = given.get(key);
    if (text === undefined) return fallback;
    const factors = text.split("x").map((part) => parseSize(part.replace(/w$/, "")));
    if (factors.some((factor) => factor === undefined)) {
      throw new CommandFailure(`invalid number: ${quoted(text)}`);
    }
    return factors.reduce<number>((product, factor) => product * factor!, 1);
  };
  const { fs } = context;
  const blockBytes = number("bs", number("ibs", 512));
  if (blockBytes === 0 || blockBytes > maxBlockBytes) {
    throw new CommandFailure(
      `invalid number: ${quoted(given.get("bs") ?? given.get("ibs") ?? "0")}`,
    );
  }
  const count = number("count", Infinity);
  const conversions = (given.get("conv") ?? "").split(",").filter((word) => word !== "");
  const inputFlags = (given.get("iflag") ?? "").split(",");
  const unknown = conversions.find(
    (word) =>
      ![
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
      ].includes(word),
  );
  if (unknown !== undefined) throw usageFailure(context, `invalid conversion: ${quoted(unknown)}`);
  const open = (path: string | undefined, flags: number | string): number | undefined => {
    if (path === undefined) return undefined;
    try {
      return fs.openSync(path, flags, 0o666);
    } catch (error) {
      throw new CommandFailure(`failed to open ${quoted(path)}: ${errorText(error)}`);
    }
  };
  const input = open(given.get("if"), "r");
  const { O_WRONLY, O_CREAT, O_TRUNC, O_EXCL } = fs.constants;
  const seek = number("seek", 0) * number("obs", blockBytes);
  const flags =
    O_WRONLY |
    (conversions.includes("nocreat") ? 0 : O_CREAT) |
    (conversions.includes("excl") ? O_EXCL : 0);
  const output = open(
    given.get("of"),
    flags | (conversions.includes("notrunc") || seek > 0 ? 0 : O_TRUNC),
  );
  if (output !== undefined && seek > 0 && !conversions.includes("notrunc"))
    fs.ftruncateSync(output, seek);
  const block = Buffer.allocUnsafe(blockBytes);
  const readBlock = (full: boolean): number => {
    let length = 0;
    do {
      let count_: number;
      if (input === undefined) {
        const chunk = context.readInput(blockBytes - length);
        block.set(chunk, length);
        count_ = chunk.length;
      } else count_ = fs.readSync(input, block, length, blockBytes - length, null);
      if (count_ === 0) break;
      length += count_;
    } while (full && length < blockBytes);
    return length;
  };
  const started = performance.now();
  let position = seek;
  let total = 0;
  const [inputs, outputs] = [
    { full: 0, partial: 0 },
    { full: 0, partial: 0 },
  ];
  for (let skipped = number("skip", 0); skipped > 0; skipped--) if (readBlock(true) === 0) break;
  for (let done = 0; done < count; done++) {
    const length = readBlock(inputFlags.includes("fullblock"));
    if (length === 0) break;
    inputs[length === blockBytes ? "full" : "partial"]++;
    let data: Buffer = block.subarray(0, length);
    if (conversions.includes("sync") && length < blockBytes) {
      block.fill(0, length);
      data = block;
    }
    if (conversions.includes("ucase"))
      data = bytesOf(byteString(data).replace(/[a-z]+/g, (text) => text.toUpperCase()));
    if (conversions.includes("lcase"))
      data = bytesOf(byteString(data).replace(/[A-Z]+/g, (text) => text.toLowerCase()));
    if (conversions.includes("swab"))
      data = Buffer.from(data.subarray(0, data.length & ~1)).swap16();
    outputs[data.length === blockBytes ? "full" : "partial"]++;
    total += data.length;
    if (output === undefined) context.write(Buffer.from(data));
    else {
      for (let at = 0; at < data.length;) {
        const written = fs.writeSync(output, data, at, data.length - at, position);
        at += written;
        position += written;
      }
    }
  }
  context.flush();
  if (input !== undefined) fs.closeSync(input);
  if (output !== undefined) fs.closeSync(output);
  const status = given.get("status");
  if (status === "none") return 0;
  context.writeError(
    `${inputs.full}+${inputs.partial} records in\n${outputs.full}+${outputs.partial} records out\n`,
  );
  if (status !== "noxfer") {
    const elapsed = Math.max((performance.now() - started) / 1000, 1e-6);
    const rate = (total / elapsed / 1e6).toFixed(1);
    context.writeError(
      `${total} bytes copied, ${Number(elapsed.toPrecision(6))} s, ${rate} MB/s\n`,
    );
  }
  return 0;
};
