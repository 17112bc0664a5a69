/**
 * Owns the conversation with one kernel process: calls and their replies, events
 * and the process handles they are routed by, and what happens when it breaks.
 *
 * Invariants: every call settles exactly once; after the end every call and every
 * attached process has been told so; the host's event loop is kept alive only
 * while a call is pending or a process is attached. A kernel that says nothing for
 * `heartbeatTimeoutMs` meanwhile is killed, whatever it is stuck in.
 * Untrusted: the kernel is trusted to be honest, not to be flawless: a malformed
 * frame ends the connection. Bytes inside frames (output, values) are guest data.
 */
import { MalformedMessage, wireLimits } from "../protocol/codec.js";
import { FrameReader } from "../protocol/frames.js";
import { hostWire } from "../protocol/host-calls.js";
import type {
  HostFailure,
  HostTables,
  LimitWarning,
  ListenerInfo,
  ProcessEnd,
  hostCalls,
  hostEvents,
  kernelHostEvents,
} from "../protocol/host-calls.js";
import type { DecisionList } from "../protocol/decisions.js";
import type { OutwardRequest } from "../protocol/border.js";
import type { Request, Scope } from "../protocol/permissions.js";
import { CallingPort } from "../protocol/port.js";
import { Silence } from "../protocol/silence.js";
import type { EventArgs, EventOf } from "../protocol/port.js";
import type { CallArgs, CallResult } from "../protocol/table.js";
import { failure, invalidOption, kernelError, nameOfCode, printable } from "./errors.js";
import type { SecureExecError } from "./errors.js";
import { KernelProcess } from "./kernel-process.js";
import type { KernelEnd, KernelLink } from "./kernel-link.js";

/** The most bytes of program text or file content one call carries; the rest of a frame is for its other fields. */
export const payloadLimitBytes = 7 * 1024 * 1024;

const startTimeoutMs = 30_000;
/** How long a kernel may say nothing while somebody waits for it. */
export const defaultHeartbeatTimeoutMs = 5000;

/** After its last machine, how long a link waits for answers about it. */
const lastAnswersMs = 1000;

type Calls = typeof hostCalls;
type Events = typeof hostEvents;

/** What a process handle hears. No method may throw. */
export interface ProcessSink {
  /** `data` is valid during the call only. */
  output(stream: number, data: Uint8Array): void;
  exited(end: ProcessEnd, value: Uint8Array): void;
  /** The program took `bytes` of its stdin. */
  stdinTaken(bytes: number): void;
  /** Part of the value that it returns, valid during the call only. */
  value(first: boolean, data: Uint8Array): void;
  residentDone(sequence: number, exitCode: number): void;
  templateReady(): void;
  lost(error: SecureExecError): void;
}

/** What a VM is asked by its kernel. No method may throw. */
export interface VmSink {
  judge(id: number, scope: Scope, requests: Request[]): void;
  /** `more` of the input comes by the next one. */
  toolCall(id: number, name: string, input: Uint8Array, more: boolean): void;
  toolNext(id: number, stream: number, stop: boolean): void;
  toolCancel(id: number): void;
  /** No further call of a tool begins until what this answers is called. */
  holdTools(): () => void;
  outward(id: number, request: OutwardRequest): void;
  /** `data` is valid during the call only. */
  provide(id: number, provider: number, question: string, data: Uint8Array, more: boolean): void;
  provideCancel(id: number): void;
  close(): void;
}

/** A refusal of the kernel as it came over the wire; callers give it a public shape. */
export class KernelRefusal extends Error {
  readonly code: string;
  /** Which of the caller's options it is about, where a worker says so. */
  readonly option: string | undefined;
  constructor(code: string, message: string, option?: string) {
    super(message);
    this.code = code;
    this.option = option;
  }

  /** The errno's name, such as ENOENT, when the refusal is one: as its code, or before the colon of a file error. */
  get errno(): string | undefined {
    const text = this.code === "ERR_SECURE_EXEC_FILE" ? this.message.split(":", 1)[0]! : this.code;
    return /^E[A-Z0-9]+$/.test(text) ? text : undefined;
  }

  toPublic(): SecureExecError {
    const { option } = this;
    return kernelError(this.code, this.message, option === undefined ? undefined : { option });
  }
}

/** Its fields are the other side's: a worker is no more trusted than what it serves. */
function refusalOf(why: Partial<HostFailure>): KernelRefusal {
  const option = typeof why.option === "string" ? printable(why.option) : undefined;
  return new KernelRefusal(String(why.code), String(why.message), option);
}

/** What a machine hears. No method may throw. */
export interface MachineSink {
  listenerAdded(info: ListenerInfo): void;
  listenerRemoved(id: number): void;
  limitWarning(warning: LimitWarning): void;
  draining(timeoutMs: number): void;
  decided(list: DecisionList): void;
  lost(error: SecureExecError): void;
}

export type KernelEvent = EventOf<typeof kernelHostEvents>;

export interface ConnectionOptions {
  /** Default: a kernel process of this host. */
  link?: KernelLink;
  /** How long the kernel may say nothing while somebody waits for it; 0: the link looks after that. */
  heartbeatTimeoutMs?: number;
  /** Gets every event as it came, and nothing is routed. */
  events?: (event: KernelEvent) => void;
}

export class KernelConnection {
  readonly #kernel: KernelLink;
  readonly #reader = new FrameReader();
  readonly #port: CallingPort<HostTables>;
  /** How to fail each call that has no answer yet. */
  readonly #calls = new Set<(error: SecureExecError) => void>();
  readonly #sinks = new Map<number, ProcessSink>();
  readonly #machines = new Map<number, MachineSink>();
  readonly #vms = new Map<number, VmSink>();
  #lastHandle = 0;
  #ready = false;
  #opened = Promise.resolve();
  /** Set as soon as nothing can be sent any more. */
  #broken = false;
  #closeReason: SecureExecError | undefined;
  #malformed: unknown;
  #lost: SecureExecError | undefined;
  readonly #ended: Promise<void>;

  readonly #silence: Silence | undefined;
  readonly #events: ConnectionOptions["events"];

  private constructor({
    link = new KernelProcess(),
    heartbeatTimeoutMs = defaultHeartbeatTimeoutMs,
    events,
  }: ConnectionOptions) {
    this.#kernel = link;
    this.#events = events;
    if (heartbeatTimeoutMs > 0) this.#silence = this.#listenFor(heartbeatTimeoutMs);
    this.#port = this.#newPort();
    link.listen(
      (chunk) => this.#receive(chunk),
      () => {
        this.#broken = true;
      },
    );
    this.#ended = link.ended.then((end) => this.#finish(end));
  }

  #listenFor(heartbeatTimeoutMs: number): Silence {
    return new Silence({
      limitMs: heartbeatTimeoutMs,
      // Waits for nobody: it neither keeps the host alive nor counts as a call.
      ask: () => {
        if (!this.#broken) this.#port.call("ping", {}, () => undefined);
      },
      broken: () => {
        this.#closeReason ??= failure("KERNEL_UNRESPONSIVE", { timeout: heartbeatTimeoutMs });
        this.#breakOff();
      },
      waitedMs: () => this.#kernel.waitedMs(),
    });
  }

  #newPort(): CallingPort<HostTables> {
    return new CallingPort(hostWire, {
      write: (frame) => this.#write(frame),
      event: (event) => this.#event(event),
      own: (view) => new Uint8Array(view),
      unknown: (what) => {
        throw new MalformedMessage(what);
      },
    });
  }

  /** Starts a kernel and awaits its first answer. Rejects with KERNEL_START_FAILED and the engine's errors. */
  static async open(options: ConnectionOptions = {}): Promise<KernelConnection> {
    const connection = KernelConnection.begin(options);
    await connection.opened;
    return connection;
  }

  /** Starts a kernel, which may be called at once: it answers when it is `opened`. Throws the engine's errors. */
  static begin(options: ConnectionOptions = {}): KernelConnection {
    const connection = new KernelConnection(options);
    connection.#opened = connection.#open();
    // Whoever needs the kernel is told.
    connection.#opened.catch(() => undefined);
    return connection;
  }

  /** Rejects with KERNEL_START_FAILED. */
  async #open(): Promise<void> {
    const timer = setTimeout(() => {
      this.#malformed = new Error(`no answer within ${startTimeoutMs} ms`);
      this.#breakOff();
    }, startTimeoutMs);
    try {
      await this.call("ping", {});
      this.#ready = true;
      // Until then the time of a start counts, which is longer.
      this.#kernel.onHeld = (held) => this.#silence?.awaits(held);
      this.#silence?.awaits(this.#calls.size > 0);
    } catch (error) {
      this.#breakOff();
      throw error instanceof KernelRefusal ? error.toPublic() : error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Resolves with the kernel's first answer. */
  get opened(): Promise<void> {
    return this.#opened;
  }

  /** It has answered, and lives. */
  get isOpen(): boolean {
    return this.#ready && this.alive;
  }

  /** Over a way on which somebody else has awaited a kernel already. */
  static over(link: KernelLink): KernelConnection {
    const connection = new KernelConnection({ link, heartbeatTimeoutMs: 0 });
    connection.#ready = true;
    return connection;
  }

  get alive(): boolean {
    return !this.#broken;
  }

  /** How many machines are on this kernel. */
  get machines(): number {
    return this.#machines.size;
  }

  /** A fresh handle for a VM or a process. */
  newHandle(): number {
    return ++this.#lastHandle;
  }

  /** Until the kernel has taken in what was sent by now, no further call of the machine's tools begins. */
  holdTools(vm: number): void {
    const release = this.#vms.get(vm)?.holdTools();
    if (release !== undefined) void this.call("ping", {}).then(release, release);
  }

  /** Sends a call. Rejects with `KernelRefusal` when the kernel refuses it, with a public error when the kernel is gone. */
  call<K extends keyof Calls>(name: K, args: CallArgs<Calls, K>): Promise<CallResult<Calls, K>> {
    return new Promise((resolve, reject) => {
      if (this.#lost) throw this.#lost;
      fitting(name, () =>
        this.#port.call(name, args, (result, refusal) => {
          // One that cannot be read breaks the connection, and the call ends with that.
          const why =
            refusal === undefined ? {} : (JSON.parse(refusal.json) as Partial<HostFailure>);
          this.#calls.delete(reject);
          this.#kernel.release();
          if (this.#calls.size === 0) this.#leave();
          if (result !== undefined) resolve(result);
          else reject(refusalOf(why));
        }),
      );
      this.#calls.add(reject);
      this.#kernel.hold();
    });
  }

  /** Sends an event. Without effect when the kernel is gone; throws INVALID_OPTION when it fits no frame. */
  send<K extends keyof Events>(name: K, args: EventArgs<Events, K>): void {
    if (!this.#broken) fitting(name, () => this.#port.send(name, args));
  }

  #write(frame: Buffer): void {
    // A write into a closed socket only errs; the end itself is noticed elsewhere.
    if (!this.#broken) this.#kernel.write(frame);
  }

  /** Routes what concerns `handle` to `sink` until `detach`, and keeps the event loop alive meanwhile. */
  attach(handle: number, sink: ProcessSink): void {
    this.#sinks.set(handle, sink);
    this.#kernel.hold();
  }

  detach(handle: number): void {
    if (this.#sinks.delete(handle)) this.#kernel.release();
  }

  /** Routes what concerns a machine to `sink`; does not keep the event loop alive. */
  attachMachine(vm: number, sink: MachineSink): void {
    this.#machines.set(vm, sink);
  }

  detachMachine(vm: number): void {
    this.#machines.delete(vm);
    this.#leave();
    // Whatever is not answered by then will not be.
    if (!this.#kernel.shared) setTimeout(() => this.#leave(true), lastAnswersMs).unref();
  }

  /** Ends a link that is for its machines only, once they are gone and what was asked of them is answered. */
  #leave(atOnce = false): void {
    if (this.#kernel.shared || this.#machines.size > 0) return;
    if (atOnce || this.#calls.size === 0) void this.close(failure("DISPOSED", { what: "runtime" }));
  }

  /** Keeps the event loop alive until the answer is called. */
  hold(): () => void {
    this.#kernel.hold();
    let held = true;
    return () => {
      if (held) this.#kernel.release();
      held = false;
    };
  }

  /** Routes what the kernel asks about `vm` to `sink` until `detachVm`. Does not keep the event loop alive. */
  attachVm(vm: number, sink: VmSink): void {
    this.#vms.set(vm, sink);
  }

  detachVm(vm: number): void {
    this.#vms.get(vm)?.close();
    this.#vms.delete(vm);
  }

  /** Ends the kernel; whatever is pending fails with `reason`. Resolves when its process is gone. */
  close(reason: SecureExecError): Promise<void> {
    this.#closeReason ??= reason;
    if (!this.#broken) {
      this.#broken = true;
      this.#kernel.hold();
      this.#kernel.close();
    }
    return this.#ended;
  }

  #breakOff(): void {
    this.#broken = true;
    this.#kernel.close();
    this.#kernel.kill();
  }

  #receive(chunk: Buffer): void {
    if (this.#broken) return;
    this.#silence?.heard();
    try {
      this.#reader.push(chunk, (frame) => this.#port.take(frame));
    } catch (error) {
      this.#malformed = error;
      this.#breakOff();
    }
  }

  #event(event: KernelEvent): void {
    if (this.#events !== undefined) return this.#events(event);
    const { name, args } = event;
    switch (name) {
      case "output":
        return this.#sinks.get(args.process)?.output(args.stream, args.data);
      case "exit": {
        const end = JSON.parse(args.end) as ProcessEnd;
        if (!Number.isInteger(end.exitCode))
          throw new MalformedMessage("end of a process without an exit code");
        return this.#sinks.get(args.process)?.exited(end, new Uint8Array(args.value));
      }
      case "value":
        return this.#sinks.get(args.process)?.value(args.first, args.data);
      case "stdinCredit":
        return this.#sinks.get(args.process)?.stdinTaken(args.bytes);
      case "templateReady":
        return this.#sinks.get(args.process)?.templateReady();
      case "residentDone":
        return this.#sinks.get(args.process)?.residentDone(args.sequence, args.exitCode);
      case "listenerAdded":
        return this.#machines
          .get(args.vm)
          ?.listenerAdded(JSON.parse(args.listener) as ListenerInfo);
      case "listenerRemoved":
        return this.#machines.get(args.vm)?.listenerRemoved(args.id);
      case "limitWarning":
        return this.#machines.get(args.vm)?.limitWarning(JSON.parse(args.warning) as LimitWarning);
      case "draining":
        return this.#machines.get(args.vm)?.draining(args.timeoutMs);
      case "decisions":
        this.#machines.get(args.vm)?.decided(JSON.parse(args.list) as DecisionList);
        return this.send("decisionsTaken", { vm: args.vm });
      case "judge": {
        const requests = JSON.parse(args.requests) as Request[];
        return this.#vms.get(args.vm)?.judge(args.id, args.scope as Scope, requests);
      }
      case "toolCall":
        return this.#vms
          .get(args.vm)
          ?.toolCall(args.id, args.name, new Uint8Array(args.input), args.more);
      case "outward":
        return this.#vms.get(args.vm)?.outward(args.id, JSON.parse(args.request) as OutwardRequest);
      case "toolNext":
        return this.#vms.get(args.vm)?.toolNext(args.id, args.stream, args.stop);
      case "toolCancel":
        return this.#vms.get(args.vm)?.toolCancel(args.id);
      case "provide": {
        const { id, provider, question, data, more } = args;
        return this.#vms.get(args.vm)?.provide(id, provider, question, data, more);
      }
      case "provideCancel":
        return this.#vms.get(args.vm)?.provideCancel(args.id);
    }
  }

  #finish(end: KernelEnd): void {
    this.#broken = true;
    this.#silence?.awaits(false);
    this.#kernel.close();
    const error = this.#closeReason ?? this.#endError(end);
    this.#lost = error;
    this.#port.abandon();
    for (const reject of this.#calls) {
      this.#kernel.release();
      reject(error);
    }
    this.#calls.clear();
    // On one that never answered there was no machine.
    if (this.#ready) for (const machine of this.#machines.values()) machine.lost(error);
    this.#machines.clear();
    for (const [handle, sink] of this.#sinks) {
      this.detach(handle);
      sink.lost(error);
    }
    for (const vm of this.#vms.keys()) this.detachVm(vm);
  }

  #endError(end: KernelEnd): SecureExecError {
    if (end.error !== undefined) return end.error;
    // A kernel that knows why it cannot go on says so in its last words: `<code>: <message>`.
    const said = /^(ERR_SECURE_EXEC_[A-Z_]+): (.*)$/m.exec(end.stderr);
    const details = { stderr: end.stderr, exitCode: end.exitCode, signal: end.signal };
    if (!this.#ready && said && nameOfCode(said[1]!))
      return kernelError(said[1]!, said[2]!, details);
    const cause = end.spawnError ?? this.#malformed;
    const why =
      cause !== undefined
        ? String(cause)
        : end.signal !== null
          ? `signal ${end.signal}`
          : [`exit code ${end.exitCode ?? "unknown"}`, ...thrownLine(end.stderr)].join(": ");
    const name = this.#ready ? "KERNEL_LOST" : "KERNEL_START_FAILED";
    return failure(
      name,
      { why: printable(why) },
      cause === undefined ? { details } : { cause, details },
    );
  }
}

/** What an engine that ended by an uncaught error says that it was: the first line before the stack. */
const thrownLine = (stderr: string): string[] => /^\w*Error\b.*$/m.exec(stderr) ?? [];

/** Runs `send`; what fits no frame is an option that is too large. */
function fitting(name: string, send: () => void): void {
  try {
    send();
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw invalidOption(
      name,
      `is too large for one message of at most ${wireLimits.frameBytes} bytes`,
    );
  }
}
