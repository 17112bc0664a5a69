// Brings every page that is made from the source up to date. Run by `npm run docs` after a build, so that
// `node` is the engine: two of the pages are made from tables that load on nothing else.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
for (const [script, ...args] of [
  ["tests/kernel/syscalls/system-calls-doc.test.mjs", "--write"],
  ["tests/sandbox/isolation-doc.test.mjs", "--write"],
  ["scripts/limit-types.mjs"],
  ["scripts/api-docs.mjs"],
  ["scripts/error-docs.mjs"],
]) {
  const { status } = spawnSync(process.execPath, [script, ...args], {
    cwd: root,
    stdio: "inherit",
  });
  if (status !== 0) {
    console.error(`${script}: ended with ${status}`);
    process.exit(1);
  }
}
