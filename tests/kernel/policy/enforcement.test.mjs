// Policies as programs meet them: each rule on the side it allows and on the side it denies.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { machine } from "../../support/machines.mjs";

/** Runs expressions; each gives its value, or what its error says. */
async function outcomes(runtime, expressions, options) {
  const program = `
    const fs = require("fs"), out = [];
    const attempt = async (run) => {
      try { return { value: (await run()) ?? null }; }
      catch (e) { return { message: e.message, code: e.code, errno: e.errno, syscall: e.syscall, path: e.path }; }
    };
    ${expressions.map((text) => `out.push(await attempt(async () => (${text})));`).join("\n")}
    __return(out);`;
  const { value, stderr } = await runtime.run(program, options);
  assert.equal(stderr, "");
  return value;
}
const denied = (path, operation, syscall) => ({
  message: `EACCES: permission denied, ${path}: blocked by fs.${operation} policy`,
  code: "EACCES",
  errno: -13,
  syscall,
  path,
});
const vault = {
  files: { "/vault/secret": "s", "/vault/sub/deep": "d", "/tmp/free": "f" },
  permissions: { fs: { default: "allow", rules: [{ mode: "deny", paths: ["/vault/**"] }] } },
};

test("sync, callback and promise forms are denied alike, in the reference's words", async () => {
  const runtime = await machine(vault);
  const expected = denied("/vault/secret", "read", "open");
  assert.deepEqual(
    await outcomes(runtime, [
      `fs.readFileSync("/vault/secret")`,
      `fs.readFileSync("/vault/secret", "utf8")`,
      `fs.promises.readFile("/vault/secret")`,
      `new Promise((ok, no) => fs.readFile("/vault/secret", (e, d) => (e ? no(e) : ok(d))))`,
      `fs.openSync("/vault/secret")`,
      `fs.readFileSync("/tmp/free", "utf8")`,
      `fs.promises.readFile("/tmp/free", "utf8")`,
    ]),
    [expected, expected, expected, expected, expected, { value: "f" }, { value: "f" }],
  );
});

test("every operation has its own name, and is denied before it does anything", async () => {
  const runtime = await machine(vault);
  const rows = [
    [`fs.writeFileSync("/vault/secret", "x")`, "/vault/secret", "write", "open"],
    [`fs.writeFileSync("/vault/new", "x")`, "/vault/new", "write", "open"],
    [`fs.appendFileSync("/vault/secret", "x")`, "/vault/secret", "write", "open"],
    [`fs.readdirSync("/vault")`, "/vault", "readdir", "scandir"],
    [`fs.statSync("/vault/secret")`, "/vault/secret", "stat", "stat"],
    [`fs.lstatSync("/vault/secret")`, "/vault/secret", "stat", "lstat"],
    [`fs.accessSync("/vault/secret")`, "/vault/secret", "exists", "access"],
    [`fs.mkdirSync("/vault/d")`, "/vault/d", "mkdir", "mkdir"],
    [`fs.rmdirSync("/vault/sub")`, "/vault/sub", "rm", "rmdir"],
    [`fs.unlinkSync("/vault/secret")`, "/vault/secret", "rm", "unlink"],
    [`fs.chmodSync("/vault/secret", 0o777)`, "/vault/secret", "chmod", "chmod"],
    [`fs.utimesSync("/vault/secret", 1, 1)`, "/vault/secret", "utimes", "utime"],
    [`fs.symlinkSync("x", "/vault/l")`, "x", "symlink", "symlink"],
    [`fs.readlinkSync("/vault/secret")`, "/vault/secret", "readlink", "readlink"],
  ];
  const got = await outcomes(
    runtime,
    rows.map(([text]) => text),
  );
  for (const [at, [text, path, operation, syscall]] of rows.entries()) {
    const { code, message } = got[at];
    assert.deepEqual({ text, code, syscall: got[at].syscall }, { text, code: "EACCES", syscall });
    assert.match(message, new RegExp(`blocked by fs\\.${operation} policy$`), text);
    if (operation !== "symlink") assert.equal(got[at].path, path);
  }
  assert.deepEqual(await outcomes(runtime, [`fs.existsSync("/vault/secret")`]), [{ value: false }]);
  assert.equal(Buffer.from(await runtime.readFile("/vault/secret")).toString(), "s");
  await assert.rejects(runtime.readFile("/vault/new"), { code: "ERR_SECURE_EXEC_NO_SUCH_FILE" });
});

test("no other way of writing a path leads around a rule", async () => {
  const runtime = await machine(vault);
  const got = await outcomes(runtime, [
    `fs.readFileSync("/tmp/../vault/secret")`,
    `fs.readFileSync("//vault//secret")`,
    `(process.chdir("/tmp"), fs.readFileSync("../vault/secret"))`,
    `(fs.symlinkSync("/vault/secret", "/tmp/a"), fs.readFileSync("/tmp/a"))`,
    `(fs.symlinkSync("/vault", "/tmp/b"), fs.readFileSync("/tmp/b/secret"))`,
    `(fs.symlinkSync("/tmp/b", "/tmp/c"), fs.readdirSync("/tmp/c/sub"))`,
    `(fs.symlinkSync("/vault/made", "/tmp/d"), fs.writeFileSync("/tmp/d", "x"))`,
    `fs.mkdirSync("/tmp/new/../b/made", { recursive: true })`,
    `fs.linkSync("/vault/secret", "/tmp/e")`,
    `fs.renameSync("/vault/secret", "/tmp/f")`,
    `fs.renameSync("/vault", "/tmp/g")`,
    `fs.copyFileSync("/vault/secret", "/tmp/h")`,
    `fs.cpSync("/vault", "/tmp/i", { recursive: true })`,
    `fs.rmSync("/vault", { recursive: true })`,
    `fs.renameSync("/tmp/free", "/vault/in")`,
    `process.chdir("/vault")`,
  ]);
  for (const [at, { code }] of got.entries()) assert.equal(code, "EACCES", `case ${at}`);
  assert.equal(Buffer.from(await runtime.readFile("/vault/sub/deep")).toString(), "d");
  await assert.rejects(runtime.readFile("/vault/made"), { code: "ERR_SECURE_EXEC_NO_SUCH_FILE" });
  await assert.rejects(runtime.readFile("/tmp/f"), { code: "ERR_SECURE_EXEC_NO_SUCH_FILE" });
});

test("a rule about one file below protects it from what is done to the directories above", async () => {
  const runtime = await machine({
    files: { "/data/keep/precious": "p", "/data/other": "o" },
    permissions: {
      fs: {
        default: "allow",
        rules: [{ mode: "deny", operations: ["read", "rm"], paths: ["/data/keep/precious"] }],
      },
    },
  });
  const got = await outcomes(runtime, [
    `fs.rmSync("/data", { recursive: true, force: true })`,
    `fs.renameSync("/data", "/elsewhere")`,
    `fs.renameSync("/data/keep", "/data/kept")`,
    `fs.linkSync("/data/keep/precious", "/tmp/l")`,
  ]);
  for (const [at, { code }] of got.entries()) assert.equal(code, "EACCES", `case ${at}`);
  assert.equal(Buffer.from(await runtime.readFile("/data/keep/precious")).toString(), "p");
  assert.deepEqual(
    await outcomes(runtime, [
      `fs.renameSync("/data/other", "/data/moved")`,
      `fs.rmSync("/data/moved")`,
    ]),
    [{ value: null }, { value: null }],
  );
});

test("what is changed by descriptor is judged by where the file was opened", async () => {
  const runtime = await machine({
    files: { "/data/a": "abc", "/tmp/b": "abc" },
    permissions: {
      fs: {
        default: "allow",
        rules: [
          {
            mode: "deny",
            operations: ["chmod", "utimes", "chown", "truncate"],
            paths: ["/data/**"],
          },
        ],
      },
    },
  });
  const got = await outcomes(runtime, [
    `fs.fchmodSync(fs.openSync("/data/a", "r+"), 0o600)`,
    `fs.futimesSync(fs.openSync("/data/a", "r+"), 1, 1)`,
    `fs.ftruncateSync(fs.openSync("/data/a", "r+"), 1)`,
    `fs.truncateSync("/data/a", 1)`,
    `fs.fchmodSync(fs.openSync("/tmp/b", "r+"), 0o600)`,
    `fs.truncateSync("/tmp/b", 1)`,
  ]);
  assert.deepEqual(
    got.map(({ code }) => code),
    ["EACCES", "EACCES", "EACCES", "EACCES", undefined, undefined],
  );
  assert.equal(Buffer.from(await runtime.readFile("/data/a")).toString(), "abc");
  assert.equal(Buffer.from(await runtime.readFile("/tmp/b")).toString(), "a");
});

test("only what is allowed loads as a module", async () => {
  const runtime = await machine({
    files: {
      "/app/lib/index.mjs": "export default 1;",
      "/app/package.json": '{"imports":{"#x":"./lib/index.mjs"}}',
      "/hidden/index.mjs": "export default 2;",
      "/hidden/package.json": '{"name":"leak"}',
    },
    permissions: { fs: { rules: [{ mode: "allow", paths: ["/app/**"] }] } },
  });
  const got = await outcomes(runtime, [
    `import("/app/lib/index.mjs").then((m) => m.default)`,
    `import("/hidden/index.mjs").then((m) => m.default)`,
    `require("/hidden/package.json").name`,
  ]);
  assert.deepEqual(got[0], { value: 1 });
  assert.equal(got[1].code, "ERR_MODULE_NOT_FOUND");
  assert.equal(got[2].code, "MODULE_NOT_FOUND");
});

test("a program runs although it may touch no file", async () => {
  const runtime = await machine({ permissions: { fs: "deny" } });
  const { value, exitCode } = await runtime.run(`
    import { readFileSync } from "node:fs";
    let code; try { readFileSync("/etc/passwd"); } catch (e) { code = e.code; }
    console.log("out"); __return(code);`);
  assert.deepEqual([value, exitCode], ["EACCES", 0]);
});

test("functions get both generations' fields, and their answers are final", async () => {
  const requests = [];
  const runtime = await machine({
    files: { "/tmp/a": "a" },
    permissions: {
      fs: async (request) => {
        requests.push(request);
        if (request.path === "/tmp/throws") throw new Error("host secret");
        if (request.path === "/tmp/no") return { allow: false, reason: "not this one" };
        if (request.path === "/tmp/odd") return "yes";
        return request.operation === "read" ? true : { allow: true };
      },
    },
  });
  const got = await outcomes(runtime, [
    `fs.readFileSync("/tmp/a", "utf8")`,
    `fs.writeFileSync("/tmp/no", "x")`,
    `fs.promises.writeFile("/tmp/throws", "x")`,
    `fs.writeFileSync("/tmp/odd", "x")`,
    `(fs.writeFileSync("/tmp/yes", "content"), fs.readFileSync("/tmp/yes", "utf8"))`,
    `Promise.all(Array.from({ length: 50 }, (_, i) => fs.promises.writeFile("/tmp/n" + i, String(i)))).then((all) => all.length)`,
  ]);
  assert.deepEqual(got[0], { value: "a" });
  assert.equal(
    got[1].message,
    "EACCES: permission denied, /tmp/no: blocked by fs.write policy: not this one",
  );
  assert.equal(got[2].code, "EACCES");
  assert.doesNotMatch(got[2].message, /secret/);
  assert.equal(got[3].code, "EACCES");
  assert.deepEqual(got.slice(4), [{ value: "content" }, { value: 50 }]);
  for (const path of ["/tmp/no", "/tmp/throws", "/tmp/odd"])
    await assert.rejects(runtime.readFile(path), { code: "ERR_SECURE_EXEC_NO_SUCH_FILE" });
  assert.deepEqual(requests[0], { operation: "read", op: "read", path: "/tmp/a" });
});

test("a path that changes while the function thinks is judged again", async () => {
  let swap;
  const judged = [];
  const runtime = await machine({
    files: { "/tmp/ok": "harmless", "/vault/secret": "secret" },
    permissions: {
      fs: async ({ operation, path }) => {
        if (operation !== "read") return true;
        judged.push(path);
        if (path === "/tmp/ok") await swap?.();
        return !path.startsWith("/vault");
      },
    },
  });
  await runtime.exec(`require("fs").symlinkSync("/tmp/ok", "/tmp/link")`);
  swap = () =>
    runtime.exec(
      `const fs = require("fs"); fs.unlinkSync("/tmp/link"); fs.symlinkSync("/vault/secret", "/tmp/link")`,
    );
  const [got] = await outcomes(runtime, [`fs.promises.readFile("/tmp/link", "utf8")`]);
  assert.equal(got.code, "EACCES");
  assert.deepEqual(judged, ["/tmp/ok", "/vault/secret"]);
});

test("a function that does not answer in time denies, and its late answer changes nothing", async () => {
  let answer;
  const runtime = await machine({
    files: { "/tmp/a": "a" },
    permissionTimeoutMs: 20,
    permissions: { fs: () => new Promise((resolve) => (answer = resolve)) },
  });
  const [got] = await outcomes(runtime, [`fs.readFileSync("/tmp/a")`]);
  assert.equal(
    got.message,
    "EACCES: permission denied, /tmp/a: blocked by fs.read policy: no answer from the policy",
  );
  answer(true);
  assert.equal((await runtime.run("__return(1)")).value, 1);
});

test("a program that ends while a function thinks leaves nothing behind", async () => {
  let asked;
  const started = new Promise((resolve) => (asked = resolve));
  let answer;
  const runtime = await machine({
    permissions: {
      fs: () => {
        asked();
        return new Promise((resolve) => (answer = resolve));
      },
    },
  });
  const program = await runtime.spawn(`require("fs").writeFileSync("/tmp/x", "x")`);
  await started;
  program.kill("SIGKILL");
  assert.equal(await program.wait(), 137);
  answer(true);
  assert.equal((await runtime.run("__return(2)")).value, 2);
  await assert.rejects(runtime.readFile("/tmp/x"), { code: "ERR_SECURE_EXEC_NO_SUCH_FILE" });
});

test("the environment holds what the policy lets through", async () => {
  const env = { API_KEY: "k", MODE: "m" };
  const names = "Object.keys(process.env).sort()";
  const seen = async (permissions) =>
    (await (await machine({ env, permissions })).run(`__return(${names})`)).value;
  assert.ok((await seen(undefined)).includes("API_KEY"));
  assert.deepEqual(await seen({ env: "deny" }), []);
  assert.deepEqual(await seen({ env: false }), []);
  assert.deepEqual(await seen({ env: ({ name }) => ["PATH", "MODE"].includes(name) }), [
    "MODE",
    "PATH",
  ]);
  assert.deepEqual(await seen({ env: (request) => request.key === "MODE" }), ["MODE"]);
  assert.deepEqual(await seen({ env: { rules: [{ mode: "allow", patterns: ["API_*"] }] } }), [
    "API_KEY",
  ]);
  const runtime = await machine({
    permissions: { env: { rules: [{ mode: "allow", patterns: ["A"] }] } },
  });
  const { value } = await runtime.run(`__return(${names})`, { env: { A: "1", B: "2" } });
  assert.deepEqual(value, ["A"]);
});

test("signalling others is for the process scope, signalling oneself is not", async () => {
  const runtime = await machine({ permissions: { process: "deny" } });
  const other = await runtime.spawn("setInterval(() => {}, 1000)");
  const got = await outcomes(runtime, [
    `process.kill(${other.pid}, "SIGKILL")`,
    `process.kill(process.pid, 0)`,
  ]);
  assert.deepEqual([got[0].code, got[0].errno, got[0].syscall], ["EACCES", -13, "kill"]);
  assert.equal(
    got[0].message,
    `EACCES: permission denied, process ${other.pid}: blocked by process.kill policy`,
  );
  assert.deepEqual(got[1], { value: true });
  assert.equal(other.exitCode, null);
  other.kill("SIGKILL");
  assert.equal(await other.wait(), 137);

  const allowing = await machine();
  const victim = await allowing.spawn("setInterval(() => {}, 1000)");
  const [sent] = await outcomes(allowing, [`process.kill(${victim.pid}, "SIGKILL")`]);
  assert.deepEqual(sent, { value: true });
  assert.equal(await victim.wait(), 137);
});

test("mounted paths are judged like all others, links of the host included", async () => {
  const host = mkdtempSync(join(tmpdir(), "policy-"));
  try {
    mkdirSync(join(host, "secret"));
    writeFileSync(join(host, "secret", "key"), "k");
    writeFileSync(join(host, "open"), "o");
    symlinkSync("secret", join(host, "alias"));
    symlinkSync("secret/key", join(host, "direct"));
    const runtime = await machine({
      mounts: [{ guestPath: "/mnt/data", hostPath: host, readOnly: false }],
      permissions: {
        fs: { default: "allow", rules: [{ mode: "deny", paths: ["/mnt/data/secret/**"] }] },
      },
    });
    const got = await outcomes(runtime, [
      `fs.readFileSync("/mnt/data/open", "utf8")`,
      `fs.readFileSync("/mnt/data/secret/key")`,
      `fs.readFileSync("/mnt/data/alias/key")`,
      `fs.readFileSync("/mnt/data/direct")`,
      `(fs.symlinkSync("/mnt/data/alias", "/tmp/in"), fs.readFileSync("/tmp/in/key"))`,
      `fs.renameSync("/mnt/data/secret", "/mnt/data/public")`,
      `fs.writeFileSync("/mnt/data/alias/new", "x")`,
    ]);
    assert.deepEqual(got[0], { value: "o" });
    for (const [at, { code }] of got.slice(1).entries()) assert.equal(code, "EACCES", `case ${at}`);
    assert.deepEqual(readdirSync(join(host, "secret")), ["key"]);
  } finally {
    rmSync(host, { recursive: true });
  }
});

test("what /proc tells of others is for the process scope", async () => {
  const look = async (permissions) => {
    const runtime = await machine({ permissions });
    const other = await runtime.spawn("setInterval(() => {}, 1000)", { env: { TOKEN: "other's" } });
    const got = await outcomes(runtime, [
      `fs.readFileSync("/proc/${other.pid}/environ", "utf8").includes("TOKEN")`,
      `fs.readFileSync("/proc/self/environ", "utf8").includes("TOKEN")`,
      `fs.readFileSync("/proc/" + process.pid + "/cmdline", "utf8").length > 0`,
    ]);
    other.kill("SIGKILL");
    await other.wait();
    return got.map(({ value, message }) => value ?? message.replace(String(other.pid), "PID"));
  };
  assert.deepEqual(await look(undefined), [true, false, true]);
  assert.deepEqual(await look({ process: { rules: [{ mode: "allow", operations: ["kill"] }] } }), [
    "EACCES: permission denied, process PID: blocked by process.inspect policy",
    false,
    true,
  ]);
});
