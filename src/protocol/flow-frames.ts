/**
 * Owns the two frames that carry the bytes of flows, `flowWrite` and `flowData`: written and read field by field. They
 * are what a machine's sockets say, message by message, and to look each field up in a schema was most of what one cost.
 *
 * Invariants: byte for byte what the codec makes of their rows, and refused where the codec refuses it.
 * Untrusted: every payload.
 */
import { MalformedMessage } from "./codec.js";
import { FrameKind, frameHeaderBytes } from "./frames.js";
import type { FrameParts } from "./frames.js";
import type { NodeBuffer } from "./node-types.js";
import { takeBuffer, takeSmallBuffer, smallBytes } from "./spare-buffer.js";

/** What is before the bytes: the header, the flow, and how many they are. */
export const flowHeadBytes = frameHeaderBytes + 8;

/** Chunks of one write up to this size share a frame. Longer ones stay where they are. */
export const flowJoinBytes = 16 * 1024;
const nothing = Buffer.alloc(0);

/** Writes what is before `bytes` bytes of `flow` to the start of `into`; `number` is the event's. */
export function putFlowHead(into: NodeBuffer, number: number, flow: number, bytes: number): void {
  into.writeUInt32LE(flowHeadBytes - 4 + bytes, 0);
  into[4] = FrameKind.event;
  into.writeUInt32LE(0, 5);
  into.writeUInt16LE(number, 9);
  into.writeUInt32LE(flow, frameHeaderBytes);
  into.writeUInt32LE(bytes, frameHeaderBytes + 4);
}

/** The frame with `data`; its first part is for `giveBuffer`. */
export function flowParts(number: number, flow: number, data: Uint8Array): FrameParts {
  const { byteLength } = data;
  const isApart = byteLength >= flowJoinBytes;
  const size = isApart ? flowHeadBytes : flowHeadBytes + byteLength;
  const memory = size <= smallBytes ? takeSmallBuffer() : takeBuffer(size);
  putFlowHead(memory, number, flow, byteLength);
  if (isApart) return [memory.subarray(0, size), data, nothing];
  memory.set(data, flowHeadBytes);
  return [memory.subarray(0, size)];
}

/** The flow that a payload is of; throws unless all the rest of it are the bytes that it announces. */
export function flowOf(payload: NodeBuffer): number {
  const { length } = payload;
  if (length < 8 || payload.readUInt32LE(4) !== length - 8)
    throw new MalformedMessage("the bytes of a flow are not as many as it says");
  return payload.readUInt32LE(0);
}

/** The bytes of a payload, as a view. */
export const flowBytes = (payload: NodeBuffer): NodeBuffer => payload.subarray(8);
