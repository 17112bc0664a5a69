/**
 * Owns the promise that the next bytes written to a file, at its position and in order, will fit: who has it writes on
 * without waiting for answers.
 *
 * Invariants: what is promised is taken from the quota until it is written or given back, and is nothing that a clone has;
 * no more is written than was promised. Somebody else may cut the file shorter meanwhile and fill the disk: the error
 * is the next write's or sync's then, as where Linux writes back later.
 * Untrusted: the bytes, and how many there are.
 */
import type { OpenFile } from "./open-file.js";
import type { PageCache } from "./page-cache.js";
import type { Quota } from "./quota.js";

export class WriteGrant {
  readonly file: OpenFile;
  readonly #pages: PageCache;
  readonly #quota: Quota;
  #left: number;
  #reserved = 0;
  #failed = false;

  /** For who has seen that the file may be so long. */
  constructor(file: OpenFile, pages: PageCache, quota: Quota, bytes: number) {
    this.file = file;
    this.#pages = pages;
    this.#quota = quota;
    this.#left = bytes;
    if (!this.#reserve()) this.#left = 0;
  }

  /** How much more is promised. */
  get left(): number {
    return this.#left;
  }

  /** Writes bytes that were promised: how many of them. */
  write(data: Uint8Array): number {
    if (this.#failed) return 0;
    this.#giveBack();
    this.#left -= data.byteLength;
    const written = this.file.writeLate(data);
    // What comes behind what is missing would be in its place.
    this.#failed = written < data.byteLength;
    if (!this.#failed && this.#left > 0) this.#reserve();
    return written;
  }

  end(): void {
    this.#giveBack();
    this.#left = 0;
  }

  #giveBack(): void {
    this.#quota.giveOpenBytes(this.#reserved);
    this.#reserved = 0;
  }

  #reserve(): boolean {
    const { position } = this.file;
    const bytes = this.#pages.lacks(position, position + this.#left);
    if (!this.#quota.takeOpenBytes(bytes)) return false;
    this.#reserved = bytes;
    return true;
  }
}
