/**
 * Owns a workspace file system of `@mastra/core` over core/session.ts: the files of a machine below a directory.
 *
 * Invariants: a path starts at `basePath` and stays below it; what is not there, is a directory, exists or may not
 * be written is told by the package's error of that name. Types are written after the interface that the package
 * declares; nothing is imported from it. Untrusted: names and content.
 */
import { posix } from "node:path";
import type { NodeRuntimeFileStat } from "../../index.js";
import type { NodeBuffer, TextEncoding } from "../../protocol/node-types.js";
import type { Session } from "../core/session.js";

/** Facts about a file; `size` in bytes. */
export interface FileStat {
  name: string;
  path: string;
  type: "file" | "directory";
  size: number;
  createdAt: Date;
  modifiedAt: Date;
}

/** An entry of a directory; `size` in bytes. */
export interface FileEntry {
  name: string;
  type: "file" | "directory";
  size?: number;
  isSymlink?: boolean;
}

type PathError = new (path: string) => Error;

/** The package's classes, as `import * as errors from "@mastra/core/workspace"` has them. */
export interface FilesystemErrors {
  FileNotFoundError: PathError;
  DirectoryNotFoundError: PathError;
  FileExistsError: PathError;
  IsDirectoryError: PathError;
  NotDirectoryError: PathError;
  DirectoryNotEmptyError: PathError;
  PermissionError: new (path: string, operation: string) => Error;
  StaleFileError: new (path: string, expected: Date, actual: Date) => Error;
}

interface RemoveOptions {
  recursive?: boolean;
  /** Whether one that is not there is fine. */
  force?: boolean;
}

interface CopyOptions {
  overwrite?: boolean;
  recursive?: boolean;
}

function ownError(name: string, code: string, text: string): PathError {
  return class extends Error {
    override readonly name = name;
    readonly code = code;

    constructor(readonly path: string) {
      super(`${text}: ${path}`);
    }
  };
}

/** The same names and codes, where the package's are not given. */
const ownErrors: FilesystemErrors = {
  FileNotFoundError: ownError("FileNotFoundError", "ENOENT", "File not found"),
  DirectoryNotFoundError: ownError("DirectoryNotFoundError", "ENOENT", "Directory not found"),
  FileExistsError: ownError("FileExistsError", "EEXIST", "File already exists"),
  IsDirectoryError: ownError("IsDirectoryError", "EISDIR", "Path is a directory"),
  NotDirectoryError: ownError("NotDirectoryError", "ENOTDIR", "Path is not a directory"),
  DirectoryNotEmptyError: ownError("DirectoryNotEmptyError", "ENOTEMPTY", "Directory not empty"),
  PermissionError: ownError("PermissionError", "EACCES", "Permission denied"),
  StaleFileError: ownError("StaleFileError", "ESTALE", "File was modified since it was read"),
};

export interface SecureExecFilesystemOptions {
  /**
   * Where paths start.
   * @default the session's `cwd`
   */
  basePath?: string;
  /**
   * Refuses every change.
   * @default false
   */
  readOnly?: boolean;
  errors?: FilesystemErrors;
  id?: string;
}

/**
 * The files of a session for `new Workspace({ filesystem })`.
 * @throws {Error} from every call, of the package's classes where `errors` is given: FileNotFoundError and its
 * like.
 * @throws {DISPOSED|KERNEL_LOST|FILE} from every call, as `Session`.
 * @example
 * import { SecureExecSandbox } from "secure-exec/mastra";
 *
 * const sandbox = new SecureExecSandbox();
 * const files = await sandbox.filesystem();
 * await files.writeFile("a.txt", "text");
 * console.log(await files.readFile("a.txt", { encoding: "utf8" }));
 * await sandbox.destroy();
 */
export class SecureExecFilesystem {
  readonly id: string;
  readonly name = "SecureExecFilesystem";
  readonly provider = "secure-exec";
  readonly readOnly: boolean;
  readonly basePath: string;
  status: "pending" | "ready" | "destroyed" = "pending";
  readonly #session: Session;
  readonly #errors: FilesystemErrors;

  /** The session stays its owner's: `destroy` ends nothing. Never throws. */
  constructor(session: Session, options: SecureExecFilesystemOptions = {}) {
    const { basePath = session.cwd, readOnly = false, errors = ownErrors } = options;
    this.#session = session;
    this.#errors = errors;
    this.basePath = basePath;
    this.readOnly = readOnly;
    this.id = options.id ?? `secure-exec-${session.id}`;
  }

  /** Makes the base directory. */
  async init(): Promise<void> {
    await this.#session.mkdir(this.basePath, { recursive: true });
    this.status = "ready";
  }

  /** Is not used any more. Never rejects. */
  async destroy(): Promise<void> {
    this.status = "destroyed";
  }

  /** Whether it was made and not destroyed. Never throws. */
  isReady(): boolean {
    return this.status === "ready" && this.#session.running;
  }

  /** What it is, for the package. Never throws. */
  getInfo() {
    const { id, name, provider, status, readOnly, basePath } = this;
    return { id, name, provider, status, readOnly, metadata: { basePath } };
  }

  /** The same for a model. Never throws. */
  getInstructions(): string {
    return `Files of an isolated machine below ${this.basePath}; commands of the same machine see them.`;
  }

  /** "/a" and "a" are the same: both below `basePath`, unless the path has it in front. */
  resolveAbsolutePath(path: string): string {
    const top = this.basePath === "/" ? "" : this.basePath;
    const isFull = path === this.basePath || path.startsWith(`${top}/`);
    const full = isFull
      ? posix.normalize(path)
      : posix.join(this.basePath, posix.resolve("/", path));
    if (full !== this.basePath && !full.startsWith(`${top}/`))
      throw new this.#errors.PermissionError(path, "access");
    return full;
  }

  #writable(path: string, operation: string): string {
    if (this.readOnly) throw new this.#errors.PermissionError(path, operation);
    return this.resolveAbsolutePath(path);
  }

  async #stat(path: string): Promise<NodeRuntimeFileStat> {
    const stat = await this.#session.stat(this.resolveAbsolutePath(path));
    if (stat === undefined) throw new this.#errors.FileNotFoundError(path);
    return stat;
  }

  /** Text with an encoding, otherwise bytes. */
  async readFile(
    path: string,
    options: { encoding?: TextEncoding } = {},
  ): Promise<string | NodeBuffer> {
    if ((await this.#stat(path)).type === "directory")
      throw new this.#errors.IsDirectoryError(path);
    const bytes = Buffer.from((await this.#session.readFile(this.resolveAbsolutePath(path))) ?? []);
    return options.encoding === undefined ? bytes : bytes.toString(options.encoding);
  }

  /**
   * Makes or replaces a file. `recursive` (default true) makes its directories; with `overwrite` false (default
   * true) one that is there is an error, and so is one that is not of `expectedMtime` (default: any).
   */
  async writeFile(
    path: string,
    content: string | Uint8Array,
    options: { recursive?: boolean; overwrite?: boolean; expectedMtime?: Date } = {},
  ): Promise<void> {
    const full = this.#writable(path, "write");
    const { recursive = true, overwrite = true, expectedMtime } = options;
    const stat = await this.#session.stat(full);
    if (stat?.type === "directory") throw new this.#errors.IsDirectoryError(path);
    if (stat !== undefined && !overwrite) throw new this.#errors.FileExistsError(path);
    const actual = stat && new Date(stat.mtimeMs);
    if (expectedMtime !== undefined && actual !== undefined && +expectedMtime !== +actual)
      throw new this.#errors.StaleFileError(path, expectedMtime, actual);
    const parent = posix.dirname(full);
    if (!recursive && (await this.#session.stat(parent)) === undefined)
      throw new this.#errors.DirectoryNotFoundError(posix.dirname(path));
    await this.#session.writeFile(full, content);
  }

  /** Writes at the end of a file, which is made where there is none. */
  async appendFile(path: string, content: string | Uint8Array): Promise<void> {
    const full = this.#writable(path, "append");
    const before = (await this.#session.readFile(full)) ?? new Uint8Array();
    await this.#session.writeFile(full, Buffer.concat([before, Buffer.from(content)]));
  }

  /** Removes a file. */
  async deleteFile(path: string, options: RemoveOptions = {}): Promise<void> {
    const full = this.#writable(path, "delete");
    const stat = await this.#session.stat(full, { follow: false });
    if (stat === undefined) return this.#missing(path, options);
    if (stat.type === "directory" && options.recursive !== true)
      throw new this.#errors.IsDirectoryError(path);
    await this.#session.remove(full);
  }

  #missing(
    path: string,
    { force = false }: RemoveOptions,
    kind: PathError = this.#errors.FileNotFoundError,
  ): void {
    if (!force) throw new kind(path);
  }

  /** Copies a file, or with `recursive` a directory. */
  async copyFile(source: string, target: string, options: CopyOptions = {}): Promise<void> {
    const full = this.#writable(target, "copy");
    const { type } = await this.#stat(source);
    if (type !== "directory") {
      const { overwrite = true } = options;
      return this.writeFile(target, await this.readFile(source), { overwrite });
    }
    if (options.recursive !== true) throw new this.#errors.IsDirectoryError(source);
    await this.#session.mkdir(full, { recursive: true });
    for (const { name } of await this.readdir(source))
      await this.copyFile(posix.join(source, name), posix.join(target, name), options);
  }

  /** Gives a file or directory another path. */
  async moveFile(source: string, target: string, options: CopyOptions = {}): Promise<void> {
    const [from, to] = [this.#writable(source, "move"), this.#writable(target, "move")];
    await this.#stat(source);
    const { overwrite = true } = options;
    if (!overwrite && (await this.#session.stat(to)) !== undefined)
      throw new this.#errors.FileExistsError(target);
    await this.#session.mkdir(posix.dirname(to), { recursive: true });
    await this.#session.rename(from, to);
  }

  /** Makes a directory, with `recursive` (default true) its parents, too. */
  async mkdir(path: string, options: { recursive?: boolean } = {}): Promise<void> {
    const full = this.#writable(path, "mkdir");
    const { recursive = true } = options;
    const stat = await this.#session.stat(full);
    if (stat !== undefined && (!recursive || stat.type !== "directory"))
      throw new this.#errors.FileExistsError(path);
    if (!recursive && (await this.#session.stat(posix.dirname(full))) === undefined)
      throw new this.#errors.DirectoryNotFoundError(posix.dirname(path));
    await this.#session.mkdir(full, { recursive });
  }

  /** Removes a directory, with `recursive` all in it. */
  async rmdir(path: string, options: RemoveOptions = {}): Promise<void> {
    const full = this.#writable(path, "rmdir");
    const stat = await this.#session.stat(full, { follow: false });
    if (stat === undefined)
      return this.#missing(path, options, this.#errors.DirectoryNotFoundError);
    if (stat.type !== "directory") throw new this.#errors.NotDirectoryError(path);
    const entries = (await this.#session.list(full)) ?? [];
    if (entries.length > 0 && options.recursive !== true)
      throw new this.#errors.DirectoryNotEmptyError(path);
    await this.#session.remove(full);
  }

  /**
   * The entries of a directory. With `recursive` (default false), names are paths relative to the directory, down
   * to `maxDepth` levels (default: all); `extension` (default: any) keeps only files that end so.
   */
  async readdir(
    path: string,
    options: { recursive?: boolean; extension?: string | string[]; maxDepth?: number } = {},
  ): Promise<FileEntry[]> {
    const full = this.resolveAbsolutePath(path);
    const stat = await this.#session.stat(full);
    if (stat === undefined) throw new this.#errors.DirectoryNotFoundError(path);
    if (stat.type !== "directory") throw new this.#errors.NotDirectoryError(path);
    const { recursive = false, maxDepth = Infinity } = options;
    const extensions = [options.extension ?? []].flat();
    const fits = (name: string): boolean =>
      extensions.length === 0 || extensions.some((one) => name.endsWith(one));
    const entries: FileEntry[] = [];
    const depth = recursive ? maxDepth : 1;
    for await (const { path: found, stat: facts } of this.#session.walk(full, { depth })) {
      const name = posix.relative(full, found);
      const type = facts.type === "directory" ? "directory" : "file";
      if (type === "file" && !fits(name)) continue;
      entries.push({
        name,
        type,
        ...(type === "file" && { size: facts.size }),
        ...(facts.type === "symlink" && { isSymlink: true }),
      });
    }
    return entries;
  }

  /** Whether something is there. */
  async exists(path: string): Promise<boolean> {
    return (await this.#session.stat(this.resolveAbsolutePath(path))) !== undefined;
  }

  /** Facts about a file. */
  async stat(path: string): Promise<FileStat> {
    const { type, size, birthtimeMs, mtimeMs } = await this.#stat(path);
    return {
      name: posix.basename(path),
      path,
      type: type === "directory" ? "directory" : "file",
      size,
      createdAt: new Date(birthtimeMs),
      modifiedAt: new Date(mtimeMs),
    };
  }
}
