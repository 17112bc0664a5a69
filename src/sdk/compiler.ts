/**
 * Owns the way of a program in TypeScript that the engine's own parser cannot take, with decorators, JSX or options of the
 * compiler, through the compiler; and the machine that this runs in, one for all runtimes of this process.
 *
 * Invariants: nothing of the compiler, and nothing of a text, is run in the host; each text is compiled in a process of its own, which
 * has no network, starts no process and sees no file of any runtime's machine. The machine ends with the last runtime that has used it.
 * Untrusted: texts, and so what becomes of them.
 */
import { hasDecorators } from "./decorators.js";
import { failure, invalidOption } from "./errors.js";

/** What a program or snippet is written in, as the options say it. */
export interface Written {
  readonly language: "js" | "ts" | "tsx";
  readonly compilerOptions?: Record<string, unknown>;
  /** Its path or name; may be empty. */
  readonly name: string;
}

interface Diagnostic {
  readonly code: number;
  readonly category: string;
  readonly message: string;
  readonly filePath?: string;
  readonly line?: number;
  readonly column?: number;
}

interface Tools {
  transpileSource(options: {
    sourceText: string;
    filePath: string;
    compilerOptions?: Record<string, unknown>;
  }): Promise<{ diagnostics: Diagnostic[]; outputText?: string }>;
  dispose(): Promise<void>;
}

/** Whether the compiler is needed to run `text`. */
export function needsCompiler(text: string, written: Written): boolean {
  const { language, compilerOptions } = written;
  if (language === "js") return false;
  return language === "tsx" || compilerOptions !== undefined || hasDecorators(text);
}

/** What of it the engine cannot do, in the words of an error. */
function whatNeedsIt({ language, compilerOptions }: Written): string {
  if (language === "tsx") return 'language "tsx"';
  return compilerOptions === undefined ? "a program with decorators" : "the option compilerOptions";
}

/** Names that say what is in a text. */
const endings = { js: /$/, ts: /\.[cm]?tsx?$/, tsx: /\.tsx$/ } as const;

let shared: Promise<Tools> | undefined;
let users = 0;

async function makeTools(): Promise<Tools> {
  // Nobody pays for it who does not ask for it.
  const { createTypeScriptTools } = await import("../ports/typescript/index.js");
  return createTypeScriptTools();
}

/** A program that ends as one does whose text the engine cannot read. */
function failing({ code, message, filePath = "", line = 1, column = 1 }: Diagnostic): string {
  const place = `${filePath}:${line}:${column}`;
  const error = `SyntaxError: ${place}: error TS${code}: ${message}`;
  return `const error = new SyntaxError(${JSON.stringify(message)}); error.stack = ${JSON.stringify(error)}; throw error;`;
}

/** The compiler, as one runtime uses it. */
export class Compiler {
  #uses = false;

  /** JavaScript for `text`. Rejects with COMPILER_MISSING, and with INVALID_OPTION for options that the compiler does not take. */
  async compile(text: string, written: Written): Promise<string> {
    const { name, language, compilerOptions } = written;
    const tools = await this.#tools(written);
    const extension = language === "tsx" ? ".tsx" : ".ts";
    const called = name === "" ? `program${extension}` : name;
    const { diagnostics, outputText } = await tools.transpileSource({
      sourceText: text,
      // By its ending the compiler knows what may be in it.
      filePath: endings[language].test(called) ? called : `${called}${extension}`,
      ...(compilerOptions !== undefined && { compilerOptions }),
    });
    const errors = diagnostics.filter(({ category }) => category === "error");
    const [wrong] = errors.filter(({ filePath }) => filePath === undefined);
    if (wrong !== undefined)
      throw invalidOption("compilerOptions", `are refused: ${wrong.message}`);
    const [error] = errors;
    return error === undefined ? (outputText ?? "") : failing(error);
  }

  async #tools(written: Written): Promise<Tools> {
    if (!this.#uses) users++;
    this.#uses = true;
    shared ??= makeTools();
    try {
      return await shared;
    } catch (cause) {
      shared = undefined;
      const why = cause instanceof Error ? cause.message : String(cause);
      throw failure("COMPILER_MISSING", { what: whatNeedsIt(written), why }, { cause });
    }
  }

  /** The runtime uses it no more. */
  async release(): Promise<void> {
    if (!this.#uses) return;
    this.#uses = false;
    users--;
    if (users > 0) return;
    const last = shared;
    shared = undefined;
    await (await last?.catch(() => undefined))?.dispose();
  }
}
