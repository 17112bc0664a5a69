// A zygote is replaced after a bounded number of forks, and nobody who waits for a guest notices.
import assert from "node:assert/strict";
import { test } from "node:test";
import { runPlain } from "./engine.mjs";

test(
  "a new zygote takes over, and the former ends with its last guest",
  { timeout: 60_000 },
  async () => {
    const { served, ...rest } = await runPlain("recycle.mjs", [], 50_000);
    assert.ok(served >= 5, `${served} guests`);
    assert.deepEqual(rest, { differ: true, outlived: true, second: true });
  },
);

test(
  "after a burst as many guests wait as it took, until no other comes",
  { timeout: 120_000 },
  async () => {
    assert.deepEqual(await runPlain("demand.mjs", [], 110_000), {
      before: 1,
      served: true,
      kept: true,
      left: 1,
    });
  },
);

test(
  "who has no guest is served before those who have some, and these go on getting theirs",
  { timeout: 60_000 },
  async () => {
    const { flooding, after } = await runPlain("shares.mjs", [], 50_000);
    assert.equal(flooding.length, 13);
    // Six were asked first, twice each; in turn it would be the seventh at best. One waits ahead, one is on its way.
    assert.ok(flooding.indexOf("late") <= 3, flooding.join(" "));
    for (const name of ["a", "b", "c", "d", "e", "f"])
      assert.equal(flooding.filter((one) => one === name).length, 2, flooding.join(" "));
    assert.ok(after.indexOf("a") <= 3, after.join(" "));
  },
);

test(
  "without descriptors for a zygote who asks is told so, nothing stays open, and the next gets a guest",
  { timeout: 60_000 },
  async () => {
    const why = "there are no descriptors for another zygote: EMFILE";
    assert.deepEqual(await runPlain("exhausted.mjs", [], 50_000), {
      none: [why, why],
      few: [why, why],
      left: 0,
      enough: [true, true],
    });
  },
);
