// The host's modules as one script: what an import of the package loads, and that there is one of each module.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import test from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { exportsOf } from "../../scripts/unused-exports.mjs";
import { SecureExecError } from "../../dist/index.js";
import { SecureExecError as SameError } from "../../dist/sdk/errors.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const dist = join(root, "dist");
const script = readFileSync(join(dist, "sdk-modules.cjs"), "utf8");
const names = [...script.matchAll(/^"([\w/-]+)"\(exports, require, moduleUrl\) \{$/gm)].map(
  ([, name]) => name,
);

test("an import of the package loads one script, and the three files that lead to it", () => {
  const coverage = mkdtempSync(join(tmpdir(), "secure-exec-modules-"));
  try {
    execFileSync(process.execPath, [join(dist, "index.js")], {
      env: { ...process.env, NODE_V8_COVERAGE: coverage },
    });
    const loaded = readdirSync(coverage)
      .flatMap((name) => JSON.parse(readFileSync(join(coverage, name), "utf8")).result)
      .map(({ url }) => url)
      .filter((url) => url.startsWith(pathToFileURL(dist).href))
      .map((url) => relative(dist, fileURLToPath(url)));
    assert.deepEqual(loaded.sort(), [
      "index.js",
      "launcher/engine.js",
      "sdk-modules.cjs",
      "sdk/modules.js",
    ]);
  } finally {
    rmSync(coverage, { recursive: true });
  }
});

test("a module has a file with all that its source exports, and runs once whoever imports it", async () => {
  assert.ok(names.includes("index") && names.includes("sdk/runtime") && names.length > 100);
  for (const name of names) {
    const source = readFileSync(join(root, "src", `${name}.ts`), "utf8");
    assert.doesNotMatch(source, /^export let/m, `${name}: its file has the first value for ever`);
    // What it exports again, it exports by name.
    const exported = exportsOf(source);
    const module = await import(join(dist, `${name}.js`));
    assert.deepEqual(Object.keys(module).sort(), exported.sort(), name);
  }
  assert.equal(SecureExecError, SameError);
});
