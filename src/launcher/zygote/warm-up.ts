/**
 * Owns what a zygote loads before its first fork, so that a guest finds
 * everything compiled.
 * Must draw no random numbers: every guest would draw the same ones.
 */
import { placeEngineVariables } from "../../guest/engine-variables.js";
import { loadZlibLate, refusedModules } from "../../guest/public-modules.js";
import type { InternalBinding, RequireBuiltin } from "./engine-modules.js";

declare const internalBinding: InternalBinding;

/** Internal modules that guest-side code asks for after internals are hidden. */
const keptInternals = [
  "internal/modules/run_main",
  "internal/modules/esm/loader",
  "internal/modules/helpers",
  "internal/cluster/child",
  "module",
  "url",
  "path",
  "v8",
];

/**
 * Public modules that cost much: loaded while the zygote has nothing to do. A
 * guest forked before loads them itself when it needs them.
 */
const laterModules = [
  "assert",
  "assert/strict",
  "crypto",
  "http",
  "http2",
  "https",
  "stream/web",
  "tls",
  "zlib",
];

/** Public modules that few programs need: every guest that does loads them itself. */
const rareModules = [
  "cluster",
  "domain",
  "inspector",
  "inspector/promises",
  "punycode",
  "repl",
  "sqlite",
  "test",
  "test/reporters",
];
/** Modules that warn when they are loaded, which is the guest's to see. */
const warningModules = ["sys", "wasi"];

/**
 * The shell and what scripts run most, in steps of some milliseconds; names are below `userland/`. Each brings what it imports.
 * Compiled here, a process of the VM starts in the time that a fork takes.
 */
const programSteps: readonly (readonly string[])[] = [
  ["sh/lexer", "sh/word-scanner", "sh/parser"],
  ["sh/expansion", "sh/arithmetic", "sh/variables", "sh/redirections"],
  ["sh/interpreter"],
  ["sh/main", "run-command", "sh/sole-command", "../guest/programs/shell-system"],
  ["commands/cat", "commands/ls", "commands/head", "commands/tail", "commands/wc"],
  ["commands/grep", "commands/sort", "commands/uniq", "commands/tr", "commands/cut"],
  ["commands/sed/main", "commands/true", "commands/false", "commands/sleep", "commands/env"],
  ["commands/mkdir", "commands/rm", "commands/cp", "commands/mv", "commands/touch"],
  ["commands/find/main", "commands/xargs", "commands/dirname", "commands/basename"],
];

const warmProgram = `import fs from "node:fs"; import { join } from "node:path"; await null; structuredClone({});`;

function publicModules(requireBuiltin: RequireBuiltin): { id: string; name: string }[] {
  const refused = new Set(refusedModules);
  return (requireBuiltin("module").builtinModules as string[])
    .map((id) => ({ id, name: id.replace(/^node:/, "") }))
    .filter(({ name }) => !refused.has(name) && !/^internal\/|^_/.test(name))
    .filter(({ name }) => !warningModules.includes(name));
}

export async function warmUp(requireBuiltin: RequireBuiltin): Promise<void> {
  for (const { id, name } of publicModules(requireBuiltin)) {
    if (!laterModules.includes(name) && !rareModules.includes(name)) requireBuiltin(id);
  }
  for (const id of keptInternals) requireBuiltin(id);
  const loader = requireBuiltin("internal/modules/esm/loader").getOrInitializeCascadedLoader();
  const url = "file:///tmp/warm.mjs";
  await loader.eval(warmProgram, url, false);
  loader.loadCache.delete(url);
  // Lazy globals resolve on their first touch.
  void globalThis.Blob;
  new TextEncoder().encode("x");
  // The resolver would answer with the host's name servers.
  requireBuiltin("dns").setServers(["127.0.0.1"]);
}

/**
 * What `fetch` is made of looks whether there is a size of HTTP's headers; looking fixes it (the getter of lib/http.js),
 * and it is for each guest's own options to say.
 */
function loadFetch(requireBuiltin: RequireBuiltin): void {
  const http = requireBuiltin("http") as object;
  const getter = Object.getOwnPropertyDescriptor(http, "maxHeaderSize")!;
  Object.defineProperty(http, "maxHeaderSize", { ...getter, get: () => 1 });
  void [globalThis.fetch, globalThis.Response, globalThis.WebSocket];
  Object.defineProperty(http, "maxHeaderSize", getter);
}

/** It defines a property of its binding that nobody could define twice: what is there as configurable stays so. */
function letZlibLoadAgain(): void {
  const { prototype } = internalBinding("zlib").Zlib;
  Object.defineProperty(prototype, "jsref", { value: undefined, configurable: true });
}

/** What is left, in steps of some milliseconds each; garbage is collected after them. */
export function furtherWarmUp(
  requireBuiltin: RequireBuiltin,
  preload: (id: string) => void,
): (() => void)[] {
  return [
    ...programSteps.map((ids) => () => {
      for (const id of ids) preload(id.startsWith("../") ? id.slice(3) : `userland/${id}`);
    }),
    () => letZlibLoadAgain(),
    ...publicModules(requireBuiltin)
      .filter(({ name }) => laterModules.includes(name))
      .map(
        ({ id }) =>
          () =>
            void requireBuiltin(id),
      ),
    () => loadZlibLate(requireBuiltin),
    () => void globalThis.crypto,
    () => loadFetch(requireBuiltin),
    () => placeEngineVariables({ internalBinding, requireBuiltin }),
    () => void new Intl.DateTimeFormat("en").format(0),
  ];
}

/** The compiler is a third of a zygote's memory, so it is loaded once it is needed. */
export function warmUpTypeScript(requireBuiltin: RequireBuiltin): void {
  const { emitWarning } = process;
  // The warning would be waiting in every guest.
  process.emitWarning = () => {};
  requireBuiltin("module").stripTypeScriptTypes("let a: number = 1;");
  process.emitWarning = emitWarning;
}
