// Values as bytes: what comes back, what is refused, and that nothing of a program's realm comes along.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { NotStructured, StructuredRefused, mostEntries } from "../../dist/protocol/structured.js";
import { decodeStructured } from "../../dist/protocol/structured-read.js";
import { encodeStructured } from "../../dist/protocol/structured-write.js";

const most = 1 << 24;
const bounds = { depth: 1000, values: 2_000_000 };

function decode(bytes, within = bounds) {
  const steps = decodeStructured(bytes, within);
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
}
const roundTrip = (value) => decode(encodeStructured(value, most, bounds.depth));

test("what structured clone carries of data comes back as it was", () => {
  const holes = [1];
  holes[2] = 3;
  const value = {
    holes,
    map: new Map([[{ key: 1 }, new Set([1n, -5n, 2n ** 70n])]]),
    date: new Date(5),
    bytes: new Uint8Array([1, 2, 3]),
    floats: new Float64Array([1.5, NaN, -0]),
    view: new DataView(new ArrayBuffer(4), 1, 2),
    numbers: [-0, -5, 2 ** 53 - 1, 2 ** 60, 1e300, NaN, -Infinity],
    texts: ["", "h\u00e9", "\ud800 alone", "\u{1f600}"],
    nothing: [undefined, null, true, false],
    error: new TypeError("wrong", { cause: { code: 1 } }),
  };
  value.self = value;
  value.map.set("map", value.map);
  const back = roundTrip(value);
  assert.deepEqual(back, value);
  assert.equal(back.self, back);
  assert.equal(back.map.get("map"), back.map);
  assert.ok(back.error instanceof TypeError);
  assert.equal(back.error.stack, value.error.stack);
  assert.equal(1 in back.holes, false);
});

test("every JSON value is the same as through JSON", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      fc.pre(!JSON.stringify(value).includes("__proto__"));
      assert.deepEqual(roundTrip(value), value);
    }),
  );
});

test("parts that are shared stay shared, and a small view takes its bytes alone", () => {
  const shared = new ArrayBuffer(8);
  const [one, two, whole] = roundTrip([
    new Uint8Array(shared),
    new Uint16Array(shared, 2, 2),
    shared,
  ]);
  assert.equal(one.buffer, whole);
  assert.equal(two.buffer, whole);
  assert.deepEqual([two.byteOffset, two.length], [2, 2]);
  const small = new Uint8Array(new ArrayBuffer(1 << 20), 7, 3);
  assert.ok(encodeStructured(small, most, 10).byteLength < 100);
  assert.deepEqual(roundTrip(Buffer.from("pooled")), new Uint8Array(Buffer.from("pooled")));
});

test("a class's instance is its own properties; what holds no data is refused with its place", () => {
  class Point {
    x = 1;
    get length() {
      return 1;
    }
  }
  const point = roundTrip(new Point());
  assert.deepEqual([Object.getPrototypeOf(point), { ...point }], [Object.prototype, { x: 1 }]);
  for (const [value, path] of [
    [{ a: [() => {}] }, "$.a[0]"],
    [{ "not a name": Symbol("s") }, '$["not a name"]'],
    [new Map([[1, new WeakMap()]]), "$[entry 1]"],
    [[Promise.resolve()], "$[0]"],
    [new Uint8Array(new SharedArrayBuffer(8)), "$"],
    [/x/, "$"],
  ])
    assert.throws(
      () => encodeStructured(value, most, 1000),
      (error) => error instanceof NotStructured && error.path === path,
    );
});

test("no own __proto__ comes back, and no prototype with it", () => {
  const value = JSON.parse('{"a":{"__proto__":{"polluted":true},"b":1}}');
  const back = roundTrip(value);
  assert.deepEqual(Object.keys(back.a), ["b"]);
  assert.equal(back.a.polluted, undefined);
});

test("depth, number and size are bounded on both sides", () => {
  let deep = {};
  for (let level = 0; level < 2000; level++) deep = { deep };
  assert.throws(() => encodeStructured(deep, most, 1000), /nested too deeply/);
  const bytes = encodeStructured(deep, most, 5000);
  assert.throws(
    () => decode(bytes),
    (error) => error instanceof StructuredRefused && error.why === "depth",
  );
  const many = encodeStructured(Array(1000).fill(0), most, 10);
  assert.throws(
    () => decode(many, { depth: 10, values: 500 }),
    (error) => error.why === "values",
  );
  assert.throws(() => encodeStructured("x".repeat(2000), 1000, 10), NotStructured);
});

test("objects, Maps and Sets have so many entries and no more", () => {
  const names = Array.from({ length: mostEntries }, (_, at) => at.toString(36));
  const made = (list) => [
    Object.fromEntries(list.map((name) => [name, 0])),
    new Map(list.map((name) => [name, 0])),
    new Set(list),
  ];
  for (const value of made(names)) {
    const decoded = decode(encodeStructured(value, 1e9, 10));
    assert.equal(decoded.size ?? Object.keys(decoded).length, mostEntries);
  }
  for (const value of made([...names, "more"]))
    assert.throws(
      () => decode(encodeStructured(value, 1e9, 10)),
      (error) => error instanceof StructuredRefused && error.why === "entries",
    );
});

test("bytes that nobody encoded are refused, or are a value; nothing else happens", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), fc.boolean(), (noise, asTags) => {
      const bytes = asTags ? noise.map((byte) => byte % 20) : noise;
      try {
        decode(bytes, { depth: 20, values: 1000 });
      } catch (error) {
        assert.ok(error instanceof StructuredRefused, String(error.stack));
      }
    }),
    { numRuns: 20_000 },
  );
  // Announced, and not there.
  for (const tag of [6, 7, 10, 12, 13, 14, 15])
    assert.throws(() => decode(Uint8Array.from([tag, 0xff, 0xff, 0xff, 0x7f])), StructuredRefused);
});

test("decoding lets others have their turn: a large value is many steps, none of them long", () => {
  const value = Array.from({ length: 100_000 }, (_, index) => ({ index, text: `number ${index}` }));
  const bytes = encodeStructured(value, most, 10);
  const steps = decodeStructured(bytes, bounds);
  let count = 0;
  while (!steps.next().done) count++;
  assert.ok(count > 300, `${count} steps`);
});
