/** Owns the translation of POSIX extended regular expressions to the engine's. */

const classes: ReadonlyMap<string, string> = new Map([
  ["alnum", "\\p{L}\\p{Nd}"],
  ["alpha", "\\p{L}"],
  ["blank", " \\t"],
  ["cntrl", "\\p{Cc}"],
  ["digit", "0-9"],
  ["graph", "!-~"],
  ["lower", "\\p{Ll}"],
  ["print", " -~"],
  ["punct", "!-\\/:-@\\[-`{-~"],
  ["space", "\\s"],
  ["upper", "\\p{Lu}"],
  ["xdigit", "0-9A-Fa-f"],
]);

/** `undefined` when the expression is not valid. */
export function regularExpression(source: string, ignoreCase: boolean): RegExp | undefined {
  try {
    return new RegExp(translate(source), ignoreCase ? "uis" : "us");
  } catch {
    return undefined;
  }
}

function translate(source: string): string {
  let result = "";
  for (let at = 0; at < source.length; at++) {
    const character = source[at]!;
    if (character === "[") {
      const end = bracketEnd(source, at);
      if (end === undefined) throw new SyntaxError("unterminated bracket expression");
      result += translateBracket(source.slice(at + 1, end));
      at = end;
    } else if (character === "\\" && at + 1 < source.length) {
      const next = source[++at]!;
      // Only escapes that both know; `\d` means a plain d to POSIX.
      result += /[\^$\\.*+?()[\]{}|/wWsSbB]/.test(next) ? `\\${next}` : next;
    } else if (character === "(") result += source[at + 1] === "?" ? "(\\" : "(";
    else if (character === "{" && !/^\{\d*,?\d*\}/.test(source.slice(at))) result += "\\{";
    else if (character === "}" && !/\{\d*,?\d*$/.test(source.slice(0, at))) result += "\\}";
    else if (character === "]") result += "\\]";
    else result += character;
  }
  return result;
}

function bracketEnd(source: string, from: number): number | undefined {
  let at = from + 1;
  if (source[at] === "^") at += 1;
  if (source[at] === "]") at += 1;
  for (; at < source.length; at++) {
    if (source[at] === "[" && /[:.=]/.test(source[at + 1] ?? "")) {
      const close = source.indexOf(`${source[at + 1]}]`, at + 2);
      if (close < 0) return undefined;
      at = close + 1;
    } else if (source[at] === "]") return at;
  }
  return undefined;
}

function translateBracket(inside: string): string {
  const negated = inside.startsWith("^");
  const body = (negated ? inside.slice(1) : inside).replace(
    /\[:(\w+):\]|\[[.=](.)[.=]\]|([\\[\]^])/g,
    (_, name: string | undefined, collating: string | undefined, special: string | undefined) => {
      if (name !== undefined) return classes.get(name) ?? "";
      return collating ?? `\\${special}`;
    },
  );
  return `[${negated ? "^" : ""}${body.replace(/^-/, "\\-").replace(/-$/, "\\-")}]`;
}
