/**
 * Owns SIGINT while a script runs that it is to break into (`breakOnSigint` of node:vm, and the REPL). The guest's event loop does
 * not turn then, so a message of the kernel's would wait; instead the OS process itself is sent a SIGINT, for which the engine has
 * a handler: SigintWatchdogHelper of src/node_watchdog.cc, whose thread ends the script.
 *
 * The engine sets that handler when such a script begins, and a deadly one behind it. A guest cannot set handlers, so the first is
 * set once, before the lock-down, and stays: a signal that comes late ends nobody. Nothing here protects anything: the kernel has
 * SIGINT sent in this way only while the guest wants it, and ends processes by another.
 */
import * as libc from "../../sandbox/libc.js";
import type { EngineModule } from "../engine-types.js";
import type { GuestEnvironment, KernelClient } from "../environment.js";

const { apply } = Reflect;

/** The binding's own functions. */
interface Watchdog {
  startSigintWatchdog(): boolean;
  /** Answers whether SIGINT came and broke into nothing. */
  stopSigintWatchdog(): boolean;
  watchdogHasPendingSigint(): boolean;
}

interface Emitters {
  listenerCount(this: unknown, type: unknown, listener?: unknown): number;
}

/** A signal that was sent is there by then; waiting for it goes on in steps. */
const [mostSteps, stepMs] = [1000, 1];

let watchdog: Watchdog;
let kernel: KernelClient;
/** Scripts inside one another. */
let depth = 0;

/** In a zygote, or an engine of a guest's own, before its lock-down. */
export function keepInterruptHandler(): void {
  if (!watchdog.startSigintWatchdog()) return;
  const handler = libc.setSignalHandler(libc.SIGINT, 0n);
  watchdog.stopSigintWatchdog();
  libc.setSignalHandler(libc.SIGINT, handler);
}

function begin(): boolean {
  if (!watchdog.startSigintWatchdog()) return false;
  depth++;
  kernel.call("interruptible", { on: true });
  return true;
}

/** Of the script that began at `level`; `broken`: SIGINT has ended it. Answers whether that came and broke into nothing. */
function end(level: number, broken: boolean): boolean {
  // Those inside it that were broken into from outside never came to their ends.
  for (; depth > level + 1; depth--) watchdog.stopSigintWatchdog();
  const told = kernel.call("interruptible", { on: level > 0 });
  // It is on its way through another process, and would break into the next script.
  if (!broken && typeof told !== "number" && told.interrupted) {
    const still = new Int32Array(new SharedArrayBuffer(4));
    for (let step = 0; step < mostSteps && !watchdog.watchdogHasPendingSigint(); step++)
      Atomics.wait(still, 0, 0, stepMs);
  }
  depth--;
  return watchdog.stopSigintWatchdog();
}

/** In the main thread; workers hear no signals. */
export function installInterrupts(env: GuestEnvironment): void {
  if (env.internalBinding("worker").isMainThread !== true) return;
  const binding = env.internalBinding("contextify");
  const { startSigintWatchdog, stopSigintWatchdog, watchdogHasPendingSigint } = binding;
  watchdog = { startSigintWatchdog, stopSigintWatchdog, watchdogHasPendingSigint };
  ({ kernel } = env);
  binding.startSigintWatchdog = begin;
  binding.stopSigintWatchdog = () => end(depth - 1, false);
  watchScripts(binding.ContextifyScript.prototype, env.requireBuiltin("events").prototype);
}

/**
 * A function in the place of the native one would be a frame too many in every stack. node:vm asks how many listen to SIGINT
 * right before it runs a script that SIGINT is to break into, and for no other: then it finds ours.
 */
function watchScripts(scripts: EngineModule, emitters: Emitters): void {
  const { runInContext: native } = scripts;
  const runInContext = function (this: unknown, ...args: unknown[]): unknown {
    scripts.runInContext = native;
    const level = depth;
    if (args[3] !== true || !begin()) return apply(native, this, args);
    let broken = false;
    try {
      return apply(native, this, args);
    } catch (error) {
      broken = (error as { code?: unknown } | null)?.code === "ERR_SCRIPT_EXECUTION_INTERRUPTED";
      throw error;
    } finally {
      end(level, broken);
    }
  };
  const { listenerCount: count } = emitters;
  emitters.listenerCount = function listenerCount(type: unknown, listener?: unknown): number {
    if (type === "SIGINT" && this === process) scripts.runInContext = runInContext;
    return apply(count, this, [type, listener]);
  };
}
