/** Owns `cksum`: POSIX's CRC over the bytes and their count. */
import type { Command } from "../command.js";
import { eachInput } from "../support/input.js";
import { parseOptions } from "../support/options.js";

const table = Uint32Array.from({ length: 256 }, (_, index) => {
  let value = index << 24;
  for (let bit = 0; bit < 8; bit++) value = (value << 1) ^ (value & 0x80000000 ? 0x04c11db7 : 0);
  return value >>> 0;
});

export const main: Command = (context) => {
  const options = parseOptions(context, "");
  const good = eachInput(context, options.operands, (source, name) => {
    let sum = 0;
    let length = 0;
    const add = (byte: number) => {
      sum = ((sum << 8) ^ table[((sum >>> 24) ^ byte) & 255]!) >>> 0;
    };
    for (;;) {
      const chunk = source.read();
      if (chunk.length === 0) break;
      length += chunk.length;
      for (const byte of chunk) add(byte);
    }
    for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) add(rest & 255);
    const shown = options.operands.length === 0 ? "" : ` ${name}`;
    context.write(`${~sum >>> 0} ${length}${shown}\n`);
  });
  return good ? 0 : 1;
};
