// The two tarballs of a release: the package, and the engine repacked without what it does not need here.
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("..", import.meta.url));

/**
 * Most bytes of each tarball. What the engine has compiled is 2.1 MiB of the package: of the guests' and the kernel's modules 1.4, of
 * `git`, whose commands take half the time for it, 0.7.
 */
export const budget = { package: 4.25 * 1024 * 1024, engine: 64 * 1024 * 1024 };

export const run = (cwd, command, ...args) =>
  execFileSync(command, args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });

/** What `npm pack` says of a folder. */
const packed = (folder, ...args) =>
  JSON.parse(run(folder, "npm", "pack", "--json", "--ignore-scripts", ...args))[0];

/** Bytes of the package as it is built now. */
export const packageBytes = () => packed(root, "--dry-run").size;

/** `npm pack` of a folder into another: where the tarball is, its files, its bytes. */
function pack(folder, into) {
  const { filename, files, size } = packed(folder, "--pack-destination", into);
  return { path: join(into, filename), filename, names: files.map(({ path }) => path), size };
}

export const engineName = (arch = process.arch) => `secure-exec-engine-linux-${arch}`;

/**
 * The package as it is published: on this architecture its engine is the package of ours, which has no `node` for the
 * PATH; the repository itself installs the one that it is made of.
 */
export function packPackage(into) {
  run(root, "npm", "run", "--silent", "build");
  const scratch = mkdtempSync(join(into, "package-"));
  const { path } = pack(root, scratch);
  run(scratch, "tar", "-xzf", path);
  const folder = join(scratch, "package");
  const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const { [`node-linux-${process.arch}`]: version, ...others } = manifest.optionalDependencies;
  manifest.optionalDependencies = { ...others, [engineName()]: version };
  writeFileSync(join(folder, "package.json"), `${JSON.stringify(manifest, undefined, 2)}\n`);
  const made = pack(folder, into);
  rmSync(scratch, { recursive: true });
  return made;
}

/**
 * The engine as a package of ours: the binary and its licence, no headers, and no `bin`, so that installing it replaces
 * nobody's `node` in npm scripts. Its version is the engine's.
 */
export function packEngine(into, arch = process.arch) {
  const source = dirname(createRequire(import.meta.url).resolve(`node-linux-${arch}/package.json`));
  const { version } = JSON.parse(readFileSync(join(source, "package.json"), "utf8"));
  const name = engineName(arch);
  const folder = join(into, name);
  mkdirSync(join(folder, "bin"), { recursive: true });
  cpSync(join(source, "bin/node"), join(folder, "bin/node"));
  cpSync(join(source, "LICENSE"), join(folder, "LICENSE"));
  const manifest = {
    name,
    version,
    description:
      "The Node.js binary that secure-exec runs its machines with, unmodified. Not a Node.js for your PATH.",
    license: "MIT",
    repository: { type: "git", url: "git+https://github.com/secure-exec/secure-exec.git" },
    os: ["linux"],
    cpu: [arch],
    libc: ["glibc"],
    // Nothing can be started from inside of an archive.
    preferUnplugged: true,
    files: ["bin/node", "LICENSE"],
  };
  writeFileSync(join(folder, "package.json"), `${JSON.stringify(manifest, undefined, 2)}\n`);
  writeFileSync(
    join(folder, "README.md"),
    `# ${name}\n\nNode.js ${version} for linux-${arch}, as nodejs.org publishes it, for the package secure-exec, which installs it.\nThe licences of Node.js and of what is in it are in LICENSE.\n`,
  );
  return { ...pack(folder, into), version };
}
