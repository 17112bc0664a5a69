// Installs the packages that tests mount into build/fixtures, once: pinned versions, no
// scripts run. Prints the directory, or fails when the registry cannot be reached.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const packages = { express: "5.3.0", lodash: "4.18.1", typescript: "5.9.3", zod: "4.6.7" };
const root = fileURLToPath(new URL("..", import.meta.url));
const directory = join(root, "build/fixtures");

/** The directory that holds the packages' node_modules; installs them when they are not there. */
export function fixtures() {
  const manifest = `${JSON.stringify({ private: true, dependencies: packages }, null, 2)}\n`;
  const present = join(directory, "package.json");
  if (existsSync(present) && readFileSync(present, "utf8") === manifest) return directory;
  // Made aside and moved into place, so that two runs at once do not disturb each other.
  const making = `${directory}.${process.pid}`;
  rmSync(making, { recursive: true, force: true });
  mkdirSync(making, { recursive: true });
  try {
    writeFileSync(join(making, "package.json"), manifest);
    execFileSync("npm", ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"], {
      cwd: making,
      stdio: ["ignore", "ignore", "inherit"],
      timeout: 180_000,
    });
    rmSync(directory, { recursive: true, force: true });
    renameSync(making, directory);
  } finally {
    rmSync(making, { recursive: true, force: true });
  }
  return directory;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) console.log(fixtures());
