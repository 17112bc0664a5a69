// Sessions: command lines with streams, kills of whole groups, files, ports, ends.
import assert from "node:assert/strict";
import http from "node:http";
import { test } from "node:test";
import { globTest } from "../../dist/ports/core/glob.js";
import { SessionRegistry } from "../../dist/ports/core/session-registry.js";
import { Session, linesOf } from "../../dist/ports/core/session.js";

const it = (name, body) => test(name, { timeout: 120_000 }, body);

async function session(t, options) {
  const made = await Session.create(options);
  t.after(() => made.dispose());
  return made;
}
const textOf = async (stream) => Buffer.concat(await Array.fromAsync(stream)).toString();
/** Array.fromAsync is younger than Node 20. */
Array.fromAsync ??= async (items) => {
  const all = [];
  for await (const item of items) all.push(item);
  return all;
};
/** Names of the programs that run in a machine, as `ps` of a fresh process sees them. */
async function running(made, name) {
  const { stdout } = await made.exec(`pgrep -x ${name} | wc -l`);
  return Number(stdout);
}

it("exec: streams, exit codes, cwd, env, stdin, and both streams in order", async (t) => {
  const made = await session(t, { cwd: "/work", env: { A: "1" } });
  const chunks = [];
  const first = await made.exec("pwd; echo $A$B >&2; cat", {
    env: { B: "2" },
    stdin: "in",
    onStdout: (chunk) => chunks.push(chunk),
  });
  assert.deepEqual(
    [first.stdout, first.stderr, first.exitCode, first.timedOut, first.truncated],
    ["/work\nin", "12\n", 0, false, false],
  );
  assert.equal(Buffer.concat(chunks).toString(), "/work\nin");
  const order = await made.exec("echo one; sleep 0.3; echo two >&2; sleep 0.3; echo three");
  assert.equal(order.output, "one\ntwo\nthree\n");
  await made.exec("mkdir -p sub");
  assert.equal((await made.exec("pwd; exit 7", { cwd: "sub" })).stdout, "/work/sub\n");
  assert.equal((await made.exec("exit 7")).exitCode, 7);
  assert.equal((await made.exec("no-such-command")).exitCode, 127);
  const cut = await made.exec("yes | head -c 100000", { outputBytes: 1000 });
  assert.deepEqual([cut.stdout.length, cut.truncated, cut.exitCode], [1000, true, 0]);
});

it("a command over its time, or aborted, is killed with what it started", async (t) => {
  const made = await session(t);
  const idle = await made.spawn("sleep 60 & wait");
  while ((await running(made, "sleep")) === 0);
  idle.kill();
  await idle.wait();
  const late = await made.exec("echo begun; sleep 60; echo never", { timeoutMs: 1500 });
  assert.deepEqual([late.stdout, late.exitCode, late.timedOut], ["begun\n", 137, true]);
  assert.equal(await running(made, "sleep"), 0);

  const controller = new AbortController();
  const reason = new Error("enough");
  const aborted = made.exec("(sleep 60 & echo up; wait); echo never", {
    signal: controller.signal,
    onStdout: () => controller.abort(reason),
  });
  await assert.rejects(aborted, reason);
  assert.equal(await running(made, "sleep"), 0);
  await assert.rejects(made.exec("true", { signal: controller.signal }), reason);
});

it("spawn: a live process with stdin and streams that are read or not", async (t) => {
  const made = await session(t);
  const cat = await made.spawn("cat; echo end >&2; exit 3");
  assert.ok(cat.pid > 0);
  assert.equal(cat.exitCode, null);
  cat.writeStdin("a");
  cat.writeStdin(new Uint8Array([98]));
  cat.closeStdin();
  const [out, err, code] = await Promise.all([textOf(cat.stdout), textOf(cat.stderr), cat.wait()]);
  assert.deepEqual([out, err, code, cat.exitCode], ["ab", "end\n", 3, 3]);

  // 4 MB to a reader that is slower, and to nobody.
  const much = "head -c 4000000 /dev/zero";
  const read = await made.spawn(much);
  let bytes = 0;
  for await (const chunk of read.stdout) {
    bytes += chunk.byteLength;
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal(bytes, 4_000_000);
  assert.equal(await read.wait(), 0);
  const unread = await made.spawn(`${much}; exit 5`);
  assert.equal(await unread.wait(), 5);
  const cancelled = await made.spawn(`${much}; exit 6`);
  await cancelled.stdout.cancel();
  assert.equal(await cancelled.wait(), 6);

  const killed = await made.spawn("sleep 60");
  killed.kill("SIGTERM");
  assert.equal(await killed.wait(), 143);
});

it("files: missing ones are undefined, paths start at cwd", async (t) => {
  const made = await session(t, { cwd: "/work" });
  await made.writeFile("a/b.txt", "text");
  assert.equal(Buffer.from(await made.readFile("/work/a/b.txt")).toString(), "text");
  assert.equal(await made.readFile("none"), undefined);
  assert.equal(await made.readFile("a/b.txt/below"), undefined);
  await assert.rejects(made.readFile("a"), (error) => error.details.errno === "EISDIR");
  assert.equal((await made.stat("a")).type, "directory");
  assert.equal(await made.stat("none"), undefined);
  assert.deepEqual(await made.list("a"), [{ name: "b.txt", type: "file" }]);
  await made.mkdir("c");
  await made.rename("a/b.txt", "c/d.txt");
  const walked = [];
  for await (const { path } of made.walk(".")) walked.push(path);
  assert.deepEqual(walked, ["/work/a", "/work/c", "/work/c/d.txt"]);
  assert.equal(await made.remove("c"), true);
  assert.equal(await made.remove("c"), false);
});

it("ports: the host reaches those that were named", async (t) => {
  const probe = http.createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => probe.once("listening", resolve));
  const { port } = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  const made = await session(t, { ports: [port] });
  const server = await made.spawn(
    `node -e 'require("http").createServer((q, r) => r.end("from inside")).listen(${port})'`,
  );
  await made.runtime.waitForListener({ port });
  const response = await fetch(made.portUrl(port));
  assert.equal(await response.text(), "from inside");
  assert.throws(() => made.portUrl(1), RangeError);
  server.kill();
});

it("a registry knows who lives", async () => {
  const registry = new SessionRegistry();
  const one = await registry.create({ id: "one" });
  await assert.rejects(registry.create({ id: "one" }), /there is a session "one" already/);
  assert.equal(registry.find("one"), one);
  assert.deepEqual(registry.list(), [one]);
  assert.equal(await registry.destroy("one"), true);
  assert.equal(registry.find("one"), undefined);
  assert.equal(await registry.destroy("one"), false);
  assert.equal(one.running, false);
});

it("lines and globs", () => {
  assert.equal(linesOf("a\nb\nc\n", 2, 3), "b\nc");
  assert.equal(linesOf("a\r\nb\r\nc", 2), "b\r\nc");
  assert.equal(linesOf("a\nb"), "a\nb");
  for (const [pattern, path, matches] of [
    ["*.ts", "a.ts", true],
    ["*.ts", "b/a.ts", false],
    ["**/*.ts", "a.ts", true],
    ["**/*.ts", "b/c/a.ts", true],
    ["b/**", "b/c/a.ts", true],
    ["file[1-2].txt", "file2.txt", true],
    ["file[!1-2].txt", "file2.txt", false],
    ["file?.txt", "file10.txt", false],
    ["a+(b).txt", "a+(b).txt", true],
    ["[z-a]", "z", false],
    [".*", ".hidden", true],
  ])
    assert.equal(globTest(pattern)(path), matches, `${pattern} ${path}`);
  assert.throws(() => globTest("*".repeat(2000)), RangeError);
});
