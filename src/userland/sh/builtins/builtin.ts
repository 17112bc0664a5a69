/** Owns the interface between the interpreter and its builtins. */
import { Errno } from "../../../abi/errno.js";
import type { CompoundValue } from "../expansion.js";
import type { BashError } from "../control.js";
import { Killed, ShellError } from "../control.js";
import type { Environment } from "../environment.js";
import { errorText } from "../errors.js";
import type { Interpreter } from "../interpreter.js";
import { singleQuote } from "../quoting.js";
import { SIGPIPE, SIGXFSZ } from "../signals.js";
import { encodeText } from "../text.js";
import { synopses } from "./synopses.js";

export interface Builtin {
  /** The exit status. A thrown ShellError is reported; in a special builtin of dash it ends the shell. */
  run(call: BuiltinCall): number | Promise<number>;
  readonly special?: true;
  /** Not there when the shell runs as `sh`, because a script may use the name for a command. */
  readonly bashOnly?: true;
}

/** One call of a builtin: its arguments and the environment it works on. */
export class BuiltinCall {
  constructor(
    readonly shell: Interpreter,
    readonly env: Environment,
    readonly name: string,
    readonly args: readonly string[],
    readonly tested: boolean,
    /** `name=(…)` among the words, by the number of the word: 0 is the builtin's name. */
    readonly compounds: ReadonlyMap<number, CompoundValue> = new Map(),
  ) {}

  /** Writes to standard output; the status to return. */
  async print(text: string): Promise<number> {
    if (text === "") return 0;
    const { descriptors, fileBytes, traps } = this.env;
    const result = (await descriptors.get(1)?.write(encodeText(text), fileBytes)) ?? -Errno.EBADF;
    if (result >= 0) return 0;
    if (result === -Errno.EPIPE && traps.get("PIPE") === undefined) throw new Killed(SIGPIPE);
    if (result === -Errno.EFBIG && fileBytes !== Infinity) this.#fileTooLong();
    await this.complain(
      this.shell.bash ? `write error: ${errorText(-result)}` : `${this.name}: I/O error`,
    );
    return 1;
  }

  /** The process ignores this signal, as Node's do, unless it is trapped: that it ends the environment is acted out. */
  #fileTooLong(): void {
    const { env, shell } = this;
    if (env.traps.has("XFSZ") || shell.system.startedIgnored(SIGXFSZ)) return;
    throw new Killed(SIGXFSZ);
  }

  /** Prints `sh: line: name: message`; returns `status`. */
  async complain(message: string, status = 1): Promise<number> {
    await this.shell.complain(this.env, `${this.name}: ${message}`);
    return status;
  }

  /** `bash`: its words for the same, without the builtin's name. */
  fail(message: string, status = 2, bash: BashError = {}): never {
    const words = bash.message === undefined ? {} : { message: `${this.name}: ${bash.message}` };
    throw new ShellError(`${this.name}: ${message}`, status, { ...bash, ...words });
  }

  /** What bash says of arguments that are wrong as a whole: the usage, and 2. */
  async misuse(message?: string): Promise<number> {
    if (message !== undefined) await this.complain(message);
    const usage = `${this.name}: usage: ${synopses.get(this.name) ?? this.name}\n`;
    await this.env.descriptors.get(2)?.write(encodeText(usage));
    return 2;
  }

  /** A non-negative decimal number, as dash takes them. */
  number(text: string, bash = `${text}: numeric argument required`): number {
    if (!/^\d+$/.test(text)) {
      this.fail(`Illegal number: ${text}`, 2, { message: bash });
    }
    return Math.min(Number(text), 0x7fff_ffff);
  }

  /** Splits single-letter options from operands; a letter followed by `:` takes an argument. */
  options(letters: string, args: readonly string[] = this.args): Arguments {
    const flags = new Map<string, string>();
    let at = 0;
    for (; at < args.length; at++) {
      const argument = args[at]!;
      if (argument === "--") {
        at += 1;
        break;
      }
      if (!argument.startsWith("-") || argument === "-") break;
      for (let index = 1; index < argument.length; index++) {
        const letter = argument[index]!;
        const known = letter === ":" ? -1 : letters.indexOf(letter);
        if (known < 0) this.#badOption(letter);
        if (letters[known + 1] !== ":") {
          flags.set(letter, "");
          continue;
        }
        const value = argument.slice(index + 1) || args[++at];
        if (value === undefined) {
          this.fail(`No arg for -${letter} option`, 2, {
            message: `-${letter}: option requires an argument`,
            status: 2,
          });
        }
        flags.set(letter, value as string);
        break;
      }
    }
    return { flags, operands: args.slice(at) };
  }

  #badOption(letter: string): never {
    const synopsis = synopses.get(this.name);
    const usage = synopsis === undefined ? "" : `\n${this.name}: usage: ${synopsis}`;
    const message = `-${letter}: invalid option${usage}`;
    return this.fail(`Illegal option -${letter}`, 2, { message, status: 2 });
  }
}

export interface Arguments {
  readonly flags: ReadonlyMap<string, string>;
  readonly operands: readonly string[];
}

/** A text in single quotes, as dash's `set`, `export -p`, `trap` and `alias` print it. */
export function dashQuote(text: string): string {
  return `'${text.replaceAll("'", `'"'"'`)}'`;
}

/** A text in single quotes, as the shell that is being played prints it. */
export function quote({ shell }: BuiltinCall, text: string): string {
  return shell.bash ? singleQuote(text) : dashQuote(text);
}

/** The builtin of that name in this shell, if it is there and not switched off. */
export function builtinOf(env: Environment, name: string): Builtin | undefined {
  const builtin = env.shell.builtins.get(name);
  if (builtin === undefined || env.disabledBuiltins.has(name)) return undefined;
  return builtin.bashOnly === true && !env.shell.bash ? undefined : builtin;
}
