/**
 * The system-call table between a guest process and the kernel, and the events
 * that travel beside it. File-system calls live in fs-calls.ts (numbers 100–199).
 * Untrusted: everything a guest sends under these numbers.
 */
import { flowCalls, guestFlowEvents, kernelFlowEvents } from "./flow-calls.js";
import { guestFailure } from "./frames.js";
import { fsCalls } from "./fs-calls.js";
import { netCalls } from "./net-calls.js";
import { terminalCalls } from "./terminal-calls.js";
import { wireOf } from "./port.js";
import type { JsRuntime } from "./platforms.js";
import type { EncodingName } from "./structured.js";

/** Calls a guest makes; each gets one reply or an errno. */
export const guestCalls = {
  ...fsCalls,
  ...flowCalls,
  ...netCalls,
  ...terminalCalls,
  /** Changes the working directory; answers its absolute path. */
  chdir: { nr: 1, args: { path: "text" }, result: { cwd: "text" } },
  umask: { nr: 2, args: { mask: "i32" }, result: { previous: "u32" } },
  /** The working directory, for threads that cannot change it. */
  getcwd: { nr: 5, args: {}, result: { cwd: "text" } },
  /** A socket of its own for a new thread; the reply brings its descriptor (SCM_RIGHTS) and the thread's number. */
  threadSocket: { nr: 6, args: {}, result: { thread: "u32" } },
  /**
   * A thread of that number has ended, and its socket with it: answered when what its calls have opened is closed, but for
   * what `descriptorOwned` says of it.
   */
  threadEnded: { nr: 9, args: { thread: "u32" }, result: {} },
  /**
   * A pipe of the OS through which this thread prints to the host from now on, if its stdout is there: the reply brings the writing
   * end (SCM_RIGHTS), which does not block. Before each message it says by `printed` how much it has written there. EEXIST where
   * it has one, EPERM where output has to be in order with time, or the process may be copied.
   */
  outputPipe: { nr: 8, args: {}, result: {} },
  /**
   * Of a template: waits for the order to make a copy of itself. The reply brings three descriptors for the
   * copy (SCM_RIGHTS): its socket, its stderr, a null device. `errno` is why the last order failed, or 0.
   */
  awaitFork: { nr: 7, args: { errno: "i32" }, result: {} },
  /**
   * Whether SIGINT is for the engine itself, which breaks into a script that does not return; otherwise it is the program's.
   * Answers whether the engine was sent one since the last call; it is sent one at most between two.
   */
  interruptible: { nr: 18, args: { on: "bool" }, result: { interrupted: "bool" } },
  /** kill(2) within the VM. */
  kill: { nr: 4, args: { pid: "i32", signal: "u8" }, result: {} },
  /** pipe2(2): reading and writing end. */
  pipe: { nr: 10, args: {}, result: { reader: "i32", writer: "i32" } },
  /** socketpair(2), AF_UNIX stream. */
  socketpair: { nr: 11, args: {}, result: { first: "i32", second: "i32" } },
  /** dup(2) when `to` is -1, otherwise dup2(2). */
  dup: { nr: 12, args: { fd: "i32", to: "i32" }, result: { fd: "i32" } },
  /** shutdown(2) with SHUT_WR. */
  shutdown: { nr: 13, args: { fd: "i32" }, result: {} },
  /** A `StreamKind`, or "file"; what Node's GuessHandleType answers from. */
  describe: { nr: 14, args: { fd: "i32" }, result: { kind: "string" } },
  /** lseek(2); `whence` is SEEK_SET (0), SEEK_CUR (1) or SEEK_END (2). */
  seek: { nr: 15, args: { fd: "i32", offset: "f64", whence: "u8" }, result: { position: "f64" } },
  /**
   * Blocks for bytes up to and including the next newline and takes none behind it. An answer
   * without a newline is the start of a line, or empty at end of file.
   */
  readLine: { nr: 16, args: { fd: "i32", length: "u32" }, result: { data: "bytes" } },
  /** Whether a read would not wait, after at most `timeoutMs`; poll(2) with POLLIN. */
  waitReadable: {
    nr: 17,
    args: { fd: "i32", timeoutMs: "u32" },
    result: { ready: "bool" },
  },
  /**
   * fork and execvp(3) in one. `fds[n]` is the caller's descriptor that becomes the child's n;
   * -1 leaves n closed, -2 is /dev/null, -3 a new socket pair whose other end is in `ends[n]`. `env` holds NAME=value. `cwd` empty is the caller's.
   * `ignored` are the signals that the child ignores from its start; `openFiles` its RLIMIT_NOFILE, -1 the caller's;
   * `fileBytes` its RLIMIT_FSIZE, soft and hard, `Infinity` for none, empty for the caller's.
   */
  spawn: {
    nr: 20,
    args: {
      file: "text",
      argv: "texts",
      env: "texts",
      cwd: "text",
      fds: "numbers",
      flags: "u32",
      uid: "i32",
      gid: "i32",
      ignored: "numbers",
      openFiles: "i32",
      fileBytes: "numbers",
    },
    result: { pid: "u32", ends: "numbers" },
    large: true,
  },
  /**
   * execve(2): the process keeps its pid, descriptors, directory, mask and ignored signals. `file` and
   * `env` are as in `spawn`. `options` is the JSON of the `StartOptions` under which the process goes on.
   */
  exec: {
    nr: 24,
    args: { file: "text", argv: "texts", env: "texts" },
    result: { options: "string" },
  },
  /**
   * execve(2) as a program calls it: the process begins anew in another OS process, with its pid, directory, mask,
   * ignored signals and descriptors 0 to 2; engines open all others with O_CLOEXEC. Not answered then.
   */
  execve: {
    nr: 28,
    args: { file: "text", argv: "texts", env: "texts" },
    result: {},
    large: true,
  },
  /**
   * The process begins anew in an engine of its own that is started with `flags`; see engine-start.ts. Not
   * answered then. EINVAL for other flags, EPERM for who has one already.
   */
  ownEngine: { nr: 27, args: { flags: "strings" }, result: {} },
  /** waitpid(2) for one child: blocks until it has ended, and reaps it. */
  wait: { nr: 21, args: { pid: "u32" }, result: { code: "i32", signal: "u8" } },
  /** setpgid(2). */
  setProcessGroup: { nr: 22, args: { pid: "u32", group: "u32" }, result: {} },
  /**
   * getpriority(2) and setpriority(2) of one process; `pid` 0 is the caller. `nice` outside -20…19
   * changes nothing. Answers the nice value that holds afterwards.
   */
  priority: { nr: 23, args: { pid: "i32", nice: "i32" }, result: { nice: "i32" } },
  /**
   * Where the engine's code for node:sqlite registers a file system: bytes from its `uv_loop_fork` to its
   * `sqlite3_vfs_register`. ENOSYS when this engine does not name it.
   */
  sqliteEntry: { nr: 25, args: {}, result: { distance: "f64" } },
  /**
   * What the dynamic linker is to load: the reply brings a descriptor (SCM_RIGHTS) of a sealed copy in memory of the
   * regular file `fd`, or, where `library` is not empty, of a part of the libc that engines are linked with, by a name of
   * a fixed list. It is empty again after the thread's next message. EPERM in a machine without native addons, ENOMEM
   * where its images have as much as a process may have.
   */
  image: { nr: 34, args: { fd: "i32", library: "string" }, result: {} },
  /** What the calling process, and the children it has waited for, have used: microseconds of CPU, bytes of memory. */
  usage: {
    nr: 3,
    args: {},
    result: {
      userUs: "f64",
      systemUs: "f64",
      childUserUs: "f64",
      childSystemUs: "f64",
      rssBytes: "f64",
    },
  },
  /**
   * Calls a host tool by name or alias. `input` is JSON text, empty for undefined, or of a `ToolForm`; `parts` names what
   * comes before it, or is 0. With `ok` the answer's `json` is the result, empty for undefined, otherwise a `ToolFailure`.
   */
  callTool: {
    nr: 40,
    args: { name: "string", parts: "u32", input: "bytes" },
    result: { ok: "bool", json: "bytes" },
    large: true,
  },
  /** The next value of a stream that `callTool` has answered with, or its end; `stop` gives it up. EBADF for another's. */
  toolNext: {
    nr: 47,
    args: { stream: "u32", stop: "bool" },
    result: { ok: "bool", json: "bytes" },
  },
  /**
   * A part of an input for `callTool`: `parts` is what an earlier one was answered with, or 0 for a new input. Without data what
   * came is forgotten. E2BIG over `limits.valueBytes`, EAGAIN where too many inputs are on their way, ENOMEM where there is no room.
   */
  toolInput: { nr: 48, args: { parts: "u32", data: "bytes" }, result: { parts: "u32" } },
  /** Part of a value for `returnValue`, the first or a further one; answered when the host has taken it. E2BIG over `limits.valueBytes`. */
  valuePart: { nr: 46, args: { first: "bool", data: "bytes" }, result: {} },
  /** JSON of the `ToolDescriptor`s of the tools the caller may call, or of the one with that name or alias. */
  describeTools: { nr: 41, args: { name: "string" }, result: { json: "bytes" } },
  /**
   * For a process that stands for a command of the host's executor (mode "host"): a step of it, answered as a
   * tool's call. EPERM for all others. What is run is what the kernel admitted; only stdin comes from here.
   */
  hostCommand: {
    nr: 42,
    args: { step: "u8", data: "bytes" },
    result: { ok: "bool", json: "bytes" },
  },
} as const;

/** One-way messages from guest to kernel. */
export const guestEvents = {
  ...guestFlowEvents,
  /** The guest is locked down and waits for `start`. */
  ready: { nr: 1, args: {} },
  /** With `again`, nothing is left of the command that has ended, and the guest waits for `start` as the next one. */
  exit: { nr: 2, args: { code: "i32", again: "bool" } },
  /** The `exit` that follows is due to an uncaught error. */
  uncaught: { nr: 7, args: {} },
  /** Bytes written to stdout (1) or stderr (2); spends the window granted by `credit`. */
  output: { nr: 3, args: { fd: "u8", data: "bytes" } },
  /** So many bytes were written to the thread's output pipe before this, and after the last time. */
  printed: { nr: 12, args: { bytes: "f64" } },
  /** The value of `__return`, or the rest of one that `valuePart` has begun. The last one counts; `encoding` as `ValueEncoding`. */
  returnValue: { nr: 4, args: { encoding: "u8", continued: "bool", data: "bytes" } },
  /** `__return` was given something JSON cannot carry. */
  returnFailure: { nr: 5, args: { path: "string", reason: "string" } },
  residentDone: { nr: 6, args: { sequence: "u32", exitCode: "i32" } },
  /** The set-up of a template has ended; `pending` names what it left under way, of which there must be nothing. */
  templateReady: { nr: 10, args: { pending: "strings" } },
  /** Whether the guest handles a signal itself (true) or leaves it to the default action. */
  signalHandler: { nr: 8, args: { signal: "u8", handled: "bool" } },
  /**
   * Of a worker: whether its end closes `fd`. It does close what its calls have opened, and nothing else, unless it says so.
   */
  descriptorOwned: { nr: 13, args: { fd: "i32", owned: "bool" } },
  /** The program has read on in what `readAhead` told, to here: the position of `fd`. */
  readTo: { nr: 15, args: { fd: "i32", position: "f64" } },
  /** The next of the bytes that `writeFirst` has promised to take; none of them: the rest is given back. */
  writeOn: { nr: 16, args: { fd: "i32", data: "bytes" } },
  /** The engine has printed to the guest's real stderr, by C++, what belongs on the process's; some 16 KiB in a life. */
  enginePrinted: { nr: 14, args: {} },
  /** What `ps` shows of the process from now on; as much of it as its arguments had room for. */
  title: { nr: 11, args: { text: "string" } },
  /** In a deterministic machine: what time it is for the program, in milliseconds since the epoch. */
  clock: { nr: 9, args: { nowMs: "f64" } },
} as const;

/** One-way messages from kernel to guest. */
export const kernelEvents = {
  ...kernelFlowEvents,
  /** Turns a waiting guest into a process: `options` is JSON of `StartOptions`. */
  start: { nr: 1, args: { options: "string", source: "bytes" } },
  credit: { nr: 2, args: { fd: "u8", bytes: "u32" } },
  signal: { nr: 5, args: { signal: "u8" } },
  /** Something happened to what `watch` watches: to `name` in a directory, or to a file itself. */
  fileEvent: { nr: 10, args: { watch: "u32", renamed: "bool", name: "text" } },
  residentExec: { nr: 6, args: { sequence: "u32", source: "string" } },
} as const;

/** All that a guest's socket carries. */
export const guestWire = wireOf({
  calls: guestCalls,
  callerEvents: guestEvents,
  serverEvents: kernelEvents,
  failure: guestFailure,
} as const);
export type GuestTables = (typeof guestWire)["tables"];

/** Descriptor numbers of `spawn` that are none. */
export const SpawnDescriptor = Object.freeze({ closed: -1, null: -2, pair: -3 } as const);

/** Bits of `spawn`'s flags. */
export const SpawnFlags = Object.freeze({
  /** setsid(2) in the child. */
  newSession: 1,
  /** setpgid(0, 0) in the child. */
  newProcessGroup: 2,
  /** The terminal that its descriptor 0 is becomes that of the new session: TIOCSCTTY. */
  controllingTerminal: 4,
  /** Its new group is in the foreground of the caller's terminal from its start. */
  foreground: 8,
  /**
   * Nothing is started: pid 0 says that the caller may run the command in its own process, and that a spawn would
   * have come to that command. Otherwise EOPNOTSUPP where that is so of no command, ENOEXEC where not of this one.
   */
  here: 16,
} as const);

/** What a process is told about itself when it starts. Trusted: the kernel wrote it. */
export interface StartOptions {
  /**
   * "program" and "resident": the text in `source`, for the host. "node": a command line as
   * a user types it. "command", "tool", "wasm": the program that `image` names. "template": a
   * program after whose end the process is copied for others. "host": stands for the command `image` that the
   * host's executor runs.
   */
  mode: "program" | "template" | "resident" | "node" | "command" | "tool" | "wasm" | "host";
  /** Name of a command or tool, or path of a WebAssembly module. */
  image: string;
  language: "js" | "ts";
  /** Whether a program ends when its main module has been evaluated, whatever still waits. */
  endWhenSettled?: boolean;
  /** The flags that its own engine was started with; nothing for a forked one. */
  engineFlags?: readonly string[];
  /** Of a command: whether its guest may be the next one as well; see kernel/process/kept-guests.ts. */
  again?: boolean;
  /** Absolute guest path of the main program. */
  path: string;
  /** What follows the name of the engine on the command line. */
  argv: string[];
  argv0: string;
  /** Where the engine's file is that was executed, of mode "node"; otherwise where it always is. */
  execPath?: string;
  /** Signals that were ignored from the start. */
  ignoredSignals: number[];
  /** Kind of each descriptor that is open from the start; "" where none is. */
  descriptors: string[];
  env: Record<string, string>;
  cwd: string;
  pid: number;
  ppid: number;
  uid: number;
  gid: number;
  umask: number;
  hostname: string;
  outputWindowBytes: number;
  memoryLimitBytes: number;
  /** RLIMIT_NOFILE and RLIMIT_NPROC. */
  openFilesLimit: number;
  /** RLIMIT_FSIZE, where there is one; no number stands for no hard one. */
  fileBytesLimit?: { soft: number; hard?: number };
  processesLimit: number;
  /** Workers that it may have at one time. */
  threads: number;
  /** How `__return` sends its value, and the most bytes of one. */
  encoding: EncodingName;
  valueBytes: number;
  /** Whether the machine has tools of the host. */
  hostTools: boolean;
  /** Whether commands that the machine's shell does not find may be the host's. */
  hostCommands: boolean;
  /** Milliseconds since the epoch at which the kernel started the process. */
  startedAtMs: number;
  /** Milliseconds since the VM was made: the machine's uptime. */
  machineUptimeMs: number;
  jsRuntime: JsRuntime;
  /** Whether it may load native addons. */
  nativeAddons: boolean;
  /** That the run's clock, order and randomness are decided by these alone. */
  deterministic?: { seed: string; startTimeMs: number };
}
