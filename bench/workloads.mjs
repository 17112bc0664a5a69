/**
 * Owns the programs the benchmark runs.
 */
export const small = "__return(1+1)";

/** About 300 ms of integers, objects and strings; leaves its milliseconds in `spent`. */
export const cpu = `
const startedAt = performance.now();
let hash = 17;
for (let i = 0; i < 60_000_000; i++) hash = (Math.imul(hash, 31) + i) | 0;
const points = [];
for (let i = 0; i < 600_000; i++) points.push({ x: i, y: i ^ hash, next: points[i >> 1] });
let sum = 0;
for (const point of points) sum = (sum + point.x + (point.next?.y ?? 0)) | 0;
const seen = new Map();
for (let i = 0; i < 300_000; i++) {
  const key = "key-" + (i % 5000).toString(36);
  seen.set(key, (seen.get(key) ?? 0) + key.length);
}
const spent = performance.now() - startedAt;
`;

/** HTTP requests over keep-alive connections of one process to itself; leaves their number per second in `perSecond`. */
export const httpLoopback = `
const { default: http } = await import("node:http");
const server = http.createServer((_, response) => response.end("ok"));
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const { port } = server.address();
const agent = new http.Agent({ keepAlive: true, maxSockets: 16 });
const get = () =>
  new Promise((resolve, reject) => {
    const request = http.get({ host: "127.0.0.1", port, agent }, (response) => {
      response.resume();
      response.on("end", resolve);
    });
    request.on("error", reject);
  });
const requests = async (count) => {
  let left = count;
  const worker = async () => { while (left-- > 0) await get(); };
  await Promise.all(Array.from({ length: 16 }, worker));
};
await requests(2000);
const startedAt = performance.now();
await requests(4000);
const perSecond = (4000 / (performance.now() - startedAt)) * 1000;
agent.destroy();
server.close();
`;

/** A host process of its own: what its first `create` and first `run` take. */
export const firstCreate = (sdk) => `
import { NodeRuntime } from ${JSON.stringify(sdk)};
const startedAt = performance.now();
const runtime = await NodeRuntime.create();
const create = performance.now() - startedAt;
const result = await runtime.run(${JSON.stringify(small)});
if (result.value !== 2) throw new Error("wrong value");
const run = performance.now() - startedAt;
console.log(JSON.stringify({ create, run }));
await runtime.dispose();
process.exit(0);
`;
