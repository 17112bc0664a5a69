// What programs themselves are answered of whole directories: it is what the kernel would have said, and never older than what they know.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, it } from "node:test";
import { machine } from "../support/machines.mjs";

const options = { timeout: 120_000 };
const top = mkdtempSync(join(tmpdir(), "look-ahead-"));
after(() => rmSync(top, { recursive: true }));

const files = (directory, count) =>
  Object.fromEntries(
    Array.from({ length: count }, (_, at) => [`${directory}/m${at}.js`, `text ${at}`]),
  );
const prelude = `const fs = require("node:fs");
  const read = (path) => { try { return fs.readFileSync(path, "utf8"); } catch (error) { return error.code; } };
  const size = (path) => { try { return fs.statSync(path).size; } catch (error) { return error.code; } };
  const warm = (directory) => { for (const at of [0, 1, 2, 3]) { read(directory + "/m" + at + ".js"); size(directory + "/m" + at + ".js"); } };`;
const run = async (rt, code) => {
  const result = await rt.run(`${prelude} ${code}`, { name: "/start/main.cjs" });
  assert.equal(result.exitCode, 0, result.stderr);
  return result;
};
const answer = async (rt, code) => (await run(rt, code)).value;

function hostTree(name, count) {
  const directory = join(top, name);
  mkdirSync(directory);
  for (let at = 0; at < count; at++) writeFileSync(join(directory, `m${at}.js`), `text ${at}`);
  return directory;
}

it("many questions about one directory cost a few calls", options, async () => {
  const count = 100;
  const rt = await machine({
    mounts: [{ guestPath: "/mnt/many", hostPath: hostTree("many", count), readOnly: true }],
    files: files("/app/lib", count),
  });
  for (const directory of ["/mnt/many", "/app/lib"]) {
    const result = await run(
      rt,
      `warm("${directory}"); const seen = [];
      for (let at = 4; at < ${count}; at++) {
        const path = "${directory}/m" + at + ".js";
        seen.push(size(path), fs.existsSync(path + "on"), size("${directory}/gone" + at + "/a/b"), fs.realpathSync.native(path), read(path));
      }
      __return(seen);`,
    );
    const expected = Array.from({ length: count - 4 }, (_, at) => [
      `text ${at + 4}`.length,
      false,
      "ENOENT",
      `${directory}/m${at + 4}.js`,
      `text ${at + 4}`,
    ]).flat();
    assert.deepEqual(result.value, expected);
    assert.ok(result.usage.systemCalls < 40, `${result.usage.systemCalls} calls`);
    assert.ok(result.usage.bytesRead > count * 6, `${result.usage.bytesRead} bytes`);
  }
});

it("what is answered is what the kernel says of the same paths", options, async () => {
  const hostPath = hostTree("same", 20);
  mkdirSync(join(hostPath, "inner"));
  writeFileSync(join(hostPath, "empty.js"), "");
  writeFileSync(join(hostPath, "a.txt"), "no module");
  symlinkSync("m9.js", join(hostPath, "link.js"));
  symlinkSync("/etc/passwd", join(hostPath, "out.js"));
  symlinkSync("nowhere", join(hostPath, "dangling.js"));
  const rt = await machine({
    mounts: [{ guestPath: "/mnt/same", hostPath, readOnly: true }],
    files: { ...files("/app/lib", 20), "/app/lib/inner/x": "", "/app/lib/empty.js": "" },
  });
  const { value } = await run(
    rt,
    `fs.symlinkSync("m9.js", "/app/lib/link.js"); fs.symlinkSync("nowhere", "/app/lib/dangling.js");
    fs.chmodSync("/app/lib/m15.js", 0); fs.symlinkSync("/app/lib", "/app/way");
    const names = ["m5.js", "m15.js", "none.js", "inner", "inner/", "inner/.", "inner/..", ".", "..", "../lib/m6.js", "//m7.js", "m8.js/", "m8.js/x", "none/x", "none/../m7.js",
      "inner/none", "link.js", "out.js", "dangling.js", "empty.js", "a.txt", "n".repeat(255), "n".repeat(256), "\\u00e9".repeat(120), "\\u00e9".repeat(130), "\\ud800", "\\ud83d\\ude00",
      "none/" + "n".repeat(300), "none/" + "d/".repeat(3000), "a%62", ""];
    const facts = (stat) => stat && [stat.mode, stat.ino, stat.size, stat.mtimeMs, stat.dev, stat.nlink, stat.uid, stat.blocks, stat.birthtimeMs];
    const said = (error) => [error.code, error.message, error.path, error.errno, error.syscall];
    const tried = (ask) => { try { return ask(); } catch (error) { return said(error); } };
    (async () => {
      const differ = []; let asked = 0;
      const same = (what, one, other) => { asked++; if (JSON.stringify(one) !== JSON.stringify(other)) differ.push([what, one, other]); };
      for (const directory of ["/mnt/same", "/app/lib", "/app/way"]) for (const name of names) {
        const path = directory + "/" + name;
        const truth = {};
        for (const what of ["stat", "lstat", "realpath", "readFile", "access"])
          truth[what] = await fs.promises[what](path).then((is) => what.endsWith("stat") ? facts(is) : String(is), said);
        // In one turn: told, and then answered.
        warm(directory);
        const now = {
          stat: tried(() => facts(fs.statSync(path))), exists: fs.existsSync(path), real: tried(() => fs.realpathSync.native(path)),
          big: tried(() => Number(fs.statSync(path, { bigint: true }).size)), quiet: tried(() => fs.statSync(path, { throwIfNoEntry: false }) === undefined),
          read: tried(() => fs.readFileSync(path, "utf8")),
        };
        warm(directory + "/");
        now.lstat = tried(() => facts(fs.lstatSync(path)));
        same(["stat", path.slice(0, 60)], now.stat, truth.stat); same(["lstat", path.slice(0, 60)], now.lstat, truth.lstat);
        same(["exists", path.slice(0, 60)], now.exists, truth.access === "undefined");
        same(["real", path.slice(0, 60)], now.real, truth.realpath);
        same(["size", path.slice(0, 60)], now.big, typeof truth.stat[0] === "number" ? truth.stat[2] : truth.stat);
        same(["read", path.slice(0, 60)], [now.read].flat().slice(0, 1), [truth.readFile].flat().slice(0, 1));
        same(["quiet", path.slice(0, 60)], now.quiet, typeof truth.stat[0] === "number" ? false : ["ENOENT", "ENOTDIR"].includes(truth.stat[0]) || truth.stat);
      }
      __return({ differ, asked });
    })();`,
  );
  assert.deepEqual(value.differ, []);
  assert.equal(value.asked, 3 * 31 * 7);
});

it("who asks the same again asks the kernel", options, async () => {
  const rt = await machine({
    mounts: [{ guestPath: "/mnt/poll", hostPath: hostTree("poll", 10), readOnly: true }],
    files: files("/app/lib", 10),
  });
  for (const directory of ["/mnt/poll", "/app/lib"]) {
    const { usage } = await run(
      rt,
      `warm("${directory}"); for (let at = 0; at < 200; at++) fs.existsSync("${directory}/up");
      for (let at = 0; at < 200; at++) size("${directory}/m5.js");`,
    );
    assert.ok(usage.systemCalls >= 398, `${usage.systemCalls} calls`);
  }
});

it("what another process changed is seen by who knows of it from a file", options, async () => {
  for (const [sign, wait] of [
    [`fs.writeFileSync("/app/flag", "");`, `while (!fs.existsSync("/app/flag")) {}`],
    [`fs.writeFileSync("/app/flag", "");`, `while (size("/app/flag") === "ENOENT") {}`],
    [`fs.unlinkSync("/app/there");`, `while (size("/app/there") !== "ENOENT") {}`],
    [`fs.writeFileSync("/app/there", "more");`, `while (read("/app/there") !== "more") {}`],
    [
      `fs.symlinkSync("/app/lib", "/app/flag");`,
      `for (;;) try { fs.realpathSync.native("/app/flag"); break; } catch {}`,
    ],
    // A failure is all that it hears.
    [
      `fs.unlinkSync("/app/there");`,
      `try { for (;;) { quiet(); fs.realpathSync.native("/app/there"); } } catch {}`,
    ],
    [`fs.unlinkSync("/app/there");`, `do quiet(); while (read("/app/there") !== "ENOENT");`],
  ]) {
    const rt = await machine({ files: { ...files("/app/lib", 40), "/app/there": "there" } });
    const other = `const fs = require("node:fs"); fs.writeFileSync("/app/up", "");
      while (!fs.existsSync("/app/go")) {}
      // The first one has been told by then, and has not forgotten it.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300);
      fs.writeFileSync("/app/lib/m30.js", "new"); fs.unlinkSync("/app/lib/m31.js"); fs.writeFileSync("/app/lib/late.js", "late"); ${sign}`;
    assert.deepEqual(
      await answer(
        rt,
        `const child = require("node:child_process").spawn("node", ["-e", ${JSON.stringify(other)}], { stdio: "inherit" });
        while (!fs.existsSync("/app/up")) {}
        fs.writeFileSync("/app/go", "");
        const quiet = () => { warm("/app/lib"); for (const start = performance.now(); performance.now() < start + 500;); };
        warm("/app/lib");
        ${wait}
        const seen = [read("/app/lib/m30.js"), size("/app/lib/m31.js"), read("/app/lib/late.js"), read("/app/lib/m32.js")];
        child.on("exit", () => __return(seen));`,
      ),
      ["new", "ENOENT", "late", "text 32"],
      sign,
    );
  }
});

it("the program's own changes are seen at once", options, async () => {
  const rt = await machine({ files: files("/app/lib", 40) });
  assert.deepEqual(
    await answer(
      rt,
      `const seen = [];
      warm("/app/lib"); fs.writeFileSync("/app/lib/m5.js", "new"); seen.push(read("/app/lib/m5.js"), size("/app/lib/m5.js"));
      warm("/app/lib"); fs.unlinkSync("/app/lib/m6.js"); seen.push(fs.existsSync("/app/lib/m6.js"));
      warm("/app/lib"); fs.mkdirSync("/app/lib/late/in", { recursive: true }); seen.push(fs.existsSync("/app/lib/late/in"));
      warm("/app/lib"); seen.push(read("/app/lib/fresh.js")); fs.readFileSync("/app/lib/fresh.js", { flag: "w+" }); seen.push(size("/app/lib/fresh.js"));
      // Writes that need no answer.
      const held = fs.openSync("/app/lib/m10.js", "w");
      for (let at = 0; at < 5; at++) fs.writeSync(held, "0123456789");
      warm("/app/lib"); seen.push(size("/app/lib/m10.js"));
      for (let at = 0; at < 5; at++) fs.writeSync(held, "0123456789");
      seen.push(size("/app/lib/m10.js"), read("/app/lib/m10.js").length);
      warm("/app/lib"); fs.renameSync("/app/lib", "/app/gone"); seen.push(size("/app/lib/m9.js"), size("/app/gone/m9.js"));
      warm("/app/gone"); process.chdir("/app/gone"); seen.push(size("m8.js"));
      __return(seen);`,
    ),
    ["new", 3, false, true, "ENOENT", 0, 50, 100, 100, "ENOENT", 6, 6],
  );
});

it(
  "what another thread changed is seen by who knows of it from shared memory",
  options,
  async () => {
    const rt = await machine({ files: files("/app/lib", 40) });
    const other = `const { workerData } = require("node:worker_threads");
    Atomics.store(workerData, 0, 1); Atomics.notify(workerData, 0);
    Atomics.wait(workerData, 0, 1);
    require("node:fs").writeFileSync("/app/lib/m30.js", "changed by it");
    Atomics.store(workerData, 0, 3); Atomics.notify(workerData, 0);`;
    assert.deepEqual(
      await answer(
        rt,
        `const shared = new Int32Array(new SharedArrayBuffer(4));
      const worker = new (require("node:worker_threads").Worker)(${JSON.stringify(other)}, { eval: true, workerData: shared });
      Atomics.wait(shared, 0, 0);
      warm("/app/lib");
      Atomics.store(shared, 0, 2); Atomics.notify(shared, 0);
      Atomics.wait(shared, 0, 2);
      const seen = [size("/app/lib/m30.js"), read("/app/lib/m30.js")];
      worker.on("exit", () => __return(seen));`,
      ),
      [13, "changed by it"],
    );
  },
);

it("what the host changed is seen by who has heard from it", options, async () => {
  const hostPath = hostTree("live", 30);
  const rt = await machine({ mounts: [{ guestPath: "/mnt/live", hostPath, readOnly: true }] });
  const process = await rt.spawnCommand("node", [
    "-e",
    `${prelude} process.on("SIGUSR2", () => { console.log(read("/mnt/live/m20.js"), size("/mnt/live/m21.js"), fs.existsSync("/mnt/live/late")); process.exit(); });
    setInterval(() => {}, 60_000); console.log("first"); warm("/mnt/live"); fs.existsSync("/mnt/live/other"); console.log("up");`,
  ]);
  const lines = process.lines();
  assert.equal((await lines.next()).value, "first");
  assert.equal((await lines.next()).value, "up");
  writeFileSync(join(hostPath, "m20.js"), "new");
  writeFileSync(join(hostPath, "m21.js"), "longer than before");
  writeFileSync(join(hostPath, "late"), "");
  process.kill("SIGUSR2");
  assert.equal((await lines.next()).value, "new 18 true");
});

it("where something is judged or listened to, each question is", options, async () => {
  const mounts = [{ guestPath: "/mnt/judged", hostPath: hostTree("judged", 12), readOnly: true }];
  const code = `warm("/mnt/judged"); const seen = []; for (let at = 4; at < 12; at++) seen.push(size("/mnt/judged/m" + at + ".js")); __return(seen);`;
  const expected = [6, 6, 6, 6, 6, 6, 7, 7];
  const ruled = await machine({
    mounts,
    permissions: {
      fs: {
        default: "allow",
        rules: [{ mode: "deny", operations: ["stat"], paths: ["/mnt/judged/m10.js"] }],
      },
    },
  });
  assert.deepEqual(await answer(ruled, code), expected.with(6, "EACCES"));
  // A loader is told of the directory, also where somebody listens.
  const load = `for (const at of [0, 1, 2, 3]) try { require("/mnt/judged/m" + at); } catch {} for (const at of [1, 2]) fs.existsSync("/mnt/judged/gone" + at);`;
  const heard = [];
  const listening = await machine({
    mounts,
    onDecision: ({ operation, resource }) => heard.push(`${operation} ${resource}`),
  });
  assert.deepEqual(await answer(listening, code), expected);
  for (let at = 4; at < 12; at++) assert.ok(heard.includes(`stat /mnt/judged/m${at}.js`), `m${at}`);
  await run(listening, load);
  for (const at of [1, 2]) assert.ok(heard.includes(`exists /mnt/judged/gone${at}`), `gone${at}`);
  const learning = await machine({ mounts, permissions: "learn" });
  const { policy } = await run(learning, code);
  const read = policy.fs.rules
    .filter(({ operations }) => operations.includes("read"))
    .flatMap(({ paths }) => paths);
  for (let at = 0; at < 12; at++) assert.equal(read.includes(`/mnt/judged/m${at}.js`), at < 4);
});
