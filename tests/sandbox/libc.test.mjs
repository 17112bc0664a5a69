import assert from "node:assert/strict";
import { test } from "node:test";
import { runPlain, runZygote } from "./engine.mjs";

test("native calls, the assembler and the probe", async () => {
  const layers = await runPlain("libc-check.mjs");
  assert.deepEqual(
    layers.map(({ layer }) => layer),
    ["seccomp", "no_new_privs", "landlock", "user_namespaces", "uid_drop", "cgroup"],
  );
  for (const { layer, required, available, why } of layers) {
    assert.ok(why.length > 0, layer);
    if (required) assert.equal(available, true, `${layer}: ${why}`);
  }
});

test("resource limits of a guest", async () => {
  const got = await runZygote("limits.mjs");
  const limit = (value) => ({ soft: value, hard: value });
  assert.deepEqual(got.set.limits, {
    CPU: limit(2),
    FSIZE: limit(0),
    CORE: limit(0),
    NOFILE: limit(128),
    MEMLOCK: limit(0),
    SIGPENDING: limit(64),
    MSGQUEUE: limit(0),
    NICE: limit(0),
    RTPRIO: limit(0),
  });
  assert.equal(got.set.data, true);
  assert.deepEqual(got.set.stack, got.stack);
  assert.equal(got.under, "ok");
  assert.equal(got.over, "RangeError");
  assert.equal(got.heap.signal, 6, JSON.stringify(got.heap));
  assert.equal(got.cpu.signal, 9, JSON.stringify(got.cpu));
});
