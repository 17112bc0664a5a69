// The documentation's programs as deterministic runs: recorded, replayed, equal to the last byte.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { NodeRuntime } from "../../dist/index.js";
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
  "run-options.ts": 1,
  "runtime-platform.ts": 1,
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

// Made through the older generation's drivers, which record nothing; its program and its permissions are these.
test("permissions.ts is replayed", { timeout: 120_000 }, async () => {
  const source = readFileSync(join(root, "examples/permissions.ts"), "utf8");
  const [, program] = /runtime\.exec\(`\n([\s\S]*?)`\);/.exec(source);
  const [, hostname] = /network: \(req\) => req\.hostname !== "(\w+)"/.exec(source);
  assert.match(source, /fs: allowAllFs/);
  assert.match(source, /childProcess: false/);
  const asked = [];
  const options = {
    deterministic: { seed: "example", startTimeMs: Date.UTC(2024, 0, 1) },
    permissions: {
      fs: "allow",
      network: (request) => asked.push(request.hostname) > 0 && request.hostname !== hostname,
      childProcess: "deny",
    },
  };
  const recorded = await NodeRuntime.create({ ...options, record: true });
  const result = await recorded.exec(program);
  assert.equal(await recorded.readFile("/tmp/test.txt", "utf8"), "hello");
  // A deterministic machine has no outside, whatever is allowed.
  assert.match(result.stderr, /ERR_SECURE_EXEC_DETERMINISTIC/);
  await recorded.dispose();
  const replaying = await NodeRuntime.create(options);
  const before = asked.length;
  const again = await replaying.replay(JSON.parse(JSON.stringify(result.recording)));
  assert.deepEqual(
    [again.stdout, again.stderr, again.exitCode],
    [result.stdout, result.stderr, result.exitCode],
  );
  assert.equal(asked.length, before);
  assert.equal(await replaying.readFile("/tmp/test.txt", "utf8"), "hello");
  await replaying.dispose();
});
