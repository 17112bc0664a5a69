// What is promised to fit does, and nobody else pays for it for longer than the promise lasts.
import assert from "node:assert/strict";
import { test } from "node:test";
import { FileSystem } from "../../../dist/kernel/fs/index.js";
import { numbers, root } from "../../support/trees.mjs";

const ENOSPC = 28;
const [O_RDWR, O_CREAT, O_APPEND] = [2, 0o100, 0o2000];
const open = (fs, path, flags = O_RDWR | O_CREAT) => fs.open(root, path, flags, 0o644);

test("what is promised is taken at once, fits in any pieces, and is given back", () => {
  for (let seed = 1; seed <= 50; seed++) {
    const random = numbers(seed);
    const bytes = 65_536 * (2 + random(20));
    const fs = new FileSystem({ bytes });
    const file = open(fs, "/f");
    file.write(Buffer.alloc(random(200_000) % bytes), -1);
    const before = fs.usage().bytes;
    const promise = file.promise(1 + random(bytes));
    if (promise === undefined) continue;
    // Somebody takes all that is left.
    const other = open(fs, "/other");
    while (other.write(Buffer.alloc(65_536), -1) > 0);
    while (other.write(Buffer.alloc(512), -1) > 0);
    const { left } = promise;
    let written = 0;
    while (promise.left > 0) {
      const piece = Math.min(promise.left, 1 + random(30_000));
      assert.equal(promise.write(Buffer.alloc(piece)), piece, `seed ${seed}`);
      written += piece;
    }
    assert.equal(written, left);
    promise.end();
    other.truncate(0);
    const used = fs.usage().bytes;
    file.truncate(0);
    assert.equal(fs.usage().bytes, 0);
    assert.ok(used >= before);
  }
});

test("a promise that is given back leaves nothing taken, and is nothing that a clone has", () => {
  const fs = new FileSystem({ bytes: 1024 * 1024 });
  const file = open(fs, "/f");
  file.write(Buffer.alloc(100), -1);
  const before = fs.usage();
  const promise = file.promise(300_000);
  assert.equal(promise.left, 300_000);
  assert.ok(fs.usage().bytes >= before.bytes + 300_000);
  assert.deepEqual(fs.clone().usage(), before);
  promise.end();
  assert.deepEqual(fs.usage(), before);
  const most = file.promise(2 * 1024 * 1024);
  assert.equal(most.left, 512 * 1024, "as much as there is room for, or a quarter");
  most.end();
  assert.equal(open(fs, "/all").write(Buffer.alloc(1024 * 1024), -1), 1024 * 1024 - 65_536);
  assert.ok(file.promise(1024 * 1024).left < 65_536, "to the end of its page");
});

test("nothing is promised of what others share, nor where writes go elsewhere or nowhere", () => {
  const fs = new FileSystem({ fileBytes: 1000 });
  const file = open(fs, "/f");
  assert.equal(file.promise(2000).left, 1000);
  file.ref();
  assert.equal(file.promise(10), undefined);
  file.unref();
  file.revoke(false, true);
  assert.equal(file.promise(10), undefined);
  assert.equal(open(fs, "/log", O_RDWR | O_CREAT | O_APPEND).promise(10), undefined);
  const full = open(fs, "/full");
  full.write(Buffer.alloc(1000), -1);
  assert.equal(full.promise(10), undefined);
});

test("a promise that others have made impossible is an error of the next write, sync or close, once", () => {
  for (const next of ["write", "sync", "flush"]) {
    const fs = new FileSystem({ bytes: 4 * 65_536 });
    const file = open(fs, "/f");
    file.write(Buffer.alloc(65_536 + 100, "a"), -1);
    const promise = file.promise(10_000);
    // By another description: cut, and its place taken.
    open(fs, "/f", O_RDWR).truncate(0);
    const other = open(fs, "/other");
    while (other.write(Buffer.alloc(512), -1) > 0);
    const wrote = promise.write(Buffer.alloc(9_000, "b"));
    assert.ok(wrote < 9_000);
    assert.equal(promise.write(Buffer.alloc(100, "c")), 0, "nothing comes behind what is missing");
    promise.end();
    other.truncate(0);
    const told = () => (next === "write" ? file.write(Buffer.from("d"), -1) : file[next]());
    assert.equal(told(), -ENOSPC, next);
    assert.equal(told(), next === "write" ? 1 : 0, next);
  }
});
