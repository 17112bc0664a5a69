// Plans of system calls: what is asked before anything happens, what happens when the answer takes time.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Errno } from "../../../dist/abi/errno.js";
import { Deferred } from "../../../dist/kernel/io/deferred.js";
import { Plan, mapOutcome } from "../../../dist/kernel/io/plan.js";
import { carryOut } from "../../../dist/kernel/policy/admission.js";
import { Denial, denial } from "../../../dist/kernel/policy/decision.js";

const spawn = (command) => ({
  scope: "childProcess",
  operation: "spawn",
  command,
  args: [],
  cwd: "/",
  env: {},
});
const stat = (path) => ({ scope: "fs", operation: "stat", path });
/** Who has asked for what, one list per question; answers come from `decide`. */
function callerOf(decide) {
  const asked = [];
  const judgeAll = (requests, resources, subject) => {
    assert.equal(subject, caller);
    asked.push(requests.map(({ scope, path, command }) => `${scope} ${path ?? command}`));
    return decide(requests, resources);
  };
  const caller = { pid: 7, argv: ["node"], policy: { judgeAll } };
  return { caller, asked };
}
const outcome = (answer) => {
  const seen = [];
  answer.whenSettled((result) => seen.push(result));
  return seen;
};

test("what is no plan is the answer already", () => {
  const { caller, asked } = callerOf(() => assert.fail("nothing to ask"));
  const later = new Deferred();
  for (const answer of [{ fd: 3 }, -Errno.EBADF, later])
    assert.equal(carryOut(caller, answer), answer);
  assert.deepEqual(asked, []);
});

test("scopes are asked in turn, and a denial of the first one asks no other and runs nothing", () => {
  const requests = [stat("/bin/x"), stat("/bin"), spawn("x")];
  const { caller, asked } = callerOf(() => 0);
  const plan = new Plan(requests, () => ({ pid: 9 }));
  assert.deepEqual(carryOut(caller, plan), { pid: 9 });
  assert.deepEqual(asked, [["fs /bin/x", "fs /bin"], ["childProcess x"]]);

  const refusing = callerOf(([first], [resource]) => denial(first, resource));
  const answer = carryOut(
    refusing.caller,
    new Plan(requests, () => assert.fail("denied"), { resources: ["x"] }),
  );
  assert.ok(answer instanceof Denial);
  assert.equal(answer.message, "EACCES: permission denied, x: blocked by fs.stat policy");
  assert.equal(refusing.asked.length, 1);
});

test("after a late answer the call is looked up again, and denied when names stand for something else", () => {
  for (const [before, now, expected] of [
    ["/usr/bin/cat", "/usr/bin/cat", { ran: "second" }],
    ["/usr/bin/cat", "/usr/bin/node", "denied"],
    ["/usr/bin/cat", undefined, -Errno.ENOENT],
  ]) {
    const decision = new Deferred();
    const { caller } = callerOf(() => decision);
    const planOf = (file, ran, again) =>
      new Plan([spawn("tool")], () => ({ ran }), { about: [file], ...(again && { again }) });
    const again = () => (now === undefined ? -Errno.ENOENT : planOf(now, "second"));
    const seen = outcome(carryOut(caller, planOf(before, "first", again)));
    assert.deepEqual(seen, []);
    decision.settle(0);
    assert.deepEqual(
      seen.map((one) => (one instanceof Denial ? "denied" : one)),
      [expected],
    );
  }
});

test("what a plan comes to may be another plan, now or later, which is asked about as well", () => {
  const { caller, asked } = callerOf(([{ command }]) =>
    command === "alias" ? denial(spawn("alias")) : 0,
  );
  const inner = new Plan([spawn("alias")], () => assert.fail("denied"));
  const found = new Deferred();
  const now = carryOut(caller, new Plan([spawn("name")], () => inner));
  const seen = outcome(carryOut(caller, new Plan([spawn("name")], () => found)));
  found.settle(inner);
  for (const answer of [now, ...seen]) assert.ok(answer instanceof Denial);
  assert.deepEqual(asked.flat(), [
    "childProcess name",
    "childProcess alias",
    "childProcess name",
    "childProcess alias",
  ]);
});

test("a plan is over once: answered, denied, or given up while the policy is asked", () => {
  for (const [decision, run, finish] of [
    [0, () => ({}), () => {}],
    [denial(spawn("x")), () => assert.fail("denied"), () => {}],
    [new Deferred(), () => ({}), (answer, decided) => decided.settle(0)],
    [new Deferred(), () => assert.fail("given up"), (answer) => answer.cancel()],
    [0, () => new Deferred(), (answer) => answer.cancel()],
  ]) {
    let over = 0;
    const { caller } = callerOf(() => decision);
    const answer = carryOut(caller, new Plan([spawn("x")], run, { over: () => over++ }));
    if (answer instanceof Deferred) answer.whenSettled(() => {});
    finish(answer, decision);
    assert.equal(over, 1);
    if (decision instanceof Deferred) assert.equal(decision.settled, true);
  }
});

test("a mapped plan asks the same, ends the same, and answers what was made of its result", () => {
  const { caller, asked } = callerOf(() => 0);
  let over = 0;
  const plan = new Plan([spawn("x")], () => ({ n: 1 }), { over: () => over++ });
  assert.deepEqual(
    carryOut(
      caller,
      mapOutcome(plan, ({ n }) => ({ twice: n * 2 })),
    ),
    { twice: 2 },
  );
  const failing = new Plan([spawn("x")], () => -Errno.EAGAIN, { over: () => over++ });
  assert.equal(carryOut(caller, mapOutcome(failing, assert.fail)), -Errno.EAGAIN);
  assert.deepEqual([asked.length, over], [2, 2]);
});
