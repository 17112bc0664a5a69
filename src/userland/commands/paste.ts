/** Owns `paste`. */
import { CommandFailure, type Command } from "../command.js";
import { errorText } from "../support/errors.js";
import { LineReader, openInput } from "../support/input.js";
import { parseOptions } from "../support/options.js";
import { toBytes } from "../support/text.js";

export const main: Command = (context) => {
  const options = parseOptions(context, "d:sz", {
    "delimiters=": "d",
    serial: "s",
    "zero-terminated": "z",
  });
  const end = options.has("z") ? "\0" : "\n";
  const delimiters = delimitersOf(toBytes(options.get("d") ?? "\t"));
  const names = options.operands.length === 0 ? ["-"] : options.operands;
  let status = 0;
  // Several - share the lines of standard input.
  let standard: LineReader | undefined;
  const readers = names.map((name) => {
    try {
      if (name !== "-") return new LineReader(openInput(context, name), end);
      return (standard ??= new LineReader(openInput(context, "-"), end));
    } catch (error) {
      if (!options.has("s")) throw new CommandFailure(`${name}: ${errorText(error)}`);
      context.writeError(`paste: ${name}: ${errorText(error)}\n`);
      status = 1;
      return undefined;
    }
  });
  if (options.has("s")) {
    for (const reader of readers) {
      if (reader === undefined) continue;
      let count = 0;
      for (let line = reader.next(); line !== undefined; line = reader.next()) {
        context.writeBytes(
          (count === 0 ? "" : delimiters[(count - 1) % delimiters.length]!) + line,
        );
        count++;
      }
      context.writeBytes(end);
    }
    return status;
  }
  for (;;) {
    const lines = readers.map((reader) => reader!.next());
    if (lines.every((line) => line === undefined)) return status;
    const text = lines
      .map((line, at) => (at === 0 ? "" : delimiters[(at - 1) % delimiters.length]!) + (line ?? ""))
      .join("");
    context.writeBytes(text + end);
  }
};

function delimitersOf(text: string): string[] {
  const list = [...text.matchAll(/\\([^])|([^])/g)].map(
    ([, escaped, plain]) =>
      plain ??
      ({ n: "\n", t: "\t", "0": "", "\\": "\\" } as Record<string, string>)[escaped!] ??
      escaped!,
  );
  return list.length === 0 ? [""] : list;
}
