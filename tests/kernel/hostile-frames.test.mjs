// A guest that writes what it likes to its real socket loses itself and nothing else. Programs
// cannot reach that socket from JavaScript, so these run in a copy of the build whose guest-side
// modules have a hook for it.
import assert from "node:assert/strict";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, it } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const copy = mkdtempSync(join(tmpdir(), "hooked-"));
const options = { timeout: 120_000 };
let rt;
let other;

before(async () => {
  cpSync(join(root, "dist"), join(copy, "dist"), { recursive: true });
  cpSync(join(root, "package.json"), join(copy, "package.json"));
  symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
  const bundle = join(copy, "dist/guest.json");
  const modules = JSON.parse(readFileSync(bundle, "utf8"));
  const hook = `;{
    const libc = require("../sandbox/libc.js");
    Object.defineProperty(globalThis, "rawSocket", { value: {
      write: (bytes) => libc.write(3, bytes, 0, bytes.length),
      read: (bytes) => libc.read(3, bytes, 0, bytes.length),
    } });
  }`;
  assert.ok("guest/program" in modules);
  modules["guest/program"] += hook;
  // A command that says that it waits for the next one and leaves a mark, or goes on to speak.
  const next = "guest/programs/next-command";
  const waits = 'channel.event("exit", { code, again: true });';
  assert.ok(modules[next].includes(waits));
  modules[next] = modules[next].replace(
    waits,
    `globalThis.wasCommand = true; ${waits} if (process.env.SPEAKS) channel.event("title", { text: "a" });`,
  );
  writeFileSync(bundle, JSON.stringify(modules));
  const { NodeRuntime } = await import(pathToFileURL(join(copy, "dist/index.js")).href);
  rt = await NodeRuntime.create();
  other = await NodeRuntime.create();
});
after(async () => {
  await rt?.dispose();
  await other?.dispose();
  rmSync(copy, { recursive: true });
});

async function neighboursAnswer() {
  const [same, elsewhere] = await Promise.all([rt.run("__return(1)"), other.run("__return(2)")]);
  assert.deepEqual([same.value, elsewhere.value], [1, 2]);
}

const frame = `
  const frame = (kind, id, number, payload = Buffer.alloc(0), length = 7 + payload.length) => {
    const head = Buffer.alloc(11);
    head.writeUInt32LE(length >>> 0, 0);
    head[4] = kind;
    head.writeUInt32LE(id >>> 0, 5);
    head.writeUInt16LE(number, 9);
    return Buffer.concat([head, payload]);
  };
  const all = (bytes) => { for (let at = 0; at < bytes.length;) {
    const sent = rawSocket.write(bytes.subarray(at));
    if (sent < 0 && sent !== -11) return false;
    if (sent > 0) at += sent;
  } return true; };`;

/** Each is written again and again until the guest is gone or has written a million. */
const malformed = {
  "a length of nothing": "frame(1, 1, 1, undefined, 0)",
  "a length of 4 GiB": "frame(1, 1, 1, undefined, 0xffffffff)",
  "a length just over the limit": "frame(1, 1, 1, undefined, 8 * 1024 * 1024 + 1)",
  "a reply": "frame(2, 1, 1)",
  "a kind that does not exist": "frame(250, 1, 1)",
  "a call that does not exist": "frame(1, 1, 65535)",
  "an event that does not exist": "frame(4, 0, 65535)",
  "ready again": "frame(4, 0, 1)",
  "bytes of a file that were not promised to fit":
    "frame(4, 0, 16, Buffer.from([3, 0, 0, 0, 1, 0, 0, 0, 120]))",
  "random bytes": "crypto.getRandomValues(Buffer.alloc(64))",
  "a call with random arguments":
    "frame(1, i, crypto.getRandomValues(Buffer.alloc(1))[0], crypto.getRandomValues(Buffer.alloc(40)))",
  "an event with random arguments":
    "frame(4, 0, crypto.getRandomValues(Buffer.alloc(1))[0] % 40, crypto.getRandomValues(Buffer.alloc(24)))",
  "a list of 4 billion items": "frame(1, i, i & 255, Buffer.alloc(16, 255))",
};
for (const [name, text] of Object.entries(malformed)) {
  it(name, options, async () => {
    const hostile = rt
      .exec(`${frame} for (let i = 0; i < 1_000_000; i++) if (!all(${text})) break; for (;;);`, {
        timeout: 20_000,
      })
      .catch((error) => error);
    await neighboursAnswer();
    const end = await hostile;
    assert.equal(end.code, "ERR_SECURE_EXEC_PROTOCOL_VIOLATION", JSON.stringify(end).slice(0, 300));
    await neighboursAnswer();
  });
}

it("a program that says that it could be a command is ended like any other", options, async () => {
  const { exitCode, stdout } = await rt.exec(`${frame}
    const { execFileSync } = require("node:child_process");
    console.log(execFileSync("sh", ["-c", "echo first"], { encoding: "utf8" }).trim());
    all(frame(4, 0, 2, Buffer.from([5, 0, 0, 0, 1])));
    for (;;);`);
  assert.deepEqual([exitCode, stdout], [5, "first\n"]);
  const child = `${frame} all(frame(4, 0, 2, Buffer.from([6, 0, 0, 0, 1]))); for (;;);`;
  const parent = await rt.exec(`
    const { spawnSync } = require("node:child_process");
    const code = ${JSON.stringify(child)};
    for (let i = 0; i < 5; i++) {
      const { status } = spawnSync("node", ["-e", code]);
      console.log(status, String(spawnSync("sh", ["-c", "echo ls"]).stdout).trim());
    }`);
  assert.deepEqual([parent.exitCode, parent.stdout], [0, "6 ls\n".repeat(5)]);
  await neighboursAnswer();
});

it("a program is never in the process of a command", options, async () => {
  const { exitCode, stdout } = await rt.exec(`
    const { execSync, spawnSync } = require("node:child_process");
    for (let i = 0; i < 5; i++) {
      execSync("true");
      execSync("echo a | sed s/a/b/");
      for (const script of ["node -p 'typeof wasCommand'", "exec node -p 'typeof wasCommand'", "echo 'typeof wasCommand' | node -p"])
        console.log(String(spawnSync("sh", ["-c", script]).stdout).trim());
    }
    console.log(typeof wasCommand);`);
  assert.equal(exitCode, 0);
  assert.equal(stdout, "undefined\n".repeat(16));
});

it("a command that is kept and speaks is the last of its process", options, async () => {
  const { exitCode, stdout } = await rt.exec(`
    const { spawnSync } = require("node:child_process");
    const env = { ...process.env, SPEAKS: "1" };
    for (let i = 0; i < 10; i++) {
      const { status, signal, stdout } = spawnSync("sh", ["-c", "echo " + i], { env });
      // It may have spoken before the next one is in it, or as that one.
      if (status !== 0 && signal !== "SIGKILL") console.log(i, status, signal, String(stdout));
    }
    for (let i = 0; i < 10; i++) console.log(String(spawnSync("sh", ["-c", "echo " + i]).stdout).trim());`);
  assert.equal(exitCode, 0);
  assert.deepEqual(
    stdout.trim().split("\n"),
    Array.from({ length: 10 }, (_, i) => String(i)),
  );
  await neighboursAnswer();
});

it("a million frames that are well formed and mean nothing", options, async () => {
  // umask(0), over and over, without reading an answer.
  const hostile = rt
    .exec(
      `${frame}
      const many = Buffer.concat(Array.from({ length: 1000 }, (_, i) => frame(1, i, 2, Buffer.alloc(4))));
      for (let i = 0; i < 1000; i++) if (!all(many)) break;
      for (;;);`,
      { timeout: 8000 },
    )
    .catch((error) => error);
  for (let i = 0; i < 5; i++) await neighboursAnswer();
  const end = await hostile;
  assert.ok(end.exitCode === 137 || end.code === "ERR_SECURE_EXEC_PROTOCOL_VIOLATION", end.code);
  await neighboursAnswer();
});

it("half a frame, and then nothing, holds nobody up", options, async () => {
  const hostile = rt.exec(`${frame} all(frame(1, 1, 1, undefined, 1024 * 1024)); for (;;);`, {
    timeout: 1000,
  });
  await neighboursAnswer();
  assert.equal((await hostile).exitCode, 137);
});

it("the hook is not in what is shipped", () => {
  assert.ok(!readFileSync(join(root, "dist/guest.json"), "utf8").includes("rawSocket"));
});
