/**
 * Owns what a zygote loads before its first fork, so that a guest finds
 * everything compiled.
 * Must draw no random numbers: every guest would draw the same ones.
 */
import { refusedModules } from "../../guest/public-modules.js";

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
  const { emitWarning } = process;
  // The warning would be waiting in every guest.
  process.emitWarning = () => {};
  requireBuiltin("module").stripTypeScriptTypes("let a: number = 1;");
  process.emitWarning = emitWarning;
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

/** A compact heap makes for fewer pages that each guest copies. */
export function collectGarbage(requireBuiltin: (id: string) => any): void {
  const v8 = requireBuiltin("v8");
  v8.setFlagsFromString("--expose-gc");
  // The flag adds `gc` to contexts made from now on; the guest's own does not get it.
  const gc = requireBuiltin("vm").runInNewContext("gc") as (options: object) => void;
  v8.setFlagsFromString("--no-expose-gc");
  gc({ type: "major", execution: "sync", flavor: "last-resort" });
}
