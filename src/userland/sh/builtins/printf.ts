/** `printf`. */
import { floatBeginning, readLongDouble, type BinaryFloat } from "../../support/binary-float.js";
import { formatFloat } from "../../support/printf.js";
import { formatEscape } from "../escapes.js";
import { parseNumber } from "../arithmetic-parser.js";
import { ShellError } from "../control.js";
import { limits } from "../limits.js";
import { backslashQuote } from "../quoting.js";
import { decodeText, encodeText, textOfBytes } from "../text.js";
import { formatTime } from "../time.js";
import { elementName, validName } from "../variables.js";
import type { Builtin, BuiltinCall } from "./builtin.js";
import { unescapeEcho } from "./echo.js";

const conversion = /%([-+ 0#']*)(\*|\d+)?(?:\.(\*|-?\d*))?(?:\(([^)]*)\)(?=T)|[hlLjzt]*)(.)/suy;
const MAX_WIDTH = 1 << 20;

class Formatter {
  #output: string[] = [];
  #length = 0;
  #next = 0;
  #stopped = false;
  status = 0;
  readonly #complaints: string[] = [];

  constructor(
    readonly call: BuiltinCall,
    readonly format: string,
    readonly args: readonly string[],
  ) {}

  /** What has been made so far. */
  get text(): string {
    return this.#output.join("");
  }

  /** Makes the whole text: the format is used again while arguments are left. */
  run(): void {
    do {
      const before = this.#next;
      this.#once();
      if (this.#next === before) break;
    } while (this.#next < this.args.length && !this.#stopped);
  }

  get complaints(): readonly string[] {
    return this.#complaints;
  }

  #emit(text: string): void {
    this.#length += text.length;
    if (this.#length > limits.textLength) this.call.fail("output too long");
    this.#output.push(text);
  }

  #complain(message: string): void {
    this.#complaints.push(message);
    this.status = 1;
  }

  #argument(): string | undefined {
    return this.args[this.#next++];
  }

  #once(): void {
    const { format } = this;
    let bytes: number[] = [];
    for (let at = 0; at < format.length && !this.#stopped;) {
      const character = format[at]!;
      const escape =
        character === "\\" ? formatEscape(format, at + 1, this.call.shell.bash) : undefined;
      if (escape !== undefined && typeof escape.value === "number") bytes.push(escape.value);
      else {
        if (bytes.length > 0) this.#emit(textOfBytes(bytes));
        bytes = [];
        if (escape !== undefined) this.#emit(escape.value as string);
        else if (character === "%") {
          at = this.#conversion(at);
          continue;
        } else this.#emit(character);
      }
      at = escape === undefined ? at + 1 : escape.end;
    }
    if (bytes.length > 0) this.#emit(textOfBytes(bytes));
  }

  /** One `%…` from its `%`; where the format goes on. */
  #conversion(at: number): number {
    if (this.format[at + 1] === "%") {
      this.#emit("%");
      return at + 2;
    }
    conversion.lastIndex = at;
    const match = conversion.exec(this.format);
    if (match === null) {
      const message = `\`${this.format.at(-1)}': missing format character`;
      this.call.fail(`${this.format.slice(at)}: invalid directive`, 2, { message });
    }
    const [, flags, width, precision, time, type] = match as unknown as string[];
    let columns = this.#size(width);
    let left = flags!.includes("-");
    if (columns !== undefined && columns < 0) {
      left = true;
      columns = -columns;
    }
    const places = precision === undefined ? undefined : (this.#size(precision || "0") ?? 0);
    const digits = places !== undefined && places < 0 ? undefined : places;
    const text =
      type === "T" && this.call.shell.bash
        ? this.#time(time ?? "")
        : this.#value(type!, flags!, digits);
    const zero = flags!.includes("0") && !left && "diouxXeEfFgGaA".includes(type!);
    const zeros = zero && (digits === undefined || !"diouxX".includes(type!));
    // bash counts bytes for %s and its like; characters are this shell's idea when it is sh.
    const length = this.call.shell.bash ? encodeText(text).length : Array.from(text).length;
    this.#emit(pad(text, (columns ?? 0) - length, left, zeros));
    return conversion.lastIndex;
  }

  #size(text: string | undefined): number | undefined {
    if (text === undefined) return undefined;
    const size = Number(text === "*" ? this.#integer(this.#argument() ?? "0") : text);
    if (Math.abs(size) > MAX_WIDTH) this.call.fail("field too wide");
    return size;
  }

  /** `%(format)T`: -1 or nothing is now, -2 the start of the shell. */
  #time(format: string): string {
    const { system, startMs } = this.call.shell;
    const given = this.#argument();
    const seconds = given === undefined ? -1 : Number(this.#integer(given));
    const milliseconds =
      seconds === -1 ? system.nowMs() : seconds === -2 ? startMs : seconds * 1000;
    return formatTime(format === "" ? "%X" : format, new Date(milliseconds));
  }

  #value(type: string, flags: string, digits: number | undefined): string {
    switch (type) {
      case "s":
        return cutBytes(this.#argument() ?? "", digits);
      case "b": {
        const { bash } = this.call.shell;
        const { text, stopped } = unescapeEcho(this.#argument() ?? "", bash, bash);
        if (stopped) this.#stopped = true;
        return cutBytes(text, digits);
      }
      case "q":
      case "Q":
        // The precision of %Q is of the text, that of %q of what has been quoted.
        return type === "Q"
          ? backslashQuote(cutBytes(this.#argument() ?? "", digits))
          : cutBytes(backslashQuote(this.#argument() ?? ""), digits);
      case "c":
        return this.#character(this.#argument() ?? "");
      case "n": {
        const name = this.#argument();
        if (name !== undefined && this.call.shell.bash) {
          this.call.env.assign(name, String(this.#length));
        }
        return "";
      }
      case "d":
      case "i": {
        const value = this.#integer(this.#argument() ?? "0");
        const sign = value < 0n ? "-" : flags.includes("+") ? "+" : flags.includes(" ") ? " " : "";
        return sign + (value < 0n ? -value : value).toString().padStart(digits ?? 1, "0");
      }
      case "u":
      case "o":
      case "x":
      case "X":
        return this.#unsigned(type, flags, digits);
      case "e":
      case "E":
      case "f":
      case "F":
      case "g":
      case "G":
      case "a":
      case "A": {
        const value = this.#float(this.#argument() ?? "0");
        return formatFloat(value, {
          flags: flags.replace(/[-0]/g, ""),
          width: 0,
          precision: digits,
          letter: type,
        });
      }
      default:
        return this.call.fail(`%${type}: invalid directive`, 2, {
          message: `\`${type}': invalid format character`,
        });
    }
  }

  /** The first one; of bash's the first byte. */
  #character(text: string): string {
    const { bash } = this.call.shell;
    if (text === "") return bash ? "" : "\0";
    return bash ? decodeText(encodeText(text).subarray(0, 1)) : Array.from(text)[0]!;
  }

  #unsigned(type: string, flags: string, digits: number | undefined): string {
    const value = BigInt.asUintN(64, this.#integer(this.#argument() ?? "0"));
    const base = type === "o" ? 8 : type === "u" ? 10 : 16;
    let text = value.toString(base).padStart(digits ?? 1, "0");
    if (flags.includes("#") && value !== 0n) {
      if (type === "o") text = text.startsWith("0") ? text : `0${text}`;
      else if (base === 16) text = `0x${text}`;
    }
    return type === "X" ? text.toUpperCase() : text;
  }

  #integer(text: string): bigint {
    const quoted = /^["'](.)/su.exec(text);
    if (quoted !== null) return BigInt(codeOf(quoted[1]!));
    const match = /^\s*([-+]?)(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9]\d*)/.exec(text);
    const { bash } = this.call.shell;
    if (match === null) {
      if (!bash) this.#complain(`${text}: expected numeric value`);
      else if (text !== "") this.#complain(`${text}: invalid number`);
      return 0n;
    }
    if (match[0].length < text.length) {
      this.#complain(`${text}: ${bash ? "invalid number" : "not completely converted"}`);
    }
    const value = parseNumber(match[2]!) ?? 0n;
    if (value === 2n ** 63n - 1n && BigInt(octalLiteral(match[2]!)) !== value) {
      const words = `${text}: Numerical result out of range`;
      if (bash) this.#complaints.push(`warning: ${words}`);
      else this.#complain(words);
    }
    return match[1] === "-" ? -value : value;
  }

  #float(text: string): number | BinaryFloat {
    const quoted = /^["'](.)/su.exec(text);
    if (quoted !== null) return codeOf(quoted[1]!);
    const match = floatBeginning.exec(text);
    const { bash } = this.call.shell;
    if (match === null) {
      if (!bash) this.#complain(`${text}: expected numeric value`);
      else if (text !== "") this.#complain(`${text}: invalid number`);
      return 0;
    }
    if (match[0].length < text.length) {
      this.#complain(`${text}: ${bash ? "invalid number" : "not completely converted"}`);
    }
    // dash has doubles.
    return bash ? readLongDouble(match[0]) : strictNumber(match[0]);
  }
}

/** A double, of what `floatBeginning` takes. */
function strictNumber(text: string): number | BinaryFloat {
  const number = Number(text);
  return Number.isNaN(number) ? readLongDouble(text) : number;
}

/** As BigInt reads it. */
function octalLiteral(text: string): string {
  return /^0[0-7]/.test(text) ? `0o${text.slice(1)}` : text;
}

function pad(text: string, missing: number, left: boolean, zero: boolean): string {
  if (missing <= 0) return text;
  if (left) return text + " ".repeat(missing);
  if (!zero) return " ".repeat(missing) + text;
  const prefix = /^[-+ ]?(?:0[xX])?/.exec(text)![0];
  return prefix + "0".repeat(missing) + text.slice(prefix.length);
}

/** A precision of `%s` counts bytes. */
function cutBytes(text: string, count: number | undefined): string {
  if (count === undefined || count >= text.length * 4) return text;
  return decodeText(encodeText(text).subarray(0, count));
}

async function printf(call: BuiltinCall): Promise<number> {
  let args = call.args;
  let target: string | undefined;
  if (args[0] === "-v" && args[1] !== undefined) {
    target = args[1];
    args = args.slice(2);
  }
  if (args[0] === "--") args = args.slice(1);
  const [format, ...values] = args;
  if (format === undefined) {
    if (call.shell.bash) return call.misuse();
    return call.fail("usage: printf format [arg ...]");
  }
  const formatter = new Formatter(call, format, values);
  let failure: ShellError | undefined;
  try {
    formatter.run();
  } catch (error) {
    // What stands before a conversion that is wrong is printed all the same.
    if (!(error instanceof ShellError) || !call.shell.bash) throw error;
    failure = error;
  }
  const { text } = formatter;
  for (const complaint of formatter.complaints) await call.complain(complaint);
  if (failure !== undefined) {
    await call.print(text);
    throw failure;
  }
  if (target === undefined) return (await call.print(text)) || formatter.status;
  const element = elementName.exec(target);
  if (element !== null) call.env.assignElement(element[1]!, element[2]!, text);
  else if (validName.test(target)) call.env.assign(target, text);
  else return call.complain(`\`${target}': not a valid identifier`, 2);
  return formatter.status;
}

export const printfBuiltins: Record<string, Builtin> = { printf: { run: printf } };

/** Of a character, or of a byte that is none. */
function codeOf(character: string): number {
  const code = character.codePointAt(0)!;
  return code >= 0xdc80 && code <= 0xdcff ? code - 0xdc00 : code;
}
