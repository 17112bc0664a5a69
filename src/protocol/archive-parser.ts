/**
 * Owns reading a tar archive that comes in pieces of any size.
 *
 * Invariants: every header is checked before it is used; what is held is bounded by `mostHeaderBytes`
 * and one piece; an entry's content comes right after it and is as long as it says.
 * Untrusted: every byte. Anything that tar would not have written throws `ArchiveError`.
 */
import { textBytes } from "../abi/byte-text.js";
import { ArchiveError, blockBytes, paddingOf, parseHeader, parsePax } from "./tar.js";
import type { Entry } from "./tar.js";

/** Pax records of one entry. */
const mostHeaderBytes = 16 * 1024 * 1024;
const knownTypes = new Set(["0", "1", "2", "3", "5", "6"]);
/** Every writer of tar ends an archive with two blocks of zeroes: with fewer it was cut off. */
const endBlocks = 2;
const nothing = new Map<string, string>();

export type ArchiveEvent =
  | { entry: Entry; records: ReadonlyMap<string, string> }
  /** Of the last entry. A view of the piece that was pushed. */
  | { content: Buffer };

export class ArchiveParser {
  /** What does not make a whole header yet. */
  #held: Buffer = Buffer.alloc(0);
  #contentLeft = 0;
  #paddingLeft = 0;
  /** Pax records that are being read, and those for the next entry. */
  #pax: { parts: Buffer[]; left: number } | undefined;
  #records: ReadonlyMap<string, string> = nothing;
  /** Blocks of zeroes in a row; two are the end. */
  #zeroBlocks = 0;

  /** What this piece brings. */
  *push(piece: Buffer): Generator<ArchiveEvent, void, void> {
    let rest = this.#held.length === 0 ? piece : Buffer.concat([this.#held, piece]);
    this.#held = Buffer.alloc(0);
    while (rest.length > 0) {
      // After the end anything may follow: tar fills up its last record.
      if (this.#zeroBlocks === endBlocks) return;
      if (this.#contentLeft > 0) {
        const content = rest.subarray(0, this.#contentLeft);
        rest = rest.subarray(content.length);
        this.#contentLeft -= content.length;
        yield { content };
      } else if (this.#pax !== undefined && this.#pax.left > 0) {
        const pax: { parts: Buffer[]; left: number } = this.#pax;
        const part = rest.subarray(0, pax.left);
        rest = rest.subarray(part.length);
        pax.left -= part.length;
        if (pax.left > 0) pax.parts.push(Buffer.from(part));
        else if (pax.parts.length === 0) this.#records = recordsOf(part);
        else this.#records = recordsOf(Buffer.concat([...pax.parts, part]));
      } else if (this.#paddingLeft > 0) {
        const skipped = Math.min(this.#paddingLeft, rest.length);
        rest = rest.subarray(skipped);
        this.#paddingLeft -= skipped;
      } else if (rest.length < blockBytes) {
        this.#held = Buffer.from(rest);
        return;
      } else {
        const event = this.#header(rest.subarray(0, blockBytes));
        rest = rest.subarray(blockBytes);
        if (event !== undefined) yield event;
      }
    }
  }

  /** Nothing more comes. Throws when something is missing. */
  finish(): void {
    if (this.#zeroBlocks < endBlocks) throw new ArchiveError("the archive ends too early");
  }

  #header(block: Buffer): ArchiveEvent | undefined {
    const entry = parseHeader(block);
    if (entry === undefined) {
      if (this.#records !== nothing) throw new ArchiveError("pax records for no entry");
      this.#zeroBlocks++;
      return undefined;
    }
    if (this.#zeroBlocks > 0) throw new ArchiveError("an entry behind a block of zeroes");
    if (entry.type === "x") {
      if (this.#records !== nothing) throw new ArchiveError("pax records after pax records");
      if (entry.size === 0 || entry.size > mostHeaderBytes)
        throw new ArchiveError(`pax records of ${entry.size} bytes`);
      this.#pax = { parts: [], left: entry.size };
      this.#paddingLeft = paddingOf(entry.size);
      return undefined;
    }
    if (!knownTypes.has(entry.type))
      throw new ArchiveError(`an entry of type ${JSON.stringify(entry.type)}`);
    const records = this.#records;
    this.#records = nothing;
    this.#pax = undefined;
    entry.name = records.get("path") ?? entry.name;
    entry.link = records.get("linkpath") ?? entry.link;
    if (records.has("size")) entry.size = wholeNumber(records.get("size")!);
    if (entry.type !== "0" && entry.size !== 0)
      throw new ArchiveError(`${entry.name} is no file and has content`);
    this.#contentLeft = entry.size;
    this.#paddingLeft = paddingOf(entry.size);
    return { entry, records };
  }
}

/** Throws for anything but the digits of a safe integer. */
export function wholeNumber(text: string): number {
  const value = Number(text);
  if (!/^\d{1,16}$/.test(text) || !Number.isSafeInteger(value))
    throw new ArchiveError(`${JSON.stringify(text.slice(0, 40))} is no number of bytes`);
  return value;
}

/** All of them, or an exception: a record that is not one ends the list for tar. */
function recordsOf(data: Buffer): ReadonlyMap<string, string> {
  const records = parsePax(data);
  let bytes = 0;
  for (const [key, value] of records) {
    const body = textBytes(key) + textBytes(value) + 3;
    // A length counts its own digits.
    let length = body + String(body).length;
    length = body + String(length).length;
    bytes += length;
  }
  if (bytes !== data.length) throw new ArchiveError("pax records that are none");
  return records;
}
