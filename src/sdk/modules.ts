/**
 * Owns how the host's modules are loaded: as functions of one script, because an import of the package as a hundred and
 * twenty files costs three times as much as this, before the first machine. The build (scripts/sdk-modules.mjs) writes
 * the script and, where each module's file was, a line that asks here for it.
 *
 * Invariants: a module runs once in a process, whoever imports it by whichever file; nothing of it runs before it is
 * asked for. Untrusted: nothing.
 */
import { createRequire } from "node:module";
import * as engine from "../launcher/engine.js";

type Exports = Record<string, unknown>;
/** A module as the build leaves it: other modules of the script are required by their names in it. */
type Factory = (exports: Exports, require: (id: string) => unknown, moduleUrl: string) => void;

const require = createRequire(import.meta.url);
const factories = require("../sdk-modules.cjs") as Record<string, Factory>;
/** The engine's module finds packages from its own place, and tracers of files read how. */
const loaded = new Map<string, Exports>([["launcher/engine", engine]]);

/** A module by its path below dist/, without the ending. */
export function hostModule(name: string): Exports {
  const known = loaded.get(name);
  if (known !== undefined) return known;
  const exports: Exports = {};
  loaded.set(name, exports);
  factories[name]!(
    exports,
    (id) => (loaded.has(id) || Object.hasOwn(factories, id) ? hostModule(id) : require(id)),
    new URL(`../${name}.js`, import.meta.url).href,
  );
  return exports;
}
