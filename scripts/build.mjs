// Compiles the host side to dist/ and the guest side to dist/guest.json and
// dist/programs.json, maps of module name → CommonJS source that the kernel hands
// to each zygote, so that no file of the host is ever opened there. The second
// one holds the shell and the commands, which no guest needs at its start. What the kernel process runs is one script
// as well (see kernel-modules.mjs), and so is what the host imports (sdk-modules.mjs); the kernel's modules as files are what tests look at. The page of the playground is compiled for browsers.
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { writeKernelModules } from "./kernel-modules.mjs";
import { writeSdkModules } from "./sdk-modules.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const tsc = join(root, "node_modules/typescript/bin/tsc");
for (const folder of ["dist", "build/guest", "build/kernel", "build/sdk"])
  rmSync(join(root, folder), { recursive: true, force: true });
for (const project of [
  "tsconfig.json",
  "tsconfig.guest.json",
  "tsconfig.kernel.json",
  "tsconfig.sdk.json",
  "tsconfig.page.json",
]) {
  execFileSync(process.execPath, [tsc, "-p", join(root, project)], { stdio: "inherit" });
}

const modules = {};
const programs = {};
const isProgram = (name) =>
  /^(?:userland\/(?:(?:sh|commands|support|vendor)\/|(?:run-)?command$)|guest\/programs\/shell-system$)/.test(
    name,
  );
/** Read without being decoded. What is not ASCII is in comments and literals. */
const inAscii = (text) =>
  text.replace(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
const guestRoot = join(root, "build/guest");
for (const entry of readdirSync(guestRoot, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile() || !entry.name.endsWith(".js")) continue;
  const file = join(entry.parentPath, entry.name);
  const name = relative(guestRoot, file).replace(/\.js$/, "");
  const text = readFileSync(file, "utf8");
  if (isProgram(name)) programs[name] = text;
  else modules[name] = inAscii(text);
}
// The one library among the programs; its licence goes with it, and it looks for a global that Node does not have.
const library = join(root, "node_modules/isomorphic-git");
programs["userland/vendor/isomorphic-git"] =
  `/*\n${readFileSync(join(library, "LICENSE.md"), "utf8").replaceAll("*/", "* /")}\n*/\nconst self = globalThis;\n` +
  readFileSync(join(library, "index.umd.min.js"), "utf8");
// The page of the playground, and the library that draws its terminal, which a browser loads from beside it.
const page = join(root, "dist/playground/page");
for (const name of ["index.html", "style.css", "icon.svg"])
  copyFileSync(join(root, "src/playground/page", name), join(page, name));
const terminal = join(root, "node_modules/@xterm/xterm");
for (const [file, name] of [
  ["lib/xterm.mjs", "xterm.js"],
  ["css/xterm.css", "xterm.css"],
]) {
  const licence = readFileSync(join(terminal, "LICENSE"), "utf8").replaceAll("*/", "* /");
  // Its map of the source is not in the package.
  const text = readFileSync(join(terminal, file), "utf8").replace(
    /^\/\/# sourceMappingURL=.*$/m,
    "",
  );
  writeFileSync(join(page, "vendor", name), `/*\n${licence}\n*/\n${text}`);
}
mkdirSync(join(root, "dist"), { recursive: true });
writeFileSync(join(root, "dist/guest.json"), JSON.stringify(modules));
writeFileSync(join(root, "dist/programs.json"), JSON.stringify(programs));
await writeSdkModules(join(root, "build/sdk"), join(root, "dist"));
await writeKernelModules(join(root, "build/kernel"), join(root, "dist"));
chmodSync(join(root, "dist/cli/main.js"), 0o755);
