// What `__return` brings to the host: structured values, and large ones of either kind.
import assert from "node:assert/strict";
import { before, test } from "node:test";
import { machine } from "../support/machines.mjs";

const it = (name, body) => test(name, { timeout: 120_000 }, body);
const MiB = 1024 * 1024;
let rt;
before(async () => {
  rt = await machine();
});

it("encoding: structured brings maps, dates, bytes, errors and cycles", async () => {
  const { value } = await rt.run(
    `const all = { map: new Map([["a", new Set([1n])]]), date: new Date(86400000), bytes: new Uint8Array([1, 2]), error: new RangeError("far"), nothing: undefined };
    all.self = all;
    __return(all);`,
    { encoding: "structured" },
  );
  assert.deepEqual(value.map, new Map([["a", new Set([1n])]]));
  assert.deepEqual(value.date, new Date(86400000));
  assert.deepEqual(value.bytes, new Uint8Array([1, 2]));
  assert.ok(value.error instanceof RangeError);
  assert.equal(value.error.message, "far");
  assert.equal(value.self, value);
  assert.ok("nothing" in value);
});

it("JSON stays the default, and each says what it cannot carry", async () => {
  const { value } = await rt.run(`__return({ date: new Date(0), set: new Set([1]) })`);
  assert.deepEqual(value, { date: "1970-01-01T00:00:00.000Z", set: {} });
  const failed = (code, options, pattern, path) =>
    assert.rejects(rt.run(code, options), (error) => {
      assert.equal(error.code, "ERR_SECURE_EXEC_RETURN_VALUE");
      assert.match(error.message, pattern);
      assert.equal(error.details?.path.slice(0, path.length), path);
      return true;
    });
  await failed(`__return({ a: 1n })`, {}, /a BigInt/, "$.a");
  await failed(`__return({ a: [() => {}] })`, { encoding: "structured" }, /a function/, "$.a[0]");
  await failed(
    `const deep = []; let at = deep; for (let i = 0; i < 5000; i++) at.push((at = [])); __return(deep)`,
    { encoding: "structured" },
    /nested too deeply/,
    `$${"[0]".repeat(50)}`,
  );
  await assert.rejects(rt.run("1", { encoding: "xml" }), {
    code: "ERR_SECURE_EXEC_INVALID_OPTION",
  });
});

it("values of 15 MiB come whole, the last one counts", async () => {
  const text = await rt.run(
    `__return("x".repeat(${15 * MiB})); __return("y".repeat(${12 * MiB}) + "z");`,
  );
  assert.equal(text.value.length, 12 * MiB + 1);
  assert.equal(text.value.at(-1), "z");
  assert.equal(text.value[0], "y");
  const bytes = await rt.run(
    `const bytes = new Uint8Array(${15 * MiB}); bytes[${14 * MiB}] = 7; __return({ bytes });`,
    { encoding: "structured" },
  );
  assert.equal(bytes.value.bytes.length, 15 * MiB);
  assert.equal(bytes.value.bytes[14 * MiB], 7);
  const small = await rt.run(`__return("x".repeat(${3 * MiB})); __return(1);`);
  assert.equal(small.value, 1);
});

it("limits.valueBytes bounds them, and says so", async () => {
  const small = await machine({ limits: { valueBytes: 100_000 } });
  assert.equal((await small.run(`__return("x".repeat(99_000))`)).value.length, 99_000);
  for (const options of [{}, { encoding: "structured" }])
    await assert.rejects(small.run(`__return("x".repeat(100_001))`, options), {
      code: "ERR_SECURE_EXEC_RETURN_VALUE",
      message: /100000/,
    });
  await assert.rejects(rt.run(`__return("x".repeat(${17 * MiB}))`), {
    code: "ERR_SECURE_EXEC_RETURN_VALUE",
    message: /limits\.valueBytes/,
  });
});

it("a recording has a structured value, and replays", async () => {
  const recorded = await machine({ deterministic: { seed: 1 }, record: true });
  const { recording, value } = await recorded.run(`__return(new Map([[1, new Date()]]))`, {
    encoding: "structured",
  });
  assert.ok(value instanceof Map);
  const again = await machine({ deterministic: { seed: 1 } });
  assert.deepEqual((await again.replay(recording)).value, value);
});
