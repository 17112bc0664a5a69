/** Owns awk's words. What follows decides between division and a regular expression: the parser asks. */
import { CommandFailure } from "../../command.js";
import { readEscape } from "../../support/text.js";

export type TokenKind =
  | "number"
  | "string"
  | "regex"
  | "name"
  | "function-name"
  | "builtin"
  | "keyword"
  | "operator"
  | "newline"
  | "end";

export interface Token {
  kind: TokenKind;
  text: string;
  number: number;
  line: number;
  /** Blanks stood before it. */
  spaced: boolean;
}

const keywords = new Set([
  "BEGIN",
  "END",
  "BEGINFILE",
  "ENDFILE",
  "function",
  "func",
  "if",
  "else",
  "while",
  "for",
  "do",
  "break",
  "continue",
  "next",
  "nextfile",
  "exit",
  "return",
  "delete",
  "in",
  "getline",
  "print",
  "printf",
  "switch",
  "case",
  "default",
]);

export const builtins = new Set([
  "length",
  "substr",
  "index",
  "split",
  "sub",
  "gsub",
  "gensub",
  "match",
  "sprintf",
  "sin",
  "cos",
  "atan2",
  "exp",
  "log",
  "sqrt",
  "int",
  "rand",
  "srand",
  "tolower",
  "toupper",
  "system",
  "close",
  "fflush",
  "systime",
  "strftime",
  "mktime",
  "and",
  "or",
  "xor",
  "lshift",
  "rshift",
  "compl",
  "asort",
  "asorti",
  "strtonum",
  "patsplit",
  "typeof",
  "isarray",
]);

const operators = [
  "**=",
  "|&",
  "&&",
  "||",
  "++",
  "--",
  "+=",
  "-=",
  "*=",
  "/=",
  "%=",
  "^=",
  "**",
  "==",
  "<=",
  ">=",
  "!=",
  "!~",
  ">>",
  ..."{}()[];,+-*%^!<>|?:~$=/&",
];

export class Lexer {
  #at = 0;
  #line = 1;

  constructor(private readonly text: string) {}

  fail(message: string, line = this.#line): CommandFailure {
    return new CommandFailure(`line ${line}: ${message}`, 2);
  }

  #skipBlanks(): boolean {
    const from = this.#at;
    for (;;) {
      const char = this.text[this.#at];
      if (char === " " || char === "\t" || char === "\r") this.#at++;
      else if (char === "\\" && this.text[this.#at + 1] === "\n") {
        this.#at += 2;
        this.#line++;
      } else if (char === "\\" && this.text.startsWith("\r\n", this.#at + 1)) {
        this.#at += 3;
        this.#line++;
      } else if (char === "#") {
        while (this.#at < this.text.length && this.text[this.#at] !== "\n") this.#at++;
      } else return this.#at > from;
    }
  }

  next(): Token {
    const spaced = this.#skipBlanks();
    const { text } = this;
    const line = this.#line;
    const token = (kind: TokenKind, value: string, number = 0): Token => ({
      kind,
      text: value,
      number,
      line,
      spaced,
    });
    const char = text[this.#at];
    if (char === undefined) return token("end", "");
    if (char === "\n") {
      this.#at++;
      this.#line++;
      return token("newline", "\n");
    }
    if (char === '"') return token("string", this.#string());
    const number = /^(?:0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)/.exec(
      text.slice(this.#at, this.#at + 400),
    );
    if (number !== null) {
      this.#at += number[0].length;
      return token("number", number[0], Number(number[0]));
    }
    const word = /^[A-Za-z_]\w*/.exec(text.slice(this.#at, this.#at + 1000));
    if (word !== null) {
      this.#at += word[0].length;
      if (keywords.has(word[0])) {
        return token("keyword", word[0] === "func" ? "function" : word[0]);
      }
      if (builtins.has(word[0])) return token("builtin", word[0]);
      return token(text[this.#at] === "(" ? "function-name" : "name", word[0]);
    }
    for (const operator of operators) {
      if (text.startsWith(operator, this.#at)) {
        this.#at += operator.length;
        if (operator === "|&") {
          throw this.fail(
            "|& is not supported here: write to a file, or read a command with getline",
          );
        }
        const shown = operator === "**" ? "^" : operator === "**=" ? "^=" : operator;
        return token("operator", shown);
      }
    }
    throw this.fail(`syntax error at or near ${char}`);
  }

  #string(): string {
    let value = "";
    let at = this.#at + 1;
    for (;;) {
      const char = this.text[at];
      if (char === undefined || char === "\n") throw this.fail("runaway string constant");
      if (char === '"') break;
      if (char !== "\\") {
        value += char;
        at++;
        continue;
      }
      const next = this.text[at + 1];
      if (next === "\n") {
        this.#line++;
        at += 2;
      } else if (next === '"' || next === "/") {
        value += next;
        at += 2;
      } else {
        const escape = next === "e" || next === "u" ? undefined : readEscape(this.text, at);
        value += escape?.value ?? `\\${next ?? ""}`;
        at = escape?.end ?? at + 2;
      }
    }
    this.#at = at + 1;
    return value;
  }

  /** Called with the token `/` or `/=` just read: the rest of a regular expression. */
  regex(started: string): string {
    let value = started.slice(1);
    let inBracket = false;
    for (;;) {
      const char = this.text[this.#at++];
      if (char === undefined || char === "\n") throw this.fail("unterminated regular expression");
      if (char === "\\") {
        const next = this.text[this.#at++] ?? "";
        value += next === "/" ? "/" : `\\${next}`;
      } else if (char === "[" && !inBracket) {
        inBracket = true;
        value += char;
        if (this.text[this.#at] === "^") value += this.text[this.#at++]!;
        if (this.text[this.#at] === "]") value += this.text[this.#at++]!;
      } else if (char === "[" && inBracket && this.text[this.#at] === ":") {
        const end = this.text.indexOf(":]", this.#at);
        if (end === -1) value += char;
        else {
          value += this.text.slice(this.#at - 1, end + 2);
          this.#at = end + 2;
        }
      } else if (char === "/" && !inBracket) return value;
      else {
        if (char === "]") inBracket = false;
        value += char;
      }
    }
  }
}
