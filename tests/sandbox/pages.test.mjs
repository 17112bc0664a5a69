import assert from "node:assert/strict";
import { test } from "node:test";
import { runZygote } from "./engine.mjs";

test("pages that one child writes are copied in one go by the next", async () => {
  const { written, found, alone, ahead, inherited, copied, ...whole } =
    await runZygote("pages.mjs");
  assert.ok(alone >= written, `${alone} faults for ${written} pages`);
  assert.ok(found >= written, `${found} pages found of ${written}`);
  // What else the child's start writes: the engine's own pages, some hundreds at the most.
  assert.ok(found < written + 800, `${found} pages found of ${written}`);
  assert.ok(ahead < written / 10, `${ahead} faults after the copy`);
  assert.equal(inherited, 1);
  // A huge page that Linux made meanwhile is no page that the child wrote; none where it is older than 6.1.
  assert.equal(whole.undisturbed, 0);
  assert.equal(whole.disturbed, whole.collapsed === 0 ? 1 : 0);
  assert.ok(whole.foundThen < written + 800, `${whole.foundThen} pages found of ${written}`);
  // Whether or not there are huge pages here.
  assert.equal(copied, true);
});

test("what moves while there are no holes lies together, and heaps on huge pages are as they were", async () => {
  const { filled, together, left, made, whole, status, after } = await runZygote("huge-heap.mjs");
  assert.equal(filled, 0);
  assert.equal(together, true);
  assert.ok(left <= 2, `${left} mappings more`);
  // None where Linux is older than 6.1, or has no memory in one piece.
  assert.ok(made >= 0);
  assert.equal(whole, true);
  assert.equal(status, 0);
  assert.equal(after, true);
});
