/**
 * Owns the measurement of host tools and policies: what one call costs a program,
 * measured by its own clock.
 */
import { NodeRuntime } from "../dist/index.js";
import { summary } from "./measure.mjs";

const calls = 10_000;
const turns = 5;

/** Leaves the milliseconds of each of `count` awaited calls in `times`. */
const repeat = (count, call) => `
const times = [];
for (let i = 0; i < ${count}; i++) {
  const startedAt = performance.now();
  ${call};
  times.push(performance.now() - startedAt);
}
__return(times.slice(${count / 10}));`;

const schema = {
  type: "object",
  properties: { a: { type: "number" }, b: { type: "number" } },
  required: ["a", "b"],
};

export async function measureTools() {
  const add = { inputSchema: schema, handler: ({ a, b }) => ({ sum: a + b }) };
  const open = await NodeRuntime.create({ tools: { add } });
  const rules = [{ mode: "deny", paths: ["/vault/**"] }];
  const ruled = await NodeRuntime.create({ permissions: { fs: { default: "allow", rules } } });
  const stat = repeat(calls / turns, `fs.statSync("/etc/passwd")`);
  const program = (text) => `import fs from "node:fs";${text}`;
  const tool = `const r = await callHostTool("add", { a: i, b: 1 }); if (r.sum !== i + 1) throw new Error("wrong sum")`;
  const times = { tool: (await open.run(repeat(calls, tool))).value, stat: [], ruledStat: [] };
  // In turns: what comes later finds a kernel whose functions are compiled.
  for (let turn = 0; turn < turns; turn++) {
    times.stat.push(...(await open.run(program(stat))).value);
    times.ruledStat.push(...(await ruled.run(program(stat))).value);
  }
  await Promise.all([open.dispose(), ruled.dispose()]);
  const { p50 } = summary(times.tool);
  const ratio = summary(times.ruledStat).p50 / summary(times.stat).p50;
  return [
    { what: "host tool call", ...summary(times.tool), target: "≤ 0.3 ms", met: p50 <= 0.3 },
    { what: "statSync, fs allowed", ...summary(times.stat) },
    {
      what: `statSync, fs by rules, ${ratio.toFixed(2)} of allowed`,
      ...summary(times.ruledStat),
      target: "≤ 1.1 ×",
      met: ratio <= 1.1,
    },
  ];
}
