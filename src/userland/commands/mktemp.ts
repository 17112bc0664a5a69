/** Owns `mktemp`. */
import { randomInt } from "node:crypto";
import { CommandFailure, type Command } from "../command.js";
import { errorCode, errorText } from "../support/errors.js";
import { joinPath } from "../support/files.js";
import { parseOptions, usageFailure } from "../support/options.js";
import { quoted } from "../support/text.js";

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

export const main: Command = (context) => {
  const options = parseOptions(context, "dqup:t", {
    directory: "d",
    quiet: "q",
    "dry-run": "u",
    "tmpdir=?": "p",
    "suffix=": "suffix",
  });
  const { fs, env } = context;
  if (options.operands.length > 1) throw usageFailure(context, "too many templates");
  const given = options.operands[0];
  let template = given ?? "tmp.XXXXXXXXXX";
  let suffix = options.get("suffix");
  if (suffix === undefined) {
    const last = template.lastIndexOf("X");
    suffix = template.slice(last + 1);
    template = template.slice(0, last + 1);
  }
  const run = /X*$/.exec(template)![0].length;
  if (run < 3) throw new CommandFailure(`too few X's in template ${quoted(given ?? template)}`);
  const stem = template.slice(0, template.length - run);
  const inDirectory = given === undefined || options.has("p", "t");
  if (inDirectory && stem.startsWith("/")) {
    throw new CommandFailure(
      `invalid template, ${quoted(given ?? "")}; with --tmpdir, it may not be absolute`,
    );
  }
  const directory = options.get("p") || env["TMPDIR"] || "/tmp";
  const kind = options.has("d") ? "directory" : "file";
  for (let tries = 0; tries < 1000; tries++) {
    let name = stem;
    for (let at = 0; at < run; at++) name += letters[randomInt(letters.length)]!;
    const path = inDirectory ? joinPath(directory, name + suffix) : name + suffix;
    try {
      if (options.has("u")) {
        if (fs.existsSync(path)) continue;
      } else if (options.has("d")) fs.mkdirSync(path, 0o700);
      else fs.closeSync(fs.openSync(path, "wx", 0o600));
      context.write(`${path}\n`);
      return 0;
    } catch (error) {
      if (errorCode(error) === "EEXIST") continue;
      const shown = inDirectory ? joinPath(directory, template + suffix) : template + suffix;
      if (!options.has("q")) {
        context.writeError(
          `mktemp: failed to create ${kind} via template ${quoted(shown)}: ${errorText(error)}\n`,
        );
      }
      return 1;
    }
  }
  throw new CommandFailure(
    `failed to create ${kind} via template ${quoted(template)}: File exists`,
  );
};
