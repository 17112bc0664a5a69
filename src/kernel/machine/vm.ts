/**
 * Owns one virtual machine: its file system, its processes and its defaults.
 * Nothing in it is shared with another VM.
 */
import { constants } from "node:os";
import { baseEnvironment, identity } from "../../abi/identity.js";
import { borderCertificate, machine } from "../../abi/machine.js";
import type { BorderOptions } from "../../protocol/border.js";
import {
  FileSystem,
  OpenFile,
  bootLayout,
  hostCredentials,
  mountLines,
  writeAll,
} from "../fs/index.js";
import type { AskProvider, Credentials, MachineView, ProcessView } from "../fs/index.js";
import { Errno, errnoName } from "../../abi/errno.js";
import { O_CREAT, O_TRUNC, O_WRONLY } from "../../abi/fcntl.js";
import type { VmLimits } from "../../protocol/limits.js";
import type { LimitWarning, VmMount, VmOptions } from "../../protocol/host-calls.js";
import type { Policies, Scope } from "../../protocol/permissions.js";
import type { DecisionList } from "../../protocol/decisions.js";
import type { HostUsage, MachineUsage } from "../../protocol/usage.js";
import type { ToolDescriptor } from "../../protocol/tools.js";
import type { EngineWaiter } from "../../launcher/engines.js";
import type { Guest, TemplateGuestWaiter } from "../../launcher/fork.js";
import type { EngineKind, EngineOrder } from "../../protocol/engine-start.js";
import { Account } from "./account.js";
import type { AccountLimits } from "./account.js";
import { MachineClock, epochMs } from "./clock.js";
import { revokeDenied } from "./revocation.js";
import { MachineObserver } from "./observer.js";
import { LimitWarnings } from "./limit-warnings.js";
import type { Measured } from "./limit-warnings.js";
import { hostCaller } from "./host-caller.js";
import { leftOver } from "./left-over.js";
import type { Belongings } from "../guest-door/thread-descriptors.js";
import type { GuestAnswer, ProcessCall } from "../guest-door/thread.js";
import type { Share, Turns } from "../guest-door/turns.js";
import type { ProviderRequests } from "../host-door/provider-requests.js";
import type { Asker, HostRequests } from "../host-door/requests.js";
import { canLoadImages } from "../../sandbox/image-loader.js";
import { TerminalTable, terminalOf } from "../io/terminal.js";
import { Transit } from "../io/transit.js";
import { Network } from "../net/network.js";
import { socketTable } from "../net/socket-table.js";
import { Policy } from "../policy/policy.js";
import { ImageRoom } from "../io/images.js";
import { Bill } from "../process/bill.js";
import { KeptGuests } from "../process/kept-guests.js";
import { installPrograms } from "../process/programs.js";
import { ArchiveError } from "../../protocol/tar.js";
import { Restore } from "./restore.js";
import type { Process } from "../process/process.js";
import { ProcessTable } from "../process/table.js";
import { installToolCommands } from "../tools/commands.js";
import { ToolRegistry } from "../tools/registry.js";

/** The machine cannot be made as asked. */
export class VmOptionError extends Error {}

/** Permissions that are to narrow a machine would not. */
export class PermissionsWidened extends Error {
  constructor(scope: Scope, why: string) {
    super(`permissions.${scope} would allow what the machine does not: ${why}`);
  }
}

/** Where `nodeModules` lies unless the host says otherwise. */
const sharedPackages = "/tmp/node_modules";

type GuestWaiter = (guest: Guest | undefined, reason: string) => void;

/** What a machine asks of its border. */
interface MachineBorder {
  usage(): Record<string, HostUsage>;
  set(options: BorderOptions): void;
  readonly authority: { readonly certificate: string };
}

/** What every VM of a kernel uses. */
export interface VmServices {
  readonly requests: HostRequests;
  readonly providers: ProviderRequests;
  readonly turns: Turns;
  /** Where the OS processes come from: locked-down blank guests, served to VMs in turn. */
  readonly guests: {
    take(owner: object, waiter: GuestWaiter, addons: boolean): () => void;
    takeForTemplate(waiter: TemplateGuestWaiter, addons: boolean): () => void;
    expectAddons(): () => void;
    othersWait(owner: object): boolean;
  };
  /** The same with an engine of their own, begun as the order says. */
  readonly engines: {
    readonly guestPids: number[];
    readonly starterPid: number;
    take(owner: object, order: EngineOrder, waiter: EngineWaiter): () => void;
  };
  /** The system calls. */
  answer(process: Process, call: ProcessCall): GuestAnswer;
  /** A call got its result. */
  answered(process: Process, call: ProcessCall, result: object, own: Belongings | undefined): void;
  /** Tells the host of decisions. */
  decided(handle: number, list: DecisionList): void;
  /** Tells the host that a limit is nearly reached. */
  warn(handle: number, warning: LimitWarning): void;
}

/** What a machine begins with that is made from another one. */
export interface Beginning {
  readonly source: Vm;
  /** Not those that it has now. */
  readonly files?: FileSystem | undefined;
  readonly ancestor?: Process | undefined;
}

export class Vm {
  readonly fs: FileSystem;
  readonly processes: ProcessTable;
  readonly limits: VmLimits;
  /** What it makes the kernel hold. */
  readonly account: Account;
  /** Its descriptors that travel in pipes. */
  readonly transit: Transit;
  readonly network: Network;
  readonly terminals: TerminalTable;
  readonly keptGuests: KeptGuests;
  /** Its part of the kernel's time. */
  readonly share: Share;
  /** As whom it asks the host. */
  readonly asker: Asker;
  readonly env: Record<string, string>;
  readonly cwd: string;
  readonly clock: MachineClock;
  readonly startedAtMs: number;
  /** One process of one thread at a time, whose time is its own. */
  readonly deterministic: VmOptions["deterministic"];
  readonly policy: Policy;
  readonly observer: MachineObserver;
  readonly bill = new Bill();
  #warnings: LimitWarnings | undefined;
  readonly #warn: (warning: LimitWarning) => void;
  readonly tools = new ToolRegistry();
  readonly jsRuntime: VmOptions["jsRuntime"];
  /** What its programs run in unless they say otherwise. */
  readonly engine: EngineKind;
  /** Whether its programs may load native addons. */
  readonly nativeAddons: boolean;
  /** What those are loaded from. */
  readonly images: ImageRoom;
  disposed = false;
  /** Where its requests to certain hosts are read, if they are. */
  #border: MachineBorder | undefined;
  /** What is mounted of the host's. */
  readonly #mounts: VmMount[] = [];
  /** While its files are coming. */
  #restore: Restore | undefined;

  readonly #handle: number;
  readonly #services: VmServices;
  /** What is undone at its disposal, before its processes end. */
  readonly #undo: (() => void)[] = [];

  /** The process of another machine that templates of this one may begin from. */
  readonly ancestor: Process | undefined;

  /** `handle` is the SDK's name for this VM. With `beginning`, it begins with the files and mounts of another one. */
  constructor(handle: number, options: VmOptions, services: VmServices, beginning?: Beginning) {
    const source = beginning?.source;
    this.ancestor = beginning?.ancestor;
    this.#handle = handle;
    this.#services = services;
    this.share = services.turns.share();
    this.asker = { vm: handle, part: this.share };
    this.deterministic = options.deterministic;
    this.clock = new MachineClock(options.deterministic?.startTimeMs);
    this.startedAtMs = this.clock.nowMs;
    const { audit, policyMode: mode } = options;
    this.observer = new MachineObserver(
      audit,
      mode,
      (list) => services.decided(handle, list),
      () => epochMs(this.share.frameBeganMs),
    );
    this.policy = new Policy(
      options.permissions,
      (scope, asked) =>
        services.requests.judge(this.asker, scope, asked, options.permissionTimeoutMs),
      { mode, observer: this.observer, alone: options.deterministic !== undefined },
    );
    this.jsRuntime = options.jsRuntime;
    this.engine = options.engine;
    this.nativeAddons = options.nativeAddons;
    if (this.nativeAddons && !canLoadImages)
      throw new VmOptionError(`nativeAddons must be false on ${process.arch}`);
    this.limits = options.limits;
    this.account = new Account(options.limits);
    this.images = new ImageRoom(this.account, options.limits.memoryBytes);
    this.transit = new Transit(this.account);
    this.processes = new ProcessTable(this.limits.processes, this.account);
    this.keptGuests = new KeptGuests(this.account);
    this.terminals = new TerminalTable({
      account: this.account,
      limit: this.limits.terminals,
      signalGroup: (group, signal) => this.processes.signalGroup(group, signal),
      signalLeader: (session, signal) =>
        void this.processes.get(session)?.signal(signal, "terminal"),
    });
    this.fs = this.#newFiles(options, beginning?.files ?? source?.fs);
    this.network = new Network(
      this.fs,
      identity.hostname,
      this.limits,
      options.loopbackExemptPorts ?? [],
      this.transit,
    );
    if (this.deterministic !== undefined) this.network.ports.choose = () => 0;
    const mounts = source === undefined ? options.mounts : source.#mounts;
    if (options.restores !== true) this.#begin(options.tools, mounts, source);
    else this.#restore = new Restore(this.fs, () => this.#furnish(options.tools, mounts));
    this.env = { ...baseEnvironment, ...options.env };
    this.cwd = options.cwd || identity.home;
    this.#warn = (warning) => services.warn(handle, warning);
    if (options.warnsOfLimits) this.#warnings = this.#newWarnings();
    if (this.nativeAddons) this.#undo.push(services.guests.expectAddons());
  }

  #newWarnings(): LimitWarnings {
    return new LimitWarnings(this.#warn, () => ({
      alive: this.processes.values().some(({ ended }) => !ended),
      measured: this.#measured(),
    }));
  }

  /** Tells the host of decisions, or of limits that come near, from now on. */
  observe(decisions: boolean, limits: boolean): void {
    if (decisions) this.observer.audit.stream();
    if (!limits || this.#warnings !== undefined) return;
    this.#warnings = this.#newWarnings();
    if (!this.disposed) this.#warnings.look();
  }

  #newFiles({ restores = false }: VmOptions, source?: FileSystem): FileSystem {
    const { fileSystemBytes: bytes, inodes } = this.limits;
    const fs = new FileSystem({ bytes, inodes }, () => this.clock.nowMs, this.account, source);
    if (restores || source !== undefined) return fs;
    bootLayout(fs, identity);
    installPrograms(fs);
    return fs;
  }

  #begin(tools: readonly ToolDescriptor[], mounts: readonly VmMount[], source?: Vm): void {
    try {
      this.#furnish(tools, mounts, source);
    } catch (error) {
      this.fs.dispose();
      throw error;
    }
  }

  /** Before anything runs in it. Its programs trust the border's authority from then on. */
  set border(border: MachineBorder) {
    this.#border = border;
    if (this.#restore === undefined) this.#trustBorder();
  }

  /** What its border looks into from now on; false where it has none. */
  setBorder(options: BorderOptions): boolean {
    this.#border?.set(options);
    return this.#border !== undefined;
  }

  /** That of another machine, whose files these were, is none of this one's. */
  #trustBorder(): void {
    const certificate = this.#border?.authority.certificate;
    if (certificate !== undefined) this.writeHostFile(borderCertificate, Buffer.from(certificate));
    else if (this.#restore !== undefined) this.fs.unlink(hostCredentials, borderCertificate);
  }

  /** What a machine has beside its own files. */
  #furnish(tools: readonly ToolDescriptor[], mounts: readonly VmMount[], source?: Vm): void {
    if (tools.length > 0) this.registerTools(tools);
    this.fs.mountProc(this.#machineView());
    for (const mount of mounts) this.mount(mount, source?.fs);
    this.#trustBorder();
  }

  /** One part of the archive of its files. Throws `ArchiveError`, or `VmOptionError` at its end. */
  restore(data: Buffer, more: boolean): void {
    if (this.#restore === undefined) throw new ArchiveError("the machine has its files already");
    this.#restore.push(data);
    if (more) return;
    this.#restore.finish();
    this.#restore = undefined;
  }

  #machineView(): MachineView {
    const { clock, fs, limits, processes, startedAtMs } = this;
    return {
      hostname: identity.hostname,
      startedAtMs,
      nowMs: () => clock.nowMs,
      memoryBytes: limits.memoryBytes,
      processesLimit: limits.processes,
      process: (pid) => {
        const process = processes.get(pid);
        return process && viewOf(process);
      },
      processes: () => Array.from(processes.values(), viewOf),
      mounts: () => mountLines(fs.mounts),
      sockets: (table) =>
        socketTable(
          table,
          this.network.ports.rows(table.startsWith("tcp") ? "tcp" : "udp"),
          identity.uid,
        ),
    };
  }

  /** Takes a mount away, in use or not. Answers 0, or -errno when there is none. */
  unmount(guestPath: string): number {
    const result = this.fs.unmount(guestPath);
    const at = this.#mounts.findIndex((mount) => mount.guestPath === guestPath);
    if (result === 0) this.#mounts.splice(at, 1);
    return result;
  }

  /** Throws `VmOptionError`, and has mounted nothing then. `source`: the files that this machine's were cloned from. */
  mount(mount: VmMount, source?: FileSystem): void {
    const { option, provider, executable = false, ...place } = mount;
    const { guestPath } = place;
    const ask: AskProvider = (options, room, question, data) =>
      this.#services.providers.ask({ vm: this.#handle, room }, options, question, data);
    const { uid, gid } = identity;
    const provided = provider && { provided: { provider, ask } };
    const result = this.fs.mount({
      ...place,
      ...provided,
      ...(source !== undefined && { source }),
      executable,
      uid,
      gid,
    });
    if (result === 0) {
      this.#mounts.push(mount);
      return this.#sharePackages(guestPath);
    }
    const why = errnoName(-result) ?? `errno ${-result}`;
    throw new VmOptionError(`${option} cannot be mounted at ${guestPath}: ${why}`);
  }

  /** Hands over a locked-down blank guest, now or later, or `undefined` and the reason. Answers how to wait no longer. */
  takeGuest(waiter: GuestWaiter): () => void {
    return this.#services.guests.take(this, waiter, this.nativeAddons);
  }

  /** Whether other machines wait for guests. */
  get othersWait(): boolean {
    return this.#services.guests.othersWait(this);
  }

  /** As `takeGuest`, of a guest with an engine of its own. */
  takeEngine(order: EngineOrder, waiter: EngineWaiter): () => void {
    return this.#services.engines.take(this, order, waiter);
  }

  /** The same with a guest that may become a template. */
  takeForTemplate(waiter: TemplateGuestWaiter): () => void {
    return this.#services.guests.takeForTemplate(waiter, this.nativeAddons);
  }

  /**
   * Before a program of the host starts: answers whether one may. Each of a deterministic machine is alone in
   * it, and begins at the same time under the same number.
   */
  readyForProgram(): boolean {
    if (this.deterministic === undefined) return true;
    if (this.processes.size > 0) return false;
    this.processes.restart();
    this.clock.set(this.deterministic.startTimeMs);
    return true;
  }

  answer(process: Process, call: ProcessCall): GuestAnswer {
    return this.#services.answer(process, call);
  }

  answered(process: Process, call: ProcessCall, result: object, own: Belongings | undefined): void {
    this.#services.answered(process, call, result, own);
  }

  /**
   * From now on `policies` have to allow as well. Throws `VmOptionError` when they would be wider than what
   * holds, or come too often; resolves when what is open was judged by them.
   */
  async narrow(policies: Partial<Policies>): Promise<void> {
    const wider = this.policy.widening(policies);
    if (wider !== undefined) throw new PermissionsWidened(wider.scope, wider.why);
    if (!this.policy.narrow(policies))
      throw new VmOptionError("permissions have changed too often");
    await revokeDenied(this, new Set(Object.keys(policies) as Scope[]));
  }

  /** What all that ever ran in it has used. */
  usage(): MachineUsage {
    let livingMs = 0;
    for (const process of this.processes.values()) {
      process.observe();
      livingMs += process.budget.cpuTimeOf(process);
    }
    const hosts = this.#border?.usage();
    return { ...this.bill.usage(livingMs), ...(hosts !== undefined && { hosts }) };
  }

  /** Looks whether a limit is nearly reached, if the host wants to know. */
  lookAtLimits(): void {
    if (!this.disposed) this.#warnings?.look();
  }

  *#measured(): Iterable<Measured> {
    const { account, fs, limits, network, processes } = this;
    const of = (limit: Measured["limit"], observed: number): Measured => ({
      limit,
      observed,
      capacity: limits[limit],
    });
    for (const [name, used] of Object.entries(account.usage) as [keyof AccountLimits, number][])
      yield of(name, used);
    const { bytes, inodes } = fs.usage();
    yield of("fileSystemBytes", bytes);
    yield of("inodes", inodes);
    const { sockets, connections } = network.counts;
    yield of("sockets", sockets);
    yield of("connections", connections);
    yield of("processes", processes.size);
    for (const process of processes.values()) if (!process.ended) yield* process.measured();
  }

  /** `undo` runs once, at the disposal. */
  onDispose(undo: () => void): void {
    this.#undo.push(undo);
  }

  /**
   * Ends the machine. In this order: nothing new is begun, nobody reaches it from outside, its
   * processes end, and then what they used goes; calls of its last guests fail with EIO.
   */
  dispose(): void {
    if (this.disposed) return;
    this.disposed = true;
    this.network.close();
    for (const process of this.processes.values())
      process.signal(constants.signals.SIGKILL, "dispose");
    this.keptGuests.endAll();
    for (const undo of this.#undo.splice(0)) undo();
    this.#warnings?.close();
    this.account.close();
    this.transit.close();
    const { bytes } = this.fs.usage();
    this.fs.dispose();
    this.share.close();
    leftOver(bytes);
  }

  registerTools(tools: readonly ToolDescriptor[]): void {
    this.tools.register(tools);
    installToolCommands(this.fs, this.tools.commandNames().keys());
  }

  /** Asks the host to run a tool's handler. */
  callTool(name: string, input: Uint8Array): ReturnType<HostRequests["callTool"]> {
    return this.#services.requests.callTool(this.asker, name, input);
  }

  /** The next value of a stream of a tool, or its end. */
  nextOfTool(stream: number, stop: boolean): ReturnType<HostRequests["nextOfTool"]> {
    return this.#services.requests.nextOfTool(this.asker, stream, stop);
  }

  endOfTool(stream: number): void {
    this.#services.requests.endOfTool(this.#handle, stream);
  }

  /** While its processes' calls are to wait, as the host has decisions enough to make. */
  get crowd(): ReturnType<HostRequests["crowdOf"]> {
    return this.#services.requests.crowdOf(this.#handle);
  }

  /** Called by a process that has ended, once. */
  processEnded(process: Process): void {
    if (process.session === process.pid) this.terminals.leaderEnded(process.session);
    this.processes.ended(process);
    this.keptGuests.processEnded(process);
    this.lookAtLimits();
  }

  /** Packages that the host puts below /tmp are found by programs in every directory. */
  #sharePackages(path: string): void {
    if (!`${path}/`.startsWith(`${sharedPackages}/`)) return;
    // One that is there is this link, or a mount of the host's.
    this.fs.symlink(hostCredentials, sharedPackages.slice(1), "/node_modules");
  }

  /** Writes a file for the host, with what is missing on the way. */
  writeHostFile(path: string, data: Uint8Array): number {
    const file = this.openHostFile(hostCaller(false), path);
    if (typeof file === "number") return file;
    const failure = writeAll(file, data);
    file.unref();
    return failure;
  }

  /** A file for the host to write from its beginning; one that was not there is the guest's. Answers it or -errno. */
  openHostFile(who: Credentials, path: string): OpenFile | number {
    this.#sharePackages(path);
    const file = this.fs.open(who, path, O_WRONLY | O_TRUNC, 0);
    if (file !== -Errno.ENOENT) return file;
    const slash = path.lastIndexOf("/");
    const parents = slash > 0 ? this.makeHostDirectories(who, path.slice(0, slash)) : 0;
    if (parents < 0) return parents;
    const made = this.fs.open(who, path, O_WRONLY | O_CREAT, 0o644);
    if (typeof made !== "number") made.chown(identity.uid, identity.gid, who);
    return made;
  }

  /** mkdir -p for the host. Answers 0 or -errno. */
  makeHostDirectories(who: Credentials, path: string): number {
    const made = this.fs.mkdirTree(who, path, 0o755);
    if (typeof made === "number") return made;
    for (let end = made.length; end !== -1; end = path.indexOf("/", end + 1)) {
      this.#giveToGuest(who, path.slice(0, end));
      if (end >= path.length) break;
    }
    this.#giveToGuest(who, path);
    return 0;
  }

  makeHostDirectory(who: Credentials, path: string): number {
    const made = this.fs.mkdir(who, path, 0o755);
    if (made === 0) this.#giveToGuest(who, path);
    return made;
  }

  #giveToGuest(who: Credentials, path: string): void {
    this.fs.chown(who, path, identity.uid, identity.gid, true);
  }
}

/** A process as /proc shows it. */
function viewOf(process: Process): ProcessView {
  const { pid, ppid, argv, credentials, descriptors, startOptions } = process;
  return {
    pid,
    ppid,
    argv,
    env: startOptions?.env ?? {},
    cwd: credentials.cwd,
    exe: startOptions?.mode === "command" ? `/usr/bin/${startOptions.image}` : machine.nodePath,
    state: process.ended ? "Z" : process.stopped ? "T" : "S",
    startedAtMs: process.startedAtMs,
    uid: credentials.uid,
    gid: credentials.gid,
    umask: credentials.umask,
    processGroup: process.processGroup,
    session: process.session,
    openFilesLimit: descriptors.limit,
    fileBytes: process.fileBytes,
    descriptors: () =>
      Array.from(descriptors.entries(), ([fd, description]) => ({
        fd,
        // Made when it is asked for: a path may be long.
        get target() {
          if (description instanceof OpenFile) return description.path;
          if (description.file !== undefined) return description.file.path;
          const terminal = terminalOf(description);
          if (terminal !== undefined)
            return description === terminal.master ? "/dev/ptmx" : `/dev/pts/${terminal.number}`;
          const socket = description.kind === "tcp" || description.kind === "udp";
          return `${socket ? "socket" : "pipe"}:[${pid * 256 + fd}]`;
        },
      })),
  };
}
