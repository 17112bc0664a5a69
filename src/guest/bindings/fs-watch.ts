/**
 * The two classes under `fs.watch` and `fs.watchFile`: FSEvent hears the kernel's
 * file events, StatWatcher asks for a file's attributes at intervals, as libuv does.
 *
 * Invariant: a callback runs from the event loop, in the async context in which the
 * watch was started, and never after `close`.
 */
import { Errno } from "../../abi/errno.js";
import { StatSlot, statSlots } from "../../protocol/fs-calls.js";
import { currentFrame, deliver } from "../delivery.js";
import type { GuestEnvironment, KernelClient } from "../environment.js";
import { asyncIdsOf, beginHandle, endHandle } from "../async-resources.js";
import type { Provider } from "../async-resources.js";
import { later } from "../turns.js";
import { encodedName } from "../names.js";
import { toPath, toStats } from "./fs-values.js";
import type { PathArgument, StatArray } from "./fs-values.js";

/** The engine's own: programs replace the global ones. */
interface Timers {
  setTimeout(run: () => void, delayMs: number): NodeJS.Timeout;
  clearTimeout(timer: NodeJS.Timeout | undefined): void;
}

let kernel: KernelClient;
let timers: Timers;
/** By the kernel's number of the watch. */
const watches = new Map<number, (renamed: boolean, name: string) => void>();
let listening = false;

export function installWatchers(env: GuestEnvironment): void {
  ({ kernel } = env);
  const { setTimeout, clearTimeout } = env.requireBuiltin("timers") as Timers;
  timers = { setTimeout, clearTimeout };
}

/** What both classes have of a native handle. */
class Handle {
  constructor(type: Provider) {
    beginHandle(type, this);
  }
  getAsyncId(): number {
    return asyncIdsOf(this)!.id;
  }
  getProviderType(): number {
    return 0;
  }
}

export class FSEvent extends Handle {
  declare onchange: (status: number, eventType: string, filename: unknown) => void;
  #watch = 0;
  #referenced = false;

  constructor() {
    super("FSEVENTWRAP");
  }

  get initialized(): boolean {
    return this.#watch > 0;
  }

  start(
    pathArgument: PathArgument,
    persistent: boolean,
    _recursive: boolean,
    encoding: unknown,
  ): number {
    if (this.#watch > 0) return 0;
    if (!listening) {
      listening = true;
      kernel.on("fileEvent", ({ watch, renamed, name }) => watches.get(watch)?.(renamed, name));
    }
    const result = kernel.call("watch", { path: toPath(pathArgument) });
    if (typeof result === "number") return result;
    this.#watch = result.watch;
    const frame = currentFrame();
    watches.set(result.watch, (renamed, name) => {
      deliver(frame, this, () => {
        // Closed while the event waited for its turn.
        if (this.#watch === result.watch)
          this.onchange(0, renamed ? "rename" : "change", encodedName(name, encoding));
      });
    });
    if (persistent) this.ref();
    return 0;
  }

  close(): void {
    if (this.#watch === 0) return;
    this.unref();
    watches.delete(this.#watch);
    kernel.call("unwatch", { watch: this.#watch });
    this.#watch = 0;
    later(() => endHandle(this));
  }

  ref(): void {
    if (this.#referenced || this.#watch === 0) return;
    this.#referenced = true;
    kernel.ref();
  }

  unref(): void {
    if (!this.#referenced) return;
    this.#referenced = false;
    kernel.unref();
  }

  hasRef(): boolean {
    return this.#referenced;
  }
}

export class StatWatcher extends Handle {
  declare onchange: (status: number, stats: StatArray) => void;
  readonly #bigint: boolean;
  #path: string | undefined;
  #intervalMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #referenced = true;
  /** 0 before the first answer, 1 after a good one, or the errno of a bad one. */
  #state = 0;
  #values: readonly number[] = [];
  #frame: unknown;

  constructor(bigint: boolean) {
    super("STATWATCHER");
    this.#bigint = bigint === true;
  }

  start(pathArgument: PathArgument, intervalMs: number): number {
    if (this.#path !== undefined) return 0;
    this.#path = toPath(pathArgument);
    if (this.#path.includes("\0")) return -Errno.EINVAL;
    this.#intervalMs = intervalMs > 0 ? intervalMs : 1;
    this.#frame = currentFrame();
    this.#poll();
    return 0;
  }

  #poll(): void {
    const path = this.#path;
    if (path === undefined) return;
    const answered = (result: number | { values: readonly number[] }): void => {
      if (this.#path === undefined) return;
      this.#answered(result);
      if (this.#path === undefined) return;
      this.#timer = timers.setTimeout(() => this.#poll(), this.#intervalMs);
      if (!this.#referenced) this.#timer.unref();
    };
    const poll = kernel.callAsync("stat", { path, follow: true }, answered);
    if (!this.#referenced) poll.unref();
  }

  #answered(result: number | { values: readonly number[] }): void {
    const before = this.#values;
    if (typeof result === "number") {
      if (this.#state === result) return;
      this.#state = result;
      this.#values = [];
      this.#report(result, [], before);
      return;
    }
    const first = this.#state === 0;
    const recovered = this.#state < 0;
    this.#state = 1;
    this.#values = result.values;
    if (!first && (recovered || !sameFile(before, result.values)))
      this.#report(0, result.values, before);
  }

  #report(status: number, now: readonly number[], before: readonly number[]): void {
    const stats = toStats(
      now,
      this.#bigint,
      this.#bigint ? new BigInt64Array(2 * statSlots) : new Float64Array(2 * statSlots),
    );
    stats.set(toStats(before, this.#bigint) as never, statSlots);
    deliver(this.#frame, this, () => {
      if (this.#path !== undefined) this.onchange(status, stats);
    });
  }

  close(): void {
    if (this.#path !== undefined) later(() => endHandle(this));
    this.#path = undefined;
    timers.clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  ref(): void {
    this.#referenced = true;
    this.#timer?.ref();
  }

  unref(): void {
    this.#referenced = false;
    this.#timer?.unref();
  }

  hasRef(): boolean {
    return this.#referenced;
  }
}

/** Reading a file is no change: the time of last access does not count. */
function sameFile(before: readonly number[], now: readonly number[]): boolean {
  for (let at = 0; at < statSlots; at++) {
    if (at !== StatSlot.atime && at !== StatSlot.atimeNs && before[at] !== now[at]) return false;
  }
  return true;
}
