/** Owns the texts that sed makes: what s puts in the place of a match, and what l shows. */
import { lowerCase, sliceCharacters, upperCase } from "../../support/characters.js";
import type { PosixRegex } from "../../support/regex.js";
import { readEscape } from "../../support/text.js";
import type { Piece } from "./script.js";

/** A replacement as pieces; `fail` makes the error of a reference to a group that there is not. */
export function piecesOf(
  text: string,
  regex: PosixRegex | undefined,
  fail: (message: string) => Error,
): Piece[] {
  const pieces: Piece[] = [];
  let literal = "";
  const flush = () => {
    if (literal !== "") pieces.push(literal);
    literal = "";
  };
  for (let at = 0; at < text.length;) {
    const char = text[at]!;
    if (char === "&") {
      flush();
      pieces.push(0);
      at++;
    } else if (char === "\\" && at + 1 < text.length) {
      const next = text[at + 1]!;
      if (/\d/.test(next)) {
        flush();
        if (regex !== undefined && Number(next) > regex.groups) {
          throw fail(`invalid reference \\${next} on \`s' command's RHS`);
        }
        pieces.push(Number(next));
        at += 2;
      } else if ("ULulE".includes(next)) {
        flush();
        pieces.push({ change: next as "U" });
        at += 2;
      } else {
        const escape = /[afnrtvx]/.test(next) ? readEscape(text, at) : undefined;
        literal += escape?.value ?? next;
        at = escape?.end ?? at + 2;
      }
    } else {
      literal += char;
      at++;
    }
  }
  flush();
  return pieces;
}

/** The pieces of a replacement, with the case that they ask for. */
export function replacement(pieces: Piece[], groups: (string | undefined)[]): string {
  let output = "";
  let lasting = "E";
  let once = "";
  for (const piece of pieces) {
    if (typeof piece === "object") {
      if (piece.change === "u" || piece.change === "l") once = piece.change;
      else lasting = piece.change;
      continue;
    }
    let text = typeof piece === "string" ? piece : (groups[piece] ?? "");
    if (text === "") continue;
    if (lasting === "U") text = upperCase(text);
    if (lasting === "L") text = lowerCase(text);
    if (once !== "") {
      const first = sliceCharacters(text, 0, 1);
      text = (once === "u" ? upperCase(first) : lowerCase(first)) + text.slice(first.length);
      once = "";
    }
    output += text;
  }
  return output;
}

const shownEscapes = new Map([
  ["\\", "\\\\"],
  ["\x07", "\\a"],
  ["\b", "\\b"],
  ["\f", "\\f"],
  ["\n", "\\n"],
  ["\r", "\\r"],
  ["\t", "\\t"],
  ["\v", "\\v"],
]);

/** The l command: escapes, and lines folded at `width`. */
export function unambiguous(text: string, width: number): string {
  let output = "";
  let column = 0;
  for (const char of text) {
    const code = char.charCodeAt(0);
    const shown =
      shownEscapes.get(char) ??
      (code < 32 || code > 126 ? `\\${code.toString(8).padStart(3, "0")}` : char);
    if (width > 1 && column + shown.length > width - 1) {
      output += "\\\n";
      column = 0;
    }
    output += shown;
    column += shown.length;
  }
  return `${output}$\n`;
}
