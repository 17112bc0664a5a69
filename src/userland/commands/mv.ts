/** Owns `mv`. */
import { CommandFailure, type Command, type CommandContext } from "../command.js";
import { Copier, targetsOf } from "../support/copy.js";
import { errorCode, errorText } from "../support/errors.js";
import { confirmed, statOrNothing, withoutTrailingSlashes } from "../support/files.js";
import { parseOptions, usageFailure } from "../support/options.js";
import { quoted } from "../support/text.js";

export const main: Command = (context) => {
  const options = parseOptions(context, "bfinS:t:Tuv", {
    "backup=?": "b",
    force: "f",
    interactive: "i",
    "no-clobber": "n",
    "suffix=": "S",
    "target-directory=": "t",
    "no-target-directory": "T",
    update: "u",
    verbose: "v",
  });
  const found = targetsOf(context, options.operands, options.get("t"), options.has("T"));
  if ("failure" in found) {
    throw found.usage ? usageFailure(context, found.failure) : new CommandFailure(found.failure);
  }
  const mode = options.last("f", "i", "n");
  let status = 0;
  const complain = (message: string) => {
    context.writeError(`mv: ${message}\n`);
    status = 1;
  };
  for (const [source, target] of found.pairs) {
    const stats = statOrNothing(context, source, false);
    if (stats === undefined) {
      complain(`cannot stat ${quoted(source)}: No such file or directory`);
      continue;
    }
    const existing = statOrNothing(context, target, false);
    if (existing === undefined && target.endsWith("/") && !stats.isDirectory()) {
      complain(`cannot move ${quoted(source)} to ${quoted(target)}: Not a directory`);
      continue;
    }
    if (existing !== undefined) {
      if (mode === "n") continue;
      // With a backup of the one name the other may take its place; a link is not put over what it leads to.
      const backs = options.has("b", "S") && source !== target;
      const reached = stats.isSymbolicLink() ? statOrNothing(context, source, true) : stats;
      const isSame = [stats, reached].some(
        (each) => each?.ino === existing.ino && each.dev === existing.dev,
      );
      if (isSame && !backs) {
        complain(`${quoted(source)} and ${quoted(target)} are the same file`);
        continue;
      }
      if (options.has("u") && existing.mtimeMs >= stats.mtimeMs) continue;
      if (mode === "i" && !confirmed(context, `overwrite ${quoted(target)}? `)) continue;
      if (existing.isDirectory() && !stats.isDirectory()) {
        complain(`cannot overwrite directory ${quoted(target)} with non-directory`);
        continue;
      }
      if (!existing.isDirectory() && stats.isDirectory()) {
        complain(
          `cannot overwrite non-directory ${quoted(target)} with directory ${quoted(source)}`,
        );
        continue;
      }
      if (options.has("b", "S")) context.fs.renameSync(target, target + (options.get("S") ?? "~"));
    }
    try {
      move(context, source, target);
      if (options.has("v")) context.write(`renamed ${quoted(source)} -> ${quoted(target)}\n`);
    } catch (error) {
      if (error instanceof CommandFailure) complain(error.message);
      else if (errorCode(error) === "EINVAL") {
        complain(`cannot move ${quoted(source)} to a subdirectory of itself, ${quoted(target)}`);
      } else complain(`cannot move ${quoted(source)} to ${quoted(target)}: ${errorText(error)}`);
    }
  }
  return status;
};

function move(context: CommandContext, source: string, target: string): void {
  try {
    context.fs.renameSync(withoutTrailingSlashes(source), withoutTrailingSlashes(target));
  } catch (error) {
    if (errorCode(error) !== "EXDEV") throw error;
    // Another mount: copy everything with its attributes, then remove the original.
    const copier = new Copier(context, {
      recursive: true,
      follow: "never",
      preserveMode: true,
      preserveTimes: true,
      preserveOwner: true,
      force: true,
      interactive: false,
      noClobber: false,
      update: false,
      verbose: false,
      hardLink: false,
      symbolicLink: false,
    });
    copier.copy(source, target);
    if (copier.failed)
      throw new CommandFailure(`cannot move ${quoted(source)} to ${quoted(target)}`);
    context.fs.rmSync(source, { recursive: true });
  }
}
