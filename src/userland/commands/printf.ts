/** Owns `printf`. */
import { CommandExit, CommandFailure, type Command, type CommandContext } from "../command.js";
import {
  formatFloat,
  formatInteger,
  formatText,
  limitedWidth,
  type Conversion,
} from "../support/printf.js";
import { floatBeginning, readLongDouble, type BinaryFloat } from "../support/binary-float.js";
import { usageFailure } from "../support/options.js";
import { sliceCharacters } from "../support/characters.js";
import { fromBytes, quoted, readEscape, toBytes } from "../support/text.js";

export const main: Command = (context) => {
  const words = context.argv.slice(1);
  if (words[0] === "--") words.shift();
  if (words.length === 0) throw usageFailure(context, "missing operand");
  const printer = new Printer(context, words.slice(1).map(toBytes));
  const format = toBytes(words[0]!);
  try {
    do {
      printer.consumed = false;
      printer.print(format);
    } while (printer.consumed && printer.remaining > 0);
  } catch (error) {
    if (!(error instanceof Stopped)) throw error;
  }
  return printer.status;
};

/** `\c` ends the output. */
class Stopped extends CommandExit {}

class Printer {
  status = 0;
  consumed = false;
  #next = 0;

  constructor(
    private readonly context: CommandContext,
    private readonly words: string[],
  ) {}

  get remaining(): number {
    return this.words.length - this.#next;
  }

  #word(): string | undefined {
    this.consumed = true;
    return this.words[this.#next++];
  }

  print(format: string): void {
    for (let at = 0; at < format.length;) {
      const char = format[at]!;
      if (char === "\\") at = this.#escape(format, at, 3);
      else if (char === "%" && format[at + 1] === "%") {
        this.context.writeBytes("%");
        at += 2;
      } else if (char === "%") at = this.#conversion(format, at);
      else {
        const end = format.slice(at).search(/[\\%]/);
        const text = end === -1 ? format.slice(at) : format.slice(at, at + end);
        this.context.writeBytes(text);
        at += text.length;
      }
    }
  }

  #escape(text: string, at: number, octalDigits: number): number {
    if (text[at + 1] === "c") throw new Stopped(this.status);
    if (text[at + 1] === '"') {
      this.context.writeBytes('"');
      return at + 2;
    }
    const escape = readEscape(text, at, octalDigits);
    this.context.writeBytes(escape?.value ?? "\\");
    return escape?.end ?? at + 1;
  }

  #conversion(format: string, at: number): number {
    const match = /^%([-+ #0']*)(\*|\d+)?(?:\.(\*|-?\d*))?(?:hh|h|ll|l|L|j|z|t)?([^])?/.exec(
      format.slice(at),
    )!;
    let flags = match[1]!;
    let width = match[2] === "*" ? Number(this.#integer()) : Number(match[2] ?? 0);
    if (width < 0) {
      flags += "-";
      width = -width;
    }
    let precision: number | undefined;
    if (match[3] !== undefined) {
      precision = match[3] === "*" ? Number(this.#integer()) : Number(match[3]);
      if (precision < 0) precision = undefined;
    }
    const conversion: Conversion = {
      flags,
      width: limitedWidth(width),
      precision: precision === undefined ? undefined : limitedWidth(precision),
      letter: match[4] ?? "",
    };
    this.context.writeBytes(this.#convert(conversion, match[0]));
    return at + match[0].length;
  }

  #convert(conversion: Conversion, spelled: string): string {
    const { letter } = conversion;
    if (letter === "s") return formatText(this.#word() ?? "", conversion);
    if (letter === "c") return formatText(sliceCharacters(this.#word() ?? "", 0, 1), conversion);
    if (letter === "b") return formatText(this.#expanded(this.#word() ?? ""), conversion);
    if (letter === "q") return formatText(shellQuoted(this.#word() ?? ""), conversion);
    if ("diouxX".includes(letter) && letter !== "") {
      return formatInteger(this.#integer(), conversion);
    }
    if ("fFeEgGaA".includes(letter) && letter !== "") return formatFloat(this.#float(), conversion);
    throw new CommandFailure(`${spelled}: invalid conversion specification`);
  }

  #expanded(text: string): string {
    let output = "";
    for (let at = 0; at < text.length;) {
      if (text[at] !== "\\") {
        output += text[at++];
        continue;
      }
      if (text[at + 1] === "c") {
        this.context.writeBytes(output);
        throw new Stopped(this.status);
      }
      const escape = readEscape(text, at, text[at + 1] === "0" ? 4 : 3);
      output += escape?.value ?? "\\";
      at = escape?.end ?? at + 1;
    }
    return output;
  }

  #complain(message: string): void {
    this.context.writeError(`printf: ${message}\n`);
    this.status = 1;
  }

  #integer(): bigint {
    const word = this.#word();
    if (word === undefined) return 0n;
    const quote = /^["']([^])/.exec(word);
    if (quote !== null) return BigInt(codeOf(word.slice(1)));
    const match = /^\s*([-+]?)(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9]\d*)/.exec(word);
    if (match === null) {
      this.#complain(`${quoted(word)}: expected a numeric value`);
      return 0n;
    }
    if (match[0].length < word.length) {
      this.#complain(`${quoted(word)}: value not completely converted`);
    }
    const digits = /^0[0-7]+$/.test(match[2]!) ? `0o${match[2]!.slice(1)}` : match[2]!;
    const value = BigInt(digits) * (match[1] === "-" ? -1n : 1n);
    const limited = value > 0xffffffffffffffffn ? 0x7fffffffffffffffn : value;
    if (limited !== value || value < -0x8000000000000000n) {
      this.#complain(`${quoted(word)}: Numerical result out of range`);
      return value < 0n ? -0x8000000000000000n : limited;
    }
    return value;
  }

  #float(): number | BinaryFloat {
    const word = this.#word();
    if (word === undefined) return 0;
    const quote = /^["']([^])/.exec(word);
    if (quote !== null) return codeOf(word.slice(1));
    const match = floatBeginning.exec(word);
    if (match === null) {
      this.#complain(`${quoted(word)}: expected a numeric value`);
      return 0;
    }
    if (match[0].length < word.length) {
      this.#complain(`${quoted(word)}: value not completely converted`);
    }
    return readLongDouble(match[0]);
  }
}

/** The code point of the first character, or its byte. */
function codeOf(text: string): number {
  const first = sliceCharacters(text, 0, 1);
  return first.length === 1 ? first.charCodeAt(0) : fromBytes(first).codePointAt(0)!;
}

function shellQuoted(word: string): string {
  if (word === "") return "''";
  if (/^[\w@%+=:,./-]+$/.test(word)) return word;
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  if (!/[\x00-\x1f\x7f]/.test(word)) return quoted(word);
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  const parts = word.split(/([\x00-\x1f\x7f]+)/).filter((part) => part !== "");
  return parts
    .map((part) =>
      // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
      /[\x00-\x1f\x7f]/.test(part)
        ? `$'${[...part].map((char) => (char === "\n" ? "\\n" : char === "\t" ? "\\t" : `\\${char.charCodeAt(0).toString(8).padStart(3, "0")}`)).join("")}'`
        : `'${part.replaceAll("'", "'\\''")}'`,
    )
    .join("");
}
