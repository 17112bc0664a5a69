// A guest has the descriptors it was given and its own event loop's, none of which any other
// process has, and nothing that anybody above left open.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { text } from "node:stream/consumers";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { openDescriptors, tree, until } from "../support/processes.mjs";
import { importWithNatives } from "../support/natives.mjs";
import { engine, runPlain } from "./engine.mjs";

const timeout = 60_000;
/** Descriptors of a process that may not be dumped are shown to root alone. */
const observer = process.geteuid() === 0 ? false : "only root sees a guest's descriptors";

let NodeRuntime;
before(async () => ({ NodeRuntime } = await importWithNatives()));

const kind = (target) => target.replace(/:\[\d+\]$/, "");

/** 8 descriptors, and 5 more for each worker. */
function hasWholeLoops(pid) {
  try {
    return (openDescriptors(pid) - 8) % 5 === 0;
  } catch {
    return false;
  }
}

/** Starts it and waits for its first line. */
async function started(runtime, source) {
  let said = "";
  const guest = await runtime.spawn(source, { onStdout: (chunk) => (said += Buffer.from(chunk)) });
  await until(() => said.includes("\n"));
  return guest;
}

const waits = `console.log("up"); setInterval(() => {}, 1000);`;
const usesEverything = `
import { Worker } from "node:worker_threads";
import { pbkdf2 } from "node:crypto";
import { createServer } from "node:http";
import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
const workers = Array.from({ length: 3 }, () => new Worker("setInterval(() => {}, 1000); require('worker_threads').parentPort.postMessage(1)", { eval: true }));
await Promise.all(workers.map((worker) => new Promise((done) => worker.once("message", done))));
await new Promise((done) => pbkdf2("a", "b", 1, 8, "sha256", done));
await readFile("/etc/passwd");
const server = createServer((_, answer) => answer.end("hello")).listen(0);
await new Promise((done) => server.once("listening", done));
if (await (await fetch("http://127.0.0.1:" + server.address().port)).text() !== "hello") throw 0;
await new Promise((done) => spawn("node", ["-e", "0"]).once("exit", done));
${waits}`;

test(
  "guests of different machines share no open file, with anybody",
  { skip: observer, timeout },
  async () => {
    const runtimes = await Promise.all(
      [1, 2, 3].map(() => NodeRuntime.create({ permissions: { network: "allow" } })),
    );
    after(() => Promise.all(runtimes.map((runtime) => runtime.dispose())));
    await started(runtimes[0], waits);
    await started(runtimes[1], usesEverything);
    await started(runtimes[1], waits);
    const runner = await runtimes[2].createResidentRunner();
    await runner.exec("globalThis.kept = 1;");
    // Blank guests are still being forked: each has its own count once it has let go of the zygote's.
    await until(() => tree().guests.length >= 4 && tree().guests.every(hasWholeLoops));
    const { kernel, zygote, guests } = tree();
    const { shared, refused, descriptors } = await runPlain(
      "same-files.mjs",
      [process.pid, kernel, zygote, ...guests].map(String),
    );
    assert.equal(refused, 0, "kcmp was refused");
    assert.deepEqual(
      shared.filter((pair) => pair.some(({ pid }) => guests.includes(pid))),
      [],
    );
    assert.ok(guests.length >= 4, `${guests.length} guests`);
    for (const pid of guests) {
      const own = descriptors.filter((entry) => entry.pid === pid);
      const four = own.filter(({ fd }) => fd < 4).map(({ target }) => kind(target));
      assert.deepEqual(four, ["/dev/null", "/dev/null", "pipe", "socket"]);
      const rest = own.filter(({ fd }) => fd >= 4).map(({ target }) => kind(target));
      const loops = rest.filter((name) => name === "anon_inode:[eventpoll]").length;
      const loop = ["anon_inode:[eventfd]", "anon_inode:[eventpoll]", "pipe", "pipe"];
      const wanted = Array.from({ length: loops }, () => loop).flat();
      // Each further thread has a socket of its own.
      wanted.push(...Array.from({ length: loops - 1 }, () => "socket"));
      assert.deepEqual(rest.sort(), wanted.sort(), `guest ${pid}`);
    }
    const counts = guests.map((pid) => descriptors.filter((entry) => entry.pid === pid).length);
    assert.equal(Math.max(...counts), 8 + 3 * 5);
  },
);

test("as a guest's own native code sees it: eight descriptors", { timeout }, async () => {
  const runtime = await NodeRuntime.create();
  after(() => runtime.dispose());
  const { value } = await runtime.run(`
    const open = [];
    for (let fd = 0; fd < 4096; fd++) if (typeof __natives.libc.closesOnExec(fd) === "boolean") open.push(fd);
    __return(open);`);
  assert.deepEqual(value, [0, 1, 2, 3, 4, 5, 6, 7]);
});

/** Runs a script of ./engine in the engine, with descriptors of ours left open; answers the JSON it prints. */
async function runHost(script, args, stdio) {
  const path = fileURLToPath(new URL(`engine/${script}`, import.meta.url));
  const host = spawn(engine, ["--no-warnings", path, ...args], { env: {}, stdio, timeout });
  const texts = await Promise.all([text(host.stdout), text(host.stderr)]);
  try {
    return JSON.parse(texts[0]);
  } catch {
    throw new Error(`${script}: ${texts.join("\n")}`);
  }
}

test(
  "what the host's parent and its native code left open ends at the kernel process",
  { timeout },
  async () => {
    const inherited = [9, 200];
    const file = openSync("/etc/hosts", "r");
    const stdio = Array.from({ length: 201 }, (_, fd) => (fd < 3 ? "pipe" : "ignore"));
    for (const fd of inherited) stdio[fd] = file;
    const host = runHost("leaky-host.mjs", inherited.map(String), stdio);
    closeSync(file);
    const { left, kernel, zygote } = await host;
    assert.ok(!left.includes(""), `the host has ${left}`);
    assert.equal(left.at(-1), "/etc/hosts");
    // Both ends of one pipe might be the engine's own; they go no further.
    const [whole] = left;
    for (const target of left) {
      assert.ok(!zygote.includes(target), `the zygote has ${target}`);
      if (target !== whole) assert.ok(!kernel.includes(target), `the kernel process has ${target}`);
    }
  },
);
