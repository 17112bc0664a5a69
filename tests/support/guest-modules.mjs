// Loads guest-side modules, as built for the zygote, into the test's own process.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { compileFunction } from "node:vm";

const require = createRequire(import.meta.url);
const sources = JSON.parse(readFileSync(new URL("../../dist/guest.json", import.meta.url), "utf8"));
const loaded = new Map();

/** The exports of a module by its name in src, such as "guest/programs/tool-command". */
export function loadGuestModule(id) {
  if (loaded.has(id)) return loaded.get(id).exports;
  if (sources[id] === undefined) throw new Error(`no guest module ${id}`);
  const module = { exports: {} };
  loaded.set(id, module);
  const requireFrom = (name) => {
    if (!name.startsWith(".")) return require(name);
    const { pathname } = new URL(name.replace(/\.js$/, ""), `file:///${id}`);
    return loadGuestModule(pathname.slice(1));
  };
  const run = compileFunction(sources[id], ["exports", "require", "module"], { filename: id });
  run(module.exports, requireFrom, module);
  return module.exports;
}
