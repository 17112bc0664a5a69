/** Owns the `limits` option: its type and its checks, both after the one table in protocol/limits.ts. */
import { completeVmLimits, vmLimitTable } from "../protocol/limits.js";
import type { VmLimitName, VmLimits } from "../protocol/limits.js";
import { invalidOption } from "./errors.js";

/** Bounds on one virtual machine; what each means, its default and range: docs/limits.md. */
export type NodeRuntimeLimits = { -readonly [Name in VmLimitName]?: number };

/** What was given over the defaults. Throws INVALID_OPTION naming the limit. */
export function parseLimits(value: unknown): VmLimits {
  if (value === undefined) return completeVmLimits();
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw invalidOption("limits", "must be an object of numbers");
  const given: Partial<Record<VmLimitName, number>> = {};
  for (const [name, limit] of Object.entries(value)) {
    if (limit === undefined) continue;
    const option = `limits.${name}`;
    if (!Object.hasOwn(vmLimitTable, name)) throw invalidOption(option, "is not a known limit");
    const { least, most } = vmLimitTable[name as VmLimitName];
    if (!Number.isSafeInteger(limit) || limit < least || limit > most)
      throw invalidOption(option, `must be a whole number from ${least} to ${most}`);
    given[name as VmLimitName] = limit as number;
  }
  return completeVmLimits(given);
}
