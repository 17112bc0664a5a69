/**
 * Owns the measurement of what hostile machines cost another one: fresh runs, file calls, look-ups and
 * tool calls of machine B while eight others flood the kernel, with native code in some of them, beside the same with four plain
 * CPU-bound processes of the host, which no kernel of ours can do anything about.
 */
import { spawn } from "node:child_process";
import { importWithNatives } from "../tests/support/natives.mjs";
import { pause, summary } from "./measure.mjs";

const hostileCount = 8;
const plainCount = 4;

const endless = (program, count) =>
  `const cp = require("child_process"); let n = 0; const go = () => { while (n < ${count}) { n++; const done = () => { n--; setImmediate(go); }; cp.spawn(${program}, { stdio: "ignore" }).once("exit", done).once("error", done); } }; go(); setInterval(() => {}, 1e6);`;

/** What one hostile machine does for ever. */
export const floods = {
  "children, 100 at a time": endless('"true", []', 100),
  "children, 250 at a time": endless('"true", []', 250),
  "stat, 2000 at a time": `const fs = require("fs/promises"); for (;;) await Promise.all(Array.from({ length: 2000 }, () => fs.stat("/tmp")));`,
  "readdir of 5000, 20 at a time": `const fs = require("fs"); fs.mkdirSync("/tmp/d"); for (let i = 0; i < 5000; i++) fs.writeFileSync("/tmp/d/" + i, ""); for (;;) await Promise.all(Array.from({ length: 20 }, () => fs.promises.readdir("/tmp/d")));`,
  "look-ups, 1000 at a time": `const dns = require("dns/promises"); for (;;) await Promise.all(Array.from({ length: 1000 }, () => dns.lookup("localhost")));`,
  "look-ups that nobody answers, 400 at a time": `const dns = require("dns/promises"); const own = new dns.Resolver(); own.setServers(["127.0.0.1:9"]); for (;;) await Promise.all(Array.from({ length: 400 }, (_, i) => own.resolve4("nothing" + i + ".test").catch(() => {})));`,
  "frames of native code": `const { channel } = __natives; for (;;) channel.event("flowClose", { flow: 99 });`,
  "tool calls, 1000 at a time": `for (;;) await Promise.all(Array.from({ length: 1000 }, () => callHostTool("echo", {}).catch(() => {})));`,
};

const tools = { echo: { handler: (value) => value } };

/** What B does, one call after the other, for `forMs`: milliseconds of each, by kind. */
async function victim(runtime, forMs) {
  const samples = { run: [], file: [], lookup: [], tool: [] };
  const until = performance.now() + forMs;
  while (performance.now() < until || samples.run.length < 5) {
    const startedAt = performance.now();
    const { value } = await runtime.run(
      `import dns from "node:dns";
       import fs from "node:fs";
       const time = async (work) => { const at = performance.now(); await work(); return performance.now() - at; };
       const file = await time(() => fs.writeFileSync("/tmp/b", fs.readFileSync("/etc/passwd")));
       const lookup = await time(() => dns.promises.lookup("localhost"));
       const tool = await time(() => callHostTool("echo", {}));
       __return({ file, lookup, tool });`,
    );
    samples.run.push(performance.now() - startedAt);
    samples.file.push(value.file);
    samples.lookup.push(value.lookup);
    samples.tool.push(value.tool);
  }
  return samples;
}

async function besidePlain(runtime, forMs) {
  const busy = Array.from({ length: plainCount }, () =>
    spawn(process.execPath, ["-e", "for (;;);"], { stdio: "ignore" }),
  );
  await pause(500);
  const samples = await victim(runtime, forMs);
  for (const child of busy) child.kill("SIGKILL");
  return samples;
}

async function besideFlood(NodeRuntime, runtime, code, forMs) {
  const machines = await Promise.all(
    Array.from({ length: hostileCount }, () => NodeRuntime.create({ tools })),
  );
  const runs = machines.map((machine) => machine.exec(code).catch(() => undefined));
  await pause(1500);
  const samples = await victim(runtime, forMs);
  await Promise.all(machines.map((machine) => machine.dispose()));
  await Promise.all(runs);
  return samples;
}

/** Ratios of the 95th percentiles, flood to plain, by flood and kind, with the samples' summaries. */
export async function measureFairness(forMs = 4000, names = Object.keys(floods)) {
  const { NodeRuntime } = await importWithNatives();
  const runtime = await NodeRuntime.create({ tools });
  for (let i = 0; i < 5; i++) await victim(runtime, 0);
  const plain = await besidePlain(runtime, forMs);
  const rows = [];
  for (const name of names) {
    const flooded = await besideFlood(NodeRuntime, runtime, floods[name], forMs);
    for (const kind of Object.keys(plain)) {
      const [with8, with4] = [summary(flooded[kind]), summary(plain[kind])];
      const ratio = with8.p95 / with4.p95;
      rows.push({
        what: `${kind} of B beside 8 machines: ${name}; p95 is ${ratio.toFixed(2)} of that beside 4 busy processes`,
        ...with8,
        ratio,
        target: "≤ 3 ×",
        met: ratio <= 3,
      });
    }
  }
  await runtime.dispose();
  return rows;
}
