/** A tree as an archive and back: nothing is lost, and nothing comes out of an archive that is not right. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { FileSystem, archiveEnd } from "../../../dist/kernel/fs/index.js";
import { ArchiveParser } from "../../../dist/protocol/archive-parser.js";
import { ArchiveError, headerBlocks } from "../../../dist/protocol/tar.js";
import { O_CREAT, O_RDWR, change, describe, numbers, root } from "../../support/trees.mjs";

const archiveOf = (fs) => Buffer.concat([...fs.archive(), archiveEnd]);

/** Reads an archive in pieces of the size that `next` says. */
function restored(archive, next = () => archive.length, options = {}) {
  const fs = new FileSystem(options);
  const tree = fs.beginImport();
  const parser = new ArchiveParser();
  for (let at = 0; at < archive.length;) {
    const size = Math.max(1, next());
    for (const event of parser.push(archive.subarray(at, at + size))) {
      if ("content" in event) tree.content(event.content);
      else tree.entry(event.entry, event.records);
    }
    at += size;
  }
  parser.finish();
  tree.finish();
  return fs;
}

/** All but the number of an inode, which is the file system's own, and what looking changes; the archives are compared to the byte. */
const facts = ({ ino: _own, atimeMs: _read, ...rest }) => rest;
const told = (fs) => describe(fs, facts);

function randomTree(seed) {
  const random = numbers(seed);
  let clock = 0;
  const fs = new FileSystem({}, () => ++clock * 1.5);
  for (let step = 0; step < 100; step++) change(fs, random);
  return { fs, random };
}

test("random trees are the same afterwards, down to times, links and holes", () => {
  for (let seed = 1; seed <= 80; seed++) {
    const { fs, random } = randomTree(seed);
    const archive = archiveOf(fs);
    const pieces = [() => archive.length, () => 1 + random(700), () => 1 + random(100_000)];
    const back = restored(archive, pieces[seed % 3]);
    assert.ok(archiveOf(back).equals(archive), `seed ${seed}: the archive of the archive`);
    assert.equal(told(back), told(fs), `seed ${seed}`);
  }
});

test("a sparse file costs what it holds", () => {
  const fs = new FileSystem();
  fs.writeFile(root, "/sparse", "start", O_RDWR | O_CREAT, 0o644);
  const file = fs.open(root, "/sparse", O_RDWR, 0);
  file.write(Buffer.from("middle"), 2 ** 40);
  file.unref();
  fs.truncate(root, "/sparse", 2 ** 43);
  const archive = archiveOf(fs);
  assert.ok(archive.length < 20_000, `${archive.length} bytes`);
  const back = restored(archive);
  const stat = back.stat(root, "/sparse", false);
  assert.equal(stat.size, 2 ** 43);
  const middle = Buffer.alloc(6);
  const again = back.open(root, "/sparse", O_RDWR, 0);
  again.read(middle, 2 ** 40);
  again.unref();
  assert.equal(String(middle), "middle");
  assert.equal(stat.blocks, fs.stat(root, "/sparse", false).blocks);
});

test("an archive is of the moment at which it was begun", () => {
  const fs = new FileSystem();
  fs.writeFile(root, "/a", "before", O_RDWR | O_CREAT, 0o644);
  const pieces = fs.archive();
  const first = pieces.next().value;
  fs.writeFile(root, "/a", "AFTER!", O_RDWR, 0);
  fs.writeFile(root, "/b", "new", O_RDWR | O_CREAT, 0o644);
  const back = restored(Buffer.concat([first, ...pieces, archiveEnd]));
  assert.equal(String(back.readFile(root, "/a")), "before");
  assert.equal(back.stat(root, "/b", false), -2);
});

test("tar reads it", () => {
  const fs = new FileSystem();
  fs.mkdirTree(root, `/${"deep/".repeat(30)}end`, 0o755);
  fs.writeFile(
    root,
    `/${"deep/".repeat(30)}end/${"n".repeat(200)}`,
    "long",
    O_RDWR | O_CREAT,
    0o640,
  );
  fs.writeFile(root, "/file", "content", O_RDWR | O_CREAT, 0o644);
  fs.symlink(root, "file", "/link");
  fs.link(root, "/file", "/hard");
  const listed = execFileSync("tar", ["-tvf", "-"], {
    input: archiveOf(fs),
    encoding: "utf8",
    // It says that it does not know our records.
    stdio: ["pipe", "pipe", "ignore"],
  });
  assert.match(listed, /-rw-r--r-- .* 7 .* files\/file\n/);
  assert.match(listed, /files\/link -> file\n/);
  assert.match(listed, /files\/hard link to files\/file\n/);
  assert.match(listed, /-rw-r----- .* 4 .* files\/(deep\/){30}end\/n{200}\n/);
});

const plain = {
  mode: 0o644,
  uid: 0,
  gid: 0,
  size: 0,
  mtimeSeconds: 0,
  link: "",
  user: "",
  group: "",
  records: { "SECUREEXEC.times": "1 2 3 4" },
};
const entry = (type, name, more = {}) => headerBlocks({ ...plain, type, name, ...more });
const top = entry("5", "files/");

test("archives that nobody made are refused", () => {
  const fill = (bytes) => Buffer.alloc(bytes, "x");
  const sparse = (extents, size) => [
    entry("0", "files/a", {
      size,
      records: { ...plain.records, "SECUREEXEC.extents": extents },
    }),
    fill(512),
  ];
  const cases = {
    "no tree": [entry("0", "files/a")],
    nothing: [],
    "two trees": [top, top],
    "a tree that is a file": [entry("0", "files/")],
    "a path upwards": [top, entry("0", "files/../a")],
    "a path of dots": [top, entry("5", "files/./a")],
    "an absolute path": [top, entry("0", "/etc/passwd")],
    "another place": [top, entry("0", "other/a")],
    "an empty name": [top, entry("0", "files//a")],
    "a long name": [top, entry("0", `files/${"n".repeat(256)}`)],
    "a long path": [top, entry("0", `files/${"n/".repeat(3000)}`)],
    "a directory that is missing": [top, entry("0", "files/a/b")],
    "a file as a directory": [top, entry("0", "files/a"), entry("0", "files/a/b")],
    "through a link": [top, entry("2", "files/l", { link: "/" }), entry("0", "files/l/b")],
    "the same name twice": [top, entry("0", "files/a"), entry("0", "files/a")],
    "a link to nothing": [top, entry("1", "files/a", { link: "files/b" })],
    "a link to itself": [top, entry("1", "files/a", { link: "files/a" })],
    "a link to a directory": [
      top,
      entry("5", "files/d/"),
      entry("1", "files/a", { link: "files/d" }),
    ],
    "a link out": [top, entry("1", "files/a", { link: "/etc/passwd" })],
    "an empty symbolic link": [top, entry("2", "files/a")],
    "a device of the host": [top, entry("3", "files/a", { device: [8, 0] })],
    "a block device": [top, entry("4", "files/a", { device: [1, 3] })],
    "a fifo with content": [top, entry("6", "files/a", { size: 512 }), fill(512)],
    "a GNU long name": [top, entry("L", "files/a", { size: 1 }), fill(512)],
    "a directory with content": [top, entry("5", "files/a/", { size: 512 }), fill(512)],
    "no times": [top, entry("0", "files/a", { records: {} })],
    "times that are none": [
      top,
      entry("0", "files/a", { records: { "SECUREEXEC.times": "1 2 3 x" } }),
    ],
    "times of the far future": [
      top,
      entry("0", "files/a", { records: { "SECUREEXEC.times": "1 2 3 1e300" } }),
    ],
    "a user that is none": [
      top,
      entry("0", "files/a", { records: { ...plain.records, uid: "4294967295" } }),
    ],
    "holes that overlap": [top, ...sparse("600;0-300,200-412", 512)],
    "holes beyond the end": [top, ...sparse("500;0-512", 512)],
    "holes backwards": [top, ...sparse("600;512-0", 512)],
    "holes of another length": [top, ...sparse("600;0-511", 512)],
    "a size that is none": [top, ...sparse("1e3;0-512", 512)],
    "a file of no end": [top, ...sparse(`${2 ** 50};0-512`, 512)],
    "a size as text": [
      top,
      entry("0", "files/a", { records: { ...plain.records, size: "99999999999999999999" } }),
    ],
    "more than there is room for": [top, entry("0", "files/a", { size: 2 ** 20 }), fill(2 ** 20)],
    "more names than there is room for": [
      top,
      ...Array.from({ length: 40 }, (_, at) => entry("0", `files/${at}`)),
    ],
    "bytes that are none": [fill(512)],
    "pax records for nothing": [top, entry("x", "x", { size: 10, records: undefined }), fill(512)],
  };
  for (const [what, blocks] of Object.entries(cases)) {
    const archive = Buffer.concat([...blocks, archiveEnd]);
    const read = () => restored(archive, undefined, { bytes: 100_000, inodes: 20 });
    assert.throws(read, ArchiveError, what);
  }
  // They would do without what is wrong with them.
  assert.ok(restored(Buffer.concat([top, entry("0", "files/a"), archiveEnd])));
  assert.ok(restored(Buffer.concat([top, entry("6", "files/a"), archiveEnd])));
});

test("an archive that is cut off or damaged anywhere is refused or harmless", () => {
  const { fs, random } = randomTree(7);
  const archive = archiveOf(fs);
  for (let round = 0; round < 60; round++) {
    // Its last byte as well: two blocks of zeroes are the end.
    const length =
      archive.length - (round < 20 ? 1 + random(archiveEnd.length) : 1 + random(archive.length));
    assert.throws(() => restored(archive.subarray(0, length)), ArchiveError, `cut at ${length}`);
  }
  let refused = 0;
  for (let round = 0; round < 300; round++) {
    const damaged = Buffer.from(archive);
    for (let bits = 1 + random(3); bits > 0; bits--)
      damaged[random(damaged.length)] ^= 1 << random(8);
    try {
      // What passes is a tree like any other.
      describe(restored(damaged));
    } catch (error) {
      assert.ok(error instanceof ArchiveError, error.stack);
      refused++;
    }
  }
  assert.ok(refused > 0);
});
