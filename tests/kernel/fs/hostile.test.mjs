/** What a guest may try: quotas, sparse files, depth, keys and numbers nobody should pass. */
import assert from "node:assert/strict";
import { constants } from "node:fs";
import os from "node:os";
import { test } from "node:test";
import fc from "fast-check";
import { bootLayout, FileSystem } from "../../../dist/kernel/fs/index.js";

const { O_RDONLY, O_WRONLY, O_RDWR, O_CREAT } = constants;
const errno = os.constants.errno;
const who = { uid: 0, gid: 0, umask: 0, cwd: "/" };
const create = (fs, path) => fs.open(who, path, O_RDWR | O_CREAT, 0o666);

test("a byte at 1 GiB costs one page", () => {
  const fs = new FileSystem();
  const file = create(fs, "/sparse");
  assert.equal(file.write(Buffer.from("x"), 2 ** 30 - 1), 1);
  assert.equal(file.stat().size, 2 ** 30);
  assert.equal(file.stat().blocks, 8);
  assert.equal(fs.usage().bytes, 65_536);
  assert.equal(file.write(Buffer.from("abc"), 2 ** 33 - 1), 3);
  const around = Buffer.alloc(5, 1);
  assert.equal(file.read(around, 2 ** 33 - 2), 4);
  assert.deepEqual([...around], [0, 97, 98, 99, 1]);
  assert.equal(fs.readFile(who, "/sparse"), -errno.EFBIG);
  assert.equal(file.truncate(0), 0);
  assert.equal(fs.usage().bytes, 0);
  assert.equal(file.write(Buffer.from("x"), 2 ** 44), -errno.EFBIG);
  assert.equal(file.write(Buffer.from("xyz"), 2 ** 44 - 2), 2);
  assert.equal(file.truncate(2 ** 44 + 1), -errno.EFBIG);
});

test("shrinking and growing shows zeros", () => {
  const fs = new FileSystem();
  const file = create(fs, "/f");
  file.write(Buffer.alloc(200_000, 7), 0);
  for (const length of [70_000, 200_000, 3, 200_000]) assert.equal(file.truncate(length), 0);
  const content = fs.readFile(who, "/f");
  assert.equal(content.length, 200_000);
  assert.ok(content.subarray(3).every((byte) => byte === 0));
});

test("bytes, inodes and names run out with ENOSPC and come back", () => {
  const fs = new FileSystem({ bytes: 100_000, inodes: 5, names: 6 });
  const file = create(fs, "/f");
  assert.equal(file.write(Buffer.alloc(200_000, 1), 0), 65_536);
  assert.equal(file.write(Buffer.alloc(200_000, 1), 65_536), -errno.ENOSPC);
  assert.equal(fs.statfs(who, "/").bfree, Math.floor((100_000 - 65_536) / 4096));
  assert.equal(
    fs.writeFile(who, "/g", Buffer.alloc(100_000), O_WRONLY | O_CREAT, 0o600),
    -errno.ENOSPC,
  );
  file.truncate(0);
  assert.equal(fs.usage().bytes, fs.stat(who, "/g", true).blocks * 512);
  assert.equal(fs.mkdir(who, "/h", 0o755), 0);
  assert.equal(fs.symlink(who, "x".repeat(100), "/l"), 0);
  const before = fs.usage();
  assert.equal(before.inodes, 5);
  assert.equal(create(fs, "/n"), -errno.ENOSPC);
  assert.equal(fs.mkdir(who, "/n", 0o755), -errno.ENOSPC);
  assert.equal(fs.symlink(who, "y".repeat(100), "/n"), -errno.ENOSPC);
  assert.deepEqual(fs.usage(), before);
  assert.equal(fs.link(who, "/f", "/n1"), 0);
  assert.equal(fs.link(who, "/f", "/n2"), 0);
  assert.equal(fs.link(who, "/f", "/n3"), -errno.ENOSPC);
  for (const { name } of fs.readdir(who, "/")) assert.equal(fs.removeTree(who, `/${name}`), 0);
  file.unref();
  assert.deepEqual(fs.usage(), { bytes: 0, inodes: 1 });
});

test("names are keys of nothing but their directory", () => {
  const fs = new FileSystem();
  for (const name of ["__proto__", "constructor", "hasOwnProperty", "toString"]) {
    assert.equal(fs.stat(who, `/${name}`, true), -errno.ENOENT);
    assert.equal(fs.mkdir(who, `/${name}`, 0o755), 0);
  }
  assert.equal(fs.readdir(who, "/").length, 4);
  // A lone surrogate is what UTF-8 makes of it, whoever makes the name.
  const before = fs.usage().inodes;
  assert.equal(fs.mkdir(who, "/\ud800", 0o755), 0);
  assert.equal(fs.mkdir(who, "/\udfff", 0o755), -errno.EEXIST);
  assert.equal(fs.mkdirTree(who, "/\ud801/\ud802", 0o755), "/\ufffd/\ufffd");
  assert.equal(fs.removeTree(who, "/\ufffd"), 0);
  assert.equal(fs.usage().inodes, before);
});

test("depth costs no stack", () => {
  const fs = new FileSystem({ inodes: 60_000 });
  const step = "d/".repeat(2000);
  let cwd = "/";
  for (let i = 0; i < 20; i++) {
    assert.equal(typeof fs.mkdirTree({ ...who, cwd }, step, 0o755), "string");
    cwd += step;
  }
  assert.equal(fs.realpath({ ...who, cwd }, ".").length, cwd.length - 1);
  assert.equal(fs.rename({ ...who, cwd }, "/d", "x"), -errno.EINVAL);
  assert.equal(fs.removeTree(who, "/d"), 0);
  assert.deepEqual(fs.usage(), { bytes: 0, inodes: 1 });
});

test("links to links of long targets stay bounded", () => {
  const fs = new FileSystem();
  for (let i = 0; i < 50; i++) fs.symlink(who, `${"./".repeat(2000)}l${i + 1}`, `/l${i}`);
  assert.equal(fs.stat(who, "/l0", true), -errno.ELOOP);
  assert.equal(fs.stat(who, "/l20", true), -errno.ENOENT);
});

test("any argument at all answers a number and corrupts nothing", () => {
  const odd = fc.oneof(
    fc.constantFrom(NaN, Infinity, -Infinity, -0, -1, -2, 0.5, 2 ** 31, 2 ** 32, 2 ** 53, 1e300),
    fc.constantFrom(undefined, null, "7", {}, true),
    fc.integer(),
  );
  const number = (result) => typeof result === "number";
  fc.assert(
    fc.property(odd, odd, (a, b) => {
      const fs = new FileSystem({ bytes: 1_000_000, inodes: 100 });
      const file = create(fs, "/f");
      file.write(Buffer.from("content"), 0);
      const target = Buffer.alloc(16);
      fs.mkdir(who, "/d", a);
      fs.mkdirTree(who, "/e/f", a);
      for (const opened of [fs.open(who, "/f", a, b), fs.open(who, "/g", b, a)])
        if (!number(opened)) opened.unref();
      assert.ok(number(fs.access(who, "/f", a)) && number(fs.chmod(who, "/f", a)));
      assert.ok(
        number(fs.chown(who, "/f", a, b, true)) && number(fs.utimes(who, "/f", a, b, true)),
      );
      assert.ok(number(file.read(target, a)) && number(file.write(target, a)));
      assert.ok(number(fs.truncate(who, "/f", a)) && number(file.truncate(b)));
      assert.ok(number(file.chmod(a, who)) && number(file.chown(a, b, who)));
      assert.ok(number(file.utimes(a, b)));
      file.position = a;
      assert.ok(number(file.read(target, -1)) && number(file.write(target, -1)));
      const stat = file.stat();
      for (const [key, value] of Object.entries(stat)) {
        if (key.endsWith("Ms")) assert.ok(Number.isFinite(value), key);
        else assert.ok(Number.isSafeInteger(value) && value >= 0, `${key} ${value}`);
      }
      assert.ok(fs.usage().bytes >= 0 && fs.usage().bytes <= 1_000_000);
      file.unref();
      for (const { name } of fs.readdir(who, "/")) fs.removeTree(who, `/${name}`);
      assert.deepEqual(fs.usage(), { bytes: 0, inodes: 1 });
      for (const path of [a, b])
        assert.ok(number(fs.stat(who, path, true)) || typeof path === "string");
    }),
    { numRuns: 300, includeErrorInReport: true },
  );
});

test("the boot layout: owners, devices, configuration", () => {
  const fs = new FileSystem();
  const identity = { uid: 1000, gid: 1000, user: "guest", home: "/home/guest", hostname: "box" };
  bootLayout(fs, identity);
  const user = { uid: 1000, gid: 1000, umask: 0o022, cwd: "/home/guest" };
  const mode = (path) => fs.stat(user, path, true).mode & 0o7777;
  assert.deepEqual(
    [mode("/tmp"), mode("/var/tmp"), mode("/root"), mode(".")],
    [0o1777, 0o1777, 0o755, 0o755],
  );
  for (const path of ["/root", "/workspace", "/home/guest"])
    assert.equal(fs.stat(user, path, true).uid, 1000);
  assert.equal(fs.stat(user, "/home", true).uid, 0);
  assert.equal(fs.realpath(user, "/var/run"), "/run");
  assert.match(fs.readFile(user, "/etc/passwd").toString(), /^guest:x:1000:1000:/m);
  assert.match(fs.readFile(user, "/etc/os-release").toString(), /^NAME="secure-exec"$/m);
  assert.equal(fs.open(user, "/etc/passwd", O_WRONLY, 0), -errno.EACCES);

  const rdev = (name) => fs.stat(user, `/dev/${name}`, true).rdev;
  const names = ["null", "zero", "full", "random", "urandom"];
  assert.deepEqual(names.map(rdev), [259, 261, 263, 264, 265]);
  const devices = fs.readdir(user, "/dev").filter((entry) => entry.type === 2);
  assert.deepEqual(devices.map(({ name }) => name).sort(), [...names, "tty"].sort());
  assert.equal(fs.open(user, "/dev/tty", O_RDWR, 0), -errno.ENXIO);
  assert.equal(fs.readlink(user, "/dev/stdin"), "/proc/self/fd/0");
  const open = (name) => fs.open(user, `/dev/${name}`, O_RDWR, 0);
  const data = Buffer.alloc(64, 1);
  assert.equal(open("null").read(data, -1), 0);
  assert.equal(open("null").write(data, -1), 64);
  assert.equal(open("full").write(data, -1), -errno.ENOSPC);
  assert.equal(open("zero").read(data, 0), 64);
  assert.ok(data.every((byte) => byte === 0));
  assert.equal(open("urandom").read(data, -1), 64);
  assert.ok(data.some((byte) => byte !== 0));
  assert.equal(open("null").truncate(0), -errno.EINVAL);
  assert.equal(fs.readFile(user, "/dev/null").length, 0);
  assert.equal(fs.readFile(user, "/dev/zero"), -errno.EFBIG);
  assert.equal(fs.open(user, "/dev/null", O_RDONLY | O_CREAT, 0o666).flags, O_RDONLY | O_CREAT);
  assert.throws(() => bootLayout(new FileSystem({ inodes: 10 }), identity), /ENOSPC/);
  assert.throws(() => bootLayout(new FileSystem(), { ...identity, user: "a:b\n" }), /user name/);
});
