// TanStack AI code mode: a driver whose contexts are machines.
import { createIsolateDriver } from "secure-exec/tanstack";

const driver = createIsolateDriver({ timeout: 10_000, memoryLimit: 128 });
const context = await driver.createContext({
  bindings: {
    stock: {
      name: "stock",
      description: "How many are left",
      inputSchema: { type: "object", properties: { item: { type: "string" } } },
      execute: async ({ item }: { item: string }) => (item === "bolt" ? 12 : 0),
    },
  },
});
const { success, value } = await context.execute(`
  const counts = {};
  for (const item of ["bolt", "nut"]) counts[item] = await stock({ item });
  return counts;
`);
console.log(success, JSON.stringify(value));
await context.dispose();
