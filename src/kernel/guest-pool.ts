/**
 * Owns the kernel's guests: locks this process down as far as guests must inherit
 * it and starts their zygote. Both happen once, when they are asked for.
 */
import { availableParallelism, totalmem } from "node:os";
import { fileURLToPath } from "node:url";
import { EnginePool } from "../launcher/engines.js";
import { zygoteSpawner } from "../launcher/fork.js";
import { GuestGroups } from "../launcher/guest-groups.js";
import { GuestPool } from "../launcher/pool.js";
import { cgroupVariable } from "../abi/cgroup.js";
import type { IsolationReport } from "../protocol/isolation.js";
import { guestCgroup } from "../sandbox/cgroup.js";
import { disownInherited } from "../sandbox/descriptors.js";
import * as libc from "../sandbox/libc.js";
import { buildStage1, install } from "../sandbox/seccomp.js";
import { confineSignals } from "./lock-down.js";
import { sayLastWords } from "./last-words.js";
import { usualBounds } from "./process/native-watch.js";

/** The socket to the SDK is the last that this process was handed. */
const lastHandedFd = 3;

/** What a guest that waits has for itself: 0.75 MB that it wrote, what it copied ahead, its page tables. */
const idleGuestBytes = 4 * 1024 * 1024;
/** Guests that wait have at most this share of the memory that there is, and the least number in any case. */
const aheadMemoryShare = 1 / 64;
const fewAhead = 3;
const mostAhead = 32;

function mostGuestsAhead(): number {
  // 0 or a number beyond all memory when no cgroup says less.
  const memoryBytes = Math.min(process.constrainedMemory() || Infinity, totalmem());
  const most = Math.floor((memoryBytes * aheadMemoryShare) / idleGuestBytes);
  return Math.max(fewAhead, Math.min(mostAhead, most));
}

interface Guests {
  readonly pool: GuestPool;
  readonly engines: EnginePool;
  /** Of the bounds that cgroups hold. */
  readonly cgroup: () => IsolationReport;
}

let guests: Guests | undefined;

/** Locks this process down, once and for good, and starts the zygote; from then on answers what was started. */
export function startGuests(): Guests {
  guests ??= start();
  return guests;
}

function lockDown(): void {
  disownInherited(lastHandedFd + 1);
  libc.setParentDeathSignal(libc.SIGKILL);
  libc.setNoNewPrivs();
  try {
    install(buildStage1());
    confineSignals();
  } catch (error) {
    sayLastWords(error);
  }
}

/** Groups for guests, or why there are none. */
function openGroups(): GuestGroups | string {
  const place = guestCgroup(process.env[cgroupVariable]);
  return "why" in place ? place.why : GuestGroups.open(place.directory, usualBounds);
}

function start(): Guests {
  lockDown();
  const opened = openGroups();
  const groups = typeof opened === "string" ? undefined : opened;
  const spawner = zygoteSpawner({
    enginePath: process.execPath,
    bundlePath: fileURLToPath(new URL("../guest.json", import.meta.url)),
    programsPath: fileURLToPath(new URL("../programs.json", import.meta.url)),
  });

  const engines = new EnginePool({
    spawner,
    groups,
    isolation: () => pool.isolation,
    parallelStarts: Math.max(2, Math.min(8, availableParallelism())),
    idleMs: 60_000,
  });

  const pool = new GuestPool({
    spawner,
    groups,
    demand: { few: fewAhead, most: mostGuestsAhead(), youngMs: 250, fallMs: 20_000 },
    // The zygote forks one after the other; what a guest does before it is ready goes on beside that.
    parallelForks: Math.max(2, Math.min(8, availableParallelism())),
    refillDelayMs: 10,
    // What all guests of one zygote have in common, such as addresses, is in use for no longer.
    recycleForks: 10_000,
    recycleMs: 6 * 60 * 60 * 1000,
    unable: sayLastWords,
  });
  // Its failure is reported to whoever awaits the start.
  pool.start().catch(() => undefined);
  const cgroup = (): IsolationReport => ({
    layer: "cgroup",
    ...(typeof opened === "string" ? { active: false, why: opened } : opened.report),
  });
  return { pool, engines, cgroup };
}
