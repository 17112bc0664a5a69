/**
 * Owns the line that somebody types at a prompt: keys, history, search and completion, as readline's
 * emacs mode has them. The terminal is raw only while a line is read.
 *
 * Invariants: no byte behind the end of the line is taken from the terminal; the terminal is as it was
 * when the line is there.
 */
import { ControlCharacter, InputFlag, LocalFlag } from "../../abi/termios.js";
import type { TerminalAttributes } from "../../abi/termios.js";
import type { Completions } from "./word-completion.js";
import type { ShellSystem } from "./system.js";
import { encodeText } from "./text.js";
import type { JobTerminal } from "../system.js";

const terminalFd = 0;
const mostHistory = 500;
/** A list of completions longer than this is cut. */
const mostShown = 200;

/** How a line ended: the text, "" and `ended` at the end of file, `interrupted` by ^C. */
export interface EditedLine {
  readonly text: string;
  readonly how: "line" | "ended" | "interrupted";
}

/** Columns of a text without its escape sequences. */
function columnsOf(text: string): number {
  let columns = 0;
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  for (const character of text.replace(/\x1b(?:\[[0-9;?]*[@-~]|\][^\x07]*\x07|[@-_])/g, ""))
    columns += widthOf(character);
  return columns;
}

function widthOf(character: string): number {
  if (/\p{Mn}|\p{Me}|\p{Cf}|\p{Cc}/u.test(character)) return 0;
  return /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u.test(
    character,
  )
    ? 2
    : 1;
}

export class LineEditor {
  readonly #system: ShellSystem;
  readonly #terminal: JobTerminal;
  readonly #complete: (line: string, at: number) => Completions;
  readonly history: string[] = [];
  /** Characters of the line. */
  #line: string[] = [];
  #cursor = 0;
  #prompt = "";
  /** Row of the cursor below the prompt's first. */
  #row = 0;
  /** Place in the history; its length is the new line. */
  #place = 0;
  #newLine: string[] = [];
  #killed: string[] = [];
  #tabs = 0;

  constructor(
    system: ShellSystem,
    terminal: JobTerminal,
    complete: (line: string, at: number) => Completions,
  ) {
    this.#system = system;
    this.#terminal = terminal;
    this.#complete = complete;
  }

  async read(prompt: string): Promise<EditedLine> {
    const before = this.#terminal.attributes(terminalFd);
    if (typeof before === "number") return { text: "", how: "ended" };
    this.#terminal.setAttributes(terminalFd, editing(before));
    // A prompt of several lines is redrawn from its last.
    const lines = prompt.split("\n");
    this.#prompt = lines.pop()!;
    this.#line = [];
    this.#cursor = 0;
    this.#row = 0;
    this.#place = this.history.length;
    await this.#write(lines.map((line) => `${line}\n`).join(""));
    try {
      await this.#draw();
      return await this.#edit(before);
    } finally {
      this.#terminal.setAttributes(terminalFd, before);
    }
  }

  remember(line: string): void {
    if (line.trim() === "" || line === this.history.at(-1)) return;
    this.history.push(line);
    if (this.history.length > mostHistory) this.history.shift();
  }

  async #edit(before: TerminalAttributes): Promise<EditedLine> {
    for (;;) {
      let key = await this.#key();
      // What ends a search is done then.
      if (key === "\x12") key = await this.#search();
      if (key === undefined) return { text: "", how: "ended" };
      if (key === "\n" || key === "\r") {
        this.#cursor = this.#line.length;
        await this.#draw();
        // Whoever sees the line ended may type ^C at what it starts: a signal again by then.
        this.#terminal.setAttributes(terminalFd, before);
        await this.#write("\n");
        return { text: this.#line.join(""), how: "line" };
      }
      if (key === "\x03") {
        await this.#write("^C\n");
        return { text: "", how: "interrupted" };
      }
      if (key === "\x04" && this.#line.length === 0) return { text: "", how: "ended" };
      if (key === "\t") await this.#tab();
      else {
        this.#tabs = 0;
        if (key === "\x0c") {
          await this.#write("\x1b[H\x1b[2J");
          this.#row = 0;
        } else this.#act(key);
      }
      await this.#draw();
    }
  }

  /** One key: a character or an escape sequence; undefined at the end. */
  async #key(): Promise<string | undefined> {
    const first = await this.#byte();
    if (first === undefined) return undefined;
    if (first === 0x1b) return this.#escape();
    const length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1;
    const bytes = [first];
    while (bytes.length < length) {
      const next = await this.#byte();
      if (next === undefined) return undefined;
      bytes.push(next);
    }
    return new TextDecoder().decode(Uint8Array.from(bytes));
  }

  async #escape(): Promise<string | undefined> {
    let sequence = "\x1b";
    for (;;) {
      const next = await this.#byte();
      if (next === undefined) return undefined;
      sequence += String.fromCharCode(next);
      // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
      if (/^\x1b(?:\[[0-9;?]*[@-~]|O[@-~]|[^[O])$/.test(sequence) || sequence.length > 16)
        return sequence;
    }
  }

  async #byte(): Promise<number | undefined> {
    const data = await this.#system.read(terminalFd, 1);
    return typeof data === "number" || data.length === 0 ? undefined : data[0];
  }

  #act(key: string): void {
    const { length } = this.#line;
    switch (key) {
      case "\x01":
      case "\x1b[H":
      case "\x1bOH":
      case "\x1b[1~":
        this.#cursor = 0;
        return;
      case "\x05":
      case "\x1b[F":
      case "\x1bOF":
      case "\x1b[4~":
        this.#cursor = length;
        return;
      case "\x02":
      case "\x1b[D":
      case "\x1bOD":
        this.#cursor = Math.max(0, this.#cursor - 1);
        return;
      case "\x06":
      case "\x1b[C":
      case "\x1bOC":
        this.#cursor = Math.min(length, this.#cursor + 1);
        return;
      case "\x1bb":
      case "\x1b[1;5D":
        this.#cursor = this.#wordStart(/[\p{L}\p{N}]/u);
        return;
      case "\x1bf":
      case "\x1b[1;5C":
        this.#cursor = this.#wordEnd();
        return;
      case "\x10":
      case "\x1b[A":
      case "\x1bOA":
        return this.#go(this.#place - 1);
      case "\x0e":
      case "\x1b[B":
      case "\x1bOB":
        return this.#go(this.#place + 1);
      case "\x7f":
      case "\x08":
        if (this.#cursor > 0) this.#line.splice(--this.#cursor, 1);
        return;
      case "\x04":
      case "\x1b[3~":
        this.#line.splice(this.#cursor, 1);
        return;
      case "\x0b":
        this.#killed = this.#line.splice(this.#cursor);
        return;
      case "\x15":
        return this.#kill(0);
      case "\x17":
        return this.#kill(this.#wordStart(/\S/));
      case "\x1b\x7f":
        return this.#kill(this.#wordStart(/[\p{L}\p{N}]/u));
      case "\x1bd":
        this.#killed = this.#line.splice(this.#cursor, this.#wordEnd() - this.#cursor);
        return;
      case "\x19":
        return this.#insert(this.#killed);
      case "\x14":
        return this.#transpose();
    }
    if (key >= " " && !key.startsWith("\x1b")) this.#insert([key]);
  }

  #insert(characters: readonly string[]): void {
    this.#line.splice(this.#cursor, 0, ...characters);
    this.#cursor += characters.length;
  }

  #kill(from: number): void {
    this.#killed = this.#line.splice(from, this.#cursor - from);
    this.#cursor = from;
  }

  #transpose(): void {
    const at = Math.min(this.#cursor, this.#line.length - 1);
    if (at < 1) return;
    [this.#line[at - 1], this.#line[at]] = [this.#line[at]!, this.#line[at - 1]!];
    this.#cursor = at + 1;
  }

  #wordStart(part: RegExp): number {
    let at = this.#cursor;
    while (at > 0 && !part.test(this.#line[at - 1]!)) at--;
    while (at > 0 && part.test(this.#line[at - 1]!)) at--;
    return at;
  }

  #wordEnd(): number {
    const part = /[\p{L}\p{N}]/u;
    let at = this.#cursor;
    while (at < this.#line.length && !part.test(this.#line[at]!)) at++;
    while (at < this.#line.length && part.test(this.#line[at]!)) at++;
    return at;
  }

  #go(place: number): void {
    if (place < 0 || place > this.history.length) return;
    if (this.#place === this.history.length) this.#newLine = this.#line;
    this.#place = place;
    this.#line = place === this.history.length ? this.#newLine : [...this.history[place]!];
    this.#cursor = this.#line.length;
  }

  /** ^R: the youngest line that holds what is typed; again for older ones. Answers the key that ended it. */
  async #search(): Promise<string | undefined> {
    let wanted = "";
    let at = this.history.length;
    const prompt = this.#prompt;
    const find = (from: number): void => {
      for (let place = Math.min(from, this.history.length - 1); place >= 0; place--) {
        const found = this.history[place]!.indexOf(wanted);
        if (found < 0) continue;
        at = place;
        this.#line = [...this.history[place]!];
        this.#cursor = Array.from(this.history[place]!.slice(0, found)).length;
        return;
      }
    };
    for (;;) {
      this.#prompt = `(reverse-i-search)\`${wanted}': `;
      await this.#draw();
      const key = await this.#key();
      if (key === "\x12") find(at - 1);
      else if (key === "\x7f") wanted = wanted.slice(0, -1);
      else if (key !== undefined && key >= " " && !key.startsWith("\x1b")) {
        wanted += key;
        find(at);
      } else {
        this.#prompt = prompt;
        this.#place = at;
        if (key === "\x07") this.#line = [];
        this.#cursor = Math.min(this.#cursor, this.#line.length);
        return key;
      }
    }
  }

  async #tab(): Promise<void> {
    this.#tabs += 1;
    const before = this.#line.slice(0, this.#cursor).join("");
    const { start, words } = this.#complete(before, before.length);
    if (words.length === 0) return this.#write("\x07");
    const typed = before.slice(start);
    const common = words.reduce((one, { text }) => commonStart(one, text), words[0]!.text);
    if (words.length === 1 || common.length > typed.length) {
      const only = words.length === 1 ? words[0]! : undefined;
      const from = Array.from(before.slice(0, start)).length;
      this.#line.splice(from, this.#cursor - from);
      this.#cursor = from;
      this.#insert([...(only === undefined ? common : only.text + only.end)]);
      this.#tabs = 0;
    } else if (this.#tabs > 1) {
      await this.#list(words.map(({ shown }) => shown));
    }
  }

  async #list(names: readonly string[]): Promise<void> {
    const { columns } = this.#size();
    const some = names.slice(0, mostShown);
    const width = Math.max(...some.map(columnsOf)) + 2;
    const perRow = Math.max(1, Math.floor(columns / width));
    const rows = Math.ceil(some.length / perRow);
    let text = "\n";
    for (let row = 0; row < rows; row++) {
      for (let at = row; at < some.length; at += rows)
        text += some[at]! + " ".repeat(width - columnsOf(some[at]!));
      text = `${text.trimEnd()}\n`;
    }
    await this.#write(text);
    this.#row = 0;
  }

  #size(): { rows: number; columns: number } {
    const { columns, rows } = this.#terminal.size(terminalFd);
    return { rows: rows || 24, columns: columns || 80 };
  }

  /** Draws prompt and line anew and puts the cursor in its place. */
  async #draw(): Promise<void> {
    const { columns } = this.#size();
    const text = this.#line.join("");
    const prompt = columnsOf(this.#prompt);
    const end = prompt + columnsOf(text);
    const at = prompt + columnsOf(this.#line.slice(0, this.#cursor).join(""));
    const up = (rows: number): string => (rows > 0 ? `\x1b[${rows}A` : "");
    let output = `${up(this.#row)}\r\x1b[J${this.#prompt}${text}`;
    // At the right edge the cursor hangs; a terminal moves it only with the next character.
    if (end > 0 && end % columns === 0) output += "\n";
    const endRow = Math.floor(end / columns);
    const row = Math.floor(at / columns);
    output += `${up(endRow - row)}\r`;
    if (at % columns > 0) output += `\x1b[${at % columns}C`;
    this.#row = row;
    await this.#write(output);
  }

  async #write(text: string): Promise<void> {
    if (text !== "") await this.#system.write(2, encodeText(text));
  }
}

function commonStart(one: string, other: string): string {
  let length = 0;
  while (length < one.length && one[length] === other[length]) length++;
  return one.slice(0, length);
}

/** Every key as it is typed; Enter is a newline, so that what is typed ahead means the same to whoever reads it. */
function editing(from: TerminalAttributes): TerminalAttributes {
  const cc = Uint8Array.from(from.cc);
  cc[ControlCharacter.VMIN] = 1;
  cc[ControlCharacter.VTIME] = 0;
  const { ECHO, ICANON, IEXTEN, ISIG } = LocalFlag;
  return {
    ...from,
    cc,
    iflag: (from.iflag & ~InputFlag.IXON) | InputFlag.ICRNL,
    lflag: from.lflag & ~(ECHO | ICANON | IEXTEN | ISIG),
  };
}
