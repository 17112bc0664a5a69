// The kernel's modules as one script: the engine takes its compiled form, and does without.
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
const { files } = createRequire(import.meta.url)("../../dist/kernel/modules.cjs");

/** What an engine, as the kernel is started, makes of the modules of a build. */
function opened(folder, flags = kernelFlags) {
  const program = `
    const { script, load } = require(${JSON.stringify(join(folder, "kernel/modules.cjs"))}).openModules(${JSON.stringify(folder)});
    const { Errno } = load("abi/errno");
    console.log(JSON.stringify({ rejected: script.cachedDataRejected ?? "none", enoent: Errno.ENOENT }));`;
  return JSON.parse(
    execFileSync(findEngine().path, [...flags, "-e", program], { encoding: "utf8" }),
  );
}

test("the engine takes the compiled form that the build made", () => {
  assert.deepEqual(opened(dist), { rejected: false, enoent: 2 });
});

test("the compiled form of an engine with other flags is not taken", () => {
  const others = [...kernelFlags, "--stack-size=2000"];
  assert.deepEqual(opened(dist, others), { rejected: true, enoent: 2 });
});

test("a kernel starts without the compiled form, and with a damaged one", async () => {
  const build = copyBuild();
  try {
    const compiled = join(build, "dist", files.compiled);
    assert.ok(existsSync(compiled));
    const bytes = readFileSync(compiled);
    writeFileSync(compiled, bytes.subarray(0, bytes.length / 2));
    assert.equal(opened(join(build, "dist")).rejected, true);
    rmSync(compiled);
    assert.equal(opened(join(build, "dist")).rejected, "none");
    const { NodeRuntime } = await import(pathToFileURL(join(build, "dist/index.js")).href);
    const runtime = await NodeRuntime.create();
    assert.equal((await runtime.run("__return(6 * 7)")).value, 42);
    await runtime.dispose();
  } finally {
    rmSync(build, { recursive: true, force: true });
  }
});
