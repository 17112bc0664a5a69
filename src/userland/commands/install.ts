/** Owns `install`. */
import { CommandFailure, type Command } from "../command.js";
import { copyContent, targetsOf } from "../support/copy.js";
import { errorText } from "../support/errors.js";
import { parseMode, statOrNothing } from "../support/files.js";
import { parseOptions, usageFailure } from "../support/options.js";
import { quoted } from "../support/text.js";

export const main: Command = (context) => {
  const options = parseOptions(context, "cdDm:o:g:pst:Tv", {
    directory: "d",
    "mode=": "m",
    "owner=": "o",
    "group=": "g",
    "preserve-timestamps": "p",
    strip: "s",
    "target-directory=": "t",
    "no-target-directory": "T",
    verbose: "v",
  });
  const { fs } = context;
  const modeWord = options.get("m") ?? "755";
  const change = parseMode(modeWord, process.umask());
  if (change === undefined) throw new CommandFailure(`invalid mode ${quoted(modeWord)}`);
  const say = (text: string) => {
    if (options.has("v")) context.write(`${text}\n`);
  };
  if (options.has("d")) {
    if (options.operands.length === 0) throw usageFailure(context, "missing file operand");
    for (const path of options.operands) {
      try {
        fs.mkdirSync(path, { recursive: true });
        fs.chmodSync(path, change(0, true));
        say(`install: creating directory ${quoted(path)}`);
      } catch (error) {
        throw new CommandFailure(`cannot create directory ${quoted(path)}: ${errorText(error)}`);
      }
    }
    return 0;
  }
  const last = options.operands.at(-1);
  if (options.has("D") && last?.includes("/") && !options.has("t")) {
    fs.mkdirSync(last.slice(0, last.lastIndexOf("/")), { recursive: true });
  }
  const found = targetsOf(context, options.operands, options.get("t"), options.has("T"));
  if ("failure" in found) {
    throw found.usage ? usageFailure(context, found.failure) : new CommandFailure(found.failure);
  }
  let status = 0;
  for (const [source, target] of found.pairs) {
    try {
      const stats = fs.statSync(source);
      if (stats.isDirectory()) {
        context.writeError(`install: omitting directory ${quoted(source)}\n`);
        status = 1;
        continue;
      }
      if (statOrNothing(context, target, false) !== undefined) fs.unlinkSync(target);
      copyContent(context, source, target, 0o600);
      fs.chmodSync(target, change(0, false));
      if (options.has("p")) fs.utimesSync(target, stats.atimeMs / 1000, stats.mtimeMs / 1000);
      say(`${quoted(source)} -> ${quoted(target)}`);
    } catch (error) {
      const reading = (error as { path?: string }).path === source;
      context.writeError(
        reading
          ? `install: cannot stat ${quoted(source)}: ${errorText(error)}\n`
          : `install: cannot create regular file ${quoted(target)}: ${errorText(error)}\n`,
      );
      status = 1;
    }
  }
  return status;
};
