// Where machines are placed, and what is said when nobody has room.
import assert from "node:assert/strict";
import { test } from "node:test";
import { NodeRuntime, SecureExecError } from "../../../dist/index.js";
import { natsServer, noServer, status, worker } from "../../support/fleets.mjs";

const skip = noServer;

test("labels choose the worker, and full ones are left out", { skip }, async () => {
  const { url } = await natsServer();
  await Promise.all([
    worker(url, "--name", "east", "--labels", "zone=east,disk=fast", "--capacity", "machines=2"),
    worker(url, "--name", "west", "--labels", "zone=west", "--capacity", "machines=1"),
  ]);
  const create = (labels, timeoutMs = 20_000) =>
    NodeRuntime.create({ fleet: { servers: url, labels, placement: { timeoutMs } } });
  const west = await create({ zone: "west" });
  const east = [await create({}), await create({ zone: "east" })];
  const taken = Object.fromEntries(
    (await status(url)).map(({ name, vms, slots, state }) => [name, [vms, slots, state]]),
  );
  assert.deepEqual(taken, { east: [2, 2, "full"], west: [1, 1, "full"] });

  const refused = await create({ zone: "west" }, 100).catch((error) => error);
  assert.equal(refused.code, "ERR_SECURE_EXEC_FLEET_FULL");
  assert.ok(SecureExecError.isSecureExecError(refused));
  assert.deepEqual(
    refused.details.workers.sort((a, b) => (a.worker < b.worker ? -1 : 1)),
    [
      { worker: "east", lacks: "has no label zone=west" },
      { worker: "west", lacks: "runs 1 machines of 1" },
    ],
  );
  assert.match(refused.message, /west: runs 1 machines of 1/);

  // Who waits gets the first room there is.
  const waiting = create({ zone: "west" });
  await west.dispose();
  const second = await waiting;
  assert.equal((await second.run("__return(1)")).value, 1);
  await Promise.all([second, ...east].map((runtime) => runtime.dispose()));
  assert.deepEqual(
    (await status(url)).map(({ vms }) => vms),
    [0, 0],
  );
});

test("a clone takes a slot as well", { skip }, async () => {
  const { url } = await natsServer();
  await worker(url, "--capacity", "machines=2");
  const first = await NodeRuntime.create({ fleet: { servers: url } });
  const second = await first.clone();
  await assert.rejects(first.clone(), { code: "ERR_SECURE_EXEC_FLEET_REFUSED" });
  await second.dispose();
  await (await first.clone()).dispose();
  await first.dispose();
});

test("without a worker, a server or the right to use it, create says so", { skip }, async () => {
  const server = await natsServer({
    config: `authorization { users: [
      { user: "stranger", password: "pw", permissions: { publish: "none.>", subscribe: "_INBOX.>" } } ] }`,
  });
  const create = (fleet) =>
    NodeRuntime.create({ fleet: { servers: server.url, placement: { timeoutMs: 300 }, ...fleet } });
  await assert.rejects(create({}), { code: "ERR_SECURE_EXEC_FLEET_UNREACHABLE" });
  await assert.rejects(create({ credentials: { user: "stranger", password: "no" } }), {
    code: "ERR_SECURE_EXEC_FLEET_UNREACHABLE",
    message: /authorization/,
  });
  await assert.rejects(create({ credentials: { user: "stranger", password: "pw" } }), {
    code: "ERR_SECURE_EXEC_FLEET_FULL",
    message: /permissions violation|no worker has been heard of/,
  });
  await server.stop();
  await assert.rejects(create({}), { code: "ERR_SECURE_EXEC_FLEET_UNREACHABLE" });
  const open = await natsServer();
  await assert.rejects(create({ servers: open.url }), {
    code: "ERR_SECURE_EXEC_FLEET_FULL",
    message: /no worker has been heard of/,
  });
});

test(
  "many creates at once, more than there is room for: each once, none lost",
  { skip },
  async () => {
    const { url } = await natsServer();
    await Promise.all(
      ["a", "b"].map((name) => worker(url, "--name", name, "--capacity", "machines=3")),
    );
    let live = 0;
    let most = 0;
    const values = await Promise.all(
      Array.from({ length: 40 }, async (_, index) => {
        const runtime = await NodeRuntime.create({
          fleet: { servers: url, placement: { timeoutMs: 200_000 } },
        });
        most = Math.max(most, ++live);
        const { value } = await runtime.run(`__return(${index})`);
        live--;
        await runtime.dispose();
        return value;
      }),
    );
    assert.deepEqual(
      values,
      Array.from({ length: 40 }, (_, index) => index),
    );
    assert.ok(most <= 6, `${most} at one time`);
    assert.deepEqual(
      (await status(url)).map(({ vms }) => vms),
      [0, 0],
    );
  },
);

for (const [given, message] of [
  [{}, /^fleet.servers must be a string/],
  [{ servers: [] }, /^fleet.servers must name a server/],
  [{ servers: "a", more: 1 }, /^fleet.more is not a known option/],
  [{ servers: "a", labels: { a: 1 } }, /^fleet.labels must be/],
  [{ servers: "a", leaseMs: 5 }, /^fleet.leaseMs must be a whole number/],
  [{ servers: "a", placement: { choices: 0 } }, /^fleet.placement.choices must be/],
  [{ servers: "a", credentials: { user: "x" } }, /^fleet.credentials must hold/],
  [
    { servers: "a", credentials: { credsFile: "/none" } },
    /^fleet.credentials.credsFile cannot be read/,
  ],
  [{ servers: "a", subject: "a b" }, /^fleet.subject must be words/],
  [{ servers: "a", tls: { ca: 1 } }, /^fleet.tls.ca must be a string/],
]) {
  test(`a fleet option that is wrong is refused by name: ${message.source}`, async () => {
    await assert.rejects(NodeRuntime.create({ fleet: given }), {
      code: "ERR_SECURE_EXEC_INVALID_OPTION",
      message,
    });
  });
}
