/**
 * Owns what is made of values before they are shown: bounded texts, and failures in three lines.
 * Untrusted: every value; a getter or toJSON of it is the host's own by then.
 */
import { SecureExecError } from "../index.js";
import type { Failure } from "./messages.js";

const shownChars = 20_000;

function cut(text: string): string {
  return text.length > shownChars ? `${text.slice(0, shownChars)}…` : text;
}

/** JSON of a value, cut off where it is long; "" where it has none. */
export function jsonText(value: unknown): string {
  try {
    return cut(JSON.stringify(value, null, 2) ?? "");
  } catch {
    return "";
  }
}

export function failureOf(error: unknown): Failure {
  if (SecureExecError.isSecureExecError(error)) {
    const { code, message, remedy } = error;
    return { code, message: cut(message), remedy };
  }
  const message = error instanceof Error ? error.message : String(error);
  return { code: "", message: cut(message), remedy: "" };
}
