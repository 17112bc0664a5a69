import assert from "node:assert/strict";
import test from "node:test";
import { FrameKind, FrameReader, encodeFrame } from "../../dist/protocol/frames.js";

const frame = (id) =>
  encodeFrame(FrameKind.call, id, 7, { text: "string" }, { text: `call ${id}` });

/** Ids of the frames that come of `chunks`, and which said that nothing was behind them. */
function cut(chunks) {
  const reader = new FrameReader();
  const seen = [];
  for (const chunk of chunks) reader.push(chunk, ({ id }, isLast) => void seen.push([id, isLast]));
  return seen;
}

test("a frame says whether anything has come behind it", () => {
  const [one, two] = [Buffer.from(frame(1)), Buffer.from(frame(2))];
  assert.deepEqual(cut([one]), [[1, true]]);
  assert.deepEqual(cut([Buffer.concat([one, two])]), [
    [1, false],
    [2, true],
  ]);
  const half = Buffer.concat([one, two.subarray(0, 3)]);
  assert.deepEqual(cut([half, two.subarray(3)]), [
    [1, false],
    [2, true],
  ]);
});

test("the start of a frame that is skipped is something behind it", () => {
  const reader = new FrameReader(1000, () => 20);
  const seen = [];
  const long = encodeFrame(FrameKind.call, 3, 7, { text: "string" }, { text: "x".repeat(100) });
  const half = Buffer.from(long).subarray(0, 50);
  reader.push(half, ({ id, tooLong }, isLast) => void seen.push([id, tooLong, isLast]));
  assert.deepEqual(seen, [[3, true, false]]);
});
