// Output of spawned programs as streams: whole, in order, bounded, and honest about what is missing.
import assert from "node:assert/strict";
import { test } from "node:test";
import { SidecarProcess } from "../../dist/index.js";
import { HeldOutput, NodeRuntimeOutput } from "../../dist/sdk/output.js";
import { machine } from "../support/machines.mjs";
import { children } from "../support/processes.mjs";

const it = (name, body) => test(name, { timeout: 60_000 }, body);
const coded = (name) => ({ code: `ERR_SECURE_EXEC_${name}` });

async function collect(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}

it("chunks of stdout and stderr, whole and apart", async () => {
  const rt = await machine();
  const proc = await rt.spawn("process.stdout.write('out'); process.stderr.write('err');");
  const [out, err] = await Promise.all([collect(proc.stdout), collect(proc.stderr)]);
  assert.ok(out.every((chunk) => chunk instanceof Uint8Array));
  assert.equal(Buffer.concat(out).toString(), "out");
  assert.equal(Buffer.concat(err).toString(), "err");
  assert.equal(await proc.wait(), 0);
});

it("lines come while the program runs, without their ends, characters whole", async () => {
  const rt = await machine();
  const proc = await rt.spawn(`
    const bytes = Buffer.from("one\\r\\ntwö\\n\\nlast");
    for (const byte of bytes) { process.stdout.write(Buffer.of(byte)); await new Promise(setImmediate); }
    await new Promise((resolve) => process.stdin.once("data", resolve));
    process.stdout.write(" of all");
    process.exit();`);
  const lines = proc.lines();
  const first = [await lines.next(), await lines.next(), await lines.next()];
  assert.deepEqual(
    first.map(({ value }) => value),
    ["one", "twö", ""],
  );
  assert.equal(proc.exitCode, null);
  proc.writeStdin("go on");
  assert.deepEqual(await lines.next(), { value: "last of all", done: false });
  assert.deepEqual(await lines.next(), { value: undefined, done: true });
  assert.throws(() => proc.lines("stdin"), coded("INVALID_OPTION"));
});

it("text and bytes take all that is left", async () => {
  const rt = await machine();
  const proc = await rt.spawnCommand("sh", ["-c", "printf ab; printf cd >&2"]);
  assert.equal(await proc.stdout.text(), "ab");
  assert.deepEqual(await proc.stderr.bytes(), new Uint8Array([99, 100]));
});

it("a reader that is slow holds the program back, and gets every byte", async () => {
  const rt = await machine();
  const proc = await rt.spawn(`
    let written = 0;
    const chunk = "x".repeat(65536);
    for (let i = 0; i < 128; i++) {
      written += chunk.length;
      if (!process.stdout.write(chunk)) await new Promise((resolve) => process.stdout.once("drain", resolve));
      require("fs").writeFileSync("/tmp/written", String(written));
    }`);
  const reader = proc.stdout[Symbol.asyncIterator]();
  let bytes = (await reader.next()).value.byteLength;
  // It stands still some way below its 8 MiB: two looks that see the same.
  let before;
  let now = await rt.fs.readFile("/tmp/written", "utf8").catch(() => "0");
  while (before !== now || now === "0") {
    before = now;
    for (let i = 0; i < 20; i++) await rt.stat("/tmp");
    await rt.exec("");
    now = await rt.fs.readFile("/tmp/written", "utf8").catch(() => "0");
  }
  assert.ok(Number(now) < 6 * 1024 * 1024, now);
  for await (const chunk of reader) bytes += chunk.byteLength;
  assert.equal(bytes, 128 * 65536);
  assert.equal(await proc.wait(), 0);
});

it("output that nobody reads holds nobody up, and reading it late says what is missing", async () => {
  const rt = await machine();
  const noisy = `for (let i = 0; i < 64; i++) process.stdout.write("y".repeat(65536));`;
  const proc = await rt.spawn(noisy);
  assert.equal(await proc.wait(), 0);
  await assert.rejects(collect(proc.stdout), (error) => {
    assert.equal(error.code, "ERR_SECURE_EXEC_OUTPUT_DROPPED");
    assert.match(error.message, /^\d+ bytes of output came after the first 1048576/);
    return true;
  });
  const few = await rt.spawn("console.log(1)");
  await few.wait();
  assert.equal(await few.stdout.text(), "1\n");
});

it("many lines cost few requests, all of them come, and none is lost to an endless loop or a sudden end", async () => {
  const rt = await machine({ limits: { systemCallsPerSecond: 5000 } });
  const lines = 30_000;
  const wanted = Array.from({ length: lines }, (_, at) => `line ${at}\n`).join("");
  const print = `for (let i = 0; i < ${lines}; i++) console.log("line " + i);`;
  const ended = await rt.exec(`${print} process.kill(process.pid, "SIGKILL");`);
  assert.equal(ended.stdout, wanted);
  const heard = ["", ""];
  let looping;
  const spoken = new Promise((resolve) => (looping = resolve));
  const loop = await rt.spawn(`${print} console.error("last words"); for (;;);`, {
    onStdout: (chunk) => void (heard[0] += Buffer.from(chunk).toString()),
    onStderr: (chunk) => {
      heard[1] += Buffer.from(chunk).toString();
      looping();
    },
  });
  await spoken;
  loop.kill("SIGKILL");
  await loop.wait();
  assert.deepEqual(heard, [wanted, "last words\n"]);
  // Between them, somebody else's: the order is the order of the writes.
  const mixed = await rt.exec(`
    import { execFileSync } from "node:child_process"; import fs from "node:fs";
    for (let i = 0; i < 20; i++) { console.log("mine " + i); fs.writeSync(1, "sync " + i + "\\n"); if (i % 5 === 0) execFileSync("echo", ["child " + i], { stdio: "inherit" }); }`);
  assert.equal(
    mixed.stdout,
    Array.from(
      { length: 20 },
      (_, i) => `mine ${i}\nsync ${i}\n${i % 5 === 0 ? `child ${i}\n` : ""}`,
    ).join(""),
  );
});

it("a stream that a hook takes cannot be read beside it", async () => {
  const rt = await machine();
  let seen = "";
  const proc = await rt.spawn("console.log(1); console.error(2)", {
    onStdout: (chunk) => void (seen += Buffer.from(chunk).toString()),
  });
  assert.throws(() => proc.stdout, { ...coded("INVALID_OPTION"), message: /^onStdout takes all/ });
  assert.equal(await proc.stderr.text(), "2\n");
  await proc.wait();
  assert.equal(seen, "1\n");
});

it("a stream ends with its machine, and with an error where its program was lost", async () => {
  const forever = "console.log('begun'); setInterval(() => {}, 1000)";
  const rt = await machine();
  const proc = await rt.spawn(forever);
  const lines = proc.lines();
  assert.equal((await lines.next()).value, "begun");
  await rt.dispose();
  assert.deepEqual(await lines.next(), { value: undefined, done: true });
  assert.equal(await proc.wait(), 137);

  const before = new Set(children(process.pid));
  const sidecar = SidecarProcess.spawn();
  const other = await machine({ sidecar });
  const [kernel] = children(process.pid).filter((pid) => !before.has(pid));
  const lost = await other.spawn(forever);
  const failed = new Promise((resolve) => lost.on("error", resolve));
  const told = new Promise((resolve) => other.on("lost", resolve));
  const rest = lost.lines();
  assert.equal((await rest.next()).value, "begun");
  process.kill(kernel, "SIGKILL");
  await assert.rejects(rest.next(), coded("KERNEL_LOST"));
  assert.equal((await failed).code, "ERR_SECURE_EXEC_KERNEL_LOST");
  assert.equal((await told).code, "ERR_SECURE_EXEC_KERNEL_LOST");
  await sidecar.dispose();
});

it("a disposed process is gone with its group", async () => {
  const rt = await machine();
  const proc = await rt.spawnCommand("sh", ["-c", "sleep 1000 & echo up; wait"]);
  assert.equal((await proc.lines().next()).value, "up");
  await proc[Symbol.asyncDispose]();
  assert.equal(proc.exitCode, 137);
  assert.equal(proc.end.signal, "SIGKILL");
  await proc[Symbol.asyncDispose]();
  const shell = await rt.openShell();
  await shell[Symbol.asyncDispose]();
  assert.equal(shell.exitCode, 137);
});

it("events: a program's exit, on its handle and on the runtime", async () => {
  const rt = await machine();
  const seen = [];
  rt.on("processStart", ({ command, args }) => seen.push(["start", command, ...args]));
  rt.on("processEnd", ({ exitCode, end }) => seen.push(["end", exitCode, end.reason]));
  const proc = await rt.spawnCommand("sh", ["-c", "exit 3"]);
  const exit = new Promise((resolve) => proc.once("exit", (...args) => resolve(args)));
  assert.deepEqual(await exit, [3, { reason: "exit" }]);
  await rt.exec("1");
  await new Promise(setImmediate);
  assert.deepEqual(seen, [
    ["start", "sh", "-c", "exit 3"],
    ["end", 3, "exit"],
    ["start", "node"],
    ["end", 0, "exit"],
  ]);
  assert.throws(() => rt.on("exit", () => {}), coded("INVALID_OPTION"));
  assert.throws(() => proc.on("exit", 1), coded("INVALID_OPTION"));
});

it("events: decisions and warnings come once somebody listens, listeners as they open", async () => {
  const rt = await machine({
    permissions: { fs: { default: "deny", rules: [{ mode: "allow", paths: ["/tmp/**"] }] } },
    limits: { openFiles: 64 },
  });
  const decisions = [];
  const warnings = [];
  const first = new Promise((resolve) =>
    rt.on("decision", (decision) => {
      decisions.push(decision);
      if (decision.resource === "/etc/passwd") resolve();
    }),
  );
  const warned = new Promise((resolve) =>
    rt.on("limitWarning", (warning) => {
      warnings.push(warning.limit);
      resolve();
    }),
  );
  const denied = await rt.exec(`
    const fs = require("fs");
    try { fs.readFileSync("/etc/passwd"); } catch (error) { console.log(error.code); }
    const held = Array.from({ length: 58 }, (_, i) => fs.openSync("/tmp/f" + i, "w"));
    await new Promise((resolve) => setTimeout(resolve, 400));`);
  assert.equal(denied.stdout, "EACCES\n");
  await Promise.all([first, warned]);
  assert.ok(decisions.some(({ decision }) => decision === "deny"));
  assert.deepEqual([...new Set(warnings)], ["openFiles"]);

  const open = await machine();
  const listened = new Promise((resolve) => open.once("listen", resolve));
  const unlistened = new Promise((resolve) => open.once("unlisten", resolve));
  const server = await open.spawn("require('http').createServer().listen(8123)");
  assert.equal((await listened).port, 8123);
  server.kill();
  assert.equal((await unlistened).port, 8123);
  let gone = false;
  open.on("dispose", () => (gone = true));
  const forgotten = () => assert.fail("was taken off");
  open.on("dispose", forgotten).off("dispose", forgotten);
  await open.dispose();
  await new Promise(setImmediate);
  assert.equal(gone, true);
});

it("a long line in single bytes, kept for a slow reader, costs no more than its bytes", async () => {
  const held = new HeldOutput(true);
  const count = 500_000;
  held.push(Buffer.from("first\n"));
  for (let i = 0; i < count; i++) held.push(Buffer.from("x"));
  held.push(Buffer.from("\nlast"));
  held.end();
  const before = process.cpuUsage();
  const lines = [];
  for await (const line of new NodeRuntimeOutput(held).lines()) lines.push(line.length);
  assert.deepEqual(lines, [5, count, 4]);
  const { user, system } = process.cpuUsage(before);
  assert.ok((user + system) / 1000 < 500, `${(user + system) / 1000} ms`);
});

it("the same bytes one after the other, as they come, make a line in linear time", async () => {
  const held = new HeldOutput(true);
  const lines = new NodeRuntimeOutput(held).lines();
  const before = process.cpuUsage();
  const line = lines.next();
  for (let i = 0; i < 200_000; i++) {
    held.push(Buffer.from("x"));
    if (i % 2 === 0) await undefined;
  }
  held.end();
  assert.equal((await line).value.length, 200_000);
  const { user, system } = process.cpuUsage(before);
  assert.ok((user + system) / 1000 < 1000, `${(user + system) / 1000} ms`);
});

it("lines that are there already let others have their turns", async () => {
  const held = new HeldOutput(true);
  held.push(Buffer.from("\n".repeat(300_000)));
  held.end();
  let turns = 0;
  const count = () => (turns++, (again = setImmediate(count)));
  let again = setImmediate(count);
  let lines = 0;
  for await (const line of new NodeRuntimeOutput(held).lines()) lines += line === "" ? 1 : 0;
  clearImmediate(again);
  assert.equal(lines, 300_000);
  assert.ok(turns > 10, `${turns} turns of the event loop`);
});
