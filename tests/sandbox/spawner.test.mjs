// The one process that may execute: what it starts, with what, and that it knows nothing else.
import assert from "node:assert/strict";
import { test } from "node:test";
import { runPlain } from "./engine.mjs";

test("what is started has its arguments, its files and what it was given, and nothing else", async () => {
  const { started, waiting, ended } = await runPlain("spawner.mjs");
  assert.equal(started.length, 3);
  for (const one of started) {
    assert.deepEqual(one.argv, ["named", "-e", one.argv[2], "a b"]);
    assert.deepEqual(one.environment, {});
    assert.deepEqual(one.file, "shared by all");
    assert.equal(one.parent, true);
    assert.deepEqual(one.descriptors, {
      0: "/dev/null",
      1: "/dev/null",
      2: "pipe",
      3: "socket",
      4: "file",
    });
  }
  // A process of its own each, before the next one that waits.
  assert.equal(new Set(started.map(({ pid }) => pid)).size, 3);
  assert.deepEqual(waiting.descriptors, { 0: "/dev/null", 1: "/dev/null", 4: "file", 5: "socket" });
  assert.ok(waiting.residentKiB < 1024, `${waiting.residentKiB} KiB`);
  assert.ok(ended, "it ends with who made it");
});
