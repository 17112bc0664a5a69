/**
 * Owns the table of what a module may import, and the wrapping that makes errnos
 * of what its functions throw.
 */
import { errnoOf } from "./abi.js";
import { WasiContext } from "./context.js";
import type { ImportTable, WasiSettings } from "./context.js";
import { directoryImports } from "./directory.js";
import { fileImports } from "./files.js";
import { hostImports } from "./host-imports.js";
import { machineImports } from "./machine.js";
import { nameImports } from "./names.js";
import type { WasiSystem } from "./system.js";

export const preview1 = "wasi_snapshot_preview1";

type Served = (...args: (number | bigint)[]) => unknown;

function serve(table: ImportTable): Record<string, Served> {
  const served: Record<string, Served> = Object.create(null);
  for (const [name, run] of Object.entries(table)) {
    served[name] = (...args) => {
      try {
        // Which of them are bigint is the module's type, not ours to know.
        return run(...(args as never[])) ?? 0;
      } catch (error) {
        const errno = errnoOf(error);
        if (errno === undefined) throw error;
        return errno;
      }
    };
  }
  return served;
}

/** The 46 functions of preview 1, and the context they share. */
export function createPreview1(
  system: WasiSystem,
  settings: WasiSettings,
): { context: WasiContext; functions: Record<string, Served> } {
  const context = new WasiContext(system, settings);
  const functions = serve({
    ...machineImports(context),
    ...fileImports(context),
    ...directoryImports(context),
    ...nameImports(context),
  });
  return { context, functions };
}

/** Every import module a command is offered. */
export function createCommandImports(
  system: WasiSystem,
  settings: WasiSettings,
): { context: WasiContext; imports: Map<string, Record<string, Served>> } {
  const { context, functions } = createPreview1(system, settings);
  const imports = new Map([[preview1, functions]]);
  for (const [name, table] of Object.entries(hostImports(context))) imports.set(name, serve(table));
  return { context, imports };
}
