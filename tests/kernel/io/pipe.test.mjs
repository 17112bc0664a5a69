// Pipes as their ends see them: order, room, PIPE_BUF, and what an end hears when the other is gone.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Errno } from "../../../dist/abi/errno.js";
import { PIPE_BUF } from "../../../dist/abi/fcntl.js";
import { createPipe } from "../../../dist/kernel/io/pipe.js";
import { Transit } from "../../../dist/kernel/io/transit.js";
import { limits } from "../../../dist/kernel/limits.js";
import { Account } from "../../../dist/kernel/machine/account.js";

const pipe = (account = new Account()) => ({ account, ...createPipe(new Transit(account)) });
const text = (data) => (typeof data === "number" ? data : Buffer.from(data).toString());

test("bytes come in order, in whatever pieces they are asked for", () => {
  const { reader, writer } = pipe();
  assert.equal(reader.read(1), -Errno.EAGAIN);
  for (const part of ["abc", "", "defg"])
    assert.equal(writer.write(Buffer.from(part)), part.length);
  assert.equal(text(reader.read(2)), "ab");
  assert.equal(text(reader.read(100)), "cdefg");
  assert.equal(reader.hasInput(), false);
  writer.write(Buffer.from("one\ntwo"));
  assert.equal(text(reader.readLine(100)), "one\n");
  assert.equal(text(reader.readLine(100)), "two");
});

test("a small write is never divided; a large one takes the room there is", () => {
  const { reader, writer } = pipe();
  assert.equal(writer.write(Buffer.alloc(limits.pipeBytes - 10)), limits.pipeBytes - 10);
  assert.equal(writer.write(Buffer.alloc(PIPE_BUF)), -Errno.EAGAIN);
  assert.equal(writer.write(Buffer.alloc(11)), -Errno.EAGAIN);
  assert.equal(writer.write(Buffer.alloc(PIPE_BUF + 1)), 10);
  assert.equal(writer.write(Buffer.from("x")), -Errno.EAGAIN);
  let woken = 0;
  writer.writable.add(() => woken++);
  reader.read(1);
  reader.read(1);
  assert.equal(woken, 1, "once, at the first room");
  assert.equal(writer.write(Buffer.from("x")), 1);
});

test("an end of file after the last writer, EPIPE after the last reader, nothing on the account after both", () => {
  const { account, reader, writer } = pipe();
  writer.ref();
  writer.write(Buffer.from("rest"));
  writer.unref();
  assert.equal(text(reader.read(2)), "re");
  writer.unref();
  assert.equal(text(reader.read(100)), "st");
  assert.equal(reader.read(100).byteLength, 0);
  reader.unref();
  assert.deepEqual(account.usage, { kernelBytes: 0, kernelObjects: 0, hostDescriptors: 0 });

  const other = pipe();
  let woken = 0;
  other.writer.writable.add(() => woken++);
  other.reader.unref();
  assert.equal(woken, 1);
  assert.equal(other.writer.write(Buffer.from("x")), -Errno.EPIPE);
  other.writer.unref();
});

test("an end does only what it is for", () => {
  const { reader, writer } = pipe();
  assert.equal(reader.write(Buffer.from("x")), -Errno.EBADF);
  assert.equal(writer.read(1), -Errno.EBADF);
});

test("a machine that holds what it may gets no pipe", () => {
  const account = new Account({ kernelBytes: 1 << 20, kernelObjects: 1, hostDescriptors: 1 });
  assert.notEqual(typeof createPipe(new Transit(account)), "number");
  assert.equal(createPipe(new Transit(account)), -Errno.ENFILE);
});
