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

export interface JsRuntime {
  platform: Platform;
  moduleResolution: ModuleResolution;
  /** Root names of built-in modules; null for all. Means something on platform node only. */
  allowedBuiltins: string[] | null;
  timing: Timing;
}
