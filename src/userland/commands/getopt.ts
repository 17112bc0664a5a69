/** Owns `getopt`: the words of a command line in order, quoted for the shell. */
import { CommandFailure, type Command, type CommandContext } from "../command.js";
import { quoted } from "../support/text.js";

interface Wanted {
  short: string;
  long: string[];
  name: string;
  quiet: boolean;
  silent: boolean;
  unquoted: boolean;
  alternative: boolean;
  words: string[];
}

const statusUsage = 2;
const statusMistake = 1;
const statusTest = 4;

export const main: Command = (context) => {
  const wanted = readOwn(context.argv.slice(1), context.env["GETOPT_COMPATIBLE"] !== undefined);
  if (wanted === "test") return statusTest;
  const { words } = wanted;
  const sorter = new Sorter(context, wanted);
  let at = 0;
  while (at < words.length) at = sorter.take(at);
  if (!wanted.silent) context.write(` ${sorter.sorted().join(" ")}\n`);
  return sorter.status;
};

/** Whether an option takes a value, by the colons behind its name. */
const valueNone = 0;
const valueOptional = 2;

/** Options as they are met, with their values, and operands behind them. */
class Sorter {
  status = 0;
  readonly #options: string[] = [];
  readonly #operands: string[] = [];
  readonly #short: string;
  /** Operands stay among the options. */
  readonly #inOrder: boolean;
  /** The first operand ends the options. */
  readonly #untilOperand: boolean;

  constructor(
    private readonly context: CommandContext,
    private readonly wanted: Wanted,
  ) {
    const { short } = wanted;
    this.#inOrder = short.startsWith("-");
    this.#untilOperand = short.startsWith("+") || context.env["POSIXLY_CORRECT"] !== undefined;
    this.#short = short.replace(/^[-+]/, "");
  }

  sorted(): string[] {
    return [...this.#options, "--", ...this.#operands.map((word) => this.#quote(word))];
  }

  /** Sorts the word at an index; answers the index of the next. */
  take(at: number): number {
    const { words, alternative } = this.wanted;
    const word = words[at]!;
    if (word === "--") {
      this.#operands.push(...words.slice(at + 1));
      return words.length;
    }
    if (word.startsWith("--") || (alternative && word.startsWith("-") && word.length > 2))
      return this.#long(word, at);
    if (word.startsWith("-") && word !== "-") return this.#letters(word, at);
    if (this.#inOrder) this.#options.push(this.#quote(word));
    else if (this.#untilOperand) {
      this.#operands.push(...words.slice(at));
      return words.length;
    } else this.#operands.push(word);
    return at + 1;
  }

  #long(word: string, at: number): number {
    const { long, words } = this.wanted;
    const [, dashes = "--", name = "", value] = /^(--?)([^=]*)(?:=([^]*))?$/.exec(word)!;
    const matches = long.filter((each) => bare(each).startsWith(name));
    const found =
      matches.find((each) => bare(each) === name) ??
      (matches.length === 1 ? matches[0] : undefined);
    if (found === undefined) {
      const names = matches.map((each) => ` '--${bare(each)}'`).join("");
      this.#complain(
        matches.length > 1
          ? `option '${dashes}${name}' is ambiguous; possibilities:${names}`
          : `unrecognized option '${dashes}${name}'`,
      );
      return at + 1;
    }
    const full = bare(found);
    const colons = found.length - full.length;
    if (colons === valueNone) {
      if (value !== undefined) this.#complain(`option '--${full}' doesn't allow an argument`);
      else this.#options.push(`--${full}`);
      return at + 1;
    }
    if (colons === valueOptional || value !== undefined) {
      this.#options.push(`--${full}`, this.#quote(value ?? ""));
      return at + 1;
    }
    if (at + 1 >= words.length) this.#complain(`option '--${full}' requires an argument`);
    else this.#options.push(`--${full}`, this.#quote(words[at + 1]!));
    return at + 2;
  }

  /** Short options, several in one word. */
  #letters(word: string, at: number): number {
    const { words } = this.wanted;
    for (let place = 1; place < word.length; place++) {
      const letter = word[place]!;
      const index = letter === ":" ? -1 : this.#short.indexOf(letter);
      if (index === -1) {
        this.#complain(`invalid option -- '${letter}'`);
        continue;
      }
      const colons = /^:{0,2}/.exec(this.#short.slice(index + 1))![0].length;
      if (colons === valueNone) {
        this.#options.push(`-${letter}`);
        continue;
      }
      const rest = word.slice(place + 1);
      if (colons === valueOptional || rest !== "") {
        this.#options.push(`-${letter}`, this.#quote(rest));
        break;
      }
      if (at + 1 < words.length) {
        this.#options.push(`-${letter}`, this.#quote(words[at + 1]!));
        return at + 2;
      }
      this.#complain(`option requires an argument -- '${letter}'`);
      break;
    }
    return at + 1;
  }

  #complain(message: string): void {
    this.status = statusMistake;
    if (!this.wanted.quiet) this.context.writeError(`${this.wanted.name}: ${message}\n`);
  }

  #quote(text: string): string {
    return this.wanted.unquoted ? text : quoted(text);
  }
}

/** The name of a long option without its colons. */
function bare(name: string): string {
  return name.replace(/:+$/, "");
}

function readOwn(words: string[], compatible: boolean): Wanted | "test" {
  const wanted: Wanted = {
    short: "",
    long: [],
    name: "getopt",
    quiet: false,
    silent: false,
    unquoted: false,
    alternative: false,
    words: [],
  };
  const usage = (message: string) =>
    new CommandFailure(message, statusUsage, "Try 'getopt --help' for more information.\n");
  const [first] = words;
  if (first === undefined) throw usage("missing optstring argument");
  if (!first.startsWith("-") || compatible) {
    return {
      ...wanted,
      short: first,
      unquoted: true,
      words: words.slice(1)[0] === "--" ? words.slice(2) : words.slice(1),
    };
  }
  let given = false;
  let at = 0;
  const value = (word: string, long: string): string => {
    if (word.startsWith("--"))
      return word.includes("=") ? word.slice(word.indexOf("=") + 1) : (words[++at] ?? "");
    return word.length > 2 ? word.slice(2) : (words[++at] ?? long);
  };
  for (; at < words.length; at++) {
    const word = words[at]!;
    if (word === "--") {
      at++;
      break;
    }
    if (/^-o|^--options/.test(word)) {
      wanted.short = value(word, "");
      given = true;
    } else if (/^-l|^--longoptions|^--long/.test(word)) {
      wanted.long.push(
        ...value(word, "")
          .split(/[, \t\n]+/)
          .filter((each) => each !== ""),
      );
    } else if (/^-n|^--name/.test(word)) wanted.name = value(word, "");
    else if (/^-s|^--shell/.test(word)) value(word, "");
    else if (word === "-q" || word === "--quiet") wanted.quiet = true;
    else if (word === "-Q" || word === "--quiet-output") wanted.silent = true;
    else if (word === "-u" || word === "--unquoted") wanted.unquoted = true;
    else if (word === "-a" || word === "--alternative") wanted.alternative = true;
    else if (word === "-T" || word === "--test") return "test";
    else if (word.startsWith("-")) throw usage(`invalid option -- '${word.replace(/^-+/, "")}'`);
    else break;
  }
  if (!given) {
    if (at >= words.length) throw usage("missing optstring argument");
    wanted.short = words[at++]!;
  }
  wanted.words = words.slice(at);
  return wanted;
}
