/** rt.template(): programs that begin in a copy of a process which has run a set-up. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { NodeRuntime, SidecarProcess } from "../../dist/index.js";
import { connectionOf } from "../../dist/sdk/sidecar-process.js";
import { machine } from "../support/machines.mjs";

const code = (name) => ({ code: `ERR_SECURE_EXEC_${name}` });

test("each run begins with the set-up's memory as it was, and sees nothing of another run", async () => {
  const rt = await machine({ files: { "/app/lib.mjs": "export const count = { value: 0 };" } });
  await withResource(
    await rt.template(
      `import { count } from "/app/lib.mjs";
       globalThis.data = { list: [1, 2, 3] };
       globalThis.bump = () => ++count.value;
       bump();`,
    ),
    async (tpl) => {
      const program = `
        import { count } from "/app/lib.mjs";
        data.list.push(4);
        __return({ list: data.list, value: bump(), same: count.value, pid: process.pid });`;
      const results = [await tpl.run(program), await tpl.run(program)];
      results.push(...(await Promise.all([tpl.run(program), tpl.run(program)])));
      for (const { value, exitCode } of results) {
        assert.equal(exitCode, 0);
        assert.deepEqual({ ...value, pid: 0 }, { list: [1, 2, 3, 4], value: 2, same: 2, pid: 0 });
      }
      assert.equal(new Set(results.map(({ value }) => value.pid)).size, 4);
    },
  );
});

/** Node 20 has no `await using`. */
async function withResource(resource, use) {
  try {
    return await use(resource);
  } finally {
    await resource[Symbol.asyncDispose]();
  }
}

test("a copy is a process of its own: exit code, output, arguments, environment, directory, stdin", async () => {
  const rt = await machine({ env: { FROM: "runtime" } });
  await rt.mkdir("/work/deep", { recursive: true });
  const tpl = await rt.template(
    `process.env.MADE = "by the set-up"; process.chdir("/work"); console.log("only once");`,
    { env: { OWN: "template" } },
  );
  const result = await tpl.run(
    `console.log("out"); console.error("err");
     let input = ""; for await (const chunk of process.stdin) input += chunk;
     const { FROM, MADE, OWN, MORE } = process.env;
     __return({ env: { FROM, MADE, OWN, MORE }, cwd: process.cwd(), argv: process.argv.slice(2), input });`,
    { env: { MORE: "run" }, args: ["x"], stdin: "typed" },
  );
  assert.equal(result.stdout, "out\n");
  assert.equal(result.stderr, "err\n");
  assert.deepEqual(result.value, {
    env: { FROM: "runtime", MADE: "by the set-up", OWN: "template", MORE: "run" },
    cwd: "/work",
    argv: ["x"],
    input: "typed",
  });
  assert.equal((await tpl.exec("process.exit(7)")).exitCode, 7);
  const failed = await tpl.exec(`throw new Error("mine")`);
  assert.equal(failed.exitCode, 1);
  assert.match(failed.stderr, /Error: mine/);
  const child = await tpl.spawn(`process.stdin.once("data", (data) => process.exit(data.length))`);
  child.writeStdin("12345");
  assert.equal(await child.wait(), 5);
});

test("timers, promises, files, crypto, workers and children work in a copy", async () => {
  const rt = await machine();
  const tpl = await rt.template(
    `import crypto from "node:crypto";
     import zlib from "node:zlib";
     // Its threads are not there in a copy.
     await new Promise((resolve) => crypto.pbkdf2("a", "b", 1, 8, "sha256", resolve));
     globalThis.packed = zlib.gzipSync("packed in the set-up");`,
  );
  const { value, stderr } = await tpl.run(`
    import crypto from "node:crypto";
    import zlib from "node:zlib";
    import { promisify } from "node:util";
    import { writeFile, readFile } from "node:fs/promises";
    import { execFileSync } from "node:child_process";
    import { Worker } from "node:worker_threads";
    await new Promise((resolve) => setTimeout(resolve, 1));
    await writeFile("/tmp/x", "written");
    const worker = new Worker("require('worker_threads').parentPort.postMessage(21 * 2)", { eval: true });
    __return({
      file: await readFile("/tmp/x", "utf8"),
      key: (await promisify(crypto.pbkdf2)("a", "b", 1, 8, "sha256")).length,
      text: String(await promisify(zlib.gunzip)(packed)),
      child: execFileSync("echo", ["child"], { encoding: "utf8" }),
      worker: await new Promise((resolve, reject) => worker.on("message", resolve).on("error", reject)),
    });`);
  assert.equal(stderr, "");
  assert.deepEqual(value, {
    file: "written",
    key: 8,
    text: "packed in the set-up",
    child: "child\n",
    worker: 42,
  });
});

test("no random number of a copy is its sibling's", async () => {
  const rt = await machine();
  const tpl = await rt.template(`
    import crypto from "node:crypto";
    for (let i = 0; i < 3; i++) [Math.random(), crypto.randomUUID(), crypto.randomInt(9), crypto.randomBytes(4)];
    globalThis.kept = Math.random;
    globalThis.secret = crypto.randomUUID();`);
  const second = await tpl.template(`Math.random(); crypto.randomUUID();`);
  const program = `
    import crypto from "node:crypto";
    __return([
      Math.random(), kept(), crypto.randomUUID(), globalThis.crypto.randomUUID(), crypto.randomInt(2 ** 47),
      crypto.randomBytes(8).toString("hex"), String(globalThis.crypto.getRandomValues(new Uint8Array(8))), secret,
    ]);`;
  const runs = await Promise.all([tpl, tpl, second, second].map((from) => from.run(program)));
  const values = runs.map(({ value }) => value);
  // What the set-up drew itself is in all of them.
  assert.equal(new Set(values.map((value) => value.pop())).size, 1);
  const all = values.flat();
  assert.equal(new Set(all).size, all.length);
});

test("a set-up that leaves something under way, throws or exits is refused", async () => {
  const rt = await machine();
  await assert.rejects(rt.template(`setTimeout(() => {}, 60_000)`), {
    ...code("TEMPLATE_PENDING"),
    message: /Timeout/,
  });
  await assert.rejects(
    rt.template(
      `new (await import("node:worker_threads")).Worker("setInterval(() => {}, 1000)", { eval: true })`,
    ),
    {
      ...code("TEMPLATE_PENDING"),
      message: /Worker|threadSocket|MessagePort/,
    },
  );
  await assert.rejects(
    rt.template(`console.log("so far"); throw new Error("broken")`),
    ({ code: is, details, message }) => {
      assert.equal(is, "ERR_SECURE_EXEC_TEMPLATE_SETUP_FAILED");
      assert.equal(details.exitCode, 1);
      assert.equal(details.stdout, "so far\n");
      assert.match(details.stderr, /Error: broken/);
      assert.match(message, /exit code 1/);
      return true;
    },
  );
  await assert.rejects(rt.template(`process.exit(0)`), code("TEMPLATE_SETUP_FAILED"));
  await assert.rejects(rt.template(`await new Promise(() => {})`), code("TEMPLATE_SETUP_FAILED"));
  await assert.rejects(rt.template("0", { pty: true }), code("INVALID_OPTION"));
  // And the machine is as it was.
  assert.equal((await rt.run("__return(1)")).value, 1);
});

test("a template of a template", async () => {
  const rt = await machine();
  const first = await rt.template(`globalThis.steps = ["first"]`);
  const second = await first.template(`steps.push("second")`, {
    files: { "/tmp/second.txt": "file of the second" },
  });
  await first.dispose();
  const { value } = await second.run(
    `import { readFileSync } from "node:fs"; __return([...steps, readFileSync("/tmp/second.txt", "utf8")])`,
  );
  assert.deepEqual(value, ["first", "second", "file of the second"]);
  await assert.rejects(first.run("0"), code("TEMPLATE_ENDED"));
  await second.dispose();
  await second.dispose();
});

test("disposal ends the template, not what began from it; the machine's ends both", async () => {
  const rt = await machine();
  const tpl = await rt.template(`globalThis.x = 1`);
  const program = await tpl.spawn(`process.stdin.once("data", () => process.exit(x))`);
  await tpl.dispose();
  await assert.rejects(tpl.run("0"), code("TEMPLATE_ENDED"));
  program.writeStdin("go");
  assert.equal(await program.wait(), 1);
  const other = await rt.template(`0`);
  const running = assert.rejects(other.run(`setInterval(() => {}, 1000)`), code("DISPOSED"));
  await rt.dispose();
  await running;
});

test("open files are shared with the copies as fork(2) shares them: one offset for all", async () => {
  const rt = await machine({ files: { "/tmp/text": "0123456789abcdefghij" } });
  await withResource(
    await rt.template(
      `import fs from "node:fs";
       globalThis.fd = fs.openSync("/tmp/text");
       globalThis.next = (size) => { const part = Buffer.alloc(size); fs.readSync(fd, part); return part.toString(); };
       next(2);`,
    ),
    async (tpl) => {
      const parts = [];
      for (let at = 0; at < 3; at++) parts.push((await tpl.run("__return(next(3))")).value);
      assert.deepEqual(parts, ["234", "567", "89a"]);
      // Closed in one, it is open in the others.
      await tpl.run(`import fs from "node:fs"; fs.closeSync(fd)`);
      assert.equal((await tpl.run("__return(next(3))")).value, "bcd");
    },
  );
});

test("a template serves programs of its own machine only, whoever names it", async () => {
  const sidecar = new SidecarProcess();
  const connection = await connectionOf(sidecar);
  const other = await NodeRuntime.create({ sidecar });
  const stats = JSON.parse((await connection.call("stats", {})).json);
  const [vm] = Object.keys(stats.accounts).map(Number);
  const owner = await NodeRuntime.create({ sidecar });
  const tpl = await owner.template("globalThis.secret = 1");
  const options = {
    mode: "program",
    language: "js",
    name: "",
    args: [],
    env: {},
    cwd: "",
    stdin: false,
    limits: {},
    stdoutLimitBytes: 1,
    stderrLimitBytes: 1,
  };
  const named = connection.newHandle();
  for (let template = 1; template < named; template++) {
    const spawn = connection.call("spawn", {
      vm,
      process: connection.newHandle(),
      options: JSON.stringify({ ...options, template }),
      source: Buffer.from("secret"),
    });
    await assert.rejects(spawn, { code: "ERR_SECURE_EXEC_TEMPLATE_ENDED" });
  }
  assert.equal((await tpl.run("__return(secret)")).value, 1);
  await other.dispose();
  await owner.dispose();
  await sidecar.dispose();
});

/** Node 20 has no `Promise.withResolvers`. */
function deferred() {
  let resolve;
  const promise = new Promise((settle) => (resolve = settle));
  return { promise, resolve };
}

test("permissions of a template hold for its set-up and for all that begins from it, and for nothing else", async () => {
  const tools = { greet: { description: "", execute: () => "hello" } };
  const rt = await machine({ files: { "/data/in": "in" }, tools, permissions: { fs: "allow" } });
  const probe = `
    import fs from "node:fs"; import { execFileSync } from "node:child_process";
    const tried = (work) => { try { return work(); } catch ({ code }) { return code; } };
    const answers = {
      inside: tried(() => fs.readFileSync("/data/in", "utf8")),
      outside: tried(() => fs.readFileSync("/etc/hostname", "utf8").length > 0),
      child: tried(() => execFileSync("cat", ["/data/in"], { encoding: "utf8" })),
      grandchild: tried(() => execFileSync("cat", ["/etc/hostname"], { encoding: "utf8", stdio: "pipe" }).length > 0),
      tool: await callHostTool("greet", {}).catch(() => "refused"),
      env: process.env.SECRET,
    };`;
  const permissions = {
    fs: { default: "deny", rules: [{ mode: "allow", paths: ["/data/**", "/usr/**", "/tmp/**"] }] },
    tool: "deny",
    env: { default: "allow", rules: [{ mode: "deny", patterns: ["SECRET"] }] },
  };
  const env = { SECRET: "s" };
  const tpl = await rt.template(`${probe} globalThis.inSetUp = answers;`, { permissions, env });
  // A command that was refused a file says so by its exit code, which is the error's status.
  const narrow = {
    inside: "in",
    outside: "EACCES",
    child: "in",
    grandchild: undefined,
    tool: "refused",
    env: undefined,
  };
  const wide = {
    inside: "in",
    outside: true,
    child: "in",
    grandchild: true,
    tool: "hello",
    env: "s",
  };
  const { value, stderr } = await tpl.run(`${probe} __return([inSetUp, answers])`, { env });
  assert.deepEqual(
    value.map((one) => ({ grandchild: undefined, env: undefined, ...one })),
    [narrow, narrow],
    stderr,
  );
  assert.deepEqual((await rt.run(`${probe} __return(answers)`, { env })).value, wide);
  assert.deepEqual(
    (await (await rt.template("0")).run(`${probe} __return(answers)`, { env })).value,
    wide,
  );

  // A further template has both, and what narrows the machine later narrows all of them.
  const further = await tpl.template("0", {
    permissions: { fs: { default: "deny", rules: [{ mode: "allow", paths: ["/usr/**"] }] } },
  });
  const read = `import fs from "node:fs"; let code = "read"; try { fs.readFileSync("/data/in"); } catch (error) { code = error.code; } __return(code)`;
  assert.equal((await further.run(read)).value, "EACCES");
  assert.equal((await tpl.run(read)).value, "read");
  await assert.rejects(
    tpl.template("0", { permissions: { tool: "allow" } }),
    code("PERMISSIONS_WIDENED"),
  );
  await assert.rejects(
    rt.template("0", { permissions: { fs: () => true } }),
    code("INVALID_OPTION"),
  );
  await assert.rejects(
    rt.template("0", { permissions: { mode: "learn" } }),
    code("INVALID_OPTION"),
  );
  const { promise: opened, resolve } = deferred();
  const program = await tpl.spawn(
    `
    import fs from "node:fs";
    const fd = fs.openSync("/data/in"); console.log("open");
    process.stdin.once("data", () => { let code = "read"; try { fs.readSync(fd, Buffer.alloc(1)); } catch (error) { code = error.code; } process.exit(code === "EACCES" ? 3 : 0); });`,
    { onStdout: resolve },
  );
  await opened;
  await rt.setPermissions({
    fs: { default: "deny", rules: [{ mode: "allow", paths: ["/tmp/**"] }] },
  });
  assert.equal((await tpl.run(read)).value, "EACCES");
  program.writeStdin("go");
  assert.equal(await program.wait(), 3);
});

test("a machine made from a template has the permissions of both", async () => {
  const rt = await machine({ files: { "/data/in": "in", "/data/out": "out" } });
  await rt.setPermissions({ childProcess: "deny" });
  const tpl = await rt.template("0", {
    permissions: { fs: { default: "deny", rules: [{ mode: "allow", paths: ["/data/in"] }] } },
  });
  const own = await machine({ template: tpl });
  const probe = `
    import fs from "node:fs"; import { execFileSync } from "node:child_process";
    const tried = (work) => { try { return work(); } catch ({ code }) { return code; } };
    __return([tried(() => fs.readFileSync("/data/in", "utf8")), tried(() => fs.readFileSync("/data/out", "utf8")), tried(() => execFileSync("ls"))]);`;
  assert.deepEqual((await own.run(probe)).value, ["in", "EACCES", "EACCES"]);
});

test("env, cwd, files, args, limits, language and name of a template's set-up", async () => {
  const rt = await machine({ env: { OF: "machine" }, limits: { memoryBytes: 512 * 2 ** 20 } });
  const tpl = await rt.template(
    `import { readFileSync } from "node:fs";
     enum Kind { One = 1 }
     globalThis.seen = { text: readFileSync("rel.txt", "utf8"), bytes: [...readFileSync("/abs.bin")], cwd: process.cwd(),
       args: process.argv.slice(2), of: process.env.OF, kind: Kind.One, name: import.meta.filename };`,
    {
      env: { OF: "template" },
      cwd: "/srv/deep",
      files: { "rel.txt": "relative to cwd", "/abs.bin": new Uint8Array([1, 2]) },
      args: ["--one", "two"],
      language: "ts",
      name: "setup.ts",
      limits: { outputBytes: 10, memoryBytes: 128 * 2 ** 20 },
    },
  );
  const { value } = await tpl.run("__return({ ...seen, now: process.cwd(), env: process.env.OF })");
  assert.deepEqual(value, {
    text: "relative to cwd",
    bytes: [1, 2],
    cwd: "/srv/deep",
    args: ["--one", "two"],
    of: "template",
    kind: 1,
    name: "/tmp/setup.ts",
    now: "/srv/deep",
    env: "template",
  });
  const hungry = `globalThis.held = []; for (let i = 0; i < 40; i++) held.push(new Uint8Array(8 * 2 ** 20).fill(1));`;
  await assert.rejects(rt.template(hungry, { limits: { memoryBytes: 128 * 2 ** 20 } }), (error) => {
    assert.equal(error.code, "ERR_SECURE_EXEC_TEMPLATE_SETUP_FAILED");
    return true;
  });
  await assert.rejects(rt.template(`for (;;);`, { limits: { cpuTimeMs: 200 } }), {
    code: /CPU_TIME_LIMIT|TEMPLATE_SETUP_FAILED/,
  });
  await assert.rejects(
    rt.template("0", { limits: { memoryBytes: 2 ** 32 } }),
    code("LIMIT_RAISED"),
  );
  await assert.rejects(rt.template("0", { files: { x: 1 } }), code("INVALID_OPTION"));
});

test("runs of a template leave nothing in the kernel", async () => {
  const { leftBy } = await import("../../scripts/template-leaks.mjs");
  const { left, before, after } = await leftBy(60);
  assert.deepEqual(left, [], JSON.stringify({ before, after }));
});
