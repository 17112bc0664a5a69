/**
 * Owns glob patterns over paths: "*" and "?" stay within a name, "**" crosses them, "[…]" is a class.
 * Invariant: every pattern is a regular expression without nested repetition of the same text, so
 * that matching takes no exponential time. Untrusted: patterns and paths.
 */

const longestPattern = 1024;

/** A test for paths relative to where the pattern starts. Throws RangeError for one that is too long. */
export function globTest(pattern: string): (path: string) => boolean {
  if (pattern.length > longestPattern)
    throw new RangeError(`a pattern has at most ${longestPattern} characters`);
  const plain = pattern.replace(/^\.?\//, "");
  let source = "";
  for (let at = 0; at < plain.length; at++) {
    const rest = plain.slice(at);
    const set = /^\[([!^]?)(\]?[^\]/]*)\]/.exec(rest);
    const stars = /^\*{2,}(\/?)/.exec(rest);
    if (stars !== null) {
      // "**/" is any number of directories, none too.
      source += stars[1] === "/" ? "(?:[^/]+/)*" : ".*";
      at += stars[0].length - 1;
    } else if (set !== null) {
      const members = set[2]!.replace(/[\\\]^[]/g, "\\$&");
      source += `[${set[1] === "" ? "" : "^"}${members}]`;
      at += set[0].length - 1;
    } else if (plain[at] === "*") source += "[^/]*";
    else if (plain[at] === "?") source += "[^/]";
    else source += plain[at]!.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
  }
  let test: RegExp;
  try {
    test = new RegExp(`^${source}$`, "u");
  } catch {
    // A class that is none, such as [z-a], matches nothing.
    return () => false;
  }
  return (path) => test.test(path);
}
