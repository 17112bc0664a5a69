/** Owns how much memory a guest is told that it uses: what V8 counts, not the pages of the process. */
import { afterLoad } from "./builtin-loads.js";
import type { EngineTools } from "./environment.js";

let heapStatistics: () => Record<string, number>;

/** Once in each thread. */
export function installMemoryUsage({ requireBuiltin }: EngineTools): void {
  heapStatistics = () => requireBuiltin("v8").getHeapStatistics() as Record<string, number>;
  afterLoad(requireBuiltin, "v8", ({ getHeapStatistics }) => {
    heapStatistics = getHeapStatistics;
  });
}

export function usedBytes(): number {
  const heap = heapStatistics();
  return heap["total_heap_size"]! + heap["external_memory"]!;
}

/** `process.memoryUsage`. */
export const memoryUsage = Object.assign(
  () => {
    const heap = heapStatistics();
    return {
      rss: heap["total_heap_size"]! + heap["external_memory"]! + heap["malloced_memory"]!,
      heapTotal: heap["total_heap_size"]!,
      heapUsed: heap["used_heap_size"]!,
      external: heap["external_memory"]!,
      arrayBuffers: heap["external_memory"]!,
    };
  },
  { rss: usedBytes },
);
