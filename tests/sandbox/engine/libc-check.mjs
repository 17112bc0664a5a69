// Exercises libc.ts, bpf.ts, rlimits.ts and probe.ts in the engine; the host's test reads the outcome.
import assert from "node:assert/strict";
import { fstatSync, readlinkSync } from "node:fs";
import { Assembler, NEXT } from "../../../dist/sandbox/bpf.js";
import * as libc from "../../../dist/sandbox/libc.js";
import { probeIsolation } from "../../../dist/sandbox/probe.js";
import { ownDataBytes } from "../../../dist/sandbox/rlimits.js";
import { install } from "../../../dist/sandbox/seccomp.js";

const EBADF = 9;
const EAGAIN = 11;

// read, write, offsets, views
const [r, w] = libc.pipe2(libc.O_CLOEXEC | libc.O_NONBLOCK);
const bytes = Buffer.alloc(32);
assert.equal(libc.read(r, bytes, 0, 8), -EAGAIN);
assert.equal(libc.pollReadable(r, 0), 0);
assert.equal(libc.write(w, Buffer.from("..hello"), 2, 5), 5);
assert.equal(libc.write(w, Buffer.from("...!").subarray(3), 0, 1), 1);
assert.equal(libc.pollReadable(r, 1000), libc.POLLIN);
assert.equal(libc.pollWritable(w, 0), libc.POLLOUT);
const view = bytes.subarray(4);
assert.equal(libc.read(r, view, 1, 10), 6);
assert.equal(bytes.toString("latin1", 5, 11), "hello!");
assert.equal(bytes[4], 0);
for (const [offset, length] of [
  [0, 33],
  [33, 0],
  [-1, 1],
  [0, -1],
  [30, 3],
  [0.5, 1],
  [0, NaN],
]) {
  assert.throws(() => libc.read(r, bytes, offset, length), RangeError);
  assert.throws(() => libc.write(w, bytes, offset, length), RangeError);
}
assert.equal(libc.read(9999, bytes, 0, 1), -EBADF);
assert.equal(libc.close(9999), -EBADF);
assert.equal(libc.pollReadable(9999, 0), libc.POLLNVAL);

// poll
libc.write(w, bytes, 0, 1);
assert.deepEqual(
  libc.poll(
    [
      { fd: r, events: libc.POLLIN },
      { fd: -1, events: 1 },
      { fd: w, events: libc.POLLOUT },
    ],
    0,
  ),
  [libc.POLLIN, 0, libc.POLLOUT],
);
assert.deepEqual(libc.poll([], 0), []);
libc.close(w);
libc.read(r, bytes, 0, 1);
assert.equal(libc.pollReadable(r, 0), libc.POLLHUP);
assert.equal(libc.read(r, bytes, 0, 1), 0);
libc.close(r);

// descriptors as messages
for (const type of [libc.SOCK_STREAM, libc.SOCK_SEQPACKET]) {
  const [a, b] = libc.socketpair(type, libc.SOCK_CLOEXEC);
  for (const count of [0, 1, 2, 3, 64]) {
    const pipes = Array.from({ length: count }, () => libc.pipe2(0));
    assert.equal(
      libc.sendFds(
        a,
        Buffer.from("data"),
        pipes.map(([end]) => end),
      ),
      4,
    );
    const got = libc.recvFds(b, bytes);
    assert.equal(got.bytes, 4);
    assert.equal(got.fds.length, count);
    got.fds.forEach((fd, i) => {
      assert.equal(fstatSync(fd).ino, fstatSync(pipes[i][0]).ino);
      assert.match(readlinkSync(`/proc/self/fd/${fd}`), /^pipe:/);
      libc.close(fd);
    });
    for (const fd of pipes.flat()) libc.close(fd);
  }
  assert.ok(libc.sendFds(a, Buffer.from("x"), Array(65).fill(0)) < 0);
  assert.equal(libc.sendFds(a, Buffer.from("x"), [9999]), -EBADF);
  libc.close(a);
  const end = libc.recvFds(b, bytes);
  assert.deepEqual(end, { bytes: 0, fds: [] });
  // No SIGPIPE.
  assert.equal(libc.sendFds(b, Buffer.from("x"), []), -32);
  libc.close(b);
}

// limits and facts
const nofile = libc.getrlimit(7);
assert.ok(nofile.soft > 0 && nofile.hard >= nofile.soft);
assert.equal(libc.setrlimit(7, { soft: nofile.soft, hard: nofile.hard }), 0);
assert.equal(libc.getrlimit(9999), -22);
assert.equal(libc.getpid(), process.pid);
assert.equal(libc.getppid(), process.ppid);
assert.equal(libc.openReadOnly("/no/such"), -2);
assert.throws(() => libc.openReadOnly("/proc\0/x"), TypeError);
assert.equal(libc.chdir("/no/such"), -2);
const mask = libc.umask(0o77);
assert.equal(libc.umask(mask), 0o77);
assert.notDeepEqual(libc.getrandom(32), libc.getrandom(32));
assert.equal(libc.randPoll(), 1);
assert.equal(libc.waitpid(-1, libc.WNOHANG), -10);
assert.equal(libc.exitCodeOf(7 << 8), 7);
assert.equal(libc.signalOf(9), 9);
assert.equal(libc.signalOf(0), undefined);
assert.ok(ownDataBytes() > 2 ** 24);

// the assembler refuses what the kernel would, or would misread
const far = new Assembler();
const target = far.label("target");
far.load(0);
far.ifEqual(1, target, NEXT);
for (let i = 0; i < 256; i++) far.ret(0);
far.place(target);
far.ret(1);
assert.throws(() => far.finish(), /jump of 256/);
const back = new Assembler();
const start = back.label("start");
back.place(start);
back.ret(0);
back.ifEqual(1, start, NEXT);
back.ret(0);
assert.throws(() => back.finish(), /jump of -2/);
const open = new Assembler();
open.load(0);
assert.throws(() => open.finish(), /open/);
const lost = new Assembler();
lost.jump(lost.label("lost"));
lost.ret(0);
assert.throws(() => lost.finish(), /not placed/);
assert.throws(() => new Assembler().load(3));
assert.throws(() => new Assembler().finish());

// a filter that the kernel refuses is never taken for installed
assert.throws(() => install(Buffer.alloc(0)), /seccomp: errno 22/);
assert.throws(() => install(Buffer.alloc(8)), /seccomp: errno 22/);
assert.equal(libc.getSeccompMode(), 0);
assert.equal(libc.getNoNewPrivs(), 1);

console.log(JSON.stringify(probeIsolation()));
