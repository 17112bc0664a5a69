// A guest's ordinary life under the complete lock-down, in both modes.
import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { runZygote } from "./engine.mjs";

const workload = fileURLToPath(new URL("engine/workload.cjs", import.meta.url));

for (const mode of ["compat", "strict"]) {
  test(`the engine works, ${mode} mode`, { timeout: 100_000 }, async () => {
    const { stderr, exit, signal } = await runZygote(
      "workload.mjs",
      [workload, mode, "512"],
      95_000,
    );
    assert.deepEqual(stderr.trim().split("\n"), [
      "heap",
      "buffers",
      "wasm",
      "crypto",
      "zlib",
      "timers",
      "intl",
      "socket",
      "vm",
      "sqlite",
      "modules",
    ]);
    assert.equal(signal, undefined);
    assert.equal(exit, 0);
  });
}
