// How returned JSON becomes a host value: faithfully, boundedly, without prototype tricks.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decodeReturnValue, returnValueError } from "../../dist/sdk/return-value.js";

const bytes = (text) => new TextEncoder().encode(text);
const refused = (pattern) => (error) =>
  error.code === "ERR_SECURE_EXEC_RETURN_VALUE" && pattern.test(error.message);

const hasProtoKey = (value) =>
  typeof value === "object" &&
  value !== null &&
  (Object.hasOwn(value, "__proto__") || Object.values(value).some(hasProtoKey));

test("every JSON value without __proto__ keys comes back as it was", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      fc.pre(!hasProtoKey(value));
      assert.deepEqual(
        decodeReturnValue(bytes(JSON.stringify(value))),
        JSON.parse(JSON.stringify(value)),
      );
    }),
  );
});

test("no own __proto__ key survives, however it is spelt and wherever it is", () => {
  const key = fc.constantFrom('"__proto__"', '"\\u005f_proto__"', '"__pr\\u006Fto__"', '"a"');
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { maxDepth: 5 },
      fc.constantFrom("1", '"__proto__"', "null"),
      fc.array(tie("tree"), { maxLength: 3 }).map((items) => `[${items.join()}]`),
      fc
        .array(fc.tuple(key, tie("tree")), { maxLength: 3 })
        .map((entries) => `{${entries.map(([name, value]) => `${name}:${value}`).join()}}`),
    ),
  }));
  fc.assert(
    fc.property(tree, (text) => {
      const value = decodeReturnValue(bytes(text));
      assert.equal(hasProtoKey(value), false);
    }),
  );
  const merged = Object.assign(
    {},
    decodeReturnValue(bytes('{"__proto__":{"polluted":true},"a":1}')),
  );
  assert.deepEqual(merged, { a: 1 });
  assert.equal(merged.polluted, undefined);
});

test("arbitrary bytes either decode or are refused with the code", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (data) => {
      try {
        decodeReturnValue(data);
      } catch (error) {
        assert.equal(error.code, "ERR_SECURE_EXEC_RETURN_VALUE");
      }
    }),
  );
});

test("nesting is bounded at 1000 levels, brackets in strings do not count", () => {
  const nested = (depth) => bytes("[".repeat(depth) + "]".repeat(depth));
  assert.ok(Array.isArray(decodeReturnValue(nested(1000))));
  assert.throws(() => decodeReturnValue(nested(1001)), refused(/deeper than 1000/));
  assert.throws(
    () => decodeReturnValue(bytes('{"a":'.repeat(500_000))),
    refused(/deeper than 1000/),
  );
  const text = "[{".repeat(2000) + '\\"';
  assert.equal(decodeReturnValue(bytes(JSON.stringify(text))), text);
});

test("size is bounded at 8 MiB", () => {
  const limit = 8 * 1024 * 1024;
  const exact = bytes(`"${"x".repeat(limit - 2)}"`);
  assert.equal(decodeReturnValue(exact).length, limit - 2);
  assert.throws(
    () => decodeReturnValue(bytes(`"${"x".repeat(limit - 1)}"`)),
    refused(/8388609 bytes/),
  );
});

test("malformed text and malformed UTF-8 are refused", () => {
  for (const text of ["", "{", "undefined", "1 2", "[1,]", "\ufeff1", "NaN"]) {
    assert.throws(
      () => decodeReturnValue(bytes(text)),
      refused(/well-formed/),
      JSON.stringify(text),
    );
  }
  assert.throws(() => decodeReturnValue(Uint8Array.of(0x22, 0xff, 0x22)), refused(/well-formed/));
});

test("a guest's path and reason are bounded and printable in the message", () => {
  const error = returnValueError("r\u001b[31m".repeat(1000), "$.a\n\u202e".repeat(1000));
  assert.ok(error.message.length < 500);
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  assert.doesNotMatch(error.message, /[\u0000-\u001f\u202e]/);
  assert.ok(error.details.path.length <= 201);
});
