// The zygote plays guest lives before it forks; a guest must not find a trace of them.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it } from "node:test";
import { machine } from "../support/machines.mjs";
import { findEngine } from "../../dist/launcher/engine.js";

const probe = `
const { default: module } = await import("node:module");
console.log(JSON.stringify({
  globals: Reflect.ownKeys(globalThis).map(String).sort(),
  active: process.getActiveResourcesInfo(),
  entries: performance.getEntries().length,
  cached: Object.keys(module._cache),
  listeners: process.eventNames().map(String).filter((name) => name !== "warning"),
}));`;

it("a guest has the globals, handles and caches of a plain Node", async () => {
  const folder = mkdtempSync(join(tmpdir(), "secure-exec-rehearsal-"));
  let plain;
  try {
    const file = join(folder, "probe.mjs");
    writeFileSync(file, probe);
    plain = JSON.parse(execFileSync(findEngine().path, [file], { encoding: "utf8" }));
  } finally {
    rmSync(folder, { recursive: true });
  }
  const given =
    "__dirname __filename __return callBinding callHostTool exports module require tools".split(
      " ",
    );
  const runtime = await machine({ env: { ONLY: "this" } });
  // Those that were forked ahead, and some that were not.
  for (let i = 0; i < 6; i++) {
    const { globals, ...rest } = JSON.parse((await runtime.run(probe)).stdout);
    assert.deepEqual(globals, [...plain.globals, ...given].sort());
    const { globals: _, ...expected } = plain;
    assert.deepEqual(rest, expected);
  }
});

it("TypeScript runs in guests forked before and after its compiler was loaded", async () => {
  const runtime = await machine();
  for (let i = 0; i < 8; i++) {
    const { value } = await runtime.run("const n: number = 6; __return(n * 7);", {
      language: "ts",
    });
    assert.equal(value, 42);
  }
});

it("every public module loads in guests forked before and after the zygote loaded it", async () => {
  const runtime = await machine();
  const program = `
    import { builtinModules } from "node:module";
    const failed = [];
    for (const id of builtinModules) {
      await import(id.startsWith("node:") ? id : "node:" + id).catch((error) => failed.push(id + ": " + error));
    }
    __return({ failed, count: builtinModules.length, status: new Response("").status });`;
  for (let i = 0; i < 6; i++) {
    const { value } = await runtime.run(program);
    assert.deepEqual(value.failed, []);
    assert.ok(value.count > 40);
    assert.equal(value.status, 200);
  }
});
