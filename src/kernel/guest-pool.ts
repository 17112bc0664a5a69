/**
 * Owns the kernel's guests: makes the pools that they come from, of the zygote that first-zygote.ts started. That
 * happens once, when it is asked for.
 */
import { availableParallelism, totalmem } from "node:os";
import { EnginePool } from "../launcher/engines.js";
import { GuestGroups } from "../launcher/guest-groups.js";
import { GuestPool } from "../launcher/pool.js";
import { cgroupVariable } from "../abi/cgroup.js";
import type { IsolationReport } from "../protocol/isolation.js";
import { guestCgroup } from "../sandbox/cgroup.js";
import { startFirstZygote } from "./first-zygote.js";
import { sayLastWords } from "./last-words.js";
import { usualBounds } from "./process/native-watch.js";

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

/** Makes them once; from then on answers what was made. */
export function startGuests(): Guests {
  guests ??= start();
  return guests;
}

/** Groups for guests, or why there are none. */
function openGroups(): GuestGroups | string {
  const place = guestCgroup(process.env[cgroupVariable]);
  return "why" in place ? place.why : GuestGroups.open(place.directory, usualBounds);
}

function start(): Guests {
  const { spawner, zygote } = startFirstZygote();
  const opened = openGroups();
  const groups = typeof opened === "string" ? undefined : opened;

  const engines = new EnginePool({
    spawner,
    groups,
    isolation: () => pool.isolation,
    parallelStarts: Math.max(2, Math.min(8, availableParallelism())),
    idleMs: 60_000,
  });

  const pool = new GuestPool({
    spawner,
    first: zygote,
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
