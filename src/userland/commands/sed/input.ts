/** Owns the lines that a sed script runs over: one after another out of its files, and when a file is over. */
import { CommandFailure, type CommandContext } from "../../command.js";
import { errorText } from "../../support/errors.js";
import { LineReader, openInput } from "../../support/input.js";
import { bytesOf } from "../../support/text.js";
import type { SedRun } from "./execute.js";
import type { SedOutput } from "./output.js";

export interface SedLine {
  text: string;
  /** False: the last line has no newline. */
  terminated: boolean;
}

export class SedInput {
  /** The exit code that unreadable files ask for. */
  status = 0;
  fileName = "-";
  readonly #context: CommandContext;
  readonly #run: SedRun;
  readonly #output: SedOutput;
  readonly #files: string[];
  #reader: LineReader | undefined;
  #ahead: SedLine | undefined;
  #pendingClose = false;

  constructor(context: CommandContext, run: SedRun, output: SedOutput, files: readonly string[]) {
    this.#context = context;
    this.#run = run;
    this.#output = output;
    this.#files = [...files];
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
        this.#context.writeError(`sed: read error on ${this.fileName}: ${errorText(error)}\n`);
        this.status = 2;
        text = undefined;
      }
      if (text !== undefined) this.#ahead = { text, terminated: this.#reader.terminated };
      else if (this.#output.inPlace) {
        // The last line's cycle is not over while its file is being written.
        if (this.#pendingClose) return false;
        this.#pendingClose = true;
        return false;
      } else {
        this.#reader.close();
        this.#reader = undefined;
        if (this.#run.separate && this.#files.length > 0) {
          this.#pendingClose = true;
          return false;
        }
      }
    }
    return true;
  }

  #open(path: string): void {
    const context = this.#context;
    const run = this.#run;
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
      this.fileName = path;
      if (run.inPlace !== undefined) this.#output.beginFile();
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
    if (!this.#output.inPlace) return;
    const { fs } = this.#context;
    const path = this.fileName;
    const data = bytesOf(this.#output.endFile());
    const suffix = this.#run.inPlace!;
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

  /** Whether no line comes after this one, of this file where each is a stream of its own. */
  isLast(): boolean {
    return !this.#peek();
  }

  /** The next line; undefined at the end of all input. */
  next(): SedLine | undefined {
    if (!this.#peek()) {
      if (!this.#pendingClose) return undefined;
      this.#closeFile();
      return this.#files.length > 0 ? this.next() : undefined;
    }
    const line = this.#ahead;
    this.#ahead = undefined;
    return line;
  }

  /** Whether no other file comes after the one that is over. */
  noMore(): boolean {
    return !this.#pendingClose || this.#files.length === 0;
  }

  /** q leaves the rest of a file edited in place as it is. */
  drainInPlace(): void {
    if (!this.#output.inPlace) return;
    if (this.#ahead !== undefined) {
      const { text, terminated } = this.#ahead;
      this.#ahead = undefined;
      this.#output.print(text, terminated);
    }
    const reader = this.#reader!;
    for (let line = reader.next(); line !== undefined; line = reader.next()) {
      this.#output.print(line, reader.terminated);
    }
    this.#closeFile();
  }
}
