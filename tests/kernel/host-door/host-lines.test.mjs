import assert from "node:assert/strict";
import { setImmediate as turnOfLoop } from "node:timers/promises";
import test from "node:test";
import { HostLines } from "../../../dist/kernel/host-door/host-lines.js";
import { Turns } from "../../../dist/kernel/guest-door/turns.js";

const open = () => false;
/** Of a machine whose turn it always is. */
const part = { admits: () => true, serve: (_, work) => (work(), true), forget() {}, charge() {} };

test("a window of each line begins, the rest when places are given back, in order", () => {
  const lines = new HostLines(2, open);
  const begun = [];
  const leaves = [];
  for (const name of ["a", "b", "c", "d"])
    lines.enter(1, part, (leave) => (begun.push(name), leaves.push(leave)));
  lines.enter(2, part, () => begun.push("other"));
  assert.deepEqual(begun, ["a", "b", "other"]);
  leaves[0]();
  leaves[0]();
  assert.deepEqual(begun, ["a", "b", "other", "c"]);
});

test("who leaves while it waits never begins", () => {
  const lines = new HostLines(1, open);
  const begun = [];
  const first = lines.enter(1, part, () => begun.push("first"));
  const second = lines.enter(1, part, () => begun.push("second"));
  lines.enter(1, part, () => begun.push("third"));
  second();
  first();
  assert.deepEqual(begun, ["first", "third"]);
});

test("nothing begins while the host is behind; then one of each line after the other", () => {
  let behind = true;
  const lines = new HostLines(10, () => behind);
  const begun = [];
  for (const [key, name] of [
    [1, "a"],
    [1, "b"],
    [2, "c"],
  ])
    // prettier-ignore
    lines.enter(key, part, () => begun.push(name));
  assert.equal(lines.drained(), false);
  behind = false;
  assert.equal(lines.drained(), true);
  assert.deepEqual(begun, ["a", "c"]);
  assert.equal(lines.drained(), false);
  assert.deepEqual(begun, ["a", "c", "b"]);
});

test("a crowd lets nobody in until half of it is gone", () => {
  const lines = new HostLines(1, open);
  const leaves = [];
  for (let i = 0; i < 300; i++) lines.enter(1, part, (leave) => leaves.push(leave));
  const fewer = lines.crowdOf(1);
  assert.equal(lines.crowdOf(2), undefined);
  let woken = false;
  fewer.add(() => (woken = true));
  for (let i = 0; i < 100; i++) leaves[i]();
  assert.equal(woken, false);
  for (let i = 100; i < 180; i++) leaves[i]();
  assert.equal(woken, true);
  assert.equal(lines.crowdOf(1), undefined);
});

test("what has waited begins in its machine's turns, and each request is charged to them", async (t) => {
  // Each takes so much to begin, on a machine that is fast or busy as well.
  const beginMs = 0.01;
  let now = performance.now();
  const clock = t.mock.method(performance, "now", () => now);
  const turns = new Turns();
  const share = turns.share();
  let charged = 0;
  const counted = {
    admits: (line) => share.admits(line),
    serve: (line, work) => share.serve(line, work),
    forget: (line) => share.forget(line),
    charge: (milliseconds) => (charged++, share.charge(milliseconds)),
  };
  const lines = new HostLines(100, open);
  const leaves = [];
  let begun = 0;
  const begin = (leave) => {
    begun++;
    now += beginMs;
    leaves.push(leave);
  };
  for (let i = 0; i < 1000; i++) lines.enter(1, counted, begin);
  assert.equal(begun, 100);
  assert.equal(charged, 100);
  // The host answers all it has and is asked anew, again and again: not at once for ever.
  let answered = 0;
  while (leaves.length > 0 && answered < 1000) {
    answered++;
    leaves.shift()();
  }
  assert.ok(begun < 1000, "all of them began without a turn");
  assert.equal(charged, begun);
  // In turns all of them begin.
  clock.mock.restore();
  while (begun < 1000) {
    await turnOfLoop();
    while (leaves.length > 0) leaves.shift()();
  }
  assert.equal(charged, begun);
  share.close();
});

test("a machine that is gone has no requests that begin", async () => {
  const turns = new Turns();
  const share = turns.share();
  const lines = new HostLines(1, open);
  const leaves = [];
  for (let i = 0; i < 3; i++) lines.enter(1, share, (leave) => leaves.push(leave));
  share.close();
  leaves[0]();
  await turnOfLoop();
  assert.equal(leaves.length, 1);
});
