/** Owns `numfmt`. */
import { CommandFailure, type Command, type CommandContext } from "../command.js";
import { LineReader, standardInput } from "../support/input.js";
import { parseOptions, usageFailure, type Options } from "../support/options.js";
import { parseRanges } from "../support/ranges.js";
import { quoted, toBytes } from "../support/text.js";

const letters = "KMGTPEZY";
const units = ["none", "auto", "si", "iec", "iec-i"];
const statusBad = 2;

/** A number that cannot be read: what to say, and where in its word reading stopped. */
class BadNumber extends Error {}

export const main: Command = (context) => {
  const options = parseOptions(
    context,
    "d:z",
    {
      "from=": "from",
      "from-unit=": "fromUnit",
      "to=": "to",
      "to-unit=": "toUnit",
      "round=": "round",
      "suffix=": "suffix",
      "padding=": "padding",
      "format=": "format",
      "field=": "field",
      "header=?": "header",
      "invalid=": "invalid",
      "delimiter=": "d",
      "zero-terminated": "z",
      grouping: "grouping",
      debug: "debug",
    },
    { operandPattern: /^-\d/ },
  );
  return new Formatter(context, options).run();
};

class Formatter {
  readonly #from: string;
  readonly #to: string;
  readonly #fields: { from: number; to: number }[];
  readonly #padding: number;
  readonly #precision: number | undefined;
  readonly #format:
    | { before: string; after: string; width: number; zero: boolean; left: boolean }
    | undefined;
  #status = 0;

  constructor(
    private readonly context: CommandContext,
    private readonly options: Options,
  ) {
    this.#from = this.#unit("from");
    this.#to = this.#unit("to");
    const field = options.get("field");
    this.#fields =
      field === undefined
        ? [{ from: 1, to: 1 }]
        : field === "-"
          ? [{ from: 1, to: Infinity }]
          : parseRanges(field, "field");
    const padding = options.get("padding") ?? "0";
    if (!/^-?\d+$/.test(padding) || (options.has("padding") && Number(padding) === 0)) {
      throw usageFailure(context, `invalid padding value ${quoted(padding)}`);
    }
    this.#padding = Math.max(-65536, Math.min(65536, Number(padding)));
    const format = options.get("format");
    if (format !== undefined) {
      const match = /^((?:[^%]|%%)*)%(['0-]*)(-?\d*)(?:\.(\d+))?f((?:[^%]|%%)*)$/.exec(format);
      if (match === null) {
        throw usageFailure(
          context,
          format.includes("%")
            ? `invalid format ${quoted(format)}, directive must be %[0]['][-][N][.][N]f`
            : `format ${quoted(format)} has no % directive`,
        );
      }
      this.#precision = match[4] === undefined ? undefined : Number(match[4]);
      const plain = (text: string) => text.replaceAll("%%", "%");
      this.#format = {
        before: plain(match[1]!),
        after: plain(match[5]!),
        width: Math.min(Math.abs(Number(match[3])), 65536),
        zero: match[2]!.includes("0"),
        left: match[2]!.includes("-") || match[3]!.startsWith("-"),
      };
    }
  }

  #unit(key: "from" | "to"): string {
    const unit = this.options.get(key) ?? "none";
    if (!units.includes(unit) || (key === "to" && unit === "auto")) {
      throw usageFailure(this.context, `invalid argument ${quoted(unit)} for '--${key}'`);
    }
    return unit;
  }

  run(): number {
    const { context, options } = this;
    if (options.operands.length > 0) {
      for (const word of options.operands) this.#line(toBytes(word), "\n");
      return this.#status;
    }
    const end = options.has("z") ? "\0" : "\n";
    const reader = new LineReader(standardInput(context), end);
    let header = options.has("header") ? Number(options.get("header") || 1) : 0;
    for (let line = reader.next(); line !== undefined; line = reader.next()) {
      if (header-- > 0) context.writeBytes(line + end);
      else this.#line(line, reader.terminated ? end : "");
    }
    return this.#status;
  }

  #line(line: string, end: string): void {
    const delimiter = this.options.get("d");
    const wanted = (index: number) =>
      this.#fields.some(({ from, to }) => index >= from && index <= to);
    const parts =
      delimiter === undefined
        ? (line.match(/[ \t]*[^ \t]+|[ \t]+$/g) ?? [line])
        : line.split(delimiter);
    const output = parts.map((part, at) => {
      if (!wanted(at + 1)) return part;
      const [, blanks = "", word = ""] = /^([ \t]*)([^]*)$/.exec(part)!;
      // The first blank is the separator; the rest are padding that is kept.
      const separator = delimiter === undefined && at > 0 ? blanks.slice(0, 1) : "";
      const width =
        delimiter === undefined && blanks.length > separator.length
          ? part.length - separator.length
          : 0;
      return (
        separator +
        this.#field(word, width, separator === "" && delimiter !== undefined ? blanks : "")
      );
    });
    this.context.writeBytes(output.join(delimiter ?? "") + end);
  }

  #field(word: string, width: number, blanks: string): string {
    let text: string;
    try {
      text = this.#convert(word);
    } catch (error) {
      if (!(error instanceof BadNumber)) throw error;
      const how = this.options.get("invalid") ?? "abort";
      if (how === "abort") throw new CommandFailure(error.message, statusBad);
      if (how === "warn" || how === "fail") this.context.writeError(`numfmt: ${error.message}\n`);
      if (how === "fail") this.#status = statusBad;
      return blanks + word;
    }
    const format = this.#format;
    if (format !== undefined) {
      let body = text;
      if (format.left) body = body.padEnd(format.width);
      else if (format.zero) {
        const sign = body.startsWith("-") ? "-" : "";
        body = sign + body.slice(sign.length).padStart(format.width - sign.length, "0");
      } else body = body.padStart(format.width);
      text = format.before + body + format.after;
    }
    if (this.#padding < 0) return text.padEnd(-this.#padding);
    return text.padStart(Math.max(this.#padding, this.#padding === 0 ? width : 0));
  }

  #convert(word: string): string {
    const suffix = this.options.get("suffix") ?? "";
    let text = word;
    if (suffix !== "" && text.endsWith(suffix)) text = text.slice(0, -suffix.length);
    const match = /^(-?\d+(?:\.\d+)?)(.*)$/.exec(text);
    if (match === null) throw new BadNumber(`invalid number: ${quoted(word)}`);
    const scale = this.#scaleOf(match[2]!, word);
    const decimals = /\.(\d+)/.exec(match[1]!)?.[1]!.length ?? 0;
    const unit = Number(this.#size("fromUnit"));
    const value = Number(match[1]) * scale * unit;
    return this.#show(value / Number(this.#size("toUnit")), scale === 1 ? decimals : 0) + suffix;
  }

  #size(key: string): string {
    const text = this.options.get(key) ?? "1";
    const match = /^(\d+)([KMGTPEZY]i?)?$/.exec(text);
    if (match === null || Number(match[1]) === 0)
      throw usageFailure(this.context, `invalid unit size: ${quoted(text)}`);
    const letter = match[2]?.[0];
    const base = match[2]?.endsWith("i") ? 1024 : 1000;
    return String(
      Number(match[1]) * (letter === undefined ? 1 : base ** (letters.indexOf(letter) + 1)),
    );
  }

  #scaleOf(rest: string, word: string): number {
    if (rest === "") return 1;
    const letter = rest[0]!;
    const power = letters.indexOf(letter === "k" ? "K" : letter) + 1;
    if (power === 0) throw new BadNumber(`invalid suffix in input: ${quoted(word)}`);
    if (this.#from === "none")
      throw new BadNumber(`rejecting suffix in input: ${quoted(word)} (consider using --from)`);
    const withI = rest[1] === "i";
    if (this.#from === "iec-i" && !withI)
      throw new BadNumber(`missing 'i' suffix in input: ${quoted(word)} (e.g Ki/Mi/Gi)`);
    const allowsI = this.#from === "auto" || this.#from === "iec-i";
    const left = rest.slice(withI && allowsI ? 2 : 1);
    if (left !== "")
      throw new BadNumber(`invalid suffix in input ${quoted(word)}: ${quoted(left)}`);
    const binary =
      this.#from === "iec" || this.#from === "iec-i" || (this.#from === "auto" && withI);
    return (binary ? 1024 : 1000) ** power;
  }

  #rounded(value: number): number {
    const magnitude = Math.abs(value);
    const near = Math.abs(magnitude - Math.round(magnitude)) < 1e-9 * Math.max(1, magnitude);
    const whole = near ? Math.round(magnitude) : undefined;
    const sign = value < 0 ? -1 : 1;
    switch (this.options.get("round") ?? "from-zero") {
      case "up":
        return whole !== undefined ? sign * whole : Math.ceil(value);
      case "down":
        return whole !== undefined ? sign * whole : Math.floor(value);
      case "towards-zero":
        return sign * (whole ?? Math.floor(magnitude));
      case "nearest":
        return sign * Math.round(magnitude);
      case "from-zero":
        return sign * (whole ?? Math.ceil(magnitude));
      default:
        throw usageFailure(
          this.context,
          `invalid argument ${quoted(this.options.get("round")!)} for '--round'`,
        );
    }
  }

  #show(value: number, decimals: number): string {
    if (this.#to === "none") {
      const places = this.#precision ?? decimals;
      const factor = 10 ** places;
      const text = (this.#rounded(value * factor) / factor).toFixed(places);
      return this.options.has("grouping") ? text.replace(/\B(?=(\d{3})+(?!\d))/g, ",") : text;
    }
    const base = this.#to === "si" ? 1000 : 1024;
    let power = 0;
    let scaled = value;
    while (Math.abs(scaled) >= base && power < letters.length) {
      scaled /= base;
      power++;
    }
    const places = this.#precision ?? (power > 0 && Math.abs(scaled) < 10 ? 1 : 0);
    const factor = 10 ** places;
    let shown = this.#rounded(scaled * factor) / factor;
    if (Math.abs(shown) >= base && power < letters.length) {
      shown /= base;
      power++;
    }
    const digits = this.#precision ?? (power > 0 && Math.abs(shown) < 10 ? 1 : 0);
    if (power === 0) return shown.toFixed(this.#precision ?? 0);
    return `${shown.toFixed(digits)}${letters[power - 1]}${this.#to === "iec-i" ? "i" : ""}`;
  }
}
