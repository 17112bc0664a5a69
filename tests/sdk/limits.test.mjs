// The limits option: what is refused, and that each limit holds where programs meet it.
import { limitTypes } from "../../scripts/limit-types.mjs";
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { it } from "node:test";
import { NodeRuntime } from "../../dist/index.js";
import { completeVmLimits, vmLimitNames, vmLimitTable } from "../../dist/protocol/limits.js";

const options = { timeout: 60_000 };
const MiB = 1024 * 1024;

async function withLimits(limits, use) {
  const rt = await NodeRuntime.create({ limits });
  try {
    return await use(rt);
  } finally {
    await rt.dispose();
  }
}

it("every limit has a default in its range", () => {
  for (const name of vmLimitNames) {
    const { least, most, what } = vmLimitTable[name];
    const value = completeVmLimits()[name];
    assert.ok(least <= value && value <= most && what.length > 0, name);
  }
});

it("bad limits are refused by name", options, async () => {
  for (const [limits, option] of [
    [5, "limits"],
    [[], "limits"],
    [{ bogus: 1 }, "limits.bogus"],
    [{ toString: 1 }, "limits.toString"],
    [{ memoryBytes: "1" }, "limits.memoryBytes"],
    [{ memoryBytes: 1 }, "limits.memoryBytes"],
    [{ memoryBytes: 2 ** 40 }, "limits.memoryBytes"],
    [{ processes: 1.5 }, "limits.processes"],
    [{ openFiles: NaN }, "limits.openFiles"],
    [{ cpuTimeMs: -1 }, "limits.cpuTimeMs"],
  ]) {
    await assert.rejects(NodeRuntime.create({ limits }), (error) => {
      assert.equal(error.code, "ERR_SECURE_EXEC_INVALID_OPTION");
      assert.equal(error.details.option, option);
      return true;
    });
  }
});

const hold = (bytes) =>
  `import os from "node:os";
  const kept = [];
  for (let held = 0; held < ${bytes}; held += ${MiB}) kept.push(Buffer.alloc(${MiB}, 1));
  __return([kept.length, os.totalmem()]);`;

it("memory below the default", options, () =>
  withLimits({ memoryBytes: 64 * MiB }, async (rt) => {
    assert.deepEqual((await rt.run(hold(16 * MiB))).value, [16, 64 * MiB]);
    const { exitCode, stderr } = await rt.exec(hold(128 * MiB));
    assert.notEqual(exitCode, 0);
    assert.match(stderr, /memory|allocation/i, `exit code ${exitCode}: ${JSON.stringify(stderr)}`);
    const heap = await rt.exec("const a = []; for (;;) a.push(new Array(1e4).fill(1.5));");
    assert.equal(heap.exitCode, 134);
    assert.match(heap.stderr, /ERR_SECURE_EXEC_MEMORY_LIMIT.*limits\.memoryBytes/);
  }),
);

it("memory above the default", options, () =>
  withLimits({ memoryBytes: 600 * MiB }, async (rt) => {
    assert.deepEqual((await rt.run(hold(450 * MiB))).value, [450, 600 * MiB]);
    assert.notEqual((await rt.exec(hold(700 * MiB))).exitCode, 0);
  }),
);

it("the least memory runs a program, and its children have the same", options, () =>
  withLimits({ memoryBytes: 32 * MiB }, async (rt) => {
    assert.equal((await rt.run("__return(1)")).value, 1);
    const { value } = await rt.run(`
      import { execFileSync } from "node:child_process";
      __return(Number(execFileSync("node", ["-p", "os.totalmem()"])));`);
    assert.equal(value, 32 * MiB);
  }),
);

it("the CPU time of a program and its children together", options, () =>
  withLimits({ cpuTimeMs: 600 }, async (rt) => {
    const alone = await rt.exec("for (;;);");
    assert.equal(alone.exitCode, 137);
    assert.match(alone.stderr, /^ERR_SECURE_EXEC_CPU_TIME_LIMIT: .*limits\.cpuTimeMs/m);
    // No process of it alone comes near the limit.
    const startedAt = performance.now();
    const chain = await rt.exec(`
      import { execFileSync } from "node:child_process";
      // Beside busy neighbours 200 ms of the clock are a few of a processor.
      const busy = \`
        const spent = ({ user, system }) => (user + system) / 1000;
        while (spent(process.cpuUsage()) < 200) for (let turn = 0; turn < 1e6; turn++);\`;
      for (let i = 0; ; i++) {
        execFileSync("node", ["-e", busy]);
        console.log(i);
      }`);
    assert.equal(chain.exitCode, 137);
    assert.match(chain.stderr, /ERR_SECURE_EXEC_CPU_TIME_LIMIT/);
    assert.ok(chain.stdout.split("\n").length < 20, chain.stdout);
    assert.ok(performance.now() - startedAt < 30_000);
    // Another run starts with a full account.
    assert.equal((await rt.run("__return(2)")).value, 2);
  }),
);

it("waiting costs no CPU time", options, () =>
  withLimits({ cpuTimeMs: 1000 }, async (rt) => {
    const { value } = await rt.run("await new Promise((r) => setTimeout(r, 1500)); __return(3);");
    assert.equal(value, 3);
  }),
);

it("wall time ends a program that only waits, and what it left behind", options, () =>
  withLimits({ wallTimeMs: 700 }, async (rt) => {
    const waits = await rt.exec("console.log('up'); setInterval(() => {}, 1e6);");
    assert.equal(waits.exitCode, 137);
    assert.match(waits.stderr, /^ERR_SECURE_EXEC_WALL_TIME_LIMIT: .*limits\.wallTimeMs/m);
    assert.equal(waits.stdout, "up\n");
    const left = await rt.exec(`
      import { spawn } from "node:child_process";
      spawn("sleep", ["1000"], { detached: true, stdio: "ignore" }).unref();`);
    assert.equal(left.exitCode, 0);
    for (;;) {
      const { stdout } = await rt.execCommand("ps", ["-e"]);
      if (!stdout.includes("sleep")) break;
    }
  }),
);

it("processes, open files, watches and workers", options, () =>
  withLimits({ processes: 3, openFiles: 16, watches: 2, threads: 1 }, async (rt) => {
    const { value, stderr } = await rt.run(`
      import fs from "node:fs";
      import { spawn } from "node:child_process";
      import { Worker } from "node:worker_threads";
      const until = async (make) => {
        for (let count = 0; ; count++) {
          try { await make(); } catch (error) { return [count, error.code]; }
        }
      };
      const kept = [];
      const children = [];
      const processes = await until(() => new Promise((done, fail) => {
        const child = spawn("sleep", ["100"], { stdio: "ignore" });
        children.push(child);
        child.on("error", fail).on("spawn", done);
      }));
      for (const child of children) child.kill("SIGKILL");
      const watches = await until(() => { kept.push(fs.watch("/tmp", () => {})); });
      for (const watch of kept.splice(0)) watch.close();
      const files = await until(() => { kept.push(fs.openSync("/tmp", "r")); });
      for (const fd of kept.splice(0)) fs.closeSync(fd);
      const workers = await until(() => new Promise((done, fail) => {
        const worker = new Worker("setInterval(() => {}, 1e6)", { eval: true });
        kept.push(worker);
        worker.on("error", fail).on("online", done);
      }));
      for (const worker of kept) worker.terminate();
      __return({ processes, watches, files: files[1], atMost: files[0] <= 13, workers });`);
    assert.equal(stderr, "");
    assert.deepEqual(value, {
      processes: [2, "EAGAIN"],
      watches: [2, "ENOSPC"],
      files: "EMFILE",
      atMost: true,
      workers: [1, "ERR_WORKER_INIT_FAILED"],
    });
  }),
);

it("no workers at all", options, () =>
  withLimits({ threads: 0 }, async (rt) => {
    const { stderr } = await rt.exec(`
      import { Worker } from "node:worker_threads";
      new Worker("", { eval: true });`);
    assert.match(stderr, /ERR_WORKER_INIT_FAILED/);
  }),
);

it("a full process table is the host's error too, and says which limit", options, () =>
  withLimits({ processes: 1 }, async (rt) => {
    const first = await rt.spawn("setInterval(() => {}, 1e6)");
    await assert.rejects(rt.exec("1"), (error) => {
      assert.equal(error.code, "ERR_SECURE_EXEC_PROCESS_LIMIT");
      assert.match(error.message, /limits\.processes/);
      return true;
    });
    first.kill("SIGKILL");
    await first.wait();
  }),
);

it("sockets and connections", options, () =>
  withLimits({ sockets: 3, connections: 1 }, async (rt) => {
    const { value } = await rt.run(`
      import net from "node:net";
      const listen = () => new Promise((done, fail) => {
        const server = net.createServer().on("error", fail);
        server.listen(0, "127.0.0.1", () => done(server));
      });
      const connect = (port) => new Promise((done) => {
        const socket = net.connect(port, "127.0.0.1");
        socket.on("error", ({ code }) => done(code)).on("connect", () => done("connected"));
      });
      const server = await listen();
      const { port } = server.address();
      const answers = [await connect(port), await connect(port)];
      const codes = [];
      for (let i = 0; i < 4; i++) await listen().catch(({ code }) => codes.push(code));
      __return({ answers, codes: [...new Set(codes)] });
      process.exit();`);
    assert.deepEqual(value.answers, ["connected", "ENOBUFS"]);
    assert.deepEqual(value.codes, ["ENFILE"]);
  }),
);

it("the file system's bytes and inodes", options, () =>
  withLimits({ fileSystemBytes: 8 * MiB, inodes: 1500 }, async (rt) => {
    const { value } = await rt.run(`
      import fs from "node:fs";
      const until = (make) => {
        for (let count = 0; ; count++) {
          try { make(count); } catch (error) { return [count, error.code]; }
        }
      };
      const megabyte = Buffer.alloc(${MiB}, 1);
      fs.mkdirSync("/tmp/d");
      const bytes = until((i) => fs.writeFileSync("/tmp/d/" + i, megabyte));
      fs.rmSync("/tmp/d", { recursive: true });
      const inodes = until((i) => fs.mkdirSync("/tmp/" + i));
      __return({ bytes: bytes[1], atMost: bytes[0] <= 8, inodes: inodes[1], fewer: inodes[0] < 1500 });`);
    assert.deepEqual(value, { bytes: "ENOSPC", atMost: true, inodes: "ENOSPC", fewer: true });
  }),
);

it("arguments of a process", options, () =>
  withLimits({ argumentBytes: 8192 }, async (rt) => {
    const { value } = await rt.run(`
      import { spawnSync } from "node:child_process";
      const code = (args, env = {}) => spawnSync("true", args, { env }).error?.code ?? "fine";
      __return([
        code(["x".repeat(4096)]),
        code(["x".repeat(8192)]),
        code(new Array(100_000).fill("x")),
        code(["x".repeat(9 * ${MiB})]),
        code([], { A: "x".repeat(9 * ${MiB}) }),
      ]);`);
    assert.deepEqual(value, ["fine", "E2BIG", "E2BIG", "E2BIG", "E2BIG"]);
  }),
);

it("captured output", options, () =>
  withLimits({ outputBytes: 1000 }, async (rt) => {
    const loud = `process.stdout.write("o".repeat(5000)); process.stderr.write("e".repeat(999));`;
    let seen = 0;
    for (const more of [{}, { onStdout: (chunk) => void (seen += chunk.length) }]) {
      const result = await rt.exec(loud, more);
      assert.deepEqual(
        [result.stdout.length, result.stdoutTruncated, result.stderr.length],
        [1000, true, 999],
      );
      assert.equal(result.stderrTruncated, false);
    }
    assert.equal(seen, 5000);
  }),
);

it("docs/limits.md lists the table", () => {
  const text = readFileSync(new URL("../../docs/limits.md", import.meta.url), "utf8");
  const rows = text.split("\n").filter((line) => line.startsWith("| `"));
  const wanted = vmLimitNames.map((name) => {
    const entry = vmLimitTable[name];
    return `| \`${name}\` | ${entry.default} | ${entry.least}–${entry.most} | ${entry.what} |`;
  });
  assert.deepEqual(rows, wanted);
});

it("what editors show of each limit is the table's", () => {
  const text = readFileSync(new URL("../../src/sdk/limit-types.ts", import.meta.url), "utf8");
  assert.equal(text, limitTypes(), "run node scripts/limit-types.mjs");
  const shipped = readFileSync(new URL("../../dist/sdk/limit-types.d.ts", import.meta.url), "utf8");
  for (const name of vmLimitNames)
    assert.match(
      shipped,
      new RegExp(`@default ${vmLimitTable[name].default}\\b[^]{0,40}\\b${name}\\?: number`),
    );
});
