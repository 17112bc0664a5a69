import assert from "node:assert/strict";
import { test } from "node:test";
import { RoundRobin } from "../../dist/protocol/round-robin.js";

const queue = () => {
  const [a, b, c] = [{ name: "a" }, { name: "b" }, { name: "c" }];
  const line = new RoundRobin();
  for (let i = 0; i < 3; i++) for (const owner of [a, b]) line.push(owner, `${owner.name}${i}`);
  line.push(c, "c0");
  return { line, a, b, c };
};

test("owners take turns, and the items of each keep their order", () => {
  const { line } = queue();
  assert.deepEqual(line.drain(), ["a0", "b0", "c0", "a1", "b1", "a2", "b2"]);
});

test("the owner with the lowest rank is next; of equals the one whose turn it is", () => {
  const { line, a, c } = queue();
  const ranks = new Map([[a, 2]]);
  const next = () => line.shiftLowest((owner) => ranks.get(owner) ?? 1);
  assert.deepEqual([next(), next(), next(), next()], ["b0", "c0", "b1", "b2"]);
  assert.equal(next(), "a0");
  assert.equal(line.delete(c, "c0"), false);
  assert.equal(line.size, 2);
});
