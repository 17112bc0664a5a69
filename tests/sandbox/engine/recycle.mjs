// A pool that replaces its zygote after a few forks, as the kernel process has one: prints which
// zygotes served, and whether the first outlived its replacement for the guest it still had.
import { once, EventEmitter } from "node:events";
import { GuestPool } from "../../../dist/launcher/pool.js";
import { buildStage1, install } from "../../../dist/sandbox/seccomp.js";
import { alive, until } from "../../support/processes.mjs";
import { builtSpawner } from "./built-spawner.mjs";

install(buildStage1());
const pool = new GuestPool({
  spawner: builtSpawner(),
  demand: { few: 2, most: 2, youngMs: 250, fallMs: 20_000 },
  parallelForks: 2,
  refillDelayMs: 1,
  recycleForks: 12,
  recycleMs: 3_600_000,
});
const take = () =>
  new Promise((resolve, reject) =>
    pool.take(pool, (guest, reason) => (guest ? resolve(guest) : reject(new Error(reason)))),
  );
const ended = new EventEmitter();
const attach = (guest) =>
  guest.attach({
    frame() {},
    violation() {},
    ending() {},
    ended: () => ended.emit(String(guest.pid)),
  });

await pool.start();
const first = pool.zygotePid;
const kept = await take();
attach(kept);
let served = 0;
while (pool.zygotePid === first) {
  const guest = await take();
  attach(guest);
  const gone = once(ended, String(guest.pid));
  guest.end();
  await gone;
  served++;
}
const second = pool.zygotePid;
const outlived = alive(first) && pool.guestPids.includes(kept.pid);
attach(await take());
const gone = once(ended, String(kept.pid));
kept.end();
await gone;
await until(() => !alive(first));
console.log(JSON.stringify({ served, differ: second !== first, outlived, second: alive(second) }));
process.exit(0);
