// What has to work before a version is published: packs the package and the engine's, installs the tarballs in empty
// projects with npm, and with pnpm where there is one, and runs the README's example and the command line there.
//   node scripts/release.mjs [FOLDER]
// Leaves the tarballs in FOLDER where one is given. Publishes nothing.
import { spawnSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { budget, engineName, packEngine, packPackage, root, run } from "./packing.mjs";

const scratch = mkdtempSync(join(tmpdir(), "secure-exec-release-"));
process.on("exit", () => rmSync(scratch, { recursive: true, force: true }));
const [keep] = process.argv.slice(2);

const there = (command) => spawnSync(command, ["--version"], { stdio: "ignore" }).status === 0;

const own = packPackage(scratch);
for (const wanted of ["dist/index.js", "dist/index.d.ts", "dist/guest.json", "dist/programs.json"])
  if (!own.names.includes(wanted)) throw new Error(`${wanted} is not in the package`);
const stray = own.names.filter((name) => /^(?:src|tests|build|node_modules)\//.test(name));
if (stray.length > 0) throw new Error(`the package holds ${stray.join(", ")}`);

const engine = packEngine(scratch);
const expectedNames = ["LICENSE", "README.md", "bin/node", "package.json"];
if (engine.names.toSorted().join() !== expectedNames.join())
  throw new Error(`the engine's package holds ${engine.names.join(", ")}`);
for (const [name, { filename, names, size }] of Object.entries({ package: own, engine })) {
  console.log(`${filename}: ${names.length} files, ${Math.round(size / 1024)} KiB`);
  if (size > budget[name]) throw new Error(`${filename} is over its ${budget[name]} bytes`);
}

// Types and entry points as each kind of resolution finds them. Pinned here rather than installed: only a release needs it.
run(root, "npx", "--yes", "@arethetypeswrong/cli@0.18.5", own.path, "--profile", "esm-only");
console.log("types resolve from ESM and in bundlers");

/** The first example of the README, and what it says it prints. */
const example = /```ts\n([^]*?)```/.exec(readFileSync(join(root, "README.md"), "utf8"))[1];
const program = example.replace(/<\{[^>]*\}>/, "");
const promised = /\/\/ (\d+) ("(?:[^"\\]|\\.)*") (\d+)/.exec(example).slice(1);
const expected = `${promised[0]} ${JSON.parse(promised[1])} ${promised[2]}\n`;

/** Installs `tarballs` and runs what a newcomer runs first. */
function tried(name, manager, install, tarballs) {
  if (!there(manager)) return console.log(`${name}: ${manager} is not here, not tried`);
  const project = join(scratch, name);
  mkdirSync(project);
  writeFileSync(join(project, "package.json"), '{ "name": "empty", "private": true }\n');
  run(project, manager, ...install, ...tarballs);
  writeFileSync(join(project, "example.mjs"), program);
  const printed = run(project, process.execPath, "example.mjs");
  if (printed !== expected)
    throw new Error(`${name}: the example printed ${JSON.stringify(printed)}`);
  writeFileSync(join(project, "hello.mjs"), 'console.log("hello", process.argv[2]);\n');
  const bin = join(project, "node_modules/.bin/secure-exec");
  const said = run(project, bin, "run", "hello.mjs", "there");
  if (said !== "hello there\n") throw new Error(`${name}: run printed ${JSON.stringify(said)}`);
  console.log(`${name}: installs, runs the README's example and the command line`);
  return project;
}

const tarballs = [own.path, engine.path];
const project = tried("npm", "npm", ["install", "--no-audit", "--no-fund"], tarballs);
tried("pnpm", "pnpm", ["add"], tarballs);
for (const [path, is] of [
  [`node_modules/${engineName()}`, true],
  [`node_modules/node-linux-${process.arch}`, false],
  ["node_modules/.bin/node", false],
])
  if (existsSync(join(project, path)) !== is)
    throw new Error(`npm: ${path} is ${is ? "not " : ""}there`);
console.log("npm: our engine is what runs, and the project's node is its own");

if (keep !== undefined) {
  mkdirSync(keep, { recursive: true });
  for (const { path, filename } of [own, engine]) copyFileSync(path, join(keep, filename));
  console.log(`npm install ${[own, engine].map(({ filename }) => join(keep, filename)).join(" ")}`);
}
