// Owners that hold guests and ask for more, and one that has none: prints in which order they are served.
import { fileURLToPath } from "node:url";
import { zygoteSpawner } from "../../../dist/launcher/fork.js";
import { GuestPool } from "../../../dist/launcher/pool.js";
import { buildStage1, install } from "../../../dist/sandbox/seccomp.js";

install(buildStage1());
const dist = (name) => fileURLToPath(new URL(`../../../dist/${name}`, import.meta.url));
const pool = new GuestPool({
  spawner: zygoteSpawner({
    enginePath: process.execPath,
    bundlePath: dist("guest.json"),
    programsPath: dist("programs.json"),
  }),
  demand: { few: 1, most: 1, youngMs: 250, fallMs: 20_000 },
  parallelForks: 1,
  refillDelayMs: 1,
  recycleForks: 1000,
  recycleMs: 3_600_000,
});
const order = [];
const guests = new Map();
const take = (owner) =>
  new Promise((resolve) =>
    pool.take(owner, (guest) => {
      guest.attach({
        frame: () => true,
        ready: () => true,
        occupies: () => true,
        drained() {},
        violation() {},
        ending() {},
        ended() {},
      });
      order.push(owner.name);
      guests.set(owner, [...(guests.get(owner) ?? []), guest]);
      resolve();
    }),
  );

await pool.start();
const owners = ["a", "b", "c", "d", "e", "f"].map((name) => ({ name }));
const [late, patient] = [{ name: "late" }, owners[5]];
await Promise.all(owners.map(take));
// Who has two has more than the others, and is served all the same.
await take(patient);
order.length = 0;
const all = owners.flatMap((owner) => [take(owner), take(owner)]);
all.push(take(late));
await Promise.all(all);
// All of the first one's end: then it has the fewest.
const flooding = order.splice(0);
for (const guest of guests.get(owners[0])) guest.end();
await Promise.all([...owners.slice(1), owners[0]].map(take));
console.log(JSON.stringify({ flooding, after: order }));
process.exit(0);
