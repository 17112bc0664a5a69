import assert from "node:assert/strict";
import { performance } from "node:perf_hooks";
import { test } from "node:test";
import { schemaCheck } from "../../dist/sdk/tool-schema.js";

const violation = async (schema, value) => (await schemaCheck("s", schema).check(value)).violation;

test("a violation names its place and what was expected", async () => {
  const schema = {
    type: "object",
    properties: {
      id: { type: "string" },
      tags: { type: "array", items: { type: ["string", "null"] } },
      "odd key": { type: "object", properties: { "a/b~c": { type: "number" } } },
    },
    required: ["id"],
    additionalProperties: false,
  };
  for (const [value, path, problem] of [
    [{}, "$.id", "missing required property"],
    [{ id: 1 }, "$.id", "expected string"],
    [{ id: "x", tags: ["a", null, 2] }, "$.tags[2]", "expected string or null"],
    [{ id: "x", more: 1 }, "$.more", "unexpected property"],
    [{ id: "x", "odd key": { "a/b~c": "n" } }, '$["odd key"]["a/b~c"]', "expected number"],
    [5, "$", "expected object"],
    [null, "$", "expected object"],
  ]) {
    assert.deepEqual(await violation(schema, value), { path, problem });
  }
  assert.deepEqual(await schemaCheck("s", schema).check({ id: "x", tags: ["a"] }), {
    value: { id: "x", tags: ["a"] },
  });
});

test("names of Object.prototype are no properties of an input", async () => {
  const schema = { type: "object", required: ["toString"] };
  assert.equal((await violation(schema, {})).path, "$.toString");
  const closed = { type: "object", properties: {}, additionalProperties: false };
  assert.equal((await violation(closed, JSON.parse('{"constructor":1}'))).path, "$.constructor");
});

test("what is costly sees only short input", async () => {
  const unique = { type: "array", uniqueItems: true };
  const started = performance.now();
  const many = Array.from({ length: 500_000 }, (_, at) => at);
  assert.match((await violation(unique, many)).problem, /at most 4096 items/);
  const pattern = { type: "object", properties: { s: { type: "string", pattern: "^(x+)*y$" } } };
  assert.match((await violation(pattern, { s: "x".repeat(10_000) })).problem, /8192 characters/);
  assert.equal(
    (await violation(pattern, { deep: [{ s: "x".repeat(10_000) }] })).path,
    "$.deep[0].s",
  );
  // Comparing every pair would take hours.
  assert.ok(performance.now() - started < 30_000);
  assert.equal(await violation(unique, [1, 2, 3]), undefined);
  assert.equal(await violation({ type: "string" }, "x".repeat(1_000_000)), undefined);
});

test("a schema that cannot judge refuses", async () => {
  assert.deepEqual(await violation({ $id: "http://[", type: "object" }, {}), {
    path: "$",
    problem: "the tool's schema could not be applied",
  });
  assert.equal((await violation({ $ref: "#/nowhere" }, {})).path, "$");
  const throwing = {
    "~standard": {
      version: 1,
      vendor: "t",
      validate() {
        throw new Error("secret");
      },
    },
  };
  assert.doesNotMatch((await violation(throwing, {})).problem, /secret/);
  const silent = { "~standard": { version: 1, vendor: "t", validate() {} } };
  assert.ok(await violation(silent, {}));
});

test("bad schemas are refused when they are given", () => {
  const refused = { code: "ERR_SECURE_EXEC_INVALID_OPTION" };
  const cyclic = {};
  cyclic.self = cyclic;
  for (const schema of [
    5,
    "object",
    null,
    [],
    cyclic,
    { "~standard": {} },
    { properties: { a: { pattern: "(" } } },
  ])
    assert.throws(() => schemaCheck("s", schema), refused);
});

test("a schema changed by its owner afterwards stays what it was", async () => {
  const schema = { type: "object", properties: { a: { type: "number" } } };
  const { check } = schemaCheck("s", schema);
  schema.properties.a.type = "string";
  assert.ok("value" in (await check({ a: 1 })));
});

test("Standard Schema: issues, paths, conversion, promises", async () => {
  const schema = {
    "~standard": {
      version: 1,
      vendor: "test",
      async validate(value) {
        if (typeof value?.n !== "string")
          return { issues: [{ message: "not text", path: ["list", 0, { key: "n" }] }] };
        return { value: { n: Number(value.n) } };
      },
      jsonSchema: { input: () => ({ type: "object", properties: { n: { type: "string" } } }) },
    },
  };
  const { check, jsonSchema } = schemaCheck("s", schema);
  assert.deepEqual(await check({ n: "5" }), { value: { n: 5 } });
  assert.deepEqual(await check({}), { violation: { path: "$.list[0].n", problem: "not text" } });
  assert.deepEqual(jsonSchema, { type: "object", properties: { n: { type: "string" } } });
  const listLike = Object.assign([], { issues: [{ message: "m", path: ["a"] }] });
  const arrays = { "~standard": { version: 1, vendor: "test", validate: () => listLike } };
  assert.deepEqual(await violation(arrays, {}), { path: "$.a", problem: "m" });
  delete schema["~standard"].jsonSchema;
  assert.deepEqual(schemaCheck("s", schema).jsonSchema, { type: "object" });
});
