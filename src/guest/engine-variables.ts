/**
 * Owns which variables of the engine's own modules are others in a guest than where the zygote was started, beside
 * its options: all of them are replaced in one go (./engine-closures.ts), which the zygote does for
 * the guests that it forks later. One that was forked before, and every other thread, does it
 * itself when its program needs one of them.
 */
import { cacheVariables } from "./compile-cache/compilers.js";
import { replaceInClosures } from "./engine-closures.js";
import type { ClosureVariable } from "./engine-closures.js";
import type { EngineTools } from "./environment.js";

let placed = false;

export function placeEngineVariables(env: EngineTools): void {
  if (placed) return;
  replaceInClosures(env, [...cacheVariables(env), watchVariable(env)]);
  placed = true;
}

/**
 * Whether `require` tells a parent that watches of each file: the loader asks the environment once, and its once
 * was in the zygote.
 */
function watchVariable(env: EngineTools): ClosureVariable {
  const { Module } = env.requireBuiltin("module");
  return {
    name: "shouldReportRequiredModules",
    value: () => process.env["WATCH_REPORT_DEPENDENCIES"],
    inside: Module._nodeModulePaths,
    call: () => Module._nodeModulePaths("/"),
  };
}

/** In a process that `node --watch` or the test runner began. */
export function reportToWatcher(env: EngineTools): void {
  if (process.env["WATCH_REPORT_DEPENDENCIES"] !== undefined) placeEngineVariables(env);
}
