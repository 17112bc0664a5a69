/** Owns `sleep`. */
import type { Command } from "../command.js";
import { usageFailure } from "../support/options.js";
import { parseDuration } from "../support/duration.js";
import { quoted } from "../support/text.js";

const maxTimerMs = 0x7fffffff;

export const main: Command = async (context) => {
  const words = context.argv.slice(1).filter((word) => word !== "--");
  if (words.length === 0) throw usageFailure(context, "missing operand");
  let leftMs = 0;
  for (const word of words) {
    const ms = parseDuration(word);
    if (ms === undefined) throw usageFailure(context, `invalid time interval ${quoted(word)}`);
    leftMs += ms;
  }
  while (leftMs > 0) {
    const stepMs = Math.min(leftMs, maxTimerMs);
    await new Promise((resolve) => setTimeout(resolve, stepMs));
    leftMs -= stepMs;
  }
  return 0;
};
