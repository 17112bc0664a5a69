// The kernel's modules as two scripts: the engine takes their compiled forms, and does without.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import test from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { findEngine } from "../../dist/launcher/engine.js";
import { kernelFlags } from "../../dist/sdk/kernel-process.js";
import { copyBuild } from "../support/natives.mjs";

const dist = fileURLToPath(new URL("../../dist/", import.meta.url));
const { files, firstModule } = createRequire(import.meta.url)("../../dist/kernel/modules.cjs");

/** What an engine, as the kernel is started, makes of the modules of a build. */
function opened(folder, flags = kernelFlags) {
  const program = `
    const { scripts, load } = require(${JSON.stringify(join(folder, "kernel/modules.cjs"))}).openModules(${JSON.stringify(folder)});
    load(${JSON.stringify(firstModule)});
    const first = scripts.length;
    const { Errno } = load("abi/errno");
    load("kernel/machine/vm");
    const rejected = scripts.map((script) => script.cachedDataRejected ?? "none");
    console.log(JSON.stringify({ first, rejected, enoent: Errno.ENOENT }));`;
  return JSON.parse(
    execFileSync(findEngine().path, [...flags, "-e", program], { encoding: "utf8" }),
  );
}

test("the engine takes the compiled forms that the build made, and starts a zygote with the first alone", () => {
  assert.deepEqual(opened(dist), { first: 1, rejected: [false, false], enoent: 2 });
});

test("the compiled forms of an engine with other flags are not taken", () => {
  const others = [...kernelFlags, "--stack-size=2000"];
  assert.deepEqual(opened(dist, others), { first: 1, rejected: [true, true], enoent: 2 });
});

test("a kernel starts without the compiled forms, and with damaged ones", async () => {
  const build = copyBuild();
  try {
    for (const { compiled } of files) {
      const form = join(build, "dist", compiled);
      assert.ok(existsSync(form));
      const bytes = readFileSync(form);
      writeFileSync(form, bytes.subarray(0, bytes.length / 2));
    }
    assert.deepEqual(opened(join(build, "dist")).rejected, [true, true]);
    for (const { compiled } of files) rmSync(join(build, "dist", compiled));
    assert.deepEqual(opened(join(build, "dist")).rejected, ["none", "none"]);
    const { NodeRuntime } = await import(pathToFileURL(join(build, "dist/index.js")).href);
    const runtime = await NodeRuntime.create();
    assert.equal((await runtime.run("__return(6 * 7)")).value, 42);
    await runtime.dispose();
  } finally {
    rmSync(build, { recursive: true, force: true });
  }
});
