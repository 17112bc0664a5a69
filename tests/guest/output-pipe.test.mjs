// Programs that print much do so through a pipe of the OS: nothing of it is lost, and everything else is in order with it.
import assert from "node:assert/strict";
import { it } from "node:test";
import { machine } from "../support/machines.mjs";

const options = { timeout: 120_000 };
const count = 3000;
const lines = (from, to) =>
  Array.from({ length: to - from }, (_, at) => `line ${from + at}\n`).join("");
const print = `const print = (from, to) => { for (let at = from; at < to; at++) console.log("line " + at); };`;

it("a line costs no request, and what is printed is all there", options, async () => {
  const rt = await machine();
  const result = await rt.execCommand("node", ["-e", `${print} print(0, 20000);`]);
  assert.equal(result.stdout, lines(0, 20_000));
  // A piece of the pipe is one.
  assert.ok(result.usage.systemCalls < 2000, `${result.usage.systemCalls} requests`);
  const long = await rt.execCommand("node", [
    "-e",
    `${print} print(0, 300); console.log("é€𝄞".repeat(2000)); process.stdout.write("\\u00ff", "latin1"); console.log(); process.stdout.write("y".repeat(3e6)); console.log(); print(300, 600);`,
  ]);
  assert.equal(
    long.stdout,
    `${lines(0, 300)}${"é€𝄞".repeat(2000)}\n\ufffd\n${"y".repeat(3e6)}\n${lines(300, 600)}`,
  );
});

it("what the host hears between the lines comes between them", options, async () => {
  let heard = "";
  const hear = (data) => void (heard += Buffer.from(data).toString());
  const seen = [];
  const rt = await machine({
    tools: {
      look: {
        description: "Where it is",
        inputSchema: { type: "object" },
        handler: () => void seen.push(heard.length),
      },
    },
  });
  const proc = await rt.spawn(
    `${print}
    for (let round = 0; round < 20; round++) {
      print(round * 200, round * 200 + 200);
      if (round % 2) console.error("error " + round);
      else await tools.look({});
    }`,
    { onStdout: hear, onStderr: hear },
  );
  assert.equal(await proc.wait(), 0);
  let expected = "";
  const lookedAt = [];
  for (let round = 0; round < 20; round++) {
    expected += lines(round * 200, round * 200 + 200);
    if (round % 2) expected += `error ${round}\n`;
    else lookedAt.push(expected.length);
  }
  assert.equal(heard, expected);
  assert.deepEqual(seen, lookedAt);
});

for (const [how, code] of [
  ["goes on without end", `for (;;);`],
  ["kills itself", `process.kill(process.pid, "SIGKILL"); for (;;);`],
  ["aborts", `process.abort();`],
  ["throws", `throw new Error("end");`],
  ["leaves", `process.reallyExit(3);`],
]) {
  it(`nothing printed is lost when the program ${how}`, options, async () => {
    const rt = await machine();
    const proc = await rt.spawn(`${print} print(0, ${count}); ${code}`);
    let text = "";
    for await (const part of proc.stdout) {
      text += Buffer.from(part).toString();
      if (text.length === lines(0, count).length) proc.kill("SIGKILL");
    }
    assert.equal(text, lines(0, count));
  });
}

it("closed, inherited and in a worker, stdout is what it was", options, async () => {
  const rt = await machine();
  const after = await rt.execCommand("node", [
    "-e",
    `${print} print(0, 200);
    require("node:child_process").execFileSync("node", ["-e", ${JSON.stringify(`${print} print(200, 400);`)}], { stdio: "inherit" });
    print(400, 600);
    const { Worker } = require("node:worker_threads");
    new Worker(${JSON.stringify(`${print} print(600, 900);`)}, { eval: true }).on("exit", () => {
      print(900, 1100);
      require("node:fs").closeSync(1);
      try { require("node:fs").writeSync(1, "lost"); } catch (error) { console.error(error.code); }
    });`,
  ]);
  assert.equal(after.stdout, lines(0, 1100));
  assert.equal(after.stderr, "EBADF\n");
  assert.equal(after.exitCode, 0);
});

it(
  "a program whose lines nobody takes waits, hears signals and can be ended",
  options,
  async () => {
    const rt = await machine();
    const proc = await rt.spawn(`let n = 0; for (;;) console.log("line " + n++);`);
    const reader = proc.stdout[Symbol.asyncIterator]();
    let size = 0;
    while (size < 1_000_000) size += (await reader.next()).value.length;
    proc.kill("SIGKILL");
    assert.equal(await proc.wait(), 137);
  },
);
