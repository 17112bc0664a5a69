/**
 * Owns the measurement of templates: what a run costs that begins in a copy of a process which has loaded
 * a package of megabytes, beside an empty run and beside a run that loads it itself.
 */
import { NodeRuntime } from "../dist/index.js";
import { childrenOf, findKernel, meanMemory } from "./memory.mjs";
import { pause, percentile, summary, timed } from "./measure.mjs";

const rounds = 30;
const loadingRounds = 3;
const alive = 50;

/** A package as a compiler is: many modules of functions and tables, all evaluated when it is loaded. */
const modules = 300;
const functionsPerModule = 60;
const moduleText = (number) => `
const tables = new Map();
${Array.from(
  { length: functionsPerModule },
  (_, i) => `
function visit${i}(node, depth) {
  const found = { kind: ${i}, number: ${number}, children: [], text: "node " + depth };
  for (let at = 0; at < node.width; at++) found.children.push(visit${(i + 1) % functionsPerModule}({ width: node.width - 1 }, depth + 1));
  return found;
}
tables.set("visit${i}", Array.from({ length: 40 }, (_, at) => ({ at, flags: at * ${i}, name: "entry " + at })));`,
).join("")}
module.exports = { tables, count: visit0({ width: 3 }, 0).children.length };`;
const files = Object.fromEntries([
  ...Array.from({ length: modules }, (_, i) => [`/node_modules/large/lib/${i}.js`, moduleText(i)]),
  [
    "/node_modules/large/index.js",
    `let sum = 0; for (let i = 0; i < ${modules}; i++) sum += require("./lib/" + i + ".js").count; exports.sum = () => sum;`,
  ],
]);
const load = `const { default: large } = await import("large");`;
const use = `__return(large.sum())`;
const sum = 3 * modules;

function check({ value }, expected) {
  if (value !== expected) throw new Error(`a program answered ${JSON.stringify(value)}`);
}

export async function measureTemplates() {
  const runtime = await NodeRuntime.create({
    files,
    limits: { processes: 2 * alive, wallTimeMs: 0 },
  });
  const template = await runtime.template(`${load} globalThis.large = large;`);
  const times = { plain: [], empty: [], used: [], loading: [] };
  check(await template.run(use), sum);
  for (let round = 0; round < rounds; round++) {
    await pause(30);
    times.plain.push(await timed(async () => check(await runtime.run("__return(1)"), 1)));
    await pause(30);
    times.empty.push(await timed(async () => check(await template.run("__return(1)"), 1)));
    await pause(30);
    times.used.push(await timed(async () => check(await template.run(use), sum)));
    if (round >= loadingRounds) continue;
    times.loading.push(await timed(async () => check(await runtime.run(load + use), sum)));
  }
  const { zygote } = findKernel();
  const before = new Set(childrenOf(zygote));
  const many = [];
  for (let made = 0; made < alive; made++)
    many.push(await runtime.template(`globalThis.data = new Array(1000).fill(0)`));
  await pause(300);
  const family = childrenOf(zygote).filter((pid) => !before.has(pid));
  const { pss } = meanMemory(family);
  await runtime.dispose();
  const p50 = (samples) => percentile(samples, 0.5);
  const ratio = p50(times.empty) / p50(times.plain);
  return [
    { what: 'run("__return(1)"), beside templates', ...summary(times.plain) },
    { what: 'tpl.run("__return(1)"), large package loaded', ...summary(times.empty) },
    {
      what: "tpl.run, of an empty run",
      value: ratio,
      unit: "",
      target: "≤ 1.5",
      met: ratio <= 1.5,
    },
    { what: "tpl.run that uses the package", ...summary(times.used) },
    { what: "run that loads and uses the package", ...summary(times.loading) },
    { what: "loading, of tpl.run", value: p50(times.loading) / p50(times.used), unit: "" },
    { what: `${alive} templates with a copy each, PSS of one process`, value: pss, unit: "MB" },
  ];
}
