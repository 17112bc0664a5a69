// Owners that hold guests and ask for more, and one that has none: prints in which order they are served.
import { GuestPool } from "../../../dist/launcher/pool.js";
import { buildStage1, install } from "../../../dist/sandbox/seccomp.js";
import { builtSpawner } from "./built-spawner.mjs";

install(buildStage1());
const pool = new GuestPool({
  spawner: builtSpawner(),
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
