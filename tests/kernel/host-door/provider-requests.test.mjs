// Questions to file systems that the host serves: settled once, so many at a time, and no bytes that nobody pays for.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Errno } from "../../../dist/abi/errno.js";
import { ProviderRequests } from "../../../dist/kernel/host-door/provider-requests.js";
import { limits } from "../../../dist/kernel/limits.js";

const mount = { id: 3, maxFileBytes: 100, timeoutMs: 60_000 };
const stat = { operation: "stat", path: "/a" };

/** A host that is not there, and an asker with a quota of `room` bytes. */
function host(room = 1000) {
  const sent = [];
  const cancelled = [];
  const port = { behind: false };
  const requests = new ProviderRequests({
    provide: (vm, id, provider, question, data, more) =>
      sent.push({ vm, id, provider, question, bytes: data.byteLength, more }),
    provideCancel: (vm, id) => cancelled.push(id),
    isBehind: () => port.behind,
  });
  const quota = {
    open: 0,
    takeOpenBytes: (bytes) => quota.open + bytes <= room && ((quota.open += bytes), true),
    giveOpenBytes: (bytes) => void (quota.open -= bytes),
  };
  const ask = (change = {}, data) => {
    const answer = requests.ask({ vm: 1, room: quota }, { ...mount, ...change }, stat, data);
    const values = [];
    answer.whenSettled((value) => values.push(value));
    return { answer, values };
  };
  return { requests, sent, cancelled, port, quota, ask };
}
const bytes = (size) => Buffer.alloc(size, "x");

test("an answer in parts is one, and its bytes are the asker's until it has it", () => {
  const { requests, sent, quota, ask } = host();
  const { values } = ask();
  assert.deepEqual(JSON.parse(sent[0].question), stat);
  const { id } = sent[0];
  requests.provided(1, id, "", bytes(40), true);
  assert.equal(quota.open, 40);
  // Of another machine, or to a question that there is not.
  requests.provided(2, id, "{}", bytes(1), false);
  requests.provided(1, id + 1, "{}", bytes(1), false);
  requests.provided(1, id, "{}", bytes(2), false);
  assert.equal(values.length, 1);
  assert.equal(values[0].data.length, 42);
  assert.equal(quota.open, 0);
  requests.provided(1, id, "{}", bytes(2), false);
  assert.equal(values.length, 1);
});

test("more than a file may have is EFBIG, more than the quota has ENOSPC; the host is told", () => {
  const { requests, sent, cancelled, quota, ask } = host(50);
  const [large, poor] = [ask(), ask()];
  requests.provided(1, sent[0].id, "{}", bytes(101), false);
  assert.deepEqual(large.values, [-Errno.EFBIG]);
  requests.provided(1, sent[1].id, "", bytes(40), true);
  requests.provided(1, sent[1].id, "{}", bytes(11), false);
  assert.deepEqual(poor.values, [-Errno.ENOSPC]);
  assert.deepEqual(cancelled, [sent[0].id, sent[1].id]);
  assert.equal(quota.open, 0);
});

test("so many questions are with one provider, the rest in its line; another has its own", () => {
  const { requests, sent, ask } = host();
  const asked = Array.from({ length: limits.providerCalls + 2 }, () => ask());
  ask({ id: 4 });
  assert.equal(sent.length, limits.providerCalls + 1);
  // One that waits and gives up never starts; its place is the next one's.
  asked.at(-2).answer.cancel();
  requests.provided(1, sent[0].id, "{}", bytes(0), false);
  assert.equal(sent.length, limits.providerCalls + 2);
  assert.equal(asked[0].values.length, 1);
});

test("nothing is put while the host is behind, and all that may when it has read", () => {
  const { requests, sent, port, ask } = host();
  port.behind = true;
  ask();
  ask({ id: 4 });
  assert.deepEqual(sent, []);
  port.behind = false;
  requests.drained();
  assert.equal(sent.length, 2);
});

test("time, and giving up, end a question at the host too", async () => {
  const { sent, cancelled, ask } = host();
  const { answer } = ask({ timeoutMs: 1 });
  assert.equal(await new Promise((resolve) => answer.whenSettled(resolve)), -Errno.ETIMEDOUT);
  ask().answer.cancel();
  assert.deepEqual(cancelled, [sent[0].id, sent[1].id]);
});

test("content longer than a message goes in several, of which the last has the question", () => {
  const { sent, ask } = host();
  ask({}, bytes(9 * 1024 * 1024));
  assert.deepEqual(
    sent.map(({ bytes: size, more, question }) => [size, more, question === ""]),
    [
      [4 * 1024 * 1024, true, true],
      [4 * 1024 * 1024, true, true],
      [1024 * 1024, false, false],
    ],
  );
});

test("when a machine goes, all its questions are EIO, those that wait as well", () => {
  const { requests, sent, ask } = host();
  const asked = Array.from({ length: limits.providerCalls + 1 }, () => ask());
  requests.release(1);
  assert.deepEqual(
    asked.map(({ values }) => values),
    asked.map(() => [-Errno.EIO]),
  );
  assert.equal(sent.length, limits.providerCalls);
});
