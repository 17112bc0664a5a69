/** File calls of the host: any size, every kind of file, and errors with a code. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, test } from "node:test";
import { NodeRuntime } from "../../dist/index.js";

const rt = await NodeRuntime.create();
after(() => rt.dispose());
const coded = (name, pattern) => (error) => {
  assert.equal(error.code, `ERR_SECURE_EXEC_${name}`);
  if (pattern) assert.match(error.message, pattern);
  return true;
};

test("a file of many messages survives the way in and out", async () => {
  const bytes = new Uint8Array(21 * 2 ** 20 + 3);
  for (let at = 0; at < bytes.length; at += 997) bytes[at] = at;
  await rt.writeFile("/workspace/large.bin", bytes);
  const hash = createHash("sha256").update(bytes).digest("hex");
  const inside = await rt.run(`
    import { createHash } from "node:crypto";
    import fs from "node:fs";
    const data = fs.readFileSync("/workspace/large.bin");
    fs.writeFileSync("/workspace/back.bin", data);
    __return([data.length, createHash("sha256").update(data).digest("hex")]);`);
  assert.deepEqual(inside.value, [bytes.length, hash], inside.stderr);
  const back = await rt.readFile("/workspace/back.bin");
  assert.equal(createHash("sha256").update(back).digest("hex"), hash);
  await rt.rm("/workspace/large.bin");
  await rt.rm("/workspace/back.bin");
});

test("a file over the quota is refused, and what was written is given back", async () => {
  const over = new Uint8Array(257 * 2 ** 20);
  await assert.rejects(rt.writeFile("/tmp/over", over), coded("FILE", /ENOSPC/));
  await rt.rm("/tmp/over");
  await rt.writeFile("/tmp/fits", new Uint8Array(2 ** 20));
  await rt.rm("/tmp/fits");
});

test("directories, types, times, moves", async () => {
  await assert.rejects(rt.mkdir("/workspace/a/b"), coded("NO_SUCH_FILE"));
  await rt.mkdir("/workspace/a/b", { recursive: true });
  await rt.mkdir("/workspace/a/b", { recursive: true });
  await assert.rejects(rt.mkdir("/workspace/a/b"), coded("FILE", /EEXIST/));
  await rt.writeFile("/workspace/a/f", "text");
  await rt.exec(`
    import fs from "node:fs";
    fs.symlinkSync("f", "/workspace/a/l");
    fs.writeFileSync("/workspace/a/b/own", "");
    fs.utimesSync("/workspace/a/f", 1.5, 2.25);`);
  assert.deepEqual(await rt.readDir("/workspace/a"), ["b", "f", "l"]);
  assert.deepEqual(await rt.readDirWithTypes("/workspace/a"), [
    { name: "b", type: "directory" },
    { name: "f", type: "file" },
    { name: "l", type: "symlink" },
  ]);
  const stat = await rt.stat("/workspace/a/l");
  assert.equal(stat.type, "file");
  assert.equal(stat.size, 4);
  assert.equal(stat.mode, 0o100644);
  assert.deepEqual([stat.uid, stat.gid, stat.nlink], [1000, 1000, 1]);
  assert.deepEqual([stat.atimeMs, stat.mtimeMs], [1500, 2250]);
  assert.equal((await rt.stat("/workspace/a/l", { follow: false })).type, "symlink");
  assert.equal((await rt.stat("/dev/null")).type, "character-device");
  assert.equal((await rt.stat("/workspace/a/b/own")).uid, 1000);
  await rt.rename("/workspace/a/f", "/workspace/a/g");
  assert.equal(await rt.exists("/workspace/a/l"), false);
  assert.equal(await rt.exists("/workspace/a/g"), true);
  await assert.rejects(rt.rename("/workspace/a/b", "/proc/x"), coded("FILE", /EXDEV/));
  await assert.rejects(rt.rm("/workspace/a"), coded("FILE", /EISDIR/));
  await rt.rm("/workspace/a", { recursive: true });
  await assert.rejects(rt.rm("/workspace/a"), coded("NO_SUCH_FILE"));
  await rt.rm("/workspace/a", { force: true });
});

test("a directory of more names than one message has", async () => {
  await rt.exec(`
    import fs from "node:fs";
    fs.mkdirSync("/tmp/many");
    fs.writeFileSync("/tmp/many/first", "");
    for (let i = 0; i < 16500; i++) fs.linkSync("/tmp/many/first", "/tmp/many/n" + i);`);
  const names = await rt.readDir("/tmp/many");
  assert.equal(names.length, 16501);
  assert.equal(new Set(names).size, 16501);
  await rt.rm("/tmp/many", { recursive: true });
});

test("relative paths start at the machine's directory, and bad arguments are named", async () => {
  await rt.writeFile("here.txt", "x");
  assert.equal(await rt.exists("/home/user/here.txt"), true);
  await assert.rejects(rt.readDir("here.txt"), coded("FILE", /ENOTDIR/));
  await assert.rejects(rt.readFile(7), coded("INVALID_OPTION", /path/));
  await assert.rejects(rt.readFile("a\0b"), coded("INVALID_OPTION", /NUL/));
  await assert.rejects(rt.rm("x", { recursive: 1 }), coded("INVALID_OPTION", /recursive/));
  await assert.rejects(rt.rm("x", { recursiv: true }), coded("INVALID_OPTION", /recursiv/));
  await assert.rejects(rt.readFile("/dev/zero/x"), coded("FILE", /ENOTDIR/));
  for (const [files, pattern] of [
    [{ "relative.txt": "" }, /files\["relative.txt"\] must be an absolute path/],
    [{ "/a/": "" }, /must name a file/],
    [{ "/a/..": "" }, /must name a file/],
    [{ "/a": 7 }, /files\["\/a"\] must be a string or a Uint8Array/],
    [[], /files must be an object/],
  ])
    await assert.rejects(NodeRuntime.create({ files }), coded("INVALID_OPTION", pattern));
});

test("what never ends is not read", async () => {
  await assert.rejects(rt.readFile("/dev/zero"), coded("FILE", /EFBIG/));
  assert.equal((await rt.readFile("/dev/null")).length, 0);
  await rt.writeFile("/tmp/sparse", "");
  await rt.exec(`(await import("node:fs")).truncateSync("/tmp/sparse", 2 ** 40)`);
  await assert.rejects(rt.readFile("/tmp/sparse"), coded("FILE", /EFBIG/));
  await rt.rm("/tmp/sparse");
});

test("a file that goes with its machine while it is being written", async () => {
  const own = await NodeRuntime.create();
  const writing = own.writeFile("/tmp/x", new Uint8Array(64 * 2 ** 20));
  const outcome = assert.rejects(writing, (error) => error.code.startsWith("ERR_SECURE_EXEC_"));
  await own.dispose();
  await outcome;
});
