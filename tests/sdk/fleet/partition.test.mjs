// Three workers, each a process group in a network namespace of its own, with a link to the broker that goes down: what
// a partition shorter than the lease costs, and one that is longer. This file runs itself again in a network namespace
// where it may, so that nothing of the host's network changes.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { NodeRuntime } from "../../../dist/index.js";
import { natsServer, noServer, status, workerBy, workerCommand } from "../../support/fleets.mjs";
import { inOwnNetwork, way } from "../../support/ways.mjs";

const skip = (await inOwnNetwork()) ?? noServer;
const names = ["one", "two", "three"];
const leaseMs = 4000;
const ways = [];
after(() => {
  for (const { close } of ways) close();
});

/** A broker, and three workers that are at the other ends of links; `link` by the worker's name. */
async function fleetOfThree() {
  const { url, port } = await natsServer();
  const links = new Map();
  await Promise.all(
    names.map(async (name) => {
      const link = await way(port);
      ways.push(link);
      links.set(name, link);
      const [command, ...args] = [
        ...link.prefix,
        // A group of its own: a signal to another's does not reach it.
        "setsid",
        ...workerCommand(link.url, "--name", name, "--labels", `worker=${name}`),
      ];
      await workerBy(command, args);
    }),
  );
  return { url, link: (name) => links.get(name) };
}

/** A machine on that worker, and a program of it that waits for an answer of this process. */
async function asking(servers, name, lease) {
  let answer = () => {};
  let ask = () => {};
  let calls = 0;
  const answered = new Promise((resolve) => (answer = resolve));
  const asked = new Promise((resolve) => (ask = resolve));
  const runtime = await NodeRuntime.create({
    fleet: { servers, labels: { worker: name }, leaseMs: lease },
    tools: {
      ask: {
        handler: async () => {
          calls++;
          ask(undefined);
          return answered;
        },
      },
    },
  });
  const run = runtime.run('__return(await callHostTool("ask", {}))');
  run.catch(() => {});
  await Promise.race([asked, run]);
  return { runtime, run, answer, calls: () => calls };
}

test(
  "workers in network namespaces of their own: runs on each, and a partition within the lease costs nothing",
  { skip },
  async () => {
    const { url, link } = await fleetOfThree();
    for (const name of names) {
      const runtime = await NodeRuntime.create({
        fleet: { servers: url, labels: { worker: name } },
      });
      assert.equal((await runtime.run("__return(6 * 7)")).value, 42);
      await runtime.dispose();
    }
    const { runtime, run, answer, calls } = await asking(url, "one", 120_000);
    link("one").lose(true);
    // On its way while there is none.
    answer("from here");
    const beside = await asking(url, "two", leaseMs);
    beside.answer("at once");
    assert.equal((await beside.run).value, "at once");
    link("one").lose(false);
    assert.equal((await run).value, "from here");
    assert.equal(calls(), 1);
    await Promise.all([runtime.dispose(), beside.runtime.dispose()]);
  },
);

test(
  "a partition longer than the lease: lost on this side, ended on the other, and run nowhere else",
  { skip },
  async () => {
    const { url, link } = await fleetOfThree();
    const { runtime, run, answer, calls } = await asking(url, "one", leaseMs);
    link("one").lose(true);
    const error = await run.catch((reason) => reason);
    assert.equal(error.code, "ERR_SECURE_EXEC_WORKER_LOST");
    assert.equal(error.details.worker, "one");
    await runtime.dispose();
    // Too late for anybody; but the handler is done.
    answer("late");
    // The others do not care.
    const other = await NodeRuntime.create({ fleet: { servers: url } });
    assert.equal((await other.run("__return(1)")).value, 1);
    await other.dispose();
    link("one").lose(false);
    let workers = [];
    while (workers.length < names.length || workers.some(({ vms }) => vms > 0))
      workers = await status(url);
    assert.equal(calls(), 1);
  },
);
