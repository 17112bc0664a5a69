/** Owns `rm`. */
import type { Command, CommandContext } from "../command.js";
import { errorCode, errorText } from "../support/errors.js";
import {
  baseName,
  confirmed,
  joinPath,
  sortedNames,
  withoutTrailingSlashes,
} from "../support/files.js";
import { parseOptions, usageFailure } from "../support/options.js";
import { quoted } from "../support/text.js";

export const main: Command = (context) => {
  const options = parseOptions(context, "fiIrRdv", {
    force: "f",
    recursive: "r",
    dir: "d",
    verbose: "v",
    "interactive=?": "i",
    "preserve-root=?": "preserve",
    "no-preserve-root": "noPreserve",
    "one-file-system": "one",
  });
  const force = options.last("f", "i", "I") === "f";
  if (options.operands.length === 0) {
    if (options.has("f")) return 0;
    throw usageFailure(context, "missing operand");
  }
  const remover = new Remover(context, {
    force,
    ask: options.last("f", "i") === "i" && options.get("i") !== "never",
    recursive: options.has("r", "R"),
    emptyDirectories: options.has("d"),
    verbose: options.has("v"),
  });
  for (const path of options.operands) {
    const base = baseName(path);
    if (remover.options.recursive && (base === "." || base === "..")) {
      remover.complain(`refusing to remove '.' or '..' directory: skipping ${quoted(path)}`);
    } else if (remover.options.recursive && /^\/+$/.test(path) && !options.has("noPreserve")) {
      remover.complain(
        "it is dangerous to operate recursively on '/'\nrm: use --no-preserve-root to override this failsafe",
      );
    } else remover.remove(path);
  }
  return remover.status;
};

interface RemoveOptions {
  force: boolean;
  ask: boolean;
  recursive: boolean;
  emptyDirectories: boolean;
  verbose: boolean;
}

class Remover {
  status = 0;

  constructor(
    private readonly context: CommandContext,
    readonly options: RemoveOptions,
  ) {}

  complain(message: string): void {
    this.context.writeError(`rm: ${message}\n`);
    this.status = 1;
  }

  /** Whether it is gone. Depth first with a list of its own: trees may be deeper than the stack. */
  remove(operand: string): boolean {
    const { fs } = this.context;
    const pending: { path: string; names: string[]; at: number }[] = [];
    const enter = (path: string): void => {
      try {
        if (!fs.lstatSync(path).isDirectory()) {
          this.#unlink(path);
          return;
        }
        if (!this.options.recursive && !this.options.emptyDirectories) {
          return this.complain(`cannot remove ${quoted(path)}: Is a directory`);
        }
        const names = this.options.recursive ? sortedNames(this.context, path) : [];
        if (this.options.ask && names.length > 0) {
          if (!confirmed(this.context, `descend into directory ${quoted(path)}? `)) return;
        }
        pending.push({ path, names, at: 0 });
      } catch (error) {
        if (this.options.force && ["ENOENT", "ENOTDIR"].includes(errorCode(error) ?? "")) return;
        this.complain(`cannot remove ${quoted(path)}: ${errorText(error)}`);
      }
    };
    enter(operand);
    while (pending.length > 0) {
      const top = pending.at(-1)!;
      const name = top.names[top.at++];
      if (name !== undefined) {
        enter(joinPath(withoutTrailingSlashes(top.path), name));
        continue;
      }
      pending.pop();
      this.#rmdir(top.path);
    }
    return this.status === 0;
  }

  #unlink(path: string): void {
    if (this.options.ask && !confirmed(this.context, `remove file ${quoted(path)}? `)) return;
    this.context.fs.unlinkSync(path);
    if (this.options.verbose) this.context.write(`removed ${quoted(path)}\n`);
  }

  #rmdir(path: string): void {
    if (this.options.ask && !confirmed(this.context, `remove directory ${quoted(path)}? `)) return;
    try {
      this.context.fs.rmdirSync(path);
      if (this.options.verbose) this.context.write(`removed directory ${quoted(path)}\n`);
    } catch (error) {
      this.complain(`cannot remove ${quoted(path)}: ${errorText(error)}`);
    }
  }
}
