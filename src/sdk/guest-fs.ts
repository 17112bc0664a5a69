/**
 * Owns `rt.fs`: the machine's files in the shape of `node:fs/promises`.
 *
 * Invariants: errors are Node's in shape (`code`, `errno`, `syscall`, `path`, `dest`) with the SDK's as their
 * `cause`; what Node has and this has not is missing, never ignored; links that a program planted are followed no
 * further than by the SDK's other file calls.
 * Untrusted: content, names and links are the programs'.
 */
import { constants } from "node:fs";
import { posix } from "node:path";
import { randomBytes } from "node:crypto";
import { O_APPEND, O_CREAT, O_EXCL, O_TRUNC } from "../abi/fcntl.js";
import { FileChange } from "../protocol/host-calls.js";
import type { NodeBuffer, TextEncoding } from "../protocol/node-types.js";
import { invalidOption } from "./errors.js";
import { refused, shaped } from "./file-errors.js";
import { NodeRuntimeDirent, NodeRuntimeStats } from "./file-facts.js";
import type { RuntimeFiles } from "./files.js";
import { textOf } from "./in-parts.js";
import { bagOf, bytesOf, guestPathOf } from "./option-checks.js";
import type { Bag } from "./option-checks.js";

/** Those of Node's `open` that write a file from its beginning or its end. */
const flagBits: Readonly<Record<string, number>> = {
  w: O_CREAT | O_TRUNC,
  wx: O_CREAT | O_TRUNC | O_EXCL,
  a: O_CREAT | O_APPEND,
  ax: O_CREAT | O_APPEND | O_EXCL,
};
/** A tree this deep is refused, whoever made it. */
const deepestLevels = 1000;
const temporaryLetters = 6;

type Encoding = TextEncoding;
interface EncodingOption {
  encoding?: Encoding | null;
  signal?: AbortSignal;
}
interface WriteOptions extends EncodingOption {
  /** @default 0o666, less the machine's umask */
  mode?: number;
  /** "w" (default), "wx", "a" or "ax". */
  flag?: string;
  signal?: AbortSignal;
}

/** A bag of options, or the encoding alone. */
function optionsOf(value: unknown, known: readonly string[]): Bag {
  const bag = typeof value === "string" ? { encoding: value } : value === null ? {} : value;
  return bagOf(bag, known);
}

function encodingOf(value: unknown): Encoding | undefined {
  if (value === undefined || value === null || value === "buffer") return undefined;
  if (typeof value === "string" && Buffer.isEncoding(value)) return value;
  throw invalidOption("encoding", "must be an encoding of Buffer");
}

function integerOf(option: string, value: unknown): number {
  const number = typeof value === "string" ? Number.parseInt(value, 8) : value;
  if (typeof number !== "number" || !Number.isInteger(number) || number < 0)
    throw invalidOption(option, "must be a whole number");
  return number;
}

function msOf(option: string, value: unknown): number {
  const ms = value instanceof Date ? value.getTime() : Number(value) * 1000;
  if (!Number.isFinite(ms)) throw invalidOption(option, "must be a Date or seconds");
  return ms;
}

/**
 * The machine's files in the shape of `node:fs/promises`; paths are relative to the runtime's `cwd`. Options that
 * Node has and this has not are INVALID_OPTION.
 * @throws {NodeRuntimeFsError} from every call, with Node's `code`, `errno`, `syscall` and `path`; its `cause` is
 * the SDK's own error.
 * @example
 * await rt.fs.mkdir("notes", { recursive: true });
 * await rt.fs.appendFile("notes/a.txt", "one line\n");
 * const { size } = await rt.fs.stat("notes/a.txt");
 */
export class NodeRuntimeFs {
  readonly #files: () => RuntimeFiles | Promise<RuntimeFiles>;
  readonly #cwd: string;
  readonly #followLinks: boolean;

  /** Made by `NodeRuntime`. */
  constructor(
    files: () => RuntimeFiles | Promise<RuntimeFiles>,
    cwd: string,
    followLinks: boolean,
  ) {
    this.#files = files;
    this.#cwd = cwd;
    this.#followLinks = followLinks;
  }

  /** The same calls, which follow links that a program may have made wherever they lead. Never throws. */
  followingLinks(): NodeRuntimeFs {
    return new NodeRuntimeFs(this.#files, this.#cwd, true);
  }

  async #call<T>(
    syscall: string,
    path: unknown,
    call: (files: RuntimeFiles, full: string) => Promise<T>,
    dest?: string,
  ): Promise<T> {
    const full = guestPathOf(path, this.#cwd);
    try {
      return await call(await this.#files(), full);
    } catch (error) {
      throw shaped(error, syscall, String(path), dest);
    }
  }

  /**
   * The bytes of a file, or with an encoding its text.
   * @throws {NodeRuntimeFsError|INVALID_OPTION|DISPOSED|KERNEL_LOST|signal.reason} as Node's; for arguments; when
   * the machine is gone; when aborted.
   */
  readFile(
    path: string,
    options?: { encoding?: null; signal?: AbortSignal } | null,
  ): Promise<NodeBuffer>;
  readFile(
    path: string,
    options: Encoding | (EncodingOption & { encoding: Encoding }),
  ): Promise<string>;
  async readFile(
    path: string,
    options?: EncodingOption | Encoding | null,
  ): Promise<Buffer | string> {
    const given = optionsOf(options, ["encoding", "signal"]);
    const encoding = encodingOf(given.encoding);
    (given.signal as AbortSignal | undefined)?.throwIfAborted();
    const bytes = await this.#call("open", path, (files, full) =>
      files.read(full, this.#followLinks),
    );
    if (encoding === "utf8" || encoding === "utf-8") return textOf(bytes);
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return encoding === undefined ? buffer : buffer.toString(encoding);
  }

  /**
   * Makes or replaces a file. Unlike `rt.writeFile` it makes no directories.
   * @throws {NodeRuntimeFsError|INVALID_OPTION|DISPOSED|KERNEL_LOST|signal.reason} as `readFile`.
   */
  async writeFile(
    path: string,
    data: string | Uint8Array,
    options?: WriteOptions | Encoding | null,
  ): Promise<void> {
    await this.#write(path, data, optionsOf(options, ["encoding", "mode", "flag", "signal"]), "w");
  }

  /**
   * Writes at the end of a file, which is made where there is none.
   * @throws {NodeRuntimeFsError|INVALID_OPTION|DISPOSED|KERNEL_LOST|signal.reason} as `readFile`.
   */
  async appendFile(
    path: string,
    data: string | Uint8Array,
    options?: WriteOptions | Encoding | null,
  ): Promise<void> {
    await this.#write(path, data, optionsOf(options, ["encoding", "mode", "flag", "signal"]), "a");
  }

  async #write(path: string, data: unknown, given: Bag, byDefault: string): Promise<void> {
    const encoding = encodingOf(given.encoding);
    const bytes =
      typeof data === "string" && encoding !== undefined
        ? Buffer.from(data, encoding)
        : bytesOf("data", data);
    const flags = flagBits[String(given.flag ?? byDefault)];
    if (flags === undefined)
      throw invalidOption("flag", `must be one of ${Object.keys(flagBits).join(", ")}`);
    const mode = given.mode === undefined ? 0o666 : integerOf("mode", given.mode);
    (given.signal as AbortSignal | undefined)?.throwIfAborted();
    await this.#call("open", path, (files, full) =>
      files.openWrite(full, bytes, { flags, mode, followLinks: this.#followLinks }),
    );
  }

  /**
   * Makes a directory, with the permission bits `mode` (default 0o755); with `recursive` (default false) its
   * parents, too, and answers the first one that was made.
   * @throws {NodeRuntimeFsError|INVALID_OPTION|DISPOSED|KERNEL_LOST} as `readFile`.
   */
  async mkdir(
    path: string,
    options?: { recursive?: boolean; mode?: number } | number,
  ): Promise<string | undefined> {
    const given = bagOf(typeof options === "number" ? { mode: options } : options, [
      "recursive",
      "mode",
    ]);
    const recursive = given.recursive === true;
    return this.#call("mkdir", path, async (files, full) => {
      const first = recursive ? await this.#firstMissing(files, full) : undefined;
      await files.mkdir(full, recursive, this.#followLinks);
      if (given.mode !== undefined)
        await this.#change("chmod", path, FileChange.mode, [integerOf("mode", given.mode)]);
      return first;
    });
  }

  async #firstMissing(files: RuntimeFiles, full: string): Promise<string | undefined> {
    let first: string | undefined;
    for (let path = posix.normalize(full); path !== "/"; path = posix.dirname(path)) {
      if (await files.exists(path, this.#followLinks)) break;
      first = path;
    }
    return first;
  }

  /**
   * The names in a directory, with `recursive` those below, too, as relative paths; with `withFileTypes` each with
   * what it is. Both are false by default.
   * @throws {NodeRuntimeFsError|INVALID_OPTION|DISPOSED|KERNEL_LOST} as `readFile`.
   */
  readdir(
    path: string,
    options?: { withFileTypes?: false; recursive?: boolean } | Encoding | null,
  ): Promise<string[]>;
  readdir(
    path: string,
    options: { withFileTypes: true; recursive?: boolean },
  ): Promise<NodeRuntimeDirent[]>;
  async readdir(
    path: string,
    options?: { withFileTypes?: boolean; recursive?: boolean } | Encoding | null,
  ): Promise<string[] | NodeRuntimeDirent[]> {
    const given = optionsOf(options, ["encoding", "withFileTypes", "recursive"]);
    const found: NodeRuntimeDirent[] = [];
    await this.#call("scandir", path, async (files, full) => {
      const waiting = [{ full, shown: path, level: 0 }];
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        if (next.level > deepestLevels) throw refused("ENAMETOOLONG", "scandir", next.shown);
        for (const { name, type } of await files.list(next.full, this.#followLinks)) {
          found.push(new NodeRuntimeDirent(name, next.shown, type));
          if (given.recursive === true && type === "directory")
            waiting.push({
              full: `${next.full}/${name}`,
              shown: posix.join(next.shown, name),
              level: next.level + 1,
            });
        }
      }
    });
    if (given.withFileTypes === true) return found;
    return found.map(({ name, parentPath }) => posix.relative(path, posix.join(parentPath, name)));
  }

  /**
   * Facts about a file, a link at the end followed.
   * @throws {NodeRuntimeFsError|INVALID_OPTION|DISPOSED|KERNEL_LOST} as `readFile`.
   */
  async stat(path: string): Promise<NodeRuntimeStats> {
    return new NodeRuntimeStats(
      await this.#call("stat", path, (files, full) => files.stat(full, true, this.#followLinks)),
    );
  }

  /**
   * Facts about a file, or about the link itself.
   * @throws {NodeRuntimeFsError|INVALID_OPTION|DISPOSED|KERNEL_LOST} as `readFile`.
   */
  async lstat(path: string): Promise<NodeRuntimeStats> {
    return new NodeRuntimeStats(
      await this.#call("lstat", path, (files, full) => files.stat(full, false, this.#followLinks)),
    );
  }

  /**
   * Whether it is there; `mode` asks for what the machine's user may do, by the permission bits.
   * @throws {NodeRuntimeFsError|INVALID_OPTION|DISPOSED|KERNEL_LOST} as `readFile`; EACCES where it is there and
   * may not be used so.
   */
  async access(path: string, mode: number = constants.F_OK): Promise<void> {
    const { mode: bits } = await this.#call("access", path, (files, full) =>
      files.stat(full, true, this.#followLinks),
    );
    if (((bits >> 6) & mode) !== mode) throw refused("EACCES", "access", path);
  }

  /**
   * Removes a file, or with `recursive` a directory and all in it; with `force` a missing one is fine. Both are
   * false by default.
   * @throws {NodeRuntimeFsError|INVALID_OPTION|DISPOSED|KERNEL_LOST} as `readFile`.
   */
  async rm(path: string, options?: { recursive?: boolean; force?: boolean }): Promise<void> {
    const { recursive = false, force = false } = bagOf(options, ["recursive", "force"]);
    const flags = {
      recursive: recursive === true,
      force: force === true,
      followLinks: this.#followLinks,
    };
    await this.#call("rm", path, (files, full) => files.rm(full, flags));
  }

  /**
   * Removes a file or a link.
   * @throws {NodeRuntimeFsError|INVALID_OPTION|DISPOSED|KERNEL_LOST} as `readFile`.
   */
  async unlink(path: string): Promise<void> {
    const flags = { recursive: false, force: false, followLinks: this.#followLinks };
    await this.#call("unlink", path, (files, full) => files.rm(full, flags));
  }

  /**
   * Removes an empty directory.
   * @throws {NodeRuntimeFsError|INVALID_OPTION|DISPOSED|KERNEL_LOST} as `readFile`.
   */
  async rmdir(path: string): Promise<void> {
    await this.#change("rmdir", path, FileChange.removeDirectory, []);
  }

  /**
   * Gives a file or directory another path, in the place of a file that is there.
   * @throws {NodeRuntimeFsError|INVALID_OPTION|DISPOSED|KERNEL_LOST} as `readFile`.
   */
  async rename(from: string, to: string): Promise<void> {
    const target = guestPathOf(to, this.#cwd);
    await this.#call(
      "rename",
      from,
      (files, full) => files.rename(full, target, this.#followLinks),
      to,
    );
  }

  /**
   * Copies the content and the permission bits of a file; `COPYFILE_EXCL` refuses one that is there.
   * @throws {NodeRuntimeFsError|INVALID_OPTION|DISPOSED|KERNEL_LOST} as `readFile`.
   */
  async copyFile(from: string, to: string, mode = 0): Promise<void> {
    const target = guestPathOf(to, this.#cwd);
    const exclusive = (mode & constants.COPYFILE_EXCL) === 0 ? 0 : O_EXCL;
    const followLinks = this.#followLinks;
    await this.#call(
      "copyfile",
      from,
      async (files, full) => {
        const { type, mode: bits } = await files.stat(full, true, followLinks);
        if (type === "directory") throw refused("EISDIR", "copyfile", from, to);
        await files.openWrite(target, await files.read(full, followLinks), {
          flags: O_CREAT | O_TRUNC | exclusive,
          mode: bits & 0o777,
          followLinks,
        });
      },
      to,
    );
  }

  /**
   * Copies a file, or with `recursive` (default false) a directory with all that is in it; links as the text that
   * they are, as Node does with `verbatimSymlinks`, which is always true here.
   * @throws {NodeRuntimeFsError|INVALID_OPTION|DISPOSED|KERNEL_LOST} as `readFile`.
   */
  async cp(
    from: string,
    to: string,
    options?: { recursive?: boolean; verbatimSymlinks?: true },
  ): Promise<void> {
    const { recursive = false, verbatimSymlinks = true } = bagOf(options, [
      "recursive",
      "verbatimSymlinks",
    ]);
    if (verbatimSymlinks !== true) throw invalidOption("verbatimSymlinks", "must be true");
    const stat = await this.lstat(from);
    if (stat.isSymbolicLink()) return this.symlink(await this.readlink(from), to);
    if (!stat.isDirectory()) return this.copyFile(from, to);
    if (recursive !== true) throw refused("EISDIR", "cp", from, to);
    const entries = await this.readdir(from, { withFileTypes: true, recursive: true });
    await this.mkdir(to, { recursive: true });
    for (const entry of entries) {
      const source = posix.join(entry.parentPath, entry.name);
      const target = posix.join(to, posix.relative(from, source));
      if (entry.isDirectory()) await this.mkdir(target, { recursive: true });
      else if (entry.isSymbolicLink()) await this.symlink(await this.readlink(source), target);
      else if (entry.isFile()) await this.copyFile(source, target);
    }
  }

  /**
   * The text of a link.
   * @throws {NodeRuntimeFsError|INVALID_OPTION|DISPOSED|KERNEL_LOST} as `readFile`.
   */
  async readlink(path: string): Promise<string> {
    return this.#call("readlink", path, (files, full) => files.readlink(full));
  }

  /**
   * Makes a link with the text `target`.
   * @throws {NodeRuntimeFsError|INVALID_OPTION|DISPOSED|KERNEL_LOST} as `readFile`.
   */
  async symlink(target: string, path: string): Promise<void> {
    await this.#call(
      "symlink",
      path,
      async (files, full) => {
        const there = await files.stat(full, false, this.#followLinks).catch(() => undefined);
        if (there !== undefined) throw refused("EEXIST", "symlink", target, path);
        await files.symlink(target, full);
      },
      path,
    );
  }

  /**
   * Gives a file a second name.
   * @throws {NodeRuntimeFsError|INVALID_OPTION|DISPOSED|KERNEL_LOST} as `readFile`.
   */
  async link(from: string, to: string): Promise<void> {
    const target = guestPathOf(to, this.#cwd);
    await this.#call(
      "link",
      from,
      (files, full) => files.link(full, target, this.#followLinks),
      to,
    );
  }

  /**
   * The path without links in it.
   * @throws {NodeRuntimeFsError|INVALID_OPTION|DISPOSED|KERNEL_LOST} as `readFile`.
   */
  async realpath(path: string): Promise<string> {
    return this.#call("realpath", path, (files, full) => files.realpath(full, this.#followLinks));
  }

  /**
   * Sets the permission bits: a number, or octal digits as text.
   * @throws {NodeRuntimeFsError|INVALID_OPTION|DISPOSED|KERNEL_LOST} as `readFile`.
   */
  async chmod(path: string, mode: number | string): Promise<void> {
    await this.#change("chmod", path, FileChange.mode, [integerOf("mode", mode)]);
  }

  /**
   * Sets the times: Dates, or seconds since the epoch as in Node.
   * @throws {NodeRuntimeFsError|INVALID_OPTION|DISPOSED|KERNEL_LOST} as `readFile`.
   */
  async utimes(path: string, atime: Date | number, mtime: Date | number): Promise<void> {
    const times = [msOf("atime", atime), msOf("mtime", mtime)];
    await this.#change("utime", path, FileChange.times, times);
  }

  /**
   * Makes a file `length` bytes long, 0 by default; what is added are zeros.
   * @throws {NodeRuntimeFsError|INVALID_OPTION|DISPOSED|KERNEL_LOST} as `readFile`.
   */
  async truncate(path: string, length = 0): Promise<void> {
    await this.#change("ftruncate", path, FileChange.length, [integerOf("length", length)]);
  }

  async #change(
    syscall: string,
    path: string,
    change: number,
    numbers: readonly number[],
  ): Promise<void> {
    await this.#call(syscall, path, (files, full) =>
      files.change(syscall, full, change, numbers, this.#followLinks),
    );
  }

  /**
   * Makes a directory whose name begins with `prefix`; answers its path.
   * @throws {NodeRuntimeFsError|INVALID_OPTION|DISPOSED|KERNEL_LOST} as `readFile`.
   */
  async mkdtemp(prefix: string): Promise<string> {
    const path = `${prefix}${randomBytes(temporaryLetters).toString("hex").slice(0, temporaryLetters)}`;
    await this.#call("mkdtemp", path, (files, full) => files.mkdir(full, false, this.#followLinks));
    await this.chmod(path, 0o700);
    return path;
  }
}
