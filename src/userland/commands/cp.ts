/** Owns `cp`. */
import { CommandFailure, type Command } from "../command.js";
import { Copier, targetsOf } from "../support/copy.js";
import { joinPath } from "../support/files.js";
import { parseOptions, usageFailure } from "../support/options.js";

export const main: Command = (context) => {
  const options = parseOptions(context, "abdfHilLnPprRsS:t:Tuvx", {
    archive: "a",
    "backup=?": "b",
    force: "f",
    interactive: "i",
    link: "l",
    dereference: "L",
    "no-clobber": "n",
    "no-dereference": "P",
    "preserve=?": "preserve",
    "no-preserve=": "noPreserve",
    parents: "parents",
    recursive: "r",
    "symbolic-link": "s",
    "suffix=": "S",
    "target-directory=": "t",
    "no-target-directory": "T",
    update: "u",
    verbose: "v",
    "reflink=?": "reflink",
    "sparse=": "sparse",
    "one-file-system": "x",
  });
  const found = targetsOf(context, options.operands, options.get("t"), options.has("T"));
  if ("failure" in found) {
    throw found.usage ? usageFailure(context, found.failure) : new CommandFailure(found.failure);
  }
  const recursive = options.has("r", "R", "a");
  const which = options.last("a", "d", "P", "L", "H");
  const kept = options
    .all("preserve")
    .flatMap((word) => (word || "mode,ownership,timestamps").split(","));
  const keeps = (name: string) =>
    options.has("a", "p") || kept.includes(name) || kept.includes("all");
  const copier = new Copier(context, {
    recursive,
    follow:
      which === "L"
        ? "always"
        : which === "H"
          ? "named"
          : which !== undefined || recursive
            ? "never"
            : "always",
    preserveMode: keeps("mode"),
    preserveTimes: keeps("timestamps"),
    preserveOwner: keeps("ownership"),
    force: options.has("f"),
    interactive: options.last("i", "n", "f") === "i",
    noClobber: options.last("i", "n") === "n",
    update: options.has("u"),
    verbose: options.has("v"),
    hardLink: options.has("l"),
    symbolicLink: options.has("s"),
    backupSuffix: options.has("b", "S") ? (options.get("S") ?? "~") : undefined,
  });
  for (const [source, target] of found.pairs) {
    if (!options.has("parents")) copier.copy(source, target);
    else {
      const directory = options.get("t") ?? options.operands.at(-1)!;
      const slash = source.lastIndexOf("/");
      if (slash > 0) {
        context.fs.mkdirSync(joinPath(directory, source.slice(0, slash)), { recursive: true });
      }
      copier.copy(source, joinPath(directory, source.replace(/^\/+/, "")));
    }
  }
  return copier.failed ? 1 : 0;
};
