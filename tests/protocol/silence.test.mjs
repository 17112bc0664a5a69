import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Silence, processorWaitMs } from "../../dist/protocol/silence.js";

/** Lets silence go on until it is broken; answers how long that took in looks of 10 ms. */
function broken(waitedMs) {
  const startedAt = performance.now();
  const keepAlive = setInterval(() => {}, 1000);
  return new Promise((resolve) => {
    const silence = new Silence({
      limitMs: 100,
      ask: () => undefined,
      broken: () => {
        clearInterval(keepAlive);
        resolve(performance.now() - startedAt);
      },
      waitedMs,
    });
    silence.awaits(true);
  });
}

test("silence breaks after its time, and not before", async () => {
  assert.ok((await broken(undefined)) >= 99);
});

test("time in which the other waits for a processor counts for a part only", async () => {
  const startedAt = performance.now();
  // It never got a processor: a sixth of the time counts.
  assert.ok((await broken(() => performance.now() - startedAt)) >= 400);
});

test("an answer in time keeps it whole", async () => {
  const silence = new Silence({
    limitMs: 60,
    ask: () => silence.heard(),
    broken: () => assert.fail("it was heard"),
  });
  silence.awaits(true);
  await new Promise((resolve) => setTimeout(resolve, 300));
  silence.awaits(false);
});

test(
  "the wait of a process for processors is what Linux says",
  {
    skip: (() => {
      try {
        readFileSync("/proc/self/schedstat");
        return false;
      } catch {
        return "this Linux keeps no schedstat";
      }
    })(),
  },
  async () => {
    const child = spawn(process.execPath, ["-e", "process.stdin.resume()"], {
      stdio: ["pipe", "ignore", "ignore"],
    });
    await once(child, "spawn");
    assert.ok(processorWaitMs(child.pid) >= 0);
    assert.equal(processorWaitMs(0x7fff_fff0), 0);
    child.stdin.end();
    await once(child, "exit");
  },
);
