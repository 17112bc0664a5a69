// Options that an engine must have been started with: `node` gets such an engine by itself.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { after, before, test } from "node:test";
import { badEngineFlag } from "../../dist/protocol/engine-start.js";
import { findEngine } from "../../dist/launcher/engine.js";
import { machine } from "../support/machines.mjs";
import { importWithNatives } from "../support/natives.mjs";

const timeout = 120_000;
let rt;
before(async () => {
  rt = await machine({ limits: { memoryBytes: 512 * 1024 * 1024 } });
});
const node = (args, env = {}) => rt.execCommand("node", args, { env });
const said = async (args, env) => {
  const { exitCode, stdout, stderr } = await node(args, env);
  return { exitCode, stdout, stderr };
};
const plainNode = (args) => {
  const { status, stdout, stderr } = spawnSync(findEngine().path, args, { encoding: "utf8" });
  return { exitCode: status, stdout, stderr };
};

test(
  "what C++ and V8 read at their start takes effect, as in plain Node",
  { timeout },
  async () => {
    const depth =
      "let d = 0; const f = () => { d++; f(); }; try { f(); } catch {} console.log(d > 40_000)";
    for (const args of [
      ["--max-old-space-size=96", "-p", "v8.getHeapStatistics().heap_size_limit"],
      [
        "--max-semi-space-size=8",
        "--max-old-space-size=200",
        "-p",
        "v8.getHeapStatistics().heap_size_limit",
      ],
      ["--zero-fill-buffers", "-p", "Buffer.allocUnsafeSlow(4096).every((byte) => byte === 0)"],
      ["--stack-size=5000", "-e", depth],
      ["--jitless", "-p", "typeof WebAssembly"],
      [
        "--disallow-code-generation-from-strings",
        "-p",
        "try { eval('1') } catch (error) { error.name }",
      ],
      ["--secure-heap=65536", "--secure-heap-min=4", "-p", "crypto.secureHeapUsed().total"],
      ["--experimental-shadow-realm", "-p", "typeof ShadowRealm"],
      [
        "--no-async-context-frame",
        "-p",
        "new (require('async_hooks').AsyncLocalStorage)().constructor.name",
      ],
      ["--single-threaded", "-p", "process.execArgv"],
      ["--random-seed=7", "-p", "Math.random()"],
    ])
      assert.deepEqual(await said(args), plainNode(args), args.join(" "));
    const inherited = await said(["-p", "v8.getHeapStatistics().heap_size_limit"], {
      NODE_OPTIONS: "--max-old-space-size=96",
    });
    const { stdout } = plainNode([
      "--max-old-space-size=96",
      "-p",
      "v8.getHeapStatistics().heap_size_limit",
    ]);
    assert.equal(inherited.stdout, stdout);
  },
);

test("the process is the same one before and after", { timeout }, async () => {
  const source = `
    const { spawnSync } = require("child_process");
    const run = (flags, options) => spawnSync("node", [...flags, "-e", \`
      console.log(process.ppid === \${process.pid}, process.cwd(), process.env.E, require("fs").readFileSync(0, "utf8"));
      console.error(process.execArgv[0]);
      process.exitCode = 5;\`], options);
    const { status, stdout, stderr } = run(["--max-old-space-size=100"], { input: "typed", cwd: "/tmp", env: { E: "e" }, encoding: "utf8" });
    console.log(JSON.stringify({ status, stdout, stderr }));`;
  const { stdout } = await rt.exec(source);
  assert.deepEqual(JSON.parse(stdout), {
    status: 5,
    stdout: "true /tmp e typed\n",
    stderr: "--max-old-space-size=100\n",
  });
});

test("a value that is none is refused before anything starts", { timeout }, async () => {
  for (const flag of ["--max-old-space-size=x", "--stack-size=1e9"]) {
    const { exitCode, stdout, stderr } = await node([flag, "-p", "1"]);
    assert.deepEqual([exitCode, stdout], [9, ""], flag);
    assert.match(stderr, /^node: /);
  }
});

test("the heap's own limit ends a program as plain Node's does", { timeout }, async () => {
  const { exitCode, stderr } = await node([
    "--max-old-space-size=30",
    "-e",
    "const a = []; for (;;) a.push(new Array(1e4).fill(1.5))",
  ]);
  assert.equal(exitCode, 134);
  assert.match(stderr, /heap out of memory/);
});

test("the table holds no flag that names a file, and no way around its values", () => {
  for (const flag of [
    "--logfile=/x",
    "--trace-turbo",
    "--perf-prof",
    "--require=/x",
    "--snapshot-blob=/x",
    "--inspect",
    "--sandbox-testing",
    "--expose-internals",
    "--max-old-space-size",
    "--max-old-space-size=1\0--logfile=/x",
    "--max-old-space-size=1 --logfile=/x",
    "--jitless=/x",
    "--no-max-old-space-size",
    "-e",
    "",
  ])
    assert.equal(badEngineFlag([flag]), flag, flag);
  assert.equal(badEngineFlag(["--jitless", "--no-jitless", "--max_old_space_size=5"]), undefined);
  assert.equal(badEngineFlag(Array(65).fill("--jitless")), "--jitless");
});

test("the kernel starts no engine with other flags, nor twice", { timeout }, async () => {
  const { NodeRuntime } = await importWithNatives();
  const hostile = await NodeRuntime.create();
  after(() => hostile.dispose());
  const ask = (flags) => `__natives.channel.call("ownEngine", { flags: ${JSON.stringify(flags)} })`;
  const { value } = await hostile.run(`__return([${ask(["--jitless"])}])`);
  // A text of the host's is not a command line.
  assert.deepEqual(value, [-1]);
  const { stdout } = await hostile.execCommand("node", [
    "-e",
    `const flagged = process.argv.length > 2;
     console.log(${ask(["--logfile=/tmp/x"])}, ${ask(Array(5000).fill("--jitless"))});
     console.log(typeof WebAssembly, ${ask(["--jitless"])});`,
  ]);
  // Started anew with the first good list, it says all of it again, and gets no third engine.
  assert.equal(stdout, "-22 -22\n-1 -1\nundefined -1\n");
});
