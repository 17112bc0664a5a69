// The short form of scripts/fleet-faults.mjs: workers, callers and the broker killed, stopped and cut off under load.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { noServer } from "../../support/fleets.mjs";

const script = fileURLToPath(new URL("../../../scripts/fleet-faults.mjs", import.meta.url));

test(
  "15 seconds of faults: nothing invented, nothing twice, no hang, no machine left",
  { skip: noServer },
  () => {
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [script, "--seconds", "15", "--workers", "2", "--callers", "2"],
      { encoding: "utf8", timeout: 280_000 },
    );
    assert.equal(status, 0, `${stdout}\n${stderr}`);
    assert.match(stdout, /right: [1-9]/);
  },
);
