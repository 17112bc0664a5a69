/** Owns `test` and `[`: POSIX's rules by number of arguments, then the older grammar with -a and -o. */
import { CommandFailure, type Command, type CommandContext } from "../command.js";
import { statOrNothing, typeLetter } from "../support/files.js";
import { quoted } from "../support/text.js";

export const main: Command = (context) => {
  const words = context.argv.slice(1);
  if (context.name === "[") {
    if (words.pop() !== "]") throw new CommandFailure("missing ']'", 2);
  }
  return new Evaluator(context, words).run() ? 0 : 1;
};

const fileTests = "bcdefgGhkLNOprsStuwx";
const binary = new Set([
  "=",
  "==",
  "!=",
  "<",
  ">",
  "-eq",
  "-ne",
  "-lt",
  "-le",
  "-gt",
  "-ge",
  "-nt",
  "-ot",
  "-ef",
]);

function isUnary(word: string | undefined): boolean {
  return (
    word !== undefined &&
    word.length === 2 &&
    word[0] === "-" &&
    `${fileTests}nz`.includes(word[1]!)
  );
}

class Evaluator {
  #at = 0;

  constructor(
    private readonly context: CommandContext,
    private readonly words: string[],
  ) {}

  run(): boolean {
    const value = this.#counted(this.words);
    if (value !== undefined) return value;
    const result = this.#or();
    if (this.#at < this.words.length) {
      throw new CommandFailure(`extra argument ${quoted(this.words[this.#at]!)}`, 2);
    }
    return result;
  }

  /** Up to four words have one meaning each. */
  #counted(words: string[]): boolean | undefined {
    const [a, b, c] = words as [string, string, string];
    switch (words.length) {
      case 0:
        return false;
      case 1:
        return a !== "";
      case 2:
        if (a === "!") return b === "";
        if (isUnary(a)) return this.#unary(a, b);
        if (/^-./.test(a)) throw new CommandFailure(`${quoted(a)}: unary operator expected`, 2);
        throw new CommandFailure(`missing argument after ${quoted(b)}`, 2);
      case 3:
        if (binary.has(b)) return this.#binary(a, b, c);
        if (a === "!") return !this.#counted([b, c]);
        if (a === "(" && c === ")") return b !== "";
        if (b === "-a") return a !== "" && c !== "";
        if (b === "-o") return a !== "" || c !== "";
        throw new CommandFailure(`${quoted(b)}: binary operator expected`, 2);
      case 4:
        if (a === "!") return !this.#counted(words.slice(1));
        if (a === "(" && words[3] === ")") return this.#counted([b, c]);
        return undefined;
      default:
        return undefined;
    }
  }

  #or(): boolean {
    let value = this.#and();
    while (this.words[this.#at] === "-o") {
      this.#at++;
      value = this.#and() || value;
    }
    return value;
  }

  #and(): boolean {
    let value = this.#not();
    while (this.words[this.#at] === "-a") {
      this.#at++;
      value = this.#not() && value;
    }
    return value;
  }

  #not(): boolean {
    let negated = false;
    while (this.words[this.#at] === "!" && this.#at + 1 < this.words.length) {
      this.#at++;
      negated = !negated;
    }
    return this.#primary() !== negated;
  }

  #primary(): boolean {
    const word = this.words[this.#at];
    if (word === undefined) {
      throw new CommandFailure(
        `missing argument after ${quoted(this.words[this.#at - 1] ?? "")}`,
        2,
      );
    }
    const operator = this.words[this.#at + 1];
    if (operator !== undefined && binary.has(operator) && this.#at + 2 < this.words.length) {
      this.#at += 3;
      return this.#binary(word, operator, this.words[this.#at - 1]!);
    }
    if (word === "(") {
      this.#at++;
      const value = this.#or();
      if (this.words[this.#at] !== ")") throw new CommandFailure("')' expected", 2);
      this.#at++;
      return value;
    }
    if (isUnary(word) && operator !== undefined) {
      this.#at += 2;
      return this.#unary(word, operator);
    }
    this.#at++;
    return word !== "";
  }

  #integer(text: string): bigint {
    const trimmed = text.trim();
    if (!/^[-+]?\d+$/.test(trimmed)) throw new CommandFailure(`invalid integer ${quoted(text)}`, 2);
    return BigInt(trimmed.replace(/^\+/, ""));
  }

  #binary(a: string, operator: string, b: string): boolean {
    switch (operator) {
      case "=":
      case "==":
        return a === b;
      case "!=":
        return a !== b;
      case "<":
        return Buffer.compare(Buffer.from(a), Buffer.from(b)) < 0;
      case ">":
        return Buffer.compare(Buffer.from(a), Buffer.from(b)) > 0;
      case "-nt":
      case "-ot": {
        const left = statOrNothing(this.context, a, true)?.mtimeMs ?? -Infinity;
        const right = statOrNothing(this.context, b, true)?.mtimeMs ?? -Infinity;
        return operator === "-nt" ? left > right : left < right;
      }
      case "-ef": {
        const left = statOrNothing(this.context, a, true);
        const right = statOrNothing(this.context, b, true);
        return left !== undefined && left.ino === right?.ino && left.dev === right.dev;
      }
    }
    const left = this.#integer(a);
    const right = this.#integer(b);
    if (operator === "-eq") return left === right;
    if (operator === "-ne") return left !== right;
    if (operator === "-lt") return left < right;
    if (operator === "-le") return left <= right;
    return operator === "-gt" ? left > right : left >= right;
  }

  #unary(operator: string, word: string): boolean {
    const { context } = this;
    const letter = operator[1]!;
    if (letter === "n") return word !== "";
    if (letter === "z") return word === "";
    if (letter === "t") return /^\d+$/.test(word) && context.isTerminal(Number(word));
    const access = { r: 4, w: 2, x: 1 }[letter];
    if (access !== undefined) {
      try {
        context.fs.accessSync(word, access);
        return true;
      } catch {
        return false;
      }
    }
    const stats = statOrNothing(context, word, letter !== "h" && letter !== "L");
    if (stats === undefined) return false;
    switch (letter) {
      case "e":
        return true;
      case "f":
        return stats.isFile();
      case "s":
        return stats.size > 0;
      case "h":
      case "L":
        return stats.isSymbolicLink();
      case "u":
        return (stats.mode & 0o4000) !== 0;
      case "g":
        return (stats.mode & 0o2000) !== 0;
      case "k":
        return (stats.mode & 0o1000) !== 0;
      case "O":
        return stats.uid === process.geteuid?.();
      case "G":
        return stats.gid === process.getegid?.();
      case "N":
        return stats.mtimeMs > stats.atimeMs;
      default:
        return typeLetter(stats.mode) === letter.toLowerCase();
    }
  }
}
