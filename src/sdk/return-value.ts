/**
 * Owns the step from the JSON text a guest returned to a value the host may hold.
 *
 * Invariants: those of json.ts; without own `__proto__` keys, merging the value into
 * another object cannot change a prototype.
 * Untrusted: every byte of the text.
 */
import { mostEntries, StructuredRefused, structuredBounds } from "../protocol/structured.js";
import { decodeStructured } from "../protocol/structured-read.js";
import type { EncodingName } from "../protocol/structured.js";
import { failure, printable } from "./errors.js";
import type { SecureExecError } from "./errors.js";
import { JsonRefused, parseJson } from "./json.js";
import { atOnce, inSteps } from "./steps.js";
import type { Steps } from "./steps.js";

const returnLimits = Object.freeze({ bytes: 8 * 1024 * 1024, depth: 1000 });

/** The rejection for a value that could not cross; `path` and `why` may be guest text. */
export function returnValueError(why: string, path?: string): SecureExecError {
  const place = path === undefined || path === "" ? undefined : printable(path, 200);
  return failure(
    "RETURN_VALUE",
    { why: place === undefined ? why : `${place}: ${printable(why, 90)}` },
    place === undefined ? {} : { details: { path: place } },
  );
}

function* steps(bytes: Uint8Array, limitBytes = returnLimits.bytes): Steps<unknown> {
  if (bytes.byteLength > limitBytes) {
    throw returnValueError(`it is ${bytes.byteLength} bytes of JSON, the limit is ${limitBytes}`);
  }
  try {
    return yield* parseJson(bytes, returnLimits.depth);
  } catch (error) {
    if (!(error instanceof JsonRefused)) throw error;
    throw returnValueError(
      {
        depth: `it is nested deeper than ${returnLimits.depth} levels`,
        entries: `an object in it has more than ${mostEntries} keys`,
        syntax: "it is not well-formed JSON",
      }[error.why],
    );
  }
}

/**
 * Decodes JSON text in UTF-8. Throws ERR_SECURE_EXEC_RETURN_VALUE when it is over
 * 8 MiB, nested deeper than 1000 levels, not UTF-8 or not JSON.
 */
export function decodeReturnValue(bytes: Uint8Array): unknown {
  return atOnce(steps(bytes));
}

function* structuredSteps(bytes: Uint8Array): Steps<unknown> {
  try {
    return yield* decodeStructured(bytes, structuredBounds);
  } catch (error) {
    if (!(error instanceof StructuredRefused)) throw error;
    throw returnValueError(
      {
        depth: `it is nested deeper than ${structuredBounds.depth} levels`,
        values: `it has more than ${structuredBounds.values} parts`,
        entries: `an object, Map or Set in it has more than ${mostEntries} entries`,
        form: "it is not well-formed",
      }[error.why],
    );
  }
}

/** The same of as many bytes as the kernel let through, while others get their turns: a large one takes a second of work. */
export function decodeReturnValueInSteps(
  bytes: Uint8Array,
  encoding: EncodingName = "json",
): Promise<unknown> {
  return inSteps(encoding === "json" ? steps(bytes, Infinity) : structuredSteps(bytes));
}
