/**
 * Owns when the engine compiles what it finds hot. Usually it collects such functions until they are much text together (V8's
 * BaselineBatchCompiler). A fork inherits what has been collected: guests that come near the mark in their own start would each compile
 * all of it, which is milliseconds and tens of pages. So a zygote that is warm keeps nothing for later, and its guests begin with nothing.
 */
import type { RequireBuiltin } from "./engine-modules.js";

/** Of a batch, in bytes: one that every function passes, and V8's own (flag-definitions.h). */
const threshold = { least: 1, usual: 4096 } as const;

function setFlags(requireBuiltin: RequireBuiltin, flags: string): void {
  requireBuiltin("v8").setFlagsFromString(flags);
}

/** In a zygote, from now on. */
export function compileHotAtOnce(requireBuiltin: RequireBuiltin): void {
  setFlags(requireBuiltin, `--baseline-batch-compilation-threshold=${threshold.least}`);
}

/** In a zygote whose own part has been optimised: what still waits for that stays where it is. */
export function optimizeNoMore(requireBuiltin: RequireBuiltin): void {
  setFlags(requireBuiltin, "--no-turbofan --no-maglev");
}

/** In a guest: all as V8 has it. */
export function compileAsUsual(requireBuiltin: RequireBuiltin): void {
  setFlags(
    requireBuiltin,
    `--turbofan --maglev --baseline-batch-compilation-threshold=${threshold.usual}`,
  );
}
