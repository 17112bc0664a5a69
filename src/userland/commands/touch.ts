/** Owns `touch`. */
import { CommandFailure, type Command } from "../command.js";
import { parseDate } from "../support/parse-date.js";
import { errorCode, errorText } from "../support/errors.js";
import { parseOptions, usageFailure } from "../support/options.js";
import { quoted } from "../support/text.js";

export const main: Command = (context) => {
  const options = parseOptions(context, "acd:fhmr:t:", {
    "no-create": "c",
    "date=": "d",
    "no-dereference": "h",
    "reference=": "r",
    "time=": "time",
  });
  const { fs } = context;
  if (options.operands.length === 0) throw usageFailure(context, "missing file operand");
  const now = Date.now();
  let atimeMs = now;
  let mtimeMs = now;
  const [date, stamp, reference] = [options.get("d"), options.get("t"), options.get("r")];
  if (reference !== undefined) {
    try {
      const stats = fs.statSync(reference);
      [atimeMs, mtimeMs] = [stats.atimeMs, stats.mtimeMs];
    } catch (error) {
      throw new CommandFailure(
        `failed to get attributes of ${quoted(reference)}: ${errorText(error)}`,
      );
    }
  }
  if (date !== undefined) {
    const parsed = parseDate(date, new Date(mtimeMs));
    if (parsed === undefined) throw new CommandFailure(`invalid date format ${quoted(date)}`);
    atimeMs = mtimeMs = parsed;
  }
  if (stamp !== undefined) atimeMs = mtimeMs = parseStamp(stamp);
  const which = options.get("time");
  const onlyA = options.has("a") || (which !== undefined && /^(atime|access|use)$/.test(which));
  const onlyM = options.has("m") || (which !== undefined && /^(mtime|modify)$/.test(which));
  let status = 0;
  for (const path of options.operands) {
    try {
      let stats;
      try {
        stats = options.has("h") ? fs.lstatSync(path) : fs.statSync(path);
      } catch (error) {
        if (errorCode(error) !== "ENOENT") throw error;
        if (options.has("c", "h")) continue;
        fs.closeSync(fs.openSync(path, "a"));
        if (
          date === undefined &&
          stamp === undefined &&
          reference === undefined &&
          !onlyA &&
          !onlyM
        ) {
          continue;
        }
        stats = fs.statSync(path);
      }
      const a = (onlyM && !onlyA ? stats.atimeMs : atimeMs) / 1000;
      const m = (onlyA && !onlyM ? stats.mtimeMs : mtimeMs) / 1000;
      if (options.has("h")) fs.lutimesSync(path, a, m);
      else fs.utimesSync(path, a, m);
    } catch (error) {
      const what =
        errorCode(error) === "ENOENT" ||
        errorCode(error) === "ENOTDIR" ||
        errorCode(error) === "EACCES"
          ? "cannot touch"
          : "setting times of";
      context.writeError(`touch: ${what} ${quoted(path)}: ${errorText(error)}\n`);
      status = 1;
    }
  }
  return status;
};

/** [[CC]YY]MMDDhhmm[.ss], local time. */
function parseStamp(text: string): number {
  const match = /^(\d\d)?(\d\d)?(\d\d)(\d\d)(\d\d)(\d\d)(?:\.(\d\d))?$/.exec(text);
  if (match === null) throw new CommandFailure(`invalid date format ${quoted(text)}`);
  const [month, day, hour, minute] = match.slice(3, 7).map(Number) as [
    number,
    number,
    number,
    number,
  ];
  // With one pair before the month it is the year within the century.
  const pair = match[2] ?? match[1];
  const year =
    pair === undefined
      ? new Date().getFullYear()
      : match[2] === undefined
        ? Number(pair) + (Number(pair) < 69 ? 2000 : 1900)
        : Number(match[1]! + match[2]);
  const date = new Date(year, month - 1, day, hour, minute, Number(match[7] ?? 0));
  if (month < 1 || month > 12 || date.getDate() !== day || hour > 23 || minute > 59) {
    throw new CommandFailure(`invalid date format ${quoted(text)}`);
  }
  return date.getTime();
}
