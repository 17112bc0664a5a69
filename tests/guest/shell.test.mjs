// The shell as processes of a VM: signals, limits, usage, fork bombs, descriptors handed down.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { NodeRuntime } from "../../dist/index.js";

const rt = await NodeRuntime.create();
after(() => rt.dispose());

async function sh(script) {
  const { stdout, stderr, exitCode } = await rt.execCommand("sh", ["-c", script], {
    timeout: 60_000,
  });
  return { stdout, stderr, exitCode };
}
const output = async (script) => (await sh(script)).stdout;

test("times counts the shell and the children it has waited for", async () => {
  const lines = (
    await output(`i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; node -e 'const end = process.cpuUsage().user + 60000;
      while (process.cpuUsage().user < end);'; times`)
  ).split("\n");
  const [own, children] = lines.map((line) => /^(\d+)m([\d.]+)s/.exec(line));
  assert.ok(Number(own[2]) > 0);
  assert.ok(Number(children[2]) >= 0.06 && Number(children[2]) < 30, lines.join());
});

test("ulimit -n binds the children of the shell and cannot be raised", async () => {
  const count = `node -e 'let n = 0; try { for (;; n++) fs.openSync("/dev/null"); } catch (error) { console.log(n, error.code); }'`;
  const { stdout, stderr, exitCode } = await sh(
    `ulimit -n; ulimit -n 20; sh -c 'ulimit -n'; ${count}; ulimit -n 1000`,
  );
  assert.equal(stdout, "256\n20\n17 EMFILE\n");
  assert.match(stderr, /Operation not permitted/);
  assert.equal(exitCode, 2);
});

test("umask, job signals, traps and names of scripts", async () => {
  assert.equal(await output("umask 077; sh -c umask; node -p 'process.umask()'"), "0077\n63\n");
  assert.equal(await output("sleep 100 & kill %1; wait %1; echo $?"), "143\n");
  assert.equal((await sh("trap 'exit 5' TERM; kill $$; exit 1")).exitCode, 5);
  assert.equal(
    await output(
      "cd /tmp; printf '#!/usr/bin/env bash\\necho $0 $1\\n' >named; chmod +x named; ./named a",
    ),
    "./named a\n",
  );
});

test("a trap meets the signal that the host sends", { timeout: 60_000 }, async () => {
  let ready;
  const started = new Promise((resolve) => (ready = resolve));
  const child = await rt.spawnCommand(
    "sh",
    ["-c", "trap 'echo got; exit 9' TERM; echo ready; while :; do sleep 0.02; done"],
    { onStdout: () => ready() },
  );
  await started;
  child.kill("SIGTERM");
  assert.equal(await child.wait(), 9);
});

test("a command leaves what it did not use of a shared file", async () => {
  assert.equal(
    await output("printf '1\\n2\\n3\\n' >/tmp/lines; { head -n 1; head -n 1; } </tmp/lines"),
    "1\n2\n",
  );
});

test("a pipe carries megabytes whole, and a reader that leaves ends its writer", async () => {
  assert.equal(await output("head -c 30000000 /dev/zero | cat | wc -c"), "30000000\n");
  assert.equal(await output("yes | head -n 1"), "y\n");
});

test(
  "a fork bomb ends in EAGAIN, other VMs answer, and dispose ends it",
  { timeout: 60_000 },
  async () => {
    const victim = await NodeRuntime.create();
    let failed;
    const full = new Promise((resolve) => (failed = resolve));
    const bomb = await victim.spawnCommand(
      "sh",
      ["-c", "i=0; while [ $i -lt 300 ]; do sleep 1000 & i=$((i+1)); done; wait"],
      { onStderr: (data) => failed(Buffer.from(data).toString()) },
    );
    const ended = bomb.wait().catch((error) => error);
    assert.match(await full, /./);
    assert.equal(await output("echo alive"), "alive\n");
    await victim.dispose();
    await ended;
    assert.equal(await output("echo alive"), "alive\n");
  },
);
