// The worker's leases against a real store, and against one that answers what it likes.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { fleetLimits, jsonBytes, parseLeaseText } from "../../dist/protocol/fleet.js";
import { Broker } from "../../dist/sdk/fleet/broker.js";
import { LeaseStore, keyOfSession, storeLimits } from "../../dist/sdk/fleet/lease-store.js";
import { parseFleetServers } from "../../dist/sdk/fleet/options.js";
import { Leases } from "../../dist/worker/leases.js";
import { natsServer, noServer } from "../support/fleets.mjs";
import { closeOperators, operator, stream } from "../support/leases.mjs";
import { until } from "../support/processes.mjs";

const skip = noServer;
after(closeOperators);
const caller = { inbox: "_INBOX.0123456789abcdef.1", leaseMs: 10_000 };
const unused = () => assert.fail("a lease was lost");

const made = new Set();
// A test that failed before it closed them keeps the file from ending no longer than that.
after(() => Promise.all([...made].map((leases) => leases.close())));

/** Leases of a worker of that name; `log` is what it said. */
function leasesOf(broker, worker) {
  const log = [];
  const say = (event, fields) => log.push({ event, ...fields });
  const leases = new Leases({
    broker,
    prefix: "secure-exec",
    worker,
    name: worker,
    log: { info: say, error: say },
    recalled: () => log.push({ event: "recalled" }),
  });
  made.add(leases);
  return { leases, log };
}

/** Two workers' leases in a store of that configuration, and its operator. */
async function twoWorkers(config) {
  const { url } = await natsServer({ jetstream: true });
  const store = await operator(url);
  await store.make(config);
  const servers = parseFleetServers({ servers: url });
  const brokers = await Promise.all([1, 2].map(() => Broker.connect(servers, "test")));
  const [first, second] = brokers.map((broker, at) => leasesOf(broker, `worker-${at + 1}`));
  await Promise.all([first.leases.start(), second.leases.start()]);
  const close = async () => {
    await Promise.all([first.leases.close(), second.leases.close()]);
    await Promise.all([...brokers, store].map((each) => each.close()));
  };
  return { first, second, store, brokers, servers, close };
}

test(
  "a fence is one worker's, and nobody's again after it was revoked, as long as the store knows",
  { skip },
  async () => {
    const { first, second, store, close } = await twoWorkers({ max_age: 60e9 });
    const takers = [first, second, first, second];
    const taken = await Promise.all(
      takers.map(({ leases }) => leases.take("one fence", caller, unused)),
    );
    const held = taken.filter((lease) => lease !== undefined);
    assert.equal(held.length, 1);
    const [{ worker }] = await store.machines();
    assert.equal(worker, taken.indexOf(held[0]) % 2 === 0 ? "worker-1" : "worker-2");
    // Those who came too late leave it alone.
    assert.equal((await store.machines()).length, 1);

    const ends = [];
    const other = await second.leases.take("another fence", caller, (why) => ends.push(why));
    assert.ok(other.number > held[0].number);
    await store.revoke(other.key);
    await until(() => ends.length > 0);
    assert.deepEqual(ends, ["revoked"]);
    other.release();
    for (const { leases } of [first, second])
      assert.equal(await leases.take("another fence", caller, unused), undefined);
    held[0].release();
    await store.until(({ length }) => length === 0);
    assert.notEqual(await second.leases.take("one fence", caller, unused), undefined);
    await close();
  },
);

test(
  "a key of another worker is lost; what its own worker has written, or nobody, is not",
  { skip },
  async () => {
    const { first, store, close } = await twoWorkers();
    const ends = [];
    const lease = await first.leases.take("fence", caller, (why) => ends.push(why));
    const [{ key, revision, ...text }] = await store.machines();
    // As after an answer that did not come: the key is at a revision that its worker does not know.
    await store.put(key, JSON.stringify(text));
    await store.until(([now]) => now.revision > revision + 1);
    await store.api("STREAM.PURGE");
    await store.until(([now]) => now !== undefined);
    await store.put(key, '{"no":"lease"}');
    await store.until(([now]) => now.worker === "worker-1");
    assert.deepEqual(ends, []);
    await store.put(key, JSON.stringify({ ...text, worker: "worker-2" }));
    await until(() => ends.length > 0);
    assert.deepEqual(ends, ["taken"]);
    // It is not this worker's to delete.
    lease.release();
    await first.leases.close();
    assert.deepEqual(
      (await store.machines()).map(({ worker }) => worker),
      ["worker-2"],
    );
    await close();
  },
);

test("an order that was not heard is found when the lease is renewed", { skip }, async () => {
  const { brokers, store, close } = await twoWorkers();
  const request = (...args) => brokers[0].request(...args);
  const { leases, log } = leasesOf({ request, subscribe: () => () => {} }, "worker-3");
  await leases.start();
  const ends = [];
  const lease = await leases.take("fence", caller, (why) => ends.push(why));
  await store.revoke(lease.key);
  await until(() => ends.length > 0);
  assert.deepEqual(ends, ["revoked"]);
  await store.revoke("secure-exec.worker.worker-3");
  await until(() => log.some(({ event }) => event === "recalled"));
  await leases.close();
  await close();
});

test(
  "a deletion that the store did not take is no order: what is heard is asked for",
  { skip },
  async () => {
    const { first, brokers, store, close } = await twoWorkers({ max_age: 60e9 });
    const asked = [];
    const { request } = brokers[0];
    brokers[0].request = (subject, ...rest) => {
      asked.push(subject);
      return request.call(brokers[0], subject, ...rest);
    };
    const lease = await first.leases.take("fence", caller, unused);
    // Refused by the store, and heard by all who listen.
    await brokers[1]
      .request(LeaseStore.subjectOf(lease.key), new Uint8Array(0), {
        timeoutMs: 5000,
        headers: { "KV-Operation": "DEL", "Nats-Expected-Last-Subject-Sequence": "999999" },
      })
      .then((bytes) => assert.match(Buffer.from(bytes).toString(), /wrong last sequence/));
    await until(() => asked.some((subject) => subject.includes("MSG.GET")));
    await store.until(([now]) => now.revision > lease.number);
    await close();
  },
);

test(
  "a store that is full refuses a key and no machine, and goes on with those it has",
  { skip },
  async () => {
    const { first, second, store, close } = await twoWorkers({ max_bytes: 1200 });
    const leases = [];
    while (!first.log.some(({ event }) => event === "lease refused"))
      leases.push(await first.leases.take(`fence ${leases.length}`, caller, unused));
    assert.ok(leases.every((lease) => lease !== undefined));
    assert.equal(first.leases.keeping, "store");
    assert.equal(first.leases.stored, leases.length - 1);
    leases[0].release();
    // With the room that there is now, the last one is written as well.
    await until(() => leases.at(-1).number !== 0);
    assert.equal(second.leases.keeping, "store");
    assert.equal((await store.machines()).length, leases.length - 1);
    await close();
  },
);

test("a bucket whose keys live for ever, or hardly, holds no leases", { skip }, async () => {
  for (const max_age of [0, (storeLimits.leastLifeMs - 1) * 1e6]) {
    const { first, close } = await twoWorkers({ max_age, duplicate_window: 1e9 });
    assert.equal(first.leases.keeping, "beats");
    assert.match(first.log[0].why, /do not live for a bounded time/);
    await close();
  }
});

test("the store has no fence and no inbox, and no text beyond its bound", { skip }, async () => {
  const { brokers, store, servers, close } = await twoWorkers({ max_age: 60e9 });
  const name = "\u0001".repeat(fleetLimits.nameChars);
  const log = [];
  const leases = new Leases({
    broker: brokers[0],
    prefix: servers.subject,
    worker: "w".repeat(64),
    name,
    log: { info: (event) => log.push(event), error: unused },
    recalled: unused,
  });
  await leases.start();
  assert.deepEqual(log, ["leases"]);
  const token = "0123456789abcdef";
  const longest = "a".repeat(60);
  const inboxes = [
    ["_INBOX", "_INBOX"],
    [`${longest}.${longest}.${longest}`, `${longest}.${longest}.${longest}`],
    // Not of the SDK.
    ["\u0001".repeat(200), "?"],
    ["a\u2028b", "?"],
  ];
  for (const [at, [prefix, shown]] of inboxes.entries()) {
    const inbox = `${prefix}.${token}.17`;
    assert.ok(inbox.length <= fleetLimits.inboxChars);
    const fence = `fedcba9876543210-${at}`;
    const lease = await leases.take(fence, { inbox, leaseMs: fleetLimits.leaseMs.most }, unused);
    assert.ok(lease.number > 0);
    const [{ key, ...text }] = (await store.machines()).filter(
      (one) => one.key === keyOfSession(servers.subject, fence),
    );
    assert.equal(text.holder.split("#")[0], shown);
    assert.ok(jsonBytes(text).length < storeLimits.valueBytes);
    const all = JSON.stringify([key, text]);
    for (const secret of [fence, token]) assert.ok(!all.includes(secret), secret);
    lease.release();
  }
  await leases.close();
  await close();
});

/** A broker whose store answers so to each request. */
const answering = (answer) => ({
  request: async (subject) => Buffer.from(answer(subject)),
  subscribe: () => () => {},
});

for (const [what, text] of [
  ["nothing", ""],
  ["no JSON", "{"],
  ["null", "null"],
  ["a number", "1"],
  ["an error that is none", '{"error":7}'],
  ["a bucket without a configuration", '{"config":null}'],
  ["a life that is no number", '{"config":{"max_age":"a"}}'],
])
  test(`a store that answers ${what} holds no leases, and every machine is made`, async () => {
    const { leases, log } = leasesOf(
      answering(() => text),
      "worker-1",
    );
    await leases.start();
    assert.equal(leases.keeping, "beats");
    assert.equal(log[0].by, "beats");
    assert.equal((await leases.take("fence", caller, unused)).number, 0);
    await leases.close();
  });

for (const text of [
  '{"stream":"other","seq":2}',
  `{"stream":"${stream}","seq":"2"}`,
  `{"stream":"${stream}","seq":-2}`,
  "[]",
  "{",
])
  test(`an acknowledgement that is ${text} is none, and ends no machine`, async () => {
    const ok = JSON.stringify({ config: { max_age: 60e9 } });
    let written = JSON.stringify({ stream, seq: 1 });
    const { leases, log } = leasesOf(
      answering((subject) => (subject.includes("STREAM.INFO") ? ok : written)),
      "worker-1",
    );
    await leases.start();
    assert.equal(leases.keeping, "store");
    written = text;
    const lease = await leases.take("fence", caller, unused);
    assert.deepEqual([lease.number, leases.keeping], [0, "beats"]);
    assert.deepEqual(
      log.map(({ by }) => by),
      ["store", "beats"],
    );
    await leases.close();
  });

test("what is no lease's text in the store is not listed", () => {
  for (const bytes of ["", "[]", '{"worker":"a"}', JSON.stringify({ worker: "abcdefgh", name: 1 })])
    assert.equal(parseLeaseText(Buffer.from(bytes)), undefined);
});
