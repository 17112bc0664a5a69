// Pipes and descriptors in flight: room on the account, small writes, rings that only refer to themselves.
import assert from "node:assert/strict";
import { it } from "node:test";
import { createSocketPair } from "../../dist/kernel/io/conduit.js";
import { createPipe } from "../../dist/kernel/io/pipe.js";
import { Transit } from "../../dist/kernel/io/transit.js";
import { Account } from "../../dist/kernel/machine/account.js";

const nothing = { kernelBytes: 0, kernelObjects: 0, hostDescriptors: 0 };
const machine = (kernelBytes = 16 * 1024 * 1024) => {
  const account = new Account({ kernelBytes, kernelObjects: 65_536, hostDescriptors: 16 });
  return { account, transit: new Transit(account) };
};

it("a pipe full of single bytes costs little more than its bytes, and gives all back", () => {
  const { account, transit } = machine();
  const { reader, writer } = createPipe(transit);
  let written = 0;
  while (writer.write(Uint8Array.of(written & 0xff)) === 1) written++;
  assert.equal(written, 65_536);
  assert.ok(account.usage.kernelBytes < 96 * 1024, `${account.usage.kernelBytes}`);
  for (let at = 0; at < written;) {
    const part = reader.read(1000);
    for (const [i, byte] of part.entries()) assert.equal(byte, (at + i) & 0xff);
    at += part.length;
  }
  reader.unref();
  writer.unref();
  assert.deepEqual(account.usage, nothing);
});

it("with a full account each pipe still carries a page, and no more pipes are made", () => {
  const { account, transit } = machine(2 * 1024 * 1024);
  const pipes = [];
  for (let pipe; typeof (pipe = createPipe(transit)) !== "number";) pipes.push(pipe);
  assert.ok(pipes.length > 100 && pipes.length < 500, `${pipes.length}`);
  for (const { reader, writer } of pipes) {
    const size = writer.write(Buffer.alloc(65_536, 7));
    assert.ok(size >= 4096 && size < 65_536, `${size}`);
    assert.equal(reader.read(65_536).length, size);
  }
  for (const { reader, writer } of pipes) for (const end of [reader, writer]) end.unref();
  assert.deepEqual(account.usage, nothing);
});

it("a ring of sockets that carry each other is found, one that somebody holds is not", () => {
  const { account, transit } = machine();
  const ring = (length) => {
    const pairs = Array.from({ length }, () => createSocketPair(transit));
    for (let at = 0; at < length; at++) {
      const next = pairs[(at + 1) % length][1];
      next.ref();
      pairs[at][0].pass(next);
      pairs[at][0].write(Uint8Array.of(1));
    }
    return pairs;
  };
  const pairs = ring(3);
  for (const [first] of pairs) first.unref();
  for (const [, second] of pairs.slice(1)) second.unref();
  assert.equal(transit.collect(), 0);
  pairs[0][1].unref();
  assert.equal(transit.collect(), 3);
  assert.deepEqual(account.usage, nothing);
});

it("a machine that goes takes what is in flight with it", () => {
  const { account, transit } = machine();
  const [first, second] = createSocketPair(transit);
  first.ref();
  second.pass(first);
  second.write(Uint8Array.of(1));
  for (const end of [first, second]) end.unref();
  account.close();
  transit.close();
  assert.deepEqual(account.usage, nothing);
});

it("sockets inside sockets end without recursion", () => {
  const { account, transit } = machine();
  let inner = createSocketPair(transit);
  for (let depth = 0; depth < 1000; depth++) {
    const outer = createSocketPair(transit);
    outer[0].pass(inner[1]);
    outer[0].write(Uint8Array.of(1));
    inner[0].unref();
    inner = outer;
  }
  inner[0].unref();
  inner[1].unref();
  assert.deepEqual(account.usage, nothing);
});
