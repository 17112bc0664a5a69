/**
 * Owns the kernel that a host keeps for runtimes of its choice, behind a `SidecarProcess`.
 * Untrusted: nothing.
 */
import { failure, invalidOption, unknownOption } from "./errors.js";
import { defaultHeartbeatTimeoutMs } from "./kernel-connection.js";
import type { KernelConnection } from "./kernel-connection.js";
import { metricsOf } from "./metrics.js";
import { KernelSlot } from "./kernel-slot.js";

/** How a kernel process of one's own is watched. */
export interface SidecarProcessOptions {
  /**
   * Milliseconds that its kernel may say nothing while somebody waits for it, 100 to 2147483647; then it is killed
   * and everything on it rejects with KERNEL_UNRESPONSIVE.
   * @default 5000
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
 * A kernel process of its own, to be passed as `sidecar` to any number of runtimes. Whoever made it disposes it;
 * runtimes on it then fail with DISPOSED.
 * @example
 * import { NodeRuntime, SidecarProcess } from "secure-exec";
 *
 * await using sidecar = new SidecarProcess({ heartbeatTimeoutMs: 10_000 });
 * const rt = await NodeRuntime.create({ sidecar });
 * await rt.dispose();
 */
export class SidecarProcess {
  readonly #slot: KernelSlot;
  #disposing: Promise<void> | undefined;

  static {
    connectionOf = async (sidecar) =>
      sidecar.#disposing
        ? Promise.reject(failure("DISPOSED", { what: "sidecar" }))
        : sidecar.#slot.begun();
  }

  /**
   * Begins to start the kernel; a failure to start is reported by `NodeRuntime.create`.
   * @throws {INVALID_OPTION} for options.
   */
  constructor(options?: SidecarProcessOptions) {
    this.#slot = new KernelSlot(heartbeatOf(options));
    this.#slot.connection().catch(() => {});
  }

  /**
   * The same as `new SidecarProcess(options)`.
   * @throws {INVALID_OPTION} for options.
   */
  static spawn(options?: SidecarProcessOptions): SidecarProcess {
    return new SidecarProcess(options);
  }

  /**
   * Figures of this kernel as `NodeRuntime.metrics()` has them of those that all share; without samples before it
   * runs and after it was lost. Never rejects.
   */
  metrics(): Promise<string> {
    const { current } = this.#slot;
    return metricsOf(current === undefined ? [] : [current]);
  }

  /**
   * Ends the kernel and with it every machine on it. Idempotent; resolves when its process is gone. Never rejects.
   */
  dispose(): Promise<void> {
    this.#disposing ??= this.#slot.close();
    return this.#disposing;
  }

  /** The same as `dispose`, for `await using`. Never rejects. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }
}
