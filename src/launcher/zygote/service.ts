/**
 * Owns the loop in which a process that makes guests serves the kernel process: it forks when it is
 * told to, ends, stops, limits and reaps what it forked, and is gone with its kernel.
 *
 * Control messages are 12 bytes each way: u32 kind, i32 a, i32 b. The kernel process is trusted;
 * what a guest sends never reaches this file.
 */
import * as libc from "../../sandbox/libc.js";
import { changeDataLimit, limitCpu } from "../../sandbox/rlimits.js";
import { controlFd } from "./bootstrap.js";
import { ControlKind, controlMessageBytes, decodeControl, encodeControl } from "./control.js";
import type { Prepared } from "./lock-down.js";

/** One without requests for this long has time for itself. */
const idleMs = 20;
/** One that is never idle takes a step after so many forks. */
const forksPerStep = 16;
/** A process takes about this long to be torn down; nobody waits for it. */
const reapIntervalMs = 4;

/** One that is done later has nobody served meanwhile. */
export type IdleStep = () => void | Promise<void>;

export interface Service {
  prepared: Prepared;
  /** What is done before the first fork, while the kernel process hears that there will be one. */
  first?(): Promise<void>;
  /** Taken one by one whenever there is nothing to do, or much. */
  idleSteps: IdleStep[];
  typeScript?(): void;
  /** In a fork: a new guest, with the descriptors that it was sent and the text that came with them. */
  become(fds: readonly number[], order: string): unknown;
  /** Renews what guests copy ahead, while there are none; true in a forked guest. */
  measure?(): boolean;
  /** What a guest is spared so far. */
  readonly saved: {
    readonly compiledModules: number;
    readonly contiguousHeap: boolean;
    readonly hugeTextPages: number;
    readonly hugeHeapPages: number;
    readonly inheritedTexts: number;
    readonly pages: { readonly pages: number } | undefined;
  };
}

function send(kind: number, a: number, b: number): void {
  const out = encodeControl(kind, a, b);
  if (libc.write(controlFd, out, 0, out.length) !== out.length) libc._exit(0);
}

/** Serves the kernel until it is gone. Returns only in a forked guest. */
export async function serve(service: Service): Promise<void> {
  const { idleSteps, prepared, saved } = service;
  const message = Buffer.alloc(controlMessageBytes);
  const dying = new Set<number>();
  let forks = 0;
  const step = async (): Promise<void> => {
    await idleSteps.shift()?.();
    if (idleSteps.length === 0)
      send(
        ControlKind.stale,
        Number(saved.contiguousHeap) | (saved.compiledModules << 1) | (saved.inheritedTexts << 16),
        saved.hugeTextPages | (saved.hugeHeapPages << 16),
      );
  };
  announce(prepared);
  prepared.reap();
  await service.first?.();
  for (;;) {
    const waitMs = dying.size > 0 ? reapIntervalMs : idleSteps.length > 0 ? idleMs : -1;
    const readable = libc.pollReadable(controlFd, waitMs);
    if (readable === 0 && dying.size === 0 && idleSteps.length > 0) await step();
    else if (forks >= forksPerStep) {
      forks = 0;
      if (idleSteps.length > 0) await step();
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
    const { kind, a, b } = decodeControl(message);
    if (kind === ControlKind.fork || kind === ControlKind.forkTemplate) {
      const order = readText(b);
      forks++;
      const pid = libc.fork();
      if (pid === 0) {
        service.become(fds, order);
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
      libc.kill(a, b === 1 ? libc.SIGSTOP : libc.SIGCONT);
    } else if (kind === ControlKind.interrupt) {
      libc.kill(a, libc.SIGINT);
    } else if (kind === ControlKind.measure) {
      if (service.measure?.() === true) return;
      send(ControlKind.measured, saved.pages?.pages ?? 0, 0);
    } else if (kind === ControlKind.ask) send(ControlKind.here, a, 0);
    else if (kind === ControlKind.typeScript) service.typeScript?.();
    else if (kind === ControlKind.limitMemory) {
      send(ControlKind.memoryLimited, a, changeDataLimit(a, b * 1024));
    } else if (kind === ControlKind.limitCpu) limitCpu(a, b);
  }
}

/** What follows a message. */
function readText(bytes: number): string {
  const text = Buffer.alloc(bytes);
  for (let at = 0; at < bytes;) {
    const size = libc.read(controlFd, text, at, bytes - at);
    if (size <= 0) libc._exit(0);
    at += size;
  }
  return text.toString("utf8");
}

/** Says that it serves, and what its guests are confined by. */
function announce(prepared: Prepared): void {
  const layers = Buffer.from(JSON.stringify(prepared.layers));
  send(ControlKind.ready, prepared.firstPid, layers.length);
  if (libc.write(controlFd, layers, 0, layers.length) !== layers.length) libc._exit(0);
}

/** Whether the process at the other end of the pipe is gone. */
function lost(lifeline: number): boolean {
  return lifeline >= 0 && (libc.pollWritable(lifeline, 0) & libc.POLLERR) !== 0;
}
