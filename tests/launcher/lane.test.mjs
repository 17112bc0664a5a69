// Guests that were forked ahead: who gets the next one, and how many there are to be.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Lane } from "../../dist/launcher/lane.js";

const demand = { few: 3, most: 8, youngMs: 250, fallMs: 20_000 };
const waitFor = (lane, owner, got = []) => {
  lane.waiters.push(owner, {
    owner,
    asked: lane.demand.begins(0),
    waiter: (guest, reason) => got.push(guest ?? reason),
  });
  return got;
};

test("every other guest goes to the owner who has the fewest, the others in turn", () => {
  const lane = new Lane(false, demand);
  const [greedy, modest] = [{ name: "greedy" }, { name: "modest" }];
  for (let count = 0; count < 4; count++) waitFor(lane, greedy);
  for (let count = 0; count < 2; count++) waitFor(lane, modest);
  const inUse = (owner) => (owner === greedy ? 10 : 0);
  const order = Array.from({ length: 6 }, () => lane.nextWaiting(inUse).owner.name);
  assert.equal(lane.nextWaiting(inUse), undefined);
  assert.deepEqual(order, ["modest", "greedy", "modest", "greedy", "greedy", "greedy"]);
});

test("a guest that ended waits no more; one that was handed out never did", () => {
  const lane = new Lane(false, demand);
  const [one, other] = [{}, {}];
  lane.idle = [one];
  assert.equal(lane.loses(other), false);
  assert.equal(lane.loses(one), true);
  assert.equal(lane.loses(one), false);
  assert.deepEqual(lane.idle, []);
});

test("who waits hears why there is no guest, and waits no more", () => {
  const lane = new Lane(false, demand);
  const heard = [{}, {}].map((owner) => waitFor(lane, owner));
  assert.ok(lane.wanted(0) >= 2);
  lane.refuse("the zygote ended");
  assert.deepEqual(heard, [["the zygote ended"], ["the zygote ended"]]);
  assert.equal(lane.waiters.size, 0);
});

test("guests for native addons are made ahead only while a machine takes them", () => {
  const lane = new Lane(true, demand);
  assert.equal(lane.wanted(performance.now()), 0);
  const over = lane.expect();
  assert.ok(lane.wanted(performance.now()) > 0);
  over();
  assert.equal(new Lane(true, demand).wanted(performance.now()), 0);
});
