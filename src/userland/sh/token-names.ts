/** Owns what tokens are called in the errors of dash and of bash. */
import type { Token } from "./lexer.js";
import { redirectionOperators } from "./lexer.js";

export const reserved = new Set(
  "! { } case do done elif else esac fi for if in then until while".split(" "),
);

/** The token in bash's error. */
export function tokenText(token: Token): string {
  switch (token.kind) {
    case "number":
      return String(token.fd);
    case "descriptor":
      return `{${token.name}}`;
    case "operator":
      return token.text;
    case "word":
      return token.word.source ?? "word";
    default:
      return "newline";
  }
}

export function describe(token: Token): string {
  switch (token.kind) {
    case "end":
      return "end of file";
    case "newline":
      return "newline";
    case "number":
    case "descriptor":
      return "redirection";
    case "operator":
      return redirectionOperators.has(token.text) ? "redirection" : `"${token.text}"`;
    case "word":
      return token.plain !== undefined && reserved.has(token.plain) ? `"${token.plain}"` : "word";
  }
}
