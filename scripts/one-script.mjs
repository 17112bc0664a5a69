// Modules as tsc compiles them to CommonJS, as one script: an object of functions by the modules' names, which
// src/kernel/modules.cts and src/sdk/modules.ts call. It starts in a fraction of the time that as many files take.
import { readFileSync, readdirSync } from "node:fs";
import { join, posix } from "node:path";

/** What tsc makes of `import("name")` in a module of its CommonJS. */
const laterImport = /Promise\.resolve\(\)\.then\(\(\) => __importStar\(require\("([^"]+)"\)\)\)/g;

/** The text of a CommonJS module, with other modules by their names and its own address as a parameter. */
function factoryOf(name, source) {
  const from = (to) => posix.join(posix.dirname(name), to);
  const body = source
    // From where the script is, above all of them: what is imported late may be no CommonJS, and no part of it.
    .replace(laterImport, (_, to) =>
      to.startsWith(".") ? `import("./${from(to)}")` : `import("${to}")`,
    )
    .replace(/\brequire\("(\.{1,2}\/[^"]+)\.js"\)/g, (_, to) => `require("${from(to)}")`)
    .replaceAll("import.meta.url", "moduleUrl");
  if (body.includes("import.meta"))
    throw new Error(`${name}: import.meta of a module in a script has a url only`);
  return `${JSON.stringify(name)}(exports, require, moduleUrl) {\n${body}\n}`;
}

/** The modules below `compiled` that are `wanted`: their names, and the script's one expression. */
export function oneScript(compiled, wanted = () => true) {
  const names = readdirSync(compiled, { recursive: true })
    .map(String)
    .filter((file) => file.endsWith(".js"))
    .map((file) => file.replace(/\.js$/, ""))
    .filter(wanted)
    .sort();
  const factories = names.map((name) =>
    factoryOf(name, readFileSync(join(compiled, `${name}.js`), "utf8")),
  );
  return { names, script: `({\n${factories.join(",\n")}\n})\n` };
}

/** What the module below `compiled` loads when it is loaded, itself included. */
export function loadedWith(compiled, name, found = new Set()) {
  if (found.has(name)) return found;
  found.add(name);
  const source = readFileSync(join(compiled, `${name}.js`), "utf8");
  for (const [, to] of source.matchAll(/\brequire\("(\.{1,2}\/[^"]+)\.js"\)/g))
    loadedWith(compiled, posix.join(posix.dirname(name), to), found);
  return found;
}
