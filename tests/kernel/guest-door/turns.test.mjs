import assert from "node:assert/strict";
import { setImmediate as turnOfLoop } from "node:timers/promises";
import test from "node:test";
import { Pace } from "../../../dist/kernel/guest-door/pace.js";
import { Turns } from "../../../dist/kernel/guest-door/turns.js";

const spin = (milliseconds) => {
  const until = performance.now() + milliseconds;
  while (performance.now() < until);
};

/** A source that never runs out of frames, each of which takes `frameMs`. */
function flood(turns, frameMs) {
  const share = turns.share();
  const source = {
    frames: 0,
    share,
    served() {},
    proceed() {
      while (share.serve(source, () => spin(frameMs))) source.frames++;
      source.frames++;
    },
  };
  if (share.admits(source)) source.proceed();
  return source;
}

const rounds = async (count) => {
  for (let i = 0; i < count; i++) await turnOfLoop();
};

test("those who ask without end get about the same, whatever each of their frames costs", async () => {
  const turns = new Turns();
  const floods = [0.05, 0.05, 0.4].map((frameMs) => flood(turns, frameMs));
  await rounds(400);
  for (const { share } of floods) share.close();
  const timesMs = floods.map(({ frames }, i) => frames * [0.05, 0.05, 0.4][i]);
  assert.ok(Math.max(...timesMs) < 3 * Math.min(...timesMs), `served ${timesMs.join(", ")} ms`);
});

test("who asks for little is served at once while others wait for their turns", async () => {
  const turns = new Turns();
  const floods = Array.from({ length: 8 }, () => flood(turns, 0.05));
  await rounds(200);
  const share = turns.share();
  const source = { proceed() {}, served() {} };
  let atOnce = 0;
  for (let i = 0; i < 50; i++) {
    if (share.admits(source)) atOnce++;
    // A thread that lost its processor in between has used up the part of this turn.
    if (!share.serve(source, () => {})) share.forget(source);
    await turnOfLoop();
  }
  assert.ok(atOnce >= 40, `${atOnce} of 50 were served at once`);
  for (const each of [...floods, { share }]) each.share.close();
});

test("a flood is over its part, and no more once it has waited", async () => {
  const turns = new Turns();
  const one = flood(turns, 0.5);
  await rounds(100);
  assert.ok(one.share.isOver);
  one.share.forget(one);
  const idle = { proceed() {}, served() {} };
  while (!one.share.admits(idle)) await turnOfLoop();
  assert.equal(one.share.isOver, false);
  one.share.close();
});

test("what comes for a machine outside its turns is charged to them, and within a frame once", () => {
  const turns = new Turns();
  const share = turns.share();
  const source = { proceed() {}, served() {} };
  assert.ok(share.admits(source));
  for (let i = 0; i < 20 && !share.isOver; i++) share.bill(() => spin(1));
  assert.ok(share.isOver);
  share.close();
  const other = turns.share();
  const nested = (depth) => (depth === 0 ? spin(0.5) : other.bill(() => nested(depth - 1)));
  assert.ok(other.admits(source));
  other.serve(source, () => nested(20));
  assert.equal(other.isOver, false);
  other.close();
});

test("nothing of a machine that is gone is served", async () => {
  const turns = new Turns();
  const one = flood(turns, 0.5);
  await rounds(10);
  one.share.close();
  const { frames } = one;
  await rounds(50);
  assert.equal(one.frames, frames);
  assert.equal(one.share.admits(one), false);
});

test("the pace counts who was served, keeps in mind who was so lately, and never pauses for one alone", () => {
  const pace = new Pace();
  let marks = [-1, -1, -1];
  let now = 1000;
  const period = (served) => {
    for (let i = 0; i < served; i++) marks[i] = pace.mark(marks[i]);
    for (let i = 0; i < served; i++) marks[i] = pace.mark(marks[i]);
    pace.sample((now += 1000));
  };
  period(3);
  assert.equal(pace.active, 3);
  period(1);
  assert.ok(pace.active > 1 && pace.active < 3);
  for (let i = 0; i < 50; i++) period(1);
  assert.ok(pace.active < 1.1);
  assert.equal(pace.pauseMs, 0);
  assert.ok(pace.rate > 0.9 && pace.rate <= 1);
});

test("while the host leaves too much unread nobody is served, and then all are", async () => {
  let held = true;
  const turns = new Turns(() => held);
  const share = turns.share();
  let proceeded = 0;
  const source = { served() {}, proceed: () => void proceeded++ };
  assert.equal(share.admits(source), false);
  await rounds(5);
  assert.equal(proceeded, 0);
  held = false;
  turns.release();
  await rounds(5);
  assert.equal(proceeded, 1);
  assert.equal(share.admits(source), true);
});
