/**
 * Owns the public handle of a spawned program.
 * Invariant: what is asked of an ended program has no effect and is no error.
 * Untrusted: nothing; outcome rules are guest-process.ts's.
 */
import type { End, Usage } from "../protocol/usage.js";
import { failure, invalidOption } from "./errors.js";
import type { GuestProcess } from "./guest-process.js";
import { Emitter } from "./events.js";
import { HeldOutput, NodeRuntimeOutput } from "./output.js";
import type { OutputHook } from "./output-channel.js";
import type { RunOptions } from "./run-options.js";
import { terminalSizeOf } from "./run-options.js";
import { bytesOf, parseFlags } from "./option-checks.js";
import { signalNumber } from "./signals.js";

/** The output of a spawned program that no hook takes. */
export class SpawnedOutput {
  readonly #held: Partial<Record<"stdout" | "stderr", HeldOutput>> = {};

  /** `given`, with hooks for the streams that have none. */
  hooked<R extends RunOptions>(given: R): R {
    const { onStdout, onStderr } = given;
    const hook = (name: "stdout" | "stderr"): OutputHook => {
      const held = new HeldOutput(false);
      this.#held[name] = held;
      return (chunk) => held.push(chunk);
    };
    return { ...given, onStdout: onStdout ?? hook("stdout"), onStderr: onStderr ?? hook("stderr") };
  }

  /** Ends the streams with the program. */
  follow(guest: GuestProcess): void {
    const all = Object.values(this.#held);
    guest.onGone(() => all.forEach((held) => held.release()));
    void guest.ended.then(
      () => all.forEach((held) => held.end()),
      (error: unknown) => all.forEach((held) => held.end(error)),
    );
  }

  of(name: "stdout" | "stderr"): NodeRuntimeOutput {
    const held = this.#held[name];
    const hook = name === "stdout" ? "onStdout" : "onStderr";
    if (held === undefined)
      throw invalidOption(hook, `takes all output of ${name}; leave it out to read ${name}`);
    held.want();
    return new NodeRuntimeOutput(held);
  }
}

/** What `proc.on(name, listener)` listens to. */
// oxlint-disable-next-line typescript/consistent-type-definitions -- the emitter asks for an index
export type NodeRuntimeProcessEvents = {
  /** The program has ended, and all its output was handed over; who listens later is told as well. */
  exit: (exitCode: number, end: End) => void;
  /** Its outcome is not known, or an output hook failed; what `wait()` rejects with. */
  error: (error: unknown) => void;
};

/**
 * A program that runs.
 * @example
 * import { NodeRuntime } from "secure-exec";
 *
 * const rt = await NodeRuntime.create();
 * const proc = await rt.spawn("process.stdin.pipe(process.stdout)");
 * proc.writeStdin("hello\n");
 * proc.closeStdin();
 * for await (const line of proc.lines()) console.log(line);
 * console.log(await proc.wait());
 * await rt.dispose();
 */
export class NodeRuntimeProcess {
  readonly #guest: GuestProcess;
  readonly #output: SpawnedOutput;
  readonly #events = new Emitter<NodeRuntimeProcessEvents>(["exit", "error"]);
  #stdinOpen: boolean;

  /** Made by `NodeRuntime.spawn`. */
  constructor(guest: GuestProcess, stdinOpen: boolean, output: SpawnedOutput) {
    this.#guest = guest;
    this.#stdinOpen = stdinOpen;
    this.#output = output;
    void guest.ended.then(
      ({ end }) => this.#events.emitLast("exit", end.exitCode, end.cause),
      (error: unknown) => this.#events.emitLast("error", error),
    );
  }

  /**
   * Its output as it comes: `for await (const chunk of proc.stdout)`, `proc.stdout.text()`. What comes before
   * somebody first touches this is kept up to 1 MiB, from then on the program waits for a slow reader.
   * @throws {INVALID_OPTION} when `onStdout` was given, which takes all of it.
   */
  get stdout(): NodeRuntimeOutput {
    return this.#output.of("stdout");
  }

  /**
   * As `stdout`; nothing comes here from a terminal.
   * @throws {INVALID_OPTION} when `onStderr` was given.
   */
  get stderr(): NodeRuntimeOutput {
    return this.#output.of("stderr");
  }

  /**
   * The lines of its stdout, or of the stream that is named, as they come.
   * @throws {INVALID_OPTION} for another stream, or one that a hook takes.
   * @throws {OUTPUT_DROPPED} from the iteration, as of `NodeRuntimeOutput`.
   */
  lines(stream: "stdout" | "stderr" = "stdout"): AsyncGenerator<string, void> {
    if (stream !== "stdout" && stream !== "stderr")
      throw invalidOption("stream", 'must be "stdout" or "stderr"');
    return this.#output.of(stream).lines();
  }

  /**
   * Calls `listener` at that event, each in a turn of its own.
   * @throws {INVALID_OPTION} for an event that there is not, or what is no function.
   * @example
   * proc.on("exit", (exitCode, end) => console.log(exitCode, end.reason));
   */
  on<K extends keyof NodeRuntimeProcessEvents>(
    event: K,
    listener: NodeRuntimeProcessEvents[K],
  ): this {
    this.#events.add(event, listener, false);
    return this;
  }

  /**
   * As `on`, for the next one only.
   * @throws {INVALID_OPTION} as `on` does.
   */
  once<K extends keyof NodeRuntimeProcessEvents>(
    event: K,
    listener: NodeRuntimeProcessEvents[K],
  ): this {
    this.#events.add(event, listener, true);
    return this;
  }

  /** Takes a listener away; one that is not there is fine. Never throws. */
  off<K extends keyof NodeRuntimeProcessEvents>(
    event: K,
    listener: NodeRuntimeProcessEvents[K],
  ): this {
    this.#events.remove(event, listener);
    return this;
  }

  /** The pid inside the virtual machine. */
  get pid(): number {
    return this.#guest.pid;
  }

  /** null while it runs; afterwards its exit code, or 128 + signal. */
  get exitCode(): number | null {
    return this.#guest.exitCode;
  }

  /** null while it runs; afterwards why it ended. See docs/usage.md. */
  get end(): End | null {
    return this.#guest.end;
  }

  /** null while it runs; afterwards what it and all it started had used by then. */
  get usage(): Usage | null {
    return this.#guest.usage;
  }

  /**
   * What it and all it started have used by now.
   * @throws {DISPOSED|KERNEL_LOST} when the machine went before it could be asked.
   */
  currentUsage(): Promise<Usage> {
    return this.#guest.currentUsage();
  }

  /**
   * Appends to the program's stdin.
   * @throws {STDIN_CLOSED} after `closeStdin`, or where the option `stdin` was given.
   * @throws {INVALID_OPTION} for what is neither text nor bytes.
   */
  writeStdin(data: string | Uint8Array): void {
    const bytes = bytesOf("data", data);
    if (!this.#stdinOpen) throw failure("STDIN_CLOSED");
    this.#guest.writeStdin(bytes);
  }

  /**
   * Gives the program's terminal another size; without `pty` there is none, and nothing happens.
   * @throws {INVALID_OPTION} for what is no whole number from 1 to 65 535.
   */
  resize(cols: number, rows: number): void {
    this.#guest.resize(terminalSizeOf({ cols, rows }));
  }

  /** Ends the program's stdin. Idempotent. Never throws. */
  closeStdin(): void {
    if (!this.#stdinOpen) return;
    this.#stdinOpen = false;
    this.#guest.closeStdin();
  }

  /**
   * Sends a signal by name or number, SIGTERM by default; with `group: true` (default false) also to what the
   * program has started and what is still in its process group.
   * @throws {INVALID_OPTION} for an unknown signal.
   * @example
   * proc.kill("SIGINT", { group: true });
   */
  kill(signal: string | number = "SIGTERM", options?: { group?: boolean }): void {
    const { group } = parseFlags(options, { group: false });
    this.#guest.kill(signalNumber(signal), group);
  }

  /**
   * The exit code, once the program has ended.
   * @throws {KERNEL_LOST|GUEST_KILLED|PROTOCOL_VIOLATION|ZYGOTE_LOST|OUTCOME_UNKNOWN} when its outcome is unknown.
   * @throws {OUTPUT_HOOK_TIMEOUT} when a hook did not settle; what a hook threw, as it is.
   */
  async wait(): Promise<number> {
    return (await this.#guest.ended).end.exitCode;
  }

  /** Ends it and what is in its process group, as SIGKILL does; resolves when it is gone. Never rejects. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#guest.destroy();
  }
}
