/** Owns the `limits` option: its type and its checks, both after the one table in protocol/limits.ts. */
import { completeVmLimits, isAbove, runLimitNames, vmLimitTable } from "../protocol/limits.js";
import type { RunLimitName, RunLimits, VmLimitName, VmLimits } from "../protocol/limits.js";
import { failure, invalidOption, unknownOption } from "./errors.js";
import type { NodeRuntimeLimits } from "./limit-types.js";

/** Every name that `limits` knows. */
export const limitNames: readonly string[] = Object.keys(vmLimitTable);

/** Bounds on one program and all it starts, each at most what the machine's are: LIMIT_RAISED otherwise. */
export type NodeRuntimeRunLimits = Pick<NodeRuntimeLimits, RunLimitName>;

/** Throws INVALID_OPTION naming the limit. */
function limitsOf(value: unknown, known: readonly string[]): Partial<Record<VmLimitName, number>> {
  const given: Partial<Record<VmLimitName, number>> = {};
  if (value === undefined) return given;
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw invalidOption("limits", "must be an object of numbers");
  for (const [name, limit] of Object.entries(value)) {
    if (limit === undefined) continue;
    const option = `limits.${name}`;
    if (!known.includes(name) && Object.hasOwn(vmLimitTable, name))
      throw invalidOption(option, `is a limit of the machine; a run has ${known.join(", ")}`);
    if (!known.includes(name)) throw unknownOption([name], known, "limits.");
    const { least, most } = vmLimitTable[name as VmLimitName];
    if (!Number.isSafeInteger(limit) || limit < least || limit > most)
      throw invalidOption(option, `must be a whole number from ${least} to ${most}`);
    given[name as VmLimitName] = limit as number;
  }
  return given;
}

/** What was given over `base`, and over the defaults. Throws INVALID_OPTION naming the limit. */
export function parseLimits(value: unknown, base: Partial<VmLimits> = {}): VmLimits {
  return completeVmLimits({ ...base, ...limitsOf(value, Object.keys(vmLimitTable)) });
}

/** Throws INVALID_OPTION, and LIMIT_RAISED for one that is above `machine`'s. */
export function parseRunLimits(value: unknown, machine: VmLimits): RunLimits {
  const given = limitsOf(value, runLimitNames);
  for (const [name, asked] of Object.entries(given) as [RunLimitName, number][]) {
    const most = machine[name];
    if (isAbove(name, asked, most)) {
      const details = { option: `limits.${name}`, asked, most };
      throw failure("LIMIT_RAISED", { limit: name, asked, most }, { details });
    }
  }
  return given;
}
