/** Owns the arguments of `sh` and `bash`. */
import { ShellError } from "./control.js";
import { isOptionName, missingOptions, optionOfLetter } from "./options.js";
import { isMissingShopt, isShopt } from "./shell-options.js";

export interface Invocation {
  readonly options: ReadonlyMap<string, boolean>;
  readonly shellOptions: ReadonlyMap<string, boolean>;
  /** `-c` */
  readonly command: boolean;
  /** `-l`, or a name that begins with a dash. */
  readonly login: boolean;
  readonly norc: boolean;
  readonly noprofile: boolean;
  readonly rcfile: string | undefined;
  /** `--version` and `--help` are all there is to do. */
  readonly show: "version" | "help" | undefined;
  readonly operands: readonly string[];
}

const longOptions = new Map<string, "flag" | "value" | "missing">([
  ["debug", "flag"],
  ["debugger", "missing"],
  ["dump-po-strings", "missing"],
  ["dump-strings", "missing"],
  ["help", "flag"],
  ["init-file", "value"],
  ["login", "flag"],
  ["noediting", "flag"],
  ["noprofile", "flag"],
  ["norc", "flag"],
  ["posix", "flag"],
  ["pretty-print", "missing"],
  ["rcfile", "value"],
  ["restricted", "missing"],
  ["verbose", "flag"],
  ["version", "flag"],
]);

export const usage = `Usage:\tbash [GNU long option] [option] ...
\tbash [GNU long option] [option] script-file ...
GNU long options:
${[...longOptions.keys()].map((name) => `\t--${name}\n`).join("")}Shell options:
\t-ilrsD or -c command or -O shopt_option\t\t(invocation only)
\t-abefhkmnptuvxBCEHPT or -o option
`;

export function parseArguments(called: string, args: readonly string[], bash: boolean): Invocation {
  return new Arguments(called, args, bash).parse();
}

class Arguments {
  readonly #options = new Map<string, boolean>();
  readonly #shellOptions = new Map<string, boolean>();
  readonly #long = new Map<string, string>();
  #at = 0;
  #command = false;
  #login: boolean;

  constructor(
    called: string,
    readonly args: readonly string[],
    readonly bash: boolean,
  ) {
    this.#login = called.startsWith("-");
  }

  parse(): Invocation {
    const { args } = this;
    for (; this.#at < args.length; this.#at++) {
      const argument = args[this.#at]!;
      if (argument === "--" || argument === "-") {
        this.#at += 1;
        break;
      }
      if (this.bash && /^--\w/.test(argument)) this.#longOption(argument.slice(2));
      else if (/^[-+]./.test(argument)) this.#letters(argument);
      else break;
    }
    const long = this.#long;
    return {
      options: this.#options,
      shellOptions: this.#shellOptions,
      command: this.#command,
      login: this.#login || long.has("login"),
      norc: long.has("norc"),
      noprofile: long.has("noprofile"),
      rcfile: long.get("rcfile") ?? long.get("init-file"),
      show: long.has("version") ? "version" : long.has("help") ? "help" : undefined,
      operands: args.slice(this.#at),
    };
  }

  #longOption(name: string): void {
    const kind = longOptions.get(name);
    if (kind === undefined) throw new ShellError(`--${name}: invalid option\n${usage}`.trimEnd());
    if (kind === "missing") throw new ShellError(`--${name}: not available in this shell`);
    if (kind === "value") this.#at += 1;
    this.#long.set(name, kind === "value" ? (this.args[this.#at] ?? "") : "");
    if (name === "posix" || name === "verbose") this.#options.set(name, true);
  }

  #letters(argument: string): void {
    const on = argument.startsWith("-");
    for (const letter of argument.slice(1)) {
      if (letter === "c") this.#command = true;
      else if (letter === "o") this.#named(on);
      else if (this.bash && letter === "O") this.#shopt(on);
      else if (letter === "l") this.#login = true;
      else if (letter === "s" || letter === "i") {
        this.#options.set(letter === "s" ? "stdin" : "interactive", on);
      } else this.#letter(letter, on);
    }
  }

  #letter(letter: string, on: boolean): void {
    const name = optionOfLetter(letter, this.bash);
    if (name === undefined) {
      if (!this.bash) throw new ShellError(`Illegal option -${letter}`);
      throw new ShellError(`-${letter}: invalid option\n${usage}`.trimEnd());
    }
    if (this.bash && on && missingOptions.has(name)) {
      throw new ShellError(`-${letter}: not available in this shell`);
    }
    this.#options.set(name, on);
  }

  #named(on: boolean): void {
    const name = this.args[++this.#at] ?? "";
    if (!isOptionName(name, this.bash)) {
      const words = this.bash ? `${name}: invalid option name` : `Illegal option -o ${name}`;
      throw new ShellError(words);
    }
    if (this.bash && on && missingOptions.has(name)) {
      throw new ShellError(`${name}: not available in this shell`);
    }
    this.#options.set(name, on);
  }

  #shopt(on: boolean): void {
    const name = this.args[++this.#at] ?? "";
    if (!isShopt(name)) throw new ShellError(`${name}: invalid shell option name`);
    if (on && isMissingShopt(name)) throw new ShellError(`${name}: not available in this shell`);
    this.#shellOptions.set(name, on);
  }
}
