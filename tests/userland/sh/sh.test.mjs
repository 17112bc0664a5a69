// Our shell against the real ones: the same scripts, the whole output and the exit code equal.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { askOracle, cases, expected, oracles } from "./cases.mjs";
import { runCases } from "./run-cases.mjs";

test("the table of scripts", async (t) => {
  assert.ok(cases.length >= 220);
  assert.equal(new Set(cases.map(({ name }) => name)).size, cases.length, "names are unique");
  assert.deepEqual(Object.keys(expected).sort(), cases.map(({ name }) => name).sort());

  await t.test("answers what is recorded", async () => {
    const answers = await runCases(cases);
    for (const answer of answers.values()) delete answer.stderr;
    const differing = cases
      .filter(({ name }) => JSON.stringify(answers.get(name)) !== JSON.stringify(expected[name]))
      .map(({ name, script }) => ({ name, script, got: answers.get(name), want: expected[name] }));
    assert.deepEqual(differing, []);
  });

  for (const [shell, path] of Object.entries(oracles)) {
    const skip = existsSync(path)
      ? false
      : `${path} is not on this machine; the recorded answers count`;
    await t.test(`the recorded answers are those of ${path}`, { skip }, () => {
      const differing = cases
        .filter((one) => one.shell === shell)
        .map((one) => ({ name: one.name, got: askOracle(one), want: expected[one.name] }))
        .filter(({ got, want }) => JSON.stringify(got) !== JSON.stringify(want));
      assert.deepEqual(differing, []);
    });
  }
});
