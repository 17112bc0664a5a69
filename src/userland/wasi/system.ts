/**
 * What a WASI program runs on. Everything is the process's own, as Node has it: calls block, and throw Node's errors;
 * what is optional depends on where the program runs, and answers ENOSYS without.
 */
import type { NodeFiles, Surroundings } from "../system.js";

export interface WasiSystem extends NodeFiles, Surroundings {
  /** Ends the process; the code is what the module said. */
  exit(code: number): never;
  /** Ends the process as by a signal. */
  raise(signal: number): void;
  fillRandom(bytes: Uint8Array): void;
  realtimeNs(): bigint;
  monotonicNs(): bigint;
  cpuNs(): bigint;
  sleep(milliseconds: number): void;
  /** What a descriptor is to the kernel: "file", "tty", "null", or a kind of stream; "" when it is not open. */
  kindOf(fd: number): string;
  /** A whole file, or undefined when it is longer than `limitBytes`. */
  readFile(path: string, limitBytes: number): Uint8Array | undefined;
  readonly identity: WasiIdentity;
  kill(pid: number, signal: number): void;
  readonly processes?: WasiProcesses | undefined;
}

export interface WasiIdentity {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

/** A program to start. `fds[n]` is the descriptor of this process that becomes the child's n; -1 leaves n closed. */
export interface WasiSpawn {
  file: string;
  argv: string[];
  env: string[];
  /** Empty for the caller's. */
  cwd: string;
  fds: number[];
  newProcessGroup: boolean;
}

export interface WasiEnd {
  pid: number;
  code: number;
  signal: number;
}

/** Processes of the same machine. */
export interface WasiProcesses {
  pipe(): [reader: number, writer: number];
  spawn(request: WasiSpawn): number;
  /** Reaps a child, or any child when `pid` is -1. undefined: `block` is false and none has ended. */
  wait(pid: number, block: boolean): WasiEnd | undefined;
}
