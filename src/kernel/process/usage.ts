/**
 * Owns what an OS process has used, as Linux counts it: CPU time and memory of a
 * guest, read by the kernel process from /proc, so that no guest can say it itself.
 *
 * A process that is gone, or whose numbers cannot be read, has used nothing.
 */
import { readFileSync } from "node:fs";

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

/** `pid` is one of the machine's own. */
export function usageOf(pid: number): Usage {
  try {
    const stat = fields(`/proc/${pid}/stat`);
    // Counted from the state, which is field 3: utime is 14, stime 15, rss 24.
    const user = Number(stat[11]) * tickUs;
    const system = Number(stat[12]) * tickUs;
    return { ...refine(pid, user, system), rssBytes: Number(stat[21]) * pageBytes };
  } catch {
    return { userUs: 0, systemUs: 0, rssBytes: 0 };
  }
}

/** The most memory that a process had resident (VmHWM); 0 once it has let go of it. */
export function peakMemoryOf(pid: number): number {
  try {
    const text = readFileSync(`/proc/${pid}/status`, "latin1");
    return Number(/^VmHWM:\s+(\d+)/m.exec(text)?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

/** Ticks hide short lives: the scheduler's own count of the main thread is finer. */
function refine(pid: number, userUs: number, systemUs: number): CpuTime {
  let totalUs = 0;
  try {
    totalUs = Math.floor(Number(fields(`/proc/${pid}/schedstat`)[0]) / 1000);
  } catch {
    // Not every Linux is built with it.
  }
  const ticksUs = userUs + systemUs;
  if (!(totalUs > ticksUs)) return { userUs, systemUs };
  const share = ticksUs === 0 ? 1 : userUs / ticksUs;
  const user = Math.round(totalUs * share);
  return { userUs: user, systemUs: totalUs - user };
}
