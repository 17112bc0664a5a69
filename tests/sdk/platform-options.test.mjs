import assert from "node:assert/strict";
import { test } from "node:test";
import { parseJsRuntime } from "../../dist/sdk/platform-options.js";

const defaults = {
  platform: "node",
  moduleResolution: "node",
  allowedBuiltins: null,
  timing: "normal",
  nodeVersion: "22.0.0",
};

test("alone or inside jsRuntime", () => {
  assert.deepEqual(parseJsRuntime({}), defaults);
  const chosen = { platform: "bare", moduleResolution: "none", timing: "frozen" };
  assert.deepEqual(parseJsRuntime(chosen), { ...defaults, ...chosen });
  assert.deepEqual(parseJsRuntime({ jsRuntime: chosen }), { ...defaults, ...chosen });
  assert.deepEqual(parseJsRuntime({ platform: "bare", jsRuntime: { timing: "frozen" } }), {
    ...defaults,
    platform: "bare",
    timing: "frozen",
  });
  assert.equal(parseJsRuntime({ jsRuntime: { highResolutionTime: false } }).timing, "coarse");
  assert.deepEqual(
    parseJsRuntime({ allowedBuiltins: ["node:path", "fs/promises", "sqlite"] }).allowedBuiltins,
    ["path", "fs/promises", "sqlite"],
  );
});

test("what is unknown is refused by name", () => {
  for (const [given, option] of [
    [{ platform: "deno" }, "platform"],
    [{ moduleResolution: "bundler" }, "moduleResolution"],
    [{ timing: "slow" }, "timing"],
    [{ nodeVersion: "22" }, "nodeVersion"],
    [{ allowedBuiltins: "fs" }, "allowedBuiltins"],
    [{ allowedBuiltins: ["fs", "fz"] }, "allowedBuiltins[1]"],
    [{ allowedBuiltins: ["_http_agent"] }, "allowedBuiltins[0]"],
    [{ allowedBuiltins: [5] }, "allowedBuiltins[0]"],
    [{ jsRuntime: "node" }, "jsRuntime"],
    [{ jsRuntime: { platfrom: "node" } }, "jsRuntime.platfrom"],
    [{ jsRuntime: { platform: "x" } }, "jsRuntime.platform"],
    [{ platform: "node", jsRuntime: { platform: "bare" } }, "jsRuntime.platform"],
    [{ jsRuntime: { highResolutionTime: 1 } }, "jsRuntime.highResolutionTime"],
  ]) {
    assert.throws(
      () => parseJsRuntime(given),
      (error) => error.code === "ERR_SECURE_EXEC_INVALID_OPTION" && error.details.option === option,
      option,
    );
  }
});
