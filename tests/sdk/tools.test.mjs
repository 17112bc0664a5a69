import assert from "node:assert/strict";
import { test } from "node:test";
import { parseTools } from "../../dist/sdk/tool-definitions.js";
import { HostToolbox } from "../../dist/sdk/tools.js";
import { kebabCase, toolLimits } from "../../dist/protocol/tools.js";

let lastId = 0;
function boxOf(tools) {
  const box = new HostToolbox();
  box.add(parseTools("tools", tools), "tools");
  return box;
}
/** Starts a call; `answer` settles with what goes back to the guest. */
function start(box, name, input) {
  const id = ++lastId;
  const bytes =
    input instanceof Uint8Array
      ? input
      : Buffer.from(input === undefined ? "" : JSON.stringify(input));
  const answer = new Promise((resolve) => {
    box.call(id, name, bytes, (ok, json) => {
      const text = Buffer.from(json).toString();
      resolve({ ok, value: text === "" ? undefined : JSON.parse(text) });
    });
  });
  return { id, answer };
}
const call = (box, name, input) => start(box, name, input).answer;
const refused = (option) => (error) =>
  error.code === "ERR_SECURE_EXEC_INVALID_OPTION" && error.details.option === option;
const handler = () => {};

test("definitions are checked, with the place of what is wrong", () => {
  const deep = {};
  for (let at = deep, n = 0; n < 50; n++) at = at.properties = {};
  for (const [tools, option] of [
    [[], "tools"],
    [{ "1a": { handler } }, "tools.1a"],
    [{ "a b": { handler } }, "tools.a b"],
    [{ ["a".repeat(65)]: { handler } }, `tools.${"a".repeat(65)}`],
    [{ a: handler }, "tools.a"],
    [{ a: {} }, "tools.a.handler"],
    [{ a: { handler, handle: 1 } }, "tools.a.handle"],
    [{ a: { handler, description: 1 } }, "tools.a.description"],
    [{ a: { handler, inputSchema: 1 } }, "tools.a.inputSchema"],
    [{ a: { handler, inputSchema: deep } }, "tools.a.inputSchema"],
    [{ a: { handler, inputSchema: { x: "y".repeat(70_000) } } }, "tools.a.inputSchema"],
    [{ a: { handler, timeoutMs: -1 } }, "tools.a.timeoutMs"],
    [{ a: { handler, timeoutMs: 300_001 } }, "tools.a.timeoutMs"],
    [{ a: { handler, timeoutMs: "1" } }, "tools.a.timeoutMs"],
    [{ a: { handler, commandAliases: "b" } }, "tools.a.commandAliases"],
    [{ a: { handler, commandAliases: ["../b"] } }, "tools.a.commandAliases[0]"],
    [{ a: { handler, examples: [{ input: 1n }] } }, "tools.a.examples[0].input"],
    [{ a: { handler, examples: Array(17).fill({}) } }, "tools.a.examples"],
  ]) {
    assert.throws(() => parseTools("tools", tools), refused(option), option);
  }
});

test("names, aliases and kebab-case stand for one tool each", () => {
  for (const [name, kebab] of [
    ["lookupUser", "lookup-user"],
    ["getHTTPStatus", "get-http-status"],
    ["read_file", "read-file"],
    ["add", "add"],
    ["toB2", "to-b2"],
  ]) {
    assert.equal(kebabCase(name), kebab);
  }
  const box = boxOf({ lookupUser: { handler, commandAliases: ["lu", "lu"] } });
  assert.deepEqual(box.descriptors()[0].aliases, ["lu", "lookup-user"]);
  const add = (tools) => box.add(parseTools("tools", tools), "tools");
  assert.throws(() => add({ "lookup-user": { handler } }), refused("tools.lookup-user"));
  assert.throws(() => add({ other: { handler, commandAliases: ["lu"] } }), refused("tools.other"));
  assert.equal(box.descriptors().length, 1);
  add({ lookupUser: { handler, description: "again" } });
  assert.deepEqual(
    box.descriptors().map(({ description }) => description),
    ["again"],
  );
  const many = Object.fromEntries(
    Array.from({ length: toolLimits.toolsPerVm }, (_, at) => [`t${at}`, { handler }]),
  );
  assert.throws(() => add(many), refused("tools"));
});

test("a handler sees only input that its schema accepts", async () => {
  const seen = [];
  const box = boxOf({
    add: {
      inputSchema: {
        type: "object",
        properties: { a: { type: "number" } },
        required: ["a"],
        additionalProperties: false,
      },
      handler: (input) => (seen.push(input), input.a + 1),
    },
  });
  assert.deepEqual(await call(box, "add", { a: 1 }), { ok: true, value: 2 });
  const bad = await call(box, "add", { a: "1" });
  assert.deepEqual(bad, {
    ok: false,
    value: {
      name: "ToolInputSchemaViolation",
      message: "ToolInputSchemaViolation at $.a: expected number",
      code: "ERR_TOOL_INPUT",
      path: "$.a",
    },
  });
  const raw = (text) => call(box, "add", Buffer.from(text, "latin1"));
  for (const text of ["{", '{"a":1}x', "\xff", "[".repeat(100_000), `{"a":1,"b":2}`, "", "null"])
    assert.equal((await raw(text)).value.code, "ERR_TOOL_INPUT", text.slice(0, 20));
  assert.equal((await raw(" ".repeat(toolLimits.jsonBytes + 1))).value.code, "ERR_TOOL_INPUT");
  assert.deepEqual(seen, [{ a: 1 }]);
  assert.equal((await call(box, "missing", {})).value.code, "ERR_TOOL_NOT_FOUND");
});

test("nothing that crosses can change a prototype", async () => {
  const inputs = [];
  const box = boxOf({
    echo: {
      handler: (input) => (
        inputs.push(input),
        JSON.parse('{"__proto__":{"p":1},"k":[{"__proto__":1}]}')
      ),
    },
  });
  for (const text of [
    '{"__proto__":{"p":1},"a":1}',
    '{"\\u005f_proto__":{"p":1},"a":1}',
    '{"d":[{"__proto__":1}]}',
  ])
    await call(box, "echo", Buffer.from(text));
  for (const input of inputs) {
    assert.ok(!Object.hasOwn(input, "__proto__"));
    assert.equal(Object.assign({}, input).p, undefined);
  }
  assert.deepEqual(inputs[2], { d: [{}] });
  let text;
  box.call(++lastId, "echo", Buffer.from("{}"), (_, json) => (text = Buffer.from(json).toString()));
  await call(box, "echo", {});
  assert.equal(text, '{"k":[{}]}');
});

test("whatever a handler does, one bounded answer comes back", async () => {
  const cycle = {};
  cycle.self = cycle;
  const box = boxOf({
    nothing: { handler: () => undefined },
    cycle: { handler: () => cycle },
    bigint: { handler: () => 1n },
    method: { handler: () => handler },
    getter: {
      handler: () => ({
        get x() {
          throw new Error("secret");
        },
      }),
    },
    huge: { handler: () => "x".repeat(100_000_000) },
    wide: { handler: () => "\u20ac".repeat(toolLimits.jsonBytes - 10) },
    throws: {
      handler() {
        throw Object.assign(new RangeError("no"), {
          code: "EHOST",
          secret: "s",
          cause: new Error("c"),
        });
      },
    },
    rejects: { handler: async () => Promise.reject("just text") },
    strange: {
      handler() {
        throw {
          get name() {
            throw new Error("secret");
          },
          message: 5,
        };
      },
    },
    shouts: {
      handler() {
        throw new Error("x".repeat(1_000_000));
      },
    },
  });
  assert.deepEqual(await call(box, "nothing"), { ok: true, value: undefined });
  for (const [name, code] of [
    ["cycle", "ERR_TOOL_RESULT"],
    ["bigint", "ERR_TOOL_RESULT"],
    ["method", "ERR_TOOL_RESULT"],
    ["getter", "ERR_TOOL_RESULT"],
    ["huge", "ERR_TOOL_LIMIT"],
    ["wide", "ERR_TOOL_LIMIT"],
  ]) {
    const { ok, value } = await call(box, name);
    assert.deepEqual([ok, value.code], [false, code], name);
    assert.doesNotMatch(value.message, /secret/);
  }
  assert.deepEqual(await call(box, "throws"), {
    ok: false,
    value: { name: "RangeError", message: "no" },
  });
  assert.deepEqual((await call(box, "rejects")).value, { name: "Error", message: "just text" });
  assert.deepEqual((await call(box, "strange")).value, {
    name: "Error",
    message: "the host tool failed",
  });
  assert.equal((await call(box, "shouts")).value.message.length, toolLimits.errorMessageChars);
});

test("a handler that hangs is answered for, and told", async () => {
  let signal;
  const box = boxOf({
    hang: {
      timeoutMs: 5,
      handler: (_, context) => {
        ({ signal } = context);
        return new Promise(() => {});
      },
    },
  });
  const { ok, value } = await call(box, "hang");
  assert.deepEqual([ok, value.code], [false, "ERR_TOOL_TIMEOUT"]);
  assert.ok(signal.aborted);
  assert.equal(signal.reason.code, "ERR_SECURE_EXEC_TOOL_TIMEOUT");
});

test("so many handlers run at a time; the rest wait their turn or are taken back", async () => {
  let running = 0;
  let most = 0;
  const release = [];
  const box = boxOf({
    slow: {
      async handler({ n }) {
        most = Math.max(most, ++running);
        await new Promise((resolve) => release.push(resolve));
        running--;
        return n;
      },
    },
  });
  const calls = Array.from({ length: 200 }, (_, n) => start(box, "slow", { n }));
  const cancelled = calls.splice(150, 10);
  for (const { id, answer } of cancelled) {
    box.cancel(id);
    void answer.then(() => assert.fail("cancelled"));
  }
  const values = Promise.all(calls.map(({ answer }) => answer));
  let done = false;
  void values.then(() => (done = true));
  while (!done) {
    // They begin one per turn: none ends before as many run as may.
    if (most >= toolLimits.concurrentCalls) release.shift()?.();
    await new Promise(setImmediate);
  }
  assert.equal(most, toolLimits.concurrentCalls);
  assert.deepEqual(
    (await values).map(({ value }) => value),
    Array.from({ length: 200 }, (_, n) => n).filter((n) => n < 150 || n >= 160),
  );
});

test("a call that nobody waits for any more is told, and makes room", async () => {
  const reasons = [];
  let started;
  const box = boxOf({
    wait: {
      handler: (_, { signal }) =>
        new Promise((resolve) => {
          signal.addEventListener("abort", () => reasons.push(signal.reason.code));
          started?.();
          void resolve;
        }),
    },
    quick: { handler: () => 1 },
  });
  const ids = [];
  const allStarted = new Promise((resolve) => {
    let count = 0;
    started = () => ++count === toolLimits.concurrentCalls && resolve();
  });
  for (let at = 0; at < toolLimits.concurrentCalls; at++) ids.push(start(box, "wait").id);
  await allStarted;
  const quick = call(box, "quick");
  box.cancel(ids[0]);
  assert.deepEqual(await quick, { ok: true, value: 1 });
  box.cancelAll();
  assert.deepEqual(new Set(reasons), new Set(["ERR_SECURE_EXEC_TOOL_CANCELLED"]));
  assert.equal(reasons.length, toolLimits.concurrentCalls);
});
