// The bill of a run and of a machine, against what Linux says, and why programs end.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { it } from "node:test";
import { tree } from "../support/processes.mjs";
import { machine } from "../support/machines.mjs";

const options = { timeout: 120_000 };
const MiB = 1024 * 1024;
const tickMs = 10;

/** CPU time and peak memory of a process and its ended children, as /proc has them. */
function linuxUsage(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const status = readFileSync(`/proc/${pid}/status`, "latin1");
  return {
    cpuMs: (Number(fields[11]) + Number(fields[12])) * tickMs,
    peakBytes: Number(/VmHWM:\s+(\d+)/.exec(status)[1]) * 1024,
  };
}

const within = (actual, expected, share, slack, what) =>
  assert.ok(
    Math.abs(actual - expected) <= expected * share + slack,
    `${what}: ${actual}, where Linux has ${expected}`,
  );

/** Starts a program and resolves once it has printed. */
async function paused(rt, code) {
  let said;
  const ready = new Promise((resolve) => (said = resolve));
  const running = await rt.spawn(`${code}; console.log(1); process.stdin.resume();`, {
    onStdout: () => said(),
  });
  await ready;
  return running;
}

const burn = (ms) =>
  `{ const until = process.cpuUsage().user + ${ms} * 1000; while (process.cpuUsage().user < until) for (let i = 0; i < 1e5; i++); }`;

/** The guest that holds the most memory: the one that was told to. */
function largest() {
  return tree()
    .guests.map(linuxUsage)
    .sort((one, other) => other.peakBytes - one.peakBytes)[0];
}

it(
  "a program that is over at once had what a process has before its program",
  options,
  async () => {
    const rt = await machine();
    for (let time = 0; time < 3; time++) {
      const { usage } = await rt.run("__return(1)");
      assert.ok(usage.peakMemoryBytes > 10 * MiB && usage.peakMemoryBytes < 300 * MiB);
      assert.ok(usage.cpuMs > 0);
    }
  },
);

it("CPU time and peak memory are what Linux says, within 10 %", options, async () => {
  const rt = await machine();
  const running = await paused(
    rt,
    `${burn(600)} let kept = Buffer.alloc(120 * ${MiB}, 1); kept = kept.length`,
  );
  const linux = largest();
  assert.ok(linux.cpuMs >= 600 && linux.peakBytes > 120 * MiB);
  const now = await running.currentUsage();
  running.closeStdin();
  assert.equal(await running.wait(), 0);
  for (const usage of [now, running.usage]) {
    within(usage.cpuMs, linux.cpuMs, 0.1, 2 * tickMs, "CPU time");
    within(usage.peakMemoryBytes, linux.peakBytes, 0.1, 0, "peak memory");
  }
  const all = await rt.usage();
  assert.ok(all.cpuMs >= running.usage.cpuMs);
  assert.equal(all.peakMemoryBytes, running.usage.peakMemoryBytes);
});

it(
  "what many short processes say of themselves is on the bill, from the beginning of each",
  options,
  async () => {
    const rt = await machine();
    // What Linux has of the process so far; what it takes to end comes on top.
    const own = `const { user, system } = process.cpuUsage(); const ms = (user + system) / 1000;`;
    const child = `${burn(10)} ${own} console.log(ms)`;
    const { value, usage } = await rt.run(`
    import { execFileSync } from "node:child_process";
    let sum = 0;
    for (let at = 0; at < 8; at++) sum += Number(execFileSync("node", ["-e", ${JSON.stringify(child)}]));
    ${own}
    __return(sum + ms);`);
    assert.ok(value >= 80, `${value} ms`);
    assert.equal(usage.processes, 9);
    assert.ok(usage.cpuMs >= value, `${usage.cpuMs} ms, the processes themselves say ${value}`);
  },
);

it("children, workers, calls and bytes are counted", options, async () => {
  const rt = await machine({
    tools: {
      slow: {
        description: "Waits",
        inputSchema: { type: "object" },
        handler: () => new Promise((resolve) => setTimeout(resolve, 60)),
      },
    },
  });
  const result = await rt.run(`
    import fs from "node:fs"; import net from "node:net"; import cp from "node:child_process";
    import { Worker } from "node:worker_threads"; import { once } from "node:events";
    fs.writeFileSync("/tmp/x", Buffer.alloc(300_000));
    for (let i = 0; i < 4; i++) fs.readFileSync("/tmp/x");
    fs.copyFileSync("/tmp/x", "/tmp/y");
    for (let i = 0; i < 500; i++) fs.statSync("/tmp/x");
    const child = cp.spawnSync(process.execPath, ["-e", ${JSON.stringify(burn(250))}]);
    await once(new Worker("1", { eval: true }), "exit");
    const server = net.createServer((s) => s.pipe(s)).listen(0);
    await once(server, "listening");
    const socket = net.connect(server.address().port);
    socket.end(Buffer.alloc(200_000));
    let back = 0; for await (const part of socket) back += part.length;
    server.close();
    await callHostTool("slow", {});
    __return([child.status, back]);`);
  assert.deepEqual(result.value, [0, 200_000], result.stderr);
  const { usage } = result;
  assert.equal(usage.processes, 2);
  assert.equal(usage.threads, 3);
  assert.ok(usage.cpuMs >= 250, `${usage.cpuMs}`);
  assert.ok(usage.systemCalls >= 505, `${usage.systemCalls}`);
  assert.ok(usage.bytesRead >= 1_500_000 && usage.bytesRead < 3_000_000, `${usage.bytesRead}`);
  assert.ok(usage.bytesWritten >= 600_000 && usage.bytesWritten < 700_000, `${usage.bytesWritten}`);
  assert.equal(usage.bytesSent, 400_000);
  assert.equal(usage.bytesReceived, 400_000);
  assert.equal(usage.toolCalls, 1);
  assert.ok(usage.toolMs >= 55 && usage.toolMs <= usage.wallMs, `${usage.toolMs}`);
  assert.ok(usage.kernelCpuMs > 0 && usage.kernelCpuMs <= usage.wallMs);
  const all = await rt.usage();
  for (const name of ["processes", "threads", "toolCalls", "bytesSent", "bytesReceived"])
    assert.equal(all[name], usage[name], name);
});

it("usage and end are not enumerable", options, async () => {
  const rt = await machine();
  const result = await rt.exec("1");
  assert.ok(!("usage" in { ...result }) && !JSON.stringify(result).includes("usage"));
  assert.equal(result.end.reason, "exit");
});

it("every end is attributed", options, async () => {
  const rt = await machine({ limits: { wallTimeMs: 20_000, memoryBytes: 64 * MiB } });
  const end = async (code, given) => (await rt.exec(code, given)).end;
  assert.deepEqual(await end("1"), { reason: "exit" });
  assert.deepEqual(await end("process.exit(1)"), { reason: "exit" });
  const uncaught = { reason: "uncaught error" };
  assert.deepEqual(await end("throw new Error('x')"), uncaught);
  assert.deepEqual(await end("throw 5"), uncaught);
  assert.deepEqual(await end("Promise.reject(new Error('x'))"), uncaught);
  assert.deepEqual(await end("setTimeout(() => null.x)"), uncaught);
  const timeout = await rt.exec("setInterval(() => {}, 1e3)", { timeout: 100 });
  assert.equal(timeout.exitCode, 137);
  assert.deepEqual(timeout.end, { reason: "timeout", signal: "SIGKILL" });
  assert.deepEqual(await end("process.kill(process.pid, 'SIGTERM'); setInterval(() => {}, 1e3)"), {
    reason: "killed",
    signal: "SIGTERM",
    by: 9,
  });
  const memory = await end("const a = []; for (;;) a.push(new Array(1e4).fill(1.5));");
  assert.deepEqual([memory.reason, memory.limit], ["limit", "memoryBytes"]);
});

it("who killed a program is said", options, async () => {
  const rt = await machine();
  const forever = "setInterval(() => {}, 1e3)";
  const killed = await rt.spawn(forever);
  assert.equal(killed.end, null);
  assert.equal(killed.usage, null);
  killed.kill("SIGINT");
  assert.equal(await killed.wait(), 130);
  assert.deepEqual(killed.end, { reason: "killed", signal: "SIGINT", by: "host" });
  assert.equal(killed.usage.processes, 1);

  const controller = new AbortController();
  const aborted = await rt.spawn(forever, { signal: controller.signal });
  controller.abort();
  await aborted.wait();
  assert.deepEqual(aborted.end, { reason: "abort", signal: "SIGTERM" });

  const victim = await rt.spawn(forever);
  const killer = await rt.spawn(`process.kill(${victim.pid}, "SIGKILL")`);
  await Promise.all([victim.wait(), killer.wait()]);
  assert.deepEqual(victim.end, { reason: "killed", signal: "SIGKILL", by: killer.pid });

  const runner = await rt.createResidentRunner();
  await runner.exec("1");
  assert.equal((await runner.usage()).processes, 1);
  const last = await rt.spawn(forever);
  await rt.dispose();
  await last.wait();
  assert.deepEqual(last.end, { reason: "killed", signal: "SIGKILL", by: "dispose" });
});

it("limits of time name themselves", options, async () => {
  const cpu = await machine({ limits: { cpuTimeMs: 300 } });
  const busy = await cpu.exec("for (;;);");
  assert.equal(busy.exitCode, 137);
  assert.deepEqual(busy.end, { reason: "limit", limit: "cpuTimeMs", signal: "SIGKILL" });
  assert.ok(busy.usage.cpuMs >= 300 && busy.usage.cpuMs < 2000, `${busy.usage.cpuMs}`);
  const wall = await machine({ limits: { wallTimeMs: 300 } });
  const slow = await wall.exec("setInterval(() => {}, 1e3)");
  assert.deepEqual(slow.end, { reason: "limit", limit: "wallTimeMs", signal: "SIGKILL" });
});
