/**
 * Owns scripts that come line by line from standard input: a command is run as
 * soon as it is complete, so that what it starts may read the lines behind it.
 */
import { Exit, ShellError, SyntaxFailure } from "./control.js";
import type { Descriptor } from "./descriptors.js";
import { goOnAfter, report } from "./diagnostics.js";
import type { Environment } from "./environment.js";
import type { Interpreter } from "./interpreter.js";
import { expandPrompt } from "./prompt.js";
import { Parser } from "./parser.js";
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
      try {
        if (!(await this.#command())) return env.status;
      } catch (error) {
        if (error instanceof Exit) throw error;
        if (!this.interactive) {
          if (error instanceof SyntaxFailure) throw error;
          await goOnAfter(env, error);
          continue;
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

  /** One line, or all up to the end of a here-document. */
  async #readUntil(
    delimiter: string | undefined,
    first: boolean,
  ): Promise<{ text: string; ended: boolean }> {
    const { env } = this;
    let text = "";
    for (;;) {
      if (this.interactive) {
        const text = env.variables.value(first ? "PS1" : "PS2") ?? "";
        const prompt = await expandPrompt(this.shell, env, text);
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
