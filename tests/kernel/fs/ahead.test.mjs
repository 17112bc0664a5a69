// What a module loader is told of a directory ahead: bounded, however much is in the directory.
import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { FileSystem } from "../../../dist/kernel/fs/index.js";
import { MemoryDirectory } from "../../../dist/kernel/fs/inode.js";
import { Account } from "../../../dist/kernel/machine/account.js";
import { statNumbers } from "../../../dist/kernel/fs/index.js";
import { AheadWants, fsLimits, statSlots } from "../../../dist/protocol/fs-calls.js";

const E2BIG = 7;
const root = { uid: 0, gid: 0, umask: 0, cwd: "/" };
const limits = { kernelBytes: 1 << 30, kernelObjects: 1 << 20, hostDescriptors: 100 };

test("a directory of too many names is refused before they are listed", () => {
  const fs = new FileSystem({}, undefined, new Account(limits));
  assert.equal(fs.mkdir(root, "/d", 0o777), 0);
  const add = (name) => fs.writeFile(root, `/d/${name}.js`, Buffer.from("1"), 0o101, 0o644);
  for (let i = 0; i < fsLimits.aheadEntries; i++) add(i);
  const list = mock.method(MemoryDirectory.prototype, "list");
  try {
    assert.equal(fs.directoryAhead(root, "/d", "").kinds.length, fsLimits.aheadEntries);
    assert.equal(list.mock.callCount(), 1);
    add("more");
    assert.equal(fs.directoryAhead(root, "/d", ""), -E2BIG);
    assert.equal(list.mock.callCount(), 1);
  } finally {
    list.mock.restore();
  }
});

test("attributes are those of each file whose content is told, in the order of the names, and no more", () => {
  const fs = new FileSystem({}, undefined, new Account(limits));
  assert.equal(fs.mkdir(root, "/d", 0o777), 0);
  const add = (name, text) =>
    fs.writeFile(root, `/d/${name}`, Buffer.from(text), 0o101, 0o640 | name.length);
  for (let i = 0; i < 2 * fsLimits.aheadFiles; i++) add(`m${i}.js`, "x".repeat(i % 3));
  add("note.txt", "no module");
  add("package.json", "{}");
  add("index.js", "");
  assert.equal(fs.symlink(root, "m1.js", "/d/link.js"), 0);
  const sizesOf = ({ places }) => {
    const numbers = new Int32Array(places.buffer, places.byteOffset, places.byteLength / 4);
    return numbers.filter((_, at) => at % 2 === 1);
  };
  const told = fs.directoryAhead(root, "/d", "m200.js", AheadWants.attributes);
  const names = told.names.split("/").filter((_, at) => sizesOf(told)[at] >= 0);
  assert.equal(names.length, fsLimits.aheadFiles);
  assert.ok(names.includes("m200.js") && !names.includes("link.js") && !names.includes("note.txt"));
  const stats = new Float64Array(told.stats.buffer, told.stats.byteOffset, told.stats.length / 8);
  assert.equal(stats.length, names.length * statSlots);
  for (const [at, name] of names.entries())
    assert.deepEqual(
      [...stats.subarray(at * statSlots, (at + 1) * statSlots)],
      statNumbers(fs.stat(root, `/d/${name}`, true)),
      name,
    );
  for (const [wants, expected] of [
    [AheadWants.names, []],
    [AheadWants.package, ["index.js", "package.json"]],
  ]) {
    const some = fs.directoryAhead(root, "/d", "", wants);
    assert.deepEqual(
      some.names.split("/").filter((_, at) => sizesOf(some)[at] >= 0),
      expected,
    );
    assert.equal(some.stats.length, 0);
  }
});
