/** Host directories in a guest's tree: what is seen, what can be changed, and that nobody gets out. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  constants,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import os from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { bootLayout, FileSystem, mountLines } from "../../../dist/kernel/fs/index.js";
import { leadsTo } from "./leads-to.mjs";

const { O_RDONLY, O_WRONLY, O_RDWR, O_CREAT, O_EXCL, O_TRUNC, O_APPEND } = constants;
const errno = os.constants.errno;
const user = { uid: 1000, gid: 1000, umask: 0o022, cwd: "/" };
const identity = { uid: 1000, gid: 1000, user: "user", home: "/home/user", hostname: "box" };
const top = mkdtempSync(join(os.tmpdir(), "secure-exec-mounts-"));
after(() => rmSync(top, { recursive: true, force: true }));
const secret = "the host's secret";

/** A fresh host tree with ways out of it, beside a secret. */
function hostTree() {
  const base = mkdtempSync(join(top, "t"));
  const at = (...names) => join(base, ...names);
  mkdirSync(at("secret"));
  writeFileSync(at("secret", "file"), secret);
  mkdirSync(at("root", "sub", "deep"), { recursive: true });
  writeFileSync(at("root", "a.txt"), "hello");
  writeFileSync(at("root", "sub", "deep", "b.txt"), "deep");
  symlinkSync("sub", at("root", "inside"));
  symlinkSync("../../a.txt", at("root", "sub", "deep", "up"));
  symlinkSync("../secret/file", at("root", "out-relative"));
  symlinkSync(at("secret", "file"), at("root", "out-absolute"));
  symlinkSync(at("secret"), at("root", "out-directory"));
  symlinkSync("out-relative", at("root", "out-chain"));
  symlinkSync("/", at("root", "out-root"));
  symlinkSync("loop", at("root", "loop"));
  return { base, at };
}

function machine(...mounts) {
  const fs = new FileSystem();
  bootLayout(fs, identity);
  const results = mounts.map((mount) =>
    fs.mount({ readOnly: true, uid: 1000, gid: 1000, ...mount }),
  );
  assert.deepEqual(
    results,
    mounts.map(() => 0),
  );
  return fs;
}

const text = (fs, path) => {
  const data = fs.readFile(user, path);
  return typeof data === "number" ? data : data.toString();
};

test("a read-only mount shows the host's files and refuses every change", () => {
  const { at } = hostTree();
  const fs = machine({ guestPath: "/mnt/ro", hostPath: at("root") });
  assert.equal(text(fs, "/mnt/ro/a.txt"), "hello");
  assert.equal(text(fs, "/mnt/ro/inside/deep/b.txt"), "deep");
  assert.equal(text(fs, "/mnt/ro/sub/deep/up"), "hello");
  assert.equal(fs.realpath(user, "/mnt/ro/inside/deep/../../sub/deep/up"), "/mnt/ro/a.txt");
  assert.equal(fs.realpath(user, "/mnt/ro/sub/../../../mnt/ro/./a.txt"), "/mnt/ro/a.txt");
  assert.equal(fs.realpath(user, "/mnt/ro/.."), "/mnt");
  const names = fs.readdir(user, "/mnt/ro").map(({ name, type }) => `${name}:${type}`);
  assert.deepEqual(
    names.sort(),
    readdirSync(at("root"), { withFileTypes: true })
      .map((e) => `${e.name}:${e.isDirectory() ? 4 : e.isFile() ? 8 : 10}`)
      .sort(),
  );
  const stat = fs.stat(user, "/mnt/ro/a.txt", true);
  const host = statSync(at("root", "a.txt"));
  assert.deepEqual([stat.uid, stat.gid, stat.size, stat.ino], [0, 0, 5, host.ino]);
  assert.ok(Math.abs(stat.mtimeMs - host.mtimeMs) < 0.01);
  assert.notEqual(stat.dev, fs.stat(user, "/tmp", true).dev);
  const before = readdirSync(at("root")).join();

  const root = { ...user, uid: 0, gid: 0 };
  for (const who of [user, root]) {
    const open = (path, flags) => fs.open(who, path, flags, 0o666);
    assert.equal(open("/mnt/ro/new", O_WRONLY | O_CREAT), -errno.EROFS);
    assert.equal(open("/mnt/ro/a.txt", O_WRONLY), -errno.EROFS);
    assert.equal(open("/mnt/ro/a.txt", O_RDONLY | O_TRUNC), -errno.EROFS);
    assert.equal(open("/mnt/ro/a.txt", O_CREAT | O_EXCL | O_RDWR), -errno.EEXIST);
    assert.equal(fs.access(who, "/mnt/ro/a.txt", 2), -errno.EROFS);
    assert.equal(fs.access(who, "/mnt/ro/a.txt", 4), 0);
    assert.equal(fs.mkdir(who, "/mnt/ro/new", 0o777), -errno.EROFS);
    assert.equal(fs.mkdir(who, "/mnt/ro/sub", 0o777), -errno.EEXIST);
    assert.equal(fs.mkdirTree(who, "/mnt/ro/x/y", 0o777), -errno.EROFS);
    assert.equal(fs.rmdir(who, "/mnt/ro/sub/deep"), -errno.EROFS);
    assert.equal(fs.unlink(who, "/mnt/ro/a.txt"), -errno.EROFS);
    assert.equal(fs.removeTree(who, "/mnt/ro/sub"), -errno.EROFS);
    assert.equal(fs.rename(who, "/mnt/ro/a.txt", "/mnt/ro/z"), -errno.EROFS);
    assert.equal(fs.link(who, "/mnt/ro/a.txt", "/mnt/ro/z"), -errno.EROFS);
    assert.equal(fs.symlink(who, "a.txt", "/mnt/ro/z"), -errno.EROFS);
    assert.equal(fs.chmod(who, "/mnt/ro/a.txt", 0o777), -errno.EROFS);
    assert.equal(fs.chown(who, "/mnt/ro/a.txt", 1000, 1000, true), -errno.EROFS);
    assert.equal(fs.utimes(who, "/mnt/ro/a.txt", 0, 0, true), -errno.EROFS);
    assert.equal(fs.utimes(who, "/mnt/ro/inside", 0, 0, false), -errno.EROFS);
    assert.equal(fs.truncate(who, "/mnt/ro/a.txt", 0), -errno.EROFS);
    assert.equal(fs.mkdtemp(who, "/mnt/ro/t-"), -errno.EROFS);
  }
  assert.equal(readdirSync(at("root")).join(), before);
  assert.equal(readFileSync(at("root", "a.txt"), "utf8"), "hello");
});

test("no link of the host leads to the host", () => {
  const { at } = hostTree();
  writeFileSync(at("root", "passwd"), "");
  symlinkSync("/etc/passwd", at("root", "etc"));
  for (const readOnly of [true, false]) {
    const fs = machine({ guestPath: "/mnt/m", hostPath: at("root"), readOnly });
    for (const path of [
      "out-relative",
      "out-absolute",
      "out-chain",
      "out-directory/file",
      `out-root${at("secret", "file")}`,
      "../../../../../../../../../..".concat(at("secret", "file")),
      "sub/../../secret/file",
      "out-directory/../secret/file",
    ]) {
      const result = fs.open(user, `/mnt/m/${path}`, O_RDONLY, 0);
      assert.equal(result, -errno.ENOENT, path);
      const written = fs.open(user, `/mnt/m/${path}`, O_WRONLY, 0o666);
      assert.equal(written, -errno.ENOENT, path);
    }
    assert.equal(fs.open(user, "/mnt/m/loop", O_RDONLY, 0), -errno.ELOOP);
    // Absolute links are read in the guest's own tree.
    assert.match(text(fs, "/mnt/m/etc"), /^user:x:1000/m);
    assert.deepEqual(
      fs.readdir(user, "/mnt/m/out-root").map(({ name }) => name),
      fs.readdir(user, "/").map(({ name }) => name),
    );
  }
  assert.equal(readFileSync(at("secret", "file"), "utf8"), secret);
});

test("names that are no names stay inside", () => {
  const { at } = hostTree();
  const fs = machine({ guestPath: "/mnt/m", hostPath: at("root"), readOnly: false });
  const long = "n".repeat(256);
  const cases = [
    [`/mnt/m/${long}`, errno.ENAMETOOLONG],
    [`/mnt/m/${"ü".repeat(128)}`, errno.ENAMETOOLONG],
    ["/mnt/m/a\0b", errno.EINVAL],
    ["/mnt/m/a.txt/", errno.ENOTDIR],
    ["/mnt/m/a.txt/..", errno.ENOTDIR],
    ["/mnt/m/missing/../a.txt", errno.ENOENT],
    ["/mnt/m/..\\secret\\file", errno.ENOENT],
    ["/mnt/m/%2e%2e/secret/file", errno.ENOENT],
    ["/mnt/m/\ud800", errno.ENOENT],
  ];
  for (const [path, expected] of cases)
    assert.equal(fs.open(user, path, O_RDONLY, 0), -expected, JSON.stringify(path));
  assert.equal(fs.symlink(user, at("secret", "file"), "/mnt/m/mine"), 0);
  assert.equal(fs.readlink(user, "/mnt/m/mine"), at("secret", "file"));
  assert.equal(fs.open(user, "/mnt/m/mine", O_RDONLY, 0), -errno.ENOENT);
  assert.equal(fs.link(user, "/mnt/m/mine", "/mnt/m/mine2"), 0);
  assert.equal(fs.open(user, "/mnt/m/mine2", O_RDONLY, 0), -errno.ENOENT);
  assert.equal(readlinkSync(at("root", "mine2")), at("secret", "file"));
});

test("a writable mount changes the host's files as asked", () => {
  const { at } = hostTree();
  const fs = machine({ guestPath: "/mnt/rw", hostPath: at("root"), readOnly: false });
  const write = (path, data, flags = O_WRONLY | O_CREAT | O_TRUNC) =>
    fs.writeFile(user, path, data, flags, 0o666);
  assert.equal(write("/mnt/rw/new", "one"), 0);
  assert.equal(write("/mnt/rw/new", "+two", O_WRONLY | O_APPEND), 0);
  assert.equal(readFileSync(at("root", "new"), "utf8"), "one+two");
  assert.equal(statSync(at("root", "new")).mode & 0o7777, 0o644);
  assert.equal(fs.stat(user, "/mnt/rw/new", true).uid, 1000);
  const kept = fs.open(user, "/mnt/rw/read-only", O_WRONLY | O_CREAT, 0o444);
  assert.equal(kept.write(Buffer.from("x"), -1), 1);
  kept.unref();
  assert.equal(fs.chmod(user, "/mnt/rw/new", 0o6600), 0);
  assert.equal(statSync(at("root", "new")).mode & 0o7777, 0o600);
  assert.equal(fs.utimes(user, "/mnt/rw/new", 1500.5, 2250.25, true), 0);
  assert.deepEqual(
    [statSync(at("root", "new")).atimeMs, statSync(at("root", "new")).mtimeMs],
    [1500.5, 2250.25],
  );
  assert.equal(fs.truncate(user, "/mnt/rw/new", 3), 0);
  assert.equal(readFileSync(at("root", "new"), "utf8"), "one");
  assert.equal(fs.mkdirTree(user, "/mnt/rw/d/e/f", 0o777), "/mnt/rw/d");
  assert.equal(fs.link(user, "/mnt/rw/new", "/mnt/rw/d/e/hard"), 0);
  assert.equal(fs.stat(user, "/mnt/rw/new", true).nlink, 2);
  assert.equal(fs.symlink(user, "e/hard", "/mnt/rw/d/soft"), 0);
  assert.equal(text(fs, "/mnt/rw/d/soft"), "one");
  assert.equal(fs.rename(user, "/mnt/rw/d/e", "/mnt/rw/moved"), 0);
  assert.equal(fs.rename(user, "/mnt/rw/d", "/mnt/rw/d/inside"), -errno.EINVAL);
  assert.equal(fs.rename(user, "/mnt/rw/d", "/mnt/rw/moved"), -errno.ENOTEMPTY);
  assert.equal(text(fs, "/mnt/rw/moved/hard"), "one");
  assert.equal(text(fs, "/mnt/rw/d/soft"), -errno.ENOENT);
  assert.equal(fs.rmdir(user, "/mnt/rw/moved"), -errno.ENOTEMPTY);
  assert.equal(fs.removeTree(user, "/mnt/rw/moved"), 0);
  assert.equal(existsSync(at("root", "moved")), false);
  assert.equal(fs.unlink(user, "/mnt/rw/sub"), -errno.EISDIR);
  assert.equal(fs.chown(user, "/mnt/rw/new", 1000, 1000, true), 0);
  assert.equal(fs.chown({ ...user, uid: 0 }, "/mnt/rw/new", 0, 0, true), -errno.EPERM);
  assert.match(fs.mkdtemp(user, "/mnt/rw/t-"), /^\/mnt\/rw\/t-\w{6}$/);
  const open = fs.open(user, "/mnt/rw/new", O_RDWR, 0);
  assert.equal(fs.unlink(user, "/mnt/rw/new"), 0);
  const buffer = Buffer.alloc(8);
  assert.equal(open.read(buffer, -1), 3);
  assert.equal(open.write(Buffer.from("!"), 3), 1);
  assert.equal(open.stat().size, 4);
  assert.equal(open.stat().nlink, 0);
  assert.match(open.path, / \(deleted\)$/);
  open.unref();
  assert.equal(open.read(buffer, 0), -errno.EBADF);
});

test("file systems do not mix, and mount points stay", () => {
  const { at } = hostTree();
  const fs = machine(
    { guestPath: "/mnt/rw", hostPath: at("root"), readOnly: false },
    { guestPath: "/workspace/deep/er", hostPath: at("root") },
    { guestPath: "/workspace/one.txt", hostPath: at("root", "a.txt") },
    { guestPath: "/workspace/two.txt", hostPath: at("root", "a.txt"), readOnly: false },
  );
  const root = { ...user, uid: 0, gid: 0 };
  fs.writeFile(user, "/workspace/f", "", O_WRONLY | O_CREAT, 0o666);
  assert.equal(fs.rename(user, "/workspace/f", "/mnt/rw/f"), -errno.EXDEV);
  assert.equal(fs.rename(user, "/mnt/rw/a.txt", "/workspace/deep/er/a"), -errno.EXDEV);
  assert.equal(fs.link(user, "/workspace/f", "/mnt/rw/f"), -errno.EXDEV);
  assert.equal(fs.link(user, "/mnt/rw/a.txt", "/workspace/g"), -errno.EXDEV);
  assert.equal(fs.link(user, "/workspace/one.txt", "/workspace/g"), -errno.EXDEV);
  assert.equal(fs.rmdir(root, "/mnt/rw"), -errno.EBUSY);
  assert.equal(fs.removeTree(root, "/mnt"), -errno.EBUSY);
  assert.equal(fs.removeTree(user, "/workspace/deep"), -errno.EBUSY);
  assert.equal(fs.rename(root, "/mnt/rw", "/mnt/elsewhere"), -errno.EBUSY);
  assert.equal(fs.rename(user, "/workspace/deep/er", "/workspace/er"), -errno.EBUSY);
  assert.equal(fs.unlink(user, "/workspace/one.txt"), -errno.EBUSY);
  assert.equal(fs.rename(user, "/workspace/f", "/workspace/one.txt"), -errno.EBUSY);
  assert.equal(fs.mkdir(root, "/mnt/rw", 0o777), -errno.EEXIST);
  // A directory on the way may move, and takes the mount along.
  assert.equal(fs.stat(user, "/workspace/deep", true).uid, 1000);
  assert.equal(fs.rename(user, "/workspace/deep", "/workspace/moved"), 0);
  assert.equal(fs.realpath(user, "/workspace/moved/er/inside"), "/workspace/moved/er/sub");
  assert.equal(text(fs, "/workspace/one.txt"), "hello");
  assert.equal(fs.open(user, "/workspace/one.txt", O_WRONLY, 0), -errno.EROFS);
  assert.equal(fs.writeFile(user, "/workspace/two.txt", "by guest", O_WRONLY | O_TRUNC, 0), 0);
  assert.equal(readFileSync(at("root", "a.txt"), "utf8"), "by guest");
  assert.equal(text(fs, "/workspace/one.txt"), "by guest");
  assert.equal(fs.readdir(user, "/workspace").find((e) => e.name === "one.txt").type, 8);
  assert.match(mountLines(fs.mounts), /^host \/workspace\/one\.txt host ro,/m);
  // What replaces the one file of a mount is not followed anywhere.
  rmSync(at("root", "a.txt"));
  symlinkSync(at("secret", "file"), at("root", "a.txt"));
  assert.equal(text(fs, "/workspace/one.txt"), -errno.ENOENT);
  for (const guestPath of ["/mnt/rw", "/mnt/rw/sub", "/mnt", "/"])
    assert.equal(
      fs.mount({ guestPath, hostPath: at("secret"), readOnly: true, uid: 0, gid: 0 }) < 0,
      true,
      guestPath,
    );
});

test("links between mounted directories, as package managers make them", () => {
  const { at } = hostTree();
  const store = at("store", "pkg@1", "node_modules", "pkg");
  mkdirSync(store, { recursive: true });
  writeFileSync(join(store, "index.js"), "1");
  mkdirSync(at("app", "node_modules"), { recursive: true });
  mkdirSync(at("packages", "lib"), { recursive: true });
  writeFileSync(at("packages", "lib", "index.js"), "2");
  symlinkSync(store, at("app", "node_modules", "absolute"));
  symlinkSync("../../store/pkg@1/node_modules/pkg", at("app", "node_modules", "relative"));
  symlinkSync("../../packages/lib", at("app", "node_modules", "lib"));
  symlinkSync("../../secret", at("app", "node_modules", "secret"));
  const fs = machine(
    { guestPath: "/tmp/node_modules", hostPath: at("app", "node_modules") },
    { guestPath: "/opt/store", hostPath: at("store") },
    { guestPath: "/workspace/lib", hostPath: at("packages", "lib") },
  );
  const real = (name) => fs.realpath(user, `/tmp/node_modules/${name}`);
  assert.equal(real("absolute/index.js"), "/opt/store/pkg@1/node_modules/pkg/index.js");
  assert.equal(real("relative/index.js"), "/opt/store/pkg@1/node_modules/pkg/index.js");
  assert.equal(real("lib/index.js"), "/workspace/lib/index.js");
  assert.equal(fs.readlink(user, "/tmp/node_modules/lib"), "/workspace/lib");
  assert.equal(real("secret/file"), -errno.ENOENT);
});

test("files that are no files are shown and not opened", async () => {
  const { at } = hostTree();
  const maker = spawn("mkfifo", [at("root", "fifo")]);
  const [code] = await once(maker, "exit");
  assert.equal(code, 0);
  const fs = machine({ guestPath: "/mnt/m", hostPath: at("root"), readOnly: false });
  assert.equal(fs.stat(user, "/mnt/m/fifo", true).mode & 0o170000, 0o010000);
  for (const flags of [O_RDONLY, O_WRONLY, O_RDWR])
    assert.equal(fs.open(user, "/mnt/m/fifo", flags, 0), -errno.ENXIO);
});

test("what the host's user may not read stays unread, and what he may is readable", () => {
  const { at } = hostTree();
  chmodSync(at("root", "a.txt"), 0o600);
  chmodSync(at("root", "sub"), 0o700);
  const fs = machine({ guestPath: "/mnt/m", hostPath: at("root") });
  assert.equal(text(fs, "/mnt/m/a.txt"), "hello");
  assert.equal(text(fs, "/mnt/m/sub/deep/b.txt"), "deep");
  assert.equal(fs.access(user, "/mnt/m/a.txt", 1), -errno.EACCES);
});

test("changes of the host are seen at once", () => {
  const { at } = hostTree();
  const fs = machine({ guestPath: "/mnt/m", hostPath: at("root") });
  assert.equal(text(fs, "/mnt/m/sub/deep/b.txt"), "deep");
  renameSync(at("root", "sub"), at("root", "was"));
  assert.equal(text(fs, "/mnt/m/sub/deep/b.txt"), -errno.ENOENT);
  mkdirSync(at("root", "sub", "deep"), { recursive: true });
  linkSync(at("root", "a.txt"), at("root", "sub", "deep", "b.txt"));
  assert.equal(text(fs, "/mnt/m/sub/deep/b.txt"), "hello");
  assert.equal(text(fs, "/mnt/m/was/deep/b.txt"), "deep");
  fs.dispose();
  assert.equal(text(fs, "/mnt/m/was/deep/b.txt"), -errno.EIO);
  assert.equal(fs.mkdir(user, "/mnt/m/x", 0o777), -errno.EIO);
});

test("more directories than are kept open", () => {
  const { at } = hostTree();
  for (let i = 0; i < 200; i++) {
    mkdirSync(at("root", `d${i}`));
    writeFileSync(at("root", `d${i}`, "f"), String(i));
  }
  const fs = machine({ guestPath: "/mnt/m", hostPath: at("root") });
  const openFds = () => readdirSync("/proc/self/fd").length;
  const before = openFds();
  for (let round = 0; round < 2; round++)
    for (let i = 0; i < 200; i++) assert.equal(text(fs, `/mnt/m/d${i}/f`), String(i));
  assert.ok(openFds() - before <= 64);
  fs.dispose();
  assert.ok(openFds() < before);
});

/** Keeps replacing a directory by a link to the secret and back, until its stdin ends. */
const swapper = `
  const fs = require("node:fs");
  const [base] = process.argv.slice(1);
  process.chdir(base);
  let swaps = 0, over = false;
  process.stdin.resume().on("end", () => { over = true; });
  fs.symlinkSync("../secret", "root/link");
  console.log("ready");
  (function turn() {
    for (let i = 0; i < 200; i++) {
      fs.renameSync("root/target", "outside"); fs.renameSync("root/link", "root/target");
      fs.renameSync("root/target", "root/link"); fs.renameSync("outside", "root/target");
      swaps++;
    }
    if (over) console.log(String(swaps)); else setImmediate(turn);
  })();`;

test("a directory that the host swaps for a link while a guest reads leads nowhere else", async () => {
  const { base, at } = hostTree();
  mkdirSync(at("root", "target", "inner"), { recursive: true });
  writeFileSync(at("root", "target", "file"), "harmless");
  writeFileSync(at("root", "target", "inner", "file"), "harmless");
  mkdirSync(at("secret", "inner"));
  writeFileSync(at("secret", "inner", "file"), secret);
  const other = spawn(process.execPath, ["-e", swapper, base], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  let output = "";
  const ready = new Promise((resolve) => {
    other.stdout.on("data", (chunk) => {
      output += chunk;
      if (output.includes("ready\n")) resolve();
    });
  });
  await ready;
  const fs = machine({ guestPath: "/mnt/m", hostPath: at("root"), readOnly: false });
  const seen = new Map();
  const note = (result) => seen.set(result, (seen.get(result) ?? 0) + 1);
  const started = new Set(["target/file", "target/inner/file"]);
  for (let i = 0; i < 6000; i++) {
    for (const path of started) note(text(fs, `/mnt/m/${path}`));
    const list = fs.readdir(user, "/mnt/m/target");
    note(typeof list === "number" ? list : list.map(({ name }) => name).join());
    const file = fs.open(user, "/mnt/m/target/made", O_WRONLY | O_CREAT, 0o666);
    if (typeof file !== "number") file.unref();
    fs.unlink(user, "/mnt/m/target/inner/none");
  }
  other.stdin.end();
  const [exit] = await once(other, "close");
  assert.equal(exit, 0);
  assert.ok(Number(output.split("\n")[1]) >= 200, output);
  assert.ok(seen.get("harmless") > 0, "the directory was never seen in place");
  assert.equal(seen.has(secret), false);
  assert.deepEqual(readdirSync(at("secret")).sort(), ["file", "inner"]);
  for (const result of seen.keys())
    assert.ok(
      typeof result === "string" || [-errno.ENOENT, -errno.ENOTDIR, -errno.ELOOP].includes(result),
      String(result),
    );
});

test("the walk without openat2 refuses the same", async () => {
  const { openBeneath, openRoot, openStepwise, closeFd } =
    await import("../../../dist/sandbox/dirfd.js");
  const { at } = hostTree();
  const root = openRoot(at("root"));
  const cases = [
    ["sub", 0],
    ["sub/deep", 0],
    ["inside", errno.ELOOP],
    ["inside/deep", errno.ELOOP],
    ["out-directory", errno.ELOOP],
    ["a.txt", errno.ENOTDIR],
    ["missing", errno.ENOENT],
  ];
  for (const open of [openBeneath, openStepwise])
    for (const [path, expected] of cases) {
      const fd = open(root, path);
      if (expected === 0) assert.ok(fd >= 0, path);
      // O_DIRECTORY | O_NOFOLLOW on a link: ENOTDIR for one kernel path, ELOOP for the other.
      else
        assert.ok(
          fd === -expected || (expected === errno.ELOOP && fd === -errno.ENOTDIR),
          `${path} ${fd}`,
        );
      if (fd >= 0) closeFd(fd);
    }
  for (const open of [openBeneath, openStepwise])
    for (const path of ["..", "sub/../..", "../secret", at("secret")])
      assert.ok(open(root, path) < 0, path);
  closeFd(root);
});

test("locating says what a call would touch", () => {
  const { at } = hostTree();
  const fs = machine({ guestPath: "/mnt/m", hostPath: at("root") });
  fs.symlink(user, "/mnt/m", "/tmp/link");
  fs.symlink(user, "nowhere/x", "/tmp/dangling");
  const cases = [
    ["/tmp/link/inside/deep/up", true, "/mnt/m/a.txt"],
    ["/tmp/link/inside/deep/up", false, "/mnt/m/sub/deep/up"],
    ["/tmp/link", false, "/tmp/link"],
    ["/tmp/link", true, "/mnt/m"],
    ["/tmp/link/new", true, "/mnt/m/new"],
    ["/tmp/dangling", true, "/tmp/nowhere/x"],
    ["/tmp/dangling", false, "/tmp/dangling"],
    ["/tmp/none/../../etc/./x/", true, "/etc/x"],
    ["/tmp/a/b//c", true, "/tmp/a/b/c"],
    ["/", true, "/"],
    ["/etc/..", true, "/"],
    ["etc/passwd", true, "/etc/passwd"],
  ];
  for (const [path, follow, expected] of cases) {
    assert.equal(leadsTo(fs, user, path, follow), expected, path);
  }
  assert.equal(leadsTo(fs, user, "/etc/passwd/x", true), -errno.ENOTDIR);
  assert.equal(leadsTo(fs, user, "/mnt/m/loop", true), -errno.ELOOP);
});

test("a call looks at a directory once until it changes something, and the next call looks again", () => {
  const { at } = hostTree();
  const fs = machine({ guestPath: "/mnt/rw", hostPath: at("root"), readOnly: false });
  const sub = "/mnt/rw/sub/deep";
  const hide = () => renameSync(at("root", "sub"), at("root", "hidden"));
  const show = () => renameSync(at("root", "hidden"), at("root", "sub"));
  const there = () => typeof fs.stat(user, sub, true) !== "number";

  fs.bounded(() => {
    assert.ok(there());
    hide();
    // Of the same call: what it was judged by is what it uses.
    assert.ok(there());
    // A part of the call, after a question to the policy, say.
    assert.ok(fs.bounded(there));
    assert.ok(there());
    assert.equal(fs.mkdir(user, "/mnt/rw/new", 0o755), 0);
    assert.ok(!there());
  });
  fs.bounded(() => assert.ok(!there()));
  show();
  fs.bounded(() => assert.ok(there()));
  hide();
  // Outside of a call nothing is kept.
  assert.ok(!there());
  show();
  assert.ok(there());
  // A directory of the same name in its place is another one, and no file is reached through the first.
  fs.bounded(() => {
    assert.equal(text(fs, `${sub}/b.txt`), "deep");
    hide();
    mkdirSync(at("root", "sub", "deep"), { recursive: true });
    symlinkSync(at("secret", "file"), at("root", "sub", "deep", "b.txt"));
    const after = text(fs, `${sub}/b.txt`);
    assert.ok(after === "deep" || after === -errno.ENOENT, String(after));
  });
});
