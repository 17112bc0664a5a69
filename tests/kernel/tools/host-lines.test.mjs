import assert from "node:assert/strict";
import test from "node:test";
import { HostLines } from "../../../dist/kernel/host-door/host-lines.js";

const open = () => false;

test("a window of each line begins, the rest when places are given back, in order", () => {
  const lines = new HostLines(2, open);
  const begun = [];
  const leaves = [];
  for (const name of ["a", "b", "c", "d"])
    lines.enter(1, (leave) => (begun.push(name), leaves.push(leave)));
  lines.enter(2, () => begun.push("other"));
  assert.deepEqual(begun, ["a", "b", "other"]);
  leaves[0]();
  leaves[0]();
  assert.deepEqual(begun, ["a", "b", "other", "c"]);
});

test("who leaves while it waits never begins", () => {
  const lines = new HostLines(1, open);
  const begun = [];
  const first = lines.enter(1, () => begun.push("first"));
  const second = lines.enter(1, () => begun.push("second"));
  lines.enter(1, () => begun.push("third"));
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
    lines.enter(key, () => begun.push(name));
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
  for (let i = 0; i < 300; i++) lines.enter(1, (leave) => leaves.push(leave));
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
