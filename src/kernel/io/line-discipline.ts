/**
 * Owns what stands between the two sides of a terminal: N_TTY of Linux. What is typed becomes
 * lines, signals and echo; what programs write becomes what a terminal is sent.
 *
 * Invariants: at most `inputBytes` wait to be read, lines counted; echo that finds no room is lost, as
 * in Linux; a line is readable only once it is complete, unless the terminal is raw.
 * Untrusted: every byte of both sides, and the attributes.
 */
import {
  ControlCharacter,
  InputFlag,
  LocalFlag,
  OutputFlag,
  saneAttributes,
} from "../../abi/termios.js";
import type { TerminalAttributes } from "../../abi/termios.js";

/** N_TTY_BUF_SIZE: the longest line, too. */
export const inputBytes = 4096;

const [SIGINT, SIGQUIT, SIGTSTP] = [2, 3, 20];
const [BEL, BS, TAB, NL, CR, SPACE, DEL] = [7, 8, 9, 10, 13, 32, 127];

/** What it tells. */
export interface DisciplineOwner {
  /** Bytes for the terminal's screen; what finds no room is lost. */
  echo(bytes: Uint8Array): void;
  /** For the foreground. */
  signal(signal: number): void;
  /** Output that has not been sent goes. */
  flushOutput(): void;
  /** Something may be read. */
  readable(): void;
  /** Output may go on. */
  started(): void;
}

export class LineDiscipline {
  readonly #owner: DisciplineOwner;
  #attributes: TerminalAttributes = saneAttributes();
  /** The line that is being edited. */
  #line: number[] = [];
  /** What may be read: complete lines, or in raw mode whatever came. */
  readonly #ready: Uint8Array[] = [];
  #readyBytes = 0;
  /** The next byte is itself: ^V. */
  #literal = false;
  #outputStopped = false;
  /** Where the cursor is, and where the edited line began. */
  #column = 0;
  #lineColumn = 0;

  constructor(owner: DisciplineOwner) {
    this.#owner = owner;
  }

  get attributes(): TerminalAttributes {
    return this.#attributes;
  }

  set attributes(next: TerminalAttributes) {
    const wasCanonical = this.#local(LocalFlag.ICANON);
    this.#attributes = next;
    this.#literal = false;
    if (wasCanonical && !this.#local(LocalFlag.ICANON) && this.#line.length > 0) {
      this.#complete(this.#line);
      this.#line = [];
    }
    if (!this.#input(InputFlag.IXON)) this.#start();
    this.#owner.readable();
  }

  get outputStopped(): boolean {
    return this.#outputStopped;
  }

  #input(flag: number): boolean {
    return (this.#attributes.iflag & flag) !== 0;
  }

  #local(flag: number): boolean {
    return (this.#attributes.lflag & flag) !== 0;
  }

  /** Whether `byte` is the control character at `index`, which 0 disables. */
  #is(byte: number, index: number): boolean {
    return byte !== 0 && this.#attributes.cc[index] === byte;
  }

  // What is typed.

  /** Takes what is typed, as far as there is room; answers how much. */
  type(data: Uint8Array): number {
    let taken = 0;
    for (; taken < data.length; taken++) {
      const full = this.#readyBytes + this.#line.length >= inputBytes - 1;
      // A line that nobody ends must not shut the terminal: what goes beyond it is lost.
      if (full && (this.#readyBytes > 0 || !this.#local(LocalFlag.ICANON))) break;
      this.#byte(data[taken]!, full);
    }
    return taken;
  }

  #byte(typed: number, full: boolean): void {
    let byte = this.#input(InputFlag.ISTRIP) ? typed & 0x7f : typed;
    if (this.#literal) {
      this.#literal = false;
      return this.#add(byte, full);
    }
    if (byte === CR) {
      if (this.#input(InputFlag.IGNCR)) return;
      if (this.#input(InputFlag.ICRNL)) byte = NL;
    } else if (byte === NL && this.#input(InputFlag.INLCR)) byte = CR;
    if (this.#flow(byte) || this.#signals(byte)) return;
    if (this.#local(LocalFlag.ICANON) && this.#edits(byte)) return;
    this.#add(byte, full);
  }

  /** ^S and ^Q. */
  #flow(byte: number): boolean {
    if (!this.#input(InputFlag.IXON)) return false;
    if (this.#is(byte, ControlCharacter.VSTART)) this.#start();
    else if (this.#is(byte, ControlCharacter.VSTOP)) this.#outputStopped = true;
    else {
      if (this.#outputStopped && this.#input(InputFlag.IXANY)) this.#start();
      return false;
    }
    return true;
  }

  #start(): void {
    if (!this.#outputStopped) return;
    this.#outputStopped = false;
    this.#owner.started();
  }

  #signals(byte: number): boolean {
    if (!this.#local(LocalFlag.ISIG)) return false;
    const signal = this.#is(byte, ControlCharacter.VINTR)
      ? SIGINT
      : this.#is(byte, ControlCharacter.VQUIT)
        ? SIGQUIT
        : this.#is(byte, ControlCharacter.VSUSP)
          ? SIGTSTP
          : 0;
    if (signal === 0) return false;
    this.#start();
    if (!this.#local(LocalFlag.NOFLSH)) {
      this.flushInput();
      this.#owner.flushOutput();
    }
    if (this.#local(LocalFlag.ECHO)) this.#echo(byte);
    this.#owner.signal(signal);
    return true;
  }

  /** The keys that edit a line or end it. */
  #edits(byte: number): boolean {
    if (this.#is(byte, ControlCharacter.VERASE)) this.#erase("character");
    else if (this.#is(byte, ControlCharacter.VKILL)) this.#kill();
    else if (this.#local(LocalFlag.IEXTEN) && this.#is(byte, ControlCharacter.VWERASE)) {
      this.#erase("word");
    } else if (this.#local(LocalFlag.IEXTEN) && this.#is(byte, ControlCharacter.VREPRINT)) {
      this.#reprint(byte);
    } else if (this.#local(LocalFlag.IEXTEN) && this.#is(byte, ControlCharacter.VLNEXT)) {
      this.#literal = true;
      if (this.#local(LocalFlag.ECHO) && this.#local(LocalFlag.ECHOCTL)) this.#show([0x5e, BS]);
    } else if (this.#is(byte, ControlCharacter.VEOF)) this.#end();
    else if (
      byte === NL ||
      this.#is(byte, ControlCharacter.VEOL) ||
      (this.#local(LocalFlag.IEXTEN) && this.#is(byte, ControlCharacter.VEOL2))
    ) {
      if (this.#local(LocalFlag.ECHO) || (byte === NL && this.#local(LocalFlag.ECHONL)))
        this.#echo(byte);
      this.#line.push(byte);
      this.#end();
    } else return false;
    return true;
  }

  #add(byte: number, full: boolean): void {
    if (full && this.#local(LocalFlag.ICANON)) {
      if (this.#input(InputFlag.IMAXBEL)) this.#owner.echo(Uint8Array.of(BEL));
      return;
    }
    if (this.#local(LocalFlag.ECHO)) {
      if (this.#line.length === 0) this.#lineColumn = this.#column;
      this.#echo(byte);
    }
    if (this.#local(LocalFlag.ICANON)) this.#line.push(byte);
    else this.#complete([byte]);
  }

  #end(): void {
    this.#complete(this.#line);
    this.#line = [];
  }

  #complete(bytes: readonly number[]): void {
    this.#ready.push(Uint8Array.from(bytes));
    // An end of file in front of nothing takes room, too.
    this.#readyBytes += Math.max(1, bytes.length);
    this.#owner.readable();
  }

  #kill(): void {
    if (this.#local(LocalFlag.ECHO)) {
      if (this.#local(LocalFlag.ECHOKE) && this.#local(LocalFlag.ECHOE)) {
        return this.#erase("line");
      }
      this.#echo(this.#attributes.cc[ControlCharacter.VKILL]!);
      if (this.#local(LocalFlag.ECHOK)) this.#echo(NL);
    }
    this.#line = [];
  }

  #erase(what: "character" | "word" | "line"): void {
    const line = this.#line;
    let end = line.length;
    const back = (): void => {
      end--;
      // The bytes of one character of UTF-8 go together.
      if (this.#input(InputFlag.IUTF8)) while (end > 0 && (line[end]! & 0xc0) === 0x80) end--;
    };
    if (end === 0) return;
    if (what === "line") end = 0;
    else if (what === "character") back();
    else {
      while (end > 0 && !isWord(line[end - 1]!)) back();
      while (end > 0 && isWord(line[end - 1]!)) back();
    }
    if (this.#local(LocalFlag.ECHO)) {
      if (this.#local(LocalFlag.ECHOE)) this.#rubOut(end);
      else this.#echo(this.#attributes.cc[ControlCharacter.VERASE]!);
    }
    line.length = end;
  }

  #reprint(byte: number): void {
    if (this.#local(LocalFlag.ECHO)) {
      this.#echo(byte);
      this.#echo(NL);
      for (const one of this.#line) this.#echo(one);
    }
  }

  /** Takes what is behind `end` of the edited line off the screen. */
  #rubOut(end: number): void {
    const line = this.#line;
    const columns = this.#columnsOf(line);
    const output: number[] = [];
    for (let at = line.length - 1; at >= end; at--) {
      const width = columns[at + 1]! - columns[at]!;
      // A tab may have been wide: what is left of it is measured, not guessed.
      const step = line[at] === TAB ? [BS] : [BS, SPACE, BS];
      for (let column = 0; column < width; column++) output.push(...step);
    }
    this.#show(output);
  }

  /** Where the cursor is before each of these bytes of the edited line, and behind the last. */
  #columnsOf(bytes: readonly number[]): number[] {
    let column = this.#lineColumn;
    const columns = [column];
    for (let at = 0; at < bytes.length; at++) {
      const byte = bytes[at]!;
      if (byte === TAB) column += 8 - (column % 8);
      else if (byte < SPACE || byte === DEL) column += this.#local(LocalFlag.ECHOCTL) ? 2 : 0;
      else if (!this.#input(InputFlag.IUTF8) || byte < 0x80) column++;
      else if ((byte & 0xc0) !== 0x80) column += widthAt(bytes, at);
      columns.push(column);
    }
    return columns;
  }

  #echo(byte: number): void {
    const control = byte < SPACE || byte === DEL;
    if (control && byte !== TAB && byte !== NL && this.#local(LocalFlag.ECHOCTL)) {
      this.#show([0x5e, byte ^ 0x40]);
    } else this.#show([byte]);
  }

  #show(bytes: readonly number[]): void {
    this.#owner.echo(this.output(Uint8Array.from(bytes)));
  }

  // What is read.

  hasInput(): boolean {
    if (this.#ready.length === 0) return false;
    const { cc } = this.#attributes;
    const least = this.#local(LocalFlag.ICANON) ? 1 : cc[ControlCharacter.VMIN]!;
    // With a time limit what is there is enough.
    return cc[ControlCharacter.VTIME] !== 0 || this.#readyBytes >= Math.min(least, 255);
  }

  get isCanonical(): boolean {
    return this.#local(LocalFlag.ICANON);
  }

  /** Whether a read that finds nothing answers that instead of waiting: raw, VMIN 0. */
  get isPolled(): boolean {
    return !this.#local(LocalFlag.ICANON) && this.#attributes.cc[ControlCharacter.VMIN] === 0;
  }

  /** Milliseconds that a polled read waits, VTIME. */
  get pollMs(): number {
    return this.#attributes.cc[ControlCharacter.VTIME]! * 100;
  }

  /** Of a line at most; undefined when there is nothing. */
  read(maxBytes: number): Uint8Array | undefined {
    if (!this.hasInput()) return undefined;
    if (this.#local(LocalFlag.ICANON)) return this.#take(maxBytes);
    const parts: Uint8Array[] = [];
    for (let size = 0; size < maxBytes && this.#ready.length > 0;) {
      const part = this.#take(maxBytes - size);
      parts.push(part);
      size += part.length;
    }
    return Buffer.concat(parts);
  }

  #take(maxBytes: number): Uint8Array {
    const first = this.#ready[0]!;
    const data = first.subarray(0, maxBytes);
    if (data.length === first.length) {
      this.#ready.shift();
      this.#readyBytes -= Math.max(1, first.length);
    } else {
      this.#ready[0] = first.subarray(data.length);
      this.#readyBytes -= data.length;
    }
    return data;
  }

  /** tcflush(3), TCIFLUSH. */
  flushInput(): void {
    this.#line = [];
    this.#ready.length = 0;
    this.#readyBytes = 0;
  }

  // What is written.

  /** At most so many bytes come of one. */
  get outputGrowth(): number {
    const { oflag } = this.#attributes;
    if ((oflag & OutputFlag.OPOST) === 0) return 1;
    return (oflag & OutputFlag.XTABS) === OutputFlag.XTABS ? 8 : 2;
  }

  /** What a terminal is sent for what a program writes. */
  output(data: Uint8Array): Uint8Array {
    const { oflag } = this.#attributes;
    if ((oflag & OutputFlag.OPOST) === 0) {
      this.#follow(data);
      return data;
    }
    const special = data.some((byte) => byte === NL || byte === CR || byte === TAB || byte === BS);
    if (!special && (oflag & OutputFlag.OLCUC) === 0) {
      this.#follow(data);
      return data;
    }
    const out: number[] = [];
    for (const byte of data) this.#process(byte, oflag, out);
    return Uint8Array.from(out);
  }

  #process(byte: number, oflag: number, out: number[]): void {
    switch (byte) {
      case NL:
        if ((oflag & OutputFlag.ONLRET) !== 0) this.#column = 0;
        if ((oflag & OutputFlag.ONLCR) !== 0) {
          this.#column = 0;
          out.push(CR);
        }
        return void out.push(NL);
      case CR:
        if ((oflag & OutputFlag.ONOCR) !== 0 && this.#column === 0) return;
        if ((oflag & OutputFlag.OCRNL) !== 0) {
          if ((oflag & OutputFlag.ONLRET) !== 0) this.#column = 0;
          return void out.push(NL);
        }
        this.#column = 0;
        return void out.push(CR);
      case TAB: {
        const spaces = 8 - (this.#column % 8);
        this.#column += spaces;
        if ((oflag & OutputFlag.XTABS) !== OutputFlag.XTABS) return void out.push(TAB);
        for (let count = 0; count < spaces; count++) out.push(SPACE);
        return;
      }
      default: {
        const upper = (oflag & OutputFlag.OLCUC) !== 0 && byte >= 0x61 && byte <= 0x7a;
        const sent = upper ? byte - 32 : byte;
        this.#advance(sent);
        out.push(sent);
      }
    }
  }

  #follow(data: Uint8Array): void {
    for (const byte of data) {
      if (byte === CR || byte === NL) this.#column = 0;
      else if (byte === TAB) this.#column += 8 - (this.#column % 8);
      else this.#advance(byte);
    }
  }

  #advance(byte: number): void {
    if (byte === BS) this.#column = Math.max(0, this.#column - 1);
    else if (byte >= SPACE && byte !== DEL && (byte & 0xc0) !== 0x80) this.#column++;
  }
}

function isWord(byte: number): boolean {
  return (
    (byte >= 0x30 && byte <= 0x39) ||
    (byte >= 0x41 && byte <= 0x5a) ||
    (byte >= 0x61 && byte <= 0x7a) ||
    byte === 0x5f ||
    byte >= 0x80
  );
}

/** Columns of the character that starts at `at`: two for what East Asian scripts and emoji take. */
function widthAt(bytes: readonly number[], at: number): number {
  let end = at + 1;
  while (end < bytes.length && (bytes[end]! & 0xc0) === 0x80) end++;
  const text = Buffer.from(bytes.slice(at, end)).toString("utf8");
  return /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u.test(
    text,
  )
    ? 2
    : 1;
}
