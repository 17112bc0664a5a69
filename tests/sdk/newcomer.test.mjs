// What newcomers stumbled over, each gone: an installation or a first program that went wrong without saying why.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { NodeRuntime } from "../../dist/index.js";
import { machine } from "../support/machines.mjs";
import { typeCheck } from "../support/type-check.mjs";

const it = (name, body) => test(name, { timeout: 120_000 }, body);
const root = fileURLToPath(new URL("../..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "secure-exec-newcomer-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const refusal = (promise) =>
  promise.then(
    () => assert.fail("it was accepted"),
    ({ code, message, remedy }) => {
      assert.ok(remedy.length > 10, "an error says what to do");
      return `${code.replace("ERR_SECURE_EXEC_", "")}: ${message}`;
    },
  );

it("a result says why a run ended", async () => {
  const rt = await machine();
  const { exitCode, end } = await rt.exec("for (;;);", { timeout: 300 });
  assert.deepEqual([exitCode, end.reason], [137, "timeout"]);
  const greedy = await rt.exec("for (;;);", { limits: { cpuTimeMs: 200 } });
  assert.deepEqual([greedy.end.reason, greedy.end.limit], ["limit", "cpuTimeMs"]);
});

it("a relative import is one of the working directory, and packages are found by run and by node", async () => {
  const packages = join(folder, "node_modules");
  mkdirSync(join(packages, "greets"), { recursive: true });
  writeFileSync(join(packages, "greets/package.json"), '{ "name": "greets", "main": "main.js" }');
  writeFileSync(join(packages, "greets/main.js"), "exports.greeting = 'hello';");
  const rt = await machine({
    nodeModules: packages,
    files: {
      "/home/user/lib.mjs": "export const five = 5;",
      "/home/user/main.mjs": "import { greeting } from 'greets'; console.log(greeting);",
    },
  });
  const program =
    "import { five } from './lib.mjs'; import g from 'greets'; __return([five, g.greeting])";
  assert.deepEqual((await rt.run(program)).value, [5, "hello"]);
  assert.equal((await rt.execCommand("node", ["main.mjs"])).stdout, "hello\n");
});

it("nothing is accepted that has no effect", async () => {
  const rt = await machine({ files: { "/home/user/a.txt": "text" } });
  assert.equal(await rt.readFile("a.txt", "utf8"), "text");
  assert.match(
    await refusal(rt.waitForListener({ port: 3000 }, { timeout: 50 })),
    /^LISTENER_TIMEOUT: .*50ms/,
  );
  assert.match(
    await refusal(rt.waitForListener({ port: 3000 }, /** @type {any} */ ({ timeoutms: 50 }))),
    /did you mean timeoutMs\?/,
  );
  const inputSchema = { type: "object", properties: { n: { type: "nubmer" } } };
  assert.match(
    await refusal(NodeRuntime.create({ tools: { twice: { inputSchema, handler: () => 1 } } })),
    /^INVALID_OPTION: tools\.twice\.inputSchema\.properties\.n\.type must be of string, number/,
  );
  for (const [value, why] of [
    ["Promise.resolve(1)", /^RETURN_VALUE: .*a promise; await it/],
    ["new Map([[1, 2]])", /^RETURN_VALUE: .*Map or Set.*structured/],
    ["new Set([1])", /^RETURN_VALUE: .*Map or Set/],
  ])
    assert.match(await refusal(rt.run(`__return(${value})`)), /** @type {RegExp} */ (why));
  assert.deepEqual((await rt.run("__return({ list: [1] })")).value, { list: [1] });
});

it("errors name what was meant, and the path that is missing", async () => {
  const wrong = /** @type {any} */ ({ permisions: {} });
  assert.match(await refusal(NodeRuntime.create(wrong)), /permisions.*did you mean permissions\?/);
  assert.match(
    await refusal(NodeRuntime.create({ nodeModules: "/nowhere/at/all" })),
    /\/nowhere\/at\/all$/,
  );
});

it("the types of every export need neither skipLibCheck nor Node's types; with them, bytes and streams are Node's", () => {
  const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const typed = Object.keys(exports).filter((name) => exports[name].types !== undefined);
  assert.ok(typed.length > 10);
  const all = typed.map((name) => `import "${name.replace(".", "secure-exec")}";\n`).join("");
  const uses = `import { NodeRuntime } from "secure-exec";
    const rt = await NodeRuntime.create();
    const bytes = await rt.fs.readFile("a");
    export const size: number = bytes.byteLength;
    export const kept: Uint8Array = bytes;
    for await (const chunk of await rt.snapshot()) rt.createWriteStream("b").write(chunk);
  `;
  const nodes = `import { Readable, pipeline } from "node:stream";
    export const text: string = bytes.toString("hex");
    export const stream: Readable = rt.createReadStream("a");
    pipeline(stream, rt.createWriteStream("b"), () => {});
  `;
  const check = (name, source, options) => {
    const program = join(root, "build", `newcomer-${process.pid}-${name}.mts`);
    mkdirSync(join(root, "build"), { recursive: true });
    writeFileSync(program, source);
    after(() => rmSync(program, { force: true }));
    return typeCheck([program], { year: "es2022", flags: [], ...options }).stdout;
  };
  assert.equal(check("bare", all + uses, { lib: ["dom", "dom.iterable"], types: [] }), "");
  assert.equal(check("node", all + uses + nodes), "");
});
