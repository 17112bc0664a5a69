/**
 * Owns the figures of parked runs: programs that wait for a person's approval, each in a process of its own.
 * `node bench/parked.mjs [count]`, 1000 by default; prints what each costs and whether all were resumed right.
 */
import { readFileSync } from "node:fs";
import { NodeRuntime } from "../dist/index.js";
import { pause } from "./measure.mjs";

const count = Number(process.argv[2] ?? 1000);
/** `limits.processes` of a machine is 256. */
const perMachine = 200;
/** So many are started together. */
const atOnce = 50;
const field = (path, name) =>
  Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(readFileSync(path, "utf8"))[1]) / 1024;

const waiting = [];
let parked = () => {};
const tools = {
  ask: {
    handler: ({ n }) => n * 2,
    approval: () =>
      new Promise((resolve) => {
        waiting.push(resolve);
        if (waiting.length === runs.length) parked();
      }),
  },
};
const machines = [];
for (let at = 0; at < Math.ceil(count / perMachine); at++)
  machines.push(await NodeRuntime.create({ tools }));
const startedAt = performance.now();
const runs = [];
while (runs.length < count) {
  const arrived = new Promise((resolve) => (parked = resolve));
  for (const until = Math.min(count, runs.length + atOnce); runs.length < until;) {
    const n = runs.length;
    const machine = machines[Math.floor(n / perMachine)];
    runs.push(machine.run(`__return(await callHostTool("ask", { n: ${n} }))`));
  }
  await Promise.race([arrived, Promise.all(runs)]);
}
const parkedMs = performance.now() - startedAt;
await pause(1000);
const cpuBefore = process.cpuUsage();
await pause(2000);
const { user, system } = process.cpuUsage(cpuBefore);
const { guestPids } = await statsOf();
const pss = guestPids.map((pid) => field(`/proc/${pid}/smaps_rollup`, "Pss"));
const resumedAt = performance.now();
for (const approve of waiting) approve(true);
const results = await Promise.all(runs);
const right = results.filter(({ value, exitCode }, n) => exitCode === 0 && value === n * 2).length;
console.log(
  JSON.stringify({
    parked: count,
    parkedMs: Math.round(parkedMs),
    guests: pss.length,
    pssMb: Number((pss.reduce((sum, each) => sum + each, 0) / pss.length).toFixed(2)),
    hostCpuMsPerSecond: Math.round((user + system) / 2000),
    resumedMs: Math.round(performance.now() - resumedAt),
    right,
    lost: count - right,
  }),
);
await Promise.all(machines.map((machine) => machine.dispose()));

/** The OS processes of guests: children of the zygotes below the kernel of this host. */
async function statsOf() {
  const { childrenOf, findKernel } = await import("./memory.mjs");
  const { kernel } = findKernel();
  const guests = [];
  const visit = (pid) => {
    for (const child of childrenOf(pid)) {
      guests.push(child);
      visit(child);
    }
  };
  visit(kernel);
  return { guestPids: guests.filter((pid) => childrenOf(pid).length === 0) };
}
