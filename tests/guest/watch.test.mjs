/** fs.watch and fs.watchFile hear of real changes: by the program, by another one, by the host. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { NodeRuntime } from "../../dist/index.js";

describe("watching files", () => {
  let rt;
  const shared = mkdtempSync(join(os.tmpdir(), "secure-exec-watch-"));
  before(async () => {
    rt = await NodeRuntime.create({
      mounts: [{ guestPath: "/mnt/shared", hostPath: shared, readOnly: false }],
    });
  });
  after(async () => {
    await rt.dispose();
    rmSync(shared, { recursive: true, force: true });
  });
  const run = async (program) => {
    const { value, exitCode, stderr } = await rt.run(`import fs from "node:fs"; ${program}`);
    assert.equal(exitCode, 0, stderr);
    return value;
  };

  it("a file, its directory and the tree above hear of one change each in its own way", async () => {
    const value = await run(`
      fs.mkdirSync("/tmp/tree/inner", { recursive: true });
      fs.writeFileSync("/tmp/tree/inner/file", "1");
      const heard = { file: [], directory: [], tree: [] };
      const watchers = [];
      const done = new Promise((resolve) => {
        const on = (key, path, options) => watchers.push(fs.watch(path, options, (event, name) => {
          heard[key].push(event + " " + name);
          if (Object.values(heard).every((list) => list.some((line) => /end|gone/.test(line)) || list === heard.file && list.includes("rename file"))) resolve();
        }));
        on("file", "/tmp/tree/inner/file");
        on("directory", "/tmp/tree/inner");
        on("tree", "/tmp/tree", { recursive: true });
      });
      fs.appendFileSync("/tmp/tree/inner/file", "2");
      fs.chmodSync("/tmp/tree/inner/file", 0o600);
      fs.unlinkSync("/tmp/tree/inner/file");
      fs.writeFileSync("/tmp/tree/inner/end", "");
      await done;
      for (const watcher of watchers) watcher.close();
      __return([heard.file, heard.directory, heard.tree.some((line) => line.endsWith("inner/end"))]);`);
    // Equal events in a row may have become one on the way.
    const distinct = (list) => list.filter((line, index) => line !== list[index - 1]);
    const [file, directory] = value.slice(0, 2).map(distinct);
    const [, , tree] = value;
    assert.deepEqual(file, ["change file", "rename file"]);
    assert.deepEqual(directory.slice(0, 3), ["change file", "rename file", "rename end"]);
    assert.equal(tree, true);
  });

  it("another process's changes, and an event in each encoding", async () => {
    await rt.mkdir("/workspace/seen");
    const watching = rt.run(`import fs from "node:fs";
      const next = (options) => new Promise((resolve) => {
        const watcher = fs.watch("/workspace/seen", options, (event, name) => { watcher.close(); resolve([event, String(name)]); });
      });
      const all = Promise.all([next("hex"), next({ encoding: "buffer" })]);
      fs.writeFileSync("/tmp/watching", "");
      __return(await all);`);
    while (!(await rt.exists("/tmp/watching")));
    await rt.exec(`(await import("node:fs")).writeFileSync("/workspace/seen/ü", "")`);
    assert.deepEqual((await watching).value, [
      ["rename", "c3bc"],
      ["rename", "ü"],
    ]);
  });

  it("changes that the host makes in a mount", async () => {
    const watching = rt.run(`import fs from "node:fs";
      for await (const { eventType, filename } of fs.promises.watch("/mnt/shared")) {
        if (filename === "ready") continue;
        __return([eventType, filename]);
        break;
      }`);
    // Watching starts when it starts; each write is another chance to be heard.
    let over = false;
    watching.finally(() => (over = true));
    for (let i = 0; !over; i++) {
      writeFileSync(join(shared, "from-host"), String(i));
      await rt.exists("/mnt/shared/from-host");
    }
    const { value } = await watching;
    assert.equal(value[1], "from-host");
  });

  it("watchFile reports old and new attributes, also of what is not there", async () => {
    const value = await run(`
      const next = (path) => new Promise((resolve) => fs.watchFile(path, { interval: 5 }, (now, before) => { fs.unwatchFile(path); resolve([now.size, before.size, now.nlink]); }));
      const missing = await next("/tmp/missing");
      fs.writeFileSync("/tmp/polled", "123");
      const changed = next("/tmp/polled");
      const timer = setInterval(() => fs.appendFileSync("/tmp/polled", "4"), 10);
      const [now, before] = await changed;
      clearInterval(timer);
      __return([missing, now > before]);`);
    assert.deepEqual(value, [[0, 0, 0], true]);
  });

  it("an unreferenced watch keeps no program alive, and a closed one hears nothing", async () => {
    const { stdout, exitCode } = await rt.exec(`import fs from "node:fs";
      fs.mkdirSync("/tmp/quiet");
      fs.watch("/tmp/quiet", { persistent: false }, () => {});
      fs.watchFile("/tmp/quiet", { persistent: false }, () => {});
      const closed = fs.watch("/tmp/quiet", () => console.log("heard"));
      fs.writeFileSync("/tmp/quiet/x", "");
      closed.close();`);
    assert.deepEqual([stdout, exitCode], ["", 0]);
  });

  it("watches are bounded, and bad ones are refused", async () => {
    const value = await run(`
      const code = (path) => { try { fs.watch(path); return "watched"; } catch (error) { return [error.code, error.syscall, error.filename]; } };
      const kept = [];
      let refused;
      for (let i = 0; i < 2000 && refused === undefined; i++) {
        try { kept.push(fs.watch("/tmp")); } catch (error) { refused = error.code; }
      }
      for (const watcher of kept) watcher.close();
      const again = fs.watch("/tmp"); again.close();
      __return([kept.length, refused, code("/none")]);`);
    assert.deepEqual(value, [1024, "ENOSPC", ["ENOENT", "watch", "/none"]]);
  });
});

describe("node --watch", () => {
  let rt;
  before(async () => void (rt = await NodeRuntime.create({})));
  after(() => rt.dispose());

  /**
   * Runs `node …args` until its output has each of the texts, one after the other; `then` is called after each, and again
   * as long as the next one does not come: what a child has loaded may reach the one that watches behind the child's end.
   */
  const until = async (args, texts, then) => {
    const watching = await rt.spawnCommand("node", args, { cwd: "/tmp/app" });
    let output = "";
    let at = 0;
    const again = setInterval(() => at > 0 && then(at - 1), 2000).unref();
    for await (const chunk of watching.stdout) {
      output += typeof chunk === "string" ? chunk : Buffer.from(chunk).toString();
      for (let found; at < texts.length && (found = output.indexOf(texts[at])) >= 0; at++) {
        output = output.slice(found + texts[at].length);
        await then(at);
      }
      if (at === texts.length) break;
    }
    clearInterval(again);
    watching.kill("SIGTERM");
    return watching.wait();
  };

  it("starts a program again when a file that it required changes", async () => {
    await rt.mkdir("/tmp/app");
    await rt.writeFile("/tmp/app/main.cjs", `console.log(require("./part.cjs"));`);
    await rt.writeFile("/tmp/app/part.cjs", `module.exports = "before";`);
    await until(["--watch", "main.cjs"], ["before\n", "Completed running", "after\n"], (step) =>
      step === 1 ? rt.writeFile("/tmp/app/part.cjs", `module.exports = "after";`) : undefined,
    );
  });

  it("tests run again when what they required changes", async () => {
    await rt.mkdir("/tmp/app", { recursive: true });
    const part = "/tmp/app/tested.cjs";
    await rt.writeFile(part, `exports.name = "first";`);
    await rt.writeFile(
      "/tmp/app/a.test.cjs",
      `require("node:test").test(require("./tested.cjs").name, () => {});`,
    );
    const args = ["--watch", "--test", "--test-reporter=spec", "a.test.cjs"];
    await until(args, ["first", "duration_ms", "second", "duration_ms"], (step) =>
      step === 1 ? rt.writeFile(part, `exports.name = "second";`) : undefined,
    );
  });
});
