// `node` inside a VM: the options of its command line are the engine's own, though it was forked.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { NodeRuntime } from "../../dist/index.js";

const rt = await NodeRuntime.create({
  files: {
    "/app/main.mjs": "console.log(typeof require, typeof module, typeof __filename)",
    "/app/hooks.mjs":
      "export const resolve = (name, context, next) => name === 'virtual:x' ? { url: 'data:text/javascript,export default 42', shortCircuit: true } : next(name, context);",
    "/app/virtual.mjs": "import x from 'virtual:x'; console.log(x);",
    "/app/node_modules/dep/package.json": JSON.stringify({
      exports: { special: "./special.js", default: "./plain.js" },
    }),
    "/app/node_modules/dep/special.js": "module.exports = 'special'",
    "/app/node_modules/dep/plain.js": "module.exports = 'plain'",
    "/app/worker.js": `const { Worker, isMainThread } = require("node:worker_threads");
      if (isMainThread) new Worker(__filename);
      else console.log(process.execArgv.join(), require("dep"));`,
    "/app/pipe.js": `const { spawn } = require("node:child_process");
      require("node:fs").writeFileSync("/tmp/big", "x".repeat(300000));
      const cat = spawn("cat", ["/tmp/big"]);
      const wc = spawn("wc", ["-c"], { stdio: [cat.stdout, "inherit", "inherit"] });`,
  },
});
after(() => rt.dispose());

const node = (args, env = {}) =>
  rt.execCommand("node", args, { cwd: "/app", env, timeout: 30_000 });

async function prints(expected, args, env) {
  const { stdout, stderr, exitCode } = await node(args, env);
  assert.equal(stdout, `${expected}\n`, stderr);
  assert.equal(exitCode, 0);
}

test("options that Node's JavaScript reads take effect", async () => {
  await prints("function", ["--experimental-vm-modules", "-p", "typeof vm.SourceTextModule"]);
  await prints("function", ["--expose-gc", "-p", "typeof gc"]);
  await prints("plain", ["-p", "require('dep')"]);
  await prints("special", ["--conditions=special", "-p", "require('dep')"]);
  await prints("special", ["-p", "require('dep')"], { NODE_OPTIONS: "-C special" });
  await prints("special", [
    "--conditions=special",
    "--input-type=module",
    "-e",
    "console.log((await import('dep')).default)",
  ]);
  await prints("false", ["--no-require-module", "-p", "process.features.require_module"]);
  await prints("TLSv1.3", ["--tls-min-v1.3", "-p", "tls.DEFAULT_MIN_VERSION"]);
  await prints("false", [
    "--no-network-family-autoselection",
    "-p",
    "net.getDefaultAutoSelectFamily()",
  ]);
  await prints("4", ["--stack-trace-limit=4", "-p", "Error.stackTraceLimit"]);
  await prints("a\nb", ["--import", "data:text/javascript,console.log('a')", "-p", "'b'"]);
  await prints("42", ["--no-warnings", "--experimental-loader", "/app/hooks.mjs", "virtual.mjs"]);
  await prints("undefined undefined undefined", ["main.mjs"]);
  await prints('{"foo":true}', [
    "-p",
    "JSON.stringify(util.parseArgs({ options: { foo: { type: 'boolean' } } }).values)",
    "--",
    "--foo",
  ]);
});

test("an option's other name is negated like the option", async () => {
  const run = (flag) => rt.execCommand("node", [flag, "-p", "process.features.typescript"]);
  assert.equal((await run("--experimental-strip-types")).stdout, "strip\n");
  assert.equal((await run("--no-experimental-strip-types")).stdout, "false\n");
  const list = await run("--no-loader");
  assert.equal(list.exitCode, 9);
  assert.match(
    list.stderr,
    /--no-loader is an invalid negation because it is not a boolean option/,
  );
});

test("flags of V8 are known by name, and no others", async () => {
  assert.equal((await node(["--harmony-temporal", "--no-opt", "-e", "0"])).exitCode, 0);
  const { exitCode, stderr } = await node(["--not-a-flag", "-e", "0"]);
  assert.deepEqual([exitCode, stderr], [9, "node: bad option: --not-a-flag\n"]);
});

test("warnings are printed, silenced and redirected as asked", async () => {
  const warn = ["-e", "process.emitWarning('careful', 'DeprecationWarning', 'DEP1')"];
  assert.match((await node(warn)).stderr, /^\(node:\d+\) \[DEP1\] DeprecationWarning: careful\n/);
  assert.equal((await node(["--no-warnings", ...warn])).stderr, "");
  assert.equal((await node(["--disable-warning=DEP1", ...warn])).stderr, "");
  assert.equal((await node(warn, { NODE_NO_WARNINGS: "1" })).stderr, "");
  assert.equal((await node(warn, { NODE_REDIRECT_WARNINGS: "/tmp/warnings" })).stderr, "");
  assert.match(new TextDecoder().decode(await rt.readFile("/tmp/warnings")), /careful/);
  const thrown = await node(["--throw-deprecation", ...warn]);
  assert.equal(thrown.exitCode, 1);
  assert.match(thrown.stderr, /DeprecationWarning: careful/);
});

test("workers inherit what their process was started with", async () => {
  await prints("--conditions=special special", ["--conditions=special", "worker.js"]);
});

test("what is thrown without being an error is reported as Node does", async () => {
  assert.match((await node(["-e", "throw 'text'"])).stderr, /^text$/m);
  const { exitCode, stderr } = await node([
    "-e",
    "process._fatalException = undefined; throw new Error('gone')",
  ]);
  assert.equal(exitCode, 6);
  assert.match(stderr, /^Error: gone$/m);
  assert.match((await node(["-e", "throw { a: 1 }"])).stderr, /^\{ a: 1 \}$/m);
});

test("modules that the zygote loaded are not shown as loaded", async () => {
  await prints("false", ["-p", "process.moduleLoadList.includes('NativeModule zlib')"]);
});

test("a stream handed to a child right after it was made loses nothing", async () => {
  const { stdout, stderr } = await node(["pipe.js"]);
  assert.equal(stdout.trim(), "300000", stderr);
});

test("process._rawDebug reaches stderr", async () => {
  assert.equal((await node(["-e", "process._rawDebug('a %s', 'b')"])).stderr, "a b\n");
});

test("net.Socket takes an inherited descriptor", async () => {
  const program = `const { spawn } = require("node:child_process");
    const child = spawn(process.execPath, ["-e", "new (require('net').Socket)({ fd: 3 }).on('data', (data) => { console.log(String(data)); process.exit(); })"],
      { stdio: ["ignore", "inherit", "inherit", "pipe"] });
    child.stdio[3].write("over three");`;
  await prints("over three", ["-e", program]);
});
