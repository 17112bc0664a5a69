// Each scope, allowed and denied, by rule and by function, for each way of naming the same thing.
// Commands have their own table in commands.test.mjs, endpoints in network-names.test.mjs.
import assert from "node:assert/strict";
import { test } from "node:test";
import { machine } from "../../support/machines.mjs";

/** What each expression came to in one machine: a value, or "denied". */
async function ways(options, expressions, setUp = "") {
  const runtime = await machine(options);
  const list = Object.entries(expressions).map(
    ([name, text]) => `all[${JSON.stringify(name)}] = await attempt(async () => (${text}));`,
  );
  const { value, stderr } = await runtime.run(`
    const cp = require("child_process"), fs = require("fs"), { Worker } = require("worker_threads");
    const attempt = async (run) => {
      try { return (await run()) ?? null; }
      catch (error) {
        const said = error.code + " " + error.message + " " + (error.stderr ?? "");
        return /EACCES|ermission denied|NOT_FOUND/.test(said) ? "denied" : "failed: " + said;
      }
    };
    const inWorker = (text) => new Promise((done, failed) => {
      const worker = new Worker("const fs = require('fs'), { parentPort } = require('worker_threads'); (async () => parentPort.postMessage(" + text + "))()", { eval: true });
      worker.on("message", done).on("error", failed);
    });
    const child = (...args) => cp.execFileSync("node", ["-p", ...args], { encoding: "utf8", stdio: "pipe" }).trim();
    const shell = (text) => cp.execFileSync("sh", ["-c", text], { encoding: "utf8", stdio: "pipe" }).trim();
    const all = {};
    ${setUp}
    ${list.join("\n")}
    __return(all);`);
  assert.equal(stderr, "");
  return value;
}
const every = (expressions, outcome) =>
  Object.fromEntries(Object.keys(expressions).map((name) => [name, outcome]));

test("fs: every name of a file", async () => {
  const expressions = {
    plain: `fs.readFileSync("/vault/f", "utf8")`,
    slashes: `fs.readFileSync("//vault///f", "utf8")`,
    dots: `fs.readFileSync("/tmp/./../vault/../vault/f", "utf8")`,
    relative: `(process.chdir("/tmp"), fs.readFileSync("../vault/f", "utf8"))`,
    url: `fs.readFileSync(new URL("file:///vault/%66"), "utf8")`,
    bytes: `fs.readFileSync(Buffer.from("/vault/f"), "utf8")`,
    link: `fs.readFileSync("/tmp/link", "utf8")`,
    chain: `fs.readFileSync("/tmp/chain", "utf8")`,
    relativeLink: `fs.readFileSync("/tmp/up", "utf8")`,
    directoryLink: `fs.readFileSync("/tmp/dir/f", "utf8")`,
    throughLink: `fs.readFileSync("/tmp/dir/../vault/f", "utf8")`,
    procCwd: `fs.readFileSync("/proc/self/cwd/../vault/f", "utf8")`,
    procRoot: `fs.readFileSync("/proc/self/root/vault/f", "utf8")`,
    descriptor: `fs.readFileSync(fs.openSync("/tmp/link"), "utf8")`,
    promises: `fs.promises.readFile("/vault/f", "utf8")`,
    stream: `new Promise((done, failed) => fs.createReadStream("/vault/f", "utf8").on("data", done).on("error", failed))`,
    copied: `(fs.copyFileSync("/tmp/chain", "/tmp/copy"), fs.readFileSync("/tmp/copy", "utf8"))`,
    worker: `inWorker("fs.readFileSync('/tmp/chain', 'utf8')")`,
    child: `child("require('fs').readFileSync('/tmp/link', 'utf8')")`,
    shell: `shell("cat /tmp/chain")`,
    redirect: `shell("while read -r line || [ -n \\"$line\\" ]; do echo $line; done < /tmp/dir/f")`,
    module: `require("/vault/m.json")`,
    moduleLink: `require("/tmp/dir/m.json")`,
  };
  const setUp = `
    fs.symlinkSync("/vault/f", "/tmp/link"); fs.symlinkSync("/tmp/link", "/tmp/chain");
    fs.symlinkSync("../vault/f", "/tmp/up"); fs.symlinkSync("/vault", "/tmp/dir");`;
  const files = { "/vault/f": "x", "/vault/m.json": '"x"' };
  const under = (fs) => ways({ files, permissions: { fs } }, expressions, setUp);
  for (const policy of [
    "allow",
    { default: "allow", rules: [{ mode: "deny", paths: ["/other/**"] }] },
    { rules: [{ mode: "allow", paths: ["/**"] }] },
    () => true,
  ])
    assert.deepEqual(await under(policy), every(expressions, "x"));
  for (const policy of [
    { default: "allow", rules: [{ mode: "deny", paths: ["/vault/**"] }] },
    { default: "allow", rules: [{ mode: "deny", operations: ["read"], paths: ["/vault/*"] }] },
    ({ path }) => !path.startsWith("/vault"),
  ])
    assert.deepEqual(await under(policy), every(expressions, "denied"));
});

test("process: every way to signal another process", async () => {
  const expressions = {
    kill: `process.kill(pid, 0)`,
    group: `process.kill(-group, 0)`,
    worker: `inWorker("process.kill(" + pid + ", 0)")`,
    child: `child("process.kill(" + pid + ", 0)") === "true"`,
    shell: `shell("kill -0 " + pid + " && echo yes") === "yes"`,
    nice: `(require("os").setPriority(pid, 5), true)`,
    looked: `fs.readFileSync("/proc/" + pid + "/cmdline", "utf8") !== ""`,
    lookedThroughLink: `(fs.symlinkSync("/proc/" + pid, "/tmp/p"), fs.readFileSync("/tmp/p/cmdline", "utf8") !== "")`,
  };
  const setUp = `
    const other = cp.spawn("node", ["-e", "setInterval(() => {}, 1000)"], { detached: true, stdio: "ignore" });
    other.unref();
    const pid = other.pid, group = other.pid;`;
  const under = (process) => ways({ permissions: { process } }, expressions, setUp);
  const rules = (mode, patterns, fallback) => ({
    default: fallback,
    rules: [{ mode, ...(patterns && { patterns }) }],
  });
  for (const policy of [
    "allow",
    rules("allow", ["*"], "deny"),
    rules("deny", ["99999"], "allow"),
    () => true,
  ])
    assert.deepEqual(await under(policy), every(expressions, true));
  for (const policy of [
    "deny",
    rules("deny", undefined, "allow"),
    rules("allow", ["99999"], "deny"),
    () => false,
  ])
    assert.deepEqual(await under(policy), every(expressions, "denied"));
});

test("env: a variable is there or not, whoever looks", async () => {
  const expressions = {
    read: `process.env.SECRET ?? "none"`,
    listed: `Object.keys(process.env).includes("SECRET") ? "s" : "none"`,
    proc: `fs.readFileSync("/proc/self/environ", "utf8").includes("SECRET=s") ? "s" : "none"`,
    worker: `inWorker("process.env.SECRET ?? 'none'")`,
    child: `child("process.env.SECRET ?? 'none'")`,
    shell: `shell("echo \${SECRET:-none}")`,
    printenv: `shell("printenv SECRET || echo none")`,
    env: `shell("env | grep -c ^SECRET= | sed s/1/s/ | sed s/0/none/")`,
  };
  const under = (env) => ways({ env: { SECRET: "s" }, permissions: { env } }, expressions);
  for (const policy of [
    "allow",
    { default: "allow", rules: [{ mode: "deny", patterns: ["OTHER"] }] },
    () => true,
  ])
    assert.deepEqual(await under(policy), every(expressions, "s"));
  for (const policy of [
    { default: "allow", rules: [{ mode: "deny", patterns: ["SEC*"] }] },
    { rules: [{ mode: "allow", patterns: ["PATH", "HOME"] }] },
    ({ name }) => name !== "SECRET",
  ])
    assert.deepEqual(await under(policy), every(expressions, "none"));
});

test("tool: every way to call one", async () => {
  const expressions = {
    name: `callHostTool("getIt", {})`,
    alias: `callHostTool("get-it", {})`,
    worker: `inWorker("await callHostTool('getIt', {})")`,
    child: `child("callHostTool('getIt', {}).then(console.log, (e) => { console.error(e.code); process.exitCode = 1 }), ''")`,
    command: `cp.execFileSync("getIt", { encoding: "utf8", stdio: "pipe" }).trim()`,
    commandAlias: `cp.execFileSync("get-it", { encoding: "utf8", stdio: "pipe" }).trim()`,
    byPath: `cp.execFileSync("/usr/bin/getIt", { encoding: "utf8", stdio: "pipe" }).trim()`,
    byLink: `(fs.symlinkSync("/usr/bin/getIt", "/tmp/other"), cp.execFileSync("/tmp/other", { encoding: "utf8", stdio: "pipe" }).trim())`,
    shell: `shell("getIt")`,
  };
  const tools = { getIt: { handler: () => "got" }, other: { handler: () => "other" } };
  const under = async (tool) => {
    const got = await ways({ tools, permissions: { tool } }, expressions);
    return Object.fromEntries(
      Object.entries(got).map(([name, value]) => [
        name,
        /^(?:got|\{"ok":true,"result":"got"\})$/.test(value)
          ? "got"
          : /^failed: .*may not be called/s.test(value)
            ? "denied"
            : value,
      ]),
    );
  };
  for (const policy of [
    "allow",
    { rules: [{ mode: "allow", patterns: ["getIt"] }] },
    { default: "allow", rules: [{ mode: "deny", patterns: ["other"] }] },
    ({ name }) => name === "getIt",
  ])
    assert.deepEqual(await under(policy), every(expressions, "got"));
  for (const policy of [
    "deny",
    { rules: [{ mode: "allow", patterns: ["other"] }] },
    { default: "allow", rules: [{ mode: "deny", patterns: ["getIt"] }] },
    ({ name }) => name !== "getIt",
  ])
    assert.deepEqual(await under(policy), every(expressions, "denied"));
});
