// The short form of `npm run faults`: processes of every level killed and stopped under load.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { it } from "node:test";
import { fileURLToPath } from "node:url";

const script = fileURLToPath(new URL("../../scripts/faults.mjs", import.meta.url));

it("20 seconds of kills and stops: no hang, no orphan, no leak, nothing invented", () => {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [script, "--phase", "kill", "--seconds", "20"],
    { encoding: "utf8", timeout: 180_000 },
  );
  assert.equal(status, 0, `${stdout}\n${stderr}`);
  const { answered, kills } = JSON.parse(stdout.slice(0, stdout.indexOf("}") + 1));
  assert.ok(answered > 0 && kills > 0, stdout);
});
