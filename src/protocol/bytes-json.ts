/**
 * Owns how values cross between a program and the host's functions: JSON, in which a
 * Uint8Array or an ArrayBuffer is a tagged object, so that bytes stay bytes.
 *
 * Invariants: an object that has the tag as a key of its own survives; decoding makes no
 * `__proto__` key. Untrusted: every text that is decoded.
 */

/** Base64 of bytes, and back; the host's and a machine's are different functions. */
export interface Base64 {
  encode: (bytes: Uint8Array) => string;
  decode: (text: string) => Uint8Array;
}

/** JSON text of `value`; undefined where JSON has none. Throws as JSON.stringify does. */
export function encodeValue(value: unknown, base64: Base64): string | undefined {
  const tag = "$secure-exec";
  return JSON.stringify(value, function (this: Record<string, unknown>, key, current: unknown) {
    // What `toJSON` made of it, a Buffer's say, does not count.
    const raw = this[key];
    if (raw instanceof ArrayBuffer)
      return { [tag]: "ArrayBuffer", data: base64.encode(new Uint8Array(raw)) };
    if (ArrayBuffer.isView(raw)) {
      const bytes = new Uint8Array(raw.buffer, raw.byteOffset, raw.byteLength);
      return { [tag]: "Uint8Array", data: base64.encode(bytes) };
    }
    if (typeof current === "object" && current !== null && Object.hasOwn(current, tag)) {
      // The replacer saw our own objects' parts only: they are strings.
      return { [tag]: "Object", data: Object.entries(current) };
    }
    return current;
  });
}

/** The value of text that `encodeValue` made; of other JSON, what it says. */
export function decodeValue(text: string | undefined, base64: Base64): unknown {
  const tag = "$secure-exec";
  if (text === undefined || text === "") return undefined;
  return JSON.parse(text, function (this: unknown, key: string, current: unknown) {
    if (key === "__proto__") return undefined;
    if (typeof current !== "object" || current === null || !Object.hasOwn(current, tag))
      return current;
    const { [tag]: kind, data } = current as Record<string, unknown>;
    if (kind === "Object" && Array.isArray(data)) {
      const entries = data.filter(
        (entry): entry is [string, unknown] =>
          Array.isArray(entry) && typeof entry[0] === "string" && entry[0] !== "__proto__",
      );
      return Object.fromEntries(entries);
    }
    if (typeof data !== "string") return current;
    const bytes = base64.decode(data);
    return kind === "ArrayBuffer" ? bytes.buffer : bytes;
  });
}

/** The host's own base64. */
export const hostBase64: Base64 = {
  encode: (bytes) =>
    Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64"),
  // A copy: small Buffers share one ArrayBuffer.
  decode: (text) => new Uint8Array(Buffer.from(text, "base64")),
};
