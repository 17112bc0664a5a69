// A thousand runs of every kind — files, children, shells, sockets, workers, failures — leave nothing behind.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { it } from "node:test";
import { NodeRuntime } from "../../dist/index.js";
import { openDescriptors, tree, until } from "../support/processes.mjs";

const residentKib = (pid) =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "latin1"))[1]);

/** What each kind runs, and the exit code it must have. */
const kinds = [
  [(rt) => rt.run("__return(1)"), 0],
  [(rt) => rt.exec("throw new Error('on purpose')"), 1],
  [(rt) => rt.exec("for (;;);", { timeout: 30 }), 137],
  [
    (rt, i) =>
      rt.exec(`import fs from "node:fs"; const fd = fs.openSync("/tmp/${i}", "w");
        fs.writeSync(fd, "x".repeat(1000)); fs.unlinkSync("/tmp/${i}");`),
    0,
  ],
  [(rt) => rt.execCommand("sh", ["-c", "echo a | cat > /dev/null; (exit 3)"]), 3],
  [
    (rt) =>
      rt.exec(
        `import cp from "node:child_process"; cp.spawn("sleep", ["60"], { stdio: "ignore" }).on("spawn", () => process.exit(0));`,
      ),
    0,
  ],
  [
    (rt) =>
      rt.exec(`import net from "node:net"; const server = net.createServer((s) => s.end("hi")).listen(0, () => {
        net.connect(server.address().port).on("close", () => process.exit(5)).resume(); });`),
    5,
  ],
  [
    (rt) =>
      rt.exec(
        `import { Worker } from "node:worker_threads"; new Worker("process.exit(0)", { eval: true }).on("exit", () => process.exit(4));`,
      ),
    4,
  ],
];

it("1000 mixed runs leak nothing", { timeout: 600_000 }, async () => {
  let rt;
  const batch = async (count) => {
    let next = 0;
    const lane = async () => {
      while (next < count) {
        const i = next++;
        const [start, exitCode] = kinds[i % kinds.length];
        assert.equal((await start(rt, i)).exitCode, exitCode, `kind ${i % kinds.length}`);
      }
    };
    await Promise.all(Array.from({ length: 4 }, lane));
  };
  // A machine each, so that what the programs leave running ends with it.
  const round = async () => {
    rt = await NodeRuntime.create();
    await batch(250);
    await rt.dispose();
  };
  await using keeper = await NodeRuntime.create();
  assert.equal((await keeper.run("__return(1)")).value, 1);
  await round();
  const settled = () => tree().guests.length <= 3;
  await until(settled);
  const { kernel, zygote } = tree();
  const before = [openDescriptors(kernel), openDescriptors(zygote), openDescriptors(process.pid)];
  const beforeKib = [residentKib(kernel), residentKib(zygote)];
  for (let i = 0; i < 4; i++) await round();
  await until(settled);
  const after = [openDescriptors(kernel), openDescriptors(zygote), openDescriptors(process.pid)];
  assert.ok(
    after.every((count, i) => count <= before[i] + 4),
    `descriptors ${before} → ${after}`,
  );
  const afterKib = [residentKib(kernel), residentKib(zygote)];
  assert.ok(
    afterKib.every((kib, i) => kib < beforeKib[i] + 64 * 1024),
    `RSS in KiB ${beforeKib} → ${afterKib}`,
  );
});
