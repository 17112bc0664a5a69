// The TypeScript tools: what they say about sources and projects, what they leave alone, and what a further call costs.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import {
  compileProject,
  createTypeScriptTools,
  typecheckSource,
} from "../../dist/ports/typescript/index.js";
import { compilerDir, noCompiler } from "../support/compiler.mjs";
import { machine } from "../support/machines.mjs";

const it = (name, body) => test(name, { timeout: 240_000, skip: noCompiler }, body);
const root = fileURLToPath(new URL("../..", import.meta.url));
const cli = join(root, "dist/cli/main.js");

const project = {
  "/root/tsconfig.json": JSON.stringify({
    compilerOptions: {
      target: "es2022",
      module: "nodenext",
      strict: true,
      outDir: "out",
      declaration: true,
    },
    include: ["src"],
  }),
  "/root/package.json": '{ "type": "module" }',
  "/root/src/add.ts": "export const add = (a: number, b: number): number => a + b;\n",
  "/root/src/main.ts": 'import { add } from "./add.js";\nexport const sum: number = add(1, 2);\n',
};

let tools;
before(() => {
  if (compilerDir !== undefined)
    tools = createTypeScriptTools({ compilerPackageDir: compilerDir, files: project });
});
after(() => tools?.dispose());

it("a source's errors come with code, place and text; they are not thrown", async () => {
  const wrong = await tools.typecheckSource({ sourceText: "export {};\n  let x: number = 'a';\n" });
  assert.deepEqual(wrong, {
    success: false,
    diagnostics: [
      {
        code: 2322,
        category: "error",
        message: "Type 'string' is not assignable to type 'number'.",
        filePath: "/root/source.ts",
        line: 2,
        column: 7,
      },
    ],
  });
  const right = await tools.typecheckSource({
    sourceText: "export const x: Map<string, number> = new Map();",
  });
  assert.deepEqual(right, { success: true, diagnostics: [] });
  for (const sourceText of [undefined, 5, ["let x"]]) {
    const given = /** @type {any} */ ({ sourceText });
    for (const call of [tools.typecheckSource, tools.compileSource, tools.transpileSource])
      await assert.rejects(call(given), TypeError("sourceText must be a string"));
  }
  const [syntax] = (await tools.typecheckSource({ sourceText: "let = ;" })).diagnostics;
  assert.equal(syntax.category, "error");
});

it("options are those of tsconfig.json, and a wrong one is a diagnostic", async () => {
  const sourceText = "export const f = (x) => x;";
  const strict = await tools.typecheckSource({ sourceText });
  assert.deepEqual(
    strict.diagnostics.map(({ code }) => code),
    [7006],
  );
  const loose = await tools.typecheckSource({
    sourceText,
    compilerOptions: { noImplicitAny: false },
  });
  assert.equal(loose.success, true);
  const unknown = await tools.typecheckSource({
    sourceText: "export {}",
    compilerOptions: { noSuchOption: true },
  });
  assert.deepEqual([unknown.success, unknown.diagnostics[0].code], [false, 5023]);
});

it("a source may import the project's files, and touches none of them", async () => {
  const sourceText = 'import { add } from "./src/add.js";\nexport const two: string = add(1, 1);';
  const { diagnostics } = await tools.typecheckSource({
    sourceText,
    filePath: "tsconfig.ts",
    configFilePath: "tsconfig.json",
  });
  assert.deepEqual(
    diagnostics.map(({ code, line }) => [code, line]),
    [[2322, 2]],
  );
  const compiled = await tools.compileSource({
    sourceText: "export const a = 1;",
    filePath: "src/add.ts",
  });
  assert.match(compiled.outputText, /export const a = 1;/);
  assert.equal(await tools.readFile("/root/src/add.ts"), project["/root/src/add.ts"]);
  await assert.rejects(tools.readFile("/root/src/add.js"), {
    code: "ERR_SECURE_EXEC_NO_SUCH_FILE",
  });
});

it("enums, namespaces, decorators and JSX are compiled to what a machine runs", async () => {
  const { success, outputText, sourceMapText, diagnostics } = await tools.compileSource({
    sourceText: `
      const h = (tag: string, props: object | null, ...children: unknown[]) => [tag, children] as const;
      declare namespace JSX { interface IntrinsicElements { b: object } }
      enum Color { Red = 3, Blue }
      namespace Tools { export const twice = (n: number) => n * 2; }
      function tagged<T extends new () => object>(target: T, _: ClassDecoratorContext) { (target as unknown as { tag: string }).tag = "yes"; }
      @tagged class Thing { constructor(readonly size = 5) {} }
      declare const __return: (value: unknown) => void;
      __return([Color.Blue, Tools.twice(4), (Thing as unknown as { tag: string }).tag, new Thing().size, <b>text</b>]);`,
    filePath: "plugin.tsx",
    compilerOptions: { jsx: "react", jsxFactory: "h", sourceMap: true },
  });
  assert.deepEqual([success, diagnostics], [true, []]);
  assert.equal(JSON.parse(sourceMapText).version, 3);
  const rt = await machine();
  const { value, stderr } = await rt.run(outputText);
  assert.deepEqual([value, stderr], [[4, 8, "yes", 5, ["b", ["text"]]], ""]);
});

it("projects are checked and compiled in the machine", async () => {
  assert.deepEqual(await tools.typecheckProject(), { success: true, diagnostics: [] });
  const compiled = await tools.compileProject({ configFilePath: "tsconfig.json" });
  assert.deepEqual([compiled.success, compiled.emitSkipped], [true, false]);
  assert.deepEqual(
    compiled.emittedFiles.toSorted(),
    ["add.d.ts", "add.js", "main.d.ts", "main.js"].map((name) => `/root/out/${name}`),
  );
  assert.match(await tools.readFile("/root/out/main.js"), /export const sum = add\(1, 2\);/);
  const missing = await tools.typecheckProject({ cwd: "/tmp" });
  assert.deepEqual([missing.success, missing.diagnostics[0].code], [false, 5081]);
});

it("each function of its own makes a machine and ends it", async () => {
  const one = await typecheckSource(
    { sourceText: "export const a: string = 1;" },
    { compilerPackageDir: compilerDir },
  );
  assert.deepEqual(
    one.diagnostics.map(({ code }) => code),
    [2322],
  );
  const files = { ...project, "/root/src/main.ts": "export const wrong: string = 1;" };
  const compiled = await compileProject({ compilerPackageDir: compilerDir, files });
  assert.equal(compiled.success, false);
  assert.match(compiled.files["/root/out/add.js"], /a \+ b/);
});

it("a source that names files of the host finds none of them", async () => {
  const { diagnostics } = await tools.typecheckSource({
    sourceText: 'import x from "/etc/hostname.json";\nimport "./../../../../proc/self/environ";',
  });
  assert.ok(diagnostics.every(({ category }) => category === "error"));
});

it("a second check costs a fraction of plain Node's, which loads the compiler each time", async () => {
  const sourceText =
    "export const total = (numbers: number[]): number => numbers.reduce((a, b) => a + b, 0);";
  const directory = mkdtempSync(join(tmpdir(), "typecheck-"));
  try {
    writeFileSync(join(directory, "source.ts"), sourceText);
    const startedMs = performance.now();
    execFileSync(
      process.execPath,
      [join(compilerDir, "bin/tsc"), "--noEmit", "--strict", "--target", "es2022", "source.ts"],
      { cwd: directory },
    );
    const plainMs = performance.now() - startedMs;
    await tools.typecheckSource({ sourceText });
    const times = [];
    for (let round = 0; round < 5; round++) {
      const roundMs = performance.now();
      await tools.typecheckSource({ sourceText });
      times.push(performance.now() - roundMs);
    }
    const bestMs = Math.min(...times);
    assert.ok(
      bestMs < plainMs / 2,
      `${Math.round(bestMs)} ms, plain Node ${Math.round(plainMs)} ms`,
    );
  } finally {
    rmSync(directory, { recursive: true });
  }
});

/** Gives `body` an empty directory, and the command line's `typecheck` in it. */
function inDirectory(body) {
  const directory = mkdtempSync(join(tmpdir(), "typecheck-"));
  try {
    body(directory, (...args) =>
      spawnSync(process.execPath, [cli, "typecheck", "--compiler", compilerDir, ...args], {
        encoding: "utf8",
        cwd: directory,
      }),
    );
  } finally {
    rmSync(directory, { recursive: true });
  }
}

it("secure-exec typecheck prints what tsc prints, and ends with 1 where there are errors", () =>
  inDirectory((directory, run) => {
    writeFileSync(join(directory, "good.ts"), "export const a: number = 1;");
    writeFileSync(join(directory, "bad.ts"), "export const a: number = '1';");
    const bad = run("good.ts", "bad.ts");
    assert.deepEqual(
      [bad.status, bad.stdout, bad.stderr],
      [1, "bad.ts(1,14): error TS2322: Type 'string' is not assignable to type 'number'.\n", ""],
    );
    writeFileSync(
      join(directory, "tsconfig.json"),
      '{ "compilerOptions": { "strict": true, "target": "es2022" } }',
    );
    const all = run("--json", ".");
    assert.deepEqual([all.status, JSON.parse(all.stdout).filePath], [1, "bad.ts"]);
  }));

it("secure-exec typecheck of a file finds the packages at or above it, and says where those of Node are missing", () =>
  inDirectory((directory, run) => {
    mkdirSync(join(directory, "deep"));
    const program = join(directory, "deep/program.ts");
    writeFileSync(
      program,
      `import { sep } from "node:path";
import { answer } from "wise";
export const a: number = sep.length + answer.length + process.pid;
`,
    );
    const without = run("deep/program.ts");
    assert.equal(without.status, 1);
    assert.match(without.stdout, /TS2591|TS2580/);
    assert.match(without.stderr, /hint: .*npm install --save-dev @types\/node beside the file/);
    const packages = join(directory, "node_modules");
    mkdirSync(join(packages, "wise"), { recursive: true });
    writeFileSync(join(packages, "wise/index.d.ts"), "export declare const answer: string;");
    writeFileSync(join(packages, "wise/package.json"), '{ "name": "wise", "types": "index.d.ts" }');
    for (const name of ["@types/node", "undici-types"])
      cpSync(join(root, "node_modules", name), join(packages, name), { recursive: true });
    const found = run("deep/program.ts");
    assert.deepEqual([found.stdout, found.stderr, found.status], ["", "", 0]);
  }));

test("without a compiler the error says which to install", () => {
  assert.throws(
    () => createTypeScriptTools({ compilerPackageDir: tmpdir() }),
    /has no lib\/typescript\.js; install typescript 5\.x/,
  );
});

test("language: ts compiles enums, namespaces and parameter properties in the machine", async () => {
  const rt = await machine();
  const { value, stderr } = await rt.run(
    `enum A { X = 3, Y } namespace N { export const q: number = A.Y; } class C { constructor(readonly z: number) {} } __return([A.X, A[3], N.q, new C(7).z]);`,
    { language: "ts" },
  );
  assert.deepEqual([value, stderr], [[3, "X", 4, 7], ""]);
  // What only has types is stripped of them, so that places stay.
  const failed = await rt.exec(`const a: number = 1;\nthrow new Error("here");`, {
    language: "ts",
  });
  assert.match(failed.stderr, /:2:7/);
});
