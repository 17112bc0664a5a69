/** What a set-up's files cost is counted in the machine they are of, and goes when that needs the room. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { FileSystem } from "../../../dist/kernel/fs/index.js";
import { O_CREAT, O_RDWR, O_TRUNC, root } from "../../support/trees.mjs";

const kibibyte = 1024;
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** A file system and what it keeps of itself; `recalled` says whether that had to go. */
function keeping(limits) {
  const fs = new FileSystem(limits);
  const write = (path, bytes, fill = "x") =>
    fs.writeFile(root, path, Buffer.alloc(bytes, fill), O_RDWR | O_CREAT | O_TRUNC, 0o644);
  const keep = () => {
    const kept = { files: undefined, recalled: false };
    kept.files = fs.keep(() => {
      kept.recalled = true;
      kept.files.dispose();
    });
    return kept;
  };
  return { fs, write, keep };
}

test("a page counts once its file has given it up, in whatever way, and no more when the clone is gone", () => {
  const { fs, write, keep } = keeping({});
  const page = 64 * kibibyte;
  for (const name of ["written", "cut", "removed", "emptied", "grown", "left"])
    assert.equal(write(`/${name}`, name === "grown" ? kibibyte : 2 * page), 0);
  const { files } = keep();
  const lent = () => fs.lent().bytes;
  assert.deepEqual(fs.lent(), { bytes: 0, inodes: 1, names: 6 });

  const file = fs.open(root, "/written", O_RDWR, 0);
  file.write(Buffer.from("y"), 0);
  assert.equal(lent(), page);
  file.write(Buffer.from("y"), 1);
  assert.equal(lent(), page, "the same page again");
  fs.truncate(root, "/cut", page);
  assert.equal(lent(), 2 * page);
  fs.unlink(root, "/removed");
  assert.equal(lent(), 4 * page);
  fs.writeFile(root, "/emptied", "", O_RDWR | O_TRUNC, 0);
  assert.equal(lent(), 6 * page);
  const small = fs.open(root, "/grown", O_RDWR, 0);
  small.write(Buffer.alloc(8 * kibibyte), 0);
  assert.equal(lent(), 6 * page + kibibyte);
  fs.unlink(root, "/written");
  assert.equal(lent(), 6 * page + kibibyte, "open still");
  file.unref();
  assert.equal(lent(), 7 * page + kibibyte);
  assert.ok(fs.lent().inodes >= 6);

  assert.equal(files.readFile(root, "/removed").length, 2 * page);
  files.dispose();
  assert.deepEqual(fs.lent(), { bytes: 0, inodes: 0, names: 0 });
  write("/left", 0);
  assert.equal(lent(), 0);
});

test("what a second clone has as well counts for that one only if it has it", () => {
  const { fs, write, keep } = keeping({});
  const page = 64 * kibibyte;
  write("/file", page, "1");
  const first = keep();
  write("/file", page, "2");
  assert.equal(fs.lent().bytes, page);
  const second = keep();
  write("/file", page, "3");
  assert.equal(fs.lent().bytes, 2 * page);
  for (const [{ files }, fill] of [
    [first, "1"],
    [second, "2"],
  ])
    assert.equal(String(files.readFile(root, "/file").subarray(0, 1)), fill);
  first.files.dispose();
  assert.equal(fs.lent().bytes, page);
});

for (const [what, limits, fill] of [
  ["bytes", { bytes: 1024 * kibibyte }, ({ write }) => write("/new", 600 * kibibyte)],
  [
    "inodes",
    { inodes: 64 },
    ({ fs, write }) => {
      for (let at = 0; at < 20; at++) fs.chmod(root, `/${at}`, 0o600);
      for (let at = 0; at < 40; at++) if (write(`/new${at}`, 1) !== 0) return at;
      return 0;
    },
  ],
])
  test(`where the machine needs the ${what}, they are recalled, and it gets all that it may have`, () => {
    const { fs, write, keep } = keeping(limits);
    for (let at = 0; at < 20; at++) assert.equal(write(`/${at}`, 25 * kibibyte), 0);
    const kept = keep();
    for (let at = 0; at < 20; at++) assert.equal(fs.truncate(root, `/${at}`, 0), 0);
    assert.equal(kept.recalled, false);
    assert.equal(fill({ fs, write }), 0);
    assert.equal(kept.recalled, true);
    assert.deepEqual(fs.lent(), { bytes: 0, inodes: 0, names: 0 });
  });

test("what is over the limit by what has happened is recalled in the next turn", async () => {
  const { fs, write, keep } = keeping({ inodes: 64 });
  for (let at = 0; at < 40; at++) assert.equal(write(`/${at}`, 1), 0);
  const kept = keep();
  for (let at = 0; at < 40; at++) assert.equal(fs.chmod(root, `/${at}`, 0o600), 0);
  assert.equal(kept.recalled, false);
  await turn();
  assert.equal(kept.recalled, true);
});

test("a clone of what is kept has it still when that has gone", async () => {
  const { fs, write, keep } = keeping({ bytes: 1024 * kibibyte });
  write("/file", 600 * kibibyte, "a");
  const kept = keep();
  const begun = kept.files.clone();
  fs.unlink(root, "/file");
  assert.equal(write("/other", 900 * kibibyte), 0);
  assert.equal(kept.recalled, true);
  await turn();
  const content = begun.readFile(root, "/file");
  assert.equal(content.length, 600 * kibibyte);
  assert.ok(content.every((byte) => byte === 97));
});
