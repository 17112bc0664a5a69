// System calls on files: what is checked before the file system is asked, what comes in parts, what a loader is told.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Errno } from "../../../dist/abi/errno.js";
import { O_CREAT, O_RDONLY, O_RDWR, O_WRONLY } from "../../../dist/abi/fcntl.js";
import { ModuleKind, StatSlot, fsLimits, statSlots } from "../../../dist/protocol/fs-calls.js";
import { callerOf } from "./callers.mjs";

const text = (data) => Buffer.from(data).toString();
const whole = { flags: O_WRONLY | O_CREAT, mode: 0o644, more: false };

function withFiles(files, options = {}) {
  const made = callerOf({ uid: 0, ...options });
  for (const [path, content] of Object.entries(files)) {
    made.call("mkdir", {
      path: path.slice(0, path.lastIndexOf("/")) || "/",
      mode: 0o755,
      recursive: true,
    });
    assert.deepEqual(made.call("writeFile", { path, data: Buffer.from(content), ...whole }), {
      fd: -1,
    });
  }
  return made;
}

test("a path with a zero byte, none, or one of too many bytes is refused by every call that takes one", () => {
  const { call } = callerOf({ uid: 0 });
  const calls = {
    open: { flags: O_RDONLY, mode: 0 },
    stat: { follow: true },
    access: { mode: 0 },
    mkdir: { mode: 0o777, recursive: false },
    unlink: {},
    rmdir: {},
    readlink: {},
    realpath: {},
    readdir: { start: 0 },
    chmod: { mode: 0o644 },
    statfs: {},
    readFile: { flags: O_RDONLY },
    rm: { recursive: true, force: false },
    makeFifo: { mode: 0o644 },
    chown: { uid: 0, gid: 0, follow: true },
    utimes: { atimeMs: 0, mtimeMs: 0, follow: true },
  };
  // PATH_MAX is bytes.
  const long = "/é".repeat(1400);
  assert.ok(long.length < fsLimits.pathBytes && Buffer.byteLength(long) > fsLimits.pathBytes);
  for (const [name, args] of Object.entries(calls)) {
    assert.equal(call(name, { ...args, path: "/a\0b" }), -Errno.EINVAL, name);
    assert.equal(call(name, { ...args, path: long }), -Errno.ENAMETOOLONG, name);
    assert.equal(call(name, { ...args, path: "" }), -Errno.ENOENT, name);
    assert.equal(call(name, { ...args, path: "/none/of/it" }), -Errno.ENOENT, name);
  }
});

test("stat answers its values where the list of slots says, and fstat the same", () => {
  const { call } = withFiles({ "/d/f": "12345" });
  call("utimes", { path: "/d/f", atimeMs: 1500, mtimeMs: 2000.25, follow: true });
  call("chown", { path: "/d/f", uid: 5, gid: 6, follow: true });
  const { values } = call("stat", { path: "/d/f", follow: true });
  assert.equal(values.length, statSlots);
  const at = (slot) => values[StatSlot[slot]];
  assert.deepEqual(["mode", "uid", "gid", "size", "rdev"].map(at), [0o100644, 5, 6, 5, 0]);
  assert.deepEqual(["atime", "atimeNs", "mtime", "mtimeNs"].map(at), [1, 5e8, 2, 250_000]);
  const { fd } = call("open", { path: "/d/f", flags: O_RDONLY, mode: 0 });
  assert.deepEqual(call("fstat", { fd }).values, values);
  assert.notEqual(call("stat", { path: "/d", follow: true }).values[StatSlot.ino], at("ino"));
});

test("times that no date has and modes that no access has are refused", () => {
  const { call } = withFiles({ "/f": "" });
  for (const time of [NaN, Infinity, 9e15, -9e15])
    assert.equal(
      call("utimes", { path: "/f", atimeMs: time, mtimeMs: 0, follow: true }),
      -Errno.EINVAL,
    );
  assert.equal(call("access", { path: "/f", mode: 8 }), -Errno.EINVAL);
  assert.equal(call("copyFile", { from: "/f", to: "/g", mode: 8 }), -Errno.EINVAL);
  assert.equal(call("copyFile", { from: "/f", to: "/g", mode: 4 }), -Errno.EOPNOTSUPP);
});

test("positions: -1 is the file's own, others leave it alone, none is beyond 63 bits", () => {
  const { call } = withFiles({ "/f": "abcdef" });
  const { fd } = call("open", { path: "/f", flags: O_RDWR, mode: 0 });
  const read = (length, position) => {
    const result = call("read", { fd, length, position });
    return typeof result === "number" ? result : text(result.data);
  };
  assert.equal(read(2, -1), "ab");
  assert.equal(read(2, 4), "ef");
  assert.equal(read(2, -1), "cd");
  assert.equal(read(2, 2 ** 60), "");
  for (const position of [-2, NaN, 2 ** 64])
    assert.equal(read(1, position), -Errno.EINVAL, String(position));
  assert.deepEqual(call("write", { fd, data: Buffer.from("XY"), position: 1 }), { written: 2 });
  assert.equal(read(10, 0), "aXYdef");
});

test("a file larger than a transfer comes in parts, and its descriptor is the caller's to close", () => {
  const { caller, call } = callerOf({ uid: 0 });
  const size = fsLimits.transferBytes + 10;
  const first = call("writeFile", {
    ...whole,
    path: "/big",
    data: Buffer.alloc(fsLimits.transferBytes, "a"),
    more: true,
  });
  assert.deepEqual(call("write", { fd: first.fd, data: Buffer.alloc(10, "b"), position: -1 }), {
    written: 10,
  });
  call("close", { fd: first.fd });
  const part = call("readFile", { path: "/big", flags: O_RDONLY });
  assert.equal(part.more, true);
  let length = part.data.byteLength;
  for (let more = true; more;) {
    const next = call("readFd", { fd: part.fd });
    length += next.data.byteLength;
    ({ more } = next);
  }
  assert.equal(length, size);
  assert.equal(caller.descriptors.size, 1);
  const small = withFiles({ "/small": "s" });
  assert.deepEqual(small.call("readFile", { path: "/small", flags: O_RDONLY }).fd, -1);
  assert.equal(small.caller.descriptors.size, 0);
});

test("what a loader asks for: what a path is, what is beside it, and the nearest package", () => {
  const { call } = withFiles({
    "/app/package.json": '{"type":"module"}',
    "/app/lib/x.js": "x",
    "/app/lib/dir/index.js": "i",
  });
  const kindOf = (path) => call("moduleStat", { path, content: false }).kind;
  assert.equal(kindOf("/app/lib/x.js"), ModuleKind.file);
  assert.equal(kindOf("/app/lib"), ModuleKind.directory);
  assert.ok(kindOf("/app/lib/none") < 0);
  const scope = (directory) => call("packageScope", { directory, root: false }).path;
  assert.equal(scope("/app/lib/dir"), "/app/package.json");
  assert.equal(scope("/elsewhere"), "");
  assert.equal(call("packageScope", { directory: "app", root: false }), -Errno.EINVAL);
  assert.equal(text(call("readPackage", { path: "/app/package.json" }).data), '{"type":"module"}');
  assert.equal(call("readPackage", { path: "/app/none.json" }).found, false);
});

test("permission bits are judged for who calls", () => {
  const { caller, call } = withFiles({ "/secret": "s", "/open/f": "o" });
  call("chmod", { path: "/secret", mode: 0o600 });
  caller.credentials.uid = 1000;
  caller.credentials.gid = 1000;
  assert.equal(call("open", { path: "/secret", flags: O_RDONLY, mode: 0 }), -Errno.EACCES);
  assert.equal(call("chmod", { path: "/secret", mode: 0o644 }), -Errno.EPERM);
  assert.equal(call("unlink", { path: "/open/f" }), -Errno.EACCES);
  assert.equal(text(call("readFile", { path: "/open/f", flags: O_RDONLY }).data), "o");
});
