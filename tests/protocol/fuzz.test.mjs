// A million malformed frames through what src/kernel/process/process.ts does with a guest's bytes.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Decoder, MalformedMessage, wireLimits } from "../../dist/protocol/codec.js";
import {
  FrameKind,
  FrameReader,
  encodeFrame,
  frameHeaderBytes,
} from "../../dist/protocol/frames.js";
import { guestCalls, guestEvents } from "../../dist/protocol/guest-calls.js";
import { byNumber } from "../../dist/protocol/table.js";
import { Random } from "../fuzz/random.mjs";

const wanted = 1_000_000;
const framesPerStream = 256;
const growthLimitBytes = 128 * 1024 * 1024;
const seed = Number(process.env.FUZZ_SEED ?? 20260101);

const callsByNumber = byNumber(guestCalls);
const eventsByNumber = byNumber(guestEvents);

const chance = new Random(seed);
const random = () => chance.next();
const below = (limit) => random() % limit;
const pick = (list) => list[below(list.length)];

function randomBytes(size) {
  const bytes = Buffer.allocUnsafe(size);
  for (let at = 0; at < size; at += 1) bytes[at] = random();
  return bytes;
}

const word = () => pick(["", "/tmp/a", "../..", "é漢😀", "\0", "x".repeat(below(40))]);
const number = () => pick([0, -1, 1, NaN, 2 ** 53, -Infinity, random()]);
const valueOf = {
  u8: () => below(256),
  u32: () => random(),
  i32: () => random() | 0,
  f64: number,
  bool: () => below(2) === 1,
  string: word,
  text: () => word() + pick(["", "\udcff", "/\udcc3\udca9"]),
  texts: () => Array.from({ length: below(4) }, word),
  bytes: () => randomBytes(below(48)),
  strings: () => Array.from({ length: below(4) }, word),
  numbers: () => Array.from({ length: below(4) }, number),
};
const entries = [
  ...Object.values(guestCalls).map((spec) => ({ kind: FrameKind.call, spec })),
  ...Object.values(guestEvents).map((spec) => ({ kind: FrameKind.event, spec })),
];
function validFrame() {
  const { kind, spec } = pick(entries);
  const value = {};
  for (const [name, type] of Object.entries(spec.args)) value[name] = valueOf[type]();
  return encodeFrame(kind, random(), spec.nr, spec.args, value);
}

const withLength = (frame) => {
  frame.writeUInt32LE(frame.length - 4, 0);
  return frame;
};
const nastyLengths = [0, 1, 0x7fffffff, 0x80000000, 0xfffffffb, 0xffffffff, 65_536, 65_537];

/** Changes that leave the stream in step: the length field tells the truth. */
const inStep = [
  function truncate(frame) {
    return withLength(Buffer.from(frame.subarray(0, frameHeaderBytes + below(frame.length - 10))));
  },
  function extend(frame) {
    return withLength(Buffer.concat([frame, randomBytes(1 + below(12))]));
  },
  function flip(frame) {
    for (let count = 1 + below(4); count > 0; count -= 1) {
      frame[4 + below(frame.length - 4)] ^= 1 << below(8);
    }
    return frame;
  },
  function lie(frame) {
    if (frame.length < frameHeaderBytes + 4) return withLength(Buffer.concat([frame, frame]));
    const at = frameHeaderBytes + below(frame.length - frameHeaderBytes - 3);
    frame.writeUInt32LE(pick(nastyLengths), at);
    return frame;
  },
  function otherSchema(frame) {
    const { kind, spec } = pick(entries);
    frame[4] = kind;
    frame.writeUInt16LE(spec.nr, 9);
    return frame;
  },
  function noise(frame) {
    return withLength(Buffer.concat([frame.subarray(0, frameHeaderBytes), randomBytes(below(64))]));
  },
  function header(frame) {
    frame[4] = random();
    frame.writeUInt16LE(random() & 0xffff, 9);
    return frame;
  },
];
/** Changes after which the stream means nothing; the last frame of a stream. */
const outOfStep = [
  (frame) => {
    frame.writeUInt32LE(pick([0, 6, wireLimits.frameBytes - 3, 0xffffffff, random()]), 0);
    return frame;
  },
  (frame) => frame.subarray(0, 1 + below(frame.length - 1)),
  () => randomBytes(1 + below(64)),
  (frame) => frame.subarray(1 + below(frame.length - 1)),
];

/** `#frame` and `#call` of the kernel's Process up to the handlers. */
function receive(frame) {
  if (frame.kind !== FrameKind.call && frame.kind !== FrameKind.event) {
    throw new MalformedMessage(`frame kind ${frame.kind}`);
  }
  const table = frame.kind === FrameKind.call ? callsByNumber : eventsByNumber;
  const entry = table.get(frame.number);
  if (entry === undefined) throw new MalformedMessage(`${frame.number} does not exist`);
  return new Decoder(frame.payload).message(entry.spec.args);
}

test(`${wanted} malformed frames are refused as malformed and as nothing else`, () => {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  let refused = 0;
  let accepted = 0;
  let streamsRefused = 0;
  let baseline = 0;
  let peak = 0;
  const refuse = (error) => {
    if (!(error instanceof MalformedMessage)) {
      throw new Error(`seed ${seed}, after ${refused} refusals`, { cause: error });
    }
    refused += 1;
  };
  const handle = (frame) => {
    // The kernel ends the guest at the first refusal; here each frame is to be judged.
    try {
      receive(frame);
      accepted += 1;
    } catch (error) {
      refuse(error);
    }
  };
  try {
    for (let stream = 0; refused < wanted; stream += 1) {
      const parts = [];
      for (let count = 0; count < framesPerStream; count += 1) {
        parts.push(pick(inStep)(validFrame()));
      }
      parts.push(pick(outOfStep)(validFrame()), validFrame(), validFrame());
      const bytes = Buffer.concat(parts);
      const reader = new FrameReader();
      try {
        for (let at = 0; at < bytes.length;) {
          const end = at + 1 + below(bytes.length);
          reader.push(bytes.subarray(at, end), handle);
          at = end;
        }
      } catch (error) {
        refuse(error);
        streamsRefused += 1;
      }
      if (stream % 64 === 0) {
        const { rss } = process.memoryUsage();
        // The first tenth fills the heap's young generation and the compilers.
        if (refused < wanted / 10) baseline = rss;
        peak = Math.max(peak, rss);
      }
    }
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
  assert.ok(accepted > 0 && streamsRefused > 100, `${accepted} ${streamsRefused}`);
  assert.ok(peak - baseline < growthLimitBytes, `grew by ${peak - baseline} bytes`);
});

test("announced lengths cost nothing until the bytes come", () => {
  const before = process.memoryUsage().rss;
  const readers = [];
  const announcement = Buffer.alloc(4);
  announcement.writeUInt32LE(wireLimits.frameBytes - 4);
  for (let count = 0; count < 10_000; count += 1) {
    const reader = new FrameReader();
    reader.push(announcement, () => assert.fail("no frame was sent"));
    readers.push(reader);
  }
  const grown = process.memoryUsage().rss - before;
  assert.equal(readers.length, 10_000);
  assert.ok(grown < growthLimitBytes, `grew by ${grown} bytes`);
});
