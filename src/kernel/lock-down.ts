/**
 * Owns what the kernel process gives up itself, so that whoever ran code in it would have less than
 * its user: other processes and programs above all. Files and sockets stay: they are what it serves.
 *
 * Invariants: its children may signal nobody else from before there are any; the rest is taken when
 * everything is loaded and before a machine exists, and nothing gives it back.
 */
import type { IsolationReport } from "../protocol/isolation.js";
import { keepServingCapabilities } from "../sandbox/capabilities.js";
import { landlockKernel, landlockSignals } from "../sandbox/landlock.js";
import { buildKernelFilter, install } from "../sandbox/seccomp.js";
import { IsolationUnavailable } from "../sandbox/unavailable.js";

let signals: string | undefined;

/** Before the spawner is made, which everything below is a child of. `begun` says whether that was done when a first zygote was begun. */
export function confineSignals(begun: boolean | undefined): void {
  if (begun !== true) signals = landlockSignals(begun === false);
}

/** Throws when the filter cannot be installed; landlock is used where it is there. */
export function lockKernelDown(): IsolationReport[] {
  const landlock = landlockKernel();
  const capabilities = keepServingCapabilities();
  if (capabilities !== undefined) throw new IsolationUnavailable("capabilities", capabilities);
  install(buildKernelFilter());
  const kernelLandlock =
    typeof landlock === "string"
      ? { active: false, why: landlock }
      : {
          active: true,
          why: `ABI ${landlock.abi}: ${landlock.covers}${signals === undefined ? ", signals to others" : ""}`,
        };
  return [
    {
      layer: "kernelSeccomp",
      active: true,
      why: "executes, traces, mounts and loads nothing; of root's rights those to files, ports and children",
    },
    { layer: "kernelLandlock", ...kernelLandlock },
  ];
}
