/** Owns file-name patterns as fnmatch reads them, for find, grep --include, tar and du. */
export interface GlobOptions {
  ignoreCase?: boolean;
  /** `*` and `?` stop at slashes. */
  pathname?: boolean;
}

export function globRegex(pattern: string, options: GlobOptions = {}): RegExp {
  const any = options.pathname ? "[^/]" : "[^]";
  let source = "";
  for (let at = 0; at < pattern.length; at++) {
    const char = pattern[at]!;
    if (char === "*") source += `${any}*`;
    else if (char === "?") source += any;
    else if (char === "[") {
      const end = bracketEnd(pattern, at);
      if (end === -1) source += "\\[";
      else {
        source += bracket(pattern.slice(at + 1, end));
        at = end;
      }
    } else {
      const literal = char === "\\" && at + 1 < pattern.length ? pattern[++at]! : char;
      source += literal.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
    }
  }
  return new RegExp(`^(?:${source})$`, options.ignoreCase ? "iu" : "u");
}

function bracketEnd(pattern: string, start: number): number {
  let at = start + 1;
  if (pattern[at] === "!" || pattern[at] === "^") at++;
  if (pattern[at] === "]") at++;
  for (; at < pattern.length; at++) {
    if (pattern[at] === "]") return at;
    if (pattern[at] === "[" && pattern[at + 1] === ":") {
      const end = pattern.indexOf(":]", at + 2);
      if (end !== -1) at = end + 1;
    }
  }
  return -1;
}

const classSources = new Map([
  ["alpha", "A-Za-z"],
  ["digit", "0-9"],
  ["alnum", "A-Za-z0-9"],
  ["upper", "A-Z"],
  ["lower", "a-z"],
  ["space", "\\s"],
  ["blank", " \\t"],
  ["punct", "!-\\/:-@\\[-`\\{-~"],
  ["xdigit", "0-9A-Fa-f"],
]);

function bracket(inside: string): string {
  const negated = /^[!^]/.test(inside);
  const body = (negated ? inside.slice(1) : inside).replace(
    /\[:(\w+):\]|(.)-(.)|\\?([^])/g,
    (_, name: string | undefined, low: string, high: string, single: string) => {
      if (name !== undefined) return classSources.get(name) ?? "";
      if (low !== undefined) return low <= high ? `${escaped(low)}-${escaped(high)}` : "";
      return escaped(single);
    },
  );
  if (body === "") return negated ? "[^]" : "[]";
  return `[${negated ? "^" : ""}${body}]`;
}

function escaped(char: string): string {
  return /[\\\]^[\-{}()$/.*+?|]/.test(char) ? `\\${char}` : char;
}

/** Whether a file is named by what a rule with or without slashes says. */
export function namedBy(patterns: string[]): (path: string) => boolean {
  const rules = patterns.map((pattern) => globRegex(pattern.replace(/\/+$/, "")));
  return (path) => {
    const base = path.slice(path.lastIndexOf("/") + 1);
    return rules.some((rule) => rule.test(base) || rule.test(path));
  };
}
