/** Owns the names of the layers between a guest and the machine, and how one is reported. */

/**
 * In the order in which they matter. The first six are never missing where a
 * program runs; the others are used where the machine offers them.
 */
export const isolationLayers = Object.freeze([
  "seccomp",
  "zygoteSeccomp",
  "kernelSeccomp",
  "noNewPrivs",
  "rlimits",
  "nonDumpable",
  "uid",
  "userns",
  "mountns",
  "pidns",
  "netns",
  "ipcns",
  "utsns",
  "landlock",
  "kernelLandlock",
  "oomScore",
  "cgroup",
] as const);

/** The name of a layer; docs/isolation.md says what each does. */
export type IsolationLayer = (typeof isolationLayers)[number];

/** Whether guests that run now have it. */
export interface IsolationReport {
  layer: IsolationLayer;
  active: boolean;
  /** What it does here, or why it is not there, in a few words. */
  why: string;
}
