/** Owns taking entries out of an archive. What it writes stays below the target folder. */
import type { CommandContext } from "../../command.js";
import { errorCode, errorText } from "../../support/errors.js";
import { makeFifo } from "../../support/fifo.js";
import { joinPath, statOrNothing } from "../../support/files.js";
import type { Entry } from "../../../protocol/tar.js";

export interface ExtractOptions {
  directory: string;
  /** Leading parts of names that are dropped. */
  strip: number;
  keepOld: boolean;
  skipOld: boolean;
  touch: boolean;
  toStdout: boolean;
  preserveMode: boolean;
  transform(name: string): string;
  complain(message: string): void;
}

export class Extractor {
  /** Directories get their times and modes when nothing is written into them any more. */
  readonly #late: { path: string; entry: Entry }[] = [];
  readonly #umask = process.umask();
  #warned = false;

  constructor(
    private readonly context: CommandContext,
    private readonly options: ExtractOptions,
  ) {}

  /** Undefined when nothing is left of the name. */
  #target(name: string): string | undefined {
    let parts = this.options
      .transform(name)
      .split("/")
      .filter((part) => part !== "" && part !== ".");
    if (name.startsWith("/") && !this.#warned) {
      this.#warned = true;
      this.options.complain("Removing leading `/' from member names");
    }
    if (parts.includes("..")) {
      this.options.complain(`${name}: Member name contains '..'`);
      return undefined;
    }
    parts = parts.slice(this.options.strip);
    if (parts.length === 0) return undefined;
    const path = parts.join("/");
    return this.options.directory === "" ? path : joinPath(this.options.directory, path);
  }

  /** No component on the way may be a link that an archive made to lead out. */
  #parents(path: string): void {
    const { fs } = this.context;
    const below = this.options.directory === "" ? "" : `${this.options.directory}/`;
    const parts = path.slice(below.length).split("/").slice(0, -1);
    let at = this.options.directory;
    for (const part of parts) {
      at = at === "" ? part : joinPath(at, part);
      const stats = statOrNothing(this.context, at, false);
      if (stats === undefined) fs.mkdirSync(at);
      else if (stats.isSymbolicLink() && this.#links.has(at)) {
        throw Object.assign(new Error(at), { code: "ENOTDIR" });
      }
    }
  }

  readonly #links = new Set<string>();

  /** `content` answers pieces until one is empty. Whether all went well. */
  entry(entry: Entry, content: () => Buffer): boolean {
    const { options, context } = this;
    if (options.toStdout) {
      if (entry.type !== "0" && entry.type !== "7") return true;
      for (let left = entry.size; left > 0;) {
        const piece = content();
        context.write(Buffer.from(piece));
        left -= piece.length;
      }
      return true;
    }
    const path = this.#target(entry.name);
    if (path === undefined) return !entry.name.includes("..");
    try {
      this.#parents(path);
      return this.#make(entry, path, content);
    } catch (error) {
      const what =
        entry.type === "2"
          ? `Cannot create symlink to '${entry.link}'`
          : entry.type === "1"
            ? `Cannot hard link to '${entry.link}'`
            : entry.type === "5"
              ? "Cannot mkdir"
              : entry.type === "6"
                ? "Cannot mkfifo"
                : "Cannot open";
      options.complain(`${entry.name}: ${what}: ${errorText(error)}`);
      return false;
    }
  }

  #make(entry: Entry, path: string, content: () => Buffer): boolean {
    const { fs } = this.context;
    const { options } = this;
    const mode = entry.mode & 0o7777 & (options.preserveMode ? 0o7777 : 0o777 & ~this.#umask);
    if (entry.type === "5") {
      const stats = statOrNothing(this.context, path, true);
      if (!stats?.isDirectory()) {
        if (stats !== undefined) fs.unlinkSync(path);
        fs.mkdirSync(path, mode | 0o700);
      }
      this.#late.push({ path, entry: { ...entry, mode } });
      return true;
    }
    const existing = statOrNothing(this.context, path, false);
    if (existing !== undefined) {
      if (options.skipOld) return true;
      if (options.keepOld) throw Object.assign(new Error(path), { code: "EEXIST" });
      if (existing.isDirectory()) throw Object.assign(new Error(path), { code: "EISDIR" });
      fs.unlinkSync(path);
    }
    this.#links.delete(path);
    if (entry.type === "2") {
      fs.symlinkSync(entry.link, path);
      this.#links.add(path);
      return true;
    }
    if (entry.type === "1") {
      const from = this.#target(entry.link);
      if (from === undefined) return false;
      fs.linkSync(from, path);
      return true;
    }
    if (entry.type === "6") {
      makeFifo(this.context, path, mode);
      fs.chmodSync(path, mode);
      if (!options.touch) fs.utimesSync(path, entry.mtimeSeconds, entry.mtimeSeconds);
      return true;
    }
    if (entry.type !== "0" && entry.type !== "7") {
      options.complain(`${entry.name}: Unknown file type; extracted as normal file`);
    }
    const fd = fs.openSync(path, "wx", mode);
    try {
      for (let left = entry.size; left > 0;) {
        const piece = content();
        for (let at = 0; at < piece.length;) at += fs.writeSync(fd, piece, at);
        left -= piece.length;
      }
      fs.fchmodSync(fd, mode);
    } finally {
      fs.closeSync(fd);
    }
    if (!options.touch) fs.utimesSync(path, entry.mtimeSeconds, entry.mtimeSeconds);
    return true;
  }

  finish(): void {
    for (const { path, entry } of this.#late.reverse()) {
      try {
        this.context.fs.chmodSync(path, entry.mode);
        if (!this.options.touch)
          this.context.fs.utimesSync(path, entry.mtimeSeconds, entry.mtimeSeconds);
      } catch (error) {
        if (errorCode(error) === undefined) throw error;
      }
    }
  }
}
