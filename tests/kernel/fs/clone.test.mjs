/** Clones of a file system: what is written in one is never seen in another, whatever the order. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { FileSystem } from "../../../dist/kernel/fs/index.js";
import { O_CREAT, O_RDWR, O_TRUNC, change, describe, numbers, root } from "../../support/trees.mjs";

test("random changes on both sides of random clones stay on their side", () => {
  for (let seed = 1; seed <= 60; seed++) {
    const random = numbers(seed);
    let clock = 0;
    const first = new FileSystem({}, () => ++clock);
    let all = [{ fs: first, is: describe(first) }];
    for (let step = 0; step < 120; step++) {
      const at = random(all.length);
      if (random(12) === 0 && all.length < 5) {
        // As it is described, or before anybody has looked at it.
        const fs = all[at].fs.clone();
        all.push({ fs, is: all[at].is });
      } else if (random(40) === 0 && all.length > 1) {
        all[at].fs.dispose();
        all = all.filter((one, index) => index !== at);
      } else {
        change(all[at].fs, random);
        all[at].is = describe(all[at].fs);
      }
      // Looking copies, so not everybody is looked at each time.
      const looked = all[random(all.length)];
      if (random(3) === 0)
        assert.equal(describe(looked.fs), looked.is, `seed ${seed} step ${step}`);
    }
    for (const { fs, is } of all) {
      assert.equal(describe(fs), is, `seed ${seed}`);
      // The account adds up however the files came: nothing is left of it without them.
      for (const { name } of fs.readdir(root, "/"))
        assert.equal(fs.removeTree(root, `/${name}`), 0);
      assert.deepEqual(fs.usage(), { bytes: 0, inodes: 1 }, `seed ${seed}`);
    }
  }
});

test("a file that is open without a name stays with those who have it open", () => {
  const fs = new FileSystem();
  fs.writeFile(root, "/gone", "x".repeat(100_000), O_RDWR | O_CREAT, 0o644);
  const file = fs.open(root, "/gone", O_RDWR, 0);
  fs.unlink(root, "/gone");
  const clone = fs.clone();
  assert.deepEqual(clone.usage(), { bytes: 0, inodes: 1 });
  assert.ok(fs.usage().bytes > 0);
  file.write(Buffer.from("y"), 0);
  file.unref();
  assert.deepEqual(fs.usage(), { bytes: 0, inodes: 1 });
});

test("an open file of the source writes to the source only", () => {
  const fs = new FileSystem();
  fs.writeFile(root, "/file", "before", O_RDWR | O_CREAT, 0o644);
  const file = fs.open(root, "/file", O_RDWR, 0);
  const clone = fs.clone();
  file.write(Buffer.from("BEFORE and after"), 0);
  assert.equal(String(clone.readFile(root, "/file")), "before");
  assert.equal(String(fs.readFile(root, "/file")), "BEFORE and after");
});

test("limits hold for each by itself", () => {
  const fs = new FileSystem({ bytes: 100_000, inodes: 1024 });
  assert.equal(fs.writeFile(root, "/a", "x".repeat(60_000), O_RDWR | O_CREAT, 0o644), 0);
  const clone = fs.clone();
  const full = "y".repeat(60_000);
  assert.equal(clone.writeFile(root, "/b", full, O_RDWR | O_CREAT, 0o644), -28);
  assert.equal(clone.unlink(root, "/a"), 0);
  assert.equal(clone.writeFile(root, "/b", full, O_RDWR | O_TRUNC, 0o644), 0);
  assert.equal(String(fs.readFile(root, "/a")), "x".repeat(60_000));
});

test("cloning costs nothing by the number of files, and clones outlive their source", async () => {
  const fill = (count) => {
    const fs = new FileSystem({ inodes: 200_000 });
    for (let at = 0; at < count; at++) {
      const directory = `/t/${at % 100}`;
      if (at < 100) fs.mkdirTree(root, directory, 0o755);
      fs.writeFile(root, `${directory}/${at}`, "content", O_RDWR | O_CREAT, 0o644);
    }
    return fs;
  };
  const cost = (fs) => {
    let best = Infinity;
    for (let round = 0; round < 20; round++) {
      const startedAt = performance.now();
      const clone = fs.clone();
      best = Math.min(best, performance.now() - startedAt);
      clone.dispose();
    }
    return best;
  };
  const small = fill(100);
  const large = fill(20_000);
  cost(small);
  const [few, many] = [cost(small), cost(large)];
  assert.ok(many < few * 20 + 0.2, `${many} ms for 20,000 files, ${few} ms for 100`);

  const clone = large.clone();
  const before = describe(clone);
  assert.equal(describe(large), before);
  const last = clone.clone();
  large.dispose();
  clone.dispose();
  // In steps of the event loop.
  for (let turn = 0; turn < 200; turn++) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(describe(last), before);
});

test("what a clone gives up of a source that went is not kept in memory", async () => {
  setFlagsFromString("--expose-gc");
  const gc = runInNewContext("gc");
  const bytes = 64 * 2 ** 20;
  let fs = new FileSystem();
  fs.mkdirTree(root, "/a/b", 0o755);
  fs.writeFile(root, "/a/b/large", Buffer.alloc(bytes), O_RDWR | O_CREAT, 0o644);
  const clone = fs.clone();
  const before = process.memoryUsage().arrayBuffers;
  fs.dispose();
  fs = undefined;
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(clone.unlink(root, "/a/b/large"), 0);
  for (let turn = 0; turn < 10; turn++) {
    gc();
    await new Promise((resolve) => setImmediate(resolve));
  }
  const freed = before - process.memoryUsage().arrayBuffers;
  assert.ok(freed > bytes * 0.9, `${freed} bytes were freed`);
  assert.deepEqual(clone.usage().bytes, 0);
});
