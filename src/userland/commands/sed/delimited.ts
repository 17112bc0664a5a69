/** Owns texts between delimiters: of s, y and addresses. */
import { readEscape } from "../../support/text.js";

/** A character that came out of an escape stands for itself. */
function literally(char: string): string {
  return /[.*[\]$\\]/.test(char) ? `\\${char}` : char === "^" ? "\\^" : char;
}

/**
 * Text from `start` up to an unescaped delimiter, and where it goes on behind that; without a delimiter no text.
 * In expressions `\n` becomes a newline.
 */
export function delimited(
  source: string,
  start: number,
  delimiter: string,
  regex: boolean,
): { text: string | undefined; end: number } {
  let at = start;
  let text = "";
  let inBracket = false;
  while (at < source.length) {
    const char = source[at++]!;
    if (char === delimiter && !inBracket) return { text, end: at };
    if (char === "\n" && regex) return { text: undefined, end: at };
    if (char === "\\") {
      const next = source[at++];
      if (next === undefined) return { text: undefined, end: at };
      if (regex && inBracket) {
        // Between brackets the backslash is a character, but for \n, \t, \] and their like.
        if (next === "n") text += "\n";
        else if (next === "t") text += "\t";
        else if (next === "]") {
          text += "\\]";
          inBracket = false;
        } else {
          text += "\\";
          at--;
        }
      } else if (next === delimiter) {
        // An escaped delimiter is the plain character, special or not.
        text +=
          regex && /[.*[\]^$+?(){}|]/.test(next) && next !== "|"
            ? `[${next}]`.replace("[^]", "\\^")
            : next;
        if (!regex && (next === "&" || /\d/.test(next))) text = `${text.slice(0, -1)}\\${next}`;
      } else if (regex && next === "n") text += "\n";
      else if (regex && /[aftvrx]/.test(next)) {
        const escape = readEscape(source, at - 2);
        text += escape === undefined ? next : literally(escape.value);
        if (escape !== undefined) at = escape.end;
      } else text += `\\${next}`;
      continue;
    }
    if (regex && !inBracket && char === "[") {
      inBracket = true;
      text += char;
      if (source[at] === "^") text += source[at++]!;
      if (source[at] === "]") text += source[at++]!;
      continue;
    }
    if (inBracket && char === "[" && /[:.=]/.test(source[at] ?? "")) {
      const close = source.indexOf(`${source[at]!}]`, at + 1);
      if (close !== -1) {
        text += source.slice(at - 1, close + 2);
        at = close + 2;
        continue;
      }
    }
    if (inBracket && char === "]") inBracket = false;
    text += char;
  }
  return { text: undefined, end: at };
}
