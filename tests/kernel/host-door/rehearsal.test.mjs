// What the kernel rehearses while its zygote starts: all of a machine and a program but a process, and nothing of it stays.
import assert from "node:assert/strict";
import { test } from "node:test";
import { runPlain } from "../../sandbox/engine.mjs";

test("nothing of the host's is asked or told, no guest is taken, and no share is left", async () => {
  assert.deepEqual(await runPlain("kernel-rehearsal.mjs"), {
    asked: [],
    shares: ["open", "closed", "open", "closed"],
    isAlone: true,
  });
});
