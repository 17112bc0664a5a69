// Compiles the host side to dist/ and the guest side to dist/guest.json and
// dist/programs.json, maps of module name → CommonJS source that the kernel hands
// to each zygote, so that no file of the host is ever opened there. The second
// one holds the shell and the commands, which no guest needs at its start.
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const tsc = join(root, "node_modules/typescript/bin/tsc");
for (const folder of ["dist", "build/guest"])
  rmSync(join(root, folder), { recursive: true, force: true });
for (const project of ["tsconfig.json", "tsconfig.guest.json"]) {
  execFileSync(process.execPath, [tsc, "-p", join(root, project)], { stdio: "inherit" });
}

const modules = {};
const programs = {};
const isProgram = (name) =>
  /^(?:userland\/(?:(?:sh|commands|support|vendor)\/|(?:run-)?command$)|guest\/programs\/shell-system$)/.test(
    name,
  );
const guestRoot = join(root, "build/guest");
for (const entry of readdirSync(guestRoot, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile() || !entry.name.endsWith(".js")) continue;
  const file = join(entry.parentPath, entry.name);
  const name = relative(guestRoot, file).replace(/\.js$/, "");
  (isProgram(name) ? programs : modules)[name] = readFileSync(file, "utf8");
}
// The one library among the programs; its licence goes with it, and it looks for a global that Node does not have.
const library = join(root, "node_modules/isomorphic-git");
programs["userland/vendor/isomorphic-git"] =
  `/*\n${readFileSync(join(library, "LICENSE.md"), "utf8").replaceAll("*/", "* /")}\n*/\nconst self = globalThis;\n` +
  readFileSync(join(library, "index.umd.min.js"), "utf8");
mkdirSync(join(root, "dist"), { recursive: true });
writeFileSync(join(root, "dist/guest.json"), JSON.stringify(modules));
writeFileSync(join(root, "dist/programs.json"), JSON.stringify(programs));
chmodSync(join(root, "dist/cli/main.js"), 0o755);
