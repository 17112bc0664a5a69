// What has to work before a version is published: packs the package, installs the tarball in an empty project
// with npm, and with pnpm where there is one, and runs the README's example and the command line there.
//   node scripts/release.mjs
// Publishes nothing.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), "secure-exec-release-"));
process.on("exit", () => rmSync(scratch, { recursive: true, force: true }));

const run = (cwd, command, ...args) =>
  execFileSync(command, args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
const there = (command) => spawnSync(command, ["--version"], { stdio: "ignore" }).status === 0;

run(root, "npm", "run", "--silent", "build");
const [{ filename, files, size }] = JSON.parse(
  run(root, "npm", "pack", "--json", "--pack-destination", scratch),
);
const names = files.map(({ path }) => path);
for (const wanted of ["dist/index.js", "dist/index.d.ts", "dist/guest.json", "dist/programs.json"])
  if (!names.includes(wanted)) throw new Error(`${wanted} is not in the package`);
const stray = names.filter((name) => /^(?:src|tests|build|node_modules)\//.test(name));
if (stray.length > 0) throw new Error(`the package holds ${stray.join(", ")}`);
console.log(`${filename}: ${names.length} files, ${Math.round(size / 1024)} KiB`);

// Types and entry points as each kind of resolution finds them. Pinned here rather than installed: only a release needs it.
run(
  root,
  "npx",
  "--yes",
  "@arethetypeswrong/cli@0.18.5",
  join(scratch, filename),
  "--profile",
  "esm-only",
);
console.log("types resolve from ESM and in bundlers");

/** The first example of the README, and what it says it prints. */
const example = /```ts\n([^]*?)```/.exec(readFileSync(join(root, "README.md"), "utf8"))[1];
const program = example.replace(/<\{[^>]*\}>/, "");
const promised = /\/\/ (\d+) ("(?:[^"\\]|\\.)*") (\d+)/.exec(example).slice(1);
const expected = `${promised[0]} ${JSON.parse(promised[1])} ${promised[2]}\n`;

for (const [manager, ...install] of [
  ["npm", "install", "--no-audit", "--no-fund"],
  ["pnpm", "add"],
]) {
  if (!there(manager)) {
    console.log(`${manager}: not here, not tried`);
    continue;
  }
  const project = join(scratch, manager);
  mkdirSync(project);
  writeFileSync(join(project, "package.json"), '{ "name": "empty", "private": true }\n');
  run(project, manager, ...install, join(scratch, filename));
  writeFileSync(join(project, "example.mjs"), program);
  const printed = run(project, process.execPath, "example.mjs");
  if (printed !== expected)
    throw new Error(`${manager}: the example printed ${JSON.stringify(printed)}`);
  writeFileSync(join(project, "hello.mjs"), 'console.log("hello", process.argv[2]);\n');
  const bin = join(project, "node_modules/.bin/secure-exec");
  const said = run(project, bin, "run", "hello.mjs", "there");
  if (said !== "hello there\n") throw new Error(`${manager}: run printed ${JSON.stringify(said)}`);
  console.log(`${manager}: installs, runs the README's example and the command line`);
}
