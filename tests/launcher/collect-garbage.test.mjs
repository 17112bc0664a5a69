// The zygote's collections leave compiled what has not run yet: every fork would compile it for itself.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { test } from "node:test";
import { findEngine } from "../../dist/launcher/engine.js";

const bundle = fileURLToPath(new URL("../../dist/guest.json", import.meta.url));
const program = `
  const { readFileSync } = require("fs");
  const vm = require("vm");
  const { setFlagsFromString } = require("v8");
  const text = JSON.parse(readFileSync(${JSON.stringify(bundle)}, "utf8"))["guest/collect-garbage"];
  const exported = {};
  // The C heap is no part of this.
  vm.compileFunction(text, ["exports", "require"])(exported, () => ({ sealHeap() {} }));
  setFlagsFromString("--no-lazy");
  const functions = Array.from({ length: 50 }, (_, i) => "function f" + i + "(a) { return { a, b: [a, a + 1] }; }");
  const script = new vm.Script(functions.join("\\n"));
  setFlagsFromString("--lazy");
  script.runInThisContext();
  const sizes = [script.createCachedData().length];
  // V8 gives it some collections' time.
  for (let round = 0; round < 6; round++) {
    exported.collectGarbage(require, { lastResort: true, moveAll: true });
    sizes.push(script.createCachedData().length);
  }
  console.log(JSON.stringify(sizes));`;

test("what is compiled stays compiled", () => {
  const sizes = JSON.parse(execFileSync(findEngine().path, ["-e", program], { encoding: "utf8" }));
  const [before, ...after] = sizes;
  // Of lazy functions there is little more than their names.
  assert.ok(
    after.every((size) => size > 0.9 * before),
    sizes.join(),
  );
});
