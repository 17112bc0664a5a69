// Lists the values that a file of src/ exports and nobody imports: neither another file of src/ by
// name, nor a test, benchmark or script that mentions the name. Exits with 1 when there is any.
// What the package's entries export is public. Types are not looked at: one that a signature
// names is exported so that the signature can be read elsewhere.
import { readFileSync, readdirSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

const listed = (folder, end) =>
  readdirSync(join(root, folder), { recursive: true })
    .map((name) => join(folder, String(name)))
    .filter((name) => end.test(name));
const withoutComments = (text) => text.replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, "");
const namesIn = (list) =>
  list
    .split(",")
    .map((entry) => entry.trim().replace(/^type\s+/, ""))
    .filter(Boolean)
    .map((entry) => entry.split(/\s+as\s+/));

/** Names of values that a text exports. */
export function exportsOf(text) {
  const code = withoutComments(text);
  const declared =
    /^export (?:declare )?(?:abstract )?(?:async )?(?:function\*?|class|const|let|enum) (\w+)/gm;
  return [
    ...[...code.matchAll(declared)].map((match) => match[1]),
    ...[...code.matchAll(/^export \{([^}]*)\}/gm)].flatMap(([, list]) =>
      namesIn(list.replace(/\btype\s+\w+/g, "")).map((names) => names.at(-1)),
    ),
  ];
}

/** What a text imports or exports again, as [specifier, name]; "*" stands for all. */
export function importsOf(text) {
  const code = withoutComments(text);
  const found = [];
  for (const [, list, from] of code.matchAll(
    /(?:import|export)\s+(?:type\s+)?(?:\w+\s*,\s*)?\{([^}]*)\}\s*from\s*["']([^"']+)["']/g,
  ))
    for (const [name] of namesIn(list)) found.push([from, name]);
  for (const [, from] of code.matchAll(
    /(?:import|export)\s+(?:type\s+)?\*(?:\s+as\s+\w+)?\s+from\s*["']([^"']+)["']/g,
  ))
    found.push([from, "*"]);
  // import("…") types name what they use behind them; require("…") gives an object.
  for (const [, from, name] of code.matchAll(/\bimport\(\s*["']([^"']+)["']\s*\)(?:\.(\w+))?/g))
    found.push([from, name ?? "*"]);
  for (const [, from] of code.matchAll(/\brequire\(\s*["']([^"']+)["']\s*\)/g))
    found.push([from, "*"]);
  return found;
}

const target = (file, from) => join(dirname(file), from).replace(/\.js$/, ".ts");

/** Called by texts that are evaluated inside the engine. */
const byName = ["src/guest/thread.ts: startThread"];

function unused() {
  const sources = listed("src", /\.ts$/).filter((name) => !name.endsWith(".d.ts"));
  const used = new Set();
  const texts = new Map(sources.map((file) => [file, readFileSync(join(root, file), "utf8")]));
  for (const [file, text] of texts)
    for (const [from, name] of importsOf(text))
      if (name === "*")
        for (const word of new Set(text.match(/\w+/g))) used.add(`${target(file, from)}: ${word}`);
      else used.add(`${target(file, from)}: ${name}`);
  const entries = Object.values(
    JSON.parse(readFileSync(join(root, "package.json"), "utf8")).exports,
  )
    .map((entry) => entry.default?.replace(/^\.\/dist\//, "src/").replace(/\.js$/, ".ts"))
    .filter(Boolean);
  const others = ["tests", "bench", "scripts"]
    .flatMap((folder) => listed(folder, /\.[cm]?[jt]s$/))
    .filter((file) => relative("scripts", file) !== "unused-exports.mjs")
    .map((file) => readFileSync(join(root, file), "utf8"))
    .join("\n");
  const mentioned = new Set(others.match(/\w+/g));
  // Names that a test puts together, as `RLIMIT_${name}`.
  const beginnings = [...new Set([...others.matchAll(/`([A-Z]+_)\$\{/g)].map((match) => match[1]))];
  return (
    [...texts]
      // Constants of Linux are there by the group.
      .filter(([file]) => !entries.includes(file) && !file.startsWith("src/abi/"))
      .flatMap(([file, text]) =>
        exportsOf(text)
          .filter((name) => !used.has(`${file}: ${name}`))
          .filter((name) => !mentioned.has(name))
          .filter((name) => !beginnings.some((beginning) => name.startsWith(beginning)))
          .map((name) => `${file}: ${name}`)
          .filter((line) => !byName.includes(line)),
      )
  );
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const found = unused();
  for (const line of found) console.log(line);
  console.log(`${found.length} exports that nobody uses`);
  process.exit(found.length === 0 ? 0 : 1);
}
