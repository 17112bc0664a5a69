// What the childProcess scope judges: the program that really runs, by whatever name it is started.
import assert from "node:assert/strict";
import { test } from "node:test";
import { machine } from "../../support/machines.mjs";

/** Names of one program, and ways to start it, made by the guest itself before anything is judged. */
const setUp = `
  const cp = require("child_process"), fs = require("fs");
  for (const d of ["a", "b", "c", "d", "e", "f"]) fs.mkdirSync("/tmp/" + d);
  fs.symlinkSync("/usr/bin/ls", "/tmp/a/cat");
  fs.symlinkSync("/usr/local/bin/node", "/tmp/b/cat");
  fs.symlinkSync("/bin/sh", "/tmp/c/cat");
  fs.symlinkSync("/usr/bin/cat", "/tmp/d/other");
  fs.writeFileSync("/tmp/e/cat", "#!/bin/ls\\n", { mode: 0o755 });
  fs.writeFileSync("/tmp/e/plain", "ls /\\n", { mode: 0o755 });
  fs.writeFileSync("/tmp/e/viaNode", "#!/usr/local/bin/node\\nconsole.log(1)\\n", { mode: 0o755 });
  fs.writeFileSync("/tmp/e/viaEnv", "#!/usr/bin/env node\\nconsole.log(1)\\n", { mode: 0o755 });
  fs.writeFileSync("/tmp/e/twice", "#!/tmp/e/viaNode\\n", { mode: 0o755 });
  fs.copyFileSync("/usr/local/bin/node", "/tmp/f/copy"); fs.chmodSync("/tmp/f/copy", 0o755);
  fs.copyFileSync("/usr/bin/sh", "/tmp/f/sh"); fs.chmodSync("/tmp/f/sh", 0o755);
  const ran = ({ error, status, stderr }) =>
    error !== undefined ? error.code : status === 0 ? "ran" : /ermission denied/.test(stderr) ? "inner" : stderr;
  const run = (file, args = [], options = {}) =>
    ran(cp.spawnSync(file, args, { encoding: "utf8", timeout: 30_000, ...options }));
`;
const ways = {
  cat: `run("cat", ["/etc/hostname"])`,
  catByPath: `run("/usr/bin/cat", ["/etc/hostname"])`,
  catByDots: `run("/usr/bin/../bin/cat", ["/etc/hostname"])`,
  catByOtherLink: `run("/tmp/d/other", ["/etc/hostname"])`,
  catInShell: `run("sh", ["-c", "cat /etc/hostname"])`,
  ls: `run("ls", ["/"])`,
  lsArgv0: `run("ls", ["/"], { argv0: "cat" })`,
  lsLink: `run("/tmp/a/cat", ["/"])`,
  lsLinkByPath: `run("cat", ["/"], { env: { PATH: "/tmp/a" } })`,
  lsLinkByCwd: `run("./cat", ["/"], { cwd: "/tmp/a" })`,
  lsShebang: `run("/tmp/e/cat")`,
  lsShebangByPath: `run("cat", [], { env: { PATH: "/tmp/e" } })`,
  lsInShell: `run("sh", ["-c", "ls /"])`,
  lsByEnv: `run("env", ["ls", "/"])`,
  nodeEval: `run(process.execPath, ["-e", "1"])`,
  nodeByName: `run("node", ["-e", "1"])`,
  nodeLink: `run("/tmp/b/cat", ["-e", "1"])`,
  nodeCopy: `run("/tmp/f/copy", ["-e", "1"])`,
  nodeShebang: `run("/tmp/e/viaNode")`,
  nodeEnvShebang: `run("/tmp/e/viaEnv")`,
  nodeNested: `run("/tmp/e/twice")`,
  shLink: `run("/tmp/c/cat", ["-c", ":"])`,
  shCopy: `run("/tmp/f/sh", ["-c", ":"])`,
  bash: `run("bash", ["-c", ":"])`,
  shOption: `run(":", [], { shell: true })`,
  shScript: `run("/tmp/e/plain")`,
};

/** How each way ended; what is not named has to have been refused. */
async function judged(childProcess, where = (program) => program) {
  const runtime = await machine({ permissions: { childProcess } });
  const list = Object.entries(ways).map(([name, text]) => `${name}: ${text}`);
  const program = `${setUp} const all = { ${list.join(",\n")} }; __return(all);`;
  const { value, stderr } = await runtime.run(where(program));
  assert.equal(stderr, "");
  return value;
}
const allowed = (value) => Object.keys(value).filter((name) => value[name] === "ran");
const not = (...names) => Object.keys(ways).filter((name) => !names.includes(name));

const cat = ["cat", "catByPath", "catByDots"];
/** Every way at whose end node runs, whoever was started first. */
const node = Object.keys(ways).filter((name) => name.startsWith("node"));
const shell = ["catInShell", "lsInShell", "shLink", "shCopy", "bash", "shOption", "shScript"];
const ls = Object.keys(ways).filter((name) => name.startsWith("ls"));

test("everything runs where everything may, and nothing where nothing may", async () => {
  assert.deepEqual(allowed(await judged("allow")), Object.keys(ways));
  const none = await judged("deny");
  for (const name of Object.keys(ways)) assert.equal(none[name], "EACCES", name);
});

test("allowed by name: only the program itself, under its own name", async () => {
  const rule = (...patterns) => ({ rules: [{ mode: "allow", patterns }] });
  assert.deepEqual(allowed(await judged(rule("cat"))), cat);
  assert.deepEqual(allowed(await judged(rule("cat", "sh"))), [
    ...cat,
    "catInShell",
    // Both its names are allowed.
    "shLink",
    "shOption",
  ]);
  assert.deepEqual(
    allowed(await judged(({ command }) => command === "cat")),
    ["cat"],
    "a function that compares names is put every name there is",
  );
});

test("allowed by path: the file, and the interpreters it needs", async () => {
  const rule = (...patterns) => ({ rules: [{ mode: "allow", patterns }] });
  assert.deepEqual(allowed(await judged(rule("/usr/bin/cat"))), [...cat, "catByOtherLink"]);
  assert.deepEqual(allowed(await judged(rule("/tmp/e/**"))), []);
  assert.deepEqual(allowed(await judged(rule("/tmp/e/**", "node"))), [
    "nodeEval",
    "nodeByName",
    "nodeShebang",
    "nodeNested",
  ]);
});

test("denied by name: the program under every name, in every script", async () => {
  const rule = (...patterns) => ({ default: "allow", rules: [{ mode: "deny", patterns }] });
  assert.deepEqual(allowed(await judged(rule("ls"))), not(...ls, "shScript"));
  assert.deepEqual(allowed(await judged(rule("node"))), not(...node));
  assert.deepEqual(allowed(await judged(rule("sh"))), not(...shell));
  assert.deepEqual(
    allowed(await judged(({ program, path }) => program !== "node" && path !== "/usr/bin/ls")),
    not(...ls, ...node, "shScript"),
  );
});

test("a worker is judged as its process is", async () => {
  const inWorker = (program) =>
    `const { Worker } = require("worker_threads");
     const text = ${JSON.stringify(program)}.replace("__return(all)", "require('worker_threads').parentPort.postMessage(all)");
     const worker = new Worker(text, { eval: true });
     __return(await new Promise((done, failed) => worker.on("message", done).on("error", failed)));`;
  const rules = { rules: [{ mode: "allow", patterns: ["cat"] }] };
  assert.deepEqual(allowed(await judged(rules, inWorker)), cat);
});

test("a name that changes while the function thinks starts nothing", async () => {
  let swap;
  const runtime = await machine({
    permissions: {
      childProcess: async ({ path }) => {
        await swap?.();
        swap = undefined;
        return path === "/usr/bin/cat";
      },
    },
  });
  await runtime.exec(
    `const fs = require("fs"); fs.mkdirSync("/tmp/l"); fs.symlinkSync("/usr/bin/cat", "/tmp/l/x")`,
  );
  swap = () =>
    runtime.exec(
      `const fs = require("fs"); fs.unlinkSync("/tmp/l/x"); fs.symlinkSync("/usr/bin/ls", "/tmp/l/x")`,
    );
  const { value } = await runtime.run(`
    import { spawnSync } from "node:child_process";
    __return(spawnSync("/tmp/l/x", ["/"]).error?.code ?? "ran");`);
  assert.equal(value, "EACCES");
});
