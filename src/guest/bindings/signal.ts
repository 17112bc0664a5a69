/**
 * Owns the `signal_wrap` binding and `process._kill`: signals of the VM's kernel.
 * A signal without a handler never arrives here; the kernel acts on it itself.
 */
import { Errno } from "../../abi/errno.js";
import type { Channel } from "../channel.js";
import { asyncIdsOf, beginHandle, endHandle } from "../async-resources.js";
import { deliver } from "../delivery.js";
import { leavingWork } from "../diagnostics/leaving-work.js";
import type { GuestEnvironment, KernelClient } from "../environment.js";
import { LoopHold } from "../loop-hold.js";
import { later } from "../turns.js";

const handlers = new Map<number, Set<SignalHandle>>();
let kernel: KernelClient;

class SignalHandle {
  onsignal: ((signal: number) => void) | undefined;
  #signal = 0;
  readonly #hold = new LoopHold(kernel);

  constructor() {
    beginHandle("SIGNALWRAP", this);
  }

  start(signal: number): number {
    this.stop();
    // include/uapi/asm-generic/signal.h: SIGKILL and SIGSTOP cannot be caught.
    if (signal === 9 || signal === 19) return -Errno.EINVAL;
    this.#signal = signal;
    const set = handlers.get(signal) ?? new Set();
    handlers.set(signal, set);
    set.add(this);
    if (set.size === 1) kernel.event("signalHandler", { signal, handled: true });
    this.#hold.active = true;
    return 0;
  }

  stop(): number {
    const set = handlers.get(this.#signal);
    if (set?.delete(this)) {
      if (set.size === 0) kernel.event("signalHandler", { signal: this.#signal, handled: false });
      this.#hold.active = false;
    }
    this.#signal = 0;
    return 0;
  }

  close(done?: () => void): void {
    this.stop();
    later(() => {
      done?.call(this);
      endHandle(this);
    });
  }

  ref(): void {
    this.#hold.referenced = true;
  }

  unref(): void {
    this.#hold.referenced = false;
  }

  hasRef(): boolean {
    return this.#hold.isReferenced;
  }

  getAsyncId(): number {
    return asyncIdsOf(this)!.id;
  }
}

/** Whether any signal has a handler. */
export const handlesSignals = (): boolean => [...handlers.values()].some(({ size }) => size > 0);

/** Whether this is most likely the end of the process, by which coverage and profiles are to be written: Kill of src/node_process_methods.cc. */
function likelyEndsItself(pid: number, signal: number): boolean {
  const own = pid === 0 || pid === -1 || Math.abs(pid) === process.pid;
  return own && signal > 0 && (handlers.get(signal)?.size ?? 0) === 0;
}

export function installSignals(env: GuestEnvironment): void {
  const { internalBinding, requireBuiltin } = env;
  ({ kernel } = env);
  internalBinding("signal_wrap").Signal = SignalHandle;
  const { UVException } = requireBuiltin("internal/errors");
  const kill = (pid: number, signal: number): number => {
    if (signal < 0 || signal > 64) return -Errno.EINVAL;
    if (likelyEndsItself(pid, signal)) leavingWork((text) => env.channel().writeErrorReport(text));
    let words = "";
    const result = kernel.call("kill", { pid, signal }, (said) => {
      words = said;
    });
    if (typeof result === "number" && words !== "") {
      const error = new UVException({ errno: result, syscall: "kill" });
      error.message = words;
      throw error;
    }
    return typeof result === "number" ? result : 0;
  };
  Object.defineProperties(kill, { name: { value: "_kill" }, length: { value: 0 } });
  Object.defineProperty(process, "_kill", {
    value: kill,
    writable: true,
    configurable: true,
    enumerable: true,
  });
  internalBinding("process_methods")._kill = kill;
}

export function listenForSignals(channel: Channel): void {
  channel.on("signal", ({ signal }) => {
    // Those that were there when it came: a listener may add others.
    const listening = Array.from(handlers.get(signal) ?? []);
    listening.forEach((handle) => deliver(undefined, handle, () => handle.onsignal?.(signal)));
  });
}
