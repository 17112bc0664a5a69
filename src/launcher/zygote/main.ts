/**
 * Owns the zygote: a warmed Node that forks one guest per request and reaps it.
 * It holds no tenant's data, draws no random numbers and has no libuv handle.
 *
 * Control messages are 12 bytes each way: u32 kind, i32 a, i32 b. The kernel
 * process is trusted; what a guest sends never reaches this file before the fork,
 * and after it runs in the guest's own process.
 */
import { Channel } from "../../guest/channel.js";
import { adoptEngineOptions, inheritedFlags } from "../../guest/engine-options.js";
import { assumeIdentity, forgetIdentity, reassumeIdentity } from "../../guest/identity.js";
import { installBindings } from "../../guest/install.js";
import { installLeaving } from "../../guest/leaving.js";
import { hideInternals } from "../../guest/public-modules.js";
import { runCopiedProgram, runProgram } from "../../guest/program.js";
import { renewEntropy } from "../../guest/entropy.js";
import { prepareFirstCallback } from "../../guest/first-callback.js";
import type { StartMain } from "../../guest/first-callback.js";
import { hideOwnFrames } from "../../guest/stack-frames.js";
import { resolveOrder } from "../../guest/programs/sole-command.js";
import type { Order } from "../../guest/programs/sole-command.js";
import { installStdio } from "../../guest/stdio.js";
import { listenForSignals } from "../../guest/bindings/signal.js";
import { ThreadSlots, threadSlots } from "../../guest/thread-slots.js";
import type { Sources } from "../../guest/loader.js";
import type { StartOptions } from "../../protocol/guest-calls.js";
import { vmLimitTable } from "../../protocol/limits.js";
import { closeAllFrom } from "../../sandbox/descriptors.js";
import { reserveCallbacks } from "../../sandbox/callbacks.js";
import * as libc from "../../sandbox/libc.js";
import {
  AddressSpace,
  makeHeapContiguous,
  moveToHugePage,
  textRegions,
} from "../../sandbox/pages.js";
import type { PageList } from "../../sandbox/pages.js";
import { changeDataLimit, limitCpu } from "../../sandbox/rlimits.js";
import { IsolationUnavailable } from "../../sandbox/unavailable.js";
import { lockDown, lockDownTemplate, measureBase, prepareLockDown } from "./lock-down.js";
import type { Prepared } from "./lock-down.js";
import { rehearseInDress } from "./dress-rehearsal.js";
import { rehearse } from "./rehearsal.js";
import { collectGarbage, furtherWarmUp, warmUp, warmUpTypeScript } from "./warm-up.js";
import { ControlKind, controlMessageBytes, guestMemoryBytes } from "./control.js";

declare const internalBinding: (name: string) => any;
declare const requireBuiltin: (id: string) => any;

/** A zygote without requests for this long has time for itself. */
const idleMs = 20;
/** One that is never idle takes a step after so many forks. */
const forksPerStep = 16;
/** A process takes about this long to be torn down; nobody waits for it. */
const reapIntervalMs = 4;
const controlFd = 3;
/** What sandbox/sqlite-vfs.ts registers in a thread that opens a database, and some more. */
const callbacksPerThread = 28;
/** Where a guest finds its socket after the fork. */
const guestSocketFd = 3;
/** What each guest is sent; one that may become a template gets one more. */
const guestDescriptorCount = 3;
const handoverFd = 4;

/** `preload` loads a module and compiles it to the last function. */
export function main(sources: Sources, preload: (id: string) => void): void {
  boot(sources, preload).catch((error: unknown) => {
    const said =
      error instanceof IsolationUnavailable
        ? error.lastWords
        : error instanceof Error
          ? error.stack
          : String(error);
    const text = Buffer.from(`${said}\n`);
    libc.write(2, text, 0, text.length);
    libc._exit(1);
  });
}

async function boot(sources: Sources, preload: (id: string) => void): Promise<void> {
  const space = AddressSpace.open();
  const saved = {
    contiguousHeap: space !== undefined && makeHeapContiguous(space) > 0,
    hugeTextPages: 0,
    pages: undefined as PageList | undefined,
  };
  adoptEngineOptions(internalBinding, requireBuiltin);
  reserveCallbacks((1 + threadSlots) * callbacksPerThread);
  const { moduleLoadList } = process as unknown as { moduleLoadList: string[] };
  const loadedByNode = moduleLoadList.length;
  let channel: Channel | undefined;
  const guestChannel = (): Channel => {
    if (channel === undefined) throw new Error("no guest has started");
    return channel;
  };
  const { streams, engineBinding } = installBindings({
    internalBinding,
    requireBuiltin,
    channel: guestChannel,
    slots: ThreadSlots.reserve(),
    sources,
    ownFlags: inheritedFlags,
  });
  await warmUp(requireBuiltin);
  hideOwnFrames(internalBinding, requireBuiltin);
  installStdio(requireBuiltin, () => channel);
  const leaving = installLeaving(internalBinding, requireBuiltin, guestChannel);

  const ordered = (guest: Channel): Order => {
    const { options, source } = guest.waitFor("start");
    return { start: JSON.parse(options) as StartOptions, source: source as Buffer };
  };
  const live = (guest: Channel, order = ordered(guest)): Promise<unknown> => {
    const { start, source, refused } = order;
    assumeIdentity(start);
    // What was loaded to be warm has not been loaded as far as the program can tell.
    moduleLoadList.length = loadedByNode;
    guest.setOutputs(start.outputWindowBytes, start.descriptors);
    listenForSignals(guest);
    streams.listen(guest);
    const text = Buffer.from(source.buffer, source.byteOffset, source.byteLength).toString("utf8");
    const tools = { requireBuiltin, internalBinding, channel: guest, leaving, refused, beginCopy };
    return runProgram(tools, start, text);
  };
  let startCopy: StartMain = () => {};
  const beginCopy = (start: StartOptions, source: Uint8Array): void =>
    startCopy(() => {
      const guest = guestChannel();
      reassumeIdentity(start);
      guest.setOutputs(start.outputWindowBytes, start.descriptors);
      const text = Buffer.from(source.buffer, source.byteOffset, source.byteLength);
      const tools = { requireBuiltin, internalBinding, channel: guest, leaving, beginCopy };
      void runCopiedProgram(tools, start, text.toString("utf8"));
    });

  await rehearse({
    internalBinding: engineBinding,
    requireBuiltin,
    use: (rehearsed) => (channel = rehearsed),
    live,
    forget: forgetIdentity,
  });
  channel = undefined;
  const startMain = prepareFirstCallback(internalBinding, requireBuiltin, true);
  startCopy = prepareFirstCallback(internalBinding, requireBuiltin, false);
  libc.prepareRandPoll();
  hideInternals(requireBuiltin);
  collectGarbage(requireBuiltin);
  const memory = {
    memoryBytes: guestMemoryBytes,
    mostMemoryBytes: vmLimitTable.memoryBytes.most,
  };
  const prepared = prepareLockDown(memory);

  const grow = (steps: (() => void)[]) =>
    steps.map((step) => () => {
      step();
      measureBase();
    });
  const idleSteps = grow(furtherWarmUp(requireBuiltin, preload));
  const typeScript = () => {
    const [load, ...rest] = grow(warmUpTypeScript(requireBuiltin));
    // At once: until then, every guest that needs it takes the same time.
    load!();
    idleSteps.push(...rest);
  };
  idleSteps.push(...textSteps(space, () => saved.hugeTextPages++));
  const become = (fds: readonly number[]): Channel => {
    saved.pages?.populate();
    becomeGuest(fds);
    const mayBeTemplate = fds.length > guestDescriptorCount;
    channel = new Channel(guestSocketFd, () => {
      libc._exit(1);
      throw new Error("unreachable");
    });
    channel.attach(engineBinding);
    if (mayBeTemplate) lockDownTemplate(memory, handoverFd);
    else lockDown(memory);
    channel.event("ready", {});
    const guest = channel;
    // Awaited here: what the event loop has read already, nobody could wait for.
    const order = resolveOrder({ channel: guest, requireBuiltin }, ordered(guest));
    startMain(() => void live(guest, order));
    return channel;
  };
  const measure = (): boolean => {
    if (space === undefined) return false;
    saved.pages = undefined;
    const measured = rehearseInDress(space, become);
    if (measured === "guest") return true;
    saved.pages = measured;
    return false;
  };
  serve({ prepared, idleSteps, typeScript, become, measure, saved });
}

/** One step a huge page, until this Linux gives no more. */
function textSteps(space: AddressSpace | undefined, moved: () => void): (() => void)[] {
  if (space === undefined) return [];
  let given = true;
  return textRegions(space).map((region) => () => {
    given &&= moveToHugePage(space, region);
    if (given) moved();
  });
}

interface Service {
  prepared: Prepared;
  /** Taken one by one whenever there is nothing to do, or much. */
  idleSteps: (() => void)[];
  typeScript: () => void;
  /** In a fork: a new guest, with the descriptors that it was sent. */
  become(fds: readonly number[]): Channel;
  /** Renews what guests copy ahead, while there are none; true in a forked guest. */
  measure(): boolean;
  /** What a guest is spared so far. */
  readonly saved: {
    readonly contiguousHeap: boolean;
    readonly hugeTextPages: number;
    readonly pages: PageList | undefined;
  };
}

/** Serves the kernel until it is gone. Returns only in a forked guest. */
function serve({ prepared, idleSteps, typeScript, become, measure, saved }: Service): void {
  const message = Buffer.alloc(controlMessageBytes);
  const dying = new Set<number>();
  const send = (kind: number, a: number, b: number): void => {
    const out = Buffer.alloc(controlMessageBytes);
    out.writeUInt32LE(kind, 0);
    out.writeInt32LE(a, 4);
    out.writeInt32LE(b, 8);
    if (libc.write(controlFd, out, 0, out.length) !== out.length) libc._exit(0);
  };
  let forks = 0;
  const step = (): void => {
    idleSteps.shift()?.();
    if (idleSteps.length === 0)
      send(ControlKind.stale, Number(saved.contiguousHeap), saved.hugeTextPages);
  };
  announce(send, prepared);
  for (;;) {
    const waitMs = dying.size > 0 ? reapIntervalMs : idleSteps.length > 0 ? idleMs : -1;
    const readable = libc.pollReadable(controlFd, waitMs);
    if (readable === 0 && dying.size === 0 && idleSteps.length > 0) step();
    else if (forks >= forksPerStep) {
      forks = 0;
      if (idleSteps.length > 0) step();
    }
    for (const pid of dying) {
      const ended = libc.waitpid(pid, libc.WNOHANG);
      if (ended === 0) continue;
      dying.delete(pid);
      send(ControlKind.reaped, pid, typeof ended === "number" ? -1 : ended.status);
    }
    if (!readable) continue;
    const received = libc.recvFds(controlFd, message);
    if (typeof received === "number" || received.bytes === 0) libc._exit(0);
    const { fds } = received as { bytes: number; fds: number[] };
    const kind = message.readUInt32LE(0);
    const a = message.readInt32LE(4);
    if (kind === ControlKind.fork || kind === ControlKind.forkTemplate) {
      forks++;
      const pid = libc.fork();
      if (pid === 0) {
        become(fds);
        return;
      }
      for (const fd of fds) libc.close(fd);
      // Without its first process a PID namespace takes no more: the kernel process starts another zygote.
      if (pid < 0 && lost(prepared.lifeline)) libc._exit(1);
      send(ControlKind.forked, a, pid);
    } else if (kind === ControlKind.end) {
      libc.kill(a, libc.SIGKILL);
      dying.add(a);
    } else if (kind === ControlKind.stop) {
      libc.kill(a, message.readInt32LE(8) === 1 ? libc.SIGSTOP : libc.SIGCONT);
    } else if (kind === ControlKind.measure) {
      if (measure()) return;
      send(ControlKind.measured, saved.pages?.pages ?? 0, 0);
    } else if (kind === ControlKind.ask) send(ControlKind.here, a, 0);
    else if (kind === ControlKind.typeScript) typeScript();
    else if (kind === ControlKind.limitMemory) {
      const changeBytes = message.readInt32LE(8) * 1024;
      send(ControlKind.memoryLimited, a, changeDataLimit(a, changeBytes));
    } else if (kind === ControlKind.limitCpu) limitCpu(a, message.readInt32LE(8));
  }
}

/** Says that it serves, and what its guests are confined by. */
function announce(send: (kind: number, a: number, b: number) => void, prepared: Prepared): void {
  const layers = Buffer.from(JSON.stringify(prepared.layers));
  send(ControlKind.ready, prepared.firstPid, layers.length);
  if (libc.write(controlFd, layers, 0, layers.length) !== layers.length) libc._exit(0);
}

/** Whether the process at the other end of the pipe is gone. */
function lost(lifeline: number): boolean {
  return lifeline >= 0 && (libc.pollWritable(lifeline, 0) & libc.POLLERR) !== 0;
}

/**
 * First steps after the fork: no descriptor, entropy or loop state of the zygote survives.
 * `fds` are what the kernel process sent for this guest alone: its socket, its stderr, a null device, and
 * for one that may become a template the socket that its listener goes over.
 */
function becomeGuest(fds: readonly number[]): void {
  const [socket, stderr, nothing, handover] = fds;
  libc.setParentDeathSignal(libc.SIGKILL);
  libc.dup2(nothing!, 0);
  libc.dup2(nothing!, 1);
  libc.dup2(stderr!, 2);
  libc.dup2(socket!, guestSocketFd);
  if (handover !== undefined) libc.dup2(handover, handoverFd);
  // The zygote's loops, its other threads' and the copies above; the loop then makes its own anew.
  closeAllFrom((handover === undefined ? guestSocketFd : handoverFd) + 1);
  libc.uvLoopFork();
  renewEntropy(requireBuiltin);
}
