/** The compile cache: what was compiled is kept in the machine's files, and used again as plain Node would. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { machine } from "../support/machines.mjs";
import { plainNode } from "../support/plain-node.mjs";

const files = {
  "main.cjs": `require("./part.cjs"); import("./module.mjs");`,
  "part.cjs": `exports.text = "grüße"; exports.f = function inner() { return module.id; };`,
  "module.mjs": `import { basename } from "node:path";
    const late = await import("./late.mjs");
    console.log(basename(import.meta.filename), import.meta.main, import.meta.resolve("./x").slice(-2), late.default,
      Object.keys(import.meta).join());`,
  "late.mjs": `export default "late";`,
  "typed.ts": `const n: number = 1; console.log(n);`,
  "broken.cjs": `const = 1;`,
  "both.js": `export default 1; console.log("esm after all");`,
};
const shown = "module.mjs false /x late dirname,filename,main,resolve,url\n";

describe("the compile cache", () => {
  let rt;
  let number = 0;
  before(async () => {
    rt = await machine();
    await rt.mkdir("/tmp/app");
    for (const [name, text] of Object.entries(files)) await rt.writeFile(`/tmp/app/${name}`, text);
  });

  const node = async (args, variables = {}, cwd = "/tmp/app") => {
    const env = { NODE_DEBUG_NATIVE: "COMPILE_CACHE", ...variables };
    return rt.execCommand("node", args, { cwd, env });
  };
  const fresh = () => `/tmp/cache-${number++}`;

  it("keeps CommonJS and ES modules between runs, and does not write them twice", async () => {
    const env = { NODE_COMPILE_CACHE: fresh() };
    const first = await node(["main.cjs"], env);
    assert.equal(first.stdout, shown, first.stderr);
    for (const name of ["main.cjs", "part.cjs", "module.mjs", "late.mjs"])
      assert.match(first.stderr, new RegExp(`writing cache for \\w+ .*${name} to .*success`));
    const second = await node(["main.cjs"], env);
    assert.equal(second.stdout, shown, second.stderr);
    for (const name of ["main.cjs", "part.cjs", "module.mjs", "late.mjs"]) {
      assert.match(second.stderr, new RegExp(`cache for \\w+ .*${name} was accepted, keeping`));
      assert.match(
        second.stderr,
        new RegExp(`skip persisting .*${name} because cache was the same`),
      );
    }
    assert.doesNotMatch(second.stderr, /writing cache/);
  });

  it("compiles again what changed, and what is no such file", async () => {
    const directory = fresh();
    const env = { NODE_COMPILE_CACHE: directory };
    const write = (text) => rt.writeFile("/tmp/app/changing.cjs", text);
    await write("console.log(1)");
    await node(["changing.cjs"], env);
    await write("console.log(2)");
    const changed = await node(["changing.cjs"], env);
    assert.equal(changed.stdout, "2\n");
    assert.match(changed.stderr, /code hash mismatch: expected \d+, actual \d+\n/);
    const [tag] = await rt.readDir(directory);
    const [name] = await rt.readDir(`${directory}/${tag}`);
    const path = `${directory}/${tag}/${name}`;
    const good = await rt.readFile(path);
    const damage = async (change, words) => {
      await rt.writeFile(path, change(Buffer.from(good)));
      const after = await node(["changing.cjs"], env);
      assert.equal(after.stdout, "2\n");
      assert.match(after.stderr, words);
      assert.match(after.stderr, /was not initialized, initializing/);
    };
    await damage((bytes) => bytes.fill(0, 0, 1), /magic number mismatch/);
    await damage((bytes) => bytes.fill(0xff, bytes.length - 1), /cache hash mismatch/);
    await damage((bytes) => bytes.subarray(0, bytes.length - 1), /cache size mismatch/);
    await damage((bytes) => bytes.subarray(0, 7), /reading header failed, bytes read 7/);
    await damage((bytes) => (bytes.writeUInt32LE(0xffffffff, 8), bytes), /cache size mismatch/);
  });

  it("has V8 refuse what was compiled with other flags", async () => {
    const env = { NODE_COMPILE_CACHE: fresh() };
    const flip = `require("v8").setFlagsFromString("--no-lazy")`;
    await rt.writeFile("/tmp/app/flip.cjs", `${flip}; require("./part.cjs"); console.log("ran");`);
    await node(["part.cjs"], env);
    const other = await node(["flip.cjs"], env);
    assert.equal(other.stdout, "ran\n");
    assert.match(other.stderr, /CommonJS .*part\.cjs was rejected, refreshing/);
  });

  it("keeps TypeScript without its types", async () => {
    const env = { NODE_COMPILE_CACHE: fresh() };
    const first = await node(["typed.ts"], env);
    assert.equal(first.stdout, "1\n");
    assert.match(first.stderr, /saving transpilation cache for StrippedTypeScript .*typed\.ts/);
    const second = await node(["typed.ts"], env);
    assert.equal(second.stdout, "1\n");
    assert.match(second.stderr, /retrieving transpile cache for \w+ .*typed\.ts\.\.\.success/);
  });

  it("leaves errors and the detection of modules as they are", async () => {
    const env = { NODE_COMPILE_CACHE: fresh() };
    const broken = await node(["broken.cjs"], env);
    assert.equal(broken.exitCode, 1);
    assert.match(
      broken.stderr,
      /broken\.cjs:1\nconst = 1;\n {6}\^\n\nSyntaxError: Unexpected token/,
    );
    assert.match(
      broken.stderr,
      /skip persisting .*broken\.cjs because the cache was not initialized/,
    );
    const both = await node(["both.js"], env);
    assert.equal(both.stdout, "esm after all\n");
    const exit = await node(["-e", `require("./part.cjs"); process.exit(3)`], env);
    assert.equal(exit.exitCode, 3);
    assert.match(exit.stderr, /writing cache for CommonJS .*part\.cjs .*success/);
  });

  it("is found again where both have moved, if it is portable", async () => {
    await rt.mkdir("/tmp/here");
    await rt.writeFile("/tmp/here/a.mjs", "export {}");
    const env = { NODE_COMPILE_CACHE: "cache", NODE_COMPILE_CACHE_PORTABLE: "1" };
    await node(["a.mjs"], env, "/tmp/here");
    await rt.rename("/tmp/here", "/tmp/there");
    const { stderr } = await node(["a.mjs"], env, "/tmp/there");
    assert.match(stderr, /cache for ESM .*there\/a\.mjs was accepted/);
  });

  it("module.enableCompileCache answers as in plain Node", async () => {
    const directory = fresh();
    const program = `const m = require("module"); const { compileCacheStatus: s } = m.constants;
      const named = ({ status, ...rest }) => ({ status: Object.keys(s).find((k) => s[k] === status), ...rest });
      const before = m.getCompileCacheDir();
      const file = "/tmp/app/part.cjs";
      const answers = [m.enableCompileCache(file), m.enableCompileCache({ directory: "/none", readOnly: true }),
        m.enableCompileCache("${directory}"), m.enableCompileCache()].map(named);
      for (const wrong of [0, null, false, Symbol()]) try { m.enableCompileCache(wrong); } catch (e) { answers.push(e.code); }
      require("./part.cjs"); m.flushCompileCache();
      console.log(JSON.stringify([before, answers, m.getCompileCacheDir(), require("fs").readdirSync(m.getCompileCacheDir()).length]));`;
    const { stdout, stderr } = await node(["-e", program]);
    const [none, answers, directoryThen, entries] = JSON.parse(stdout || "[]");
    assert.equal(none, null, stderr);
    const [tag] = await rt.readDir(directory);
    const tagged = `${directory}/${tag}`;
    assert.match(tag, /^v\d+\.\d+\.\d+-x64-[0-9a-f]{8}-\d+$/);
    assert.deepEqual(answers, [
      { status: "FAILED", message: "Cannot create cache directory: not a directory" },
      {
        status: "FAILED",
        message: `Cache directory does not exist (read-only): /none/${tag}`,
      },
      { status: "ENABLED", directory },
      { status: "ALREADY_ENABLED", directory: tagged },
      ...Array(4).fill("ERR_INVALID_ARG_TYPE"),
    ]);
    assert.equal(directoryThen, tagged);
    assert.equal(entries, 1);
    const disabled = await node(["-p", `require("module").enableCompileCache().status`], {
      NODE_DISABLE_COMPILE_CACHE: "1",
    });
    assert.equal(disabled.stdout, "3\n");
    assert.match(disabled.stderr, /Disabled by NODE_DISABLE_COMPILE_CACHE/);
  });

  it("reads without writing, and serves workers", async () => {
    const directory = fresh();
    const env = { NODE_COMPILE_CACHE: directory };
    await node(["part.cjs"], env);
    const readOnly = await node(["main.cjs"], { ...env, NODE_COMPILE_CACHE_READONLY: "1" });
    assert.match(readOnly.stderr, /part\.cjs was accepted/);
    assert.match(readOnly.stderr, /read-only, skipping persistence/);
    const [tag] = await rt.readDir(directory);
    assert.equal((await rt.readDir(`${directory}/${tag}`)).length, 1);
    const worker = await node(
      ["-e", `new (require("worker_threads").Worker)("/tmp/app/module.mjs")`],
      env,
    );
    assert.equal(worker.stdout, shown.replace("false", "true"), worker.stderr);
    assert.match(worker.stderr, /writing cache for ESM .*module\.mjs .*success/);
  });
});

it("its files are those of this version of Node", async () => {
  const directory = mkdtempSync(join(os.tmpdir(), "secure-exec-compile-cache-"));
  after(() => rmSync(directory, { recursive: true, force: true }));
  const rt = await machine({
    mounts: [{ guestPath: directory, hostPath: directory, readOnly: false }],
  });
  const script = join(directory, "typed.ts");
  writeFileSync(script, "const n: number = 1; console.log(n);");
  const env = { NODE_COMPILE_CACHE: join(directory, "cache"), NODE_COMPILE_CACHE_PORTABLE: "1" };
  assert.equal(plainNode([script], { env }).stdout, "1\n");
  const contents = (tag) => {
    const folder = join(directory, "cache", tag);
    return readdirSync(folder)
      .map((name) => [name, readFileSync(join(folder, name))])
      .filter(([, bytes]) => bytes.includes("console.log(n)"));
  };
  const [plain] = readdirSync(join(directory, "cache"));
  const written = contents(plain);
  assert.equal(written.length >= 1, true);
  const guest = await rt.execCommand("node", [script], { env });
  assert.equal(guest.stdout, "1\n", guest.stderr);
  for (const tag of readdirSync(join(directory, "cache")))
    for (const [name, bytes] of written)
      assert.deepEqual(Object.fromEntries(contents(tag))[name], bytes);
});
