/**
 * Owns one guest process as the SDK sees it, from the spawn call to its exit
 * event: orders that must wait for the start, output, kill timers, the outcome.
 *
 * Invariants: `ended` settles exactly once and not before every output hook has
 * settled; nothing is sent for the process before the kernel has answered the
 * spawn call or after its exit; no method of the sink throws.
 * Untrusted: output and the returned value are the guest's; the end's numbers are the kernel's.
 */
import type { ProcessEnd, ProcessOptions, TerminalSize } from "../protocol/host-calls.js";
import type { End, Usage } from "../protocol/usage.js";
import { failure, invalidOption, kernelError, SecureExecError } from "./errors.js";
import { KernelRefusal, payloadLimitBytes } from "./kernel-connection.js";
import type { KernelConnection, ProcessSink } from "./kernel-connection.js";
import type { Tape } from "./recording.js";
import { OutputChannel } from "./output-channel.js";
import type { OutputHook } from "./output-channel.js";

const stdinFrameBytes = 64 * 1024;
/** Stdin that may be with the kernel and not yet with the program; the rest waits here. */
const stdinWindowBytes = 512 * 1024;
const killAfterTermMs = 1000;
/** What output hooks have beyond the program's timeout. */
const hookGraceMs = 1000;
const sigkill = 9;
const sigterm = 15;
/** Codes that name the program's own end; every other one leaves its outcome unknown. */
const ownOutcomes: readonly string[] = [
  "ERR_SECURE_EXEC_MEMORY_LIMIT",
  "ERR_SECURE_EXEC_CPU_TIME_LIMIT",
  "ERR_SECURE_EXEC_THREAD_LIMIT",
  "ERR_SECURE_EXEC_WALL_TIME_LIMIT",
  "ERR_SECURE_EXEC_GUEST_CRASHED",
];

/** The kernel's account of an end; `usage` is null where the kernel could give none. */
export type ProgramEnd = Omit<ProcessEnd, "usage"> & { usage: Usage | null };

export interface GuestOutcome {
  end: ProgramEnd;
  /** The returned value as `end.returned` says, as it came. */
  value: readonly Uint8Array[];
}

export interface GuestSetup {
  connection: KernelConnection;
  vm: number;
  options: ProcessOptions;
  source: string;
  /** Whether output is kept for `takeOutput`. */
  capture: boolean;
  /** Bytes kept per stream. */
  captureLimitBytes: number;
  onStdout?: OutputHook | undefined;
  onStderr?: OutputHook | undefined;
  onTemplateReady?: () => void;
  onResidentDone?: (sequence: number, exitCode: number) => void;
  /** Records the run, or compares it with a recorded one. */
  tape?: Tape;
}

/** Its parts are asked for as output of a third stream. */
const valueStream = 3;

export class GuestProcess implements ProcessSink {
  /** Rejects when the outcome is unknown, when a hook failed, and with what `fail` was given. */
  readonly ended: Promise<GuestOutcome>;
  /** Resolves once the process has its pid. */
  readonly started: Promise<void>;
  readonly stdout: OutputChannel;
  readonly stderr: OutputChannel;
  readonly #handle: number;
  readonly #setup: GuestSetup;
  #pid = 0;
  #exitCode: number | null = null;
  #end: End | null = null;
  #usage: Usage | null = null;
  /** Why this side had it ended, if it did. */
  #order: "timeout" | "abort" | undefined;
  #gone = false;
  #waiting: (() => void)[] | undefined = [];
  #settleEnded!: { resolve: (outcome: GuestOutcome) => void; reject: (error: unknown) => void };
  /** Of the value that it returns, as far as they have come. */
  readonly #valueParts: Uint8Array[] = [];
  readonly #stdin: Uint8Array[] = [];
  #stdinWindow = stdinWindowBytes;
  #stdinClosed = false;
  readonly #timers = new Set<NodeJS.Timeout>();
  /** By the clock of `performance`. */
  #deadlineMs = Infinity;
  readonly #whenGone: (() => void)[] = [];

  /** Throws INVALID_OPTION when the program text is too large. */
  constructor(setup: GuestSetup) {
    const { connection, vm, options } = setup;
    const source = Buffer.from(setup.source, "utf8");
    if (source.length > payloadLimitBytes) {
      throw invalidOption("code", `is ${source.length} bytes, the limit is ${payloadLimitBytes}`);
    }
    this.#setup = setup;
    this.#handle = connection.newHandle();
    this.stdout = this.#channel(1, setup.onStdout);
    this.stderr = this.#channel(2, setup.onStderr);
    this.ended = new Promise((resolve, reject) => {
      this.#settleEnded = { resolve, reject };
    });
    this.ended.catch(() => {});
    connection.attach(this.#handle, this);
    this.started = connection
      .call("spawn", { vm, process: this.#handle, options: JSON.stringify(options), source })
      .then(
        ({ pid }) => this.#began(pid),
        (error: unknown) => this.#notStarted(error),
      );
    this.started.catch(() => {});
  }

  get pid(): number {
    return this.#pid;
  }

  get exitCode(): number | null {
    return this.#exitCode;
  }

  /** Why it ended, once it has. */
  get end(): End | null {
    return this.#end;
  }

  /** What it had used when it ended. */
  get usage(): Usage | null {
    return this.#usage;
  }

  /** What it has used by now. */
  async currentUsage(): Promise<Usage> {
    const { connection, vm } = this.#setup;
    await this.started;
    if (this.#usage !== null) return this.#usage;
    try {
      const { json } = await connection.call("usage", { vm, process: this.#handle });
      return JSON.parse(json) as Usage;
    } catch (error) {
      // It ended while it was asked; its own account came first.
      if (this.#usage !== null) return this.#usage;
      throw error instanceof KernelRefusal ? error.toPublic() : error;
    }
  }

  /** The kernel's cause, or what this side asked for when that is what the kernel saw. */
  #causeOf(cause: End): End {
    const order = this.#order;
    const byItself = cause.reason === "exit" || cause.reason === "uncaught error";
    if (order === undefined || !(cause.by === "host" || (order === "abort" && byItself)))
      return cause;
    return { reason: order, ...(cause.signal !== undefined && { signal: cause.signal }) };
  }

  /** Whether nothing more can come from it. */
  get gone(): boolean {
    return this.#gone;
  }

  #channel(stream: number, hook: OutputHook | undefined): OutputChannel {
    const { connection, vm, capture, captureLimitBytes } = this.#setup;
    return new OutputChannel({
      capture,
      captureLimitBytes,
      hook,
      credit: (bytes) => {
        if (!this.#gone) connection.send("credit", { vm, process: this.#handle, stream, bytes });
      },
      failed: (error) => {
        this.kill(sigkill);
        this.fail(error);
      },
    });
  }

  #began(pid: number): void {
    this.#pid = pid;
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    for (const order of waiting) order();
  }

  #notStarted(error: unknown): never {
    let shown = error;
    if (error instanceof KernelRefusal) {
      const { errno, message } = error;
      shown =
        errno === undefined
          ? error.toPublic()
          : failure(
              "SPAWN_FAILED",
              { why: message.includes(errno) ? message : `${errno} ${message}` },
              { details: { errno } },
            );
    }
    this.#waiting = undefined;
    this.#leave();
    this.fail(shown);
    throw shown;
  }

  /** Runs `order` once the process has started, unless it is gone by then. */
  #once(order: () => void): void {
    const guarded = (): void => {
      if (!this.#gone) order();
    };
    if (this.#waiting) this.#waiting.push(guarded);
    else guarded();
  }

  #leave(): void {
    if (this.#gone) return;
    this.#gone = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    this.#setup.connection.detach(this.#handle);
    for (const listener of this.#whenGone) listener();
  }

  /** Calls `listener` when the process is gone, which it is not yet. */
  onGone(listener: () => void): void {
    this.#whenGone.push(listener);
  }

  output(stream: number, data: Uint8Array): void {
    this.#setup.tape?.output(stream, data);
    (stream === 2 ? this.stderr : this.stdout).push(data);
  }

  value(first: boolean, data: Uint8Array): void {
    if (first) this.#valueParts.length = 0;
    this.#valueParts.push(new Uint8Array(data));
    const { connection, vm } = this.#setup;
    const bytes = data.byteLength;
    connection.send("credit", { vm, process: this.#handle, stream: valueStream, bytes });
  }

  exited(given: ProgramEnd, rest: Uint8Array): void {
    if (this.#gone) return;
    const value = [...(given.valueContinued === true ? this.#valueParts : []), rest];
    this.#valueParts.length = 0;
    const text = given.returned === "structured" ? "base64" : "utf8";
    this.#setup.tape?.ended(given.exitCode, Buffer.concat(value).toString(text));
    const end = { ...given, cause: this.#causeOf(given.cause) };
    this.#end = end.cause;
    this.#usage = end.usage;
    const drained = [this.stdout.drained(), this.stderr.drained()];
    // Credits of chunks that are still in a hook have no receiver any more.
    this.#leave();
    let hookTimer: NodeJS.Timeout | undefined;
    const finish = (): void => {
      clearTimeout(hookTimer);
      this.#exitCode = end.exitCode;
      if (end.errorCode !== undefined && !ownOutcomes.includes(end.errorCode)) {
        const { errorCode, errorMessage = "", exitCode } = end;
        const { cause, usage } = end;
        this.fail(kernelError(errorCode, errorMessage, { exitCode, end: cause, usage }));
      } else {
        this.#settleEnded.resolve({ end, value });
      }
    };
    if (drained.every((busy) => busy === undefined)) finish();
    else {
      void Promise.all(drained).then(finish);
      const leftMs = this.#deadlineMs - performance.now();
      const why = `still pending ${hookGraceMs}ms after the timeout`;
      if (leftMs < Infinity)
        hookTimer = setTimeout(
          () => this.fail(failure("OUTPUT_HOOK_TIMEOUT", { why })),
          Math.max(0, leftMs) + hookGraceMs,
        );
    }
  }

  /** By which the kernel knows it. */
  get handle(): number {
    return this.#handle;
  }

  templateReady(): void {
    this.#setup.onTemplateReady?.();
  }

  residentDone(sequence: number, exitCode: number): void {
    this.#setup.onResidentDone?.(sequence, exitCode);
  }

  lost(error: SecureExecError): void {
    this.#end = { reason: "lost" };
    this.#leave();
    this.fail(error);
  }

  /** Settles `ended` with an error, whatever becomes of the process. */
  fail(error: unknown): void {
    this.#settleEnded.reject(error);
  }

  /** The machine is gone, and the process with it. */
  vanish(): void {
    if (this.#gone) return;
    const end: ProgramEnd = {
      exitCode: 128 + sigkill,
      signal: sigkill,
      stdoutTruncated: false,
      stderrTruncated: false,
      returned: "none",
      cause: { reason: "killed", signal: "SIGKILL", by: "dispose" },
      usage: null,
    };
    this.exited(end, new Uint8Array(0));
  }

  /** With `group`, what it has started, too, as far as that did not make groups of its own. */
  kill(signal: number, group = false): void {
    const { connection, vm } = this.#setup;
    this.#once(() => connection.send("kill", { vm, process: this.#handle, signal, group }));
  }

  /** Kills it after so many milliseconds. */
  killAfter(timeoutMs: number): void {
    this.#deadlineMs = performance.now() + timeoutMs;
    this.#after(timeoutMs, () => {
      this.#order ??= "timeout";
      this.#endBy(sigkill);
    });
  }

  /** Nothing ends it for its time any more. */
  cancelTimers(): void {
    this.#deadlineMs = Infinity;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }

  /** SIGTERM now, SIGKILL a second later if it is still there. */
  terminate(): void {
    this.#order ??= "abort";
    this.#endBy(sigterm);
    this.#after(killAfterTermMs, () => this.kill(sigkill));
  }

  /** Calls of tools that it has made by now, and the kernel has not cancelled yet, do not begin. */
  #endBy(signal: number, group = false): void {
    this.kill(signal, group);
    this.#setup.connection.holdTools(this.#setup.vm);
  }

  #after(delayMs: number, action: () => void): void {
    if (this.#gone) return;
    const timer = setTimeout(action, delayMs);
    // The attached process keeps the event loop alive; the timer need not.
    timer.unref();
    this.#timers.add(timer);
  }

  /** SIGKILL for it and what is in its group; resolves when it is gone, however it ended. */
  async destroy(): Promise<void> {
    if (!this.#gone) this.#endBy(sigkill, true);
    await this.settled();
  }

  /** Resolves when it is gone, however it ended. */
  async settled(): Promise<void> {
    await this.ended.then(
      () => {},
      () => {},
    );
  }

  resize({ rows, columns }: TerminalSize): void {
    const { connection, vm } = this.#setup;
    this.#once(() => connection.send("resize", { vm, process: this.#handle, rows, columns }));
  }

  writeStdin(data: Uint8Array): void {
    this.#once(() => {
      if (this.#stdinClosed || data.byteLength === 0) return;
      this.#stdin.push(Uint8Array.from(data));
      this.#sendStdin();
    });
  }

  closeStdin(): void {
    this.#once(() => {
      if (this.#stdinClosed) return;
      this.#stdinClosed = true;
      this.#sendStdin();
    });
  }

  stdinTaken(bytes: number): void {
    this.#stdinWindow = Math.min(stdinWindowBytes, this.#stdinWindow + bytes);
    if (!this.#gone && this.#stdin.length > 0) this.#sendStdin();
  }

  #sendStdin(): void {
    const { connection, vm } = this.#setup;
    while (this.#stdin.length > 0 && this.#stdinWindow > 0) {
      const first = this.#stdin[0]!;
      const data = first.subarray(0, Math.min(stdinFrameBytes, this.#stdinWindow));
      if (data.byteLength === first.byteLength) this.#stdin.shift();
      else this.#stdin[0] = first.subarray(data.byteLength);
      this.#stdinWindow -= data.byteLength;
      connection.send("stdin", { vm, process: this.#handle, data });
    }
    if (this.#stdinClosed && this.#stdin.length === 0)
      connection.send("closeStdin", { vm, process: this.#handle });
  }

  /** Hands a snippet to a resident process. Throws INVALID_OPTION when it is too large. */
  residentExec(sequence: number, source: string): void {
    if (Buffer.byteLength(source, "utf8") > payloadLimitBytes) {
      throw invalidOption("code", `is over the limit of ${payloadLimitBytes} bytes`);
    }
    const { connection, vm } = this.#setup;
    this.#once(() =>
      connection.send("residentExec", { vm, process: this.#handle, sequence, source }),
    );
  }
}
