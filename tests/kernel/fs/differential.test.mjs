/**
 * Random operation sequences, run on the engine and on the real file system in turn;
 * every result or errno, and the trees at the end, must agree.
 * As root also with two ordinary users, so that permission bits are compared too.
 */
import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { Ours, Real } from "./models.mjs";

const { O_CREAT, O_EXCL, O_TRUNC, O_APPEND, O_DIRECTORY, O_NOFOLLOW } = fs.constants;
const isRoot = process.getuid() === 0;
const sysctl = (name) => {
  try {
    return Number(fs.readFileSync(`/proc/sys/fs/${name}`, "utf8"));
  } catch {
    return 0;
  }
};
/** Rules of the host for sticky directories that the engine does not have. */
const stickyComparable =
  ["protected_symlinks", "protected_regular"].reduce((sum, name) => sum + sysctl(name), 0) === 0;
const linkComparable = sysctl("protected_hardlinks") === 1;

// Deep enough that no chain of ".." the generator can build leaves the scratch directory.
const NEST = "1/2/3/4/5/6/7/8/9";

const name = fc.constantFrom("a", "b", "c", "d");
const segment = fc.oneof(
  { weight: 8, arbitrary: name },
  { weight: 1, arbitrary: fc.constant(".") },
  { weight: 1, arbitrary: name.map((n) => `${n}/..`) },
);
const somePath = fc
  .tuple(fc.array(segment, { minLength: 1, maxLength: 3 }), fc.integer({ min: 0, max: 9 }))
  .map(([parts, slash]) => `${parts.join("/")}${slash === 0 ? "/" : slash === 1 ? "//." : ""}`);
const plainPath = fc.array(name, { minLength: 1, maxLength: 3 }).map((parts) => parts.join("/"));
const target = fc.oneof(
  plainPath.map((p) => ({ text: p })),
  name.map((n) => ({ text: `../${n}` })),
  somePath.map((p) => ({ absolute: p })),
);
const mode = fc.constantFrom(0o644, 0o600, 0o755, 0o777, 0o000, 0o444, 0o311, 0o4755, 0o2771);
const flags = fc
  .tuple(
    fc.integer({ min: 0, max: 2 }),
    fc.subarray([O_CREAT, O_EXCL, O_TRUNC, O_APPEND, O_NOFOLLOW]),
    fc.integer({ min: 0, max: 5 }),
  )
  .map(([access, bits, directory]) => {
    const all = bits.reduce((sum, bit) => sum | bit, access);
    // Together with O_CREAT the answer depends on the Linux version.
    return directory === 0 && (all & O_CREAT) === 0 ? all | O_DIRECTORY : all;
  });
const slot = fc.integer({ min: 0, max: 2 });
const size = fc.constantFrom(0, 1, 100, 513, 65_535, 65_536, 65_537, 150_000);
/** Node answers reads of nothing itself. */
const readSize = size.map((count) => Math.max(count, 1));
const position = fc.oneof(fc.constant(-1), size);
const id = fc.constantFrom(-1, 0, 1000, 1001);

const operation = fc.oneof(
  fc.record({ op: fc.constant("mkdir"), path: somePath, mode }),
  fc.record({ op: fc.constant("mkdir"), path: plainPath, mode: fc.constant(0o777) }),
  fc.record({ op: fc.constant("rmdir"), path: somePath }),
  fc.record({ op: fc.constant("unlink"), path: somePath }),
  fc.record({ op: fc.constant("rename"), path: somePath, to: somePath }),
  fc.record({ op: fc.constant("rename"), path: plainPath, to: plainPath }),
  fc.record({ op: fc.constant("link"), path: somePath, to: somePath }),
  fc.record({ op: fc.constant("symlink"), target, path: somePath }),
  fc.record({ op: fc.constant("readlink"), path: somePath }),
  fc.record({ op: fc.constant("stat"), path: somePath, follow: fc.boolean() }),
  fc.record({ op: fc.constant("readdir"), path: somePath }),
  fc.record({ op: fc.constant("realpath"), path: somePath }),
  fc.record({ op: fc.constant("access"), path: somePath, mode: fc.integer({ min: 0, max: 7 }) }),
  fc.record({ op: fc.constant("chmod"), path: somePath, mode }),
  fc.record({ op: fc.constant("chown"), path: somePath, uid: id, gid: id, follow: fc.boolean() }),
  fc.record({ op: fc.constant("utimes"), path: somePath, follow: fc.boolean() }),
  fc.record({ op: fc.constant("truncate"), path: somePath, size }),
  fc.record({ op: fc.constant("writeFile"), path: somePath, flags, size, mode }),
  fc.record({ op: fc.constant("readFile"), path: somePath }),
  fc.record({ op: fc.constant("open"), slot, path: somePath, flags, mode }),
  fc.record({ op: fc.constant("read"), slot, size: readSize, position }),
  fc.record({ op: fc.constant("write"), slot, size, position }),
  fc.record({ op: fc.constant("fstat"), slot }),
  fc.record({ op: fc.constant("ftruncate"), slot, size }),
  fc.record({ op: fc.constant("fchmod"), slot, mode }),
  fc.record({ op: fc.constant("fchown"), slot, uid: id, gid: id }),
  fc.record({ op: fc.constant("close"), slot }),
  fc.record({ op: fc.constant("mkdirTree"), path: plainPath, mode: fc.constant(0o755) }),
  fc.record({ op: fc.constant("removeTree"), path: plainPath }),
);

function snapshot(side, top) {
  const found = {};
  const pending = [top];
  for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
    const stat = side.apply({ op: "stat", path: at, follow: false });
    const format = stat.mode & 0o170000;
    const names = format === 0o040000 ? side.apply({ op: "readdir", path: at }) : [];
    pending.push(...names.map((child) => `${at}/${child}`));
    const content = format === 0o120000 ? "readlink" : format === 0o100000 ? "readFile" : undefined;
    found[at] = { ...stat, names, content: content && side.apply({ op: content, path: at }) };
  }
  return found;
}

function throughLink(real, below) {
  const parent = path.dirname(below);
  const found = real.apply({ op: "realpath", path: parent });
  return typeof found === "string" && found !== path.join(real.root, parent);
}

function compare(steps) {
  const base = fs.mkdtempSync(path.join(fs.realpathSync(os.tmpdir()), "fs-differential-"));
  const root = `${base}/${NEST}`;
  const real = new Real(root);
  const ours = new Ours(root);
  const self = { uid: process.getuid(), gid: process.getgid() };
  try {
    fs.chmodSync(base, 0o755);
    fs.mkdirSync(root, { recursive: true });
    ours.become(self);
    assert.equal(typeof ours.fs.mkdirTree(ours.who, root, 0o755), "string");
    for (const side of [real, ours]) side.apply({ op: "chmod", path: ".", mode: 0o777 });
    const empty = { bytes: ours.fs.usage().bytes, inodes: ours.fs.usage().inodes };
    steps.forEach((step, index) => {
      const who = step.who ?? self;
      // Node removes by path, so a link into what is being removed cuts it short.
      if (step.op === "removeTree" && throughLink(real, step.path)) return;
      for (const side of [real, ours]) side.become(who);
      const expected = real.apply(step);
      const actual = ours.apply(step);
      assert.deepEqual(actual, expected, `step ${index}: ${JSON.stringify(step)}`);
    });
    for (const side of [real, ours]) side.become(self);
    assert.deepEqual(snapshot(ours, "."), snapshot(real, "."));
    // Everything the sequence took is given back.
    for (const file of ours.files.values()) file.unref();
    const top = `${base}/1`;
    assert.equal(ours.fs.removeTree(ours.who, top), 0);
    assert.deepEqual(ours.fs.usage(), { bytes: 0, inodes: empty.inodes - NEST.split("/").length });
  } finally {
    if (isRoot) real.become(self);
    real.close();
    fs.rmSync(base, { recursive: true, force: true });
  }
}

// One seed by default, so that a change is judged and not the dice; others with FS_DIFFERENTIAL_SEED.
const RUNS = {
  seed: Number(process.env.FS_DIFFERENTIAL_SEED ?? 20261121),
  numRuns: Number(process.env.FS_DIFFERENTIAL_RUNS ?? 100),
  includeErrorInReport: true,
};
const STEPS = { minLength: 10, maxLength: 40, size: "max" };

test("random sequences agree with the real file system", () => {
  fc.assert(fc.property(fc.array(operation, STEPS), compare), RUNS);
});

test("random sequences of three users agree with the real file system", { skip: !isRoot }, () => {
  const groups = process.getgroups();
  const users = fc.constantFrom(
    { uid: 0, gid: 0 },
    { uid: 1000, gid: 1000 },
    { uid: 1000, gid: 1000 },
    { uid: 1001, gid: 1000 },
  );
  const permissions = fc.constantFrom(0o700, 0o755, 0o777, 0o1777, 0o2777, 0o750, 0o311, 0o644);
  const comparable = (step) => {
    // access(2) asks about the real user id, Node's truncate opens the file to read as well,
    // its rm -r goes on after a failure, and the realpath of glibc drops "." unsearched.
    if (["access", "truncate", "removeTree", "realpath"].includes(step.op)) return false;
    if (step.op === "link" && !linkComparable && step.who.uid !== 0) return false;
    return step.mode !== 0o1777 || stickyComparable;
  };
  const step = fc
    .tuple(operation, users, permissions)
    .map(([done, who, mode]) => ({
      ...done,
      who,
      ...("mode" in done && done.op !== "access" ? { mode } : {}),
    }))
    .filter(comparable);
  process.setgroups([]);
  try {
    fc.assert(fc.property(fc.array(step, STEPS), compare), RUNS);
  } finally {
    process.setgroups(groups);
  }
});
