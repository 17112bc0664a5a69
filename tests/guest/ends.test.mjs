// Every way in which a program ends: status and stderr are those of the engine when it is started plainly. Of how that ended
// ends.json has digests, for one engine and just these programs: one that ends so in a machine needs no second run. Any other is
// run plainly, too, and compared with that; with `--write` all are, and the digests are written.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { NodeRuntime } from "../../dist/index.js";
import { engineVersion, findEngine } from "../../dist/launcher/engine.js";

const engine = findEngine().path;
// The same path on the host and in the machine, so that stack traces name the same files.
const folder = await realpath(await mkdtemp(join(tmpdir(), "ends-")));

const withoutIterator =
  "delete Object.getPrototypeOf([][Symbol.iterator]()).next; delete Array.prototype[Symbol.iterator];";

/** name → source, or flags before the file and its source. `.mjs` names are ES modules. */
const programs = {
  "exit.js": "process.exit()",
  "exit-0.js": "process.exit(0)",
  "exit-3.js": "process.exit(3)",
  "exit-256.js": "process.exit(256)",
  "exit-minus.js": "process.exit(-1)",
  "exit-undefined.js": "process.exit(undefined)",
  "exit-null.js": "process.exit(null)",
  "exit-text.js": "process.exit('7')",
  "exit-empty-text.js": "process.exit('')",
  "exit-bad-text.js": "process.exit('seven')",
  "exit-fraction.js": "process.exit(1.5)",
  "exit-boolean.js": "process.exit(true)",
  "exit-object.js": "process.exit({})",
  "exit-bigint.js": "process.exit(1n)",
  "exit-infinite.js": "process.exit(Infinity)",
  "code-then-exit.js": "process.exitCode = 1; process.exit()",
  "code-then-exit-undefined.js": "process.exitCode = 1; process.exit(undefined)",
  "code-then-exit-0.js": "process.exitCode = 1; process.exit(0)",
  "code.js": "process.exitCode = 5",
  "code-text.js": "process.exitCode = '6'",
  "code-bad.js": "process.exitCode = 'six'",
  "code-fraction.js": "process.exitCode = 2.5",
  "code-boolean.js": "process.exitCode = false",
  "code-taken-back.js": "process.exitCode = 5; process.exitCode = undefined",
  "code-null.js": "process.exitCode = 5; process.exitCode = null",
  "code-read.js":
    "process.exitCode = '9'; process.stderr.write(typeof process.exitCode + process.exitCode)",
  "code-300.js": "process.exitCode = 300",
  "code-large.js": "process.exitCode = 2 ** 32 + 7",
  "code-minus.js": "process.exitCode = -2",
  "listener.js": "process.on('exit', (code) => process.stderr.write(`exit ${code}\\n`))",
  "listener-sets-code.js": "process.on('exit', () => { process.exitCode = 4 })",
  "listener-sets-text.js": "process.on('exit', () => { process.exitCode = '4' })",
  "listener-exits.js": "process.on('exit', () => process.exit(4)); process.exit(2)",
  "listener-exits-bare.js":
    "process.on('exit', () => { process.exitCode = 4; process.exit() }); process.exit(2)",
  "listener-clears-code.js":
    "process.exitCode = 3; process.on('exit', () => { process.exitCode = undefined })",
  "listener-throws.js": "process.on('exit', () => { throw new Error('late') })",
  "listener-throws-after-exit.js":
    "process.on('exit', () => { throw new Error('late') }); process.exit(5)",
  "listener-throws-with-code.js":
    "process.exitCode = 5; process.on('exit', () => { throw new Error('late') })",
  "listener-throws-caught.js":
    "process.on('exit', () => { throw new Error('late') }); try { process.exit(5) } catch { process.exit() }",
  "listener-throws-handled.js":
    "process.on('uncaughtException', (e) => process.stderr.write(e.message)); process.on('exit', () => { throw new Error('late') })",
  "listener-throws-handled-exit.js":
    "process.on('uncaughtException', (e) => process.stderr.write(e.message)); process.on('exit', () => { throw new Error('late') }); setTimeout(() => process.stderr.write('on'), 20); process.exit(5)",
  "listener-microtask.js":
    "process.on('exit', () => { Promise.resolve().then(() => process.stderr.write('m')); process.nextTick(() => process.stderr.write('t')); queueMicrotask(() => process.stderr.write('q')); setImmediate(() => process.stderr.write('i')) })",
  "listener-microtask-exit.js":
    "process.on('exit', () => { Promise.resolve().then(() => process.stderr.write('m')) }); process.exit(2)",
  "listener-rejects.js": "process.on('exit', () => { Promise.reject(new Error('floating')) })",
  "listener-async-throws.js": "process.on('exit', async () => { throw new Error('floating') })",
  "listener-twice.js":
    "process.on('exit', () => process.stderr.write('1')); process.once('exit', () => process.stderr.write('2')); process.emit('exit', 3); process.stderr.write('-')",
  "before-exit.js":
    "let n = 0; process.on('beforeExit', (code) => { process.stderr.write(`before ${code}\\n`); if (n++ < 2) setTimeout(() => {}, 1) }); process.on('exit', (code) => process.stderr.write(`exit ${code}\\n`))",
  "before-exit-code.js":
    "process.on('beforeExit', () => { process.exitCode = 8 }); process.on('exit', (code) => process.stderr.write(`exit ${code}\\n`))",
  "before-exit-exits.js": "process.on('beforeExit', () => process.exit(3))",
  "before-exit-throws.js": "process.on('beforeExit', () => { throw new Error('before') })",
  "before-exit-microtask.js":
    "process.once('beforeExit', () => { Promise.resolve().then(() => process.stderr.write('m')) })",
  "really-exit.js": "process.reallyExit(6)",
  "really-exit-bare.js": "process.exitCode = 6; process.reallyExit()",
  "really-exit-patched.js":
    "const really = process.reallyExit; process.reallyExit = (code) => { process.stderr.write(`patched ${code}\\n`); really.call(process, 9) }; process.exit(2)",
  "really-exit-patched-natural.js":
    "const really = process.reallyExit; process.reallyExit = (code) => { process.stderr.write('patched'); really.call(process, 9) }; process.exitCode = 4",
  "exit-patched.js":
    "const exit = process.exit; process.exit = (code) => { process.stderr.write(`patched ${code}\\n`); exit.call(process, code) }; process.exitCode = 2; process.exit()",
  "emit-patched-goes-on.js":
    "const { emit } = process; process.emit = function (type, ...args) { const heard = emit.call(this, type, ...args); process.stderr.write(`${type} ${process.emit.name} ${process.exitCode}\\n`); if (type === 'exit') process.exitCode = 4; return heard }; process.on('exit', (code) => process.stderr.write(`heard ${code}\\n`))",
  "emit-patched-exits.js":
    "const { emit, reallyExit } = process; process.emit = function (...args) { const heard = emit.apply(this, args); process.stderr.write('after\\n'); return heard }; process.reallyExit = function (code) { process.stderr.write(`really ${code}\\n`); return reallyExit.call(this, code) }; process.exit(3)",
  "emit-patched-says-nothing.js":
    "process.on('exit', () => process.stderr.write('no')); process.emit = () => false; process.exitCode = 3",
  "emit-patched-taken-back.js":
    "const { emit } = process; process.emit = () => process.stderr.write('no'); delete process.emit; process.stderr.write(String(process.emit === emit)); process.on('exit', () => process.stderr.write('heard'))",
  "emit-patched-throws.js":
    "const { emit } = process; process.emit = function (type, ...args) { emit.call(this, type, ...args); if (type === 'exit') throw new Error('late') }",
  "emit-patched.js":
    "const emit = process.emit; process.emit = function (...args) { process.stderr.write(args.join() + '\\n'); return emit.apply(this, args) }; process.exitCode = 3",
  "exit-detached.js": "const { exit } = process; process.exitCode = 3; exit()",
  "exiting-property.js":
    "process.on('exit', () => process.stderr.write(String(process._exiting))); process.stderr.write(String(process._exiting))",
  // A program may take the iterator of arrays away.
  "no-iterator.js": `${withoutIterator} process.on('exit', (code) => process.stderr.write(String(code))); process.exitCode = 3`,
  "no-iterator-exit.js": `${withoutIterator} setTimeout(() => process.exit(4), 1)`,
  "no-iterator-throws.js": `${withoutIterator} throw new Error('main')`,
  "no-iterator-import.js": `${withoutIterator} import('./module.mjs').then(() => process.stderr.write('on'))`,
  "no-iterator-net.js": `${withoutIterator} const net = require('net'); const server = net.createServer((socket) => socket.pipe(socket)).listen(0, () => { const client = net.connect(server.address().port); client.on('data', (data) => process.stderr.write(data)).on('close', () => server.close()); client.write('a'); client.end(Buffer.from('b')); })`,
  "timer-exits.js": "setTimeout(() => process.exit(3), 1)",
  "immediate-exits.js": "setImmediate(() => process.exit(3))",
  "tick-exits.js": "process.nextTick(() => process.exit(3))",
  "microtask-exits.js":
    "Promise.resolve().then(() => process.exit(3)).then(() => process.stderr.write('no'))",
  "finally-exits.js": "try { process.exit(3) } finally { process.stderr.write('no') }",
  "timer-throws.js": "setTimeout(function late() { throw new Error('timer') }, 1)",
  "immediate-throws.js": "setImmediate(() => { throw new Error('immediate') })",
  "tick-throws.js": "process.nextTick(() => { throw new Error('tick') })",
  "microtask-throws.js": "queueMicrotask(() => { throw new Error('microtask') })",
  "throws.js": "throw new Error('main')",
  "throws-typed.js": "function f() { null.x }\nf()",
  "throws-text.js": "throw 'text'",
  "throws-undefined.js": "throw undefined",
  "throws-null.js": "throw null",
  "throws-symbol.js": "throw Symbol('s')",
  "throws-object.js": "throw { a: 1 }",
  "throws-function.js": "throw function f() {}",
  "throws-bigint.js": "throw 3n",
  "throws-lines.js": "throw `one\ntwo`",
  "throws-long.js": "throw 'x'.repeat(200_000)",
  "throws-object-function.js": "throw Object.assign(() => {}, { message: 'm', name: 'N' })",
  "timer-throws-text.js": "setTimeout(() => { throw 'text' }, 1)",
  "throws-text-from-vm.js": "require('vm').runInNewContext('1;\\n  throw 7', {}, 'inner.js')",
  "throws-text-with-code.js":
    "process.on('exit', (code) => { process.stderr.write(`exit ${code}\\n`); process.exitCode = 9 }); throw 1",
  "throws-fields.js":
    "throw Object.assign(new Error('main', { cause: new TypeError('why') }), { code: 'E_X', nested: { a: [1] } })",
  "throws-aggregate.js": "throw new AggregateError([new Error('a'), 1], 'all')",
  "throws-no-stack.js": "const e = new Error('x'); delete e.stack; e.stack = undefined; throw e",
  "throws-stack-text.js": "const e = new Error('x'); e.stack = 'my stack'; throw e",
  "throws-frozen.js": "throw Object.freeze(new Error('cold'))",
  "throws-name.js": "class MyError extends Error { name = 'Mine' } throw new MyError('m')",
  "throws-null-prototype.js":
    "throw Object.assign(Object.create(null), { message: 'm', name: 'N', stack: 'S' })",
  "throws-proxy.js": "throw new Proxy(new Error('p'), {})",
  "throws-getter.js":
    "const e = new Error('x'); Object.defineProperty(e, 'stack', { get() { throw new Error('inner') } }); throw e",
  "throws-system.js": "require('fs').openSync('/none')",
  "throws-assertion.js": "require('assert').strictEqual(1, 2)",
  "throws-missing-module.js": "require('./none')",
  "throws-syntax.js": "let a = ;",
  "throws-in-eval.js": "eval('throw new Error(1)')",
  "throws-from-vm.js": "require('vm').runInNewContext('throw new Error(1)', {}, 'inner.js')",
  "throws-sets-code.js": "process.exitCode = 9; throw new Error('main')",
  "throws-with-listener.js":
    "process.on('exit', (code) => { process.stderr.write(`exit ${code}\\n`); process.exitCode = 9 }); throw new Error('main')",
  "throws-listener-exits.js": "process.on('exit', () => process.exit(9)); throw new Error('main')",
  "throws-listener-clears.js":
    "process.on('exit', () => { process.exitCode = undefined }); throw new Error('main')",
  "throws-listener-zero.js":
    "process.on('exit', () => { process.exitCode = 0 }); throw new Error('main')",
  "throws-listener-throws.js":
    "process.on('exit', () => { throw new Error('second') }); throw new Error('first')",
  "uncaught-handled.js":
    "process.on('uncaughtException', (e, origin) => process.stderr.write(`${e.message} ${origin}\\n`)); setTimeout(() => process.stderr.write('on'), 5); throw new Error('main')",
  "uncaught-handler-throws.js":
    "process.on('uncaughtException', () => { throw new Error('second') }); throw new Error('first')",
  "uncaught-handler-throws-code.js":
    "process.exitCode = 9; process.on('uncaughtException', () => { throw new Error('second') }); throw new Error('first')",
  "uncaught-handler-exits.js":
    "process.on('uncaughtException', () => process.exit(8)); throw new Error('first')",
  "uncaught-monitor.js":
    "process.on('uncaughtExceptionMonitor', (e, o) => process.stderr.write(`${o}\\n`)); throw new Error('first')",
  "uncaught-monitor-throws.js":
    "process.on('uncaughtExceptionMonitor', () => { throw new Error('second') }); throw new Error('first')",
  "uncaught-capture.js":
    "process.setUncaughtExceptionCaptureCallback((e) => process.stderr.write(e.message)); throw new Error('first')",
  "uncaught-capture-throws.js":
    "process.setUncaughtExceptionCaptureCallback(() => { throw new Error('second') }); throw new Error('first')",
  "fatal-removed.js": "process._fatalException = null; throw new Error('first')",
  "fatal-false.js": "process._fatalException = () => false; throw new Error('first')",
  "rejection.js": "Promise.reject(new Error('floating'))",
  "rejection-text.js": "Promise.reject('text')",
  "rejection-undefined.js": "Promise.reject()",
  "rejection-object.js": "Promise.reject({ a: 1 })",
  "rejection-null-prototype.js": "Promise.reject(Object.create(null))",
  "rejection-with-code.js": "process.exitCode = 9; Promise.reject(new Error('floating'))",
  "rejection-handled.js":
    "process.on('unhandledRejection', (e) => process.stderr.write(e.message)); Promise.reject(new Error('floating'))",
  "rejection-handler-throws.js":
    "process.on('unhandledRejection', () => { throw new Error('second') }); Promise.reject(new Error('floating'))",
  "rejection-uncaught.js":
    "process.on('uncaughtException', (e, o) => process.stderr.write(e.message + o)); Promise.reject(new Error('floating'))",
  "rejection-late.js":
    "const p = Promise.reject(new Error('floating')); setTimeout(() => p.catch(() => {}), 5)",
  "rejection-in-time.js":
    "const p = Promise.reject(new Error('floating')); process.nextTick(() => p.catch(() => {}))",
  "rejection-then-exit.js": "Promise.reject(new Error('floating')); process.exit(4)",
  "abort.js": "process.abort()",
  "kill-term.js": "process.kill(process.pid, 'SIGTERM'); setTimeout(() => {}, 5000)",
  "kill-int.js": "process.kill(process.pid, 'SIGINT'); setTimeout(() => {}, 5000)",
  "kill-kill.js": "process.kill(process.pid, 'SIGKILL'); setTimeout(() => {}, 5000)",
  "kill-usr2.js": "process.kill(process.pid, 'SIGUSR2'); setTimeout(() => {}, 5000)",
  "kill-handled.js":
    "process.on('SIGTERM', (name, number) => { process.stderr.write(name + number); process.exit(3) }); process.kill(process.pid, 'SIGTERM'); setTimeout(() => {}, 5000)",
  "kill-handled-bare.js":
    "process.once('SIGTERM', () => { process.exitCode = 3; process.exit() }); process.kill(process.pid, 'SIGTERM'); setTimeout(() => {}, 5000)",
  "module.mjs": "process.exitCode = 5",
  "module-exit.mjs": "process.exitCode = 5; await null; process.exit()",
  "module-throws.mjs": "await null; throw new Error('main')",
  "module-throws-text.mjs": "await null; throw 'text'",
  "module-syntax.mjs": "let a = ;",
  "module-missing.mjs": "import './none.mjs'",
  "module-missing-name.mjs": "import { none } from 'node:fs'",
  "module-rejection.mjs":
    "Promise.reject(new Error('floating')); await new Promise((r) => setTimeout(r, 50))",
  "unsettled.mjs": "await new Promise(() => {})",
  "unsettled-later.mjs":
    "await null;\nconsole.error('on');\nawait Promise.race([new Promise(() => {})]);",
  "unsettled-code.mjs": "process.exitCode = 42; await new Promise(() => {})",
  "unsettled-zero.mjs": "process.exitCode = 0; await new Promise(() => {})",
  "unsettled-listener.mjs":
    "process.on('exit', (code) => console.error(code, process.exitCode)); await new Promise(() => {})",
  "unsettled-listener-zero.mjs":
    "process.on('exit', () => { process.exitCode = 0 }); await new Promise(() => {})",
  "unsettled-listener-exits.mjs":
    "process.on('exit', () => process.exit(42)); await new Promise(() => {})",
  "unsettled-exit.mjs": "setTimeout(() => process.exit(), 1); await new Promise(() => {})",
  "unsettled-imported.mjs": "import './unsettled.mjs'; console.error('no')",
  "unsettled-dynamic.mjs": "await import('./unsettled.mjs')",
  "unsettled-import.js": "import('./unsettled.mjs').then(() => process.stderr.write('no'))",
  "unsettled-rejects-listener.mjs":
    "process.on('exit', () => { throw new Error('late') }); await new Promise(() => {})",
  "worker-exit.js":
    "const { Worker } = require('worker_threads'); new Worker('process.exit(3)', { eval: true }).on('exit', (code) => { process.stderr.write(String(code)); process.exitCode = code })",
  "worker-code.js":
    "const { Worker } = require('worker_threads'); new Worker('process.exitCode = 4; process.exit()', { eval: true }).on('exit', (code) => { process.exitCode = code })",
  "worker-natural-code.js":
    "const { Worker } = require('worker_threads'); new Worker('process.exitCode = 4', { eval: true }).on('exit', (code) => { process.exitCode = code })",
  "worker-listener.js":
    "const { Worker } = require('worker_threads'); new Worker('process.on(`exit`, () => { process.exitCode = 6 })', { eval: true }).on('exit', (code) => { process.exitCode = code })",
  "worker-throws.js":
    "const { Worker } = require('worker_threads'); new Worker('throw new Error(1)', { eval: true })",
  "worker-throws-handled.js":
    "const { Worker } = require('worker_threads'); new Worker('throw new Error(1)', { eval: true }).on('error', (e) => process.stderr.write(e.message)).on('exit', (code) => process.exit(code + 1))",
  "worker-rejects.js":
    "const { Worker } = require('worker_threads'); new Worker('Promise.reject(new Error(2))', { eval: true })",
  "worker-unsettled.js":
    "const { Worker } = require('worker_threads'); new Worker(new URL('data:text/javascript,await new Promise(() => {})')).on('exit', (code) => { process.exitCode = code })",
  "worker-bad-code.js":
    "const { Worker } = require('worker_threads'); new Worker('process.exit({})', { eval: true })",
  "worker-main-exits.js":
    "const { Worker } = require('worker_threads'); new Worker('setInterval(() => {}, 9)', { eval: true }).on('online', () => process.exit(5))",
  "domain.js":
    "const d = require('domain').create(); d.on('error', (e) => process.stderr.write(e.message)); d.run(() => { setTimeout(() => { throw new Error('in domain') }, 1) })",
};

/** The same, but for the command line before (or instead of) a file. */
const commandLines = {
  "-e exit": ["-e", "process.exitCode = 1; process.exit()"],
  "-e throws": ["-e", "throw new Error('text')"],
  "-e throws a text": ["-e", "throw 'text'"],
  "--trace-uncaught": ["--trace-uncaught", "throws-text.js"],
  "--trace-uncaught error": ["--trace-uncaught", "throws.js"],
  "--trace-uncaught without a stack": ["--trace-uncaught", "throws-getter.js"],
  "-e syntax": ["-e", "let a = ;"],
  "-e module throws": ["--input-type=module", "-e", "await null; throw new Error('text')"],
  "-e module unsettled": ["--input-type=module", "-e", "await new Promise(() => {})"],
  "--no-warnings unsettled": ["--no-warnings", "unsettled.mjs"],
  "-p throws": ["-p", "throw new Error('text')"],
  "--unhandled-rejections=warn": ["--unhandled-rejections=warn", "rejection.js"],
  "--unhandled-rejections=warn with a text": ["--unhandled-rejections=warn", "rejection-text.js"],
  "--unhandled-rejections=none": ["--unhandled-rejections=none", "rejection.js"],
  "--unhandled-rejections=strict": ["--unhandled-rejections=strict", "rejection-handled.js"],
  "--unhandled-rejections=warn-with-error-code": [
    "--unhandled-rejections=warn-with-error-code",
    "rejection.js",
  ],
  "--unhandled-rejections=nonsense": ["--unhandled-rejections=nonsense", "rejection.js"],
  "--trace-exit": ["--trace-exit", "exit-3.js"],
  "no such file": ["none.js"],
  "a bad option": ["--no-such-option", "exit.js"],
  "--check": ["--check", "throws-syntax.js"],
  "--check of a module": ["--check", "module-syntax.mjs"],
  "--enable-source-maps": ["--enable-source-maps", "throws.js"],
  "--throw-deprecation": [
    "--throw-deprecation",
    "-e",
    "process.emitWarning('w', 'DeprecationWarning')",
  ],
  "--warnings": ["-e", "process.emitWarning('w', { code: 'X1', detail: 'more' })"],
  "-r exits": ["-r", "./exit-3.js", "exit.js"],
  "--import throws": ["--import", "./module-throws.mjs", "exit.js"],
};

await Promise.all(
  Object.entries(programs).map(([name, source]) => writeFile(join(folder, name), source)),
);
const files = Object.fromEntries(
  Object.entries(programs).map(([name, source]) => [join(folder, name), source]),
);
const rt = await NodeRuntime.create({ files });
const env = { HOME: "/home/user", PATH: "/usr/local/bin:/usr/bin" };
after(async () => {
  await rt.dispose();
  await rm(folder, { recursive: true });
});

/** What depends on the process and on the version that guests are shown, and nothing else. */
function comparable(text) {
  return text
    .replaceAll(/Node\.js v\d+\.\d+\.\d+/g, "Node.js v0.0.0")
    .replaceAll(/\(node:\d+\)/g, "(node:0)")
    .replaceAll(/^\(Use `\S+ --/gm, "(Use `node --")
    .replaceAll(engine, "node")
    .replaceAll("/usr/local/bin/node", "node");
}

function plain(args) {
  return new Promise((resolve) => {
    const child = execFile(
      engine,
      args,
      { cwd: folder, env, timeout: 20_000 },
      (error, stdout, stderr) => {
        const { exitCode, signalCode } = child;
        const code = exitCode ?? 128 + constants.signals[signalCode];
        // A shell of the host may be asked to say more about the dump than the process did.
        resolve({ code, stdout, stderr: comparable(stderr) });
      },
    );
    child.stdin.end();
  });
}

async function guest(args) {
  const { exitCode, stdout, stderr } = await rt.execCommand("node", args, {
    cwd: folder,
    env,
    timeout: 20_000,
  });
  return { code: exitCode, stdout, stderr: comparable(stderr) };
}

/** V8 and glibc print addresses and native stacks when a process aborts. */
const nativeReport = new Set(["abort.js"]);

/**
 * What comes from another thread, or is thrown while an error is handled, is thrown again in guests:
 * where it was first, only C++ knows.
 */
const withoutLine = new Set([
  ...["handler-throws", "handler-throws-code", "monitor-throws", "capture-throws"].map(
    (what) => `uncaught-${what}.js`,
  ),
  "worker-throws.js",
  "worker-rejects.js",
  "worker-bad-code.js",
]);

const rows = [
  ...Object.keys(programs).map((name) => [name, [name]]),
  ...Object.entries(commandLines),
];

/** Of an end what is the engine's to say. */
function telling(name, end) {
  if (nativeReport.has(name)) return { ...end, stderr: "" };
  if (withoutLine.has(name)) return { ...end, stderr: end.stderr.trimEnd().split("\n").slice(-2) };
  return end;
}

const digestOf = (value) =>
  createHash("sha256")
    .update(JSON.stringify(value).replaceAll(folder, "/folder"))
    .digest("hex")
    .slice(0, 24);
const records = new URL("ends.json", import.meta.url);
const recorded = JSON.parse(readFileSync(records, "utf8"));
const writes = process.argv.includes("--write");
/** They end the same as long as this is: engine, environment, programs and command lines. */
const of = digestOf([engineVersion, process.arch, env, programs, rows]);
const ends = recorded.of === of && !writes ? recorded.ends : {};
const asked = {};
if (writes)
  after(() => writeFileSync(records, `${JSON.stringify({ of, ends: asked }, null, 2)}\n`));

for (const [name, args] of rows) {
  test(`ends as the engine does: ${name}`, async () => {
    const got = telling(name, await guest(args));
    if (ends[name] === digestOf(got)) return;
    const wanted = telling(name, await plain(args));
    asked[name] = digestOf(wanted);
    assert.deepEqual(got, wanted);
  });
}
