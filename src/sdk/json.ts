/**
 * Owns the step from a guest's JSON text to a value that the host may hold.
 *
 * Invariants: work is linear in the text and, between two yields, bounded; nothing
 * recurses before the depth is known; no object carries an own `__proto__` key; a
 * text is accepted exactly when `JSON.parse` accepts it, with the same value, and no object of it has too many keys.
 * Untrusted: every byte and value.
 *
 * `JSON.parse` needs up to 100 ms per MiB of text and cannot be interrupted. So a
 * text is cut at commas into pieces that are small enough, and containers that
 * reach over more than one piece are put together here.
 */
import { mostEntries } from "../protocol/structured.js";
import type { Steps } from "./steps.js";

/** Why a text was refused. */
export class JsonRefused extends Error {
  readonly why: "depth" | "entries" | "syntax";
  constructor(why: JsonRefused["why"]) {
    super(why);
    this.why = why;
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Text that is parsed in one piece: some milliseconds, whatever it is. */
const pieceBytes = 64 * 1024;
/** Bytes that are looked at between two yields. */
const scanBytes = 256 * 1024;

const quote = 0x22;
const comma = 0x2c;
const backslash = 0x5c;
const openList = 0x5b;
const closeList = 0x5d;
const openObject = 0x7b;
const closeObject = 0x7d;

/** Removes every own `__proto__` key below `root`, without recursion. */
export function dropProtoKeys(root: unknown): void {
  const todo: object[] = [];
  if (typeof root === "object" && root !== null) todo.push(root);
  for (let object = todo.pop(); object !== undefined; object = todo.pop()) {
    if (!Array.isArray(object) && Object.hasOwn(object, "__proto__")) {
      Reflect.deleteProperty(object, "__proto__");
    }
    for (const child of Object.values(object)) {
      if (typeof child === "object" && child !== null) todo.push(child as object);
    }
  }
}

/** Deepest nesting of brackets outside strings, or Infinity as soon as it passes `limit`. */
export function nestingDepth(bytes: Uint8Array, limit: number): number {
  let depth = 0;
  let deepest = 0;
  let inString = false;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]!;
    if (inString) {
      if (byte === backslash) at++;
      else if (byte === quote) inString = false;
    } else if (byte === quote) {
      inString = true;
    } else if (byte === openList || byte === openObject) {
      depth++;
      if (depth > deepest) deepest = depth;
      if (deepest > limit) return Infinity;
    } else if (byte === closeList || byte === closeObject) {
      depth--;
    }
  }
  return deepest;
}

function parsePiece(text: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new JsonRefused("syntax");
  }
  // The key may also be spelt with escapes.
  if (text.includes("__proto__") || text.includes("\\u")) dropProtoKeys(value);
  return value;
}

type Container = unknown[] | Record<string, unknown>;

/** A container that is open where the scan is. */
interface Frame {
  readonly isList: boolean;
  /** Where its bracket is. */
  readonly start: number;
  /** What has been put together of it; undefined while it may still be parsed with what is around it. */
  value: Container | undefined;
  /** Of an object: keys that are in it. */
  keys: number;
  /** Where the entries begin that are not parsed yet. */
  runStart: number;
  /** Where the entry begins that the scan is in. */
  entryStart: number;
  /** Whether that entry is a container which is put together apart, and its name in an object. */
  entryIsApart: boolean;
  key: string;
  /** Such a container has just ended: nothing may come before the next comma or the end. */
  sealed: boolean;
}

function append(frame: Frame, entries: unknown): void {
  if (frame.isList) {
    const list = (frame.value ??= []) as unknown[];
    for (const entry of entries as unknown[]) list.push(entry);
    return;
  }
  const object = (frame.value ??= {}) as Record<string, unknown>;
  // There is no `__proto__` among them any more.
  const added = Object.entries(entries as object);
  frame.keys += added.length;
  if (frame.keys > mostEntries) throw new JsonRefused("entries");
  for (const [key, entry] of added) object[key] = entry;
}

class Reader {
  readonly #bytes: Uint8Array;
  readonly #depthLimit: number;
  readonly #open: Frame[] = [];
  /** Everything before this place has been parsed. */
  #done = 0;
  #root: Container | undefined;

  constructor(bytes: Uint8Array, depthLimit: number) {
    this.#bytes = bytes;
    this.#depthLimit = depthLimit;
  }

  *read(): Steps<unknown> {
    const bytes = this.#bytes;
    let inString = false;
    let pause = scanBytes;
    for (let at = 0; at < bytes.length; at++) {
      if (at >= pause) {
        pause = at + scanBytes;
        yield;
      }
      const byte = bytes[at]!;
      if (inString) {
        if (byte === backslash) at++;
        else if (byte === quote) inString = false;
        continue;
      }
      if (byte === quote) inString = true;
      else if (byte === openList || byte === openObject) this.#enter(byte === openList, at);
      else if (byte === closeList || byte === closeObject) this.#leave(byte === closeList, at);
      else if (byte === comma && this.#passComma(at)) yield* this.#cut(at);
    }
    if (inString || this.#open.length > 0) throw new JsonRefused("syntax");
    if (this.#root === undefined) return parsePiece(this.#text(0, bytes.length));
    this.#onlySpace(this.#done, bytes.length);
    return this.#root;
  }

  #enter(isList: boolean, at: number): void {
    const above = this.#open.at(-1);
    if (above === undefined) this.#onlySpace(0, at);
    if (above?.sealed === true) throw new JsonRefused("syntax");
    if (this.#open.length === this.#depthLimit) throw new JsonRefused("depth");
    this.#open.push({
      isList,
      start: at,
      value: undefined,
      keys: 0,
      runStart: at + 1,
      entryStart: at + 1,
      entryIsApart: false,
      key: "",
      sealed: false,
    });
  }

  /** Answers whether enough has come together for a piece. */
  #passComma(at: number): boolean {
    const frame = this.#open.at(-1);
    if (frame === undefined) throw new JsonRefused("syntax");
    frame.entryStart = at + 1;
    if (!frame.sealed) return at + 1 - this.#done >= pieceBytes;
    this.#onlySpace(frame.runStart, at);
    frame.sealed = false;
    frame.runStart = at + 1;
    this.#done = at + 1;
    return false;
  }

  /** Parses all that has come before the comma at `at`; from here on every open container is put together apart. */
  *#cut(at: number): Steps<void> {
    const innermost = this.#open.at(-1)!;
    for (const [index, frame] of this.#open.entries()) {
      if (frame === innermost || frame.entryIsApart) continue;
      if (frame.entryStart > frame.runStart) this.#run(frame, frame.entryStart - 1);
      frame.value ??= frame.isList ? [] : {};
      this.#takeKey(frame, this.#open[index + 1]!.start);
      yield;
    }
    this.#run(innermost, at);
    innermost.runStart = at + 1;
    this.#done = at + 1;
    yield;
  }

  /** Parses the entries from `runStart` to `end`, where a comma or the closing bracket is. */
  #run(frame: Frame, end: number): void {
    const text = this.#text(frame.runStart, end);
    // Nothing between two commas, which would be an empty container below.
    if (/^[ \t\n\r]*$/.test(text)) throw new JsonRefused("syntax");
    append(frame, parsePiece(frame.isList ? `[${text}]` : `{${text}}`));
  }

  /** What comes before an entry that begins at `end` with a bracket: nothing in a list, its name in an object. */
  #takeKey(frame: Frame, end: number): void {
    frame.entryIsApart = true;
    if (frame.isList) return this.#onlySpace(frame.entryStart, end);
    const text = `{${this.#text(frame.entryStart, end)}[]}`;
    try {
      frame.key = Object.keys(JSON.parse(text) as object)[0]!;
    } catch {
      throw new JsonRefused("syntax");
    }
  }

  #leave(isList: boolean, at: number): void {
    const frame = this.#open.pop();
    if (frame === undefined || frame.isList !== isList) throw new JsonRefused("syntax");
    if (frame.value === undefined) return;
    if (frame.sealed) this.#onlySpace(frame.runStart, at);
    else this.#run(frame, at);
    this.#done = at + 1;
    const parent = this.#open.at(-1);
    if (parent === undefined) {
      this.#root = frame.value;
      return;
    }
    if (parent.isList) append(parent, [frame.value]);
    else if (parent.key !== "__proto__") append(parent, { [parent.key]: frame.value });
    parent.entryIsApart = false;
    parent.sealed = true;
    parent.runStart = at + 1;
  }

  #text(start: number, end: number): string {
    try {
      return utf8.decode(this.#bytes.subarray(start, end));
    } catch {
      throw new JsonRefused("syntax");
    }
  }

  #onlySpace(start: number, end: number): void {
    for (let at = start; at < end; at++) {
      const byte = this.#bytes[at]!;
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09)
        throw new JsonRefused("syntax");
    }
  }
}

/**
 * The value of JSON text in UTF-8. Throws `JsonRefused` when it is not that, nested
 * deeper than `depthLimit` containers, or an object in it has more than `mostEntries` keys.
 */
export function* parseJson(bytes: Uint8Array, depthLimit: number): Steps<unknown> {
  return yield* new Reader(bytes, depthLimit).read();
}
