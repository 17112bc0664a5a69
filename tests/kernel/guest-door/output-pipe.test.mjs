/** The kernel's end of the pipe that a thread prints through: what was printed is taken in order, all of it, and no more than there is. */
import assert from "node:assert/strict";
import test from "node:test";
import { OutputPipe } from "../../../dist/kernel/guest-door/output-pipe.js";
import { limits } from "../../../dist/kernel/limits.js";
import { MalformedMessage } from "../../../dist/protocol/codec.js";
import * as libc from "../../../dist/sandbox/libc.js";

const EPIPE = 32;

/** A pipe with what was taken of it, by which way; `wants` says whether more may come by itself. */
function opened(wants = () => true) {
  const [reading, writing] = libc.pipe2(libc.O_CLOEXEC | libc.O_NONBLOCK);
  const taken = { came: "", must: "" };
  let arrived = () => {};
  const pipe = new OutputPipe(reading, {
    came: (data) => {
      taken.came += String(data);
      arrived();
      return wants();
    },
    must: (data) => {
      taken.must += String(data);
    },
  });
  const write = (text) => {
    const data = Buffer.from(text);
    return libc.write(writing, data, 0, data.length);
  };
  const came = () => new Promise((resolve) => (arrived = resolve));
  return { pipe, taken, write, came, end: () => libc.close(writing) };
}

test("what is in the pipe when it is closed is taken first, however full it is, and nothing after", async () => {
  const { pipe, taken, write, end } = opened();
  const text = "0123456789abcdef".repeat(limits.pipeBytes / 16);
  assert.equal(write(text), limits.pipeBytes);
  pipe.close();
  assert.deepEqual(taken, { came: "", must: text });
  pipe.close();
  pipe.printed(10);
  pipe.proceed();
  assert.equal(taken.must.length, text.length);
  // The reading end goes with the loop's next turn.
  while (write("x") !== -EPIPE) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(taken.came, "");
  end();
});

test("what a thread says that it has printed is taken at once, no more, and once", async () => {
  const { pipe, taken, write, came, end } = opened();
  assert.equal(write("abcdef"), 6);
  pipe.printed(4);
  assert.equal(taken.must, "abcd");
  await came();
  assert.equal(taken.came, "ef");
  // Those two have come already.
  assert.equal(write("gh"), 2);
  pipe.printed(2);
  assert.equal(taken.must, "abcd");
  pipe.printed(2);
  assert.equal(taken.must, "abcdgh");
  pipe.close();
  end();
});

test("who says more than is true gets what there is; what is no number is a broken message", () => {
  const { pipe, taken, write, end } = opened();
  write("abc");
  pipe.printed(2 ** 52);
  assert.equal(taken.must, "abc");
  for (const bytes of [-1, NaN]) assert.throws(() => pipe.printed(bytes), MalformedMessage);
  pipe.close();
  end();
});

test("nothing comes by itself while the host has enough, and all when it has not", async () => {
  let more = false;
  const { pipe, taken, write, came, end } = opened(() => more);
  write("one ");
  await came();
  write("two ");
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(taken.came, "one ");
  more = true;
  pipe.proceed();
  await came();
  assert.equal(taken.came, "one two ");
  // It is not lost either when nobody ever wants it.
  more = false;
  write("three ");
  await came();
  write("four");
  pipe.close();
  assert.deepEqual(taken, { came: "one two three ", must: "four" });
  end();
});
