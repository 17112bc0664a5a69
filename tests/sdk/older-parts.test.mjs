// The older generation's parts: a file system that becomes the machine's, and those that mean little.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, promises, readFileSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import {
  NodeExecutionDriver,
  NodeFileSystem,
  NodeRuntime,
  allowAllChildProcess,
  allowAllEnv,
  allowAllFs,
  createDefaultNetworkAdapter,
  createInMemoryFileSystem,
  createNodeDriver,
  createNodeHostCommandExecutor,
  createNodeRuntimeDriverFactory,
  createNodeV8Runtime,
} from "../../dist/index.js";

const it = (name, body) => test(name, { timeout: 60_000 }, body);
const refused = (name, pattern) => (error) =>
  error.code === `ERR_SECURE_EXEC_${name}` && pattern.test(error.message);

/** A file system whose paths start below a directory, with the codes of the machine's for errors. */
function prefixed(fs, root) {
  const codes = { ENOENT: "NO_SUCH_FILE" };
  const call = async (name, path, ...rest) => {
    const args = name === "rename" ? [join(root, rest[0])] : rest;
    try {
      return await fs[name](join(root, path), ...args);
    } catch (error) {
      const code = `ERR_SECURE_EXEC_${codes[error.code] ?? "FILE"}`;
      throw Object.assign(new Error(error.message), { code });
    }
  };
  return new Proxy(
    {},
    {
      get:
        (_target, name) =>
        (...args) =>
          call(name, ...args),
    },
  );
}

/** The same calls with the same answers, whoever answers them. */
async function exercise(fs) {
  await fs.mkdir("/w/deep");
  await fs.mkdir("/w/deep");
  await assert.rejects(fs.createDir("/w/deep"));
  await assert.rejects(fs.createDir("/none/below"));
  await fs.writeFile("/w/a.txt", "text");
  await fs.writeFile("/w/new/b.bin", new Uint8Array([1, 2, 3]));
  assert.equal(await fs.readTextFile("/w/./a.txt"), "text");
  assert.deepEqual(await fs.readFile("/w/new/b.bin"), new Uint8Array([1, 2, 3]));
  assert.deepEqual(await fs.pread("/w/new/b.bin", 1, 1), new Uint8Array([2]));
  assert.deepEqual(await fs.readDir("/w"), ["a.txt", "deep", "new"]);
  assert.deepEqual(
    (await fs.readDirWithTypes("/w")).map(({ isDirectory }) => isDirectory),
    [false, true, true],
  );
  assert.deepEqual([await fs.exists("/w/new"), await fs.exists("/w/none")], [true, false]);
  const { size, isDirectory, isSymbolicLink } = await fs.stat("/w/a.txt");
  assert.deepEqual([size, isDirectory, isSymbolicLink], [4, false, false]);
  assert.equal((await fs.lstat("/w")).isDirectory, true);
  await fs.truncate("/w/a.txt", 2);
  await fs.rename("/w/a.txt", "/w/c.txt");
  assert.equal(await fs.readTextFile("/w/c.txt"), "te");
  await fs.rename("/w/new", "/w/old");
  assert.equal(await fs.exists("/w/old/b.bin"), true);
  await assert.rejects(fs.readFile("/w/none"), refused("NO_SUCH_FILE", /none/));
  await assert.rejects(fs.readFile("/w"), refused("FILE", /EISDIR/));
  await assert.rejects(fs.readDir("/w/c.txt"), refused("FILE", /ENOTDIR/));
  await assert.rejects(fs.removeFile("/w/old"), refused("FILE", /EISDIR/));
  await assert.rejects(fs.removeDir("/w/old"), refused("FILE", /ENOTEMPTY/));
  await fs.removeFile("/w/old/b.bin");
  await fs.removeDir("/w/old");
  await fs.removeFile("/w/c.txt");
  assert.deepEqual(await fs.readDir("/w"), ["deep"]);
}

const permissions = { fs: allowAllFs, childProcess: allowAllChildProcess, env: allowAllEnv };

it("a file system answers alike before and after its machine is made", async (t) => {
  const fs = createInMemoryFileSystem();
  await exercise(fs);
  await fs.writeFile("/workspace/in.txt", "from outside");
  const runtime = new NodeRuntime({
    systemDriver: createNodeDriver({
      filesystem: fs,
      permissions,
      processConfig: { cwd: "/workspace", env: { A: "1" } },
    }),
    runtimeDriverFactory: createNodeRuntimeDriverFactory(),
  });
  t.after(() => runtime.dispose());
  const { stdout, code } = await runtime.exec(`
    const fs = require("fs");
    fs.writeFileSync("out.txt", "from inside");
    console.log(fs.readFileSync("in.txt", "utf8"), process.env.A, fs.readdirSync("/w").join());
  `);
  assert.deepEqual([stdout, code], ["from outside 1 deep\n", 0]);
  assert.equal(await fs.readTextFile("/workspace/out.txt"), "from inside");
  await fs.removeDir("/w/deep");
  await exercise(fs);
});

it("it serves one runtime, and clones of it leave it alone", async (t) => {
  const filesystem = createInMemoryFileSystem();
  const systemDriver = createNodeDriver({ filesystem, permissions });
  const runtimeDriverFactory = createNodeRuntimeDriverFactory();
  const one = new NodeRuntime({ systemDriver, runtimeDriverFactory });
  const two = new NodeRuntime({ systemDriver, runtimeDriverFactory });
  t.after(() => Promise.all([one.dispose(), two.dispose()]));
  await one.writeFile("/a", "one");
  await assert.rejects(two.writeFile("/a", "two"), refused("INVALID_OPTION", /another runtime/));
  const clone = await one.clone();
  t.after(() => clone.dispose());
  await clone.writeFile("/a", "clone");
  assert.equal(await filesystem.readTextFile("/a"), "one");
});

it("an executor is not called for commands that the machine has", async (t) => {
  const commandExecutor = { spawn: () => assert.fail("started on the host") };
  const runtime = new NodeRuntime({
    systemDriver: createNodeDriver({
      commandExecutor,
      networkAdapter: createDefaultNetworkAdapter(),
      permissions,
    }),
    runtimeDriverFactory: createNodeRuntimeDriverFactory({
      v8Runtime: await createNodeV8Runtime(),
    }),
  });
  t.after(() => runtime.dispose());
  const { stdout } = await runtime.exec(
    `console.log(require("child_process").execSync("hostname", { encoding: "utf8" }))`,
  );
  assert.equal(stdout, "secure-exec\n\n");
});

function driverRuntime(t, options) {
  const runtime = new NodeRuntime({
    systemDriver: createNodeDriver({ permissions, ...options }),
    runtimeDriverFactory: createNodeRuntimeDriverFactory(),
  });
  t.after(() => runtime.dispose());
  return runtime;
}

/** An executor whose commands are functions of a handle. */
function executorOf(commands, calls = []) {
  return {
    servesShell: true,
    spawn(command, args, options) {
      calls.push([command, args, options.cwd, options.env?.A]);
      if (!(command in commands)) throw new Error(`${command} is not in the list`);
      const handle = { ...options, input: [], killed: undefined };
      const ended = new Promise((resolve) => {
        handle.exit = resolve;
        handle.closed = new Promise((close) => (handle.close = close));
      });
      queueMicrotask(() => commands[command](handle));
      return {
        writeStdin: (data) => void handle.input.push(Buffer.from(data)),
        closeStdin: () => handle.close(),
        kill: (signal) => {
          handle.killed = signal;
          handle.exit(128 + signal);
        },
        wait: () => ended,
      };
    },
  };
}

it("an executor runs the commands that the machine has not", async (t) => {
  const calls = [];
  const commandExecutor = executorOf(
    {
      async shout({ closed, input, onStdout, onStderr, exit }) {
        await closed;
        onStderr(Buffer.from("heard\n"));
        onStdout(Buffer.from(Buffer.concat(input).toString().toUpperCase()));
        exit(3);
      },
    },
    calls,
  );
  const runtime = driverRuntime(t, { commandExecutor, cwd: "/tmp", env: { A: "1" } });
  const { stdout, stderr, code } = await runtime.exec(`
    const { spawnSync, execSync } = require("child_process");
    const options = { encoding: "utf8", input: "quiet" };
    const { status, stdout, stderr } = spawnSync("shout", ["-x", "two words"], options);
    console.log(JSON.stringify([status, stdout, stderr]));
    console.log(execSync("echo from sh | shout; echo $?; missing; echo $?", { encoding: "utf8" }));
  `);
  assert.equal(stdout, '[3,"QUIET","heard\\n"]\nFROM SH\n3\n126\n\n', stderr);
  assert.match(stderr, /missing: missing is not in the list/);
  assert.equal(code, 0);
  assert.deepEqual(calls[0], ["shout", ["-x", "two words"], "/tmp", "1"]);
  assert.deepEqual(
    calls.map(([command]) => command),
    ["shout", "shout", "missing"],
  );
});

it("an older executor is not asked for what a shell does not find", async (t) => {
  const { spawn } = executorOf({ shout: ({ exit }) => exit(3) });
  const runtime = driverRuntime(t, { commandExecutor: { spawn } });
  const { stdout } = await runtime.exec(`
    const { spawnSync } = require("child_process");
    console.log(spawnSync("shout").status, spawnSync("sh", ["-c", "shout"]).status);
  `);
  assert.equal(stdout, "3 127\n");
});

it("an executor is asked for nothing that the policy denies, or that another process names", async (t) => {
  const calls = [];
  const commandExecutor = executorOf({ allowed: ({ exit }) => exit(0) }, calls);
  const childProcess = { default: "deny", rules: [{ mode: "allow", patterns: ["allowed", "sh"] }] };
  const runtime = driverRuntime(t, {
    commandExecutor,
    permissions: { ...permissions, childProcess },
  });
  const { stdout } = await runtime.exec(`
    const fs = require("fs");
    const { spawnSync } = require("child_process");
    const run = (...args) => { const { error, status } = spawnSync(...args); return error?.code ?? status; };
    fs.mkdirSync("/tmp/own");
    fs.copyFileSync("/bin/cat", "/tmp/own/allowed");
    console.log(run("allowed"), run("other"), run("/tmp/own/allowed"), run("./allowed"), run("sh", ["-c", "other"]));
    console.log(typeof callHostTool, await callHostTool("#commands", { step: 0, id: "x", command: "other" }).catch((error) => error.code));
  `);
  assert.equal(stdout, "0 EACCES EACCES EACCES 126\nfunction ERR_TOOL_NOT_FOUND\n");
  assert.deepEqual(
    calls.map(([command]) => command),
    ["allowed"],
  );
});

it("a command ends with its process, and with output that nobody takes", async (t) => {
  let endless;
  const idle = new Promise((resolve) => {
    endless = resolve;
  });
  const commandExecutor = executorOf({
    idle: (handle) => {
      handle.onStdout(Buffer.from("up\n"));
      endless(handle);
    },
    flood: ({ onStdout }) => {
      for (let i = 0; i < 40; i++) onStdout(new Uint8Array(1024 * 1024));
    },
  });
  const runtime = driverRuntime(t, { commandExecutor });
  const { stdout, stderr } = await runtime.exec(`
    const { spawn } = require("child_process");
    const { once } = require("events");
    const idle = spawn("idle", { stdio: ["pipe", "pipe", "inherit"] });
    await once(idle.stdout, "data");
    idle.kill();
    console.log((await once(idle, "exit"))[1]);
    const flood = spawn("flood", { stdio: ["ignore", "ignore", "inherit"] });
    console.log((await once(flood, "exit"))[0]);
  `);
  assert.equal(stdout, "SIGTERM\n137\n");
  assert.match(stderr, /killed: more than 16777216 bytes of output waited/);
  const { killed } = await idle;
  assert.equal(killed, 9);
});

it("createNodeHostCommandExecutor runs programs of the host, by name and without the program's variables", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "executor-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const script = '#!/bin/sh\necho "$1 $A$B in $(basename "$PWD")"; cat; exit 5\n';
  writeFileSync(join(folder, "greet-host"), script, { mode: 0o755 });
  const env = { PATH: `${folder}:/usr/bin:/bin` };
  const runtime = driverRuntime(t, {
    commandExecutor: createNodeHostCommandExecutor({ cwd: folder, env, passEnv: ["B"] }),
    env: { A: "a", B: "b" },
  });
  const { stdout } = await runtime.exec(`
    const { spawnSync } = require("child_process");
    const greeted = spawnSync("greet-host", ["hello"], { encoding: "utf8", input: "typed" });
    console.log(JSON.stringify([greeted.status, greeted.stdout]), spawnSync("not-anywhere").status);
  `);
  assert.equal(stdout, `[5,"hello b in ${basename(folder)}\\ntyped"] 127\n`);
});

it("NodeFileSystem shows one directory of the host at its own path", async (t) => {
  const root = mkdtempSync(join(homedir(), ".node-file-system-"));
  t.after(() => rmSync(root, { recursive: true }));
  const filesystem = new NodeFileSystem({ root });
  await exercise(prefixed(filesystem, root));
  await filesystem.writeFile(join(root, "in.txt"), "from outside");
  const runtime = driverRuntime(t, { filesystem });
  const { stdout } = await runtime.exec(`
    const fs = require("fs");
    console.log(process.cwd(), fs.readFileSync("in.txt", "utf8"), fs.existsSync(${JSON.stringify(fileURLToPath(import.meta.url))}));
    fs.writeFileSync("out.txt", "from inside");
  `);
  assert.equal(stdout, `${root} from outside false\n`);
  assert.equal(await filesystem.readTextFile(join(root, "out.txt")), "from inside");
  assert.throws(() => createNodeDriver({ filesystem: new NodeFileSystem({ root: "/" }) }), {
    code: "ERR_SECURE_EXEC_INVALID_OPTION",
  });
});

it("NodeExecutionDriver: bindings of the host, and a program's exports", async (t) => {
  const system = createNodeDriver({ permissions: { fs: () => ({ allow: false }) } });
  const driver = new NodeExecutionDriver({
    system,
    runtime: { process: { ...system.runtime.process, cwd: "/root" }, os: { homedir: "/root" } },
    memoryLimit: 64,
    cpuTimeLimitMs: 30_000,
    bindings: {
      callTool: async (name, args) => ({ name, args }),
      math: {
        double: (n) => n * 2,
        fail: () => {
          throw new RangeError("too much");
        },
      },
    },
  });
  t.after(() => driver.terminate());
  const module = await driver.run(
    `const { callTool, math } = SecureExec.bindings;
     export default [await callTool("t", { q: 1 }), await math.double(21)];
     export const failed = await math.fail().catch((error) => error.name + ": " + error.message);`,
    "/entry.mjs",
  );
  assert.deepEqual(
    [module.code, module.exports],
    [0, { default: [{ name: "t", args: { q: 1 } }, 42], failed: "RangeError: too much" }],
  );
  const script = await driver.run("module.exports = require('path').join('a', __filename);");
  assert.deepEqual([script.code, script.exports], [0, "a/entry.js"]);
  const thrown = await driver.run("throw new TypeError('no')");
  assert.deepEqual(
    [thrown.code, thrown.errorMessage, thrown.exports],
    [1, "TypeError: no", undefined],
  );
  const { stdout } = await driver.exec("console.log(await SecureExec.bindings.math.double(4))");
  assert.equal(stdout, "8\n");
  for (const bindings of [
    { "not-a-name": () => 1 },
    { a: { b: { c: { d: { e: () => 1 } } } } },
    { a: 1 },
  ])
    assert.throws(() => new NodeExecutionDriver({ system, bindings }), {
      code: "ERR_SECURE_EXEC_INVALID_OPTION",
    });
  const many = Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`f${i}`, () => i]));
  assert.throws(() => new NodeExecutionDriver({ system, bindings: many }), /the limit is 64/);
});

it("other objects are refused", () => {
  for (const [options, code, pattern] of [
    [{ filesystem: {} }, "INVALID_OPTION", /^filesystem must have the methods/],
    [{ networkAdapter: {} }, "NOT_IMPLEMENTED", /createDefaultNetworkAdapter/],
    [{ commandExecutor: {} }, "INVALID_OPTION", /spawn function/],
    [{ processConfig: { cwd: "/a" }, cwd: "/b" }, "INVALID_OPTION", /processConfig\.cwd/],
    [{ processConfig: { pid: 1 } }, "INVALID_OPTION", /pid/],
  ])
    assert.throws(() => createNodeDriver(options), refused(code, pattern));
  assert.throws(
    () => createNodeRuntimeDriverFactory({ v8Runtime: {} }),
    refused("INVALID_OPTION", /createNodeV8Runtime/),
  );
});

/** A file system of a caller's own, in the older generation's shape: texts by path, directories are null. */
class MapFileSystem {
  entries = new Map([["/", null]]);
  calls = [];

  #entry(path) {
    if (!this.entries.has(path)) throw Object.assign(new Error("ENOENT"), { code: "ENOENT" });
    return this.entries.get(path);
  }
  async readFile(path) {
    return Buffer.from(this.#entry(path));
  }
  async writeFile(path, content) {
    this.calls.push(path);
    this.entries.set(path, Buffer.from(content).toString());
  }
  async readDir(path) {
    const names = [...this.entries.keys()].filter((name) => name !== "/" && dirname(name) === path);
    return names.map((name) => basename(name));
  }
  async createDir(path) {
    if (this.entries.has(path)) throw Object.assign(new Error("EEXIST"), { code: "EEXIST" });
    this.entries.set(path, null);
  }
  async stat(path) {
    const content = this.#entry(path);
    return { isDirectory: content === null, size: content?.length ?? 0, mode: 0o755 };
  }
  async removeFile(path) {
    this.entries.delete(path);
  }
  async rename(from, to) {
    this.entries.set(to, this.#entry(from));
    this.entries.delete(from);
  }
}

it("a file system of the caller's own serves the directories at its root", async (t) => {
  const filesystem = new MapFileSystem();
  for (const [path, content] of [
    ["/app", null],
    ["/app/main.mjs", 'export const name = "served";'],
    ["/package.json", '{"type":"module"}'],
    ["/etc", null],
    ["/etc/hosts", "hidden"],
  ])
    filesystem.entries.set(path, content);
  const runtime = driverRuntime(t, { filesystem, cwd: "/work/deep" });
  const program = `
    import { execFileSync } from "node:child_process";
    import fs from "node:fs";
    import { name } from "/app/main.mjs";
    fs.writeFileSync("out.txt", "from inside");
    fs.mkdirSync("/app/made");
    fs.writeFileSync("/app/made/a", "one");
    fs.renameSync("/app/made/a", "/app/made/b");
    fs.unlinkSync("/app/main.mjs");
    console.log([name, process.cwd(), fs.readFileSync("/package.json", "utf8"), fs.readFileSync("/etc/hosts", "utf8").includes("localhost"),
      fs.readdirSync("/app/made"), execFileSync("ls", ["/app"]).toString().trim()].join(" "));`;
  const { code, stdout, stderr } = await runtime.exec(program);
  assert.equal(stderr, "");
  assert.equal(code, 0);
  assert.equal(stdout, 'served /work/deep {"type":"module"} true b made\n');
  assert.deepEqual(
    ["/work/deep/out.txt", "/app/made/b"].map((path) => filesystem.entries.get(path)),
    ["from inside", "one"],
  );
  assert.equal(filesystem.entries.has("/app/main.mjs"), false);
  filesystem.entries.set("/app/later", "from outside");
  const clone = await runtime.clone();
  t.after(() => clone.dispose());
  assert.equal(
    (await clone.exec('console.log(require("node:fs").readFileSync("/app/later", "utf8"))')).stdout,
    "from outside\n",
  );
  // Nothing but what was written through it, and its own root file was only read.
  assert.deepEqual(filesystem.calls.toSorted(), ["/app/made/a", "/work/deep/out.txt"]);
});

it("a file system of the caller's own that cannot be listed is told, and one of node:fs/promises serves", async (t) => {
  const broken = driverRuntime(t, {
    filesystem: {
      stat: async () => ({ isDirectory: true }),
      readDir: async () => {
        throw Object.assign(new Error("EACCES"), { code: "EACCES" });
      },
    },
  });
  await assert.rejects(broken.exec("1"), refused("FILE", /list the filesystem.*EACCES/));
  const root = mkdtempSync(join(tmpdir(), "older-parts-"));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  mkdirSync(join(root, "data"));
  const named = "lstat readdir readFile writeFile mkdir rename unlink rmdir readlink".split(" ");
  const filesystem = Object.fromEntries(
    named.map((name) => [
      name,
      (path, ...rest) =>
        promises[name](join(root, path), ...(name === "rename" ? [join(root, rest[0])] : rest)),
    ]),
  );
  const runtime = driverRuntime(t, { filesystem });
  const { code, stderr } = await runtime.exec('require("node:fs").writeFileSync("/data/a", "x")');
  assert.deepEqual([code, stderr], [0, ""]);
  assert.equal(readFileSync(join(root, "data/a"), "utf8"), "x");
});
