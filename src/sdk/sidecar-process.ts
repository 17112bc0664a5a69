/**
 * Owns the kernel that a host keeps for runtimes of its choice, behind a `SidecarProcess`.
 * Untrusted: nothing.
 */
import { failure, invalidOption, unknownOption } from "./errors.js";
import { defaultHeartbeatTimeoutMs } from "./kernel-connection.js";
import type { KernelConnection } from "./kernel-connection.js";
import { metricsOf } from "./metrics.js";
import { KernelSlot } from "./kernel-slot.js";

export interface SidecarProcessOptions {
  /**
   * Milliseconds that its kernel may say nothing while somebody waits for it; then it is killed
   * and everything on it rejects with KERNEL_UNRESPONSIVE. 5000 by default, 100 to 2147483647.
   */
  heartbeatTimeoutMs?: number;
}

/** Shorter than a collection of garbage may take, it would end kernels that are well. */
const leastHeartbeatMs = 100;
const longestHeartbeatMs = 2 ** 31 - 1;

function heartbeatOf(options: SidecarProcessOptions = {}): number {
  if (typeof options !== "object" || options === null)
    throw invalidOption("options", "must be an object");
  const { heartbeatTimeoutMs = defaultHeartbeatTimeoutMs, ...others } = options;
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) throw unknownOption([unknown], ["heartbeatTimeoutMs"]);
  if (typeof heartbeatTimeoutMs !== "number" || !(heartbeatTimeoutMs >= leastHeartbeatMs))
    throw invalidOption(
      "heartbeatTimeoutMs",
      `must be a number of milliseconds from ${leastHeartbeatMs} on`,
    );
  return Math.min(heartbeatTimeoutMs, longestHeartbeatMs);
}

let connectionOf: (sidecar: SidecarProcess) => Promise<KernelConnection>;
export { connectionOf };

/**
 * A kernel process of its own, to be passed as `sidecar` to any number of
 * runtimes. Whoever made it disposes it; runtimes on it then fail with DISPOSED.
 */
export class SidecarProcess {
  readonly #slot: KernelSlot;
  #disposing: Promise<void> | undefined;

  static {
    connectionOf = (sidecar) =>
      sidecar.#disposing
        ? Promise.reject(failure("DISPOSED", { what: "sidecar" }))
        : sidecar.#slot.connection();
  }

  /**
   * Begins to start the kernel; a failure to start is reported by `NodeRuntime.create`.
   * Throws INVALID_OPTION.
   */
  constructor(options?: SidecarProcessOptions) {
    this.#slot = new KernelSlot(heartbeatOf(options));
    this.#slot.connection().catch(() => {});
  }

  /** The same as `new SidecarProcess(options)`. */
  static spawn(options?: SidecarProcessOptions): SidecarProcess {
    return new SidecarProcess(options);
  }

  /**
   * Figures of this kernel as `NodeRuntime.metrics()` has them of those that all share; without samples before it
   * runs and after it was lost.
   */
  metrics(): Promise<string> {
    const { current } = this.#slot;
    return metricsOf(current === undefined ? [] : [current]);
  }

  /** Ends the kernel and with it every machine on it. Idempotent; resolves when its process is gone. */
  dispose(): Promise<void> {
    this.#disposing ??= this.#slot.close();
    return this.#disposing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }
}
