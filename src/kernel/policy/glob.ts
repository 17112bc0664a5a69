/**
 * Owns matching of names and paths against parsed patterns.
 *
 * Invariants: no recursion; only the last wildcard met is ever gone back to, so
 * the work is at most pattern length × text length, whatever the guest wrote.
 * Untrusted: the text. Patterns are the host's.
 */
import type { NameGlob, PathGlob } from "../../protocol/permission-patterns.js";

/** Whether `text`, or what of it is between `from` and `end`, is as a whole what `glob` describes. */
export function matchesName(
  glob: NameGlob,
  text: string,
  from: number = 0,
  end: number = text.length,
): boolean {
  let token = 0;
  let at = from;
  /** The token behind the last "*", and where in the text its match was last begun. */
  let retryToken = -1;
  let retryAt = 0;
  for (;;) {
    const current = glob[token];
    if (current === undefined) {
      if (at === end) return true;
    } else if ("text" in current) {
      if (at + current.text.length <= end && text.startsWith(current.text, at)) {
        at += current.text.length;
        token++;
        continue;
      }
    } else if (current.any === "run") {
      token++;
      retryToken = token;
      retryAt = at;
      continue;
    } else if (at < end) {
      at++;
      token++;
      continue;
    }
    if (retryToken === -1 || retryAt >= end) return false;
    retryAt++;
    at = retryAt;
    token = retryToken;
  }
}

const SLASH = 0x2f;

/** Where the component begins that comes at or after `from`; the length of the path when there is none. */
function componentFrom(path: string, from: number): number {
  let at = from;
  while (path.charCodeAt(at) === SLASH) at++;
  return at;
}

function componentEnd(path: string, from: number): number {
  const slash = path.indexOf("/", from);
  return slash === -1 ? path.length : slash;
}

/** Whether an absolute, normalised path is what `glob` describes. */
export function matchesPath(glob: PathGlob, path: string): boolean {
  let token = 0;
  /** Where in the path the next component begins. */
  let at = componentFrom(path, 0);
  let retryToken = -1;
  let retryAt = 0;
  for (;;) {
    const current = glob[token];
    if (current === undefined) {
      if (at === path.length) return true;
    } else if (current === "**") {
      token++;
      retryToken = token;
      retryAt = at;
      continue;
    } else if (at < path.length) {
      const end = componentEnd(path, at);
      if (matchesName(current, path, at, end)) {
        at = componentFrom(path, end);
        token++;
        continue;
      }
    }
    if (retryToken === -1 || retryAt >= path.length) return false;
    retryAt = componentFrom(path, componentEnd(path, retryAt));
    at = retryAt;
    token = retryToken;
  }
}
