// What a host can read of its kernels: Prometheus text, from the shared ones and from a sidecar.
import assert from "node:assert/strict";
import { test } from "node:test";
import { NodeRuntime, SidecarProcess } from "../../dist/index.js";
import { samplesOf } from "../support/metrics.mjs";

const it = (name, body) => test(name, { timeout: 120_000 }, body);
const families = (samples) =>
  new Map([...samples].map(([name, value]) => [name.replace(/kernel="\d+",?/, ""), value]));

it("asking starts nothing; then everything is counted once", async () => {
  assert.equal(samplesOf(await NodeRuntime.metrics()).size, 0);
  const sidecar = new SidecarProcess();
  try {
    const rt = await NodeRuntime.create({
      sidecar,
      tools: { add: { handler: ({ a, b }) => a + b } },
    });
    await rt.run("await callHostTool('add', { a: 1, b: 2 })");
    await rt.exec("process.exit(3)");
    await rt.exec("throw 1");
    await rt.exec("for (;;);", { timeout: 50 });
    const running = await rt.spawn("setInterval(() => {}, 1000)");
    const samples = families(samplesOf(await sidecar.metrics()));
    const of = (name) => samples.get(`secure_exec_kernel_${name}{}`);
    assert.deepEqual(
      [of("machines"), of("machines_made_total"), of("programs"), of("program_processes_total")],
      [1, 1, 1, 4],
    );
    assert.equal(of("program_tool_calls_total"), 1);
    assert.ok(of("program_cpu_seconds_total") > 0 && of("cpu_seconds_total") > 0);
    assert.ok(of("resident_memory_bytes") > 2 ** 24 && of("guests") >= 1);
    const ended = (reason) =>
      samples.get(`secure_exec_kernel_programs_ended_total{reason="${reason}"}`);
    assert.deepEqual([ended("exit"), ended("uncaught error"), ended("killed")], [2, 1, 1]);
    assert.equal(of("program_duration_seconds_count"), 4);
    running.kill("SIGKILL");
    await running.wait();
    await rt.dispose();
    const after = families(samplesOf(await sidecar.metrics()));
    assert.equal(after.get("secure_exec_kernel_machines{}"), 0);
    assert.equal(after.get('secure_exec_kernel_programs_ended_total{reason="killed"}'), 2);
  } finally {
    await sidecar.dispose();
  }
  assert.equal(samplesOf(await sidecar.metrics()).size, 0);
  assert.equal(samplesOf(await NodeRuntime.metrics()).size, 0);
});

it("the kernels that all share have their figures at the class", async () => {
  const rt = await NodeRuntime.create();
  await rt.run("1");
  const samples = samplesOf(await NodeRuntime.metrics());
  const kernels = [...samples].filter(([name]) => name.startsWith("secure_exec_kernel_machines{"));
  assert.deepEqual(
    kernels.map(([, value]) => value),
    [1],
  );
  await rt.dispose();
});
