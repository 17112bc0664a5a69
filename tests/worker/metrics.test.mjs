// What a worker says of itself to those who run it: Prometheus text, probes, its log, the list of workers.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { NodeRuntime } from "../../dist/index.js";
import { samplesOf } from "../support/metrics.mjs";
import { natsServer, noServer, status, worker } from "../support/fleets.mjs";

const skip = noServer;
const cli = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

test("metrics, probes, log and list of a worker", { skip }, async () => {
  const { url } = await natsServer();
  const one = await worker(
    url,
    "--metrics",
    "0",
    "--name",
    "one",
    "--labels",
    "a=b",
    "--capacity",
    "machines=1",
  );
  const address = one.lines
    .map((line) => JSON.parse(line))
    .find(({ event }) => event === "metrics").address;
  const get = async (path) => fetch(`http://${address}${path}`);
  const read = async () => samplesOf(await (await get("/metrics")).text());
  assert.deepEqual(
    [(await get("/healthz")).status, (await get("/readyz")).status, (await get("/")).status],
    [200, 200, 404],
  );

  const runtime = await NodeRuntime.create({ fleet: { servers: url } });
  await runtime.run("1");
  await runtime.exec("throw 1");
  await runtime.exec("for (;;);", { timeout: 50 });
  const full = NodeRuntime.create({ fleet: { servers: url, placement: { timeoutMs: 100 } } });
  await assert.rejects(full, { code: "ERR_SECURE_EXEC_FLEET_FULL" });
  const samples = await read();
  assert.equal(samples.get('secure_exec_runs_total{reason="exit"}'), 1);
  assert.equal(samples.get('secure_exec_runs_total{reason="uncaught error"}'), 1);
  assert.equal(samples.get('secure_exec_runs_total{reason="killed"}'), 1);
  assert.equal(samples.get("secure_exec_run_duration_seconds_count"), 3);
  assert.equal(samples.get('secure_exec_run_duration_seconds_bucket{le="+Inf"}'), 3);
  assert.equal(samples.get("secure_exec_machines"), 1);
  const ofKernel = (name) => [...samples].find(([sample]) => sample.startsWith(name))?.[1];
  assert.equal(ofKernel('secure_exec_kernel_machines{kernel="'), 1);
  assert.equal(ofKernel("secure_exec_kernel_program_duration_seconds_count"), 3);
  assert.equal(samples.get("secure_exec_machine_slots"), 1);
  assert.equal(samples.get("secure_exec_placements_total"), 1);
  const [listed] = await status(url);
  assert.deepEqual(
    [listed.name, listed.worker, listed.labels, listed.state, listed.vms, listed.slots],
    ["one", one.id, { a: "b" }, "full", 1, 1],
  );
  const { stdout } = spawnSync(process.execPath, [cli, "fleet", "status", "--nats", url], {
    encoding: "utf8",
  });
  assert.match(stdout, /^WORKER +ID +STATE +MACHINES.*\none +[0-9a-f]{8} +full +1\/1 /);

  one.kill("SIGTERM");
  while ((await get("/readyz")).status === 200);
  assert.equal((await read()).get("secure_exec_draining"), 1);
  await runtime.dispose();
  assert.deepEqual(await one.ended(), [0, null]);
  const events = one.lines.map((line) => JSON.parse(line));
  assert.ok(
    events.every(
      ({ time, level, event }) =>
        !Number.isNaN(Date.parse(time)) && level === "info" && typeof event === "string",
    ),
  );
  assert.deepEqual(events.map(({ event }) => event).slice(-2), ["draining", "drained"]);
});

for (const [args, message] of [
  [["worker"], /--nats is missing/],
  [["worker", "--nats", "localhost", "--capacity", "machines=0"], /--capacity machines takes/],
  [["worker", "--nats", "localhost", "--capacity", "rooms=1"], /--capacity knows/],
  [["worker", "--nats", "localhost", "--labels", "zone"], /--labels takes pairs/],
  [["worker", "--nats", "localhost", "--mounts", "/none"], /--mounts \/none does not exist/],
  [["worker", "--nats", "localhost", "--nonsense"], /unknown option --nonsense/],
  [["worker", "--nats"], /--nats needs a value/],
  [["fleet", "start"], /fleet knows status and revoke/],
  [["fleet", "status", "--nats", "x", "--wait", "soon"], /--wait takes a whole number/],
]) {
  test(`wrong usage is said and ends with 2: ${args.join(" ")}`, () => {
    const { status: code, stderr } = spawnSync(process.execPath, [cli, ...args], {
      encoding: "utf8",
    });
    assert.match(stderr, message);
    assert.equal(code, 2);
  });
}
