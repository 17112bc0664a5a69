// The documentation's programs as deterministic runs: recorded, replayed, equal to the last byte.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { findEngine } from "../../dist/launcher/engine.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const engine = findEngine();
assert.ok("path" in engine, "no engine");

/** How many programs each runs. */
const examples = {
  "ai-agent-code-exec.mjs": 2,
  "executing-code.ts": 1,
  "executing-code-options.ts": 1,
  "executing-code-value.ts": 1,
  "plugin-host-tools.ts": 1,
  "plugin-systems.ts": 1,
};

for (const [file, programs] of Object.entries(examples)) {
  test(`${file} is replayed`, { timeout: 120_000 }, () => {
    const hook = pathToFileURL(join(root, "tests/examples/replaying.mjs")).href;
    const { status, stdout, stderr } = spawnSync(
      engine.path,
      ["--no-warnings", "--import", hook, join(root, "examples", file)],
      { cwd: root, encoding: "utf8", timeout: 110_000 },
    );
    assert.equal(status, 0, stderr);
    assert.match(stdout, new RegExp(`^replayed: ${programs}$`, "m"));
  });
}
