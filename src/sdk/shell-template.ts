/**
 * Owns `rt.sh`: a command line as a template, in which every value is one word whatever it holds.
 *
 * Invariants: the text of the template is the caller's and is shell; a value is quoted, never shell; nothing
 * runs before somebody awaits the command, and it runs once.
 * Untrusted: values, and the command's output.
 */
import { failure, invalidOption } from "./errors.js";
import type { NodeRuntimeCommandOptions } from "./option-types.js";
import type { NodeRuntimeExecResult } from "./results.js";

/** What may stand in a template: a list is as many words as it has entries. */
export type ShellValue = string | number | boolean | bigint | readonly ShellValue[];

/** What stderr an error's message shows. */
const shownChars = 200;

/** One word of the shell. Throws INVALID_OPTION for what is no text. */
function shellWord(value: unknown, option = "value"): string {
  if (Array.isArray(value))
    return value.map((entry, index) => shellWord(entry, `${option}[${index}]`)).join(" ");
  if (!["string", "number", "boolean", "bigint"].includes(typeof value))
    throw invalidOption(option, "must be a string, a number, a boolean, or an array of such");
  const text = String(value);
  if (text.includes("\0")) throw invalidOption(option, "must not contain a NUL character");
  // Always quoted: a bare word may be a keyword, an assignment or the number of a redirection.
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** The command line of a template. */
function shellLine(texts: TemplateStringsArray, values: readonly unknown[]): string {
  return texts
    .map((text, index) => text + (index < values.length ? shellWord(values[index]) : ""))
    .join("");
}

type Run = (
  line: string,
  options: NodeRuntimeCommandOptions | undefined,
) => Promise<NodeRuntimeExecResult>;

/**
 * A command that runs when it is awaited, once.
 * @throws {COMMAND_FAILED} from awaiting it, when its exit code is not 0, whose `details` have `exitCode`, `stdout`
 * and `stderr`; with `nothrow()` it resolves all the same.
 * @example
 * const { exitCode } = await rt.sh`test -e ${cwd}/package.json`.timeout(1000).nothrow();
 */
export class NodeRuntimeShellCommand implements PromiseLike<NodeRuntimeExecResult> {
  readonly #run: Run;
  readonly #options: NodeRuntimeCommandOptions;
  readonly #throws: boolean;
  #result: Promise<NodeRuntimeExecResult> | undefined;
  /** The command line, with its values quoted. */
  readonly line: string;

  /** Made by `rt.sh`. */
  constructor(line: string, run: Run, options: NodeRuntimeCommandOptions = {}, throws = true) {
    this.line = line;
    this.#run = run;
    this.#options = options;
    this.#throws = throws;
  }

  #with(more: NodeRuntimeCommandOptions, throws = this.#throws): NodeRuntimeShellCommand {
    const options = { ...this.#options, ...more };
    return new NodeRuntimeShellCommand(this.line, this.#run, options, throws);
  }

  /** The same command with variables over the machine's. Never throws. */
  env(env: Record<string, string>): NodeRuntimeShellCommand {
    return this.#with({ env: { ...this.#options.env, ...env } });
  }

  /** The same command in another working directory. Never throws. */
  cwd(cwd: string): NodeRuntimeShellCommand {
    return this.#with({ cwd });
  }

  /** The same command with this on its stdin. Never throws. */
  stdin(stdin: string | Uint8Array): NodeRuntimeShellCommand {
    return this.#with({ stdin });
  }

  /** The same command, killed after so many milliseconds. Never throws. */
  timeout(timeoutMs: number): NodeRuntimeShellCommand {
    return this.#with({ timeout: timeoutMs });
  }

  /** The same command, ended when that is aborted. Never throws. */
  signal(signal: AbortSignal): NodeRuntimeShellCommand {
    return this.#with({ signal });
  }

  /** The same command, for which an exit code other than 0 is no error. Never throws. */
  nothrow(): NodeRuntimeShellCommand {
    return this.#with({}, false);
  }

  /**
   * Its stdout, without the line's end that is the last.
   * @throws {COMMAND_FAILED} and all others as awaiting it.
   */
  async text(): Promise<string> {
    return (await this).stdout.replace(/\r?\n$/, "");
  }

  /**
   * The lines of its stdout.
   * @throws {COMMAND_FAILED} and all others as awaiting it.
   */
  async lines(): Promise<string[]> {
    const text = await this.text();
    return text === "" ? [] : text.split(/\r?\n/);
  }

  /**
   * Its stdout as JSON.
   * @throws {SyntaxError} where it is none.
   * @throws {COMMAND_FAILED} and all others as awaiting it.
   */
  async json<T = unknown>(): Promise<T> {
    return JSON.parse((await this).stdout) as T;
  }

  async #finish(): Promise<NodeRuntimeExecResult> {
    const result = await this.#run(this.line, this.#options);
    const { exitCode, stdout, stderr } = result;
    if (exitCode === 0 || !this.#throws) return result;
    const said = stderr.trim().slice(-shownChars);
    throw failure(
      "COMMAND_FAILED",
      { exitCode, line: this.line, said: said === "" ? "nothing on stderr" : said },
      { details: { exitCode, stdout, stderr, end: result.end } },
    );
  }

  /**
   * Runs the command, where it does not run yet.
   * @throws {COMMAND_FAILED|INVALID_OPTION|SPAWN_FAILED|DISPOSED|KERNEL_LOST|signal.reason} to `rejected`, and all
   * others as `execCommand`.
   */
  // oxlint-disable-next-line unicorn/no-thenable -- a command is awaited
  then<A = NodeRuntimeExecResult, B = never>(
    fulfilled?: ((result: NodeRuntimeExecResult) => A | PromiseLike<A>) | null,
    rejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    this.#result ??= this.#finish();
    return this.#result.then(fulfilled, rejected);
  }

  /**
   * As `then(undefined, rejected)`.
   * @throws {COMMAND_FAILED|INVALID_OPTION|SPAWN_FAILED|DISPOSED|KERNEL_LOST|signal.reason} to `rejected`, as
   * `then`.
   */
  catch<B = never>(
    rejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<NodeRuntimeExecResult | B> {
    return this.then(undefined, rejected);
  }
}

/** Runs command lines of bash; see `NodeRuntime.sh`. */
export interface NodeRuntimeSh {
  (texts: TemplateStringsArray, ...values: ShellValue[]): NodeRuntimeShellCommand;
  /** The same, with options for every command. */
  (options: NodeRuntimeCommandOptions): NodeRuntimeSh;
}

export function shellTemplate(run: Run, options?: NodeRuntimeCommandOptions): NodeRuntimeSh {
  const sh = (given: unknown, ...values: unknown[]): unknown => {
    if (Array.isArray(given) && "raw" in given) {
      const line = shellLine(given as unknown as TemplateStringsArray, values);
      return new NodeRuntimeShellCommand(line, run, options);
    }
    if (typeof given !== "object" || given === null)
      throw invalidOption("sh", "must be followed by a template, or called with options");
    return shellTemplate(run, { ...options, ...given });
  };
  return sh as NodeRuntimeSh;
}
