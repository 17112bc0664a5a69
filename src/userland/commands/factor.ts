/** Owns `factor`, for numbers small enough to be divided by trial. */
import type { Command } from "../command.js";
import { LineReader, standardInput } from "../support/input.js";
import { parseOptions } from "../support/options.js";
import { quoted } from "../support/text.js";

export const main: Command = (context) => {
  const options = parseOptions(context, "");
  let status = 0;
  const one = (word: string) => {
    if (!/^\+?\d+$/.test(word) || Number(word) > Number.MAX_SAFE_INTEGER) {
      const why = /^\+?\d+$/.test(word) ? "is too large" : "is not a valid positive integer";
      context.writeError(`factor: ${quoted(word)} ${why}\n`);
      status = 1;
      return;
    }
    const factors: number[] = [];
    let rest = Number(word);
    for (let divisor = 2; divisor * divisor <= rest; divisor += divisor === 2 ? 1 : 2) {
      for (; rest % divisor === 0; rest /= divisor) factors.push(divisor);
    }
    if (rest > 1) factors.push(rest);
    context.write(`${[`${Number(word)}:`, ...factors].join(" ")}\n`);
  };
  if (options.operands.length > 0) options.operands.forEach(one);
  else {
    const reader = new LineReader(standardInput(context));
    for (let line = reader.next(); line !== undefined; line = reader.next()) {
      for (const word of line.split(/\s+/)) if (word !== "") one(word);
    }
  }
  return status;
};
