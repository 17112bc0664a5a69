/**
 * Owns what a program's realm holds: the rung of the platform ladder, which
 * imports resolve, which built-in modules may be asked for, how clocks run.
 *
 * It protects nothing. It takes away what a program should not count on; what a
 * program must not do is refused by the kernel and by the walls of the process.
 */
import type { JsRuntime, ModuleResolution } from "../protocol/platforms.js";
import { restrictBuiltins } from "./public-modules.js";
import { installTiming } from "./timing.js";
import { globalsOf } from "./platform-globals.js";
import { installWebFetch } from "./web-fetch.js";
import type { WebFetchTools } from "./web-fetch.js";
import type { RequireBuiltin } from "./engine-types.js";

export type PlatformTools = WebFetchTools;

const { defineProperty, getOwnPropertyNames } = Object;
const { apply, deleteProperty } = Reflect;

const standardConsole = [
  "assert",
  "clear",
  "count",
  "countReset",
  "debug",
  "dir",
  "dirxml",
  "error",
  "group",
  "groupCollapsed",
  "groupEnd",
  "info",
  "log",
  "table",
  "time",
  "timeEnd",
  "timeLog",
  "trace",
  "warn",
] as const;

function put(name: string, value: unknown): void {
  defineProperty(globalThis, name, {
    value,
    writable: true,
    configurable: true,
    enumerable: false,
  });
}

/** The console of the standard: Node's own has its streams, and through them Node, on it. */
function plainConsole(): object {
  const plain = {};
  const node = console as unknown as Record<string, (...args: unknown[]) => unknown>;
  for (const name of standardConsole) {
    const method = node[name]!;
    const value = { [name]: (...args: unknown[]): void => void apply(method, node, args) }[name];
    defineProperty(plain, name, { value, writable: true, configurable: true, enumerable: true });
  }
  defineProperty(plain, Symbol.toStringTag, { value: "console", configurable: true });
  return plain;
}

/** Timers that answer a number, as everywhere but in Node. */
function putPlainTimers(): void {
  for (const name of ["setTimeout", "setInterval"] as const) {
    const start = globalThis[name] as (...args: unknown[]) => { [Symbol.toPrimitive](): number };
    const value = {
      [name]: (...args: unknown[]): number => apply(start, undefined, args)[Symbol.toPrimitive](),
    }[name];
    put(name, value);
  }
}

function removeGlobals(tools: PlatformTools, keep: readonly string[]): void {
  const kept = new Set(keep);
  if (kept.has("fetch")) installWebFetch(tools);
  if (kept.has("console")) put("console", plainConsole());
  if (kept.has("setTimeout")) putPlainTimers();
  for (const name of getOwnPropertyNames(globalThis)) {
    if (!kept.has(name)) deleteProperty(globalThis, name);
  }
}

function isPath(specifier: string): boolean {
  return /^(?:\.{0,2}\/|\.{1,2}$)/.test(specifier) || specifier.startsWith("file:");
}

/** Why a specifier does not resolve, or undefined when Node's own resolution may try. */
function refusal(mode: ModuleResolution, specifier: string): string | undefined {
  if (mode === "none") return "nothing may be imported";
  if (isPath(specifier)) return undefined;
  return "only relative and absolute paths may be imported";
}

function restrictResolution(tools: PlatformTools, mode: ModuleResolution): void {
  const fail = (specifier: string, parent: unknown, code: string): never => {
    const from = typeof parent === "string" && parent !== "" ? ` imported from ${parent}` : "";
    const why = refusal(mode, specifier)!;
    throw Object.assign(
      new Error(`Cannot find module '${specifier}'${from}: ${why} (moduleResolution "${mode}")`),
      { code },
    );
  };
  const loader = tools
    .requireBuiltin("internal/modules/esm/loader")
    .getOrInitializeCascadedLoader();
  const resolveSync = loader.resolveSync as Function;
  loader.resolveSync = function (
    parentURL: unknown,
    request: { specifier: unknown },
    ...rest: unknown[]
  ): unknown {
    const specifier = String(request.specifier);
    if (refusal(mode, specifier) !== undefined) fail(specifier, parentURL, "ERR_MODULE_NOT_FOUND");
    return apply(resolveSync, this, [parentURL, request, ...rest]);
  };
  const { Module } = tools.requireBuiltin("module");
  const resolveFilename = Module._resolveFilename as Function;
  Module._resolveFilename = function (
    request: unknown,
    parent: { filename?: unknown } | null | undefined,
    ...rest: unknown[]
  ): unknown {
    const specifier = String(request);
    if (refusal(mode, specifier) !== undefined)
      fail(specifier, parent?.filename, "MODULE_NOT_FOUND");
    return apply(resolveFilename, this, [request, parent, ...rest]);
  };
}

/** Which built-in modules a program may ask for. */
function builtinsOf({ platform, moduleResolution, allowedBuiltins }: JsRuntime) {
  if (platform !== "node" || moduleResolution !== "node") return () => false;
  if (allowedBuiltins === null) return undefined;
  const allowed = new Set(allowedBuiltins);
  return (id: string): boolean => {
    const name = id.replace(/^node:/, "");
    return allowed.has(name) || allowed.has(name.split("/", 1)[0]!);
  };
}

function narrowBuiltins(tools: PlatformTools, keep: (id: string) => boolean): void {
  restrictBuiltins(tools.requireBuiltin, keep);
  // What the zygote imported to warm up would still be handed out.
  const { loadCache } = tools
    .requireBuiltin("internal/modules/esm/loader")
    .getOrInitializeCascadedLoader();
  for (const url of [...loadCache.keys()] as string[]) {
    if (url.startsWith("node:")) loadCache.delete(url);
  }
}

/** In a worker's thread. Only where workers can be made at all, which is on platform node with Node's resolution. */
export function applyPlatformToWorker(requireBuiltin: RequireBuiltin, chosen: JsRuntime): void {
  if (chosen.timing !== "normal") installTiming(chosen.timing);
  const keep = builtinsOf(chosen);
  if (keep !== undefined) restrictBuiltins(requireBuiltin, keep);
}

/** Once per process, before the program's own globals are defined. */
export function applyPlatform(tools: PlatformTools, chosen: JsRuntime): void {
  if (chosen.timing !== "normal") installTiming(chosen.timing);
  if (chosen.moduleResolution !== "node") restrictResolution(tools, chosen.moduleResolution);
  const keep = builtinsOf(chosen);
  if (keep !== undefined) narrowBuiltins(tools, keep);
  const globals = globalsOf[chosen.platform];
  if (globals !== undefined) removeGlobals(tools, globals);
}
