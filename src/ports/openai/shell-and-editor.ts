/**
 * Owns the shell and the editor of the OpenAI Agents SDK over core/session.ts, for `shellTool({ shell })` and
 * `applyPatchTool({ editor })`.
 *
 * Types are written after the interfaces that `@openai/agents-core` declares; nothing is imported from
 * it. Untrusted: commands, paths and diffs are the model's, output and files the machine's.
 */
import { posix } from "node:path";
import { Session } from "../core/session.js";
import type { SessionOptions } from "../core/session.js";

/** Commands that a model wants run. */
export interface ShellAction {
  commands: string[];
  timeoutMs?: number;
  /** Characters of each stream. */
  maxOutputLength?: number;
}

/** What one command came to. */
export interface ShellOutput {
  stdout: string;
  stderr: string;
  outcome: { type: "timeout" } | { type: "exit"; exitCode: number | null };
}

/** What they came to. */
export interface ShellResult {
  output: ShellOutput[];
  maxOutputLength?: number;
}

/** Whether a patch was applied, and what is told of it. */
export interface PatchResult {
  status: "completed" | "failed";
  output: string;
}

/** `applyDiff` of `@openai/agents`: what a V4A diff makes of a text. */
export type ApplyDiff = (input: string, diff: string, mode?: "default" | "create") => string;

/** How the shell's machine is made. */
export interface SecureExecShellOptions extends SessionOptions {
  /**
   * Milliseconds for one command whose action has none.
   * @default 120 000
   */
  timeoutMs?: number;
}

const defaultTimeoutMs = 120_000;

/**
 * Runs a shell action's commands one after the other; the rest is not run when one is over its time.
 * @throws {DISPOSED|KERNEL_LOST|SPAWN_FAILED|OUTCOME_UNKNOWN} from `run`, as `Session.exec`.
 * @example
 * import { createAgentMachine } from "secure-exec/openai";
 *
 * await using machine = await createAgentMachine();
 * console.log(await machine.shell.run({ commands: ["echo hello"] }));
 */
export class SecureExecShell {
  readonly #session: Session;
  readonly #timeoutMs: number;

  /** The session stays its owner's; `timeoutMs` is for commands whose action has none. */
  constructor(session: Session, timeoutMs = defaultTimeoutMs) {
    this.#session = session;
    this.#timeoutMs = timeoutMs;
  }

  /** Runs them, and answers what each came to. */
  async run(action: ShellAction): Promise<ShellResult> {
    const { commands, timeoutMs = this.#timeoutMs, maxOutputLength } = action;
    const cut = (text: string): string => text.slice(0, maxOutputLength ?? text.length);
    const output: ShellOutput[] = [];
    for (const command of commands) {
      const result = await this.#session.exec(command, { timeoutMs });
      const { exitCode, timedOut } = result;
      output.push({
        stdout: cut(result.stdout),
        stderr: cut(result.stderr),
        outcome: timedOut ? { type: "timeout" } : { type: "exit", exitCode },
      });
      if (timedOut) break;
    }
    return { output, ...(maxOutputLength !== undefined && { maxOutputLength }) };
  }
}

export interface EditorOptions {
  /**
   * Whether what fails rejects, as an editor of a sandbox session does.
   * @default it is an answer
   */
  rejects?: boolean;
  /**
   * What a path means; throws for one that may not be edited.
   * @default it starts at the session's `cwd`
   */
  resolve?: (path: string) => string | Promise<string>;
}

/**
 * Applies an agent's patches to a machine's files.
 * @throws {Error} from every call, only where it was made to reject: a file that is there or is not, a diff that
 * does not fit.
 * @throws {DISPOSED|KERNEL_LOST|FILE} from every call, the same.
 * @example
 * import { createAgentMachine } from "secure-exec/openai";
 *
 * // applyDiff is @openai/agents'.
 * await using machine = await createAgentMachine({ applyDiff: (input, diff) => input + diff });
 * console.log(await machine.editor.createFile({ path: "a.txt", diff: "text" }));
 */
export class SecureExecEditor {
  readonly #session: Session;
  readonly #applyDiff: ApplyDiff;
  readonly #rejects: boolean;
  readonly #resolve: NonNullable<EditorOptions["resolve"]>;

  /** The session stays its owner's. */
  constructor(session: Session, applyDiff: ApplyDiff, options: EditorOptions = {}) {
    this.#session = session;
    this.#applyDiff = applyDiff;
    const { rejects = false, resolve = (path) => session.resolve(path) } = options;
    this.#rejects = rejects;
    this.#resolve = resolve;
  }

  async #answered(output: string, work: () => Promise<void>): Promise<PatchResult> {
    try {
      await work();
      return { status: "completed", output };
    } catch (error) {
      if (this.#rejects) throw error;
      return { status: "failed", output: error instanceof Error ? error.message : String(error) };
    }
  }

  /** Fails for a file that is there. */
  createFile({ path, diff }: { path: string; diff: string }): Promise<PatchResult> {
    return this.#answered(`created ${path}`, async () => {
      const full = await this.#resolve(path);
      if ((await this.#session.stat(full, { follow: false })) !== undefined)
        throw new Error(`${path}: file already exists`);
      await this.#session.writeFile(full, this.#applyDiff("", diff, "create"));
    });
  }

  /** With `moveTo`, the file has that path afterwards. */
  updateFile(operation: { path: string; diff: string; moveTo?: string }): Promise<PatchResult> {
    const { path, diff, moveTo = path } = operation;
    return this.#answered(`updated ${moveTo}`, async () => {
      const full = await this.#resolve(path);
      const target = await this.#resolve(moveTo);
      const bytes = await this.#session.readFile(full);
      if (bytes === undefined) throw new Error(`there is no file ${path}`);
      const text = Buffer.from(bytes).toString("utf8");
      await this.#session.writeFile(target, this.#applyDiff(text, diff));
      if (target !== full) await this.#session.remove(full);
    });
  }

  /** Fails for a file that is not there. */
  deleteFile({ path }: { path: string }): Promise<PatchResult> {
    return this.#answered(`deleted ${path}`, async () => {
      // The entry itself, where it is a link.
      const full = posix.join(await this.#resolve(posix.dirname(path)), posix.basename(path));
      const stat = await this.#session.stat(full, { follow: false });
      if (stat === undefined || stat.type === "directory")
        throw new Error(`there is no file ${path}`);
      await this.#session.remove(full);
    });
  }
}

/**
 * A machine with its shell, and its editor where `applyDiff` is given. `dispose` ends it.
 * @throws {INVALID_OPTION|KERNEL_START_FAILED} and all others as `NodeRuntime.create`.
 * @example
 * import { createAgentMachine } from "secure-exec/openai";
 *
 * await using machine = await createAgentMachine({ timeoutMs: 30_000 });
 * console.log((await machine.session.exec("pwd")).stdout);
 */
export async function createAgentMachine(
  options: SecureExecShellOptions & { applyDiff?: ApplyDiff } = {},
) {
  const { timeoutMs, applyDiff = noDiff, ...rest } = options;
  const session = await Session.create({ cwd: "/workspace", ...rest });
  return {
    session,
    shell: new SecureExecShell(session, timeoutMs),
    editor: new SecureExecEditor(session, applyDiff),
    dispose: (): Promise<void> => session.dispose(),
    [Symbol.asyncDispose]: (): Promise<void> => session.dispose(),
  };
}

function noDiff(): never {
  throw new Error("give createAgentMachine the function applyDiff of @openai/agents");
}
