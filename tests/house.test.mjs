// Checks that need the compiler or the whole source: types of the public API and of the tests' helpers,
// exports that nobody uses, and generated pages that have no test of their own.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import ts from "typescript-5";
import { floatingIn } from "../scripts/floating-promises.mjs";
import { budget, packageBytes } from "../scripts/packing.mjs";
import { longFiles, mostLines as mostLinesOfFile, reasons } from "../scripts/long-files.mjs";
import { functionsIn, longFunctions, mostLines } from "../scripts/long-functions.mjs";
import { alone, longest, needsEngine, processesOf, verdictOn } from "../scripts/test-processes.mjs";
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

test("docs/api.md and docs/ports/api.md are what the declarations say", () => {
  assert.equal(failure("scripts/api-docs.mjs", "--check"), undefined);
});

test("no function is longer than one can take in", () => {
  const forms = `export function a({
  b,
}: C): D {
  return { e() {}, f: () => 1 };
}
class G { *#h() {
} }`;
  assert.deepEqual(functionsIn(forms), [
    ["a", 1, 5],
    ["e", 4, 1],
    ["f", 4, 1],
    ["#h", 6, 2],
  ]);
  assert.equal(mostLines, 80);
  assert.deepEqual([...longFunctions()], [], "split it");
});

test("a file of more than 400 lines has a reason to be one", () => {
  assert.equal(mostLinesOfFile, 400);
  const long = [...longFiles().keys()].sort();
  assert.deepEqual(
    long.filter((file) => reasons[file] === undefined),
    [],
    "split it by its nouns, or say in scripts/long-files.mjs why not",
  );
  assert.deepEqual(
    Object.keys(reasons).filter((file) => !long.includes(file)),
    [],
    "it is short by now",
  );
});

/** Lines of the source, as [file, line]. */
function* linesOf(folder) {
  for (const file of readdirSync(join(root, folder), { recursive: true }).map(String))
    if (/\.c?ts$/.test(file))
      for (const line of readFileSync(join(root, folder, file), "utf8").split("\n"))
        yield [`${folder}/${file}`, line];
}

test("a rule of the linter is switched off for a reason, and `any` where one's caller says what it is", () => {
  const off = [...linesOf("src")].filter(([, line]) => line.includes("oxlint-disable"));
  assert.deepEqual(
    off.filter(([, line]) => !/-- \S+ \S+/.test(line)),
    [],
  );
  // Everywhere else the linter finds it. Those are public types that take a function of the caller's, stand for
  // another package's, or type what is Node's own.
  const any = off.filter(([, line]) => line.includes("no-explicit-any")).map(([file]) => file);
  assert.deepEqual(
    any.filter((file) => !/^src\/(?:guest|launcher\/zygote|ports)\//.test(file)).sort(),
    [
      "src/sdk/driver/execution-driver.ts",
      "src/sdk/tool-definitions.ts",
      "src/sdk/tool-definitions.ts",
    ],
  );
});

test("a comment stands on what it describes, and not on another comment", () => {
  const orphans = [];
  for (const file of readdirSync(join(root, "src"), { recursive: true }).map(String)) {
    if (!/\.c?ts$/.test(file)) continue;
    const text = readFileSync(join(root, "src", file), "utf8");
    // The first is the file's own.
    const own = text.indexOf("*/");
    for (const { index } of text.matchAll(/\*\/\s*(?:\/\*\*|\})/g))
      if (index !== own) orphans.push(`${file}:${text.slice(0, index).split("\n").length}`);
  }
  assert.deepEqual(orphans, []);
});

/** Names of all test files, from the project's folder. */
const testFiles = readdirSync(join(root, "tests"), { recursive: true })
  .map((name) => join("tests", String(name)))
  .filter((name) => name.endsWith(".test.mjs"))
  .sort();

test("every test file runs, in one process; what is said to run alone is there, and does", () => {
  const processes = processesOf(testFiles);
  assert.deepEqual(processes.flat().sort(), testFiles);
  for (const [name, why] of Object.entries(alone)) {
    const own = testFiles.filter((file) =>
      name.endsWith("/") ? file.startsWith(name) : file === name,
    );
    assert.ok(own.length > 0, `${name} is not there`);
    assert.match(why, /\S+ \S+/);
    for (const file of own)
      assert.deepEqual(
        processes.filter((files) => files.includes(file)),
        [[file]],
      );
  }
  assert.deepEqual(
    processes.slice(0, longest.length),
    longest.map((file) => [file]),
  );
  // A process is one Node, and is over in a moment.
  for (const files of processes) {
    assert.equal(new Set(files.map((file) => needsEngine(file))).size, 1, files.join(" "));
    assert.ok(files.length <= 16);
  }
  assert.deepEqual(
    processesOf(testFiles, false).filter(({ length }) => length !== 1),
    [],
  );
});

test("files that share a process are told apart: one that fails, does not load or does not end", () => {
  const folder = mkdtempSync(join(tmpdir(), "secure-exec-shared-"));
  try {
    const write = (name, text) => {
      writeFileSync(join(folder, name), `import { after, test } from "node:test";\n${text}`);
      return join(folder, name);
    };
    const said = (...files) => {
      const { status, stdout } = spawnSync(
        process.execPath,
        ["--test-reporter=tap", "scripts/test-files.mjs", ...files],
        { cwd: root, encoding: "utf8", env: { ...process.env, NODE_TEST_CONTEXT: undefined } },
      );
      return { status, told: files.map((file) => verdictOn(file, stdout)) };
    };
    const log = JSON.stringify(join(folder, "log"));
    const note = (word) => `(await import("node:fs")).appendFileSync(${log}, "${word} ")`;
    const helper = JSON.stringify(join(root, "tests/support/file-end.mjs"));
    const good = write(
      "good.mjs",
      `import { atFileEnd } from ${helper};
      atFileEnd(async () => ${note("closed")});
      after(async () => ${note("ended")});
      test("a", async () => ${note("ran")});`,
    );
    const bad = write("bad.mjs", 'test("b", () => { throw new Error("b"); });');
    const broken = write("broken.mjs", 'test("c", () => {}); throw new Error("c");');
    const endless = write("endless.mjs", 'test("d", () => new Promise(() => {}));');
    const next = write("next.mjs", `${note("next")}; test("e", () => {});`);
    assert.deepEqual(said(good, next), { status: 0, told: ["ok", "ok"] });
    assert.equal(readFileSync(join(folder, "log"), "utf8"), "ran ended closed next closed ");
    assert.deepEqual(said(bad, broken, next), { status: 1, told: ["not ok", "not ok", "ok"] });
    assert.deepEqual(said(good, endless, next).told, ["ok", "not ok", undefined]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("tests are where their source is", () => {
  const folders = (folder) =>
    readdirSync(join(root, "src", folder), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => join(folder, name));
  // Each room of the kernel and the launcher by itself; of others the tests are by topic.
  const rooms = [...folders(""), ...folders("kernel"), ...folders("launcher")];
  const hasTests = (folder) =>
    existsSync(join(root, "tests", folder)) &&
    readdirSync(join(root, "tests", folder), { recursive: true }).some((file) =>
      String(file).endsWith(".test.mjs"),
    );
  assert.deepEqual(
    rooms.filter((folder) => !hasTests(folder)),
    [],
  );
  const calls = readdirSync(join(root, "src/kernel/syscalls")).map((file) => file.slice(0, -3));
  assert.deepEqual(
    calls
      .map((name) => name.split("-")[0])
      .filter((name) => !existsSync(join(root, `tests/kernel/syscalls/${name}.test.mjs`))),
    // Held by system-calls-doc.test.mjs and by all of them.
    ["table"],
  );
});

test("the package is within its budget", () => {
  const bytes = packageBytes();
  // Less than this is not the whole package.
  assert.ok(bytes > 2 * 1024 * 1024, `${bytes} bytes`);
  assert.ok(bytes <= budget.package, `${bytes} bytes of ${budget.package}`);
});
