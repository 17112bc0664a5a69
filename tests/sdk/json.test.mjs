// JSON text of guests: what JSON.parse makes of it, in pieces that leave others their turns.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { mostEntries } from "../../dist/protocol/structured.js";
import { JsonRefused, parseJson } from "../../dist/sdk/json.js";
import { atOnce } from "../../dist/sdk/steps.js";

const bytes = (text) => new TextEncoder().encode(text);
const parse = (text, depth = 1000) => atOnce(parseJson(bytes(text), depth));
const refusal = (why) => (error) => error instanceof JsonRefused && error.why === why;

/** Longer than a piece, so that what contains it is put together. */
const filler = `"${"f".repeat(70_000)}"`;

/** What the parser has to answer: the value of JSON.parse, or a refusal. */
function same(text) {
  let expected;
  let fails = false;
  try {
    expected = JSON.parse(text);
  } catch {
    fails = true;
  }
  if (fails) assert.throws(() => parse(text), refusal("syntax"), text.replaceAll(filler, "F"));
  else assert.deepEqual(parse(text), expected);
}

test("texts in many pieces: the value of JSON.parse, or its refusal", () => {
  const token = fc.constantFrom(
    "[",
    "]",
    "{",
    "}",
    ",",
    ":",
    " ",
    "1",
    '"a"',
    '"b":',
    "null",
    "\n",
    "\ufeff",
    "\u00a0",
    filler,
    `${filler},`,
    `"k":${filler},`,
  );
  fc.assert(
    fc.property(fc.array(token, { maxLength: 12 }), (tokens) => same(tokens.join(""))),
    { numRuns: 1500 },
  );
});

test("well-formed trees with long strings anywhere, and with one character changed", () => {
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { maxDepth: 5, depthSize: "large" },
      fc.constantFrom("1", "-2.5e3", "true", '"é\\n"', filler),
      fc.array(tie("tree"), { maxLength: 4 }).map((items) => `[${items.join(" , ")}]`),
      fc
        .array(fc.tuple(fc.constantFrom("a", "b", "9", "é"), tie("tree")), { maxLength: 4 })
        .map((entries) => `{${entries.map(([key, value]) => `"${key}" : ${value}`).join(",")}}`),
    ),
  }));
  const change = fc.tuple(fc.nat(), fc.constantFrom("", ",", "]", "}", "[", "1", ":"));
  fc.assert(
    fc.property(tree, change, (text, [place, put]) => {
      same(text);
      const structure = [...text.matchAll(/[[\]{},:]/g)];
      if (structure.length === 0) return;
      const { index } = structure[place % structure.length];
      same(text.slice(0, index) + put + text.slice(index + 1));
    }),
    { numRuns: 400 },
  );
});

test("what only the borders of pieces could let through is refused", () => {
  for (const text of [
    `[${filler},,1]`,
    `[${filler},]`,
    `[,${filler},1]`,
    `{"a":1[${filler},1]}`,
    `{"a":"b"[${filler},1]}`,
    `{[${filler},1]}`,
    `[1[${filler},1]]`,
    `[[${filler},1]1]`,
    `[[${filler},1][1]]`,
    `[[${filler},1]"a",2]`,
    `[${filler},1}`,
    `{"a":[${filler},1},"b":1]`,
    `[${filler},1] x`,
    `x[${filler},1]`,
    `[${filler},1],[1]`,
    `[${filler},1`,
    `[${filler},"1`,
  ]) {
    assert.throws(() => JSON.parse(text));
    assert.throws(() => parse(text), refusal("syntax"), text.replaceAll(filler, "F"));
  }
  assert.throws(
    () => atOnce(parseJson(Buffer.from([0x5b, 0x22, 0xff, 0x22, 0x5d]), 9)),
    refusal("syntax"),
  );
});

test("depth is counted over pieces, and __proto__ is no key in any of them", () => {
  const nested = (depth) => `${"[".repeat(depth)}${filler},1${"]".repeat(depth)}`;
  parse(nested(50), 50);
  assert.throws(() => parse(nested(51), 50), refusal("depth"));
  /** @type {any} */
  const value = parse(
    `{"__proto__":[${filler},1],"a":{"\\u005f_proto__":{"x":${filler},"y":1}},"b":[{"__proto__":1},${filler},2]}`,
  );
  assert.deepEqual(Object.keys(value), ["a", "b"]);
  assert.deepEqual(Object.keys(value.a), []);
  assert.equal(Object.getPrototypeOf(value), Object.prototype);
  assert.deepEqual(value.b[0], {});
});

test("an object has so many keys and no more, however it is put together", () => {
  const keys = (count) => Array.from({ length: count }, (_, at) => `"${at.toString(36)}":0`).join();
  const most = keys(mostEntries);
  assert.equal(Object.keys(/** @type {object} */ (parse(`{${most}}`))).length, mostEntries);
  assert.throws(() => parse(`{${most},"more":0}`), refusal("entries"));
  assert.throws(() => parse(`[{${most},"more":{"x":${filler},"y":1}}]`), refusal("entries"));
});

test("between two yields never more than a piece is parsed, whatever the shape", () => {
  const shapes = [
    `[${"[],".repeat(300_000)}1]`,
    `{${Array.from({ length: 60_000 }, (_, at) => `"k${at}":{}`).join()}}`,
    `${`[${"1,".repeat(500)}`.repeat(900)}1${"]".repeat(900)}`,
  ];
  for (const text of shapes) {
    // What one step parsed is what JSON.parse was given in it.
    const { parse: real } = JSON;
    let inStep = 0;
    let most = 0;
    JSON.parse = (piece) => {
      inStep += piece.length;
      most = Math.max(most, inStep);
      return real(piece);
    };
    try {
      for (const steps = parseJson(bytes(text), 1000); steps.next().done !== true;) inStep = 0;
    } finally {
      JSON.parse = real;
    }
    assert.ok(most < 2 * 64 * 1024, `${most} characters at once`);
  }
});
