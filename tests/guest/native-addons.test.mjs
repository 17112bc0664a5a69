// Native addons: refused with the name of what does the same work, or loaded from the machine's files.
import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { built, builtFolder, noAddons } from "../support/addons.mjs";
import { machine } from "../support/machines.mjs";

const timeout = 60_000;

test("the error of a native addon names its alternative and the option", { timeout }, async () => {
  const elf = Buffer.from("\x7fELF");
  const rollup = "/app/node_modules/@rollup/rollup-linux-x64-gnu/rollup.linux-x64-gnu.node";
  const other = "/app/node_modules/other/build/Release/other.node";
  const rt = await machine({ files: { [rollup]: elf, [other]: elf } });
  const { value } = await rt.run(`
    const load = (path) => { try { require(path); } catch ({ code, message }) { return [code, message]; } };
    __return([${JSON.stringify(rollup)}, ${JSON.stringify(other)}].map(load));`);
  const why = "Native addons are not supported in this virtual machine";
  const option = "make the machine with the option nativeAddons";
  assert.deepEqual(value, [
    ["ERR_DLOPEN_FAILED", `${why}: ${rollup}; use @rollup/wasm-node in its place, or ${option}`],
    ["ERR_DLOPEN_FAILED", `${why}: ${other}; ${option}`],
  ]);
});

/** What `dlopen` of a path comes to. */
const loads = `
const load = (path) => {
  const module = { exports: {} };
  try { process.dlopen(module, path); return module.exports; } catch ({ code, message }) { return { code, message }; }
};
`;
const failed = (message) => ({ code: "ERR_DLOPEN_FAILED", message });

describe("a machine with native addons", { skip: noAddons }, () => {
  let sum;
  let needs;
  let library;
  before(() => {
    sum = built("sum.c", "sum.node");
    library = built("library.c", "libvalue.so", ["-DVALUE=7", "-Wl,-soname,libvalue.so"]);
    const linked = ["-L", builtFolder(), "-lvalue", "-Wl,-rpath,$ORIGIN/../lib"];
    needs = built("needs.c", "needs.node", linked);
  });
  const withSum = (options = {}) =>
    machine({ nativeAddons: true, ...options, files: { "/app/sum.node": sum, ...options.files } });

  test(
    "require and process.dlopen load a module of the machine's own files",
    { timeout },
    async () => {
      const rt = await withSum();
      const { value } = await rt.run(`${loads}
      const addon = require("/app/sum.node");
      const { createRequire } = await import("node:module");
      process.chdir("/app");
      __return([addon.sum(40, 2), addon.state(), addon.state(), require("/app/sum.node") === addon,
        load("./sum.node").sum(1, 2), createRequire("/app/")("./sum.node").sum(2, 2)]);`);
      // A constructor ran; data and thread-local storage are the module's, and each thread's.
      assert.deepEqual(value, [42, [1, 41, 7, 3, "two"], [1, 42, 12, 3, "two"], true, 3, 4]);
    },
  );

  test("and one on a mount, which may be read only", { timeout }, async () => {
    const rt = await machine({
      nativeAddons: true,
      mounts: [{ hostPath: builtFolder(), guestPath: "/mnt/addons" }],
    });
    const { value } = await rt.run(`__return(require("/mnt/addons/sum.node").sum(1, 2));`);
    assert.equal(value, 3);
  });

  test(
    "in workers, in child processes and beside an engine of their own",
    { timeout },
    async () => {
      const rt = await withSum({
        files: {
          "/app/child.cjs": `process.stdout.write(String(require("/app/sum.node").sum(1, 2)));`,
          "/app/worker.cjs": `
          const { parentPort } = require("node:worker_threads");
          parentPort.postMessage(require("/app/sum.node").state());`,
        },
      });
      const program = `
      import { execFileSync } from "node:child_process";
      import { once } from "node:events";
      import { Worker } from "node:worker_threads";
      const said = (worker) => once(worker, "message").then(([message]) => message);
      const workers = await Promise.all([1, 2, 3].map(() => said(new Worker("/app/worker.cjs"))));
      __return([workers.map(([constructed, , own]) => [constructed, own]),
        String(execFileSync("node", ["/app/child.cjs"])), require("/app/sum.node").sum(2, 2)]);`;
      const expected = [Array(3).fill([1, 7]), "3", 4];
      assert.deepEqual((await rt.run(program)).value, expected);
      assert.deepEqual((await rt.run(program, { engine: "dedicated" })).value, expected);
    },
  );

  test("in copies of a template, before and after it", { timeout }, async () => {
    const rt = await withSum({ files: { "/app/again.node": sum } });
    const tpl = await rt.template(`globalThis.addon = require("/app/sum.node");`);
    const { value } = await tpl.run(`
      __return([addon.sum(1, 2), addon.state()[1], require("/app/again.node").sum(2, 2)]);`);
    assert.deepEqual(value, [3, 41, 4]);
  });

  test(
    "what an addon needs is found where it says, in LD_LIBRARY_PATH and in the machine's folders",
    { timeout },
    async () => {
      const other = built("library.c", "libother.so", ["-DVALUE=8", "-Wl,-soname,libvalue.so"]);
      const files = { "/app/build/needs.node": needs };
      const valueIn = async (more, env = {}) => {
        const rt = await machine({ nativeAddons: true, files: { ...files, ...more }, env });
        return (await rt.run(`${loads} __return(load("/app/build/needs.node"));`)).value;
      };
      assert.deepEqual(await valueIn({ "/app/lib/libvalue.so": library }), { value: 7 });
      assert.deepEqual(await valueIn({ "/usr/lib/libvalue.so": other }), { value: 8 });
      const path = { LD_LIBRARY_PATH: "/nowhere:/opt/lib" };
      assert.deepEqual(
        await valueIn({ "/opt/lib/libvalue.so": other, "/app/lib/libvalue.so": library }, path),
        { value: 8 },
      );
      const missing = "libvalue.so: cannot open shared object file: No such file or directory";
      assert.deepEqual(await valueIn({}), failed(missing));
      assert.deepEqual(
        await valueIn({ "/app/lib/libvalue.so": "no library" }),
        failed("/app/lib/libvalue.so: file too short"),
      );
    },
  );

  test("what cannot be loaded fails in the words of the dynamic linker", { timeout }, async () => {
    const rt = await withSum({
      files: {
        "/app/empty.node": "",
        "/app/text.node": "x".repeat(4096),
        "/app/cut.node": sum.subarray(0, 5000),
        "/app/secret.node": sum,
      },
      permissions: {
        fs: {
          default: "allow",
          rules: [{ mode: "deny", operations: ["read"], paths: ["/app/secret.node"] }],
        },
      },
    });
    const { value } = await rt.run(`${loads}
      __return(["/app/empty.node", "/app/text.node", "/app/secret.node", "/app/none.node", "/app", "none.node"].map(load));`);
    const cannot = (path, why) => failed(`${path}: cannot open shared object file: ${why}`);
    assert.deepEqual(value, [
      failed("/app/empty.node: file too short"),
      failed("/app/text.node: invalid ELF header"),
      cannot("/app/secret.node", "Permission denied"),
      cannot("/app/none.node", "No such file or directory"),
      cannot("/app", "Permission denied"),
      cannot("none.node", "No such file or directory"),
    ]);
    const none = await rt.execCommand("node", [
      "--no-addons",
      "-p",
      "try { require('/app/sum.node') } catch ({ code }) { code }",
    ]);
    assert.equal(none.stdout, "ERR_DLOPEN_DISABLED\n");
    // What is cut off is no memory of the file's: a crash at worst, of this process.
    const { exitCode } = await rt.exec(`require("/app/cut.node");`);
    assert.notEqual(exitCode, 0);
    assert.equal((await rt.run(`__return(require("/app/sum.node").sum(1, 1));`)).value, 2);
  });

  test("one that is larger than a process may be is not loaded", { timeout }, async () => {
    const memoryBytes = 64 * 1024 * 1024;
    const large = Buffer.alloc(memoryBytes + 1);
    sum.copy(large);
    const rt = await withSum({ files: { "/app/large.node": large }, limits: { memoryBytes } });
    const { value } = await rt.run(
      `${loads} __return([load("/app/large.node"), load("/app/sum.node").sum(1, 2)]);`,
    );
    const why = "cannot open shared object file: Cannot allocate memory";
    assert.deepEqual(value, [failed(`/app/large.node: ${why}`), 3]);
  });

  test(
    "the files of a machine can be changed under an addon that is loaded",
    { timeout },
    async () => {
      const rt = await withSum();
      const { value } = await rt.run(`
      import { rmSync, writeFileSync } from "node:fs";
      const { sum, state } = require("/app/sum.node");
      writeFileSync("/app/sum.node", "gone");
      rmSync("/app/sum.node");
      __return([sum(1, 2), state()[0]]);`);
      assert.deepEqual(value, [3, 1]);
    },
  );

  test("a deterministic machine has none, and the option is a boolean", { timeout }, async () => {
    const invalid = { code: "ERR_SECURE_EXEC_INVALID_OPTION" };
    await assert.rejects(machine({ nativeAddons: true, deterministic: { seed: 1 } }), invalid);
    await assert.rejects(machine({ nativeAddons: "yes" }), invalid);
  });
});
