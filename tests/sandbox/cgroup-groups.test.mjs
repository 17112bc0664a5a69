// The cgroups of guests, as Linux holds them. Needs a directory of cgroup v2 with the memory and pids controllers that this process
// may write to: one that SECURE_EXEC_TEST_CGROUP names, or the root of a hierarchy that has both.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmdirSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import { after, test } from "node:test";
import { NodeRuntime } from "../../dist/index.js";
import { endAll, tree, until } from "../support/processes.mjs";

const timeout = 240_000;
const mebibyte = 1024 * 1024;

/** A directory for this file alone, or why there is none. */
function makeRoom() {
  const points = readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .filter((line) => line.includes(" - cgroup2 "))
    .map((line) => line.split(" ")[4]);
  const named = process.env.SECURE_EXEC_TEST_CGROUP;
  for (const point of named === undefined ? points : [named]) {
    try {
      const offered = readFileSync(join(point, "cgroup.controllers"), "utf8").trim().split(" ");
      if (!offered.includes("memory") || !offered.includes("pids")) continue;
      writeFileSync(join(point, "cgroup.subtree_control"), "+memory +pids");
      const room = join(point, `secure-exec-test.${process.pid}`);
      mkdirSync(room);
      return { room };
    } catch {
      // Not this one.
    }
  }
  return { why: "no writable cgroup v2 with the memory and pids controllers here" };
}

const { room, why } = makeRoom();
const options = { timeout, skip: why ?? false };
if (room !== undefined) process.env.SECURE_EXEC_CGROUP = room;

const number = (...path) => Number(readFileSync(join(...path), "utf8"));
const set = (path, value) => writeFileSync(path, String(value));
const members = (directory) =>
  readFileSync(join(directory, "cgroup.procs"), "utf8").split("\n").filter(Boolean).map(Number);
const below = (directory) =>
  existsSync(directory)
    ? readdirSync(directory, { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map(({ name }) => join(directory, name))
    : [];
/** The directory of the one kernel process. */
const own = () => below(room)[0];
const groups = () => below(own()).filter((path) => /^g\d+$/.test(basename(path)));

/** What `look` finds in Linux's files, which tell nobody of a change. */
async function found(look) {
  for (;;) {
    let answer;
    try {
      answer = look();
    } catch (error) {
      // The group or the process went meanwhile.
      if (error.code !== "ENOENT" && error.code !== "ENODEV") throw error;
    }
    if (answer) return answer;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

let odd = 0;
/** A program that waits for a line before it goes on, in its group: known by a bound that no other has. */
async function waiting(then) {
  const memoryBytes = (100 + odd++) * mebibyte;
  const runtime = await NodeRuntime.create({ limits: { memoryBytes, threads: 3 } });
  const program = await runtime.spawn(
    `process.stdin.once("data", () => { ${then} }); console.log("here");`,
  );
  const lines = program.lines();
  assert.equal((await lines.next()).value, "here");
  // As docs/isolation.md has it.
  const most = memoryBytes + (128 + 64 + 32) * mebibyte + memoryBytes / 128;
  const group = await found(() =>
    groups().find((path) => number(path, "memory.max") === most && members(path).length === 1),
  );
  return { runtime, program, lines, group };
}

const takeMemory = `globalThis.kept = Buffer.alloc(64 * 1024 * 1024, 1); console.log("took it"); process.exit(0);`;

test(
  "a program is in a group of its own, held to its limits, and its zygote knows of none",
  options,
  async () => {
    const { runtime, program, group } = await waiting("process.exit(3)");
    const { active, why } = (await runtime.isolation()).find(({ layer }) => layer === "cgroup");
    assert.equal(active, true, why);
    assert.equal(number(group, "pids.max"), 3 + 64);
    const [guest] = members(group);
    const zygote = Number(
      /^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${guest}/status`, "utf8"))[1],
    );
    assert.ok(members(join(own(), "zygotes")).includes(zygote));
    for (const pid of [zygote, guest])
      for (const fd of readdirSync(`/proc/${pid}/fd`)) {
        const target = readlinkSync(`/proc/${pid}/fd/${fd}`);
        assert.ok(!target.includes("cgroup") && !target.includes(room), `${fd}: ${target}`);
      }
    for (const name of ["memory.max", "pids.max"])
      assert.ok(Number.isFinite(number(own(), name)), name);
    program.writeStdin("\n");
    assert.equal(await program.wait(), 3);
    await found(() => !existsSync(group));
    await runtime.dispose();
  },
);

test("guests that wait are in groups of their own already", options, async () => {
  const runtime = await NodeRuntime.create();
  await runtime.run("1");
  await found(() => groups().filter((path) => members(path).length === 1).length >= 3);
  await runtime.dispose();
});

test(
  "more memory than its group may have ends a program, and it is said why",
  options,
  async () => {
    const { runtime, program, group } = await waiting(takeMemory);
    set(join(group, "memory.max"), number(group, "memory.current") + 16 * mebibyte);
    program.writeStdin("\n");
    assert.equal(await program.wait(), 137);
    assert.deepEqual(program.end, { reason: "limit", limit: "memoryBytes", signal: "SIGKILL" });
    assert.match(
      await program.stderr.text(),
      /^ERR_SECURE_EXEC_MEMORY_LIMIT: Linux ended the process/m,
    );
    assert.equal((await runtime.run("__return(6 * 7)")).value, 42);
    await runtime.dispose();
  },
);

test(
  "more memory than all may have together ends the largest, and nobody else",
  options,
  async () => {
    const { runtime, program } = await waiting(takeMemory);
    const shared = join(own(), "memory.max");
    const before = number(shared);
    set(shared, number(own(), "memory.current") + 48 * mebibyte);
    program.writeStdin("\n");
    await assert.rejects(program.wait(), {
      code: "ERR_SECURE_EXEC_GUEST_KILLED",
      message: /memory ran out for all programs together/,
    });
    set(shared, before);
    assert.equal((await runtime.run("__return(6 * 7)")).value, 42);
    await runtime.dispose();
  },
);

test("no thread more than its group may have", options, async () => {
  const { runtime, program, lines, group } = await waiting(`
    const { Worker } = require("node:worker_threads");
    try { new Worker("", { eval: true }); } catch ({ code }) { console.log(code); process.exit(4); }`);
  set(join(group, "pids.max"), number(group, "pids.current"));
  program.writeStdin("\n");
  assert.equal(await program.wait(), 4);
  assert.equal((await lines.next()).value, "ERR_WORKER_INIT_FAILED");
  await runtime.dispose();
});

test(
  "copies of a template have groups of their own, and the template has none",
  options,
  async () => {
    const runtime = await NodeRuntime.create();
    const template = await runtime.template("globalThis.answer = 42;");
    const memoryBytes = 99 * mebibyte;
    const copy = await template.spawn(
      `process.stdin.once("data", () => process.exit(answer)); console.log("here");`,
      { limits: { memoryBytes } },
    );
    assert.equal((await copy.lines().next()).value, "here");
    const group = await found(() =>
      groups().find(
        (path) =>
          number(path, "memory.max") < 256 * mebibyte + memoryBytes && members(path).length === 1,
      ),
    );
    const [pid] = members(group);
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    const zygote = Number(/^PPid:\s+(\d+)$/m.exec(status)[1]);
    // The template is a child of the zygote as well, and with it.
    await found(() => members(join(own(), "zygotes")).length >= 2);
    assert.ok(members(join(own(), "zygotes")).includes(zygote));
    copy.writeStdin("\n");
    assert.equal(await copy.wait(), 42);
    await template.dispose();
    await runtime.dispose();
  },
);

test("what a killed kernel process leaves is removed by the next one", options, async () => {
  const runtime = await NodeRuntime.create();
  await runtime.run("1");
  const former = own();
  endAll([tree().kernel]);
  await assert.rejects(runtime.run("1"));
  const next = await NodeRuntime.create();
  assert.equal((await next.run("__return(1)")).value, 1);
  await found(() => !existsSync(former));
  assert.equal(below(room).length, 1);
  await next.dispose();
});

test(
  "a host that ends leaves empty groups at most, which the next one removes",
  options,
  async () => {
    const before = new Set(below(room));
    const left = () => below(room).filter((path) => !before.has(path));
    const program = `
    import { NodeRuntime } from ${JSON.stringify(new URL("../../dist/index.js", import.meta.url).href)};
    const runtime = await NodeRuntime.create({ isolation: { require: ["cgroup"] } });
    await runtime.spawn("setInterval(() => {}, 1000)");
    process.exit(0);`;
    const args = ["--input-type=module", "-e", program];
    const run = async () => {
      const host = spawn(process.execPath, args, { stdio: "inherit" });
      assert.deepEqual(await once(host, "exit"), [0, null]);
      const [former] = left();
      await found(
        () =>
          former === undefined ||
          readFileSync(join(former, "cgroup.events"), "utf8").includes("populated 0"),
      );
      return former;
    };
    const former = await run();
    await run();
    assert.ok(former === undefined || !existsSync(former), "the next one has not removed it");
    assert.ok(left().length <= 1);
  },
);

after(async () => {
  if (room === undefined) return;
  const { kernel } = tree();
  if (kernel !== undefined) endAll([kernel]);
  const remove = (directory) => {
    for (const path of below(directory)) remove(path);
    rmdirSync(directory);
  };
  await until(() => {
    try {
      remove(room);
      return true;
    } catch (error) {
      if (error.code !== "EBUSY") throw error;
      return false;
    }
  });
});
