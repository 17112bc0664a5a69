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

/** A variable of the host's environment: a directory of cgroup v2 for programs, or `off`. */
export const cgroupVariable = "SECURE_EXEC_CGROUP";

/** The part of an environment that says where the programs' cgroups may be made. */
export function cgroupEnvironment(
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Record<string, string> {
  const named = environment[cgroupVariable];
  return named === undefined ? {} : { [cgroupVariable]: named };
}
