/**
 * Owns the meaning of an OS process's end that the program did not announce:
 * a native fatal error, a memory limit, a signal, a lost zygote.
 * Untrusted: `stderr`, which the guest may have written to.
 */
import { constants } from "node:os";
import type { OutOfMemory } from "../../launcher/guest-groups.js";
import type { VmLimitName, VmLimits } from "../../protocol/limits.js";
import type { ProcessEnd } from "../../protocol/host-calls.js";
import type { End } from "../../protocol/usage.js";

/** How a process ended, as far as its codes say. */
type Outcome = Pick<ProcessEnd, "signal" | "errorCode">;

/** Limits by the code of the error that ends whoever is over one. */
const limitOfCode: Readonly<Record<string, VmLimitName>> = {
  ERR_SECURE_EXEC_MEMORY_LIMIT: "memoryBytes",
  ERR_SECURE_EXEC_CPU_TIME_LIMIT: "cpuTimeMs",
  ERR_SECURE_EXEC_WALL_TIME_LIMIT: "wallTimeMs",
  ERR_SECURE_EXEC_THREAD_LIMIT: "threads",
};
const killerOfCode: Readonly<Record<string, End["by"]>> = {
  ERR_SECURE_EXEC_GUEST_KILLED: "outside",
  ERR_SECURE_EXEC_GUEST_CRASHED: "crash",
  ERR_SECURE_EXEC_PROTOCOL_VIOLATION: "kernel",
};

/** Why a process ended. `by` sent the signal that it was ended by; `uncaught`: it said that an error ended it. */
export function causeOf({ signal, errorCode }: Outcome, by: End["by"], uncaught: boolean): End {
  const named = signal === 0 ? {} : { signal: signalName(signal) };
  if (errorCode === undefined) {
    if (signal === 0) return { reason: uncaught ? "uncaught error" : "exit" };
    return { reason: "killed", ...named, ...(by !== undefined && { by }) };
  }
  const limit = limitOfCode[errorCode];
  if (limit !== undefined) return { reason: "limit", limit, ...named };
  const killer = killerOfCode[errorCode];
  if (killer !== undefined) return { reason: "killed", ...named, by: killer };
  return { reason: "lost", ...named };
}

function signalName(signal: number): string {
  const known = Object.entries(constants.signals).find(([, number]) => number === signal);
  return known?.[0] ?? `signal ${signal}`;
}

export interface Death {
  end: Pick<ProcessEnd, "exitCode" | "signal" | "errorCode" | "errorMessage">;
  /** What the program's own stderr should say about it. */
  stderr: string;
}

const outOfMemory =
  /heap out of memory|Array buffer allocation failed|Out of memory|allocation failure|Failed to reserve virtual memory|std::bad_alloc/i;

/** The start of what a process printed natively, for an error message: bounded, on one line. */
function quoted(nativeStderr: string): string {
  const text = nativeStderr
    .slice(0, 512)
    .replace(/\p{Cc}+/gu, " ")
    .trim();
  return text === "" ? "" : `: ${text}`;
}

/** By a SIGKILL that was not the kernel's. */
function killed(
  { memoryBytes }: Pick<VmLimits, "memoryBytes">,
  linuxSays: OutOfMemory | undefined,
): Death {
  const signal = constants.signals.SIGKILL;
  const exitCode = 128 + signal;
  if (linuxSays === "own") {
    const errorCode = "ERR_SECURE_EXEC_MEMORY_LIMIT";
    const errorMessage = `Linux ended the process, which had more in memory than its cgroup allows for a limit of ${memoryBytes} bytes; limits.memoryBytes allows more`;
    return {
      end: { exitCode, signal, errorCode, errorMessage },
      stderr: `${errorCode}: ${errorMessage}\n`,
    };
  }
  const errorMessage =
    linuxSays === "shared"
      ? "Linux ended the guest process because memory ran out for all programs together, or for the machine"
      : "the guest process was killed from outside";
  return {
    end: { exitCode, signal, errorCode: "ERR_SECURE_EXEC_GUEST_KILLED", errorMessage },
    stderr: "",
  };
}

/** `status` is a wait status as in wait(2), or -1 when it is not known. */
export function describeDeath(
  status: number,
  nativeStderr: string,
  limits: Pick<VmLimits, "memoryBytes" | "cpuTimeMs">,
  linuxSays?: OutOfMemory,
): Death {
  if (status < 0) {
    return {
      end: {
        exitCode: 128 + constants.signals.SIGKILL,
        signal: constants.signals.SIGKILL,
        errorCode: "ERR_SECURE_EXEC_ZYGOTE_LOST",
        errorMessage:
          "the process that guests are forked from was lost, and this guest with it; run it again",
      },
      stderr: "",
    };
  }
  const signal = status & 0x7f;
  if (signal === 0) {
    return {
      end: {
        exitCode: (status >> 8) & 0xff || 1,
        signal: 0,
        errorCode: "ERR_SECURE_EXEC_OUTCOME_UNKNOWN",
        errorMessage: `the guest process ended without saying how${quoted(nativeStderr)}`,
      },
      stderr: "",
    };
  }
  if (outOfMemory.test(nativeStderr)) {
    return {
      end: {
        exitCode: 128 + signal,
        signal,
        errorCode: "ERR_SECURE_EXEC_MEMORY_LIMIT",
        errorMessage: `the guest went over its memory limit of ${limits.memoryBytes} bytes; limits.memoryBytes allows more`,
      },
      stderr: `FATAL ERROR: JavaScript heap out of memory: the process reached its memory limit of ${limits.memoryBytes} bytes (ERR_SECURE_EXEC_MEMORY_LIMIT; limits.memoryBytes allows more)\n`,
    };
  }
  // RLIMIT_CPU; a guest cannot ask for that signal, not even of itself.
  if (signal === constants.signals.SIGXCPU && limits.cpuTimeMs > 0) {
    const errorMessage = `the process used more than ${limits.cpuTimeMs} ms of CPU time; limits.cpuTimeMs allows more`;
    const errorCode = "ERR_SECURE_EXEC_CPU_TIME_LIMIT";
    return {
      end: {
        exitCode: 128 + constants.signals.SIGKILL,
        signal: constants.signals.SIGKILL,
        errorCode,
        errorMessage,
      },
      stderr: `${errorCode}: ${errorMessage}\n`,
    };
  }
  if (signal === constants.signals.SIGKILL) return killed(limits, linuxSays);
  return {
    end: {
      exitCode: 128 + signal,
      signal,
      errorCode: "ERR_SECURE_EXEC_GUEST_CRASHED",
      errorMessage: `the guest process ended by signal ${signal}`,
    },
    stderr: "",
  };
}
