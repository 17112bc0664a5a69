/**
 * Owns the zygote: a warmed Node that forks one guest per request and reaps it.
 * It holds no tenant's data, draws no random numbers and has no libuv handle.
 *
 * Control messages are 12 bytes each way: u32 kind, i32 a, i32 b. The kernel
 * process is trusted; what a guest sends never reaches this file before the fork,
 * and after it runs in the guest's own process.
 */
import { Channel, onCall } from "../../guest/channel.js";
import type { GuestEnvironment } from "../../guest/environment.js";
import { assumeIdentity, forgetIdentity, installIdentity } from "../../guest/identity.js";
import { installLeaving } from "../../guest/leaving.js";
import { runProgram } from "../../guest/program.js";
import { installStdio } from "../../guest/stdio.js";
import { installFs } from "../../guest/bindings/fs.js";
import { installModules } from "../../guest/bindings/modules.js";
import { installSignals, listenForSignals } from "../../guest/bindings/signal.js";
import { installProcess } from "../../guest/bindings/process.js";
import { installSpawnSync } from "../../guest/bindings/spawn-sync.js";
import { denyBindings } from "../../guest/bindings/denied.js";
import type { StartOptions } from "../../protocol/guest-calls.js";
import * as libc from "../../sandbox/libc.js";
import { lockDown, prepareLockDown } from "./lock-down.js";
import { rehearse } from "./rehearsal.js";
import { collectGarbage, hideInternals, warmUp } from "./warm-up.js";
import { ControlKind, controlMessageBytes } from "./control.js";

declare const internalBinding: (name: string) => any;
declare const requireBuiltin: (id: string) => any;

/** Heap, buffers and WebAssembly of a guest together, beside what it shares with the zygote. */
const guestMemoryBytes = 256 * 1024 * 1024;
/** A process takes about this long to be torn down; nobody waits for it. */
const reapIntervalMs = 4;
const controlFd = 3;
/** Where a guest finds its socket after the fork. */
const guestSocketFd = 3;

export function main(): void {
  boot().catch((error: unknown) => {
    const text = Buffer.from(`${error instanceof Error ? error.stack : String(error)}\n`);
    libc.write(2, text, 0, text.length);
    libc._exit(1);
  });
}

async function boot(): Promise<void> {
  let channel: Channel | undefined;
  const guestChannel = (): Channel => {
    if (channel === undefined) throw new Error("no guest has started");
    return channel;
  };
  const environment: GuestEnvironment = {
    internalBinding,
    requireBuiltin,
    kernel: {
      call: (name, args) => guestChannel().call(name, args),
      callAsync: (name, args, done) => guestChannel().callAsync(name, args, done),
      on: (name, handler) => guestChannel().on(name, handler),
      onCall,
      ref: () => guestChannel().ref(),
      unref: () => guestChannel().unref(),
    },
    writeOutput: (fd, data) => guestChannel().writeOutput(fd, data),
    isHostOutput: (fd) => guestChannel().isHostOutput(fd),
    forgetOutput: (fd) => guestChannel().forgetOutput(fd),
  };

  installIdentity(internalBinding, requireBuiltin, () => environment.kernel);
  installSignals(internalBinding, requireBuiltin, guestChannel);
  installFs(environment);
  installModules(environment);
  installProcess(environment);
  installSpawnSync(environment, guestChannel);
  denyBindings(internalBinding);
  await warmUp(requireBuiltin);
  installStdio(requireBuiltin, guestChannel);
  const leaving = installLeaving(internalBinding, requireBuiltin, guestChannel);

  const live = (guest: Channel): Promise<unknown> => {
    const { options, source } = guest.waitFor("start");
    const start = JSON.parse(options) as StartOptions;
    assumeIdentity(start);
    guest.setOutputs(start.outputWindowBytes, start.descriptors);
    listenForSignals(guest);
    const text = (source as Buffer).toString("utf8");
    return runProgram({ requireBuiltin, internalBinding, channel: guest, leaving }, start, text);
  };

  await rehearse({
    internalBinding,
    requireBuiltin,
    use: (rehearsed) => (channel = rehearsed),
    live,
    forget: forgetIdentity,
  });
  channel = undefined;
  hideInternals(requireBuiltin);
  collectGarbage(requireBuiltin);
  prepareLockDown({ memoryBytes: guestMemoryBytes });

  serve((socket) => {
    channel = new Channel(socket, () => {
      libc._exit(1);
      throw new Error("unreachable");
    });
    channel.attach(internalBinding);
    lockDown();
    channel.event("ready", {});
    void live(channel);
  });
}

/** Serves the kernel until it is gone. Returns only in a forked guest, after `guest` ran. */
function serve(guest: (socket: number) => void): void {
  const message = Buffer.alloc(controlMessageBytes);
  const dying = new Set<number>();
  const send = (kind: number, a: number, b: number): void => {
    const out = Buffer.alloc(controlMessageBytes);
    out.writeUInt32LE(kind, 0);
    out.writeInt32LE(a, 4);
    out.writeInt32LE(b, 8);
    if (libc.write(controlFd, out, 0, out.length) !== out.length) libc._exit(0);
  };
  send(ControlKind.ready, libc.getpid(), 0);
  for (;;) {
    const readable = libc.pollReadable(controlFd, dying.size > 0 ? reapIntervalMs : -1);
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
    if (kind === ControlKind.fork) {
      const pid = libc.fork();
      if (pid === 0) {
        becomeGuest(fds[0]!, fds[1]!);
        return guest(guestSocketFd);
      }
      for (const fd of fds) libc.close(fd);
      send(ControlKind.forked, a, pid);
    } else if (kind === ControlKind.end) {
      libc.kill(a, libc.SIGKILL);
      dying.add(a);
    }
  }
}

/** First steps after the fork: no descriptor, entropy or loop state of the zygote survives. */
function becomeGuest(socket: number, stderr: number): void {
  libc.setParentDeathSignal(libc.SIGKILL);
  libc.dup2(stderr, 2);
  libc.dup2(socket, guestSocketFd);
  libc.uvLoopFork();
  libc.randPoll();
  requireBuiltin("v8").setFlagsFromString(
    `--random-seed=${libc.getrandom(4).readUInt32LE(0) & 0x7fffffff || 1}`,
  );
}
