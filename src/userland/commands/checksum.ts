/** Owns md5sum, sha1sum, sha224sum, sha256sum, sha384sum, sha512sum and b2sum. */
import { createHash } from "node:crypto";
import { CommandFailure, type Command, type CommandContext } from "../command.js";
import { errorText } from "../support/errors.js";
import { eachInput, LineReader, openInput, type ByteSource } from "../support/input.js";
import { parseOptions, type Options } from "../support/options.js";
import { fromBytes } from "../support/text.js";

export const main: Command = (context) => {
  const algorithm = context.name === "b2sum" ? "blake2b512" : context.name.replace(/sum$/, "");
  const title = context.name === "b2sum" ? "BLAKE2b" : algorithm.toUpperCase();
  const options = parseOptions(context, "bctwz", {
    binary: "b",
    check: "c",
    tag: "tag",
    text: "t",
    zero: "z",
    "ignore-missing": "ignore",
    quiet: "quiet",
    status: "status",
    strict: "strict",
    warn: "w",
  });
  if (options.has("c")) return check(context, options, algorithm);
  const good = eachInput(context, options.operands, (source, name) => {
    const digest = digestOf(source, algorithm);
    if (options.has("tag")) context.write(`${title} (${name}) = ${digest}\n`);
    else if (options.has("z")) context.write(`${digest} ${options.has("b") ? "*" : " "}${name}\0`);
    else {
      const escaped = name.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
      const mark = escaped === name ? "" : "\\";
      context.write(`${mark}${digest} ${options.has("b") ? "*" : " "}${escaped}\n`);
    }
  });
  return good ? 0 : 1;
};

function digestOf(source: ByteSource, algorithm: string): string {
  const hash = createHash(algorithm);
  for (;;) {
    const chunk = source.read();
    if (chunk.length === 0) return hash.digest("hex");
    hash.update(chunk);
  }
}

function check(context: CommandContext, options: Options, algorithm: string): number {
  const digits = createHash(algorithm).digest().length * 2;
  const quietly = options.has("status");
  let status = 0;
  const warn = (text: string) => {
    if (!quietly) context.writeError(`${context.name}: ${text}\n`);
  };
  for (const list of options.operands.length === 0 ? ["-"] : options.operands) {
    let [formatted, malformed, failed, unreadable, verified] = [0, 0, 0, 0, 0];
    let reader: LineReader;
    try {
      reader = new LineReader(openInput(context, list));
    } catch (error) {
      throw new CommandFailure(`${list}: ${errorText(error)}`);
    }
    for (let line = reader.next(); line !== undefined; line = reader.next()) {
      const match =
        /^\\?([0-9a-fA-F]+) [ *]?(.+)$/.exec(line) ??
        tagged(/^\w+ \((.+)\) = ([0-9a-fA-F]+)$/.exec(line));
      if (match === null || match[1]!.length !== digits) {
        if (!line.startsWith("#")) malformed++;
        continue;
      }
      formatted++;
      const name = fromBytes(match[2]!);
      try {
        const source = openInput(context, name);
        const good = digestOf(source, algorithm) === match[1]!.toLowerCase();
        source.close();
        verified++;
        if (!good) failed++;
        if (!quietly && !(good && options.has("quiet"))) {
          context.write(`${name}: ${good ? "OK" : "FAILED"}\n`);
        }
      } catch (error) {
        const text = errorText(error);
        if (options.has("ignore") && text === "No such file or directory") continue;
        context.writeError(`${context.name}: ${name}: ${text}\n`);
        if (!quietly) context.write(`${name}: FAILED open or read\n`);
        unreadable++;
      }
    }
    reader.close();
    const title = list === "-" ? "'standard input'" : list;
    const plural = (count: number, one: string, many: string) => (count === 1 ? one : many);
    if (formatted === 0) {
      context.writeError(`${context.name}: ${title}: no properly formatted checksum lines found\n`);
      status = 1;
      continue;
    }
    if (malformed > 0) {
      warn(
        `WARNING: ${malformed} ${plural(malformed, "line is", "lines are")} improperly formatted`,
      );
    }
    if (unreadable > 0) {
      warn(
        `WARNING: ${unreadable} listed ${plural(unreadable, "file", "files")} could not be read`,
      );
    }
    if (failed > 0) {
      warn(`WARNING: ${failed} computed ${plural(failed, "checksum", "checksums")} did NOT match`);
    }
    if (options.has("ignore") && verified === 0) {
      context.writeError(`${context.name}: ${title}: no file was verified\n`);
      status = 1;
    }
    if (failed + unreadable > 0 || (options.has("strict") && malformed > 0)) status = 1;
  }
  return status;
}

function tagged(match: RegExpExecArray | null): [string, string, string] | null {
  return match === null ? null : [match[0], match[2]!, match[1]!];
}
