// Memory of pages goes from file to file at once: never while another file has the page, or somebody looks at it.
import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { FileSystem } from "../../../dist/kernel/fs/index.js";
import { PageCache } from "../../../dist/kernel/fs/page-cache.js";
import { PAGE_BYTES, givePage, takePage } from "../../../dist/kernel/fs/page-memory.js";
import { Quota, completeLimits } from "../../../dist/kernel/fs/quota.js";
import { numbers, root } from "../../support/trees.mjs";

const cache = () => new PageCache(new Quota(completeLimits()));
const O_RDWR_CREAT = 0o102;

test("what nobody uses goes back to the OS, without the collector", async () => {
  // Of its own: whoever has given pages back before in this process has a timer that looks.
  const own = new URL("../../../dist/kernel/fs/page-memory.js?own", import.meta.url).href;
  const { givePage, takePage } = await import(own);
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    const pages = Array.from({ length: 3000 }, () => takePage(PAGE_BYTES));
    const bytes = () => process.memoryUsage().arrayBuffers;
    const before = bytes();
    for (const page of pages) givePage(page);
    const kept = bytes();
    assert.ok(before - kept >= 900 * PAGE_BYTES, "no more is kept than there is room for");
    givePage(takePage(PAGE_BYTES));
    mock.timers.tick(5000);
    assert.ok(bytes() > kept - 10 * PAGE_BYTES, "kept while it is used");
    mock.timers.tick(5000);
    assert.ok(kept - bytes() >= 2000 * PAGE_BYTES, `${kept - bytes()} bytes given back`);
  } finally {
    mock.timers.reset();
  }
});

test("a page that is given back is another's, and empty for who had it", () => {
  const page = takePage(PAGE_BYTES).fill(7);
  const view = page.subarray(10, 20);
  givePage(page);
  const next = takePage(PAGE_BYTES);
  assert.deepEqual([page.length, view.length, next.length], [0, 0, PAGE_BYTES]);
  // The same memory: it is not taken from the OS anew.
  assert.equal(next[100], 7);
});

test("what is looked at stays what it is, whatever becomes of the file", () => {
  const file = cache();
  file.write(Buffer.alloc(3 * PAGE_BYTES, "a"), 0);
  const pieces = [...file.pieces(0, 3 * PAGE_BYTES)];
  file.resize(0);
  const other = cache();
  other.write(Buffer.alloc(3 * PAGE_BYTES, "b"), 0);
  for (const piece of pieces) assert.ok(piece.length > 0 && piece.every((byte) => byte === 97));
});

test("a page never shows another file's bytes, in files that share pages or not", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = numbers(seed);
    const all = [{ fs: new FileSystem({}), files: new Map() }];
    for (let step = 0; step < 150; step++) {
      const at = random(all.length);
      const { fs, files } = all[at];
      if (random(15) === 0 && all.length < 4) {
        all.push({
          fs: fs.clone(),
          files: new Map([...files].map(([n, b]) => [n, Buffer.from(b)])),
        });
        continue;
      }
      if (random(40) === 0 && all.length > 1) {
        fs.dispose();
        all.splice(at, 1);
        continue;
      }
      const name = `/f${random(4)}`;
      const old = files.get(name) ?? Buffer.alloc(0);
      const file = fs.open(root, name, O_RDWR_CREAT, 0o644);
      if (random(3) === 0) {
        const size = random(5) === 0 ? 0 : random(5 * PAGE_BYTES);
        assert.equal(file.truncate(size), 0);
        const now = Buffer.alloc(size);
        old.copy(now);
        files.set(name, now);
      } else {
        const start = random(4 * PAGE_BYTES);
        const bytes = Buffer.alloc(random(2 * PAGE_BYTES), random(256));
        assert.equal(file.write(bytes, start), bytes.length);
        const now = Buffer.alloc(
          bytes.length === 0 ? old.length : Math.max(old.length, start + bytes.length),
        );
        old.copy(now);
        bytes.copy(now, start);
        files.set(name, now);
      }
      file.unref();
      if (random(10) === 0) {
        assert.equal(fs.unlink(root, name), 0);
        files.delete(name);
      }
      for (const one of all)
        for (const [path, is] of one.files)
          assert.ok(one.fs.readFile(root, path).equals(is), `seed ${seed} step ${step} ${path}`);
    }
  }
});
