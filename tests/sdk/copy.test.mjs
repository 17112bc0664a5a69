/** Trees and streams between the host and a machine. */
import assert from "node:assert/strict";
import * as fs from "node:fs";
import os from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { after, test } from "node:test";
import { NodeRuntime } from "../../dist/index.js";

const base = fs.mkdtempSync(join(os.tmpdir(), "secure-exec-copy-"));
after(() => fs.rmSync(base, { recursive: true, force: true }));
const rt = await NodeRuntime.create({ cwd: "/workspace" });
after(() => rt.dispose());

const large = Buffer.alloc(9 * 2 ** 20 + 5);
for (let at = 0; at < large.length; at += 991) large[at] = at;
const tree = join(base, "tree");
fs.mkdirSync(join(tree, "sub", "empty"), { recursive: true });
fs.writeFileSync(join(tree, "a.txt"), "first");
fs.writeFileSync(join(tree, "sub", "run.sh"), "#!/bin/sh\necho ran\n", { mode: 0o755 });
fs.writeFileSync(join(tree, "sub", "large"), large);
fs.writeFileSync(join(tree, "none"), "");
fs.utimesSync(join(tree, "a.txt"), 1000, 2000);
fs.symlinkSync("../a.txt", join(tree, "sub", "link"));
fs.symlinkSync("/etc/passwd", join(tree, "sub", "away"));

test("a tree goes in and comes out again", async () => {
  const result = await rt.copyIn(tree, "in");
  const files = 4;
  const bytes = large.length + 5 + 19;
  assert.deepEqual(result, { files, directories: 3, links: 2, bytes, skipped: [] });
  const inside = await rt.run(`
    import fs from "node:fs";
    import { execSync } from "node:child_process";
    const { mtimeMs, uid, mode } = fs.statSync("in/a.txt");
    fs.appendFileSync("in/a.txt", " and more");
    __return([mtimeMs, uid, mode & 0o777, fs.readFileSync("in/sub/link", "utf8"), fs.readlinkSync("in/sub/away"),
      fs.lstatSync("in/sub/link").uid, execSync("in/sub/run.sh", { encoding: "utf8" }), fs.readdirSync("in/sub/empty")]);`);
  const expected = [2_000_000, 1000, 0o644, "first and more", "/etc/passwd", 1000, "ran\n", []];
  assert.deepEqual(inside.value, expected, inside.stderr);

  const out = join(base, "out");
  const back = await rt.copyOut("/workspace/in", out);
  assert.deepEqual(back, {
    files,
    directories: 3,
    links: 0,
    bytes: bytes + 9,
    skipped: ["sub/away", "sub/link"],
  });
  assert.equal(fs.readFileSync(join(out, "a.txt"), "utf8"), "first and more");
  assert.ok(fs.readFileSync(join(out, "sub", "large")).equals(large));
  assert.equal(fs.statSync(join(out, "sub", "run.sh")).mode & 0o777, 0o755);
  assert.deepEqual(fs.readdirSync(join(out, "sub")), ["empty", "large", "run.sh"]);
  // Again, over what is there.
  assert.equal((await rt.copyOut("in", out)).files, files);
  assert.equal((await rt.copyIn(tree, "in")).links, 2);
  const linked = await rt.copyOut("in/sub", join(base, "linked"), { links: true });
  assert.deepEqual([linked.links, linked.skipped], [2, []]);
  assert.equal(fs.readlinkSync(join(base, "linked", "link")), "../a.txt");
  assert.equal((await rt.copyOut("in/sub", join(base, "linked"), { links: true })).links, 2);
});

test("one file, a filter, and what progress says", async () => {
  await rt.copyIn(join(tree, "a.txt"), "/workspace/one/b.txt");
  assert.equal(Buffer.from(await rt.readFile("one/b.txt")).toString(), "first");
  await rt.copyOut("one/b.txt", join(base, "b.txt"));
  assert.equal(fs.readFileSync(join(base, "b.txt"), "utf8"), "first");
  const asked = [];
  const seen = [];
  const result = await rt.copyIn(tree, "filtered", {
    filter: async (path, type) => {
      asked.push([path, type]);
      return path !== "sub" && path !== "none";
    },
    onProgress: (progress) => void seen.push(progress),
  });
  assert.deepEqual(asked, [
    ["", "directory"],
    ["a.txt", "file"],
    ["none", "file"],
    ["sub", "directory"],
  ]);
  assert.deepEqual(seen, [
    { path: "a.txt", files: 1, bytes: 5 },
    { path: "", files: 1, bytes: 5 },
  ]);
  assert.deepEqual(await rt.readDir("filtered"), ["a.txt"]);
  assert.equal(result.files, 1);
  await assert.rejects(
    rt.copyIn(tree, "stopped", { filter: () => Promise.reject(new Error("enough")) }),
    /enough/,
  );
});

test("links on the host lead no copy out of its tree", async () => {
  const outside = join(base, "outside");
  const target = join(base, "target");
  fs.mkdirSync(outside);
  fs.writeFileSync(join(outside, "precious"), "kept");
  fs.mkdirSync(target);
  fs.symlinkSync(outside, join(target, "sub"));
  await rt.exec(`import fs from "node:fs"; fs.mkdirSync("planted/sub", { recursive: true });
    fs.writeFileSync("planted/sub/precious", "overwritten"); fs.writeFileSync("planted/file", "overwritten");`);
  await assert.rejects(rt.copyOut("planted", target), ({ code }) => /ELOOP|ENOTDIR/.test(code));
  fs.rmSync(join(target, "sub"));
  fs.rmSync(join(target, "file"));
  fs.symlinkSync(join(outside, "precious"), join(target, "file"));
  await assert.rejects(rt.copyOut("planted", target), { code: "ELOOP" });
  assert.equal(fs.readFileSync(join(outside, "precious"), "utf8"), "kept");
  assert.deepEqual(fs.readdirSync(outside), ["precious"]);
});

test("links of a program lead no copy out of its directory", async () => {
  await rt.exec(
    `import fs from "node:fs"; fs.mkdirSync("trap"); fs.symlinkSync("/etc", "trap/in");`,
  );
  const coded = { code: "ERR_SECURE_EXEC_LINK_LEADS_OUT" };
  await assert.rejects(rt.copyIn(tree, "/workspace/trap/in/deeper"), coded);
  assert.equal(await rt.exists("/etc/deeper"), false);
});

test("streams carry files of any size, and let go when they are left", async () => {
  await pipeline(Readable.from([large, Buffer.from("end")]), rt.createWriteStream("streams/s"));
  const { size } = await rt.stat("streams/s");
  assert.equal(size, large.length + 3);
  await pipeline(rt.createReadStream("streams/s"), fs.createWriteStream(join(base, "s")));
  assert.ok(fs.readFileSync(join(base, "s")).equals(Buffer.concat([large, Buffer.from("end")])));
  await pipeline(Readable.from([]), rt.createWriteStream("streams/empty"));
  assert.equal((await rt.stat("streams/empty")).size, 0);
  for await (const part of rt.createReadStream("streams/s")) {
    assert.ok(part.length > 0);
    break;
  }
  const left = rt.createWriteStream("streams/left");
  left.on("error", () => {});
  left.write(large);
  left.destroy(new Error("left"));
  await assert.rejects(
    pipeline(rt.createReadStream("streams/none"), fs.createWriteStream(join(base, "never"))),
    { code: "ERR_SECURE_EXEC_NO_SUCH_FILE" },
  );
  await assert.rejects(pipeline(Readable.from(["x"]), rt.createWriteStream("/proc/x")), {
    code: "ERR_SECURE_EXEC_FILE",
  });
});

test("bad options are refused by name", async () => {
  const option = (name) => ({ code: "ERR_SECURE_EXEC_INVALID_OPTION", details: { option: name } });
  await assert.rejects(rt.copyIn("", "x"), option("hostPath"));
  await assert.rejects(rt.copyIn(tree, ""), option("path"));
  await assert.rejects(rt.copyOut("in", 1), option("hostPath"));
  await assert.rejects(rt.copyIn(tree, "x", { filter: 1 }), option("filter"));
  await assert.rejects(rt.copyIn(tree, "x", { follow: true }), option("follow"));
  await assert.rejects(rt.copyIn(join(base, "missing"), "x"), { code: "ENOENT" });
  await assert.rejects(rt.copyOut("missing", join(base, "x")), {
    code: "ERR_SECURE_EXEC_NO_SUCH_FILE",
  });
});
