/** Owns reading an archive: entries one after the other out of a stream of bytes. */
import type { ByteSource } from "../../support/input.js";
import {
  ArchiveError,
  blockBytes,
  parseHeader,
  parsePax,
  type Entry,
} from "../../../protocol/tar.js";

/** Names and attributes of one entry; an archive with more has not been made by tar. */
const maxExtraBytes = 1 << 20;

export class ArchiveReader {
  #held = Buffer.alloc(0);
  #left = 0;
  #padding = 0;
  #started = false;
  #start = 0;
  /** Bytes that were read. */
  #position = 0;

  /** `complain` hears of what GNU's tar warns of, and goes on. */
  constructor(
    private readonly source: ByteSource,
    private readonly complain: (message: string) => void,
  ) {}

  /** Where the newest entry's header begins; behind the last entry, where the members end. */
  get start(): number {
    return this.#start;
  }

  /** It was not even one block. */
  get isShort(): boolean {
    return this.#position < blockBytes;
  }

  #take(count: number): Buffer {
    const parts: Buffer[] = [];
    let length = 0;
    while (length < count) {
      if (this.#held.length === 0) this.#held = Buffer.from(this.source.read());
      if (this.#held.length === 0) break;
      const part = this.#held.subarray(0, count - length);
      parts.push(part);
      length += part.length;
      this.#held = this.#held.subarray(part.length);
    }
    this.#position += length;
    return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
  }

  /** Behind the first block of zeroes: another one ends an archive, and without it that was cut off. */
  #end(): undefined {
    const at = this.#position / blockBytes;
    const next = this.#take(blockBytes);
    if (next.length < blockBytes || next.some((byte) => byte !== 0))
      this.complain(`A lone zero block at ${at}`);
  }

  /** The next piece of the current entry's content; empty at its end. */
  content(): Buffer {
    const piece = this.#take(Math.min(this.#left, 65536));
    if (piece.length === 0 && this.#left > 0) throw new ArchiveError("Unexpected EOF in archive");
    this.#left -= piece.length;
    if (this.#left === 0 && this.#padding > 0) {
      if (this.#take(this.#padding).length < this.#padding)
        throw new ArchiveError("Unexpected EOF in archive");
      this.#padding = 0;
    }
    return piece;
  }

  #all(): Buffer {
    if (this.#left > maxExtraBytes) throw new ArchiveError("Extended header is too long");
    const parts: Buffer[] = [];
    while (this.#left > 0) parts.push(this.content());
    return Buffer.concat(parts);
  }

  next(): Entry | undefined {
    const pax = new Map<string, string>();
    let longName: string | undefined;
    let longLink: string | undefined;
    while (this.#left > 0) this.content();
    this.#start = this.#position;
    for (;;) {
      while (this.#left > 0) this.content();
      const block = this.#take(blockBytes);
      // GNU's tar takes what is no whole block for the end, and misses no blocks of zeroes.
      if (block.length < blockBytes) {
        if (!this.#started) throw new ArchiveError("This does not look like a tar archive");
        return undefined;
      }
      const entry = parseHeader(block);
      this.#started = true;
      if (entry === undefined) return this.#end();
      const directory = entry.type === "5" || /[12346]/.test(entry.type);
      this.#left = directory ? 0 : entry.size;
      if (entry.type === "0" && pax.has("size")) this.#left = Number(pax.get("size"));
      this.#padding = (blockBytes - (this.#left % blockBytes)) % blockBytes;
      if (entry.type === "x" || entry.type === "g") {
        for (const [key, value] of parsePax(this.#all()))
          if (entry.type === "x") pax.set(key, value);
        continue;
      }
      if (entry.type === "L" || entry.type === "K") {
        const text = this.#all().toString("utf8").replace(/\0.*$/s, "");
        if (entry.type === "L") longName = text;
        else longLink = text;
        continue;
      }
      entry.name = pax.get("path") ?? longName ?? entry.name;
      entry.link = pax.get("linkpath") ?? longLink ?? entry.link;
      entry.size = this.#left;
      if (pax.has("mtime")) entry.mtimeSeconds = Number(pax.get("mtime"));
      return entry;
    }
  }
}
