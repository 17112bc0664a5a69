/** Owns `sed`'s command line. */
import type { Command } from "../../command.js";
import { CommandExit, CommandFailure } from "../../command.js";
import { errorText } from "../../support/errors.js";
import { openInput, readAll } from "../../support/input.js";
import { parseOptions } from "../../support/options.js";
import { byteString, toBytes } from "../../support/text.js";
import { SedExecutor } from "./execute.js";
import { SedParser } from "./parse.js";

export const main: Command = (context) => {
  const options = parseOptions(
    context,
    "bnrEe:f:i::l:suz",
    {
      quiet: "n",
      silent: "n",
      "regexp-extended": "E",
      "expression=": "e",
      "file=": "f",
      "in-place=?": "i",
      "line-length=": "l",
      separate: "s",
      unbuffered: "u",
      "null-data": "z",
      posix: "posix",
      debug: "debug",
      sandbox: "sandbox",
      "follow-symlinks": "follow",
    },
    { usage: "[OPTION]... {script-only-if-no-other-script} [input-file]..." },
  );
  const files = [...options.operands];
  const parser = new SedParser({ extended: options.has("E", "r") });
  let quiet = options.has("n");
  const scripts = options.list.filter(({ key }) => key === "e" || key === "f");
  if (scripts.length === 0) {
    const script = files.shift();
    if (script === undefined) {
      context.writeError(
        "Usage: sed [OPTION]... {script-only-if-no-other-script} [input-file]...\n",
      );
      throw new CommandExit(1);
    }
    scripts.push({ key: "e", value: script });
  }
  // A text of a, i or c that ends in a backslash goes on in the next -e.
  let pending = "";
  scripts.forEach(({ key, value }, index) => {
    const text = key === "e" ? toBytes(value) : readScript(context, value);
    if (index === 0 && text.startsWith("#n\n")) quiet = true;
    pending += text;
    if (key === "e" && index < scripts.length - 1 && /(?:^|[^\\])(?:\\\\)*\\$/.test(text)) {
      pending += "\n";
      return;
    }
    parser.add(pending);
    pending = "";
  });
  const inPlace = options.get("i");
  const executor = new SedExecutor(context, parser.finish(), files.length === 0 ? ["-"] : files, {
    quiet,
    separate: options.has("s", "i"),
    inPlace,
    delimiter: options.has("z") ? "\0" : "\n",
    unbuffered: options.has("u"),
  });
  return executor.execute();
};

function readScript(context: Parameters<Command>[0], path: string): string {
  try {
    return byteString(readAll(openInput(context, path))).replace(/\n$/, "");
  } catch (error) {
    throw new CommandFailure(`couldn't open file ${path}: ${errorText(error)}`);
  }
}
