// RLIMIT_FSIZE: what is written up to it, what is refused, and whom that is told.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Errno } from "../../../dist/abi/errno.js";
import { O_APPEND, O_CREAT, O_RDONLY, O_RDWR, O_WRONLY } from "../../../dist/abi/fcntl.js";
import { StatSlot } from "../../../dist/protocol/fs-calls.js";
import { callerOf } from "./callers.mjs";

const limit = 1000;
const limited = (soft = limit) => {
  const made = callerOf({ uid: 0, own: { fileBytes: { soft, hard: Infinity } } });
  const opened = (path, flags = O_RDWR | O_CREAT) =>
    made.call("open", { path, flags, mode: 0o644 }).fd;
  const sizeOf = (path) => made.call("stat", { path, follow: true }).values[StatSlot.size];
  const write = (fd, bytes, position = -1) =>
    made.call("write", { fd, data: new Uint8Array(bytes), position });
  return { ...made, opened, sizeOf, write };
};

test("a write goes up to the limit, and the one behind it fails with a signal", () => {
  const { caller, opened, sizeOf, write } = limited();
  const fd = opened("/f");
  assert.deepEqual(write(fd, 900), { written: 900 });
  assert.deepEqual(write(fd, 900), { written: 100 });
  assert.equal(caller.filesTooLong, 0);
  assert.equal(write(fd, 1), -Errno.EFBIG);
  assert.equal(caller.filesTooLong, 1);
  // None at all is no write.
  assert.deepEqual(write(fd, 0), { written: 0 });
  assert.deepEqual(write(fd, 10, 995), { written: 5 });
  assert.equal(write(fd, 1, 5000), -Errno.EFBIG);
  assert.equal(sizeOf("/f"), limit);
  assert.equal(caller.filesTooLong, 2);
});

test("the end of the file is what counts for who appends, wherever the position is", () => {
  const { caller, opened, write } = limited();
  const fd = opened("/f");
  write(fd, limit);
  const appending = opened("/f", O_WRONLY | O_APPEND);
  assert.equal(write(appending, 1, 0), -Errno.EFBIG);
  assert.equal(caller.filesTooLong, 1);
  // Nobody may write here in any case, which is another error.
  assert.equal(write(opened("/f", O_RDONLY), 1, 5000), -Errno.EBADF);
  assert.equal(caller.filesTooLong, 1);
});

test("a file is not made longer than the limit by its length, and one that is may be made shorter", () => {
  const { call, caller, opened, sizeOf } = limited();
  const fd = opened("/f");
  assert.deepEqual(call("ftruncate", { fd, length: limit }), {});
  assert.equal(call("ftruncate", { fd, length: limit + 1 }), -Errno.EFBIG);
  assert.equal(caller.filesTooLong, 1);
  caller.fileBytes = { soft: 10, hard: 10 };
  assert.deepEqual(call("ftruncate", { fd, length: 500 }), {});
  assert.equal(call("ftruncate", { fd, length: 501 }), -Errno.EFBIG);
  assert.equal(sizeOf("/f"), 500);
});

test("whole files, copies and promises keep to it", () => {
  const { call, caller, opened, sizeOf } = limited();
  const whole = { flags: O_WRONLY | O_CREAT, mode: 0o644, more: false };
  const data = new Uint8Array(2 * limit);
  assert.equal(call("writeFile", { path: "/whole", data, ...whole }), -Errno.EFBIG);
  assert.equal(sizeOf("/whole"), limit);
  caller.fileBytes = { soft: Infinity, hard: Infinity };
  call("writeFile", { path: "/long", data, ...whole });
  const sparse = opened("/sparse");
  call("ftruncate", { fd: sparse, length: 2 * limit });
  caller.fileBytes = { soft: limit, hard: limit };
  assert.equal(call("copyFile", { from: "/long", to: "/copy", mode: 0 }), -Errno.EFBIG);
  assert.equal(sizeOf("/copy"), limit);
  assert.equal(call("copyFile", { from: "/sparse", to: "/hole", mode: 0 }), -Errno.EFBIG);
  assert.equal(sizeOf("/hole"), 0);
  assert.equal(caller.filesTooLong, 3);
  const asked = [];
  caller.promises = (_file, bytes) => asked.push(bytes) && bytes;
  const fd = opened("/first");
  const first = (bytes) =>
    call("writeFirst", { fd, data: new Uint8Array(bytes), more: 4096 }).promised;
  assert.deepEqual([first(300), first(700)], [700, 0]);
  assert.deepEqual(asked, [700]);
});

test("part of a process may have less than the process, and never more", () => {
  const { call, caller, opened } = limited();
  const fd = opened("/f");
  const within = (bytes, fileBytes) =>
    call("writeWithin", { fd, data: new Uint8Array(bytes), fileBytes });
  assert.deepEqual(within(200, 100), { written: 100 });
  assert.equal(within(1, 100), -Errno.EFBIG);
  assert.equal(caller.filesTooLong, 1);
  assert.deepEqual(within(2000, Infinity), { written: 900 });
  assert.equal(within(1, Infinity), -Errno.EFBIG);
  for (const bad of [NaN, -1, 0.5]) assert.equal(within(1, bad), -Errno.EINVAL);
});

test("what is no file has no length", () => {
  const { call, write } = limited(0);
  const { writer } = call("pipe");
  assert.deepEqual(write(writer, 100), { written: 100 });
});
