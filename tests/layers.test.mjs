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
  ["kernel/", ["kernel/", "launcher/", "protocol/", "abi/", "sandbox/"]],
  ["sdk/", ["sdk/", "protocol/", "abi/", "launcher/engine.ts"]],
  ["cli/", ["cli/", "sdk/", "index.ts", "launcher/engine.ts"]],
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

/** Each package has one door. */
const packages = [/^sdk\/tool-schema\.ts: @cfworker\/json-schema$/];

test("the source imports no package but through its door, and not itself by name", () => {
  const outside = sources.flatMap(({ file, imports }) =>
    imports
      .filter((name) => !name.startsWith(".") && !name.startsWith("node:"))
      .map((name) => `${file}: ${name}`),
  );
  // The text of the zygote's and a worker's first lines runs inside the engine, where built-in names have no prefix.
  const engine =
    /^(launcher\/fork|guest\/bindings\/worker)\.ts: (internal\/test\/binding|vm|v8|fs)$/;
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
