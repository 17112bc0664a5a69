import assert from "node:assert/strict";
import { test } from "node:test";
import { WaitQueue } from "../../../dist/kernel/io/wait-queue.js";

test("everybody is woken once, in order; who came while others woke waits for the next time", () => {
  const queue = new WaitQueue();
  const woken = [];
  queue.add(() => {
    woken.push("a");
    queue.add(() => woken.push("a again"));
  });
  queue.add(() => woken.push("b"));
  assert.equal(queue.size, 2);
  queue.wakeAll();
  assert.deepEqual(woken, ["a", "b"]);
  assert.equal(queue.size, 1);
  queue.wakeAll();
  queue.wakeAll();
  assert.deepEqual(woken, ["a", "b", "a again"]);
});

test("who has stopped waiting is not woken, also when it stops twice or too late", () => {
  const queue = new WaitQueue();
  const woken = [];
  const stop = queue.add(() => woken.push("a"));
  const stopLate = queue.add(() => woken.push("b"));
  stop();
  stop();
  queue.wakeAll();
  stopLate();
  assert.deepEqual(woken, ["b"]);
  assert.equal(queue.size, 0);
});
