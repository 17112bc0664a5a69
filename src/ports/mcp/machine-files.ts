/**
 * Owns the machine's files as resources: `file:///…` names each of them, the list has those of the working directory, and
 * who subscribes to one is told when it changes.
 *
 * Invariants: nothing here makes a machine but a file that somebody names; one watcher per directory, at most `watchLimit`.
 * Untrusted: paths, names and contents of files, and what a watcher says: the machine's programs can make it lie or end it.
 */
import { posix } from "node:path";
import { watchDirectory } from "../core/watch.js";
import type { Watch } from "../core/watch.js";
import type { McpResourceContents, McpResourceTemplate } from "./features.js";
import type { Machines } from "./machines.js";
import { errorCodes, RequestError } from "./protocol.js";

const scheme = "file://";
const listLimit = 1000;
const watchLimit = 16;
const longestFileBytes = 8 * 1024 * 1024;

/** By extension; a text that has none of these is text/plain. */
const mimeTypes: Readonly<Record<string, string>> = {
  ".css": "text/css",
  ".csv": "text/csv",
  ".gif": "image/gif",
  ".html": "text/html",
  ".jpeg": "image/jpeg",
  ".jpg": "image/jpeg",
  ".js": "text/javascript",
  ".json": "application/json",
  ".md": "text/markdown",
  ".mjs": "text/javascript",
  ".mp3": "audio/mpeg",
  ".pdf": "application/pdf",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".wav": "audio/wav",
  ".webp": "image/webp",
  ".zip": "application/zip",
};

interface Directory {
  watch: Watch;
  /** URIs by the name of the file in it. */
  files: Map<string, string>;
}

const uriOf = (path: string): string => scheme + path.split("/").map(encodeURIComponent).join("/");

/** Bytes as text where they are some, otherwise as a blob. */
export function contentsOf(
  uri: string,
  data: string | Uint8Array,
  mimeType?: string,
): McpResourceContents {
  if (typeof data === "string") return { uri, mimeType: mimeType ?? "text/plain", text: data };
  return { uri, mimeType: mimeType ?? "application/octet-stream", blob: data };
}

/** The text that bytes are, or undefined. */
function textIn(bytes: Uint8Array): string | undefined {
  if (bytes.includes(0)) return undefined;
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

export class MachineFiles {
  readonly #machines: Machines;
  readonly #changed: (uri: string) => void;
  readonly #directories = new Map<string, Promise<Directory>>();

  /** `changed` is told of a file that somebody has subscribed to. */
  constructor(machines: Machines, changed: (uri: string) => void) {
    this.#machines = machines;
    this.#changed = changed;
  }

  readonly template: McpResourceTemplate = {
    uriTemplate: `${scheme}/{+path}`,
    name: "machine-file",
    description: "A file of the isolated machine in which run_command works",
    read: () => "",
    complete: { path: (value) => this.#complete(value) },
  };

  /** The path that a URI means, or undefined for one that is no file's. */
  pathOf(uri: string): string | undefined {
    if (!uri.startsWith(`${scheme}/`)) return undefined;
    try {
      return posix.normalize(decodeURIComponent(uri.slice(scheme.length)));
    } catch {
      return undefined;
    }
  }

  /** Those of the working directory; none while there is no machine. */
  async list(): Promise<{ uri: string; name: string; mimeType?: string; size: number }[]> {
    if (!this.#machines.hasSession) return [];
    const session = await this.#machines.session();
    const files = [];
    for await (const { path, stat } of session.walk(".", { limit: listLimit, depth: 1 })) {
      if (stat.type !== "file") continue;
      const mimeType = mimeTypes[posix.extname(path)];
      files.push({
        uri: uriOf(path),
        name: posix.basename(path),
        ...(mimeType !== undefined && { mimeType }),
        size: stat.size,
      });
    }
    return files;
  }

  async read(uri: string, path: string): Promise<McpResourceContents> {
    const session = await this.#machines.session();
    const stat = await session.stat(path);
    if (stat?.type !== "file")
      throw new RequestError(errorCodes.noResource, `there is no file ${path}`);
    if (stat.size > longestFileBytes)
      throw new RequestError(errorCodes.internal, `${path} has over ${longestFileBytes} bytes`);
    const bytes = await session.readFile(path);
    if (bytes === undefined)
      throw new RequestError(errorCodes.noResource, `there is no file ${path}`);
    return contentsOf(uri, textIn(bytes) ?? bytes, mimeTypes[posix.extname(path)]);
  }

  async #complete(value: string): Promise<string[]> {
    const directory = value.slice(0, value.lastIndexOf("/") + 1);
    const entries = (await (await this.#machines.session()).list(`/${directory}`)) ?? [];
    return entries
      .map(({ name, type }) => `${directory}${name}${type === "directory" ? "/" : ""}`)
      .filter((path) => path.startsWith(value));
  }

  /** Rejects where the directory cannot be watched. */
  async watch(uri: string, path: string): Promise<void> {
    const at = posix.dirname(path);
    let directory = this.#directories.get(at);
    if (directory === undefined) {
      if (this.#directories.size >= watchLimit)
        throw new RequestError(
          errorCodes.internal,
          `files of at most ${watchLimit} directories are watched`,
        );
      directory = this.#open(at);
      this.#directories.set(at, directory);
      directory.catch(() => this.#directories.delete(at));
    }
    (await directory).files.set(posix.basename(path), uri);
  }

  async #open(at: string): Promise<Directory> {
    const files = new Map<string, string>();
    const session = await this.#machines.session();
    const watch = await watchDirectory(session, at, {}, ({ name }) => {
      const uri = files.get(name);
      if (uri !== undefined) this.#changed(uri);
    });
    void watch.ended.then(() => this.#directories.delete(at));
    return { watch, files };
  }

  async unwatch(path: string): Promise<void> {
    const at = posix.dirname(path);
    const directory = await this.#directories.get(at);
    if (directory === undefined) return;
    directory.files.delete(posix.basename(path));
    if (directory.files.size > 0) return;
    this.#directories.delete(at);
    await directory.watch.stop();
  }
}
