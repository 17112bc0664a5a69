import assert from "node:assert/strict";
import { setImmediate as turnOfLoop } from "node:timers/promises";
import test from "node:test";
import { Pace } from "../../../dist/kernel/guest-door/pace.js";
import { Turns } from "../../../dist/kernel/guest-door/turns.js";

/** A clock that goes on only when it is told to: how busy the machine is that tests run on says nothing here. */
function clock(t) {
  let now = performance.now();
  t.mock.method(performance, "now", () => now);
  // The thread's own time is not this clock's.
  t.mock.method(performance, "eventLoopUtilization", () => ({ active: 0 }));
  return (milliseconds) => void (now += milliseconds);
}

/** Turns of a kernel that pauses between them, and its clock. */
function pausing(t) {
  const pass = clock(t);
  const turns = new Turns();
  Object.defineProperty(turns.pace, "pauseMs", { get: () => 2, set: () => {} });
  return { turns, pass };
}

/**
 * A source that never runs out of frames, each of which takes `frameMs`: less than those of which the thread's own
 * time is asked for, which this clock does not know.
 */
function flood(turns, frameMs, pass) {
  const share = turns.share();
  const source = {
    frames: 0,
    share,
    served() {},
    proceed() {
      while (share.serve(source, () => pass(frameMs))) source.frames++;
      source.frames++;
    },
  };
  if (share.admits(source)) source.proceed();
  return source;
}

const rounds = async (count) => {
  for (let i = 0; i < count; i++) await turnOfLoop();
};

test("those who ask without end get about the same, whatever each of their frames costs", async (t) => {
  const pass = clock(t);
  const turns = new Turns();
  const costs = [0.05, 0.05, 0.24];
  const floods = costs.map((frameMs) => flood(turns, frameMs, pass));
  await rounds(400);
  for (const { share } of floods) share.close();
  const timesMs = floods.map(({ frames }, i) => frames * costs[i]);
  assert.ok(Math.max(...timesMs) < 3 * Math.min(...timesMs), `served ${timesMs.join(", ")} ms`);
});

test("who asks for little is served at once while others wait for their turns", async (t) => {
  const pass = clock(t);
  const turns = new Turns();
  const floods = Array.from({ length: 8 }, () => flood(turns, 0.05, pass));
  await rounds(200);
  const share = turns.share();
  const source = { proceed() {}, served() {} };
  let atOnce = 0;
  for (let i = 0; i < 50; i++) {
    if (share.admits(source)) atOnce++;
    share.serve(source, () => {}, false);
    await turnOfLoop();
  }
  assert.ok(atOnce >= 40, `${atOnce} of 50 were served at once`);
  for (const each of [...floods, { share }]) each.share.close();
});

test("a flood is over its part, and no more once it has waited", async (t) => {
  const pass = clock(t);
  const turns = new Turns();
  const one = flood(turns, 0.2, pass);
  let over = 0;
  for (let i = 0; i < 100; i++) {
    await turnOfLoop();
    if (one.share.isOver) over++;
  }
  // With a turn given, it is just below now and then.
  assert.ok(over >= 25, `over in ${over} of 100 rounds`);
  one.share.forget(one);
  const idle = { proceed() {}, served() {} };
  for (let i = 0; i < 1000 && one.share.isOver; i++) {
    pass(1);
    one.share.admits(idle);
    one.share.forget(idle);
    await turnOfLoop();
  }
  assert.equal(one.share.isOver, false);
  one.share.close();
});

test("what comes for a machine outside its turns is charged to them, and within a frame once", (t) => {
  const { turns, pass } = pausing(t);
  const share = turns.share();
  const source = { proceed() {}, served() {} };
  assert.ok(share.admits(source));
  for (let i = 0; i < 50; i++) share.bill(() => pass(0.2));
  assert.ok(share.isOver);
  share.close();
  const other = turns.share();
  const nested = (depth) => (depth === 0 ? pass(0.2) : other.bill(() => nested(depth - 1)));
  assert.ok(other.admits(source));
  other.serve(source, () => nested(50));
  assert.equal(other.isOver, false);
  other.close();
});

test("nothing of a machine that is gone is served", async (t) => {
  const pass = clock(t);
  const turns = new Turns();
  const one = flood(turns, 0.2, pass);
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

test("who asks for less than its part is never slowed down with those who ask for more", (t) => {
  const { turns, pass } = pausing(t);
  const idle = { proceed() {}, served() {} };
  const others = Array.from({ length: 8 }, () => turns.share());
  const share = turns.share();
  let over = 0;
  for (let call = 0; call < 300; call++) {
    for (const other of others)
      if (other.admits(idle)) other.serve(idle, () => pass(0.01), false);
      else other.forget(idle);
    pass(3);
    // About 6 % of the time: below a ninth, and above a ninth of what the pauses leave.
    if (!share.admits(idle)) over++;
    share.serve(idle, () => pass(0.2), false);
  }
  assert.ok(turns.pace.active > 8);
  assert.equal(over, 0);
  for (const each of [...others, share]) each.close();
});

test("who was over its part is slowed down until it has made up for that", (t) => {
  const { turns, pass } = pausing(t);
  const idle = { proceed() {}, served() {} };
  const share = turns.share();
  assert.ok(share.admits(idle));
  share.charge(20);
  assert.ok(share.isOver);
  share.charge(-13);
  // One VM alone: time gives it a third of itself, not all of it.
  pass(10);
  assert.ok(share.admits(idle));
  share.charge(7);
  assert.ok(share.isOver);
  share.close();
});

test("a frame with nothing behind it does not wait for a turn, however long it took", (t) => {
  const { turns, pass } = pausing(t);
  let proceeded = 0;
  const source = { served() {}, proceed: () => void proceeded++ };
  const share = turns.share();
  for (let call = 0; call < 3; call++) {
    assert.ok(share.admits(source));
    assert.equal(
      share.serve(source, () => pass(1.5), false),
      true,
    );
    pass(5);
  }
  assert.equal(
    share.serve(source, () => pass(1.5)),
    false,
  );
  assert.equal(share.admits(source), false);
  assert.equal(proceeded, 0);
  share.close();
});

/** Frames of 0.2 ms that come one by one, as many as are served before `share` has to wait. */
function oneByOne(share, pass) {
  const source = { served() {}, proceed() {} };
  let served = 0;
  for (; served < 100 && share.admits(source); served++)
    share.serve(source, () => pass(0.2), false);
  share.forget(source);
  return served;
}

test("a machine whose frames come one by one waits for its turn once they have been a turn's work", (t) => {
  const { turns, pass } = pausing(t);
  const source = { served() {}, proceed() {} };
  const [share, other] = [turns.share(), turns.share()];
  assert.ok(other.admits(source));
  other.serve(source, () => {}, false);
  const served = oneByOne(share, pass);
  assert.ok(served >= 4 && served <= 6, `${served} frames of 0.2 ms`);
  share.close();
  other.close();
});

test("one machine alone does not wait for its turn, but lets the event loop look for others", async (t) => {
  const pass = clock(t);
  const turns = new Turns();
  const share = turns.share();
  for (let turn = 0; turn < 20; turn++) {
    const served = oneByOne(share, pass);
    assert.ok(served <= 12, `${served} frames of 0.2 ms`);
    if (turn > 0) assert.ok(served >= 4, `${served} frames of 0.2 ms`);
    await turnOfLoop();
  }
  // All of that is beyond its part, which nobody else wants. From the first frame of another on, it waits for what it is over.
  const other = turns.share();
  const source = { served() {}, proceed() {} };
  assert.ok(other.admits(source));
  other.serve(source, () => {}, false);
  assert.ok(share.isOver);
  assert.equal(share.admits(source), false);
  share.close();
  other.close();
});

test("nobody pays for the time that the kernel was kept from a processor", () => {
  const turns = new Turns();
  Object.defineProperty(turns.pace, "pauseMs", { get: () => 2, set: () => {} });
  const asleep = new Int32Array(new SharedArrayBuffer(4));
  const share = turns.share();
  const source = { proceed() {}, served() {} };
  assert.ok(share.admits(source));
  for (let i = 0; i < 5; i++) share.bill(() => void Atomics.wait(asleep, 0, 0, 10));
  assert.equal(share.isOver, false);
  share.close();
  // And what went by meanwhile is no time that a machine has had for itself.
  const { pace } = new Turns();
  pace.sample(performance.now());
  for (let i = 0; i < 6; i++) {
    Atomics.wait(asleep, 0, 0, 12);
    for (let machine = 0; machine < 2; machine++) pace.mark(-1);
    pace.sample(performance.now());
  }
  assert.ok(pace.rate * pace.active < 0.6, `${pace.rate}`);
  // But by that of one alone nobody has lost anything.
  for (let i = 0; i < 40; i++) {
    Atomics.wait(asleep, 0, 0, 12);
    pace.sample(performance.now());
  }
  assert.ok(pace.rate > 0.9, `${pace.rate}`);
});

test("for a frame in the middle of which others took the processor, its program is billed what the kernel worked", (t) => {
  const pass = clock(t);
  const share = new Turns().share();
  const billed = [];
  const source = { proceed() {}, served: (milliseconds) => billed.push(milliseconds) };
  assert.ok(share.admits(source));
  // The clock goes on, the thread does nothing.
  share.serve(source, () => pass(60_000));
  share.serve(source, () => pass(0.2));
  const [long, short] = billed;
  assert.ok(long >= 0 && long < 30_000, `${long} ms of a minute`);
  assert.ok(Math.abs(short - 0.2) < 1e-6, `${short} ms`);
  share.close();
});
