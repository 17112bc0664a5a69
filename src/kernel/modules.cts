/**
 * Owns how the kernel's modules are loaded: as functions of one script, with the form beside it that the engine
 * compiled when the package was built, which spares the start of a kernel more than half of its work.
 *
 * Invariants: without that form, or with one of another engine, the same script is compiled as any other; the form
 * is of this package, as the script is. It is taken on the processor that it was made on alone: the engine checks
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
  readonly script: vm.Script;
  /** Names of all modules: their paths below dist/, without the ending. */
  readonly names: readonly string[];
  load(name: string): Exports;
}

/** Below dist/. */
const files = { script: "kernel-modules.cjs", compiled: `kernel-modules.${process.arch}.cache` };

function compiledForm(file: string): { cachedData?: Buffer } {
  try {
    return { cachedData: fs.readFileSync(file) };
  } catch {
    return {};
  }
}

function openModules(dist: string): Modules {
  const filename = path.join(dist, files.script);
  const script = new vm.Script(fs.readFileSync(filename, "utf8"), {
    filename,
    ...compiledForm(path.join(dist, files.compiled)),
  });
  const factories = script.runInThisContext() as Record<string, Factory>;
  const loaded = new Map<string, Exports>();
  const load = (name: string): Exports => {
    const known = loaded.get(name);
    if (known !== undefined) return known;
    const exports: Exports = {};
    loaded.set(name, exports);
    const moduleUrl = url.pathToFileURL(path.join(dist, `${name}.js`)).href;
    factories[name]!(
      exports,
      (id) => (Object.hasOwn(factories, id) ? load(id) : require(id)),
      moduleUrl,
    );
    return exports;
  };
  return { script, names: Object.keys(factories), load };
}

export = { files, openModules };
