/** Owns writing an archive from the file system. */
import type { Stats } from "node:fs";
import type { CommandContext } from "../../command.js";
import { errorText } from "../../support/errors.js";
import { joinPath, nameTable, sortedNames } from "../../support/files.js";
import { blockBytes, headerBlocks, type Entry } from "../../../protocol/tar.js";

export interface CreateOptions {
  write(data: Uint8Array): void;
  report(name: string): void;
  excluded(name: string): boolean;
  transform(name: string): string;
  dereference: boolean;
  recursive: boolean;
  directory: string;
  complain(message: string): void;
  numericOwner: boolean;
  /** Whether the archive has this member as it is. */
  upToDate?(name: string, mtimeSeconds: number): boolean;
}

export class Creator {
  #removed = new Set<string>();
  /** Files with several names: the first is stored, the others refer to it. */
  readonly #links = new Map<string, string>();
  readonly #users: Map<number, string>;
  readonly #groups: Map<number, string>;

  constructor(
    private readonly context: CommandContext,
    private readonly options: CreateOptions,
  ) {
    this.#users = options.numericOwner ? new Map() : nameTable(context, "passwd");
    this.#groups = options.numericOwner ? new Map() : nameTable(context, "group");
  }

  /** The name in the archive: never absolute, never upwards. */
  #stored(path: string): string {
    const match = /^(?:\/+|(?:.*\/)?\.\.(?:\/|$))+/.exec(path);
    if (match === null) return path;
    if (!this.#removed.has(match[0])) {
      this.#removed.add(match[0]);
      this.options.complain(`Removing leading \`${match[0]}' from member names`);
    }
    return path.slice(match[0].length) || "./";
  }

  add(path: string): boolean {
    const { context, options } = this;
    const real =
      path.startsWith("/") || options.directory === "" ? path : joinPath(options.directory, path);
    if (options.excluded(path)) return true;
    let stats: Stats;
    try {
      stats = options.dereference ? context.fs.statSync(real) : context.fs.lstatSync(real);
    } catch (error) {
      options.complain(`${path}: Cannot stat: ${errorText(error)}`);
      return false;
    }
    const name = options.transform(this.#stored(path));
    const entry: Entry = {
      name,
      mode: stats.mode,
      uid: stats.uid,
      gid: stats.gid,
      size: 0,
      mtimeSeconds: Math.floor(stats.mtimeMs / 1000),
      type: "0",
      link: "",
      user: this.#users.get(stats.uid) ?? "",
      group: this.#groups.get(stats.gid) ?? "",
    };
    if (stats.isDirectory()) return this.#directory(path, real, entry);
    const key = `${stats.dev}:${stats.ino}`;
    const earlier = stats.nlink > 1 ? this.#links.get(key) : undefined;
    if (stats.isSymbolicLink()) {
      entry.type = "2";
      entry.link = context.fs.readlinkSync(real);
    } else if (earlier !== undefined) {
      entry.type = "1";
      entry.link = earlier;
    } else if (stats.isFile()) entry.size = stats.size;
    else if (stats.isFIFO()) entry.type = "6";
    else {
      options.complain(`${path}: ${stats.isSocket() ? "socket" : "file"} ignored`);
      return true;
    }
    if (options.upToDate?.(name, entry.mtimeSeconds) === true) return true;
    if (stats.nlink > 1) this.#links.set(key, name);
    options.report(name);
    if (entry.type !== "0") {
      options.write(headerBlocks(entry));
      return true;
    }
    return this.#content(path, real, entry);
  }

  #directory(path: string, real: string, entry: Entry): boolean {
    entry.type = "5";
    if (!entry.name.endsWith("/")) entry.name += "/";
    if (this.options.upToDate?.(entry.name, entry.mtimeSeconds) !== true) {
      this.options.report(entry.name);
      this.options.write(headerBlocks(entry));
    }
    if (!this.options.recursive) return true;
    let good = true;
    try {
      for (const name of sortedNames(this.context, real))
        good = this.add(joinPath(path, name)) && good;
    } catch (error) {
      this.options.complain(`${path}: Cannot open: ${errorText(error)}`);
      return false;
    }
    return good;
  }

  #content(path: string, real: string, entry: Entry): boolean {
    const { fs } = this.context;
    let fd: number;
    try {
      fd = fs.openSync(real, "r");
    } catch (error) {
      this.options.complain(`${path}: Cannot open: ${errorText(error)}`);
      return false;
    }
    try {
      this.options.write(headerBlocks(entry));
      const buffer = Buffer.allocUnsafe(65536);
      let left = entry.size;
      while (left > 0) {
        const count = fs.readSync(fd, buffer, 0, Math.min(buffer.length, left), null);
        // A file that shrank is filled up: the header has already said how long it is.
        const piece =
          count === 0
            ? Buffer.alloc(Math.min(left, 65536))
            : Buffer.from(buffer.subarray(0, count));
        if (count === 0)
          this.options.complain(`${path}: File shrank by ${left} bytes; padding with zeros`);
        this.options.write(piece);
        left -= piece.length;
      }
      const rest = entry.size % blockBytes;
      if (rest > 0) this.options.write(Buffer.alloc(blockBytes - rest));
      return true;
    } finally {
      fs.closeSync(fd);
    }
  }
}
