/** Owns `diff -y`: two columns with a gutter, laid out by tabs as GNU's are (side.c). */
import { CommandFailure, type CommandContext } from "../../command.js";
import { charactersOf, columnsOf } from "../../support/characters.js";
import type { Options } from "../../support/options.js";
import type { Hunk } from "./compare.js";
import type { Side } from "./main.js";

const gutterWidth = 3;
const tabWidth = 8;

export class SideBySide {
  readonly #half: number;
  readonly #second: number;
  readonly #expand: boolean;

  constructor(
    private readonly context: CommandContext,
    private readonly options: Options,
  ) {
    const text = options.get("W") ?? "130";
    if (!/^[1-9]\d*$/.test(text)) throw new CommandFailure(`invalid width '${text}'`, 2);
    const width = Math.min(Number(text), 1 << 16);
    this.#expand = options.has("t");
    const tab = this.#expand ? 1 : tabWidth;
    const gap = tab + gutterWidth;
    const unaligned = (width >> 1) + (gap >> 1) + (width & gap & 1);
    const offset = unaligned - (unaligned % tab);
    this.#half = Math.max(0, Math.min(offset - gutterWidth, width - offset));
    this.#second = this.#half > 0 ? offset : width;
  }

  print(a: Side, b: Side, hunks: Hunk[]): void {
    let [left, right] = [0, 0];
    const common = (aEnd: number, bEnd: number) => {
      while (left < aEnd || right < bEnd) {
        const [x, y] = [left < aEnd ? left++ : undefined, right < bEnd ? right++ : undefined];
        if (this.options.has("suppressCommon")) continue;
        if (this.options.has("leftColumn")) this.#row(a, x, "(", b, undefined);
        else this.#row(a, x, x === undefined ? ")" : y === undefined ? "(" : " ", b, y);
      }
    };
    for (const hunk of hunks) {
      common(hunk.aStart, hunk.bStart);
      while (left < hunk.aEnd && right < hunk.bEnd) this.#row(a, left++, "|", b, right++);
      while (right < hunk.bEnd) this.#row(a, undefined, ">", b, right++);
      while (left < hunk.aEnd) this.#row(a, left++, "<", b, undefined);
    }
    common(a.lines.length, b.lines.length);
  }

  #row(a: Side, left: number | undefined, mark: string, b: Side, right: number | undefined): void {
    const ends = (side: Side, at: number) => side.ended || at < side.lines.length - 1;
    let output = "";
    let column = 0;
    let newline = false;
    if (left !== undefined) {
      newline = ends(a, left);
      const part = this.#cut(a.lines[left]!, 0);
      output += part.text;
      column = part.column;
    }
    let shown = mark;
    if (mark !== " ") {
      const gutter = (this.#half + this.#second - 1) >> 1;
      output += this.#blanks(column, gutter);
      column = gutter + 1;
      if (mark === "|" && right !== undefined && newline !== ends(b, right)) {
        shown = newline ? "/" : "\\";
      }
      output += shown;
    }
    if (right !== undefined) {
      newline ||= ends(b, right);
      const text = b.lines[right]!;
      if (text !== "")
        output += this.#blanks(column, this.#second) + this.#cut(text, this.#second).text;
    }
    this.context.writeBytes(newline ? `${output}\n` : output);
  }

  #blanks(from: number, to: number): string {
    let output = "";
    let column = from;
    if (!this.#expand) {
      for (let tab = column + tabWidth - (column % tabWidth); tab <= to; tab += tabWidth) {
        output += "\t";
        column = tab;
      }
    }
    return output + " ".repeat(Math.max(0, to - column));
  }

  /** As much of a line as half the width holds, and the column where that ends. */
  #cut(line: string, indent: number): { text: string; column: number } {
    let text = "";
    let [input, output] = [0, 0];
    for (const char of charactersOf(line)) {
      if (char === "\t") {
        const spaces = tabWidth - (input % tabWidth);
        if (input === output) {
          let stop = output + spaces;
          if (this.#expand) {
            stop = Math.min(stop, this.#half);
            text += " ".repeat(Math.max(0, stop - output));
            output = Math.max(output, stop);
          } else if (stop < this.#half) {
            output = stop;
            text += char;
          }
        }
        input += spaces;
      } else if (char === "\r") {
        input = output = 0;
        text += `${char}${this.#blanks(0, indent)}`;
      } else {
        const columns = columnsOf(char);
        input += columns;
        if (input > this.#half) continue;
        output = input;
        text += char;
      }
    }
    return { text, column: output };
  }
}
