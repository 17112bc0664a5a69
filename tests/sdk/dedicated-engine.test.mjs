// Programs with an engine of their own: the same machine, the same limits and ends, the same lock-down.
import assert from "node:assert/strict";
import { readFileSync, readdirSync, readlinkSync } from "node:fs";
import { test } from "node:test";
import { NodeRuntime } from "../../dist/index.js";
import { machine } from "../support/machines.mjs";
import { alive, children, commandLine, tree, until } from "../support/processes.mjs";

const timeout = 120_000;
const own = { engine: "dedicated" };
const MiB = 1024 * 1024;

/** OS processes of engines that were executed for one guest, below this process. */
function engines() {
  const { kernel } = tree();
  return children(kernel)
    .flatMap(children)
    .filter((pid) => commandLine(pid).includes("launcher/zygote/own-engine"));
}

/** Starts a program that says a line and goes on; answers its handle and its OS process. */
async function running(rt, source = "setInterval(() => {}, 1000);", options = {}) {
  const before = new Set(engines());
  let spoke;
  const line = new Promise((resolve) => (spoke = resolve));
  const program = await rt.spawn(`console.log("up"); ${source}`, {
    ...own,
    ...options,
    onStdout: () => void spoke(),
  });
  await line;
  const [pid] = engines().filter((one) => !before.has(one));
  return { program, pid };
}

/**
 * The process of a forked program that runs: those that wait for one are not locked down from their first moment on, and go
 * when the zygote has become warm. It holds more than any of them.
 */
async function forkedGuest(rt) {
  let spoke;
  const line = new Promise((resolve) => (spoke = resolve));
  const held = `globalThis.held = Buffer.alloc(${64 * MiB}, 1); setInterval(() => {}, 1000);`;
  await rt.spawn(`${held} console.log("up");`, { onStdout: () => void spoke() });
  await line;
  return tree().guests.find((pid) => {
    try {
      return Number.parseInt(statusOf(pid, "VmRSS"), 10) > 64 * 1024;
    } catch {
      // One that waited has just gone.
      return false;
    }
  });
}

const statusOf = (pid, field, task = pid) =>
  new RegExp(`^${field}:[ \\t]*(.*)$`, "m").exec(
    readFileSync(`/proc/${pid}/task/${task}/status`, "latin1"),
  )?.[1];

test("a program is what it is elsewhere", { timeout }, async () => {
  const rt = await machine({ env: { A: "1" } });
  const source = `
    import { readFileSync, writeFileSync } from "node:fs";
    import { execSync } from "node:child_process";
    import { Worker } from "node:worker_threads";
    import { once } from "node:events";
    import { createServer } from "node:http";
    writeFileSync("/tmp/x", "kept");
    const server = createServer((_, reply) => reply.end("served")).listen(0);
    await once(server, "listening");
    const text = await (await fetch("http://127.0.0.1:" + server.address().port)).text();
    server.close();
    const [message] = await once(new Worker("require('worker_threads').parentPort.postMessage(6 * 7)", { eval: true }), "message");
    __return({
      text, message, argv: process.argv.slice(2), argv0: process.argv0, execArgv: process.execArgv,
      execPath: process.execPath, title: process.title, env: process.env.A, version: process.version,
      file: execSync("cat /tmp/x").toString(), cwd: process.cwd(), stdin: readFileSync(0, "utf8"),
      globals: Object.getOwnPropertyNames(globalThis).sort(), builtins: process.getBuiltinModule("module").builtinModules,
      uptime: process.uptime() > 0, heap: process.memoryUsage().heapUsed > 0,
      digest: process.getBuiltinModule("crypto").createHash("sha256").update("x").digest("hex"),
    });`;
  const options = { args: ["a", "b"], stdin: "typed" };
  const [forked, dedicated] = await Promise.all([
    rt.run(source, options),
    rt.run(source, { ...options, ...own }),
  ]);
  assert.deepEqual(dedicated.value, forked.value);
  for (const bad of ["throw new TypeError('no')", "await new Promise(() => {})", "process.exit(3)"])
    assert.deepEqual(await rt.exec(bad, own), await rt.exec(bad), bad);
  const ts = await rt.run("const n: number = 5; __return(n);", { language: "ts", ...own });
  assert.equal(ts.value, 5);
});

test("an engine for all of a machine, and for one command", { timeout }, async () => {
  const rt = await machine(own);
  const child = `require("child_process").execFileSync("node", ["-p", "process.ppid"]).toString()`;
  assert.match((await rt.exec(`console.log(${child})`)).stdout, /^\d+\n/);
  assert.equal((await rt.execCommand("node", ["-p", "1 + 1"])).stdout, "2\n");
  assert.equal((await rt.execCommand("sh", ["-c", "echo $((1+1)) | cat"])).stdout, "2\n");
  assert.equal((await rt.run("__return(1)", { engine: "forked" })).value, 1);
  for (const engine of ["own", 1, null])
    await assert.rejects(rt.exec("1", { engine }), /engine must be "forked" or "dedicated"/);
});

test("every thread is locked down as a forked guest is", { timeout }, async () => {
  const rt = await machine();
  const { pid } = await running(rt);
  const tasks = readdirSync(`/proc/${pid}/task`);
  assert.ok(tasks.length > 1, "V8 has threads of its own");
  const guest = await forkedGuest(rt);
  for (const field of ["Seccomp", "NoNewPrivs", "CapEff", "CapPrm", "Groups"])
    for (const task of tasks)
      assert.equal(statusOf(pid, field, task), statusOf(guest, field), `${field} of ${task}`);
  for (const name of ["user", "mnt", "pid", "net", "ipc", "uts"]) {
    const host = readlinkSync(`/proc/self/ns/${name}`);
    const apart = readlinkSync(`/proc/${guest}/ns/${name}`) !== host;
    for (const task of tasks)
      assert.equal(readlinkSync(`/proc/${pid}/task/${task}/ns/${name}`) !== host, apart, name);
  }
  const limits = (of) =>
    readFileSync(`/proc/${of}/limits`, "latin1").replace(/^Max data size.*$/m, "");
  assert.equal(limits(pid), limits(guest));
  const names = readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));
  const foreign = names.filter(
    (name) => name !== "/dev/null" && !/^(socket|pipe|anon_inode):/.test(name),
  );
  assert.deepEqual(foreign, []);
  assert.ok(!commandLine(pid).includes(process.cwd()));
});

test("it may have exactly its memory, beside what it began with", { timeout }, async () => {
  const rt = await machine({ limits: { memoryBytes: 128 * MiB } });
  const { pid, program } = await running(rt, "process.stdin.resume();");
  const limit = Number(
    /^Max data size\s+(\d+)\s+\1 /m.exec(readFileSync(`/proc/${pid}/limits`, "latin1"))[1],
  );
  const used = 1024 * Number.parseInt(statusOf(pid, "VmData"), 10);
  const left = limit - used;
  assert.ok(left <= 128 * MiB && left > 112 * MiB, `${left} bytes are left of 128 MiB`);
  program.kill();
  const heap = await rt.exec("const a = []; for (;;) a.push(new Array(1e4).fill(1.5));", own);
  assert.equal(heap.exitCode, 134);
  assert.match(heap.stderr, /ERR_SECURE_EXEC_MEMORY_LIMIT.*limits\.memoryBytes/);
  const buffers = `const kept = []; for (;;) kept.push(Buffer.alloc(${MiB}, 1));`;
  assert.notEqual((await rt.exec(buffers, own)).exitCode, 0);
});

test("it is ended, stopped, limited and counted as others are", { timeout }, async () => {
  const rt = await machine({ limits: { processes: 3 } });
  const { pid, program } = await running(rt);
  program.kill("SIGKILL");
  assert.equal(await program.wait(), 137);
  await until(() => !alive(pid));

  const busy = await rt.exec("for (;;);", { ...own, limits: { cpuTimeMs: 300 } });
  assert.equal(busy.exitCode, 137);
  assert.match(busy.stderr, /ERR_SECURE_EXEC_CPU_TIME_LIMIT/);
  assert.equal((await rt.exec("for (;;);", { ...own, timeout: 500 })).exitCode, 137);

  const counted = await rt.exec("const t = Date.now(); while (Date.now() - t < 200);", own);
  assert.equal(counted.exitCode, 0);
  assert.ok((await rt.usage()).cpuMs > 100);

  const held = [await running(rt), await running(rt), await running(rt)];
  await assert.rejects(rt.exec("1", own), { code: "ERR_SECURE_EXEC_PROCESS_LIMIT" });
  await rt.dispose();
  await until(() => held.every((one) => !alive(one.pid)));
});

test(
  "a lost starter fails its programs with a code, and the next has another",
  { timeout },
  async () => {
    const rt = await machine();
    const { pid, program } = await running(rt);
    const starter = Number(
      /^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))[1],
    );
    process.kill(starter, "SIGKILL");
    await assert.rejects(program.wait(), { code: "ERR_SECURE_EXEC_ZYGOTE_LOST" });
    await until(() => !alive(pid));
    assert.equal((await rt.run("__return(1)", own)).value, 1);
    assert.equal((await rt.run("__return(1)")).value, 1);
  },
);

test("nothing is left of it when the kernel process is killed", { timeout }, async () => {
  const rt = await NodeRuntime.create();
  const { pid, program } = await running(rt);
  const { kernel } = tree();
  const below = children(kernel);
  const ended = assert.rejects(program.wait());
  process.kill(kernel, "SIGKILL");
  await ended;
  await until(() => ![pid, ...below].some(alive));
  await rt.dispose().catch(() => undefined);
});

test("many at once are all served", { timeout }, async () => {
  const rt = await machine();
  const results = await Promise.all(
    Array.from({ length: 6 }, (_, i) => rt.run(`__return(${i})`, own)),
  );
  assert.deepEqual(
    results.map(({ value }) => value),
    [0, 1, 2, 3, 4, 5],
  );
});
