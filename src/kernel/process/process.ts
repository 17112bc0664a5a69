/**
 * Owns one process of a VM: its descriptors, signals, the value it returned and
 * how it ended. The OS process behind it is on the other side of a `GuestDoor`.
 *
 * Invariants: `finish` runs exactly once; a process that never said how it ended
 * gets its status from the OS, and an unknown outcome is an error, never 0.
 * Untrusted: every event, and every byte of output.
 */
import { constants } from "node:os";
import { Errno } from "../../abi/errno.js";
import { MalformedMessage } from "../../protocol/codec.js";
import { ValueEncoding } from "../../protocol/structured.js";
import { Deferred } from "../io/deferred.js";
import type { StartOptions } from "../../protocol/guest-calls.js";
import type { ProcessEnd } from "../../protocol/host-calls.js";
import type { End } from "../../protocol/usage.js";
import type { Guest, TemplateGuest } from "../../launcher/fork.js";
import type { OutOfMemory } from "../../launcher/guest-groups.js";
import { Template } from "../../launcher/template.js";
import type { Credentials, OpenFile, WriteGrant } from "../fs/index.js";
import { GuestDoor } from "../guest-door/door.js";
import type { ProcessEvent } from "../guest-door/thread.js";
import { noLimit } from "../../abi/resources.js";
import type { ResourceLimit } from "../../abi/resources.js";
import { LocalFlag } from "../../abi/termios.js";
import type { TerminalAttributes } from "../../abi/termios.js";
import type { VmLimits } from "../../protocol/limits.js";
import { HostOutput } from "../io/host-stream.js";
import type { Stream } from "../io/stream.js";
import { TerminalSlave } from "../io/terminal.js";
import type { Terminal } from "../io/terminal.js";
import { WaitQueue } from "../io/wait-queue.js";
import { limits } from "../limits.js";
import type { Measured } from "../machine/limit-warnings.js";
import { ToolInputs } from "./tool-inputs.js";
import { SetUp, unshareable } from "./set-up.js";
import type { Vm } from "../machine/vm.js";
import type { Bill } from "./bill.js";
import type { BudgetMember, RunBudget } from "./run-budget.js";
import { DescriptorTable } from "./descriptors.js";
import type { ExecutedName } from "../policy/commands.js";
import { WatchList } from "./watches.js";
import { causeOf, describeDeath } from "./death.js";
import { isOrphaned, mayUse, openTerminal } from "./job-control.js";
import { groupBounds, nativeWatch } from "./native-watch.js";
import { imageOf } from "../io/images.js";
import { cpuTimeOf, usageOf } from "./usage.js";
import type { CpuTime, Usage } from "./usage.js";

const { SIGKILL, SIGPIPE, SIGXFSZ, SIGCHLD, SIGURG, SIGWINCH, SIGCONT, SIGSTOP, SIGTSTP } =
  constants.signals;
const { SIGINT, SIGTTIN, SIGTTOU } = constants.signals;
/** Signals whose default action is to stop; signal(7). */
const stopping = new Set<number>([SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU]);
/** Signals whose default action is to do nothing; signal(7). */
const ignoredByDefault = new Set<number>([SIGCHLD, SIGURG, SIGWINCH, SIGCONT]);
/** SIGRTMAX; signal(7). */
const lastSignal = 64;

/** How a process ended, as far as other processes may know; wait(2). */
export interface ExitStatus {
  /** Exit code, or 0 when a signal ended it. */
  code: number;
  /** Signal number, or 0. */
  signal: number;
}

type Ending = Pick<ProcessEnd, "exitCode" | "signal" | "errorCode" | "errorMessage">;
/** What is known of an ended program of the host, but for its output. */
export type Ended = Omit<ProcessEnd, "stdoutTruncated" | "stderrTruncated">;
type Returned = Pick<ProcessEnd, "returned" | "returnPath" | "returnReason">;

/** What the one who started a program from the host wants to know. */
export interface ProcessSink {
  residentDone(sequence: number, exitCode: number): void;
  templateReady(): void;
  /** Part of the value it returns. */
  value(first: boolean, data: Uint8Array): void;
  ended(end: Ended, value: Uint8Array): void;
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
  /** RLIMIT_FSIZE; none unless a process above has one. */
  fileBytes?: ResourceLimit;
  /** What its arguments and environment occupy, when a guest chose them. */
  textBytes?: number;
}

const nothing = new Uint8Array(0);
const noRoomForValue = "the machine holds too much; limits.kernelBytes allows more";
const zombieNameChars = 256;
const mostPendingNames = 20;
const nothingUsed: Usage = Object.freeze({ userUs: 0, systemUs: 0, rssBytes: 0 });

/** What a run was found to need, if its machine learns. */
function learnedBy({ learned }: RunBudget): Pick<ProcessEnd, "learned"> {
  if (learned === undefined) return {};
  return { learned: { list: learned.list(), incomplete: learned.incomplete } };
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
  /** What its arguments occupied before it gave itself a title, which has no more room; uv_setup_args of libuv. */
  #titleBytes: number | undefined;
  /** As what its program was judged; nothing for one that the host started. */
  executedAs: readonly ExecutedName[] | undefined;
  /** What is on the account for its arguments and environment. */
  textBytes: number;
  readonly startedAtMs: number;
  readonly credentials: Credentials;
  readonly descriptors: DescriptorTable;
  /** RLIMIT_FSIZE. */
  readonly fileBytes: ResourceLimit;
  /** CPU time of the children it has waited for, and of theirs; times(2). */
  readonly childTime: CpuTime = { userUs: 0, systemUs: 0 };
  #used: CpuTime | undefined;
  /** What its OS process had used for others. */
  #usedBeforeMs = 0;
  /** Memory that it shares with nobody, at the last look. */
  ownMemoryBytes = 0;
  get policy(): Vm["policy"] {
    return this.budget.policy;
  }
  /** Whether it has begun anew in an engine of its own; once in its life. */
  restarted = false;
  /** Whether it is on its way to another OS process. */
  restarting = false;
  /** Whether its OS process was other commands before. */
  inKeptGuest = false;
  /** Woken when the process has ended. */
  readonly exited = new WaitQueue();
  /** Woken when it has stopped or goes on. */
  readonly stateChanged = new WaitQueue();
  /** Set while it is stopped: what is woken when it goes on. */
  #stopped: WaitQueue | undefined;
  /** The signal of a stop, or SIGCONT, that its parent has not been told of; 0 for none. */
  unreportedState = 0;
  /** Terminals that it has changed until its end, as they were before; at most as many as there are. */
  readonly #terminalsBefore = new Map<Terminal, TerminalAttributes>();
  /** Signals that wait for it to go on. */
  readonly #heldSignals = new Map<number, End["by"]>();
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
  #begun: (() => void) | undefined;
  /** What it may write without waiting for answers, until its next call. */
  #promise: WriteGrant | undefined;
  readonly #copies = new Map<Guest, BudgetMember>();
  readonly #snippets: { sequence: number; source: string }[] = [];
  /** Those that the host awaits. */
  readonly #snippetsUnderWay = new Set<number>();
  #door: GuestDoor | undefined;
  /** Whether SIGINT breaks into a script that runs in its engine, and whether that was sent one since it has asked. */
  #interruptible = false;
  #interrupted = false;
  /** Of what its engine prints, so much was taken already. */
  #enginePrintedChars = 0;
  /** Ends the wait for an OS process. */
  #cancelStart: (() => void) | undefined;
  #status: ExitStatus | undefined;
  #killedBy = 0;
  /** What stopped it, or 0 while it runs. */
  stopSignal = 0;
  #killer: End["by"];
  /** It said that an uncaught error ends it; who lies about that lies about itself. */
  #uncaught = false;
  #violation: string | undefined;
  /** Where its copies come from, if it is there to be copied. */
  #template: Template | undefined;
  /** There once its set-up has ended, so that it may be. */
  #setUp: SetUp | undefined;
  #returned: Returned = { returned: "none" };
  /** Streams of host tools that it reads. */
  readonly toolStreams = new Set<number>();
  /** Inputs for them of which parts have come. */
  readonly toolInputs: ToolInputs;
  #value: Uint8Array = nothing;
  /** Of the value whose parts come, and who waits until the host has them. */
  #sentValueBytes = 0;
  readonly #valuesUnderWay: Deferred<Record<never, never>>[] = [];

  /** `sink` is there for programs that the host started. */
  constructor(vm: Vm, credentials: Credentials, settings: ProcessSettings, sink?: ProcessSink) {
    this.vm = vm;
    this.startedAtMs = vm.clock.nowMs;
    this.watches = new WatchList(vm.limits.watches, vm.account, (event) =>
      this.#door?.tellAll("fileEvent", event),
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
    this.toolInputs = new ToolInputs(vm.account, vm.limits.valueBytes);
    this.#ignored = new Set(settings.ignored);
    this.descriptors = new DescriptorTable(settings.openFilesLimit ?? vm.limits.openFiles);
    this.fileBytes = settings.fileBytes ?? noLimit;
    this.#sink = sink;
    this.budget.began();
  }

  get bill(): Bill {
    return this.budget.bill;
  }

  /** Those of its run. */
  get limits(): VmLimits {
    return this.budget.limits;
  }

  /** What it uses of its own limits, and its run of the run's. */
  *measured(): Iterable<Measured> {
    const { budget, descriptors, limits, pid } = this;
    const own = { key: this, pid };
    yield {
      limit: "memoryBytes",
      observed: this.ownMemoryBytes,
      capacity: limits.memoryBytes,
      of: own,
    };
    yield { limit: "openFiles", observed: descriptors.size, capacity: descriptors.limit, of: own };
    if (this.#sink === undefined) return;
    const run = { key: budget, pid };
    const { cpuTimeMs, wallTimeMs } = limits;
    if (cpuTimeMs > 0)
      yield { limit: "cpuTimeMs", observed: budget.cpuTimeMs, capacity: cpuTimeMs, of: run };
    yield { limit: "wallTimeMs", observed: budget.wallTimeMs, capacity: wallTimeMs, of: run };
  }

  /** Looks at what it uses now. */
  observe(): void {
    if (!this.ended) this.budget.measure(this);
  }

  reached(peakBytes: number, ownBytes: number): void {
    this.bill.reached(peakBytes);
    this.ownMemoryBytes = Math.max(0, ownBytes);
  }

  /** Set once the process has ended; until somebody waits for it, it is a zombie. */
  get status(): ExitStatus | undefined {
    return this.#status;
  }

  get ended(): boolean {
    return this.#status !== undefined;
  }

  /** An OS process was asked for; `cancel` takes that back. */
  startsUnless(cancel: () => void): void {
    if (this.#door === undefined && !this.ended) this.#cancelStart = cancel;
  }

  /** Runs `begun` once it has its OS process, or has ended without. */
  whenBegun(begun: () => void): void {
    if (this.#door !== undefined || this.ended) begun();
    else this.#begun = begun;
  }

  /** Gives the process its OS process and starts it. */
  start(guest: Guest, options: StartOptions, source: Uint8Array): void {
    if (this.ended) return guest.end();
    this.#begun?.();
    this.restarting = false;
    this.#usedBeforeMs = guest.usedBeforeMs;
    this.inKeptGuest = guest.lives > 0;
    this.budget.join(this, guest.pid, guest.usedBeforeMs);
    nativeWatch.join(this, guest.pid, this.limits, guest.resting);
    guest.bound(groupBounds(this.limits));
    this.startOptions = options;
    this.#door = this.#openDoor(guest);
    this.#door.tell("start", { options: JSON.stringify(options), source });
    for (const snippet of this.#snippets.splice(0)) this.#door.tell("residentExec", snippet);
    if (this.stopped) this.#door.stop(true);
  }

  /** Lets go of its OS process without an end of its own; another one is asked for. */
  leaveGuest(): void {
    const door = this.#door;
    this.#door = undefined;
    this.#handled.clear();
    this.#interruptible = false;
    this.budget.leave(this);
    nativeWatch.leave(this);
    door?.close();
    door?.end();
  }

  /** The same, and of all that was the program's own. */
  leaveProgram(): void {
    this.leaveGuest();
    this.#leaveTools();
    this.watches.close();
    for (const fd of [...this.descriptors.entries()].map(([number]) => number))
      if (fd > 2) this.descriptors.close(fd);
    this.restarted = false;
  }

  /** Its engine did not take the flags that it was to have. */
  refuse(text: string, exitCode: number): void {
    if (this.ended) return;
    this.#report(Buffer.from(text));
    this.#finish({ exitCode, signal: 0 });
  }

  /** It goes on as another program, in the same OS process; signals that it handled have their default again. */
  becomes(
    options: StartOptions,
    argv: readonly string[],
    textBytes: number,
    ignored: readonly number[],
  ): void {
    this.startOptions = options;
    this.argv = argv;
    this.#titleBytes = undefined;
    this.textBytes = textBytes;
    this.#handled.clear();
    this.#ignored.clear();
    for (const signal of ignored) this.#ignored.add(signal);
  }

  #openDoor(guest: Guest): GuestDoor {
    const { vm, descriptors } = this;
    const isEnded = (): boolean => this.ended;
    // A copy of the guest would have the same pipe.
    const mayPrintByPipe = (): boolean =>
      vm.deterministic === undefined && this.#template === undefined;
    const paused = (): WaitQueue | undefined => this.#stopped ?? vm.crowd;
    const door: GuestDoor = new GuestDoor(guest, {
      account: vm.account,
      share: vm.share,
      threadLimit: vm.deterministic === undefined ? vm.limits.threads : 0,
      descriptors,
      get ended() {
        return isEnded();
      },
      get paused() {
        return paused();
      },
      mayRead: (stream) => this.mayRead(stream),
      answer: (call) => {
        this.#endPromise();
        return vm.answer(this, call);
      },
      answered: (call, result, own) => vm.answered(this, call, result, own),
      served: (milliseconds, more) => {
        this.bill.served(milliseconds, more ? 0 : 1);
        if (!more) this.budget.rate?.served();
      },
      pauseMs: () => this.budget.rate?.pauseMs ?? 0,
      moved: (kind, direction, bytes) => this.bill.moved(kind, direction, bytes),
      threadOpened: () => this.bill.count("threads"),
      osEnding: () => this.#measure(),
      happened: (event) => this.#happened(event),
      brokenPipe: () => this.brokenPipe(),
      awaitsFork: (errno, give) =>
        this.#setUp !== undefined && this.#template !== undefined
          ? this.#template.awaits(errno, give)
          : -Errno.EPERM,
      image: (args) => imageOf(this, args),
      unwatch: (watch) => void this.watches.remove(watch),
      get mayPrintByPipe() {
        return mayPrintByPipe();
      },
      violated: (reason) => {
        if (this.#door === door) this.#violation ??= reason;
      },
      // Not of one that it has left.
      osEnded: (status, stderr, outOfMemory) => {
        if (this.#door === door) this.#osEnded(status, stderr, outOfMemory);
      },
    });
    return door;
  }

  /** Whether SIGINT is for its engine from now on; answers whether that was sent one since the last call. */
  interruptible(on: boolean): boolean {
    const interrupted = this.#interrupted;
    this.#interrupted = false;
    this.#interruptible = on;
    return interrupted;
  }

  /** Its guest is one that may be copied; `parent` is the template that it is a copy of itself. */
  becomesTemplate({ guest, listener }: TemplateGuest): void {
    this.#template = Template.first(guest, listener, (copy, lent) => this.#lent(copy, lent));
  }

  becomesFurtherTemplate(of: Template, guest: Guest): void {
    this.#template = of.further(guest, (copy, lent) => this.#lent(copy, lent));
  }

  /** Copies of it, once its set-up has ended and as long as it lives. */
  get template(): Template | undefined {
    return this.#setUp !== undefined && !this.ended ? this.#template : undefined;
  }

  /** As its machine was when its set-up had ended; as long as it lives. */
  get setUp(): SetUp | undefined {
    return this.ended ? undefined : this.#setUp;
  }

  /** A copy that waits for its program is this process's to answer for. */
  #lent(copy: Guest, lent: boolean): void {
    const member = this.#copies.get(copy);
    if (lent && member === undefined && !this.ended) {
      const added: BudgetMember = {
        exceed: (code, message) => this.exceed(code, message),
        reached: () => undefined,
      };
      this.#copies.set(copy, added);
      this.budget.join(added, copy.pid);
    } else if (!lent && member !== undefined) {
      this.#copies.delete(copy);
      this.budget.leave(member);
    }
  }

  /** As fork(2): the signals that it handles are handled in the copy as well. */
  bequeath(copy: Process): void {
    for (const signal of this.#handled) copy.#handled.add(signal);
  }

  /** No OS process could be had, or the host broke the rules for it. */
  fail(errorCode: string, errorMessage: string): void {
    this.#door?.end();
    this.#finish({ exitCode: 1, signal: 0, errorCode, errorMessage });
  }

  /** The run it belongs to is over its time. */
  exceed(errorCode: string, errorMessage: string): void {
    if (this.ended) return;
    // Whom the host started speaks for all of the run.
    if (this.#sink !== undefined) this.#report(Buffer.from(`${errorCode}: ${errorMessage}\n`));
    this.#finish({ exitCode: 128 + SIGKILL, signal: SIGKILL, errorCode, errorMessage });
    this.#door?.end();
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

  /** A signal ends it; its OS process may still say something. */
  get dying(): boolean {
    return this.#killedBy !== 0;
  }

  /** Whether a signal has stopped it. */
  get stopped(): boolean {
    return this.#stopped !== undefined;
  }

  /** Whether a signal of this number does nothing to it. */
  ignores(signal: number): boolean {
    return this.#ignored.has(signal) && !this.#handled.has(signal);
  }

  /** Whether it has said what to do about a signal. */
  handlesOrIgnores(signal: number): boolean {
    return this.#ignored.has(signal) || this.#handled.has(signal);
  }

  #stop(signal: number): void {
    if (this.#stopped !== undefined) return;
    this.#stopped = new WaitQueue();
    this.stopSignal = signal;
    this.#door?.stop(true);
    this.unreportedState = signal;
    this.stateChanged.wakeAll();
  }

  #goOn(): void {
    const stopped = this.#stopped;
    if (stopped === undefined) return;
    this.#stopped = undefined;
    this.stopSignal = 0;
    this.unreportedState = SIGCONT;
    this.stateChanged.wakeAll();
    // Before anything of it goes on: one that ends it leaves it no step.
    for (const [signal, sender] of this.#heldSignals) {
      this.#heldSignals.delete(signal);
      this.signal(signal, sender);
    }
    stopped.wakeAll();
    this.#door?.stop(false);
    this.vm.terminals.recheck();
  }

  /** What it is about to change on a terminal is put back at its end, if it asks for that. */
  rememberTerminal(terminal: Terminal, untilEnd: boolean): void {
    if (!untilEnd) this.#terminalsBefore.delete(terminal);
    else if (!this.#terminalsBefore.has(terminal))
      this.#terminalsBefore.set(terminal, terminal.discipline.attributes);
  }

  mayRead(stream: Stream): number {
    const terminal = stream instanceof TerminalSlave ? stream.terminal : undefined;
    return terminal === undefined ? 0 : mayUse(this, terminal, SIGTTIN);
  }

  mayWrite(stream: Stream): number {
    if (!(stream instanceof TerminalSlave)) return 0;
    const { terminal } = stream;
    const held = (terminal.discipline.attributes.lflag & LocalFlag.TOSTOP) !== 0;
    return held ? mayUse(this, terminal, SIGTTOU) : 0;
  }

  openTerminal(path: string, flags: number): Stream | number | undefined {
    return openTerminal(this, path, flags);
  }

  residentExec(sequence: number, source: string): void {
    this.#snippetsUnderWay.add(sequence);
    // Before its guest exists the snippet waits.
    if (this.#door === undefined) this.#snippets.push({ sequence, source });
    else this.#door.tell("residentExec", { sequence, source });
  }

  /** kill(2) by `sender`: a handler in the guest, or the default action. Answers 0 or -errno. */
  signal(signal: number, sender: End["by"]): number {
    // A zombie takes every signal and does nothing.
    if (this.ended) return 0;
    if (signal === 0) return 0;
    if (signal < 0 || signal > lastSignal) return -Errno.EINVAL;
    if (signal === SIGCONT) this.#goOn();
    if (signal === SIGSTOP) {
      this.#stop(signal);
      return 0;
    }
    if (signal !== SIGKILL) {
      if (stopping.has(signal) && !this.#handled.has(signal) && !this.#ignored.has(signal)) {
        // Nobody would ever continue it.
        if (!isOrphaned(this)) this.#stop(signal);
        return 0;
      }
      if (this.#stopped !== undefined && !this.#ignored.has(signal)) {
        this.#heldSignals.set(signal, sender);
        return 0;
      }
      if (signal === SIGINT && this.#interruptible && this.#door !== undefined) {
        // As one that is pending already.
        if (!this.#interrupted) this.#door.interrupt();
        this.#interrupted = true;
        return 0;
      }
      if (this.#handled.has(signal)) {
        this.#door?.signal(signal);
        return 0;
      }
      if (this.#ignored.has(signal) || ignoredByDefault.has(signal)) return 0;
    }
    if (this.#killedBy === 0) {
      this.#killedBy = signal;
      this.#killer = sender;
    }
    if (this.#door !== undefined) this.#door.end();
    else this.#finish({ exitCode: 128 + signal, signal });
    return 0;
  }

  /** A write met nobody to read it. */
  brokenPipe(): void {
    this.signal(SIGPIPE, this.pid);
  }

  /** What it writes would make a file longer than it may make one. */
  fileTooLong(): void {
    this.signal(SIGXFSZ, this.pid);
  }

  /** What it has used so far, or until it ended. */
  usage(): Usage {
    if (this.#used !== undefined) return { ...this.#used, rssBytes: 0 };
    return this.#door === undefined ? nothingUsed : usageOf(this.#door.osPid, this.#usedBeforeMs);
  }

  /** Before its OS process is gone. */
  #measure(): void {
    if (this.#used !== undefined || this.#door === undefined) return;
    this.#used = cpuTimeOf(this.#door.osPid, this.#usedBeforeMs);
    this.budget.measure(this);
  }

  /** It has been waited for: its time and that of its children count as the parent's. */
  countFor(parent: Process): void {
    const { userUs, systemUs } = this.usage();
    parent.childTime.userUs += userUs + this.childTime.userUs;
    parent.childTime.systemUs += systemUs + this.childTime.systemUs;
  }

  #happened({ name, args }: ProcessEvent): void {
    switch (name) {
      case "uncaught":
        this.#uncaught = true;
        return;
      case "exit":
        return this.#exited(args);
      case "returnValue": {
        const { encoding, continued, data } = args;
        const before = continued ? this.#sentValueBytes : 0;
        if (
          encoding > ValueEncoding.structured ||
          before + data.byteLength > this.limits.valueBytes
        )
          throw new MalformedMessage("returned value");
        this.#returned = this.#keepValue(data)
          ? {
              returned: encoding === ValueEncoding.json ? "json" : "structured",
              ...(continued && { valueContinued: true }),
            }
          : { returned: "failure", returnPath: "", returnReason: noRoomForValue };
        return;
      }
      case "returnFailure":
        this.#keepValue(nothing);
        this.#returned = {
          returned: "failure",
          returnPath: args.path.slice(0, 1024),
          returnReason: args.reason.slice(0, 256),
        };
        return;
      case "templateReady":
        return this.#setUpEnded(args.pending);
      case "residentDone":
        if (!this.#snippetsUnderWay.delete(args.sequence))
          throw new MalformedMessage("a snippet that nobody awaits");
        return this.#sink?.residentDone(args.sequence, args.exitCode);
      case "readTo":
        return this.descriptors.file(args.fd)?.readTo(args.position);
      case "writeOn":
        return this.#writeOn(args.fd, args.data);
      case "clock":
        return this.vm.clock.set(args.nowMs);
      case "title":
        this.#titleBytes ??= Buffer.byteLength(this.argv.join(" "));
        this.argv = [
          Buffer.from(args.text).toString("utf8", 0, this.#titleBytes).replaceAll("\0", " "),
        ];
        return;
      case "enginePrinted":
        return this.#takeEnginePrinted();
      case "signalHandler":
        if (args.signal > lastSignal) throw new MalformedMessage("signal number");
        if (args.handled) this.#handled.add(args.signal);
        else this.#handled.delete(args.signal);
    }
  }

  /** What the process does after this does not count. */
  #exited({ code, again }: Extract<ProcessEvent, { name: "exit" }>["args"]): void {
    const door = this.#door!;
    // Its memory is gone by now, unless it is to be kept: it leaves as soon as it has said so.
    this.#used = cpuTimeOf(door.osPid, this.#usedBeforeMs);
    const keeps = again && door.isIdle && this.#leavesNothing;
    this.#finish({ exitCode: code & 0xff, signal: 0 });
    if (!keeps) return door.end();
    const guest = door.release();
    if (!this.vm.keptGuests.keep(guest, this)) guest.end();
  }

  /** As far as the kernel sees; what is open that was not from the start, something in its memory may close later. */
  get #leavesNothing(): boolean {
    const { again, descriptors: first } = this.startOptions!;
    if (again !== true || this.dying || this.#handled.size > 0) return false;
    for (const [fd] of this.descriptors.entries()) if ((first[fd] ?? "") === "") return false;
    return true;
  }

  promises(file: OpenFile, bytes: number): number {
    this.#promise = file.promise(bytes);
    return this.#promise?.left ?? 0;
  }

  #writeOn(fd: number, data: Uint8Array): void {
    const promise = this.#promise;
    // Given back after it has ended.
    if (data.byteLength === 0) return this.#endPromise();
    if (
      promise === undefined ||
      this.descriptors.file(fd) !== promise.file ||
      data.byteLength > promise.left
    )
      throw new MalformedMessage("more is written than was promised to fit");
    this.bill.moved("file", "out", promise.write(data));
  }

  #endPromise(): void {
    this.#promise?.end();
    this.#promise = undefined;
  }

  /** Of a text that nobody has a window for, a life has room for one report. */
  #takeEnginePrinted(): void {
    const room = limits.stderrReportBytes - this.#enginePrintedChars;
    if (room <= 0) return;
    const text = this.#door!.readStderr().slice(0, room);
    this.#enginePrintedChars += text.length;
    if (text !== "") this.#report(Buffer.from(text));
  }

  #setUpEnded(pending: readonly string[]): void {
    if (this.#template === undefined || this.#setUp !== undefined)
      throw new MalformedMessage("no template is awaited");
    const threads = (this.#door?.threads ?? 1) - 1;
    if (threads > 0) pending = [...pending, `Worker (${threads})`];
    pending = [...pending, ...unshareable(this)];
    if (pending.length > 0) {
      const names = pending.slice(0, mostPendingNames).map((name) => name.slice(0, 64));
      return this.fail(
        "ERR_SECURE_EXEC_TEMPLATE_PENDING",
        `the set-up left something under way that a copy could not go on with: ${names.join(", ")}`,
      );
    }
    this.#setUp = new SetUp(this.vm);
    this.budget.rests();
    this.#sink?.templateReady();
  }

  #osEnded(status: number, stderr: string, outOfMemory: OutOfMemory | undefined): void {
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
    const words = stderr.slice(0, limits.stderrReportBytes);
    const death = describeDeath(status, words, this.limits, outOfMemory);
    if (death.stderr !== "") this.#report(Buffer.from(death.stderr));
    this.#finish(death.end);
  }

  /** What the OS process left on its real stderr goes where its virtual one goes. */
  #report(text: Uint8Array): void {
    const stream = this.descriptors.stream(2);
    if (stream instanceof HostOutput) stream.forward(text, () => undefined);
    else stream?.write(text);
  }

  #leaveTools(): void {
    for (const stream of this.toolStreams) this.vm.endOfTool(stream);
    this.toolStreams.clear();
    this.toolInputs.clear();
  }

  /** A part of a value goes on to the host, which asks for the next when it has it. */
  sendValue(
    first: boolean,
    data: Uint8Array,
  ): Deferred<Record<never, never>> | Record<never, never> | number {
    const sent = (first ? 0 : this.#sentValueBytes) + data.byteLength;
    if (sent > this.limits.valueBytes) return -Errno.E2BIG;
    // The host has one part at a time; the rest stays with the guest.
    if (this.#valuesUnderWay.length > 0) return -Errno.EBUSY;
    this.#sentValueBytes = sent;
    if (this.#sink === undefined) return {};
    const taken = new Deferred<Record<never, never>>();
    this.#valuesUnderWay.push(taken);
    this.#sink.value(first, data);
    return taken;
  }

  /** The host has a part. */
  valueTaken(): void {
    this.#valuesUnderWay.shift()?.settle({});
  }

  /** The last value counts, and only whom the host started has one; false when the machine holds too much. */
  #keepValue(json: Uint8Array): boolean {
    this.account.shrink(this.#value.byteLength);
    const kept = this.#sink !== undefined && this.account.grow(json.byteLength);
    this.#value = kept ? Buffer.from(json) : nothing;
    return kept || this.#sink === undefined;
  }

  #finish(end: Ending): void {
    if (this.ended) return;
    this.#measure();
    this.#used ??= nothingUsed;
    this.#cancelStart?.();
    this.#cancelStart = undefined;
    this.#begun?.();
    this.#status = { code: end.signal === 0 ? end.exitCode : 0, signal: end.signal };
    this.#door?.close();
    this.#template?.close("the template has ended");
    this.#setUp?.dispose();
    this.budget.leave(this);
    this.budget.finished();
    nativeWatch.leave(this);
    this.#leaveTools();
    this.watches.close();
    for (const [terminal, before] of this.#terminalsBefore) terminal.discipline.attributes = before;
    this.#terminalsBefore.clear();
    this.#endPromise();
    this.descriptors.closeAll();
    this.vm.processEnded(this);
    this.exited.wakeAll();
    this.#sink?.ended(
      {
        ...end,
        ...this.#returned,
        cause: causeOf(end, this.#killer, this.#uncaught),
        usage: this.budget.usage(),
        ...learnedBy(this.budget),
      },
      this.#value,
    );
    this.#keepValue(nothing);
  }
}
