// A pool after a burst, as the kernel process has one: prints how many guests waited for the next burst,
// that they served it without a fork, and how many were left when none came.
import { GuestPool } from "../../../dist/launcher/pool.js";
import { buildStage1, install } from "../../../dist/sandbox/seccomp.js";
import { alive, until } from "../../support/processes.mjs";
import { builtSpawner } from "./built-spawner.mjs";

install(buildStage1());
const burst = 5;
const pool = new GuestPool({
  spawner: builtSpawner(),
  demand: { few: 1, most: 20, youngMs: 60_000, fallMs: 8000 },
  parallelForks: 2,
  refillDelayMs: 1,
  recycleForks: 10_000,
  recycleMs: 3_600_000,
});
const take = () =>
  new Promise((resolve, reject) =>
    pool.take(pool, (guest, reason) => (guest ? resolve(guest) : reject(new Error(reason)))),
  );
const end = async (guests) => {
  for (const guest of guests) guest.attach({ frame() {}, violation() {}, ending() {}, ended() {} });
  for (const guest of guests) guest.end();
  await until(() => guests.every(({ pid }) => !pool.guestPids.includes(pid)));
};

await pool.start();
await until(() => pool.idleCount === 1);
const before = pool.idleCount;
await end(await Promise.all(Array.from({ length: burst }, take)));
await until(() => pool.idleCount >= burst);
const ready = pool.guestPids;
// Handed out within the call: they were there.
const taken = [];
for (let i = 0; i < burst; i++) pool.take(pool, (guest) => taken.push(guest.pid));
const served = taken.length === burst && taken.every((pid) => ready.includes(pid));
await until(() => pool.idleCount >= burst);
const surplus = pool.guestPids.filter((pid) => !taken.includes(pid));
await until(() => pool.idleCount === 1);
// Ended and reaped, not only forgotten.
await until(() => surplus.filter((pid) => pool.guestPids.includes(pid)).length <= 1);
const kept = taken.every((pid) => alive(pid));
console.log(JSON.stringify({ before, served, kept, left: pool.idleCount }));
process.exit(0);
