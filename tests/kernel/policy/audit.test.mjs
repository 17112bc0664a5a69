// The record of decisions: what is read is what was put in, within its bounds, whatever is dropped or grows meanwhile.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { limits } from "../../../dist/kernel/limits.js";
import { Audit } from "../../../dist/kernel/policy/audit.js";

const rowOf = (at, more = {}) => ({
  scope: "fs",
  operation: "read",
  resource: `/f${at}`,
  rule: at,
  reason: "",
  decision: "allow",
  wouldDeny: false,
  pid: at,
  argv0: `p${at % 3}`,
  ...more,
});
const seenOf = (at, more = {}) => ({
  time: at,
  scope: "fs",
  operation: "read",
  resource: `/f${at}`,
  decision: "allow",
  rule: at,
  process: { pid: at, argv0: `p${at % 3}` },
  ...more,
});

/** One whose time is that of `at`. */
function auditOf(options, send = () => assert.fail("nothing is sent")) {
  let time = 0;
  const audit = new Audit({ all: true, stream: false, ...options }, send, () => time);
  return {
    audit,
    add: (at, more) => {
      time = at;
      audit.add(rowOf(at, more));
    },
  };
}
const range = (from, to) => Array.from({ length: to - from }, (_, at) => from + at);

test("every field comes back, whatever decided", () => {
  const cases = [
    [{ rule: "default" }, { rule: "default" }],
    [
      { rule: "function", reason: "no" },
      { rule: "function", reason: "no" },
    ],
    [
      { rule: "address", decision: "deny" },
      { rule: "address", decision: "deny" },
    ],
    [
      { rule: "deny", wouldDeny: true },
      { rule: "deny", wouldDeny: true },
    ],
    [
      { scope: "network", operation: "request" },
      { scope: "network", operation: "request" },
    ],
    [
      { scope: "env", operation: "write" },
      { scope: "env", operation: "write" },
    ],
    [
      { scope: "process", operation: "kill" },
      { scope: "process", operation: "kill" },
    ],
    [
      { scope: "tool", operation: "invoke" },
      { scope: "tool", operation: "invoke" },
    ],
  ];
  const { audit, add } = auditOf({ entries: 100 });
  for (const [at, [given]] of cases.entries()) add(at, given);
  audit.note("childProcess", "spawn", "ls", 7, "sh");
  assert.deepEqual(audit.read(), {
    decisions: [
      ...cases.map(([, seen], at) => seenOf(at, seen)),
      {
        time: cases.length - 1,
        scope: "childProcess",
        operation: "spawn",
        resource: "ls",
        decision: "allow",
        rule: "allow",
        process: { pid: 7, argv0: "sh" },
      },
    ],
    dropped: 0,
  });
});

test("the last ones are kept, with their reasons, however often it goes round or grows", () => {
  // Fewer than it begins with; grown by halves; grown to another number than twice.
  for (const entries of [5, 128, 300])
    for (const count of [3, 64, 65, 200, 301, 1000]) {
      const reason = (at) => (at % 7 === 0 ? { reason: `why ${at}` } : {});
      const { audit, add } = auditOf({ entries });
      for (const at of range(0, count)) add(at, reason(at));
      const first = Math.max(0, count - entries);
      assert.deepEqual(audit.read(), {
        decisions: range(first, count).map((at) => seenOf(at, reason(at))),
        dropped: first,
      });
    }
});

test("much text drops the oldest, also before it has grown, and what comes then is in its place", () => {
  const long = "x".repeat(1000);
  const most = Math.floor(limits.auditChars / (long.length + 2));
  const { audit, add } = auditOf({ entries: 3000 });
  for (const at of range(0, most + 40)) add(at, { resource: long, argv0: "p0" });
  const whole = audit.read();
  assert.equal(whole.decisions.length, most);
  assert.equal(whole.dropped, 40);
  // Short ones after it: it grows while its first one is not at the beginning.
  const reason = (at) => (at % 10 === 0 ? { reason: "r" } : {});
  for (const at of range(0, 1500)) add(at, reason(at));
  const { decisions, dropped } = audit.read();
  assert.deepEqual(
    decisions.slice(-1500),
    range(0, 1500).map((at) => seenOf(at, reason(at))),
  );
  const text = decisions.reduce(
    (sum, one) => sum + one.resource.length + one.process.argv0.length,
    0,
  );
  assert.ok(text <= limits.auditChars);
  assert.equal(decisions.length + dropped, most + 40 + 1500);
});

test("the first is sent at once; what comes close after a message goes together, or when half of what may wait does", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  t.mock.method(performance, "now", () => 0);
  const sent = [];
  const { audit, add } = auditOf({ entries: 10, stream: true }, ({ decisions }) =>
    sent.push(decisions.map(({ time }) => time)),
  );
  add(0);
  assert.deepEqual(sent, []);
  await turn();
  assert.deepEqual(sent, [[0]]);
  add(1);
  audit.taken();
  await turn();
  add(2);
  await turn();
  assert.deepEqual(sent, [[0]]);
  t.mock.timers.tick(10);
  assert.deepEqual(sent, [[0], [1, 2]]);
  audit.taken();
  for (const at of range(3, 7)) add(at);
  await turn();
  assert.equal(sent.length, 2);
  add(7);
  await turn();
  assert.deepEqual(sent.at(-1), range(3, 8));
  // What had been waited for comes to nothing.
  audit.taken();
  t.mock.timers.tick(100);
  await turn();
  assert.equal(sent.length, 3);
});

test("what is sent is what came since, each once, with what did not fit in between", () => {
  const sent = [];
  const { audit, add } = auditOf({ entries: 10, stream: true }, (list) => sent.push(list));
  for (const at of range(0, 4)) add(at, { reason: "r" });
  audit.flush();
  // The host is busy with those.
  for (const at of range(4, 20)) add(at);
  audit.taken();
  audit.taken();
  audit.flush();
  assert.deepEqual(sent, [
    { decisions: range(0, 4).map((at) => seenOf(at, { reason: "r" })), dropped: 0 },
    { decisions: range(10, 20).map((at) => seenOf(at)), dropped: 6 },
  ]);
});
