/** What the differential test cannot see: times, quotas aside, every rule by name. */
import assert from "node:assert/strict";
import { constants } from "node:fs";
import os from "node:os";
import { test } from "node:test";
import { FileSystem, OpenFile } from "../../../dist/kernel/fs/index.js";

const { O_RDONLY, O_WRONLY, O_RDWR, O_CREAT, O_EXCL, O_TRUNC, O_APPEND } = constants;
const { O_DIRECTORY, O_NOFOLLOW } = constants;
const errno = os.constants.errno;
const root = { uid: 0, gid: 0, umask: 0o022, cwd: "/" };
const user = { uid: 1000, gid: 1000, umask: 0o022, cwd: "/work" };

function make(limits) {
  const clock = { now: 1000 };
  const fs = new FileSystem(limits, () => clock.now);
  assert.equal(fs.mkdir(root, "/work", 0o755), 0);
  assert.equal(fs.chown(root, "/work", 1000, 1000, true), 0);
  const put = (path, text = "") =>
    assert.equal(
      fs.writeFile(user, path, Buffer.from(text), O_WRONLY | O_CREAT | O_TRUNC, 0o666),
      0,
    );
  const get = (path) => fs.readFile(user, path).toString();
  const open = (path, flags, mode = 0o666) => {
    const file = fs.open(user, path, flags, mode);
    assert.ok(file instanceof OpenFile, `open ${path}: ${file}`);
    return file;
  };
  return { fs, clock, put, get, open };
}

test("hard links share an inode", () => {
  const { fs, put, get } = make();
  put("a", "1");
  assert.equal(fs.link(user, "a", "b"), 0);
  put("b", "22");
  assert.equal(get("a"), "22");
  assert.equal(fs.stat(user, "a", true).nlink, 2);
  assert.equal(fs.stat(user, "a", true).ino, fs.stat(user, "b", true).ino);
  fs.mkdir(user, "d", 0o777);
  assert.equal(fs.link(user, "d", "d2"), -errno.EPERM);
  assert.equal(fs.rename(user, "a", "b"), 0);
  assert.equal(get("a"), get("b"));
});

test("symbolic links resolve relative to where they are, up to 40 of them", () => {
  const { fs, put, get } = make();
  fs.mkdirTree(user, "s/d", 0o755);
  put("s/f", "x");
  assert.equal(fs.symlink(user, "../f", "s/d/l"), 0);
  assert.equal(get("s/d/l"), "x");
  assert.equal(fs.realpath(user, "s/d/l"), "/work/s/f");
  assert.equal(fs.readlink(user, "s/d/l"), "../f");
  assert.equal(fs.readlink(user, "s/f"), -errno.EINVAL);
  assert.equal(fs.stat(user, "s/d/l", false).size, 4);
  fs.symlink(user, "l2", "l1");
  fs.symlink(user, "l1", "l2");
  assert.equal(fs.stat(user, "l1", true), -errno.ELOOP);
  put("n0");
  for (let i = 1; i <= 41; i++) fs.symlink(user, `n${i - 1}`, `n${i}`);
  assert.equal(fs.stat(user, "n40", true).size, 0);
  assert.equal(fs.stat(user, "n41", true), -errno.ELOOP);
  fs.symlink(user, "made-through-link", "dangling");
  put("dangling", "m");
  assert.equal(get("made-through-link"), "m");
});

test("an unlinked file lives on while it is open", () => {
  const { fs, put, open } = make();
  const before = fs.usage();
  put("u", "hello");
  const file = open("u", O_RDWR);
  file.ref();
  assert.equal(fs.unlink(user, "u"), 0);
  assert.equal(fs.stat(user, "u", true), -errno.ENOENT);
  assert.equal(file.stat().nlink, 0);
  assert.equal(file.write(Buffer.from("HE"), 0), 2);
  const content = Buffer.alloc(9);
  assert.equal(file.read(content, 0), 5);
  assert.equal(content.toString("utf8", 0, 5), "HEllo");
  file.unref();
  assert.equal(fs.usage().inodes, before.inodes + 1);
  file.unref();
  file.unref();
  assert.deepEqual(fs.usage(), before);
  assert.equal(file.read(content, 0), -errno.EBADF);
  assert.equal(file.write(content, 0), -errno.EBADF);
  assert.equal(file.truncate(1), -errno.EBADF);
});

test("rename keeps open files and follows the rules", () => {
  const { fs, put, get, open } = make();
  put("o1", "old");
  put("o2", "new");
  const file = open("o1", O_RDONLY);
  assert.equal(fs.rename(user, "o2", "o1"), 0);
  const content = Buffer.alloc(3);
  file.read(content, 0);
  assert.equal(content.toString(), "old");
  assert.equal(get("o1"), "new");
  fs.mkdirTree(user, "full/x", 0o755);
  fs.mkdir(user, "empty", 0o755);
  assert.equal(fs.rename(user, "empty", "full"), -errno.ENOTEMPTY);
  assert.equal(fs.rename(user, "full/x", "full"), -errno.ENOTEMPTY);
  assert.equal(fs.rename(user, "full", "full/x/y"), -errno.EINVAL);
  assert.equal(fs.rename(user, "full", "full/y"), -errno.EINVAL);
  assert.equal(fs.rename(user, "o1", "empty"), -errno.EISDIR);
  assert.equal(fs.rename(user, "empty", "o1"), -errno.ENOTDIR);
  assert.equal(fs.rename(user, "o1", "o3/"), -errno.ENOTDIR);
  assert.equal(fs.rename(user, ".", "o3"), -errno.EBUSY);
  assert.equal(fs.rename(user, "/", "o3"), -errno.EBUSY);
  const nlink = (path) => fs.stat(user, path, true).nlink;
  assert.deepEqual([nlink("full"), nlink("empty")], [3, 2]);
  assert.equal(fs.rename(user, "full/x", "empty/x"), 0);
  assert.deepEqual([nlink("full"), nlink("empty")], [2, 3]);
  assert.equal(fs.realpath(user, "empty/x/.."), "/work/empty");
});

test("open flags", () => {
  const { fs, put, open } = make();
  put("f", "1");
  fs.mkdir(user, "d", 0o755);
  fs.symlink(user, "f", "l");
  const code = (path, flags) => fs.open(user, path, flags, 0o666);
  assert.equal(code("f", O_WRONLY | O_CREAT | O_EXCL), -errno.EEXIST);
  assert.equal(code("l", O_WRONLY | O_CREAT | O_EXCL), -errno.EEXIST);
  assert.equal(code("f", O_DIRECTORY), -errno.ENOTDIR);
  assert.equal(code("l", O_NOFOLLOW), -errno.ELOOP);
  assert.equal(code("d", O_WRONLY), -errno.EISDIR);
  assert.equal(code("d", O_RDONLY | O_CREAT), -errno.EISDIR);
  assert.equal(code("d", O_RDONLY | O_TRUNC), -errno.EISDIR);
  assert.equal(code("n/", O_WRONLY | O_CREAT), -errno.EISDIR);
  assert.equal(open("d", O_DIRECTORY).read(Buffer.alloc(1), -1), -errno.EISDIR);
  assert.equal(open("f", O_WRONLY).read(Buffer.alloc(1), -1), -errno.EBADF);
  assert.equal(open("f", O_RDONLY).write(Buffer.alloc(1), -1), -errno.EBADF);
  assert.equal(open("f", O_RDONLY).truncate(0), -errno.EINVAL);
  const [a, b] = [open("f", O_RDWR | O_APPEND), open("f", O_WRONLY | O_APPEND)];
  for (const [file, text] of [
    [a, "2"],
    [b, "3"],
    [a, "4"],
  ])
    file.write(Buffer.from(text), 0);
  assert.equal(fs.readFile(user, "f").toString(), "1234");
  assert.equal(a.position, 0);
  a.write(Buffer.from("5"), -1);
  assert.equal(a.position, 5);
});

test("path errors", () => {
  const { fs, put } = make();
  put("f");
  const code = (path) => fs.stat(user, path, true);
  assert.equal(code(""), -errno.ENOENT);
  assert.equal(code("a\0b"), -errno.EINVAL);
  assert.equal(code("f/x"), -errno.ENOTDIR);
  assert.equal(code("f/"), -errno.ENOTDIR);
  assert.equal(code("f/."), -errno.ENOTDIR);
  assert.equal(code("n".repeat(255)), -errno.ENOENT);
  assert.equal(code("n".repeat(256)), -errno.ENAMETOOLONG);
  assert.equal(code("ä".repeat(128)), -errno.ENAMETOOLONG);
  assert.equal(code("/".repeat(4095)).ino, code("/").ino);
  assert.equal(code("/".repeat(4096)), -errno.ENAMETOOLONG);
  assert.equal(code("/../../work").ino, code(".").ino);
  assert.equal(fs.stat({ ...user, cwd: "/gone" }, "f", true), -errno.ENOENT);
  assert.equal(fs.unlink(user, "/work"), -errno.EACCES);
  assert.equal(fs.rmdir(user, "f"), -errno.ENOTDIR);
  assert.equal(fs.rmdir(root, "/"), -errno.EBUSY);
  assert.equal(fs.rmdir(user, "."), -errno.EINVAL);
  assert.equal(fs.rmdir(root, "/work"), -errno.ENOTEMPTY);
  assert.equal(fs.unlink(root, "/work"), -errno.EISDIR);
});

test("permission bits, umask, sticky directories and owners", () => {
  const { fs, put } = make();
  const other = { uid: 1001, gid: 1001, umask: 0, cwd: "/" };
  put("f", "x");
  assert.equal(fs.stat(user, "f", true).mode, 0o100644);
  fs.chmod(user, "f", 0);
  assert.equal(fs.readFile(user, "f"), -errno.EACCES);
  assert.equal(fs.readFile(root, "/work/f").toString(), "x");
  assert.equal(fs.access(root, "/work/f", 1), -errno.EACCES);
  fs.chmod(user, "f", 0o4755);
  assert.equal(fs.stat(user, "f", true).mode & 0o7777, 0o4755);
  put("f", "written by other than root");
  assert.equal(fs.stat(user, "f", true).mode & 0o7777, 0o755);
  assert.equal(fs.chmod(other, "/work/f", 0o777), -errno.EPERM);
  assert.equal(fs.utimes(other, "/work/f", 1, 1, true), -errno.EPERM);
  assert.equal(fs.chown(user, "f", 1001, -1, true), -errno.EPERM);
  assert.equal(fs.chown(user, "f", 1000, 1000, true), 0);
  assert.equal(fs.chown(user, "f", -1, 0xffffffff, true), 0);
  assert.equal(fs.chown(root, "/work/f", 12, 34, true), 0);
  assert.deepEqual([fs.stat(user, "f", true).uid, fs.stat(user, "f", true).gid], [12, 34]);
  fs.chmod(user, "/work", 0o600);
  assert.equal(fs.stat(user, "/work/f", true), -errno.EACCES);
  assert.equal(fs.mkdir(root, "/tmp", 0o777), 0);
  fs.chmod(root, "/tmp", 0o1777);
  fs.writeFile(user, "/tmp/mine", "", O_WRONLY | O_CREAT, 0o666);
  assert.equal(fs.unlink(other, "/tmp/mine"), -errno.EPERM);
  assert.equal(fs.rename(other, "/tmp/mine", "/tmp/theirs"), -errno.EPERM);
  assert.equal(fs.link(other, "/tmp/mine", "/tmp/kept"), -errno.EPERM);
  assert.equal(fs.unlink(user, "/tmp/mine"), 0);
  assert.equal(fs.mkdir(other, "/denied", 0o777), -errno.EACCES);
});

test("times", () => {
  const { fs, clock, put, open } = make();
  const times = (path) => {
    const { atimeMs, mtimeMs, ctimeMs, birthtimeMs } = fs.stat(user, path, true);
    return [atimeMs, mtimeMs, ctimeMs, birthtimeMs];
  };
  clock.now = 2000;
  put("f", "x");
  assert.deepEqual(times("f"), [2000, 2000, 2000, 2000]);
  assert.equal(times("/work")[1], 2000);
  clock.now = 3000;
  fs.readFile(user, "f");
  clock.now = 4000;
  open("f", O_WRONLY).write(Buffer.from("y"), 0);
  assert.deepEqual(times("f"), [3000, 4000, 4000, 2000]);
  clock.now = 5000;
  fs.chmod(user, "f", 0o600);
  assert.deepEqual(times("f"), [3000, 4000, 5000, 2000]);
  clock.now = 6000;
  fs.utimes(user, "f", 1.5, -2, true);
  assert.deepEqual(times("f"), [1.5, -2, 6000, 2000]);
  fs.mkdir(user, "d", 0o755);
  clock.now = 7000;
  fs.rename(user, "f", "d/f");
  assert.deepEqual([times("/work")[1], times("d")[1], times("d/f")[2]], [7000, 7000, 7000]);
  clock.now = 8000;
  fs.unlink(user, "d/f");
  assert.equal(times("d")[1], 8000);
  clock.now = 9000;
  fs.readdir(user, "d");
  assert.equal(times("d")[0], 9000);
});

test("trees: mkdir -p, rm -r and mkdtemp", () => {
  const { fs, put } = make();
  assert.equal(fs.mkdirTree(user, "a/b//c/", 0o755), "a");
  assert.equal(fs.mkdirTree(user, "a/b/c", 0o755), 0);
  assert.equal(fs.mkdirTree(user, "/work/a/b/d/e", 0o755), "/work/a/b/d");
  put("f");
  assert.equal(fs.mkdirTree(user, "f", 0o755), -errno.EEXIST);
  assert.equal(fs.mkdirTree(user, "f/x", 0o755), -errno.ENOTDIR);
  fs.symlink(user, "/work/f", "a/link");
  assert.equal(fs.removeTree(user, "a"), 0);
  assert.equal(fs.stat(user, "f", true).size, 0);
  assert.equal(fs.removeTree(user, "a"), -errno.ENOENT);
  assert.equal(fs.removeTree(root, "/"), -errno.EBUSY);
  const made = fs.mkdtemp(user, "tmp-");
  assert.match(made, /^tmp-[A-Za-z0-9]{6}$/);
  assert.equal(fs.stat(user, made, true).mode, 0o040700);
  assert.deepEqual(fs.readdir(user, "."), [
    { name: "f", type: 8 },
    { name: made, type: 4 },
  ]);
});
