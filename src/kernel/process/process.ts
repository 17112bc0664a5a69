/**
 * Owns one process of a VM: its descriptors, signals, pending system calls, the
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
import type { GuestSocket } from "../../launcher/guest-socket.js";
import type { Credentials } from "../fs/index.js";
import { Deferred } from "../io/deferred.js";
import { FlowTable } from "../io/flow.js";
import { HostOutput } from "../io/host-stream.js";
import { WaitQueue } from "../io/wait-queue.js";
import { limits } from "../limits.js";
import { Denial } from "../policy/decision.js";
import { dispatch } from "../syscalls/dispatch.js";
import type { Vm } from "../machine/vm.js";
import type { RunBudget } from "./run-budget.js";
import { DescriptorTable } from "./descriptors.js";
import { WatchList } from "./watches.js";
import { describeDeath } from "./death.js";
import { usageOf } from "./usage.js";
import type { CpuTime, Usage } from "./usage.js";

const callsByNumber = byNumber<(typeof guestCalls)[keyof typeof guestCalls]>(guestCalls);
const eventsByNumber = byNumber<(typeof guestEvents)[keyof typeof guestEvents]>(guestEvents);
const { SIGKILL, SIGPIPE, SIGCHLD, SIGURG, SIGWINCH, SIGCONT } = constants.signals;
/** Signals whose default action is to do nothing; signal(7). */
const ignoredByDefault = new Set<number>([SIGCHLD, SIGURG, SIGWINCH, SIGCONT]);

/** How a process ended, as far as other processes may know; wait(2). */
export interface ExitStatus {
  /** Exit code, or 0 when a signal ended it. */
  code: number;
  /** Signal number, or 0. */
  signal: number;
}

export type Ending = Pick<ProcessEnd, "exitCode" | "signal" | "errorCode" | "errorMessage">;
export type Returned = Pick<ProcessEnd, "returned" | "returnPath" | "returnReason">;

/** What the one who started a program from the host wants to know. */
export interface ProcessSink {
  residentDone(sequence: number, exitCode: number): void;
  ended(end: Ending & Returned, value: Uint8Array): void;
}

export interface ProcessSettings {
  pid: number;
  ppid: number;
  processGroup: number;
  session: number;
  /** What `ps` shows. */
  argv: readonly string[];
  /** Signals that are ignored from the start: SIGPIPE in every Node process. */
  ignored: readonly number[];
  /** The time of the run it belongs to. */
  budget: RunBudget;
  /** Those of them that the one who started it asked for. */
  inheritedIgnored: readonly number[];
  /** RLIMIT_NOFILE; at most that of the VM. */
  openFilesLimit?: number;
  /** What its arguments and environment occupy, when a guest chose them. */
  textBytes?: number;
}

const nothing = new Uint8Array(0);
const zombieNameChars = 256;
const nothingUsed: Usage = Object.freeze({ userUs: 0, systemUs: 0, rssBytes: 0 });

/** One thread of the process: where its frames come from, its replies go to, and its output windows. */
interface Thread {
  readonly socket: GuestSocket;
  readonly window: number[];
  /** Its system calls that wait for an answer. */
  readonly calls: Set<{ cancel(): void }>;
  readonly flows: FlowTable;
}

function cancelCalls(thread: Thread): void {
  for (const call of thread.calls) call.cancel();
  thread.calls.clear();
  thread.flows.closeAll();
}

export class Process {
  readonly vm: Vm;
  readonly pid: number;
  ppid: number;
  processGroup: number;
  session: number;
  /** -20 to 19, as getpriority(2) tells it. Only kept and handed down: guests share the host's CPUs evenly. */
  nice = 0;
  argv: readonly string[];
  /** What is on the account for its arguments and environment. */
  textBytes: number;
  readonly startedAtMs = Date.now();
  readonly credentials: Credentials;
  readonly descriptors: DescriptorTable;
  /** CPU time of the children it has waited for, and of theirs; times(2). */
  readonly childTime: CpuTime = { userUs: 0, systemUs: 0 };
  #used: Usage | undefined;
  get policy(): Vm["policy"] {
    return this.vm.policy;
  }
  /** Woken when the process has ended. */
  readonly exited = new WaitQueue();
  get account(): Vm["account"] {
    return this.vm.account;
  }
  get fs(): Vm["fs"] {
    return this.vm.fs;
  }
  readonly watches: WatchList;
  /** What its OS process was told, once it has one. */
  startOptions: StartOptions | undefined;
  readonly #sink: ProcessSink | undefined;
  readonly #handled = new Set<number>();
  readonly inheritedIgnored: readonly number[];
  readonly budget: RunBudget;
  readonly #ignored: Set<number>;
  readonly #threads = new Set<Thread>();
  readonly #snippets: { sequence: number; source: string }[] = [];
  #guest: Guest | undefined;
  #status: ExitStatus | undefined;
  #killedBy = 0;
  #violation: string | undefined;
  #returned: Returned = { returned: "none" };
  #value: Uint8Array = nothing;

  /** `sink` is there for programs that the host started. */
  constructor(vm: Vm, credentials: Credentials, settings: ProcessSettings, sink?: ProcessSink) {
    this.vm = vm;
    this.watches = new WatchList(vm.limits.watches, vm.account, (event) =>
      this.#tellThreads("fileEvent", event),
    );
    this.pid = settings.pid;
    this.ppid = settings.ppid;
    this.processGroup = settings.processGroup;
    this.session = settings.session;
    this.argv = settings.argv;
    this.textBytes = settings.textBytes ?? 0;
    this.credentials = { ...credentials, pid: settings.pid };
    this.inheritedIgnored = settings.inheritedIgnored;
    this.budget = settings.budget;
    this.#ignored = new Set(settings.ignored);
    this.descriptors = new DescriptorTable(settings.openFilesLimit ?? vm.limits.openFiles);
    this.#sink = sink;
  }

  /** Set once the process has ended; until somebody waits for it, it is a zombie. */
  get status(): ExitStatus | undefined {
    return this.#status;
  }

  get ended(): boolean {
    return this.#status !== undefined;
  }

  /** Gives the process its OS process and starts it. */
  start(guest: Guest, options: StartOptions, source: Uint8Array): void {
    if (this.ended) return guest.end();
    this.#guest = guest;
    this.budget.join(this, guest.pid);
    const main = this.#newThread(guest.socket);
    this.#threads.add(main);
    this.startOptions = options;
    guest.attach({
      frame: (frame) => this.#frame(main, frame),
      violation: (reason) => {
        this.#violation ??= reason;
      },
      ended: (status, stderr) => this.#osEnded(status, stderr),
    });
    this.notify("start", { options: JSON.stringify(options), source });
    for (const snippet of this.#snippets.splice(0)) this.notify("residentExec", snippet);
    // A signal that came before the start.
    if (this.#killedBy !== 0) this.#end();
  }

  /** No OS process could be had, or the host broke the rules for it. */
  fail(errorCode: string, errorMessage: string): void {
    this.#guest?.end();
    this.#finish({ exitCode: 1, signal: 0, errorCode, errorMessage });
  }

  /** The run it belongs to is over its time. */
  exceed(errorCode: string, errorMessage: string): void {
    if (this.ended) return;
    // Whom the host started speaks for all of the run.
    if (this.#sink !== undefined) this.#report(Buffer.from(`${errorCode}: ${errorMessage}\n`));
    this.#finish({ exitCode: 128 + SIGKILL, signal: SIGKILL, errorCode, errorMessage });
    this.#guest?.end();
  }

  /** A zombie has no arguments and no environment, only its name; answers what is free now. */
  forgetText(): number {
    const freed = this.textBytes;
    this.textBytes = 0;
    this.argv = this.argv.slice(0, 1).map((name) => name.slice(0, zombieNameChars));
    if (this.startOptions !== undefined)
      this.startOptions = { ...this.startOptions, argv: [], env: {} };
    return freed;
  }

  residentExec(sequence: number, source: string): void {
    // Before its guest exists the snippet waits.
    if (this.#guest === undefined) this.#snippets.push({ sequence, source });
    else this.notify("residentExec", { sequence, source });
  }

  /** kill(2): a handler in the guest, or the default action. Answers 0 or -errno. */
  signal(signal: number): number {
    // A zombie takes every signal and does nothing.
    if (this.ended) return 0;
    if (signal === 0) return 0;
    if (signal < 0 || signal > 64) return -Errno.EINVAL;
    if (signal !== SIGKILL) {
      if (this.#handled.has(signal)) {
        this.notify("signal", { signal });
        return 0;
      }
      if (this.#ignored.has(signal) || ignoredByDefault.has(signal)) return 0;
    }
    this.#killedBy ||= signal;
    if (this.#guest !== undefined) this.#end();
    return 0;
  }

  /** A write met nobody to read it. */
  brokenPipe(): void {
    this.signal(SIGPIPE);
  }

  #end(): void {
    this.#measure();
    this.#guest?.end();
  }

  /** What it has used so far, or until it ended. */
  usage(): Usage {
    return this.#used ?? (this.#guest === undefined ? nothingUsed : usageOf(this.#guest.pid));
  }

  /** Before its OS process is gone; one that dies of itself has used nothing that anybody knows. */
  #measure(): void {
    this.#used ??= this.usage();
  }

  /** It has been waited for: its time and that of its children count as the parent's. */
  countFor(parent: Process): void {
    const { userUs, systemUs } = this.usage();
    parent.childTime.userUs += userUs + this.childTime.userUs;
    parent.childTime.systemUs += systemUs + this.childTime.systemUs;
  }

  /** Sends an event to the guest. */
  notify<K extends keyof typeof kernelEvents>(
    name: K,
    args: Message<(typeof kernelEvents)[K]["args"]>,
  ): void {
    const spec = kernelEvents[name];
    this.#guest?.send(
      encodeFrame(FrameKind.event, 0, spec.nr, spec.args as Schema, args as Message<Schema>),
    );
  }

  /** Sends an event to every thread, of which the right one knows what it is about. */
  #tellThreads<K extends keyof typeof kernelEvents>(
    name: K,
    args: Message<(typeof kernelEvents)[K]["args"]>,
  ): void {
    const { nr, args: schema } = kernelEvents[name];
    const frame = encodeFrame(FrameKind.event, 0, nr, schema as Schema, args as Message<Schema>);
    for (const { socket } of this.#threads) socket.send(frame);
  }

  #frame(thread: Thread, frame: Frame): void {
    if (frame.kind === FrameKind.call) return this.#call(thread, frame);
    if (frame.kind !== FrameKind.event) throw new MalformedMessage(`frame kind ${frame.kind}`);
    const entry = eventsByNumber.get(frame.number);
    if (entry === undefined) throw new MalformedMessage(`event ${frame.number} does not exist`);
    const args = new Decoder(frame.payload).message(entry.spec.args as Schema) as any;
    this.#event(thread, entry.name as keyof typeof guestEvents, args);
  }

  #call(thread: Thread, frame: Frame): void {
    const { id, number } = frame;
    const entry = callsByNumber.get(number);
    if (entry === undefined) throw new MalformedMessage(`system call ${number} does not exist`);
    const args = new Decoder(frame.payload).message(entry.spec.args as Schema);
    const schema = entry.spec.result as Schema;
    if (entry.name === "threadSocket") {
      const opened = this.#openThread(thread, id);
      // Otherwise the reply went out with the descriptor.
      if (opened < 0) this.#reply(thread, id, number, schema, opened);
      return;
    }
    const result: unknown =
      entry.name === "flowShutdown"
        ? thread.flows.shutdown((args as { flow: number }).flow)
        : dispatch(this, entry.name as Parameters<typeof dispatch>[1], args as never);
    frame.released = entry.name === "write" && this.#copies((args as { fd: number }).fd);
    if (!(result instanceof Deferred)) return this.#reply(thread, id, number, schema, result);
    const bytes = frame.payload.length;
    if (
      thread.calls.size >= limits.pendingCalls ||
      this.vm.pendingCallBytes + bytes > limits.pendingCallBytes
    ) {
      result.cancel();
      return this.#reply(thread, id, number, schema, -Errno.EAGAIN);
    }
    const pending = {
      cancel: (): void => {
        this.vm.pendingCallBytes -= bytes;
        result.cancel();
      },
    };
    thread.calls.add(pending);
    this.vm.pendingCallBytes += bytes;
    result.whenSettled((answer) => {
      thread.calls.delete(pending);
      this.vm.pendingCallBytes -= bytes;
      if (this.ended) return;
      try {
        this.#reply(thread, id, number, schema, answer);
      } catch (error) {
        // Whoever settled it does not answer for this guest.
        this.#violation ??= error instanceof Error ? error.message : String(error);
        this.#end();
      }
    });
  }

  /** Whether what `fd` names has copied, or is done with, all that it was given to write. */
  #copies(fd: number): boolean {
    const stream = this.descriptors.stream(fd);
    return stream === undefined || stream.kind === "pipe" || stream.kind === "null";
  }

  #reply(thread: Thread, id: number, number: number, schema: Schema, result: unknown): void {
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
    const { socket } = thread;
    if (!socket.send(reply) && socket.bufferedBytes > limits.replyBacklogBytes) {
      this.#violation ??= "replies are not being read";
      this.#guest?.end();
    }
  }

  #newThread(socket: GuestSocket): Thread {
    const { outputWindowBytes } = limits;
    const flows = new FlowTable(
      {
        account: this.vm.account,
        descriptors: this.descriptors,
        isEnded: () => this.ended,
        notifyFlow: (name, args) => {
          const { nr, args: schema } = kernelEvents[name];
          if (!this.ended)
            socket.send(
              encodeFrame(FrameKind.event, 0, nr, schema as Schema, args as Message<Schema>),
            );
        },
        brokenPipe: () => this.brokenPipe(),
      },
      limits.flows,
    );
    return {
      socket,
      window: [0, outputWindowBytes, outputWindowBytes],
      calls: new Set(),
      flows,
    };
  }

  /** Answers the call `id` of `via` with a socket for a new thread: 0, or -errno. */
  #openThread(via: Thread, id: number): number {
    if (this.ended) return -Errno.ESRCH;
    if (this.#threads.size > this.vm.limits.threads * limits.socketsPerThread) return -Errno.EMFILE;
    const { nr, result } = guestCalls.threadSocket;
    const announcement = encodeFrame(FrameKind.reply, id, nr, result, {});
    const socket = this.#guest!.openThread(via.socket, announcement, {
      frame: (frame) => this.#frame(thread, frame),
      closed: () => {
        this.#threads.delete(thread);
        cancelCalls(thread);
      },
    });
    if (typeof socket === "number") return socket;
    const thread = this.#newThread(socket);
    this.#threads.add(thread);
    return 0;
  }

  #event(thread: Thread, name: keyof typeof guestEvents, args: any): void {
    switch (name) {
      case "output":
        return this.#output(thread, args.fd as number, args.data as Uint8Array);
      case "exit":
        this.#measure();
        // What the process does after this does not count; the OS process is ended in any case.
        this.#finish({ exitCode: (args.code as number) & 0xff, signal: 0 });
        return this.#guest!.end();
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
        return this.#sink?.residentDone(args.sequence as number, args.exitCode as number);
      case "signalHandler":
        if (args.signal > 64) throw new MalformedMessage("signal number");
        if (args.handled) this.#handled.add(args.signal as number);
        else this.#handled.delete(args.signal as number);
        return;
      case "flowOpen":
      case "flowRead":
      case "flowWrite":
      case "flowPass":
      case "flowClose":
        return thread.flows.event(name, args);
      case "ready":
        throw new MalformedMessage("ready after start");
    }
  }

  /** The quick way to the host's streams: no reply, only credit. */
  #output(thread: Thread, fd: number, data: Uint8Array): void {
    if (fd !== 1 && fd !== 2) throw new MalformedMessage(`output descriptor ${fd}`);
    const size = data.byteLength;
    thread.window[fd]! -= size;
    if (thread.window[fd]! < 0) throw new MalformedMessage("output beyond the window");
    const stream = this.descriptors.stream(fd);
    if (stream instanceof HostOutput)
      stream.forward(data, (bytes) => this.#grant(thread, fd, bytes));
    else this.#grant(thread, fd, size);
  }

  #grant(thread: Thread, fd: number, bytes: number): void {
    thread.window[fd] = Math.min(limits.outputWindowBytes, thread.window[fd]! + bytes);
    const { nr, args } = kernelEvents.credit;
    if (!this.ended) thread.socket.send(encodeFrame(FrameKind.event, 0, nr, args, { fd, bytes }));
  }

  #osEnded(status: number, stderr: string): void {
    if (this.ended) return;
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
    const death = describeDeath(status, stderr.slice(0, limits.stderrReportBytes), this.vm.limits);
    if (death.stderr !== "") this.#report(Buffer.from(death.stderr));
    this.#finish(death.end);
  }

  /** What the OS process left on its real stderr goes where its virtual one goes. */
  #report(text: Uint8Array): void {
    const stream = this.descriptors.stream(2);
    if (stream instanceof HostOutput) stream.forward(text, () => undefined);
    else stream?.write(text);
  }

  #finish(end: Ending): void {
    if (this.ended) return;
    this.#used ??= nothingUsed;
    this.#status = { code: end.signal === 0 ? end.exitCode : 0, signal: end.signal };
    for (const thread of this.#threads) cancelCalls(thread);
    this.budget.leave(this);
    this.watches.close();
    this.descriptors.closeAll();
    this.vm.processEnded(this);
    this.exited.wakeAll();
    this.#sink?.ended({ ...end, ...this.#returned }, this.#value);
  }
}
