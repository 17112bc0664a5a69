/** Owns `date`. */
import { CommandFailure, type Command } from "../command.js";
import { errorText } from "../support/errors.js";
import { LineReader, openInput } from "../support/input.js";
import { parseOptions, usageFailure } from "../support/options.js";
import { parseDate } from "../support/parse-date.js";
import { strftime } from "../support/strftime.js";
import { quoted } from "../support/text.js";

const isoFormats = new Map([
  ["", "%Y-%m-%d"],
  ["date", "%Y-%m-%d"],
  ["hours", "%Y-%m-%dT%H%:z"],
  ["minutes", "%Y-%m-%dT%H:%M%:z"],
  ["seconds", "%Y-%m-%dT%H:%M:%S%:z"],
  ["ns", "%Y-%m-%dT%H:%M:%S,%N%:z"],
]);

export const main: Command = (context) => {
  const options = parseOptions(context, "d:f:I::r:Rs:u", {
    "date=": "d",
    "file=": "f",
    "iso-8601=?": "I",
    "reference=": "r",
    "rfc-email": "R",
    "rfc-822": "R",
    "rfc-3339=": "3339",
    "set=": "s",
    utc: "u",
    universal: "u",
  });
  const utc = options.has("u");
  let format = "%a %b %e %H:%M:%S %Z %Y";
  const style = options.last("I", "R", "3339");
  if (style === "I") {
    const found = isoFormats.get(options.get("I")!);
    if (found === undefined) {
      throw usageFailure(context, `invalid argument ${quoted(options.get("I")!)} for '--iso-8601'`);
    }
    format = found;
  } else if (style === "R") format = "%a, %d %b %Y %H:%M:%S %z";
  else if (style === "3339") {
    format =
      { date: "%Y-%m-%d", seconds: "%Y-%m-%d %H:%M:%S%:z" }[options.get("3339")!] ??
      "%Y-%m-%d %H:%M:%S.%N%:z";
  }
  const operand = options.operands[0];
  if (options.operands.length > 1) {
    throw usageFailure(context, `extra operand ${quoted(options.operands[1]!)}`);
  }
  if (operand?.startsWith("+")) format = operand.slice(1);
  else if (operand !== undefined) {
    throw new CommandFailure(
      /^\d+$/.test(operand)
        ? "cannot set date: Operation not permitted"
        : `invalid date ${quoted(operand)}`,
    );
  }
  const show = (ms: number, nanos?: number) =>
    context.write(`${strftime(format, ms, utc, nanos)}\n`);
  if (options.has("s")) throw new CommandFailure("cannot set date: Operation not permitted");
  const reference = options.get("r");
  if (reference !== undefined) {
    try {
      show(context.fs.statSync(reference).mtimeMs);
    } catch (error) {
      throw new CommandFailure(`${reference}: ${errorText(error)}`);
    }
    return 0;
  }
  const file = options.get("f");
  const texts =
    file === undefined
      ? options.all("d").slice(-1)
      : [...linesOf(new LineReader(openInput(context, file)))];
  if (file === undefined && texts.length === 0) {
    show(Date.now());
    return 0;
  }
  let status = 0;
  for (const text of texts) {
    const ms = parseDate(text, new Date(), utc);
    if (ms === undefined || Number.isNaN(new Date(ms).getTime())) {
      context.writeError(`date: invalid date ${quoted(text)}\n`);
      status = 1;
    } else show(ms);
  }
  return status;
};

function* linesOf(reader: LineReader): Generator<string> {
  for (let line = reader.next(); line !== undefined; line = reader.next()) yield line;
}
