/**
 * Owns matching of names and paths against parsed patterns.
 *
 * Invariants: no recursion; only the last wildcard met is ever gone back to, so
 * the work is at most pattern length × text length, whatever the guest wrote.
 * Untrusted: the text. Patterns are the host's.
 */
import type { NameGlob, PathGlob } from "../../protocol/permission-patterns.js";

/** Whether `text` as a whole is what `glob` describes. */
export function matchesName(glob: NameGlob, text: string): boolean {
  let token = 0;
  let at = 0;
  /** The token behind the last "*", and where in the text its match was last begun. */
  let retryToken = -1;
  let retryAt = 0;
  for (;;) {
    const current = glob[token];
    if (current === undefined) {
      if (at === text.length) return true;
    } else if ("text" in current) {
      if (text.startsWith(current.text, at)) {
        at += current.text.length;
        token++;
        continue;
      }
    } else if (current.any === "run") {
      token++;
      retryToken = token;
      retryAt = at;
      continue;
    } else if (at < text.length) {
      at++;
      token++;
      continue;
    }
    if (retryToken === -1 || retryAt >= text.length) return false;
    retryAt++;
    at = retryAt;
    token = retryToken;
  }
}

/** Whether an absolute, normalised path is what `glob` describes. */
export function matchesPath(glob: PathGlob, path: string): boolean {
  const parts = path.split("/").filter((part) => part !== "");
  let token = 0;
  let at = 0;
  let retryToken = -1;
  let retryAt = 0;
  for (;;) {
    const current = glob[token];
    if (current === undefined) {
      if (at === parts.length) return true;
    } else if (current === "**") {
      token++;
      retryToken = token;
      retryAt = at;
      continue;
    } else if (at < parts.length && matchesName(current, parts[at]!)) {
      at++;
      token++;
      continue;
    }
    if (retryToken === -1 || retryAt >= parts.length) return false;
    retryAt++;
    at = retryAt;
    token = retryToken;
  }
}
