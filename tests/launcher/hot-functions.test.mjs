// How a guest's engine compiles what is hot: a function by way of the middle tier, a loop not, as it would stay there.
import assert from "node:assert/strict";
import { test } from "node:test";
import { machine } from "../support/machines.mjs";

const runtime = await machine();

/** OptimizationStatus of V8's src/runtime/runtime.h: kMaglevved, kTurboFanned. */
const tiers = { 0: "none", [1 << 4]: "middle", [1 << 5]: "last" };
const tierBits = (1 << 4) | (1 << 5);

/** The status of a function after so many calls, under flags of the program's own. */
const program = (calls, flags = []) => `
  const v8 = await import("node:v8");
  v8.setFlagsFromString("--allow-natives-syntax");
  for (const flag of ${JSON.stringify(flags)}) v8.setFlagsFromString(flag);
  const statusOf = new Function("f", "return %GetOptimizationStatus(f)");
  const hash = new Function("text", "return (text.length * 31 + text.charCodeAt(0)) | 0");
  let sum = 0;
  for (let call = 0; call < ${calls}; call++) sum += hash("word" + (call % 7));
  __return({ sum, status: statusOf(hash) });`;

async function tierAfter(calls, flags) {
  const { value, stderr } = await runtime.run(program(calls, flags));
  assert.equal(stderr, "");
  return tiers[value.status & tierBits];
}

test(
  "a function has the middle tier's code, and later the last's",
  { timeout: 60_000 },
  async () => {
    assert.equal(await tierAfter(2000), "middle");
    assert.equal(await tierAfter(20_000), "last");
  },
);

test("a program may do without the middle tier", { timeout: 60_000 }, async () => {
  assert.equal(await tierAfter(2000, ["--no-maglev"]), "none");
});
