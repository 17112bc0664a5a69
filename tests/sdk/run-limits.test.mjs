// Limits of one run below the machine's, and the warnings before limits are reached.
import assert from "node:assert/strict";
import { it } from "node:test";
import { machine } from "../support/machines.mjs";

const options = { timeout: 120_000 };
const MiB = 1024 * 1024;
const forever = "setInterval(() => {}, 1e3)";

it("a run's limits hold for it and not for the next", options, async () => {
  const rt = await machine();
  const hold = `const kept = []; for (let i = 0; i < 100; i++) kept.push(Buffer.alloc(${MiB}, 1)); __return(kept.length)`;
  const small = await rt.run(hold, { limits: { memoryBytes: 48 * MiB } });
  assert.notEqual(small.exitCode, 0);
  assert.equal((await rt.run(hold)).value, 100);

  const cpu = await rt.exec("for (;;);", { limits: { cpuTimeMs: 200 } });
  assert.deepEqual(cpu.end, { reason: "limit", limit: "cpuTimeMs", signal: "SIGKILL" });
  const wall = await rt.exec(forever, { limits: { wallTimeMs: 200 } });
  assert.equal(wall.exitCode, 137);
  assert.equal(wall.end.limit, "wallTimeMs");

  const output = await rt.exec("console.log('x'.repeat(5000))", { limits: { outputBytes: 1000 } });
  assert.equal(output.stdout.length, 1000);
  assert.ok(output.stdoutTruncated);

  const spawning = `import { spawnSync } from "node:child_process";
    const { error, status } = spawnSync("true"); __return(error?.code ?? status);`;
  assert.equal((await rt.run(spawning, { limits: { processes: 1 } })).value, "EAGAIN");
  assert.equal((await rt.run(spawning, { limits: { processes: 2 } })).value, 0);
});

it("who asks the kernel too often waits", options, async () => {
  const rt = await machine();
  const program = `import fs from "node:fs"; const at = performance.now();
    for (let i = 0; i < 400; i++) fs.existsSync("/tmp"); __return(performance.now() - at);`;
  const free = await rt.run(program);
  const slow = await rt.run(program, { limits: { systemCallsPerSecond: 400 } });
  // A tenth of a second's calls come at once; the rest takes nine tenths of one.
  assert.ok(slow.value > 850, `${slow.value} ms, ${free.value} ms without the limit`);
  assert.equal(slow.exitCode, 0);
});

it("children are under the run's limits", options, async () => {
  const rt = await machine();
  const { end } = await rt.exec(
    `import { spawnSync } from "node:child_process"; spawnSync(process.execPath, ["-e", "for (;;);"]);`,
    { limits: { cpuTimeMs: 300 } },
  );
  assert.equal(end.limit, "cpuTimeMs");
});

it("a run cannot raise a limit", options, async () => {
  const rt = await machine({ limits: { memoryBytes: 64 * MiB, cpuTimeMs: 5000 } });
  for (const [limits, limit] of [
    [{ memoryBytes: 128 * MiB }, "memoryBytes"],
    [{ cpuTimeMs: 5001 }, "cpuTimeMs"],
    [{ cpuTimeMs: 0 }, "cpuTimeMs"],
    [{ processes: 257 }, "processes"],
  ]) {
    const raised = (error) => {
      assert.equal(error.code, "ERR_SECURE_EXEC_LIMIT_RAISED");
      assert.equal(error.details.option, `limits.${limit}`);
      return true;
    };
    await assert.rejects(rt.exec("1", { limits }), raised);
    await assert.rejects(rt.spawn("1", { limits }), raised);
    await assert.rejects(rt.execCommand("true", [], { limits }), raised);
    await assert.rejects(rt.createResidentRunner({ limits }), raised);
  }
  for (const limits of [{ inodes: 2000 }, { bogus: 1 }, { memoryBytes: 5 }, 5]) {
    await assert.rejects(rt.exec("1", { limits }), { code: "ERR_SECURE_EXEC_INVALID_OPTION" });
  }
});

it("a resident runner has limits of its own", options, async () => {
  const rt = await machine();
  const runner = await rt.createResidentRunner({ limits: { cpuTimeMs: 300, outputBytes: 10 } });
  assert.equal((await runner.exec("console.log('x'.repeat(50))")).stdout.length, 10);
  await assert.rejects(runner.exec("for (;;);"), { code: "ERR_SECURE_EXEC_RUNNER_ENDED" });
  assert.deepEqual(runner.end, { reason: "limit", limit: "cpuTimeMs", signal: "SIGKILL" });
});

it("warnings come once at 80 % of a limit", options, async () => {
  const warnings = [];
  const rt = await machine({
    limits: { fileSystemBytes: 10 * MiB, processes: 5, cpuTimeMs: 1000 },
    onLimitWarning: (warning) => warnings.push(warning),
  });
  await rt.exec(`import fs from "node:fs"; fs.writeFileSync("/tmp/x", Buffer.alloc(9 * ${MiB}))`);
  await rt.exec("1");
  const of = (limit) => warnings.filter((warning) => warning.limit === limit);
  assert.equal(of("fileSystemBytes").length, 1);
  const [{ observed, capacity, fillPercent }] = of("fileSystemBytes");
  assert.equal(capacity, 10 * MiB);
  assert.ok(observed >= 8 * MiB && fillPercent >= 80 && fillPercent <= 100, `${observed}`);

  await rt.exec(`import fs from "node:fs"; fs.unlinkSync("/tmp/x")`);
  await rt.exec(`import fs from "node:fs"; fs.writeFileSync("/tmp/x", Buffer.alloc(9 * ${MiB}))`);
  assert.equal(of("fileSystemBytes").length, 2);

  const four = await Promise.all([1, 2, 3, 4].map(() => rt.spawn(forever)));
  assert.equal(of("processes").length, 1);
  for (const one of four) one.kill("SIGKILL");
  await Promise.all(four.map((one) => one.wait()));

  const busy = await rt.exec("for (;;);");
  assert.equal(busy.end.limit, "cpuTimeMs");
  assert.equal(of("cpuTimeMs").length, 1);
  assert.ok(of("cpuTimeMs")[0].pid > 0);
});
