/** Owns `expr`. */
import { CommandFailure, type Command } from "../command.js";
import { characterCount, charactersOf, sliceCharacters } from "../support/characters.js";
import { PosixRegex, RegexError } from "../support/regex.js";
import { compareBytes, quoted, toBytes } from "../support/text.js";

export const main: Command = (context) => {
  const words = context.argv.slice(1).map(toBytes);
  if (words[0] === "--") words.shift();
  if (words.length === 0) {
    throw new CommandFailure("missing operand", 2, "Try 'expr --help' for more information.\n");
  }
  const parser = new ExpressionReader(words);
  const value = parser.read();
  context.writeBytes(`${value}\n`);
  return isNull(value) ? 1 : 0;
};

function isNull(value: string): boolean {
  return value === "" || /^-?0+$/.test(value);
}

function integer(text: string): bigint {
  if (!/^-?\d+$/.test(text)) throw new CommandFailure("non-integer argument", 2);
  return BigInt(text);
}

const levels: string[][] = [
  ["|"],
  ["&"],
  ["<", "<=", "=", "==", "!=", ">=", ">"],
  ["+", "-"],
  ["*", "/", "%"],
  [":"],
];

class ExpressionReader {
  #at = 0;
  #depth = 0;

  constructor(private readonly words: string[]) {}

  read(): string {
    const value = this.#level(0);
    const extra = this.words[this.#at];
    if (extra !== undefined)
      throw new CommandFailure(`syntax error: unexpected argument ${quoted(extra)}`, 2);
    return value;
  }

  #level(level: number): string {
    const operators = levels[level];
    if (operators === undefined) return this.#primary();
    let left = this.#level(level + 1);
    for (;;) {
      const operator = this.words[this.#at];
      if (operator === undefined || !operators.includes(operator)) return left;
      this.#at++;
      left = apply(left, operator, this.#level(level + 1));
    }
  }

  #word(): string {
    const word = this.words[this.#at++];
    if (word === undefined) {
      throw new CommandFailure(
        `syntax error: missing argument after ${quoted(this.words.at(-1)!)}`,
        2,
      );
    }
    return word;
  }

  #primary(): string {
    if (++this.#depth > 1000) throw new CommandFailure("expression too deep", 2);
    const word = this.#word();
    const more = this.#at < this.words.length;
    try {
      if (word === "(") {
        const value = this.#level(0);
        if (this.#at >= this.words.length) {
          throw new CommandFailure(
            `syntax error: expecting ')' after ${quoted(this.words.at(-1)!)}`,
            2,
          );
        }
        const close = this.#word();
        if (close !== ")")
          throw new CommandFailure(`syntax error: expecting ')' instead of ${quoted(close)}`, 2);
        return value;
      }
      if (word === ")") throw new CommandFailure("syntax error: unexpected ')'", 2);
      if (!more) return word;
      switch (word) {
        case "+":
          return this.#word();
        case "length":
          return String(characterCount(this.#primary()));
        case "match":
          return matched(this.#primary(), this.#primary());
        case "index": {
          const [text, chars] = [this.#primary(), this.#primary()];
          const wanted = new Set(charactersOf(chars));
          return String(charactersOf(text).findIndex((char) => wanted.has(char)) + 1);
        }
        case "substr": {
          const [text, from, length] = [this.#primary(), this.#primary(), this.#primary()];
          if (!/^-?\d+$/.test(from) || !/^-?\d+$/.test(length)) return "";
          const [start, count] = [Number(from), Number(length)];
          return start < 1 || count < 1 ? "" : sliceCharacters(text, start - 1, start - 1 + count);
        }
        default:
          return word;
      }
    } finally {
      this.#depth--;
    }
  }
}

function matched(text: string, pattern: string): string {
  let regex: PosixRegex;
  try {
    regex = new PosixRegex(`^${pattern.replace(/^\^/, "")}`, { extended: false });
  } catch (error) {
    if (error instanceof RegexError) throw new CommandFailure(error.message, 2);
    throw error;
  }
  const match = regex.exec(text);
  if (regex.groups > 0) return match?.groups[1] ?? "";
  return String(match === undefined ? 0 : characterCount(text.slice(0, match.end)));
}

function apply(left: string, operator: string, right: string): string {
  switch (operator) {
    case "|":
      return isNull(left) ? (isNull(right) ? (right === "" ? "0" : right) : right) : left;
    case "&":
      return isNull(left) || isNull(right) ? "0" : left;
    case ":":
      return matched(left, right);
    case "+":
      return String(integer(left) + integer(right));
    case "-":
      return String(integer(left) - integer(right));
    case "*":
      return String(integer(left) * integer(right));
    case "/":
    case "%": {
      const divisor = integer(right);
      const number = integer(left);
      if (divisor === 0n) throw new CommandFailure("division by zero", 2);
      return String(operator === "/" ? number / divisor : number % divisor);
    }
    default: {
      const numeric = /^-?\d+$/.test(left) && /^-?\d+$/.test(right);
      const difference = numeric ? BigInt(left) - BigInt(right) : 0n;
      const order = numeric
        ? difference < 0n
          ? -1
          : difference > 0n
            ? 1
            : 0
        : compareBytes(left, right);
      const holds = {
        "<": order < 0,
        "<=": order <= 0,
        "=": order === 0,
        "==": order === 0,
        "!=": order !== 0,
        ">=": order >= 0,
        ">": order > 0,
      }[operator];
      return holds ? "1" : "0";
    }
  }
}
