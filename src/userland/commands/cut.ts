/** Owns `cut`. */
import type { Command } from "../command.js";
import { characterCount, hasWide, sliceCharacters } from "../support/characters.js";
import { eachInput, LineReader } from "../support/input.js";
import { parseOptions, usageFailure } from "../support/options.js";
import { complementOf, parseRanges } from "../support/ranges.js";
import { toBytes } from "../support/text.js";

export const main: Command = (context) => {
  const options = parseOptions(context, "b:c:d:f:nsz", {
    "bytes=": "b",
    "characters=": "c",
    "delimiter=": "d",
    "fields=": "f",
    complement: "complement",
    "only-delimited": "s",
    "output-delimiter=": "output",
    "zero-terminated": "z",
  });
  const kinds = options.list.filter(({ key }) => key === "b" || key === "c" || key === "f");
  if (kinds.length === 0) {
    throw usageFailure(context, "you must specify a list of bytes, characters, or fields");
  }
  if (kinds.length > 1) throw usageFailure(context, "only one list may be specified");
  const fields = kinds[0]!.key === "f";
  if (!fields && options.has("d")) {
    throw usageFailure(
      context,
      "an input delimiter may be specified only when operating on fields",
    );
  }
  if (!fields && options.has("s")) {
    throw usageFailure(
      context,
      "suppressing non-delimited lines makes sense\n\tonly when operating on fields",
    );
  }
  const given = options.get("d");
  const delimiter = given === undefined ? "\t" : given === "" ? "\0" : toBytes(given);
  if (characterCount(delimiter) > 1)
    throw usageFailure(context, "the delimiter must be a single character");
  let ranges = parseRanges(kinds[0]!.value, fields ? "field" : "byte");
  if (options.has("complement")) ranges = complementOf(ranges);
  const end = options.has("z") ? "\0" : "\n";
  const joiner = options.has("output") ? toBytes(options.get("output")!) : fields ? delimiter : "";

  const cutFields = (line: string): string | undefined => {
    if (!line.includes(delimiter)) return options.has("s") ? undefined : line;
    const parts = line.split(delimiter);
    const chosen: string[] = [];
    for (const { from, to } of ranges) {
      for (let at = from; at <= Math.min(to, parts.length); at++) chosen.push(parts[at - 1]!);
    }
    return chosen.join(joiner);
  };
  const cutBytes = (line: string): string =>
    ranges
      .filter(({ from }) => from <= line.length)
      .map(({ from, to }) => line.slice(from - 1, to))
      .join(joiner);
  const cutCharacters = (line: string): string => {
    if (!hasWide(line)) return cutBytes(line);
    const count = characterCount(line);
    return ranges
      .filter(({ from }) => from <= count)
      .map(({ from, to }) => sliceCharacters(line, from - 1, to))
      .join(joiner);
  };
  const convert = fields ? cutFields : kinds[0]!.key === "c" ? cutCharacters : cutBytes;
  const good = eachInput(context, options.operands, (source) => {
    const reader = new LineReader(source, end);
    for (let line = reader.next(); line !== undefined; line = reader.next()) {
      const result = convert(line);
      if (result !== undefined) context.writeBytes(result + end);
    }
  });
  return good ? 0 : 1;
};
