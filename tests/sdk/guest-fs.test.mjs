// rt.fs against Node's own fs/promises: the same steps on the machine's files and on the host's give the same answers.
import assert from "node:assert/strict";
import * as hostFs from "node:fs/promises";
import { constants } from "node:fs";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { machine } from "../support/machines.mjs";

const it = (name, body) => test(name, { timeout: 60_000 }, body);
const scratch = mkdtempSync(join(tmpdir(), "secure-exec-fs-"));
after(() => rmSync(scratch, { recursive: true, force: true }));

/** What a step answered, in a form that is the same on both sides. */
async function outcome(base, step) {
  const plain = (value) => {
    if (Buffer.isBuffer(value)) return { bytes: value.toString("hex") };
    if (typeof value === "string") return value.replaceAll(base, "BASE");
    if (Array.isArray(value)) return value.map(plain).sort();
    if (typeof value?.isFile === "function") {
      const kinds = ["isFile", "isDirectory", "isSymbolicLink", "isFIFO", "isSocket"];
      const is = kinds.filter((name) => value[name]());
      return "name" in value
        ? `${value.name} in ${plain(value.parentPath ?? value.path)}: ${is}`
        : {
            is,
            size: value.isFile() ? value.size : 0,
            mode: value.mode,
            mtime: typeof value.mtime,
          };
    }
    return value;
  };
  try {
    return plain(await step());
  } catch (error) {
    const { code, errno, syscall, path, dest } = error;
    return {
      code,
      errno,
      syscall,
      path: path?.replaceAll(base, "BASE"),
      dest: dest?.replaceAll(base, "BASE"),
      message: code?.startsWith("E") ? error.message.split(",")[0].split(" ")[0] : error.message,
    };
  }
}

/** [what, a step that is given an fs and a way to make paths]. @type {[string, (fs: any, at: (name: string) => string) => any][]} */
const steps = [
  ["mkdir", (fs, at) => fs.mkdir(at("dir"))],
  ["mkdir again", (fs, at) => fs.mkdir(at("dir"))],
  ["mkdir recursive", (fs, at) => fs.mkdir(at("a/b/c"), { recursive: true })],
  ["mkdir recursive again", (fs, at) => fs.mkdir(at("a/b/c"), { recursive: true })],
  ["mkdir without parent", (fs, at) => fs.mkdir(at("none/b"))],
  ["mkdir with mode", (fs, at) => fs.mkdir(at("private"), { mode: 0o700 })],
  ["stat private", (fs, at) => fs.stat(at("private"))],
  ["write", (fs, at) => fs.writeFile(at("dir/file"), "héllo")],
  ["write bytes", (fs, at) => fs.writeFile(at("dir/bytes"), new Uint8Array([0, 255, 1]))],
  ["write hex", (fs, at) => fs.writeFile(at("dir/hex"), "ff00", "hex")],
  ["write without directory", (fs, at) => fs.writeFile(at("none/file"), "x")],
  ["write to a directory", (fs, at) => fs.writeFile(at("dir"), "x")],
  ["write exclusive", (fs, at) => fs.writeFile(at("dir/file"), "x", { flag: "wx" })],
  ["append", (fs, at) => fs.appendFile(at("dir/file"), " there")],
  ["append to a new one", (fs, at) => fs.appendFile(at("dir/new"), "n")],
  ["write with flag a", (fs, at) => fs.writeFile(at("dir/new"), "m", { flag: "a" })],
  ["write with mode", (fs, at) => fs.writeFile(at("dir/run"), "#!", { mode: 0o755 })],
  ["read", (fs, at) => fs.readFile(at("dir/file"))],
  ["read text", (fs, at) => fs.readFile(at("dir/file"), "utf8")],
  ["read base64", (fs, at) => fs.readFile(at("dir/bytes"), { encoding: "base64" })],
  ["read new", (fs, at) => fs.readFile(at("dir/new"), "utf8")],
  ["read hex", (fs, at) => fs.readFile(at("dir/hex"))],
  ["read nothing", (fs, at) => fs.readFile(at("nothing"))],
  ["stat", (fs, at) => fs.stat(at("dir/file"))],
  ["stat run", (fs, at) => fs.stat(at("dir/run"))],
  ["stat nothing", (fs, at) => fs.stat(at("nothing"))],
  ["stat below a file", (fs, at) => fs.stat(at("dir/file/x"))],
  ["symlink", (fs, at) => fs.symlink("file", at("dir/link"))],
  ["symlink again", (fs, at) => fs.symlink("file", at("dir/link"))],
  ["readlink", (fs, at) => fs.readlink(at("dir/link"))],
  ["readlink of a file", (fs, at) => fs.readlink(at("dir/file"))],
  ["lstat", (fs, at) => fs.lstat(at("dir/link")).then((stat) => stat.isSymbolicLink())],
  ["realpath", (fs, at) => fs.realpath(at("dir/link"))],
  ["link", (fs, at) => fs.link(at("dir/file"), at("dir/hard"))],
  ["link again", (fs, at) => fs.link(at("dir/file"), at("dir/hard"))],
  ["nlink", (fs, at) => fs.stat(at("dir/hard")).then(({ nlink }) => nlink)],
  ["chmod", (fs, at) => fs.chmod(at("dir/file"), 0o640)],
  ["chmod by text", (fs, at) => fs.chmod(at("dir/new"), "600")],
  ["stat after chmod", (fs, at) => fs.stat(at("dir/file"))],
  ["utimes", (fs, at) => fs.utimes(at("dir/file"), 10, new Date(20_000))],
  ["times", (fs, at) => fs.stat(at("dir/file")).then((s) => [s.atimeMs, s.mtime.toISOString()])],
  ["truncate", (fs, at) => fs.truncate(at("dir/file"), 3)],
  ["truncated", (fs, at) => fs.readFile(at("dir/file"))],
  ["access", (fs, at) => fs.access(at("dir/file"), constants.R_OK | constants.W_OK)],
  ["access nothing", (fs, at) => fs.access(at("nothing"))],
  ["readdir", (fs, at) => fs.readdir(at("dir"))],
  ["readdir with types", (fs, at) => fs.readdir(at("dir"), { withFileTypes: true })],
  ["readdir recursive", (fs, at) => fs.readdir(at(""), { recursive: true })],
  ["readdir of a file", (fs, at) => fs.readdir(at("dir/file"))],
  ["readdir of nothing", (fs, at) => fs.readdir(at("nothing"))],
  ["copyFile", (fs, at) => fs.copyFile(at("dir/run"), at("dir/copy"))],
  ["copied", (fs, at) => fs.stat(at("dir/copy"))],
  [
    "copyFile over",
    (fs, at) => fs.copyFile(at("dir/run"), at("dir/copy"), constants.COPYFILE_EXCL),
  ],
  ["copyFile of nothing", (fs, at) => fs.copyFile(at("nothing"), at("dir/copy"))],
  ["cp", (fs, at) => fs.cp(at("dir"), at("tree"), { recursive: true, verbatimSymlinks: true })],
  ["cp'd", (fs, at) => fs.readdir(at("tree"))],
  ["cp'd link", (fs, at) => fs.readlink(at("tree/link"))],
  ["rename", (fs, at) => fs.rename(at("dir/copy"), at("dir/moved"))],
  ["rename of nothing", (fs, at) => fs.rename(at("nothing"), at("dir/moved"))],
  ["unlink", (fs, at) => fs.unlink(at("dir/moved"))],
  ["unlink of nothing", (fs, at) => fs.unlink(at("dir/moved"))],
  ["rmdir", (fs, at) => fs.rmdir(at("private"))],
  ["rmdir of what is not empty", (fs, at) => fs.rmdir(at("dir"))],
  ["rmdir of a file", (fs, at) => fs.rmdir(at("dir/file"))],
  ["rm", (fs, at) => fs.rm(at("dir/hex"))],
  ["rm of nothing", (fs, at) => fs.rm(at("nothing"))],
  ["rm of nothing by force", (fs, at) => fs.rm(at("nothing"), { force: true })],
  ["rm recursive", (fs, at) => fs.rm(at("tree"), { recursive: true })],
  ["mkdtemp", async (fs, at) => (await fs.mkdtemp(at("t-"))).replace(/.{6}$/, "XXXXXX")],
  ["what is left", (fs, at) => fs.readdir(at("")).then((names) => names.length)],
];

it("the same steps as node:fs/promises, the same answers and errors", async () => {
  const rt = await machine({ cwd: "/tmp/fs", files: { "/tmp/fs/.keep": "" } });
  await rt.fs.unlink(".keep");
  const umask = process.umask(0o022);
  try {
    for (const [name, step] of steps) {
      const inside = await outcome("/tmp/fs", () => step(rt.fs, (path) => `/tmp/fs/${path}`));
      const outside = await outcome(scratch, () => step(hostFs, (path) => join(scratch, path)));
      if (name === "cp") continue;
      // Node spells a call's name by its way to it.
      for (const one of [inside, outside]) if (one?.syscall !== undefined) delete one.syscall;
      assert.deepEqual(inside, outside, name);
    }
  } finally {
    process.umask(umask);
  }
});

it("errors are Node's in shape, with the SDK's behind them", async () => {
  const rt = await machine();
  const error = await rt.fs.readFile("no/such").catch((caught) => caught);
  assert.deepEqual(
    { code: error.code, errno: error.errno, syscall: error.syscall, path: error.path },
    { code: "ENOENT", errno: -2, syscall: "open", path: "no/such" },
  );
  assert.equal(error.message, "ENOENT: open 'no/such'");
  assert.equal(error.cause.code, "ERR_SECURE_EXEC_NO_SUCH_FILE");
  await assert.rejects(rt.fs.readFile(1), { code: "ERR_SECURE_EXEC_INVALID_OPTION" });
  await assert.rejects(rt.fs.writeFile("x", 1), { code: "ERR_SECURE_EXEC_INVALID_OPTION" });
  await assert.rejects(rt.fs.writeFile("x", "", { flag: "r+" }), {
    code: "ERR_SECURE_EXEC_INVALID_OPTION",
  });
  await rt.dispose();
  await assert.rejects(rt.fs.stat("/"), { code: "ERR_SECURE_EXEC_DISPOSED" });
});

it("links that a program planted are followed no further than by other file calls", async () => {
  const rt = await machine();
  await rt.exec("require('fs').symlinkSync('/etc', '/tmp/out')");
  for (const call of [
    () => rt.fs.readFile("/tmp/out/passwd"),
    () => rt.fs.writeFile("/tmp/out/planted", "x"),
    () => rt.fs.chmod("/tmp/out/passwd", 0o777),
    () => rt.fs.truncate("/tmp/out/passwd"),
    () => rt.fs.rmdir("/tmp/out/x"),
    () => rt.fs.link("/tmp/out/passwd", "/tmp/mine"),
    () => rt.fs.realpath("/tmp/out/passwd"),
  ])
    await assert.rejects(call, { code: "ERR_SECURE_EXEC_LINK_LEADS_OUT" }, String(call));
  assert.match(await rt.fs.followingLinks().readFile("/tmp/out/passwd", "utf8"), /user/);
  assert.equal(await rt.exists("/etc/planted"), false);
});

it("files of any size, and what the host makes is the program's", async () => {
  const rt = await machine();
  const big = Buffer.alloc(9 * 1024 * 1024 + 5, "abc");
  await rt.fs.writeFile("/tmp/big", big);
  await rt.fs.appendFile("/tmp/big", "end");
  assert.equal(
    Buffer.compare(await rt.fs.readFile("/tmp/big"), Buffer.concat([big, Buffer.from("end")])),
    0,
  );
  await rt.fs.mkdir("/tmp/made");
  await rt.fs.writeFile("/tmp/made/file", "1");
  const { stdout } = await rt.exec(`
    require("fs").appendFileSync("/tmp/made/file", "2");
    require("fs").writeFileSync("/tmp/made/own", "3");
    console.log(require("fs").readFileSync("/tmp/made/file", "utf8"));`);
  assert.equal(stdout, "12\n");
});
