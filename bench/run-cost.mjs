/**
 * Owns what one fresh run costs beside its time: CPU of every process behind it, page faults, page
 * tables, and how that scales with runs in flight and kernels. Counts hardly vary from run to run.
 */
import { spawn, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { NodeRuntime } from "../dist/index.js";
import { childrenOf, findKernel } from "./memory.mjs";
import { pause, timed } from "./measure.mjs";

/** USER_HZ is 100 on x64 and arm64. */
const tickMs = 10;
const plainRuns = 20;
const runs = 200;
const inFlight = 4;
const pairs = 3;
/** A process that has ended counts for its parent once it is reaped. */
const settleMs = 400;

/** proc_pid_stat(5), counted from the state, which is field 3. */
function statOf(pid) {
  const text = readFileSync(`/proc/${pid}/stat`, "latin1");
  const field = text
    .slice(text.lastIndexOf(")") + 2)
    .split(" ")
    .map(Number);
  return {
    cpuMs: (field[11] + field[12]) * tickMs,
    childrenCpuMs: (field[13] + field[14]) * tickMs,
    childrenFaults: field[8],
  };
}

function pageTablesKiB(pid) {
  return Number(/^VmPTE:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))[1]);
}

/** Milliseconds of CPU and faults of one `engine -e 0`. */
function plainCost(engine) {
  const before = statOf(process.pid);
  for (let i = 0; i < plainRuns; i++) spawnSync(engine, ["-e", "0"]);
  const after = statOf(process.pid);
  return {
    cpuMs: (after.childrenCpuMs - before.childrenCpuMs) / plainRuns,
    faults: (after.childrenFaults - before.childrenFaults) / plainRuns,
  };
}

const plainOne = (engine) =>
  new Promise((resolve) => spawn(engine, ["-e", "0"], { stdio: "ignore" }).on("close", resolve));

/** How many of `one` are done in a second when `flying` are under way. */
async function rate(one, flying, count) {
  const lane = async () => {
    for (let i = 0; i < count / flying; i++) await one();
  };
  const ms = await timed(() => Promise.all(Array.from({ length: flying }, lane)));
  return (count / ms) * 1000;
}

async function runCost(run, kernel, zygote) {
  await pause(settleMs);
  const read = () => [zygote, kernel, process.pid].map(statOf);
  const before = read();
  for (let i = 0; i < runs; i++) await run();
  await pause(settleMs);
  const after = read();
  const per = (process, field) => (after[process][field] - before[process][field]) / runs;
  return {
    guest: per(0, "childrenCpuMs"),
    zygote: per(0, "cpuMs"),
    kernel: per(1, "cpuMs"),
    host: per(2, "cpuMs"),
    faults: per(0, "childrenFaults"),
  };
}

/** Runs per second of as many machines as kernels, alternately on one kernel and on all. */
async function kernelRates() {
  const counts = [1, Math.max(2, Math.floor(availableParallelism() / 2))];
  const rates = new Map();
  for (const kernels of counts) {
    const machines = [];
    for (let i = 0; i < counts[1]; i++) machines.push(await NodeRuntime.create({ kernels }));
    rates.set(kernels, { machines, perSecond: [] });
    for (const machine of machines) for (let i = 0; i < 30; i++) await machine.run("__return(1)");
  }
  await pause(3000);
  for (let pair = 0; pair < pairs; pair++) {
    for (const { machines, perSecond } of rates.values()) {
      let next = 0;
      const run = () => machines[next++ % machines.length].run("__return(1)");
      perSecond.push(await rate(run, 2 * inFlight, runs));
    }
  }
  for (const { machines } of rates.values())
    await Promise.all(machines.map((machine) => machine.dispose()));
  return counts.map((kernels) => ({ kernels, perSecond: middle(rates.get(kernels).perSecond) }));
}

const middle = (samples) => samples.toSorted((a, b) => a - b)[samples.length >> 1];

/** Rows of the table; `engine` is the pinned binary. */
export async function measureRunCost(engine) {
  const runtime = await NodeRuntime.create();
  const run = async () => {
    const { value } = await runtime.run("__return(1+1)");
    if (value !== 2) throw new Error(`a program answered ${value} instead of 2`);
  };
  // The zygote warms up, measures, and forks anew.
  for (let i = 0; i < 40; i++) await run();
  await pause(3000);
  for (let i = 0; i < 20; i++) await run();
  const { kernel, zygote } = findKernel();
  const [first, cost, second] = [
    plainCost(engine),
    await runCost(run, kernel, zygote),
    plainCost(engine),
  ];
  const plainMs = (first.cpuMs + second.cpuMs) / 2;
  const ofPlain = (cost.guest + cost.zygote + cost.kernel + cost.host) / plainMs;
  const serial = [];
  const four = [];
  const plainFour = [];
  for (let pair = 0; pair < pairs; pair++) {
    serial.push(await rate(run, 1, runs / 2));
    four.push(await rate(run, inFlight, runs / 2));
    plainFour.push(await rate(() => plainOne(engine), inFlight, plainRuns));
  }
  const fourOfSerial = middle(four) / middle(serial);
  const fourOfPlain = middle(four) / middle(plainFour);
  const tables = pageTablesKiB(childrenOf(zygote)[0]);
  await runtime.dispose();
  const row = (what, value, unit, target, met) => ({ what, value, unit, target, met });
  return [
    row("CPU of a plain run, pinned engine", plainMs, "ms"),
    row("CPU of a run: guest", cost.guest, "ms"),
    row("CPU of a run: zygote (fork, reap)", cost.zygote, "ms"),
    row("CPU of a run: kernel", cost.kernel, "ms"),
    row("CPU of a run: host process", cost.host, "ms"),
    row("CPU of a run, all, of plain", ofPlain, "", "≤ 0.25", ofPlain <= 0.25),
    row("page faults of a plain run", first.faults, ""),
    row("page faults of a guest", cost.faults, ""),
    row("page tables of a guest", tables, "KiB", "≤ 350 KiB", tables <= 350),
    row(`${inFlight} in flight, of serial`, fourOfSerial, "", "≥ 1.4", fourOfSerial >= 1.4),
    row(`${inFlight} in flight, of plain's ${inFlight}`, fourOfPlain, "", "≥ 5", fourOfPlain >= 5),
    ...(await kernelRates()).map(({ kernels, perSecond }) =>
      row(`runs on ${kernels} kernel${kernels === 1 ? "" : "s"}, 8 in flight`, perSecond, "/s"),
    ),
  ];
}
