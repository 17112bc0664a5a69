/** Owns find's expression: words become a tree of tests and actions. */
import { CommandFailure, type CommandContext } from "../../command.js";
import { quoted } from "../../support/text.js";
import type { Found } from "./walk.js";
import { predicates } from "./predicates.js";
import { deleteFound, execute, executeMany, printFormat } from "./actions.js";

export type Test = (found: Found) => boolean;

export interface Settings {
  maxDepth: number;
  minDepth: number;
  depthFirst: boolean;
  oneFileSystem: boolean;
  follow: "always" | "named" | "never";
  /** Run when everything has been visited: `-exec … +`, open output files. */
  atEnd: (() => void)[];
  failed: boolean;
  quit: boolean;
  nowMs: number;
}

/** Words that begin an expression. */
export function beginsExpression(word: string): boolean {
  return (word.length > 1 && word[0] === "-") || ["(", "!", ",", ")"].includes(word);
}

export class ExpressionParser {
  #at = 0;
  #acts = false;

  constructor(
    private readonly context: CommandContext,
    private readonly words: readonly string[],
    private readonly settings: Settings,
  ) {}

  parse(): Test {
    const print = this.#printer("\n", undefined);
    if (this.words.length === 0) return print;
    const test = this.#list();
    if (this.#at < this.words.length) {
      if (this.words[this.#at] === ")") {
        throw new CommandFailure("you have too many ')'");
      }
      throw new CommandFailure(`paths must precede expression: \`${this.words[this.#at]}'`);
    }
    return this.#acts ? test : (found) => test(found) && print(found);
  }

  #list(): Test {
    let left = this.#or();
    while (this.words[this.#at] === ",") {
      this.#at++;
      const [before, right] = [left, this.#or()];
      left = (found) => (before(found), right(found));
    }
    return left;
  }

  #or(): Test {
    let left = this.#and();
    while (/^-or?$/.test(this.words[this.#at] ?? "")) {
      const word = this.words[this.#at++]!;
      this.#needOperand(word);
      const [before, right] = [left, this.#and()];
      left = (found) => before(found) || right(found);
    }
    return left;
  }

  #needOperand(word: string): void {
    if (this.#at >= this.words.length) {
      throw new CommandFailure(`expected an expression after ${quoted(word)}`);
    }
  }

  #and(): Test {
    let left = this.#not();
    for (;;) {
      const word = this.words[this.#at];
      if (word === undefined || word === ")" || word === "," || /^-or?$/.test(word)) return left;
      if (/^-a(nd)?$/.test(word)) {
        this.#at++;
        this.#needOperand(word);
      }
      const [before, right] = [left, this.#not()];
      left = (found) => before(found) && right(found);
    }
  }

  #not(): Test {
    const word = this.words[this.#at];
    if (word !== "!" && word !== "-not") return this.#primary();
    this.#at++;
    this.#needOperand(word);
    const test = this.#not();
    return (found) => !test(found);
  }

  #argument(name: string): string {
    const word = this.words[this.#at++];
    if (word === undefined) throw new CommandFailure(`missing argument to \`${name}'`);
    return word;
  }

  #primary(): Test {
    const word = this.words[this.#at++]!;
    if (word === "(") {
      if (this.words[this.#at] === ")")
        throw new CommandFailure("invalid expression; empty parentheses are not allowed.");
      if (this.#at >= this.words.length)
        throw new CommandFailure(
          "invalid expression; I was expecting to find a ')' somewhere but did not see one.",
        );
      const test = this.#list();
      if (this.words[this.#at++] !== ")") {
        throw new CommandFailure(
          "invalid expression; I was expecting to find a ')' somewhere but did not see one.",
        );
      }
      return test;
    }
    if (word === ")" || word === "," || /^-(o|or|a|and)$/.test(word)) {
      throw new CommandFailure(
        word === ")"
          ? "invalid expression; expected to find a ')' but didn't see one. Perhaps you need an extra predicate after '('"
          : `invalid expression; you have used a binary operator '${word}' with nothing before it.`,
      );
    }
    if (word[0] !== "-") throw new CommandFailure(`paths must precede expression: \`${word}'`);
    return this.#option(word) ?? this.#test(word) ?? this.#action(word) ?? this.#unknown(word);
  }

  #unknown(word: string): never {
    throw new CommandFailure(`unknown predicate \`${word}'`);
  }

  #option(word: string): Test | undefined {
    const { settings } = this;
    const yes: Test = () => true;
    switch (word) {
      case "-maxdepth":
      case "-mindepth": {
        const text = this.#argument(word);
        if (!/^\d+$/.test(text)) {
          throw new CommandFailure(
            `Expected a positive decimal integer argument to ${word}, but got ${quoted(text)}`,
          );
        }
        if (word === "-maxdepth") settings.maxDepth = Number(text);
        else settings.minDepth = Number(text);
        return yes;
      }
      case "-depth":
      case "-d":
        settings.depthFirst = true;
        return yes;
      case "-xdev":
      case "-mount":
        settings.oneFileSystem = true;
        return yes;
      case "-follow":
        settings.follow = "always";
        return yes;
      case "-regextype":
        this.#syntax = this.#argument(word);
        return yes;
      case "-daystart": {
        const end = new Date(settings.nowMs);
        end.setHours(24, 0, 0, 0);
        settings.nowMs = end.getTime();
        return yes;
      }
      case "-noleaf":
      case "-warn":
      case "-nowarn":
      case "-ignore_readdir_race":
        return yes;
    }
    return undefined;
  }

  #syntax = "emacs";

  #test(word: string): Test | undefined {
    return predicates.get(word)?.(
      {
        context: this.context,
        settings: this.settings,
        syntax: this.#syntax,
        argument: () => this.#argument(word),
      },
      word,
    );
  }

  #printer(end: string, path: string | undefined): Test {
    if (path === undefined) {
      return (found) => {
        this.context.write(found.path + end);
        return true;
      };
    }
    const emit = this.#toFile(path);
    return (found) => {
      emit(found.path + end);
      return true;
    };
  }

  #toFile(path: string): (text: string) => void {
    const { fs } = this.context;
    const fd = fs.openSync(path, "w");
    this.settings.atEnd.push(() => fs.closeSync(fd));
    return (text) => void fs.writeSync(fd, text);
  }

  #action(word: string): Test | undefined {
    const { context, settings } = this;
    if (word === "-prune") {
      return (found) => {
        found.pruned = true;
        return true;
      };
    }
    this.#acts = true;
    switch (word) {
      case "-quit":
        return () => (settings.quit = true);
      case "-print":
        return this.#printer("\n", undefined);
      case "-print0":
        return this.#printer("\0", undefined);
      case "-fprint":
        return this.#printer("\n", this.#argument(word));
      case "-fprint0":
        return this.#printer("\0", this.#argument(word));
      case "-printf":
      case "-fprintf": {
        const emit =
          word === "-printf"
            ? (text: string) => context.writeBytes(text)
            : this.#toFile(this.#argument(word));
        const format = this.#argument(word);
        return (found) => {
          emit(printFormat(context, format, found));
          return true;
        };
      }
      case "-ls":
        return (found) => {
          const format = "%9i %6k %M %3n %-8u %-8g %8s %Tb %Te %TH:%TM %p%l\n";
          context.writeBytes(printFormat(context, format, found));
          return true;
        };
      case "-delete":
        settings.depthFirst = true;
        return (found) => deleteFound(context, settings, found);
      case "-exec":
      case "-execdir":
      case "-ok":
      case "-okdir":
        return this.#exec(word);
    }
    this.#acts = false;
    return undefined;
  }

  #exec(word: string): Test {
    const args: string[] = [];
    for (;;) {
      const next = this.words[this.#at++];
      if (next === undefined) throw new CommandFailure(`missing argument to \`${word}'`);
      if (next === ";") break;
      if (next === "+" && args.at(-1) === "{}") {
        args.pop();
        return executeMany(this.context, this.settings, args, word === "-execdir");
      }
      args.push(next);
    }
    if (args.length === 0) throw new CommandFailure(`missing argument to \`${word}'`);
    return execute(this.context, this.settings, args, {
      inDirectory: word.endsWith("dir"),
      ask: word.startsWith("-ok"),
    });
  }
}
