// The machine that waits for the next program of code mode: made beside a program, used once, gone when none comes.
import assert from "node:assert/strict";
import { test } from "node:test";
import { NodeRuntime, SidecarProcess } from "../../dist/index.js";
import { MachinesAhead } from "../../dist/ports/core/machines-ahead.js";
import { samplesOf } from "../support/metrics.mjs";
import { tree } from "../support/processes.mjs";

const it = (name, body) => test(name, { timeout: 120_000 }, body);

async function ownKernel(t) {
  const sidecar = SidecarProcess.spawn();
  t.after(() => sidecar.dispose());
  const figure = async (name) => {
    const samples = samplesOf(await sidecar.metrics());
    const [key] = [...samples.keys()].filter(
      (each) => each.split("{")[0] === `secure_exec_kernel_${name}`,
    );
    return samples.get(key);
  };
  return { sidecar, figure };
}

const valueOf = async (machines, program) => {
  const outcome = await machines.run({ timeoutMs: 0, ...program });
  assert.equal(outcome.ok, true, JSON.stringify(outcome));
  return outcome.value;
};

it("from the second program on the next machine is made while one runs, and each serves one", async (t) => {
  const { sidecar, figure } = await ownKernel(t);
  const machines = new MachinesAhead({
    runtime: { sidecar, platform: "node", moduleResolution: "node" },
  });
  const made = [];
  const program = {
    code: `const fs = await import("node:fs");
      const before = fs.existsSync("/tmp/left") || "left" in globalThis;
      globalThis.left = 1;
      fs.writeFileSync("/tmp/left", "");
      await tell();
      return before;`,
    functions: ["tell"],
    call: async () => void made.push(await figure("machines_made_total")),
  };
  for (let round = 0; round < 4; round++) assert.equal(await valueOf(machines, program), false);
  assert.deepEqual(made, [1, 3, 4, 5]);
});

it("programs under way together have machines of their own", async (t) => {
  const { sidecar } = await ownKernel(t);
  const machines = new MachinesAhead({
    runtime: { sidecar, platform: "node", moduleResolution: "node" },
  });
  const program = {
    code: `const fs = await import("node:fs");
      const before = fs.existsSync("/tmp/left");
      fs.writeFileSync("/tmp/left", "");
      return before;`,
  };
  for (let round = 0; round < 2; round++)
    assert.deepEqual(
      await Promise.all(Array.from({ length: 5 }, () => valueOf(machines, program))),
      [false, false, false, false, false],
    );
});

it("a machine that nobody comes for ends, and what was there to see is looked at for each program", async (t) => {
  const { sidecar, figure } = await ownKernel(t);
  // The first of a kernel has timers of its own, which are no mocks.
  const first = await NodeRuntime.create({ sidecar });
  const machines = new MachinesAhead({ runtime: { sidecar } });
  t.mock.timers.enable({ apis: ["setTimeout"] });
  for (let round = 0; round < 2; round++)
    assert.equal(await valueOf(machines, { code: "return 1" }), 1);
  assert.equal(await figure("machines_made_total"), 4);
  while ((await figure("machines")) > 2);
  t.mock.timers.tick(5000);
  while ((await figure("machines")) > 1);
  const mounted = new MachinesAhead({
    runtime: { sidecar, mounts: [{ guestPath: "/data", hostPath: import.meta.dirname }] },
  });
  for (let round = 0; round < 3; round++)
    assert.equal(await valueOf(mounted, { code: "return 1" }), 1);
  assert.equal(await figure("machines_made_total"), 7);
  await first.dispose();
});

it("where the kernel of a machine that waits is gone, the program has another", async () => {
  const watched = await NodeRuntime.create();
  const machines = new MachinesAhead({});
  for (let round = 0; round < 2; round++)
    assert.equal(await valueOf(machines, { code: "return 1" }), 1);
  // A program that goes on keeps this process waiting, as an idle machine does not.
  const lost = assert.rejects(watched.exec("setInterval(() => {}, 1000)"), {
    code: "ERR_SECURE_EXEC_KERNEL_LOST",
  });
  process.kill(tree().kernel, "SIGKILL");
  await lost;
  assert.equal(await valueOf(machines, { code: "return 2" }), 2);
});

it("options that make no machine are told of by each program", async () => {
  const machines = new MachinesAhead({ runtime: { cwd: 1 } });
  for (let round = 0; round < 3; round++) {
    const outcome = await machines.run({ code: "return 1" });
    assert.equal(outcome.ok, false);
    assert.equal(outcome.error.code, "ERR_SECURE_EXEC_INVALID_OPTION");
  }
});
