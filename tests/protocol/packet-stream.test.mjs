// Two ends of a session over a broker that loses, repeats and delays: the streams stay what was written.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import fc from "fast-check";
import { PacketKind, decodePacket, encodePacket, fleetLimits } from "../../dist/protocol/fleet.js";
import { PacketStream } from "../../dist/protocol/packet-stream.js";

// Timers of a stream keep no process alive.
const alive = setInterval(() => {}, 1000);
after(() => clearInterval(alive));

const { windowBytes } = fleetLimits;
const leaseMs = 60_000;

/** Two ends; `carry` may change what happens to each packet, which is otherwise handed on in the next turn. */
function pair({ carry = (_packet, hand) => hand(), lease = leaseMs } = {}) {
  const ends = [{}, {}];
  ends.forEach((end, index) => {
    const other = ends[1 - index];
    end.came = [];
    end.over = new Promise((resolve) => {
      end.stream = new PacketStream({
        leaseMs: lease,
        pieceBytes: 1000,
        transmit: (packet) =>
          carry(packet, () => setImmediate(() => other.stream.take(packet)), index),
        receive: (bytes) => {
          end.came.push(Buffer.from(bytes));
          end.heard?.();
        },
        over: resolve,
      });
    });
  });
  return ends;
}

/** Two ends at a broker that says of the first one's packets that nobody listens, as long as `isSaid` of how often it was. */
function unheardOf(isSaid = (_times) => true) {
  let times = 0;
  const ends = pair({
    carry: (packet, hand, from) => {
      if (from === 0 && isSaid(++times)) setImmediate(() => ends[0].stream.unheard());
      else hand();
    },
  });
  return ends;
}

const text = (length, from = 0) =>
  Buffer.from(Array.from({ length }, (_, at) => (at + from) % 251));

/** Resolves when `end` has got so many bytes. */
const has = (end, count) =>
  new Promise((resolve) => {
    end.heard = () => {
      if (end.came.reduce((sum, { length }) => sum + length, 0) >= count)
        resolve(Buffer.concat(end.came));
    };
    end.heard();
  });

test("bytes come once and in order over a broker that loses and repeats", async () => {
  const property = fc.asyncProperty(
    fc.array(fc.nat(9), { minLength: 50, maxLength: 400 }),
    fc.array(fc.integer({ min: 1, max: 20_000 }), { minLength: 1, maxLength: 20 }),
    async (fates, sizes) => {
      let at = 0;
      const [first, second] = pair({
        carry: (_packet, hand) => {
          const fate = fates[at++] ?? 9;
          if (fate === 0) return;
          hand();
          if (fate === 1) hand();
        },
      });
      const total = sizes.reduce((sum, size) => sum + size, 0);
      const sent = text(total);
      let from = 0;
      for (const size of sizes) {
        first.stream.write(sent.subarray(from, from + size));
        second.stream.write(sent.subarray(from, from + size));
        from += size;
      }
      // The last packet may be lost as well: whoever says that it is there tells how much it sent.
      const beats = setInterval(() => {
        first.stream.beat();
        second.stream.beat();
      }, 5);
      for (const end of [first, second]) assert.ok((await has(end, total)).equals(sent));
      clearInterval(beats);
      for (const { stream } of [first, second]) stream.end({ code: "X", message: "" });
    },
  );
  await fc.assert(property, { numRuns: 25 });
});

test("no more than the window is on its way, and what is held lets the other end wait", async () => {
  let carried = 0;
  const [first, second] = pair({
    carry: (packet, hand) => {
      const { kind, body } = decodePacket(packet);
      if (kind === PacketKind.data) carried += body.length;
      hand();
    },
  });
  second.stream.hold(true);
  const sent = text(3 * windowBytes);
  first.stream.write(sent);
  for (let turn = 0; turn < 500; turn++) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(carried, windowBytes);
  assert.deepEqual(second.came, []);
  second.stream.hold(false);
  assert.ok((await has(second, sent.length)).equals(sent));
  first.stream.end({ code: "X", message: "" });
  second.stream.end({ code: "X", message: "" });
});

test("what is written in one turn is one packet, also by the promises that it settles", async () => {
  const pieces = [];
  const [first, second] = pair({
    carry: (packet, hand) => {
      pieces.push(decodePacket(packet).body.length);
      hand();
    },
  });
  const sent = text(100);
  const settled = Promise.resolve()
    .then(() => first.stream.write(sent.subarray(10, 30)))
    .then(() => first.stream.write(sent.subarray(30)));
  first.stream.write(sent.subarray(0, 10));
  await settled;
  assert.ok((await has(second, 100)).equals(sent));
  assert.deepEqual(pieces, [100]);
  for (const { stream } of [first, second]) stream.end({ code: "X", message: "" });
});

test("what nobody waits for goes with what is written next, or by itself", async () => {
  const pieces = [];
  const [first, second] = pair({
    carry: (packet, hand) => {
      pieces.push(decodePacket(packet).body.length);
      hand();
    },
  });
  const sent = text(60);
  first.stream.writeLate(sent.subarray(0, 20));
  assert.equal(first.stream.pendingBytes, 20);
  first.stream.write(sent.subarray(20, 50));
  assert.ok((await has(second, 50)).equals(sent.subarray(0, 50)));
  first.stream.writeLate(sent.subarray(50));
  assert.ok((await has(second, 60)).equals(sent));
  assert.deepEqual(pieces, [50, 10]);
  first.stream.writeLate(text(5));
  // An end takes what waits along.
  first.stream.end({ code: "X", message: "" });
  assert.equal((await second.over).by, "peer");
  assert.equal(Buffer.concat(second.came).length, 65);
});

test("each end hears who ended it, and why, once", async () => {
  const [first, second] = pair();
  first.stream.write(text(10));
  first.stream.end({ code: "ERR_SECURE_EXEC_DISPOSED", message: "enough" });
  assert.deepEqual(await first.over, { by: "us" });
  assert.deepEqual(await second.over, {
    by: "peer",
    reason: { code: "ERR_SECURE_EXEC_DISPOSED", message: "enough" },
  });
  // What was written before comes before.
  assert.equal(Buffer.concat(second.came).length, 10);
  first.stream.write(text(10));
  assert.equal(first.stream.pendingBytes, 0);
});

test("an end that says nothing for a lease is lost, and one that nobody listens for earlier", async () => {
  const [silent] = pair({ carry: () => {}, lease: 1000 });
  assert.deepEqual(await silent.over, { by: "silence" });
  const [absent] = unheardOf();
  absent.stream.beat();
  assert.deepEqual(await absent.over, { by: "absence" });
});

test("an end is not absent for having been unheard of once, nor before it is back at a broker that was away", async () => {
  // Whoever comes back first finds nobody, and has been heard since without knowing of it.
  const [once] = unheardOf((said) => said === 1);
  once.stream.beat();
  // Nor does the first of two ends at a broker that comes back give the other one up.
  const [early, late] = unheardOf(() => !late.isThere);
  early.stream.brokerIsBack();
  const [absent] = unheardOf();
  absent.stream.beat();
  await absent.over;
  assert.deepEqual([once.stream.isOver, early.stream.isOver], [false, false]);
  late.isThere = true;
  late.stream.brokerIsBack();
  late.stream.write(text(5));
  await has(early, 5);
  // Once it has been heard it is missed again.
  late.isThere = false;
  early.stream.beat();
  assert.deepEqual(await early.over, { by: "absence" });
  for (const { stream } of [once, late]) stream.end({ code: "X", message: "" });
});

test("an end that was not heard of is not lost when it is heard again", async () => {
  let dropped = 0;
  const [first, second] = pair({
    carry: (packet, hand) => {
      // Answers are there again after the second probe.
      if (decodePacket(packet).kind === PacketKind.beat && dropped++ < 2) return;
      hand();
    },
  });
  first.stream.unheard();
  first.stream.write(text(5));
  await has(second, 5);
  second.stream.write(text(5));
  await has(first, 5);
  assert.equal(first.stream.isOver, false);
  for (const { stream } of [first, second]) stream.end({ code: "X", message: "" });
});

for (const [what, packet] of [
  ["nothing", Buffer.alloc(0)],
  ["another version", Buffer.concat([Buffer.from([99]), encodePacket(1, 0, 0).subarray(1)])],
  ["an unknown kind", encodePacket(77, 0, 0)],
  ["an offset that is no number", encodePacket(PacketKind.data, NaN, 0)],
  ["a negative offset", encodePacket(PacketKind.data, -1, 0)],
  ["more taken than was sent", encodePacket(PacketKind.beat, 0, 5)],
]) {
  test(`a packet that breaks the protocol ends its session: ${what}`, async () => {
    const [first] = pair({ carry: () => {} });
    first.stream.take(packet);
    assert.equal((await first.over).by, "violation");
    // Nothing more is taken.
    first.stream.take(encodePacket(PacketKind.data, 0, 0, text(3)));
    assert.deepEqual(first.came, []);
  });
}

test("more than the window, sent to an end that holds, ends the session", async () => {
  const [first] = pair({ carry: () => {} });
  first.stream.hold(true);
  first.stream.take(encodePacket(PacketKind.data, 0, 0, Buffer.alloc(windowBytes)));
  assert.equal(first.stream.isOver, false);
  first.stream.take(encodePacket(PacketKind.data, windowBytes, 0, Buffer.alloc(1)));
  assert.equal((await first.over).by, "violation");
});

test("asking again and again costs a sending now and then", async () => {
  let sent = 0;
  const [first] = pair({
    carry: (packet) => {
      if (decodePacket(packet).kind === PacketKind.data) sent++;
    },
  });
  first.stream.write(text(1000));
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(sent, 1);
  for (let turn = 0; turn < 1000; turn++) first.stream.take(encodePacket(PacketKind.again, 0, 0));
  assert.equal(sent, 1);
  first.stream.end({ code: "X", message: "" });
});
