// What a worker had open is closed by the time its end is heard of, however it ended; Environment::RunCleanup of Node's src/env.cc.
import assert from "node:assert/strict";
import { after, before, it as test } from "node:test";
import { NodeRuntime } from "../../dist/index.js";

const it = (name, body) => test(name, { timeout: 60_000 }, body);

let rt;
before(async () => {
  rt = await NodeRuntime.create();
});
after(() => rt?.dispose());

const prelude = `
import { once } from "node:events";
import { closeSync, fstatSync, openSync, promises, readdirSync, writeFileSync, writeSync } from "node:fs";
import { createServer } from "node:net";
import { Worker } from "node:worker_threads";
const text = (source, options) => new Worker(source, { eval: true, ...options });
const codeOf = (run) => { try { run(); return "done"; } catch (error) { return error.code; } };
const descriptors = () => readdirSync("/proc/self/fd").length;
`;
async function returned(program) {
  const result = await rt.run(prelude + program);
  assert.deepEqual([result.stdout, result.stderr, result.exitCode], ["", "", 0]);
  return result.value;
}

it("files, sockets, pipes and watches of a worker are closed when it has ended", async () => {
  const value = await returned(`
    writeFileSync("/tmp/watched", "");
    const holds = (last) => \`
      const fs = require("fs"), net = require("net"), dgram = require("dgram"), { once } = require("events");
      (async () => {
        fs.openSync("/etc/hostname");
        globalThis.handle = await fs.promises.open("/etc/hostname");
        globalThis.directory = fs.opendirSync("/");
        fs.watch("/tmp/watched", () => {});
        const server = net.createServer(() => {}).listen(4321, "127.0.0.1");
        await once(server, "listening");
        const client = net.connect(4321, "127.0.0.1");
        await once(client, "connect");
        const udp = dgram.createSocket("udp4").bind(4321);
        await once(udp, "listening");
        const child = require("child_process").spawn("cat");
        await once(child, "spawn");
        new (require("node:sqlite").DatabaseSync)("/tmp/worker.db").exec("create table if not exists t (a)");
        require("worker_threads").parentPort.postMessage("open");
        for (const handle of [server, client, udp]) handle.unref();
        for (const handle of [child, child.stdin, child.stdout, child.stderr]) handle.unref();
        \${last};
      })();\`;
    const before = descriptors();
    const left = {};
    for (const last of ["process.exit()", "throw new Error('x')", "setInterval(() => {}, 1000)", "for (;;);"]) {
      const worker = text(holds(last));
      worker.on("error", () => {});
      const ended = new Promise((resolve) => worker.once("exit", resolve));
      // Its error comes by another port, and may be first.
      await new Promise((resolve) => worker.once("message", resolve));
      if (/setInterval|for/.test(last)) worker.terminate();
      await ended;
      left[last] = descriptors() - before;
      const server = createServer().listen(4321, "127.0.0.1");
      await once(server, "listening");
      server.close();
      await once(server, "close");
    }
    __return(left);`);
  assert.deepEqual(value, {
    "process.exit()": 0,
    "throw new Error('x')": 0,
    "setInterval(() => {}, 1000)": 0,
    "for (;;);": 0,
  });
});

it("a number that the main thread has closed and got again is not the worker's", async () => {
  const value = await returned(`
    const worker = text("require('worker_threads').parentPort.on('message', () => {}).postMessage(require('fs').openSync('/etc/hostname'))");
    const [fd] = await once(worker, "message");
    closeSync(fd);
    const again = openSync("/tmp/own", "w");
    await worker.terminate();
    __return([again === fd, codeOf(() => writeSync(again, "x"))]);`);
  assert.deepEqual(value, [true, "done"]);
});

it("trackUnmanagedFds: what is opened by number stays open where it is false, and what closes in the wrong place is warned of", async () => {
  const value = await returned(`
    const opens = "const fs = require('fs'); (async () => { globalThis.handle = await fs.promises.open('/etc/hostname'); require('worker_threads').parentPort.postMessage([fs.openSync('/etc/hostname'), handle.fd]); })()";
    const states = [];
    for (const options of [{ trackUnmanagedFds: false }, { trackUnmanagedFds: true }, {}]) {
      const worker = text(opens, options);
      const [[[file, handle]]] = await Promise.all([once(worker, "message"), once(worker, "exit")]);
      states.push([codeOf(() => fstatSync(file)), codeOf(() => fstatSync(handle))]);
      codeOf(() => closeSync(file));
    }
    const warnings = [];
    const worker = text(\`
      const fs = require("fs"), { parentPort } = require("worker_threads");
      process.removeAllListeners("warning").on("warning", ({ message }) => parentPort.postMessage(message));
      parentPort.postMessage(fs.openSync("/etc/hostname"));
      parentPort.on("message", (fd) => {
        if (fd !== undefined) return fs.closeSync(fd);
        fs.closeSync(fs.openSync("/etc/hostname"));
      });\`);
    const [fd] = await once(worker, "message");
    closeSync(fd);
    worker.postMessage(undefined);
    warnings.push(...(await once(worker, "message")));
    worker.postMessage(openSync("/etc/hostname"));
    warnings.push(...(await once(worker, "message")));
    await worker.terminate();
    __return([states, warnings.map((text) => text.replace(/[0-9]+/, "N"))]);`);
  assert.deepEqual(value, [
    [
      ["done", "EBADF"],
      ["EBADF", "EBADF"],
      ["EBADF", "EBADF"],
    ],
    [
      "File descriptor N opened in unmanaged mode twice",
      "File descriptor N closed but not opened in unmanaged mode",
    ],
  ]);
});

it("a FileHandle that has moved closes with the thread that has it", async () => {
  const value = await returned(`
    const gives = text("require('fs').promises.open('/etc/hostname').then((handle) => require('worker_threads').parentPort.postMessage(handle, [handle]))");
    const [[handle]] = await Promise.all([once(gives, "message"), once(gives, "exit")]);
    const read = await handle.readFile("utf8");
    await handle.close();
    const given = await promises.open("/etc/hostname");
    const { fd } = given;
    const takes = text("require('worker_threads').parentPort.once('message', (handle) => { globalThis.handle = handle; require('worker_threads').parentPort.postMessage(handle.fd); })");
    takes.postMessage(given, [given]);
    const [[taken]] = await Promise.all([once(takes, "message"), once(takes, "exit")]);
    __return([read.length > 0, taken === fd, codeOf(() => fstatSync(fd))]);`);
  assert.deepEqual(value, [true, true, "EBADF"]);
});
