// The frames that carry bytes of flows are written and read by hand: they must stay what the table says.
import assert from "node:assert/strict";
import test from "node:test";
import { Decoder, MalformedMessage } from "../../dist/protocol/codec.js";
import { guestFlowEvents, kernelFlowEvents } from "../../dist/protocol/flow-calls.js";
import {
  flowBytes,
  flowHeadBytes,
  flowJoinBytes,
  flowOf,
  flowParts,
  putFlowHead,
} from "../../dist/protocol/flow-frames.js";
import { FrameKind, FrameReader, encodeFrame } from "../../dist/protocol/frames.js";

const rows = [guestFlowEvents.flowWrite, kernelFlowEvents.flowData];
const sizes = [0, 1, 200, 1024 - flowHeadBytes, 1025 - flowHeadBytes, flowJoinBytes - 1];
const bytesOf = (size) => Buffer.alloc(size, "some bytes");

test("both rows have the fields that are written by hand, in this order", () => {
  for (const { args } of rows)
    assert.deepEqual(Object.entries(args).flat(), ["flow", "u32", "data", "bytes"]);
});

test("a frame is what the codec makes of its row, in one part or three", () => {
  for (const { nr, args } of rows)
    for (const size of [...sizes, flowJoinBytes, 64 * 1024]) {
      const values = { flow: 0xfedcba98, data: bytesOf(size) };
      const wanted = Buffer.from(encodeFrame(FrameKind.event, 0, nr, args, values));
      const parts = flowParts(nr, values.flow, values.data);
      assert.equal(parts.length, size < flowJoinBytes ? 1 : 3);
      assert.ok(Buffer.concat(parts).equals(wanted), `${nr}: ${size}`);
      const head = Buffer.alloc(flowHeadBytes, 255);
      putFlowHead(head, nr, values.flow, size);
      assert.deepEqual(head, wanted.subarray(0, flowHeadBytes));
    }
});

test("a payload is read as the codec reads it, and refused where the codec refuses it", () => {
  const [{ nr, args }] = rows;
  let payload;
  new FrameReader().push(Buffer.concat(flowParts(nr, 7, bytesOf(5))), (frame) => {
    payload = frame.payload;
  });
  assert.equal(flowOf(payload), 7);
  assert.deepEqual(flowBytes(payload), bytesOf(5));
  const longer = Buffer.concat([payload, Buffer.of(0)]);
  const more = Buffer.from(payload);
  more.writeUInt32LE(6, 4);
  const huge = Buffer.from(payload);
  huge.writeUInt32LE(0xffffffff, 4);
  const refused = [longer, more, huge];
  for (let size = 0; size < payload.length; size++) refused.push(payload.subarray(0, size));
  for (const bytes of refused) {
    assert.throws(() => new Decoder(bytes).message(args), MalformedMessage);
    assert.throws(() => flowOf(bytes), MalformedMessage, bytes.toString("hex"));
  }
});
