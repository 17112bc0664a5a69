/**
 * Owns the public handle of a resident runner: one process that evaluates
 * snippets one after the other, sharing globals between them.
 *
 * Invariants: at most one snippet is in flight; a process that was not answered
 * in time is killed, never reused; output between two snippets belongs to the later.
 * Untrusted: snippets share a realm, so a snippet can forge the outcome of later ones.
 */
import type { End, Usage } from "../protocol/usage.js";
import { failure } from "./errors.js";
import type { SecureExecError } from "./errors.js";
import type { GuestOutcome, GuestProcess } from "./guest-process.js";
import { parseSnippetOptions } from "./run-options.js";
import { sourceOf } from "./option-checks.js";

const sigkill = 9;

/** What one snippet came to. */
export interface NodeRuntimeResidentResult {
  stdout: string;
  stderr: string;
  exitCode: number;
  /** Present when output beyond 16 MiB was dropped. */
  stdoutTruncated?: true;
  stderrTruncated?: true;
}

interface Flight {
  sequence: number;
  resolve: (result: NodeRuntimeResidentResult) => void;
  reject: (error: unknown) => void;
  timer: NodeJS.Timeout | undefined;
}

/**
 * A process that evaluates snippets one after the other, in one global scope.
 * @example
 * import { NodeRuntime } from "secure-exec";
 *
 * const rt = await NodeRuntime.create();
 * await using runner = await rt.createResidentRunner();
 * await runner.exec("globalThis.count = 41", { timeout: 1000 });
 * const { stdout } = await runner.exec("console.log(++count)");
 * console.log(stdout);
 * await rt.dispose();
 */
export class NodeRuntimeResidentRunner {
  readonly #guest: GuestProcess;
  readonly #readable: (text: string) => string | Promise<string>;
  #sequence = 0;
  #flight: Flight | undefined;
  /** What later calls are refused with. */
  #over: SecureExecError | undefined;
  /** Set once the snippet in flight was not answered in time. */
  #expiredAfterMs: number | undefined;

  /**
   * Made by `NodeRuntime.createResidentRunner`; `listen` takes the receiver of the process's answers, and `readable` makes
   * of a snippet what the engine can take.
   */
  constructor(
    guest: GuestProcess,
    listen: (done: (sequence: number, exitCode: number) => void) => void,
    readable: (text: string) => string | Promise<string>,
  ) {
    this.#guest = guest;
    this.#readable = readable;
    listen((sequence, exitCode) => {
      if (this.#flight?.sequence === sequence && this.#expiredAfterMs === undefined)
        this.#land((flight) => flight.resolve(this.#result(exitCode)));
    });
    guest.ended.then(
      (outcome) => this.#ended(outcome),
      (error: SecureExecError) => {
        this.#over ??= error;
        this.#land((flight) => flight.reject(error));
      },
    );
  }

  /**
   * Evaluates a snippet, for at most `timeout` milliseconds (default: as long as it takes). When the snippet ends
   * its process, resolves with the exit code; later calls are refused. An error that it leaves unhandled makes the
   * exit code 1, and the runner lives on.
   * @throws {RUNNER_TIMEOUT} when it was not done in time: the process is killed, and `details` has the `stdout`
   * and `stderr` so far.
   * @throws {RUNNER_BUSY} while another snippet runs.
   * @throws {RUNNER_ENDED|DISPOSED|KERNEL_LOST} when the process, the runner or the machine is gone.
   * @throws {INVALID_OPTION} for arguments.
   */
  async exec(code: string, options?: { timeout?: number }): Promise<NodeRuntimeResidentResult> {
    const source = sourceOf(code);
    const timeoutMs = parseSnippetOptions(options);
    if (this.#over) throw this.#over;
    if (this.#flight) throw failure("RUNNER_BUSY");
    const sequence = (this.#sequence = (this.#sequence + 1) >>> 0);
    const readable = this.#readable(source);
    if (typeof readable === "string") this.#guest.residentExec(sequence, readable);
    return new Promise((resolve, reject) => {
      const timer =
        timeoutMs === undefined ? undefined : setTimeout(() => this.#expired(timeoutMs), timeoutMs);
      const flight = (this.#flight = { sequence, resolve, reject, timer });
      if (typeof readable === "string") return;
      readable.then(
        (made) => this.#flight === flight && this.#guest.residentExec(sequence, made),
        (error: unknown) => this.#flight === flight && this.#land(() => reject(error)),
      );
    });
  }

  /** null while the process runs; afterwards why it ended. */
  get end(): End | null {
    return this.#guest.end;
  }

  /**
   * What the process has used for all snippets so far, or had used when it ended.
   * @throws {DISPOSED|KERNEL_LOST} when the machine went before it could be asked.
   */
  usage(): Promise<Usage> {
    return this.#guest.currentUsage();
  }

  #result(exitCode: number): NodeRuntimeResidentResult {
    const stdout = this.#guest.stdout.take();
    const stderr = this.#guest.stderr.take();
    return {
      stdout: stdout.text,
      stderr: stderr.text,
      exitCode,
      ...(stdout.truncated && { stdoutTruncated: true }),
      ...(stderr.truncated && { stderrTruncated: true }),
    };
  }

  #land(settle: (flight: Flight) => void): void {
    const flight = this.#flight;
    if (!flight) return;
    this.#flight = undefined;
    clearTimeout(flight.timer);
    settle(flight);
  }

  #expired(timeoutMs: number): void {
    this.#over ??= failure("RUNNER_ENDED", { why: `a snippet timed out after ${timeoutMs}ms` });
    this.#expiredAfterMs = timeoutMs;
    // All that it wrote is here once it has ended.
    this.#guest.kill(sigkill);
  }

  #timedOut(timeoutMs: number): void {
    const { exitCode: _, ...written } = this.#result(0);
    const error = failure("RUNNER_TIMEOUT", { timeout: timeoutMs }, { details: written });
    this.#land((flight) => flight.reject(error));
  }

  #ended({ end }: GuestOutcome): void {
    if (this.#expiredAfterMs !== undefined) return this.#timedOut(this.#expiredAfterMs);
    const why = end.signal === 0 ? `exit code ${end.exitCode}` : `signal ${end.signal}`;
    const error = failure(
      "RUNNER_ENDED",
      { why: end.errorMessage ?? why },
      { details: { exitCode: end.exitCode, end: end.cause } },
    );
    this.#over ??= error;
    this.#land((flight) => {
      const byItself = end.signal === 0 && end.errorCode === undefined;
      if (byItself) flight.resolve(this.#result(end.exitCode));
      else flight.reject(error);
    });
  }

  /**
   * Kills the process. Idempotent; resolves when it is gone. A snippet in flight rejects with DISPOSED. Never
   * rejects.
   */
  async dispose(): Promise<void> {
    const error = failure("DISPOSED", { what: "resident runner" });
    this.#over = error;
    this.#land((flight) => flight.reject(error));
    this.#guest.kill(sigkill);
    await this.#guest.settled();
  }

  /** The same as `dispose`, for `await using`. Never rejects. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }
}
