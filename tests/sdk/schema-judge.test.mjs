// Inputs that are judged in a thread: what takes too long is refused, and only that.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { SchemaJudge } from "../../dist/sdk/schema-judge.js";
import { schemaCheck } from "../../dist/sdk/tool-schema.js";

const judge = new SchemaJudge();
after(() => judge.close());
const never = new AbortController().signal;

/** @returns {Promise<any>} */
function ask(schema, value, signal = never, by = judge) {
  const json = Buffer.from(JSON.stringify(value));
  return schemaCheck("s", schema).check(JSON.parse(json.toString()), json, { judge: by, signal });
}

const backtracking = { type: "string", pattern: "^([a-z]+)+$" };
const hostile = `${"a".repeat(60)}!`;

test("a pattern that would take years is refused at its deadline, and the next input is judged", async () => {
  let turns = 0;
  let over = false;
  const counting = (async () => {
    while (!over) {
      turns++;
      await turn();
    }
  })();
  const [bad, good] = await Promise.all([ask(backtracking, hostile), ask(backtracking, "abc")]);
  over = true;
  await counting;
  assert.deepEqual(bad, {
    violation: { path: "$", problem: "the tool's schema did not decide within 1000ms" },
  });
  assert.deepEqual(good, { value: "abc" });
  assert.ok(turns > 10, "the host's loop went on");
});

test("a thread that had no processor has more time; a clock that says nothing gives none", async () => {
  for (const { times, most } of [
    { times: [0, 0, 10, 999, 1000], most: 5 },
    { times: [Number.NaN], most: 2 },
  ]) {
    let looks = 0;
    const own = new SchemaJudge((thread) => {
      assert.ok(thread > 0 && thread !== process.pid);
      return times[Math.min(looks++, times.length - 1)];
    });
    assert.deepEqual(await ask(backtracking, hostile, never, own), {
      violation: { path: "$", problem: "the tool's schema did not decide within 1000ms" },
    });
    assert.equal(looks, most);
    own.close();
  }
});

test("unique items, whose every pair is compared, are judged or refused there too", async () => {
  const unique = { type: "array", uniqueItems: true };
  assert.deepEqual(await ask(unique, [1, 2]), { value: [1, 2] });
  assert.equal((await ask(unique, [1, 1])).violation.path, "$");
  const slow = Array.from({ length: 4000 }, (_, at) => [...Array(100).fill(0), at]);
  assert.ok("violation" in (await ask(unique, slow)));
});

test("keywords that are cheap by themselves are judged there where there are many of them for many values", async () => {
  const many = { type: "array", items: { allOf: Array.from({ length: 20_000 }, () => ({})) } };
  assert.deepEqual(
    await ask(
      many,
      Array.from({ length: 4000 }, () => 1),
    ),
    { violation: { path: "$", problem: "the tool's schema did not decide within 1000ms" } },
  );
  assert.deepEqual(await ask(many, []), { value: [] });
  // What goes through the characters of a text, as often.
  const lengths = { allOf: Array.from({ length: 3000 }, () => ({ minLength: 1 })) };
  const text = "a".repeat(12_000);
  const ended = new SchemaJudge();
  assert.ok(
    "violation" in (await ask(lengths, text, AbortSignal.abort(), ended)),
    "not judged here",
  );
  assert.deepEqual(await ask(lengths, "a", AbortSignal.abort(), ended), { value: "a" });
});

test("what the thread finds is what would be found here", async () => {
  const schema = {
    type: "object",
    properties: { id: { type: "string", pattern: "^[a-z]+$" }, list: { type: "array" } },
    required: ["id"],
  };
  for (const value of [{}, { id: 1 }, { id: "A" }, { id: "a" }, [], { id: "a", list: 0 }])
    assert.deepEqual(await ask(schema, value), await schemaCheck("s", schema).check(value));
  const large = { id: "a", list: Array.from({ length: 50_000 }, () => [""]) };
  const simple = {
    type: "object",
    properties: { list: { type: "array", items: { type: "array" } } },
  };
  assert.ok("value" in (await ask(simple, large)));
});

test("a call that is over waits no longer; after close everything is refused, and nothing hangs", async () => {
  const own = new SchemaJudge();
  const controller = new AbortController();
  const running = ask(backtracking, hostile, never, own);
  const waiting = ask(backtracking, "abc", controller.signal, own);
  controller.abort();
  assert.ok("violation" in (await waiting));
  const last = ask(backtracking, "abc", never, own);
  own.close();
  assert.ok("violation" in (await running));
  assert.ok("violation" in (await last));
  assert.ok("violation" in (await ask(backtracking, "abc", controller.signal, own)));
});
