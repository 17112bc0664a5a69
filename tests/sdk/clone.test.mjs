/** rt.clone(): a second runtime with the same files, and nothing of one seen in the other. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { NodeRuntime, SidecarProcess } from "../../dist/index.js";

const base = mkdtempSync(join(os.tmpdir(), "secure-exec-clone-"));
after(() => rmSync(base, { recursive: true, force: true }));
const text = (bytes) => Buffer.from(bytes).toString();

test("a clone has the files, environment, mounts and tools, and no processes", async () => {
  writeFileSync(join(base, "host.txt"), "of the host");
  const rt = await NodeRuntime.create({
    env: { COLOUR: "green" },
    cwd: "/workspace",
    files: { "/workspace/a.txt": "first" },
    mounts: [{ guestPath: "/data", hostPath: base }],
    tools: {
      double: {
        inputSchema: { type: "object", properties: { of: { type: "number" } } },
        handler: ({ of }) => of * 2,
      },
    },
  });
  await rt.registerTools({ later: { handler: () => "registered" } });
  const resident = await rt.spawn("setInterval(() => {}, 1000)");
  const clone = await rt.clone();
  const { value, stderr } = await clone.run(`
    import fs from "node:fs";
    import { execFileSync } from "node:child_process";
    __return({
      file: fs.readFileSync("a.txt", "utf8"),
      mounted: fs.readFileSync("/data/host.txt", "utf8"),
      colour: process.env.COLOUR,
      cwd: process.cwd(),
      double: await callHostTool("double", { of: 21 }),
      command: execFileSync("double", ["--of", "2"], { encoding: "utf8" }).trim(),

      processes: fs.readdirSync("/proc").filter((name) => Number(name) > 0).length,
    });`);
  assert.deepEqual(
    value,
    {
      file: "first",
      mounted: "of the host",
      colour: "green",
      cwd: "/workspace",
      double: 42,
      command: '{"ok":true,"result":4}',
      processes: value?.processes,
    },
    stderr,
  );
  assert.ok(value.processes <= 3);
  await rt.writeFile("/workspace/a.txt", "changed");
  await clone.writeFile("/workspace/b.txt", "only here");
  assert.equal(text(await clone.readFile("/workspace/a.txt")), "first");
  assert.equal(await rt.exists("/workspace/b.txt"), false);
  resident.kill();
  await rt.dispose();
  assert.equal(text(await clone.readFile("/workspace/a.txt")), "first");
  assert.equal((await clone.run(`__return(await callHostTool("double", { of: 4 }))`)).value, 8);
  await clone.dispose();
});

test("a clone costs no more for many files", async () => {
  const sidecar = new SidecarProcess();
  const rt = await NodeRuntime.create({ sidecar, limits: { inodes: 20_000 } });
  const measure = async () => {
    const times = [];
    for (let round = 0; round < 15; round++) {
      const startedAt = performance.now();
      const clone = await rt.clone();
      times.push(performance.now() - startedAt);
      await clone.dispose();
    }
    return times.sort((a, b) => a - b)[3];
  };
  const few = await measure();
  await rt.exec(`
    import fs from "node:fs";
    for (let at = 0; at < 10_000; at++) {
      if (at % 100 === 0) fs.mkdirSync("/workspace/" + at);
      fs.writeFileSync("/workspace/" + (at - (at % 100)) + "/" + at, "content");
    }`);
  const many = await measure();
  assert.ok(many < few * 5 + 2, `${many} ms with 10,000 files, ${few} ms without`);
  await rt.dispose();
  await sidecar.dispose();
});

test("clones of clones, and the end of a runtime", async () => {
  const rt = await NodeRuntime.create({ files: { "/workspace/a": "1" } });
  const second = await rt.clone();
  const third = await second.clone();
  await Promise.all([rt, second].map((one) => one.writeFile("/workspace/a", "2")));
  assert.equal(text(await third.readFile("/workspace/a")), "1");
  await rt.dispose();
  await second.dispose();
  assert.equal(text(await third.readFile("/workspace/a")), "1");
  await assert.rejects(rt.clone(), { code: "ERR_SECURE_EXEC_DISPOSED" });
  await third.dispose();
});
