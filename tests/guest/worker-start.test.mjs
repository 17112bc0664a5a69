// What the start of a worker's thread puts off until the program needs it: it is as on plain Node, and there when it is needed.
import assert from "node:assert/strict";
import { after, before, it as test } from "node:test";
import { NodeRuntime } from "../../dist/index.js";
import { plainNode } from "../support/plain-node.mjs";

const it = (name, body) => test(name, { timeout: 60_000 }, body);

let rt;
before(async () => (rt = await NodeRuntime.create()));
after(() => rt?.dispose());

/** A program that prints as JSON what `text` posts from a worker. */
const ofWorker = (text) => `
  const { Worker } = require("node:worker_threads");
  const start = 'const post = (value) => require("node:worker_threads").parentPort.postMessage(value);';
  new Worker(start + ${JSON.stringify(text)}, { eval: true }).on("message", (value) => console.log(JSON.stringify(value)));`;

async function inGuest(text) {
  const result = await rt.execCommand("node", ["-e", ofWorker(text)]);
  assert.deepEqual([result.stderr, result.exitCode], ["", 0]);
  return JSON.parse(result.stdout);
}

/** Of ours, and of the loader that has them; each costs every thread. */
const alsoLoaded = [
  "ffi",
  "internal/ffi-shared-buffer",
  "internal/ffi/fast-api",
  "internal/ffi/vfs",
  "internal/source_map/source_map",
  "internal/test/binding",
  "internal/worker",
  "module",
  "vm",
  "worker_threads",
];

it("a thread begins with few modules of Node's that a plain one begins without", async () => {
  const text = `post(process.moduleLoadList.filter((name) => name.startsWith("NativeModule ")).map((name) => name.slice(13)))`;
  const plain = new Set(JSON.parse(plainNode(["-e", ofWorker(text)]).stdout));
  const more = (await inGuest(text)).filter((name) => !plain.has(name));
  assert.deepEqual(
    more.filter((name) => !alsoLoaded.includes(name)),
    [],
  );
});

it("clocks of a thread count from the start of its process, whoever asks first", async () => {
  const text = (first) => `
    const { ${first} } = require("node:perf_hooks");
    const clock = globalThis.performance;
    const now = clock.now();
    post([now > 0, clock.now() >= now, Math.abs(clock.timeOrigin + now - Date.now()) < 1000]);`;
  for (const first of ["performance", "PerformanceObserver"])
    assert.deepEqual(await inGuest(text(first)), [true, true, true]);
});

it("what the engine measures in a thread is told on the thread's own clock", async () => {
  const text = `
    const { PerformanceObserver, performance } = require("node:perf_hooks");
    const before = performance.now();
    const observer = new PerformanceObserver((list) => {
      const times = list.getEntries().map(({ startTime }) => startTime);
      post(times.every((time) => time >= before - 1 && time <= performance.now()));
      observer.disconnect();
    });
    observer.observe({ entryTypes: ["gc"] });
    const kept = [];
    for (let i = 0; i < 3e6; i++) kept[i % 1000] = { i };`;
  assert.equal(await inGuest(text), true);
});

it("v8 in a thread writes to the machine's files and counts the thread's heap", async () => {
  const text = `
    const usage = process.memoryUsage();
    const v8 = require("node:v8");
    const file = v8.writeHeapSnapshot("/tmp/thread.heapsnapshot");
    const { snapshot } = JSON.parse(require("node:fs").readFileSync(file, "utf8"));
    const { total_heap_size: total } = v8.getHeapStatistics();
    post([file, snapshot.node_count > 1000, usage.heapTotal > 1e6 && usage.heapTotal <= total]);`;
  assert.deepEqual(await inGuest(text), ["/tmp/thread.heapsnapshot", true, true]);
});

it("a thread serves HTTP/2 and asks for it", async () => {
  const text = `
    const http2 = require("node:http2");
    const server = http2.createServer((request, response) => response.end("over " + request.httpVersion));
    server.listen(0, "127.0.0.1", () => {
      const client = http2.connect("http://127.0.0.1:" + server.address().port);
      let body = "";
      client.request({ ":path": "/" }).setEncoding("utf8").on("data", (part) => (body += part)).on("end", () => {
        client.close();
        server.close();
        post(body);
      });
    });`;
  assert.equal(await inGuest(text), "over 2.0");
});
