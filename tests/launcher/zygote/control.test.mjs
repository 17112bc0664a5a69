// Messages between kernel and zygote: one size, signed numbers, and a start of more bytes is enough.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  ControlKind,
  controlMessageBytes,
  decodeControl,
  encodeControl,
} from "../../../dist/launcher/zygote/control.js";

test("what is encoded is decoded, errnos and all", () => {
  for (const [kind, a, b] of [
    [ControlKind.fork, 1, 0],
    [ControlKind.forked, 2 ** 31 - 1, -12],
    [ControlKind.reaped, 4242, -1],
    [ControlKind.limitMemory, 17, 262_144],
  ]) {
    const message = encodeControl(kind, a, b);
    assert.equal(message.length, controlMessageBytes);
    const more = Buffer.concat([message, Buffer.from("what follows")]);
    assert.deepEqual(decodeControl(more), { kind, a, b });
  }
  assert.deepEqual(decodeControl(encodeControl(ControlKind.ask, 0)), {
    kind: ControlKind.ask,
    a: 0,
    b: 0,
  });
});

test("every kind has a number of its own", () => {
  const numbers = Object.values(ControlKind);
  assert.equal(new Set(numbers).size, numbers.length);
});
