/** Overlays: random operations against a plain tree of the host, what `changes` says of them, and what stays below. */
import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, test } from "node:test";
import fc from "fast-check";
import { FileSystem } from "../../../dist/kernel/fs/index.js";
import { Ours, Real } from "./models.mjs";

const base = fs.mkdtempSync(path.join(fs.realpathSync(os.tmpdir()), "secure-exec-overlay-"));
after(() => fs.rmSync(base, { recursive: true, force: true }));
let trees = 0;
const newTree = () => path.join(base, String(++trees));

/** What is there at first: files, directories in directories, links. */
function plant(top) {
  fs.mkdirSync(path.join(top, "a/b"), { recursive: true });
  fs.mkdirSync(path.join(top, "c"));
  fs.writeFileSync(path.join(top, "a/d"), "file in a");
  fs.writeFileSync(path.join(top, "a/b/c"), "x".repeat(100_000));
  fs.writeFileSync(path.join(top, "c/d"), "file in c", { mode: 0o600 });
  fs.writeFileSync(path.join(top, "b"), "file at the top");
  fs.symlinkSync("a/d", path.join(top, "d"));
  fs.chmodSync(top, 0o755);
}

const name = fc.constantFrom("a", "b", "c", "d", "e");
const somePath = fc.array(name, { minLength: 1, maxLength: 3 }).map((parts) => parts.join("/"));
const { O_CREAT, O_EXCL, O_TRUNC, O_APPEND } = fs.constants;
const flags = fc
  .tuple(fc.integer({ min: 0, max: 2 }), fc.subarray([O_CREAT, O_EXCL, O_TRUNC, O_APPEND]))
  .map(([access, bits]) => bits.reduce((sum, bit) => sum | bit, access));
const mode = fc.constantFrom(0o644, 0o600, 0o755, 0o700);
const size = fc.constantFrom(0, 1, 513, 70_000);
const slot = fc.integer({ min: 0, max: 1 });
const operation = fc.oneof(
  fc.record({ op: fc.constant("mkdir"), path: somePath, mode }),
  fc.record({ op: fc.constant("rmdir"), path: somePath }),
  fc.record({ op: fc.constant("unlink"), path: somePath }),
  fc.record({ op: fc.constant("unlink"), path: somePath }),
  fc.record({ op: fc.constant("rename"), path: somePath, to: somePath }),
  fc.record({ op: fc.constant("rename"), path: somePath, to: somePath }),
  fc.record({ op: fc.constant("link"), path: somePath, to: somePath }),
  fc.record({
    op: fc.constant("symlink"),
    target: somePath.map((text) => ({ text })),
    path: somePath,
  }),
  fc.record({ op: fc.constant("readlink"), path: somePath }),
  fc.record({ op: fc.constant("readdir"), path: somePath }),
  fc
    .record({ op: fc.constant("realpath"), path: somePath })
    .map((step) => ({ ...step, op: "readdir" })),
  fc.record({ op: fc.constant("chmod"), path: somePath, mode }),
  fc.record({ op: fc.constant("utimes"), path: somePath, follow: fc.boolean() }),
  fc.record({ op: fc.constant("truncate"), path: somePath, size }),
  fc.record({ op: fc.constant("writeFile"), path: somePath, flags, size, mode }),
  fc.record({ op: fc.constant("readFile"), path: somePath }),
  fc.record({ op: fc.constant("open"), slot, path: somePath, flags, mode }),
  fc.record({ op: fc.constant("read"), slot, size: fc.constant(1000), position: fc.constant(0) }),
  fc.record({ op: fc.constant("write"), slot, size, position: fc.constant(-1) }),
  fc.record({ op: fc.constant("close"), slot }),
  fc.record({ op: fc.constant("mkdirTree"), path: somePath, mode: fc.constant(0o755) }),
  fc.record({ op: fc.constant("removeTree"), path: somePath }),
);

/** Types, modes, content and link targets of all below, by path. */
function treeOf(side, top = ".") {
  const found = new Map();
  const visit = (at) => {
    const stat = side.apply({ op: "stat", path: at, follow: false });
    const format = stat.mode & 0o170000;
    const op = { [0o120000]: "readlink", [0o100000]: "readFile" }[format];
    found.set(at, JSON.stringify([stat.mode, op && side.apply({ op, path: at })]));
    if (format !== 0o040000) return;
    for (const child of side.apply({ op: "readdir", path: at })) visit(`${at}/${child}`);
  };
  visit(top);
  return found;
}

const who = { uid: process.getuid(), gid: process.getgid(), umask: process.umask(), cwd: "/" };
const mountOf = (lower) => ({
  guestPath: "/mnt",
  hostPath: lower,
  overlay: true,
  readOnly: false,
  ...who,
});

function overlayOf(lower) {
  const ours = new Ours("/mnt");
  ours.become(who);
  ours.who = who;
  assert.equal(ours.fs.mount(mountOf(lower)), 0);
  return ours;
}

/** As the host's own tree it would be: a file that is opened and not changed is no change. */
function compare(steps) {
  const [lower, plain] = [newTree(), newTree()];
  for (const top of [lower, plain]) plant(top);
  const untouched = treeOf(new Real(lower));
  const real = new Real(plain);
  const ours = overlayOf(lower);
  try {
    steps.forEach((step, index) => {
      const [expected, actual] = [real, ours].map((side) => {
        const result = side.apply(step);
        return step.op === "mkdirTree" && typeof result === "string"
          ? path.relative(side.root, result)
          : result;
      });
      assert.deepEqual(actual, expected, `step ${index}: ${JSON.stringify(step)}`);
    });
    const now = treeOf(real);
    assert.deepEqual(treeOf(ours), now);
    assert.deepEqual(treeOf(new Real(lower)), untouched, "the host's files stay");
    checkChanges(ours, untouched, now);
  } finally {
    for (const file of ours.files.values()) file.unref();
    real.close();
    for (const top of [lower, plain]) fs.rmSync(top, { recursive: true, force: true });
  }
  // Everything that was copied up is given back with the mount.
  const { inodes, bytes } = new FileSystem().usage();
  assert.equal(ours.fs.unmount("/mnt"), 0);
  assert.deepEqual(ours.fs.usage(), { bytes, inodes: inodes + 1 });
}

function checkChanges(ours, before, now) {
  const changes = [...run(ours.fs.changes())];
  const said = (change) =>
    changes.filter((one) => one.change === change).map(({ path: at }) => `.${at.slice(4)}`);
  const [added, changed, removed] = ["added", "changed", "removed"].map(said);
  const typeOf = (facts) => facts && JSON.parse(facts)[0] & 0o170000;
  const isSame = (at) => typeOf(before.get(at)) === typeOf(now.get(at));
  assert.deepEqual(added, [...now.keys()].filter((at) => !isSame(at)).sort());
  // Below what is removed nothing is told.
  const gone = [...before.keys()].filter((at) => !isSame(at));
  const tops = gone.filter(
    (at) => !gone.includes(path.dirname(at).replace(/^\.$/, ".")) || at === ".",
  );
  assert.deepEqual(removed, tops.sort());
  // What was changed and changed back is told as well.
  const differs = [...now.keys()].filter((at) => isSame(at) && before.get(at) !== now.get(at));
  for (const at of differs) assert.ok(changed.includes(at), `${at} is changed`);
  for (const at of changed) assert.ok(isSame(at), at);
}

function run(steps) {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
}

test("an overlay is what a plain tree would be, and says how it differs from what is below", () => {
  fc.assert(fc.property(fc.array(operation, { minLength: 1, maxLength: 40 }), compare), {
    numRuns: Number(process.env.OVERLAY_RUNS ?? 150),
  });
});

test("who reads a file goes on with its copy; a clone has what was changed until then, and neither sees the other", () => {
  const lower = newTree();
  plant(lower);
  const ours = overlayOf(lower).fs;
  const text = (side, at) => String(side.readFile(who, at));
  const write = (side, at, data) =>
    assert.equal(side.writeFile(who, at, data, O_CREAT | O_TRUNC | 1, 0o644), 0);
  const reader = ours.open(who, "/mnt/b", 0, 0);
  const before = ours.stat(who, "/mnt/b", true);
  write(ours, "/mnt/b", "another text");
  const read = Buffer.alloc(20);
  assert.equal(read.toString("latin1", 0, reader.read(read, 0)), "another text");
  const { dev, ino, size } = reader.stat();
  assert.deepEqual({ dev, ino, size }, { dev: before.dev, ino: before.ino, size: 12 });
  assert.equal(ours.unlink(who, "/mnt/b"), 0);
  assert.equal(reader.read(read, 0), 12);
  reader.unref();
  assert.equal(ours.rename(who, "/mnt/a", "/mnt/moved"), 0);

  const clone = ours.clone();
  assert.equal(clone.mount({ ...mountOf(lower), source: ours }), 0);
  write(ours, "/mnt/moved/d", "of the source");
  write(clone, "/mnt/moved/b/c", "of the clone");
  assert.equal(text(clone, "/mnt/moved/d"), "file in a");
  assert.equal(text(ours, "/mnt/moved/b/c").length, 100_000);
  assert.deepEqual(
    clone
      .readdir(who, "/mnt")
      .map(({ name: entry }) => entry)
      .sort(),
    ["c", "d", "moved"],
  );
  ours.dispose();
  assert.equal(text(clone, "/mnt/moved/d"), "file in a");
  assert.equal(text(clone, "/mnt/moved/b/c"), "of the clone");
  assert.equal(fs.readFileSync(path.join(lower, "b"), "utf8"), "file at the top");
});

test("what is copied up and what is hidden is charged, and refused beyond the quota with nothing changed", () => {
  const lower = newTree();
  plant(lower);
  for (let at = 0; at < 40; at++) fs.writeFileSync(path.join(lower, `n${at}`), "x");
  const small = new FileSystem({ bytes: 50_000, inodes: 8, names: 16 });
  assert.equal(small.mount(mountOf(lower)), 0);
  assert.equal(small.chmod(who, "/mnt/a/b/c", 0o600), -28);
  assert.equal(small.stat(who, "/mnt/a/b/c", true).size, 100_000);
  let removed = 0;
  while (small.unlink(who, `/mnt/n${removed}`) === 0) removed++;
  assert.ok(removed < 16, String(removed));
  assert.equal(small.unlink(who, `/mnt/n${removed}`), -28);
  assert.equal(String(small.readFile(who, `/mnt/n${removed}`)), "x");
});
