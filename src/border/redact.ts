/**
 * Owns what keeps a secret from coming back: texts and streams of bytes in which it is written over,
 * for servers that repeat what they were sent.
 *
 * Invariants: nothing becomes longer or shorter; no more is held back than may still become a secret.
 * What a server encodes anew, compresses or encrypts is not found. Untrusted: everything that comes through.
 */
import { Transform } from "node:stream";

/** What is shorter is found everywhere, and no secret. */
const leastChars = 6;
const star = 0x2a;

/** The forms in which a header's value comes back: whole, and without its scheme. */
export function formsOf(value: string): string[] {
  const rest = /^\S+ +(\S.*)$/.exec(value)?.[1];
  const forms = [value, encodeURIComponent(value), ...(rest === undefined ? [] : [rest])];
  return [...new Set(forms)].filter((form) => form.length >= leastChars);
}

export function redactText(text: string, secrets: readonly string[]): string {
  let clean = text;
  for (const secret of secrets) clean = clean.replaceAll(secret, "*".repeat(secret.length));
  return clean;
}

/** How many bytes at the end of `data` may be the beginning of a secret. */
function openEnd(data: Buffer, secrets: readonly Buffer[]): number {
  let longest = 0;
  for (const secret of secrets) {
    const most = Math.min(secret.length - 1, data.length);
    for (let size = most; size > longest; size--) {
      if (data.subarray(data.length - size).equals(secret.subarray(0, size))) {
        longest = size;
        break;
      }
    }
  }
  return longest;
}

export class Redactor extends Transform {
  readonly #secrets: readonly Buffer[];
  #held = Buffer.alloc(0);

  constructor(secrets: readonly string[]) {
    super();
    this.#secrets = secrets.map((secret) => Buffer.from(secret, "utf8"));
  }

  #clean(data: Buffer): Buffer {
    let clean = data;
    for (const secret of this.#secrets) {
      for (let at = clean.indexOf(secret); at !== -1; at = clean.indexOf(secret, at)) {
        // What is read elsewhere stays as it was.
        if (clean === data) clean = Buffer.from(data);
        clean.fill(star, at, at + secret.length);
      }
    }
    return clean;
  }

  override _transform(chunk: Buffer, _encoding: string, done: () => void): void {
    const data = this.#clean(this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]));
    const open = openEnd(data, this.#secrets);
    this.#held = Buffer.from(data.subarray(data.length - open));
    if (data.length > open) this.push(data.subarray(0, data.length - open));
    done();
  }

  override _flush(done: () => void): void {
    if (this.#held.length > 0) this.push(this.#held);
    done();
  }
}
