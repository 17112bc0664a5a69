// What the kernel asks of the host: each question is settled once, and of each kind so many are with the host.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Errno } from "../../../dist/abi/errno.js";
import { HostRequests } from "../../../dist/kernel/host-door/requests.js";
import { limits } from "../../../dist/kernel/limits.js";

/** Of a machine whose turn it always is. */
const part = { admits: () => true, serve: (_, work) => (work(), true), forget() {}, charge() {} };
const asker = { vm: 1, part };
const request = { scope: "tool", operation: "invoke", name: "x" };

/** Requests to a host that is not there; `sent` is what it would have got. */
function host() {
  const sent = [];
  const note =
    (kind) =>
    (vm, id, ...rest) =>
      sent.push({ kind, vm, id, rest });
  const requests = new HostRequests({
    judge: note("judge"),
    toolCall: note("tool"),
    toolNext: note("next"),
    toolCancel: note("cancel"),
    outward: note("outward"),
    isBehind: () => false,
  });
  return { requests, sent, of: (kind) => sent.filter((one) => one.kind === kind) };
}

function seen(later) {
  const values = [];
  later.whenSettled((value) => values.push(value));
  return values;
}

test("an answer finds its question, once, and a number is not used while it waits", () => {
  const { requests, of } = host();
  const first = seen(requests.judge(asker, "tool", [request], 60_000));
  const second = seen(requests.callTool(asker, "add", Buffer.from("1")));
  const third = seen(requests.outward(asker, { host: "a" }));
  const [judged, called, outward] = [of("judge"), of("tool"), of("outward")].map(([one]) => one.id);
  assert.equal(new Set([judged, called, outward]).size, 3);
  assert.equal(requests.pending, 3);
  requests.judged(judged, [{ allow: true }]);
  requests.judged(judged, [{ allow: false }]);
  requests.toolDone(called, { ok: true, json: Buffer.from("2") });
  requests.toolDone(called, { ok: false, json: Buffer.from("3") });
  requests.outwardReady(outward, true, "{}");
  assert.deepEqual(first, [[{ allow: true }]]);
  assert.deepEqual([second[0].ok, second.length], [true, 1]);
  assert.deepEqual(third, [{ added: "{}" }]);
  assert.equal(requests.pending, 0);
});

test("a decision that does not come in time is -ETIMEDOUT, and too long a question is not put", async () => {
  const { requests, sent } = host();
  const late = requests.judge(asker, "tool", [request], 1);
  assert.equal(await new Promise((resolve) => late.whenSettled(resolve)), -Errno.ETIMEDOUT);
  assert.equal(requests.pending, 0);
  sent.length = 0;
  const long = { ...request, name: "x".repeat(4 * 1024 * 1024) };
  assert.deepEqual(seen(requests.judge(asker, "tool", [long], 60_000)), [-Errno.E2BIG]);
  assert.deepEqual(sent, []);
});

test("so many tool calls of one machine are with the host, of another the same again", () => {
  const { requests, of } = host();
  const call = (from) => requests.callTool(from, "add", Buffer.alloc(0));
  const calls = Array.from({ length: limits.toolCalls + 1 }, () => call(asker));
  call({ vm: 2, part });
  assert.equal(of("tool").length, limits.toolCalls + 1);
  requests.toolDone(of("tool")[0].id, { ok: true, json: Buffer.alloc(0) });
  assert.equal(of("tool").length, limits.toolCalls + 2);
  // A person is asked: the next may be with the host meanwhile.
  call(asker);
  requests.toolParked(of("tool")[1].id);
  assert.equal(of("tool").length, limits.toolCalls + 3);
  assert.ok(!calls[1].settled);
});

test("who gives up is told to the host if the call is there, and leaves the line if not", () => {
  const { requests, of } = host();
  const calls = Array.from({ length: limits.toolCalls + 2 }, () =>
    requests.callTool(asker, "add", Buffer.alloc(0)),
  );
  calls.at(-2).cancel();
  assert.deepEqual(of("cancel"), []);
  const { id } = of("tool")[0];
  calls[0].cancel();
  assert.deepEqual(
    of("cancel").map((one) => one.id),
    [id],
  );
  // The last one has the place, and an answer that comes too late is nobody's.
  assert.equal(of("tool").length, limits.toolCalls + 1);
  requests.toolDone(id, { ok: true, json: Buffer.alloc(0) });
  assert.equal(requests.pending, limits.toolCalls);
});

test("of one stream the host has one question at a time", () => {
  const { requests, of } = host();
  requests.nextOfTool(asker, 5, false);
  const second = seen(requests.nextOfTool(asker, 5, false));
  requests.nextOfTool(asker, 6, false);
  assert.deepEqual(
    of("next").map(({ rest }) => rest[0]),
    [5, 6],
  );
  requests.toolDone(of("next")[0].id, { ok: true, json: Buffer.from("1") });
  assert.deepEqual(
    of("next").map(({ rest }) => rest[0]),
    [5, 6, 5],
  );
  assert.deepEqual(second, []);
});
