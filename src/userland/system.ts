/**
 * Owns what userland may ask of the machine it runs in: one interface in parts. Each program of userland names the parts
 * that it is given (`ShellSystem`, `WasiSystem`, `CommandContext`, `ToolCommandContext`); src/guest/programs makes them
 * of system calls. POSIX-shaped: numbers are results or `-errno`; nothing here throws.
 *
 * Beside it there are Node's own modules, which are virtual in a guest, for what blocks anyway: commands and WASI
 * programs use them for files. The shell may not block, as it hears of signals while it waits: it has `Descriptors`.
 */
import type * as NodeFs from "node:fs";
import type { ResourceLimit } from "../abi/resources.js";
import type { TerminalAttributes } from "../abi/termios.js";
import type { ToolDescriptor } from "../protocol/tools.js";

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

/** The process itself. */
export interface OwnProcess {
  readonly pid: number;
  readonly ppid: number;
  /** Whose process this is; root of a machine with nobody else where it is left out. */
  readonly identity?: { readonly uid: number; readonly gid: number; readonly user: string };
  /** The limits of this process; a shell changes only those of what it starts. */
  getrlimit(resource: number): ResourceLimit | number;
  cpuTimes(): CpuTimes;
}

/** What a process has that the calls of others use. */
export interface Surroundings {
  cwd(): string;
  /** Sets the process's mask and returns the former one. It applies to files that are made and to children. */
  umask(mask: number): number;
}

export interface Machine {
  /** The machine's kind as `uname -m` tells it; "x86_64" where it is left out. */
  readonly machine?: string;
  hostname?(): string;
}

/** The calls that a waiting process does not block in. */
export interface Descriptors {
  /** Descriptors that are open when the process starts. */
  readonly inheritedFds: readonly number[];
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
  /** Writes all, or returns `-errno`. A vanished reader is `-EPIPE`; no signal is raised. */
  write(fd: number, data: Uint8Array): Promise<number>;
  /** The same for a part of the process that may make no file longer than `fileBytes`; see RLIMIT_FSIZE. */
  writeWithin(fd: number, data: Uint8Array, fileBytes: number): Promise<number>;
  isatty(fd: number): boolean;
}

export interface Pipes {
  /** Both ends are close-on-exec: children get only what they are given. */
  pipe(): readonly [read: number, write: number] | number;
}

export interface Offsets {
  /** Moves a regular file's offset by `delta`; `-ESPIPE` where that is impossible. */
  seekBy(fd: number, delta: number): number;
}

export interface Fifos {
  /** mkfifo(3), with a mode that the mask is taken from; 0 or `-errno`. */
  makeFifo(path: string, mode: number): number;
}

/** Files as Node has them: its calls block, and throw. */
export interface NodeFiles {
  readonly fs: typeof NodeFs;
}

/** What names lead to. */
export interface Names {
  stat(path: string): FileStatus | number;
  lstat(path: string): FileStatus | number;
  /** `mode` is a sum of R_OK, W_OK and X_OK; judged for the effective ids. */
  access(path: string, mode: number): number;
  /** Without "." and "..". */
  readdir(path: string): readonly string[] | number;
  realpath(path: string): string | number;
}

/** A descriptor of this process, or bytes in its memory, which are read as those of a pipe. */
export type HereInput = number | { take(maxBytes: number): Uint8Array };
/** `append` answers 0 or `-errno`. */
export type HereOutput = number | { append(data: Uint8Array): number };

/** A command that may be run in this process, as `SpawnRequest` says it. */
export interface HereRequest extends Pick<SpawnRequest, "file" | "argv" | "env" | "cwd"> {
  readonly input: HereInput;
  readonly output: HereOutput;
  readonly errors: HereOutput;
  /** It is run in turn with others of its pipeline: it may print so much, and waits for nobody. */
  readonly turn?: { readonly mostBytes: number } | undefined;
}

export interface Processes {
  /**
   * Runs one of the machine's plain commands in this process, which blocks until it is done: its status. Undefined
   * where it needs a process of its own; then nothing of it has been done.
   */
  runHere?(request: HereRequest): Promise<number | undefined>;
  /** Whether `spawn` knows commands, named without a slash, that no file stands for. */
  readonly hostCommands?: boolean;
  /** How to start another shell: file, then the arguments that come before the shell's own. */
  readonly shellCommand: readonly [file: string, ...args: string[]];
  spawn(request: SpawnRequest): number | Promise<number>;
  /** Once per pid. Signals to the process from before the child's end are delivered before this resolves. */
  wait(pid: number): Promise<WaitStatus>;
}

export interface Signals {
  /** Negative pids are process groups, 0 is the process's own. */
  kill(pid: number, signal: number): number;
  onSignal(signal: number, disposition: SignalDisposition): void;
  /** True for a signal that was ignored when the process started: it stays so, as POSIX wants. */
  startedIgnored(signal: number): boolean;
}

export interface Time {
  /** Milliseconds since the epoch, with a fraction. */
  nowMs(): number;
  sleep(durationMs: number): Promise<void>;
  /** Lets signals and finished input and output in; called every so often by busy loops. */
  yield(): Promise<void>;
}

/** What of a terminal commands read and set. */
export interface Terminal {
  attributes(fd: number): TerminalAttributes | number;
  setAttributes(fd: number, attributes: TerminalAttributes): number;
  size(fd: number): { readonly rows: number; readonly columns: number };
  resize(fd: number, rows: number, columns: number): number;
}

/** What a wait saw: `stopSignal` is 0 when the child has ended. */
export interface ChildChange extends WaitStatus {
  readonly stopSignal: number;
}

/** The same, and what gives it to jobs. */
export interface JobTerminal extends Terminal {
  foreground(fd: number): number;
  setForeground(fd: number, group: number): number;
  setProcessGroup(pid: number, group: number): number;
  /** Resolves when the child has ended, which is told once, or has stopped. */
  waitForChange(pid: number): Promise<ChildChange>;
}

/** Tools of the host. */
export interface Tools {
  callTool(name: string, input: unknown): Promise<unknown>;
  /** The tool with that name or alias; all callable ones for "". */
  describeTools(name: string): readonly ToolDescriptor[];
}
