/** Owns running a sed script: pattern space, hold space, ranges, queued output. */
import { CommandFailure, type CommandContext } from "../../command.js";
import { errorText } from "../../support/errors.js";
import { LineReader, openInput } from "../../support/input.js";
import { charactersOf } from "../../support/characters.js";
import { afterCharacter, type PosixRegex } from "../../support/regex.js";
import { bytesOf, byteString, fromBytes } from "../../support/text.js";
import { SedInput } from "./input.js";
import { SedOutput } from "./output.js";
import type { Address, SedCommand } from "./script.js";
import { replacement, unambiguous } from "./text.js";

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
  readonly #input: SedInput;
  readonly #output: SedOutput;
  #exit = 0;
  #line = 0;
  #pattern = "";
  #terminated = true;
  #hold = "";
  #replaced = false;
  #appended: { text?: string; file?: string; lineOf?: string }[] = [];
  #lastRegex: PosixRegex | undefined;
  readonly #ranges = new Map<SedCommand, RangeState>();
  readonly #written = new Map<string, number>();
  readonly #lineSources = new Map<string, LineReader | undefined>();

  constructor(
    private readonly context: CommandContext,
    private readonly commands: SedCommand[],
    files: string[],
    private readonly run: SedRun,
  ) {
    this.#output = new SedOutput(context, run);
    this.#input = new SedInput(context, run, this.#output, files);
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

  #flushAppended(): void {
    for (const { text, file, lineOf } of this.#appended) {
      if (text !== undefined) this.#output.raw(text);
      else if (file !== undefined) {
        try {
          const data =
            file === "/dev/stdin"
              ? this.context.readInput()
              : this.context.fs.readFileSync(fromBytes(file));
          if (data.length > 0) this.#output.raw(byteString(data));
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
        if (line !== undefined) this.#output.print(line);
      }
    }
    this.#appended = [];
  }

  execute(): number {
    let restart = false;
    for (;;) {
      if (!restart) {
        const fileBefore = this.#input.fileName;
        if (!this.#next()) break;
        if (this.run.separate && fileBefore !== this.#input.fileName) {
          this.#line = 1;
        }
      }
      const next = this.#cycle();
      restart = next === "restart";
      if (next === "quit") break;
    }
    this.#input.drainInPlace();
    for (const fd of this.#written.values()) if (fd > 2) this.context.fs.closeSync(fd);
    return this.#exit || this.#input.status;
  }

  /** The next line into the pattern space; false at the end of all input. */
  #next(): boolean {
    const line = this.#input.next();
    if (line === undefined) return false;
    this.#pattern = line.text;
    this.#terminated = line.terminated;
    this.#line++;
    return true;
  }

  #endCycle(print: boolean): void {
    if (print && !this.run.quiet) this.#output.print(this.#pattern, this.#terminated);
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
            this.#output.raw(command.text);
          }
          this.#endCycle(false);
          return "cycle";
        case "n":
          if (this.#input.isLast() && this.#input.noMore()) {
            this.#endCycle(true);
            return "quit";
          }
          this.#endCycle(true);
          this.#next();
          break;
        case "N": {
          if (this.#input.isLast() && this.#input.noMore()) {
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

  #simple(command: SedCommand): void {
    switch (command.name) {
      case "p":
        return this.#output.print(this.#pattern);
      case "P":
        return this.#output.print(this.#pattern.split("\n", 1)[0]!);
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
        return this.#output.raw(`${this.#line}\n`);
      case "F":
        return this.#output.raw(`${this.#input.fileName}\n`);
      case "a":
        this.#appended.push({ text: command.text });
        return;
      case "i":
        return this.#output.raw(command.text);
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
        return this.#output.raw(unambiguous(this.#pattern, command.number));
      case "e":
        return this.#output.raw(this.#shell(command.text || this.#pattern));
    }
  }

  #writeTo(path: string, text: string): void {
    const fd = this.#written.get(path)!;
    if (fd === 1) this.#output.raw(text);
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
        return this.#input.isLast() && (this.run.separate || this.#input.noMore());
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
    if (command.print) this.#output.print(this.#pattern);
    if (command.file !== undefined) this.#writeTo(command.file, `${this.#pattern}\n`);
  }
}
