// The older generation's parts: a file system that becomes the machine's, and those that mean little.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  NodeRuntime,
  allowAllChildProcess,
  allowAllEnv,
  allowAllFs,
  createDefaultNetworkAdapter,
  createInMemoryFileSystem,
  createNodeDriver,
  createNodeRuntimeDriverFactory,
  createNodeV8Runtime,
} from "../../dist/index.js";

const it = (name, body) => test(name, { timeout: 60_000 }, body);
const refused = (name, pattern) => (error) =>
  error.code === `ERR_SECURE_EXEC_${name}` && pattern.test(error.message);

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

it("an executor is never called: commands are the machine's", async (t) => {
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

it("other objects are refused", () => {
  for (const [options, code, pattern] of [
    [{ filesystem: {} }, "NOT_IMPLEMENTED", /createInMemoryFileSystem/],
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
