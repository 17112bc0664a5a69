/**
 * Owns what every JSON text from a guest goes through besides `JSON.parse`.
 *
 * Invariants: work is linear in the text; nothing recurses.
 * Untrusted: every byte and value.
 */
const quote = 0x22;
const backslash = 0x5c;

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
    } else if (byte === 0x5b || byte === 0x7b) {
      depth++;
      if (depth > deepest) deepest = depth;
      if (deepest > limit) return Infinity;
    } else if (byte === 0x5d || byte === 0x7d) {
      depth--;
    }
  }
  return deepest;
}

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
