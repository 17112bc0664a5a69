// The wire: what is encoded comes back, and nothing else is accepted.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decodeText } from "../../dist/abi/byte-text.js";
import { Decoder, Encoder, MalformedMessage, wireLimits } from "../../dist/protocol/codec.js";
import {
  FrameKind,
  FrameReader,
  encodeFrame,
  encodeParts,
  frameHeaderBytes,
} from "../../dist/protocol/frames.js";
import { guestCalls, guestEvents, kernelEvents } from "../../dist/protocol/guest-calls.js";
import { hostCalls, hostEvents, kernelHostEvents } from "../../dist/protocol/host-calls.js";
import { byNumber } from "../../dist/protocol/table.js";

const text = fc.string({ unit: "binary", maxLength: 40 });
/** What any bytes are as text. */
const names = fc.uint8Array({ maxLength: 40 }).map(decodeText);
const valuesOf = {
  u8: fc.integer({ min: 0, max: 0xff }),
  u32: fc.integer({ min: 0, max: 0xffffffff }),
  i32: fc.integer({ min: -0x80000000, max: 0x7fffffff }),
  f64: fc.double(),
  bool: fc.boolean(),
  string: text,
  text: names,
  bytes: fc.uint8Array({ maxLength: 600 }),
  strings: fc.array(text, { maxLength: 8 }),
  texts: fc.array(names, { maxLength: 8 }),
  numbers: fc.array(fc.double(), { maxLength: 8 }),
};
const types = Object.keys(valuesOf);
const schemaOf = (list) => Object.fromEntries(list.map((type, index) => [`field${index}`, type]));
const schemas = (from = types) =>
  fc.array(fc.constantFrom(...from), { maxLength: 10 }).map(schemaOf);
const messages = schemas().chain((schema) =>
  fc.record({
    schema: fc.constant(schema),
    value: fc.record(
      Object.fromEntries(Object.entries(schema).map(([name, type]) => [name, valuesOf[type]])),
      { noNullPrototype: true },
    ),
  }),
);

function encode(schema, value) {
  // Small, so that growing is part of every run.
  const encoder = new Encoder(1);
  encoder.message(schema, value);
  return encoder.finish();
}
const decode = (schema, bytes) => new Decoder(Buffer.from(bytes)).message(schema);
/** Byte fields decode to views of the message, which are Buffers. */
const plain = (value) =>
  Object.fromEntries(
    Object.entries(value).map(([name, field]) => [
      name,
      field instanceof Uint8Array ? new Uint8Array(field) : field,
    ]),
  );
const u32 = (value) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
};
const rejects = (schema, bytes, pattern) =>
  assert.throws(
    () => decode(schema, bytes),
    (error) => error instanceof MalformedMessage && pattern.test(error.message),
  );

test("any value of any schema comes back", () => {
  fc.assert(
    fc.property(messages, ({ schema, value }) => {
      assert.deepStrictEqual(plain(decode(schema, encode(schema, value))), value);
    }),
    { numRuns: 2000 },
  );
});

test("every field type comes back at its extremes", () => {
  const extremes = {
    u8: [0, 255],
    u32: [0, 0xffffffff],
    i32: [-0x80000000, 0x7fffffff, -1],
    f64: [0, -0, NaN, Infinity, -Infinity, Number.MIN_VALUE, Number.MAX_VALUE],
    bool: [false, true],
    string: ["", "\0", "\ufeffbom", "é漢😀"],
    text: ["", "\0", "\ufeffbom", "é漢😀", "a\udcff/\udced\udcb3\udcbf", "\udcc3x\udca9"],
    bytes: [new Uint8Array(0), new Uint8Array(100_000).fill(7)],
    strings: [[], ["", "\ufeff"], Array(wireLimits.listItems).fill("")],
    texts: [[], ["", "\udcff"], Array(wireLimits.listItems).fill("")],
    numbers: [[], [NaN, -0], Array(wireLimits.listItems).fill(1)],
  };
  assert.deepEqual(Object.keys(extremes), types);
  for (const [type, values] of Object.entries(extremes)) {
    for (const value of values) {
      const back = decode({ value: type }, encode({ value: type }, { value }));
      assert.deepStrictEqual(plain(back), { value });
    }
  }
});

test("a message decodes inside its bounds only", () => {
  fc.assert(
    fc.property(messages, fc.nat(20), fc.nat(20), ({ schema, value }, before, after) => {
      const bytes = encode(schema, value);
      const around = Buffer.concat([Buffer.alloc(before, 1), bytes, Buffer.alloc(after, 1)]);
      const decoder = new Decoder(around, before, before + bytes.length);
      assert.deepStrictEqual(plain(decoder.message(schema)), value);
    }),
    { numRuns: 300 },
  );
});

test("random bytes decode or are malformed, and what decodes is the only spelling of its value", () => {
  // Mostly zeros and ones, so that lengths are small often enough to get past the first field.
  const byte = fc.oneof(
    { weight: 3, arbitrary: fc.integer({ min: 0, max: 2 }) },
    { weight: 1, arbitrary: fc.integer({ min: 0, max: 255 }) },
  );
  const bytes = fc.array(byte, { maxLength: 60 }).map((list) => Buffer.from(list));
  // A NaN has many spellings, so floats are only in the first half.
  const exact = types.filter((type) => type !== "f64" && type !== "numbers");
  for (const [from, canonical] of [
    [types, false],
    [exact, true],
  ]) {
    let decoded = 0;
    fc.assert(
      fc.property(schemas(from), bytes, (schema, input) => {
        let value;
        try {
          value = decode(schema, input);
        } catch (error) {
          assert.ok(error instanceof MalformedMessage, String(error?.stack));
          return;
        }
        decoded += 1;
        if (canonical) assert.deepEqual(encode(schema, value), input);
      }),
      { numRuns: 10_000 },
    );
    assert.ok(decoded > 0);
  }
});

test("trailing bytes and every truncation are rejected", () => {
  fc.assert(
    fc.property(messages, fc.uint8Array({ minLength: 1, maxLength: 9 }), (message, extra) => {
      const bytes = encode(message.schema, message.value);
      rejects(message.schema, Buffer.concat([bytes, extra]), /longer than its fields/);
      for (let length = 0; length < Math.min(bytes.length, 50); length += 1) {
        assert.throws(() => decode(message.schema, bytes.subarray(0, length)), MalformedMessage);
      }
    }),
    { numRuns: 200 },
  );
});

test("a list may not announce more than the limit or than the message holds", () => {
  for (const [type, item] of [
    ["strings", u32(0)],
    ["texts", u32(0)],
    ["numbers", Buffer.alloc(8)],
  ]) {
    const schema = { list: type };
    const list = (announced, held) =>
      Buffer.concat([u32(announced), Buffer.alloc(item.length * held)]);
    const { listItems } = wireLimits;
    assert.equal(decode(schema, list(listItems, listItems)).list.length, listItems);
    rejects(schema, list(listItems + 1, listItems + 1), /more items/);
    rejects(schema, list(3, 2), /more items/);
    rejects(schema, list(0xffffffff, 1), /more items/);
    rejects(schema, list(1, 2), /longer than its fields/);
  }
});

test("a length beyond the message is rejected", () => {
  for (const type of ["bytes", "string", "text"]) {
    for (const length of [4, 0x7fffffff, 0x80000000, 0xffffffff]) {
      rejects(
        { value: type },
        Buffer.concat([u32(length), Buffer.from("abc")]),
        /shorter than its fields/,
      );
    }
  }
});

test("only UTF-8 is a string", () => {
  const bad = [
    [0xff],
    [0xc0, 0x80], // overlong
    [0xed, 0xa0, 0x80], // surrogate
    [0xf4, 0x90, 0x80, 0x80], // above U+10FFFF
    [0xe2, 0x82], // cut short
    [0x80],
  ];
  for (const bytes of bad) {
    const field = Buffer.concat([u32(bytes.length), Buffer.from(bytes)]);
    rejects({ value: "string" }, field, /not UTF-8/);
    rejects({ value: "strings" }, Buffer.concat([u32(1), field]), /not UTF-8/);
  }
});

test("a boolean is 0 or 1", () => {
  assert.deepEqual(decode({ value: "bool" }, [0]), { value: false });
  assert.deepEqual(decode({ value: "bool" }, [1]), { value: true });
  for (let byte = 2; byte < 256; byte += 1) rejects({ value: "bool" }, [byte], /neither 0 nor 1/);
});

const collect = (into) => (frame) => into.push({ ...frame, payload: Buffer.from(frame.payload) });
const blob = { data: "bytes" };
const randomFrames = fc.array(
  fc.record({
    kind: fc.constantFrom(...Object.values(FrameKind)),
    id: fc.integer({ min: 0, max: 0xffffffff }),
    number: fc.integer({ min: 0, max: 0xffff }),
    data: fc.uint8Array({ maxLength: 120 }),
  }),
  { minLength: 1, maxLength: 8 },
);
const wireOf = (frames) =>
  Buffer.concat(
    frames.map(({ kind, id, number, data }) => encodeFrame(kind, id, number, blob, { data })),
  );
const expected = (frames) =>
  frames.map(({ kind, id, number, data }) => ({
    kind,
    id,
    number,
    payload: encode(blob, { data }),
  }));
/** Cuts `wire` at sizes taken from `sizes` in turn. */
function* cut(wire, sizes) {
  for (let at = 0, turn = 0; at < wire.length; turn += 1) {
    const size = sizes[turn % sizes.length];
    yield wire.subarray(at, at + size);
    at += size;
  }
}
const sizes = fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1, maxLength: 12 });

test("frames are the same however the stream is cut", () => {
  fc.assert(
    fc.property(randomFrames, sizes, (frames, chunkSizes) => {
      const seen = [];
      const reader = new FrameReader();
      for (const chunk of cut(wireOf(frames), chunkSizes)) {
        reader.push(Buffer.from(chunk), collect(seen));
      }
      assert.deepEqual(seen, expected(frames));
    }),
    { numRuns: 1000 },
  );
});

test("frames are the same when the caller reuses its read buffer", () => {
  fc.assert(
    fc.property(randomFrames, sizes, (frames, chunkSizes) => {
      const seen = [];
      const reader = new FrameReader();
      const memory = Buffer.alloc(90);
      for (const chunk of cut(wireOf(frames), chunkSizes)) {
        memory.fill(0xee);
        memory.set(chunk);
        reader.push(memory.subarray(0, chunk.length), collect(seen));
      }
      assert.deepEqual(seen, expected(frames));
    }),
    { numRuns: 1000 },
  );
});

test("parts of a frame are the frame, and what is long lies where it lay", () => {
  const schema = { path: "string", data: "bytes", more: "bool" };
  for (const size of [0, 1000, 16 * 1024, 300_000]) {
    for (const memory of [new Uint8Array(size), new Uint8Array(new SharedArrayBuffer(size))]) {
      const value = { path: "p".repeat(300), data: memory.fill(7), more: true };
      const parts = encodeParts(FrameKind.call, 5, 6, schema, value);
      assert.deepEqual(Buffer.concat(parts), encodeFrame(FrameKind.call, 5, 6, schema, value));
      const isApart = size >= 16 * 1024 && memory.buffer instanceof ArrayBuffer;
      assert.equal(parts.length, isApart ? 3 : 1);
      if (isApart) assert.equal(parts[1], memory);
    }
  }
});

test("frames are the same when what a long one lacks is read to where it belongs", () => {
  const long = fc.record({
    kind: fc.constantFrom(...Object.values(FrameKind)),
    id: fc.integer({ min: 0, max: 0xffffffff }),
    number: fc.integer({ min: 0, max: 0xffff }),
    data: fc.integer({ min: 0, max: 200_000 }).map((size) => new Uint8Array(size).fill(size)),
  });
  const reads = fc.array(fc.integer({ min: 1, max: 40_000 }), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(fc.array(long, { minLength: 1, maxLength: 4 }), reads, (frames, chunkSizes) => {
      const seen = [];
      const reader = new FrameReader();
      const wire = wireOf(frames);
      let direct = 0;
      for (let at = 0, turn = 0; at < wire.length; turn += 1) {
        const { room } = reader;
        const most = Math.min(chunkSizes[turn % chunkSizes.length], room?.length ?? Infinity);
        const chunk = wire.subarray(at, at + most);
        at += chunk.length;
        if (room === undefined) reader.push(Buffer.from(chunk), collect(seen));
        else {
          chunk.copy(room);
          direct += chunk.length;
          reader.filled(chunk.length, collect(seen));
        }
      }
      assert.deepEqual(seen, expected(frames));
      assert.equal(reader.occupiedBytes, 0);
      if (frames.some(({ data }) => data.length > 100_000)) assert.ok(direct > 0);
    }),
    { numRuns: 100 },
  );
});

test("frames that were held are the same when the caller reuses its read buffer", () => {
  fc.assert(
    fc.property(randomFrames, sizes, fc.integer({ min: 1, max: 3 }), (frames, chunkSizes, stop) => {
      const seen = [];
      const take = collect(seen);
      const reader = new FrameReader();
      const memory = Buffer.alloc(90);
      const handle = (frame) => {
        const { passing, ...rest } = frame;
        if (passing === true) assert.equal(frame.payload.buffer, memory.buffer);
        take(rest);
        return seen.length % stop !== 0;
      };
      for (const chunk of cut(wireOf(frames), chunkSizes)) {
        memory.fill(0xee);
        memory.set(chunk);
        reader.push(memory.subarray(0, chunk.length), handle, false);
        // Not at once: what comes meanwhile is held as well.
        if (chunk.length % 2 === 0) reader.next(handle);
      }
      while (reader.isHeld) reader.next(handle);
      assert.deepEqual(seen, expected(frames));
      assert.equal(reader.occupiedBytes, 0);
    }),
    { numRuns: 1000 },
  );
});

test("a frame that is too long for its row is told and dropped, however the stream is cut", () => {
  fc.assert(
    fc.property(randomFrames, sizes, (frames, chunkSizes) => {
      const seen = [];
      const most = frameHeaderBytes + 20;
      let occupied = 0;
      const reader = new FrameReader(wireLimits.frameBytes, (kind, number) =>
        number % 2 === 0 ? most : wireLimits.frameBytes,
      );
      for (const chunk of cut(wireOf(frames), chunkSizes)) {
        reader.push(Buffer.from(chunk), ({ kind, id, number, payload, tooLong = false }) => {
          seen.push({ kind, id, number, payload: Buffer.from(payload), tooLong });
        });
        occupied = Math.max(occupied, reader.occupiedBytes);
      }
      const right = expected(frames).map((frame) => {
        const tooLong = frame.number % 2 === 0 && frame.payload.length > 20;
        return { ...frame, payload: tooLong ? Buffer.alloc(0) : frame.payload, tooLong };
      });
      assert.deepEqual(seen, right);
      const odd = frames.filter(({ number }) => number % 2 === 1);
      if (odd.length === 0) assert.ok(occupied <= 2 * most, `${occupied} bytes`);
    }),
    { numRuns: 1000 },
  );
});

test("what a part of a frame occupies follows what came, not what was announced", () => {
  const reader = new FrameReader();
  reader.push(u32(wireLimits.frameBytes - 4), () => assert.fail("no frame was sent"));
  for (const size of [7, 100, 5000, 70_000]) {
    reader.push(Buffer.alloc(size), () => assert.fail("no frame was sent"));
    assert.ok(reader.occupiedBytes <= 4 * (size + 4) + 65_536, `${reader.occupiedBytes}`);
  }
});

test("only the memory of released frames is used again", () => {
  const kept = [];
  const reader = new FrameReader();
  const sizes = [70_000, 200_000, 90_000, 300_000, 120_000, 200_000];
  const texts = sizes.map((size, index) => Buffer.alloc(size, `${index}:`));
  texts.forEach((data, index) => {
    const wire = encodeFrame(FrameKind.event, 0, 1, { data: "bytes" }, { data });
    for (let at = 0; at < wire.length; at += 65_536) {
      reader.push(wire.subarray(at, at + 65_536), (frame) => {
        const seen = frame.payload.subarray(4);
        assert.ok(seen.equals(data));
        // Every second one is kept as it is, without a copy.
        if (index % 2 === 0) kept.push([seen, data]);
        else frame.released = true;
      });
    }
  });
  assert.equal(kept.length, 3);
  for (const [seen, data] of kept) assert.ok(seen.equals(data));
});

test("a length out of range is rejected as soon as it is known", () => {
  const nothing = () => assert.fail("no frame was sent");
  const outOfRange = (error) => error instanceof MalformedMessage && /range/.test(error.message);
  const tooLong = [wireLimits.frameBytes - 3, 0x7fffffff, 0xffffffff];
  for (const length of [...tooLong, 0, 1, frameHeaderBytes - 5]) {
    assert.throws(() => new FrameReader().push(u32(length), nothing), outOfRange);
    const reader = new FrameReader();
    const bytes = u32(length);
    for (const at of [0, 1, 2]) reader.push(bytes.subarray(at, at + 1), nothing);
    assert.throws(() => reader.push(bytes.subarray(3), nothing), outOfRange);
  }
  // The longest that is allowed only waits for the rest.
  new FrameReader().push(u32(wireLimits.frameBytes - 4), nothing);
  // A reader's own limit counts the length field too.
  const frame = encodeFrame(FrameKind.event, 0, 1, {}, {});
  assert.equal(frame.length, frameHeaderBytes);
  const seen = [];
  new FrameReader(frameHeaderBytes).push(frame, collect(seen));
  assert.equal(seen.length, 1);
  assert.throws(() => new FrameReader(frameHeaderBytes - 1).push(frame, nothing), outOfRange);
});

test("frames before a bad length are delivered", () => {
  const seen = [];
  const good = encodeFrame(FrameKind.event, 0, 1, {}, {});
  assert.throws(
    () => new FrameReader().push(Buffer.concat([good, good, u32(0)]), collect(seen)),
    MalformedMessage,
  );
  assert.equal(seen.length, 2);
});

test("a frame over the wire limit cannot be sent", () => {
  const room = wireLimits.frameBytes - frameHeaderBytes - 4;
  const send = (size) => encodeFrame(FrameKind.event, 0, 1, blob, { data: Buffer.alloc(size) });
  const seen = [];
  new FrameReader().push(send(room), (frame) => seen.push(frame.payload.length));
  assert.deepEqual(seen, [room + 4]);
  assert.throws(() => send(room + 1), RangeError);
});

test("byNumber refuses two entries of one number", () => {
  const map = byNumber({ a: { nr: 1 }, b: { nr: 2 } });
  assert.deepEqual([...map.keys()], [1, 2]);
  assert.equal(map.get(2).name, "b");
  assert.throws(() => byNumber({ a: { nr: 1 }, b: { nr: 1 } }), /b and a share number 1/);
});

test("every table has numbers of its own that fit the header", () => {
  const tables = {
    guestCalls,
    guestEvents,
    kernelEvents,
    hostCalls,
    hostEvents,
    kernelHostEvents,
  };
  for (const [name, table] of Object.entries(tables)) {
    assert.equal(byNumber(table).size, Object.keys(table).length, name);
    for (const [entry, spec] of Object.entries(table)) {
      assert.ok(Number.isInteger(spec.nr) && spec.nr > 0 && spec.nr <= 0xffff, `${name}.${entry}`);
      for (const type of Object.values({ ...spec.args, ...spec.result })) {
        assert.ok(types.includes(type), `${name}.${entry}: ${type}`);
      }
    }
  }
});

test("a setter on Object.prototype sees no field", () => {
  const encoder = new Encoder();
  encoder.message({ errno: "i32" }, { errno: 9 });
  const bytes = encoder.finish();
  const seen = [];
  const descriptor = { __proto__: null, set: (value) => seen.push(value), configurable: true };
  Object.defineProperty(Object.prototype, "errno", descriptor);
  try {
    const message = new Decoder(bytes).message({ errno: "i32" });
    assert.deepEqual(seen, []);
    assert.equal(Object.getOwnPropertyDescriptor(message, "errno").value, 9);
  } finally {
    delete Object.prototype.errno;
  }
});
