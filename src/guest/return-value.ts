/**
 * Owns the guest's side of `__return`: the value as JSON text or structured, or the path of the first one
 * that cannot be carried so. The host decodes the text again; nothing here is trusted.
 */
import type { StartOptions } from "../protocol/guest-calls.js";
import { NotStructured, ValueEncoding, structuredBounds } from "../protocol/structured.js";
import { encodeStructured } from "../protocol/structured-write.js";
import type { Channel } from "./channel.js";

const { stringify } = JSON;
const bufferFrom = Buffer.from.bind(Buffer);

/** Where in `value` JSON.stringify gives up; follows its own rules for toJSON. */
function findUnserializable(value: unknown): { path: string; reason: string } {
  const onPath: object[] = [];
  let failure: { path: string; reason: string } | undefined;
  const visit = (current: unknown, path: string): boolean => {
    if (typeof current === "bigint") {
      failure = { path, reason: "a BigInt" };
      return true;
    }
    if (typeof current !== "object" || current === null) return false;
    if (onPath.includes(current)) {
      failure = { path, reason: "a circular reference" };
      return true;
    }
    if (onPath.length > 2000) {
      failure = { path, reason: "nested too deeply" };
      return true;
    }
    onPath.push(current);
    for (const key of Object.keys(current)) {
      const step = Array.isArray(current)
        ? `[${key}]`
        : /^[A-Za-z_$][\w$]*$/.test(key)
          ? `.${key}`
          : `[${JSON.stringify(key)}]`;
      if (visit((current as Record<string, unknown>)[key], path + step)) return true;
    }
    onPath.pop();
    return false;
  };
  visit(value, "$");
  return failure ?? { path: "$", reason: "a value whose conversion throws" };
}

type ReturnOptions = Pick<StartOptions, "encoding" | "valueBytes">;

/** Larger values go in such parts, each when the host has the one before. */
const partBytes = 512 * 1024;

/** What JSON makes of it, or why it cannot. */
function asJson(value: unknown): Uint8Array | { path: string; reason: string } {
  if (typeof value === "function" || typeof value === "symbol")
    return { path: "$", reason: `a ${typeof value}` };
  // JSON would make an empty object of them, and nobody would know why.
  if (value instanceof Promise) return { path: "$", reason: "a promise; await it" };
  if (value instanceof Map || value instanceof Set)
    return { path: "$", reason: 'a Map or Set; encoding: "structured" carries them' };
  try {
    return bufferFrom(stringify(value) ?? "null", "utf8");
  } catch (error) {
    let found = { path: "$", reason: "a value whose conversion throws" };
    try {
      found = findUnserializable(value);
    } catch {
      // A getter threw again: the general reason stands.
    }
    if (error instanceof RangeError) found = { path: "$", reason: "nested too deeply" };
    return found;
  }
}

function asStructured(value: unknown, most: number): Uint8Array | { path: string; reason: string } {
  try {
    return encodeStructured(value, most, structuredBounds.depth);
  } catch (error) {
    if (error instanceof NotStructured) return { path: error.path, reason: error.message };
    return { path: "$", reason: "a value whose conversion throws" };
  }
}

export function createReturn(
  channel: Channel,
  { encoding, valueBytes }: ReturnOptions,
): (value: unknown) => void {
  return function __return(value: unknown): void {
    const made = encoding === "structured" ? asStructured(value, valueBytes) : asJson(value);
    if (!(made instanceof Uint8Array)) {
      channel.event("returnFailure", { path: made.path.slice(0, 1024), reason: made.reason });
      return;
    }
    const { byteLength } = made;
    if (byteLength > valueBytes) {
      const reason = `${byteLength} bytes, over limits.valueBytes (${valueBytes})`;
      channel.event("returnFailure", { path: "$", reason });
      return;
    }
    let at = 0;
    for (; byteLength - at > partBytes; at += partBytes) {
      const data = made.subarray(at, at + partBytes);
      const sent = channel.call("valuePart", { first: at === 0, data });
      if (typeof sent === "number") {
        channel.event("returnFailure", { path: "$", reason: "a value that nobody takes" });
        return;
      }
    }
    const rest = { continued: at > 0, data: made.subarray(at) };
    channel.event("returnValue", { encoding: ValueEncoding[encoding], ...rest });
  };
}
