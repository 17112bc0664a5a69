/** Owns copying files and trees, for cp, mv across mounts, and install. */
import type { Stats } from "node:fs";
import type { CommandContext } from "../command.js";
import { errorText } from "./errors.js";
import { makeFifo } from "./fifo.js";
import {
  confirmed,
  joinPath,
  sortedNames,
  statOrNothing,
  withoutTrailingSlashes,
} from "./files.js";
import { quoted } from "./text.js";

export interface CopyOptions {
  recursive: boolean;
  /** Follow symbolic links: always, only where named on the command line, or never. */
  follow: "always" | "named" | "never";
  preserveMode: boolean;
  preserveTimes: boolean;
  preserveOwner: boolean;
  force: boolean;
  interactive: boolean;
  noClobber: boolean;
  update: boolean;
  verbose: boolean;
  hardLink: boolean;
  symbolicLink: boolean;
  backupSuffix?: string | undefined;
}

export class Copier {
  failed = false;
  /** Directories made by this copy, by device and inode: copying a directory into itself must end. */
  readonly #made = new Set<string>();

  constructor(
    private readonly context: CommandContext,
    private readonly options: CopyOptions,
  ) {}

  complain(message: string): void {
    this.context.writeError(`${this.context.name}: ${message}\n`);
    this.failed = true;
  }

  /** The pair named on the command line that is being copied. */
  #top = { source: "", target: "" };

  copy(source: string, target: string, named = true): void {
    if (named) this.#top = { source, target };
    const { fs } = this.context;
    const { options } = this;
    const follow = options.follow === "always" || (options.follow === "named" && named);
    let stats: Stats;
    try {
      stats = follow ? fs.statSync(source) : fs.lstatSync(source);
    } catch (error) {
      return this.complain(`cannot stat ${quoted(source)}: ${errorText(error)}`);
    }
    if (stats.isDirectory()) {
      if (!options.recursive) {
        return this.complain(`-r not specified; omitting directory ${quoted(source)}`);
      }
      return this.#directory(source, target, stats);
    }
    const existing = statOrNothing(this.context, target, false);
    if (existing !== undefined) {
      if (existing.isDirectory()) {
        return this.complain(`cannot overwrite directory ${quoted(target)} with non-directory`);
      }
      if (options.noClobber) return;
      const reached = statOrNothing(this.context, target, true);
      if (reached?.ino === stats.ino && reached.dev === stats.dev && !stats.isSymbolicLink()) {
        return this.complain(`${quoted(source)} and ${quoted(target)} are the same file`);
      }
      if (options.update && existing.mtimeMs >= stats.mtimeMs) return;
      if (options.interactive && !confirmed(this.context, `overwrite ${quoted(target)}? `)) return;
      if (options.backupSuffix !== undefined) {
        fs.renameSync(target, target + options.backupSuffix);
      }
    }
    try {
      this.#file(source, target, stats, existing);
      if (options.verbose) this.context.write(`${quoted(source)} -> ${quoted(target)}\n`);
    } catch (error) {
      const { syscall, path } = error as { syscall?: string; path?: string };
      const reading = path === source && syscall === "open";
      this.complain(
        reading
          ? `cannot open ${quoted(source)} for reading: ${errorText(error)}`
          : `cannot create regular file ${quoted(target)}: ${errorText(error)}`,
      );
    }
  }

  #file(source: string, target: string, stats: Stats, existing: Stats | undefined): void {
    const { fs } = this.context;
    const { options } = this;
    const replace = () => {
      if (existing !== undefined) fs.unlinkSync(target);
    };
    if (options.symbolicLink) {
      if (options.force) replace();
      return fs.symlinkSync(source, target);
    }
    if (options.hardLink) {
      if (options.force) replace();
      return fs.linkSync(source, target);
    }
    if (stats.isSymbolicLink()) {
      replace();
      return fs.symlinkSync(fs.readlinkSync(source), target);
    }
    if (stats.isFIFO() && options.recursive) {
      replace();
      makeFifo(this.context, target, stats.mode & 0o777);
    } else if (stats.isFile() && (existing === undefined || existing.isFile())) {
      try {
        copyContent(this.context, source, target, stats.mode & 0o777);
      } catch (error) {
        if (!options.force || existing === undefined) throw error;
        replace();
        copyContent(this.context, source, target, stats.mode & 0o777);
      }
    } else copyContent(this.context, source, target, stats.mode & 0o777);
    this.#attributes(target, stats);
  }

  #attributes(target: string, stats: Stats): void {
    const { fs } = this.context;
    const { options } = this;
    if (options.preserveOwner) {
      try {
        fs.chownSync(target, stats.uid, stats.gid);
      } catch {
        // Without the right to give files away the copy is ours, as with cp.
      }
    }
    if (options.preserveMode) fs.chmodSync(target, stats.mode & 0o7777);
    if (options.preserveTimes) fs.utimesSync(target, stats.atimeMs / 1000, stats.mtimeMs / 1000);
  }

  #directory(source: string, target: string, stats: Stats): void {
    const { fs } = this.context;
    const existing = statOrNothing(this.context, target, true);
    if (existing !== undefined && !existing.isDirectory()) {
      return this.complain(
        `cannot overwrite non-directory ${quoted(target)} with directory ${quoted(source)}`,
      );
    }
    let names: string[];
    try {
      names = sortedNames(this.context, source);
      if (existing === undefined) {
        fs.mkdirSync(target, (stats.mode & 0o777) | 0o700);
        if (this.options.verbose) this.context.write(`${quoted(source)} -> ${quoted(target)}\n`);
        // A copy into what is copied is among its names from now on.
        if (source === this.#top.source) names = sortedNames(this.context, source);
      }
      const made = fs.statSync(target);
      if (existing === undefined) this.#made.add(`${made.dev}:${made.ino}`);
    } catch (error) {
      return this.complain(
        existing === undefined
          ? `cannot create directory ${quoted(target)}: ${errorText(error)}`
          : `cannot access ${quoted(source)}: ${errorText(error)}`,
      );
    }
    for (const name of names) {
      const from = joinPath(withoutTrailingSlashes(source), name);
      const entry = statOrNothing(this.context, from, false);
      if (entry !== undefined && this.#made.has(`${entry.dev}:${entry.ino}`)) {
        this.complain(
          `cannot copy a directory, ${quoted(this.#top.source)}, into itself, ${quoted(this.#top.target)}`,
        );
        continue;
      }
      this.copy(from, joinPath(withoutTrailingSlashes(target), name), false);
    }
    if (existing === undefined && !this.options.preserveMode) {
      fs.chmodSync(target, stats.mode & 0o777 & ~process.umask());
    }
    if (existing === undefined) this.#attributes(target, stats);
  }
}

/** Through our own descriptors, so that devices and pipes copy as well. */
export function copyContent(
  context: CommandContext,
  source: string,
  target: string,
  mode: number,
): void {
  const { fs } = context;
  const from = fs.openSync(source, "r");
  try {
    const to = fs.openSync(target, "w", mode);
    try {
      const buffer = Buffer.allocUnsafe(256 * 1024);
      for (;;) {
        const count = fs.readSync(from, buffer, 0, buffer.length, null);
        if (count === 0) break;
        for (let at = 0; at < count;) at += fs.writeSync(to, buffer, at, count - at);
      }
    } finally {
      fs.closeSync(to);
    }
  } finally {
    fs.closeSync(from);
  }
}

/**
 * What the last operand of cp, mv, ln and install means: pairs of source and target, or the
 * message of why there are none.
 */
export function targetsOf(
  context: CommandContext,
  operands: readonly string[],
  directory: string | undefined,
  noDirectory: boolean,
): { pairs: [string, string][] } | { failure: string; usage: boolean } {
  const sources = [...operands];
  if (sources.length === 0) return { failure: "missing file operand", usage: true };
  let into = directory;
  if (into === undefined) {
    if (sources.length === 1) {
      return {
        failure: `missing destination file operand after ${quoted(sources[0]!)}`,
        usage: true,
      };
    }
    const last = sources.pop()!;
    const isDirectory = !noDirectory && statOrNothing(context, last, true)?.isDirectory() === true;
    if (!isDirectory) {
      if (noDirectory && sources.length > 1) {
        return { failure: `extra operand ${quoted(sources[1]!)}`, usage: true };
      }
      if (sources.length > 1) {
        const exists = statOrNothing(context, last, true) !== undefined;
        return {
          failure: exists
            ? `target ${quoted(last)}: Not a directory`
            : `target ${quoted(last)}: No such file or directory`,
          usage: false,
        };
      }
      return { pairs: [[sources[0]!, last]] };
    }
    into = last;
  } else if (statOrNothing(context, into, true)?.isDirectory() !== true) {
    return { failure: `target directory ${quoted(into)}: No such file or directory`, usage: false };
  }
  const target = into;
  return {
    pairs: sources.map((source) => {
      const trimmed = withoutTrailingSlashes(source);
      const name = trimmed.slice(trimmed.lastIndexOf("/") + 1);
      return [
        source,
        name === ".." || name === "." || name === "" ? target : joinPath(target, name),
      ];
    }),
  };
}
