// Output of a program on its way to the host.
import assert from "node:assert/strict";
import { test } from "node:test";
import { HostOutput } from "../../../dist/kernel/io/host-stream.js";
import { limits } from "../../../dist/kernel/limits.js";

test("a host that takes a piece in the moment it gets it is a host: the border's output is taken so", () => {
  let taken = 0;
  const sent = [];
  const output = new HostOutput((data) => {
    sent.push(data.byteLength);
    output.credit(data.byteLength);
  }, 0);
  for (const size of [1, 10, limits.outputPieceBytes])
    output.forward(Buffer.alloc(size), (bytes) => (taken += bytes));
  assert.deepEqual(sent, [1, 10, limits.outputPieceBytes]);
  assert.equal(taken, 11 + limits.outputPieceBytes);
  assert.equal(output.room, limits.outputWindowBytes);
});

test("pieces that waited for a host to take some go together, and are credited to who wrote them", () => {
  const sent = [];
  const taken = { a: 0, b: 0 };
  const output = new HostOutput((data) => sent.push(data.byteLength), 0);
  for (let piece = 0; piece < limits.outputPieces; piece++)
    output.forward(Buffer.alloc(1), (bytes) => (taken.a += bytes));
  const late = (bytes) => (taken.b += bytes);
  for (let piece = 0; piece < 3; piece++) output.forward(Buffer.alloc(2), late);
  assert.equal(sent.length, limits.outputPieces);
  output.credit(1);
  assert.deepEqual(sent.slice(limits.outputPieces), [6]);
  output.credit(limits.outputPieces + 5);
  assert.deepEqual(taken, { a: limits.outputPieces, b: 6 });
});
