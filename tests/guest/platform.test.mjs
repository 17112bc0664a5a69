import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { after, test } from "node:test";
import { engine as enginePath } from "../sandbox/engine.mjs";
import { NodeRuntime } from "../../dist/index.js";
import { loadGuestModule } from "../support/guest-modules.mjs";

const { globalsOf, languageGlobals, universalGlobals, webGlobals } =
  loadGuestModule("guest/platform-globals");
const rungs = ["node", "browser", "neutral", "bare"];
const machines = new Map();
after(() => Promise.all([...machines.values()].map((runtime) => runtime.dispose())));

async function machine(options) {
  const key = JSON.stringify(options);
  if (!machines.has(key)) {
    const files = {
      "/home/user/x.mjs": "export default 'esm';",
      "/tmp/c.cjs": "module.exports = typeof require;",
      "/tmp/node_modules/p/index.js": "module.exports = 'package';",
    };
    machines.set(key, await NodeRuntime.create({ files, ...options }));
  }
  return machines.get(key);
}
async function value(options, program) {
  const { value: result, stderr } = await (await machine(options)).run(program);
  assert.equal(stderr, "");
  return result;
}
/** What the host puts there, on every rung. */
const hostGlobals = ["__return", "callBinding", "callHostTool", "tools"];
const commonJs = ["__dirname", "__filename", "exports", "module", "require"];
const names = "__return(Object.getOwnPropertyNames(globalThis).sort())";

test("the language list is what a fresh realm of the engine has", () => {
  const { stdout } = spawnSync(enginePath, [
    "-p",
    "JSON.stringify(require('vm').runInNewContext('Object.getOwnPropertyNames(globalThis)'))",
  ]);
  const fresh = JSON.parse(String(stdout)).filter((name) => name !== "console");
  assert.deepEqual([...languageGlobals].sort(), fresh.sort());
});

test("each rung has the globals of its list and no others", async () => {
  const present = await value({ platform: "node" }, names);
  for (const name of [...commonJs, ...hostGlobals, "process", "Buffer", "global", "setImmediate"])
    assert.ok(present.includes(name), name);
  for (const platform of rungs.slice(1)) {
    const expected = present.filter((name) => globalsOf[platform].includes(name));
    assert.deepEqual(
      await value({ platform }, names),
      [...expected, ...hostGlobals].sort(),
      platform,
    );
  }
  // What is in Node and in no list is Node's own.
  const listed = new Set([...languageGlobals, ...universalGlobals, ...webGlobals]);
  assert.deepEqual(
    present.filter((name) => !listed.has(name) && !hostGlobals.includes(name)),
    [...commonJs, "Buffer", "clearImmediate", "global", "process", "setImmediate"].sort(),
  );
});

test("the seed's table: what each rung can do", async () => {
  const program = `
    const has = (name) => typeof globalThis[name] !== "undefined";
    let builtin = true;
    try { await import("node:fs"); } catch { builtin = false; }
    __return({
      node: has("process") && has("Buffer") && has("require"),
      builtin,
      web: has("fetch") && has("URL") && has("crypto") && has("structuredClone") && has("Blob"),
      universal: has("console") && has("setTimeout") && has("queueMicrotask"),
      language: has("Map") && has("WebAssembly"),
    });`;
  const row = (node, web, universal) => ({ node, builtin: node, web, universal, language: true });
  assert.deepEqual(await value({ platform: "node" }, program), row(true, true, true));
  assert.deepEqual(await value({ platform: "browser" }, program), row(false, true, true));
  assert.deepEqual(await value({ platform: "neutral" }, program), row(false, false, true));
  assert.deepEqual(await value({ platform: "bare" }, program), row(false, false, false));
});

test("the web platform works without Node's globals", async () => {
  const result = await value(
    { platform: "browser" },
    `
    const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode("x"));
    const form = new FormData(); form.append("a", "b");
    const body = await new Response(form).text();
    const clone = structuredClone(new Map([[1, { a: new Date(0) }]]));
    const { port1, port2 } = new MessageChannel();
    const message = await new Promise((resolve) => { port2.onmessage = (e) => resolve(e.data); port1.postMessage("hi"); });
    port1.close();
    const zipped = new Blob(["text"]).stream().pipeThrough(new CompressionStream("gzip"));
    const wasm = new Response(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]), { headers: { "content-type": "application/wasm" } });
    __return({
      digest: digest.byteLength,
      form: body.includes('name="a"'),
      clone: clone.get(1).a.getTime(),
      message,
      zipped: (await new Response(zipped).arrayBuffer()).byteLength > 0,
      wasm: (await WebAssembly.compileStreaming(wasm)) instanceof WebAssembly.Module,
      node: [typeof crypto.randomBytes, typeof crypto.createHash],
      refused: await fetch("http://example.com").then(() => "fetched", (e) => e.name + ": " + e.message),
      text: await new Response(new ReadableStream({ start(c) { c.enqueue(new Uint8Array([104, 105])); c.close(); } })).text(),
      timer: typeof setTimeout(() => {}, 1),
      cleared: await new Promise((resolve) => { clearTimeout(setTimeout(() => resolve(false), 1)); setTimeout(() => resolve(true), 5); }),
    });`,
  );
  assert.deepEqual(result, {
    digest: 32,
    form: true,
    clone: 0,
    message: "hi",
    zipped: true,
    wasm: true,
    node: ["undefined", "undefined"],
    refused: "TypeError: fetch failed",
    text: "hi",
    timer: "number",
    cleared: true,
  });
});

test("console writes where there is one, without leading back to Node", async () => {
  for (const platform of ["browser", "neutral"]) {
    const runtime = await machine({ platform });
    const result = await runtime.run(`
      console.log("out %d", 1); console.error("err");
      __return([Object.keys(console).includes("Console"), "_stdout" in console, String(console)]);`);
    assert.deepEqual([result.stdout, result.stderr], ["out 1\n", "err\n"]);
    assert.deepEqual(result.value, [false, false, "[object console]"]);
  }
});

test("on bare a program answers by __return alone, and still fails visibly", async () => {
  const runtime = await machine({ platform: "bare" });
  const bytes = "new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0])";
  const compiled = await runtime.run(
    `__return((await WebAssembly.instantiate(${bytes})).instance instanceof WebAssembly.Instance)`,
  );
  assert.deepEqual([compiled.value, compiled.stdout, compiled.exitCode], [true, "", 0]);
  const thrown = await runtime.run("throw new Error('boom')");
  assert.equal(thrown.exitCode, 1);
  assert.match(thrown.stderr, /Error: boom/);
  const rejected = await runtime.run("Promise.reject(new TypeError('late')); await null;");
  assert.equal(rejected.exitCode, 1);
  assert.match(rejected.stderr, /TypeError: late/);
});

test("host tools are there on every rung", async () => {
  for (const platform of rungs) {
    const runtime = await NodeRuntime.create({
      platform,
      tools: { twice: { handler: ({ n }) => 2 * n } },
    });
    try {
      assert.equal((await runtime.run(`__return(await callHostTool("twice", { n: 4 }))`)).value, 8);
      const runner = await runtime.createResidentRunner();
      assert.equal((await runner.exec("globalThis.x = 1")).exitCode, 0);
      await runner.dispose();
    } finally {
      await runtime.dispose();
    }
  }
});

/** Which of these can be imported, and which required: "i", "r", both or none. */
const probe = `
  const out = {};
  for (const s of ["fs", "node:fs", "fs/promises", "path", "os", "node:test", "./x.mjs", "/tmp/c.cjs", "p", "data:text/javascript,1"]) {
    out[s] = "";
    try { await import(s); out[s] += "i"; } catch (e) { if (typeof e.code !== "string") throw e; }
    if (typeof require === "function") try { require(s); out[s] += "r"; } catch (e) { if (typeof e.code !== "string") throw e; }
  }
  out.get = typeof process === "undefined" ? "" : typeof process.getBuiltinModule("fs");
  __return(out);`;
const builtins = ["fs", "node:fs", "fs/promises", "path", "os", "node:test"];
const all = (list, mark) => Object.fromEntries(list.map((name) => [name, mark]));
const paths = ["./x.mjs", "/tmp/c.cjs"];

test("moduleResolution: the seed's table", async () => {
  const data = "data:text/javascript,1";
  assert.deepEqual(await value({}, probe), {
    ...all([...builtins, ...paths, "p"], "ir"),
    [data]: "i",
    get: "object",
  });
  assert.deepEqual(await value({ moduleResolution: "relative" }, probe), {
    ...all(builtins, ""),
    ...all(paths, "ir"),
    p: "",
    [data]: "",
    get: "undefined",
  });
  assert.deepEqual(await value({ moduleResolution: "none" }, probe), {
    ...all([...builtins, ...paths, "p", data], ""),
    get: "undefined",
  });
  // An axis of its own: packages resolve on every rung, built-in modules on none but the first.
  for (const platform of rungs.slice(1)) {
    assert.deepEqual(await value({ platform }, probe), {
      ...all(builtins, ""),
      ...all([...paths, "p"], "i"),
      [data]: "i",
      get: "",
    });
  }
  const { stderr } = await (await machine({ moduleResolution: "none" })).run(`import "./x.mjs";`);
  assert.match(stderr, /Cannot find module '\.\/x\.mjs'.*moduleResolution "none"/);
});

test("allowedBuiltins: root names cover subpaths, [] is none, elsewhere it means nothing", async () => {
  const some = await value({ allowedBuiltins: ["path", "node:fs"] }, probe);
  assert.deepEqual(
    builtins.map((name) => some[name]),
    ["ir", "ir", "ir", "ir", "", ""],
  );
  assert.equal(some.p, "ir");
  const none = await value({ allowedBuiltins: [] }, probe);
  assert.deepEqual(
    builtins.map((name) => none[name]),
    ["", "", "", "", "", ""],
  );
  assert.equal(none.get, "undefined");
  const browser = await value({ platform: "browser", allowedBuiltins: ["fs"] }, probe);
  assert.equal(browser["node:fs"], "");
  const listed = `__return((await import("node:module")).builtinModules.sort())`;
  assert.deepEqual(await value({ allowedBuiltins: ["module", "fs"] }, listed), [
    "fs",
    "fs/promises",
    "module",
  ]);
});

test("a worker is narrowed as its parent is", async () => {
  const program = `
    import { Worker } from "node:worker_threads";
    const text = 'const { parentPort } = require("worker_threads"); let os = "yes"; try { require("os"); } catch (e) { os = e.code; }' +
      'const a = Date.now(); for (let i = 0; i < 3e7; i++); parentPort.postMessage([os, Date.now() - a])';
    __return(await new Promise((resolve, reject) => {
      new Worker(text, { eval: true }).on("message", resolve).on("error", reject);
    }));`;
  const options = { allowedBuiltins: ["worker_threads"], timing: "frozen" };
  assert.deepEqual(await value(options, program), ["MODULE_NOT_FOUND", 0]);
});

test("clocks run, in steps, or not at all", async () => {
  const program = `
    const read = () => ({
      date: Date.now(), made: new Date().getTime(), temporal: Temporal.Now.instant().epochMilliseconds,
      elapsed: performance.now(), ns: String(process.hrtime.bigint()), pair: process.hrtime()[1],
    });
    const first = read();
    let last = read();
    for (let i = 0; i < 3e7; i++) last = i & 0xfffff ? last : read();
    __return({ first, last, parsed: new Date("2020-01-01T00:00:00Z").getTime(), kept: new Date() instanceof Date && new Date().constructor === Date });`;
  const coarse = await value({ timing: "coarse" }, program);
  for (const { elapsed, ns, pair } of [coarse.first, coarse.last]) {
    assert.equal(elapsed % 1, 0);
    assert.equal(BigInt(ns) % 1_000_000n, 0n);
    assert.equal(pair % 1_000_000, 0);
  }
  assert.ok(coarse.last.elapsed > coarse.first.elapsed);
  assert.ok(coarse.last.date > coarse.first.date);
  const frozen = await value({ timing: "frozen" }, program);
  assert.deepEqual(frozen.first, frozen.last);
  assert.ok(Math.abs(frozen.first.date - Date.now()) < 3_600_000);
  for (const { parsed, kept } of [coarse, frozen])
    assert.deepEqual([parsed, kept], [1_577_836_800_000, true]);
  const normal = await value({}, program);
  assert.ok(normal.last.elapsed > normal.first.elapsed);
  // Timers go on when clocks stand still.
  assert.equal(await value({ timing: "frozen" }, "setTimeout(() => __return(1), 5)"), 1);
});
