/**
 * Owns the measurement of small file calls beside a bare round trip to the kernel,
 * by the program's own clock and interleaved.
 */
import { NodeRuntime } from "../dist/index.js";
import { percentile, summary } from "./measure.mjs";

const rounds = 1500;

const program = `
import fs from "node:fs";
fs.writeFileSync("/tmp/small", "x".repeat(100));
const calls = {
  // umask(2) carries a number each way: as little as a system call can do.
  bare: () => process.umask(),
  read: () => fs.readFileSync("/tmp/small", "utf8"),
  write: () => fs.writeFileSync("/tmp/small", "y"),
  stat: () => fs.statSync("/tmp/small"),
};
const times = Object.fromEntries(Object.keys(calls).map((name) => [name, []]));
for (let i = 0; i < ${rounds}; i++) {
  for (const [name, call] of Object.entries(calls)) {
    const startedAt = performance.now();
    call();
    if (i >= ${rounds / 5}) times[name].push(performance.now() - startedAt);
  }
}
__return(times);`;

export async function measureFiles() {
  const runtime = await NodeRuntime.create();
  const { value } = await runtime.run(program);
  await runtime.dispose();
  const bare = percentile(value.bare, 0.5);
  const row = (what, samples) => {
    const ratio = percentile(samples, 0.5) / bare;
    return {
      what: `${what}, ${ratio.toFixed(2)} of a bare round trip`,
      ...summary(samples),
      target: "≤ 1.5 ×",
      met: ratio <= 1.5,
    };
  };
  return [
    { what: "bare round trip to the kernel", ...summary(value.bare) },
    row("readFileSync, 100 bytes", value.read),
    row("writeFileSync, 1 byte", value.write),
    row("statSync", value.stat),
  ];
}
