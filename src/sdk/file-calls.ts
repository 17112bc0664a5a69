/**
 * Owns the file calls of a runtime: their arguments and options, judged before anything is asked, and paths, which are
 * relative to the runtime's directory. What they do is files.ts and copy.ts.
 *
 * Invariant: links of the guest's are followed only where the call says so.
 * Untrusted: as in files.ts.
 */
import type { Readable, Writable } from "../protocol/node-types.js";
import { copyIn, copyOut, hostPathOf, parseCopyOptions } from "./copy.js";
import type { NodeRuntimeCopyOptions, NodeRuntimeCopyResult } from "./copy.js";
import { readStream, writeStream } from "./file-streams.js";
import { linksUnfollowed } from "./files.js";
import type {
  NodeRuntimeDirectoryEntry,
  NodeRuntimeFileOptions,
  NodeRuntimeFileStat,
  RuntimeFiles,
} from "./files.js";
import { textOf } from "./in-parts.js";
import { bytesOf, guestPathOf, parseFlags } from "./option-checks.js";
import type { RuntimeMachine } from "./runtime-machine.js";

export class FileCalls {
  readonly #own: RuntimeMachine;

  constructor(own: RuntimeMachine) {
    this.#own = own;
  }

  #full(path: string): string {
    return guestPathOf(path, this.#own.given.cwd);
  }

  async #at<T>(path: string, call: (files: RuntimeFiles, full: string) => Promise<T>): Promise<T> {
    const full = this.#full(path);
    return this.#own.with(({ files }) => call(files, full));
  }

  async read(
    path: string,
    options: NodeRuntimeFileOptions | "utf8" | "utf-8" | undefined,
  ): Promise<Uint8Array | string> {
    const isText = options === "utf8" || options === "utf-8";
    const { followLinks } = parseFlags(isText ? undefined : options, linksUnfollowed);
    const bytes = await this.#at(path, (files, full) => files.read(full, followLinks));
    return isText ? textOf(bytes) : bytes;
  }

  async write(
    path: string,
    data: string | Uint8Array,
    options: NodeRuntimeFileOptions | undefined,
  ): Promise<void> {
    const bytes = bytesOf("data", data);
    const { followLinks } = parseFlags(options, linksUnfollowed);
    await this.#at(path, (files, full) => files.write(full, bytes, followLinks));
  }

  reading(path: string, options: NodeRuntimeFileOptions | undefined): Readable {
    const { followLinks } = parseFlags(options, linksUnfollowed);
    const full = this.#full(path);
    this.#own.checkUsable();
    return readStream(() => this.#own.with(({ files }) => files), full, followLinks);
  }

  writing(path: string, options: NodeRuntimeFileOptions | undefined): Writable {
    const { followLinks } = parseFlags(options, linksUnfollowed);
    const full = this.#full(path);
    this.#own.checkUsable();
    return writeStream(() => this.#own.with(({ files }) => files), full, followLinks);
  }

  async copyIn(
    hostPath: string,
    guestPath: string,
    options: NodeRuntimeCopyOptions | undefined,
  ): Promise<NodeRuntimeCopyResult> {
    const from = hostPathOf(hostPath);
    const given = parseCopyOptions(options);
    return this.#at(guestPath, (files, full) => copyIn(files, from, full, given));
  }

  async copyOut(
    guestPath: string,
    hostPath: string,
    options: NodeRuntimeCopyOptions | undefined,
  ): Promise<NodeRuntimeCopyResult> {
    const to = hostPathOf(hostPath);
    const given = parseCopyOptions(options);
    return this.#at(guestPath, (files, full) => copyOut(files, full, to, given));
  }

  async list(
    path: string,
    options: NodeRuntimeFileOptions | undefined,
  ): Promise<NodeRuntimeDirectoryEntry[]> {
    const { followLinks } = parseFlags(options, linksUnfollowed);
    return this.#at(path, (files, full) => files.list(full, followLinks));
  }

  async stat(
    path: string,
    options: (NodeRuntimeFileOptions & { follow?: boolean }) | undefined,
  ): Promise<NodeRuntimeFileStat> {
    const { follow, followLinks } = parseFlags(options, { follow: true, ...linksUnfollowed });
    return this.#at(path, (files, full) => files.stat(full, follow, followLinks));
  }

  async exists(path: string, options: NodeRuntimeFileOptions | undefined): Promise<boolean> {
    const { followLinks } = parseFlags(options, linksUnfollowed);
    return this.#at(path, (files, full) => files.exists(full, followLinks));
  }

  async mkdir(
    path: string,
    options: (NodeRuntimeFileOptions & { recursive?: boolean }) | undefined,
  ): Promise<void> {
    const given = parseFlags(options, { recursive: false, ...linksUnfollowed });
    const { recursive, followLinks } = given;
    await this.#at(path, (files, full) => files.mkdir(full, recursive, followLinks));
  }

  async rm(
    path: string,
    options: (NodeRuntimeFileOptions & { recursive?: boolean; force?: boolean }) | undefined,
  ): Promise<void> {
    const given = parseFlags(options, { recursive: false, force: false, ...linksUnfollowed });
    await this.#at(path, (files, full) => files.rm(full, given));
  }

  async rename(
    from: string,
    to: string,
    options: NodeRuntimeFileOptions | undefined,
  ): Promise<void> {
    const target = this.#full(to);
    const { followLinks } = parseFlags(options, linksUnfollowed);
    await this.#at(from, (files, full) => files.rename(full, target, followLinks));
  }
}
