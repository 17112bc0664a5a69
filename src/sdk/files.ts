/**
 * Owns the host's view of a machine's files: the calls behind `rt.readFile` and
 * its siblings, and the errors they reject with.
 *
 * Invariants: a guest's links decide where a call leads only if asked; content of any size travels in parts that fit a message; a transfer
 * that fails is ended on both sides.
 * Untrusted: file content and names are the guest's; here they are bytes and text.
 */
import { statSlots, UvDirent } from "../protocol/fs-calls.js";
import { changeNames } from "../protocol/host-calls.js";
import type { hostFileCalls } from "../protocol/host-calls.js";
import type { CallArgs, CallResult } from "../protocol/table.js";
import { failure } from "./errors.js";
import { bytesOfParts } from "./in-parts.js";
import { KernelRefusal } from "./kernel-connection.js";
import type { KernelConnection } from "./kernel-connection.js";

/** Content in one message; the kernel's parts have the same order of size. */
const partBytes = 4 * 1024 * 1024;

/** A path of an overlay that is not as it was below. */
export interface NodeRuntimeChange {
  /** Absolute. */
  path: string;
  change: "added" | "changed" | "removed";
  /** What is there, or was, where it is removed. */
  type: NodeRuntimeFileType;
}

/** What a file is. */
export type NodeRuntimeFileType =
  | "file"
  | "directory"
  | "symlink"
  | "fifo"
  | "socket"
  | "character-device"
  | "block-device"
  | "unknown";

/** What `stat` answers. Times are milliseconds since the epoch. */
export interface NodeRuntimeFileStat {
  type: NodeRuntimeFileType;
  size: number;
  /** Type and permission bits, as `st_mode`. */
  mode: number;
  uid: number;
  gid: number;
  nlink: number;
  ino: number;
  atimeMs: number;
  mtimeMs: number;
  ctimeMs: number;
  birthtimeMs: number;
}

/** An entry of a directory: its name, and what it is. */
export interface NodeRuntimeDirectoryEntry {
  name: string;
  type: NodeRuntimeFileType;
}

const typeOfDirent: Readonly<Record<number, NodeRuntimeFileType>> = {
  [UvDirent.file]: "file",
  [UvDirent.directory]: "directory",
  [UvDirent.link]: "symlink",
  [UvDirent.fifo]: "fifo",
  [UvDirent.socket]: "socket",
  [UvDirent.char]: "character-device",
  [UvDirent.block]: "block-device",
};

/** By the four bits of `st_mode` that say what a file is. */
const typeOfMode: Readonly<Record<number, NodeRuntimeFileType>> = {
  1: "fifo",
  2: "character-device",
  4: "directory",
  6: "block-device",
  8: "file",
  10: "symlink",
  12: "socket",
};

/** What every file call of the host takes. */
export interface NodeRuntimeFileOptions {
  /**
   * Follow symbolic links that a program may have made wherever they lead. By default they lead only to what lies
   * below their own directory.
   * @default false
   */
  followLinks?: boolean;
}

export const linksUnfollowed = Object.freeze({ followLinks: false });

type Calls = typeof hostFileCalls;

/** Keeps one part back, since the last one has to be sent as such. */
export class FileWriter {
  readonly #send: (data: Uint8Array, more: boolean) => Promise<void>;
  /** Lets go of a file that is not written to its end. */
  readonly abandon: () => void;
  #held: Uint8Array | undefined;

  constructor(send: (data: Uint8Array, more: boolean) => Promise<void>, abandon: () => void) {
    this.#send = send;
    this.abandon = abandon;
  }

  async write(data: Uint8Array): Promise<void> {
    for (let at = 0; at < data.byteLength; at += partBytes) {
      const held = this.#held;
      this.#held = data.subarray(at, at + partBytes);
      if (held !== undefined) await this.#send(held, true);
    }
  }

  async end(): Promise<void> {
    await this.#send(this.#held ?? new Uint8Array(0), false);
  }
}

export class RuntimeFiles {
  readonly #connection: KernelConnection;
  readonly #vm: number;

  constructor(connection: KernelConnection, vm: number) {
    this.#connection = connection;
    this.#vm = vm;
  }

  async read(path: string, followLinks: boolean): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    for await (const part of this.parts(path, followLinks)) parts.push(part);
    return parts.length === 1 ? parts[0]! : bytesOfParts(parts);
  }

  /** The content of a file, in parts of some megabytes. */
  async *parts(path: string, followLinks: boolean): AsyncGenerator<Uint8Array, void, void> {
    let file = 0;
    try {
      let part = await this.#call("readFile", { path, followLinks }, "read", path);
      for (;;) {
        file = part.more ? part.file : 0;
        yield part.data;
        if (file === 0) return;
        part = await this.#call("readMore", { file }, "read", path);
      }
    } finally {
      // Whoever reads stopped early.
      if (file !== 0) this.#abandon(file);
    }
  }

  #abandon(file: number): void {
    this.#connection.call("abandon", { vm: this.#vm, file }).catch(() => undefined);
  }

  /** Writes a file part by part, from its beginning; its directories are made. */
  writer(path: string, followLinks: boolean): FileWriter {
    let file = 0;
    let begun = false;
    return new FileWriter(
      async (data, more) => {
        const sent = begun
          ? this.#call("writeMore", { file, data, more }, "write", path)
          : this.#call("writeFile", { path, data, more, followLinks }, "write", path);
        begun = true;
        file = 0;
        ({ file } = await sent);
      },
      () => {
        if (file !== 0) this.#abandon(file);
      },
    );
  }

  /** Writes what comes. */
  async writeParts(
    path: string,
    parts: AsyncIterable<Uint8Array>,
    followLinks: boolean,
  ): Promise<void> {
    const writer = this.writer(path, followLinks);
    try {
      for await (const part of parts) await writer.write(part);
      await writer.end();
    } catch (error) {
      writer.abandon();
      throw error;
    }
  }

  /** What was changed in the overlay at that path, or in all for "". */
  async diff(guestPath: string): Promise<NodeRuntimeChange[]> {
    const changes: NodeRuntimeChange[] = [];
    for (let more = true; more;) {
      const args = { guestPath, start: changes.length };
      const page = await this.#call("diff", args, "diff", guestPath);
      page.paths.forEach((path, at) => {
        const type = typeOfDirent[page.types[at]!] ?? "unknown";
        changes.push({ path, change: changeNames[page.changes[at]!] ?? "changed", type });
      });
      ({ more } = page);
    }
    return changes;
  }

  async readlink(path: string): Promise<string> {
    const args = { path, followLinks: false };
    return (await this.#call("readlink", args, "readlink", path)).target;
  }

  async symlink(target: string, path: string): Promise<void> {
    await this.#call("symlink", { target, path, followLinks: false }, "symlink", path);
  }

  async setAttributes(path: string, mode: number, mtimeMs: number): Promise<void> {
    await this.#call("setAttributes", { path, mode, mtimeMs, followLinks: false }, "chmod", path);
  }

  async write(path: string, data: Uint8Array, followLinks: boolean): Promise<void> {
    let at = Math.min(data.byteLength, partBytes);
    const more = at < data.byteLength;
    const first = { path, data: data.subarray(0, at), more, followLinks };
    let { file } = await this.#call("writeFile", first, "write", path);
    while (at < data.byteLength) {
      const next = data.subarray(at, at + partBytes);
      at += next.byteLength;
      const more = at < data.byteLength;
      ({ file } = await this.#call("writeMore", { file, data: next, more }, "write", path));
    }
  }

  async list(path: string, followLinks: boolean): Promise<NodeRuntimeDirectoryEntry[]> {
    const entries: NodeRuntimeDirectoryEntry[] = [];
    for (;;) {
      const start = entries.length;
      const part = await this.#call("readDir", { path, start, followLinks }, "readDir", path);
      part.names.forEach((name, index) => {
        entries.push({ name, type: typeOfDirent[part.types[index]!] ?? "unknown" });
      });
      if (!part.more || part.names.length === 0) return entries;
    }
  }

  async stat(path: string, follow: boolean, followLinks: boolean): Promise<NodeRuntimeFileStat> {
    const { values } = await this.#call("stat", { path, follow, followLinks }, "stat", path);
    if (values.length !== statSlots) throw new TypeError("stat answer of another length");
    const [, mode = 0, nlink = 0, uid = 0, gid = 0, , , ino = 0, size = 0] = values;
    const time = (slot: number): number => values[slot]! * 1000 + values[slot + 1]! / 1e6;
    return {
      type: typeOfMode[mode >>> 12] ?? "unknown",
      size,
      mode,
      uid,
      gid,
      nlink,
      ino,
      atimeMs: time(10),
      mtimeMs: time(12),
      ctimeMs: time(14),
      birthtimeMs: time(16),
    };
  }

  async exists(path: string, followLinks: boolean): Promise<boolean> {
    const args = { vm: this.#vm, path, follow: true, followLinks };
    try {
      await this.#connection.call("stat", args);
      return true;
    } catch (error) {
      if (error instanceof KernelRefusal && error.errno !== undefined) return false;
      throw fileError(error, "stat", path);
    }
  }

  async mkdir(path: string, recursive: boolean, followLinks: boolean): Promise<void> {
    await this.#call("mkdir", { path, recursive, followLinks }, "mkdir", path);
  }

  async rm(
    path: string,
    options: { recursive: boolean; force: boolean; followLinks: boolean },
  ): Promise<void> {
    await this.#call("rm", { path, ...options }, "rm", path);
  }

  async rename(from: string, to: string, followLinks: boolean): Promise<void> {
    await this.#call("rename", { from, to, followLinks }, "rename", from);
  }

  /** Writes as Node's `open` flags say; no directories are made. */
  async openWrite(
    path: string,
    data: Uint8Array,
    { flags, mode, followLinks }: { flags: number; mode: number; followLinks: boolean },
  ): Promise<void> {
    let at = Math.min(data.byteLength, partBytes);
    const first = { path, flags, mode, data: data.subarray(0, at), followLinks };
    const more = at < data.byteLength;
    let { file } = await this.#call("openWrite", { ...first, more }, "open", path);
    while (at < data.byteLength) {
      const next = data.subarray(at, at + partBytes);
      at += next.byteLength;
      const last = at >= data.byteLength;
      ({ file } = await this.#call("writeMore", { file, data: next, more: !last }, "write", path));
    }
  }

  async change(
    operation: string,
    path: string,
    change: number,
    [first = 0, second = 0]: readonly number[],
    followLinks: boolean,
  ): Promise<void> {
    await this.#call("changeFile", { path, change, first, second, followLinks }, operation, path);
  }

  async link(from: string, to: string, followLinks: boolean): Promise<void> {
    await this.#call("link", { from, to, followLinks }, "link", from);
  }

  async realpath(path: string, followLinks: boolean): Promise<string> {
    return (await this.#call("realpath", { path, followLinks }, "realpath", path)).path;
  }

  async #call<K extends keyof Calls>(
    name: K,
    args: Omit<CallArgs<Calls, K>, "vm">,
    operation: string,
    path: string,
  ): Promise<CallResult<Calls, K>> {
    try {
      const all = { vm: this.#vm, ...args } as unknown as CallArgs<Calls, K>;
      return (await this.#connection.call(name, all as never)) as CallResult<Calls, K>;
    } catch (error) {
      throw fileError(error, operation, path);
    }
  }
}

/** The public error for a refused file call; errors that are already public pass through. */
function fileError(error: unknown, operation: string, path: string): unknown {
  if (!(error instanceof KernelRefusal)) return error;
  const { errno, message } = error;
  const details = { path, ...(errno !== undefined && { errno }) };
  if (errno === "ENOENT" && operation !== "write")
    return failure("NO_SUCH_FILE", { path }, { details });
  if (errno === undefined) return error.toPublic();
  return failure(
    "FILE",
    { operation, path, why: message.includes(errno) ? message : `${errno} ${message}` },
    { details },
  );
}
