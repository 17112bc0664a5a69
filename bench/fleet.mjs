/**
 * Owns the rows about fleets: a run beside a local one and a round trip of the broker, creates with and without leases in a
 * store, runs per second over one to three workers, many machines at once, and a queue of creates. Without nats-server there are none.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { NodeRuntime, SidecarProcess } from "../dist/index.js";
import { connect } from "@nats-io/transport-node";
import { natsServer, noServer, worker } from "../tests/support/fleets.mjs";
import { samplesOf } from "../tests/support/metrics.mjs";
import { pause, percentile, timed } from "./measure.mjs";
import { small } from "./workloads.mjs";

/** Kernels differ by what was there when they came to be: so many pairs, of which either is first as often, and so many runs on each. */
const pairs = 4;
const rounds = 200;
/** A worker lives long: its code is compiled. */
const warmRounds = 400;
const idleMs = 2000;
const leaseRounds = 400;
const warmCreates = 100;
const echoSubject = "bench.echo";
const inFlight = 8;
const seconds = 5;
const fleetSizes = Object.freeze({ machines: 1000, creates: 10_000, workers: 3 });

async function p50(count, work) {
  const times = [];
  for (let round = 0; round < count; round++) times.push(await timed(work));
  return percentile(times, 0.5);
}

/** Answers what it is asked, for ever: as a worker is, a process of its own. */
async function echo(servers) {
  const connection = await connect({ servers });
  connection.subscribe(echoSubject, {
    callback: (_error, message) => message.respond(message.data),
  });
  await connection.flush();
  console.log("ready");
}

/** Answers `of(name, part)`: that percentile of the milliseconds of `local`, `fleet` or `trip`, the mean of all pairs. */
async function measureRun(servers, start) {
  const all = [];
  for (let pair = 0; pair < pairs; pair++)
    all.push(await measurePair(servers, start, pair % 2 === 0));
  return (name, part) =>
    all.reduce((sum, times) => sum + percentile(times[name], part), 0) / all.length;
}

/**
 * A kernel of this process beside one of a worker, neither of which anybody else talks to: in turn, so that what the
 * machine does meanwhile meets both, and each as often behind the other, whose kernel forks for its next run then.
 */
async function measurePair(servers, start, isLocalFirst) {
  let sidecar;
  const atHome = () => NodeRuntime.create({ sidecar: (sidecar = new SidecarProcess()) });
  let local = isLocalFirst ? await atHome() : undefined;
  const one = await start();
  const far = await NodeRuntime.create({ fleet: { servers } });
  local ??= await atHome();
  // As old as the worker: its code is compiled as far.
  const answers = spawn(process.execPath, [fileURLToPath(import.meta.url), "--echo", servers]);
  await once(answers.stdout, "data");
  const asks = await connect({ servers });
  const times = { local: [], fleet: [], trip: [] };
  const work = {
    local: () => local.run(small),
    fleet: () => far.run(small),
    trip: () => asks.request(echoSubject, "x"),
  };
  // Both kernels are done with what they do when nobody wants anything.
  await pause(idleMs);
  for (const run of Object.values(work)) await p50(warmRounds, run);
  const orders = [
    ["local", "fleet", "trip"],
    ["fleet", "local", "trip"],
  ];
  for (let round = 0; round < rounds; round++)
    for (const name of orders[round % orders.length]) times[name].push(await timed(work[name]));
  answers.kill();
  await Promise.all([local.dispose(), far.dispose(), asks.close()]);
  await Promise.all([sidecar.dispose(), one.stop("SIGTERM")]);
  return times;
}

/** Runs per second of machines over so many workers. */
async function measureRate(servers) {
  const machines = await Promise.all(
    Array.from({ length: inFlight }, () => NodeRuntime.create({ fleet: { servers } })),
  );
  const until = performance.now() + seconds * 1000;
  let runs = 0;
  await Promise.all(
    machines.map(async (machine) => {
      for (; performance.now() < until; runs++) await machine.run(small);
    }),
  );
  await Promise.all(machines.map((machine) => machine.dispose()));
  return runs / seconds;
}

/** So many machines at once, each of which answers; the seconds that it took. */
async function measureMachines(servers, count) {
  const startedMs = performance.now();
  const machines = await Promise.all(
    Array.from({ length: count }, () =>
      NodeRuntime.create({ fleet: { servers, placement: { timeoutMs: 600_000 } } }),
    ),
  );
  const createdMs = performance.now() - startedMs;
  for (const machine of machines) {
    const { value } = await machine.run(small);
    if (value !== 2) throw new Error(`a machine answered ${value}`);
  }
  await Promise.all(machines.map((machine) => machine.dispose()));
  return { createdMs, allMs: performance.now() - startedMs };
}

/** Of all workers together: sessions that were opened ever, and machines that there are. */
async function countsOf(workers) {
  const counts = { opened: 0, machines: 0 };
  for (const { lines } of workers) {
    const { address } = lines
      .map((line) => JSON.parse(line))
      .find(({ event }) => event === "metrics");
    const samples = samplesOf(await (await fetch(`http://${address}/metrics`)).text());
    counts.opened += samples.get("secure_exec_placements_total");
    counts.machines += samples.get("secure_exec_machines");
  }
  return counts;
}

/** A create, and its end, beside one whose lease is in the broker's store too: in turns, on workers of their own. */
async function measureLeases(args) {
  const kinds = await Promise.all(
    [false, true].map(async (jetstream) => {
      const { url: servers, stop } = await natsServer({ jetstream });
      return { servers, stop, one: await worker(servers, ...args), times: [] };
    }),
  );
  for (let round = -warmCreates; round < leaseRounds; round++)
    for (const { servers, times } of round % 2 === 0 ? kinds : kinds.toReversed()) {
      let machine;
      const took = await timed(
        async () => (machine = await NodeRuntime.create({ fleet: { servers } })),
      );
      await machine.dispose();
      if (round >= 0) times.push(took);
    }
  for (const { one, stop } of kinds) {
    await one.stop("SIGTERM");
    await stop();
  }
  return kinds.map(({ times }) => times);
}

/** Creates that wait for room, each disposed as soon as it is there: none lost, none made twice, none left. */
async function measureQueue(servers, count, workers) {
  const before = await countsOf(workers);
  const startedMs = performance.now();
  let made = 0;
  await Promise.all(
    Array.from({ length: count }, async () => {
      const machine = await NodeRuntime.create({
        fleet: { servers, placement: { timeoutMs: 2 ** 31 - 1 } },
      });
      made++;
      await machine.dispose();
    }),
  );
  const tookMs = performance.now() - startedMs;
  const { opened, machines } = await countsOf(workers);
  if (made !== count || opened - before.opened !== count || machines !== 0)
    throw new Error(
      `${made} of ${count} were made for callers, ${opened - before.opened} on workers, ${machines} are left`,
    );
  return tookMs;
}

const [mode, address] = process.argv.slice(2);
if (mode === "--echo") {
  await echo(address);
  await new Promise(() => {});
}
if (noServer !== false) {
  console.log(noServer);
  process.exit(0);
}
const row = (name, text) => console.log(`${name}: ${text}`);
const ms = (value) => `${value.toFixed(2)} ms`;
const { url } = await natsServer();
const { machines, creates, workers: mostWorkers } = fleetSizes;
const slots = 400;
const capacity = ["--capacity", `machines=${slots},reserve=64M`, "--metrics", "0"];
const of = await measureRun(url, () => worker(url, ...capacity));
for (const [name, part] of [
  ["p10", 0.1],
  ["p50", 0.5],
]) {
  const [local, fleet, trip] = ["local", "fleet", "trip"].map((run) => of(run, part));
  row(
    `run over a fleet, ${name}`,
    `${ms(fleet)}; local ${ms(local)}; a round trip of the broker to another process ${ms(trip)}, the difference is ${((fleet - local) / trip).toFixed(1)} of them`,
  );
}
const [beats, stored] = await measureLeases(capacity);
for (const [name, part] of [
  ["p10", 0.1],
  ["p50", 0.5],
])
  row(
    `create on a fleet, ${name}`,
    `${ms(percentile(beats, part))}; with its lease in JetStream ${ms(percentile(stored, part))}`,
  );
const workers = [await worker(url, ...capacity)];
const rates = [];
for (;;) {
  rates.push((await measureRate(url)).toFixed(0));
  if (workers.length === mostWorkers) break;
  workers.push(await worker(url, ...capacity));
}
row(`runs per second over 1 to ${mostWorkers} workers of this machine`, rates.join(", "));
const { createdMs, allMs } = await measureMachines(url, machines);
row(
  `${machines} machines over ${mostWorkers} workers`,
  `made in ${(createdMs / 1000).toFixed(1)} s; each has run, and is disposed, after ${(allMs / 1000).toFixed(1)} s`,
);
const queueMs = await measureQueue(url, creates, workers);
row(
  `${creates} creates at once for ${slots * mostWorkers} places`,
  `${(queueMs / 1000).toFixed(1)} s, ${ms(queueMs / creates)} each; by the workers' own count each once, and none is left`,
);
await Promise.all(workers.map((one) => one.stop("SIGTERM")));
process.exit(0);
