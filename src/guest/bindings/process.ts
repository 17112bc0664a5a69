/**
 * Owns the `process_wrap` binding: `Process`, the handle under ChildProcess.
 * Children are processes of the VM's kernel; their pipes are its socket pairs.
 */
import { nativeProgramHint } from "../../protocol/native-programs.js";
import { Errno } from "../../abi/errno.js";
import { wireLimits } from "../../protocol/codec.js";
import { SpawnDescriptor, SpawnFlags } from "../../protocol/guest-calls.js";
import { toKernel } from "../names.js";
import type { GuestEnvironment, PendingCall } from "../environment.js";
import { asyncIdsOf, beginHandle, endHandle } from "../async-resources.js";
import { currentFrame, deliver } from "../delivery.js";
import { later } from "../turns.js";

/** src/process_wrap.cc: kProcessFlagDetached. */
const flagDetached = 1 << 0;

/** Filled by `installProcess`: node:os must not load before its binding is replaced. */
const signalNames = new Map<number, string>();

/** The name of a signal, as C++'s signo_string; empty for none. */
export function signalName(signal: number): string {
  return signalNames.get(signal) ?? "";
}

/** One entry of what `getValidStdio` in internal/child_process makes. */
export interface StdioEntry {
  type: "ignore" | "pipe" | "overlapped" | "wrap" | "inherit" | "fd";
  fd?: number;
  handle?: { open(fd: number): number; fd: number; close?(): void };
}

export interface SpawnRequest {
  file: string;
  args: readonly string[] | undefined;
  cwd: string | undefined;
  envPairs: readonly string[] | undefined;
  fds: number[];
  detached: boolean;
  uid: number | undefined;
  gid: number | undefined;
}

/** The descriptor that a stdio entry hands down; libuv gives /dev/null to ignored ones below 3. */
export function descriptorOf(entry: StdioEntry, index: number): number {
  switch (entry.type) {
    case "ignore":
      return index < 3 ? SpawnDescriptor.null : SpawnDescriptor.closed;
    case "pipe":
    case "overlapped":
      return SpawnDescriptor.pair;
    case "wrap":
      return entry.handle?.fd ?? SpawnDescriptor.closed;
    default:
      return entry.fd ?? index;
  }
}

/** Far beyond what the kernel takes as arguments, which it answers for itself. */
function fitsOneCall(texts: readonly string[]): boolean {
  const halfFrameBytes = wireLimits.frameBytes / 2 - 65_536;
  const bytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text) + 4, 0);
  return texts.length <= wireLimits.listItems && bytes <= halfFrameBytes;
}

/** The system call behind every form of spawning. */
export function spawnProcess(
  env: GuestEnvironment,
  request: SpawnRequest,
  explain?: (words: string) => void,
): { pid: number; ends: number[] } | number {
  const pairs =
    request.envPairs ?? Object.entries(process.env).map(([name, value]) => `${name}=${value}`);
  const argv = (request.args ?? [request.file]).map((word) => toKernel(String(word)));
  if (!fitsOneCall(argv) || !fitsOneCall(pairs)) return -Errno.E2BIG;
  const args = {
    file: toKernel(request.file),
    argv,
    env: pairs.map(toKernel),
    cwd: toKernel(request.cwd ?? ""),
    fds: request.fds,
    flags: request.detached ? SpawnFlags.newSession : 0,
    uid: request.uid ?? -1,
    gid: request.gid ?? -1,
    ignored: [],
    openFiles: -1,
    fileBytes: [],
  };
  return env.kernel.call("spawn", args, explain);
}

let environment: GuestEnvironment;
let ownerSymbol: symbol;

/** What Node made of a handle: a ChildProcess. */
interface EventSource {
  emit?(type: string, ...args: unknown[]): unknown;
}

/** Opens `handle` as a pipe with nobody at its other end. */
function openDeserted(handle: NonNullable<StdioEntry["handle"]>): void {
  const { kernel } = environment;
  const pair = kernel.call("socketpair", {});
  if (typeof pair === "number") return;
  kernel.call("close", { fd: pair.second });
  handle.open(pair.first);
}

/** Node words the error of a failed spawn by its errno alone; the kernel has said more. */
function explain(handle: object, words: string): void {
  const child = (handle as Record<symbol, EventSource>)[ownerSymbol]!;
  const emit = child.emit!;
  child.emit = function (type: string, ...args: unknown[]): unknown {
    delete child.emit;
    if (type === "error") (args[0] as Error).message = words;
    return Reflect.apply(emit, this, [type, ...args]);
  };
}

class Process {
  /** Undefined unless a process was started. */
  pid: number | undefined;
  onexit: ((exitCode: number, signalCode: string) => void) | undefined;
  #wait: PendingCall | undefined;
  #closed = false;
  #referenced = true;
  readonly #frame: unknown = currentFrame();

  constructor() {
    beginHandle("PROCESSWRAP", this);
  }

  spawn(
    file: string,
    args: string[] | undefined,
    cwd: string | undefined,
    envPairs: string[] | undefined,
    stdio: StdioEntry[],
    flags: number,
    uid: number | undefined,
    gid: number | undefined,
  ): number {
    const request = {
      file,
      args,
      cwd,
      envPairs,
      fds: stdio.map(descriptorOf),
      detached: (flags & flagDetached) !== 0,
      uid,
      gid,
    };
    const result = spawnProcess(environment, request, (words) => explain(this, words));
    if (typeof result === "number") {
      if (result === -Errno.ENOEXEC) throw this.#notRunnable(file, stdio);
      // libuv has the pipes by then, and leaves them with nobody at the other end.
      for (const { handle } of stdio) if (handle?.fd === -1) openDeserted(handle);
      return result;
    }
    this.pid = result.pid;
    result.ends.forEach((fd, index) => {
      if (fd >= 0) stdio[index]?.handle?.open(fd);
    });
    this.#wait = environment.kernel.callAsync("wait", { pid: result.pid }, (status) => {
      deliver(this.#frame, this, () => {
        if (this.#closed) return;
        if (typeof status === "number") this.onexit?.(1, "");
        else this.onexit?.(status.code, signalName(status.signal));
      });
    });
    if (!this.#referenced) this.#wait.unref();
    return 0;
  }

  /** Node would throw this error after the same clean-up; here it also says what is wrong. */
  #notRunnable(file: string, stdio: StdioEntry[]): Error {
    for (const { type, handle } of stdio) if (type === "pipe") handle?.close?.();
    this.close();
    const error = new Error(`spawn ${file} ENOEXEC: ${nativeProgramHint(file)}`);
    return Object.assign(error, { errno: -Errno.ENOEXEC, code: "ENOEXEC", syscall: "spawn" });
  }

  kill(signal: number): number {
    if (this.pid === undefined) return -Errno.ESRCH;
    const result = environment.kernel.call("kill", { pid: this.pid, signal });
    return typeof result === "number" ? result : 0;
  }

  close(done?: () => void): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#wait?.unref();
    later(() => {
      done?.call(this);
      endHandle(this);
    });
  }

  ref(): void {
    this.#referenced = true;
    this.#wait?.ref();
  }

  unref(): void {
    this.#referenced = false;
    this.#wait?.unref();
  }

  hasRef(): boolean {
    return this.#referenced && !this.#closed;
  }

  getAsyncId(): number {
    return asyncIdsOf(this)!.id;
  }

  getProviderType(): number {
    return 0;
  }
}

export function installProcess(env: GuestEnvironment): void {
  environment = env;
  ownerSymbol = env.requireBuiltin("internal/async_hooks").symbols.owner_symbol;
  const { signals } = env.internalBinding("constants").os as { signals: Record<string, number> };
  for (const [name, number] of Object.entries(signals)) {
    if (!signalNames.has(number)) signalNames.set(number, name);
  }
  env.internalBinding("process_wrap").Process = Process;
}
