// How many guests wait ahead, from when programs began and ended; the clock is a number.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Demand } from "../../dist/launcher/demand.js";

const options = { few: 3, most: 20, youngMs: 250, fallMs: 1000 };
const begin = (demand, count, nowMs) => Array.from({ length: count }, () => demand.begins(nowMs));

test("one program after the other asks for no more than few", () => {
  const demand = new Demand(options);
  for (let nowMs = 0; nowMs < 1000; nowMs++) demand.ends(demand.begins(nowMs));
  assert.equal(demand.ahead(1000), 3);
  assert.equal(demand.fallsInMs(1000), undefined);
});

test("a burst raises the number to its size, at once", () => {
  const demand = new Demand(options);
  begin(demand, 16, 10);
  assert.equal(demand.ahead(10), 16);
});

test("most is the most, however large the burst", () => {
  const demand = new Demand(options);
  begin(demand, 1000, 0);
  assert.equal(demand.ahead(0), 20);
});

test("programs under way together count, however many come one after the other", () => {
  const demand = new Demand(options);
  let flying = begin(demand, 6, 0);
  for (let nowMs = 1; nowMs < 100; nowMs++) {
    for (const asked of flying) demand.ends(asked);
    flying = begin(demand, 6, nowMs);
  }
  assert.equal(demand.ahead(100), 6);
});

test("a program that runs for long holds its guest and is no part of a burst", () => {
  const demand = new Demand(options);
  for (let i = 0; i < 100; i++) demand.begins(i * 250);
  assert.equal(demand.ahead(25_000), 3);
});

test("without such a burst the number halves, until it is few", () => {
  const demand = new Demand(options);
  for (const asked of begin(demand, 16, 0)) demand.ends(asked);
  assert.equal(demand.fallsInMs(400), 600);
  const seen = [999, 1000, 1999, 2000, 3000, 60_000].map((nowMs) => demand.ahead(nowMs));
  assert.deepEqual(seen, [16, 8, 8, 4, 3, 3]);
  assert.equal(demand.fallsInMs(60_000), undefined);
});

test("a burst that comes again keeps its guests; a smaller one does not", () => {
  const demand = new Demand(options);
  for (let nowMs = 0; nowMs <= 5000; nowMs += 900)
    for (const asked of begin(demand, 16, nowMs)) demand.ends(asked);
  assert.equal(demand.ahead(5000), 16);
  for (const asked of begin(demand, 10, 5001)) demand.ends(asked);
  assert.equal(demand.ahead(5500), 8);
  for (const asked of begin(demand, 10, 5501)) demand.ends(asked);
  assert.equal(demand.ahead(5501), 10);
});

test("who gives up waiting is no part of a burst either, and may say so twice", () => {
  const demand = new Demand(options);
  for (let i = 0; i < 100; i++) {
    const asked = demand.begins(i);
    demand.ends(asked);
    demand.ends(asked);
  }
  assert.equal(demand.ahead(100), 3);
});
