/**
 * Owns waiting for the engine's other threads, which compute for `crypto` and `zlib` what a program does not
 * want to wait for. With one of them, work is done in the order in which it was given; a job behind all
 * others that fills a shared buffer says that the others have ended.
 */
import { poll } from "../../sandbox/libc.js";
import type { EngineTools } from "../environment.js";

const poolSize = "UV_THREADPOOL_SIZE";
const markerBytes = 8;
/** Most work takes microseconds. */
const shortLooks = 200;
const longLookMs = 1;

export class OtherThreads {
  readonly #mark: (buffer: Int32Array) => void;
  #begun = false;

  constructor({ internalBinding }: EngineTools) {
    const crypto = internalBinding("crypto");
    const { RandomBytesJob, kCryptoJobAsync } = crypto;
    const run = RandomBytesJob.prototype.run as (this: object) => void;
    this.#mark = (buffer) => {
      const job = new RandomBytesJob(kCryptoJobAsync, buffer, 0, markerBytes);
      job.ondone = () => {};
      run.call(job);
    };
    this.#startPool();
    for (const [name, value] of Object.entries(crypto)) {
      if (name.endsWith("Job") && typeof value === "function") this.#watch(value, "run");
    }
    for (const value of Object.values(internalBinding("zlib"))) {
      if (typeof value === "function") this.#watch(value, "write");
    }
  }

  /** libuv reads the variable when it makes its threads, for the first job of all. */
  #startPool(): void {
    const given = process.env[poolSize];
    process.env[poolSize] = "1";
    this.#begun = true;
    this.finish();
    if (given === undefined) delete process.env[poolSize];
    else process.env[poolSize] = given;
  }

  #watch(type: { prototype?: Record<string, unknown> }, name: "run" | "write"): void {
    const native = type.prototype?.[name] as ((...args: unknown[]) => unknown) | undefined;
    if (native === undefined) return;
    const begin = (): void => void (this.#begun = true);
    type.prototype![name] = function (this: object, ...args: unknown[]): unknown {
      begin();
      return Reflect.apply(native, this, args);
    };
  }

  /** Waits for what was begun; the event loop hears of it next. Answers whether there was something. */
  finish(): boolean {
    if (!this.#begun) return false;
    this.#begun = false;
    const shared = new Int32Array(new SharedArrayBuffer(markerBytes));
    this.#mark(shared);
    // Not by `Atomics.wait`: the engine's clock may stand.
    for (let looks = 0; Atomics.load(shared, 0) === 0 && Atomics.load(shared, 1) === 0; looks++)
      poll([], looks < shortLooks ? 0 : longLookMs);
    return true;
  }
}
