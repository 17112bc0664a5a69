/**
 * Owns the `signal_wrap` binding and `process._kill`: signals of the VM's kernel.
 * A signal without a handler never arrives here; the kernel acts on it itself.
 */
import { Errno } from "../../abi/errno.js";
import type { Channel } from "../channel.js";
import { asyncIdsOf, beginHandle, endHandle } from "../async-resources.js";
import { deliver } from "../delivery.js";
import type { GuestEnvironment } from "../environment.js";
import { later } from "../turns.js";

const handlers = new Map<number, Set<SignalHandle>>();
let channelOf: () => Channel;

class SignalHandle {
  onsignal: ((signal: number) => void) | undefined;
  #signal = 0;
  #referenced = true;

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
    if (set.size === 1) channelOf().event("signalHandler", { signal, handled: true });
    if (this.#referenced) channelOf().ref();
    return 0;
  }

  stop(): number {
    const set = handlers.get(this.#signal);
    if (set?.delete(this)) {
      if (set.size === 0)
        channelOf().event("signalHandler", { signal: this.#signal, handled: false });
      if (this.#referenced) channelOf().unref();
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
    if (!this.#referenced && this.#signal !== 0) channelOf().ref();
    this.#referenced = true;
  }

  unref(): void {
    if (this.#referenced && this.#signal !== 0) channelOf().unref();
    this.#referenced = false;
  }

  hasRef(): boolean {
    return this.#referenced;
  }

  getAsyncId(): number {
    return asyncIdsOf(this)!.id;
  }
}

export function installSignals(env: GuestEnvironment, channel: () => Channel): void {
  const { internalBinding, requireBuiltin } = env;
  channelOf = channel;
  internalBinding("signal_wrap").Signal = SignalHandle;
  const { UVException } = requireBuiltin("internal/errors");
  const kill = (pid: number, signal: number): number => {
    if (signal < 0 || signal > 64) return -Errno.EINVAL;
    let words = "";
    const result = channel().call("kill", { pid, signal }, (said) => {
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
