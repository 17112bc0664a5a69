/**
 * Owns the guest's side of `__return`: JSON text, or the path of the first value
 * that JSON cannot carry. The host decodes the text again; nothing here is trusted.
 */
import type { Channel } from "./channel.js";

/** Longest text sent to the host; the frame limit leaves room for the header. */
const valueLimitBytes = 7 * 1024 * 1024;

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

export function createReturn(channel: Channel): (value: unknown) => void {
  const { stringify } = JSON;
  return function __return(value: unknown): void {
    let json: string | undefined;
    try {
      if (typeof value === "function" || typeof value === "symbol") {
        channel.event("returnFailure", { path: "$", reason: `a ${typeof value}` });
        return;
      }
      json = stringify(value) ?? "null";
    } catch (error) {
      let found = { path: "$", reason: "a value whose conversion throws" };
      try {
        found = findUnserializable(value);
      } catch {
        // A getter threw again: the general reason stands.
      }
      if (error instanceof RangeError) found = { path: "$", reason: "nested too deeply" };
      channel.event("returnFailure", { path: found.path.slice(0, 1024), reason: found.reason });
      return;
    }
    const bytes = Buffer.from(json, "utf8");
    if (bytes.length > valueLimitBytes) {
      channel.event("returnFailure", {
        path: "$",
        reason: `${bytes.length} bytes of JSON, over the limit of ${valueLimitBytes}`,
      });
      return;
    }
    channel.event("returnValue", { json: bytes });
  };
}
