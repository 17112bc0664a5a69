// Installs the packages that tests mount into build/fixtures, once: pinned versions, no
// scripts run. Prints the directory, or fails when the registry cannot be reached.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const packages = {
  express: "5.3.0",
  lodash: "4.18.1",
  pg: "8.23.1",
  typescript: "5.9.3",
  zod: "4.6.7",
};
/** Packages with native parts; docs/native-addons.md. */
const addonPackages = {
  "@swc/core": "1.13.5",
  bcrypt: "6.0.0",
  lightningcss: "1.33.0",
  rollup: "4.68.8",
  sharp: "0.35.5",
  "tree-sitter": "0.21.1",
  "tree-sitter-javascript": "0.21.4",
};
const root = fileURLToPath(new URL("..", import.meta.url));

/** The directory that holds the packages' node_modules; installs them when they are not there. */
export const fixtures = () => installed("build/fixtures", packages);
export const addonFixtures = () => installed("build/addon-fixtures", addonPackages);

/** Those of tests/programs, as its lock file says. */
export const programFixtures = () => {
  const from = (name) => readFileSync(join(root, "tests/programs", name), "utf8");
  return madeOf("build/program-fixtures", from("package.json"), from("package-lock.json"));
};

function installed(name, dependencies) {
  return madeOf(name, `${JSON.stringify({ private: true, dependencies }, null, 2)}\n`);
}

function madeOf(name, manifest, lock) {
  const directory = join(root, name);
  const present = join(directory, "package.json");
  const locked = join(directory, "package-lock.json");
  const isSame =
    existsSync(present) &&
    readFileSync(present, "utf8") === manifest &&
    (lock === undefined || readFileSync(locked, "utf8") === lock);
  if (isSame) return directory;
  // Made aside and moved into place, so that two runs at once do not disturb each other.
  const making = `${directory}.${process.pid}`;
  rmSync(making, { recursive: true, force: true });
  mkdirSync(making, { recursive: true });
  try {
    writeFileSync(join(making, "package.json"), manifest);
    if (lock !== undefined) writeFileSync(join(making, "package-lock.json"), lock);
    const command = lock === undefined ? "install" : "ci";
    execFileSync("npm", [command, "--ignore-scripts", "--no-audit", "--no-fund", "--silent"], {
      cwd: making,
      stdio: ["ignore", "ignore", "inherit"],
      timeout: 600_000,
    });
    rmSync(directory, { recursive: true, force: true });
    renameSync(making, directory);
  } finally {
    rmSync(making, { recursive: true, force: true });
  }
  return directory;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) console.log(fixtures());
