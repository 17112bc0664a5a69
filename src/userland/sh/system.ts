/**
 * What the shell needs from the system it runs on, POSIX-shaped. Numbers are
 * results or `-errno`; nothing here throws. All other files of this folder are
 * pure: this interface is their only way out.
 *
 * Strings that name files, arguments and variables are shell text: UTF-8 where
 * it is valid, a lone surrogate U+DC80…U+DCFF for every other byte. Use
 * `encodeText` and `decodeText` of text.ts at the border, so that any byte
 * string survives the round trip.
 */

import type { ShellTerminal } from "./terminal.js";

export interface FileStatus {
  readonly dev: number;
  readonly ino: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtimeMs: number;
}

/** How a child ended: `signal` is 0 after a normal exit. */
export interface WaitStatus {
  readonly code: number;
  readonly signal: number;
}

export interface SpawnRequest {
  /** Absolute, or relative to `cwd`; no PATH search is done below the shell. */
  readonly file: string;
  /** Whole, with the name of the command in front. */
  readonly argv: readonly string[];
  /** NAME=value. */
  readonly env: readonly string[];
  readonly cwd: string;
  /** The child's descriptor → the shell's. What is not here is closed in the child. */
  readonly fds: ReadonlyMap<number, number>;
  /** True starts a process group of its own. */
  readonly newProcessGroup?: boolean;
  /** That group has the terminal from its start. */
  readonly foreground?: boolean;
  /** Ignored in the child from its start; all others are as they were when the shell started. */
  readonly ignoredSignals?: readonly number[];
  /** Limits of the child that differ from this process's, by the numbers of RLIMIT_…. */
  readonly resourceLimits: ReadonlyMap<number, ResourceLimit>;
}

export type SignalDisposition = (() => void) | "ignore" | "default";

export interface CpuTimes {
  readonly userMs: number;
  readonly systemMs: number;
  readonly childUserMs: number;
  readonly childSystemMs: number;
}

export interface ResourceLimit {
  /** `Infinity` is no limit. */
  readonly soft: number;
  readonly hard: number;
}

export interface ShellSystem {
  readonly pid: number;
  readonly ppid: number;
  /** Whose process this is; root of a machine with nobody else where it is left out. */
  readonly identity?: { readonly uid: number; readonly gid: number; readonly user: string };
  /** The machine's kind as `uname -m` tells it; "x86_64" where it is left out. */
  readonly machine?: string;
  /** Whether `spawn` knows commands, named without a slash, that no file stands for. */
  readonly hostCommands?: boolean;
  hostname?(): string;
  /** How to start another shell: file, then the arguments that come before the shell's own. */
  readonly shellCommand: readonly [file: string, ...args: string[]];
  /** Descriptors that are open when the shell starts. */
  readonly inheritedFds: readonly number[];

  /** Both ends are close-on-exec: children get only what `spawn` maps. */
  pipe(): readonly [read: number, write: number] | number;
  /** A promise where it has to wait: a fifo without anybody on its other side. */
  open(path: string, flags: number, mode: number): number | Promise<number>;
  close(fd: number): number;
  dup(fd: number): number;
  /** Empty at the end of file. */
  read(fd: number, maxBytes: number): Promise<Uint8Array | number>;
  /**
   * Reads up to and including the first newline and takes no byte beyond it. A
   * system without it may leave it out: the shell then seeks back, or reads
   * single bytes.
   */
  readLine?(fd: number, maxBytes: number): Promise<Uint8Array | number>;
  /** Whether a read would not wait, after at most that long. */
  readable(fd: number, timeoutMs: number): Promise<boolean>;
  /** Moves a regular file's offset by `delta`; `-ESPIPE` where that is impossible. */
  seekBy(fd: number, delta: number): number;
  /** Writes all, or returns `-errno`. A vanished reader is `-EPIPE`; no signal is raised. */
  write(fd: number, data: Uint8Array): Promise<number>;
  isatty(fd: number): boolean;
  /** What job control and line editing need; left out where there are no terminals. */
  readonly terminal?: ShellTerminal;

  stat(path: string): FileStatus | number;
  lstat(path: string): FileStatus | number;
  /** `mode` is a sum of R_OK, W_OK and X_OK; judged for the effective ids. */
  access(path: string, mode: number): number;
  /** Without "." and "..". */
  readdir(path: string): readonly string[] | number;
  realpath(path: string): string | number;
  cwd(): string;
  /** Sets the process's mask and returns the former one. It applies to `open` and to children. */
  umask(mask: number): number;

  spawn(request: SpawnRequest): number | Promise<number>;
  /** Once per pid. Signals to the shell from before the child's end are delivered before this resolves. */
  wait(pid: number): Promise<WaitStatus>;
  /** Negative pids are process groups, 0 is the shell's own. */
  kill(pid: number, signal: number): number;
  onSignal(signal: number, disposition: SignalDisposition): void;
  /** True for a signal that was ignored when the shell started: it stays so, as POSIX wants. */
  startedIgnored(signal: number): boolean;

  /** Milliseconds since the epoch, with a fraction. */
  nowMs(): number;
  sleep(durationMs: number): Promise<void>;
  /** Lets signals and finished input and output in; called every so often by busy loops. */
  yield(): Promise<void>;
  cpuTimes(): CpuTimes;
  /** The limits of this process; a shell changes only those of what it starts. */
  getrlimit(resource: number): ResourceLimit | number;
}
