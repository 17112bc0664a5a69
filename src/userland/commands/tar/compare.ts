/** Owns `tar -d`: the members of an archive against the files of the same names. */
import type { Stats } from "node:fs";
import type { CommandContext } from "../../command.js";
import { errorText } from "../../support/errors.js";
import { joinPath } from "../../support/files.js";
import type { Options } from "../../support/options.js";
import { ArchiveError, type Entry } from "../../../protocol/tar.js";
import { directoryOf, excluder } from "./options.js";
import { ArchiveReader } from "./read.js";
import { archiveBytes, broken } from "./unpack.js";
import { Wanted } from "./wanted.js";

export async function compare(context: CommandContext, options: Options): Promise<number> {
  const complain = (message: string) => context.writeError(`tar: ${message}\n`);
  const source = await archiveBytes(context, options);
  const reader = new ArchiveReader(source, complain);
  const directory = directoryOf(context, options);
  const excluded = excluder(context, options);
  const wanted = new Wanted(options);
  let same = true;
  try {
    for (let entry = reader.next(); entry !== undefined; entry = reader.next()) {
      if (!wanted.has(entry.name) || excluded(entry.name)) continue;
      if (options.has("v")) context.write(`${entry.name}\n`);
      const path = at(directory, entry.name.replace(/\/+$/, ""));
      let stats: Stats;
      try {
        stats = options.has("h") ? context.fs.statSync(path) : context.fs.lstatSync(path);
      } catch (error) {
        complain(
          `${entry.name.replace(/\/+$/, "")}: Warning: Cannot ${entry.type === "2" ? "readlink" : "stat"}: ${errorText(error)}`,
        );
        same = false;
        continue;
      }
      for (const what of differences(context, { entry, stats, path, directory }, reader)) {
        context.write(`${entry.name.replace(/\/+$/, "")}: ${what}\n`);
        same = false;
      }
    }
  } catch (error) {
    if (!(error instanceof ArchiveError)) throw error;
    return broken(context, error, reader);
  } finally {
    source.close();
  }
  if (!wanted.allFound(complain)) {
    complain("Exiting with failure status due to previous errors");
    return 2;
  }
  return same ? 0 : 1;
}

interface Pair {
  readonly entry: Entry;
  readonly stats: Stats;
  readonly path: string;
  readonly directory: string;
}

function* differences(
  context: CommandContext,
  { entry, stats, path, directory }: Pair,
  reader: ArchiveReader,
): Generator<string> {
  const isMode = (stats.mode & 0o7777) === (entry.mode & 0o7777);
  switch (entry.type) {
    case "5":
      if (!stats.isDirectory()) yield "File type differs";
      else if (!isMode) yield "Mode differs";
      return;
    case "2":
      if (!stats.isSymbolicLink()) yield "File type differs";
      else if (context.fs.readlinkSync(path) !== entry.link) yield "Symlink differs";
      return;
    case "1": {
      const other = context.fs.lstatSync(at(directory, entry.link), {
        throwIfNoEntry: false,
      });
      if (other?.ino !== stats.ino || other.dev !== stats.dev) yield `Not linked to ${entry.link}`;
      return;
    }
    case "6":
      if (!stats.isFIFO()) yield "File type differs";
      return;
  }
  if (!stats.isFile()) return yield "File type differs";
  if (!isMode) yield "Mode differs";
  if (stats.uid !== entry.uid) yield "Uid differs";
  if (stats.gid !== entry.gid) yield "Gid differs";
  if (Math.floor(stats.mtimeMs / 1000) !== Math.floor(entry.mtimeSeconds)) yield "Mod time differs";
  if (stats.size !== entry.size) yield "Size differs";
  else if (!hasContent(context, path, reader)) yield "Contents differ";
}

function at(directory: string, name: string): string {
  return directory === "" ? name : joinPath(directory, name);
}

/** Whether the file has what the newest entry holds. */
function hasContent(context: CommandContext, path: string, reader: ArchiveReader): boolean {
  const { fs } = context;
  const fd = fs.openSync(path, "r");
  try {
    for (let piece = reader.content(); piece.length > 0; piece = reader.content()) {
      const here = Buffer.alloc(piece.length);
      for (let filled = 0; filled < here.length;) {
        const count = fs.readSync(fd, here, filled, here.length - filled, null);
        if (count === 0) return false;
        filled += count;
      }
      if (!here.equals(piece)) return false;
    }
    return true;
  } finally {
    fs.closeSync(fd);
  }
}
