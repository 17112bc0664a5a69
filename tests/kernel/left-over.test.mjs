// What a machine's files occupied in the kernel process goes back to Linux once the machine is gone.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { getHeapStatistics } from "node:v8";
import { leftOver } from "../../dist/kernel/machine/left-over.js";
import { machine } from "../support/machines.mjs";
import { tree, until } from "../support/processes.mjs";

const MiB = 1024 * 1024;

/** Memory of its own, without what it shares with files. */
function residentBytes(pid) {
  const [, kib] = /^RssAnon:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"));
  return Number(kib) * 1024;
}

for (const [name, files, size] of [
  ["large files", 60, MiB],
  ["small files", 12_000, 4096],
])
  test(`60 MiB of ${name}`, { timeout: 120_000 }, async () => {
    const other = await machine();
    await other.exec("1");
    const { kernel } = tree();
    const before = residentBytes(kernel);
    const rt = await machine();
    const { exitCode } = await rt.exec(
      `const fs = require("fs"); for (let i = 0; i < ${files}; i++) fs.writeFileSync("/tmp/" + i, Buffer.alloc(${size}, 1));`,
    );
    assert.equal(exitCode, 0);
    assert.ok(residentBytes(kernel) > before + 40 * MiB);
    await rt.dispose();
    // Of itself it would stay, as nothing else is asked of the kernel.
    await until(() => residentBytes(kernel) < before + 28 * MiB);
    assert.equal((await other.run("__return(42)")).value, 42);
  });

test(
  "what a collection has marked when the machine ends is left to the next one",
  { timeout: 120_000 },
  async () => {
    const wait = (ms) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
    const outside = () => getHeapStatistics().external_memory;
    const before = outside();
    let content = Array.from({ length: 60 }, () => new ArrayBuffer(MiB));
    // V8 begins, in threads of its own, and cannot end before this one's loop turns: that is when the first reminder is due.
    void new ArrayBuffer(65 * MiB);
    wait(500);
    assert.equal(content.length, 60);
    content = undefined;
    leftOver(60 * MiB);
    wait(600);
    await until(() => outside() < before + 10 * MiB);
  },
);
