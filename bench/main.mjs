/**
 * Owns the table of `npm run bench`; docs/performance.md says how to read it.
 * `--json` prints the rows as JSON.
 */
import { fileURLToPath } from "node:url";
import { NodeRuntime } from "../dist/index.js";
import { childrenOf, findKernel, meanMemory, rssOf } from "./memory.mjs";
import { pause, percentile, runPlain, startPlain, summary, timed } from "./measure.mjs";
import { measureFiles } from "./files.mjs";
import { measureOrdinary } from "./ordinary.mjs";
import { measureTools } from "./tools.mjs";
import { measureFairness } from "./fairness.mjs";
import { measureRunCost } from "./run-cost.mjs";
import { measureTemplates } from "./templates.mjs";
import { measureAudit } from "./audit.mjs";
import { measureClones } from "./clones.mjs";
import { cpu, firstCreate, httpLoopback, small } from "./workloads.mjs";

// Where it is set, every plain Node reads a bundle of certificates; the engine never sees it.
delete process.env.NODE_EXTRA_CA_CERTS;

const rounds = 20;
const coldRounds = 10;
const cpuRounds = 5;
const httpRounds = 3;
const vmCount = 100;
const runnerCount = 20;
const serialRuns = 100;
const residentRuns = 1000;
const burstAhead = 4;
const inFlight = 4;
const burstSize = 16;
const burstRounds = 10;

const arch = process.arch === "arm64" ? "arm64" : "x64";
const engine = fileURLToPath(
  new URL(`../node_modules/node-linux-${arch}/bin/node`, import.meta.url),
);
const coldScript = firstCreate(new URL("../dist/index.js", import.meta.url).href);
const host = process.execPath;

function check(value, expected) {
  if (value !== expected) throw new Error(`a program answered ${value} instead of ${expected}`);
}
const runSmall = async (runtime) => check((await runtime.run(small)).value, 2);

/** First, while the kernel is fresh. */
async function measureMemory(runtime) {
  // The zygote warms up further; then the guests of before go and those of after come.
  await pause(2000);
  for (let i = 0; i < 10; i++) await runSmall(runtime);
  await pause(300);
  const { kernel, zygote } = findKernel();
  const ahead = meanMemory(childrenOf(zygote));
  const before = rssOf(kernel);
  const machines = [];
  for (let i = 0; i < vmCount; i++) machines.push(await NodeRuntime.create());
  await pause(300);
  const perVm = (rssOf(kernel) - before) / vmCount;
  await Promise.all(machines.map((machine) => machine.dispose()));
  const runners = [];
  for (let i = 0; i < runnerCount; i++) {
    const runner = await runtime.createResidentRunner();
    await runner.exec("1");
    runners.push(runner);
  }
  await pause(300);
  // The oldest are the runners; the younger ones were forked ahead since.
  const guests = childrenOf(zygote);
  const resident = meanMemory(guests.slice(0, runnerCount));
  const idle = meanMemory(guests.slice(runnerCount));
  await Promise.all(runners.map((runner) => runner.dispose()));
  return { perVm, ahead, idle, resident };
}

/** Everything that is compared with plain Node, interleaved with it. */
async function measureTimes(runtime) {
  const times = { host: [], engine: [], ahead: [], serial: [], burst: [] };
  Object.assign(times, { created: [], coldCreate: [], coldRun: [] });
  await runSmall(runtime);
  for (let round = 0; round < rounds; round++) {
    times.host.push(startPlain(host));
    times.engine.push(startPlain(engine));
    await pause(30);
    times.ahead.push(await timed(() => runSmall(runtime)));
    await pause(30);
    const others = Array.from({ length: burstAhead }, () => runSmall(runtime));
    times.burst.push(await timed(() => runSmall(runtime)));
    await Promise.all(others);
    for (let i = 0; i < 5; i++) times.serial.push(await timed(() => runSmall(runtime)));
    await pause(30);
    let fresh;
    times.created.push(
      await timed(async () => {
        fresh = await NodeRuntime.create();
        await runSmall(fresh);
      }),
    );
    await fresh.dispose();
    if (round >= coldRounds) continue;
    const cold = JSON.parse(runPlain(host, ["--input-type=module", "-e", coldScript]));
    times.coldCreate.push(cold.create);
    times.coldRun.push(cold.run);
  }
  return times;
}

async function measureThroughput(runtime) {
  const serialMs = await timed(async () => {
    for (let i = 0; i < serialRuns; i++) await runSmall(runtime);
  });
  let correct = 0;
  const concurrentMs = await timed(async () => {
    const numbers = Array.from({ length: 100 }, (_, i) => i);
    const runs = numbers.map((i) => runtime.run(`console.log(${i}); __return(${i} * ${i})`));
    const results = await Promise.allSettled(runs);
    correct = results.filter(
      ({ value }, i) => value?.value === i * i && value.stdout === `${i}\n`,
    ).length;
  });
  const burst = [];
  for (let i = 0; i < burstRounds; i++) {
    await pause(1000);
    const runs = () => Promise.all(Array.from({ length: burstSize }, () => runSmall(runtime)));
    burst.push(await timed(runs));
  }
  const runner = await runtime.createResidentRunner();
  const resident = [];
  for (let i = 0; i < residentRuns; i++) resident.push(await timed(() => runner.exec("1")));
  await runner.dispose();
  const flying = async () => {
    for (let i = 0; i < serialRuns / inFlight; i++) await runSmall(runtime);
  };
  const parallelMs = await timed(() => Promise.all(Array.from({ length: inFlight }, flying)));
  const parallelPerSecond = (serialRuns / parallelMs) * 1000;
  const perSecond = (serialRuns / serialMs) * 1000;
  return { perSecond, parallelPerSecond, correct, concurrentMs, burst, resident };
}

async function measureCpu(runtime) {
  const plain = [];
  const guest = [];
  const dedicated = [];
  for (let i = 0; i < cpuRounds; i++) {
    const args = ["--input-type=module", "-e", `${cpu}console.log(spent)`];
    plain.push(Number(runPlain(engine, args)));
    guest.push((await runtime.run(`${cpu}__return(spent)`)).value);
    dedicated.push((await runtime.run(`${cpu}__return(spent)`, { engine: "dedicated" })).value);
  }
  return { plain, guest, dedicated };
}

async function measureHttp(runtime) {
  const plain = [];
  const guest = [];
  for (let i = 0; i < httpRounds; i++) {
    const args = ["--input-type=module", "-e", `${httpLoopback}console.log(perSecond)`];
    plain.push(Number(runPlain(engine, args)));
    guest.push((await runtime.run(`${httpLoopback}__return(perSecond)`)).value);
  }
  return { plain: percentile(plain, 0.5), guest: percentile(guest, 0.5) };
}

const runtime = await NodeRuntime.create();
const memory = await measureMemory(runtime);
const times = await measureTimes(runtime);
const throughput = await measureThroughput(runtime);
const speed = await measureCpu(runtime);
const requests = await measureHttp(runtime);
const httpRatio = requests.guest / requests.plain;
await runtime.dispose();
const costRows = await measureRunCost(engine);
const toolRows = [
  ...(await measureFiles()),
  ...(await measureOrdinary(engine)),
  ...(await measureTools()),
  ...(await measureFairness()),
  ...(await measureTemplates()),
  ...(await measureClones()),
  ...(await measureAudit()),
];

const hostMs = percentile(times.host, 0.5);
const engineMs = percentile(times.engine, 0.5);
const speedRatio = percentile(speed.plain, 0.5) / percentile(speed.guest, 0.5);

const ownRatio = percentile(speed.plain, 0.5) / percentile(speed.dedicated, 0.5);

/** A row of milliseconds; with a limit, the ratios to both plain Nodes must keep it. */
function timeRow(what, samples, limit, target) {
  const row = { what, ...summary(samples) };
  Object.assign(row, { perHostNode: row.p50 / hostMs, perEngineNode: row.p50 / engineMs });
  if (limit === undefined) return row;
  return { ...row, target, met: Math.max(row.perHostNode, row.perEngineNode) <= limit };
}
const valueRow = (what, value, unit, target, met) => ({ what, value, unit, target, met });

const { ahead, idle, resident, perVm } = memory;
const residentRow = { what: 'resident runner, exec("1")', ...summary(throughput.resident) };
const rows = [
  timeRow("plain: host's node -e 0", times.host),
  timeRow("plain: pinned engine's node -e 0", times.engine),
  timeRow("run, guest forked ahead", times.ahead, 1 / 8, "≤ 1/8"),
  timeRow("run, back to back", times.serial, 1 / 4, "≤ 1/4"),
  timeRow(`run, behind ${burstAhead} at once`, times.burst),
  timeRow("create + first run, engine up", times.created, 1 / 4, "≤ 1/4"),
  timeRow("engine start (first create)", times.coldCreate, 6, "≤ 6"),
  timeRow("engine start + first run", times.coldRun),
  { ...residentRow, target: "≤ 0.5 ms", met: residentRow.p50 <= 0.5 },
  { what: "CPU-bound, plain engine", ...summary(speed.plain) },
  { what: "CPU-bound, guest", ...summary(speed.guest) },
  { what: "CPU-bound, dedicated engine", ...summary(speed.dedicated) },
  valueRow("dedicated engine, speed of plain", ownRatio, "", "≥ 0.95", ownRatio >= 0.95),
  valueRow("CPU-bound, speed of plain", speedRatio, "", "≥ 0.9", speedRatio >= 0.9),
  valueRow("HTTP loopback, plain engine", requests.plain, "/s"),
  valueRow("HTTP loopback, guest", requests.guest, "/s"),
  valueRow("HTTP loopback, rate of plain", httpRatio, "", "≥ 0.35", httpRatio >= 0.35),
  valueRow("runs, one after the other", throughput.perSecond, "/s"),
  valueRow(
    `runs, ${inFlight} in flight`,
    throughput.parallelPerSecond,
    "/s",
    "≥ 300/s",
    Math.max(throughput.perSecond, throughput.parallelPerSecond) >= 300,
  ),
  valueRow("100 at once, correct", throughput.correct, "", "100", throughput.correct === 100),
  valueRow("100 at once, until the last", throughput.concurrentMs, "ms"),
  timeRow(`${burstSize} at once from idle, until the last`, throughput.burst),
  ...costRows,
  valueRow(`idle VM, kernel RSS (of ${vmCount})`, perVm, "MB", "≤ 0.5 MB", perVm <= 0.5),
  valueRow(`idle guest, PSS (${ahead.guests} alone)`, ahead.pss, "MB"),
  valueRow(
    `idle guest, PSS (beside ${resident.guests} others)`,
    idle.pss,
    "MB",
    "≤ 2 MB",
    idle.pss <= 2,
  ),
  valueRow("idle guest, private dirty", idle.privateDirty, "MB"),
  valueRow(`idle resident runner, PSS (of ${resident.guests})`, resident.pss, "MB"),
  valueRow("idle resident runner, private dirty", resident.privateDirty, "MB"),
  ...toolRows,
];

function print() {
  const show = (number) => (number === undefined ? "" : number.toFixed(number < 10 ? 2 : 1));
  const lines = rows.map((row) => [
    row.what,
    row.p50 === undefined ? `${show(row.value)} ${row.unit}`.trim() : show(row.p50),
    show(row.p95),
    show(row.perHostNode),
    show(row.perEngineNode),
    row.target ?? "",
    row.met === undefined ? "" : row.met ? "yes" : "no",
  ]);
  lines.unshift(["what", "p50 ms / value", "p95 ms", "× host", "× engine", "target", "met"]);
  const widths = lines[0].map((_, column) => Math.max(...lines.map((line) => line[column].length)));
  lines.splice(
    1,
    0,
    widths.map((width) => "-".repeat(width)),
  );
  for (const line of lines)
    console.log(`| ${line.map((cell, column) => cell.padEnd(widths[column])).join(" | ")} |`);
}

if (process.argv.includes("--json")) console.log(JSON.stringify(rows, null, 2));
else print();
