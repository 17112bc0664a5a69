/** /proc and /dev of a machine: its own processes and devices, and nothing of the host's. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import os from "node:os";
import { after, before, describe, it } from "node:test";
import { NodeRuntime } from "../../dist/index.js";

describe("proc and dev", () => {
  let rt;
  before(async () => {
    rt = await NodeRuntime.create({ env: { MARK: "of-the-vm" } });
  });
  after(() => rt.dispose());
  const run = async (program, options) => {
    const { value, exitCode, stderr } = await rt.run(
      `import fs from "node:fs"; const read = (path) => fs.readFileSync(path, "utf8");
       const code = (call) => { try { call(); return "done"; } catch (error) { return error.code; } };
       ${program}`,
      options,
    );
    assert.equal(exitCode, 0, stderr);
    return value;
  };

  it("a process finds itself", async () => {
    const value = await run(
      `const fd = fs.openSync("/etc/hosts");
       process.chdir("/tmp");
       __return([Number(fs.readlinkSync("/proc/self")) === process.pid,
         read("/proc/self/cmdline").split("\\0").slice(1), read("/proc/self/environ").split("\\0").filter((e) => e.startsWith("MARK")),
         fs.readlinkSync("/proc/self/cwd"), fs.readlinkSync("/proc/self/root"), fs.readlinkSync("/proc/self/exe"),
         fs.readlinkSync("/proc/self/fd/" + fd), fs.readdirSync("/dev/fd").includes(String(fd)),
         /^State:\\t[RS] /m.test(read("/proc/self/status")), read("/proc/self/status").match(/^Uid:.*/m)[0],
         read("/proc/self/stat").split(" ").length, read("/proc/self/stat").split(" ")[3] === String(process.ppid),
         read("/proc/self/fd/" + fd).startsWith("127.0.0.1")]);`,
      { name: "/tmp/me.mjs", args: ["one", "two"] },
    );
    assert.deepEqual(value, [
      true,
      ["/tmp/me.mjs", "one", "two", ""],
      ["MARK=of-the-vm"],
      "/tmp",
      "/",
      "/usr/local/bin/node",
      "/etc/hosts",
      true,
      true,
      "Uid:\t1000\t1000\t1000\t1000",
      52,
      true,
      true,
    ]);
  });

  it("only processes of the machine are there", async () => {
    const program = await rt.spawn(`process.stdin.resume(); setInterval(() => {}, 1000);`);
    const [pids, other, none] = await run(
      `const pids = fs.readdirSync("/proc").filter((name) => /^\\d+$/.test(name)).map(Number);
       __return([pids, pids.filter((pid) => pid !== process.pid).map((pid) => read("/proc/" + pid + "/comm").trim()),
         [0, 1, ${process.pid}, 99999].map((pid) => code(() => read("/proc/" + pid + "/cmdline")))]);`,
    );
    assert.equal(pids.length, 2);
    assert.ok(pids.includes(program.pid));
    assert.deepEqual(other, ["node"]);
    assert.deepEqual(none, ["ENOENT", "ENOENT", "ENOENT", "ENOENT"]);
    program.kill("SIGKILL");
    await program.wait();
  });

  it("the machine describes itself, not the host", async () => {
    const files = [
      "cpuinfo",
      "meminfo",
      "loadavg",
      "uptime",
      "version",
      "mounts",
      "stat",
      "filesystems",
    ];
    const texts = await run(
      `__return(Object.fromEntries(${JSON.stringify(files)}.map((name) => [name, read("/proc/" + name)])));`,
    );
    assert.match(texts.version, /^Linux version 6\.8\.0-secure-exec /);
    assert.match(texts.meminfo, /^MemTotal: +262144 kB$/m);
    assert.match(texts.cpuinfo, /^model name\t: secure-exec Virtual CPU$/m);
    assert.match(texts.uptime, /^\d+\.\d\d \d+\.\d\d\n$/);
    assert.match(texts.mounts, /^proc \/proc proc /m);
    const all = Object.values(texts).join("\n");
    for (const fact of [
      os.hostname(),
      os.release(),
      readFileSync("/proc/version", "utf8").trim(),
      os.cpus()[0].model,
    ])
      assert.equal(all.includes(fact), false, fact);
  });

  it("limits, cgroup, mountinfo and status are the machine's own", async () => {
    const read = (name) =>
      rt
        .execCommand("bash", ["-c", `ulimit -n; cat /proc/self/${name}`])
        .then(({ stdout }) => stdout);
    const [openFiles, head, ...limits] = (await read("limits")).trimEnd().split("\n");
    assert.match(head, /^Limit {21}Soft Limit {11}Hard Limit {11}Units {5}$/);
    assert.equal(limits.length, 16);
    assert.match(
      limits[7],
      new RegExp(`^Max open files {12}${openFiles} +${openFiles} +files {5}$`),
    );
    assert.match(limits[6], /^Max processes {13}256 +256 +processes $/);
    assert.equal((await read("cgroup")).split("\n")[1], "0::/");
    const mounts = (await read("mounts")).trimEnd().split("\n").slice(1);
    const info = (await read("mountinfo")).trimEnd().split("\n").slice(1);
    assert.equal(info.length, mounts.length);
    assert.match(info[0], /^20 1 0:20 \/ \/ rw,nosuid,nodev - tmpfs root rw$/);
    for (const [at, line] of info.entries()) {
      const [number, parent, , , path] = line.split(" ");
      assert.equal(path, mounts[at].split(" ")[1]);
      assert.equal(Number(number), 20 + at);
      if (at > 0) assert.equal(info[Number(parent) - 20].split(" ")[4], "/");
    }
    const status = await read("status");
    for (const line of ["CapBnd:\t0000000000000000", "Cpus_allowed_list:\t0", "VmSwap:\t0 kB"])
      assert.ok(status.includes(`\n${line}\n`), line);
    assert.match(status, /^NSpid:\t\d+$/m);
    // Where the host's own have more to tell, none of it is here.
    for (const name of ["cgroup", "mountinfo"])
      for (const line of readFileSync(`/proc/self/${name}`, "utf8").split("\n"))
        if (line !== "" && line !== "0::/")
          assert.equal((await read(name)).includes(line), false, line);
  });

  it("nothing in it can be changed", async () => {
    const value = await run(`__return([
      code(() => fs.writeFileSync("/proc/new", "")), code(() => fs.writeFileSync("/proc/self/comm", "x")),
      code(() => fs.writeFileSync("/proc/uptime", "0")), code(() => fs.mkdirSync("/proc/d")),
      code(() => fs.unlinkSync("/proc/uptime")), code(() => fs.rmSync("/proc/self/fd", { recursive: true })),
      code(() => fs.renameSync("/proc/uptime", "/tmp/x")), code(() => fs.linkSync("/proc/uptime", "/tmp/x")),
      code(() => fs.chmodSync("/proc/uptime", 0o777)), code(() => fs.readFileSync("/proc/self/environ/x")),
      code(() => fs.readFileSync("/proc/sys/kernel/nothing")), code(() => fs.readFileSync("/proc/__proto__")),
      code(() => fs.readFileSync("/proc/self/constructor")), code(() => fs.rmdirSync("/proc"))]);`);
    assert.deepEqual(value, [
      "EACCES",
      "EACCES",
      "EACCES",
      "EACCES",
      "EACCES",
      "EACCES",
      "EXDEV",
      "EXDEV",
      "EPERM",
      "ENOTDIR",
      "ENOENT",
      "ENOENT",
      "ENOENT",
      "EACCES",
    ]);
  });

  it("the standard streams have names", async () => {
    const { stdout, stderr } = await rt.exec(
      `import fs from "node:fs";
       const text = fs.readFileSync("/dev/stdin", "utf8");
       fs.writeFileSync("/dev/stdout", text.toUpperCase());
       fs.appendFileSync("/dev/fd/2", text.length + " bytes");
       fs.writeFileSync("/proc/self/fd/1", "!");`,
      { stdin: "words ".repeat(40_000) },
    );
    assert.equal(stdout, `${"WORDS ".repeat(40_000)}!`);
    assert.equal(stderr, "240000 bytes");
  });

  it("devices behave as named", async () => {
    const value = await run(`
      const some = (path) => { const fd = fs.openSync(path, "r+"); const b = Buffer.alloc(32, 1); const n = fs.readSync(fd, b); fs.closeSync(fd); return [n, new Set(b).size > 4]; };
      __return([some("/dev/null"), some("/dev/zero"), some("/dev/urandom"), code(() => fs.writeFileSync("/dev/full", "x")),
        code(() => fs.openSync("/dev/tty", "r")), fs.readdirSync("/dev/pts"), fs.statSync("/dev/null").isCharacterDevice()]);`);
    assert.deepEqual(value, [[0, false], [32, false], [32, true], "ENOSPC", "ENXIO", [], true]);
  });
});
