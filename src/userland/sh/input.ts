/**
 * Owns scripts that come line by line from standard input: a command is run as
 * soon as it is complete, so that what it starts may read the lines behind it.
 */
import { Exit, Killed, ShellError, SyntaxFailure } from "./control.js";
import type { Descriptor } from "./descriptors.js";
import { goOnAfter, report } from "./diagnostics.js";
import type { Environment } from "./environment.js";
import type { Interpreter } from "./interpreter.js";
import type { LineEditor } from "./line-editor.js";
import { expandPrompt } from "./prompt.js";
import { Parser } from "./parser.js";
import { SIGINT } from "./signals.js";
import { decodeText, encodeText } from "./text.js";
import { countLines } from "./word-scanner.js";

const MAX_LINE_BYTES = 16 << 20;

export class InputScript {
  #line = 1;

  constructor(
    readonly shell: Interpreter,
    readonly env: Environment,
    readonly input: Descriptor,
    /** Prompts, and survives errors. */
    readonly interactive: boolean,
  ) {}

  /** The status of the last command. */
  async run(): Promise<number> {
    const { env } = this;
    for (;;) {
      this.shell.interrupted = false;
      this.shell.early = 0;
      try {
        if (!(await this.#command())) return env.status;
      } catch (error) {
        if (error instanceof Exit) throw error;
        if (!this.interactive) {
          if (error instanceof SyntaxFailure) throw error;
          await goOnAfter(env, error);
          continue;
        }
        if (error instanceof Killed) {
          env.status = 128 + error.signal;
          if (this.shell.interrupted) await env.descriptors.get(2)?.write(encodeText("\n"));
        }
        if (!(error instanceof ShellError || error instanceof RangeError)) continue;
        env.status = await report(env, error);
      }
    }
  }

  /** Reads and runs one complete command; false at the end. */
  async #command(): Promise<boolean> {
    const { env, shell } = this;
    let text = "";
    let delimiter: string | undefined;
    for (;;) {
      const more = await this.#readUntil(delimiter, text === "");
      text += more.text;
      if (text === "") return false;
      const aliases = shell.aliasesOf(env);
      const { shellOptions } = env;
      const line = this.#line;
      const options = { bash: shell.bash, aliases, shellOptions, final: more.ended, line };
      try {
        const parser = new Parser(text, options);
        const command = parser.nextCommand();
        this.#line += countLines(text);
        if (command !== undefined) await shell.execute(env, command, false);
        return !more.ended;
      } catch (error) {
        if (!(error instanceof SyntaxFailure && error.incomplete)) {
          if (error instanceof SyntaxFailure) this.#line += countLines(text);
          throw error;
        }
        delimiter = error.awaitedDelimiter;
      }
    }
  }

  /** A line with its newline, undefined at the end. Throws what ^C means: the command is given up. */
  async #edit(editor: LineEditor, prompt: string, first: boolean): Promise<string | undefined> {
    const { text, how } = await editor.read(prompt);
    if (how === "interrupted") throw new Killed(SIGINT);
    if (how === "ended") {
      if (first) await this.env.descriptors.get(2)?.write(encodeText("exit\n"));
      return undefined;
    }
    editor.remember(text);
    return `${text}\n`;
  }

  /** One line, or all up to the end of a here-document. */
  async #readUntil(
    delimiter: string | undefined,
    first: boolean,
  ): Promise<{ text: string; ended: boolean }> {
    const { env } = this;
    let text = "";
    let kept = "";
    for (;;) {
      if (this.interactive) {
        if (first) await this.shell.jobControl?.notify(env);
        const shown = env.variables.value(first ? "PS1" : "PS2") ?? "";
        const prompt = await expandPrompt(this.shell, env, shown);
        const { editor } = this.shell;
        if (editor !== undefined && this.input.real() === 0) {
          const line = await this.#edit(editor, prompt, first);
          if (line === undefined) return { text: "", ended: true };
          text = line;
          if (delimiter === undefined || line.replace(/^\t*|\n$/g, "") === delimiter)
            return { text: kept + text, ended: false };
          kept += line;
          continue;
        }
        await env.descriptors.get(2)?.write(encodeText(prompt));
      }
      const bytes = await this.input.readLine(MAX_LINE_BYTES);
      if (typeof bytes === "number" || bytes.length === 0) return { text, ended: true };
      const line = decodeText(bytes);
      if (env.options.has("verbose")) await env.descriptors.get(2)?.write(bytes);
      text += line;
      if (delimiter === undefined || line.replace(/^\t*|\n$/g, "") === delimiter) {
        return { text, ended: false };
      }
    }
  }
}
