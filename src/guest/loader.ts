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

/** Where the texts of modules come from. */
export interface Texts {
  text(id: string): string | undefined;
}

type Compiled = (...values: unknown[]) => void;
export type Compile = (source: string, id: string, parameters: readonly string[]) => Compiled;

/** The texts as they came, and what the engine compiled of them before. */
export interface CompiledFiles {
  readonly text: Buffer;
  readonly forms: Buffer;
}

/** By module: a text's beginning and end, or a form's beginning and length. */
type Ranges = Readonly<Record<string, readonly [number, number]>>;

/** Texts and forms for the threads of a process: what each thread were sent would be a megabyte copied twice. */
export interface SharedForms {
  readonly memory: SharedArrayBuffer;
  /** Where in it is said, in JSON, where the `texts` and the `forms` of modules are: few threads ask. */
  readonly header: readonly [from: number, to: number];
  /** From where they are counted. */
  readonly textsAt: number;
  readonly formsAt: number;
  /** Under which V8 takes them. */
  readonly pretence: Pretence;
  /** What each thread's start loads. */
  readonly start: readonly ThreadScript[];
}

/** Modules as one script: where its text is, and what the engine compiled of it. */
export interface ThreadScript {
  readonly text: readonly [from: number, to: number];
  readonly form: readonly [at: number, bytes: number];
}

/** Modules of scripts, compiled with them. */
export type Factories = Readonly<Record<string, Compiled>>;

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

/** The modules as one script, whose value they are; in ASCII, so that nothing has to be decoded. */
export function scriptOf(ids: readonly string[], sources: Sources): string {
  const factories = ids.map(
    (id) => `${JSON.stringify(id)}(${parameters.join()}) {\n${sources[id]!}\n}`,
  );
  const escape = (unit: string): string => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return `({\n${factories.join(",\n")}\n})`.replace(/[^\0-\x7f]/g, escape);
}

/** What `id` loads when it is loaded, itself last. */
export function loadedWith(id: string, sources: Sources, before = new Set<string>()): string[] {
  if (before.has(id)) return [];
  before.add(id);
  const needed = [
    ...sources[id]!.matchAll(/^(?:const \w+ = )?(?:__\w+\()?require\("(\.[^"]+)"\)/gm),
  ];
  return [...needed.flatMap(([, name]) => loadedWith(resolved(id, name!), sources, before)), id];
}

/** The module that another one calls by a relative name. */
function resolved(from: string, name: string): string {
  const parts = from.split("/").slice(0, -1);
  for (const part of name.replace(/\.js$/, "").split("/")) {
    if (part === "..") parts.pop();
    else if (part !== ".") parts.push(part);
  }
  return parts.join("/");
}

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

/** One of them, found without looking at the others. */
function textIn(bytes: Buffer, id: string): string | undefined {
  const key = `${JSON.stringify(id)}:`;
  const at = bytes.indexOf(key);
  if (at < 0) return undefined;
  const from = at + key.length;
  const next = bytes.indexOf('","', from);
  return JSON.parse(bytes.toString("utf8", from, next < 0 ? bytes.length - 1 : next + 1)) as string;
}

/** All of dist/guest.json. */
export const sourcesIn = (bytes: Buffer): Sources => JSON.parse(bytes.toString("utf8")) as Sources;

export const textsOf = (sources: Sources): Texts => ({
  text: (id) => (Object.hasOwn(sources, id) ? sources[id] : undefined),
});

/**
 * The shell and the commands, as dist/programs.json: bytes that every fork has, of which each text is read
 * when it is first needed, and no other.
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

/** In a worker's thread: the modules that its start does not load. */
class SharedModules extends Programs {
  readonly #shared: SharedForms;
  #header: { readonly texts: Ranges; readonly forms: Ranges } | undefined;

  constructor(shared: SharedForms) {
    super(kept.Buffer.from(shared.memory));
    this.#shared = shared;
  }

  get #places(): { readonly texts: Ranges; readonly forms: Ranges } {
    return (this.#header ??= JSON.parse(this.bytes.toString("latin1", ...this.#shared.header)));
  }

  override text(id: string): string | undefined {
    const { textsAt } = this.#shared;
    const { texts } = this.#places;
    if (!Object.hasOwn(texts, id)) return undefined;
    const [from, to] = texts[id]!;
    return JSON.parse(this.bytes.toString("utf8", textsAt + from, textsAt + to)) as string;
  }

  form(id: string): Uint8Array | undefined {
    const { formsAt, memory } = this.#shared;
    const { forms } = this.#places;
    if (!Object.hasOwn(forms, id)) return undefined;
    const [at, bytes] = forms[id]!;
    return new Uint8Array(memory, formsAt + at, bytes);
  }
}

export class Loader {
  readonly tools: LoaderTools;
  readonly programs: Programs;
  /** How a text becomes a function; the zygote has wishes. */
  compile: Compile;
  /** A zygote has better ones once it has read its forms. */
  sources: Texts;
  readonly #factories: Factories;
  readonly #loaded = new Map<string, { exports: unknown }>();

  constructor(tools: LoaderTools, sources: Texts, programs: Programs, factories: Factories = {}) {
    const { compileFunction } = tools.requireBuiltin("vm");
    this.tools = tools;
    this.programs = programs;
    this.sources = sources;
    this.#factories = factories;
    this.compile = (source, id, names) =>
      compileFunction(source, names, { filename: ownScripts + id });
  }

  load(id: string): EngineModule {
    const known = this.#loaded.get(id);
    if (known !== undefined) return known.exports;
    const compiled = this.#compiled(id);
    const module = { exports: {} };
    this.#loaded.set(id, module);
    const { internalBinding, requireBuiltin } = this.tools;
    const values = [module.exports, this.#requireOf(id), module, internalBinding, requireBuiltin];
    compiled(...values, ...Object.values(kept));
    return module.exports;
  }

  #compiled(id: string): Compiled {
    if (Object.hasOwn(this.#factories, id)) return this.#factories[id]!;
    const source = this.sources.text(id) ?? this.programs.text(id);
    if (source === undefined) throw new Error(`no guest module ${id}`);
    return this.compile(source, id, parameters);
  }

  #requireOf(id: string): (name: string) => unknown {
    return (name) => {
      if (!name.startsWith(".")) return this.tools.requireBuiltin(name);
      return this.load(resolved(id, name));
    };
  }
}

/** What an engine started with --expose-internals offers to its first script. */
export function toolsOf(engineRequire: RequireBuiltin): LoaderTools {
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
 * loader. `sources` may be dist/guest.json as it is. `programs` are the texts of more modules; what is `compiled` is for `start` to make use of, and what is
 * `shared` has all texts of its own.
 */
export function begin(
  entry: string,
  engineRequire: RequireBuiltin,
  sources: Sources | Buffer,
  programs: Buffer = kept.Buffer.alloc(0),
  compiled?: CompiledFiles,
  shared?: SharedForms,
  factories?: Factories,
): void {
  const { emitWarning } = process;
  // What is loaded here warns that it is experimental, or for tests: no concern of a program's.
  process.emitWarning = () => {};
  const texts = shared && new SharedModules(shared);
  const modules = texts ?? new Programs(programs);
  const given = kept.Buffer.isBuffer(sources)
    ? { text: (id: string) => textIn(sources, id) }
    : textsOf(sources);
  const loader = new Loader(toolsOf(engineRequire), given, modules, factories);
  if (texts !== undefined) {
    const { compileFunction } = loader.tools.requireBuiltin("vm");
    loader.compile = fromForms(loader.compile, (id) => texts.form(id), compileFunction);
  }
  loader.load(entry).start(loader, sources, compiled);
  process.emitWarning = emitWarning;
}
