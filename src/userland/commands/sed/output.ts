/** Owns where a sed script's output goes: to the program's own, or into what replaces the file at hand. */
import type { CommandContext } from "../../command.js";
import type { SedRun } from "./execute.js";

export class SedOutput {
  readonly #context: CommandContext;
  readonly #run: SedRun;
  /** In place: the file's new content. */
  #buffer: string[] | undefined;
  #missingNewline = false;

  constructor(context: CommandContext, run: SedRun) {
    this.#context = context;
    this.#run = run;
  }

  get inPlace(): boolean {
    return this.#buffer !== undefined;
  }

  /** From here on into a file's new content. */
  beginFile(): void {
    this.#buffer = [];
  }

  endFile(): string {
    const text = this.#buffer!.join("");
    this.#buffer = undefined;
    this.#missingNewline = false;
    return text;
  }

  #emit(text: string): void {
    if (this.#buffer === undefined) this.#context.writeBytes(text);
    else this.#buffer.push(text);
  }

  /** A last line without its newline stays so, unless something follows. */
  print(text: string, terminated = true): void {
    if (this.#missingNewline) this.#emit(this.#run.delimiter);
    this.#missingNewline = !terminated;
    this.#emit(terminated ? text + this.#run.delimiter : text);
    if (this.#run.unbuffered) this.#context.flush();
  }

  raw(text: string): void {
    if (this.#missingNewline) this.#emit(this.#run.delimiter);
    this.#missingNewline = false;
    this.#emit(text);
  }
}
