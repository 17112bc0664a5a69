/**
 * Owns the public handle of a template: a process of the machine that has run a set-up, and whose memory
 * programs begin with. What runs is the runtime's own; this keeps which process it begins from, and its end.
 *
 * Invariants: nothing begins from a template that has ended; `dispose` ends the template alone, not
 * what runs.
 */
import type { Policies } from "../protocol/permissions.js";
import type { Usage } from "../protocol/usage.js";
import { failure, invalidOption } from "./errors.js";
import type { SecureExecError } from "./errors.js";
import type { GuestProcess } from "./guest-process.js";
import { bagOf, bytesOf, guestPathOf } from "./option-checks.js";
import type {
  NodeRuntimeCreateOptions,
  NodeRuntimeExecOptions,
  NodeRuntimeSpawnOptions,
} from "./option-types.js";
import { parseNarrowing } from "./permissions.js";
import type { Permissions } from "./permissions.js";
import type { NodeRuntimeProcess } from "./process.js";
import type { NodeRuntimeExecResult, NodeRuntimeRunResult } from "./results.js";
import type { NodeRuntime } from "./runtime.js";

const sigkill = 9;

/** Options of a template: those of a program that say how its set-up runs. */
export type NodeRuntimeTemplateOptions = Pick<
  NodeRuntimeExecOptions,
  "args" | "compilerOptions" | "cwd" | "env" | "language" | "limits" | "name" | "signal" | "timeout"
> & {
  /**
   * What has to allow as well as the machine's own permissions: for the set-up, and for all that begins from it.
   * Functions are not possible here.
   * @default the machine's alone
   */
  permissions?: Omit<Permissions, "mode">;
  /**
   * Files to write before the set-up runs: their paths, relative to `cwd`, and content.
   * @default none
   */
  files?: Record<string, string | Uint8Array>;
};

const optionNames = [
  "args",
  "compilerOptions",
  "cwd",
  "env",
  "files",
  "language",
  "limits",
  "name",
  "permissions",
  "signal",
  "timeout",
] as const;

interface ParsedTemplateOptions extends Omit<NodeRuntimeTemplateOptions, "files" | "permissions"> {
  files: [path: string, data: Uint8Array][];
  policies: Partial<Policies> | undefined;
}

function policiesOf(value: unknown): Partial<Policies> | undefined {
  if (value === undefined) return undefined;
  const { policies, functions } = parseNarrowing(value);
  const [scope] = functions.keys();
  // A function is asked about everything in its machine.
  if (scope !== undefined)
    throw invalidOption(`permissions.${scope}`, 'must be "allow", "deny" or a rule set');
  return policies;
}

/** The options of the program, and the files to write first by their absolute paths. */
export function parseTemplateOptions(value: unknown, cwd: string): ParsedTemplateOptions {
  const { files = {}, permissions, ...rest } = bagOf(value, optionNames);
  if (typeof files !== "object" || files === null || Array.isArray(files))
    throw invalidOption("files", "must be an object of paths and content");
  const own = typeof rest.cwd === "string" ? guestPathOf(rest.cwd, cwd) : cwd;
  return {
    ...(rest as Omit<NodeRuntimeTemplateOptions, "files" | "permissions">),
    policies: policiesOf(permissions),
    files: Object.entries(files).map(([path, data]) => [
      guestPathOf(path, own),
      bytesOf(`files[${path}]`, data),
    ]),
  };
}

/** What the runtime does for a template: the same as its own methods, from that process. */
export interface TemplateRuns {
  exec(
    from: GuestProcess,
    code: string,
    options?: NodeRuntimeExecOptions,
  ): Promise<NodeRuntimeExecResult>;
  run<T>(
    from: GuestProcess,
    code: string,
    options?: NodeRuntimeExecOptions,
  ): Promise<NodeRuntimeRunResult<T>>;
  spawn(
    from: GuestProcess,
    code: string,
    options?: NodeRuntimeSpawnOptions,
  ): Promise<NodeRuntimeProcess>;
  template(
    from: GuestProcess,
    policies: readonly Partial<Policies>[],
    setup: string,
    options?: NodeRuntimeTemplateOptions,
  ): Promise<NodeRuntimeTemplate>;
  machine(
    from: GuestProcess,
    policies: readonly Partial<Policies>[],
    options: NodeRuntimeCreateOptions,
  ): Promise<NodeRuntime>;
}

/**
 * A process that waits at the end of its set-up, and of which programs begin as copies.
 * @example
 * import { NodeRuntime } from "secure-exec";
 *
 * const rt = await NodeRuntime.create();
 * await using template = await rt.template("globalThis.table = new Map([[1, 'one']]);");
 * const { value } = await template.run("__return(table.get(1))");
 * console.log(value);
 * await rt.dispose();
 */
export class NodeRuntimeTemplate {
  readonly #guest: GuestProcess;
  readonly #runs: TemplateRuns;
  /** Those that hold beside its machine's. */
  readonly #policies: readonly Partial<Policies>[];
  #over: SecureExecError | undefined;

  /** Made by `NodeRuntime.template`. */
  constructor(guest: GuestProcess, runs: TemplateRuns, policies: readonly Partial<Policies>[]) {
    this.#guest = guest;
    this.#runs = runs;
    this.#policies = policies;
    guest.ended.then(
      ({ end }) => {
        const why = end.errorMessage ?? (end.signal === 0 ? "it exited" : `signal ${end.signal}`);
        this.#over ??= failure("TEMPLATE_ENDED", { why }, { details: { end: end.cause } });
      },
      (error: Error) => {
        const why = error.message;
        this.#over ??= failure("TEMPLATE_ENDED", { why }, { cause: error });
      },
    );
  }

  #process(): GuestProcess {
    if (this.#over !== undefined) throw this.#over;
    return this.#guest;
  }

  /**
   * As `NodeRuntime.exec`, in a fresh process that begins with the template's memory as it was when the set-up
   * ended.
   * @throws {TEMPLATE_ENDED} when the template is gone.
   * @throws {INVALID_OPTION|LIMIT_RAISED|DISPOSED|KERNEL_LOST|PROCESS_LIMIT|OUTCOME_UNKNOWN} and all others as
   * that.
   */
  async exec(code: string, options?: NodeRuntimeExecOptions): Promise<NodeRuntimeExecResult> {
    return this.#runs.exec(this.#process(), code, options);
  }

  /**
   * As `NodeRuntime.run`, in such a process.
   * @throws {TEMPLATE_ENDED} when the template is gone.
   * @throws {RETURN_VALUE|INVALID_OPTION|LIMIT_RAISED|DISPOSED|KERNEL_LOST|PROCESS_LIMIT|OUTCOME_UNKNOWN} and all
   * others as that.
   */
  async run<T = unknown>(
    code: string,
    options?: NodeRuntimeExecOptions,
  ): Promise<NodeRuntimeRunResult<T>> {
    return this.#runs.run<T>(this.#process(), code, options);
  }

  /**
   * As `NodeRuntime.spawn`, in such a process. A terminal (`pty`) is not possible.
   * @throws {TEMPLATE_ENDED} when the template is gone.
   * @throws {INVALID_OPTION|LIMIT_RAISED|DISPOSED|KERNEL_LOST|PROCESS_LIMIT} and all others as that.
   */
  async spawn(code: string, options?: NodeRuntimeSpawnOptions): Promise<NodeRuntimeProcess> {
    return this.#runs.spawn(this.#process(), code, options);
  }

  /**
   * A template whose set-up begins where this one's ended. Neither needs the other afterwards.
   * @throws {TEMPLATE_ENDED} when this one is gone.
   * @throws {TEMPLATE_SETUP_FAILED|TEMPLATE_PENDING|PERMISSIONS_WIDENED|INVALID_OPTION|DISPOSED|KERNEL_LOST} as
   * `NodeRuntime.template`.
   */
  async template(
    setup: string,
    options?: NodeRuntimeTemplateOptions,
  ): Promise<NodeRuntimeTemplate> {
    return this.#runs.template(this.#process(), this.#policies, setup, options);
  }

  /** @internal */
  async machine(options: NodeRuntimeCreateOptions): Promise<NodeRuntime> {
    return this.#runs.machine(this.#process(), this.#policies, options);
  }

  /**
   * What the set-up used, and the template since.
   * @throws {DISPOSED|KERNEL_LOST} when the machine went before it could be asked.
   */
  usage(): Promise<Usage> {
    return this.#guest.currentUsage();
  }

  /** Ends the template's process. Idempotent. Programs that began from it go on. Never rejects. */
  async dispose(): Promise<void> {
    this.#over ??= failure("TEMPLATE_ENDED", { why: "it was disposed" });
    this.#guest.kill(sigkill);
    await this.#guest.settled();
  }

  /** The same as `dispose`, for `await using`. Never rejects. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }
}
