// What a machine's files occupied in the kernel process goes back to Linux once the machine is gone.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
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
