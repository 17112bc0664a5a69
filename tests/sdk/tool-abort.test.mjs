// A run that is ended from outside makes no further handler of a tool begin, however many of its calls wait.
import assert from "node:assert/strict";
import { EventEmitter, once } from "node:events";
import { after, before, test } from "node:test";
import { NodeRuntime } from "../../dist/index.js";

const timeout = 60_000;
const rounds = 5;
const begins = new EventEmitter();
let begun = 0;
let runtime;

before(async () => {
  const wait = async (_input, { signal }) => {
    begun++;
    begins.emit("begun");
    // Many end at one time, and others take their places.
    await new Promise((resolve) => {
      const timer = setTimeout(resolve, 20);
      signal.addEventListener("abort", () => resolve(clearTimeout(timer)), { once: true });
    });
  };
  const inputSchema = { type: "object" };
  runtime = await NodeRuntime.create({
    tools: {
      wait: { description: "waits", inputSchema, handler: wait },
      answer: { description: "answers", inputSchema, handler: async () => 42 },
    },
  });
});
after(() => runtime.dispose());

const until = async (count) => {
  while (begun < count) await once(begins, "begun");
};
const programs = {
  "that makes them all at once": `await Promise.all(Array.from({ length: 600 }, () => tools.wait({})));`,
  "that makes one after the other": `
    const chain = async () => { for (;;) await tools.wait({}); };
    await Promise.all(Array.from({ length: 64 }, chain));`,
};

for (const [how, code] of Object.entries(programs))
  test(`no handler begins after the abort of a program ${how}`, { timeout }, async () => {
    for (let round = 0; round < rounds; round++) {
      begun = 0;
      const controller = new AbortController();
      const run = runtime.run(code, { signal: controller.signal });
      await until(70 + round);
      controller.abort();
      const atAbort = begun;
      await assert.rejects(run, { name: "AbortError" });
      // What was on its way with the end is here by now.
      await runtime.run("1");
      assert.equal(begun, atAbort);
    }
  });

test("calls of other programs begin all the same", { timeout }, async () => {
  begun = 0;
  const controller = new AbortController();
  const ended = runtime.run(programs["that makes them all at once"], { signal: controller.signal });
  const other = runtime.run(`
    const answers = [];
    for (let i = 0; i < 50; i++) answers.push(await tools.answer({}));
    __return(answers.every((answer) => answer === 42) && answers.length);`);
  await until(70);
  controller.abort();
  await assert.rejects(ended, { name: "AbortError" });
  assert.equal((await other).value, 50);
});
