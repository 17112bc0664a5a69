/** Owns `chown` and `chgrp`. */
import { CommandFailure, type Command, type CommandContext } from "../command.js";
import { errorText } from "../support/errors.js";
import { idOf, joinPath, nameTable, sortedNames } from "../support/files.js";
import { parseOptions, usageFailure, type Options } from "../support/options.js";
import { quoted } from "../support/text.js";

export const main: Command = (context) => {
  const options = parseOptions(context, "cfvRhHLP", {
    changes: "c",
    silent: "f",
    quiet: "f",
    verbose: "v",
    recursive: "R",
    "no-dereference": "h",
    dereference: "deref",
    "reference=": "ref",
    "preserve-root": "preserve",
  });
  let paths = options.operands;
  const reference = options.get("ref");
  let owner: { uid: number; gid: number };
  if (reference !== undefined) owner = context.fs.statSync(reference);
  else {
    const word = paths[0];
    if (word === undefined) throw usageFailure(context, "missing operand");
    paths = paths.slice(1);
    if (paths.length === 0) throw usageFailure(context, `missing operand after ${quoted(word)}`);
    owner = parseOwner(context, context.name === "chgrp" ? `:${word}` : word);
  }
  let status = 0;
  for (const path of paths) if (!apply(context, options, owner, path)) status = 1;
  return status;
};

/** -1 leaves an id as it is. */
function parseOwner(context: CommandContext, word: string): { uid: number; gid: number } {
  const match = /^([^:.]*)(?:[:.](.*))?$/.exec(word)!;
  let [uid, gid] = [-1, -1];
  if (match[1]) {
    const id = idOf(nameTable(context, "passwd"), match[1]);
    if (id === undefined) throw new CommandFailure(`invalid user: ${quoted(word)}`);
    uid = id;
  }
  if (match[2]) {
    const id = idOf(nameTable(context, "group"), match[2]);
    const shown = context.name === "chgrp" ? match[2] : word;
    if (id === undefined) throw new CommandFailure(`invalid group: ${quoted(shown)}`);
    gid = id;
  }
  return { uid, gid };
}

function apply(
  context: CommandContext,
  options: Options,
  owner: { uid: number; gid: number },
  path: string,
): boolean {
  const { fs } = context;
  try {
    const link = fs.lstatSync(path);
    const stats = link.isSymbolicLink() && !options.has("h", "R") ? fs.statSync(path) : link;
    const uid = owner.uid === -1 ? stats.uid : owner.uid;
    const gid = owner.gid === -1 ? stats.gid : owner.gid;
    if (link.isSymbolicLink() && options.has("h", "R")) fs.lchownSync(path, uid, gid);
    else fs.chownSync(path, uid, gid);
    let good = true;
    if (options.has("R") && link.isDirectory()) {
      for (const name of sortedNames(context, path)) {
        good = apply(context, options, owner, joinPath(path, name)) && good;
      }
    }
    return good;
  } catch (error) {
    const { syscall } = error as { syscall?: string };
    const what = !syscall?.endsWith("chown")
      ? "cannot access"
      : context.name === "chgrp"
        ? "changing group of"
        : "changing ownership of";
    const text = errorText(error);
    if (!options.has("f"))
      context.writeError(`${context.name}: ${what} ${quoted(path)}: ${text}\n`);
    return false;
  }
}
