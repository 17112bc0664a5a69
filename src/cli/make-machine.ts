/**
 * Owns making the machine of a command. The SDK is loaded once one is wanted: it is two thirds of what this process costs,
 * and help, completion and refusals of wrong usage, which shells ask for while somebody types, do without.
 * Untrusted: nothing.
 */
import type { NodeRuntimeCreateOptions } from "../sdk/option-types.js";
import type { NodeRuntime } from "../sdk/runtime.js";

export async function makeMachine(options: NodeRuntimeCreateOptions = {}): Promise<NodeRuntime> {
  const { NodeRuntime: Machine } = await import("../sdk/runtime.js");
  return Machine.create(options);
}
