/**
 * Owns the first steps of a zygote: how its modules are compiled, and that nothing of the
 * script that started it is left on the global object.
 */
import type { Compile, CompiledFiles, Loader } from "../../guest/loader.js";
import { fromForms, sourcesIn, textsOf } from "../../guest/loader.js";
import { CompiledForms } from "./compiled-forms.js";
import type * as Main from "./main.js";

/** Modules with functions that run in every guest and that the rehearsal cannot run. */
const eagerModules: ReadonlySet<string> = new Set([
  "guest/entropy",
  "guest/first-callback",
  "guest/leaving",
  "launcher/zygote/guest-life",
  "launcher/zygote/lock-down",
  "launcher/zygote/main",
  "sandbox/libc",
  "sandbox/rlimits",
  "sandbox/seccomp",
]);

/** On the global object of a script given as text, and of no other. */
const globalTraces = ["require", "module", "exports", "__filename", "__dirname"];
/** Public modules whose names are globals everywhere. */
const globalsEverywhere = ["process", "console", "crypto"];

/** Called by guest/loader.ts, once. */
export function start(loader: Loader, bundle: Buffer, compiled?: CompiledFiles): void {
  const { internalBinding, requireBuiltin } = loader.tools;
  const forms = compiled && CompiledForms.open(internalBinding, compiled.forms, compiled.text);
  const sources = forms === undefined ? sourcesIn(bundle) : {};
  const parsed = forms === undefined ? textsOf(sources) : loader.sources;
  loader.sources = { text: (id) => forms?.text(id) ?? parsed.text(id) };
  forms?.addPrograms(internalBinding, loader.programs.bytes);
  forms?.pretendPlainFlags(requireBuiltin);
  let preloading = false;
  loader.compile = eagerly(
    loader.compile,
    (id) => preloading || eagerModules.has(id),
    requireBuiltin("v8").setFlagsFromString,
  );
  if (forms !== undefined)
    loader.compile = fromForms(
      loader.compile,
      (id) => forms.of(id),
      requireBuiltin("vm").compileFunction,
      () => forms.used++,
    );
  const { main } = loader.load("launcher/zygote/main") as typeof Main;
  clearGlobals(requireBuiltin("module").builtinModules);
  const preload = (id: string): void => {
    preloading = true;
    loader.load(id);
    preloading = false;
  };
  main({ sources, preload, programs: loader.programs, forms });
}

/** Compiles to the last function what is `wanted`: otherwise every guest would do it for itself. */
function eagerly(
  compile: Compile,
  wanted: (id: string) => boolean,
  setFlags: (flags: string) => void,
): Compile {
  return (source, id, names) => {
    if (!wanted(id)) return compile(source, id, names);
    // Only around the compilation: built-in modules must find the flags of their code cache.
    setFlags("--no-lazy");
    try {
      return compile(source, id, names);
    } finally {
      setFlags("--lazy");
    }
  };
}

/** Leaves nothing of the script that a process of ours was started with. */
export function clearGlobals(builtinModules: readonly string[]): void {
  const all = globalThis as Record<string, unknown>;
  for (const id of builtinModules) {
    if (globalsEverywhere.includes(id)) continue;
    const descriptor = Object.getOwnPropertyDescriptor(all, id);
    if (descriptor !== undefined && !descriptor.enumerable && descriptor.configurable)
      delete all[id];
  }
  for (const name of globalTraces) delete all[name];
}
