/** Owns the public names of the bill and the end of a program; both are made by the kernel. */
export type {
  End as NodeRuntimeEnd,
  EndReason,
  HostUsage as NodeRuntimeHostUsage,
  MachineUsage as NodeRuntimeMachineUsage,
  Usage as NodeRuntimeUsage,
} from "../protocol/usage.js";
