/** Owns sed's language: a script as text becomes a list of commands. The script is any text. */
import { CommandFailure } from "../../command.js";
import { charactersOf } from "../../support/characters.js";
import { PosixRegex, RegexError } from "../../support/regex.js";
import { readEscape } from "../../support/text.js";
import { delimited } from "./delimited.js";
import type { Address, SedCommand, SedSyntax } from "./script.js";
import { piecesOf } from "./text.js";

export class SedParser {
  readonly commands: SedCommand[] = [];
  readonly #blocks: SedCommand[] = [];
  readonly #labels = new Map<string, number>();
  #text = "";
  #at = 0;
  #expression = 0;

  constructor(private readonly syntax: SedSyntax) {}

  /** One -e or -f; later ones go on where this ends. */
  add(text: string): void {
    this.#text = text;
    this.#at = 0;
    this.#expression++;
    for (;;) {
      this.#skip(/[\s;]/);
      if (this.#at >= text.length) return;
      if (this.#peek() === "#") {
        this.#line();
        continue;
      }
      this.#command();
    }
  }

  finish(): SedCommand[] {
    if (this.#blocks.length > 0) throw this.fail("unmatched `{'", 0);
    for (const command of this.commands) {
      if (!"btT".includes(command.name)) continue;
      if (command.text === "") command.target = this.commands.length;
      else {
        const target = this.#labels.get(command.text);
        if (target === undefined) {
          throw new CommandFailure(`can't find label for jump to \`${command.text}'`, 4);
        }
        command.target = target;
      }
    }
    return this.commands;
  }

  fail(message: string, at = this.#at): CommandFailure {
    return new CommandFailure(`-e expression #${this.#expression}, char ${at}: ${message}`);
  }

  #peek(): string | undefined {
    return this.#text[this.#at];
  }

  #skip(what: RegExp): void {
    while (this.#at < this.#text.length && what.test(this.#text[this.#at]!)) this.#at++;
  }

  #line(): string {
    const end = this.#text.indexOf("\n", this.#at);
    const line = this.#text.slice(this.#at, end === -1 ? undefined : end);
    this.#at = end === -1 ? this.#text.length : end + 1;
    return line;
  }

  #number(): number | undefined {
    const match = /^\d+/.exec(this.#text.slice(this.#at, this.#at + 20));
    if (match === null) return undefined;
    this.#at += match[0].length;
    return Number(match[0]);
  }

  #address(second: boolean): Address | undefined {
    const char = this.#peek();
    if (char === "$") {
      this.#at++;
      return { kind: "last" };
    }
    if (second && (char === "+" || char === "~")) {
      this.#at++;
      const count = this.#number();
      if (count === undefined) throw this.fail("unexpected `,'");
      return char === "+" ? { kind: "plus", count } : { kind: "multiple", of: count };
    }
    const number = this.#number();
    if (number !== undefined) {
      this.#skip(/[ \t]/);
      if (this.#peek() === "~" && !second) {
        this.#at++;
        return { kind: "step", first: number, step: this.#number() ?? 0 };
      }
      return number === 0 && !second ? { kind: "zero" } : { kind: "line", line: number };
    }
    if (char !== "/" && char !== "\\") return undefined;
    this.#at++;
    let delimiter = "/";
    if (char === "\\") delimiter = this.#text[this.#at++] ?? "";
    const pattern = this.#until(delimiter, true);
    if (pattern === undefined) throw this.fail("unterminated address regex", this.#text.length);
    let ignoreCase = false;
    let multiline = false;
    for (; ; this.#at++) {
      if (this.#peek() === "I") ignoreCase = true;
      else if (this.#peek() === "M") multiline = true;
      else break;
    }
    return { kind: "regex", regex: this.#regex(pattern, ignoreCase, multiline) };
  }

  #regex(pattern: string, ignoreCase: boolean, multiline: boolean): PosixRegex | undefined {
    if (pattern === "") return undefined;
    try {
      const { extended } = this.syntax;
      return new PosixRegex(pattern, { extended, ignoreCase, multiline });
    } catch (error) {
      if (error instanceof RegexError) throw this.fail(error.message);
      throw error;
    }
  }

  /** Text up to an unescaped delimiter, which is passed. */
  #until(delimiter: string, regex: boolean): string | undefined {
    const { text, end } = delimited(this.#text, this.#at, delimiter, regex);
    this.#at = end;
    return text;
  }

  #command(): void {
    const command: SedCommand = {
      name: "",
      negated: false,
      text: "",
      number: 0,
      target: 0,
      pieces: [],
      global: false,
      print: false,
      evaluate: false,
    };
    const first = this.#address(false);
    if (first !== undefined) {
      command.first = first;
      this.#skip(/[ \t]/);
      if (this.#peek() === ",") {
        this.#at++;
        this.#skip(/[ \t]/);
        const second = this.#address(true);
        if (second === undefined) throw this.fail("unexpected `,'");
        command.second = second;
      }
    }
    if (first?.kind === "zero" && command.second?.kind !== "regex") {
      throw this.fail("invalid usage of line address 0");
    }
    this.#skip(/[ \t]/);
    while (this.#peek() === "!") {
      this.#at++;
      command.negated = true;
      this.#skip(/[ \t]/);
    }
    const name = this.#text[this.#at++];
    if (name === undefined || name === "\n" || name === ";") {
      throw this.fail("missing command", Math.min(this.#at, this.#text.length));
    }
    command.name = name;
    this.#arguments(command);
  }

  #add(command: SedCommand): void {
    this.commands.push(command);
  }

  #end(): void {
    this.#skip(/[ \t]/);
    const char = this.#peek();
    if (char === undefined || char === "}" || char === "#") return;
    if (char === ";" || char === "\n") {
      this.#at++;
      return;
    }
    throw this.fail("extra characters after command", this.#at + 1);
  }

  #arguments(command: SedCommand): void {
    switch (command.name) {
      case "{":
        this.#blocks.push(command);
        return this.#add(command);
      case "}": {
        if (command.first !== undefined) throw this.fail("} doesn't want any addresses");
        const open = this.#blocks.pop();
        if (open === undefined) throw this.fail("unexpected `}'");
        open.target = this.commands.length;
        return this.#end();
      }
      case ":": {
        if (command.first !== undefined) throw this.fail(": doesn't want any addresses");
        this.#skip(/[ \t]/);
        const match = /^[^\s;]*/.exec(this.#text.slice(this.#at))!;
        if (match[0] === "") throw this.fail('":" lacks a label');
        this.#at += match[0].length;
        this.#labels.set(match[0], this.commands.length);
        return;
      }
      case "b":
      case "t":
      case "T": {
        this.#skip(/[ \t]/);
        const match = /^[^\n;}]*/.exec(this.#text.slice(this.#at))!;
        this.#at += match[0].length;
        command.text = match[0].trim();
        return this.#add(command);
      }
      case "a":
      case "i":
      case "c":
        command.text = this.#insertedText();
        return this.#add(command);
      case "r":
      case "R":
      case "w":
      case "W": {
        this.#skip(/[ \t]/);
        command.text = this.#line();
        if (command.text === "") throw this.fail("missing filename in r/R/w/W commands");
        return this.#add(command);
      }
      case "q":
      case "Q":
      case "l":
      case "L":
        this.#skip(/[ \t]/);
        command.number = this.#number() ?? (command.name === "l" ? 70 : 0);
        if (command.second !== undefined && /[qQ]/.test(command.name)) {
          throw this.fail("command only uses one address");
        }
        this.#end();
        return this.#add(command);
      case "e":
        this.#skip(/[ \t]/);
        command.text = this.#line();
        return this.#add(command);
      case "s":
        this.#substitute(command);
        return this.#add(command);
      case "y":
        this.#transliterate(command);
        return this.#add(command);
      default:
        if (!"=dDgGhHnNpPxzF".includes(command.name)) {
          throw this.fail(`unknown command: \`${command.name}'`);
        }
        this.#end();
        return this.#add(command);
    }
  }

  #insertedText(): string {
    this.#skip(/[ \t]/);
    if (this.#at >= this.#text.length) throw this.fail("expected \\ after `a', `c' or `i'");
    if (this.#peek() === "\\") {
      const after = /^\\[ \t]*(\n?)/.exec(this.#text.slice(this.#at))!;
      if (after[1] === "\n") this.#at += after[0].length;
      else {
        // One line: the backslash keeps leading blanks.
        this.#at++;
        if (/^[ \t]*$/.test(this.#text.slice(this.#at)))
          throw this.fail("expected \\ after `a', `c' or `i'");
      }
    }
    let text = "";
    while (this.#at < this.#text.length) {
      const char = this.#text[this.#at++]!;
      if (char === "\n") break;
      if (char === "\\" && this.#at < this.#text.length) {
        const next = this.#text[this.#at]!;
        const escape = /[tfv]/.test(next) ? readEscape(this.#text, this.#at - 1) : undefined;
        text += escape?.value ?? next;
        this.#at++;
      } else text += char;
    }
    return `${text}\n`;
  }

  #substitute(command: SedCommand): void {
    const delimiter = this.#text[this.#at++];
    if (delimiter === undefined || delimiter === "\n" || delimiter === "\\") {
      throw this.fail("unterminated `s' command", this.#text.length);
    }
    const pattern = this.#until(delimiter, true);
    const replacement = pattern === undefined ? undefined : this.#until(delimiter, false);
    if (pattern === undefined || replacement === undefined) {
      throw this.fail("unterminated `s' command", this.#text.length);
    }
    let ignoreCase = false;
    let multiline = false;
    for (; ; this.#at++) {
      const flag = this.#peek();
      if (flag === "g") command.global = true;
      else if (flag === "p") command.print = true;
      else if (flag === "i" || flag === "I") ignoreCase = true;
      else if (flag === "m" || flag === "M") multiline = true;
      else if (flag === "e") command.evaluate = true;
      else if (flag !== undefined && /\d/.test(flag)) {
        if (command.number > 0)
          throw this.fail("multiple number options to `s' command", this.#at + 1);
        command.number = this.#number()!;
        if (command.number === 0) throw this.fail("number option to `s' command may not be zero");
        this.#at--;
      } else if (flag === "w") {
        this.#at++;
        this.#skip(/[ \t]/);
        command.file = this.#line();
        break;
      } else {
        const end = flag === undefined || /[\s;}#]/.test(flag);
        if (!end) throw this.fail("unknown option to `s'", this.#at + 1);
        this.#end();
        break;
      }
    }
    command.regex = this.#regex(pattern, ignoreCase, multiline);
    command.pieces = piecesOf(replacement, command.regex, (message) => this.fail(message));
  }

  #transliterate(command: SedCommand): void {
    const delimiter = this.#text[this.#at++];
    const parts = [0, 1].map(() =>
      delimiter === undefined ? undefined : this.#until(delimiter, false),
    );
    const [from, to] = parts;
    if (from === undefined || to === undefined)
      throw this.fail("unterminated `y' command", this.#text.length);
    const plain = (text: string) =>
      text.replace(/\\([^])/g, (_, char: string) =>
        char === "n" ? "\n" : char === "t" ? "\t" : char,
      );
    const [left, right] = [charactersOf(plain(from)), charactersOf(plain(to))];
    if (left.length !== right.length) {
      throw this.fail("strings for `y' command are different lengths");
    }
    command.table = new Map();
    for (let at = 0; at < left.length; at++) {
      if (!command.table.has(left[at]!)) command.table.set(left[at]!, right[at]!);
    }
    this.#end();
  }
}
