// What a guest prints in lines goes to the host in pieces: whole, in order, and never later than what came with it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { HostOutput } from "../../../dist/kernel/io/host-stream.js";
import { addOutput, flushOutput } from "../../../dist/kernel/io/output-batch.js";

function sink() {
  const pieces = [];
  const credits = [];
  const stream = new HostOutput((data) => pieces.push(Buffer.from(data).toString("latin1")), 0);
  return { pieces, credits, stream, target: { stream, taken: (bytes) => credits.push(bytes) } };
}

test("lines of one target join; another target, and a flush, send what is there", () => {
  const one = sink();
  const two = sink();
  assert.deepEqual(
    [
      addOutput(one.target, Buffer.from("a\n")),
      addOutput(one.target, Buffer.from("b\n")),
      addOutput(two.target, Buffer.from("c\n")),
      addOutput(one.target, Buffer.from("d\n")),
    ],
    [false, true, false, false],
  );
  assert.deepEqual([one.pieces, two.pieces], [["a\nb\n"], ["c\n"]]);
  flushOutput();
  flushOutput();
  assert.deepEqual([one.pieces, two.pieces], [["a\nb\n", "d\n"], ["c\n"]]);
});

test("a piece is bounded, and what is longer goes by itself, behind what waits", () => {
  const { pieces, target } = sink();
  const line = Buffer.alloc(1000, "x");
  for (let i = 0; i < 100; i++) addOutput(target, line);
  addOutput(target, Buffer.alloc(100_000, "y"));
  flushOutput();
  assert.ok(pieces.every((piece) => piece.length <= 65_536 || piece.startsWith("y")));
  assert.equal(pieces.join(""), "x".repeat(100_000) + "y".repeat(100_000));
});

test("the host's credit comes back to who printed it, once", () => {
  const { credits, stream, target } = sink();
  addOutput(target, Buffer.from("12345"));
  addOutput(target, Buffer.from("678"));
  flushOutput();
  stream.credit(6);
  stream.credit(2);
  assert.deepEqual(credits, [6, 2]);
});

test("pieces that the host does not take are few, small ones go together, and each writer gets its own back", () => {
  const pieces = [];
  const stream = new HostOutput((data) => pieces.push(data.byteLength), 0);
  const got = [0, 0, 0];
  const takers = got.map((_, i) => (bytes) => (got[i] += bytes));
  for (let i = 0; i < 90_000; i++) stream.forward(Buffer.from("x"), takers[i % 3]);
  assert.ok(pieces.length < 300, `${pieces.length} pieces`);
  stream.forward(Buffer.alloc(20_000), takers[0]);
  assert.equal(pieces.at(-1), 20_000);
  stream.forward(Buffer.from("end"), takers[1]);
  stream.credit(110_000);
  assert.deepEqual(got, [50_000, 30_000, 30_000]);
  assert.equal(pieces.at(-1), 3);
  stream.close();
  assert.deepEqual(got, [50_000, 30_003, 30_000]);
});
