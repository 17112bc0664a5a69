/**
 * Owns the meaning of an OS process's end that the program did not announce:
 * a native fatal error, a memory limit, a signal, a lost zygote.
 * Untrusted: `stderr`, which the guest may have written to.
 */
import { constants } from "node:os";
import type { VmLimits } from "../../protocol/limits.js";
import type { ProcessEnd } from "../../protocol/host-calls.js";

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

/** `status` is a wait status as in wait(2), or -1 when it is not known. */
export function describeDeath(
  status: number,
  nativeStderr: string,
  limits: Pick<VmLimits, "memoryBytes" | "cpuTimeMs">,
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
  if (signal === constants.signals.SIGKILL) {
    return {
      end: {
        exitCode: 128 + signal,
        signal,
        errorCode: "ERR_SECURE_EXEC_GUEST_KILLED",
        errorMessage: "the guest process was killed from outside",
      },
      stderr: "",
    };
  }
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
