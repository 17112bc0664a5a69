/** Real packages from a host mount: they load by Node's own rules and do real work. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { NodeRuntime } from "../../dist/index.js";
import { fixtures } from "../../scripts/fixtures.mjs";

let directory;
let unreachable = false;
try {
  directory = fixtures();
} catch (error) {
  unreachable = `the packages cannot be installed here: ${String(error.message).split("\n")[0]}`;
}

describe("packages from a mounted node_modules", { skip: unreachable }, () => {
  let rt;
  before(async () => {
    rt = await NodeRuntime.create({ nodeModules: join(directory, "node_modules") });
  });
  after(() => rt.dispose());
  const run = async (program, options) => {
    const { value, exitCode, stderr } = await rt.run(program, options);
    assert.equal(exitCode, 0, stderr);
    return value;
  };

  it("lodash: import and require are one instance, found where it is mounted", async () => {
    const value = await run(`
      import _ from "lodash";
      import groupBy from "lodash/groupBy.js";
      import { createRequire } from "node:module";
      const require = createRequire(import.meta.url);
      __return([require("lodash") === _, groupBy([1.2, 1.8, 2.1], Math.floor), _.chunk([1, 2, 3], 2),
        require.resolve("lodash"), import.meta.resolve("lodash")]);`);
    assert.deepEqual(value, [
      true,
      { 1: [1.2, 1.8], 2: [2.1] },
      [[1, 2], [3]],
      "/tmp/node_modules/lodash/lodash.js",
      "file:///tmp/node_modules/lodash/lodash.js",
    ]);
  });

  it("zod: a package with conditional exports parses and reports", async () => {
    const value = await run(`
      import { z } from "zod";
      const User = z.object({ name: z.string().min(2), age: z.number().int().optional() });
      const bad = User.safeParse({ name: "x", age: 1.5 });
      __return([User.parse({ name: "Ada", extra: 1 }), bad.success,
        bad.error.issues.map((issue) => issue.path.join("."))]);`);
    assert.deepEqual(value, [{ name: "Ada" }, false, ["name", "age"]]);
  });

  it("express: its tree of dependencies loads and routes a request", async () => {
    const value = await run(`
      import express from "express";
      import { EventEmitter } from "node:events";
      const app = express();
      app.use((request, response, next) => { request.seen = true; next(); });
      app.get("/user/:id", (request, response) => response.answer(request.params.id, request.seen));
      const answer = await new Promise((resolve, reject) => {
        const request = Object.assign(new EventEmitter(), { method: "GET", url: "/user/7", headers: {} });
        const response = Object.assign(new EventEmitter(), {
          setHeader() {}, getHeader() {}, removeHeader() {},
        });
        app.response.answer = (id, seen) => resolve([id, seen]);
        app.handle(request, response, reject);
      });
      __return([typeof app.listen, answer]);`);
    assert.deepEqual(value, ["function", ["7", true]]);
  });

  it("typescript: transpiles and type-checks with its own library files", async () => {
    const value = await run(
      `
      import ts from "typescript";
      import fs from "node:fs";
      const { outputText } = ts.transpileModule("const n: number = 1; export enum E { A }", {
        compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 },
      });
      fs.mkdirSync("/workspace/app");
      fs.writeFileSync("/workspace/app/a.ts", "export const one: string = 'x'; const m = new Map<string, number>(); m.get(1);");
      fs.writeFileSync("/workspace/app/b.ts", "import { one } from './a'; export const two: number = one;");
      const program = ts.createProgram(["/workspace/app/b.ts"], { strict: true, noEmit: true, types: [], target: ts.ScriptTarget.ES2022 });
      const found = ts.getPreEmitDiagnostics(program).map((d) => [d.file.fileName, d.code]);
      __return([ts.version, outputText.includes("E[E"), found]);`,
      { timeout: 60_000 },
    );
    assert.deepEqual(value, [
      "5.9.3",
      true,
      [
        ["/workspace/app/a.ts", 2345],
        ["/workspace/app/b.ts", 2322],
      ],
    ]);
  });

  it("nothing of the mount can be changed, and nothing outside is there", async () => {
    const value = await run(`
      import fs from "node:fs";
      const code = (call) => { try { call(); return "done"; } catch (error) { return error.code; } };
      __return([
        code(() => fs.writeFileSync("/tmp/node_modules/lodash/lodash.js", "")),
        code(() => fs.rmSync("/tmp/node_modules/zod", { recursive: true })),
        code(() => fs.mkdirSync("/tmp/node_modules/.cache")),
        code(() => fs.readFileSync("/tmp/node_modules/../package.json")),
        fs.existsSync(${JSON.stringify(directory)}),
        fs.statSync("/tmp/node_modules/lodash").uid,
      ]);`);
    assert.deepEqual(value, ["EROFS", "EROFS", "EROFS", "ENOENT", false, 0]);
  });
});
