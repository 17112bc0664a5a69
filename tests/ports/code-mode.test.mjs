// Code mode: what crosses, what ends a run, and what is said of it.
import assert from "node:assert/strict";
import { once } from "node:events";
import { EventEmitter } from "node:events";
import { test } from "node:test";
import { decodeValue, encodeValue, hostBase64 } from "../../dist/protocol/bytes-json.js";
import { CodeMode } from "../../dist/ports/core/code-mode.js";
import { MachinesAhead } from "../../dist/ports/core/machines-ahead.js";

const it = (name, body) => test(name, { timeout: 120_000 }, body);
const crossed = (value) => decodeValue(encodeValue(value, hostBase64), hostBase64);

async function machine(t, options) {
  const made = await CodeMode.create(options);
  t.after(() => made.dispose());
  return made;
}

it("values cross as JSON and bytes, whatever keys they have", () => {
  for (const value of [
    1,
    "text",
    null,
    [1, { a: [2] }],
    new Uint8Array([0, 255]),
    { deep: [new Uint8Array(3), { more: new Uint8Array([7]) }] },
    { "$secure-exec": "Uint8Array", data: "AAAA" },
    { "$secure-exec": { "$secure-exec": 1 }, bytes: new Uint8Array([1]) },
  ])
    assert.deepEqual(crossed(value), value);
  assert.deepEqual(crossed(new Uint8Array([1, 2, 3, 4]).subarray(1, 3)), new Uint8Array([2, 3]));
  assert.deepEqual(crossed(Buffer.from("ab")), new Uint8Array([97, 98]));
  const buffer = crossed(new Uint8Array([9, 8]).buffer);
  assert.ok(buffer instanceof ArrayBuffer);
  assert.deepEqual([...new Uint8Array(buffer)], [9, 8]);
  assert.equal(crossed(undefined), undefined);
});

it("text from a machine makes no __proto__ key, and forged tags make no object of ours", () => {
  const plain = decodeValue('{"__proto__":{"a":1},"b":2}', hostBase64);
  assert.deepEqual(Object.keys(plain), ["b"]);
  const entries = '{"$secure-exec":"Object","data":[["__proto__",{"a":1}],["b",2],7]}';
  assert.deepEqual(Object.keys(decodeValue(entries, hostBase64)), ["b"]);
  assert.equal(decodeValue(entries, hostBase64).a, undefined);
  const odd = { "$secure-exec": "Uint8Array", data: 5 };
  assert.deepEqual(decodeValue(JSON.stringify(odd), hostBase64), odd);
});

it("a body's value, its console, and calls with bytes both ways", async (t) => {
  const code = await machine(t);
  const calls = [];
  const outcome = await code.run({
    code: `
      console.log("a", { b: 1 }, new Uint8Array(0).length);
      console.warn("two\\nlines");
      const sum = await add(2, 3);
      const bytes = await files.reverse(new Uint8Array([1, 2, 3]));
      return { sum, bytes, isBytes: bytes instanceof Uint8Array };`,
    functions: ["add"],
    namespaces: ["files"],
    call: ({ name, args }) => {
      calls.push(name);
      return name === "add" ? args[0] + args[1] : args[0].toReversed();
    },
  });
  assert.deepEqual(outcome, {
    ok: true,
    value: { sum: 5, bytes: new Uint8Array([3, 2, 1]), isBytes: true },
    logs: [
      { level: "log", text: 'a {"b":1} 0' },
      { level: "warn", text: "two\nlines" },
    ],
  });
  assert.deepEqual(calls, ["add", "files.reverse"]);
});

it("what goes wrong has its name and message", async (t) => {
  const code = await machine(t);
  const call = () => {
    throw new TypeError("from the host");
  };
  for (const [text, name, message] of [
    ["syntax error!!!", "SyntaxError", /Unexpected identifier/],
    ["throw new RangeError('out')", "RangeError", /^out$/],
    ["throw 'bare'", "Error", /^bare$/],
    ["return f()", "TypeError", /^from the host$/],
    ["return 1n", "TypeError", /BigInt/],
    ["return (function f() { return f() + 1 })()", "RangeError", /call stack/],
    [
      "Promise.reject(new EvalError('floating')); await new Promise(() => {})",
      "EvalError",
      /floating/,
    ],
    ["for (;;) {}", "TimeoutError", /timed out after 1500 ms/],
  ]) {
    const timeoutMs = name === "TimeoutError" ? 1500 : 0;
    const outcome = await code.run({ code: text, functions: ["f"], call, timeoutMs });
    assert.equal(outcome.ok, false, text);
    assert.equal(outcome.error.name, name, text);
    assert.match(outcome.error.message, message);
  }
});

it("memory is limited, and the error says by what", async () => {
  const runtime = { limits: { memoryBytes: 64 * 1024 * 1024 } };
  const outcome = await new MachinesAhead({ runtime }).run({
    code: "const all = []; for (;;) all.push(new Array(1e5).fill(0.5));",
  });
  assert.equal(outcome.ok, false);
  assert.equal(outcome.error.name, "MemoryLimitError");
  assert.equal(outcome.error.code, "ERR_SECURE_EXEC_MEMORY_LIMIT");
});

it("a call left unfinished does not hold up the end, and its signal says so", async (t) => {
  const code = await machine(t);
  const events = new EventEmitter();
  const aborted = once(events, "aborted");
  const outcome = await code.run({
    code: "slow(); await quick(); return 'done'",
    functions: ["slow", "quick"],
    call: ({ name, signal }) => {
      if (name === "quick") return 1;
      signal.addEventListener("abort", () => events.emit("aborted"));
      return new Promise(() => {});
    },
  });
  assert.deepEqual(outcome, { ok: true, value: "done", logs: [] });
  await aborted;
});

it("an aborted run ends, and reaches the host no more", async (t) => {
  const code = await machine(t);
  const controller = new AbortController();
  const outcome = await code.run({
    code: "await tell(); for (;;) {}",
    functions: ["tell"],
    call: () => controller.abort(),
    signal: controller.signal,
  });
  assert.equal(outcome.ok, false);
  assert.equal(outcome.error.name, "AbortError");
});

it("code cannot pass itself off as another run", async (t) => {
  const code = await machine(t);
  const outcome = await code.run({
    code: `
      const tries = [];
      for (const input of [{}, { id: "x", name: "f", args: "[]" }, { id: "x", name: 1, args: {} }])
        tries.push(await callHostTool("codeModeCall", input).catch((error) => error.message));
      return tries;`,
    functions: ["f"],
    call: () => assert.fail("called"),
  });
  assert.deepEqual(outcome.value, Array(3).fill("not a call of code that runs"));
});

it("forms: a function, an expression, statements whose last one is an expression", async (t) => {
  const code = await machine(t);
  const valueOf = async (text, form = "any") => {
    const outcome = await code.run({ code: text, form });
    assert.equal(outcome.ok, true, outcome.error?.message);
    return outcome.value;
  };
  assert.equal(await valueOf("async () => 1", "function"), 1);
  assert.equal(await valueOf("async () => 2"), 2);
  assert.equal(await valueOf("async function main() { return 3 }"), 3);
  assert.equal(await valueOf("export default async () => 4"), 4);
  assert.equal(await valueOf("5"), 5);
  assert.equal(await valueOf("const a = 5;\na\n+ 1"), 6);
  assert.equal(await valueOf("let a = 0; for (let i = 0; i < 7; i++) a++; a;"), 7);
  assert.equal(await valueOf("const a = await Promise.resolve(8); a"), 8);
  assert.equal(await valueOf("if (true) { return 9 }"), 9);
  assert.equal(await valueOf("let a = 1;"), undefined);
});

it("runs share files and nothing else; a disposed machine runs nothing", async (t) => {
  const code = await machine(t);
  await code.run({ code: "globalThis.left = 1; Object.prototype.left = 1" });
  const { value } = await code.run({ code: "return [typeof left, typeof {}.left]" });
  assert.deepEqual(value, ["undefined", "undefined"]);
  const during = code.run({
    code: "await tell(); for (;;) {}",
    functions: ["tell"],
    call: () => void code.dispose(),
  });
  assert.equal((await during).error.name, "DisposedError");
  await code.dispose();
  const outcome = await code.run({ code: "return 1" });
  assert.equal(outcome.error.name, "DisposedError");
});

it("logs are bounded, and say so", async (t) => {
  const code = await machine(t, { logBytes: 1000 });
  const { logs } = await code.run({
    code: "for (let i = 0; i < 100; i++) console.log('x'.repeat(100))",
  });
  assert.equal(logs.length, 11);
  assert.match(logs[10].text, /beyond 1000 bytes/);
});
