/**
 * Owns the kernel as a child of the host process: how it is started, what keeps
 * the host's event loop alive for it, and how its end is noticed.
 *
 * Invariants: it inherits nothing of the host's environment but where cgroups may be made, no stdin or stdout and no directory of
 * the host; it leads its own session, so a Ctrl-C meant for the host does not
 * reach it; it ends by itself when the socket on its fd 3 closes.
 * Untrusted: its stderr is kept as text for error details and never printed.
 */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { Socket } from "node:net";
import { fileURLToPath } from "node:url";
import { earlyPath, handedFiles, preloadVariable } from "../abi/handed.js";
import { findEngine } from "../launcher/engine.js";
import { debug } from "./debug.js";
import { cgroupEnvironment } from "./cgroup-environment.js";
import { processorWaitMs } from "../protocol/silence.js";
import { failure } from "./errors.js";
import type { KernelEnd, KernelLink } from "./kernel-link.js";

const stderrTailBytes = 8 * 1024;
/** How long the socket may be closed before the process behind it is taken to be ending anyway. */
const lingerMs = 1000;

export const kernelFlags = [
  "--no-warnings",
  "--expose-internals",
  // V8 lets twice the young generation lie in buffers that are garbage before it collects them. Most of
  // what the kernel handles is dead at once, so a small one is collected quickly.
  "--max-semi-space-size=4",
  // What loading the kernel leaves in it is collected three times otherwise, and hardly any of that is garbage.
  "--min-semi-space-size=4",
  // No inspector by signal, and no thread for it that follows no other signal.
  "--disable-sigusr1",
];

/**
 * All of its environment, for glibc (mallopt(3)). By default each thread of the engine has a heap of its own, and blocks up to the
 * largest that was ever freed come out of one that gives nothing back from its middle.
 */
const kernelEnvironment = {
  MALLOC_ARENA_MAX: "1",
  MALLOC_MMAP_THRESHOLD_: "1048576",
  MALLOC_TRIM_THRESHOLD_: "4194304",
};

/** Descriptors of what it takes to begin a zygote beside the kernel's engine; none where the package lacks any of it. */
function openHanded(): number[] {
  const opened: number[] = [];
  try {
    for (const name of handedFiles)
      opened.push(openSync(fileURLToPath(new URL(`../${name}`, import.meta.url)), "r"));
    return opened;
  } catch {
    closeAll(opened);
    return [];
  }
}

function closeAll(fds: readonly number[]): void {
  for (const fd of fds) closeSync(fd);
}

export class KernelProcess implements KernelLink {
  readonly shared = true;
  readonly #socket: Socket;
  /** Resolves once, never rejects. */
  readonly ended: Promise<KernelEnd>;
  readonly #child: ChildProcess;
  readonly #stderr: Socket;
  #holds = 0;
  /** Told whether anybody waits for the kernel. */
  onHeld: (held: boolean) => void = () => undefined;

  /** How long it has waited for a processor. */
  waitedMs(): number {
    return processorWaitMs(this.#child?.pid ?? 0);
  }

  listen(data: (chunk: Buffer) => void, closed: () => void): void {
    // Without a process there is no socket either.
    this.#socket?.on("data", data);
    this.#socket?.on("error", () => {});
    this.#socket?.on("close", closed);
  }

  write(frame: Buffer): void {
    this.#socket.write(frame);
  }

  /** End of file is the kernel's order to stop; what does not stop is killed a second later. */
  close(): void {
    this.#socket?.destroy();
  }

  /** Throws ENGINE_MISSING, UNSUPPORTED_PLATFORM or KERNEL_START_FAILED. */

  constructor() {
    const engine = findEngine();
    if ("problem" in engine) throw failure(engine.problem, { why: engine.why });
    const main = fileURLToPath(new URL("../kernel/boot.cjs", import.meta.url));
    // Of another engine nobody knows what its first instructions are: it may be a script.
    const handed = engine.overridden ? [] : openHanded();
    const preload = handed.length === 0 ? {} : { [preloadVariable]: earlyPath };
    try {
      this.#child = spawn(engine.path, [...kernelFlags, main], {
        argv0: "secure-exec-kernel",
        cwd: "/",
        env: { ...kernelEnvironment, ...cgroupEnvironment(), ...preload },
        detached: true,
        stdio: ["ignore", "ignore", "pipe", "pipe", ...handed],
      });
    } catch (cause) {
      throw failure("KERNEL_START_FAILED", { why: String(cause) }, { cause });
    } finally {
      closeAll(handed);
    }
    debug(
      "kernel",
      () => `started ${this.#child.pid ?? "without a pid"} (${engine.path} ${engine.version})`,
    );
    this.#stderr = this.#child.stderr as Socket;
    this.#socket = this.#child.stdio[3] as unknown as Socket;
    this.ended = this.#watch();
    this.#setRef(false);
  }

  #watch(): Promise<KernelEnd> {
    let tail = Buffer.alloc(0);
    const child = this.#child;
    // Without a process there are no pipes either.
    this.#stderr?.on("data", (chunk: Buffer) => {
      tail = Buffer.concat([tail, chunk]).subarray(-stderrTailBytes);
    });
    this.#stderr?.on("error", () => {});
    return new Promise((resolve) => {
      const end = (exitCode: number | null, signal: string | null, spawnError?: Error): void => {
        debug(
          "kernel",
          () => `${child.pid ?? "without a pid"} ended: ${signal ?? exitCode ?? "unknown"}`,
        );
        const base = { exitCode, signal, stderr: tail.toString("utf8") };
        resolve(spawnError === undefined ? base : { ...base, spawnError });
      };
      child.once("error", (error) => end(null, null, error));
      child.once("exit", () => this.#killGroup());
      child.once("close", (exitCode, signal) => end(exitCode, signal));
      this.#socket?.once("close", () => {
        // A kernel without its socket has nothing left to do; do not wait for ever.
        setTimeout(() => {
          this.kill();
          setTimeout(() => end(child.exitCode, child.signalCode), lingerMs).unref();
        }, lingerMs).unref();
      });
    });
  }

  #setRef(on: boolean): void {
    for (const handle of [this.#child, this.#stderr, this.#socket]) {
      // One that is gone would wait for a connection to do it.
      if (handle instanceof Socket && handle.destroyed) continue;
      if (on) handle?.ref();
      else handle?.unref();
    }
  }

  /** Keeps the host's event loop alive until the matching `release`. */
  hold(): void {
    if (this.#holds++ > 0) return;
    this.#setRef(true);
    this.onHeld(true);
  }

  release(): void {
    if (--this.#holds > 0) return;
    this.#setRef(false);
    this.onHeld(false);
  }

  kill(): void {
    this.#killGroup();
  }

  /**
   * The kernel leads a group of its own, in which its zygote is. That one ends with the kernel by
   * itself, but not while it is stopped before it could ask the OS for that.
   */
  #killGroup(): void {
    const { pid } = this.#child;
    if (pid === undefined) return;
    try {
      process.kill(-pid, "SIGKILL");
    } catch {
      // Nobody is left of it.
    }
  }
}
