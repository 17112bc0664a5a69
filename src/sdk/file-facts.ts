/** Owns what `rt.fs` tells about files, in the shape of Node's own classes. */
import type { NodeRuntimeFileStat, NodeRuntimeFileType } from "./files.js";

/** What kind of file it is, asked as of `fs.Stats` and `fs.Dirent`. */
export abstract class NodeRuntimeFileKind {
  readonly #type: NodeRuntimeFileType;

  constructor(type: NodeRuntimeFileType) {
    this.#type = type;
  }

  isFile(): boolean {
    return this.#type === "file";
  }
  isDirectory(): boolean {
    return this.#type === "directory";
  }
  isSymbolicLink(): boolean {
    return this.#type === "symlink";
  }
  isFIFO(): boolean {
    return this.#type === "fifo";
  }
  isSocket(): boolean {
    return this.#type === "socket";
  }
  isCharacterDevice(): boolean {
    return this.#type === "character-device";
  }
  isBlockDevice(): boolean {
    return this.#type === "block-device";
  }
}

/** Facts about a file, as `fs.Stats` has them. */
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

/** An entry of a directory, as `fs.Dirent`. */
export class NodeRuntimeDirent extends NodeRuntimeFileKind {
  readonly name: string;
  /** The directory it is in. */
  readonly parentPath: string;

  constructor(name: string, parentPath: string, type: NodeRuntimeFileType) {
    super(type);
    this.name = name;
    this.parentPath = parentPath;
  }
}
