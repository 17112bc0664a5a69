// Mastra: code mode's transport, a workspace's sandbox with its processes, its file system.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  SecureExecCodeModeTransport,
  SecureExecFilesystem,
  SecureExecSandbox,
} from "secure-exec/mastra";
import { OutputTail } from "../../dist/ports/core/output-tail.js";

const it = (name, body) => test(name, { timeout: 120_000 }, body);

function sandboxOf(t, options) {
  const sandbox = new SecureExecSandbox(options);
  t.after(() => sandbox.destroy());
  return sandbox;
}
const named = (name) => (error) => error.name === name;

it("code mode: a program calls its tools, and nothing else", async () => {
  const calls = [];
  const run = (program, more = {}) =>
    new SecureExecCodeModeTransport().run({
      program,
      toolIds: ["get-weather", "2nd"],
      timeout: 30_000,
      dispatch: async (tool, args) => {
        calls.push([tool, args]);
        if (tool === "2nd") throw new RangeError("not today");
        return { degrees: args.city.length };
      },
      ...more,
    });
  const told = [];
  const good = await run(
    "console.log('asks'); const all = await Promise.all(['Rome', 'Lisbon'].map((city) => external_get_weather({ city }))); return all.map((one) => one.degrees);",
    {
      onExternalCall: (tool) => told.push(tool),
      onExternalResult: (tool) => told.push(`${tool}!`),
    },
  );
  assert.deepEqual(good, { success: true, result: [4, 6], logs: ["asks"] });
  assert.equal(told.sort().join(), "get-weather,get-weather,get-weather!,get-weather!");
  const failed = await run("return external__2nd({})");
  assert.deepEqual(
    [failed.success, failed.error],
    [false, { name: "RangeError", message: "not today" }],
  );
  assert.match((await run("return external_other()")).error.message, /not defined/);
  assert.equal((await run("for (;;) {}", { timeout: 1500 })).error.name, "TimeoutError");
  assert.equal(
    (await run("return 1", { abortSignal: AbortSignal.abort() })).error.name,
    "AbortError",
  );
});

it("sandbox: made when it is needed, and ended", async (t) => {
  const order = [];
  const sandbox = sandboxOf(t, {
    id: "s1",
    env: { A: "1", GONE: undefined },
    onStart: ({ outcome }) => void order.push(outcome),
    onDestroy: () => void order.push("destroyed"),
  });
  assert.deepEqual([sandbox.id, sandbox.status, sandbox.isReady()], ["s1", "pending", false]);
  const result = await sandbox.executeCommand("printf", ["%s|", "it's", "$A"], { env: { B: "2" } });
  assert.deepEqual([result.success, result.stdout, result.command], [true, "it's|$A|", "printf"]);
  assert.deepEqual([sandbox.status, sandbox.getInfo().status], ["running", "running"]);
  assert.deepEqual(await sandbox.start(), { outcome: "connected" });
  sandbox.setEnv((env) => ({ ...env, C: "3" }));
  const failed = await sandbox.executeCommand("echo $A$C; pwd; exit 3");
  assert.deepEqual(
    [failed.success, failed.exitCode, failed.stdout],
    [false, 3, "13\n/workspace\n"],
  );
  const late = await sandbox.executeCommand("sleep", ["60"], { timeout: 1000 });
  assert.deepEqual([late.timedOut, late.killed, late.exitCode], [true, true, 137]);
  await sandbox.writeFiles([{ path: "run.sh", content: "echo ran", mode: 0o755 }]);
  assert.equal((await sandbox.executeCommand("./run.sh")).stdout, "ran\n");
  assert.equal(await sandbox.networking.getPortUrl(80), null);
  assert.notEqual(sandbox.clone().id, sandbox.id);
  await sandbox.destroy();
  assert.equal(sandbox.status, "destroyed");
  assert.deepEqual(order, ["created", "destroyed"]);
  await assert.rejects(sandbox.executeCommand("true"), /has been destroyed/);
});

it("processes: by pid, typed to, killed, and forgotten once their end was seen", async (t) => {
  const { processes } = sandboxOf(t);
  let said;
  const first = new Promise((resolve) => (said = resolve));
  const cat = await processes.spawn("cat; echo over >&2", { onStdout: said });
  assert.equal(cat.exitCode, undefined);
  await cat.sendStdin("typed");
  assert.equal(await first, "typed");
  assert.equal((await processes.get(cat.pid)).stdout, "typed");
  assert.deepEqual(await processes.list(), [
    { pid: cat.pid, command: "cat; echo over >&2", running: true },
  ]);
  await cat.closeStdin();
  const { exitCode, stderr } = await cat.wait();
  assert.deepEqual([exitCode, stderr, await cat.kill()], [0, "over\n", false]);
  await assert.rejects(cat.sendStdin("late"), /has ended/);
  assert.equal((await processes.get(cat.pid)).pid, cat.pid);
  assert.equal(await processes.get(cat.pid), undefined);

  const reads = await processes.spawn("cat", { stdinMode: "ignore" });
  await assert.rejects(reads.sendStdin("x"), /without stdin/);
  assert.equal((await reads.wait()).exitCode, 0);

  const idle = await processes.spawn("sleep 60");
  assert.equal(await processes.kill(idle.pid), true);
  const killed = await idle.wait();
  assert.deepEqual(
    [killed.success, killed.killed, await processes.kill(idle.pid)],
    [false, true, false],
  );
  const controller = new AbortController();
  const aborted = await processes.spawn("echo begun; sleep 60", {
    abortSignal: controller.signal,
    onStdout: () => controller.abort(),
  });
  assert.deepEqual([(await aborted.wait()).success, aborted.stdout], [false, "begun\n"]);
  const early = await processes.spawn("sleep 60", { abortSignal: AbortSignal.abort() });
  assert.equal((await early.wait()).success, false);

  const piped = await processes.spawn("tr a-z A-Z", { maxRetainedBytes: 4 });
  piped.writer.end("streamed");
  const chunks = [];
  for await (const chunk of piped.reader) chunks.push(chunk);
  assert.equal(Buffer.concat(chunks).toString(), "STREAMED");
  const kept = await piped.wait();
  assert.deepEqual([kept.stdout, kept.stdoutTruncated, kept.stdoutDroppedBytes], ["AMED", true, 4]);
});

it("processes: one that the manager has killed is forgotten; a sandbox has the names of the package's class", async (t) => {
  const sandbox = sandboxOf(t, { env: { A: "of the sandbox", B: "kept" } });
  assert.deepEqual(await sandbox._start(), { outcome: "created" });
  const { processes } = sandbox;
  const idle = await processes.spawn("sleep 300");
  assert.equal(await processes.kill(idle.pid), true);
  assert.equal(await processes.get(idle.pid), undefined);
  assert.deepEqual(await processes.list(), []);
  assert.equal(await processes.kill(idle.pid), false);
  const echo = await processes.spawn("echo $A $B", { env: { A: "own" } });
  assert.equal((await echo.wait()).stdout, "own kept\n");
  await sandbox._stop();
  assert.equal(sandbox.status, "stopped");
  await sandbox._destroy();
  assert.equal(sandbox.status, "destroyed");
});

it("file system: below its base, with the package's errors", async (t) => {
  const sandbox = sandboxOf(t);
  const fs = await sandbox.filesystem();
  await fs.init();
  assert.equal(fs.isReady(), true);
  await fs.writeFile("/a/b.txt", "text");
  assert.equal(await fs.readFile("a/b.txt", { encoding: "utf8" }), "text");
  assert.deepEqual(await fs.readFile("/workspace/a/b.txt"), Buffer.from("text"));
  await fs.appendFile("a/b.txt", "+");
  await fs.copyFile("a/b.txt", "a/c.md");
  await fs.moveFile("a/c.md", "d/e.md");
  assert.deepEqual(
    (await fs.readdir("/", { recursive: true })).map(({ name, type }) => `${type} ${name}`).sort(),
    ["directory a", "directory d", "file a/b.txt", "file d/e.md"],
  );
  const markdown = await fs.readdir("/", { recursive: true, extension: ".md" });
  assert.deepEqual(
    markdown.filter(({ type }) => type === "file"),
    [{ name: "d/e.md", type: "file", size: 5 }],
  );
  assert.equal((await fs.readdir("/", { recursive: true, maxDepth: 1 })).length, 2);
  const { name, size, modifiedAt } = await fs.stat("d/e.md");
  assert.deepEqual([name, size], ["e.md", 5]);
  await fs.writeFile("d/e.md", "same", { expectedMtime: modifiedAt });
  await assert.rejects(
    fs.writeFile("d/e.md", "", { expectedMtime: new Date(1) }),
    named("StaleFileError"),
  );
  await assert.rejects(fs.writeFile("d/e.md", "", { overwrite: false }), named("FileExistsError"));
  await assert.rejects(
    fs.writeFile("n/o", "", { recursive: false }),
    named("DirectoryNotFoundError"),
  );
  await assert.rejects(fs.readFile("none"), named("FileNotFoundError"));
  await assert.rejects(fs.readFile("a"), named("IsDirectoryError"));
  await assert.rejects(fs.readdir("a/b.txt"), named("NotDirectoryError"));
  await assert.rejects(fs.rmdir("a"), named("DirectoryNotEmptyError"));
  await assert.rejects(fs.deleteFile("none"), named("FileNotFoundError"));
  await fs.deleteFile("none", { force: true });
  await fs.mkdir("a");
  await assert.rejects(fs.mkdir("a", { recursive: false }), named("FileExistsError"));
  await fs.rmdir("a", { recursive: true });
  assert.equal(await fs.exists("a"), false);
  assert.equal(await fs.exists("../../etc/passwd"), false);
  const session = fs.resolveAbsolutePath("x").startsWith("/workspace/");
  assert.equal(session, true);

  class FileNotFoundError extends Error {}
  const PermissionError = class extends Error {};
  const other = await sandbox.filesystem({
    readOnly: true,
    errors: { FileNotFoundError, PermissionError },
  });
  assert.ok(other instanceof SecureExecFilesystem);
  const whole = await sandbox.filesystem({ basePath: "/" });
  assert.equal(whole.resolveAbsolutePath("/workspace/../x"), "/x");
  assert.equal(await whole.exists("workspace"), true);
  await assert.rejects(other.readFile("none"), FileNotFoundError);
  await assert.rejects(other.writeFile("x", ""), PermissionError);
});

it("the end of an output is kept, whole characters of it", () => {
  const tail = new OutputTail(5);
  for (const part of ["abc", "é", "é", "x"]) tail.add(Buffer.from(part));
  assert.deepEqual([tail.text, tail.droppedBytes], ["ééx", 3]);
  tail.add(Buffer.from("y"));
  assert.deepEqual([tail.text, tail.droppedBytes], ["éxy", 4]);
});
