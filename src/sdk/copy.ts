/**
 * Owns copying trees between the host and a machine.
 *
 * Invariants: on the host nothing outside the given path is read or written: every directory is opened
 * by itself, without following a link, and reached through that descriptor from then on; what is no file,
 * directory or link is left out and reported.
 * Untrusted: names, links and content on both sides; a program may change its side meanwhile.
 */
import { bufferOf, decodeText } from "../abi/byte-text.js";
import { constants } from "node:fs";
import { lstat, mkdir, open, readdir, readlink, symlink, unlink } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { dirname, basename, posix, resolve } from "node:path";
import { failure, invalidOption, unknownOption } from "./errors.js";
import type { NodeRuntimeFileType, RuntimeFiles } from "./files.js";

const { O_CREAT, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_TRUNC, O_WRONLY } = constants;
const chunkBytes = 1024 * 1024;

/** How far a copy has come. */
export interface NodeRuntimeCopyProgress {
  /** What has just been copied, relative to the top; "" for the top itself. */
  path: string;
  /** Files so far. */
  files: number;
  /** Bytes of their content. */
  bytes: number;
}

/** Options of `copyIn` and `copyOut`. */
export interface NodeRuntimeCopyOptions {
  /**
   * Whether to copy this, and all below it; `path` is relative to the top.
   * @default everything
   */
  filter?: (path: string, type: NodeRuntimeFileType) => boolean | Promise<boolean>;
  /**
   * Called after each file and directory; a returned promise is awaited.
   * @default none
   */
  onProgress?: (progress: NodeRuntimeCopyProgress) => void | Promise<void>;
  /**
   * Copies symbolic links as the text that they are. By default `copyOut` leaves them out: on the host they would
   * lead where a program chose. `copyIn` always copies them.
   * @default false
   */
  links?: boolean;
  /**
   * Of `copyOut` only: copies what was added or changed in an overlay, and answers what was removed from it.
   * @default false
   */
  changesOnly?: boolean;
}

/** What was copied, by number. */
export interface NodeRuntimeCopyResult {
  files: number;
  directories: number;
  links: number;
  bytes: number;
  /** Relative paths of what was left out, without what `filter` left out. */
  skipped: string[];
  /** Only with `changesOnly`: relative paths of what was removed; they stay on the host. */
  removed?: string[];
}

const optionNames = ["filter", "onProgress", "links", "changesOnly"];

export function parseCopyOptions(value: unknown): NodeRuntimeCopyOptions {
  if (value === undefined) return {};
  if (typeof value !== "object" || value === null)
    throw invalidOption("options", "must be an object");
  for (const [name, option] of Object.entries(value)) {
    if (!optionNames.includes(name)) throw unknownOption([name], optionNames);
    const type = name === "links" || name === "changesOnly" ? "boolean" : "function";
    if (option !== undefined && typeof option !== type)
      throw invalidOption(name, `must be a ${type}`);
  }
  return { ...value };
}

export function hostPathOf(value: unknown): string {
  if (typeof value !== "string" || value === "" || value.includes("\0"))
    throw invalidOption("hostPath", "must be the path of a file or directory of the host");
  return resolve(value);
}

const join = (path: string, name: string): string => (path === "" ? name : `${path}/${name}`);

class Copy {
  readonly result: NodeRuntimeCopyResult = {
    files: 0,
    directories: 0,
    links: 0,
    bytes: 0,
    skipped: [],
  };
  readonly files: RuntimeFiles;
  readonly options: NodeRuntimeCopyOptions;

  constructor(files: RuntimeFiles, options: NodeRuntimeCopyOptions) {
    this.files = files;
    this.options = options;
  }

  /** Only these, and what leads to them. */
  only: ReadonlySet<string> | undefined;

  async wants(path: string, type: NodeRuntimeFileType): Promise<boolean> {
    if (this.only?.has(path) === false) return false;
    return this.options.filter === undefined || (await this.options.filter(path, type));
  }

  async copied(kind: "files" | "directories" | "links", path: string): Promise<void> {
    const { result } = this;
    result[kind]++;
    await this.options.onProgress?.({ path, files: result.files, bytes: result.bytes });
  }
}

/** Where a child of an open directory is, whatever its path has become. */
const childOf = (directory: FileHandle, name: string): Buffer =>
  bufferOf(`/proc/self/fd/${directory.fd}/${name}`);

// Into the machine.

/** Copies what is at `hostPath` to `guestPath`, over what is there. */
export async function copyIn(
  files: RuntimeFiles,
  hostPath: string,
  guestPath: string,
  options: NodeRuntimeCopyOptions,
): Promise<NodeRuntimeCopyResult> {
  const copy = new Copy(files, options);
  // The path itself is the host's own, and may lead over links.
  const parent = await open(dirname(hostPath), O_RDONLY | O_DIRECTORY);
  try {
    const name = basename(hostPath) || ".";
    await inward(copy, childOf(parent, name), guestPath, "");
  } finally {
    await parent.close();
  }
  return copy.result;
}

async function inward(copy: Copy, from: Buffer, to: string, path: string): Promise<void> {
  const stat = await lstat(from);
  if (stat.isSymbolicLink()) {
    if (!(await copy.wants(path, "symlink"))) return;
    await copy.files.symlink(decodeText(await readlink(from, "buffer")), to);
    return copy.copied("links", path);
  }
  if (!stat.isDirectory() && !stat.isFile()) return void copy.result.skipped.push(path);
  if (!(await copy.wants(path, stat.isFile() ? "file" : "directory"))) return;
  // Nobody waits for the other end of a fifo that has taken a file's place.
  const flags = O_RDONLY | O_NOFOLLOW | (stat.isDirectory() ? O_DIRECTORY : O_NONBLOCK);
  const handle = await open(from, flags);
  try {
    const opened = await handle.stat();
    const { mode, mtimeMs } = opened;
    if (!opened.isDirectory() && !opened.isFile()) return void copy.result.skipped.push(path);
    if (stat.isDirectory()) {
      await copy.files.mkdir(to, true, false);
      const names = await readdir(`/proc/self/fd/${handle.fd}`, { encoding: "buffer" });
      for (const name of names.map((bytes) => decodeText(bytes)).sort())
        await inward(copy, childOf(handle, name), `${to}/${name}`, join(path, name));
    } else {
      await copy.files.writeParts(to, counted(copy, chunksOf(handle)), false);
    }
    await copy.files.setAttributes(to, mode & 0o777, mtimeMs);
    await copy.copied(stat.isDirectory() ? "directories" : "files", path);
  } finally {
    await handle.close();
  }
}

async function* chunksOf(handle: FileHandle): AsyncGenerator<Uint8Array> {
  for (;;) {
    const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(chunkBytes), 0, chunkBytes);
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
  }
}

async function* counted(copy: Copy, parts: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const part of parts) {
    copy.result.bytes += part.byteLength;
    yield part;
  }
}

// Out of it.

/** Copies what is at `guestPath` to `hostPath`, over what is there, but never through a link. */
export async function copyOut(
  files: RuntimeFiles,
  guestPath: string,
  hostPath: string,
  options: NodeRuntimeCopyOptions,
): Promise<NodeRuntimeCopyResult> {
  const copy = new Copy(files, options);
  if (options.changesOnly === true) await chooseChanges(copy, guestPath);
  const parent = await open(dirname(hostPath), O_RDONLY | O_DIRECTORY);
  try {
    await outward(copy, guestPath, parent, basename(hostPath) || ".", "");
  } finally {
    await parent.close();
  }
  return copy.result;
}

async function chooseChanges(copy: Copy, guestPath: string): Promise<void> {
  const top = guestPath.replace(/(.)\/+$/, "$1");
  const only = new Set([""]);
  const removed: string[] = [];
  for (const { path, change } of await copy.files.diff("")) {
    if (!path.startsWith(`${top}/`)) continue;
    const relative = path.slice(top.length + 1);
    if (change === "removed") removed.push(relative);
    else for (let at = relative; at !== "."; at = posix.dirname(at)) only.add(at);
  }
  copy.only = only;
  copy.result.removed = removed;
}

async function outward(
  copy: Copy,
  from: string,
  parent: FileHandle,
  name: string,
  path: string,
): Promise<void> {
  const { files, result } = copy;
  const { type, mode } = await files.stat(from, path === "", false);
  const to = childOf(parent, name);
  if (type === "symlink" && copy.options.links === true) {
    if (!(await copy.wants(path, type))) return;
    await placeLink(bufferOf(await files.readlink(from)), to);
    return copy.copied("links", path);
  }
  if (type !== "file" && type !== "directory") return void result.skipped.push(path);
  if (!(await copy.wants(path, type))) return;
  if (type === "directory") {
    // Whoever copies has to be able to write into it.
    await mkdir(to, (mode & 0o777) | 0o700).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST") throw error;
    });
    const handle = await open(to, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    try {
      for (const entry of await files.list(from, false)) {
        checkName(entry.name, from);
        await outward(copy, `${from}/${entry.name}`, handle, entry.name, join(path, entry.name));
      }
    } finally {
      await handle.close();
    }
    return copy.copied("directories", path);
  }
  // No set-id bits, whoever owns it on the host.
  const flags = O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK;
  const handle = await open(to, flags, mode & 0o777);
  try {
    if (!(await handle.stat()).isFile())
      throw failure("FILE", { operation: "copyOut", path: from, why: "EEXIST: no file is there" });
    for await (const part of counted(copy, files.parts(from, false))) await writeAll(handle, part);
  } finally {
    await handle.close();
  }
  await copy.copied("files", path);
}

/** Makes a link on the host, in the place of one that is there. */
async function placeLink(target: Buffer, path: Buffer): Promise<void> {
  try {
    await symlink(target, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    if (!(await lstat(path)).isSymbolicLink()) throw error;
    await unlink(path);
    await symlink(target, path);
  }
}

async function writeAll(handle: FileHandle, data: Uint8Array): Promise<void> {
  for (let at = 0; at < data.byteLength;)
    at += (await handle.write(data, at, data.byteLength - at)).bytesWritten;
}

/** What the kernel lists are names; anything else would be a place of its own on the host. */
function checkName(name: string, directory: string): void {
  if (name === "" || name === "." || name === ".." || /[/\0]/.test(name))
    throw failure("FILE", {
      operation: "copyOut",
      path: directory,
      why: "EINVAL: a name that is none",
    });
}
