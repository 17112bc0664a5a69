/**
 * Owns the older generation's view of the host's files, `new NodeFileSystem()`: one directory of the host, which a
 * driver shows to programs at its own path.
 *
 * Invariant: programs see that directory and nothing beside it, whatever path the object itself reads for its
 * owner; the kernel confines the mount.
 */
import fs from "node:fs/promises";
import type { BigIntStats, Stats } from "node:fs";
import { dirname, resolve } from "node:path";
import type { VirtualDirEntry, VirtualFileSystem, VirtualStat } from "./virtual-file-system.js";

function statOf(stats: Exclude<Stats, BigIntStats>): VirtualStat {
  const { mode, size, atimeMs, mtimeMs, ctimeMs, birthtimeMs, ino, nlink, uid, gid } = stats;
  return {
    mode,
    size,
    isDirectory: stats.isDirectory(),
    isSymbolicLink: stats.isSymbolicLink(),
    atimeMs,
    mtimeMs,
    ctimeMs,
    birthtimeMs,
    ino,
    nlink,
    uid,
    gid,
  };
}

/**
 * Files of the host, each by its own path. Calls reject with the errors of `node:fs`.
 * @example
 * const driver = createNodeDriver({ filesystem: new NodeFileSystem({ root: "/srv/project" }) });
 */
export class NodeFileSystem implements VirtualFileSystem {
  /** What programs are shown; undefined: the directory that they start in. */
  readonly root: string | undefined;

  /**
   * `root` is the directory that programs are shown; default: the one that they start in.
   * @throws {TypeError} for a root that is no text.
   */
  constructor(options: { root?: string } = {}) {
    this.root = options.root === undefined ? undefined : resolve(options.root);
  }

  async readFile(path: string): Promise<Uint8Array> {
    return new Uint8Array(await fs.readFile(path));
  }

  readTextFile(path: string): Promise<string> {
    return fs.readFile(path, "utf8");
  }

  async readDir(path: string): Promise<string[]> {
    return (await fs.readdir(path)).sort();
  }

  async readDirWithTypes(path: string): Promise<VirtualDirEntry[]> {
    const entries = await fs.readdir(path, { withFileTypes: true });
    return entries.map((entry) => ({
      name: entry.name,
      isDirectory: entry.isDirectory(),
      isSymbolicLink: entry.isSymbolicLink(),
    }));
  }

  async writeFile(path: string, content: string | Uint8Array): Promise<void> {
    await fs.mkdir(dirname(path), { recursive: true });
    await fs.writeFile(path, content);
  }

  async createDir(path: string): Promise<void> {
    await fs.mkdir(path);
  }

  async mkdir(path: string, options: { recursive?: boolean } = {}): Promise<void> {
    const { recursive = true } = options;
    await fs.mkdir(path, { recursive });
  }

  exists(path: string): Promise<boolean> {
    return fs.access(path).then(
      () => true,
      () => false,
    );
  }

  async stat(path: string): Promise<VirtualStat> {
    return statOf(await fs.stat(path));
  }

  async lstat(path: string): Promise<VirtualStat> {
    return statOf(await fs.lstat(path));
  }

  removeFile(path: string): Promise<void> {
    return fs.unlink(path);
  }

  removeDir(path: string): Promise<void> {
    return fs.rmdir(path);
  }

  rename(oldPath: string, newPath: string): Promise<void> {
    return fs.rename(oldPath, newPath);
  }

  truncate(path: string, length: number): Promise<void> {
    return fs.truncate(path, length);
  }

  async pread(path: string, offset: number, length: number): Promise<Uint8Array> {
    const file = await fs.open(path);
    try {
      const buffer = new Uint8Array(length);
      const { bytesRead } = await file.read(buffer, 0, length, offset);
      return buffer.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  }
}
