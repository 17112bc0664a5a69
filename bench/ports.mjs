/**
 * Owns what a code-mode call costs through each port: a program that calls one tool and returns its answer, one
 * after the other, beside the start of a plain Node, and beside isolated-vm and a QuickJS in the same run.
 *   node bench/ports.mjs [--json] [--no-peers]
 * The peers come from npm, into SECURE_EXEC_PORT_FOLDER or a temporary folder; one that cannot be had is named with
 * the reason. Ports and peers are measured in turns; the peers run on the pinned Node.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { codeTool } from "../dist/ports/ai/index.js";
import { createExecutor } from "../dist/ports/codemode.js";
import { SecureExecCodeModeTransport } from "../dist/ports/mastra/index.js";
import { createIsolateDriver } from "../dist/ports/tanstack/index.js";
import { measuredCall, percentile, runPlain, summary, timed } from "./measure.mjs";

const turns = 3;
const plainRounds = 10;
/** isolated-vm 7 brings binaries for the Node that is pinned here. */
const peers = ["isolated-vm@7", "quickjs-emscripten"];
const engine = join(
  dirname(createRequire(import.meta.url).resolve(`node-linux-${process.arch}/package.json`)),
  "bin/node",
);

/** The rows of the other packages, and why one has none. */
function measuredPeers() {
  const parent = process.env.SECURE_EXEC_PORT_FOLDER ?? tmpdir();
  const folder = join(parent, "secure-exec-code-mode-peers");
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "package.json"), '{"private":true}');
  const script = fileURLToPath(new URL("code-mode-peers.mjs", import.meta.url));
  try {
    if (!existsSync(join(folder, "node_modules/quickjs-emscripten")))
      execFileSync("npm", ["install", "--ignore-scripts", "--no-audit", "--no-fund", ...peers], {
        cwd: folder,
        stdio: "ignore",
      });
    return JSON.parse(execFileSync(engine, [script, folder], { encoding: "utf8" }));
  } catch (error) {
    return { rows: [], missing: [String(error.message).split("\n")[0]] };
  }
}

const double = async (n) => n * 2;
const executor = createExecutor();
const transport = new SecureExecCodeModeTransport();
const tool = codeTool({ tools: { double: { execute: double } } });
const binding = { name: "double", description: "", inputSchema: {}, execute: double };
const context = await createIsolateDriver().createContext({ bindings: { double: binding } });

const ports = async () => [
  await measuredCall("codemode: a machine for each call", async () => {
    const { result } = await executor.execute("async () => codemode.double(21)", { double });
    return result;
  }),
  await measuredCall("mastra: a machine for each call", async () => {
    const dispatch = (_tool, n) => double(n);
    const program = "return external_double(21)";
    const run = await transport.run({ program, toolIds: ["double"], dispatch, timeout: 30_000 });
    return run.result;
  }),
  await measuredCall("ai: a process for each call", async () => {
    const { value } = await tool.execute({ code: "return double(21)" });
    return value;
  }),
  await measuredCall("tanstack: a process for each call", async () => {
    const { value } = await context.execute("return await double(21)");
    return value;
  }),
];

/** One row for each name: of its p50s in the turns the middle one, of its p95s too. */
function middle(all) {
  const names = [...new Set(all.map(({ what }) => what))];
  const byName = names.map((name) => [name, all.filter(({ what }) => what === name)]);
  return byName.map(([what, rows]) => ({
    what,
    p50: percentile(
      rows.map(({ p50 }) => p50),
      0.5,
    ),
    p95: percentile(
      rows.map(({ p95 }) => p95),
      0.5,
    ),
    samples: rows.reduce((sum, { samples }) => sum + samples, 0),
  }));
}

const all = [];
const missing = new Set();
for (let turn = 0; turn < turns; turn++) {
  all.push(...(await ports()));
  if (!process.argv.includes("--no-peers")) {
    const measured = measuredPeers();
    all.push(...measured.rows);
    for (const reason of measured.missing) missing.add(reason);
  }
  const plain = [];
  for (let round = 0; round < plainRounds; round++)
    plain.push(await timed(() => runPlain(engine, ["-e", "0"])));
  all.push({ what: "plain node -e 0", ...summary(plain) });
}
await tool.dispose();
await context.dispose();

const rows = middle(all);
const yardstick = rows.find(({ what }) => what.startsWith("isolated-vm: a fresh isolate"));
if (process.argv.includes("--json"))
  console.log(JSON.stringify({ rows, missing: [...missing] }, undefined, 2));
else {
  const ratio = (p50) => (yardstick === undefined ? undefined : p50 / yardstick.p50);
  console.table(
    rows.map(({ what, p50, p95 }) => ({ what, p50, p95, "of a fresh isolate": ratio(p50) })),
  );
  for (const reason of missing) console.log(`not measured: ${reason}`);
}
