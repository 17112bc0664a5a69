/**
 * Owns which built-in modules a thread's programs can load. It is about names:
 * what a hidden module could do, seccomp refuses.
 */

import { unavailable } from "./unavailable.js";
import type { EngineModule, RequireBuiltin } from "./engine-types.js";

/** Public modules that are refused to guests; docs/compatibility.md lists them with the reason. */
export const refusedModules: readonly string[] = Object.freeze([
  "trace_events",
  "ffi",
  "quic",
  "dtls",
]);

/** What a program reads that asks for one. The others are not in a plain Node of this version either. */
const reasons: Readonly<Record<string, string>> = {
  trace_events: "the engine would write its records past the machine's files",
  ffi: "native libraries are not loaded here",
};

let BuiltinModule: EngineModule;
/** Whether a program can load a module; the engine's own answer. */
let offered = (id: string): boolean => BuiltinModule.canBeRequiredByUsers(id) as boolean;

/** After this, `require`, `import` and `builtinModules` offer the public modules alone. */
export function hideInternals(requireBuiltin: RequireBuiltin): void {
  BuiltinModule = requireBuiltin("internal/modules/helpers").loadBuiltinModule("fs").constructor;
  const refused = new Set(refusedModules);
  restrictBuiltins(requireBuiltin, (id) => !id.startsWith("internal/") && !refused.has(id));
  refuseByName(refusedModules.filter((id) => id in reasons));
  loadZlibLate(requireBuiltin);
}

/**
 * Has zlib loaded once more for a program that has changed `buffer.kMaxLength` before it asks for it: the module
 * keeps the number, and was loaded ahead with the engine's. The first who asks is taken for the program: after a
 * load ahead it is to be said again.
 */
export function loadZlibLate(requireBuiltin: RequireBuiltin): void {
  const zlib = BuiltinModule.map.get("zlib");
  const buffer = requireBuiltin("buffer");
  const { kMaxLength } = buffer;
  const { compileForPublicLoader } = BuiltinModule.prototype;
  zlib.compileForPublicLoader = (...args: unknown[]): unknown => {
    delete zlib.compileForPublicLoader;
    if (buffer.kMaxLength !== kMaxLength) Object.assign(zlib, { loaded: false, exports: {} });
    return Reflect.apply(compileForPublicLoader, zlib, args);
  };
}

/** They are known to whoever asks for them by name, listed nowhere, and throw when they are loaded. */
function refuseByName(ids: readonly string[]): void {
  const { canBeRequiredByUsers, canBeRequiredWithoutScheme } = BuiltinModule;
  const schemeOnly = new Set<string>(BuiltinModule.getSchemeOnlyModuleNames());
  offered = canBeRequiredByUsers as (id: string) => boolean;
  BuiltinModule.canBeRequiredByUsers = (id: string) => offered(id) || ids.includes(id);
  BuiltinModule.canBeRequiredWithoutScheme = (id: string) =>
    canBeRequiredWithoutScheme(id) || (ids.includes(id) && !schemeOnly.has(id));
  for (const id of ids)
    BuiltinModule.map.get(id).compileForPublicLoader = () => {
      throw unavailable(`node:${id}`, reasons[id]!);
    };
}

/** Leaves those of the modules still offered for which `keep` holds. */
export function restrictBuiltins(
  requireBuiltin: RequireBuiltin,
  keep: (id: string) => boolean,
): void {
  // Loaded first: it may be among those that go.
  const module = requireBuiltin("module");
  const ids = [...(BuiltinModule.map.keys() as Iterable<string>)].filter(
    (id) => offered(id) && keep(id),
  );
  BuiltinModule.setRealmAllowRequireByUsers(ids);
  // That takes what Node calls experimental for unknown, which its own start has offered.
  for (const id of ids) if (!offered(id)) offerModules([id]);
  module.builtinModules = BuiltinModule.getAllBuiltinModuleIds();
}

/** Offers modules that an option of the command line asks for. */
export function offerModules(ids: readonly string[]): void {
  for (const id of ids) BuiltinModule.allowRequireByUsers(id);
}

/** What a public module exports has changed: its named exports, for those who import it, are what it has now. */
export function renewExports(id: string): void {
  const module = BuiltinModule.map.get(id);
  module.exportKeys = Object.keys(module.exports as object);
}

/** Makes the engine's own modules find `exports` under that id from now on. */
export function replaceInternal(id: string, exports: unknown): void {
  BuiltinModule.map.get(id).exports = exports;
}
