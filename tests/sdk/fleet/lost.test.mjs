// What callers and workers know when the other, or the broker, is gone: a coded error or nothing lost at all.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { NodeRuntime } from "../../../dist/index.js";
import { natsServer, noServer, status, worker } from "../../support/fleets.mjs";

const skip = noServer;
const lost = { code: "ERR_SECURE_EXEC_WORKER_LOST" };
const entry = fileURLToPath(new URL("../../../dist/index.js", import.meta.url));
const leaseMs = 4000;

/** A machine whose program has called `began` once, and then waits for ever. */
async function busy(fleet) {
  let calls = 0;
  let began = () => {};
  const running = new Promise((resolve) => {
    began = resolve;
  });
  const runtime = await NodeRuntime.create({
    fleet,
    tools: {
      began: {
        description: "Counts",
        inputSchema: { type: "object" },
        handler: () => {
          calls++;
          began(undefined);
          return {};
        },
      },
    },
  });
  const run = runtime.exec(
    'import { execFileSync } from "node:child_process"; execFileSync("began"); setInterval(() => {}, 1000);',
  );
  run.catch(() => {});
  await Promise.race([running, run]);
  return { runtime, run, calls: () => calls };
}

/** Looks until the workers of the fleet are there, and none has a machine. */
async function empty(url) {
  let workers = [];
  while (workers.length === 0 || workers.some(({ vms }) => vms > 0)) workers = await status(url);
}

test(
  "a killed worker: what ran is of unknown outcome, and not run again elsewhere",
  { skip },
  async () => {
    const { url } = await natsServer();
    const first = await worker(url, "--name", "first");
    const { runtime, run, calls } = await busy({ servers: url });
    await worker(url, "--name", "second");
    await first.stop();
    const error = await run.catch((reason) => reason);
    assert.equal(error.code, lost.code);
    assert.equal(error.details.worker, "first");
    await assert.rejects(runtime.run("1"), lost);
    await runtime.dispose();
    const next = await NodeRuntime.create({ fleet: { servers: url } });
    assert.equal((await next.run("__return(2)")).value, 2);
    assert.equal(calls(), 1);
    await next.dispose();
  },
);

test(
  "a stopped worker is lost after the lease, and has no machine left when it goes on",
  { skip },
  async () => {
    const { url } = await natsServer();
    const stopped = await worker(url);
    const { runtime, run } = await busy({ servers: url, leaseMs });
    stopped.kill("SIGSTOP");
    await assert.rejects(run, lost);
    await runtime.dispose();
    stopped.kill("SIGCONT");
    await empty(url);
  },
);

test("a killed caller: its machines are ended after the lease", { skip }, async () => {
  const { url } = await natsServer();
  await worker(url);
  const text = `
    import { NodeRuntime } from ${JSON.stringify(entry)};
    const fleet = { servers: ${JSON.stringify(url)}, leaseMs: ${leaseMs} };
    const runtime = await NodeRuntime.create({ fleet });
    await runtime.spawn("setInterval(() => {}, 1000)");
    console.log("runs");
    await runtime.exec("setInterval(() => {}, 1000)");`;
  const caller = spawn(process.execPath, ["--input-type=module", "-e", text], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(caller.stdout, "data");
  assert.deepEqual(
    (await status(url)).map(({ vms }) => vms),
    [1],
  );
  caller.kill("SIGKILL");
  await empty(url);
});

test(
  "a caller that has nothing to wait for ends by itself, and its machine with it",
  { skip },
  async () => {
    const { url } = await natsServer();
    await worker(url);
    const text = `
    import { NodeRuntime } from ${JSON.stringify(entry)};
    const runtime = await NodeRuntime.create({ fleet: { servers: ${JSON.stringify(url)}, leaseMs: ${leaseMs} } });
    console.log((await runtime.run("__return(3)")).value);`;
    const caller = spawn(process.execPath, ["--input-type=module", "-e", text], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let said = "";
    caller.stdout.on("data", (data) => (said += data));
    const [code] = await once(caller, "close");
    assert.deepEqual([code, said], [0, "3\n"]);
    await empty(url);
  },
);

test("a broker that restarts within the lease costs nothing", { skip }, async () => {
  const broker = await natsServer();
  await worker(broker.url);
  const runtime = await NodeRuntime.create({ fleet: { servers: broker.url, leaseMs: 60_000 } });
  const lines = 20_000;
  let restarted;
  let seen = 0;
  const { stdout, exitCode } = await runtime
    .exec(
      `for (let line = 0; line < ${lines}; line++) console.log("line " + line + " ".repeat(60));`,
      {
        onStdout: async (chunk) => {
          seen += chunk.length;
          if (seen < 100_000) return;
          restarted ??= broker.stop().then(() => natsServer({ port: broker.port }));
          await restarted;
        },
      },
    )
    .then(async (result) => ({ ...result, stdout: seen }));
  assert.ok(restarted !== undefined);
  assert.equal(exitCode, 0);
  const expected = Array.from(
    { length: lines },
    (_, line) => `line ${line}${" ".repeat(60)}\n`.length,
  );
  assert.equal(
    stdout,
    expected.reduce((sum, length) => sum + length, 0),
  );
  assert.equal((await runtime.run("__return(4)")).value, 4);
  await runtime.dispose();
});

test(
  "a drained worker takes nothing new, lets what runs end, and says how it went",
  { skip },
  async () => {
    const { url } = await natsServer();
    const draining = await worker(url, "--name", "old");
    const { runtime, run } = await busy({ servers: url });
    draining.kill("SIGTERM");
    await worker(url, "--name", "new");
    while ((await status(url)).some(({ name, state }) => name === "old" && state !== "draining"));
    const next = await NodeRuntime.create({ fleet: { servers: url } });
    assert.equal((await status(url)).find(({ name }) => name === "new").vms, 1);
    // The old machine goes on until its caller is done with it.
    await runtime.writeFile("/tmp/still", "there");
    await Promise.all([
      runtime.dispose(),
      assert.rejects(run, { code: "ERR_SECURE_EXEC_DISPOSED" }),
    ]);
    assert.deepEqual(await draining.ended(), [0, null]);
    await next.dispose();

    const late = await worker(url, "--name", "late", "--labels", "late=1", "--drain-timeout", "0");
    const cut = await busy({ servers: url, labels: { late: "1" } });
    late.kill("SIGTERM");
    await assert.rejects(cut.run, { ...lost, message: /drained/ });
    assert.deepEqual(await late.ended(), [1, null]);
  },
);

test("a worker that leaves says so, in time to take a machine elsewhere", { skip }, async () => {
  const { url } = await natsServer();
  const [old] = await Promise.all([
    worker(url, "--name", "old", "--labels", "name=old", "--drain-timeout", "120"),
    worker(url, "--name", "new", "--labels", "name=new"),
  ]);
  const runtime = await NodeRuntime.create({ fleet: { servers: url, labels: { name: "old" } } });
  await runtime.writeFile("/tmp/kept", "from before");
  // A service, without which this process would not wait for anything.
  await runtime.spawn("setInterval(() => {}, 1000)");
  const told = new Promise((resolve) => runtime.once("draining", resolve));
  old.kill("SIGTERM");
  assert.deepEqual(await told, { timeoutMs: 120_000 });
  // Nothing new is made there, of what is there neither.
  await assert.rejects(runtime.clone(), { code: "ERR_SECURE_EXEC_FLEET_REFUSED" });
  const moved = await NodeRuntime.create({
    fleet: { servers: url },
    snapshot: await runtime.snapshot(),
  });
  await runtime.dispose();
  // Nothing was cut off.
  assert.deepEqual(await old.ended(), [0, null]);
  assert.equal(await moved.readFile("/tmp/kept", "utf8"), "from before");
  assert.deepEqual(
    (await status(url)).map(({ name, vms }) => [name, vms]),
    [["new", 1]],
  );
  await moved.dispose();
});

test(
  "a kernel that dies on its worker is lost for its machines, and the worker goes on",
  { skip },
  async () => {
    const { url } = await natsServer();
    const host = await worker(url);
    const { runtime, run } = await busy({ servers: url });
    const { spawnSync } = await import("node:child_process");
    const { stdout } = spawnSync("ps", ["-o", "pid=,args=", "--ppid", String(host.pid)], {
      encoding: "utf8",
    });
    const kernel = Number(/^\s*(\d+) secure-exec-kernel/m.exec(stdout)?.[1]);
    process.kill(kernel, "SIGKILL");
    await assert.rejects(run, { code: "ERR_SECURE_EXEC_KERNEL_LOST" });
    await runtime.dispose();
    const next = await NodeRuntime.create({ fleet: { servers: url } });
    assert.equal((await next.run("__return(5)")).value, 5);
    await next.dispose();
  },
);

test("a worker whose broker goes while it starts says so by code", async () => {
  // It lets the worker in, and hangs up when that wants to know that it has been heard.
  const info = { server_id: "a", version: "2.10.0", proto: 1, headers: true, max_payload: 65_536 };
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.write(`INFO ${JSON.stringify(info)}\r\n`);
    let isIn = false;
    socket.on("data", (bytes) => {
      if (!bytes.includes("PING\r\n")) return;
      if (isIn) return socket.destroy();
      isIn = true;
      socket.write("PONG\r\n");
    });
  });
  server.listen(0, "127.0.0.1");
  // A worker that has come in nevertheless keeps no test alive.
  server.unref().on("connection", (socket) => socket.unref());
  await once(server, "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  await assert.rejects(
    worker(`nats://127.0.0.1:${port}`, "--capacity", "machines=1"),
    /cannot be reached.*ERR_SECURE_EXEC_FLEET_UNREACHABLE/,
  );
  server.close();
});
