/**
 * Owns what is changed of a module of Node's when it is loaded. A zygote loads it for that, and its forks have it; a worker's
 * thread, whose start each module would make longer, waits until something of the program loads it.
 */
import type { EngineModule, RequireBuiltin } from "./engine-types.js";

/** `BuiltinModule` of internal/bootstrap/realm. */
interface BuiltinModule {
  readonly loaded: boolean;
  readonly loading: boolean;
  compileForInternalLoader(): EngineModule;
}

let waits = false;

/** In a worker's thread, before anything of it is installed. */
export function waitForLoads(): void {
  waits = true;
}

/** What is still to be loaded, in a thread that waits for it. */
function awaited(requireBuiltin: RequireBuiltin, id: string): BuiltinModule | undefined {
  if (!waits) return undefined;
  const { map } = requireBuiltin("internal/modules/helpers").loadBuiltinModule("fs").constructor;
  const module = map.get(id) as BuiltinModule;
  return module.loaded || module.loading ? undefined : module;
}

function atLoad(module: BuiltinModule, load: (own: () => EngineModule) => EngineModule): void {
  const { compileForInternalLoader } = module;
  Object.defineProperty(module, "compileForInternalLoader", {
    value: () => {
      Reflect.deleteProperty(module, "compileForInternalLoader");
      return load(() => Reflect.apply(compileForInternalLoader, module, []));
    },
    configurable: true,
  });
}

/** Runs `change` before the module does. */
export function beforeLoad(requireBuiltin: RequireBuiltin, id: string, change: () => void): void {
  const module = awaited(requireBuiltin, id);
  if (module === undefined) return change();
  atLoad(module, (load) => {
    change();
    return load();
  });
}

/** Runs `change` once, before the first of some modules does; answers how to have it run by then at the latest. */
export function beforeFirstLoad(
  requireBuiltin: RequireBuiltin,
  ids: readonly string[],
  change: () => void,
): () => void {
  let changed = false;
  const changeOnce = (): void => {
    if (!changed) change();
    changed = true;
  };
  for (const id of ids) beforeLoad(requireBuiltin, id, changeOnce);
  return changeOnce;
}

/** Runs `change` with what the module exports, before anybody else has that. */
export function afterLoad(
  requireBuiltin: RequireBuiltin,
  id: string,
  change: (exports: EngineModule) => void,
): void {
  const module = awaited(requireBuiltin, id);
  if (module === undefined) return change(requireBuiltin(id));
  atLoad(module, (load) => {
    const exports = load();
    change(exports);
    return exports;
  });
}
