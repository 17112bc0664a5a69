/**
 * Owns the options that choose what a program's realm holds: `platform`,
 * `moduleResolution`, `allowedBuiltins`, `timing`, `nodeVersion`; alone or inside `jsRuntime`.
 * Nothing here is untrusted.
 */
import { builtinModules } from "node:module";
import {
  defaultNodeVersion,
  engineNodeVersion,
  moduleResolutions,
  platforms,
  timings,
} from "../protocol/platforms.js";
import type { JsRuntime, ModuleResolution, Platform, Timing } from "../protocol/platforms.js";
import { invalidOption, unknownOption } from "./errors.js";

/** How much of Node a program finds. */
export interface JsRuntimeOptions {
  /**
   * What a program finds: all of Node, a browser's globals, console and timers only, or the bare language.
   * @default "node"
   */
  platform?: Platform;
  /**
   * Which imports resolve: as in Node, relative and absolute paths only, or none.
   * @default "node"
   */
  moduleResolution?: ModuleResolution;
  /**
   * Built-in modules that may be imported on platform node. A root name covers its subpaths.
   * @default all
   */
  allowedBuiltins?: readonly string[];
  /**
   * How clocks run: normally, in steps of a millisecond, or not at all.
   * @default "normal"
   */
  timing?: Timing;
  /**
   * What `process.version` and `process.versions.node` say: "x.y.z", or "engine" for the version that runs, for
   * packages whose `engines` refuse the default. It is a name only: the engine is the same.
   * @default "22.0.0"
   */
  nodeVersion?: string;
}

export const jsRuntimeKeys = [
  "platform",
  "moduleResolution",
  "allowedBuiltins",
  "timing",
  "nodeVersion",
] as const;

function oneOf<T extends string>(
  option: string,
  value: unknown,
  known: readonly T[],
  byDefault: T,
): T {
  if (value === undefined) return byDefault;
  const found = known.find((name) => name === value);
  if (found !== undefined) return found;
  throw invalidOption(option, `must be one of ${known.map((name) => `"${name}"`).join(", ")}`);
}

/** Built-ins of the guest's Node that the host's may not have, by root name. */
const newerBuiltins = ["sqlite", "test", "sea"];

function builtinsOf(option: string, value: unknown): string[] | null {
  if (value === undefined) return null;
  if (!Array.isArray(value)) throw invalidOption(option, "must be an array of names");
  const known = new Set([...builtinModules, ...newerBuiltins]);
  return value.map((given: unknown, index) => {
    const name = typeof given === "string" ? given.replace(/^node:/, "") : "";
    if (!known.has(name) || name.startsWith("_"))
      throw invalidOption(`${option}[${index}]`, "is no built-in module");
    return name;
  });
}

function versionOf(option: string, value: unknown): string {
  if (value === undefined) return defaultNodeVersion;
  if (value === engineNodeVersion) return value;
  const isVersion = typeof value === "string" && /^\d{1,4}\.\d{1,4}\.\d{1,4}$/.test(value);
  if (!isVersion) throw invalidOption(option, 'must be "x.y.z" or "engine"');
  return value;
}

/** Reads the keys from `given`, and from its `jsRuntime`, in which they may not be repeated. */
export function parseJsRuntime(given: Readonly<Record<string, unknown>>): JsRuntime {
  const { jsRuntime = {} } = given;
  if (typeof jsRuntime !== "object" || jsRuntime === null || Array.isArray(jsRuntime))
    throw invalidOption("jsRuntime", "must be an object");
  const nested = jsRuntime as Readonly<Record<string, unknown>>;
  const known: readonly string[] = [...jsRuntimeKeys, "highResolutionTime"];
  const unknown = Object.keys(nested).find(
    (key) => nested[key] !== undefined && !known.includes(key),
  );
  if (unknown !== undefined) throw unknownOption([unknown], known, "jsRuntime.");
  const pick = (key: (typeof jsRuntimeKeys)[number]): [option: string, value: unknown] => {
    if (nested[key] === undefined) return [key, given[key]];
    if (given[key] !== undefined)
      throw invalidOption(`jsRuntime.${key}`, `is given a second time, beside ${key}`);
    return [`jsRuntime.${key}`, nested[key]];
  };
  const { highResolutionTime } = nested;
  if (highResolutionTime !== undefined && typeof highResolutionTime !== "boolean")
    throw invalidOption("jsRuntime.highResolutionTime", "must be a boolean");
  return {
    nodeVersion: versionOf(...pick("nodeVersion")),
    platform: oneOf(...pick("platform"), platforms, "node"),
    moduleResolution: oneOf(...pick("moduleResolution"), moduleResolutions, "node"),
    allowedBuiltins: builtinsOf(...pick("allowedBuiltins")),
    timing: oneOf(...pick("timing"), timings, highResolutionTime === false ? "coarse" : "normal"),
  };
}
