/**
 * Owns the older generation's file system object: `createInMemoryFileSystem()`, whose content is the
 * machine's own once a runtime has been made with it.
 *
 * Invariants: before the machine there is what was written here; when it is made all of it is
 * there, and from then on every call is one to the machine. One file system serves one runtime.
 * Untrusted: after that, content and names are the programs'.
 */
import { Buffer } from "node:buffer";
import { posix } from "node:path";
import { failure, invalidOption } from "../errors.js";
import type { NodeRuntimeFileStat, RuntimeFiles } from "../files.js";

/** An entry of a directory: its name, and what it is. */
export interface VirtualDirEntry {
  name: string;
  isDirectory: boolean;
  isSymbolicLink?: boolean;
}

/** Facts about a file: `size` in bytes, times in milliseconds since the epoch. */
export interface VirtualStat {
  mode: number;
  size: number;
  isDirectory: boolean;
  isSymbolicLink: boolean;
  atimeMs: number;
  mtimeMs: number;
  ctimeMs: number;
  birthtimeMs: number;
  ino: number;
  nlink: number;
  uid: number;
  gid: number;
}

/**
 * What the older generation's file systems have in common. Calls reject with NO_SUCH_FILE, FILE, LINK_LEADS_OUT,
 * DISPOSED or KERNEL_LOST where the files are a machine's (`createInMemoryFileSystem`), with the errors of node:fs
 * where they are the host's (`NodeFileSystem`).
 */
export interface VirtualFileSystem {
  /**
   * The bytes of a file.
   * @throws {NO_SUCH_FILE|FILE|Error} as the file system has them.
   */
  readFile(path: string): Promise<Uint8Array>;
  /**
   * The same as UTF-8.
   * @throws {NO_SUCH_FILE|FILE|Error} as the file system has them.
   */
  readTextFile(path: string): Promise<string>;
  /**
   * The names in a directory, sorted.
   * @throws {NO_SUCH_FILE|FILE|Error} as the file system has them.
   */
  readDir(path: string): Promise<string[]>;
  /**
   * The entries of a directory.
   * @throws {NO_SUCH_FILE|FILE|Error} as the file system has them.
   */
  readDirWithTypes(path: string): Promise<VirtualDirEntry[]>;
  /**
   * Makes or replaces a file, and its directories.
   * @throws {FILE|Error} as the file system has them.
   */
  writeFile(path: string, content: string | Uint8Array): Promise<void>;
  /**
   * Makes one directory.
   * @throws {NO_SUCH_FILE|FILE|Error} as the file system has them.
   */
  createDir(path: string): Promise<void>;
  /**
   * Makes a directory with its parents, unless `recursive` is false (default true); one that exists is fine then.
   * @throws {NO_SUCH_FILE|FILE|Error} as the file system has them.
   */
  mkdir(path: string, options?: { recursive?: boolean }): Promise<void>;
  /**
   * Whether something is there.
   * @throws {FILE|Error} where it cannot be told.
   */
  exists(path: string): Promise<boolean>;
  /**
   * Facts about a file, a link at the end followed.
   * @throws {NO_SUCH_FILE|FILE|Error} as the file system has them.
   */
  stat(path: string): Promise<VirtualStat>;
  /**
   * Facts about a file, or about the link itself.
   * @throws {NO_SUCH_FILE|FILE|Error} as the file system has them.
   */
  lstat(path: string): Promise<VirtualStat>;
  /**
   * Removes a file.
   * @throws {NO_SUCH_FILE|FILE|Error} as the file system has them, also for a directory.
   */
  removeFile(path: string): Promise<void>;
  /**
   * Removes a directory.
   * @throws {NO_SUCH_FILE|FILE|Error} as the file system has them, also for one that is not empty.
   */
  removeDir(path: string): Promise<void>;
  /**
   * Gives a file or directory another path.
   * @throws {NO_SUCH_FILE|FILE|Error} as the file system has them.
   */
  rename(oldPath: string, newPath: string): Promise<void>;
  /**
   * Makes a file `length` bytes long.
   * @throws {NO_SUCH_FILE|FILE|Error} as the file system has them.
   */
  truncate(path: string, length: number): Promise<void>;
  /**
   * At most `length` bytes of a file, from `offset` on.
   * @throws {NO_SUCH_FILE|FILE|Error} as the file system has them.
   */
  pread(path: string, offset: number, length: number): Promise<Uint8Array>;
}

function failed(operation: string, path: string, errno: string): Error {
  const details = { path, errno };
  if (errno === "ENOENT") return failure("NO_SUCH_FILE", { path }, { details });
  return failure("FILE", { operation, path, why: errno }, { details });
}

/** `path` as an absolute one without "." and "..". */
const fullOf = (path: string): string => posix.resolve("/", path);

/** What is written before there is a machine: content by path; directories have none. */
class Draft {
  readonly #entries = new Map<string, { data: Uint8Array | undefined; atMs: number }>();

  constructor() {
    this.#entries.set("/", { data: undefined, atMs: Date.now() });
  }

  get files(): [path: string, data: Uint8Array][] {
    return [...this.#entries].flatMap(([path, { data }]) =>
      data === undefined ? [] : [[path, data]],
    );
  }

  get directories(): string[] {
    return [...this.#entries].flatMap(([path, { data }]) => (data === undefined ? [path] : []));
  }

  #find(operation: string, path: string): { data: Uint8Array | undefined; atMs: number } {
    const found = this.#entries.get(path);
    if (found === undefined) throw failed(operation, path, "ENOENT");
    return found;
  }

  read(path: string): Uint8Array {
    const { data } = this.#find("read", path);
    if (data === undefined) throw failed("read", path, "EISDIR");
    return data;
  }

  write(path: string, data: Uint8Array): void {
    if (this.#entries.has(path) && this.#entries.get(path)!.data === undefined)
      throw failed("write", path, "EISDIR");
    this.mkdir(posix.dirname(path), true);
    this.#entries.set(path, { data, atMs: Date.now() });
  }

  mkdir(path: string, recursive: boolean): void {
    const known = this.#entries.get(path);
    if (known !== undefined) {
      if (recursive && known.data === undefined) return;
      throw failed("mkdir", path, "EEXIST");
    }
    const parent = posix.dirname(path);
    if (recursive) this.mkdir(parent, true);
    else if (this.#find("mkdir", parent).data !== undefined) throw failed("mkdir", path, "ENOTDIR");
    this.#entries.set(path, { data: undefined, atMs: Date.now() });
  }

  list(path: string): { name: string; type: "file" | "directory" }[] {
    if (this.#find("readDir", path).data !== undefined) throw failed("readDir", path, "ENOTDIR");
    return [...this.#entries]
      .filter(([name]) => name !== "/" && posix.dirname(name) === path)
      .map(([name, { data }]) => ({
        name: posix.basename(name),
        type: data === undefined ? ("directory" as const) : ("file" as const),
      }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  stat(path: string): NodeRuntimeFileStat {
    const { data, atMs } = this.#find("stat", path);
    return {
      type: data === undefined ? "directory" : "file",
      size: data?.byteLength ?? 0,
      mode: data === undefined ? 0o40755 : 0o100644,
      uid: 1000,
      gid: 1000,
      nlink: 1,
      ino: 0,
      atimeMs: atMs,
      mtimeMs: atMs,
      ctimeMs: atMs,
      birthtimeMs: atMs,
    };
  }

  remove(path: string): void {
    this.#find("rm", path);
    for (const name of this.#entries.keys())
      if (name === path || name.startsWith(`${path}/`)) this.#entries.delete(name);
  }

  rename(from: string, to: string): void {
    this.#find("rename", from);
    if (to === from || to.startsWith(`${from}/`)) throw failed("rename", from, "EINVAL");
    const isMoved = (name: string): boolean => name === from || name.startsWith(`${from}/`);
    const moved = [...this.#entries].filter(([name]) => isMoved(name));
    for (const [name, entry] of moved) {
      this.#entries.delete(name);
      this.#entries.set(to + name.slice(from.length), entry);
    }
  }
}

/** What is to be put into the machine of `owner`, which is the only one. Throws INVALID_OPTION for a second. */
let takeDraft: (
  own: InMemoryFileSystem,
  owner: object,
) => Pick<Draft, "files" | "directories"> | undefined;
/** From now on `machine` is what is read and written; a clone of its runtime changes nothing. */
let connectFileSystem: (own: InMemoryFileSystem, machine: RuntimeFiles) => void;
export { takeDraft, connectFileSystem };

/**
 * Made by `createInMemoryFileSystem`; serves one runtime.
 * @example
 * const text = await createInMemoryFileSystem().exists("/data/in.txt");
 */
export class InMemoryFileSystem implements VirtualFileSystem {
  #draft: Draft | undefined = new Draft();
  #machine: RuntimeFiles | undefined;
  #owner: object | undefined;

  static {
    takeDraft = (own, owner) => {
      own.#owner ??= owner;
      if (own.#owner !== owner) throw invalidOption("filesystem", "serves another runtime already");
      return own.#draft;
    };
    connectFileSystem = (own, machine) => {
      own.#draft = undefined;
      own.#machine = machine;
    };
  }

  async #stat(path: string, follow: boolean): Promise<NodeRuntimeFileStat> {
    const full = fullOf(path);
    return this.#machine?.stat(full, follow, false) ?? this.#draft!.stat(full);
  }

  async readFile(path: string): Promise<Uint8Array> {
    const full = fullOf(path);
    return this.#machine?.read(full, false) ?? new Uint8Array(this.#draft!.read(full));
  }

  async readTextFile(path: string): Promise<string> {
    return Buffer.from(await this.readFile(path)).toString("utf8");
  }

  async readDir(path: string): Promise<string[]> {
    return (await this.readDirWithTypes(path)).map(({ name }) => name);
  }

  async readDirWithTypes(path: string): Promise<VirtualDirEntry[]> {
    const full = fullOf(path);
    const entries = (await this.#machine?.list(full, false)) ?? this.#draft!.list(full);
    return entries.map(({ name, type }) => ({
      name,
      isDirectory: type === "directory",
      isSymbolicLink: type === "symlink",
    }));
  }

  async writeFile(path: string, content: string | Uint8Array): Promise<void> {
    const full = fullOf(path);
    const data = typeof content === "string" ? Buffer.from(content) : new Uint8Array(content);
    if (this.#machine === undefined) this.#draft!.write(full, data);
    else await this.#machine.write(full, data, false);
  }

  createDir(path: string): Promise<void> {
    return this.mkdir(path, { recursive: false });
  }

  async mkdir(path: string, options: { recursive?: boolean } = {}): Promise<void> {
    const full = fullOf(path);
    const { recursive = true } = options;
    if (this.#machine === undefined) this.#draft!.mkdir(full, recursive);
    else await this.#machine.mkdir(full, recursive, false);
  }

  async exists(path: string): Promise<boolean> {
    const full = fullOf(path);
    if (this.#machine !== undefined) return this.#machine.exists(full, false);
    return (
      this.#draft!.files.some(([name]) => name === full) || this.#draft!.directories.includes(full)
    );
  }

  async stat(path: string): Promise<VirtualStat> {
    return statOf(await this.#stat(path, true));
  }

  async lstat(path: string): Promise<VirtualStat> {
    return statOf(await this.#stat(path, false));
  }

  async removeFile(path: string): Promise<void> {
    const { type } = await this.#stat(path, false);
    if (type === "directory") throw failed("rm", path, "EISDIR");
    await this.#remove(path, false);
  }

  async removeDir(path: string): Promise<void> {
    if ((await this.readDir(path)).length > 0) throw failed("rm", path, "ENOTEMPTY");
    await this.#remove(path, true);
  }

  async #remove(path: string, recursive: boolean): Promise<void> {
    const full = fullOf(path);
    if (this.#machine === undefined) this.#draft!.remove(full);
    else await this.#machine.rm(full, { recursive, force: false, followLinks: false });
  }

  async rename(oldPath: string, newPath: string): Promise<void> {
    const [from, to] = [fullOf(oldPath), fullOf(newPath)];
    if (this.#machine === undefined) this.#draft!.rename(from, to);
    else await this.#machine.rename(from, to, false);
  }

  async truncate(path: string, length: number): Promise<void> {
    const data = new Uint8Array(length);
    data.set((await this.readFile(path)).subarray(0, length));
    await this.writeFile(path, data);
  }

  async pread(path: string, offset: number, length: number): Promise<Uint8Array> {
    return (await this.readFile(path)).slice(offset, offset + length);
  }
}

function statOf({ type, ...stat }: NodeRuntimeFileStat): VirtualStat {
  return { ...stat, isDirectory: type === "directory", isSymbolicLink: type === "symlink" };
}

/**
 * A file system for `createNodeDriver({ filesystem })`: the machine's own files, written before it is made and read
 * afterwards. Never throws.
 * @example
 * import { createInMemoryFileSystem, createNodeDriver } from "secure-exec";
 *
 * const filesystem = createInMemoryFileSystem();
 * await filesystem.writeFile("/data/in.txt", "text");
 * const driver = createNodeDriver({ filesystem, permissions: { fs: "allow" } });
 */
export function createInMemoryFileSystem(): InMemoryFileSystem {
  return new InMemoryFileSystem();
}
