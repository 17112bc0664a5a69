/** Owns what `rt.fs` tells about files, in the shape of Node's own classes. */
import type { NodeRuntimeFileStat, NodeRuntimeFileType } from "./files.js";

/**
 * What kind of file it is, asked as of `fs.Stats` and `fs.Dirent`.
 * @example
 * const isThere = (await rt.fs.lstat("data")).isSymbolicLink();
 */
export abstract class NodeRuntimeFileKind {
  readonly #type: NodeRuntimeFileType;

  /** Made by `stat` and `readdir`. */
  constructor(type: NodeRuntimeFileType) {
    this.#type = type;
  }

  /** Whether it is a regular file. Never throws. */
  isFile(): boolean {
    return this.#type === "file";
  }
  /** Whether it is a directory. Never throws. */
  isDirectory(): boolean {
    return this.#type === "directory";
  }
  /** Whether it is a symbolic link, which only `lstat` and `readdir` tell. Never throws. */
  isSymbolicLink(): boolean {
    return this.#type === "symlink";
  }
  /** Whether it is a named pipe. Never throws. */
  isFIFO(): boolean {
    return this.#type === "fifo";
  }
  /** Whether it is a Unix socket. Never throws. */
  isSocket(): boolean {
    return this.#type === "socket";
  }
  /** Whether it is a device of characters, as /dev/null. Never throws. */
  isCharacterDevice(): boolean {
    return this.#type === "character-device";
  }
  /** Whether it is a device of blocks. Never throws. */
  isBlockDevice(): boolean {
    return this.#type === "block-device";
  }
}

/**
 * Facts about a file, as `fs.Stats` has them: `size` in bytes, times in milliseconds since the epoch and as Dates.
 * @example
 * const { size, mtime } = await rt.fs.stat("data.json");
 */
export class NodeRuntimeStats extends NodeRuntimeFileKind {
  readonly mode: number;
  readonly size: number;
  readonly uid: number;
  readonly gid: number;
  readonly nlink: number;
  readonly ino: number;
  readonly atimeMs: number;
  readonly mtimeMs: number;
  readonly ctimeMs: number;
  readonly birthtimeMs: number;

  /** Made by `stat` and `lstat`. */
  constructor({ type, ...facts }: NodeRuntimeFileStat) {
    super(type);
    this.mode = facts.mode;
    this.size = facts.size;
    this.uid = facts.uid;
    this.gid = facts.gid;
    this.nlink = facts.nlink;
    this.ino = facts.ino;
    this.atimeMs = facts.atimeMs;
    this.mtimeMs = facts.mtimeMs;
    this.ctimeMs = facts.ctimeMs;
    this.birthtimeMs = facts.birthtimeMs;
  }

  get atime(): Date {
    return new Date(this.atimeMs);
  }
  get mtime(): Date {
    return new Date(this.mtimeMs);
  }
  get ctime(): Date {
    return new Date(this.ctimeMs);
  }
  get birthtime(): Date {
    return new Date(this.birthtimeMs);
  }
}

/**
 * An entry of a directory, as `fs.Dirent`.
 * @example
 * const entries = await rt.fs.readdir(".", { withFileTypes: true });
 * const directories = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
 */
export class NodeRuntimeDirent extends NodeRuntimeFileKind {
  readonly name: string;
  /** The directory it is in. */
  readonly parentPath: string;

  /** Made by `readdir`. */
  constructor(name: string, parentPath: string, type: NodeRuntimeFileType) {
    super(type);
    this.name = name;
    this.parentPath = parentPath;
  }
}
