/** Owns what of the host's environment its kernel process is told: where the cgroups of programs may be made. */
import { cgroupVariable } from "../abi/cgroup.js";

export function cgroupEnvironment(
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Record<string, string> {
  const named = environment[cgroupVariable];
  return named === undefined ? {} : { [cgroupVariable]: named };
}
