/**
 * Owns what a zygote loads before its first fork, so that a guest finds
 * everything compiled, and what it hides from guests afterwards.
 * Must draw no random numbers: every guest would draw the same ones.
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

/** Internal modules that guest-side code asks for after internals are hidden. */
const keptInternals = [
  "internal/modules/run_main",
  "internal/modules/esm/loader",
  "module",
  "url",
  "path",
  "v8",
];

const warmProgram = `import fs from "node:fs"; import { join } from "node:path"; await null; structuredClone({});`;

export async function warmUp(requireBuiltin: (id: string) => any): Promise<void> {
  const refused = new Set(refusedModules);
  for (const id of requireBuiltin("module").builtinModules as string[]) {
    const name = id.replace(/^node:/, "");
    if (refused.has(name) || name.startsWith("internal/") || name.startsWith("_") || name === "sys")
      continue;
    requireBuiltin(id);
  }
  for (const id of keptInternals) requireBuiltin(id);
  const loader = requireBuiltin("internal/modules/esm/loader").getOrInitializeCascadedLoader();
  const url = "file:///tmp/warm.mjs";
  await loader.eval(warmProgram, url, false);
  loader.loadCache.delete(url);
  requireBuiltin("module").stripTypeScriptTypes("let a: number = 1;");
  // Lazy globals resolve on their first touch.
  void [
    globalThis.fetch,
    globalThis.Response,
    globalThis.WebSocket,
    globalThis.crypto,
    globalThis.Blob,
  ];
  new TextEncoder().encode("x");
  // The resolver would answer with the host's name servers.
  requireBuiltin("dns").setServers(["127.0.0.1"]);
  void new Intl.DateTimeFormat("en").format(0);
}

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
  const ids = [...(BuiltinModule.map.keys() as Iterable<string>)].filter(
    (id) => BuiltinModule.canBeRequiredByUsers(id) && keep(id),
  );
  BuiltinModule.setRealmAllowRequireByUsers(ids);
  requireBuiltin("module").builtinModules = BuiltinModule.getAllBuiltinModuleIds();
}

/** Makes the engine's own modules find `exports` under that id from now on. */
export function replaceInternal(id: string, exports: unknown): void {
  BuiltinModule.map.get(id).exports = exports;
}

/** A compact heap makes for fewer pages that each guest copies. */
export function collectGarbage(requireBuiltin: (id: string) => any): void {
  const v8 = requireBuiltin("v8");
  v8.setFlagsFromString("--expose-gc");
  // The flag adds `gc` to contexts made from now on; the guest's own does not get it.
  const gc = requireBuiltin("vm").runInNewContext("gc") as (options: object) => void;
  v8.setFlagsFromString("--no-expose-gc");
  gc({ type: "major", execution: "sync", flavor: "last-resort" });
}
