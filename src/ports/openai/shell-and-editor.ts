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

export interface ShellAction {
  commands: string[];
  timeoutMs?: number;
  /** Characters of each stream. */
  maxOutputLength?: number;
}

export interface ShellOutput {
  stdout: string;
  stderr: string;
  outcome: { type: "timeout" } | { type: "exit"; exitCode: number | null };
}

export interface ShellResult {
  output: ShellOutput[];
  maxOutputLength?: number;
}

export interface PatchResult {
  status: "completed" | "failed";
  output: string;
}

/** `applyDiff` of `@openai/agents`: what a V4A diff makes of a text. */
export type ApplyDiff = (input: string, diff: string, mode?: "default" | "create") => string;

export interface SecureExecShellOptions extends SessionOptions {
  /**
   * Milliseconds for one command whose action has none.
   * @default 120 000
   */
  timeoutMs?: number;
}

const defaultTimeoutMs = 120_000;

/** Runs a shell action's commands one after the other; the rest is not run when one is over its time. */
export class SecureExecShell {
  readonly #session: Session;
  readonly #timeoutMs: number;

  constructor(session: Session, timeoutMs = defaultTimeoutMs) {
    this.#session = session;
    this.#timeoutMs = timeoutMs;
  }

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

/** Applies an agent's patches to a machine's files. */
export class SecureExecEditor {
  readonly #session: Session;
  readonly #applyDiff: ApplyDiff;
  readonly #rejects: boolean;
  readonly #resolve: NonNullable<EditorOptions["resolve"]>;

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

/** A machine with its shell, and its editor where `applyDiff` is given. `dispose` ends it. */
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
