// Leases in the broker's store: what they say of machines, what ends a machine by them, and what does not.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { connect } from "@nats-io/transport-node";
import { NodeRuntime } from "../../../dist/index.js";
import { fleetCommand, natsServer, noServer, status, worker } from "../../support/fleets.mjs";
import { closeOperators, operator, stream } from "../../support/leases.mjs";
import { until } from "../../support/processes.mjs";

const skip = noServer;
after(closeOperators);
const lost = { code: "ERR_SECURE_EXEC_WORKER_LOST" };
const entry = fileURLToPath(new URL("../../../dist/index.js", import.meta.url));
const events = ({ lines }, name) =>
  lines.map((line) => JSON.parse(line)).filter(({ event }) => event === name);

/** A machine whose program has called `wait`, and returns what that answers. */
async function waiting(fleet) {
  let calls = 0;
  let answer = (_value) => {};
  let ask = (_value) => {};
  const asked = new Promise((resolve) => (ask = resolve));
  const answered = new Promise((resolve) => (answer = resolve));
  const runtime = await NodeRuntime.create({
    fleet,
    tools: {
      wait: {
        handler: () => {
          calls++;
          ask(undefined);
          return answered;
        },
      },
    },
  });
  const run = runtime.run('__return(await callHostTool("wait", {}))');
  run.catch(() => {});
  await Promise.race([asked, run]);
  return { runtime, run, answer, calls: () => calls };
}

/**
 * Waits until the worker is heard, and says that of its leases; how many machines it has. Whoever else has come to a broker
 * that was away is somebody else.
 */
async function keeping({ id }, url, wanted) {
  for (;;) {
    const one = (await status(url)).find(({ worker }) => worker === id);
    if (one?.leases === wanted) return one.vms;
  }
}

/** Waits until the worker has said so in its log as often as that. */
const said = (one, event, times, isWanted = (_fields) => true) =>
  until(() => events(one, event).filter(isWanted).length >= times);

test(
  "a machine's lease is taken, renewed under its number, shared by clones and gone with the machine",
  { skip },
  async () => {
    const { url } = await natsServer({ jetstream: true });
    const store = await operator(url);
    await store.make();
    const one = await worker(url, "--name", "one");
    assert.deepEqual(
      events(one, "leases").map(({ by, lifeMs }) => [by, lifeMs]),
      [["store", 3000]],
    );
    const runtime = await NodeRuntime.create({
      fleet: { servers: url, leaseMs: 30_000, inboxPrefix: "_INBOX.alice" },
    });
    const [taken, ...others] = await store.machines();
    assert.deepEqual(others, []);
    assert.match(taken.key, /^secure-exec\.vm\.[0-9a-f]{32}$/);
    assert.match(taken.holder, /^_INBOX\.alice#[0-9a-f]{8}$/);
    assert.deepEqual([taken.worker, taken.name, taken.leaseMs], [one.id, "one", 30_000]);
    // It may have been renewed already.
    const number = taken.number || taken.revision;
    const [renewed] = await store.until(([now]) => now.revision > taken.revision);
    assert.deepEqual([renewed.key, renewed.number], [taken.key, number]);
    // Longer than a key lives without being renewed.
    const [later] = await store.until(([now]) => now.revision > renewed.revision + 6);
    assert.equal(later.number, number);

    const clone = await runtime.clone();
    assert.equal((await store.machines()).length, 1);
    const other = await NodeRuntime.create({ fleet: { servers: url } });
    assert.equal(new Set((await store.machines()).map(({ number }) => number)).size, 2);
    const { stdout } = await fleetCommand("status", "--nats", url, "--machines");
    assert.match(stdout, /^HOLDER +MACHINE +NUMBER +WORKER +ID +STATE +LEASE +AGE$/m);
    assert.match(stdout, /^_INBOX#[0-9a-f]{8} +[0-9a-f]{12} +\d+ +one +[0-9a-f]{12} +held +10s/m);
    assert.match(stdout, /^_INBOX\.alice#[0-9a-f]{8} .* held +30s/m);
    assert.equal(await keeping(one, url, "store"), 3);
    await Promise.all([clone, runtime, other].map((each) => each.dispose()));
    await store.until(({ length }) => length === 0);
    await one.stop("SIGTERM");
    assert.deepEqual(await store.leases(), []);
    await store.close();
  },
);

test("a killed caller: its lease is gone from the store with its machine", { skip }, async () => {
  const { url } = await natsServer({ jetstream: true });
  const one = await worker(url);
  const store = await operator(url);
  const text = `
    import { NodeRuntime } from ${JSON.stringify(entry)};
    const runtime = await NodeRuntime.create({ fleet: { servers: ${JSON.stringify(url)}, leaseMs: 2000 } });
    console.log("runs");
    await runtime.exec("setInterval(() => {}, 1000)");`;
  const caller = spawn(process.execPath, ["--input-type=module", "-e", text], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(caller.stdout, "data");
  assert.equal((await store.machines()).length, 1);
  caller.kill("SIGKILL");
  // Keys of this bucket would live for a minute.
  await store.until(({ length }) => length === 0);
  assert.equal(await keeping(one, url, "store"), 0);
  await store.close();
});

test(
  "a killed worker: its caller knows by the beats, and the store forgets it by itself",
  { skip },
  async () => {
    const { url } = await natsServer({ jetstream: true });
    const store = await operator(url);
    await store.make({ max_age: 15e9 });
    const one = await worker(url, "--name", "dead");
    const { run, runtime, calls } = await waiting({ servers: url, leaseMs: 60_000 });
    await one.stop();
    const { stdout } = await fleetCommand(
      "status",
      "--nats",
      url,
      "--machines",
      "--json",
      "--wait",
      "0",
    );
    const { machines, workers } = JSON.parse(stdout);
    assert.deepEqual(
      [machines, workers].map((list) => list.map(({ heard, name }) => [heard, name])),
      [[[false, "dead"]], [[false, "dead"]]],
    );
    await assert.rejects(run, lost);
    assert.equal(calls(), 1);
    await store.untilEmpty();
    await runtime.dispose();
    await store.close();
  },
);

test(
  "a deleted key ends its machine and no other, with a coded error, and is not taken again",
  { skip },
  async () => {
    const { url } = await natsServer({ jetstream: true });
    const one = await worker(url);
    const store = await operator(url);
    const first = await waiting({ servers: url });
    const [{ key }] = await store.machines();
    const second = await waiting({ servers: url });
    await store.revoke(key);
    await assert.rejects(first.run, { ...lost, message: /lease was revoked/ });
    await assert.rejects(first.runtime.run("1"), lost);
    second.answer("goes on");
    assert.equal((await second.run).value, "goes on");
    assert.equal(first.calls(), 1);
    const rest = await store.machines();
    assert.ok(rest.length === 1 && rest[0].key !== key);
    await said(one, "session is over", 1, ({ by }) => by === "revoked");
    // By the command line as well.
    const revoke = (...args) => fleetCommand("revoke", "--nats", url, ...args);
    const last = await waiting({ servers: url });
    const [{ key: lastKey }] = (await store.machines()).filter((now) => now.key !== rest[0].key);
    const byHand = await revoke("--lease", lastKey.split(".").at(-1).slice(0, 12));
    assert.deepEqual([byHand.status, byHand.stdout], [0, `revoked ${lastKey}\n`]);
    await assert.rejects(last.run, lost);
    const none = await revoke("--lease", "0".repeat(31));
    assert.match(none.stderr, /names 0 leases/);
    assert.notEqual(none.status, 0);
    // A worker whose own key is deleted drains.
    assert.equal((await revoke("--lease", one.id)).status, 0);
    await said(one, "draining", 1);
    await second.runtime.dispose();
    assert.deepEqual(await one.ended(), [0, null]);
    await Promise.all([first.runtime.dispose(), last.runtime.dispose(), store.close()]);
  },
);

test(
  "a store that is emptied, deleted or lost with its server ends nothing, and is written again",
  { skip },
  async () => {
    const broker = await natsServer({ jetstream: true });
    const servers = broker.url;
    let store = await operator(servers);
    await store.make();
    const one = await worker(servers);
    const { runtime, run, answer, calls } = await waiting({ servers, leaseMs: 60_000 });
    const [{ key }] = await store.machines();
    await store.api("STREAM.PURGE");
    const [again] = await store.until(([now]) => now !== undefined);
    assert.equal(again.key, key);

    await store.api("STREAM.DELETE");
    await store.until(([now]) => now?.key === key);
    assert.ok(events(one, "leases").some(({ by }) => by === "beats"));

    await store.close();
    await broker.stop();
    const restarted = await natsServer({ port: broker.port, jetstream: true });
    store = await operator(servers);
    await store.until(([now]) => now?.key === key);

    // The same server without JetStream: beats alone.
    await store.close();
    await restarted.stop();
    await natsServer({ port: broker.port, jetstream: false });
    await said(one, "leases", 2, ({ by }) => by === "beats");
    assert.equal(await keeping(one, servers, "beats"), 1);
    answer("none the wiser");
    assert.equal((await run).value, "none the wiser");
    assert.equal(calls(), 1);
    await runtime.dispose();
  },
);

test("without JetStream leases are heartbeats, and the worker says so", { skip }, async () => {
  const { url } = await natsServer({ jetstream: false });
  const one = await worker(url);
  const runtime = await NodeRuntime.create({ fleet: { servers: url } });
  assert.equal((await runtime.run("__return(1)")).value, 1);
  await runtime.dispose();
  assert.equal(await keeping(one, url, "beats"), 0);
  const [{ by, why }] = events(one, "leases");
  assert.equal(by, "beats");
  assert.match(why, /no responders/i);
  const listing = await fleetCommand("status", "--nats", url, "--machines");
  assert.equal(listing.status, 1);
  assert.match(listing.stderr, /no leases in the broker's store/);

  // The same where its owner wants no store.
  const rich = await natsServer({ jetstream: true });
  await worker(rich.url, "--leases", "beats");
  const other = await NodeRuntime.create({ fleet: { servers: rich.url } });
  assert.equal((await other.run("__return(2)")).value, 2);
  const store = await operator(rich.url);
  assert.equal((await store.api("STREAM.INFO")).error.err_code, 10_059);
  await Promise.all([other.dispose(), store.close()]);
});

test(
  "a store that never answers costs one create its bound, and the next ones nothing",
  { skip },
  async () => {
    const { url } = await natsServer({ jetstream: false });
    const fake = await connect({ servers: url });
    let writes = 0;
    fake.subscribe(`$JS.API.STREAM.INFO.${stream}`, {
      callback: (_error, message) =>
        message.respond(JSON.stringify({ config: { name: stream, max_age: 60e9 } })),
    });
    // The worker's own key is acknowledged, and no other.
    fake.subscribe("$KV.>", {
      callback: (_error, message) => {
        if (message.subject.includes(".worker."))
          message.respond(JSON.stringify({ stream, seq: 1 }));
        else writes++;
      },
    });
    await fake.flush();
    const one = await worker(url);
    assert.deepEqual(
      events(one, "leases").map(({ by }) => by),
      ["store"],
    );
    for (const value of [1, 2]) {
      const runtime = await NodeRuntime.create({ fleet: { servers: url } });
      assert.equal((await runtime.run(`__return(${value})`)).value, value);
      await runtime.dispose();
    }
    assert.equal(writes, 1);
    await said(one, "leases", 1, ({ by, why }) => by === "beats" && /timeout/i.test(why));
    await fake.close();
  },
);
