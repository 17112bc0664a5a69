/**
 * Owns the step from the JSON text a guest returned to a value the host may hold.
 *
 * Invariants: work is linear in the text, nothing recurses before the depth is
 * known to be bounded, and no object carries an own `__proto__` key, so that
 * merging the value into another object cannot change a prototype.
 * Untrusted: every byte of the text.
 */
import { failure, printable } from "./errors.js";
import type { SecureExecError } from "./errors.js";
import { dropProtoKeys, nestingDepth } from "./json.js";

export const returnLimits = Object.freeze({ bytes: 8 * 1024 * 1024, depth: 1000 });

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The rejection for a value that could not cross; `path` and `why` may be guest text. */
export function returnValueError(why: string, path?: string): SecureExecError {
  const place = path === undefined || path === "" ? undefined : printable(path, 200);
  return failure(
    "RETURN_VALUE",
    { why: place === undefined ? why : `${place}: ${printable(why, 90)}` },
    place === undefined ? {} : { details: { path: place } },
  );
}

/**
 * Decodes JSON text in UTF-8. Throws ERR_SECURE_EXEC_RETURN_VALUE when it is over
 * 8 MiB, nested deeper than 1000 levels, not UTF-8 or not JSON.
 */
export function decodeReturnValue(bytes: Uint8Array): unknown {
  if (bytes.byteLength > returnLimits.bytes) {
    throw returnValueError(
      `it is ${bytes.byteLength} bytes of JSON, the limit is ${returnLimits.bytes}`,
    );
  }
  if (nestingDepth(bytes, returnLimits.depth) > returnLimits.depth) {
    throw returnValueError(`it is nested deeper than ${returnLimits.depth} levels`);
  }
  let text: string;
  let value: unknown;
  try {
    text = utf8.decode(bytes);
    value = JSON.parse(text);
  } catch {
    throw returnValueError("it is not well-formed JSON");
  }
  // The key may also be spelt with escapes.
  if (text.includes("__proto__") || text.includes("\\u")) dropProtoKeys(value);
  return value;
}
