/**
 * Owns the measurement of what a bill and an audit of every decision cost.
 *
 * The audit: the CPU time of kernel, host and program with `audit: true` over that without, in many short pairs.
 *
 * What is looked for is smaller than what two runs differ by. So there is a machine of each kind that all pairs use, a pair
 * lies within a few hundredths of a second, who goes first changes from pair to pair, and what is told is the median of
 * the pairs' ratios, with the interval that holds it at 95 %. Another machine without an audit takes its turn too:
 * its ratio says what the method itself is off by. Of a decision the program's own process knows nothing: the kernel's and the
 * host's time, over all of it, is told beside the whole, as it differs less from run to run.
 *
 * The bill is always kept. What it adds to a program is put together from its parts (kernel-parts.mjs), over what the
 * program takes without them; and the audit's part of a call beside it, which no load of the machine blurs.
 */
import { spawnSync } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import { fileURLToPath, pathToFileURL } from "node:url";
import { NodeRuntime } from "../dist/index.js";
import { findKernel } from "./memory.mjs";
import { medianInterval, percentile } from "./measure.mjs";

const pairs = 60;
const warmUp = 4;
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

/** Programs: snippets of a resident runner, or runs, each a process of its own, and how often for one sample. */
const programs = {
  "1000 × statSync": {
    snippet: `for (let at = 0; at < 1000; at++) require("node:fs").statSync("/etc/passwd")`,
  },
  "100 files written and read": {
    snippet: `{
      const fs = require("node:fs");
      for (let at = 0; at < 100; at++) {
        fs.writeFileSync("/tmp/f" + at, "x".repeat(2000));
        if (fs.readFileSync("/tmp/f" + at, "utf8").length !== 2000) throw new Error("short");
      }
    }`,
  },
  "empty runs": { run: `__return(1)`, times: 4 },
  "400 modules loaded": {
    run: `import { createRequire } from "node:module";
      const require = createRequire("/app/main.js");
      for (let at = 0; at < ${moduleCount}; at++) if (require("m" + at) !== at) throw new Error("wrong");`,
    times: 1,
  },
  "400 modules of one directory": {
    run: `import { createRequire } from "node:module";
      const require = createRequire("/app/main.js");
      for (let at = 0; at < ${moduleCount}; at++) if (require("./lib/m" + at) !== at) throw new Error("wrong");`,
    times: 1,
  },
};

/** Milliseconds that all threads of a process have run, to the nanosecond; /proc/PID/stat has ticks of 10 ms. */
function ranMs(pid) {
  let sum = 0;
  for (const tid of readdirSync(`/proc/${pid}/task`))
    sum += Number(readFileSync(`/proc/${pid}/task/${tid}/schedstat`, "latin1").split(" ")[0]);
  return sum / 1e6;
}

function hostMs() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

function check({ exitCode, stderr }) {
  if (exitCode !== 0) throw new Error(`a program ended with ${exitCode}: ${stderr}`);
}

/** What programs used that ran for one sample. */
async function used({ machine, runner }, { snippet, run, times }) {
  if (snippet !== undefined) {
    const before = (await runner.usage()).cpuMs;
    check(await runner.exec(snippet));
    return (await runner.usage()).cpuMs - before;
  }
  let sum = 0;
  for (let time = 0; time < times; time++) {
    const result = await machine.run(run);
    check(result);
    sum += result.usage.cpuMs;
  }
  return sum;
}

async function sample(kind, kernel, program) {
  const before = ranMs(kernel) + hostMs();
  const guest = await used(kind, program);
  const ours = ranMs(kernel) + hostMs() - before;
  return { ours, all: ours + guest };
}

const names = ["off", "on", "control"];

/** Samples of all kinds of each round; each kind comes first, last and in the middle as often. */
async function samplesOf(kinds, kernel, program) {
  const rounds = [];
  for (let round = -warmUp; round < pairs; round++) {
    const at = (round + 6 * warmUp) % 6;
    const turned = [...names.slice(at % 3), ...names.slice(0, at % 3)];
    const samples = {};
    for (const name of at < 3 ? turned : turned.toReversed())
      samples[name] = await sample(kinds[name], kernel, program);
    if (round >= 0) rounds.push(samples);
  }
  return rounds;
}

/**
 * What `of` takes over what those without an audit take, in each round: all of it, and with the program's part as it is
 * at its median.
 */
function ratiosOf(rounds, of, without) {
  const mean = (round, part) =>
    without.reduce((sum, name) => sum + round[name][part], 0) / without.length;
  const allMs = percentile(
    rounds.map((round) => mean(round, "all")),
    0.5,
  );
  return {
    whole: medianInterval(rounds.map((round) => round[of].all / mean(round, "all"))),
    ours: medianInterval(rounds.map((round) => 1 + (round[of].ours - mean(round, "ours")) / allMs)),
  };
}

const shown = ({ median, low, high }) =>
  `${median.toFixed(3)} (${low.toFixed(3)}–${high.toFixed(3)})`;

function rowOf(name, rounds) {
  const on = ratiosOf(rounds, "on", ["off", "control"]);
  const control = ratiosOf(rounds, "control", ["off"]);
  return {
    what:
      `every decision kept, CPU of without: ${name}; by the parts of kernel and host ${shown(on.ours)}, ` +
      `by all ${shown(on.whole)}; without, of without: ${shown(control.ours)}, ${shown(control.whole)}`,
    value: on.ours.median,
    unit: "",
    target: "≤ 1.02",
    met: on.ours.median <= 1.02,
  };
}

/** Microseconds of single steps of the kernel, on the engine. */
function kernelParts() {
  const arch = process.arch === "arm64" ? "arm64" : "x64";
  const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));
  const { stdout, stderr } = spawnSync(
    path(`../node_modules/node-linux-${arch}/bin/node`),
    ["--no-warnings", "--no-maglev-osr", "--experimental-ffi", path("kernel-parts.mjs")],
    { encoding: "utf8", timeout: 120_000 },
  );
  if (stdout === "") throw new Error(`no figures of the kernel's steps: ${stderr}`);
  return JSON.parse(stdout);
}

/** What a program takes with something that costs it `partUs`, over what it takes without. */
function partRow(what, partUs, withoutMs) {
  const value = 1 + partUs / 1000 / withoutMs;
  return { what, value, unit: "", target: "≤ 1.02", met: value <= 1.02 };
}

/** The rows of a program that are put together from parts: what all of its decisions cost, its requests, and its ends. */
async function partRowsOf(name, program, kind, rounds, parts) {
  const { statUs, auditedStatUs, fileUs, auditedFileUs, billedUs, peakMemoryUs } = parts;
  const allMs = percentile(
    rounds.map(({ off }) => off.all),
    0.5,
  );
  const counts = async () => {
    const list = await kind.machine.audit();
    const { systemCalls } = await kind.machine.usage();
    return { decisions: list.length + list.dropped, systemCalls };
  };
  const before = await counts();
  await used(kind, program);
  const after = await counts();
  const decisions = after.decisions - before.decisions;
  const requests = after.systemCalls - before.systemCalls;
  const { times = 0 } = program;
  // A file's are two: of its writing and of its reading.
  const decisionUs = Math.max(auditedStatUs - statUs, (auditedFileUs - fileUs) / 2);
  // The memory of a process is looked at when it ends; what CPU time it has had, a clock says.
  const billUs = requests * billedUs + times * peakMemoryUs;
  return [
    partRow(
      `every decision kept, by its parts: ${name}; ${decisions} of ${decisionUs.toFixed(2)} µs`,
      decisions * decisionUs,
      allMs,
    ),
    partRow(
      `a bill kept, by its parts: ${name}; ${requests} requests, ${times} ends, ${billUs.toFixed(1)} µs`,
      billUs,
      allMs - billUs / 1000,
    ),
  ];
}

/** Of the programs whose names have `only` in them. */
export async function measureAudit(only = "") {
  const options = { files, limits: { wallTimeMs: 0 } };
  const kinds = {};
  for (const name of names) {
    const machine = await NodeRuntime.create({ ...options, audit: name === "on" });
    kinds[name] = { machine, runner: await machine.createResidentRunner() };
  }
  const { kernel } = findKernel();
  const rows = [];
  const parts = kernelParts();
  for (const [name, program] of Object.entries(programs)) {
    if (!name.includes(only)) continue;
    const rounds = await samplesOf(kinds, kernel, program);
    rows.push(rowOf(name, rounds));
    rows.push(...(await partRowsOf(name, program, kinds.on, rounds, parts)));
  }
  await Promise.all(Object.values(kinds).map(({ machine }) => machine.dispose()));
  return rows;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href)
  console.log(JSON.stringify(await measureAudit(process.argv[2]), undefined, 2));
