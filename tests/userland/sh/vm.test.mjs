// The table of scripts inside virtual machines: `sh` and every command a process of the VM, the whole
// output and the exit code those of the real shells.
import assert from "node:assert/strict";
import { constants } from "node:os";
import { test } from "node:test";
import { NodeRuntime } from "../../../dist/index.js";
import { cases, environment, expected } from "./cases.mjs";

/** Each is a VM of its own that takes the next script; more would only share the same two cores. */
const lanes = 3;

/** Scripts of the table that a VM cannot answer as the machine does: name → reason. None today. */
const impossible = new Map([]);

/** The table names a signal that ended the shell; a VM's program ends with 128 and its number. */
const exitCodeOf = (status) =>
  typeof status === "number" ? status : 128 + constants.signals[status];

async function run(runtime, { name, script, shell }, cwd) {
  await runtime.mkdir(cwd);
  const options = { cwd, env: environment, timeout: 60_000 };
  const { stdout, stderr, exitCode } = await runtime.execCommand(
    shell,
    ["-c", script, "sh"],
    options,
  );
  const want = expected[name];
  const got = { stdout: Buffer.from(stdout).toString("latin1"), status: exitCode };
  const same = got.stdout === want.stdout && got.status === exitCodeOf(want.status);
  return same ? undefined : { name, script, got, want, stderr };
}

test("the table of scripts in a virtual machine answers what dash and bash answer", async () => {
  const wanted = cases.filter(({ name }) => !impossible.has(name));
  assert.ok(wanted.length >= 700);
  const queue = wanted.values();
  const differing = [];
  const lane = async () => {
    const runtime = await NodeRuntime.create();
    let number = 0;
    for (const one of queue) {
      const difference = await run(runtime, one, `/tmp/case-${number++}`);
      if (difference !== undefined) differing.push(difference);
    }
    await runtime.dispose();
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  assert.deepEqual(differing, []);
});
