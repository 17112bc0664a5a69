// Native addons built from tests/fixtures/addons by the host's C compiler, where there is one.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const sources = fileURLToPath(new URL("../fixtures/addons", import.meta.url));

function compilerOf() {
  for (const name of ["cc", "gcc", "clang"]) {
    try {
      execFileSync(name, ["--version"], { stdio: "ignore", timeout: 30_000 });
      return name;
    } catch {
      // The next one.
    }
  }
  return undefined;
}

const compiler = process.arch === "x64" ? compilerOf() : undefined;
/** False, or why no addon can be tested here. */
export const noAddons =
  process.arch !== "x64"
    ? `native addons are not there on ${process.arch}`
    : compiler === undefined && "no C compiler is installed here";

let folder;
/** Where what was built lies, for what is linked with it; gone with the test file. */
export function builtFolder() {
  if (folder !== undefined) return folder;
  folder = mkdtempSync(join(tmpdir(), "secure-exec-addons-"));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** The bytes of `source` compiled into a shared object of that name; `flags` are the compiler's. */
export function built(source, name, flags = []) {
  const require = createRequire(import.meta.url);
  const engine = dirname(require.resolve(`node-linux-${process.arch}/package.json`));
  const file = join(builtFolder(), name);
  const common = ["-shared", "-fPIC", "-O1", "-pthread", `-I${join(engine, "include/node")}`];
  execFileSync(compiler, [...common, "-o", file, join(sources, source), ...flags], {
    timeout: 120_000,
  });
  return readFileSync(file);
}
