// Memory of large frames is given back as soon as they have gone, and whoever still had a view of it sees nothing of the next.
import assert from "node:assert/strict";
import { Socket } from "node:net";
import { test } from "node:test";
import { HostDoor } from "../../dist/kernel/host-door/door.js";
import { GuestSocket } from "../../dist/launcher/guest-socket.js";
import { encodeFrame } from "../../dist/protocol/frames.js";
import { giveBuffer, takeBuffer } from "../../dist/protocol/spare-buffer.js";
import * as libc from "../../dist/sandbox/libc.js";

const KiB = 1024;
const frameOf = (bytes, fill) =>
  encodeFrame(4, 0, 1, { data: "bytes" }, { data: Buffer.alloc(bytes, fill) });

test("a view of memory that was given back is empty, whoever has the memory next", () => {
  for (const bytes of [64 * KiB, 512 * KiB, 3 * KiB * KiB]) {
    const first = takeBuffer(bytes);
    const view = first.subarray(10, 20).fill(7);
    giveBuffer(first);
    const next = takeBuffer(bytes).fill(9);
    assert.deepEqual([first.length, view.length], [0, 0]);
    giveBuffer(next);
  }
});

function guestSocket(handlers = {}) {
  const [mine, theirs] = libc.socketpair(libc.SOCK_STREAM, libc.SOCK_CLOEXEC | libc.SOCK_NONBLOCK);
  const socket = new GuestSocket(mine, {
    ready: () => true,
    frame: () => true,
    occupies: () => true,
    violation: (reason) => assert.fail(reason),
    drained() {},
    closed() {},
    ...handlers,
  });
  return { socket, theirs };
}

test(
  "frames that waited for a reader come whole, and leave no memory",
  { timeout: 30_000 },
  async () => {
    const drained = Promise.withResolvers();
    const { socket, theirs } = guestSocket({ drained: drained.resolve });
    // One that is written in part, large ones alone, and small ones together.
    const sizes = [900, 2000, 700, ...Array(20).fill(70), 1].map((size) => size * KiB);
    const frames = sizes.map((size, i) => frameOf(size, i));
    const whole = Buffer.concat(frames);
    for (const frame of frames) socket.send(frame);
    const reader = new Socket({ fd: theirs, readable: true, writable: false });
    const received = [];
    let size = 0;
    for await (const chunk of reader) {
      received.push(chunk);
      size += chunk.length;
      if (size === whole.length) break;
    }
    await drained.promise;
    assert.ok(whole.equals(Buffer.concat(received)));
    assert.deepEqual(
      frames.slice(0, -1).map(({ length }) => length),
      frames.slice(0, -1).map(() => 0),
    );
    socket.destroy();
  },
);

test("frames that wait for a guest that is ended leave no memory", () => {
  const { socket, theirs } = guestSocket();
  const frames = [1, 2, 3, 4].map((fill) => frameOf(900 * KiB, fill));
  for (const frame of frames) socket.send(frame);
  socket.destroy();
  // The first is being written.
  assert.deepEqual(
    frames.slice(1).map(({ length }) => length),
    [0, 0, 0],
  );
  libc.close(theirs);
});

test("what the host was sent leaves no memory, and stays whole where it was not sent", async () => {
  let frame;
  let done;
  const socket = { write: (bytes, written) => void ((frame = bytes), (done = written)) };
  const door = new HostDoor(socket);
  const emit = (bytes) =>
    door.emit("output", { vm: 1, process: 1, stream: 1, data: Buffer.alloc(bytes, 1) });
  emit(200 * KiB);
  assert.ok(frame.length > 200 * KiB);
  done(null);
  assert.equal(frame.length, 0);
  emit(200 * KiB);
  done(new Error("it is gone"));
  assert.ok(frame.length > 200 * KiB);
  emit(100);
  assert.ok(frame.length > 100 && done === undefined);
});
