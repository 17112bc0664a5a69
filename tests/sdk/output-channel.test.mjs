// Order, back-pressure and failure of output hooks.
import assert from "node:assert/strict";
import { test } from "node:test";
import { OutputChannel } from "../../dist/sdk/output-channel.js";

const captureLimitBytes = 1024 * 1024;

const text = (chunk) => Buffer.from(chunk).toString();

function channel({ hook, capture = true }) {
  const log = [];
  const credit = (bytes) => log.push(`credit ${bytes}`);
  const failed = (error) => log.push(`failed ${error.message}`);
  return { log, out: new OutputChannel({ capture, captureLimitBytes, hook, credit, failed }) };
}

test("without a hook every chunk is credited at once and kept", () => {
  const { log, out } = channel({});
  const euro = Buffer.from("€");
  out.push(euro.subarray(0, 1));
  out.push(euro.subarray(1));
  assert.deepEqual(log, ["credit 1", "credit 2"]);
  assert.deepEqual(out.take(), { text: "€", truncated: false });
  assert.deepEqual(out.take(), { text: "", truncated: false });
});

test("an asynchronous hook sees one chunk at a time and holds back its credit", async () => {
  const order = [];
  const releases = [];
  const hook = (chunk) => {
    order.push(text(chunk));
    return new Promise((resolve) => releases.push(resolve));
  };
  const { log, out } = channel({ hook });
  for (const part of ["a", "bb", "ccc"]) out.push(Buffer.from(part));
  assert.deepEqual([order, log], [["a"], []]);
  for (let step = 0; step < 3; step++) {
    releases[step]();
    await new Promise(setImmediate);
  }
  await out.drained();
  assert.deepEqual(
    [order, log],
    [
      ["a", "bb", "ccc"],
      ["credit 1", "credit 2", "credit 3"],
    ],
  );
  assert.equal(out.drained(), undefined);
  assert.equal(out.take().text, "abbccc");
});

test("a hook cannot change what is kept, nor see memory that is used again", () => {
  const seen = [];
  const { out } = channel({
    hook: (chunk) => {
      seen.push(chunk);
      chunk[0] = 0x58;
    },
  });
  const memory = Buffer.from("abc");
  out.push(memory);
  memory.fill(0);
  assert.equal(text(seen[0]), "Xbc");
  assert.equal(out.take().text, "abc");
});

test("a failing hook is called no more, reports once, and everything is still credited", async () => {
  for (const hook of [
    () => {
      throw new Error("no");
    },
    () => Promise.reject(new Error("no")),
  ]) {
    let calls = 0;
    const { log, out } = channel({
      hook: () => {
        calls++;
        return hook();
      },
    });
    for (const part of ["a", "bb", "ccc"]) out.push(Buffer.from(part));
    await out.drained();
    assert.equal(calls, 1);
    assert.deepEqual(log, ["credit 1", "failed no", "credit 2", "credit 3"]);
  }
});

test("what is kept is capped, what is shown is not", () => {
  let shown = 0;
  const { out } = channel({
    hook: (chunk) => {
      shown += chunk.length;
    },
  });
  const block = Buffer.alloc(1024 * 1024, "x");
  for (let sent = 0; sent < captureLimitBytes; sent += block.length) out.push(block);
  assert.equal(out.take().truncated, false);
  for (let sent = 0; sent <= captureLimitBytes; sent += block.length) out.push(block);
  const taken = out.take();
  assert.deepEqual([taken.text.length, taken.truncated], [captureLimitBytes, true]);
  assert.equal(shown, 2 * captureLimitBytes + block.length);
});
