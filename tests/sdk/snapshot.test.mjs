/** rt.snapshot() and create({ snapshot }): the same files elsewhere, and nothing half made. */
import assert from "node:assert/strict";
import { createWriteStream, mkdtempSync, readFileSync, rmSync } from "node:fs";
import os from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { after, test } from "node:test";
import { NodeRuntime, SidecarProcess } from "../../dist/index.js";

const base = mkdtempSync(join(os.tmpdir(), "secure-exec-snapshot-"));
after(() => rmSync(base, { recursive: true, force: true }));
const text = (bytes) => Buffer.from(bytes).toString();

async function bytesOf(stream) {
  const parts = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts);
}

const files = `
  import { createHash } from "node:crypto";
  import fs from "node:fs";
  const lines = [];
  const visit = (path) => {
    if (path === "/proc") return;
    const { mode, uid, gid, size, nlink, mtimeMs, ctimeMs, birthtimeMs } = fs.lstatSync(path || "/");
    const kind = mode & 0o170000;
    const content = kind === 0o100000 ? createHash("sha1").update(fs.readFileSync(path)).digest("hex") : kind === 0o120000 ? fs.readlinkSync(path) : "";
    lines.push([path, mode, uid, gid, size, nlink, mtimeMs, ctimeMs, birthtimeMs, content].join(" "));
    if (kind !== 0o040000) return;
    for (const name of fs.readdirSync(path || "/").sort()) visit(path + "/" + name);
  };
  visit("");
  __return(lines.join("\\n"));`;

test("a machine made from a snapshot is the same, on another kernel, from bytes, a file and a stream", async () => {
  const rt = await NodeRuntime.create({
    env: { COLOUR: "green" },
    cwd: "/workspace",
    files: { "/workspace/a.txt": "first", "/workspace/large": new Uint8Array(3 * 2 ** 20).fill(7) },
    tools: { double: { handler: ({ of }) => of * 2 } },
  });
  const made = await rt.exec(`
    import fs from "node:fs";
    fs.mkdirSync("sub/deeper", { recursive: true });
    fs.symlinkSync("../a.txt", "sub/link");
    fs.linkSync("a.txt", "sub/hard");
    fs.writeFileSync("sub/deeper/mode", "x", { mode: 0o604 });
    fs.utimesSync("sub/deeper/mode", 1, 2.5);
    fs.unlinkSync("/etc/passwd") ;`);
  assert.match(made.stderr, /EACCES/);
  await rt.rm("/etc/shells");
  const bytes = await bytesOf(await rt.snapshot());
  const sidecar = new SidecarProcess();
  const path = join(base, "snapshot.tar");
  await pipeline(await rt.snapshot(), createWriteStream(path));
  assert.ok(readFileSync(path).equals(bytes));
  const expected = (await rt.run(files)).value;
  for (const snapshot of [new Uint8Array(bytes), path, await rt.snapshot()]) {
    const back = await NodeRuntime.create({ snapshot, sidecar });
    assert.equal((await back.run(files)).value, expected);
    const { value, stderr } = await back.run(`
      import fs from "node:fs";
      import { execSync } from "node:child_process";
      __return([process.env.COLOUR, process.cwd(), fs.existsSync("/etc/shells"),
        execSync("cat a.txt | tr a-z A-Z", { encoding: "utf8" }), fs.readFileSync("/proc/self/comm", "utf8")]);`);
    assert.deepEqual(value, ["green", "/workspace", false, "FIRST", "node\n"], stderr);
    await back.dispose();
  }
  const changed = await NodeRuntime.create({
    snapshot: bytes,
    env: { COLOUR: "red" },
    files: { "/workspace/a.txt": "second" },
  });
  assert.equal((await changed.run("__return(process.env.COLOUR)")).value, "red");
  assert.equal(text(await changed.readFile("/workspace/sub/hard")), "second");
  const clone = await changed.clone();
  assert.equal(text(await clone.readFile("/workspace/a.txt")), "second");
  for (const one of [rt, changed, clone]) await one.dispose();
  await sidecar.dispose();
});

test("limits and permissions of a snapshot count only when it is trusted; a function's are denied", async () => {
  const rt = await NodeRuntime.create({
    limits: { processes: 7 },
    permissions: {
      fs: { default: "allow", rules: [{ mode: "deny", paths: ["/workspace/secret/**"] }] },
      env: () => true,
      childProcess: "deny",
    },
    env: { COLOUR: "green" },
    files: { "/workspace/secret/a": "secret" },
  });
  const snapshot = await bytesOf(await rt.snapshot());
  await rt.dispose();
  const probe = `
    import fs from "node:fs";
    import { execSync } from "node:child_process";
    const works = (call) => { try { call(); return true; } catch { return false; } };
    __return([works(() => fs.readFileSync("/workspace/secret/a")), works(() => execSync("true")), process.env.COLOUR ?? null]);`;
  const plain = await NodeRuntime.create({ snapshot });
  assert.deepEqual((await plain.run(probe)).value, [true, true, "green"]);
  const trusted = await NodeRuntime.create({ snapshot, trustSnapshot: true });
  assert.deepEqual((await trusted.run(probe)).value, [false, false, null]);
  const over = await NodeRuntime.create({
    snapshot,
    trustSnapshot: true,
    permissions: { fs: "allow" },
  });
  assert.deepEqual((await over.run(probe)).value, [true, false, null]);
  for (const one of [plain, trusted, over]) await one.dispose();
});

test("damaged snapshots are refused by code, and nothing of them is left", async () => {
  const sidecar = new SidecarProcess();
  const rt = await NodeRuntime.create({ sidecar, files: { "/workspace/a": "x".repeat(3e6) } });
  const good = await bytesOf(await rt.snapshot());
  const flipped = Buffer.from(good);
  flipped[good.length - 2048 - 700] ^= 0xff;
  const manifest = (change) => {
    const length = parseInt(good.toString("latin1", 124, 135), 8);
    const json = Buffer.from(
      JSON.stringify(change(JSON.parse(good.toString("utf8", 512, 512 + length)))),
    );
    assert.ok(json.length <= length);
    const changed = Buffer.from(good);
    changed.fill(" ", 512, 512 + length);
    json.copy(changed, 512);
    return changed;
  };
  const cases = {
    "no bytes": new Uint8Array(0),
    "not a tar file": Buffer.from("hello ".repeat(1000)),
    "cut off": good.subarray(0, good.length / 2),
    "cut off before its end": good.subarray(0, good.length - 1024),
    "another format": manifest((all) => ({ ...all, format: 9 })),
    "no manifest of ours": manifest(() => ({ format: 1 })),
    "settings that do not fit": manifest((all) => ({ ...all, cwd: "x" })),
  };
  for (const [what, snapshot] of Object.entries(cases)) {
    await assert.rejects(
      NodeRuntime.create({ sidecar, snapshot }),
      { code: "ERR_SECURE_EXEC_SNAPSHOT_INVALID" },
      what,
    );
  }
  await assert.rejects(
    NodeRuntime.create({ sidecar, snapshot: good, limits: { fileSystemBytes: 1e6 } }),
    { code: "ERR_SECURE_EXEC_SNAPSHOT_INVALID", message: /ENOSPC/ },
  );
  await assert.rejects(NodeRuntime.create({ snapshot: join(base, "none") }), { code: "ENOENT" });
  const failing = (async function* () {
    yield good.subarray(0, 2e6);
    throw new Error("the source failed");
  })();
  await assert.rejects(NodeRuntime.create({ sidecar, snapshot: failing }), /the source failed/);
  for (const snapshot of [1, {}, [], true])
    await assert.rejects(NodeRuntime.create({ snapshot }), {
      code: "ERR_SECURE_EXEC_INVALID_OPTION",
      details: { option: "snapshot" },
    });
  const back = await NodeRuntime.create({ sidecar, snapshot: good });
  assert.equal((await back.readFile("/workspace/a")).byteLength, 3e6);
  await back.dispose();
  await rt.dispose();
  await sidecar.dispose();
});

test("a snapshot that is not read to its end is let go, and one of a disposed machine fails", async () => {
  const rt = await NodeRuntime.create({ files: { "/workspace/a": new Uint8Array(8e6) } });
  for await (const part of await rt.snapshot()) {
    assert.ok(part.length > 0);
    break;
  }
  const late = await rt.snapshot();
  await rt.exec(`import fs from "node:fs"; fs.mkdirSync("/workspace/" + "d/".repeat(2000), { recursive: true });
    process.chdir("/workspace/" + "d/".repeat(2000)); fs.mkdirSync("e/".repeat(500), { recursive: true });`);
  await assert.rejects(bytesOf(await rt.snapshot()), {
    code: "ERR_SECURE_EXEC_FILE",
    message: /ENAMETOOLONG/,
  });
  await rt.dispose();
  await assert.rejects(bytesOf(late), { code: "ERR_SECURE_EXEC_DISPOSED" });
});
