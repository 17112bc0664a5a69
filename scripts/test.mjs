// Runs every tests/**/*.test.mjs under node:test; arguments narrow the list by substring.
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const wanted = process.argv.slice(2);
const files = readdirSync(join(root, "tests"), { recursive: true })
  .map((name) => join("tests", String(name)))
  .filter((name) => name.endsWith(".test.mjs"))
  .filter((name) => wanted.length === 0 || wanted.some((part) => name.includes(part)))
  .sort();
if (files.length === 0) {
  console.error(`no test file matches ${wanted.join(", ")}`);
  process.exit(1);
}
// The host's own Node: npm puts the engine's package, which brings a `node` of its own, in front of it.
const hostNode = process.env.npm_node_execpath ?? process.execPath;
const { status } = spawnSync(
  hostNode,
  [
    "--test",
    "--test-timeout=300000",
    "--test-concurrency=2",
    "--test-reporter=spec",
    ...files.map((file) => relative(root, join(root, file))),
  ],
  { cwd: root, stdio: "inherit" },
);
process.exit(status ?? 1);
