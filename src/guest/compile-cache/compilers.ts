/**
 * Owns having Node's module loaders compile with the cache: the function that makes a CommonJS
 * wrapper and the class of ES modules, where the loaders keep them, become ones that try what was
 * cached first. C++ does it below them; it would look for the files on the host.
 *
 * Invariant: what V8 rejects, or cannot compile, goes to the engine's own function, which knows
 * what to say and to do about it.
 */
import type { ClosureVariable } from "../engine-closures.js";
import type { EngineTools } from "../environment.js";
import { cachedCode } from "./files.js";
import type { CachedCode, Entry } from "./files.js";
import type { EngineModule } from "../engine-types.js";

/** `host`: the symbol of those whose imports a module makes, or what V8 compiled before. */
type ModuleArguments = [
  url: string,
  context: undefined,
  source: string,
  line: number,
  column: number,
  host: unknown,
];

/** What a cache is asked by those who compile. */
export interface Cache {
  lookUp(source: string, file: string, type: CachedCode): Entry | undefined;
  /** V8's judgement of `entry.content`, and how to make it anew. */
  judge(entry: Entry, rejected: boolean, produce: () => Uint8Array | undefined): void;
  /** `getCompileCacheEntry` and `saveCompileCacheEntry` of the `modules` binding. */
  entryOf(source: string, file: string, type: CachedCode): object | undefined;
  save(entry: Entry, transpiled: string): void;
}

/** The parameters of a CommonJS wrapper, GetCJSParameters of src/node_contextify.cc. */
const parameters = ["exports", "require", "module", "__filename", "__dirname"];
const rejectedCode = "ERR_VM_MODULE_CACHED_DATA_REJECTED";

/** A function with this in its place is the engine's own as long as there is no trap: no frame on a stack. */
const forCommonJs: ProxyHandler<EngineModule> = {};
type Construct = (...args: ModuleArguments) => EngineModule;
/** The engine makes an object of a class behind a proxy much more slowly; a frame of ours is not shown. */
let constructEsm: Construct | undefined;
let current: Cache | undefined;

/** Where the loaders keep those who compile. */
export function cacheVariables(env: EngineTools): ClosureVariable[] {
  const { Module } = env.requireBuiltin("module");
  const { getConditionsSet } = env.requireBuiltin("internal/modules/esm/utils");
  const { stripTypeScriptTypesForCoverage } = env.requireBuiltin("internal/modules/typescript");
  const inTypeScript = {
    inside: stripTypeScriptTypesForCoverage as () => unknown,
    call: () => throws(stripTypeScriptTypesForCoverage),
  };
  const { ModuleWrap } = env.internalBinding("module_wrap");
  constructEsm = (...args) => Reflect.construct(ModuleWrap, args);
  return [
    {
      name: "compileFunctionForCJSLoader",
      value: new Proxy(env.internalBinding("contextify").compileFunctionForCJSLoader, forCommonJs),
      inside: Module._nodeModulePaths,
      call: () => Module._nodeModulePaths("/"),
    },
    {
      name: "ModuleWrap",
      value: function (...args: ModuleArguments) {
        return withFrames(() => Reflect.apply(constructEsm!, undefined, args));
      },
      inside: getConditionsSet,
      call: () => getConditionsSet(undefined),
    },
    {
      name: "getCompileCacheEntry",
      value: (source: string, file: string, type: CachedCode) =>
        current?.entryOf(source, file, type),
      ...inTypeScript,
    },
    {
      name: "saveCompileCacheEntry",
      value: (entry: Entry, transpiled: string) => current?.save(entry, transpiled),
      ...inTypeScript,
    },
  ];
}

const { getOwnPropertyDescriptor } = Object;
/** Those of ours between a loader and the engine's class. They are not shown, and must not keep others from being so. */
const hiddenFrames = 4;

/** Compiles with room on the stack of an error for frames that are not shown; nothing of the program runs meanwhile. */
function withFrames<T>(compile: () => T): T {
  const limit = getOwnPropertyDescriptor(Error, "stackTraceLimit");
  if (typeof limit?.value !== "number" || limit.writable !== true) return compile();
  Error.stackTraceLimit = limit.value + hiddenFrames;
  try {
    return compile();
  } finally {
    Error.stackTraceLimit = limit.value;
  }
}

/** The variables are in place by now. */
export function compileWith(env: EngineTools, cache: Cache): void {
  current = cache;
  const compile = commonJs(env, cache);
  forCommonJs.apply = (_target, _this, [source, file, isSeaMain, detectModule]) =>
    compile(source, file, isSeaMain, detectModule);
  constructEsm = esm(constructEsm!, env, cache);
}

/** It wants a text, and has been entered by the time it says so. */
function throws(run: () => unknown): void {
  try {
    run();
  } catch {}
}

function commonJs(env: EngineTools, cache: Cache) {
  const { compileFunction, compileFunctionForCJSLoader } = env.internalBinding("contextify");
  const { vm_dynamic_import_default_internal: host } = env.internalBinding("symbols");
  const compile = (source: string, file: string, data: Uint8Array | undefined): EngineModule =>
    compileFunction(
      source,
      file,
      0,
      0,
      data,
      data === undefined,
      undefined,
      undefined,
      parameters,
      host,
    );
  return (source: string, file: string, isSeaMain: boolean, detectModule: boolean): unknown => {
    const native = (): unknown =>
      compileFunctionForCJSLoader(source, file, isSeaMain, detectModule);
    const entry = isSeaMain ? undefined : cache.lookUp(source, file, cachedCode.commonJs);
    if (entry === undefined) return native();
    let compiled: EngineModule;
    let rejected = false;
    try {
      if (entry.content !== undefined) {
        compiled = compile(source, file, entry.content);
        rejected = compiled.cachedDataRejected === true;
      }
      if (compiled === undefined || rejected) compiled = compile(source, file, undefined);
    } catch {
      return native();
    }
    const { cachedData, sourceMapURL, sourceURL } = compiled;
    cache.judge(entry, rejected, () => cachedData as Uint8Array);
    return {
      cachedDataRejected: rejected,
      sourceMapURL,
      sourceURL,
      function: compiled.function,
      canParseAsESM: false,
    };
  };
}

function esm(native: Construct, env: EngineTools, cache: Cache): Construct {
  const { source_text_module_default_hdo: loaders } = env.internalBinding("symbols");
  return (url, context, source, line, column, host) => {
    const make = (how: unknown): EngineModule => native(url, context, source, line, column, how);
    const entry = host === loaders ? cache.lookUp(source, url, cachedCode.esm) : undefined;
    if (entry === undefined) return make(host);
    let rejected = false;
    if (entry.content !== undefined) {
      try {
        const wrap = make(entry.content);
        cache.judge(entry, false, () => undefined);
        adopt(env, wrap, native);
        return wrap;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== rejectedCode) throw error;
        rejected = true;
      }
    }
    const wrap = make(host);
    cache.judge(entry, rejected, () => wrap.createCachedData() as Uint8Array);
    return wrap;
  };
}

/**
 * A module that was compiled with data given to it is one of node:vm to the engine: its imports, and its
 * `import.meta`, are asked of whoever made it. Here they are those of the loader again.
 */
function adopt(env: EngineTools, wrap: EngineModule, native: Construct): void {
  const { registerModule } = env.requireBuiltin("internal/modules/esm/utils");
  const loader = (): EngineModule =>
    env.requireBuiltin("internal/modules/esm/loader").getOrInitializeCascadedLoader();
  registerModule(wrap, {
    importModuleDynamically: (specifier: string, _: unknown, attributes: object, phase: number) =>
      loader().import(specifier, wrap.url, attributes, phase),
    initializeImportMeta: (meta: object) => {
      const { source_text_module_default_hdo: loaders } = env.internalBinding("symbols");
      // C++ fills in the object of another module of the same name.
      const twin = native(wrap.url, undefined, "export default import.meta", 0, 0, loaders);
      twin.isMain = wrap.isMain;
      twin.link([]);
      twin.instantiate();
      twin.evaluate(-1, false);
      Object.defineProperties(
        meta,
        Object.getOwnPropertyDescriptors(twin.getNamespace().default as object),
      );
    },
  });
}
