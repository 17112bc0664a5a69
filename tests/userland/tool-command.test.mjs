import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { loadGuestModule } from "../support/guest-modules.mjs";

const { toolCommand } = loadGuestModule("userland/tool-command");

const tools = [
  {
    name: "add",
    aliases: ["plus"],
    description: "Add two numbers\nand say the sum",
    inputSchema: {
      type: "object",
      properties: { a: { type: "number", description: "first" }, b: { type: "number" } },
      required: ["a", "b"],
    },
    examples: [{ description: "one and two", input: { a: 1, b: 2, note: "it's" } }],
    timeoutMs: 1,
  },
  {
    name: "findUser",
    aliases: ["find-user"],
    description: "",
    inputSchema: {
      type: "object",
      properties: {
        userName: { type: "string" },
        maxAge: { type: "integer" },
        isAdmin: { type: "boolean" },
        tags: { type: "array", items: { type: "string" } },
        ports: { type: "array", items: { type: "integer" } },
        role: { enum: ["a", "b"] },
        filter: { type: "object" },
        anything: {},
      },
    },
    examples: [],
    timeoutMs: 1,
  },
];

async function run(argv, { input = "", files = {}, call } = {}) {
  const out = { stdout: "", stderr: "", calls: [] };
  out.code = await toolCommand({
    argv,
    write: (text) => (out.stdout += text),
    writeError: (text) => (out.stderr += text),
    readInput: async () => input,
    async readFile(path) {
      if (files[path] === undefined)
        throw new Error(`ENOENT: no such file or directory, open '${path}'`);
      return files[path];
    },
    async callTool(name, value) {
      out.calls.push([name, value]);
      return call === undefined ? { got: value } : call(value);
    },
    describeTools: (name) =>
      name === "" ? tools : tools.filter((t) => t.name === name || t.aliases.includes(name)),
  });
  return out;
}
const inputOf = async (argv, more) => {
  const { calls, code, stderr } = await run(argv, more);
  assert.equal(stderr, "");
  assert.equal(code, 0);
  return { ...calls[0][1] };
};

test("the seed's call: the name may be repeated, the answer is an envelope", async () => {
  const call = ({ a, b }) => ({ sum: a + b });
  for (const argv of [
    ["add", "add", "--json", '{"a":1,"b":2}'],
    ["add", "--json", '{"a":1,"b":2}'],
    ["/usr/bin/add", "add", '--json={"a":1,"b":2}'],
    ["plus", "plus", "--a", "1", "--b", "2"],
    ["plus", "add", "--a=1", "--b=2"],
  ]) {
    const { stdout, stderr, code } = await run(argv, { call });
    assert.deepEqual([stdout, stderr, code], ['{"ok":true,"result":{"sum":3}}\n', "", 0]);
  }
  assert.equal(
    (await run(["add", "--a", "1", "--b", "2"], { call() {} })).stdout,
    '{"ok":true,"result":null}\n',
  );
});

test("input from a file and from stdin", async () => {
  const files = { "/tmp/in.json": '{"a":5,"b":6}' };
  assert.deepEqual(await inputOf(["add", "--json-file", "/tmp/in.json"], { files }), {
    a: 5,
    b: 6,
  });
  assert.deepEqual(await inputOf(["add", "--json", "-"], { input: '{"a":1,"b":1}' }), {
    a: 1,
    b: 1,
  });
  assert.deepEqual(await inputOf(["add", "--json-file=-"], { input: '{"a":1,"b":1}' }), {
    a: 1,
    b: 1,
  });
  const missing = await run(["add", "--json-file", "/nope"]);
  assert.equal(missing.code, 2);
  assert.match(missing.stderr, /^add: ENOENT/);
});

test("flags come from the schema", async () => {
  assert.deepEqual(
    await inputOf([
      "find-user",
      "--user-name",
      "--odd",
      "--max-age=30",
      "--is-admin",
      "--tags",
      "x",
      "--tags=y",
      "--ports",
      "80",
      "--role",
      "a",
      "--filter",
      '{"k":[1]}',
      "--anything",
      "null",
    ]),
    {
      userName: "--odd",
      maxAge: 30,
      isAdmin: true,
      tags: ["x", "y"],
      ports: [80],
      role: "a",
      filter: { k: [1] },
      anything: null,
    },
  );
  assert.deepEqual(await inputOf(["findUser", "--no-is-admin"]), { isAdmin: false });
  assert.deepEqual(await inputOf(["findUser", "--is-admin=false"]), { isAdmin: false });
  assert.deepEqual(await inputOf(["findUser"]), {});
});

test("wrong usage is told in the reference's words, and nothing is called", async () => {
  for (const [argv, message] of [
    [["add", "--a", "1"], "Missing required flag: --b"],
    [["add", "--c", "1"], "Unknown flag: --c"],
    [["add", "--no-a"], "Unknown flag: --no-a"],
    [["add", "--__proto__", "1"], "Unknown flag: --__proto__"],
    [["add", "--a"], "Flag --a requires a value"],
    [["add", "--json"], "Flag --json requires a value"],
    [["add", "--a", "1", "--a", "2"], "Flag --a cannot be repeated"],
    [["add", "1"], "Unexpected positional argument: 1"],
    [["add", "add", "add"], "Unexpected positional argument: add"],
    [["add", "--", "1"], "Unexpected positional argument: --"],
    [["add", "--a", "x"], "Flag --a expects a number"],
    [["add", "--a", ""], "Flag --a expects a number"],
    [["add", "--a", "Infinity"], "Flag --a expects a number"],
    [["findUser", "--max-age", "1.5"], "Flag --max-age expects an integer"],
    [["findUser", "--is-admin=maybe"], "Flag --is-admin expects a boolean"],
    [["findUser", "--filter", "{"], "The value of --filter is not valid JSON"],
    [["add", "--json", "{"], "The value of --json is not valid JSON"],
    [["add", "--json", "{}", "--a"], "Unexpected argument behind --json: --a"],
  ]) {
    const { calls, code, stderr, stdout } = await run(argv);
    assert.deepEqual([stderr, code, stdout, calls], [`${argv[0]}: ${message}\n`, 2, "", []]);
  }
});

test("a failed call exits with 1 and its message", async () => {
  const failing = await run(["add", "--json", "{}"], {
    call() {
      throw new Error("ToolInputSchemaViolation at $.a: missing required property");
    },
  });
  assert.deepEqual(
    [failing.code, failing.stdout, failing.stderr],
    [1, "", "add: ToolInputSchemaViolation at $.a: missing required property\n"],
  );
  const unknown = await run(["nothing"]);
  assert.equal(unknown.code, 1);
  assert.match(unknown.stderr, /no such host tool/);
});

test("help and the list", async () => {
  const { stdout, code, calls } = await run(["add", "--help"]);
  assert.deepEqual([code, calls], [0, []]);
  assert.match(stdout, /^Usage: add \[--json JSON/);
  assert.match(stdout, /--a \(number, required\) {2}first/);
  // What help shows can be pasted into a shell.
  assert.ok(stdout.includes(`add --json '{"a":1,"b":2,"note":"it'\\''s"}'`));
  assert.equal((await run(["list-tools"])).stdout, "add       Add two numbers\nfindUser\n");
  const json = JSON.parse((await run(["list-tools", "--json"])).stdout);
  assert.deepEqual(
    json.map(({ name }) => name),
    ["add", "findUser"],
  );
});

test("whatever the arguments, there is one outcome and no crash", async () => {
  const word = fc.oneof(
    fc.constantFrom(
      "--a",
      "--b",
      "--json",
      "--json-file",
      "--tags",
      "--no-is-admin",
      "--is-admin",
      "-",
      "--",
      "add",
      "{}",
      "--__proto__",
      "--constructor=1",
      "--=",
      "-h",
    ),
    fc.string({ maxLength: 8 }),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom("add", "findUser"),
      fc.array(word, { maxLength: 6 }),
      async (name, args) => {
        const { code, stdout, stderr } = await run([name, ...args], { input: "{}" });
        assert.ok(code === 0 ? stdout !== "" && stderr === "" : stderr !== "" && stdout === "");
        assert.equal({}.a, undefined);
      },
    ),
    { numRuns: 1000 },
  );
});
