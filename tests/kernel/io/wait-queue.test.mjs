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

test("bytes are offered to one who waits alone and takes them, who waits on", () => {
  const queue = new WaitQueue();
  const taken = [];
  const data = Buffer.from("abc");
  assert.equal(queue.offer(data), 0);
  const stop = queue.add(
    () => taken.push("woken"),
    (bytes) => {
      taken.push(bytes);
      return 2;
    },
  );
  assert.equal(queue.offer(data), 2);
  assert.equal(queue.offer(data), 2);
  assert.deepEqual(taken, [data, data]);
  const stopOther = queue.add(() => taken.push("other"));
  assert.equal(queue.offer(data), 0, "another would have to be asked first");
  stopOther();
  assert.equal(queue.offer(data), 2);
  stop();
  assert.equal(queue.offer(data), 0);
  queue.add(
    () => taken.push("woken"),
    () => 1,
  );
  queue.wakeAll();
  assert.equal(queue.offer(data), 0, "who was woken waits no more");
  assert.deepEqual(taken, [data, data, data, "woken"]);
});
