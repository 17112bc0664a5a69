// Answers that come later: settled once, cancelled down to what they wait for, made of one another.
import assert from "node:assert/strict";
import { it } from "node:test";
import { Errno } from "../../../dist/abi/errno.js";
import { Deferred, mapAnswer, whenReady } from "../../../dist/kernel/io/deferred.js";
import { WaitQueue } from "../../../dist/kernel/io/wait-queue.js";

const outcome = (deferred) => {
  const seen = [];
  deferred.whenSettled((result) => seen.push(result));
  return seen;
};

it("settles once, for who asks before and for who asks after", () => {
  const early = new Deferred();
  const seen = outcome(early);
  assert.equal(early.settled, false);
  early.settle("first");
  early.settle("second");
  assert.deepEqual(seen, ["first"]);
  const late = new Deferred();
  late.settle("there already");
  assert.deepEqual(outcome(late), ["there already"]);
});

it("a cancelled one cleans up once and tells nobody", () => {
  const deferred = new Deferred();
  const seen = outcome(deferred);
  let undone = 0;
  deferred.onCancel(() => undone++);
  deferred.cancel();
  deferred.cancel();
  deferred.settle("late");
  assert.deepEqual([undone, seen], [1, []]);
  const settled = new Deferred();
  settled.onCancel(() => undone++);
  settled.settle(1);
  settled.cancel();
  assert.equal(undone, 1);
});

it("a map sees results and no errnos; a cancellation goes through it", () => {
  const source = new Deferred();
  const doubled = outcome(source.map((value) => ({ doubled: value.n * 2 })));
  source.settle({ n: 4 });
  assert.deepEqual(doubled, [{ doubled: 8 }]);
  const failing = new Deferred();
  const failed = outcome(failing.map(() => assert.fail("an errno is no result")));
  failing.settle(-Errno.EPIPE);
  assert.deepEqual(failed, [-Errno.EPIPE]);
  const waited = new Deferred();
  let cancelled = false;
  waited.onCancel(() => (cancelled = true));
  waited.map((value) => value).cancel();
  assert.equal(cancelled, true);
  assert.equal(mapAnswer(-Errno.EIO, assert.fail), -Errno.EIO);
  assert.equal(
    mapAnswer("now", (text) => `${text}!`),
    "now!",
  );
});

it("a chain follows what it is given, and cancels whichever is under way", () => {
  const first = new Deferred();
  const second = new Deferred();
  const both = first.chain((answer) => (answer === "go" ? second : answer));
  const seen = outcome(both);
  let cancelled = 0;
  second.onCancel(() => cancelled++);
  first.settle("go");
  assert.deepEqual(seen, []);
  both.cancel();
  assert.equal(cancelled, 1);
});

it("who is not ready tries again at each wake, and stops when cancelled", () => {
  const queue = new WaitQueue();
  let tries = 0;
  let ready = false;
  const attempt = () => {
    tries++;
    return ready ? "done" : -Errno.EAGAIN;
  };
  let waiting = 0;
  const answer = whenReady(
    attempt,
    () => queue,
    () => waiting++,
  );
  const seen = outcome(answer);
  queue.wakeAll();
  assert.deepEqual([tries, waiting, seen, queue.size], [2, 1, [], 1]);
  ready = true;
  queue.wakeAll();
  assert.deepEqual([tries, seen, queue.size], [3, ["done"], 0]);
  ready = false;
  const given = whenReady(attempt, () => queue);
  assert.equal(queue.size, 1);
  given.cancel();
  assert.equal(queue.size, 0);
});

it("waiters are woken once each, in order, and those who come meanwhile wait for the next time", () => {
  const queue = new WaitQueue();
  const woken = [];
  queue.add(() => {
    woken.push("a");
    queue.add(() => woken.push("again"));
  });
  const stop = queue.add(() => woken.push("gone"));
  queue.add(() => woken.push("b"));
  stop();
  queue.wakeAll();
  assert.deepEqual(woken, ["a", "b"]);
  queue.wakeAll();
  assert.deepEqual(woken, ["a", "b", "again"]);
});
