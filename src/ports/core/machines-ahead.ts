/**
 * Owns machines for code mode that serve one program each, and the one that waits for the next program: making a
 * machine takes as long as a third of a short program, so while programs come one after the other the next machine is
 * made beside the program that runs.
 *
 * Invariants: a machine runs one program and is ended, whoever made it when; at most one waits, nobody's program has
 * been near it, and it ends when no program comes for a while; `run` never rejects.
 */
import { CodeMode, failedRun } from "./code-mode.js";
import type { CodeModeOptions, CodeModeOutcome, CodeModeProgram } from "./code-mode.js";

/** Programs that are further apart than this find no machine waiting, and none waits longer. */
const waitMs = 5000;

/** Nobody waits for its end; one that cannot be ended is one whose kernel is gone, which the outcome has said. */
const end = (machine: CodeMode | undefined): void => {
  machine?.dispose().catch(() => undefined);
};

/** What these say is looked at when a machine is made, and may be another thing for the next program. */
const lookedAt = ["fleet", "mounts", "snapshot", "template"] as const;

export class MachinesAhead {
  readonly #options: CodeModeOptions;
  /** Resolves with nothing where it could not be made: the program that wants one makes its own, and says why not. */
  #next: Promise<CodeMode | undefined> | undefined;
  #leaving: NodeJS.Timeout | undefined;
  #lastMs = -Infinity;

  /** Makes nothing yet. */
  constructor(options: CodeModeOptions) {
    this.#options = options;
  }

  /** Runs one program in a machine of its own, whose end begins before the outcome is told. */
  async run(program: CodeModeProgram): Promise<CodeModeOutcome> {
    let machine: CodeMode | undefined;
    try {
      machine = await this.#take();
      const running = machine.run(program);
      this.#prepare();
      return await running;
    } catch (error) {
      return failedRun(error);
    } finally {
      end(machine);
    }
  }

  async #take(): Promise<CodeMode> {
    const next = this.#next;
    this.#next = undefined;
    clearTimeout(this.#leaving);
    const machine = await next;
    if (machine?.lost === false) return machine;
    end(machine);
    return CodeMode.create(this.#options);
  }

  /** While the program starts, which is another process's work. A single one has nobody after it. */
  #prepare(): void {
    const now = performance.now();
    const isFollowed = now - this.#lastMs < waitMs;
    this.#lastMs = now;
    if (!isFollowed || this.#next !== undefined) return;
    if (lookedAt.some((name) => this.#options.runtime?.[name] !== undefined)) return;
    const next = CodeMode.create(this.#options).catch(() => undefined);
    this.#next = next;
    this.#leaving = setTimeout(() => {
      if (this.#next !== next) return;
      this.#next = undefined;
      void next.then(end);
    }, waitMs).unref();
  }
}
