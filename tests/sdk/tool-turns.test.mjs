// Calls of host tools begin in turn: counted in turns of the event loop, not in time.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { callsPerTurn, ToolTurns } from "../../dist/sdk/tool-turns.js";

test("a call that comes alone begins at once", async () => {
  const turns = new ToolTurns();
  const begun = [];
  turns.enter({}, () => begun.push(1));
  assert.deepEqual(begun, [1]);
  await turn();
  turns.enter({}, () => begun.push(2));
  assert.deepEqual(begun, [1, 2]);
});

test("a few begin per turn, and a second runtime's is next behind a thousand of a first one's", async () => {
  const turns = new ToolTurns();
  const begun = [];
  const [flood, other] = [{}, {}];
  for (let i = 0; i < 1000; i++) turns.enter(flood, () => begun.push("flood"));
  const leave = turns.enter(other, () => begun.push("gone"));
  turns.enter(other, () => begun.push("other"));
  leave();
  assert.equal(begun.length, callsPerTurn);
  for (let i = 0; i < 3; i++) await turn();
  assert.ok(begun.length <= 4 * callsPerTurn, `${begun.length} in three turns`);
  const at = begun.indexOf("other");
  assert.ok(at >= callsPerTurn && at <= callsPerTurn + 1, begun.join(" "));
  assert.ok(!begun.includes("gone"));
});
