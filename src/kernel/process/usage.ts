/**
 * Owns what an OS process has used, as Linux counts it: CPU time and memory of a
 * guest, read by the kernel process from /proc, so that no guest can say it itself.
 *
 * A process that is gone, or whose numbers cannot be read, has used nothing.
 */
import { readFileSync } from "node:fs";
import { statusNumber, statusOf } from "../../launcher/process-status.js";
import { processCpuTimeMs } from "../../sandbox/libc.js";

export interface CpuTime {
  userUs: number;
  systemUs: number;
}

export interface Usage extends CpuTime {
  rssBytes: number;
}

/** sysconf(_SC_CLK_TCK) of every Linux; the unit of /proc/<pid>/stat. */
const tickUs = 10_000;
/** The machine's page; all platforms of the engine have 4 KiB. */
const pageBytes = 4096;

function fields(path: string): string[] {
  const text = readFileSync(path, "latin1");
  // proc_pid_stat(5): the name in parentheses may hold anything.
  return text
    .slice(text.lastIndexOf(")") + 1)
    .trim()
    .split(/\s+/);
}

/** `pid` is one of the machine's own; `beforeMs` of what it has used is others'. */
export function usageOf(pid: number, beforeMs: number): Usage {
  try {
    const stat = fields(`/proc/${pid}/stat`);
    const cpuTime = refined(processCpuTimeUs(pid, beforeMs), stat, beforeMs);
    // Counted from the state, which is field 3: rss is 24.
    return { ...cpuTime, rssBytes: Number(stat[21]) * pageBytes };
  } catch {
    return { userUs: 0, systemUs: 0, rssBytes: 0 };
  }
}

/** The same without memory. */
export function cpuTimeOf(pid: number, beforeMs: number): CpuTime {
  const totalUs = processCpuTimeUs(pid, beforeMs);
  // Ticks say nothing of less than one.
  if (totalUs < tickUs) return { userUs: totalUs, systemUs: 0 };
  try {
    return refined(totalUs, fields(`/proc/${pid}/stat`), beforeMs);
  } catch {
    return { userUs: totalUs, systemUs: 0 };
  }
}

/** The most memory that a process had resident (VmHWM); 0 once it has let go of it. */
export function peakMemoryOf(pid: number): number {
  return statusNumber(statusOf(pid), "VmHWM");
}

/** 0 once it is gone. */
const processCpuTimeUs = (pid: number, beforeMs: number): number =>
  Math.max(0, Math.floor((processCpuTimeMs(pid) - beforeMs) * 1000));

/**
 * Ticks hide short lives: the process's own clock is finer, and does not say whose time it was. utime is field 14, stime 15;
 * both are those of all that the process ever was.
 */
function refined(totalUs: number, stat: readonly string[], beforeMs: number): CpuTime {
  const [user, system] = [Number(stat[11]) * tickUs, Number(stat[12]) * tickUs];
  const ticksUs = user + system;
  if (beforeMs === 0 && totalUs <= ticksUs) return { userUs: user, systemUs: system };
  const userUs = Math.round(totalUs * (ticksUs === 0 ? 1 : user / ticksUs));
  return { userUs, systemUs: totalUs - userUs };
}
