/**
 * Owns how the process of a zygote is started: the engine's flags, the files that it is given and the descriptors that
 * this process talks to it over. What is said over those is fork.ts's.
 *
 * Invariants: a process has all of its descriptors or is not started; what is executed is fixed when the spawner is made.
 * It imports little, as the first zygote's engine starts beside the rest of the kernel. Untrusted: nothing.
 */
import { closeSync, existsSync, openSync } from "node:fs";
import { openReservation } from "../sandbox/early-reservation.js";
import * as libc from "../sandbox/libc.js";
import { Spawner } from "../sandbox/spawner.js";
import { zygoteDescriptors } from "./descriptors.js";
import { anyBootstrap, kinds, reservationFd } from "./zygote/bootstrap.js";

/** Engine flags of a zygote; see docs/architecture.md for the reason of each. */
const zygoteFlags: readonly string[] = Object.freeze([
  "--expose-internals",
  "--single-threaded",
  "--minor-ms",
  "--min-semi-space-size=16",
  "--heap-growing-percent=300",
  "--no-incremental-marking",
  "--no-maglev-osr",
  "--invocation-count-for-osr=300",
  "--v8-pool-size=0",
  "--no-memory-pool-share-memory-on-teardown",
  "--disable-sigusr1",
]);

/** With the program's name for itself. */
export const zygoteArguments: readonly string[] = Object.freeze([
  "node",
  ...zygoteFlags,
  "-e",
  anyBootstrap,
]);

/** All of its environment where there is a library that sets addresses aside. */
export const reservedEnvironment: readonly string[] = Object.freeze([
  `LD_PRELOAD=/proc/self/fd/${reservationFd}`,
]);

export interface ZygoteSpawnerOptions {
  enginePath: string;
  /** JSON of module name → source; dist/guest.json. */
  bundlePath: string;
  /** The same of the programs of a VM; dist/programs.json. */
  programsPath: string;
}

/** The forms that the engine compiled of a bundle, or an empty file. */
function formsOf(bundlePath: string): string {
  const path = bundlePath.replace(/json$/, `${process.arch}.cache`);
  return existsSync(path) ? path : "/dev/null";
}

/** What starts zygotes once this process must not execute anything any more. */
export function zygoteSpawner(options: ZygoteSpawnerOptions): Spawner {
  // Open files, not pipes: a zygote need not wait for this process's event loop.
  const files = [options.bundlePath, options.programsPath, formsOf(options.bundlePath)].map(
    (path) => openSync(path, "r"),
  );
  const reservation = openReservation();
  const reserves = reservation >= 0;
  if (reserves) files.push(reservation);
  try {
    const environment = reserves ? reservedEnvironment : [];
    return Spawner.start({
      path: options.enginePath,
      argv: zygoteArguments,
      environment,
      files,
    });
  } finally {
    for (const file of files) closeSync(file);
  }
}

/** "starter": its children execute an engine of their own. */
export type ZygoteKind = keyof typeof kinds;

/** A child of this process, which is nobody else's to reap. */
export interface ZygoteProcess {
  readonly pid: number;
  /** The control socket. */
  readonly control: number;
  /** What it writes to its stderr. */
  readonly words: number;
}

/** Throws `SpawnerGone`, or `DescriptorsExhausted`, and then has left nothing behind. */
export function startZygoteProcess(spawner: Spawner, kind: ZygoteKind): ZygoteProcess {
  const ends = zygoteDescriptors();
  const [control, words] = ends.mine;
  const [theirs, stderr] = ends.theirs;
  try {
    const pid = spawner.spawn([stderr, theirs]);
    const first = Buffer.of(kinds[kind]);
    libc.write(control, first, 0, first.length);
    return { pid, control, words };
  } catch (error) {
    for (const fd of ends.mine) libc.close(fd);
    throw error;
  } finally {
    for (const fd of ends.theirs) libc.close(fd);
  }
}
