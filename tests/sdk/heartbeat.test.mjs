// No deadline depends on the kernel answering: stopped and stuck processes, callbacks that never return.
import assert from "node:assert/strict";
import { it } from "node:test";
import { NodeRuntime, SidecarProcess } from "../../dist/index.js";
import { alive, tree, until } from "../support/processes.mjs";

const options = { timeout: 60_000 };
const limitMs = 1000;
/** Beyond its own deadline a call may take what is found out by looking, and ending processes. */
const boundMs = 10_000;
const forever = `console.log("up"); setInterval(() => {}, 1000);`;

async function own(heartbeatTimeoutMs = limitMs) {
  const sidecar = new SidecarProcess({ heartbeatTimeoutMs });
  const rt = await NodeRuntime.create({ sidecar });
  return { sidecar, rt };
}

const unresponsive = { code: "ERR_SECURE_EXEC_KERNEL_UNRESPONSIVE" };

it(
  "a stopped kernel is ended; every call on it rejects; the next create has a new one",
  options,
  async () => {
    const { sidecar, rt } = await own();
    let up;
    const isUp = new Promise((resolve) => (up = resolve));
    const running = rt.exec(forever, { onStdout: () => up() });
    running.catch(() => undefined);
    await isUp;
    const { kernel, zygote, guests } = tree();
    process.kill(kernel, "SIGSTOP");
    const startedAt = performance.now();
    const calls = [
      running,
      rt.run("1", { timeout: 200 }),
      rt.readFile("/etc/passwd"),
      rt.spawn("1"),
      NodeRuntime.create({ sidecar }),
    ];
    for (const call of calls) await assert.rejects(call, unresponsive);
    assert.ok(performance.now() - startedAt < limitMs + boundMs);
    await until(() => [kernel, zygote, ...guests].every((pid) => !alive(pid)));
    await rt.dispose();
    const next = await NodeRuntime.create({ sidecar });
    assert.equal((await next.run("__return(3)")).value, 3);
    await next.dispose();
    await sidecar.dispose();
  },
);

it("dispose of a runtime on a stopped kernel ends too", options, async () => {
  const { sidecar, rt } = await own();
  const { kernel } = tree();
  process.kill(kernel, "SIGSTOP");
  await rt.dispose();
  await until(() => !alive(kernel));
  await sidecar.dispose();
});

it("a host that is busy for longer than the limit loses no kernel", options, async () => {
  const { sidecar, rt } = await own();
  const running = rt.run("await new Promise((r) => setTimeout(r, 300)); __return(4)");
  await new Promise((resolve) => setTimeout(resolve, 50));
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2.5 * limitMs);
  assert.equal((await running).value, 4);
  await rt.dispose();
  await sidecar.dispose();
});

it("a stopped zygote is replaced; a program's timeout holds meanwhile", options, async () => {
  const { sidecar, rt } = await own(5000);
  const { zygote } = tree();
  process.kill(zygote, "SIGSTOP");
  const results = await Promise.allSettled(
    Array.from({ length: 6 }, () => rt.exec(forever, { timeout: 500 })),
  );
  for (const { status, value, reason } of results) {
    if (status === "fulfilled") assert.equal(value.exitCode, 137);
    else assert.match(reason.code, /^ERR_SECURE_EXEC_(ZYGOTE_LOST|GUEST_KILLED)$/);
  }
  assert.equal((await rt.run("__return(5)")).value, 5);
  await until(() => !alive(zygote));
  await rt.dispose();
  await sidecar.dispose();
});

it("an output hook that never settles does not outlive the timeout by much", options, async () => {
  const rt = await NodeRuntime.create();
  const never = new Promise(() => {});
  for (const code of ["console.log(1)", `${forever} for (;;) console.log("x".repeat(1000));`]) {
    await assert.rejects(rt.exec(code, { timeout: 500, onStdout: () => never }), {
      code: "ERR_SECURE_EXEC_OUTPUT_HOOK_TIMEOUT",
    });
  }
  await rt.dispose();
});

it("the limit is an option, and checked", options, () => {
  for (const heartbeatTimeoutMs of [0, -1, 50, "5", NaN])
    assert.throws(() => new SidecarProcess({ heartbeatTimeoutMs }), {
      code: "ERR_SECURE_EXEC_INVALID_OPTION",
    });
});
