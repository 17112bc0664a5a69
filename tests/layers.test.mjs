// Which part of the source may import which; docs/architecture.md says why.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const src = fileURLToPath(new URL("../src", import.meta.url));
const files = readdirSync(src, { recursive: true })
  .map(String)
  .filter((name) => name.endsWith(".ts"))
  .sort();

/** First rule whose prefix fits counts. A prefix ends in "/" for a folder. */
const rules = [
  ["abi/", []],
  ["protocol/", ["abi/", "protocol/"]],
  ["sandbox/", ["abi/", "sandbox/"]],
  ["userland/", ["userland/", "protocol/", "abi/"]],
  ["guest/", ["guest/", "userland/", "protocol/", "abi/", "sandbox/"]],
  [
    "launcher/zygote/",
    ["launcher/zygote/", "guest/", "userland/", "protocol/", "abi/", "sandbox/"],
  ],
  ["launcher/", ["launcher/", "protocol/", "abi/", "sandbox/"]],
  // Runs in a machine; what makes certificates the kernel uses, too.
  ["border/", ["border/"]],
  ["kernel/border/", ["kernel/", "border/certificates.ts", "border/wire.ts", "protocol/", "abi/"]],
  ["kernel/", ["kernel/", "launcher/", "protocol/", "abi/", "sandbox/"]],
  // Programs that need the TypeScript compiler get it as users do, once the first of them comes.
  ["sdk/compiler.ts", ["sdk/", "ports/typescript/index.ts"]],
  ["sdk/", ["sdk/", "protocol/", "abi/", "launcher/engine.ts"]],
  ["worker/", ["worker/", "sdk/", "protocol/", "abi/"]],
  // What a browser loads. Its server knows what users know.
  ["playground/page/", ["playground/page/", "playground/messages.ts"]],
  ["playground/", ["playground/", "index.ts"]],
  [
    "cli/",
    [
      "cli/",
      "playground/",
      "ports/",
      "sdk/",
      "worker/",
      "index.ts",
      "launcher/engine.ts",
      "protocol/fleet.ts",
    ],
  ],
  // The owner's schemas for tools of a server are judged as those of a machine's tools.
  ["ports/mcp/tools.ts", ["ports/", "sdk/schema-judge.ts", "sdk/tool-schema.ts"]],
  // What both ends of code mode agree on.
  [
    "ports/core/code-mode.ts",
    ["ports/", "index.ts", "protocol/bytes-json.ts", "protocol/code-mode.ts"],
  ],
  // Adapters to other packages: they know what users know, and what declarations take from Node's types.
  ["ports/", ["ports/", "index.ts", "protocol/node-types.ts"]],
  ["index.ts", ["sdk/"]],
];

/** Every module a text names: static, type-only, side-effect, dynamic, `import("…")` types and require. */
function importsOf(text) {
  const code = text.replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, "");
  const patterns = [
    /^\s*(?:import|export)\b[^;"'`]*?\bfrom\s*["']([^"']+)["']/gm,
    /^\s*import\s*["']([^"']+)["']/gm,
    /\b(?:import|require|getBuiltinModule)\s*\(\s*["'`]([^"'`]+)["'`]/g,
  ];
  return patterns.flatMap((pattern) => [...code.matchAll(pattern)].map((match) => match[1]));
}

const sources = files.map((file) => {
  const text = readFileSync(join(src, file), "utf8");
  return { file, text, imports: importsOf(text) };
});

test("the parser sees every form of import", () => {
  const text = `
import a from "./a.js";
import type { B } from './b.js';
import {
  c,
  type D,
} from "./c.js";
import * as d from "./d.js"; export * from "./e.js";
export { f } from "./f.js";
import "./g.js";
// import "./no.js";
/* import "./no.js"; */
const h = await import("./h.js"), i = require("./i.js");
type J = import("./j.js").J;
process.getBuiltinModule("node:ffi");
`.replace("; export * from", ";\nexport * from");
  assert.deepEqual(
    importsOf(text).sort(),
    ["node:ffi", ...[..."abcdefghij"].map((name) => `./${name}.js`)].sort(),
  );
});

/** Not in src/: the build makes it of those that the rule of who loads it allows. */
const made = "sdk/../sdk-modules.cjs";

test("every file has a rule and imports only what it allows", () => {
  assert.ok(files.length > 40);
  const known = new Set(files);
  const broken = [];
  let checked = 0;
  for (const { file, imports } of sources) {
    const rule = rules.find(([prefix]) => file.startsWith(prefix));
    if (rule === undefined) {
      broken.push(`${file}: no rule`);
      continue;
    }
    for (const specifier of imports.filter((name) => name.startsWith("."))) {
      if (`${dirname(file)}/${specifier}` === made) continue;
      const target = relative(src, join(src, dirname(file), specifier)).replace(/\.js$/, ".ts");
      checked += 1;
      if (!known.has(target)) broken.push(`${file}: ${specifier} does not exist`);
      else if (!rule[1].some((allowed) => target.startsWith(allowed))) {
        broken.push(`${file} imports ${target}`);
      }
    }
  }
  assert.deepEqual(broken, []);
  assert.ok(checked > 100);
});

/** Modules whose values a text needs when it is loaded: what is only a type is no import then. */
function valueImportsOf(text) {
  const code = text.replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, "");
  const named = /^\s*(?:import|export)\b([^;"'`]*?)\bfrom\s*["']([^"']+)["']/gm;
  const bare = /^\s*import\s*["']([^"']+)["']/gm;
  const onlyTypes = (clause) => {
    const text = clause.trim();
    if (/^type\b/.test(text)) return true;
    const names = /^\{([\s\S]*)\}$/.exec(text);
    return (
      names !== null &&
      names[1]
        .split(",")
        .map((name) => name.trim())
        .every((name) => name === "" || /^type\s/.test(name))
    );
  };
  return [
    ...[...code.matchAll(named)]
      .filter(([, clause]) => !onlyTypes(clause))
      .map((match) => match[2]),
    ...[...code.matchAll(bare)].map((match) => match[1]),
  ].filter((name) => name.startsWith("."));
}

const targetOf = (file, specifier) =>
  relative(src, join(src, dirname(file), specifier)).replace(/\.js$/, ".ts");
const valueGraph = new Map(
  sources.map(({ file, text }) => [
    file,
    valueImportsOf(text).map((specifier) => targetOf(file, specifier)),
  ]),
);

/** Circles of a graph: its strongly connected components of more than one node; Tarjan. */
function circlesOf(graph) {
  const order = new Map();
  const low = new Map();
  const stack = [];
  const circles = [];
  const visit = (node) => {
    order.set(node, order.size);
    low.set(node, order.get(node));
    stack.push(node);
    for (const next of graph.get(node) ?? []) {
      if (!order.has(next)) visit(next);
      if (stack.includes(next)) low.set(node, Math.min(low.get(node), low.get(next)));
    }
    if (low.get(node) !== order.get(node)) return;
    const circle = stack.splice(stack.indexOf(node));
    if (circle.length > 1) circles.push(circle.sort());
  };
  for (const node of graph.keys()) if (!order.has(node)) visit(node);
  return circles;
}

test("circles are found, and types make none", () => {
  assert.deepEqual(
    valueImportsOf(
      'import type { A } from "./a.js";\nimport { type B } from "./b.js";\nimport { type C, d } from "./c.js";\nimport "./e.js";\nexport * from "./f.js";',
    ).sort(),
    ["./c.js", "./e.js", "./f.js"],
  );
  const graph = new Map([
    ["a", ["b"]],
    ["b", ["c"]],
    ["c", ["b", "d"]],
    ["d", []],
  ]);
  assert.deepEqual(circlesOf(graph), [["b", "c"]]);
});

test("no file needs itself to be loaded", () => {
  assert.deepEqual(circlesOf(valueGraph), []);
});

/** Rooms of the kernel, and those whose values each may use; everybody may use limits.ts. */
const rooms = {
  // A flow names a descriptor's kind to the guest.
  io: ["process/describe.ts"],
  fs: ["io/", "machine/account.ts"],
  net: ["io/", "fs/", "machine/account.ts"],
  policy: ["io/", "fs/", "net/"],
  tools: ["fs/", "machine/"],
  machine: ["fs/", "io/", "net/", "policy/", "process/", "tools/"],
  "guest-door": ["io/", "policy/decision.ts", "machine/account.ts"],
  process: ["io/", "fs/", "policy/", "guest-door/", "machine/identity.ts", "machine/account.ts"],
  syscalls: ["io/", "fs/", "net/", "policy/", "process/"],
  // Starts a program as the host does, and judges by the globs of the policy.
  border: ["io/", "net/", "policy/glob.ts", "host-door/program.ts"],
  "host-door": ["border/border.ts", "io/", "fs/", "net/", "machine/", "process/", "syscalls/"],
};

test("every room of the kernel uses only the rooms that it may", () => {
  const broken = [];
  for (const [file, targets] of valueGraph) {
    const room = /^kernel\/([^/]+)\//.exec(file)?.[1];
    if (room === undefined) continue;
    const may = [`${room}/`, "limits.ts", ...(rooms[room] ?? [])].map((name) => `kernel/${name}`);
    for (const target of targets.filter((name) => name.startsWith("kernel/")))
      if (!may.some((allowed) => target.startsWith(allowed))) broken.push(`${file} uses ${target}`);
    if (rooms[room] === undefined) broken.push(`${file}: no rule for its room`);
  }
  assert.deepEqual(broken, []);
});

test("system calls are judged by their admission alone", () => {
  // What is held already is judged anew when permissions change.
  const allowed = /^kernel\/(?:policy\/|machine\/revocation\.ts)/;
  const asking = sources
    .filter(({ text }) => /\bpolicy\.judge(?:All)?\(/.test(text))
    .map(({ file }) => file);
  assert.ok(asking.includes("kernel/policy/admission.ts"));
  assert.deepEqual(
    asking.filter((file) => !allowed.test(file)),
    [],
  );
});

/** Each package has one door. */
const packages = [
  /^sdk\/schema-validation\.ts: @cfworker\/json-schema$/,
  /^userland\/vendor\/isomorphic-git\.ts: isomorphic-git$/,
  /^playground\/page\/vendor\/xterm\.ts: @xterm\/xterm$/,
  /^sdk\/fleet\/broker\.ts: @nats-io\/transport-node$/,
];

test("the source imports no package but through its door, and not itself by name", () => {
  const outside = sources.flatMap(({ file, imports }) =>
    imports
      .filter((name) => !name.startsWith(".") && !name.startsWith("node:"))
      .map((name) => `${file}: ${name}`),
  );
  // The texts of a process of ours and a worker run inside the engine, where built-in names have no prefix.
  const engine =
    /^(launcher\/zygote\/bootstrap|guest\/bindings\/worker)\.ts: (vm|fs|worker_threads)$/;
  assert.deepEqual(
    outside
      .filter((line) => !packages.some((door) => door.test(line)))
      .filter((line) => !engine.test(line)),
    [],
  );
});

test("native calls are in src/sandbox only", () => {
  const native = sources.filter(
    ({ imports, text }) =>
      imports.includes("node:ffi") || imports.includes("ffi") || /["'`]node:ffi["'`]/.test(text),
  );
  assert.ok(native.some(({ file }) => file === "sandbox/libc.ts"));
  assert.deepEqual(
    native.map(({ file }) => file).filter((file) => !file.startsWith("sandbox/")),
    [],
  );
});

test("every file opens with a comment that says what it owns", () => {
  const without = sources.filter(({ text }) => !/^(?:#!.*\n)?\/\*\*/.test(text));
  assert.deepEqual(
    without.map(({ file }) => file),
    [],
  );
});
