/**
 * Owns the rungs of the platform ladder and the other choices about what a
 * program's realm holds. Behaviour reference §7.5.
 */
export const platforms = Object.freeze(["node", "browser", "neutral", "bare"] as const);
export type Platform = (typeof platforms)[number];

export const moduleResolutions = Object.freeze(["node", "relative", "none"] as const);
export type ModuleResolution = (typeof moduleResolutions)[number];

export const timings = Object.freeze(["normal", "coarse", "frozen"] as const);
export type Timing = (typeof timings)[number];

/** What `process.version` says unless the host chose; behaviour reference §6.1. */
export const defaultNodeVersion = "22.0.0";
/** The version of the engine itself. */
export const engineNodeVersion = "engine";

export interface JsRuntime {
  /** "x.y.z", or "engine". */
  nodeVersion: string;
  platform: Platform;
  moduleResolution: ModuleResolution;
  /** Root names of built-in modules; null for all. Means something on platform node only. */
  allowedBuiltins: string[] | null;
  timing: Timing;
}
