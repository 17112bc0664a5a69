// Machines that end with the test file, and the tool that several of them offer.
import { NodeRuntime } from "../../dist/index.js";
import { atFileEnd } from "./file-end.mjs";

const open = new Set();
atFileEnd(async () => {
  const machines = [...open];
  open.clear();
  await Promise.all(machines.map((runtime) => runtime.dispose()));
});

export async function machine(options = {}) {
  const runtime = await NodeRuntime.create(options);
  open.add(runtime);
  return runtime;
}

export const add = {
  description: "Add two numbers",
  inputSchema: {
    type: "object",
    properties: { a: { type: "number" }, b: { type: "number" } },
    required: ["a", "b"],
  },
  handler: ({ a, b }) => ({ sum: a + b }),
};
