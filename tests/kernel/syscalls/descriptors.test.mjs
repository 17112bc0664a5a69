// Pipes, socket pairs and copies of descriptors, as system calls: what is given away, what waits, what is too much.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Errno } from "../../../dist/abi/errno.js";
import { O_CREAT, O_RDWR } from "../../../dist/abi/fcntl.js";
import { callerOf, seen } from "./callers.mjs";

const text = (data) => Buffer.from(data).toString();

test("a pipe: what is written is read, a reader waits, and ends with the last writer", () => {
  const { caller, call } = callerOf();
  const { reader, writer } = call("pipe");
  assert.deepEqual([reader, writer], [0, 1]);
  const waiting = seen(call("read", { fd: reader, length: 10, position: -1 }));
  assert.deepEqual(waiting, []);
  assert.deepEqual(call("write", { fd: writer, data: Buffer.from("one"), position: -1 }), {
    written: 3,
  });
  assert.equal(text(waiting[0].data), "one");
  assert.deepEqual(call("describe", { fd: reader }), { kind: "pipe" });
  // A pipe has no position.
  assert.equal(call("read", { fd: reader, length: 1, position: 0 }), -Errno.ESPIPE);
  assert.equal(call("seek", { fd: reader, offset: 0, whence: 0 }), -Errno.ESPIPE);
  assert.equal(call("read", { fd: writer, length: 1, position: -1 }), -Errno.EBADF);

  const copy = call("dup", { fd: writer, to: -1 }).fd;
  call("close", { fd: writer });
  const last = seen(call("read", { fd: reader, length: 1, position: -1 }));
  assert.deepEqual(last, []);
  call("close", { fd: copy });
  assert.equal(last[0].data.byteLength, 0);
  call("close", { fd: reader });
  assert.deepEqual(caller.account.usage, { kernelBytes: 0, kernelObjects: 0, hostDescriptors: 0 });
});

test("who writes to a pipe that nobody reads hears EPIPE, and the process hears of it", () => {
  const { caller, call } = callerOf();
  const { reader, writer } = call("pipe");
  const waiting = seen(
    call("write", { fd: writer, data: Buffer.alloc(1024 * 1024), position: -1 }),
  );
  assert.deepEqual(waiting, []);
  call("close", { fd: reader });
  // As much as the pipe had room for.
  assert.deepEqual(waiting, [{ written: 65_536 }]);
  assert.equal(caller.brokenPipes, 0);
  assert.equal(call("write", { fd: writer, data: Buffer.from("x"), position: -1 }), -Errno.EPIPE);
  assert.equal(caller.brokenPipes, 1);
});

test("an end of a socket pair reads what the other writes, and its end after shutdown", () => {
  const { call } = callerOf();
  const { first, second } = call("socketpair");
  call("write", { fd: first, data: Buffer.from("there"), position: -1 });
  assert.equal(text(call("read", { fd: second, length: 100, position: -1 }).data), "there");
  assert.deepEqual(call("shutdown", { fd: first }), {});
  assert.equal(call("read", { fd: second, length: 1, position: -1 }).data.byteLength, 0);
  // The other direction is open.
  call("write", { fd: second, data: Buffer.from("back"), position: -1 });
  assert.equal(text(call("read", { fd: first, length: 100, position: -1 }).data), "back");
});

test("dup shares the position, onto itself changes nothing, onto another closes that", () => {
  const { call } = callerOf({ uid: 0 });
  const { fd } = call("open", { path: "/f", flags: O_RDWR | O_CREAT, mode: 0o644 });
  call("write", { fd, data: Buffer.from("abcdef"), position: -1 });
  assert.deepEqual(call("dup", { fd, to: 9 }), { fd: 9 });
  assert.deepEqual(call("seek", { fd: 9, offset: 2, whence: 0 }), { position: 2 });
  assert.equal(text(call("read", { fd, length: 2, position: -1 }).data), "cd");
  assert.deepEqual(call("dup", { fd, to: fd }), { fd });
  const { reader, writer } = call("pipe");
  assert.deepEqual(call("dup", { fd, to: writer }), { fd: writer });
  assert.equal(call("read", { fd: reader, length: 1, position: -1 }).data.byteLength, 0);
  for (const [args, errno] of [
    [{ fd: 33, to: -1 }, Errno.EBADF],
    [{ fd, to: 64 }, Errno.EBADF],
  ])
    assert.equal(call("dup", args), -errno);
});

test("seek: from the start, the place, the end; nowhere before the file", () => {
  const { call } = callerOf({ uid: 0 });
  const { fd } = call("open", { path: "/f", flags: O_RDWR | O_CREAT, mode: 0o644 });
  call("write", { fd, data: Buffer.from("one\ntwo\n"), position: -1 });
  assert.deepEqual(call("seek", { fd, offset: -3, whence: 2 }), { position: 5 });
  assert.deepEqual(call("seek", { fd, offset: 1, whence: 1 }), { position: 6 });
  assert.deepEqual(call("seek", { fd, offset: 0, whence: 0 }), { position: 0 });
  for (const [offset, whence] of [
    [-1, 0],
    [-9, 2],
    [0, 3],
    [Number.MAX_SAFE_INTEGER, 2],
  ])
    assert.equal(call("seek", { fd, offset, whence }), -Errno.EINVAL, `${offset} from ${whence}`);
  assert.equal(text(call("readLine", { fd, length: 100 }).data), "one\n");
  assert.equal(text(call("readLine", { fd, length: 2 }).data), "tw");
  assert.equal(text(call("readLine", { fd, length: 100 }).data), "o\n");
  assert.equal(call("readLine", { fd, length: 100 }).data.byteLength, 0);
});

test("without room for both ends there is no pipe, and nothing stays open", () => {
  const { caller, call } = callerOf({ descriptors: 3 });
  call("pipe");
  assert.equal(call("pipe"), -Errno.EMFILE);
  assert.equal(caller.descriptors.size, 2);
  assert.equal(call("socketpair"), -Errno.EMFILE);
  assert.equal(caller.descriptors.size, 2);
});

test("waitReadable answers at once where there is something, and when something comes", () => {
  const { call } = callerOf();
  const { reader, writer } = call("pipe");
  assert.deepEqual(call("waitReadable", { fd: reader, timeoutMs: 0 }), { ready: false });
  const waiting = seen(call("waitReadable", { fd: reader, timeoutMs: 2 ** 31 }));
  assert.deepEqual(waiting, []);
  call("write", { fd: writer, data: Buffer.from("x"), position: -1 });
  assert.deepEqual(waiting, [{ ready: true }]);
  assert.deepEqual(call("waitReadable", { fd: reader, timeoutMs: 0 }), { ready: true });
  assert.equal(call("waitReadable", { fd: 40, timeoutMs: 0 }), -Errno.EBADF);
});
