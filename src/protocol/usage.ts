/**
 * Owns what a bill and an end are called: what a run or a machine has used, and why a program is
 * there no more. Counted and judged by the kernel, shown by the SDK.
 */

/** What a program and all it started, or a machine since it was made, has used. */
export interface Usage {
  /** CPU time of its processes, those of children included, as Linux counts it. */
  cpuMs: number;
  /** Time that the kernel process has spent on its requests. */
  kernelCpuMs: number;
  /** From the order to start it until its end, or until now. */
  wallMs: number;
  /** The most resident memory that one process of it had (VmHWM), what it shares with others included. */
  peakMemoryBytes: number;
  /** Processes that were started in all; a command that a shell runs itself is one. */
  processes: number;
  /** Threads with JavaScript that were started in all: one per process, and workers. */
  threads: number;
  /** Requests to the kernel; writing to stdout or a pipe is one, too. */
  systemCalls: number;
  /** From and to files, pipes, Unix sockets, stdin, stdout and stderr. */
  bytesRead: number;
  bytesWritten: number;
  /** Over TCP and UDP, inside the machine or out of it. */
  bytesSent: number;
  bytesReceived: number;
  toolCalls: number;
  /** Time during which calls of tools were under way, added up. */
  toolMs: number;
}

/** What went through a machine's border to one host. */
export interface HostUsage {
  /** Those that were allowed. */
  requests: number;
  /** Over the connections to it, TLS included. */
  bytesSent: number;
  bytesReceived: number;
}

/** Of a machine, with what went to the hosts that its border looks into, by their patterns. */
export type MachineUsage = Usage & { hosts?: Record<string, HostUsage> };

/** What ended a program; see `NodeRuntimeEnd.reason`. */
export type EndReason =
  | "exit"
  | "uncaught error"
  | "timeout"
  | "abort"
  | "limit"
  | "killed"
  | "lost";

/** Why a program ended. */
export interface End {
  /**
   * "exit": by itself. "uncaught error": it threw, or left a rejection unhandled. "timeout", "abort":
   * the options of that name. "limit": see `limit`. "killed": see `by`. "lost": its outcome is not known.
   */
  reason: EndReason;
  /** The name of the limit that ended it. */
  limit?: string;
  /** The signal that ended it, such as "SIGKILL". */
  signal?: string;
  /**
   * Who sent the signal: the host's `kill`, the disposal of the runtime, a change of permissions, the
   * kernel because the process broke the protocol, something outside this library, or the CPU because
   * the process crashed, or its terminal, by a key or its end; a number is the pid of a process in the machine.
   */
  by?: "host" | "dispose" | "permissions" | "kernel" | "outside" | "crash" | "terminal" | number;
}
