// Checks that need the compiler or the whole source: types of the public API and of the tests' helpers,
// exports that nobody uses, and generated pages that have no test of their own.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import ts from "typescript-5";
import { floatingIn } from "../scripts/floating-promises.mjs";
import { longFunctions, mostLines } from "../scripts/long-functions.mjs";
import { exportsOf, importsOf } from "../scripts/unused-exports.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Runs a file of the project with this Node; its output when it fails. */
function failure(...args) {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    cwd: root,
    encoding: "utf8",
    timeout: 250_000,
  });
  return status === 0 ? undefined : stdout + stderr;
}

test("types of the public API are what tests/types says, and the tests' helpers have some", () => {
  assert.equal(failure("node_modules/typescript/bin/tsc", "-p", "tests/tsconfig.json"), undefined);
});

test("every value that a file of the source exports has a user", () => {
  const text =
    "export const a = 1;\nexport function b() {}\nexport type C = 1;\nexport { d as e };";
  assert.deepEqual(exportsOf(text), ["a", "b", "e"]);
  assert.deepEqual(importsOf('import { f, type G } from "./h.js";\nimport * as i from "./j.js";'), [
    ["./h.js", "f"],
    ["./h.js", "G"],
    ["./j.js", "*"],
  ]);
  assert.equal(failure("scripts/unused-exports.mjs"), undefined);
});

test("no promise of the source is dropped without a word", () => {
  const text = `
    declare const later: () => Promise<number>, maybe: (() => Promise<void>) | undefined;
    later(); maybe?.(); if (maybe) later().then(() => {}); maybe && later(); (later(), 1);
    later().finally(() => {});
    async function all() { await later(); void later(); later().catch(() => {}); later().then(console.log, () => {});
      const kept = later(); return kept; }
    later().catch(() => {}).finally(() => {});`;
  const options = { target: ts.ScriptTarget.ESNext, types: [], strict: true };
  const host = ts.createCompilerHost(options);
  const { getSourceFile } = host;
  host.getSourceFile = (name, ...rest) =>
    name === "made.ts"
      ? ts.createSourceFile(name, text, ...rest)
      : Reflect.apply(getSourceFile, host, [name, ...rest]);
  const found = floatingIn(
    ts.createProgram(["made.ts"], options, host),
    (name) => name === "made.ts",
  );
  assert.deepEqual(
    found.map(([, line, code]) => `${line} ${code}`),
    [
      "3 later()",
      "3 maybe?.()",
      "3 later().then(() => {})",
      "3 later()",
      "3 later()",
      "4 later().finally(() => {})",
    ],
  );
  assert.equal(failure("scripts/floating-promises.mjs"), undefined);
});

test("docs/api.md is what the declarations say", () => {
  assert.equal(failure("scripts/api-docs.mjs", "--check"), undefined);
});

test("no function is longer than one can take in", () => {
  assert.equal(mostLines, 80);
  assert.deepEqual([...longFunctions()], [], "split it");
});
