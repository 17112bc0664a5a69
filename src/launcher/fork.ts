/**
 * Owns the zygote process and the guests forked from it: starts it, keeps a few
 * guests forked ahead, hands one out, ends and reaps it.
 *
 * Invariants: a guest is handed out once; its pid is used only through the
 * zygote, which has not reaped it yet; descriptors are closed exactly once.
 * Untrusted: everything that arrives on a guest's socket and its stderr pipe.
 */
import { Socket } from "node:net";
import { constants } from "node:os";
import { Errno } from "../abi/errno.js";
import { FrameKind } from "../protocol/frames.js";
import type { Frame } from "../protocol/frames.js";
import { guestEvents } from "../protocol/guest-calls.js";
import type { IsolationReport } from "../protocol/isolation.js";
import { Silence, processorWaitMs } from "../protocol/silence.js";
import * as libc from "../sandbox/libc.js";
import type { Spawner } from "../sandbox/spawner.js";
import { IsolationUnavailable } from "../sandbox/unavailable.js";
import { DescriptorsExhausted, type GuestDescriptors, guestDescriptors } from "./descriptors.js";
import { whenEnded } from "./ends.js";
import type { GroupBounds, GuestGroup, GuestGroups, OutOfMemory } from "./guest-groups.js";
import { GuestSocket } from "./guest-socket.js";
import { RestingGuests, restingMemory, unknownMemory } from "./resting-memory.js";
import type { RestingMemory } from "./resting-memory.js";
import { startZygoteProcess } from "./zygote-process.js";
import type { ZygoteKind, ZygoteProcess } from "./zygote-process.js";
import {
  ControlKind,
  controlMessageBytes,
  decodeControl,
  encodeControl,
  addonsOrder,
  guestMemoryBytes,
} from "./zygote/control.js";

/** What a guest's real stderr is read into: a pipe holds no more. */
const lastWords = Buffer.allocUnsafeSlow(64 * 1024);

/** What a socket's frames go to; as `SocketHandlers`. */
export interface FrameHandlers {
  ready(): boolean;
  frame(frame: Frame, isLast: boolean): boolean;
  rested?(): void;
  occupies(bytes: number): boolean;
  drained(): void;
}

export interface GuestHandlers extends FrameHandlers {
  /** The process is about to be ended, or has ended and is not reaped yet. */
  ending(): void;
  /**
   * The socket is gone: the process ended or was ended. `status` is a wait status, or -1;
   * `outOfMemory` says that Linux ended it for want of memory.
   */
  ended(status: number, stderr: string, outOfMemory?: OutOfMemory): void;
  /** The guest broke the protocol; `ended` follows. */
  violation(reason: string): void;
}

/** A further thread of a guest: frames, and the end of its socket. */
export interface ThreadHandlers extends FrameHandlers {
  closed(): void;
}

export class Guest {
  readonly pid: number;
  readonly socket: GuestSocket;
  readonly zygote: Zygote;
  /** What it may have in memory. */
  memoryBytes: number;
  readonly #goneListeners: (() => void)[] = [];
  readonly #threads = new Set<GuestSocket>();
  readonly #stderr: number;
  #handlers: GuestHandlers | undefined;
  #ready: (() => void) | undefined;
  #loss: ((status: number, stderr: string) => void) | undefined;
  #ending = false;
  #reaped = false;
  isReady = false;
  /** What it had when it was ready. */
  resting: RestingMemory = unknownMemory;
  /** Programs that it was before, and the CPU time that is theirs to answer for. */
  lives = 0;
  usedBeforeMs = 0;
  #group: GuestGroup | undefined;

  constructor(
    zygote: Zygote,
    pid: number,
    { socket: socketFd, stderr }: Pick<GuestDescriptors, "socket" | "stderr">,
    memoryBytes: number,
    ready: () => void,
  ) {
    this.zygote = zygote;
    this.pid = pid;
    this.memoryBytes = memoryBytes;
    this.#stderr = stderr;
    this.#ready = ready;
    this.socket = new GuestSocket(socketFd, {
      ready: () => this.#handlers === undefined || this.#handlers.ready(),
      frame: (frame, isLast) => this.#frame(frame, isLast),
      rested: () => this.#handlers?.rested?.(),
      occupies: (bytes) => this.#handlers === undefined || this.#handlers.occupies(bytes),
      violation: (reason) => this.violate(reason),
      drained: () => this.#handlers?.drained(),
      closed: () => this.end(),
    });
  }

  /** Before its start: what it may have in memory. `done` gets 0 or -errno. */
  limitMemory(bytes: number, done: (errno: number) => void): void {
    if (this.#ending) setImmediate(() => done(-Errno.ESRCH));
    else {
      this.zygote.limitMemory(this.pid, bytes - this.memoryBytes, done);
      this.memoryBytes = bytes;
    }
  }

  /** Runs `gone` when its process is about to be ended, or has ended. */
  onGone(gone: () => void): void {
    this.#goneListeners.push(gone);
  }

  /** Has a group of its own from now on. */
  joins(group: GuestGroup | undefined): void {
    this.#group = group;
  }

  /** What Linux is to hold it to where it has a group. */
  bound(bounds: GroupBounds): void {
    this.#group?.bound(bounds);
  }

  /** It will make copies of itself, and is among the zygotes. */
  becomesTemplate(): void {
    this.#group?.leave(this.zygote.pid);
  }

  limitCpu(seconds: number): void {
    if (!this.#ending) this.zygote.limitCpu(this.pid, seconds);
  }

  /** Stops its OS process, or lets it go on. */
  stop(stopped: boolean): void {
    if (!this.#ending) this.zygote.stop(this.pid, stopped);
  }

  /** Sends its OS process a SIGINT. */
  interrupt(): void {
    if (!this.#ending) this.zygote.interrupt(this.pid);
  }

  /** What it has written to its real stderr, as far as nobody has read it. */
  readStderr(): string {
    if (this.#reaped) return "";
    const size = libc.read(this.#stderr, lastWords, 0, lastWords.length);
    return size > 0 ? lastWords.toString("utf8", 0, size) : "";
  }

  /** Runs `lost` when the guest ends before it was handed out, as `ended` would. */
  attachLoss(lost: (status: number, stderr: string) => void): void {
    this.#loss = lost;
  }

  attach(handlers: GuestHandlers): void {
    this.#handlers = handlers;
    this.socket.ref();
  }

  /** Its program has ended, and it waits for the next one: whatever it says meanwhile is a violation. */
  detach(): void {
    this.#handlers = undefined;
    this.lives++;
  }

  /** Whether another program may be in it: it has not ended and has said nothing since. */
  get isWaiting(): boolean {
    return !this.#ending && !this.socket.isHeld;
  }

  #frame(frame: Frame, isLast: boolean): boolean {
    if (this.#ending) return false;
    if (this.#handlers !== undefined) return this.#handlers.frame(frame, isLast);
    if (frame.kind === FrameKind.event && frame.number === guestEvents.ready.nr && !this.isReady) {
      this.isReady = true;
      this.#ready?.();
      this.#ready = undefined;
      return true;
    }
    throw new Error("frame before start");
  }

  /** Ends a guest that broke the protocol. */
  violate(reason: string): void {
    this.#handlers?.violation(reason);
    this.end();
  }

  /**
   * Gives the guest a socket for one more thread. `announcement` travels over `via`, the socket of the
   * thread that asks, together with the guest's end. Answers the kernel's end or -errno.
   */
  openThread(
    via: GuestSocket,
    announcement: Buffer,
    handlers: ThreadHandlers,
  ): GuestSocket | number {
    const pair = libc.socketpair(libc.SOCK_STREAM, libc.SOCK_CLOEXEC);
    if (typeof pair === "number") return pair;
    const sent = this.#ending ? -Errno.EPIPE : via.sendDescriptors(announcement, [pair[1]]);
    libc.close(pair[1]);
    if (sent < 0) {
      libc.close(pair[0]);
      return sent;
    }
    const socket = new GuestSocket(pair[0], {
      ready: () => handlers.ready(),
      frame: (frame, isLast) => !this.#ending && handlers.frame(frame, isLast),
      rested: () => handlers.rested?.(),
      occupies: (bytes) => handlers.occupies(bytes),
      violation: (reason) => this.violate(reason),
      drained: () => handlers.drained(),
      closed: () => {
        if (this.#threads.delete(socket)) handlers.closed();
      },
    });
    this.#threads.add(socket);
    return socket;
  }

  #closeSockets(): void {
    this.socket.destroy();
    for (const thread of this.#threads) thread.destroy();
    this.#threads.clear();
  }

  /** Ends the process for good: SIGKILL unless it already ended by itself. Idempotent. */
  end(): void {
    if (this.#ending) return;
    this.#ending = true;
    this.#handlers?.ending();
    this.#closeSockets();
    this.zygote.end(this);
    this.#tellGone();
  }

  #tellGone(): void {
    for (const gone of this.#goneListeners.splice(0)) gone();
  }

  /** Called by the zygote's handle when the process is reaped or lost. */
  reaped(status: number): void {
    if (this.#reaped) return;
    if (!this.#ending) this.zygote.ends(this);
    this.#ending = true;
    this.#closeSockets();
    const stderr = status === 0 ? "" : this.readStderr();
    this.#reaped = true;
    libc.close(this.#stderr);
    this.#ready = undefined;
    const killed = libc.signalOf(status) === libc.SIGKILL;
    if (this.#handlers !== undefined)
      this.#handlers.ended(status, stderr, killed ? this.#group?.outOfMemory : undefined);
    else this.#loss?.(status, stderr);
    this.#group?.ended();
    this.#tellGone();
  }
}

/** Gets a guest that is locked down, or why there is none: a wait status, or -1, and its last words. */
type Forked = (guest: Guest | undefined, status: number, stderr: string) => void;

interface PendingFork {
  made: GuestDescriptors;
  forked: Forked;
}

/** A guest that may become a template, and the listener of its questions. */
export interface TemplateGuest {
  guest: Guest;
  listener: number;
}

/** Why there is none. */
export interface NoTemplate {
  readonly why: string;
  /** It may go better next time: who was asked is gone. Otherwise Linux does not give what it takes. */
  readonly lost: boolean;
}

export type TemplateGuestWaiter = (made: TemplateGuest | NoTemplate) => void;

/** How long the zygote may say nothing while something is wanted of it. */
const zygoteSilenceMs = 5000;
/** How long a guest may take until it is locked down and says so: a fork, and an engine that begins anew. */
const readyTimeoutMs = { zygote: 10_000, starter: 60_000 };
/** What a message of the kernel's brings beside its 12 bytes, at most: it has to fit a socket's buffer. */
const orderBytes = 32 * 1024;
/** An `ask` that is not about silence. */
const afterReportsAsk = 1;

/** What a guest of this zygote is spared; each is 0 or false where this Linux does not offer it. */
export interface PageSavings {
  /** Modules of ours that the zygote found compiled. */
  compiledModules: number;
  /** V8's heap lies together, so that its page tables are few. */
  contiguousHeap: boolean;
  /** Huge pages of 2 MiB that hold the engine's text. */
  hugeTextPages: number;
  /** Huge pages that the zygote's own heaps lie on, when they were last put there. */
  hugeHeapPages: number;
  /** Mappings of text, beside that on huge pages, whose page tables a guest inherits. */
  inheritedTexts: number;
  /** Pages that a guest copies in one go, while nobody waits for it. */
  pagesAhead: number;
}

export interface ZygoteOptions {
  kind: ZygoteKind;
  spawner: Spawner;
  /** Its process, where that was started before. */
  started?: ZygoteProcess | undefined;
  /** The zygote is gone, expected or not; every guest has been reported as ended. */
  lost: (reason: string) => void;
  /** A guest ends, is ended, or was reaped before anybody noticed; once for each. */
  ending: (guest: Guest) => void;
  /** A guest is gone for good. */
  reaped: () => void;
  /** Where cgroups can be had. */
  groups: GuestGroups | undefined;
  /** Its heap has changed: `measure`, called while it has no guests, makes later forks cheaper. */
  stale: () => void;
}

/** As waitpid(2) says it. */
function describeEnd(status: number): string {
  const signal = libc.signalOf(status);
  if (signal === undefined) return `code ${libc.exitCodeOf(status) ?? status}`;
  const names = Object.entries(constants.signals);
  return names.find(([, number]) => number === signal)?.[0] ?? `signal ${signal}`;
}

export class Zygote {
  readonly ready: Promise<void>;
  /** A child of this process, which is nobody else's to reap. */
  readonly pid: number;
  readonly #control: Socket;
  readonly #controlFd: number;
  readonly #pending = new Map<number, PendingFork>();
  readonly #guests = new Map<number, Guest>();
  /** Who waits for a limit to be set, by pid. */
  readonly #limiting = new Map<number, (errno: number) => void>();
  /** Guests that it was told to end. */
  readonly #dying = new Set<number>();
  readonly #awaitingReports: (() => void)[] = [];
  readonly #resting = new RestingGuests();
  readonly #silence: Silence;
  readonly #kind: ZygoteOptions["kind"];
  readonly #groups: GuestGroups | undefined;
  readonly #lost: (reason: string) => void;
  readonly #ending: (guest: Guest) => void;
  readonly #reaped: () => void;
  readonly #stale: () => void;
  #measured: (() => void) | undefined;
  /** Complete once the zygote is warm. */
  readonly savings: PageSavings = {
    compiledModules: 0,
    contiguousHeap: false,
    hugeTextPages: 0,
    hugeHeapPages: 0,
    inheritedTexts: 0,
    pagesAhead: 0,
  };
  #input = Buffer.alloc(0);
  #nextToken = 1;
  #gone = false;
  /** Reaped: its pid is somebody else's by now. */
  #ended = false;
  #stderr = "";
  #isolation: IsolationReport[] = [];
  /** The first process of the guests' PID namespace: a child of this process, not of the zygote's. */
  #firstPid = 0;

  /** Throws `SpawnerGone`, or `DescriptorsExhausted`, and then has left nothing behind. */
  constructor(options: ZygoteOptions) {
    this.#kind = options.kind;
    this.#groups = options.groups;
    this.#lost = options.lost;
    this.#ending = options.ending;
    this.#reaped = options.reaped;
    this.#stale = options.stale;
    this.#silence = new Silence({
      limitMs: zygoteSilenceMs,
      ask: () => this.#tell(ControlKind.ask, 0),
      broken: () => this.kill(),
      waitedMs: () => processorWaitMs(this.pid),
    });
    const { pid, control, words } =
      options.started ?? startZygoteProcess(options.spawner, options.kind);
    this.pid = pid;
    this.#controlFd = control;
    const said = new Socket({ fd: words, readable: true, writable: false });
    said.on("error", () => undefined);
    said.on("data", (chunk: Buffer) => {
      this.#stderr = (this.#stderr + chunk.toString("utf8")).slice(-8192);
    });
    const silent = new Promise<void>((resolve) => void said.once("close", () => resolve()));
    this.#control = new Socket({ fd: control, readable: true, writable: true });
    this.#control.on("error", () => undefined);
    const placed = this.#groups?.adopt(this.pid);
    const up = new Promise<void>((resolve, reject) => {
      this.#control.on("data", (chunk: Buffer) => this.#data(chunk, resolve));
      whenEnded(this.pid, (status) => {
        this.#ended = true;
        void silent.then(() => reject(this.#over(status)));
      });
    });
    this.ready = placed === undefined ? up : up.then(() => placed);
    this.ready.catch(() => undefined);
  }

  /** It has ended and all that it said is here: tells everybody, and answers why. */
  #over(status: number): Error {
    const unavailable = IsolationUnavailable.from(this.#stderr);
    const said = this.#stderr === "" ? "" : `: ${this.#stderr}`;
    const reason = unavailable?.lastWords ?? `the zygote ended (${describeEnd(status)})${said}`;
    this.#fail(reason);
    return unavailable ?? new Error(reason);
  }

  get guestPids(): number[] {
    return [...this.#guests.keys()];
  }

  /** Guests that live, are not reaped or are being forked. */
  get guestCount(): number {
    return this.#guests.size + this.#pending.size;
  }

  /** What its guests are confined by; empty before it is ready. */
  get isolation(): readonly IsolationReport[] {
    return this.#isolation;
  }

  /** Has a starter make one guest, of which it is told `order`. */
  start(forked: Forked, order: string): void {
    this.#fork(ControlKind.fork, [], forked, Buffer.from(order));
  }

  /** Makes one guest; with `addons` it may load native addons. */
  fork(addons: boolean, forked: Forked): void {
    this.#fork(ControlKind.fork, [], forked, Buffer.from(addons ? addonsOrder : ""));
  }

  /** Forks one that may become a template; `forked` gets it, or the reason why there is none. */
  forkTemplate(addons: boolean, forked: TemplateGuestWaiter): void {
    const handover = libc.socketpair(libc.SOCK_STREAM, libc.SOCK_CLOEXEC | libc.SOCK_NONBLOCK);
    if (typeof handover === "number")
      return void setImmediate(() => forked({ why: `socketpair: errno ${-handover}`, lost: true }));
    const [mine, theirs] = handover;
    const order = Buffer.from(addons ? addonsOrder : "");
    const handed: Forked = (guest, _status, stderr) => {
      // It has sent before it said that it is ready.
      const text = Buffer.alloc(256);
      const received = guest === undefined ? -Errno.ESRCH : libc.recvFds(mine, text);
      libc.close(mine);
      if (guest === undefined) {
        const words = IsolationUnavailable.from(stderr)?.lastWords ?? stderr.trim();
        const why = words || "it ended before it was ready";
        return forked({ why, lost: true });
      }
      const listener = typeof received === "number" ? undefined : received.fds[0];
      if (listener !== undefined) return forked({ guest, listener });
      guest.end();
      const bytes = typeof received === "number" ? 0 : received.bytes;
      const why = text.toString("utf8", 0, bytes).trim();
      forked({ why: why || "no listener came", lost: why === "" });
    };
    this.#fork(ControlKind.forkTemplate, [theirs], handed, order);
  }

  #fork(kind: number, further: number[], forked: Forked, order: Buffer): void {
    const made = this.#gone || order.length > orderBytes ? undefined : guestDescriptors();
    if (made === undefined || typeof made === "number") {
      for (const fd of further) libc.close(fd);
      const why = made === undefined ? "" : new DescriptorsExhausted("a process", -made).message;
      setImmediate(() => forked(undefined, -1, why));
      return;
    }
    made.theirs.push(...further);
    const token = this.#nextToken++;
    const message = Buffer.concat([encodeControl(kind, token, order.length), order]);
    const sent = libc.sendFds(this.#controlFd, message, made.theirs);
    for (const fd of made.theirs) libc.close(fd);
    if (sent !== message.length) {
      libc.close(made.socket);
      libc.close(made.stderr);
      // The zygote does not take messages any more: its end is only not reported yet.
      this.kill();
      setImmediate(() => forked(undefined, -1, ""));
      return;
    }
    this.#pending.set(token, { made, forked });
    this.#watch();
  }

  /** It is known that the guest has ended, or will. Once for each. */
  ends(guest: Guest): void {
    this.#ending(guest);
  }

  end(guest: Guest): void {
    this.ends(guest);
    if (this.#gone) return guest.reaped(-1);
    this.#dying.add(guest.pid);
    this.#tell(ControlKind.end, guest.pid);
    this.#watch();
  }

  /** A zygote that does not answer is replaced: nothing would be started or ended any more. */
  #watch(): void {
    const waiting =
      this.#pending.size + this.#limiting.size + this.#dying.size + this.#awaitingReports.length;
    this.#silence.awaits(!this.#gone && waiting > 0);
  }

  /** Raises or lowers what a guest may have in memory. */
  limitMemory(pid: number, changeBytes: number, done: (errno: number) => void): void {
    this.#limiting.set(pid, done);
    this.#tell(ControlKind.limitMemory, pid, Math.floor(changeBytes / 1024));
    this.#watch();
  }

  limitCpu(pid: number, seconds: number): void {
    this.#tell(ControlKind.limitCpu, pid, seconds);
  }

  stop(pid: number, stopped: boolean): void {
    this.#tell(ControlKind.stop, pid, stopped ? 1 : 0);
  }

  interrupt(pid: number): void {
    this.#tell(ControlKind.interrupt, pid);
  }

  #tell(kind: number, a: number, b = 0): void {
    const message = encodeControl(kind, a, b);
    this.#control.write(message);
  }

  #limited(pid: number, errno: number): void {
    const done = this.#limiting.get(pid);
    this.#limiting.delete(pid);
    done?.(errno);
  }

  /** Has the zygote load the TypeScript compiler when it finds the time. */
  warmTypeScript(): void {
    if (!this.#gone) this.#tell(ControlKind.typeScript, 0);
  }

  /** Has the zygote learn what its guests write. It must have none, and gets none until `done`. */
  measure(done: () => void): void {
    this.#measured = done;
    this.#tell(ControlKind.measure, 0);
  }

  /** Ends the zygote and with it every guest. */
  kill(): void {
    if (!this.#ended) libc.kill(this.pid, libc.SIGKILL);
  }

  #data(chunk: Buffer, ready: () => void): void {
    this.#silence.heard();
    this.#input = Buffer.concat([this.#input, chunk]);
    while (this.#input.length >= controlMessageBytes) {
      const { kind, a, b } = decodeControl(this.#input);
      if (kind === ControlKind.ready) {
        const end = controlMessageBytes + b;
        if (this.#input.length < end) return;
        this.#firstPid = a;
        const layers = this.#input.toString("utf8", controlMessageBytes, end);
        this.#isolation = JSON.parse(layers) as IsolationReport[];
        this.#input = this.#input.subarray(end);
        ready();
        continue;
      }
      this.#input = this.#input.subarray(controlMessageBytes);
      if (kind === ControlKind.forked) this.#forked(a, b);
      else if (kind === ControlKind.memoryLimited) this.#limited(a, b);
      else if (kind === ControlKind.here && a === afterReportsAsk) this.#reportsCame();
      else if (kind === ControlKind.stale) {
        this.savings.compiledModules = (a & 0xffff) >> 1;
        this.savings.contiguousHeap = (a & 1) === 1;
        this.savings.hugeTextPages = b & 0xffff;
        this.savings.hugeHeapPages = b >>> 16;
        this.savings.inheritedTexts = a >>> 16;
        this.#stale();
      } else if (kind === ControlKind.measured) {
        this.savings.pagesAhead = a;
        this.#measured?.();
      } else if (kind === ControlKind.reaped) {
        this.#limited(a, -Errno.ESRCH);
        this.#dying.delete(a);
        const guest = this.#guests.get(a);
        this.#guests.delete(a);
        guest?.reaped(b);
        this.#reaped();
      }
    }
    this.#watch();
  }

  #forked(token: number, pid: number): void {
    const fork = this.#pending.get(token);
    if (fork === undefined) return;
    this.#pending.delete(token);
    if (pid < 0) {
      libc.close(fork.made.socket);
      libc.close(fork.made.stderr);
      fork.forked(undefined, -1, "");
      return;
    }
    this.adopt(pid, fork.made, guestMemoryBytes, fork.forked, this.#kind === "zygote");
  }

  /**
   * Takes a new guest as its own, whoever forked it; `forked` gets it once it is ready, or `undefined`. Those that the
   * zygote forks are `alike`.
   */
  adopt(
    pid: number,
    made: Pick<GuestDescriptors, "socket" | "stderr">,
    memoryBytes: number,
    forked: Forked,
    alike = false,
  ): Guest {
    let settled = false;
    const settle = (value: Guest | undefined, status = -1, stderr = ""): void => {
      if (settled) return;
      settled = true;
      clearTimeout(timer);
      forked(value, status, stderr);
    };
    // One that is stopped, or lost its way, must not take a place among the forks for ever.
    const timer = setTimeout(() => guest.end(), readyTimeoutMs[this.#kind]).unref();
    const guest = new Guest(this, pid, made, memoryBytes, () => {
      guest.joins(this.#groups?.place(pid, this.pid));
      guest.resting = alike ? this.#resting.of(pid) : restingMemory(pid);
      settle(guest);
    });
    guest.attachLoss((status, stderr) => settle(undefined, status, stderr));
    this.#guests.set(pid, guest);
    return guest;
  }

  knows(pid: number): boolean {
    return this.#guests.has(pid);
  }

  /** Ends a child that is none of its guests. */
  endStray(pid: number): void {
    if (this.#gone) return;
    this.#dying.add(pid);
    this.#tell(ControlKind.end, pid);
    this.#watch();
  }

  /** Runs `then` once every fork that it was asked for by now has been reported, or it is gone. */
  afterReports(then: () => void): void {
    if (this.#gone) return void setImmediate(then);
    this.#awaitingReports.push(then);
    this.#tell(ControlKind.ask, afterReportsAsk);
    this.#watch();
  }

  #reportsCame(): void {
    this.#awaitingReports.shift()?.();
  }

  #fail(reason: string): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#watch();
    this.#control.destroy();
    if (this.#firstPid !== 0) {
      // It ends by itself when the zygote does.
      libc.kill(this.#firstPid, libc.SIGKILL);
      whenEnded(this.#firstPid, () => undefined);
    }
    for (const fork of this.#pending.values()) {
      libc.close(fork.made.socket);
      libc.close(fork.made.stderr);
      fork.forked(undefined, -1, "");
    }
    this.#pending.clear();
    for (const pid of Array.from(this.#limiting.keys())) this.#limited(pid, -Errno.ESRCH);
    for (const guest of this.#guests.values()) guest.reaped(-1);
    this.#guests.clear();
    for (const then of this.#awaitingReports.splice(0)) then();
    this.#lost(reason);
  }
}
