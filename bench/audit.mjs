/**
 * Owns the measurement of what an audit of every decision costs: the CPU time of kernel, host and program with
 * `audit: true` over that without, in turns.
 */
import { pathToFileURL } from "node:url";
import { NodeRuntime } from "../dist/index.js";
import { cpuMsOf, findKernel } from "./memory.mjs";
import { pause } from "./measure.mjs";

const rounds = 10;
const moduleCount = 400;
const files = Object.fromEntries(
  Array.from({ length: moduleCount }, (_, at) => {
    const text = `module.exports = ${at};\n${"// text\n".repeat(200)}`;
    return [
      [`/app/node_modules/m${at}/index.js`, text],
      [`/app/lib/m${at}.js`, text],
    ];
  }).flat(),
);

/** Programs, and how often each is run for one sample. */
const programs = {
  "empty runs": [20, `__return(1)`],
  "20,000 × statSync": [
    1,
    `import fs from "node:fs"; for (let at = 0; at < 20_000; at++) fs.statSync("/etc/passwd");`,
  ],
  "1000 files written and read": [
    1,
    `import fs from "node:fs";
     for (let at = 0; at < 1000; at++) {
       fs.writeFileSync("/tmp/f" + at, "x".repeat(2000));
       if (fs.readFileSync("/tmp/f" + at, "utf8").length !== 2000) throw new Error("short");
     }`,
  ],
  "400 modules loaded": [
    3,
    `import { createRequire } from "node:module";
     const require = createRequire("/app/main.js");
     for (let at = 0; at < ${moduleCount}; at++) if (require("m" + at) !== at) throw new Error("wrong");`,
  ],
  "400 modules of one directory": [
    3,
    `import { createRequire } from "node:module";
     const require = createRequire("/app/main.js");
     for (let at = 0; at < ${moduleCount}; at++) if (require("./lib/m" + at) !== at) throw new Error("wrong");`,
  ],
};

async function sample(runtime, kernel, [times, program]) {
  const cpu = () => cpuMsOf(kernel) + process.cpuUsage().user / 1000;
  const before = cpu();
  let usedMs = 0;
  for (let time = 0; time < times; time++) {
    const { exitCode, stderr, usage } = await runtime.run(program);
    if (exitCode !== 0) throw new Error(`a program ended with ${exitCode}: ${stderr}`);
    usedMs += usage.cpuMs;
  }
  await pause(30);
  return usedMs + cpu() - before;
}

export async function measureAudit() {
  const limits = { wallTimeMs: 0 };
  const machines = {
    off: await NodeRuntime.create({ files, limits }),
    on: await NodeRuntime.create({ files, limits, audit: true }),
  };
  const { kernel } = findKernel();
  const sums = {};
  for (let round = 0; round <= rounds; round++) {
    const order = round % 2 === 0 ? ["off", "on"] : ["on", "off"];
    for (const [name, program] of Object.entries(programs)) {
      sums[name] ??= { off: 0, on: 0 };
      for (const which of order) {
        const ms = await sample(machines[which], kernel, program);
        if (round > 0) sums[name][which] += ms;
      }
    }
  }
  await Promise.all([machines.off.dispose(), machines.on.dispose()]);
  return Object.entries(sums).map(([name, { off, on }]) => ({
    what: `every decision kept, CPU of without: ${name}`,
    value: on / off,
    unit: "",
    target: "≤ 1.02",
    met: on / off <= 1.02,
  }));
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href)
  console.log(JSON.stringify(await measureAudit(), undefined, 2));
