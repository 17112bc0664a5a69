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
