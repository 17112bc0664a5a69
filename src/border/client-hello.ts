/**
 * Owns what a TLS client says first: whether it speaks TLS at all, and which server it asks for
 * (RFC 8446, 4.1.2; RFC 6066, 3). Read so far as that goes, and never written.
 *
 * Untrusted: every byte.
 */

const handshakeRecord = 0x16;
const clientHello = 1;
const serverNameExtension = 0;
/** RFC 8446, 5.1. */
const mostRecordBytes = 16 * 1024;
/** A hello may be cut into several records; one of this size has no honest reason. */
const mostHelloBytes = 64 * 1024;

export type Opening =
  | { kind: "more" }
  | { kind: "plain" }
  | { kind: "broken" }
  | { kind: "tls"; serverName: string | undefined };

/** The handshake message that the records at the beginning hold, as far as it is there. */
function message(bytes: Buffer): Buffer | undefined {
  const parts: Buffer[] = [];
  for (let at = 0; at + 5 <= bytes.length;) {
    const length = bytes.readUInt16BE(at + 3);
    if (bytes[at] !== handshakeRecord || length > mostRecordBytes) return undefined;
    parts.push(bytes.subarray(at + 5, at + 5 + length));
    at += 5 + length;
  }
  return Buffer.concat(parts);
}

/** Reads lengths and what they measure; beyond the end is a RangeError. */
class Cursor {
  #at: number;
  readonly #bytes: Buffer;

  constructor(bytes: Buffer, at = 0) {
    this.#bytes = bytes;
    this.#at = at;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  number(size: 1 | 2): number {
    const value = this.#bytes.readUIntBE(this.#at, size);
    this.#at += size;
    return value;
  }

  skip(count: number): void {
    if (count > this.left) throw new RangeError("beyond the end");
    this.#at += count;
  }

  part(size: 1 | 2): Buffer {
    const length = this.number(size);
    const start = this.#at;
    this.skip(length);
    return this.#bytes.subarray(start, start + length);
  }
}

function serverNameOf(hello: Buffer): string | undefined {
  const cursor = new Cursor(hello);
  // legacy_version and random; legacy_session_id; cipher_suites; legacy_compression_methods.
  cursor.skip(2 + 32);
  cursor.part(1);
  cursor.part(2);
  cursor.part(1);
  if (cursor.left === 0) return undefined;
  const extensions = new Cursor(cursor.part(2));
  while (extensions.left > 0) {
    const type = extensions.number(2);
    const data = extensions.part(2);
    if (type !== serverNameExtension) continue;
    const list = new Cursor(new Cursor(data).part(2));
    while (list.left > 0) {
      const isHostName = list.number(1) === 0;
      const name = list.part(2);
      if (isHostName) return name.toString("latin1").toLowerCase();
    }
  }
  return undefined;
}

/** What `bytes`, the first of a connection, begin. */
export function openingOf(bytes: Buffer): Opening {
  if (bytes.length === 0) return { kind: "more" };
  if (bytes[0] !== handshakeRecord) return { kind: "plain" };
  const handshake = message(bytes);
  if (handshake === undefined || bytes.length > mostHelloBytes) return { kind: "broken" };
  if (handshake.length < 4) return { kind: "more" };
  const length = handshake.readUIntBE(1, 3);
  if (handshake[0] !== clientHello || length > mostHelloBytes) return { kind: "broken" };
  if (handshake.length < 4 + length) return { kind: "more" };
  try {
    return { kind: "tls", serverName: serverNameOf(handshake.subarray(4, 4 + length)) };
  } catch {
    return { kind: "broken" };
  }
}
