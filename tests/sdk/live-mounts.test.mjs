/** rt.mount() and rt.unmount(): directories of the host that come and go while programs run. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { NodeRuntime, SidecarProcess } from "../../dist/index.js";
import { connectionOf } from "../../dist/sdk/sidecar-process.js";

const base = mkdtempSync(join(os.tmpdir(), "secure-exec-live-mounts-"));
after(() => rmSync(base, { recursive: true, force: true }));
mkdirSync(join(base, "data"));
writeFileSync(join(base, "data", "a.txt"), "of the host");
writeFileSync(join(base, "one.txt"), "one file");
const data = join(base, "data");
const refused = (problem) => ({ code: "ERR_SECURE_EXEC_INVALID_OPTION", message: problem });

test("a mount is there from then on, for programs that run too, until it is taken away", async () => {
  const rt = await NodeRuntime.create({ files: { "/data/below.txt": "below" } });
  const waiting = [];
  const program = await rt.spawn(
    `import fs from "node:fs";
    import readline from "node:readline";
    for await (const line of readline.createInterface({ input: process.stdin })) {
      try { console.log(String(fs.readdirSync("/data"))); } catch (error) { console.log(error.code); }
    }`,
    { onStdout: (chunk) => waiting.shift()(Buffer.from(chunk).toString().trim()) },
  );
  const asked = () =>
    new Promise((resolve) => {
      waiting.push(resolve);
      program.writeStdin("?\n");
    });
  assert.equal(await asked(), "below.txt");
  await rt.mount({ guestPath: "/data", hostPath: data });
  assert.equal(await asked(), "a.txt");
  const { value } = await rt.run(`
    import fs from "node:fs";
    let code;
    try { fs.writeFileSync("/data/b", ""); } catch (error) { code = error.code; }
    __return([code, fs.readFileSync("/proc/mounts", "utf8").includes(" /data ")]);`);
  assert.deepEqual(value, ["EROFS", true]);
  await rt.unmount("/data");
  assert.equal(await asked(), "below.txt");
  await rt.mount({ guestPath: "/data/", hostPath: data, readOnly: false });
  await rt.exec(`import fs from "node:fs"; fs.writeFileSync("/data/new.txt", "of a program");`);
  assert.equal(readFileSync(join(data, "new.txt"), "utf8"), "of a program");
  rmSync(join(data, "new.txt"));
  program.kill();
  await rt.dispose();
});

test("a mount of create can be taken away, and a file mounted in a place of its own", async () => {
  const rt = await NodeRuntime.create({ mounts: [{ guestPath: "/mnt/data", hostPath: data }] });
  await rt.mount({ guestPath: "/etc/one.txt", hostPath: join(base, "one.txt") });
  const clone = await rt.clone();
  await rt.unmount("/mnt/data");
  assert.deepEqual(await rt.readDir("/mnt/data"), []);
  await rt.rm("/mnt/data", { recursive: true });
  assert.deepEqual(await clone.readDir("/mnt/data"), ["a.txt"]);
  assert.equal(Buffer.from(await clone.readFile("/etc/one.txt")).toString(), "one file");
  const later = await rt.clone();
  assert.equal(await later.exists("/mnt/data"), false);
  for (const one of [rt, clone, later]) await one.dispose();
});

test("what is open when a mount goes stays open or fails with EIO, and reaches nothing else", async () => {
  const rt = await NodeRuntime.create({ mounts: [{ guestPath: "/mnt/data", hostPath: data }] });
  const heard = [];
  let wake = () => {};
  const told = (line) => {
    heard.push(line);
    wake();
  };
  const next = async () => {
    while (heard.length === 0) await new Promise((resolve) => (wake = resolve));
    return heard.shift();
  };
  const program = await rt.spawn(
    `import fs from "node:fs";
    const fd = fs.openSync("/mnt/data/a.txt");
    process.chdir("/mnt/data");
    const watcher = fs.watch("/mnt/data");
    console.log("ready");
    process.stdin.once("data", () => {
      const tried = (call) => { try { return String(call()); } catch (error) { return error.code; } };
      console.log([tried(() => fs.readFileSync(fd)), tried(() => fs.readFileSync("a.txt")), tried(() => fs.readdirSync("/mnt/data"))].join());
      process.exit();
    });`,
    { onStdout: (chunk) => told(Buffer.from(chunk).toString().trim()) },
  );
  assert.equal(await next(), "ready");
  await rt.unmount("/mnt/data");
  program.writeStdin("go");
  assert.equal(await next(), "of the host,ENOENT,");
  await program.wait();
  await rt.dispose();
});

test("what cannot be mounted or taken away is refused by code, and changes nothing", async () => {
  const rt = await NodeRuntime.create({ mounts: [{ guestPath: "/mnt/data", hostPath: data }] });
  await assert.rejects(rt.mount({ guestPath: "/mnt/data", hostPath: data }), refused(/EBUSY/));
  await assert.rejects(rt.mount({ guestPath: "/mnt/data/in", hostPath: data }), refused(/EBUSY/));
  await assert.rejects(
    rt.mount({ guestPath: "/proc", hostPath: data }),
    refused(/needs for itself/),
  );
  await assert.rejects(
    rt.mount({ guestPath: "/x", hostPath: join(base, "none") }),
    refused(/exist/),
  );
  await assert.rejects(
    rt.mount({ guestPath: "/etc", hostPath: join(base, "one.txt") }),
    refused(/EISDIR/),
  );
  await assert.rejects(rt.mount(), refused(/must be an object/));
  for (const path of ["/mnt", "/mnt/other", "/workspace"])
    await assert.rejects(rt.unmount(path), { code: "ERR_SECURE_EXEC_FILE", message: /EINVAL/ });
  await assert.rejects(rt.unmount("/proc"), refused(/needs for itself/));
  assert.deepEqual(await rt.readDir("/mnt/data"), ["a.txt"]);
  await rt.dispose();
  await assert.rejects(rt.mount({ guestPath: "/x", hostPath: data }), {
    code: "ERR_SECURE_EXEC_DISPOSED",
  });
});

test("many mounts leave no descriptor behind", async () => {
  const sidecar = new SidecarProcess();
  const rt = await NodeRuntime.create({ sidecar });
  const connection = await connectionOf(sidecar);
  const open = async () => JSON.parse((await connection.call("stats", {})).json).openFds;
  const round = async () => {
    await rt.mount({ guestPath: "/mnt/data", hostPath: data });
    await rt.readFile("/mnt/data/a.txt");
    await rt.unmount("/mnt/data");
  };
  await round();
  const before = await open();
  for (let at = 0; at < 200; at++) await round();
  // Guests that are forked ahead come and go.
  assert.ok((await open()) <= before + 12);
  await rt.dispose();
  await sidecar.dispose();
});
