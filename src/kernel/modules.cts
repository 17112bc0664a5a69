/**
 * Owns how the kernel's modules are loaded: as functions of two scripts, each with the form beside it that the engine
 * compiled when the package was built, which spares the start of a kernel more than half of its work. The first is
 * what starts a zygote; the other is opened when a module is asked for that is not in it.
 *
 * Invariants: without a form, or with one of another engine, the same script is compiled as any other; a form
 * is of this package, as its script is. It is taken on the processor that it was made on alone: the engine checks
 * its own version and flags, not that. Untrusted: nothing.
 */
import fs = require("node:fs");
import path = require("node:path");
import url = require("node:url");
import vm = require("node:vm");

type Exports = Record<string, unknown>;
/** A module as the build leaves it: other modules of the script are required by their names in it. */
type Factory = (exports: Exports, require: (id: string) => unknown, moduleUrl: string) => void;

interface Modules {
  /** Scripts that are open. */
  readonly scripts: readonly vm.Script[];
  /** Opens all scripts: names of all modules, which are their paths below dist/ without the ending. */
  names(): readonly string[];
  load(name: string): Exports;
}

interface Files {
  readonly script: string;
  readonly compiled: string;
}

/** What is loaded before all else; the first script is what it imports. */
const firstModule = "kernel/first-zygote";

/** Modules of Node's that nothing uses while it is loaded: all of them are a tenth of what loading the kernel takes. */
const lateModules: ReadonlySet<string> = new Set([
  "node:crypto",
  "node:dgram",
  "node:dns",
  "node:fs/promises",
]);

/** What stands for such a module: tsc leaves `module.name` where a name of it is used. */
function late(id: string): Exports {
  let module: Exports | undefined;
  return new Proxy(
    {},
    { get: (_target, name: string) => (module ??= require(id) as Exports)[name] },
  );
}

const filesOf = (name: string): Files => ({
  script: `${name}.cjs`,
  compiled: `${name}.${process.arch}.cache`,
});

/** Below dist/, in the order in which they are opened. */
const files: readonly Files[] = [filesOf("kernel-first"), filesOf("kernel-modules")];

function compiledForm(file: string): { cachedData?: Buffer } {
  try {
    return { cachedData: fs.readFileSync(file) };
  } catch {
    return {};
  }
}

function openScript(dist: string, { script, compiled }: Files): vm.Script {
  const filename = path.join(dist, script);
  return new vm.Script(fs.readFileSync(filename, "utf8"), {
    filename,
    ...compiledForm(path.join(dist, compiled)),
  });
}

/** `compile` is for the build, which makes the forms. */
function openModules(dist: string, compile = openScript): Modules {
  const factories = new Map<string, Factory>();
  const scripts: vm.Script[] = [];
  const openNext = (): boolean => {
    const next = files[scripts.length];
    if (next === undefined) return false;
    const script = compile(dist, next);
    scripts.push(script);
    for (const [name, factory] of Object.entries(script.runInThisContext() as object))
      factories.set(name, factory as Factory);
    return true;
  };
  const factoryOf = (name: string): Factory | undefined => {
    let factory = factories.get(name);
    while (factory === undefined && openNext()) factory = factories.get(name);
    return factory;
  };
  const loaded = new Map<string, Exports>();
  const load = (name: string): Exports => {
    const known = loaded.get(name);
    if (known !== undefined) return known;
    const factory = factoryOf(name);
    if (factory === undefined) throw new Error(`the kernel has no module ${name}`);
    const exports: Exports = {};
    loaded.set(name, exports);
    const moduleUrl = url.pathToFileURL(path.join(dist, `${name}.js`)).href;
    factory(exports, requireFrom, moduleUrl);
    return exports;
  };
  // Node's own modules have names with a colon, ours have none.
  const requireFrom = (id: string): unknown => {
    if (!id.includes(":")) return load(id);
    return lateModules.has(id) ? late(id) : require(id);
  };
  const names = (): string[] => {
    while (openNext());
    return [...factories.keys()];
  };
  return { scripts, names, load };
}

export = { files, firstModule, openModules };
