/** Owns running a sed script over its input: pattern space, hold space, ranges, queued output. */
import { CommandFailure, type CommandContext } from "../../command.js";
import { errorText } from "../../support/errors.js";
import { LineReader, openInput } from "../../support/input.js";
import { charactersOf, lowerCase, sliceCharacters, upperCase } from "../../support/characters.js";
import { afterCharacter, type PosixRegex } from "../../support/regex.js";
import { bytesOf, byteString, fromBytes } from "../../support/text.js";
import type { Address, Piece, SedCommand } from "./parse.js";

export interface SedRun {
  quiet: boolean;
  /** Each file is a stream of its own (-s, -i). */
  separate: boolean;
  /** Undefined: not in place. */
  inPlace: string | undefined;
  delimiter: string;
  unbuffered: boolean;
}

/** Marks in a range's state. */
interface RangeState {
  active: boolean;
  lastLine: number;
}

type Next = "cycle" | "restart" | "quit";

export class SedExecutor {
  status = 0;
  #exit = 0;
  #line = 0;
  #pattern = "";
  #hold = "";
  #replaced = false;
  #appended: { text?: string; file?: string; lineOf?: string }[] = [];
  #lastRegex: PosixRegex | undefined;
  #reader: LineReader | undefined;
  #ahead: { text: string; terminated: boolean } | undefined;
  #terminated = true;
  #missingNewline = false;
  #files: string[];
  #fileName = "-";
  #output: string[] | undefined;
  readonly #ranges = new Map<SedCommand, RangeState>();
  readonly #written = new Map<string, number>();
  readonly #lineSources = new Map<string, LineReader | undefined>();

  constructor(
    private readonly context: CommandContext,
    private readonly commands: SedCommand[],
    files: string[],
    private readonly run: SedRun,
  ) {
    this.#files = [...files];
    for (const { name, text, file } of commands) {
      const target = name === "w" || name === "W" ? text : file;
      if (target !== undefined && !this.#written.has(target))
        this.#written.set(target, this.#openTarget(target));
    }
  }

  #openTarget(path: string): number {
    if (path === "/dev/stdout") return 1;
    if (path === "/dev/stderr") return 2;
    try {
      return this.context.fs.openSync(path, "w");
    } catch (error) {
      throw new CommandFailure(`couldn't open file ${path}: ${errorText(error)}`, 4);
    }
  }

  /** Whether another line is there, opening further files as needed. */
  #peek(): boolean {
    while (this.#ahead === undefined) {
      if (this.#reader === undefined) {
        const path = this.#files.shift();
        if (path === undefined) return false;
        this.#open(path);
        continue;
      }
      let text: string | undefined;
      try {
        text = this.#reader.next();
      } catch (error) {
        this.context.writeError(`sed: read error on ${this.#fileName}: ${errorText(error)}\n`);
        this.status = 2;
        text = undefined;
      }
      if (text !== undefined) this.#ahead = { text, terminated: this.#reader.terminated };
      else if (this.#output !== undefined) {
        // The last line's cycle is not over while its file is being written.
        if (this.#pendingClose) return false;
        this.#pendingClose = true;
        return false;
      } else {
        this.#reader.close();
        this.#reader = undefined;
        if (this.run.separate && this.#files.length > 0) {
          this.#pendingClose = true;
          return false;
        }
      }
    }
    return true;
  }

  #pendingClose = false;

  #open(path: string): void {
    const { context, run } = this;
    try {
      if (path !== "-" || run.inPlace !== undefined) {
        const stats = context.fs.statSync(path);
        if (stats.isDirectory()) {
          if (run.inPlace === undefined) {
            throw new CommandFailure(`read error on ${path}: Is a directory`, 4);
          }
          context.writeError(`sed: couldn't edit ${path}: not a regular file\n`);
          this.status = 4;
          return;
        }
      }
      this.#reader = new LineReader(openInput(context, path), run.delimiter);
      this.#fileName = path;
      if (run.inPlace !== undefined) this.#output = [];
    } catch (error) {
      if (error instanceof CommandFailure) throw error;
      context.writeError(`sed: can't read ${path}: ${errorText(error)}\n`);
      this.status = 2;
    }
  }

  #closeFile(): void {
    this.#reader?.close();
    this.#reader = undefined;
    this.#pendingClose = false;
    if (this.#output === undefined) return;
    const { fs } = this.context;
    const path = this.#fileName;
    const data = bytesOf(this.#output.join(""));
    this.#output = undefined;
    this.#missingNewline = false;
    const suffix = this.run.inPlace!;
    const mode = fs.statSync(path).mode & 0o7777;
    // A new file takes the old one's place, as with sed: whoever has the old one open keeps it.
    const slash = path.lastIndexOf("/") + 1;
    const fresh = `${path.slice(0, slash)}sed${process.pid}${Date.now().toString(36)}`;
    fs.writeFileSync(fresh, data, { mode: 0o600 });
    fs.chmodSync(fresh, mode);
    if (suffix !== "") {
      const base = path.slice(slash);
      const backup = suffix.includes("*") ? suffix.replaceAll("*", base) : base + suffix;
      fs.renameSync(path, backup.includes("/") ? backup : path.slice(0, slash) + backup);
    }
    fs.renameSync(fresh, path);
  }

  #isLast(): boolean {
    return !this.#peek();
  }

  /** The next line into the pattern space; false at the end of all input. */
  #next(): boolean {
    if (!this.#peek()) {
      if (!this.#pendingClose) return false;
      this.#closeFile();
      return this.#files.length > 0 && this.#next();
    }
    const { text, terminated } = this.#ahead!;
    this.#ahead = undefined;
    this.#pattern = text;
    this.#terminated = terminated;
    this.#line++;
    return true;
  }

  #emit(text: string): void {
    if (this.#output === undefined) this.context.writeBytes(text);
    else this.#output.push(text);
  }

  /** A last line without its newline stays so, unless something follows. */
  #print(text: string, terminated = true): void {
    if (this.#missingNewline) this.#emit(this.run.delimiter);
    this.#missingNewline = !terminated;
    this.#emit(terminated ? text + this.run.delimiter : text);
    if (this.run.unbuffered) this.context.flush();
  }

  #raw(text: string): void {
    if (this.#missingNewline) this.#emit(this.run.delimiter);
    this.#missingNewline = false;
    this.#emit(text);
  }

  #flushAppended(): void {
    for (const { text, file, lineOf } of this.#appended) {
      if (text !== undefined) this.#raw(text);
      else if (file !== undefined) {
        try {
          const data =
            file === "/dev/stdin"
              ? this.context.readInput()
              : this.context.fs.readFileSync(fromBytes(file));
          if (data.length > 0) this.#raw(byteString(data));
        } catch (error) {
          // A file that cannot be read counts as empty.
          errorText(error);
        }
      } else if (lineOf !== undefined) {
        if (!this.#lineSources.has(lineOf)) {
          let reader: LineReader | undefined;
          try {
            reader = new LineReader(openInput(this.context, lineOf), this.run.delimiter);
          } catch (error) {
            errorText(error);
          }
          this.#lineSources.set(lineOf, reader);
        }
        const line = this.#lineSources.get(lineOf)?.next();
        if (line !== undefined) this.#print(line);
      }
    }
    this.#appended = [];
  }

  execute(): number {
    let restart = false;
    for (;;) {
      if (!restart) {
        const fileBefore = this.#fileName;
        if (!this.#next()) break;
        if (this.run.separate && fileBefore !== this.#fileName) {
          this.#line = 1;
        }
      }
      const next = this.#cycle();
      restart = next === "restart";
      if (next === "quit") break;
    }
    this.#drainInPlace();
    for (const fd of this.#written.values()) if (fd > 2) this.context.fs.closeSync(fd);
    return this.#exit || this.status;
  }

  /** q leaves the rest of a file edited in place as it is. */
  #drainInPlace(): void {
    if (this.#output === undefined) return;
    if (this.#ahead !== undefined) {
      const { text, terminated } = this.#ahead;
      this.#ahead = undefined;
      this.#print(text, terminated);
    }
    for (let line = this.#reader!.next(); line !== undefined; line = this.#reader!.next()) {
      this.#print(line, this.#reader!.terminated);
    }
    this.#closeFile();
  }

  #endCycle(print: boolean): void {
    if (print && !this.run.quiet) this.#print(this.#pattern, this.#terminated);
    this.#flushAppended();
  }

  #cycle(): Next {
    this.#replaced = false;
    return this.#from(0);
  }

  #from(start: number): Next {
    const { commands } = this;
    for (let at = start; at < commands.length; at++) {
      const command = commands[at]!;
      if (
        command.first !== undefined ? this.#selected(command) === command.negated : command.negated
      ) {
        if (command.name === "{") at = command.target - 1;
        continue;
      }
      switch (command.name) {
        case "{":
          break;
        case "b":
          at = command.target - 1;
          break;
        case "t":
          if (this.#replaced) at = command.target - 1;
          this.#replaced = false;
          break;
        case "T":
          if (!this.#replaced) at = command.target - 1;
          this.#replaced = false;
          break;
        case "d":
          this.#endCycle(false);
          return "cycle";
        case "D": {
          const newline = this.#pattern.indexOf("\n");
          this.#endCycle(false);
          if (newline === -1) return "cycle";
          this.#pattern = this.#pattern.slice(newline + 1);
          return "restart";
        }
        case "c":
          if (
            command.second === undefined ||
            command.negated ||
            !this.#ranges.get(command)!.active
          ) {
            this.#raw(command.text);
          }
          this.#endCycle(false);
          return "cycle";
        case "n":
          if (this.#isLast() && this.#noMore()) {
            this.#endCycle(true);
            return "quit";
          }
          this.#endCycle(true);
          this.#next();
          break;
        case "N": {
          if (this.#isLast() && this.#noMore()) {
            this.#endCycle(true);
            return "quit";
          }
          this.#flushAppended();
          const before = this.#pattern;
          this.#next();
          this.#pattern = `${before}\n${this.#pattern}`;
          break;
        }
        case "q":
          this.#exit = command.number;
          this.#endCycle(true);
          return "quit";
        case "Q":
          this.#exit = command.number;
          return "quit";
        default:
          this.#simple(command);
      }
    }
    this.#endCycle(true);
    return "cycle";
  }

  #noMore(): boolean {
    return !this.#pendingClose || this.#files.length === 0;
  }

  #simple(command: SedCommand): void {
    switch (command.name) {
      case "p":
        return this.#print(this.#pattern);
      case "P":
        return this.#print(this.#pattern.split("\n", 1)[0]!);
      case "s":
        return this.#substitute(command);
      case "y":
        this.#pattern = charactersOf(this.#pattern)
          .map((char) => command.table!.get(char) ?? char)
          .join("");
        return;
      case "g":
        this.#pattern = this.#hold;
        return;
      case "G":
        this.#pattern += `\n${this.#hold}`;
        return;
      case "h":
        this.#hold = this.#pattern;
        return;
      case "H":
        this.#hold += `\n${this.#pattern}`;
        return;
      case "x":
        [this.#pattern, this.#hold] = [this.#hold, this.#pattern];
        return;
      case "z":
        this.#pattern = "";
        return;
      case "=":
        return this.#raw(`${this.#line}\n`);
      case "F":
        return this.#raw(`${this.#fileName}\n`);
      case "a":
        this.#appended.push({ text: command.text });
        return;
      case "i":
        return this.#raw(command.text);
      case "r":
        this.#appended.push({ file: command.text });
        return;
      case "R":
        this.#appended.push({ lineOf: command.text });
        return;
      case "w":
        return this.#writeTo(command.text, `${this.#pattern}\n`);
      case "W":
        return this.#writeTo(command.text, `${this.#pattern.split("\n", 1)[0]!}\n`);
      case "l":
        return this.#raw(unambiguous(this.#pattern, command.number));
      case "e":
        return this.#raw(this.#shell(command.text || this.#pattern));
    }
  }

  #writeTo(path: string, text: string): void {
    const fd = this.#written.get(path)!;
    if (fd === 1) this.#raw(text);
    else if (fd === 2) this.context.writeError(text);
    else this.context.fs.writeSync(fd, bytesOf(text));
  }

  #shell(command: string): string {
    const { stdout } = this.context.spawnSync("/bin/sh", ["-c", fromBytes(command)], {
      capture: true,
    });
    return byteString(stdout ?? new Uint8Array(0));
  }

  #matches(address: Address): boolean {
    switch (address.kind) {
      case "line":
        return this.#line === address.line;
      case "step":
        return address.step <= 0
          ? this.#line === address.first
          : this.#line >= address.first && (this.#line - address.first) % address.step === 0;
      case "last":
        return this.#isLast() && (this.run.separate || this.#noMore());
      case "regex":
        return this.#regexOf(address.regex).test(this.#pattern);
      default:
        return false;
    }
  }

  #regexOf(regex: PosixRegex | undefined): PosixRegex {
    const used = regex ?? this.#lastRegex;
    if (used === undefined) throw new CommandFailure("no previous regular expression");
    this.#lastRegex = used;
    return used;
  }

  #selected(command: SedCommand): boolean {
    const { first, second } = command;
    if (second === undefined) return this.#matches(first!);
    let state = this.#ranges.get(command);
    if (state === undefined) {
      state = { active: first!.kind === "zero", lastLine: -1 };
      this.#ranges.set(command, state);
    }
    if (!state.active) {
      if (!this.#matches(first!)) return false;
      state.active = true;
      state.lastLine = -1;
      if (second.kind === "line") state.active = second.line > this.#line;
      else if (second.kind === "plus") {
        state.lastLine = this.#line + second.count;
        state.active = second.count > 0;
      } else if (second.kind === "multiple") {
        const { of } = second;
        state.lastLine = of <= 0 ? this.#line : Math.ceil(this.#line / of) * of;
        state.active = state.lastLine > this.#line;
      } else if (second.kind === "last") state.active = !this.#matches(second);
      return true;
    }
    if (second.kind === "line") {
      if (this.#line >= second.line) state.active = false;
      // A range whose end has passed by n and its like covers nothing more.
      return this.#line <= second.line;
    }
    if (second.kind === "plus" || second.kind === "multiple") {
      if (this.#line >= state.lastLine) state.active = false;
    } else if (this.#matches(second)) state.active = false;
    return true;
  }

  #substitute(command: SedCommand): void {
    const regex = this.#regexOf(command.regex);
    const text = this.#pattern;
    let output = "";
    let copied = 0;
    let count = 0;
    let from = 0;
    let lastEnd = -1;
    let done = false;
    while (from <= text.length) {
      const match = regex.exec(text, from);
      if (match === undefined) break;
      // An empty match right behind the last match is none.
      if (match.end === match.index && match.index === lastEnd) {
        from = afterCharacter(text, match.index);
        continue;
      }
      count++;
      lastEnd = match.end;
      if (count >= Math.max(command.number, 1)) {
        output += text.slice(copied, match.index) + replacement(command.pieces, match.groups);
        copied = match.end;
        done = true;
        if (!command.global) break;
      }
      from = match.end > match.index ? match.end : afterCharacter(text, match.end);
    }
    if (!done) return;
    this.#pattern = output + text.slice(copied);
    this.#replaced = true;
    if (command.evaluate) this.#pattern = this.#shell(this.#pattern).replace(/\n$/, "");
    if (command.print) this.#print(this.#pattern);
    if (command.file !== undefined) this.#writeTo(command.file, `${this.#pattern}\n`);
  }
}

function replacement(pieces: Piece[], groups: (string | undefined)[]): string {
  let output = "";
  let lasting = "E";
  let once = "";
  for (const piece of pieces) {
    if (typeof piece === "object") {
      if (piece.change === "u" || piece.change === "l") once = piece.change;
      else lasting = piece.change;
      continue;
    }
    let text = typeof piece === "string" ? piece : (groups[piece] ?? "");
    if (text === "") continue;
    if (lasting === "U") text = upperCase(text);
    if (lasting === "L") text = lowerCase(text);
    if (once !== "") {
      const first = sliceCharacters(text, 0, 1);
      text = (once === "u" ? upperCase(first) : lowerCase(first)) + text.slice(first.length);
      once = "";
    }
    output += text;
  }
  return output;
}

const shownEscapes = new Map([
  ["\\", "\\\\"],
  ["\x07", "\\a"],
  ["\b", "\\b"],
  ["\f", "\\f"],
  ["\n", "\\n"],
  ["\r", "\\r"],
  ["\t", "\\t"],
  ["\v", "\\v"],
]);

/** The l command: escapes, and lines folded at `width`. */
function unambiguous(text: string, width: number): string {
  let output = "";
  let column = 0;
  for (const char of text) {
    const code = char.charCodeAt(0);
    const shown =
      shownEscapes.get(char) ??
      (code < 32 || code > 126 ? `\\${code.toString(8).padStart(3, "0")}` : char);
    if (width > 1 && column + shown.length > width - 1) {
      output += "\\\n";
      column = 0;
    }
    output += shown;
    column += shown.length;
  }
  return `${output}$\n`;
}
