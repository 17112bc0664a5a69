// Loads guest modules from dist/guest.json outside a guest, for tests of code that is pure.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { posix } from "node:path";
import vm from "node:vm";

const bundle = (name) =>
  JSON.parse(readFileSync(new URL(`../../dist/${name}`, import.meta.url), "utf8"));
const sources = { ...bundle("guest.json"), ...bundle("programs.json") };
const builtin = createRequire(import.meta.url);
const loaded = new Map();

/** The exports of a module by its name in the bundle, such as "userland/sh/main". */
export function loadGuestModule(name) {
  const known = loaded.get(name);
  if (known !== undefined) return known.exports;
  const source = sources[name];
  if (source === undefined) throw new Error(`no guest module ${name}`);
  const module = { exports: {} };
  loaded.set(name, module);
  const require = (specifier) =>
    specifier.startsWith(".")
      ? loadGuestModule(posix.join(posix.dirname(name), specifier).replace(/\.js$/, ""))
      : builtin(specifier);
  const parameters = ["exports", "require", "module"];
  const run = vm.compileFunction(source, parameters, { filename: `${name}.js` });
  run(module.exports, require, module);
  return module.exports;
}
