// Code in the documentation does what it says. A block that imports secure-exec and takes no name for granted is a whole
// program: it runs as it stands, and a block of text right behind it is what it prints. Every block is checked by the
// compiler, fragments with the names of `names`. So are the examples in the texts of the API.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { findEngine } from "../../dist/launcher/engine.js";
import * as everything from "../../dist/index.js";
import * as typescript from "../../dist/ports/typescript/index.js";
import { apiExamples } from "../../scripts/api-symbols.mjs";
import { blocksOf, pageFiles, textOf } from "../../scripts/pages.mjs";
import { typeCheck } from "../support/type-check.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));
// The host's own Node may be too old for TypeScript; the pinned one strips types.
const engine = /** @type {{ path: string }} */ (findEngine());
// Inside the package, so that it finds itself by its name.
const folder = join(root, "build", `docs-${process.pid}`);
mkdirSync(folder, { recursive: true });
after(() => rmSync(folder, { recursive: true, force: true }));

/** Whole programs that are not run here, each with why. */
const notRun = {
  "docs/fleet.md": "it needs a broker and a worker; tests/sdk/fleet does what it shows with both",
};

const blocks = pageFiles().flatMap((file) =>
  blocksOf(textOf(file))
    .filter(({ language }) => /^(?:[cm]?[jt]s|javascript|typescript)$/.test(language))
    // Declarations, made from those that the compiler made.
    .filter(() => !/^docs\/(?:ports\/)?api\.md$/.test(file))
    .map((block) => ({ ...block, file, name: `${file}:${block.line}` })),
);
/** Of the API's texts. Names of two entries may be the same but for their case. */
const examples = apiExamples().map(({ entry, name, text }, at) => ({
  name: `API ${at} ${entry} ${name}`,
  text,
}));
const imports = ({ text }) => /^import\b.* from "secure-exec/m.test(text);

/** What the compiler finds wrong with modules of `folder`, a line each. */
function faultsOf(files) {
  const { stdout } = typeCheck(files.map((name) => join(folder, name)));
  return stdout.split("\n").filter((line) => line !== "");
}

/** "Cannot find name", and no other that was meant. */
const isFreeName = (line) => /error TS2304:/.test(line);
const moduleName = ({ name }) => `${name.replace(/\W+/g, "-")}.mts`;

/** Those that import secure-exec, without those that take names for granted. */
function wholePrograms(all) {
  const candidates = all.filter(imports);
  for (const block of candidates) writeFileSync(join(folder, moduleName(block)), block.text);
  const free = faultsOf(candidates.map(moduleName)).filter(isFreeName);
  return candidates.filter((block) => !free.some((line) => line.includes(moduleName(block))));
}
const programs = wholePrograms(blocks);

test("the split sees programs, what they print, and fragments", () => {
  const [program, text, fragment] = blocksOf(
    '```ts\nimport { a } from "secure-exec";\n```\n\n```text\nout\n```\nWords.\n```js\nb();\n```\n',
  );
  assert.deepEqual(
    [imports(program), program.next.text, text.next, fragment.language, fragment.line],
    [true, "out\n", undefined, "js", 10],
  );
});

test("most blocks that look like programs are", () => assert.ok(programs.length > 12));

for (const block of programs)
  test(`${block.name} runs`, { timeout: 120_000, skip: notRun[block.file] ?? false }, async () => {
    const child = spawn(engine.path, [join(folder, moduleName(block))], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    const said = { stdout: "", stderr: "" };
    for (const stream of /** @type {const} */ (["stdout", "stderr"]))
      child[stream].setEncoding("utf8").on("data", (part) => (said[stream] += part));
    const [code] = await once(child, "close");
    assert.equal(said.stderr, "");
    if (block.next?.language === "text") assert.equal(said.stdout, block.next.text);
    assert.equal(code, 0);
  });

test("whole examples of the API run", { timeout: 120_000 }, async () => {
  const whole = wholePrograms(examples);
  assert.ok(whole.length > 5);
  // In one process after the other's end: they share a kernel.
  const all = whole.map((example) => `await import("./${moduleName(example)}");`).join("\n");
  writeFileSync(join(folder, "examples.mts"), all);
  const child = spawn(engine.path, [join(folder, "examples.mts")], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const said = [];
  child.stderr.on("data", (part) => said.push(part));
  const [code] = await once(child, "close");
  assert.equal(String(Buffer.concat(said)), "");
  assert.equal(code, 0);
});

test("what is not run has a program, and a reason", () => {
  const withPrograms = new Set(programs.map(({ file }) => file));
  for (const file of Object.keys(notRun)) assert.ok(withPrograms.has(file), file);
});

/** What fragments take for granted. */
const names = `
import * as everything from "secure-exec";
import type { HostToolCall, HostTools, HostToolApproval, NodeRuntimeCreateOptions, NodeRuntimeShell } from "secure-exec";
type Names = typeof everything;
declare global {
  ${Object.keys(everything)
    .map((name) => `const ${name}: Names["${name}"];`)
    .join("\n  ")}
  ${Object.keys(typescript)
    .map((name) => `const ${name}: typeof import("secure-exec/typescript")["${name}"];`)
    .join("\n  ")}
  const proc: everything.NodeRuntimeProcess;
  const [rt, runtime]: [everything.NodeRuntime, everything.NodeRuntime];
  const code: string;
  const files: Record<string, string>;
  const tools: HostTools;
  const env: Record<string, string>;
  const cwd: string;
  const pattern: string;
  const paths: string[];
  const rows: string;
  const show: (chunk: Uint8Array) => void;
  const terminal: { write(bytes: Uint8Array): void; onData(listener: (keys: string) => void): void };
  const database: { user(id: string, options: { signal: AbortSignal }): Promise<object> };
  const bank: { transfer(input: unknown): Promise<object> };
  const payment: Record<string, unknown>;
  const isKnown: (name: string) => Promise<boolean>;
  const askSomebody: (tool: string, input: unknown, signal: AbortSignal) => Promise<HostToolApproval | undefined>;
  const pipeline: (typeof import("node:stream/promises"))["pipeline"];
  const createWriteStream: (typeof import("node:fs"))["createWriteStream"];
}
export type { HostToolCall, NodeRuntimeShell, NodeRuntimeCreateOptions };
`;

/** A fragment as a module: statements in a function, or a part of the options that it belongs to. */
function moduleOf({ text }) {
  if (/^import /m.test(text)) return text;
  if (!/^\w+: /.test(text)) return `export async function shown() {\n${text}\n}\n`;
  const kind = text.startsWith("permissions: ") ? "NodeRuntimeCreateOptions" : "HostTools";
  return `import type { ${kind} } from "secure-exec";\nexport const shown: ${kind} = {\n${text}\n};\n`;
}

test("every block compiles", () => {
  writeFileSync(join(folder, "names.d.mts"), names);
  const files = [...blocks, ...examples].map((block) => {
    const file = `checked-${moduleName(block)}`;
    writeFileSync(join(folder, file), moduleOf(block));
    return file;
  });
  assert.ok(files.length > 20);
  assert.deepEqual(
    faultsOf(["names.d.mts", ...files]).filter((line) => !isFreeName(line)),
    [],
  );
});
