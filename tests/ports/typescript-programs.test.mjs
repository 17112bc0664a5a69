// Programs whose TypeScript the engine's own parser cannot take: they go through the compiler in a machine of its own, or say
// what is missing.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { NodeRuntime } from "../../dist/index.js";
import { findEngine } from "../../dist/launcher/engine.js";
import { noCompiler } from "../support/compiler.mjs";
import { machine } from "../support/machines.mjs";

const it = (name, body) => test(name, { timeout: 240_000, skip: noCompiler }, body);
const root = fileURLToPath(new URL("../..", import.meta.url));
const { path: enginePath } = findEngine();

let rt;
before(async () => {
  rt = await machine();
});

const standard = `
enum Color { Red = 3, Blue }
namespace Tools { export const twice = (n: number) => n * 2; }
function named(target: unknown, context: DecoratorContext) { seen.push([context.kind, String(context.name)]); }
const seen: string[][] = [];
@named class Thing { @named accessor size = 5; @named static of(): Thing { return new Thing(); } constructor(readonly color: Color) {} }
__return([Color.Blue, Tools.twice(4), seen, new Thing(Color.Red).color]);`;

it("decorators of the language, with enums, namespaces and parameter properties", async () => {
  const { value, stderr } = await rt.run(standard, { language: "ts" });
  const seen = [
    ["method", "of"],
    ["accessor", "size"],
    ["class", "Thing"],
  ];
  assert.deepEqual([value, stderr], [[4, 8, seen, 3], ""]);
});

it("experimental decorators, of parameters too, and the types that they are told", async () => {
  const program = `
    const seen: unknown[] = [];
    (Reflect as any).metadata = (key: string, value: unknown) => () => void seen.push([key, String(value).slice(9, 15)]);
    const d = (target: object, key: string, index: number) => void seen.push([key, index]);
    class A { m(@d p: number): void {} }
    __return(seen);`;
  const compilerOptions = { experimentalDecorators: true, emitDecoratorMetadata: true };
  const { value, stderr } = await rt.run(program, { language: "ts", compilerOptions });
  assert.equal(stderr, "");
  assert.deepEqual(value[0].slice(0, 1), ["design:returntype"]);
  assert.deepEqual(value.at(-1), ["m", 0]);
});

const runtime = {
  "package.json": '{ "exports": { "./jsx-runtime": "./jsx.mjs" } }',
  "jsx.mjs": `export const jsx = (tag, props) => [tag, props], jsxs = jsx, Fragment = "all";`,
};
const element = `const at: number = 3; __return(<a k={at}><></><b/></a>);`;
const made = [
  "a",
  {
    k: 3,
    children: [
      ["all", {}],
      ["b", {}],
    ],
  },
];

it("JSX is for react/jsx-runtime, for a package that is named, or for a function", async () => {
  for (const name of ["react", "tiny"])
    for (const [file, text] of Object.entries(runtime))
      await rt.writeFile(`/home/user/node_modules/${name}/${file}`, text);
  assert.deepEqual((await rt.run(element, { language: "tsx" })).value, made);
  const named = { language: "tsx", compilerOptions: { jsxImportSource: "tiny" } };
  assert.deepEqual((await rt.run(element, named)).value, made);
  const own = `/* @jsx h */ /* @jsxFrag null */ const h = (...all: unknown[]) => all; ${element}`;
  const { value, stderr } = await rt.run(own, { name: "/home/user/page.tsx" });
  assert.deepEqual([value, stderr], [["a", { k: 3 }, [null, null], ["b", null]], ""]);
  const factory = {
    language: "tsx",
    compilerOptions: { jsxFactory: "h", jsxFragmentFactory: "null" },
  };
  assert.deepEqual((await rt.run(own.slice(own.indexOf("const")), factory)).value, value);
});

it("the same in spawned programs, templates and resident runners", async () => {
  const spawned = await rt.spawn(
    `function d(t: unknown, c: unknown) { console.log("decorated"); } @d class A {}`,
    {
      language: "ts",
    },
  );
  assert.equal(await spawned.wait(), 0);
  assert.equal(await new Response(spawned.stdout).text(), "decorated\n");
  const template = await rt.template(
    `/* @jsx h */ const h = (tag: string) => tag; globalThis.made = <b/>;`,
    {
      language: "tsx",
    },
  );
  const copy = await template.run("const a: string = made; __return(a)", { language: "ts" });
  assert.equal(copy.value, "b");
  await template.dispose();
  const runner = await rt.createResidentRunner({ language: "tsx" });
  const first = runner.exec(`/* @jsx h */ const h = (tag: string) => tag; globalThis.kept = <i/>;`);
  await assert.rejects(runner.exec("1"), { code: "ERR_SECURE_EXEC_RUNNER_BUSY" });
  assert.equal((await first).exitCode, 0);
  assert.equal((await runner.exec("console.log(kept as string)")).stdout, "i\n");
  await runner.dispose();
  const plain = await rt.createResidentRunner({ language: "ts" });
  assert.equal(
    (
      await plain.exec(
        `function d(t: any, c: any) { t.x = 1; } @d class A {} console.log((A as any).x)`,
      )
    ).stdout,
    "1\n",
  );
  assert.equal((await plain.exec("const n: number = 2; console.log(n)")).stdout, "2\n");
  await plain.dispose();
});

it("what is wrong with a text, or with the options", async () => {
  const { exitCode, stderr } = await rt.exec("const a = 1;\nconst b: number = ;", {
    name: "bad.tsx",
  });
  assert.equal(exitCode, 1);
  assert.match(stderr, /SyntaxError: bad\.tsx:2:19: error TS1109: Expression expected\./);
  await assert.rejects(
    rt.run("1", { language: "ts", compilerOptions: { experimentalDecorator: true } }),
    {
      code: "ERR_SECURE_EXEC_INVALID_OPTION",
      message: /^compilerOptions are refused: Unknown compiler option/,
    },
  );
  const signal = AbortSignal.abort(new Error("no more"));
  await assert.rejects(rt.run("<a/>", { language: "tsx", signal }), /no more/);
});

it("what needs no compiler does not go there, so that places stay", async () => {
  const { stderr } = await rt.exec(`const a: string = "@name"; // @b\nthrow new Error(a);`, {
    language: "ts",
  });
  assert.match(stderr, /:2:7/);
});

it("a recording has what was compiled, and needs no compiler to be run again", async () => {
  const options = { deterministic: { seed: 5, startTimeMs: 0 } };
  const recorded = await NodeRuntime.create({ ...options, record: true });
  const { recording, value } = await recorded.run(standard, { language: "ts" });
  await recorded.dispose();
  assert.equal(JSON.parse(JSON.stringify(recording)).program.language, "js");
  const replaying = await NodeRuntime.create(options);
  assert.deepEqual((await replaying.replay(recording)).value, value);
  await replaying.dispose();
});

it("a runtime that is disposed meanwhile answers so, and a later one compiles anew", async () => {
  const other = await NodeRuntime.create();
  const running = other.run(standard, { language: "ts" });
  const rejected = assert.rejects(running, { code: "ERR_SECURE_EXEC_DISPOSED" });
  await other.dispose();
  await rejected;
  await assert.rejects(other.run(standard, { language: "ts" }), {
    code: "ERR_SECURE_EXEC_DISPOSED",
  });
  assert.equal((await rt.run(standard, { language: "ts" })).exitCode, 0);
});

test("without a compiler an error says what to install", { timeout: 120_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), "secure-exec-no-compiler-"));
  try {
    const modules = join(folder, "node_modules");
    mkdirSync(join(modules, "@cfworker"), { recursive: true });
    mkdirSync(join(modules, "secure-exec"));
    for (const name of ["dist", "package.json"])
      symlinkSync(join(root, name), join(modules, "secure-exec", name));
    symlinkSync(
      join(root, "node_modules/@cfworker/json-schema"),
      join(modules, "@cfworker/json-schema"),
    );
    writeFileSync(
      join(folder, "main.mjs"),
      `import { NodeRuntime } from "secure-exec";
       const rt = await NodeRuntime.create();
       const codes = [];
       for (const options of [{ language: "tsx" }, { language: "ts", compilerOptions: {} }])
         await rt.run("1", options).catch(({ code, message, remedy }) => codes.push({ code, message, remedy }));
       await rt.run("@d class A {}", { language: "ts" }).catch(({ message }) => codes.push(message));
       codes.push((await rt.run("enum A { B = 7 } __return(A.B)", { language: "ts" })).value);
       await rt.dispose();
       console.log(JSON.stringify(codes));`,
    );
    // As if the package, which is a link here, were where it seems to be.
    const links = ["--preserve-symlinks", "--preserve-symlinks-main"];
    const { stdout } = await promisify(execFile)(process.execPath, [...links, "main.mjs"], {
      cwd: folder,
      env: { ...process.env, SECURE_EXEC_ENGINE: enginePath },
    });
    const [jsx, options, decorators, value] = JSON.parse(stdout);
    assert.equal(jsx.code, "ERR_SECURE_EXEC_COMPILER_MISSING");
    assert.match(
      jsx.message,
      /^language "tsx" needs the TypeScript compiler: there is no TypeScript compiler/,
    );
    assert.match(jsx.remedy, /npm install typescript@5/);
    assert.match(options.message, /^the option compilerOptions needs/);
    assert.match(decorators, /^a program with decorators needs/);
    assert.equal(value, 7);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
