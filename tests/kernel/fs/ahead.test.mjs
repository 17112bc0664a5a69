// What a module loader is told of a directory ahead: bounded, however much is in the directory.
import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { FileSystem } from "../../../dist/kernel/fs/index.js";
import { MemoryDirectory } from "../../../dist/kernel/fs/inode.js";
import { Account } from "../../../dist/kernel/machine/account.js";
import { fsLimits } from "../../../dist/protocol/fs-calls.js";

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
