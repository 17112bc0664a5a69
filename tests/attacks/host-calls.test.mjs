// Calls of the host on files while programs rename links into their way, with what programs left behind: no name that the
// host says comes to lie elsewhere between two looks at it, and nothing that is not a file of the machine's is opened.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { machine } from "../support/machines.mjs";

const timeout = 120_000;
const base = mkdtempSync(join(tmpdir(), "host-calls-"));
after(() => rmSync(base, { recursive: true, force: true }));

/** Makes `/m/w/d` in turn a directory, a link to `/m/secret` and one to `/etc`, without end. */
const swapping = `
  const fs = require("fs");
  const tried = (work) => { try { work(); return true; } catch { return false; } };
  const d = "/m/w/d";
  fs.mkdirSync(d, { recursive: true });
  fs.symlinkSync("../secret", "/m/w/l");
  fs.symlinkSync("/etc", "/m/w/m");
  for (let i = 0; ; i++) {
    const link = "/m/w/" + (i % 2 ? "l" : "m");
    tried(() => fs.rmSync("/m/w/x", { recursive: true, force: true }));
    tried(() => fs.renameSync(d, "/m/w/x"));
    if (!tried(() => fs.renameSync(link, d))) {
      tried(() => fs.rmSync(d, { recursive: true }));
      tried(() => fs.renameSync(link, d));
    }
    if (i === 0) console.log("swapping");
    tried(() => fs.renameSync(d, link));
    tried(() => fs.mkdirSync(d));
  }`;

/** As the kinds of tree that a machine may have at /m, with a directory beside a mount that no one may come to. */
function places(kind) {
  if (kind === "memory") return { files: { "/m/secret/f": "secret" } };
  const root = mkdtempSync(join(base, "tree-"));
  mkdirSync(join(root, "outside"));
  writeFileSync(join(root, "outside/keep"), "outside");
  mkdirSync(join(root, "in/secret"), { recursive: true });
  writeFileSync(join(root, "in/secret/f"), "secret");
  execFileSync("chmod", ["-R", "a+rwX", root]);
  const hostPath = join(root, "in");
  const mount =
    kind === "overlay" ? { overlay: { lower: hostPath } } : { hostPath, readOnly: false };
  return { root, mounts: [{ guestPath: "/m", ...mount }] };
}

for (const kind of ["memory", "mount", "overlay", "mount of two machines"])
  test(`${kind}: a directory that is now a link and now none`, { timeout }, async () => {
    const { root, ...options } = places(kind);
    const denied = ["/m/secret", "/m/secret/**", "/etc/**"];
    options.permissions = { fs: { default: "allow", rules: [{ mode: "deny", paths: denied }] } };
    const rt = await machine(options);
    const swapper = kind === "mount of two machines" ? await machine(options) : rt;
    const program = await swapper.spawn(swapping);
    for await (const line of program.stdout.lines()) if (line === "swapping") break;
    const codes = new Set();
    let met = 0;
    const call = async (work) => {
      try {
        return await work();
      } catch (error) {
        const code = error.cause?.code ?? error.code;
        assert.match(String(code), /^ERR_SECURE_EXEC_|^E[A-Z]+$/, error.stack);
        codes.add(code);
        if (code === "ERR_SECURE_EXEC_LINK_LEADS_OUT") met++;
        return undefined;
      }
    };
    // Until it was in the way often enough, of calls of all kinds.
    for (let round = 0; round < 40 || met < 60; round++) {
      const copy = join(base, `copy-${kind}-${round}`);
      const [text, passwd, names] = await Promise.all([
        call(() => rt.readFile("/m/w/d/f", "utf8")),
        call(() => rt.readFile("/m/w/d/passwd", "utf8")),
        call(() => rt.fs.readdir("/m/w/d")),
        call(() => rt.writeFile("/m/w/d/made", "made")),
        call(() => rt.fs.mkdir("/m/w/d/directory")),
        call(() => rt.fs.rm("/m/w/d/f", { recursive: true, force: true })),
        call(() => rt.fs.appendFile("/m/w/d/made", "more")),
        round % 8 === 0 ? call(() => rt.copyOut("/m/w/d", copy)) : undefined,
      ]);
      assert.deepEqual([text, passwd], [undefined, undefined]);
      for (const name of names ?? []) assert.match(name, /^(made|directory)$/);
    }
    program.kill("SIGKILL");
    for (const name of readdirSync(base).filter((one) => one.startsWith(`copy-${kind}-`)))
      for (const one of readdirSync(join(base, name))) assert.match(one, /^(made|directory)$/);
    if (root === undefined) return;
    assert.deepEqual(readdirSync(join(root, "outside")), ["keep"]);
    assert.deepEqual(readdirSync(join(root, "in/secret")), ["f"]);
    assert.equal(readFileSync(join(root, "in/secret/f"), "utf8"), "secret");
  });

test("a mount with pipes, sockets, devices and loops of links", { timeout }, async (t) => {
  const hostPath = mkdtempSync(join(base, "special-"));
  chmodSync(hostPath, 0o777);
  execFileSync("mkfifo", ["-m", "666", join(hostPath, "fifo")]);
  const names = ["fifo", "socket", "loop"];
  if (process.geteuid() === 0) {
    execFileSync("mknod", [join(hostPath, "zero"), "c", "1", "5"]);
    names.push("zero");
  }
  const server = createServer().listen(join(hostPath, "socket"));
  t.after(() => server.close());
  symlinkSync("loop", join(hostPath, "loop"));
  writeFileSync(join(hostPath, "file"), "file");
  const rt = await machine({ mounts: [{ guestPath: "/m", hostPath, readOnly: false }] });
  for (const name of names)
    for (const followLinks of [false, true]) {
      const path = `/m/${name}`;
      await assert.rejects(rt.readFile(path, { followLinks }), /ERR_SECURE_EXEC|ELOOP|ENXIO/);
      await assert.rejects(rt.writeFile(path, "x", { followLinks }), /ERR_SECURE_EXEC|ELOOP|ENXIO/);
    }
  const to = join(base, "special-copy");
  const { files } = await rt.copyOut("/m", to);
  assert.deepEqual([files, readdirSync(to)], [1, ["file"]]);
  const { value } = await rt.run(`
    import fs from "node:fs";
    import net from "node:net";
    const ways = { read: fs.readFileSync, open: (p) => fs.openSync(p, "r+"), copy: (p) => fs.copyFileSync(p, "/tmp/c"), cut: fs.truncateSync };
    const got = [];
    for (const name of ${JSON.stringify(names)})
      for (const [way, work] of Object.entries(ways)) {
        try { work("/m/" + name); got.push(way + " " + name); } catch {}
      }
    got.push(await new Promise((done) => net.connect("/m/socket").on("connect", () => done("connected")).on("error", ({ code }) => done(code))));
    __return(got);`);
  assert.deepEqual(value, ["ECONNREFUSED"]);
});
