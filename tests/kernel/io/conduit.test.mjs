// What is written goes to a reader who waits for it without being kept, and is the same bytes in the same order.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createSocketPair } from "../../../dist/kernel/io/conduit.js";
import { createPipe } from "../../../dist/kernel/io/pipe.js";
import { Transit } from "../../../dist/kernel/io/transit.js";
import { Account } from "../../../dist/kernel/machine/account.js";

const machine = () => {
  const account = new Account();
  return { account, transit: new Transit(account) };
};

/** Waits at `stream` for `credit` bytes at a time, as a flow does. */
function waiting(stream, credit) {
  const heard = [];
  let stop;
  const wait = () => {
    stop = stream.readable.add(
      () => {
        const data = stream.read(credit);
        if (typeof data !== "number") heard.push(`read ${Buffer.from(data)}`);
        wait();
      },
      (data) => {
        heard.push(`took ${Buffer.from(data.subarray(0, credit))}`);
        return Math.min(credit, data.byteLength);
      },
    );
  };
  wait();
  return { heard, stop: () => stop() };
}

test("who waits alone takes what is written; what he has no credit for is kept behind it, and read", () => {
  const { account, transit } = machine();
  const [one, two] = createSocketPair(transit);
  const { heard, stop } = waiting(two, 4);
  const empty = account.usage.kernelBytes;
  assert.equal(one.write(Buffer.from("abc")), 3);
  assert.equal(one.write(Buffer.from("defghij")), 7);
  assert.deepEqual(heard, ["took abc", "took defg", "read hij"]);
  assert.equal(account.usage.kernelBytes, empty);
  stop();
  assert.equal(one.write(Buffer.from("kept")), 4);
  const again = waiting(two, 100);
  assert.equal(one.write(Buffer.from(" and more")), 9);
  assert.deepEqual(again.heard, ["read kept and more"], "nobody overtakes what is there");
  again.stop();
  one.unref();
  two.unref();
  assert.equal(account.usage.kernelObjects, 0);
});

test("a descriptor comes with its byte, also to one who waits", () => {
  const { account, transit } = machine();
  const [one, two] = createSocketPair(transit);
  const { reader, writer } = createPipe(transit);
  const { heard, stop } = waiting(two, 100);
  one.write(Buffer.from("before"));
  reader.ref();
  one.pass(reader);
  assert.equal(two.takePassed(), undefined);
  // Whoever takes it where it lies would be past the descriptor.
  one.write(Buffer.from("with"));
  assert.deepEqual(heard, ["took before", "read with"]);
  stop();
  for (const end of [one, two, reader, writer]) end.unref();
  assert.equal(account.usage.kernelObjects, 0);
});
