/** Owns how `rg` shows what it found. */
import { CommandFailure, type CommandContext } from "../../command.js";
import { encode } from "../../support/characters.js";
import type { Options } from "../../support/options.js";
import type { Line, Match } from "./lines.js";

export class Printer {
  readonly named: boolean;
  readonly #numbers: boolean;
  readonly #heading: boolean;
  readonly #color: boolean;
  readonly #before: number;
  readonly #after: number;
  #shown = false;

  constructor(
    private readonly context: CommandContext,
    private readonly options: Options,
    private readonly regex: RegExp,
    /** What is searched: one file that was named, or the input. */
    { single, stdin }: { single: boolean; stdin: boolean },
  ) {
    const terminal = context.isTerminal(1) || options.has("p");
    const color = options.get("color") ?? "auto";
    this.#color =
      options.has("p") || color === "always" || color === "ansi" || (color === "auto" && terminal);
    const named = options.last("H", "I");
    this.named =
      options.has("vimgrep") || (named === undefined ? !single && !stdin : named === "H");
    const numbered = options.last("n", "N");
    this.#numbers =
      options.has("vimgrep", "column") ||
      (numbered === undefined ? terminal && !stdin : numbered === "n");
    const heading = options.last("heading", "noHeading");
    this.#heading =
      !options.has("vimgrep") &&
      this.named &&
      (heading === undefined ? terminal : heading === "heading");
    const lines = (key: string) => {
      const text =
        options.list.findLast((each) => each.key === key || each.key === "C")?.value ?? "0";
      if (!/^\d+$/.test(text))
        throw new CommandFailure(`error: invalid value '${text}' for context`, 2);
      return Number(text);
    };
    this.#before = lines("B");
    this.#after = lines("A");
  }

  print(name: string, lines: Line[], found: Match[]): void {
    const { context, options } = this;
    if (this.#heading) context.writeBytes(`${this.#shown ? "\n" : ""}${name}\n`);
    const around = this.#before > 0 || this.#after > 0 || options.has("passthru");
    const byNumber = new Map(found.map((each) => [each.line.number, each]));
    const wanted = new Set<number>();
    for (const { line } of found) {
      const [from, to] = options.has("passthru")
        ? [1, lines.length]
        : [line.number - this.#before, line.number + this.#after];
      for (let number = Math.max(1, from); number <= Math.min(lines.length, to); number++)
        wanted.add(number);
    }
    let last = 0;
    for (const number of around ? [...wanted].sort((a, b) => a - b) : byNumber.keys()) {
      if (around && number !== last + 1 && (last > 0 || (this.#shown && !this.#heading)))
        context.write(`${options.get("contextSeparator") ?? "--"}\n`);
      last = number;
      const match = byNumber.get(number);
      const line = lines[number - 1]!;
      if (match === undefined) this.#line(name, line, "-", line.text, 0);
      else if (options.has("o") && !options.has("v")) {
        for (const span of match.spans)
          this.#line(
            name,
            line,
            ":",
            this.#replaced(line.text.slice(...span), [[0, span[1] - span[0]]]),
            span[0],
          );
      } else if (options.has("vimgrep")) {
        for (const span of match.spans) this.#line(name, line, ":", line.text, span[0]);
      } else
        this.#line(
          name,
          line,
          ":",
          this.#replaced(line.text, match.spans),
          match.spans[0]?.[0] ?? 0,
        );
    }
    this.#shown = true;
  }

  #replaced(text: string, spans: [number, number][]): string {
    const replacement = this.options.get("r");
    let output = "";
    let at = 0;
    for (const [from, to] of spans) {
      let part = text.slice(from, to);
      if (replacement !== undefined) {
        part = part.replace(
          new RegExp(this.regex.source, this.regex.flags.replace("g", "")),
          replacement
            .replace(/\$\{(\w+)\}/g, (_, group: string) =>
              /^\d+$/.test(group) ? `$${group}` : `$<${group}>`,
            )
            .replace(/\$0/g, "$$&"),
        );
      }
      output += text.slice(at, from) + this.paint(part, "1;31");
      at = to;
    }
    return output + text.slice(at);
  }

  paint(text: string, code: string): string {
    return this.#color ? `\x1b[0m\x1b[${code}m${text}\x1b[0m` : text;
  }

  #line(name: string, line: Line, separator: string, text: string, column: number): void {
    const { options } = this;
    let prefix = "";
    if (this.named && !this.#heading) prefix += name + (options.has("0") ? "\0" : separator);
    if (this.#numbers) prefix += this.paint(String(line.number), "32") + separator;
    if (options.has("column", "vimgrep"))
      prefix += `${encode(line.text.slice(0, column)).length + 1}${separator}`;
    if (options.has("b"))
      prefix += `${encode(line.text.slice(0, options.has("o") ? column : 0)).length + line.offset}${separator}`;
    const shown = options.has("trim") ? text.trimStart() : text;
    const most = Number(options.get("M") ?? 0);
    const long = most > 0 && encode(shown).length > most;
    this.context.writeBytes(`${prefix}${long ? "[Omitted long matching line]" : encode(shown)}\n`);
  }

  json(name: string, found: Match[]): void {
    const { context } = this;
    const emit = (type: string, data: unknown) =>
      context.write(`${JSON.stringify({ type, data })}\n`);
    const path = { text: name };
    emit("begin", { path });
    for (const { line, spans } of found) {
      const byte = (at: number) => encode(line.text.slice(0, at)).length;
      emit("match", {
        path,
        lines: { text: `${line.text}\n` },
        line_number: line.number,
        absolute_offset: line.offset,
        submatches: spans.map(([from, to]) => ({
          match: { text: line.text.slice(from, to) },
          start: byte(from),
          end: byte(to),
        })),
      });
    }
    emit("end", {
      path,
      binary_offset: null,
      stats: {
        matched_lines: found.length,
        matches: found.reduce((sum, { spans }) => sum + spans.length, 0),
      },
    });
  }
}
