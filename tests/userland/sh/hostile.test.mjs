import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { engine } from "../../sandbox/engine.mjs";

test("hostile scripts end with a status, and no text breaks the parser", async () => {
  const script = fileURLToPath(new URL("engine/hostile.mjs", import.meta.url));
  const output = await new Promise((resolve, reject) => {
    execFile(
      engine,
      ["--no-warnings", script],
      { timeout: 600_000, killSignal: "SIGKILL" },
      (error, stdout, stderr) =>
        error ? reject(new Error(`${error.message}\n${stderr}`)) : resolve(stdout),
    );
  });
  const { scripts, problems } = JSON.parse(output);
  assert.ok(scripts > 120);
  assert.deepEqual(problems, []);
});
