/**
 * Owns which built-in modules a thread's programs can load. It is about names:
 * what a hidden module could do, seccomp refuses.
 */

/** Public modules that are refused to guests; docs/compatibility.md lists them with the reason. */
export const refusedModules: readonly string[] = Object.freeze([
  "trace_events",
  "sea",
  "ffi",
  "quic",
  "dtls",
]);

let BuiltinModule: any;

/** After this, `require`, `import` and `builtinModules` offer the public modules alone. */
export function hideInternals(requireBuiltin: (id: string) => any): void {
  BuiltinModule = requireBuiltin("internal/modules/helpers").loadBuiltinModule("fs").constructor;
  const refused = new Set(refusedModules);
  restrictBuiltins(requireBuiltin, (id) => !id.startsWith("internal/") && !refused.has(id));
}

/** Leaves those of the modules still offered for which `keep` holds. */
export function restrictBuiltins(
  requireBuiltin: (id: string) => any,
  keep: (id: string) => boolean,
): void {
  // Loaded first: it may be among those that go.
  const module = requireBuiltin("module");
  const ids = [...(BuiltinModule.map.keys() as Iterable<string>)].filter(
    (id) => BuiltinModule.canBeRequiredByUsers(id) && keep(id),
  );
  BuiltinModule.setRealmAllowRequireByUsers(ids);
  // That takes what Node calls experimental for unknown, which its own start has offered.
  for (const id of ids) if (!BuiltinModule.canBeRequiredByUsers(id)) offerModules([id]);
  module.builtinModules = BuiltinModule.getAllBuiltinModuleIds();
}

/** Offers modules that an option of the command line asks for. */
export function offerModules(ids: readonly string[]): void {
  for (const id of ids) BuiltinModule.allowRequireByUsers(id);
}

/** Makes the engine's own modules find `exports` under that id from now on. */
export function replaceInternal(id: string, exports: unknown): void {
  BuiltinModule.map.get(id).exports = exports;
}
