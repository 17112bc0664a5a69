/** Serves the clocks of preview 1. */
import { Clock, WasiErrno, WasiError } from "./abi.js";
import type { ImportTable, WasiContext } from "./context.js";
import type { WasiSystem } from "./system.js";

const millisecondNs = 1_000_000n;

export function clockNs(system: WasiSystem, clock: number): bigint {
  switch (clock) {
    case Clock.realtime:
      return system.realtimeNs();
    case Clock.monotonic:
      return system.monotonicNs();
    case Clock.processCpu:
    case Clock.threadCpu:
      return system.cpuNs();
    default:
      throw new WasiError(WasiErrno.EINVAL);
  }
}

export function clockImports({ memory, system }: WasiContext): ImportTable {
  return {
    clock_res_get(clock: number, result: number) {
      if (clock < Clock.realtime || clock > Clock.threadCpu) throw new WasiError(WasiErrno.EINVAL);
      const resolution = { [Clock.realtime]: millisecondNs, [Clock.monotonic]: 1n }[clock] ?? 1000n;
      memory.setU64(result, resolution);
    },
    clock_time_get(clock: number, _precision: bigint, result: number) {
      memory.setU64(result, clockNs(system, clock));
    },
  };
}
