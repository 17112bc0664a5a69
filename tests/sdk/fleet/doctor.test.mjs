// What `secure-exec doctor --nats URL` says of a fleet: with JetStream and without, with workers and without, and of no broker.
import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "@nats-io/transport-node";
import { command, natsServer, noServer, worker } from "../../support/fleets.mjs";

const it = (name, body) => test(name, { timeout: 120_000, skip: noServer }, body);

it("the broker, where leases are kept, and who is there; nothing is made in the store", async () => {
  const { url } = await natsServer({ jetstream: true });
  const empty = await command("doctor", "--json", "--nats", url);
  assert.equal(empty.status, 0, empty.stderr);
  const { healthy, selfTest, fleet } = JSON.parse(empty.stdout);
  assert.equal(healthy, true);
  assert.equal(selfTest.passed, true);
  assert.match(fleet.server.version, /^\d+\.\d+\.\d+/);
  assert.ok(fleet.server.messageBytes > 0 && fleet.server.roundTripMs >= 0);
  assert.deepEqual([fleet.leases.by, fleet.workers], ["store", []]);
  assert.match(fleet.leases.why, /the first worker makes the bucket/);
  const nats = await connect({ servers: url });
  const { error } = (await nats.request("$JS.API.STREAM.INFO.KV_secure-exec", "")).json();
  assert.equal(error.err_code, 10_059);
  await nats.close();

  const one = await worker(url, "--name", "first\u001b[2J", "--capacity", "machines=3");
  const { status, stdout } = await command("doctor", "--nats", url);
  assert.equal(status, 0, stdout);
  assert.match(stdout, /broker +nats-server \d/);
  assert.match(stdout, /leases +store: keys of the bucket live 60 s/);
  assert.match(stdout, /first\S* +\w+ +3 +store/);
  assert.ok(!stdout.includes("\u001b"));
  await one.stop();
});

it("a broker without JetStream has heartbeats, and says so", async () => {
  const { url } = await natsServer({ jetstream: false });
  const { status, stdout } = await command("doctor", "--nats", url);
  assert.equal(status, 0, stdout);
  assert.match(stdout, /leases +beats: no answer of JetStream: no responders/i);
  assert.match(stdout, /workers +none is heard of/);
});

it("a broker that is not there is a problem, and one that nobody named is wrong usage", async () => {
  const server = await natsServer();
  await server.stop();
  const gone = await command("doctor", "--json", "--nats", server.url);
  assert.equal(gone.status, 1);
  const { healthy, selfTest, fleet, problems } = JSON.parse(gone.stdout);
  assert.deepEqual([healthy, selfTest.passed, fleet], [false, true, undefined]);
  assert.match(problems.join(), /fleet +failed: .*\[ERR_SECURE_EXEC_FLEET_UNREACHABLE\]/);
  const text = await command("doctor", "--nats", server.url);
  assert.match(text.stdout, /fleet +failed/);
  const half = await command("doctor", "--subject", "x");
  assert.equal(half.status, 2);
  assert.match(half.stderr, /--nats is missing/);
});
