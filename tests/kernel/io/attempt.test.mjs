// Calls that are run again when an answer comes late: what they said is said once, at its place.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ask, attempted, decidedOnce, isNew } from "../../../dist/kernel/io/attempt.js";
import { Deferred } from "../../../dist/kernel/io/deferred.js";

/** Runs `steps` in turn: "say x", "ask x" or "decide x"; what was new, asked and decided, over all runs. */
function run(steps, later) {
  const seen = [];
  const answer = attempted(() => {
    for (const step of typeof steps === "function" ? steps() : steps) {
      const [verb, what] = step.split(" ");
      if (verb === "say" && isNew({ what })) seen.push(step);
      if (verb === "ask") {
        const begin = () => {
          seen.push(step);
          return later.get(what) ?? 1;
        };
        ask(what, false, begin);
      }
      if (verb === "decide")
        decidedOnce(
          () => what,
          () => {
            seen.push(step);
            return 0;
          },
        );
    }
    return "done";
  });
  return { seen, answer };
}

for (const steps of [
  ["say a", "ask q", "say b"],
  ["say a", "say a", "ask q"],
  ["ask q", "say a", "decide d"],
  ["say a", "decide d", "ask q", "say b", "say c"],
  ["decide d", "say a", "ask q"],
])
  test(`said once, though run twice: ${steps.join(", ")}`, () => {
    const late = new Deferred();
    const { seen, answer } = run(steps, new Map([["q", late]]));
    assert.ok(answer instanceof Deferred);
    late.settle(1);
    assert.deepEqual(seen, steps);
    let result;
    answer.whenSettled((value) => (result = value));
    assert.equal(result, "done");
  });

test("a run that goes another way says what is new there", () => {
  const late = new Deferred();
  let runs = 0;
  const way = () => [runs++ === 0 ? "say a" : "say c", "ask q", "say b"];
  const { seen } = run(way, new Map([["q", late]]));
  late.settle(1);
  // Nothing that was asked before the ways parted holds any more.
  assert.deepEqual(seen, ["say a", "ask q", "say c", "ask q", "say b"]);
});
