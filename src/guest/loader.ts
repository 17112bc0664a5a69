/**
 * Owns loading the guest-side modules from their texts: in the zygote, whose forks have
 * them by then, and again in each worker's isolate. The engine's own loaders, global
 * names and module lists know nothing of them.
 *
 * It is compiled alone, before there is a loader: it imports types alone.
 */
import type { Pretence } from "./engine-flags.js";
import type { EngineModule, InternalBinding, RequireBuiltin } from "./engine-types.js";

/** Under which names the modules are compiled; stacks of programs do not show them. */
export const ownScripts = "node:internal/secure-exec/";

/** Texts by module name, as dist/guest.json has them. */
export type Sources = Readonly<Record<string, string>>;

type Compiled = (...values: unknown[]) => void;
export type Compile = (source: string, id: string, parameters: readonly string[]) => Compiled;

/** The texts as they came, and what the engine compiled of them before. */
export interface CompiledFiles {
  readonly text: Buffer;
  readonly forms: Buffer;
}

/** Texts and forms for the threads of a process: what each thread were sent would be a megabyte copied twice. */
export interface SharedForms {
  readonly memory: SharedArrayBuffer;
  /** By module: where in it its form begins and how long it is. */
  readonly places: Readonly<Record<string, readonly [at: number, bytes: number]>>;
  /** By module: where in it its text begins and ends, as JSON has it. */
  readonly texts: Readonly<Record<string, readonly [from: number, to: number]>>;
  /** Under which V8 takes them. */
  readonly pretence: Pretence;
}

type CompileFunction = (
  source: string,
  names: readonly string[],
  options: { filename: string; cachedData: Uint8Array },
) => Compiled & { cachedDataRejected?: boolean };

/** Takes what the engine compiled before, where that is to be had, and otherwise compiles. */
export function fromForms(
  compile: Compile,
  formOf: (id: string) => Uint8Array | undefined,
  compileFunction: CompileFunction,
  taken: () => void = () => undefined,
): Compile {
  return (source, id, names) => {
    const cachedData = formOf(id);
    if (cachedData === undefined) return compile(source, id, names);
    const compiled = compileFunction(source, names, { filename: ownScripts + id, cachedData });
    if (compiled.cachedDataRejected === true) return compile(source, id, names);
    taken();
    return compiled;
  };
}

export interface LoaderTools {
  internalBinding: InternalBinding;
  /** Loads a built-in module, internal ones included, also after they are hidden from everybody else. */
  requireBuiltin: RequireBuiltin;
}

/** Taken before a platform takes them from the program: these modules keep them. */
const kept = { process, Buffer, setImmediate, clearImmediate, URL, TextDecoder };
const moduleNames = ["exports", "require", "module", "internalBinding", "requireBuiltin"] as const;
export const parameters: readonly string[] = [...moduleNames, ...Object.keys(kept)];

type Places = ReadonlyMap<string, readonly [from: number, to: number]>;

/**
 * Where each text of an object in JSON begins and ends, quotes included. In a text each quote has a backslash
 * before it: what is looked for here is never part of one.
 */
export function placesOf(bytes: Buffer): Places {
  const places = new Map<string, readonly [number, number]>();
  for (let key = bytes.indexOf('"'); key >= 0;) {
    const from = bytes.indexOf('":"', key) + 2;
    const next = bytes.indexOf('","', from);
    const to = next < 0 ? bytes.length - 1 : next + 1;
    places.set(bytes.toString("latin1", key + 1, from - 2), [from, to]);
    key = next < 0 ? next : next + 2;
  }
  return places;
}

/**
 * The shell and the commands, as dist/programs.json: bytes that every fork has, of which each text is read
 * when it is first needed, and no other. In a worker's thread, its modules.
 */
export class Programs {
  /** May be put elsewhere. */
  bytes: Buffer;
  #places: Places | undefined;

  constructor(bytes: Buffer, places?: Places) {
    this.bytes = bytes;
    this.#places = places;
  }

  text(id: string): string | undefined {
    const place = (this.#places ??= placesOf(this.bytes)).get(id);
    return place && (JSON.parse(this.bytes.toString("utf8", ...place)) as string);
  }
}

export class Loader {
  readonly tools: LoaderTools;
  readonly programs: Programs;
  /** How a text becomes a function; the zygote has wishes. */
  compile: Compile;
  readonly #sources: Sources;
  readonly #loaded = new Map<string, { exports: unknown }>();

  constructor(tools: LoaderTools, sources: Sources, programs: Programs) {
    const { compileFunction } = tools.requireBuiltin("vm");
    this.tools = tools;
    this.programs = programs;
    this.#sources = sources;
    this.compile = (source, id, names) =>
      compileFunction(source, names, { filename: ownScripts + id });
  }

  load(id: string): EngineModule {
    const known = this.#loaded.get(id);
    if (known !== undefined) return known.exports;
    const source = this.#sources[id] ?? this.programs.text(id);
    if (source === undefined) throw new Error(`no guest module ${id}`);
    const module = { exports: {} };
    this.#loaded.set(id, module);
    const { internalBinding, requireBuiltin } = this.tools;
    const values = [module.exports, this.#requireOf(id), module, internalBinding, requireBuiltin];
    this.compile(source, id, parameters)(...values, ...Object.values(kept));
    return module.exports;
  }

  #requireOf(id: string): (name: string) => unknown {
    return (name) => {
      if (!name.startsWith(".")) return this.tools.requireBuiltin(name);
      const parts = id.split("/").slice(0, -1);
      for (const part of name.replace(/\.js$/, "").split("/")) {
        if (part === "..") parts.pop();
        else if (part !== ".") parts.push(part);
      }
      return this.load(parts.join("/"));
    };
  }
}

/** What an engine started with --expose-internals offers to its first script. */
function toolsOf(engineRequire: RequireBuiltin): LoaderTools {
  const { internalBinding } = engineRequire("internal/test/binding");
  const { loadBuiltinModule } = engineRequire("internal/modules/helpers");
  const BuiltinModule = loadBuiltinModule("fs").constructor;
  const builtins = new Map<string, unknown>();
  const requireBuiltin = (id: string): EngineModule => {
    if (!builtins.has(id)) {
      const own =
        BuiltinModule.map.has(id) &&
        (id.startsWith("internal/") || !BuiltinModule.canBeRequiredByUsers(id));
      builtins.set(
        id,
        own ? BuiltinModule.map.get(id).compileForInternalLoader() : engineRequire(id),
      );
    }
    return builtins.get(id);
  };
  return { internalBinding, requireBuiltin };
}

/**
 * Run by the first script of a process or thread: loads `entry` and calls its `start` with the
 * loader. `programs` are the texts of more modules; what is `compiled` is for `start` to make use of, and what is
 * `shared` has all texts of its own.
 */
export function begin(
  entry: string,
  engineRequire: RequireBuiltin,
  sources: Sources,
  programs: Buffer = kept.Buffer.alloc(0),
  compiled?: CompiledFiles,
  shared?: SharedForms,
): void {
  const { emitWarning } = process;
  // What is loaded here warns that it is experimental, or for tests: no concern of a program's.
  process.emitWarning = () => {};
  const texts =
    shared && new Programs(kept.Buffer.from(shared.memory), new Map(Object.entries(shared.texts)));
  const loader = new Loader(toolsOf(engineRequire), sources, texts ?? new Programs(programs));
  if (shared !== undefined) {
    const { memory, places } = shared;
    const formOf = (id: string): Uint8Array | undefined =>
      Object.hasOwn(places, id) ? new Uint8Array(memory, ...places[id]!) : undefined;
    const { compileFunction } = loader.tools.requireBuiltin("vm");
    loader.compile = fromForms(loader.compile, formOf, compileFunction);
  }
  loader.load(entry).start(loader, sources, compiled);
  process.emitWarning = emitWarning;
}
