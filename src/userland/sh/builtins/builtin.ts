/** Owns the interface between the interpreter and its builtins. */
import { Errno } from "../../../abi/errno.js";
import { Killed, ShellError } from "../control.js";
import type { Environment } from "../environment.js";
import type { Interpreter } from "../interpreter.js";
import { SIGPIPE } from "../signals.js";
import { encodeText } from "../text.js";

export interface Builtin {
  /** The exit status. A thrown ShellError is reported; in a special builtin it ends the shell. */
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
  ) {}

  /** Writes to standard output; the status to return. */
  async print(text: string): Promise<number> {
    if (text === "") return 0;
    const result = (await this.env.descriptors.get(1)?.write(encodeText(text))) ?? -Errno.EBADF;
    if (result >= 0) return 0;
    if (result === -Errno.EPIPE && this.env.traps.get("PIPE") === undefined)
      throw new Killed(SIGPIPE);
    await this.complain(`${this.name}: I/O error`);
    return 1;
  }

  /** Prints `sh: line: name: message`; returns `status`. */
  async complain(message: string, status = 1): Promise<number> {
    await this.shell.complain(this.env, `${this.name}: ${message}`);
    return status;
  }

  fail(message: string, status = 2): never {
    throw new ShellError(`${this.name}: ${message}`, status);
  }

  /** A non-negative decimal number, as dash takes them. */
  number(text: string): number {
    if (!/^\d+$/.test(text)) this.fail(`Illegal number: ${text}`);
    return Math.min(Number(text), 0x7fff_ffff);
  }

  /** Splits single-letter options from operands; a letter followed by `:` takes an argument. */
  options(letters: string): Arguments {
    const flags = new Map<string, string>();
    let at = 0;
    for (; at < this.args.length; at++) {
      const argument = this.args[at]!;
      if (argument === "--") {
        at += 1;
        break;
      }
      if (!argument.startsWith("-") || argument === "-") break;
      for (let index = 1; index < argument.length; index++) {
        const letter = argument[index]!;
        const known = letter === ":" ? -1 : letters.indexOf(letter);
        if (known < 0) this.fail(`Illegal option -${letter}`);
        if (letters[known + 1] !== ":") {
          flags.set(letter, "");
          continue;
        }
        const value = argument.slice(index + 1) || this.args[++at];
        if (value === undefined) this.fail(`No arg for -${letter} option`);
        flags.set(letter, value as string);
        break;
      }
    }
    return { flags, operands: this.args.slice(at) };
  }
}

export interface Arguments {
  readonly flags: ReadonlyMap<string, string>;
  readonly operands: readonly string[];
}

/** A text in single quotes, as `set`, `export -p`, `trap` and `alias` print it. */
export function quote(text: string): string {
  return `'${text.replaceAll("'", `'"'"'`)}'`;
}
