// Host tools as commands, from child processes of a program.
import assert from "node:assert/strict";
import { test } from "node:test";
import { add, machine } from "../../support/machines.mjs";

/** stdout, stderr and exit code of each command line. */
async function outcomes(runtime, ...commands) {
  const { value, stderr } = await runtime.run(`
    import { spawnSync } from "node:child_process";
    __return(${JSON.stringify(commands)}.map(([file, args, input]) => {
      const { stdout, stderr, status, error } = spawnSync(file, args, { input, encoding: "utf8" });
      return error ? error.code : [stdout, stderr, status];
    }));`);
  assert.equal(stderr, "");
  return value;
}

test("add add --json: by name, by path, by alias, from stdin and from a file", async () => {
  const runtime = await machine({
    tools: { add: { ...add, commandAliases: ["plus"] } },
    files: { "/tmp/in.json": '{"a":20,"b":1}' },
  });
  const sum = (value) => [`{"ok":true,"result":{"sum":${value}}}\n`, "", 0];
  assert.deepEqual(
    await outcomes(
      runtime,
      ["add", ["add", "--json", '{"a":1,"b":2}']],
      ["add", ["--json", '{"a":1,"b":3}']],
      ["/usr/bin/add", ["--a", "1", "--b=4"]],
      ["plus", ["plus", "--json", '{"a":1,"b":5}']],
      ["add", ["--json", "-"], '{"a":1,"b":6}'],
      ["add", ["--json-file", "/tmp/in.json"]],
      ["add", ["--a", "1"]],
      ["add", ["--json", '{"a":"x","b":1}']],
      ["list-tools", []],
    ),
    [
      sum(3),
      sum(4),
      sum(5),
      sum(6),
      sum(7),
      sum(21),
      ["", "add: Missing required flag: --b\n", 2],
      ["", "add: ToolInputSchemaViolation at $.a: expected number\n", 1],
      ["add  Add two numbers\n", "", 0],
    ],
  );
});

test("a later tool becomes a command, and no tool takes the place of a command", async () => {
  const runtime = await machine();
  assert.deepEqual(await outcomes(runtime, ["late", []]), ["ENOENT"]);
  const opened = await machine({ permissions: { tool: "allow" } });
  await opened.registerTools({
    late: { handler: () => "here" },
    node: { handler: () => "shadow" },
  });
  assert.deepEqual(await outcomes(opened, ["late", []], ["node", ["-p", "1+1"]]), [
    ['{"ok":true,"result":"here"}\n', "", 0],
    ["2\n", "", 0],
  ]);
});

test("the tool scope holds for commands, too", async () => {
  let called = 0;
  const runtime = await machine({
    tools: { add, drop: { handler: () => ++called } },
    permissions: { tool: { rules: [{ mode: "allow", patterns: ["add"] }] } },
  });
  const [allowed, refused, listed] = await outcomes(
    runtime,
    ["add", ["--a", "1", "--b", "1"]],
    ["drop", []],
    ["list-tools", []],
  );
  assert.equal(allowed[2], 0);
  assert.deepEqual(refused, ["", "drop: there is no such host tool, or it may not be called\n", 1]);
  assert.equal(listed[0], "add  Add two numbers\n");
  assert.equal(called, 0);
});

test("children have callHostTool as their parents have", async () => {
  const runtime = await machine({
    tools: { add },
    files: {
      "/tmp/child.cjs": `callHostTool("add", { a: 40, b: 2 }).then((r) => console.log(r.sum));`,
    },
  });
  assert.deepEqual(await outcomes(runtime, ["node", ["/tmp/child.cjs"]]), [["42\n", "", 0]]);
});

test("childProcess: what may be started, by name, by path and by function", async () => {
  const commands = [
    ["node", ["-p", "1"]],
    ["sh", ["-c", ":"]],
    ["/tmp/node", []],
  ];
  const files = { "/tmp/node": "#!/usr/local/bin/node\nconsole.log('own')" };
  const results = async (childProcess) => {
    const runtime = await machine({ files, permissions: { childProcess } });
    await runtime.exec(`require("fs").chmodSync("/tmp/node", 0o755)`);
    return (await outcomes(runtime, ...commands)).map((got) =>
      typeof got === "string" ? got : "ran",
    );
  };
  assert.deepEqual(await results("allow"), ["ran", "ran", "ran"]);
  assert.deepEqual(await results("deny"), ["EACCES", "EACCES", "EACCES"]);
  assert.deepEqual(await results(false), ["EACCES", "EACCES", "EACCES"]);
  assert.deepEqual(await results({ rules: [{ mode: "allow", patterns: ["node"] }] }), [
    "ran",
    "EACCES",
    "EACCES",
  ]);
  assert.deepEqual(
    await results({ default: "allow", rules: [{ mode: "deny", patterns: ["/tmp/**"] }] }),
    ["ran", "ran", "EACCES"],
  );
  const seen = [];
  assert.deepEqual(
    await results((request) => {
      seen.push(request);
      return ["node", "python3"].includes(request.command);
    }),
    ["ran", "EACCES", "EACCES"],
  );
  const { command, args, path, op, cwd } = seen[0];
  assert.deepEqual(
    { command, args, path, op, cwd },
    {
      command: "node",
      args: ["-p", "1"],
      path: "/usr/local/bin/node",
      op: "spawn",
      cwd: "/home/user",
    },
  );
});

test("the error of a refused spawn says why", async () => {
  const runtime = await machine({ permissions: { childProcess: "deny" } });
  const { value } = await runtime.run(`
    import { spawn } from "node:child_process";
    const child = spawn("node", ["-p", "1"]);
    const e = await new Promise((resolve) => child.on("error", resolve));
    __return([e.message, e.code, e.errno, e.syscall, e.path, Object.hasOwn(child, "emit")]);`);
  assert.deepEqual(value, [
    "EACCES: permission denied, node: blocked by child_process.spawn policy",
    "EACCES",
    -13,
    "spawn node",
    "node",
    false,
  ]);
});

test("a child's environment passes the policy, for reading and for writing", async () => {
  const rules = [
    { mode: "deny", operations: ["read"], patterns: ["SECRET"] },
    { mode: "deny", operations: ["write"], patterns: ["PATH", "NODE_*"] },
  ];
  const runtime = await machine({
    env: { SECRET: "s", KEPT: "k" },
    permissions: { env: { default: "allow", rules } },
  });
  const { value } = await runtime.run(`
    import { execFileSync } from "node:child_process";
    const env = { ...process.env, SECRET: "guessed", NODE_X: "1", NEW: "n" };
    const child = JSON.parse(execFileSync("node", ["-p", "JSON.stringify(process.env)"], { env }));
    const paths = JSON.parse(execFileSync("/usr/local/bin/node", ["-p", "JSON.stringify(process.env)"], { env: { PATH: "/evil" } }));
    __return([child.SECRET, child.NODE_X, child.NEW, child.KEPT, child.PATH === process.env.PATH, paths.PATH]);`);
  assert.deepEqual(value, [null, null, "n", "k", true, null]);
});
