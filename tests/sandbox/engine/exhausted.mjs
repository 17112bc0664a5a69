// Pools whose process has no descriptors left for a zygote, then one too few, then enough: prints what who asked
// was told, and whether anything stayed open.
import { closeSync, openSync, readdirSync } from "node:fs";
import { EnginePool } from "../../../dist/launcher/engines.js";
import { GuestPool } from "../../../dist/launcher/pool.js";
import * as libc from "../../../dist/sandbox/libc.js";
import { buildStage1, install } from "../../../dist/sandbox/seccomp.js";
import { builtSpawner } from "./built-spawner.mjs";

install(buildStage1());
const spawner = builtSpawner();
const pool = new GuestPool({
  spawner,
  demand: { few: 1, most: 1, youngMs: 250, fallMs: 20_000 },
  parallelForks: 1,
  refillDelayMs: 1,
  recycleForks: 1000,
  recycleMs: 3_600_000,
  unable: (error) => {
    throw error;
  },
});
const engines = new EnginePool({
  spawner,
  isolation: () => [],
  parallelStarts: 1,
  idleMs: 60_000,
});
const order = { flags: [], memoryBytes: 256 * 1024 * 1024, nativeAddons: false };
const asked = {
  guest: () =>
    new Promise((resolve) => pool.take(pool, (guest, reason) => resolve(guest ?? reason))),
  engine: () =>
    new Promise((resolve) =>
      engines.take(engines, order, (guest, reason) => resolve(guest ?? reason)),
    ),
};
const ask = async () => [await asked.guest(), await asked.engine()];
const open = () => readdirSync("/proc/self/fd").length;

// SIGCHLD takes descriptors of libuv's the first time.
process.on("SIGCHLD", () => undefined);
const limit = libc.getrlimit(7);
libc.setrlimit(7, { ...limit, soft: 64 });
const before = open();
const taken = [];
for (;;) {
  try {
    taken.push(openSync("/dev/null"));
  } catch {
    break;
  }
}
const none = await ask();
// A socket pair, and nothing for the pipe.
for (const fd of taken.splice(-2)) closeSync(fd);
const few = await ask();
for (const fd of taken) closeSync(fd);
const left = open() - before;
libc.setrlimit(7, limit);
const enough = (await ask()).map((one) => typeof one === "object" && one.pid > 0);
console.log(JSON.stringify({ none, few, left, enough }));
process.exit(0);
