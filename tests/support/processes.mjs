// What the tests know of the OS processes below this one, read from /proc.
import { readFileSync, readdirSync } from "node:fs";

/** Direct children of `pid`, by every thread of it. */
export function children(pid) {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((task) =>
      readFileSync(`/proc/${pid}/task/${task}/children`, "utf8")
        .split(" ")
        .filter(Boolean)
        .map(Number),
    );
  } catch {
    return [];
  }
}

/** Kernel, spawner, zygote and guest pids below this process. */
export function tree(pid = process.pid) {
  const kernel = children(pid).find((child) => commandLine(child).startsWith("secure-exec-kernel"));
  const own = kernel === undefined ? [] : children(kernel);
  const zygote = own[0];
  // It has given up its memory, and its name with it.
  const spawner = own.find((child) => alive(child) && commandLine(child) === "");
  return { kernel, spawner, zygote, guests: zygote === undefined ? [] : children(zygote) };
}

export function commandLine(pid) {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "latin1");
  } catch {
    return "";
  }
}

/** True while the process exists and is not a zombie. */
export function alive(pid) {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, "latin1"));
  } catch {
    return false;
  }
}

/** Kills all that are still there. */
export function endAll(pids) {
  for (const pid of pids)
    try {
      process.kill(pid, "SIGKILL");
    } catch (error) {
      if (error.code !== "ESRCH") throw error;
    }
}

/** Resolves once `condition` holds; polls, because /proc has no events. Bounded by the test's own timeout. */
export async function until(condition) {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 10));
}

/**
 * As many guests wait as do when nothing is asked for a while. There are fewer for a moment while those of a zygote that
 * has become warm take the place of the former ones, so that counts of descriptors would not compare.
 */
export const isIdle = () => tree().guests.length === 3;

export function openDescriptors(pid) {
  return readdirSync(`/proc/${pid}/fd`).length;
}
