// The older generation: drivers, permission helpers, results with a code, on the same machine.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import {
  NodeRuntime,
  Sidecar,
  SidecarProcess,
  allowAll,
  allowAllChildProcess,
  allowAllEnv,
  allowAllFs,
  allowAllNetwork,
  createNodeDriver,
  createNodeRuntimeDriverFactory,
} from "../../dist/index.js";
import { parsePermissions } from "../../dist/sdk/permissions.js";
import { StdioLines } from "../../dist/sdk/driver/stdio-lines.js";

const it = (name, body) => test(name, { timeout: 60_000 }, body);
const factory = createNodeRuntimeDriverFactory();

function runtime(t, driver, options) {
  const made = new NodeRuntime({
    systemDriver: createNodeDriver(driver),
    runtimeDriverFactory: factory,
    ...options,
  });
  t.after(() => made.dispose());
  return made;
}

/** What each scope lets through, as a program sees it. */
const probe = `
  const { spawnSync } = require("node:child_process");
  const fs = require("node:fs");
  const attempt = async (work) => {
    try {
      return await work();
    } catch (error) {
      return error.cause?.code ?? error.code ?? error.message;
    }
  };
  __return({
    fs: await attempt(() => fs.readFileSync("/etc/hostname", "utf8").trim()),
    network: await attempt(() => fetch("http://nobody.invalid/")),
    childProcess: await attempt(() => {
      const { error, stdout } = spawnSync("node", ["-p", "1"], { encoding: "utf8" });
      return error?.code ?? stdout.trim();
    }),
    env: Object.keys(process.env).length > 0,
    tool: await attempt(() => callHostTool("now", {})),
  });
`;
const allDenied = {
  fs: "EACCES",
  network: "EACCES",
  childProcess: "EACCES",
  env: false,
  tool: "EACCES",
};

it("without permissions every scope is denied, and the program still runs", async (t) => {
  for (const driver of [undefined, {}, { permissions: {} }]) {
    const made = runtime(t, driver);
    await made.registerTools({ now: { description: "time", handler: () => "now" } });
    const result = await made.run(probe);
    assert.equal(result.stderr, "");
    assert.deepEqual(result.value, allDenied);
  }
});

it("a helper opens its scope and no other, as a value and spread", async (t) => {
  const outside = /^(ENOTFOUND|EAI_AGAIN)$/;
  for (const permissions of [
    { fs: allowAllFs, env: allowAllEnv },
    { ...allowAllFs, ...allowAllEnv },
  ]) {
    const { value } = await runtime(t, { permissions }).run(probe);
    assert.deepEqual([value.fs, value.env], ["secure-exec", true]);
    assert.deepEqual([value.network, value.childProcess], ["EACCES", "EACCES"]);
  }
  for (const permissions of [
    { network: allowAllNetwork, childProcess: allowAllChildProcess },
    { ...allowAllNetwork, ...allowAllChildProcess },
  ]) {
    const { value } = await runtime(t, { permissions }).run(probe);
    assert.match(value.network, outside);
    assert.deepEqual([value.fs, value.env, value.childProcess], ["EACCES", false, "1"]);
  }
  const { value } = await runtime(t, {
    permissions: allowAll,
    tools: { now: { description: "time", handler: () => "now" } },
  }).run(probe);
  assert.match(value.network, outside);
  assert.deepEqual(
    [value.fs, value.childProcess, value.env, value.tool],
    ["secure-exec", "1", true, "now"],
  );
});

test("helpers are modes, not questions to the host, in both generations", () => {
  const { policies, functions } = parsePermissions(
    { fs: allowAllFs, ...allowAllNetwork, childProcess: allowAllChildProcess, env: allowAllEnv },
    false,
  );
  assert.deepEqual(policies, { ...allowAll, tool: "deny" });
  assert.equal(functions.size, 0);
  // In another scope it is a check like any other.
  const other = parsePermissions({ env: allowAllFs }, false);
  assert.equal(other.policies.env, "ask");
  assert.equal(other.functions.get("env")(), true);
  assert.throws(() => {
    allowAll.fs = "deny";
  }, TypeError);
});

it("checks see the older names of a request's fields, and answer in every older form", async (t) => {
  const seen = { fs: [], network: [], childProcess: [], env: [] };
  const made = runtime(t, {
    env: { API_KEY: "secret" },
    permissions: {
      fs: (request) => {
        seen.fs.push([request.op, request.operation, request.path]);
        return { allow: request.operation === "read", reason: "reading only" };
      },
      network: async (request) => {
        seen.network.push([request.op, request.hostname, request.url]);
        return !request.hostname.endsWith(".internal");
      },
      childProcess: (request) => {
        seen.childProcess.push([request.command, request.args]);
        return ["node", "python3"].includes(request.command);
      },
      env: (request) => {
        seen.env.push([request.op, request.key, request.name]);
        return Promise.resolve({ allow: ["PATH", "HOME"].includes(request.name) });
      },
    },
  });
  const { value, stderr } = await made.run(`
    const fs = require("node:fs");
    const { spawnSync } = require("node:child_process");
    const failed = (work) => { try { work(); return "done"; } catch (error) { return error.message; } };
    __return([
      failed(() => fs.readFileSync("/etc/hostname")),
      failed(() => fs.writeFileSync("/tmp/x", "")),
      await fetch("http://db.internal/").catch((error) => error.cause.code),
      spawnSync("node", ["-p", "2"], { encoding: "utf8" }).stdout,
      spawnSync("ls").error.code,
      process.env.HOME, process.env.API_KEY ?? "none",
    ]);
  `);
  assert.equal(stderr, "");
  assert.deepEqual(value, [
    "done",
    "EACCES: permission denied, /tmp/x: blocked by fs.write policy: reading only",
    "EACCES",
    "2\n",
    "EACCES",
    "/home/user",
    "none",
  ]);
  assert.deepEqual(seen.network, [["dns", "db.internal", "dns://db.internal"]]);
  assert.deepEqual(seen.childProcess, [
    ["node", ["-p", "2"]],
    ["ls", []],
  ]);
  assert.ok(seen.fs.some((entry) => entry.join() === "write,write,/tmp/x"));
  assert.ok(seen.env.some((entry) => entry.join() === "read,API_KEY,API_KEY"));
});

it("results carry code, exitCode, output and what went wrong", async (t) => {
  const made = runtime(t, { permissions: allowAll });
  const streams = { stdoutTruncated: false, stderrTruncated: false };
  assert.deepEqual(await made.exec("console.log('out'); console.error('err');"), {
    ...streams,
    code: 0,
    exitCode: 0,
    stdout: "out\n",
    stderr: "err\n",
  });
  const thrown = await made.exec(
    "console.error('RangeError: not this'); throw new TypeError('bad');",
  );
  assert.deepEqual([thrown.code, thrown.exitCode, thrown.errorMessage], [1, 1, "TypeError: bad"]);
  const left = await made.exec("process.exit(3)");
  assert.deepEqual([left.code, left.errorMessage], [3, undefined]);
  const late = await made.exec("setInterval(() => {}, 1000)", { timeout: 100 });
  assert.deepEqual([late.code, late.errorMessage], [137, "the program was ended by signal 9"]);
  const value = await made.run("__return([1])", "/tmp/entry.mjs");
  assert.deepEqual([value.value, value.code], [[1], 0]);
  const created = await NodeRuntime.create();
  t.after(() => created.dispose());
  assert.equal("code" in (await created.exec("")), false);
});

it("cpuTimeLimitMs ends what computes for too long, with 124, and not what waits", async (t) => {
  const made = runtime(t, { permissions: allowAll }, { cpuTimeLimitMs: 150 });
  const busy = await made.exec("console.log('before'); for (;;);");
  assert.deepEqual(
    [busy.code, busy.exitCode, busy.stdout, busy.errorMessage],
    [124, 124, "before\n", "CPU time limit exceeded"],
  );
  const waiting = await made.exec("setTimeout(() => console.log('awake'), 400)");
  assert.deepEqual([waiting.code, waiting.stdout], [0, "awake\n"]);
  const worker = await made.exec(`
    const { Worker } = require("node:worker_threads");
    new Worker("for (;;);", { eval: true });
  `);
  assert.equal(worker.code, 124);
  const child = await made.exec(`
    const { status, signal } = require("node:child_process").spawnSync("node", ["-e", "for (;;);"]);
    console.log(status, signal);
  `);
  // One budget for the program and all it starts.
  assert.deepEqual([child.code, child.stdout], [124, ""]);
  const patient = await made.exec(
    "const end = performance.now() + 400; while (performance.now() < end); console.log('done')",
    { cpuTimeLimitMs: 60_000 },
  );
  assert.deepEqual([patient.code, patient.stdout], [0, "done\n"]);
});

it("memoryLimit bounds heap and buffers, in children too", async (t) => {
  const made = runtime(t, { permissions: allowAll }, { memoryLimit: 64 });
  const sizes = "[require('os').totalmem(), process.constrainedMemory()].join()";
  const told = await made.exec(`console.log(${sizes})`);
  assert.equal(told.stdout, `${64 * 1024 * 1024},${64 * 1024 * 1024}\n`);
  const fill = "const kept = []; for (let i = 0; i < 100; i++) kept.push(Buffer.alloc(1e6, 1));";
  const buffers = await made.exec(`${fill} console.log("held");`);
  assert.equal(buffers.stdout, "");
  assert.notEqual(buffers.code, 0);
  const child = await made.exec(
    `console.log(require("child_process").spawnSync("node", ["-e", ${JSON.stringify(`${fill} console.log("held")`)}], { encoding: "utf8" }).stdout === "")`,
  );
  assert.equal(child.stdout, "true\n");
  const heap = await made.exec("const kept = []; for (;;) kept.push(new Array(1e4).fill(1.5));");
  assert.notEqual(heap.code, 0);
  assert.match(heap.errorMessage, /memory/);
  // The same program fits where there is no such limit.
  const roomy = await runtime(t, { permissions: allowAll }).exec(`${fill} console.log("held");`);
  assert.equal(roomy.stdout, "held\n");
});

it("onStdio gets whole lines; that of a run goes before that of the runtime", async (t) => {
  const all = [];
  const own = [];
  const made = runtime(t, {}, { onStdio: (event) => all.push(event) });
  const program = `process.stdout.write("on"); process.stdout.write("e\\ntw\\u00f6"); console.error("bad");`;
  const result = await made.exec(program);
  assert.equal(result.stdout, "one\ntwö");
  const lines = (channel, events) =>
    events.filter((event) => event.channel === channel).map(({ message }) => message);
  assert.deepEqual(lines("stdout", all), ["one", "twö"]);
  assert.deepEqual(lines("stderr", all), ["bad"]);
  all.length = 0;
  await made.exec(program, { onStdio: (event) => own.push(event) });
  assert.deepEqual(all, []);
  assert.deepEqual(lines("stdout", own), ["one", "twö"]);
});

it("a program waits while onStdio does, and one that throws fails the call", async (t) => {
  const made = runtime(t, {});
  let busy = 0;
  let most = 0;
  await made.exec("for (let i = 0; i < 200; i++) console.log(i)", {
    onStdio: async () => {
      most = Math.max(most, ++busy);
      await new Promise(setImmediate);
      busy--;
    },
  });
  assert.equal(most, 1);
  const broken = new Error("hook");
  await assert.rejects(
    made.exec("console.log(1)", {
      onStdio: () => {
        throw broken;
      },
    }),
    (error) => error === broken,
  );
});

test("lines are put together from any pieces, and cut when they do not end", async () => {
  const text = "a\r\n\nzwölf €\nlast";
  for (let step = 1; step < 9; step++) {
    const got = [];
    const lines = new StdioLines("stdout", ({ message }) => got.push(message));
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length; at += step) await lines.push(bytes.subarray(at, at + step));
    await lines.end();
    assert.deepEqual(got, ["a", "", "zwölf €", "last"]);
  }
  const got = [];
  const lines = new StdioLines("stderr", (event) => got.push(event));
  for (let i = 0; i < 10; i++) await lines.push(Buffer.alloc(10_000, "x"));
  await lines.end();
  assert.equal(got.map(({ message }) => message).join(""), "x".repeat(100_000));
  assert.ok(got.length > 1 && got.every(({ message }) => message.length < 80_000));
});

it("the machine is made when first used, is used on, and one driver serves many", async (t) => {
  const driver = createNodeDriver({ permissions: allowAll, files: { "/root/a": "seed" } });
  const make = () => new NodeRuntime({ systemDriver: driver, runtimeDriverFactory: factory });
  const [one, two, never] = [make(), make(), make()];
  t.after(() => Promise.all([one.dispose(), two.dispose()]));
  assert.ok(one instanceof NodeRuntime);
  assert.equal(one.findListener({ port: 1 }), null);
  // Two first calls at once share the machine.
  const [first] = await Promise.all([
    one.exec("require('fs').appendFileSync('/root/a', ' and more')"),
    one.writeFile("/root/b", "b"),
  ]);
  assert.equal(first.code, 0);
  assert.equal(Buffer.from(await one.readFile("/root/a")).toString(), "seed and more");
  assert.equal(Buffer.from(await one.readFile("/root/b")).toString(), "b");
  assert.equal(Buffer.from(await two.readFile("/root/a")).toString(), "seed");
  const server = await one.spawn(
    "require('http').createServer((_, r) => r.end('hi')).listen(4000)",
  );
  await one.waitForListener({ port: 4000 });
  assert.equal((await one.fetch(4000, { path: "/" })).body, "hi");
  server.kill();
  assert.equal(await server.wait(), 143);
  await never.dispose();
  await assert.rejects(never.exec("1"), { code: "ERR_SECURE_EXEC_DISPOSED" });
  const opening = make();
  const refused = assert.rejects(opening.exec("1"), { code: "ERR_SECURE_EXEC_DISPOSED" });
  await opening.dispose();
  await refused;
});

it("who may start processes may signal them, unless told otherwise", async (t) => {
  for (const [permissions, answer] of [
    [{}, "EACCES"],
    [{ childProcess: false }, "EACCES"],
    [{ childProcess: allowAllChildProcess, process: "deny" }, "EACCES"],
    [{ ...allowAllChildProcess }, "done"],
    [{ process: true }, "done"],
  ]) {
    const made = runtime(t, { permissions });
    const other = await made.spawn("setInterval(() => {}, 1000)");
    const { value } = await made.run(`
      try {
        process.kill(${other.pid}, 0);
        __return("done");
      } catch (error) {
        __return(error.code);
      }
    `);
    assert.equal(value, answer, JSON.stringify(permissions));
    other.kill();
  }
});

it("useDefaultNetwork: false shuts the network", async (t) => {
  const { value } = await runtime(t, { permissions: allowAll, useDefaultNetwork: false }).run(
    probe,
  );
  assert.equal(value.network, "EACCES");
});

test("bad options are refused by name, at once", () => {
  const driver = createNodeDriver();
  const refused = (code, pattern) => ({ code: `ERR_SECURE_EXEC_${code}`, message: pattern });
  for (const [work, code, pattern] of [
    [() => createNodeDriver({ permission: {} }), "INVALID_OPTION", /^permission is not/],
    [() => createNodeDriver({ permissions: true }), "INVALID_OPTION", /^permissions must be/],
    [
      () => createNodeDriver({ permissions: { disk: true } }),
      "INVALID_OPTION",
      /^permissions\.disk/,
    ],
    [() => createNodeDriver({ permissions: { fs: "yes" } }), "INVALID_OPTION", /^permissions\.fs/],
    [() => createNodeDriver({ useDefaultNetwork: 1 }), "INVALID_OPTION", /^useDefaultNetwork/],
    [() => createNodeDriver({ filesystem: {} }), "INVALID_OPTION", /^filesystem must have/],
    [() => createNodeDriver({ moduleAccess: { cwd: 1 } }), "INVALID_OPTION", /^moduleAccess\.cwd/],
    [() => new NodeRuntime(), "INVALID_OPTION", /^systemDriver must be made by/],
    [() => new NodeRuntime({ systemDriver: {} }), "INVALID_OPTION", /^systemDriver/],
    [() => new NodeRuntime({ systemDriver: driver }), "INVALID_OPTION", /^runtimeDriverFactory/],
  ])
    assert.throws(work, refused(code, pattern));
  const make = (options) => () =>
    new NodeRuntime({ systemDriver: driver, runtimeDriverFactory: factory, ...options });
  for (const [options, code, pattern] of [
    [{ memoryLimit: 8 }, "INVALID_OPTION", /^memoryLimit must be .* 32 to 4096/],
    [{ memoryLimit: 5000 }, "INVALID_OPTION", /^memoryLimit/],
    [{ memoryLimit: "64" }, "INVALID_OPTION", /^memoryLimit/],
    [{ cpuTimeLimitMs: 0 }, "INVALID_OPTION", /^cpuTimeLimitMs/],
    [{ onStdio: 1 }, "INVALID_OPTION", /^onStdio/],
    [{ timingMitigation: "on" }, "INVALID_OPTION", /^timingMitigation/],
    [{ resourceBudgets: {} }, "NOT_IMPLEMENTED", /^resourceBudgets/],
    [{ env: {} }, "INVALID_OPTION", /^env is not/],
  ])
    assert.throws(make(options), refused(code, pattern));
});

it("a run's options are checked as elsewhere", async (t) => {
  const made = runtime(t, {});
  for (const [options, pattern] of [
    [{ tiemout: 1 }, /^tiemout is not a known option/],
    [[], /^options must be an object/],
    [null, /^options must be an object/],
    [{ filePath: "/a.mjs", name: "/b.mjs" }, /^filePath means the same/],
    [{ cpuTimeLimitMs: -1 }, /^cpuTimeLimitMs/],
    [{ onStdio: {} }, /^onStdio/],
  ])
    await assert.rejects(made.exec("", options), {
      code: "ERR_SECURE_EXEC_INVALID_OPTION",
      message: pattern,
    });
});

it("timingMitigation freezes the clocks, moduleAccess shows the modules of a directory", async (t) => {
  const frozen = runtime(t, { permissions: allowAll }, { timingMitigation: "freeze" });
  const { value } = await frozen.run(
    "const a = Date.now(); for (let i = 0; i < 3e7; i++); __return(Date.now() - a)",
  );
  assert.equal(value, 0);
  const root = fileURLToPath(new URL("../..", import.meta.url));
  const modules = runtime(t, { permissions: allowAll, moduleAccess: { cwd: root } });
  const loaded = await modules.exec(
    "console.log(typeof require('@cfworker/json-schema').Validator)",
    { filePath: "/root/main.mjs" },
  );
  assert.equal(loaded.stdout, "function\n", loaded.stderr);
});

test("a runtime that is never disposed does not keep its host alive", () => {
  const entry = new URL("../../dist/index.js", import.meta.url).href;
  const { status, stdout } = spawnSync(
    process.execPath,
    [
      "--input-type=module",
      "--eval",
      `import { NodeRuntime, createNodeDriver, createNodeRuntimeDriverFactory } from "${entry}";
       const runtime = new NodeRuntime({ systemDriver: createNodeDriver(), runtimeDriverFactory: createNodeRuntimeDriverFactory() });
       console.log((await runtime.exec("console.log(1)")).stdout);`,
    ],
    { encoding: "utf8", timeout: 60_000 },
  );
  assert.equal(stdout, "1\n\n");
  assert.equal(status, 0);
});

test("the kernel process has both of its names", () => {
  assert.equal(Sidecar, SidecarProcess);
});
