/**
 * Owns the forms in which inputs and results of host tools travel. Text of JSON is the usual one; a first byte that no
 * such text has says that it is another.
 *
 * Untrusted: values that are looked through may be anything; getters run, as with JSON.
 */

export const ToolForm = Object.freeze({
  /** `encodeStructured`'s bytes follow. */
  structured: 1,
  /** The result is a stream, whose number follows where a guest is told: 32 bits, little-endian. */
  stream: 2,
  /** Of a stream: there is nothing more. */
  ended: 3,
  /** The result is too large for one message: it is read as a stream is, whose values are its parts. */
  parts: 4,
  /** One of them; its bytes follow. */
  part: 5,
} as const);

/** Deeper ones are for JSON to refuse. */
const deepest = 64;

/** Whether there are bytes anywhere in what JSON would carry, which it cannot. */
export function holdsBytes(value: unknown, depth = 0): boolean {
  if (typeof value !== "object" || value === null || depth > deepest) return false;
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return true;
  if (Array.isArray(value)) return value.some((entry) => holdsBytes(entry, depth + 1));
  for (const key of Object.keys(value))
    if (holdsBytes((value as Record<string, unknown>)[key], depth + 1)) return true;
  return false;
}

/** Whether a result is one that is read by further calls. */
export function isRead(json: Uint8Array): boolean {
  return json[0] === ToolForm.stream || json[0] === ToolForm.parts;
}

export function inForm(form: number, bytes: Uint8Array): Uint8Array {
  const whole = new Uint8Array(1 + bytes.byteLength);
  whole[0] = form;
  whole.set(bytes, 1);
  return whole;
}
