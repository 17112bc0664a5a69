/**
 * Owns what the benchmark reads from /proc: which process is which, and how much memory it has.
 */
import { readFileSync, readdirSync } from "node:fs";

/** Direct children of a process, those of all its threads. */
export function childrenOf(pid) {
  return readdirSync(`/proc/${pid}/task`)
    .flatMap((tid) => readFileSync(`/proc/${pid}/task/${tid}/children`, "utf8").split(" "))
    .filter((text) => text.trim() !== "")
    .map(Number)
    .toSorted((a, b) => a - b);
}

/** The kernel of this host process, and the zygote below it. */
export function findKernel() {
  const kernel = childrenOf(process.pid).find((pid) =>
    readFileSync(`/proc/${pid}/cmdline`, "utf8").startsWith("secure-exec-kernel"),
  );
  if (kernel === undefined) throw new Error("no kernel process among the children");
  const [zygote] = childrenOf(kernel);
  if (zygote === undefined) throw new Error("the kernel has no zygote");
  return { kernel, zygote };
}

/** A field of a file like /proc/PID/status or smaps_rollup, in MB (MiB). */
function field(path, name) {
  const found = new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(readFileSync(path, "utf8"));
  if (found === null) throw new Error(`${path} has no ${name}`);
  return Number(found[1]) / 1024;
}

/** USER_HZ is 100 on x64 and arm64. */
const tickMs = 10;

/** Milliseconds of CPU that a process has used; proc_pid_stat(5), counted from the state, which is field 3. */
export function cpuMsOf(pid) {
  const text = readFileSync(`/proc/${pid}/stat`, "latin1");
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * tickMs;
}

export const rssOf = (pid) => field(`/proc/${pid}/status`, "VmRSS");

/** Means over several processes. */
export function meanMemory(pids) {
  const mean = (name) =>
    pids.reduce((sum, pid) => sum + field(`/proc/${pid}/smaps_rollup`, name), 0) / pids.length;
  return { pss: mean("Pss"), privateDirty: mean("Private_Dirty"), guests: pids.length };
}
