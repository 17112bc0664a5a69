/**
 * Owns the measurement of clones and snapshots: what a clone of a large machine takes and holds, what the first
 * write after one costs beside a write without, and how fast a machine is packed and made again.
 */
import { pathToFileURL } from "node:url";
import { NodeRuntime } from "../dist/index.js";
import { cpuMsOf, findKernel, rssOf } from "./memory.mjs";
import { pause, percentile, summary, timed } from "./measure.mjs";

const fileCount = 100_000;
const perDirectory = 1000;
const cloneRounds = 50;
const written = 2000;
const writeRounds = 9;
const packedFiles = 10_000;
const packedFileBytes = 10_000;
const packRounds = 8;

const limits = { inodes: 200_000, wallTimeMs: 0, fileSystemBytes: 2 ** 30 };

/** Makes `count` files of so many bytes below `directory`, in directories of a thousand. */
const makeFiles = (directory, count, bytes) => `
  import fs from "node:fs"; import { randomBytes } from "node:crypto";
  const content = ${bytes} > 0 ? randomBytes(${bytes}) : "";
  for (let at = 0; at < ${count}; at++) {
    const parent = "${directory}/" + Math.floor(at / ${perDirectory});
    if (at % ${perDirectory} === 0) fs.mkdirSync(parent, { recursive: true });
    fs.writeFileSync(parent + "/" + at, content);
  }`;

/** One byte into each of so many files, one after the other: milliseconds. */
const writeInto = `
  import fs from "node:fs";
  const startedAt = performance.now();
  for (let at = 0; at < ${written}; at++) {
    const fd = fs.openSync("/home/user/w/" + Math.floor(at / ${perDirectory}) + "/" + at, "r+");
    fs.writeSync(fd, "x", 0);
    fs.closeSync(fd);
  }
  __return(performance.now() - startedAt);`;

async function done(promise) {
  const { exitCode, stderr } = await promise;
  if (exitCode !== 0) throw new Error(`a program ended with ${exitCode}: ${stderr}`);
}

async function measureClone() {
  const runtime = await NodeRuntime.create({ limits });
  await done(runtime.exec(makeFiles("/home/user/f", fileCount, 0)));
  const times = [];
  const clones = [];
  await (await runtime.clone()).dispose();
  await pause(500);
  const { kernel } = findKernel();
  const before = rssOf(kernel);
  for (let round = 0; round < cloneRounds; round++)
    times.push(await timed(async () => clones.push(await runtime.clone())));
  await pause(500);
  const held = ((rssOf(kernel) - before) * 1024) / cloneRounds;
  await Promise.all(clones.map((clone) => clone.dispose()));
  await runtime.dispose();
  const { p50 } = summary(times);
  return [
    {
      what: `rt.clone() of ${fileCount} files`,
      ...summary(times),
      target: "≤ 2 ms",
      met: p50 <= 2,
    },
    {
      what: "a clone that nobody has used holds in the kernel",
      value: held,
      unit: "KiB",
      target: "≤ 64 KiB",
      met: held <= 64,
    },
  ];
}

/**
 * In turns: without a clone, in the source of a new one, in that clone. By the CPU time of the kernel and of the program,
 * which others on the machine hardly change.
 */
async function measureFirstWrite() {
  const runtime = await NodeRuntime.create({ limits });
  await done(runtime.exec(makeFiles("/home/user/w", written, 4096)));
  const { kernel } = findKernel();
  const cpuMs = { plain: 0, source: 0, clone: 0 };
  const write = async (machine, kind, counts) => {
    await pause(50);
    const before = cpuMsOf(kernel);
    const { usage, value } = await machine.run(writeInto);
    if (!(value > 0)) throw new Error("the files could not be written to");
    if (counts) cpuMs[kind] += cpuMsOf(kernel) - before + usage.cpuMs;
  };
  for (let round = 0; round <= writeRounds; round++) {
    const counts = round > 0;
    await write(runtime, "plain", counts);
    const clone = await runtime.clone();
    await write(runtime, "source", counts);
    const second = await runtime.clone();
    await write(second, "clone", counts);
    await Promise.all([clone.dispose(), second.dispose()]);
    // What the clones had in common is taken over in steps.
    await pause(100);
  }
  await runtime.dispose();
  const row = (where, kind) => {
    const value = cpuMs[kind] / cpuMs.plain;
    const what = `the first after a clone, in ${where}, CPU of that`;
    return { what, value, unit: "", target: "≤ 1.2", met: value <= 1.2 };
  };
  return [
    {
      what: "a byte written into a file of 4 KiB, opened for it, no clone; CPU",
      value: (cpuMs.plain / (written * writeRounds)) * 1000,
      unit: "µs",
    },
    row("its source", "source"),
    row("the clone", "clone"),
  ];
}

async function measureSnapshot() {
  const runtime = await NodeRuntime.create({ limits });
  await done(runtime.exec(makeFiles("/home/user/p", packedFiles, packedFileBytes)));
  const { kernel } = findKernel();
  const megabytes = (packedFiles * packedFileBytes) / 1e6;
  const samples = { snapshot: [], restore: [] };
  const measure = async (what, counts, work) => {
    await pause(200);
    const cpu = () => cpuMsOf(kernel) + cpuMsOf(process.pid);
    const before = cpu();
    const ms = await timed(work);
    if (counts) samples[what].push({ ms, cpuMs: cpu() - before });
  };
  for (let round = 0; round <= packRounds; round++) {
    // The first two find code that is not compiled yet.
    const counts = round > 1;
    const parts = [];
    await measure("snapshot", counts, async () => {
      for await (const part of await runtime.snapshot()) parts.push(part);
    });
    const archive = Buffer.concat(parts);
    let restored;
    await measure("restore", counts, async () => {
      restored = await NodeRuntime.create({ snapshot: archive, limits });
    });
    await restored.dispose();
  }
  await runtime.dispose();
  return Object.entries(samples).flatMap(([what, all]) => {
    const rate = (field) => {
      const middle = percentile(
        all.map((one) => one[field]),
        0.5,
      );
      return megabytes / (middle / 1000);
    };
    const value = rate("ms");
    return [
      {
        what: `${what} of ${megabytes} MB in ${packedFiles} files`,
        value,
        unit: "MB/s",
        target: "≥ 200 MB/s",
        met: value >= 200,
      },
      {
        what: "the same by CPU time, of kernel and host together",
        value: rate("cpuMs"),
        unit: "MB/s",
      },
    ];
  });
}

export async function measureClones() {
  return [...(await measureClone()), ...(await measureFirstWrite()), ...(await measureSnapshot())];
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href)
  console.log(JSON.stringify(await measureClones(), undefined, 2));
