/** Owns `getopt`: the words of a command line in order, quoted for the shell. */
import { CommandFailure, type Command } from "../command.js";
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
  const plus = wanted.short.startsWith("+") || context.env["POSIXLY_CORRECT"] !== undefined;
  const inOrder = wanted.short.startsWith("-");
  const short = wanted.short.replace(/^[-+]/, "");
  const output: string[] = [];
  const operands: string[] = [];
  let status = 0;
  const complain = (message: string) => {
    status = statusMistake;
    if (!wanted.quiet) context.writeError(`${wanted.name}: ${message}\n`);
  };
  const quote = (text: string) => (wanted.unquoted ? text : quoted(text));
  const { words } = wanted;
  const longOption = (word: string, at: number): number => {
    const [, dashes = "--", name = "", value] = /^(--?)([^=]*)(?:=([^]*))?$/.exec(word)!;
    const matches = wanted.long.filter((each) => each.replace(/:+$/, "").startsWith(name));
    const found =
      matches.find((each) => each.replace(/:+$/, "") === name) ??
      (matches.length === 1 ? matches[0] : undefined);
    if (found === undefined) {
      complain(
        matches.length > 1
          ? `option '${dashes}${name}' is ambiguous; possibilities:${matches.map((each) => ` '--${each.replace(/:+$/, "")}'`).join("")}`
          : `unrecognized option '${dashes}${name}'`,
      );
      return at;
    }
    const full = found.replace(/:+$/, "");
    const kind = found.length - full.length;
    if (kind === 0) {
      if (value !== undefined) complain(`option '--${full}' doesn't allow an argument`);
      else output.push(`--${full}`);
      return at;
    }
    if (kind === 2 || value !== undefined) {
      output.push(`--${full}`, quote(value ?? ""));
      return at;
    }
    if (at + 1 >= words.length) complain(`option '--${full}' requires an argument`);
    else output.push(`--${full}`, quote(words[at + 1]!));
    return at + 1;
  };
  for (let at = 0; at < words.length; at++) {
    const word = words[at]!;
    if (word === "--") {
      operands.push(...words.slice(at + 1));
      break;
    }
    if (word.startsWith("--") || (wanted.alternative && word.startsWith("-") && word.length > 2)) {
      at = longOption(word, at);
      continue;
    }
    if (!word.startsWith("-") || word === "-") {
      if (inOrder) output.push(quote(word));
      else if (plus) {
        operands.push(...words.slice(at));
        break;
      } else operands.push(word);
      continue;
    }
    for (let place = 1; place < word.length; place++) {
      const letter = word[place]!;
      const index = letter === ":" ? -1 : short.indexOf(letter);
      if (index === -1) {
        complain(`invalid option -- '${letter}'`);
        continue;
      }
      const colons = /^:{0,2}/.exec(short.slice(index + 1))![0].length;
      if (colons === 0) {
        output.push(`-${letter}`);
        continue;
      }
      const rest = word.slice(place + 1);
      if (colons === 2 || rest !== "") output.push(`-${letter}`, quote(rest));
      else if (at + 1 >= words.length) complain(`option requires an argument -- '${letter}'`);
      else output.push(`-${letter}`, quote(words[++at]!));
      break;
    }
  }
  if (!wanted.silent) {
    const all = [...output, "--", ...operands.map(quote)];
    context.write(` ${all.join(" ")}\n`);
  }
  return status;
};

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
