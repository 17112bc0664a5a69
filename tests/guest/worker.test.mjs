// worker_threads inside a guest: real threads, each with virtual bindings and a socket of its own.
import assert from "node:assert/strict";
import { after, before, it as test } from "node:test";
import { NodeRuntime } from "../../dist/index.js";
import { isIdle, openDescriptors, tree, until } from "../support/processes.mjs";

const it = (name, body) => test(name, { timeout: 60_000 }, body);

let rt;
before(async () => {
  rt = await NodeRuntime.create({
    files: {
      "/home/user/echo.cjs": `
        const { parentPort, workerData } = require("node:worker_threads");
        parentPort.postMessage({ workerData, main: require.main === module, name: __filename });
        parentPort.once("message", (message) => parentPort.postMessage(["echo", message]));`,
      "/home/user/module.mjs": `
        import { parentPort } from "node:worker_threads";
        import { helper } from "./helper.mjs";
        parentPort.postMessage([helper(), import.meta.url, process.argv.slice(1)]);`,
      "/home/user/helper.mjs": `export const helper = () => "helped";`,
      "/home/user/preload.cjs": `globalThis.preloaded = require("node:fs").existsSync("/home/user");`,
    },
  });
});
after(() => rt?.dispose());

const prelude = `
import { once } from "node:events";
import { readFileSync, writeFileSync, openSync, closeSync } from "node:fs";
import {
  BroadcastChannel, MessageChannel, SHARE_ENV, Worker, isMainThread, markAsUntransferable,
  receiveMessageOnPort, setEnvironmentData, threadId,
} from "node:worker_threads";
const text = (source, options) => new Worker(source, { eval: true, ...options });
const ended = (worker) => new Promise((resolve) => {
  let error;
  worker.on("error", (value) => (error = value));
  worker.once("exit", (code) => resolve([code, error?.code ?? error?.message]));
});
`;
/** What the program returns; its output must be exactly `stdout`. */
async function returned(program, { stdout = "", ...options } = {}) {
  const result = await rt.run(prelude + program, options);
  assert.deepEqual([result.stdout, result.stderr, result.exitCode], [stdout, "", 0]);
  return result.value;
}

it("a file, a module, a text and a data: URL run in threads of their own", async () => {
  const value = await returned(`
    const file = new Worker("./echo.cjs", { workerData: { a: [1, new Map([[2, 3]])] } });
    const [hello] = await once(file, "message");
    file.postMessage("x");
    const [echo] = await once(file, "message");
    const [esm] = await once(new Worker(new URL("file:///home/user/module.mjs"), { argv: ["y"] }), "message");
    const [evaluated] = await once(text("require('worker_threads').parentPort.postMessage([__filename, process.argv])"), "message");
    const url = new URL("data:text/javascript,import { parentPort } from 'node:worker_threads'; parentPort.postMessage(await 'data')");
    const [data] = await once(new Worker(url), "message");
    __return([hello.workerData.a[1].get(2), hello.main, hello.name, echo, esm, evaluated, data]);`);
  assert.deepEqual(value, [
    3,
    true,
    "/home/user/echo.cjs",
    ["echo", "x"],
    ["helped", "file:///home/user/module.mjs", ["/home/user/module.mjs", "y"]],
    ["[worker eval]", ["/usr/local/bin/node", "[worker eval]"]],
    "data",
  ]);
});

it("a worker's system calls do not need the main thread", async () => {
  // The main thread sleeps: nobody but the worker itself reads its answers.
  const value = await returned(`
    const words = new Int32Array(new SharedArrayBuffer(8));
    text(\`
      const { workerData: words } = require("worker_threads");
      const fs = require("fs");
      fs.writeFileSync("/tmp/big", Buffer.alloc(3_000_000, 7));
      words[1] = fs.readFileSync("/tmp/big").length;
      require("fs").promises.readFile("/tmp/big").then((data) => {
        words[1] += data[2_999_999];
        Atomics.store(words, 0, 1);
        Atomics.notify(words, 0);
      });\`, { workerData: words });
    const woken = Atomics.wait(words, 0, 0);
    __return([woken, words[1], readFileSync("/tmp/big").length]);`);
  assert.deepEqual(value, ["ok", 3_000_007, 3_000_000]);
});

it("several threads make system calls at once and each gets its own answers", async () => {
  const value = await returned(`
    const workers = Array.from({ length: 4 }, (_, i) => text(\`
      const { workerData: i, parentPort } = require("worker_threads");
      const fs = require("fs");
      let wrong = 0;
      for (let n = 0; n < 200; n++) {
        fs.writeFileSync("/tmp/own" + i, i + ":" + n);
        if (fs.readFileSync("/tmp/own" + i, "utf8") !== i + ":" + n) wrong++;
      }
      parentPort.postMessage(wrong);\`, { workerData: i }));
    let wrong = 0;
    for (let n = 0; n < 200; n++) {
      writeFileSync("/tmp/own-main", "main" + n);
      if (readFileSync("/tmp/own-main", "utf8") !== "main" + n) wrong++;
    }
    const answers = await Promise.all(workers.map((worker) => once(worker, "message")));
    __return([wrong, ...answers.flat()]);`);
  assert.deepEqual(value, [0, 0, 0, 0, 0]);
});

it("ends: natural, process.exit, an error, terminate, an endless loop, a syntax error", async () => {
  const value = await returned(`
    const results = [];
    results.push(await ended(text("1")));
    results.push(await ended(text("process.on('exit', () => { process.exitCode = 9 }); process.exit(7)")));
    results.push(await ended(text("throw Object.assign(new TypeError('no'), { code: 'E' })")));
    results.push(await ended(text("Promise.reject(new Error('rejected'))")));
    results.push(await ended(text("var a b")));
    for (const source of ["setInterval(() => {}, 1000)", "for (;;);", "Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)"]) {
      const worker = text(source);
      await once(worker, "online");
      results.push(await worker.terminate());
    }
    __return(results);`);
  assert.deepEqual(value, [
    [0, null],
    [9, null],
    [1, "E"],
    [1, "rejected"],
    [1, "Unexpected identifier 'b'"],
    1,
    1,
    1,
  ]);
});

it("an error that nobody listens for ends the process with its report", async () => {
  const result = await rt.exec(
    `${prelude} text("throw new RangeError('from a worker')"); setInterval(() => {}, 1000);`,
  );
  assert.equal(result.exitCode, 1);
  assert.match(result.stderr, /RangeError: from a worker\n {4}at \[worker eval\]:1:7/);
  assert.doesNotMatch(result.stderr, /secure-exec\/guest\/leaving/);
});

it("what a worker wrote arrives before the end of the process", async () => {
  for (let round = 0; round < 5; round++) {
    const result = await rt.exec(`${prelude}
      const worker = text("require('fs').writeSync(1, 'x'.repeat(100_000)); require('worker_threads').parentPort.postMessage(1)");
      await once(worker, "message");
      process.exit(0);`);
    assert.equal(result.stdout.length, 100_000);
  }
});

it("the process can leave while its workers run", async () => {
  for (const last of [
    "process.exit(5)",
    "process.exitCode = 5; for (const worker of workers) worker.unref()",
  ]) {
    const result = await rt.exec(`${prelude}
      const workers = [text("for (;;);"), text("setInterval(() => {}, 1000)"), text("require('fs').readSync(0, Buffer.alloc(1))")];
      await Promise.all(workers.map((worker) => once(worker, "online")));
      ${last}`);
    assert.deepEqual([result.exitCode, result.stderr], [5, ""]);
  }
});

it("standard streams, environment, arguments and preloaded modules", async () => {
  const value = await returned(
    `
    const piped = text("process.stdin.pipe(process.stdout); process.stderr.write('e')", { stdin: true, stdout: true, stderr: true });
    let out = "", err = "";
    piped.stdout.on("data", (chunk) => (out += chunk));
    piped.stderr.on("data", (chunk) => (err += chunk));
    piped.stdin.end("through");
    await ended(piped);
    await ended(text("console.log('to the main thread')"));
    await ended(text("require('fs').writeSync(1, 'x'.repeat(400_000)); require('fs').writeSync(1, '!')"));
    const report = "require('worker_threads').parentPort.postMessage([process.env.A ?? null, process.env.HOME ?? null, process.argv.slice(2), process.execArgv, globalThis.preloaded ?? null])";
    const [own] = await once(text(report, { env: { A: 1 }, argv: ["x", 2], execArgv: ["-r", "/home/user/preload.cjs"] }), "message");
    const [inherited] = await once(text(report), "message");
    process.env.NODE_OPTIONS = "--require /home/user/preload.cjs";
    const [[, , , , preloaded]] = await once(text(report), "message");
    const [options] = await once(text("require('worker_threads').parentPort.postMessage(process.env.NODE_OPTIONS)"), "message");
    delete process.env.NODE_OPTIONS;
    const [module] = await once(text("import { parentPort } from 'worker_threads'; parentPort.postMessage(typeof require)", { execArgv: ["--input-type=module"] }), "message");
    await ended(text("process.env.SHARED = 'yes'", { env: SHARE_ENV }));
    await ended(text("process.env.COPIED = 'yes'"));
    __return([out, err, own, inherited, preloaded, options, module, process.env.SHARED, process.env.COPIED ?? null]);`,
    { stdout: `to the main thread\n${"x".repeat(400_000)}!` },
  );
  assert.deepEqual(value, [
    "through",
    "e",
    ["1", null, ["x", "2"], ["-r", "/home/user/preload.cjs"], true],
    [null, "/home/user", [], [], null],
    true,
    "--require /home/user/preload.cjs",
    "undefined",
    "yes",
    null,
  ]);
});

it("one process: pid, directory, mask, host name; and what a worker may not do", async () => {
  const value = await returned(`
    const report = \`
      const { parentPort } = require("worker_threads");
      const codes = ["chdir", "setuid", "abort"].map((name) => { try { process[name]("/"); } catch (error) { return error.code; } });
      try { process.umask(0); } catch (error) { codes.push(error.code); }
      const own = () => parentPort.postMessage([process.pid, process.ppid, process.cwd(), process.umask(), process.version, process.execPath, require("os").hostname(), codes]);
      own();
      parentPort.once("message", own);\`;
    process.chdir("/tmp");
    process.umask(0o027);
    const worker = text(report);
    const [first] = await once(worker, "message");
    process.chdir("/");
    worker.postMessage("again");
    const [second] = await once(worker, "message");
    __return([first, second, [process.pid, process.ppid, process.version, process.execPath]]);`);
  const [first, second, [pid, ppid, version, execPath]] = value;
  const not = "ERR_WORKER_UNSUPPORTED_OPERATION";
  const rest = [0o027, version, execPath, "secure-exec", [not, not, not, not]];
  assert.deepEqual(first, [pid, ppid, "/tmp", ...rest]);
  assert.deepEqual(second, [pid, ppid, "/", ...rest]);
});

it("channels, broadcasts, environment data, untransferable and locked-out values", async () => {
  const value = await returned(`
    setEnvironmentData("key", { deep: 1 });
    const { port1, port2 } = new MessageChannel();
    const channel = new BroadcastChannel("all");
    const heard = once(channel, "message");
    const worker = text(\`
      const { workerData: port, getEnvironmentData, threadId, isMainThread, BroadcastChannel } = require("worker_threads");
      port.postMessage([getEnvironmentData("key"), threadId, isMainThread]);
      const channel = new BroadcastChannel("all");
      channel.postMessage("all of you");
      channel.close();
      port.close();\`, { workerData: port2, transferList: [port2] });
    const end = ended(worker);
    const [{ data }] = await heard;
    channel.close();
    await end;
    const { message } = receiveMessageOnPort(port1);
    const buffer = new ArrayBuffer(8);
    markAsUntransferable(buffer);
    let refused;
    try { port1.postMessage(buffer, [buffer]); } catch (error) { refused = error.name; }
    let unclonable;
    try { text("1", { workerData: () => {} }); } catch (error) { unclonable = error.name; }
    const busy = text("const until = performance.now() + 50; while (performance.now() < until);");
    const busyEnd = ended(busy);
    await once(busy, "online");
    const { utilization } = busy.performance.eventLoopUtilization();
    await busyEnd;
    __return([data, message, receiveMessageOnPort(port1) ?? null, refused, unclonable, threadId, isMainThread, utilization >= 0]);`);
  const [, [, worker]] = value;
  assert.ok(worker >= 1);
  assert.deepEqual(value, [
    "all of you",
    [{ deep: 1 }, worker, false],
    null,
    "DataCloneError",
    "DataCloneError",
    0,
    true,
    true,
  ]);
});

it("a FileHandle moves to a worker with its descriptor", async () => {
  const value = await returned(`
    const { open } = await import("node:fs/promises");
    writeFileSync("/tmp/handle", "contents");
    const handle = await open("/tmp/handle");
    const { fd } = handle;
    const worker = text("const { workerData, parentPort } = require('worker_threads'); workerData.readFile('utf8').then((read) => { parentPort.postMessage([workerData.fd, read]); return workerData.close(); })", { workerData: handle, transferList: [handle] });
    const end = ended(worker);
    const [[there, read]] = await once(worker, "message");
    await end;
    let reused;
    try { reused = openSync("/tmp/handle"); closeSync(reused); } catch (error) { reused = error.code; }
    __return([there === fd, read, handle.fd, reused === fd]);`);
  assert.deepEqual(value, [true, "contents", -1, true]);
});

it("workers start workers, and all of them end with the first", async () => {
  const value = await returned(`
    const nested = (depth) => \`
      const { Worker, parentPort, workerData, threadId } = require("worker_threads");
      const own = [threadId, require("fs").readFileSync("/etc/hostname", "utf8")];
      if (workerData === 0) { parentPort.postMessage([own]); setInterval(() => {}, 1000); }
      else new Worker(__program, { eval: true, workerData: workerData - 1 }).on("message", (list) => parentPort.postMessage([own, ...list]));\`;
    const program = nested();
    const source = program.replace("__program", JSON.stringify(program).slice(0, 0) + "require('worker_threads').getEnvironmentData('program')");
    setEnvironmentData("program", source);
    const rounds = [];
    // More rounds than there is room for threads: what ended gave its room back.
    for (let round = 0; round < 6; round++) {
      const worker = text(source, { workerData: 2 });
      const [list] = await once(worker, "message");
      rounds.push([list.length, new Set(list.map(([id]) => id)).size, new Set(list.map(([, name]) => name)).size]);
      await worker.terminate();
    }
    __return(rounds);`);
  assert.deepEqual(
    value,
    Array.from({ length: 6 }, () => [3, 3, 1]),
  );
});

it("memory: a worker's limit is its own, and the room for workers is not the program's", async () => {
  const value = await returned(`
    const eat = "const all = []; for (;;) all.push(new Array(1000).fill(1.5))";
    const small = text(eat, { resourceLimits: { maxOldGenerationSizeMb: 16, codeRangeSizeMb: 16 } });
    const asked = small.resourceLimits;
    const ends = [await ended(small)];
    const workers = Array.from({ length: 10 }, () => text("setInterval(() => {}, 1000)"));
    await Promise.all(workers.map((worker) => once(worker, "online")));
    const [count] = [workers.length];
    await Promise.all(workers.map((worker) => worker.terminate()));
    __return([asked, ends, count, new Uint8Array(100 * 2 ** 20).length]);`);
  const out = [1, "ERR_WORKER_OUT_OF_MEMORY"];
  assert.equal(value[0].maxOldGenerationSizeMb, 16);
  assert.equal(value[0].codeRangeSizeMb, 16);
  assert.deepEqual(value.slice(1), [[out], 10, 104857600]);
  // The budget is what it was without workers: the set-aside room cannot be had as memory.
  const asked = await returned(`
    const size = (bytes) => { try { return new Uint8Array(bytes).length; } catch (error) { return error.name; } };
    __return([size(300 * 2 ** 20), size(100 * 2 ** 20)]);`);
  assert.deepEqual(asked, ["RangeError", 104857600]);
});

it("one thread too many is an error, and room comes back", async () => {
  const value = await returned(`
    const workers = Array.from({ length: 14 }, () => text("setInterval(() => {}, 1000)"));
    const states = await Promise.all(workers.map(async (worker) => {
      const end = ended(worker);
      return Promise.race([end, once(worker, "online").then(() => "online", () => end)]);
    }));
    await Promise.all(workers.map((worker) => worker.terminate()));
    const again = await Promise.all(Array.from({ length: 12 }, () => ended(text("1"))));
    __return([states, again]);`);
  assert.deepEqual(value, [
    [...Array(12).fill("online"), ...Array(2).fill([1, "ERR_WORKER_INIT_FAILED"])],
    Array(12).fill([0, null]),
  ]);
});

it("random numbers differ between all threads of all guests", async () => {
  const draw = `[Math.random(), crypto.randomUUID(), require("crypto").randomBytes(8).toString("hex"), require("crypto").randomUUID()]`;
  const program = `${prelude}
    const list = await Promise.all(Array.from({ length: 8 }, () => once(text(\`require("worker_threads").parentPort.postMessage(${draw})\`), "message")));
    __return([${draw}, ...list.map(([values]) => values)].flat());`;
  const results = await Promise.all([rt.run(program), rt.run(program)]);
  const all = results.flatMap(({ value }) => value);
  assert.equal(all.length, 2 * 9 * 4);
  assert.equal(new Set(all).size, all.length);
});

it("module hooks run in a thread that Node starts itself", async () => {
  const value = await returned(`
    import { register } from "node:module";
    writeFileSync("/tmp/hooks.mjs", "export async function load(url, context, next) { return url.endsWith('virtual:x') ? { format: 'module', source: 'export default 42', shortCircuit: true } : next(url, context); } export async function resolve(s, c, next) { return s === 'virtual:x' ? { url: s, shortCircuit: true } : next(s, c); }");
    register("/tmp/hooks.mjs", "file:///");
    const { default: answer } = await import("virtual:x");
    __return(answer);`);
  assert.equal(value, 42);
});

it("nothing of the host and nothing internal is in a worker's reach", async () => {
  const value = await returned(`
    const [answer] = await once(text(\`
      const tries = {};
      for (const id of ["internal/test/binding", "internal/worker", "ffi"])
        try { require(id); tries[id] = "there"; } catch (error) { tries[id] = error.code; }
      const seen = JSON.stringify([process.argv, process.argv0, process.execArgv, process.execPath, process.title, process.env, require("module").globalPaths, process.versions.node, Object.keys(require("worker_threads").workerData ?? {})]);
      require("worker_threads").parentPort.postMessage([tries, seen, require("module").builtinModules.some((id) => id.startsWith("internal/")), new Error().stack, "ffi" in process.binding("natives")]);\`), "message");
    __return(answer);`);
  const [tries, seen, internals, stack] = value;
  assert.deepEqual(
    new Set(Object.values(tries)),
    new Set(["MODULE_NOT_FOUND"]),
    JSON.stringify(tries),
  );
  assert.doesNotMatch(seen, /(?<!\.)node_modules|expose-internals|linux-x64|makeLoader/);
  assert.equal(internals, false);
  assert.doesNotMatch(stack, /secure-exec/);
});

it("kernel and zygote keep nothing of ended workers", async () => {
  const program = `${prelude} for (let i = 0; i < 10; i++) await ended(text("require('fs').statSync('/')")); __return(1);`;
  await rt.run(program);
  await until(isIdle);
  const { kernel, zygote } = tree();
  const before = [openDescriptors(kernel), openDescriptors(zygote)];
  await Promise.all([rt.run(program), rt.run(program)]);
  const running = rt.run(`${prelude}
    const worker = text("setInterval(() => {}, 1000)"); await once(worker, "online"); process.exit(0)`);
  await running;
  await until(isIdle);
  const after = [openDescriptors(kernel), openDescriptors(zygote)];
  // Three guests waited before, though the last may not have been connected; one descriptor of each of 21 workers is more.
  assert.ok(
    after.every((count, i) => count < before[i] + 16),
    `descriptors ${before} → ${after}`,
  );
});
