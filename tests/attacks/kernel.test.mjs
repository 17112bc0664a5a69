// Code of an attacker's in the kernel process itself: a copy of the build whose kernel runs it once it
// is locked down. It finds no other program, no other process and nothing of Linux to change; the same
// code in an ordinary process of the engine finds all of it.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { runPlain } from "../sandbox/engine.mjs";
import { copyBuild } from "../support/natives.mjs";

const timeout = 90_000;
const scratch = mkdtempSync(join(tmpdir(), "kernel-attack-"));
for (const name of ["a", "b"]) mkdirSync(join(scratch, name));
const probe = new URL("kernel-probe.mjs", import.meta.url).href;
const EPERM = -1;

let victim;
let runtime;
let found;
before(async () => {
  victim = spawn(process.execPath, ["-e", "console.log(1); setInterval(() => {}, 1e6)"], {
    env: { SECRET: "of the host's" },
  });
  await once(victim.stdout, "data");
  const build = copyBuild();
  const out = join(scratch, "found.json");
  appendFileSync(
    join(build, "dist/kernel/boot.cjs"),
    `
    (async () => {
      const probe = await import(${JSON.stringify(probe)});
      const libc = await import("../sandbox/libc.js");
      const { KERNEL } = await import("../sandbox/kernel-policy.js");
      const rows = probe.everyRow(libc, KERNEL.rules);
      const tried = await probe.attack(libc, ${JSON.stringify({ victim: victim.pid, scratch })});
      const { renameSync, writeFileSync } = require("node:fs");
      writeFileSync(${JSON.stringify(`${out}.new`)}, JSON.stringify({ rows, tried }));
      renameSync(${JSON.stringify(`${out}.new`)}, ${JSON.stringify(out)});
    })();
    `,
  );
  const { NodeRuntime } = await import(pathToFileURL(join(build, "dist/index.js")).href);
  runtime = await NodeRuntime.create().catch((error) => {
    throw new Error(error.message + error.details?.stderr);
  });
  // It serves meanwhile.
  do assert.equal((await runtime.run("__return(6 * 7)")).value, 42);
  while (!existsSync(out));
  found = JSON.parse(readFileSync(out, "utf8"));
});
after(async () => {
  await runtime?.dispose();
  victim.kill("SIGKILL");
  rmSync(scratch, { recursive: true, force: true });
});

test("every refused row of the table is refused", { timeout }, () => {
  assert.ok(Object.keys(found.rows).length > 60);
  for (const [name, [answer, promised]] of Object.entries(found.rows))
    assert.equal(answer, promised, name);
});

test("no program, no other process, nothing of Linux", { timeout }, async () => {
  const { shell, itself, later, traced, namespaces, packets, raw, device } = found.tried;
  assert.deepEqual(
    { shell, itself, later, traced, namespaces, packets, raw, device },
    {
      shell: "EPERM",
      itself: "EPERM",
      later: "EPERM",
      traced: EPERM,
      namespaces: EPERM,
      packets: EPERM,
      raw: EPERM,
      device: EPERM,
    },
  );
  const layer = (await runtime.isolation()).find((one) => one.layer === "kernelLandlock");
  if (!layer.active) return;
  const { environ, memory, signal } = found.tried;
  assert.deepEqual({ environ, memory }, { environ: "EACCES", memory: "EACCES" });
  if (layer.why.includes("signals")) assert.equal(signal, EPERM);
});

test("what mounts and egress need is left", { timeout }, () => {
  const { udp, renamed, zero } = found.tried;
  assert.deepEqual({ udp, renamed, zero }, { udp: "bound", renamed: "1", zero: 4 });
});

test("the same code in an ordinary process gets through", { timeout }, async () => {
  const plain = await runPlain("kernel-attack.mjs", [probe, String(victim.pid), scratch], timeout);
  assert.deepEqual(
    [plain.shell, plain.itself, plain.later, plain.environ, plain.memory, plain.signal],
    ["out\n", "1\n", 0, true, true, 0],
  );
  if (process.geteuid() !== 0) return;
  assert.equal(plain.namespaces, 0);
  assert.ok(plain.packets > 0 && plain.raw > 0, JSON.stringify(plain));
});
