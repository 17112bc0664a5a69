// What a guest can make the kernel send to the host, and the host work at: bounded in number as well as in
// bytes, whether or not the host takes it, and never more than a window of questions of one machine at a time.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { importWithNatives } from "../support/natives.mjs";

const it = (name, body) => test(name, { timeout: 60_000 }, body);
const promised = () => {
  let settle;
  const promise = new Promise((resolve) => (settle = resolve));
  return { promise, settle };
};

let NodeRuntime;
const open = [];
before(async () => {
  ({ NodeRuntime } = await importWithNatives());
});
after(() => Promise.all(open.map((runtime) => runtime.dispose())));
async function machine(options) {
  const runtime = await NodeRuntime.create(options);
  open.push(runtime);
  return runtime;
}

it("single bytes on both streams while no hook takes one: few pieces, all bytes, in order", async () => {
  const runtime = await machine();
  const count = 100_000;
  const gate = promised();
  const seen = { out: 0, err: 0, outBytes: 0, errBytes: 0, inOrder: true };
  const run = runtime.exec(
    `const { channel } = __natives;
     for (let i = 0; i < ${count}; i++) {
       channel.event("output", { fd: 1, data: Uint8Array.of(i & 0xff) });
       channel.event("output", { fd: 2, data: Uint8Array.of(0x62) });
     }
     require("fs").writeFileSync("/tmp/sent", "");`,
    {
      onStdout: (chunk) => {
        seen.out++;
        for (const byte of chunk) seen.inOrder &&= byte === (seen.outBytes++ & 0xff);
        return gate.promise;
      },
      onStderr: (chunk) => {
        seen.err++;
        seen.errBytes += chunk.length;
        return gate.promise;
      },
    },
  );
  while (!(await runtime.exists("/tmp/sent")));
  gate.settle();
  const { exitCode } = await run;
  assert.equal(exitCode, 0);
  assert.deepEqual([seen.outBytes, seen.errBytes, seen.inOrder], [count, count, true]);
  assert.ok(seen.out < 1000 && seen.err < 1000, `${seen.out} and ${seen.err} pieces`);
});

it("many processes on one stream that nobody takes wait for it, and all of it comes", async () => {
  const runtime = await machine();
  const gate = promised();
  let bytes = 0;
  let atGate = 0;
  const children = 10;
  const each = 250_000;
  const run = runtime.exec(
    `const cp = require("child_process");
     for (let i = 0; i < ${children}; i++)
       cp.spawn(process.execPath, ["-e", "process.stdout.write('x'.repeat(${each}))"], { stdio: "inherit" });`,
    {
      onStdout: (chunk) => {
        bytes += chunk.length;
        if (bytes === chunk.length) setTimeout(() => ((atGate = bytes), gate.settle()), 500);
        return gate.promise;
      },
    },
  );
  assert.equal((await run).exitCode, 0);
  assert.equal(bytes, children * each);
  assert.ok(atGate <= each, "the hook gets one piece at a time");
});

it("thousands of calls that a function of the host decides: a hundred at a time, none lost", async () => {
  let now = 0;
  let most = 0;
  const gate = promised();
  const full = promised();
  const runtime = await machine({
    permissions: {
      fs: async ({ path }) => {
        if (!path.startsWith("/tmp/x")) return true;
        most = Math.max(most, ++now);
        if (now === 100) full.settle();
        await gate.promise;
        now--;
        return true;
      },
    },
  });
  const run = runtime.run(
    `import fs from "node:fs/promises";
     const done = await Promise.allSettled(
       Array.from({ length: 3000 }, (_, i) => fs.stat("/tmp/x" + "y".repeat(200) + i)));
     const codes = new Set(done.map(({ reason }) => reason.code));
     __return([done.length, ...codes]);`,
  );
  await full.promise;
  // Others are served meanwhile.
  assert.equal((await (await machine()).exec("1")).exitCode, 0);
  gate.settle();
  assert.deepEqual((await run).value, [3000, "ENOENT"]);
  assert.equal(most, 100);
});

it("values of a stream are asked for one at a time, however often they are", async () => {
  let now = 0;
  let most = 0;
  let asked = 0;
  const next = async () => {
    most = Math.max(most, ++now);
    await new Promise(setImmediate);
    now--;
    return ++asked > 500 ? { done: true, value: undefined } : { done: false, value: asked };
  };
  const runtime = await machine({
    tools: { count: { handler: () => ({ [Symbol.asyncIterator]: () => ({ next }) }) } },
  });
  const { value } = await runtime.run(
    `const { channel } = __natives;
     const { json } = channel.call("callTool", { name: "count", parts: 0, input: Buffer.from("{}") });
     const stream = Buffer.from(json).readUInt32LE(1);
     let answers = 0;
     for (let i = 0; i < 1000; i++) channel.begin("toolNext", { stream, stop: false }, () => answers++);
     channel.pumpUntil(() => answers === 1000, -1);
     __return(answers);`,
  );
  assert.equal(value, 1000);
  assert.equal(most, 1);
});

it("a snippet's end that nobody awaits ends its process", async () => {
  const runtime = await machine();
  await assert.rejects(
    runtime.exec(
      `__natives.channel.event("residentDone", { sequence: 7, exitCode: 0 }); setInterval(() => {}, 1e6);`,
    ),
    { code: "ERR_SECURE_EXEC_PROTOCOL_VIOLATION" },
  );
});

it("one part of a value is with the host at a time", async () => {
  const runtime = await machine();
  const { value } = await runtime.run(
    `const { channel } = __natives;
     const data = Buffer.alloc(1e6, 0x20);
     const answers = [];
     for (let i = 0; i < 20; i++)
       channel.begin("valuePart", { first: true, data }, (answer) => answers.push(answer));
     channel.pumpUntil(() => answers.length === 20, -1);
     __return(answers.filter((answer) => answer === -16).length);`,
  );
  assert.ok(value > 0, `${value} parts were refused`);
});
