// The short form of `npm run fuzz`: every fuzzer finds nothing in a fixed number of executions from a fixed
// seed, and each can find something at all.
import assert from "node:assert/strict";
import { test } from "node:test";
import { calls } from "./calls.mjs";
import { Random, mutate, recombine } from "./random.mjs";
import { targets } from "./targets.mjs";

const executions = {
  json: 300,
  archives: 300,
  shell: 1500,
  globs: 1500,
  frames: 1500,
  paths: 5000,
};

test("a seed repeats what it made, and changes change", () => {
  const made = (seed) => {
    const random = new Random(seed);
    return [mutate(random, ["some text"]).toString(), recombine(random, ["a", "b"])];
  };
  assert.deepEqual(made(1), made(1));
  const texts = new Set(Array.from({ length: 50 }, (_, seed) => made(seed)[0]));
  assert.ok(texts.size > 30);
});

for (const [name, target] of Object.entries(targets)) {
  test(`${name}: nothing is found`, { timeout: 120_000 }, () => {
    const once = target(new Random(1));
    for (let count = 0; count < executions[name]; count++) once();
  });
}

test("system calls of a guest: nothing is found", { timeout: 240_000 }, async () => {
  // Which calls a seed comes to is the table's size; one that ends its guest at once has tried nothing.
  let made = 0;
  const notes = [];
  for (let seed = 7; seed < 15 && made <= 30; seed++) {
    const { executions, note } = await calls(new Random(seed), 0);
    made += executions;
    notes.push(note);
  }
  assert.ok(made > 30, notes.join("\n"));
});
