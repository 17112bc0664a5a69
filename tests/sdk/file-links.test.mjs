// File calls of the host on paths in which a program has planted symbolic links.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { machine } from "../support/machines.mjs";

const text = (bytes) => Buffer.from(bytes).toString();
const base = mkdtempSync(join(tmpdir(), "file-links-"));
after(() => rmSync(base, { recursive: true }));

/** The same tree in memory and on a writable mount; `at` is where the program may write. */
async function planted(kind) {
  const at = kind === "memory" ? "/workspace" : "/mnt/data";
  let mounts = [];
  if (kind === "mount") {
    const hostPath = mkdtempSync(join(base, "mount-"));
    mkdirSync(join(hostPath, "kept"));
    writeFileSync(join(hostPath, "kept", "config"), "kept");
    mounts = [{ guestPath: at, hostPath, readOnly: false }];
  }
  const rt = await machine({
    mounts,
    files: kind === "memory" ? { [`${at}/kept/config`]: "kept" } : {},
    permissions: {
      fs: { default: "allow", rules: [{ mode: "deny", paths: ["/etc/**", `${at}/kept/**`] }] },
    },
  });
  const { value, stderr } = await rt.run(`
    const fs = require("fs");
    const at = ${JSON.stringify(at)};
    fs.mkdirSync(at + "/out"); fs.mkdirSync(at + "/real"); fs.writeFileSync(at + "/real/f", "real");
    fs.mkdirSync(at + "/out/deep");
    fs.symlinkSync("/etc/hosts", at + "/out/absolute");
    fs.symlinkSync("../kept/config", at + "/out/relative");
    fs.symlinkSync("../kept/new", at + "/out/dangling");
    fs.symlinkSync("../kept", at + "/out/directory");
    fs.symlinkSync("/", at + "/out/root");
    fs.symlinkSync("..", at + "/out/up");
    fs.symlinkSync("deep/../../kept/config", at + "/out/through");
    fs.symlinkSync("relative", at + "/out/chained");
    fs.symlinkSync("real/f", at + "/inner");
    fs.symlinkSync(at + "/real", at + "/innerDirectory");
    fs.symlinkSync("innerDirectory/f", at + "/innerChained");
    __return(true);`);
  assert.deepEqual([value, stderr], [true, ""]);
  return { rt, at };
}

const leadsOut = (link) => (error) => {
  assert.equal(error.code, "ERR_SECURE_EXEC_LINK_LEADS_OUT");
  assert.ok(error.message.includes(`the link ${link} leads out`), error.message);
  assert.match(error.message, /followLinks: true/);
  return true;
};

for (const kind of ["memory", "mount"]) {
  test(`${kind}: no call of the host goes where a program's link points`, async () => {
    const { rt, at } = await planted(kind);
    const out = `${at}/out`;
    const hosts = text(await rt.readFile("/etc/hosts"));
    for (const [name, link = name] of [
      ["absolute"],
      ["relative"],
      ["through"],
      ["chained", "relative"],
      ["directory/config", "directory"],
      ["root/etc/hosts", "root"],
      ["up/kept/config", "up"],
    ]) {
      const refused = leadsOut(`${out}/${link}`);
      await assert.rejects(rt.readFile(`${out}/${name}`), refused, name);
      await assert.rejects(rt.writeFile(`${out}/${name}`, "attacker's"), refused, name);
      await assert.rejects(rt.stat(`${out}/${name}`), refused, name);
      await assert.rejects(rt.exists(`${out}/${name}`), refused, name);
    }
    for (const [call, link] of [
      [() => rt.writeFile(`${out}/dangling`, "x"), "dangling"],
      [() => rt.writeFile(`${out}/directory/new`, "x"), "directory"],
      [() => rt.writeFile(`${out}/directory/a/b/new`, "x"), "directory"],
      [() => rt.readDir(`${out}/directory`), "directory"],
      [() => rt.readDir(`${out}/up`), "up"],
      [() => rt.readDir(`${out}/root`), "root"],
      [() => rt.mkdir(`${out}/directory/d`), "directory"],
      [() => rt.mkdir(`${out}/directory/d/e`, { recursive: true }), "directory"],
      [() => rt.rm(`${out}/directory/config`), "directory"],
      [() => rt.rm(`${out}/up/kept`, { recursive: true }), "up"],
      [() => rt.rename(`${out}/directory/config`, `${at}/taken`), "directory"],
      [() => rt.rename(`${at}/real/f`, `${out}/directory/config`), "directory"],
    ])
      await assert.rejects(call(), leadsOut(`${out}/${link}`), String(call));
    assert.equal(text(await rt.readFile("/etc/hosts")), hosts);
    assert.equal(text(await rt.readFile(`${at}/kept/config`)), "kept");
    assert.deepEqual(await rt.readDir(`${at}/kept`), ["config"]);
    assert.equal(text(await rt.readFile(`${at}/real/f`)), "real");
  });

  test(`${kind}: a link to what lies below its directory is followed, and one itself can be removed`, async () => {
    const { rt, at } = await planted(kind);
    assert.equal(text(await rt.readFile(`${at}/inner`)), "real");
    await rt.writeFile(`${at}/innerDirectory/f`, "written");
    assert.equal(text(await rt.readFile(`${at}/innerChained`)), "written");
    assert.deepEqual(await rt.readDir(`${at}/innerDirectory`), ["f"]);
    assert.equal((await rt.stat(`${at}/out/absolute`, { follow: false })).type, "symlink");
    await rt.rename(`${at}/out/absolute`, `${at}/moved`);
    await rt.rm(`${at}/moved`);
    await rt.rm(`${at}/out`, { recursive: true });
    assert.equal(await rt.exists(`${at}/out`), false);
    assert.equal(text(await rt.readFile(`${at}/kept/config`)), "kept");
    assert.equal(await rt.exists("/etc/hosts"), true);
  });

  test(`${kind}: followLinks follows them, in every call`, async () => {
    const { rt, at } = await planted(kind);
    const followLinks = true;
    const out = `${at}/out`;
    assert.equal(text(await rt.readFile(`${out}/chained`, { followLinks })), "kept");
    await rt.writeFile(`${out}/dangling`, "made", { followLinks });
    assert.equal(text(await rt.readFile(`${at}/kept/new`)), "made");
    assert.deepEqual(await rt.readDir(`${out}/directory`, { followLinks }), ["config", "new"]);
    assert.equal((await rt.stat(`${out}/absolute`, { followLinks })).type, "file");
    assert.equal(await rt.exists(`${out}/absolute`, { followLinks }), true);
    await rt.mkdir(`${out}/directory/d/e`, { recursive: true, followLinks });
    await rt.rename(`${out}/directory/new`, `${out}/directory/d/new`, { followLinks });
    await rt.rm(`${out}/up/kept/d/new`, { followLinks });
    assert.deepEqual(await rt.readDir(`${at}/kept/d`), ["e"]);
    await assert.rejects(rt.readFile(`${out}/chained`, { followLinks: 1 }), {
      code: "ERR_SECURE_EXEC_INVALID_OPTION",
    });
  });
}

test("the machine's own links, and those of a mount that takes no change, lead anywhere", async () => {
  const hostPath = mkdtempSync(join(base, "read-only-"));
  mkdirSync(join(hostPath, "a"));
  writeFileSync(join(hostPath, "b"), "b");
  const { symlinkSync } = await import("node:fs");
  symlinkSync("../b", join(hostPath, "a", "l"));
  const rt = await machine({ mounts: [{ guestPath: "/mnt/data", hostPath }] });
  assert.equal(text(await rt.readFile("/mnt/data/a/l")), "b");
  assert.equal(await rt.exists("/bin/sh"), true);
  await rt.run(`require("fs").symlinkSync("/mnt/data/a/l", "/workspace/l"); __return(1)`);
  await assert.rejects(rt.readFile("/workspace/l"), leadsOut("/workspace/l"));
});

test("a program's text is not written through a link that an earlier program left", async () => {
  const hostPath = mkdtempSync(join(base, "programs-"));
  mkdirSync(join(hostPath, "kept"));
  writeFileSync(join(hostPath, "kept", "config"), "kept");
  const rt = await machine({
    mounts: [{ guestPath: "/m", hostPath, readOnly: false }],
    permissions: {
      fs: { default: "allow", rules: [{ mode: "deny", operations: ["write"], paths: ["/m/**"] }] },
    },
  });
  const { value: planted } = await rt.run(`
    const fs = require("fs"), names = fs.readdirSync("/tmp");
    let count = 0;
    for (let n = 0; n < 64; n++) {
      for (const name of [__filename, ...names]) {
        const path = "/tmp/" + name.replace("/tmp/", "").replace(/\\d+/, (d) => String(Number(d) + n));
        try { fs.symlinkSync("/m/kept/" + (n % 2 ? "config" : "new" + n), path); count++; } catch {}
      }
    }
    __return(count);`);
  assert.ok(planted >= 0);
  for (let n = 0; n < 5; n++)
    await rt.exec(`console.log("attacker's text")`).catch(() => undefined);
  assert.deepEqual(readdirSync(join(hostPath, "kept")), ["config"]);
  assert.equal(readFileSync(join(hostPath, "kept", "config"), "utf8"), "kept");
});
