// What is written for guests' cgroups, and read of them, in a tree of ordinary files: what Linux makes of it is
// tests/sandbox/cgroup-groups.test.mjs.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, beforeEach, test } from "node:test";
import { GuestGroups } from "../../dist/launcher/guest-groups.js";

const usual = { memoryBytes: 500, tasks: 70 };
const child = spawn("sleep", ["1000"]);
const trees = [];
let tree;
beforeEach(() => {
  tree = mkdtempSync(join(tmpdir(), "guest-groups-"));
  trees.push(tree);
});
after(() => {
  child.kill();
  for (const path of trees) rmSync(path, { recursive: true });
});

const read = (...path) => readFileSync(join(...path), "utf8");
const namespace = /\d+/.exec(readlinkSync("/proc/self/ns/pid"))[0];
const settled = (groups) => groups.later(async () => undefined);

function open() {
  const groups = GuestGroups.open(tree, usual);
  assert.ok(groups instanceof GuestGroups, String(groups));
  const own = join(
    tree,
    readdirSync(tree).find((name) => name.startsWith(`secure-exec.${namespace}.${process.pid}.`)),
  );
  return { groups, own };
}

test("all guests together are held to less than there is", () => {
  writeFileSync(join(tree, "pids.max"), "1000\n");
  writeFileSync(join(tree, "memory.max"), "8000000\n");
  const { groups, own } = open();
  assert.equal(read(tree, "cgroup.subtree_control"), "+memory +pids");
  assert.equal(read(own, "cgroup.subtree_control"), "+memory +pids");
  assert.equal(read(own, "pids.max"), "750");
  assert.equal(read(own, "memory.max"), "7000000");
  assert.deepEqual(groups.report, {
    active: true,
    why: `v2 at ${own}: memory and tasks of each guest; 7000000 bytes and 750 tasks of all together`,
  });
});

test("a guest gets a group with the usual bounds, and its program's when they are others", async () => {
  const { groups, own } = open();
  await groups.adopt(child.pid);
  assert.equal(read(own, "zygotes", "cgroup.procs"), String(child.pid));
  const group = groups.place(child.pid, process.pid);
  await settled(groups);
  const directory = join(own, "g1");
  assert.equal(read(directory, "memory.max"), "500");
  assert.equal(read(directory, "pids.max"), "70");
  assert.equal(read(directory, "cgroup.procs"), String(child.pid));
  writeFileSync(join(directory, "pids.max"), "not written again");
  group.bound({ memoryBytes: 900, tasks: 70 });
  await settled(groups);
  assert.equal(read(directory, "memory.max"), "900");
  assert.equal(read(directory, "pids.max"), "not written again");
});

test("nobody is moved but a child of the zygote's", async () => {
  const { groups, own } = open();
  groups.place(child.pid, process.ppid);
  await settled(groups);
  assert.ok(existsSync(join(own, "g1")));
  assert.ok(!existsSync(join(own, "g1", "cgroup.procs")));
});

test("a guest that ended before its turn has no group", async () => {
  const { groups, own } = open();
  groups.place(child.pid, process.pid).ended();
  await settled(groups);
  assert.deepEqual(
    readdirSync(own, { withFileTypes: true }).flatMap((entry) =>
      entry.isDirectory() ? [entry.name] : [],
    ),
    ["zygotes"],
  );
});

test("an end for want of memory is the guest's own or that of all", async () => {
  const { groups, own } = open();
  const group = groups.place(child.pid, process.pid);
  await settled(groups);
  const events = (where, text) => writeFileSync(join(own, where, "memory.events"), text);
  assert.equal(group.outOfMemory, undefined);
  events("g1", "max 0\noom 0\noom_kill 0\n");
  assert.equal(group.outOfMemory, undefined);
  events("g1", "max 0\noom 0\noom_kill 1\n");
  assert.equal(group.outOfMemory, "shared");
  events("g1", "max 9\noom 1\noom_kill 1\n");
  assert.equal(group.outOfMemory, "own");
  // Before it had its own it was with the zygotes; each end is told once.
  events("g1", "max 0\noom 0\noom_kill 0\n");
  events("zygotes", "max 0\noom 0\noom_kill 1\n");
  assert.equal(group.outOfMemory, "shared");
  assert.equal(group.outOfMemory, undefined);
});

test("what goes wrong is reported, and a guest without a group goes on", async () => {
  const { groups, own } = open();
  mkdirSync(join(own, "g1"));
  const group = groups.place(child.pid, process.pid);
  await settled(groups);
  assert.equal(groups.report.active, false);
  assert.match(groups.report.why, /EEXIST/);
  assert.equal(group.outOfMemory, undefined);
});

test("a directory that is not there is said to be missing", () => {
  const groups = GuestGroups.open(join(tree, "missing"), usual);
  assert.match(groups, /ENOENT/);
});

test("what kernel processes left that are gone is removed, and nobody else's", () => {
  const gone = `secure-exec.${namespace}.${2 ** 30}.1`;
  const stale = `secure-exec.${namespace}.${process.pid}.1`;
  const others = [
    // In another container, or not ours.
    `secure-exec.1.${2 ** 30}.1`,
    `secure-exec.${namespace}`,
    "init.scope",
  ];
  for (const name of [gone, stale, ...others])
    mkdirSync(join(tree, name, "zygotes"), { recursive: true });
  const { own } = open();
  assert.deepEqual(
    readdirSync(tree).filter((name) => !own.endsWith(name) && name !== "cgroup.subtree_control"),
    others.sort(),
  );
});
