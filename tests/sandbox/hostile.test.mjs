// One filtered child per call: the exact errno or signal of every denied row, in
// both modes, and a positive control for every allowed one.
import assert from "node:assert/strict";
import { test } from "node:test";
import { runZygote } from "./engine.mjs";

const SIGSYS = 31;
const EPERM = 1;

function verdict(expected, got, mode) {
  if (expected === "allowed") return got.errno === 0 && got.result >= 0;
  if (expected === "denied") {
    return mode === "strict" ? got.signal === SIGSYS : got.result === -1 && got.errno === EPERM;
  }
  // Either death is the refusal that was promised; which one depends on the machine.
  if (expected.signals !== undefined) return expected.signals.includes(got.signal);
  return Object.entries(expected).every(([key, value]) => got[key] === value);
}

for (const mode of ["compat", "strict"]) {
  test(
    `native calls of a guest, ${mode} mode`,
    { skip: process.arch !== "x64" && "x86-64 numbers", timeout: 310_000 },
    async () => {
      const results = await runZygote("hostile.mjs", [mode], 300_000);
      const count = (kind) => results.filter(({ expected }) => expected === kind).length;
      assert.ok(results.length - count("allowed") >= 200, `${results.length} calls`);
      const wrong = results.filter(({ expected, got }) => !verdict(expected, got, mode));
      assert.deepEqual(wrong, []);
    },
  );
}
