/**
 * Owns the `spawn_sync` binding: a child whose pipes are driven to their end
 * while this process blocks, as SyncProcessRunner in src/spawn_sync.cc does.
 */
import { Errno } from "../../abi/errno.js";
import type { Channel } from "../channel.js";
import { toldOfSyncCall } from "./fs-runner.js";
import type { GuestEnvironment } from "../environment.js";
import { descriptorOf, signalName, spawnProcess } from "./process.js";
import type { StdioEntry } from "./process.js";

interface SyncStdio extends StdioEntry {
  readable?: boolean;
  writable?: boolean;
  input?: ArrayBufferView | null;
}

interface SyncOptions {
  file: string;
  args?: string[];
  cwd?: string;
  envPairs?: string[];
  detached?: boolean;
  uid?: number;
  gid?: number;
  stdio: SyncStdio[];
  timeout?: number;
  maxBuffer?: number;
  killSignal?: number;
}

interface SyncResult {
  pid: number;
  status: number | null;
  signal: string | null;
  output: (Buffer | null)[] | null;
  error?: number;
}

/** include/uapi/asm-generic/signal.h */
const SIGTERM = 15;
const readBytes = 64 * 1024;
const writeBytes = 1024 * 1024;

export function installSpawnSync(env: GuestEnvironment): void {
  env.internalBinding("spawn_sync").spawn = (options: SyncOptions): SyncResult =>
    new SyncProcess(env, env.channel(), options).run();
}

class SyncProcess {
  readonly #env: GuestEnvironment;
  readonly #channel: Channel;
  readonly #options: SyncOptions;
  readonly #outputs: (Buffer[] | undefined)[];
  #pid = 0;
  #open = 0;
  #error = 0;
  #killed = false;
  #status: { code: number; signal: number } | undefined;

  constructor(env: GuestEnvironment, channel: Channel, options: SyncOptions) {
    this.#env = env;
    this.#channel = channel;
    this.#options = options;
    this.#outputs = options.stdio.map((entry) =>
      entry.type === "pipe" && entry.writable === true ? [] : undefined,
    );
  }

  run(): SyncResult {
    toldOfSyncCall();
    const { stdio, timeout } = this.#options;
    const spawned = spawnProcess(this.#env, {
      file: this.#options.file,
      args: this.#options.args,
      cwd: this.#options.cwd,
      envPairs: this.#options.envPairs,
      fds: stdio.map((entry, index) =>
        // C++ takes "inherit" for the descriptor of the same number.
        entry.type === "inherit" ? (entry.fd ?? index) : descriptorOf(entry, index),
      ),
      detached: this.#options.detached === true,
      uid: this.#options.uid,
      gid: this.#options.gid,
    });
    if (typeof spawned === "number") {
      return { pid: 0, status: null, signal: null, output: null, error: spawned };
    }
    this.#pid = spawned.pid;
    spawned.ends.forEach((fd, index) => {
      if (fd >= 0) this.#drive(fd, stdio[index]!, this.#outputs[index]);
    });
    this.#channel.begin("wait", { pid: this.#pid }, (status) => {
      this.#status = typeof status === "number" ? { code: 1, signal: 0 } : status;
    });
    const finished = (): boolean =>
      this.#status !== undefined && (this.#open === 0 || this.#killed);
    const limit = timeout !== undefined && timeout > 0 ? timeout : -1;
    if (!this.#channel.pumpUntil(finished, limit)) {
      this.#kill(-Errno.ETIMEDOUT);
      this.#channel.pumpUntil(finished, -1);
    }
    this.#close(spawned.ends.filter((fd) => fd >= 0));
    return this.#result();
  }

  /** All are said before the first answer is waited for. */
  #close(ends: readonly number[]): void {
    let open = ends.length;
    for (const fd of ends) this.#channel.begin("close", { fd }, () => open--);
    this.#channel.pumpUntil(() => open === 0, -1);
  }

  #drive(fd: number, entry: SyncStdio, output: Buffer[] | undefined): void {
    const { input } = entry;
    if (entry.readable === true) {
      const data =
        input === undefined || input === null
          ? Buffer.alloc(0)
          : Buffer.from(input.buffer, input.byteOffset, input.byteLength);
      this.#write(fd, data, 0);
    }
    if (output !== undefined) this.#read(fd, output, 0);
  }

  #write(fd: number, data: Buffer, at: number): void {
    if (at >= data.length) {
      this.#channel.begin("shutdown", { fd }, () => undefined);
      return;
    }
    const part = data.subarray(at, at + writeBytes);
    this.#channel.begin("write", { fd, data: part, position: -1 }, (result) => {
      // A child that does not read its input is its own business.
      if (typeof result !== "number") this.#write(fd, data, at + result.written);
    });
  }

  #read(fd: number, output: Buffer[], total: number): void {
    this.#open++;
    this.#channel.begin("read", { fd, length: readBytes, position: -1 }, (result) => {
      this.#open--;
      if (typeof result === "number" || result.data.byteLength === 0) return;
      const limit = this.#options.maxBuffer ?? Infinity;
      const room = limit > 0 ? limit - total : Infinity;
      // As libuv has it, the piece that goes over the limit is part of the output.
      output.push(Buffer.from(result.data));
      if (result.data.byteLength > room) return this.#kill(-Errno.ENOBUFS);
      this.#read(fd, output, total + result.data.byteLength);
    });
  }

  #kill(error: number): void {
    if (this.#killed) return;
    this.#killed = true;
    this.#error ||= error;
    const signal = this.#options.killSignal ?? 0;
    this.#channel.begin(
      "kill",
      { pid: this.#pid, signal: signal > 0 ? signal : SIGTERM },
      () => undefined,
    );
  }

  #result(): SyncResult {
    const { code, signal } = this.#status!;
    const result: SyncResult = {
      pid: this.#pid,
      status: signal === 0 ? code : null,
      signal: signal === 0 ? null : signalName(signal),
      output: this.#outputs.map((parts) => (parts === undefined ? null : Buffer.concat(parts))),
    };
    if (this.#error !== 0) result.error = this.#error;
    return result;
  }
}
