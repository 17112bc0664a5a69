// A thousand runs leave no descriptor, process or memory behind.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { it } from "node:test";
import { machine } from "../support/machines.mjs";
import { isIdle, openDescriptors, tree, until } from "../support/processes.mjs";

const residentKib = (pid) =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "latin1"))[1]);

it("1000 runs leak nothing", { timeout: 600_000 }, async () => {
  const rt = await machine();
  const batch = async (count) => {
    let next = 0;
    const worker = async () => {
      while (next < count) {
        const i = next++;
        const result = await rt.run(`console.log(${i}); __return(${i})`);
        assert.deepEqual([result.value, result.stdout, result.exitCode], [i, `${i}\n`, 0]);
      }
    };
    await Promise.all(Array.from({ length: 8 }, worker));
  };
  await batch(200);
  await until(isIdle);
  const { kernel, zygote } = tree();
  const before = [openDescriptors(kernel), openDescriptors(zygote), openDescriptors(process.pid)];
  const beforeKib = [residentKib(kernel), residentKib(zygote)];
  await batch(1000);
  await until(isIdle);
  // The pool keeps more guests waiting for a while after so many, and the last of three may not have been connected before.
  const kept = () =>
    [kernel, zygote, process.pid].every((pid, i) => openDescriptors(pid) < before[i] + 16);
  await until(kept);
  const afterKib = [residentKib(kernel), residentKib(zygote)];
  // Garbage that has not been collected yet is not a leak; 1000 runs that each kept 64 KiB would be.
  assert.ok(
    afterKib.every((kib, i) => kib < beforeKib[i] + 48 * 1024),
    `RSS in KiB ${beforeKib} → ${afterKib}`,
  );
});
