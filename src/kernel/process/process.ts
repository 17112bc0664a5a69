/**
 * Owns one process of a VM: its descriptors, its output and input windows, the
 * value it returned and how it ended. The OS process behind it is a `Guest`.
 *
 * Invariants: `finish` runs exactly once; a process that never said how it ended
 * gets its status from the OS, and an unknown outcome is an error, never 0.
 * Untrusted: every frame and every byte of output.
 */
import { constants } from "node:os";
import { Errno } from "../../abi/errno.js";
import { Decoder, MalformedMessage } from "../../protocol/codec.js";
import type { Message, Schema } from "../../protocol/codec.js";
import { FrameKind, encodeFrame, guestFailure } from "../../protocol/frames.js";
import type { Frame } from "../../protocol/frames.js";
import { guestCalls, guestEvents, kernelEvents } from "../../protocol/guest-calls.js";
import type { StartOptions } from "../../protocol/guest-calls.js";
import type { ProcessEnd } from "../../protocol/host-calls.js";
import { byNumber } from "../../protocol/table.js";
import type { Guest } from "../../launcher/fork.js";
import type { Credentials, OpenFile } from "../fs/index.js";
import { limits } from "../limits.js";
import { Deferred } from "../io/deferred.js";
import { Denial } from "../policy/decision.js";
import { dispatch } from "../syscalls/dispatch.js";
import type { Vm } from "../vm.js";
import { describeDeath } from "./death.js";

const callsByNumber = byNumber<(typeof guestCalls)[keyof typeof guestCalls]>(guestCalls);
const eventsByNumber = byNumber<(typeof guestEvents)[keyof typeof guestEvents]>(guestEvents);
const SIGKILL = constants.signals.SIGKILL;
/** Signals whose default action is to do nothing; signal(7). */
const ignoredByDefault = new Set([
  constants.signals.SIGCHLD,
  constants.signals.SIGURG,
  constants.signals.SIGWINCH,
  constants.signals.SIGCONT,
]);

export interface ProcessSink {
  output(stream: number, data: Uint8Array): void;
  residentDone(sequence: number, exitCode: number): void;
  ended(end: ProcessEnd, value: Uint8Array): void;
}

export interface ProcessSettings {
  pid: number;
  ppid: number;
  stdin: boolean;
  stdoutLimitBytes: number;
  stderrLimitBytes: number;
}

const nothing = new Uint8Array(0);

export class Process {
  readonly vm: Vm;
  readonly pid: number;
  readonly ppid: number;
  readonly credentials: Credentials;
  readonly openFiles = new Map<number, OpenFile>();
  readonly limits = { openFiles: limits.openFiles };
  /** Calls that wait for their answer. */
  readonly #pending = new Set<{ cancel(): void }>();
  #pendingBytes = 0;
  get policy(): Vm["policy"] {
    return this.vm.policy;
  }
  get fs(): Vm["fs"] {
    return this.vm.fs;
  }
  readonly #settings: ProcessSettings;
  readonly #sink: ProcessSink;
  readonly #handled = new Set<number>();
  readonly #forwarded = [0, 0, 0];
  readonly #window = [0, limits.outputWindowBytes, limits.outputWindowBytes];
  readonly #truncated = [false, false, false];
  #guest: Guest | undefined;
  #finished = false;
  #killedBy = 0;
  #violation: string | undefined;
  #returned: Pick<ProcessEnd, "returned" | "returnPath" | "returnReason"> = { returned: "none" };
  #value: Uint8Array = nothing;
  #stdin: Buffer[] = [];
  readonly #snippets: { sequence: number; source: string }[] = [];
  #stdinBytes = 0;
  #stdinWindow = limits.stdinWindowBytes;
  #stdinClosed = false;
  #stdinEndSent = false;

  constructor(vm: Vm, credentials: Credentials, settings: ProcessSettings, sink: ProcessSink) {
    this.vm = vm;
    this.pid = settings.pid;
    this.ppid = settings.ppid;
    this.credentials = credentials;
    this.#settings = settings;
    this.#sink = sink;
    this.#stdinClosed = !settings.stdin;
  }

  get ended(): boolean {
    return this.#finished;
  }

  /** Gives the process its OS process and starts it. */
  start(guest: Guest, options: StartOptions, source: Uint8Array): void {
    if (this.#finished) return guest.end();
    this.#guest = guest;
    guest.attach({
      frame: (frame) => this.#frame(frame),
      violation: (reason) => {
        this.#violation ??= reason;
      },
      ended: (status, stderr) => this.#osEnded(status, stderr),
    });
    this.#send("start", { options: JSON.stringify(options), source });
    this.#flushStdin();
    for (const snippet of this.#snippets.splice(0)) this.#send("residentExec", snippet);
    // A signal that came before the start.
    if (this.#killedBy !== 0) this.#end();
  }

  /** No OS process could be had. */
  failStart(errorCode: string, errorMessage: string): void {
    this.#finish({ exitCode: 1, signal: 0, errorCode, errorMessage });
  }

  writeStdin(data: Uint8Array): void {
    if (this.#stdinClosed || this.#finished) return;
    this.#stdinBytes += data.byteLength;
    if (this.#stdinBytes > limits.stdinBufferBytes) {
      // The rest cannot be delivered: the program would read a hole.
      this.#violation = `stdin buffer is over ${limits.stdinBufferBytes} bytes`;
      this.#end();
      return;
    }
    this.#stdin.push(Buffer.from(data));
    this.#flushStdin();
  }

  closeStdin(): void {
    this.#stdinClosed = true;
    this.#flushStdin();
  }

  /** The host took `bytes` of a stream's output. */
  credit(stream: number, bytes: number): void {
    if (stream !== 1 && stream !== 2) return;
    this.#grant(stream, bytes);
  }

  residentExec(sequence: number, source: string): void {
    // Before its guest exists the snippet waits, as stdin does.
    if (this.#guest === undefined) this.#snippets.push({ sequence, source });
    else this.#send("residentExec", { sequence, source });
  }

  /** kill(2): a handler in the guest, or the default action. Answers 0 or -errno. */
  signal(signal: number): number {
    if (this.#finished) return -Errno.ESRCH;
    if (signal === 0) return 0;
    if (signal < 0 || signal > 64) return -Errno.EINVAL;
    if (signal !== SIGKILL && this.#handled.has(signal)) {
      this.#send("signal", { signal });
      return 0;
    }
    if (ignoredByDefault.has(signal)) return 0;
    this.#killedBy = signal;
    if (this.#guest !== undefined) this.#end();
    return 0;
  }

  #end(): void {
    this.#guest?.end();
  }

  #send<K extends keyof typeof kernelEvents>(
    name: K,
    args: Message<(typeof kernelEvents)[K]["args"]>,
  ): void {
    const spec = kernelEvents[name];
    this.#guest?.send(
      encodeFrame(FrameKind.event, 0, spec.nr, spec.args as Schema, args as Message<Schema>),
    );
  }

  #flushStdin(): void {
    if (this.#guest === undefined) return;
    while (this.#stdin.length > 0 && this.#stdinWindow > 0) {
      const first = this.#stdin[0]!;
      const part = first.subarray(0, Math.min(this.#stdinWindow, 64 * 1024));
      if (part.length === first.length) this.#stdin.shift();
      else this.#stdin[0] = first.subarray(part.length);
      this.#stdinWindow -= part.length;
      this.#stdinBytes -= part.length;
      this.#send("stdin", { data: part });
    }
    if (this.#stdinClosed && this.#stdin.length === 0 && !this.#stdinEndSent) {
      this.#stdinEndSent = true;
      this.#send("stdinEnd", {});
    }
  }

  #frame(frame: Frame): void {
    if (frame.kind === FrameKind.call) return this.#call(frame);
    if (frame.kind !== FrameKind.event) throw new MalformedMessage(`frame kind ${frame.kind}`);
    const entry = eventsByNumber.get(frame.number);
    if (entry === undefined) throw new MalformedMessage(`event ${frame.number} does not exist`);
    const args = new Decoder(frame.payload).message(entry.spec.args as Schema) as any;
    this.#event(entry.name as keyof typeof guestEvents, args);
  }

  #call(frame: Frame): void {
    const entry = callsByNumber.get(frame.number);
    if (entry === undefined)
      throw new MalformedMessage(`system call ${frame.number} does not exist`);
    const args = new Decoder(frame.payload).message(entry.spec.args as Schema);
    const { id, number } = frame;
    const result: unknown = dispatch(this, entry.name as keyof typeof guestCalls, args as never);
    if (!(result instanceof Deferred)) {
      this.#reply(id, number, entry.spec.result, result);
      return;
    }
    const bytes = frame.payload.length;
    if (
      this.#pending.size >= limits.pendingCalls ||
      this.#pendingBytes + bytes > limits.pendingCallBytes
    ) {
      result.cancel();
      this.#reply(id, number, entry.spec.result, -Errno.EAGAIN);
      return;
    }
    this.#pending.add(result);
    this.#pendingBytes += bytes;
    result.whenSettled((late) => {
      this.#pending.delete(result);
      this.#pendingBytes -= bytes;
      if (this.#finished) return;
      try {
        this.#reply(id, number, entry.spec.result, late);
      } catch (error) {
        // Nobody above this frame answers for the guest.
        this.#violation ??= error instanceof Error ? error.message : String(error);
        this.#end();
      }
    });
  }

  #reply(id: number, number: number, schema: Schema, result: unknown): void {
    const failure =
      typeof result === "number"
        ? { errno: -result, message: "" }
        : result instanceof Denial
          ? { errno: -result.errno, message: result.message }
          : undefined;
    const reply =
      failure === undefined
        ? encodeFrame(FrameKind.reply, id, number, schema, result as Message<Schema>)
        : encodeFrame(FrameKind.failure, id, number, guestFailure, failure);
    const guest = this.#guest!;
    if (!guest.send(reply) && guest.bufferedBytes > limits.replyBacklogBytes) {
      throw new MalformedMessage("replies are not being read");
    }
  }

  #event(name: keyof typeof guestEvents, args: any): void {
    switch (name) {
      case "output":
        return this.#output(args.fd as number, args.data as Uint8Array);
      case "exit":
        // What the process does after this does not count; the OS process is ended in any case.
        this.#guest!.end();
        return this.#finish({ exitCode: (args.code as number) & 0xff, signal: 0 });
      case "returnValue": {
        const json = args.json as Uint8Array;
        if (json.byteLength > limits.returnValueBytes)
          throw new MalformedMessage("returned value is too large");
        this.#value = Buffer.from(json);
        this.#returned = { returned: "json" };
        return;
      }
      case "returnFailure":
        this.#value = nothing;
        this.#returned = {
          returned: "failure",
          returnPath: String(args.path).slice(0, 1024),
          returnReason: String(args.reason).slice(0, 256),
        };
        return;
      case "residentDone":
        return this.#sink.residentDone(args.sequence as number, args.exitCode as number);
      case "stdinCredit":
        this.#stdinWindow = Math.min(
          limits.stdinWindowBytes,
          this.#stdinWindow + (args.bytes as number),
        );
        return this.#flushStdin();
      case "signalHandler":
        if (args.signal > 64) throw new MalformedMessage("signal number");
        if (args.handled) this.#handled.add(args.signal as number);
        else this.#handled.delete(args.signal as number);
        return;
      case "ready":
        throw new MalformedMessage("ready after start");
    }
  }

  #output(stream: number, data: Uint8Array): void {
    if (stream !== 1 && stream !== 2) throw new MalformedMessage(`output stream ${stream}`);
    const size = data.byteLength;
    this.#window[stream]! -= size;
    if (this.#window[stream]! < 0) throw new MalformedMessage("output beyond the window");
    this.#forward(stream, data);
  }

  #forward(stream: number, data: Uint8Array): void {
    const limit = stream === 1 ? this.#settings.stdoutLimitBytes : this.#settings.stderrLimitBytes;
    const room = limit === 0 ? data.byteLength : Math.max(0, limit - this.#forwarded[stream]!);
    const part = room < data.byteLength ? data.subarray(0, room) : data;
    if (part.byteLength < data.byteLength) this.#truncated[stream] = true;
    this.#forwarded[stream]! += part.byteLength;
    if (part.byteLength > 0) this.#sink.output(stream, part);
    // Nobody will ever take what was dropped, so it is credited here.
    if (part.byteLength < data.byteLength) this.#grant(stream, data.byteLength - part.byteLength);
  }

  #grant(stream: number, bytes: number): void {
    this.#window[stream] = Math.min(limits.outputWindowBytes, this.#window[stream]! + bytes);
    if (!this.#finished) this.#send("credit", { fd: stream, bytes });
  }

  #osEnded(status: number, stderr: string): void {
    if (this.#finished) return;
    if (this.#killedBy !== 0) {
      this.#finish({ exitCode: 128 + this.#killedBy, signal: this.#killedBy });
      return;
    }
    if (this.#violation !== undefined) {
      this.#finish({
        exitCode: 128 + SIGKILL,
        signal: SIGKILL,
        errorCode: "ERR_SECURE_EXEC_PROTOCOL_VIOLATION",
        errorMessage: `the guest broke the protocol and was ended: ${this.#violation}`,
      });
      return;
    }
    const death = describeDeath(status, stderr.slice(0, limits.stderrReportBytes));
    if (death.stderr !== "") this.#forward(2, Buffer.from(death.stderr));
    this.#finish(death.end);
  }

  #finish(end: Pick<ProcessEnd, "exitCode" | "signal" | "errorCode" | "errorMessage">): void {
    if (this.#finished) return;
    this.#finished = true;
    for (const call of this.#pending) call.cancel();
    this.#pending.clear();
    for (const file of this.openFiles.values()) file.unref();
    this.openFiles.clear();
    this.vm.processes.delete(this.pid);
    this.#stdin = [];
    this.#sink.ended(
      {
        ...end,
        ...this.#returned,
        stdoutTruncated: this.#truncated[1]!,
        stderrTruncated: this.#truncated[2]!,
      },
      this.#value,
    );
  }
}
