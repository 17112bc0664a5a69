// Machines of one host on several kernel processes: where they are placed, and what the loss of one concerns.
import assert from "node:assert/strict";
import { test } from "node:test";
import { NodeRuntime, SidecarProcess } from "../../dist/index.js";
import { KernelGroup, kernelsFor } from "../../dist/sdk/kernel-group.js";
import { machine } from "../support/machines.mjs";
import { children, commandLine, until } from "../support/processes.mjs";

const timeout = 120_000;
const lost = { code: "ERR_SECURE_EXEC_KERNEL_LOST" };

const kernels = () =>
  children(process.pid).filter((pid) => commandLine(pid).startsWith("secure-exec-kernel"));
const answer = async (rt) => (await rt.run("__return(6 * 7)")).value;
/** A program that waits, once it does: its end. */
async function waiting(rt) {
  let up;
  const isUp = new Promise((resolve) => (up = resolve));
  const process = await rt.spawn("console.log(1); setInterval(() => {}, 1000);", { onStdout: up });
  const ended = process.wait();
  ended.catch(() => undefined);
  await isUp;
  return { ended };
}

test("who needs one kernel has one, however many machines", { timeout }, async () => {
  const machines = await Promise.all([1, 2, 3].map(() => machine({ kernels: 1 })));
  assert.deepEqual(await Promise.all(machines.map(answer)), [42, 42, 42]);
  assert.equal(kernels().length, 1);
});

test(
  "machines are spread over as many kernels as asked for; one that is lost takes its own machines alone",
  { timeout },
  async () => {
    const before = kernels();
    // Three machines of the test before are on the first.
    const [a, b] = [await machine({ kernels: 3 }), await machine({ kernels: 3 })];
    const { length } = kernels();
    assert.equal(length, 3);
    const [second, third] = kernels().filter((pid) => !before.includes(pid));
    const clone = await b.clone();
    const ends = { a: await waiting(a), b: await waiting(b), clone: await waiting(clone) };
    process.kill(third, "SIGKILL");
    await assert.rejects(ends.b.ended, lost);
    await assert.rejects(ends.clone.ended, lost);
    await assert.rejects(b.run("1"), lost);
    assert.equal(await answer(a), 42);
    assert.equal(await Promise.race([ends.a.ended, "runs"]), "runs");
    await until(() => !kernels().includes(third));
    assert.ok(kernels().includes(second));
    // The place that is free has the fewest.
    const next = await machine({ kernels: 3 });
    assert.equal(await answer(next), 42);
    assert.equal(kernels().length, 3);
    await clone.dispose();
  },
);

test("many at once are spread evenly", { timeout }, async () => {
  const group = new KernelGroup();
  const connections = await Promise.all([1, 2, 3, 4].map(() => group.place(2)));
  const counts = new Map();
  for (const one of connections) counts.set(one, (counts.get(one) ?? 0) + 1);
  assert.deepEqual([...counts.values()], [2, 2]);
  await Promise.all([...counts.keys()].map((one) => one.close(new Error("done"))));
});

test(
  "a second kernel of auto is started beside, once the first has plenty",
  { timeout },
  async () => {
    const group = new KernelGroup(12);
    const first = await group.place("auto");
    await first.opened;
    for (let vm = 1; vm <= 3; vm++) first.attachMachine(vm, {});
    await new Promise(setImmediate);
    const { length } = kernels();
    assert.equal(await group.place("auto"), first);
    first.attachMachine(4, {});
    await new Promise(setImmediate);
    assert.equal(kernels().length, length, "three machines are not plenty");
    // The fourth makes it so; the fifth still does not wait.
    assert.equal(await group.place("auto"), first);
    await until(() => kernels().length === length + 1);
    let other = first;
    while (other === first) {
      other = await group.place("auto");
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    for (let vm = 1; vm <= 4; vm++) first.detachMachine(vm);
    await Promise.all([first, other].map((one) => one.close(new Error("done"))));
  },
);

test("machines are made on a kernel that is starting still", { timeout }, async () => {
  const sidecar = new SidecarProcess();
  const machines = await Promise.all([1, 2, 3].map(() => NodeRuntime.create({ sidecar })));
  const results = await Promise.all(machines.map((rt, i) => rt.run(`__return(${i})`)));
  assert.deepEqual(
    results.map(({ value }) => value),
    [0, 1, 2],
  );
  await sidecar.dispose();
});

test("auto has a kernel for each six processors", () => {
  assert.deepEqual([1, 2, 11, 12, 64, 1000].map(kernelsFor), [1, 1, 1, 2, 10, 64]);
});

test("a sidecar or a fleet is a kernel of another kind", async () => {
  const sidecar = new SidecarProcess();
  await assert.rejects(NodeRuntime.create({ sidecar, kernels: 2 }), {
    code: "ERR_SECURE_EXEC_INVALID_OPTION",
    message: /^kernels is for machines of the host's own kernels; sidecar names another/,
  });
  await sidecar.dispose();
});
