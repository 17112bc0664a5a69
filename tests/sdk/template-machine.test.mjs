/** NodeRuntime.create({ template }): machines whose programs begin in a copy of another machine's template. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { NodeRuntime } from "../../dist/index.js";
import { machine } from "../support/machines.mjs";

const code = (name) => ({ code: `ERR_SECURE_EXEC_${name}` });
const made = [];
after(() => Promise.all(made.map((runtime) => runtime.dispose())));

async function from(template, options = {}) {
  const runtime = await NodeRuntime.create({ template, ...options });
  made.push(runtime);
  return runtime;
}

const setUp = `
  import fs from "node:fs";
  fs.appendFileSync("/tmp/set-up.log", "ran\\n");
  globalThis.rows = ["a", "b"];
  globalThis.once = process.pid + ":" + Math.random();`;

test("run, exec and spawn begin with the set-up's memory, which ran once; machines do not see each other", async () => {
  const rt = await machine();
  const tpl = await rt.template(setUp, { env: { OF: "the set-up" } });
  const [one, two] = await Promise.all([from(tpl), from(tpl)]);
  const program = `
    import fs from "node:fs";
    rows.push("c");
    fs.appendFileSync("/tmp/own.log", "x");
    __return({ rows, once, log: fs.readFileSync("/tmp/set-up.log", "utf8"), own: fs.readFileSync("/tmp/own.log", "utf8"), of: process.env.OF });`;
  const first = (await tpl.run(program)).value;
  assert.deepEqual(
    { ...first, once: "" },
    { rows: ["a", "b", "c"], once: "", log: "ran\n", own: "x", of: "the set-up" },
  );
  for (const each of [one, two]) {
    assert.deepEqual((await each.run(program)).value, first);
    assert.equal((await each.exec(`console.log(rows.length)`)).stdout, "2\n");
    const child = await each.spawn(`process.exit(rows.length + 40)`);
    assert.equal(await child.wait(), 42);
    assert.equal((await each.run(program)).value.own, "xx");
  }
  assert.equal(await one.exists("/tmp/own.log"), true);
  await one.writeFile("/tmp/only-one", "1");
  assert.equal(await two.exists("/tmp/only-one"), false);
  assert.equal(await rt.exists("/tmp/only-one"), false);
  // Processes of one are none of the other's.
  const sleeper = await one.spawn(`setInterval(() => {}, 1000); console.log("there")`);
  const { value: seen } = await two.run(
    `import fs from "node:fs"; __return(fs.readdirSync("/proc").filter((name) => /^\\d+$/.test(name)).length)`,
  );
  // init does not count: the template and the program itself.
  assert.ok(seen <= 3, String(seen));
  sleeper.kill("SIGKILL");
  await sleeper.wait();
});

test("files are those at the end of the set-up, whatever came later; neither needs the template any more", async () => {
  const rt = await machine({ files: { "/tmp/kept": "kept" } });
  const tpl = await rt.template(
    `import fs from "node:fs"; fs.writeFileSync("/tmp/made", "by the set-up")`,
  );
  await rt.writeFile("/tmp/made", "changed later");
  await rt.rm("/tmp/kept");
  await rt.writeFile("/tmp/later", "later");
  const own = await from(tpl, { files: { "/tmp/more": "more" } });
  assert.equal(await own.readFile("/tmp/made", "utf8"), "by the set-up");
  assert.equal(await own.readFile("/tmp/kept", "utf8"), "kept");
  assert.equal(await own.exists("/tmp/later"), false);
  assert.equal(await own.readFile("/tmp/more", "utf8"), "more");
  assert.equal(await rt.exists("/tmp/more"), false);
  await tpl.dispose();
  await rt.dispose();
  assert.equal(
    (await own.run(`import fs from "node:fs"; __return(fs.readFileSync("/tmp/made", "utf8"))`))
      .value,
    "by the set-up",
  );
  await assert.rejects(NodeRuntime.create({ template: tpl }), code("TEMPLATE_ENDED"));
});

test("open files go with it as they are, each machine's at a place of its own", async () => {
  const rt = await machine({ files: { "/tmp/text": "0123456789" } });
  const tpl = await rt.template(`
    import fs from "node:fs";
    globalThis.fd = fs.openSync("/tmp/text", "r+");
    globalThis.next = (size) => { const part = Buffer.alloc(size); return part.toString("utf8", 0, fs.readSync(fd, part)); };
    globalThis.put = (text) => fs.writeSync(fd, text);
    next(2);`);
  const [one, two] = [await from(tpl), await from(tpl)];
  assert.equal((await one.run("__return(next(3))")).value, "234");
  assert.equal((await two.run("__return(next(3))")).value, "234");
  assert.equal((await one.run("__return(next(1))")).value, "5");
  assert.equal((await tpl.run("__return(next(3))")).value, "234");
  await one.run("put('XY')");
  assert.equal(await one.readFile("/tmp/text", "utf8"), "012345XY89");
  assert.equal(await two.readFile("/tmp/text", "utf8"), "0123456789");
  assert.equal(await rt.readFile("/tmp/text", "utf8"), "0123456789");
});

test("what belongs to the template's own machine is refused by name", async () => {
  const rt = await machine();
  for (const [text, what] of [
    [
      `import fs from "node:fs"; globalThis.fd = fs.openSync("/tmp/gone", "w+"); fs.unlinkSync("/tmp/gone")`,
      /\/tmp\/gone/,
    ],
    [`import fs from "node:fs"; globalThis.fd = fs.openSync("/proc/self/status")`, /\/proc\//],
  ]) {
    const tpl = await rt.template(text);
    await assert.rejects(NodeRuntime.create({ template: tpl }), (error) => {
      assert.equal(error.code, "ERR_SECURE_EXEC_TEMPLATE_HOLDS");
      assert.match(error.message, what);
      return true;
    });
    // The template is none the worse for it.
    assert.equal((await tpl.run("__return(typeof fd)")).value, "number");
  }
});

test("environment, directory, limits, tools and permissions are the template's machine's but for what is given", async () => {
  const rt = await machine({
    env: { A: "machine", B: "machine" },
    limits: { outputBytes: 1000, memoryBytes: 256 * 2 ** 20 },
    permissions: { fs: "allow", childProcess: "deny" },
    tools: {
      old: { description: "", execute: () => "old" },
      both: { description: "", execute: () => "first" },
    },
  });
  const tpl = await rt.template(`process.chdir("/tmp")`, { env: { B: "template", C: "template" } });
  const program = `
    const { A, B, C, D } = process.env;
    __return({ A, B, C, D, cwd: process.cwd(), both: await callHostTool("both", {}), old: await callHostTool("old", {}) })`;
  const plain = await from(tpl);
  const expected = {
    A: "machine",
    B: "template",
    C: "template",
    D: undefined,
    cwd: "/tmp",
    both: "first",
    old: "old",
  };
  assert.deepEqual({ D: undefined, ...(await plain.run(program)).value }, expected);
  const own = await from(tpl, {
    env: { C: "own", D: "own" },
    cwd: "/home",
    limits: { wallTimeMs: 5000 },
    tools: { both: { description: "", execute: () => "second" } },
    permissions: { fs: { default: "deny", rules: [{ mode: "allow", paths: ["/home/**"] }] } },
  });
  const { value, stderr } = await own.run(program);
  assert.equal(stderr, "");
  assert.deepEqual(value, { ...expected, C: "own", D: "own", cwd: "/home", both: "second" });
  assert.equal((await own.exec(`console.log("x".repeat(2000))`)).stdout.length, 1000);
  const denied = `
    import fs from "node:fs"; import { spawnSync } from "node:child_process";
    let file = "read"; try { fs.readFileSync("/etc/hostname"); } catch ({ code }) { file = code; }
    __return([file, spawnSync("ls").error?.code]);`;
  assert.deepEqual((await own.run(denied)).value, ["EACCES", "EACCES"]);
  assert.deepEqual((await plain.run(denied)).value, ["read", "EACCES"]);
  await assert.rejects(
    from(tpl, { permissions: { childProcess: "allow" } }),
    code("PERMISSIONS_WIDENED"),
  );
  for (const options of [
    { mounts: [] },
    { engine: "forked" },
    { deterministic: { seed: 1 } },
    { sidecar: undefined, kernels: 1 },
  ])
    await assert.rejects(from(tpl, options), code("INVALID_OPTION"));
  await assert.rejects(from({}), code("INVALID_OPTION"));
});

test("a template and a clone of such a machine begin from it as well", async () => {
  const rt = await machine();
  const tpl = await rt.template(`globalThis.steps = ["first"]`);
  const own = await from(tpl);
  const further = await own.template(`steps.push("second")`);
  const clone = await own.clone();
  made.push(clone);
  await own.writeFile("/tmp/later", "");
  assert.deepEqual((await further.run("__return(steps)")).value, ["first", "second"]);
  assert.deepEqual((await clone.run("__return(steps)")).value, ["first"]);
  const third = await from(further);
  await rt.dispose();
  await own.dispose();
  assert.deepEqual((await third.run("__return(steps)")).value, ["first", "second"]);
  assert.deepEqual((await clone.run("__return(steps)")).value, ["first"]);
  assert.equal(await third.exists("/tmp/later"), false);
});

test("no other machine's program begins from a template, and one that was made from it only by a template", async () => {
  const rt = await machine();
  const tpl = await rt.template(`globalThis.secret = 1`);
  const own = await from(tpl);
  const pids = await Promise.all(
    Array.from({ length: 6 }, () => own.run("__return([secret, process.pid])")),
  );
  assert.equal(new Set(pids.map(({ value }) => value[1])).size, 6);
  // Ending the machine ends its copies, not the other's template.
  await own.dispose();
  assert.equal((await tpl.run("__return(secret)")).value, 1);
});

test("what the template's machine has changed counts twice, and the set-up's files go where there is no room", async () => {
  const rt = await machine({ limits: { fileSystemBytes: 8 * 2 ** 20 } });
  await rt.writeFile("/tmp/data", Buffer.alloc(5 * 2 ** 20, 1));
  const tpl = await rt.template(`globalThis.there = 42;`);
  await rt.writeFile("/tmp/data", Buffer.alloc(2 ** 20, 2));
  const begun = await from(tpl);
  assert.equal((await begun.readFile("/tmp/data")).length, 5 * 2 ** 20);
  // Its programs get all that the machine may have.
  const { value } = await tpl.run(`
    import fs from "node:fs";
    fs.writeFileSync("/tmp/more", Buffer.alloc(6 * 2 ** 20));
    try { fs.writeFileSync("/tmp/too-much", Buffer.alloc(2 ** 20)); } catch ({ code }) { __return({ code, there }); }`);
  assert.deepEqual(value, { code: "ENOSPC", there: 42 });
  await assert.rejects(NodeRuntime.create({ template: tpl }), code("TEMPLATE_FILES_GONE"));
  // What began before has them still.
  const data = await begun.readFile("/tmp/data");
  assert.ok(data.length === 5 * 2 ** 20 && data.every((byte) => byte === 1));
  assert.equal((await begun.run(`__return(there)`)).value, 42);
});
