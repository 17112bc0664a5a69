/**
 * Owns which built-in modules a thread's programs can load. It is about names:
 * what a hidden module could do, seccomp refuses.
 */

/** Public modules that are refused to guests; docs/compatibility.md lists them with the reason. */
export const refusedModules: readonly string[] = Object.freeze([
  "inspector",
  "inspector/promises",
  "trace_events",
  "wasi",
  "sea",
  "ffi",
  "quic",
  "dtls",
]);

/** After this, `require`, `import` and `builtinModules` offer the public modules alone. */
export function hideInternals(requireBuiltin: (id: string) => any): void {
  const BuiltinModule = requireBuiltin("internal/modules/helpers").loadBuiltinModule(
    "fs",
  ).constructor;
  const refused = new Set(refusedModules);
  const ids = [...(BuiltinModule.map.keys() as Iterable<string>)].filter(
    (id) =>
      !id.startsWith("internal/") && !refused.has(id) && BuiltinModule.canBeRequiredByUsers(id),
  );
  BuiltinModule.setRealmAllowRequireByUsers(ids);
  requireBuiltin("module").builtinModules = BuiltinModule.getAllBuiltinModuleIds();
}
