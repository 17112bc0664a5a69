/**
 * Owns file systems that code of the host serves: which methods an object may have for that, how a
 * question of the kernel becomes calls of them, and how what they answer becomes an answer.
 *
 * Invariants: every question gets one answer, whatever the object does; a method is called with the object as
 * `this`; nothing of the host but the name of an errno is told about an error.
 * Untrusted: paths and content, which programs chose. What methods answer is given the shape of an answer
 * here, and is checked by the kernel.
 */
import { constants } from "node:os";
import { posix } from "node:path";
import type {
  ProvidedAttributes,
  ProvidedType,
  ProviderAnswer,
  ProviderOperation,
  ProviderQuestion,
} from "../protocol/provider.js";
import { debug } from "./debug.js";

type Awaitable<T> = T | PromiseLike<T>;
type Flag = boolean | (() => boolean);

/** Facts about a file: those of `node:fs`, or of the older generation's file systems. Owners are not looked at. */
export interface NodeRuntimeProvidedStat {
  isDirectory: Flag;
  /** @default what is neither a directory nor a link */
  isFile?: Flag;
  isSymbolicLink?: Flag;
  /** Bytes. */
  size?: number;
  /** Permission bits; default: 0o755 for directories, 0o644 for files. */
  mode?: number;
  mtimeMs?: number;
  mtime?: Date;
  atimeMs?: number;
  ctimeMs?: number;
  birthtimeMs?: number;
}

/** An entry of a directory: its name, or the name with what it is. */
export type NodeRuntimeProvidedEntry =
  | string
  | { name: string; isDirectory: Flag; isFile?: Flag; isSymbolicLink?: Flag };

/**
 * A file system that code of the host serves. Methods are those of `node:fs/promises`, or those of the older
 * generation's `VirtualFileSystem`; paths begin at the mount, "/" is its root. `stat` or `lstat`
 * has to be there, all others are optional. An error's `code` is what the program gets: EIO without one.
 */
export interface NodeRuntimeFileProvider {
  /**
   * How long attributes, lists and links may be answered again without asking, in milliseconds.
   * @default 0
   */
  readonly cacheMs?: number;
  /** Facts about a file, a link at the end followed. */
  stat?(path: string): Awaitable<NodeRuntimeProvidedStat>;
  /** Without following a link at the end. Default: `stat`. */
  lstat?(path: string): Awaitable<NodeRuntimeProvidedStat>;
  /**
   * Names or `Dirent`s of a directory, as of node:fs/promises; always asked with `withFileTypes`, and where there
   * is no `readDirWithTypes`.
   */
  readdir?(path: string, options: { withFileTypes: true }): unknown;
  /** The entries of a directory. */
  readDirWithTypes?(path: string): Awaitable<Iterable<NodeRuntimeProvidedEntry>>;
  /** The names in a directory; asked where there is neither of those. */
  readDir?(path: string): Awaitable<Iterable<NodeRuntimeProvidedEntry>>;
  /** The text of a link. */
  readlink?(path: string): unknown;
  /** All of a file. */
  readFile?(path: string): Awaitable<Uint8Array | string>;
  /** A part of a file, shorter at its end; used for files of more than 1 MiB. */
  pread?(path: string, offset: number, length: number): Awaitable<Uint8Array>;
  /** Makes or replaces a file with the permission bits `mode`; `data` is a Buffer. */
  writeFile?(path: string, data: Uint8Array, options: { mode: number }): unknown;
  /** Makes one directory with the permission bits `mode`; `recursive` is false always. */
  mkdir?(path: string, options: { recursive: false; mode: number }): unknown;
  /** The same; asked where there is no `mkdir`. */
  createDir?(path: string): unknown;
  /** Removes a file or a link. */
  unlink?(path: string): unknown;
  /** The same; asked where there is no `unlink`. */
  removeFile?(path: string): unknown;
  /** Removes an empty directory. */
  rmdir?(path: string): unknown;
  /** The same; asked where there is no `rmdir`. */
  removeDir?(path: string): unknown;
  /**
   * Removes what `recursive` says, a file or an empty directory; `force` is false always. Asked where there is
   * nothing better.
   */
  rm?(path: string, options: { recursive: boolean; force: false }): unknown;
  /** Moves over what is there. */
  rename?(from: string, to: string): unknown;
  /** Makes a link with that text. */
  symlink?(target: string, path: string): unknown;
  /** Gives a file a second name. */
  link?(path: string, newPath: string): unknown;
  /** Sets the permission bits. */
  chmod?(path: string, mode: number): unknown;
  /** Sets the times, in seconds since the epoch. */
  utimes?(path: string, atime: number, mtime: number): unknown;
}

type Method = Exclude<keyof NodeRuntimeFileProvider, "cacheMs">;

/** The methods that do an operation, the first that is there counts. */
const methodsOf: Readonly<Record<ProviderOperation, readonly Method[]>> = Object.freeze({
  stat: ["lstat", "stat"],
  list: ["readDirWithTypes", "readdir", "readDir"],
  readLink: ["readlink"],
  read: ["readFile"],
  readRange: ["pread"],
  write: ["writeFile"],
  makeDirectory: ["mkdir", "createDir"],
  unlink: ["unlink", "removeFile", "rm"],
  removeDirectory: ["rmdir", "removeDir", "rm"],
  rename: ["rename"],
  symlink: ["symlink"],
  link: ["link"],
  setMode: ["chmod"],
  setTimes: ["utimes"],
});

const nothing = new Uint8Array(0);

/** What a method threw, if it is to be told. */
class NoAnswer extends Error {
  readonly code: string;
  constructor(code: string) {
    super(code);
    this.code = code;
  }
}

/** One object that serves files. */
export class FileProvider {
  readonly #object: Readonly<Record<string, unknown>>;
  readonly #below: string;
  readonly operations: ProviderOperation[];

  /** `below`: the directory of the object that is the root here. */
  constructor(object: object, below = "") {
    this.#object = object as Readonly<Record<string, unknown>>;
    this.#below = below;
    const all = Object.keys(methodsOf) as ProviderOperation[];
    this.operations = all.filter((operation) => this.#methodOf(operation) !== undefined);
  }

  #methodOf(operation: ProviderOperation): Method | undefined {
    return methodsOf[operation].find((name) => typeof this.#object[name] === "function");
  }

  /** Never rejects. */
  async answer(
    question: ProviderQuestion,
    data: Uint8Array,
  ): Promise<{ answer: ProviderAnswer; data: Uint8Array }> {
    try {
      return await this.#answer(question, data);
    } catch (error) {
      const errno = errnoOf(error);
      debug("provider", () => `${question.op} ${question.path}: ${errno} (${String(error)})`);
      return { answer: { errno }, data: nothing };
    }
  }

  async #answer(
    question: ProviderQuestion,
    data: Uint8Array,
  ): Promise<{ answer: ProviderAnswer; data: Uint8Array }> {
    const { op } = question;
    const path = this.#pathOf(question.path);
    const method = this.#methodOf(op);
    if (method === undefined) throw new NoAnswer("ENOSYS");
    const call = (...args: unknown[]): unknown =>
      (this.#object[method] as (...args: unknown[]) => unknown)(...args);
    const told = (answer: ProviderAnswer): { answer: ProviderAnswer; data: Uint8Array } => ({
      answer,
      data: nothing,
    });
    switch (op) {
      case "stat":
        return told({ attributes: attributesOf(await call(path)) });
      case "list":
        return told({
          entries: entriesOf(
            await (method === "readdir" ? call(path, { withFileTypes: true }) : call(path)),
          ),
        });
      case "readLink":
        return told({ target: await (call(path) as Awaitable<string>) });
      case "read":
        return { answer: {}, data: bytesOf(await call(path)) };
      case "readRange":
        return { answer: {}, data: bytesOf(await call(path, question.offset, question.length)) };
      case "write":
        await call(path, data, { mode: question.mode });
        return told({});
      case "makeDirectory":
        await (method === "mkdir"
          ? call(path, { recursive: false, mode: question.mode })
          : call(path));
        return told({});
      case "unlink":
        await (method === "rm" ? call(path, { recursive: false, force: false }) : call(path));
        return told({});
      case "removeDirectory":
        if (method === "rm") {
          await this.#refuseFull(question.path);
          await call(path, { recursive: true, force: false });
        } else await call(path);
        return told({});
      case "rename":
      case "link":
        await call(path, this.#pathOf(question.to));
        return told({});
      case "symlink":
        await call(question.target, path);
        return told({});
      case "setMode":
        await call(path, question.mode);
        return told({});
      case "setTimes":
        await call(path, question.atimeMs / 1000, question.mtimeMs / 1000);
        return told({});
    }
  }

  /** As the object knows it. */
  #pathOf(path: string): string {
    if (this.#below === "") return path;
    return path === "/" ? this.#below : this.#below + path;
  }

  /** rmdir(2), where only a removal of whole trees is there to do it. */
  async #refuseFull(path: string): Promise<void> {
    const { answer } = await this.#answer({ op: "list", path }, nothing);
    if (answer.entries?.length !== 0) throw new NoAnswer("ENOTEMPTY");
  }
}

function isErrno(name: unknown): name is string {
  return typeof name === "string" && Object.hasOwn(constants.errno, name);
}

/** The errno that an error stands for: its code, that of its details, or the word that its message begins with. */
function errnoOf(error: unknown): string {
  if (typeof error !== "object" || error === null) return "EIO";
  const { code, details, message } = error as {
    code?: unknown;
    details?: { errno?: unknown };
    message?: unknown;
  };
  if (isErrno(code)) return code;
  if (code === "ERR_SECURE_EXEC_NO_SUCH_FILE") return "ENOENT";
  if (isErrno(details?.errno)) return details.errno;
  const word = typeof message === "string" ? /^(E[A-Z0-9]+)\b/.exec(message)?.[1] : undefined;
  return isErrno(word) ? word : "EIO";
}

function flagOf(value: unknown, own: object): boolean {
  return typeof value === "function" ? value.call(own) === true : value === true;
}

/** What a stat or an entry says that it is. */
function typeOf(given: object): ProvidedType {
  const { isDirectory, isFile, isSymbolicLink } = given as Record<string, unknown>;
  if (flagOf(isSymbolicLink, given)) return "symlink";
  if (flagOf(isDirectory, given)) return "directory";
  return isFile === undefined || flagOf(isFile, given) ? "file" : "other";
}

function attributesOf(value: unknown): ProvidedAttributes {
  if (typeof value !== "object" || value === null) throw new NoAnswer("EIO");
  const given = value as Record<string, unknown>;
  const attributes: Record<string, unknown> = { type: typeOf(value) };
  for (const name of ["size", "mode", "atimeMs", "mtimeMs", "ctimeMs", "birthtimeMs"])
    if (given[name] !== undefined) attributes[name] = numberOf(given[name]);
  const { mtime } = given;
  if (attributes.mtimeMs === undefined && mtime instanceof Date)
    attributes.mtimeMs = numberOf(mtime.getTime());
  return attributes as unknown as ProvidedAttributes;
}

function numberOf(value: unknown): number {
  const number = typeof value === "bigint" ? Number(value) : value;
  if (typeof number !== "number" || !Number.isFinite(number)) throw new NoAnswer("EIO");
  return number;
}

function entriesOf(value: unknown): [name: string, type: ProvidedType | ""][] {
  if (typeof value !== "object" || value === null || !(Symbol.iterator in value))
    throw new NoAnswer("EIO");
  return Array.from(value as Iterable<unknown>, (entry) => {
    if (typeof entry === "string") return [entry, ""];
    if (typeof entry !== "object" || entry === null) throw new NoAnswer("EIO");
    return [(entry as { name: string }).name, typeOf(entry)];
  });
}

function bytesOf(value: unknown): Uint8Array {
  if (typeof value === "string") return Buffer.from(value);
  if (value instanceof Uint8Array) return value;
  throw new NoAnswer("EIO");
}

/** What a question is about, in the form in which providers know paths. */
function isPath(path: unknown): path is string {
  return typeof path === "string" && path.startsWith("/") && posix.normalize(path) === path;
}

/** Content of one message; the rest of a frame is for its other fields. */
const messageBytes = 4 * 1024 * 1024;

/** The providers of one machine, and the questions to them. */
export class HostProviders {
  readonly all = new Map<number, FileProvider>();
  /** Questions of which more is to come, and those that are being answered. */
  readonly #asked = new Map<number, Uint8Array[]>();
  readonly #send: (id: number, answer: string, data: Uint8Array, more: boolean) => void;

  constructor(send: (id: number, answer: string, data: Uint8Array, more: boolean) => void) {
    this.#send = send;
  }

  add(providers: Iterable<[number, FileProvider]>): void {
    for (const [id, provider] of providers) this.all.set(id, provider);
  }

  /** `data` is valid during the call only. */
  ask(id: number, provider: number, question: string, data: Uint8Array, more: boolean): void {
    const parts = this.#asked.get(id) ?? [];
    this.#asked.set(id, parts);
    if (data.byteLength > 0) parts.push(Buffer.from(data));
    if (more) return;
    const whole = parts.length === 1 ? parts[0]! : Buffer.concat(parts);
    void this.#answer(provider, JSON.parse(question) as ProviderQuestion, whole).then(
      ({ answer, data: content }) => this.#answered(id, answer, content),
    );
  }

  async #answer(
    provider: number,
    question: ProviderQuestion,
    data: Uint8Array,
  ): Promise<{ answer: ProviderAnswer; data: Uint8Array }> {
    const served = this.all.get(provider);
    if (served === undefined || !isPath(question.path))
      return { answer: { errno: "EIO" }, data: nothing };
    return served.answer(question, data);
  }

  #answered(id: number, answer: ProviderAnswer, data: Uint8Array): void {
    let at = 0;
    // Between two parts nobody may have lost interest: `cancel` comes between two turns.
    for (; data.byteLength - at > messageBytes; at += messageBytes)
      if (this.#asked.has(id)) this.#send(id, "", data.subarray(at, at + messageBytes), true);
    if (this.#asked.delete(id)) this.#send(id, textOf(answer), data.subarray(at), false);
  }

  cancel(id: number): void {
    this.#asked.delete(id);
  }

  close(): void {
    this.#asked.clear();
  }
}

/** JSON of an answer, whatever is in it; more than fits a message is EIO. */
function textOf(answer: ProviderAnswer): string {
  try {
    const text = JSON.stringify(answer);
    if (Buffer.byteLength(text) <= messageBytes) return text;
  } catch {
    // A cycle, or a `toJSON` of somebody's own.
  }
  return JSON.stringify({ errno: "EIO" });
}
