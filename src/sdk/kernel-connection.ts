/**
 * Owns the conversation with one kernel process: calls and their replies, events
 * and the process handles they are routed by, and what happens when it breaks.
 *
 * Invariants: every call settles exactly once; after the end every call and every
 * attached process has been told so; the host's event loop is kept alive only
 * while a call is pending or a process is attached.
 * Untrusted: the kernel is trusted to be honest, not to be flawless: a malformed
 * frame ends the connection. Bytes inside frames (output, values) are guest data.
 */
import { Decoder, MalformedMessage, wireLimits } from "../protocol/codec.js";
import { encodeFrame, FrameKind, FrameReader } from "../protocol/frames.js";
import type { Frame } from "../protocol/frames.js";
import { hostCalls, hostEvents, kernelHostEvents } from "../protocol/host-calls.js";
import type { HostFailure, ListenerInfo, ProcessEnd } from "../protocol/host-calls.js";
import type { Request, Scope } from "../protocol/permissions.js";
import type { CallArgs, CallResult, CallSpec } from "../protocol/table.js";
import type { Message } from "../protocol/codec.js";
import { failure, invalidOption, kernelError, nameOfCode, printable } from "./errors.js";
import type { SecureExecError } from "./errors.js";
import { KernelProcess } from "./kernel-process.js";
import type { KernelEnd } from "./kernel-process.js";

/** The most bytes of program text or file content one call carries; the rest of a frame is for its other fields. */
export const payloadLimitBytes = 7 * 1024 * 1024;

const startTimeoutMs = 30_000;
const failureSchema = { json: "string" } as const;

type Calls = typeof hostCalls;
type Events = typeof hostEvents;

/** What a process handle hears. No method may throw. */
export interface ProcessSink {
  /** `data` is valid during the call only. */
  output(stream: number, data: Uint8Array): void;
  exited(end: ProcessEnd, value: Uint8Array): void;
  /** The program took `bytes` of its stdin. */
  stdinTaken(bytes: number): void;
  residentDone(sequence: number, exitCode: number): void;
  lost(error: SecureExecError): void;
}

/** What a VM is asked by its kernel. No method may throw. */
export interface VmSink {
  judge(id: number, scope: Scope, requests: Request[]): void;
  toolCall(id: number, name: string, input: Uint8Array): void;
  toolCancel(id: number): void;
  close(): void;
}

interface PendingCall {
  spec: CallSpec;
  resolve: (result: never) => void;
  reject: (error: SecureExecError) => void;
}

/** A refusal of the kernel as it came over the wire; callers give it a public shape. */
export class KernelRefusal extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }

  /** The errno's name, such as ENOENT, when the refusal is one: as its code, or before the colon of a file error. */
  get errno(): string | undefined {
    const text = this.code === "ERR_SECURE_EXEC_FILE" ? this.message.split(":", 1)[0]! : this.code;
    return /^E[A-Z0-9]+$/.test(text) ? text : undefined;
  }

  toPublic(): SecureExecError {
    return kernelError(this.code, this.message);
  }
}

/** What a machine hears. No method may throw. */
export interface MachineSink {
  listenerAdded(info: ListenerInfo): void;
  listenerRemoved(id: number): void;
  lost(error: SecureExecError): void;
}

export class KernelConnection {
  readonly #kernel: KernelProcess;
  readonly #reader = new FrameReader();
  readonly #calls = new Map<number, PendingCall>();
  readonly #sinks = new Map<number, ProcessSink>();
  readonly #machines = new Map<number, MachineSink>();
  readonly #vms = new Map<number, VmSink>();
  #lastCall = 0;
  #lastHandle = 0;
  #ready = false;
  /** Set as soon as nothing can be sent any more. */
  #broken = false;
  #closeReason: SecureExecError | undefined;
  #malformed: unknown;
  #lost: SecureExecError | undefined;
  readonly #ended: Promise<void>;

  private constructor() {
    this.#kernel = new KernelProcess();
    const { socket } = this.#kernel;
    socket?.on("data", (chunk: Buffer) => this.#receive(chunk));
    socket?.on("error", () => {});
    socket?.on("close", () => {
      this.#broken = true;
    });
    this.#ended = this.#kernel.ended.then((end) => this.#finish(end));
  }

  /** Starts a kernel and awaits its first answer. Rejects with KERNEL_START_FAILED and the engine's errors. */
  static async open(): Promise<KernelConnection> {
    const connection = new KernelConnection();
    const timer = setTimeout(() => {
      connection.#malformed = new Error(`no answer within ${startTimeoutMs} ms`);
      connection.#breakOff();
    }, startTimeoutMs);
    try {
      await connection.call("ping", {});
      connection.#ready = true;
      return connection;
    } catch (error) {
      connection.#breakOff();
      throw error instanceof KernelRefusal ? error.toPublic() : error;
    } finally {
      clearTimeout(timer);
    }
  }

  get alive(): boolean {
    return !this.#broken;
  }

  /** A fresh handle for a VM or a process. */
  newHandle(): number {
    return ++this.#lastHandle;
  }

  /** Sends a call. Rejects with `KernelRefusal` when the kernel refuses it, with a public error when the kernel is gone. */
  call<K extends keyof Calls>(name: K, args: CallArgs<Calls, K>): Promise<CallResult<Calls, K>> {
    return new Promise((resolve, reject) => {
      if (this.#lost) throw this.#lost;
      const spec: CallSpec = hostCalls[name];
      do this.#lastCall = (this.#lastCall + 1) >>> 0;
      while (this.#lastCall === 0 || this.#calls.has(this.#lastCall));
      const id = this.#lastCall;
      const frame = encode(FrameKind.call, id, spec, args, name);
      this.#calls.set(id, { spec, resolve: resolve as (result: never) => void, reject });
      this.#kernel.hold();
      this.#write(frame);
    });
  }

  /** Sends an event. Without effect when the kernel is gone; throws INVALID_OPTION when it fits no frame. */
  send<K extends keyof Events>(name: K, args: Message<Events[K]["args"]>): void {
    if (!this.#broken) this.#write(encode(FrameKind.event, 0, hostEvents[name], args, name));
  }

  #write(frame: Buffer): void {
    // A write into a closed socket only errs; the end itself is noticed elsewhere.
    if (!this.#broken) this.#kernel.socket.write(frame);
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
      // End of file is the kernel's order to stop; what does not stop is killed a second later.
      this.#kernel.socket.destroy();
    }
    return this.#ended;
  }

  #breakOff(): void {
    this.#broken = true;
    this.#kernel.socket?.destroy();
    this.#kernel.kill();
  }

  #receive(chunk: Buffer): void {
    if (this.#broken) return;
    try {
      this.#reader.push(chunk, (frame) => this.#dispatch(frame));
    } catch (error) {
      this.#malformed = error;
      this.#breakOff();
    }
  }

  #dispatch(frame: Frame): void {
    if (frame.kind === FrameKind.event) return this.#event(frame);
    const pending = this.#calls.get(frame.id);
    if (!pending) throw new MalformedMessage("reply to no call");
    const decoder = new Decoder(frame.payload);
    if (frame.kind === FrameKind.reply) {
      const result = ownBytes(decoder.message(pending.spec.result));
      this.#settled(frame.id);
      pending.resolve(result as never);
    } else if (frame.kind === FrameKind.failure) {
      const { code, message } = JSON.parse(
        decoder.message(failureSchema).json,
      ) as Partial<HostFailure>;
      this.#settled(frame.id);
      pending.reject(
        new KernelRefusal(String(code), String(message)) as unknown as SecureExecError,
      );
    } else {
      throw new MalformedMessage(`frame of kind ${frame.kind}`);
    }
  }

  #settled(id: number): void {
    this.#calls.delete(id);
    this.#kernel.release();
  }

  #event(frame: Frame): void {
    const decoder = new Decoder(frame.payload);
    switch (frame.number) {
      case kernelHostEvents.output.nr: {
        const { process, stream, data } = decoder.message(kernelHostEvents.output.args);
        this.#sinks.get(process)?.output(stream, data);
        return;
      }
      case kernelHostEvents.exit.nr: {
        const { process, end, value } = decoder.message(kernelHostEvents.exit.args);
        const parsed = JSON.parse(end) as ProcessEnd;
        if (!Number.isInteger(parsed.exitCode))
          throw new MalformedMessage("end of a process without an exit code");
        this.#sinks.get(process)?.exited(parsed, new Uint8Array(value));
        return;
      }
      case kernelHostEvents.stdinCredit.nr: {
        const { process, bytes } = decoder.message(kernelHostEvents.stdinCredit.args);
        this.#sinks.get(process)?.stdinTaken(bytes);
        return;
      }
      case kernelHostEvents.residentDone.nr: {
        const { process, sequence, exitCode } = decoder.message(kernelHostEvents.residentDone.args);
        this.#sinks.get(process)?.residentDone(sequence, exitCode);
        return;
      }
      case kernelHostEvents.listenerAdded.nr: {
        const { vm, listener } = decoder.message(kernelHostEvents.listenerAdded.args);
        this.#machines.get(vm)?.listenerAdded(JSON.parse(listener) as ListenerInfo);
        return;
      }
      case kernelHostEvents.listenerRemoved.nr: {
        const { vm, id } = decoder.message(kernelHostEvents.listenerRemoved.args);
        this.#machines.get(vm)?.listenerRemoved(id);
        return;
      }
      case kernelHostEvents.judge.nr: {
        const { vm, id, scope, requests } = decoder.message(kernelHostEvents.judge.args);
        this.#vms.get(vm)?.judge(id, scope as Scope, JSON.parse(requests) as Request[]);
        return;
      }
      case kernelHostEvents.toolCall.nr: {
        const { vm, id, name, input } = decoder.message(kernelHostEvents.toolCall.args);
        this.#vms.get(vm)?.toolCall(id, name, new Uint8Array(input));
        return;
      }
      case kernelHostEvents.toolCancel.nr: {
        const { vm, id } = decoder.message(kernelHostEvents.toolCancel.args);
        this.#vms.get(vm)?.toolCancel(id);
        return;
      }
      default:
        throw new MalformedMessage(`event number ${frame.number}`);
    }
  }

  #finish(end: KernelEnd): void {
    this.#broken = true;
    this.#kernel.socket?.destroy();
    const error = this.#closeReason ?? this.#endError(end);
    this.#lost = error;
    for (const [id, pending] of this.#calls) {
      this.#settled(id);
      pending.reject(error);
    }
    for (const machine of this.#machines.values()) machine.lost(error);
    this.#machines.clear();
    for (const [handle, sink] of this.#sinks) {
      this.detach(handle);
      sink.lost(error);
    }
    for (const vm of this.#vms.keys()) this.detachVm(vm);
  }

  #endError(end: KernelEnd): SecureExecError {
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
          : `exit code ${end.exitCode ?? "unknown"}`;
    const name = this.#ready ? "KERNEL_LOST" : "KERNEL_START_FAILED";
    return failure(
      name,
      { why: printable(why) },
      cause === undefined ? { details } : { cause, details },
    );
  }
}

function encode(
  kind: number,
  id: number,
  spec: Pick<CallSpec, "nr" | "args">,
  args: Readonly<Record<string, unknown>>,
  name: string,
): Buffer {
  try {
    return encodeFrame(kind, id, spec.nr, spec.args, args as Message<typeof spec.args>);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw invalidOption(
      name,
      `is too large for one message of at most ${wireLimits.frameBytes} bytes`,
    );
  }
}

/** Copies byte fields out of the reader's memory. */
function ownBytes(message: Record<string, unknown>): Record<string, unknown> {
  for (const [name, value] of Object.entries(message)) {
    if (value instanceof Uint8Array) message[name] = new Uint8Array(value);
  }
  return message;
}
