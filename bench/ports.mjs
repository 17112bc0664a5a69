/**
 * Owns what a code-mode call costs through each port: a program that calls one tool and returns its answer, one
 * after the other, beside the start of a plain Node in the same run.
 *   node bench/ports.mjs [--json]
 */
import { codeTool } from "../dist/ports/ai/index.js";
import { createExecutor } from "../dist/ports/codemode.js";
import { SecureExecCodeModeTransport } from "../dist/ports/mastra/index.js";
import { createIsolateDriver } from "../dist/ports/tanstack/index.js";
import { runPlain, summary, timed } from "./measure.mjs";

const rounds = 50;
const warmUp = 5;

function check(value) {
  if (value !== 42) throw new Error(`a program answered ${JSON.stringify(value)} instead of 42`);
}

async function measured(what, call) {
  const times = [];
  for (let round = 0; round < rounds + warmUp; round++) {
    const ms = await timed(async () => check(await call()));
    if (round >= warmUp) times.push(ms);
  }
  return { what, ...summary(times) };
}

const double = async (n) => n * 2;
const executor = createExecutor();
const transport = new SecureExecCodeModeTransport();
const tool = codeTool({ tools: { double: { execute: double } } });
const binding = { name: "double", description: "", inputSchema: {}, execute: double };
const context = await createIsolateDriver().createContext({ bindings: { double: binding } });

const rows = [
  await measured("codemode: a machine for each call", async () => {
    const { result } = await executor.execute("async () => codemode.double(21)", { double });
    return result;
  }),
  await measured("mastra: a machine for each call", async () => {
    const dispatch = (_tool, n) => double(n);
    const program = "return external_double(21)";
    const run = await transport.run({ program, toolIds: ["double"], dispatch, timeout: 30_000 });
    return run.result;
  }),
  await measured("ai: a process for each call", async () => {
    const { value } = await tool.execute({ code: "return double(21)" });
    return value;
  }),
  await measured("tanstack: a process for each call", async () => {
    const { value } = await context.execute("return await double(21)");
    return value;
  }),
];
await tool.dispose();
await context.dispose();

const plain = [];
for (let round = 0; round < rounds / 5; round++)
  plain.push(await timed(() => runPlain(process.execPath, ["-e", "0"])));
rows.push({ what: "plain node -e 0", ...summary(plain) });

if (process.argv.includes("--json")) console.log(JSON.stringify(rows, undefined, 2));
else console.table(rows.map(({ what, p50, p95 }) => ({ what, p50, p95 })));
