/**
 * Owns `secure-exec/deepagents`: a backend of LangChain's deepagents (SandboxBackendProtocolV2) over
 * core/session.ts. Files are read, searched and changed through the machine's file system, not by
 * parsing what shell commands print.
 *
 * Types are written after the interface that `deepagents` declares; nothing is imported from it.
 * Untrusted: what is in files and their names.
 */
import { posix } from "node:path";
import type { NodeRuntimeFileStat } from "../index.js";
import { SecureExecError } from "../index.js";
import { globTest } from "./core/glob.js";
import { Session } from "./core/session.js";
import type { SessionOptions } from "./core/session.js";

/** An entry of a directory; `size` in bytes. */
export interface FileInfo {
  path: string;
  is_dir?: boolean;
  size?: number;
  modified_at?: string;
}

/** A line that matches. */
export interface GrepMatch {
  path: string;
  /** From 1 on. */
  line: number;
  text: string;
}

/** A file as the package keeps it. */
export interface FileData {
  content: string | Uint8Array;
  mimeType: string;
  created_at: string;
  modified_at: string;
}

/** Why a file could not be moved in or out. */
export type FileOperationError =
  | "file_not_found"
  | "permission_denied"
  | "is_directory"
  | "invalid_path";

type Failed = { error: string };
type Result<T> = Promise<({ error?: never } & T) | (Failed & { [Key in keyof T]?: never })>;

/** How the backend's machine is made. */
export interface SecureExecBackendOptions extends SessionOptions {
  /**
   * Milliseconds for one command.
   * @default 120 000
   */
  timeoutMs?: number;
  /**
   * Characters of output that a command answers with.
   * @default 1 000 000
   */
  outputChars?: number;
  /**
   * Written when the machine is made, by path.
   * @default {}
   */
  initialFiles?: Record<string, string | Uint8Array>;
}

const defaultTimeoutMs = 120_000;
const defaultOutputChars = 1_000_000;
const defaultLines = 500;
/** Longer lines are cut when a file is read by lines; an agent's context is what they would fill. */
const lineChars = 10_000;
/** Larger files are not searched. */
const searchedBytes = 16 * 1024 * 1024;
const timedOutCode = 124;

/** By the end of the name; all others are text. */
const binaryTypes: Readonly<Record<string, string>> = {
  png: "image/png",
  jpg: "image/jpeg",
  jpeg: "image/jpeg",
  gif: "image/gif",
  webp: "image/webp",
  bmp: "image/bmp",
  ico: "image/x-icon",
  pdf: "application/pdf",
  zip: "application/zip",
  gz: "application/gzip",
  tar: "application/x-tar",
  wasm: "application/wasm",
  mp3: "audio/mpeg",
  wav: "audio/wav",
  mp4: "video/mp4",
  webm: "video/webm",
  woff2: "font/woff2",
};

function typeOf(path: string): { mimeType: string; binary: boolean } {
  const type = binaryTypes[posix.extname(path).slice(1).toLowerCase()];
  return { mimeType: type ?? "text/plain", binary: type !== undefined };
}

function infoOf(path: string, stat: NodeRuntimeFileStat): FileInfo {
  return {
    path,
    is_dir: stat.type === "directory",
    size: stat.size,
    modified_at: new Date(stat.mtimeMs).toISOString(),
  };
}

/** One of the protocol's four words for what went wrong, or the error again. */
function wordFor(error: unknown): FileOperationError {
  if (!SecureExecError.isSecureExecError(error)) throw error;
  if (error.code === "ERR_SECURE_EXEC_NO_SUCH_FILE") return "file_not_found";
  const words: Readonly<Record<string, FileOperationError>> = {
    ENOENT: "file_not_found",
    ENOTDIR: "invalid_path",
    ENAMETOOLONG: "invalid_path",
    EISDIR: "is_directory",
    EACCES: "permission_denied",
    EPERM: "permission_denied",
    EROFS: "permission_denied",
  };
  const word = words[String(error.details?.errno)];
  if (word === undefined && error.code !== "ERR_SECURE_EXEC_INVALID_OPTION") throw error;
  return word ?? "invalid_path";
}

const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);

function occurrences(text: string, part: string): number {
  let count = 0;
  for (let at = text.indexOf(part); at !== -1; at = text.indexOf(part, at + part.length)) count++;
  return count;
}

/**
 * A backend whose machine is made by `initialize`, or with `SecureExecBackend.create`.
 * @throws {DISPOSED|KERNEL_LOST|OUTCOME_UNKNOWN} from every call, when the machine is gone; what can be told a
 * model is in the answer's `error`.
 * @example
 * import { SecureExecBackend } from "secure-exec/deepagents";
 *
 * const backend = await SecureExecBackend.create({ initialFiles: { "a.txt": "one\ntwo\n" } });
 * console.log((await backend.execute("wc -l a.txt")).output);
 * await backend.close();
 */
export class SecureExecBackend {
  readonly #options: SecureExecBackendOptions;
  #session: Session | undefined;
  #opening: Promise<Session> | undefined;

  /** Makes nothing yet. */
  constructor(options: SecureExecBackendOptions = {}) {
    this.#options = { id: `secure-exec-${crypto.randomUUID()}`, ...options };
  }

  /**
   * The same, with the machine made.
   * @throws {INVALID_OPTION|KERNEL_START_FAILED} and all others as `NodeRuntime.create`.
   */
  static async create(options?: SecureExecBackendOptions): Promise<SecureExecBackend> {
    const backend = new SecureExecBackend(options);
    await backend.initialize();
    return backend;
  }

  get id(): string {
    return this.#options.id!;
  }

  get isRunning(): boolean {
    return this.#session?.running === true;
  }

  /**
   * Makes the machine; the first call that needs it does so, too.
   * @throws {INVALID_OPTION|KERNEL_START_FAILED} and all others as `NodeRuntime.create`.
   */
  async initialize(): Promise<void> {
    await this.#open();
  }

  async #open(): Promise<Session> {
    this.#opening ??= (async () => {
      const session = await Session.create(this.#options);
      for (const [path, data] of Object.entries(this.#options.initialFiles ?? {}))
        await session.writeFile(path, data);
      this.#session = session;
      return session;
    })();
    try {
      return await this.#opening;
    } catch (error) {
      this.#opening = undefined;
      throw error;
    }
  }

  /** Ends the machine. Idempotent. */
  async close(): Promise<void> {
    await (await this.#opening?.catch(() => undefined))?.dispose();
  }

  /** Runs a command line; both streams in the order in which they came. */
  async execute(
    command: string,
  ): Promise<{ output: string; exitCode: number; truncated: boolean }> {
    const session = await this.#open();
    const { timeoutMs = defaultTimeoutMs, outputChars = defaultOutputChars } = this.#options;
    const result = await session.exec(command, { timeoutMs });
    const output = result.output.slice(0, outputChars);
    const truncated = result.truncated || output.length < result.output.length;
    if (!result.timedOut) return { output, exitCode: result.exitCode, truncated };
    const said = `${output}\nThe command was killed after ${timeoutMs} ms.`;
    return { output: said, exitCode: timedOutCode, truncated };
  }

  /** The entries of a directory. */
  async ls(path: string): Result<{ files: FileInfo[] }> {
    const session = await this.#open();
    const base = session.resolve(path);
    try {
      const files: FileInfo[] = [];
      for (const { name } of (await session.list(base)) ?? []) {
        const full = posix.join(base, name);
        const stat = (await session.stat(full)) ?? (await session.stat(full, { follow: false }));
        if (stat === undefined) continue;
        files.push(infoOf(stat.type === "directory" ? `${full}/` : full, stat));
      }
      return { files };
    } catch (error) {
      return { error: messageOf(error) };
    }
  }

  /** Lines from `offset` (0 is the first) on, numbered as `cat -n` does; a binary file's bytes. */
  async read(
    filePath: string,
    offset = 0,
    limit = defaultLines,
  ): Result<{ content: string | Uint8Array; mimeType: string }> {
    const session = await this.#open();
    const { mimeType, binary } = typeOf(filePath);
    try {
      const bytes = await session.readFile(filePath);
      if (bytes === undefined) return { error: `File '${filePath}' not found` };
      if (binary) return { content: bytes, mimeType };
      if (bytes.byteLength === 0)
        return { content: "System reminder: File exists but has empty contents", mimeType };
      const lines = Buffer.from(bytes).toString("utf8").replace(/\n$/, "").split("\n");
      const first = Math.max(0, Math.floor(offset));
      const content = lines
        .slice(first, first + Math.max(0, Math.floor(limit)))
        .map(
          (line, index) => `${String(first + index + 1).padStart(6)}\t${line.slice(0, lineChars)}`,
        )
        .join("\n");
      return { content, mimeType };
    } catch (error) {
      return { error: messageOf(error) };
    }
  }

  /** A file as the package keeps it. */
  async readRaw(filePath: string): Result<{ data: FileData }> {
    const session = await this.#open();
    const { mimeType, binary } = typeOf(filePath);
    const bytes = await session.readFile(filePath).catch((error: unknown) => messageOf(error));
    if (typeof bytes === "string") return { error: bytes };
    const stat = await session.stat(filePath);
    if (bytes === undefined || stat === undefined) return { error: `File '${filePath}' not found` };
    const data = {
      content: binary ? bytes : Buffer.from(bytes).toString("utf8"),
      mimeType,
      created_at: new Date(stat.birthtimeMs).toISOString(),
      modified_at: new Date(stat.mtimeMs).toISOString(),
    };
    return { data };
  }

  /** Makes or replaces a file, and makes its directories. */
  async write(filePath: string, content: string): Result<{ path: string; filesUpdate: null }> {
    const session = await this.#open();
    try {
      await session.writeFile(filePath, content);
      return { path: filePath, filesUpdate: null };
    } catch (error) {
      return { error: `Error writing '${filePath}': ${messageOf(error)}` };
    }
  }

  /** Replaces text that stands there once, or with `replaceAll` wherever it stands. */
  async edit(
    filePath: string,
    oldString: string,
    newString: string,
    replaceAll = false,
  ): Result<{ path: string; filesUpdate: null; occurrences: number }> {
    const session = await this.#open();
    try {
      const bytes = await session.readFile(filePath);
      if (bytes === undefined) return { error: `Error: File '${filePath}' not found` };
      const text = Buffer.from(bytes).toString("utf8");
      if (oldString === "" && text !== "")
        return { error: "oldString must not be empty unless the file is empty" };
      const found = oldString === "" ? (newString === "" ? 0 : 1) : occurrences(text, oldString);
      if (found === 0 && oldString !== "")
        return { error: `Error: String not found in file '${filePath}'` };
      if (found > 1 && !replaceAll)
        return {
          error: `Error: Multiple occurrences (${found}) found in '${filePath}'; use replaceAll=true, or more of the text around`,
        };
      const edited = oldString === "" ? newString : text.split(oldString).join(newString);
      if (edited !== text) await session.writeFile(filePath, edited);
      return { path: filePath, filesUpdate: null, occurrences: found };
    } catch (error) {
      return { error: `Error editing '${filePath}': ${messageOf(error)}` };
    }
  }

  /** Lines that contain `pattern`, which is text; `glob` is of names, or of paths where it has a "/". */
  async grep(
    pattern: string,
    path?: string | null,
    glob?: string | null,
    maxCount?: number | null,
  ): Result<{ matches: GrepMatch[]; truncated?: boolean }> {
    const session = await this.#open();
    const matches: GrepMatch[] = [];
    try {
      const base = session.resolve(path ?? "/");
      const wanted = typeof glob === "string" ? globTest(glob) : () => true;
      const byPath = glob?.includes("/") === true;
      for await (const file of filesBelow(session, base)) {
        if (!wanted(byPath ? posix.relative(base, file) : posix.basename(file))) continue;
        for (const [index, text] of await linesOfText(session, file)) {
          if (!text.includes(pattern)) continue;
          if (typeof maxCount === "number" && matches.length >= maxCount)
            return { matches, truncated: true };
          matches.push({ path: file, line: index + 1, text });
        }
      }
      return { matches };
    } catch (error) {
      return { error: messageOf(error) };
    }
  }

  /** Files and directories below `path` whose relative paths match; those paths are answered. */
  async glob(pattern: string, path = "/"): Result<{ files: FileInfo[]; truncated: boolean }> {
    const session = await this.#open();
    try {
      const base = session.resolve(path);
      const wanted = globTest(pattern);
      const files: FileInfo[] = [];
      const limit = 50_000;
      let seen = 0;
      for await (const entry of session.walk(base, { limit })) {
        seen += 1;
        const name = posix.relative(base, entry.path);
        if (wanted(name)) files.push(infoOf(name, entry.stat));
      }
      return { files, truncated: seen >= limit };
    } catch (error) {
      return { error: messageOf(error) };
    }
  }

  /** Removes a file, or a directory and all in it. */
  async delete(filePath: string): Result<{ path: string; filesUpdate: null }> {
    const session = await this.#open();
    try {
      if (await session.remove(filePath)) return { path: filePath, filesUpdate: null };
      return { error: `Error: '${filePath}' not found` };
    } catch (error) {
      return { error: `Error deleting '${filePath}': ${messageOf(error)}` };
    }
  }

  /** Writes files, and makes their directories. */
  async uploadFiles(
    files: [string, Uint8Array][],
  ): Promise<{ path: string; error: FileOperationError | null }[]> {
    const session = await this.#open();
    const results = [];
    for (const [path, content] of files) {
      const wrong = await session.writeFile(path, content).then(() => null, wordFor);
      results.push({ path, error: wrong });
    }
    return results;
  }

  /** The bytes of files. */
  async downloadFiles(
    paths: string[],
  ): Promise<{ path: string; content: Uint8Array | null; error: FileOperationError | null }[]> {
    const session = await this.#open();
    const results = [];
    for (const path of paths) {
      const read = await session.readFile(path).catch((error: unknown) => wordFor(error));
      if (typeof read === "string") results.push({ path, content: null, error: read });
      else if (read === undefined)
        results.push({ path, content: null, error: "file_not_found" as const });
      else results.push({ path, content: read, error: null });
    }
    return results;
  }
}

/** Regular files at or below a path. */
async function* filesBelow(session: Session, base: string): AsyncGenerator<string> {
  const own = await session.stat(base);
  if (own?.type === "file") yield base;
  if (own?.type !== "directory") return;
  for await (const { path, stat } of session.walk(base)) if (stat.type === "file") yield path;
}

/** The lines of a text file with their indexes; none of one that is binary or too large. */
async function linesOfText(session: Session, path: string): Promise<[number, string][]> {
  const stat = await session.stat(path);
  if (stat === undefined || stat.size > searchedBytes || typeOf(path).binary) return [];
  const bytes = await session.readFile(path).catch(() => undefined);
  if (bytes === undefined || bytes.includes(0)) return [];
  return [...Buffer.from(bytes).toString("utf8").split("\n").entries()];
}
