// Every option of the engine, by its own list: in effect, taken as a hint, or refused by name.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { isNodeStartOption, isV8StartFlag } from "../../dist/protocol/engine-start.js";
import { findEngine } from "../../dist/launcher/engine.js";
import { machine } from "../support/machines.mjs";
import { loadGuestModule } from "../support/guest-modules.mjs";

const { refusedOptions, acceptedHints } = loadGuestModule("guest/refused-options");

/** The engine's own table, and for each option whether its JavaScript asks for it. */
const listing = `
  const { internalBinding } = require("internal/test/binding");
  const { envSettings, types } = internalBinding("options");
  const kinds = Object.fromEntries(Object.entries(types).map(([name, value]) => [value, name]));
  const { options } = require("internal/options").getCLIOptionsInfo();
  const text = Object.entries(internalBinding("builtins").natives)
    .filter(([id]) => id !== "internal/process/pre_execution")
    .map(([, source]) => source).join("\\n");
  console.log(JSON.stringify([...options].filter(([name]) => name.startsWith("--")).map(([name, info]) => ({
    name,
    kind: kinds[info.type],
    environment: info.envVarSettings === envSettings.kAllowedInEnvvar,
    asked: new RegExp("getOptionValue\\\\(\\\\s*'--(no-)?" + name.slice(2).replaceAll(".", "\\\\.") + "'").test(text),
  }))));`;
const options = JSON.parse(
  execFileSync(findEngine().path, ["--expose-internals", "--no-warnings", "-e", listing], {
    encoding: "utf8",
    maxBuffer: 1 << 26,
  }),
);

const rt = await machine({
  limits: { memoryBytes: 512 * 1024 * 1024 },
  files: {
    "/app/a.env": "A=1\n",
    "/app/package.json": '{"scripts":{"x":"echo ran"}}',
    "/app/link.js": "console.log(__filename)",
    "/app/pre.js": "console.log('pre')",
    "/app/bad.js": "const const",
    "/app/some.test.js": "require('node:test')('t', () => console.log('tested'))",
    "/app/m.mjs": "export const x = 1",
    "/app/node_modules/dep/package.json": '{"exports":{"special":"./s.js","default":"./d.js"}}',
    "/app/node_modules/dep/s.js": "module.exports = 's'",
    "/app/node_modules/dep/d.js": "module.exports = 'd'",
  },
});
const run = (args, env = {}) => rt.execCommand("node", args, { cwd: "/app", env, timeout: 60_000 });

/** What those do that no JavaScript of Node's asks for: arguments, and what must then be printed. */
const effects = {
  "--check": [["--check", "bad.js"], /SyntaxError/],
  "--conditions": [["--conditions=special", "-p", "require('dep')"], /^s\n$/],
  "--cpu-prof": [["--cpu-prof", "-e", "process.on('exit', () => 0)"], /^$/, "ls CPU*.cpuprofile"],
  "--cpu-prof-dir": [["--cpu-prof", "--cpu-prof-dir=p1", "-e", "0"], /^$/, "ls p1/CPU*"],
  "--cpu-prof-interval": [
    ["--cpu-prof-interval=0x", "--cpu-prof-name=q", "-e", "0"],
    /must be used with --cpu-prof/,
  ],
  "--cpu-prof-name": [["--cpu-prof", "--cpu-prof-name=p2", "-e", "0"], /^$/, "ls p2"],
  "--security-revert": [["--security-revert=x"], /Attempt to revert an unknown CVE \[x\]/],
  "--trace-sync-io": [
    ["--trace-sync-io", "-e", "setImmediate(() => fs.statSync('/'))"],
    /Detected use of sync API/,
  ],
  "--env-file": [["--env-file=a.env", "-p", "process.env.A"], /^1\n$/],
  "--env-file-if-exists": [["--env-file-if-exists=a.env", "-p", "process.env.A"], /^1\n$/],
  "--experimental-bench": [
    ["--no-warnings", "--experimental-bench", "-p", "typeof require('node:bench')"],
    /^function|object/,
  ],
  "--experimental-eventsource": [
    ["--experimental-eventsource", "-p", "typeof EventSource"],
    /^function\n$/,
  ],
  "--experimental-global-navigator": [
    ["--no-experimental-global-navigator", "-p", "typeof navigator"],
    /^undefined\n$/,
  ],
  "--experimental-repl-await": [["--no-experimental-repl-await", "-p", "1"], /^1\n$/],
  "--experimental-require-module": [
    ["--no-experimental-require-module", "-p", "process.features.require_module"],
    /^false\n$/,
  ],
  "--experimental-sqlite": [
    ["--no-experimental-sqlite", "-p", "require('module').isBuiltin('node:sqlite')"],
    /^false\n$/,
  ],
  "--experimental-vfs": [
    ["--experimental-vfs", "-p", "require('module').isBuiltin('node:vfs')"],
    /^true\n$/,
  ],
  "--experimental-web-worker": [
    ["--no-warnings", "--experimental-web-worker", "-p", "typeof Worker"],
    /^function\n$/,
  ],
  "--experimental-websocket": [
    ["--no-experimental-websocket", "-p", "typeof WebSocket"],
    /^undefined\n$/,
  ],
  "--experimental-webstorage": [
    ["--no-experimental-webstorage", "-p", "typeof localStorage"],
    /^undefined\n$/,
  ],
  "--expose-gc": [["--expose-gc", "-p", "typeof gc"], /^function\n$/],
  "--extra-info-on-fatal-exception": [
    ["--no-extra-info-on-fatal-exception", "-e", "throw new Error('x')"],
    /^(?![^]*Node\.js v)[^]*Error: x/,
  ],
  "--frozen-intrinsics": [
    ["--no-warnings", "--frozen-intrinsics", "-p", "Object.isFrozen(Array.prototype)"],
    /^true\n$/,
  ],
  "--global-search-paths": [
    ["--no-global-search-paths", "-p", "module.constructor.globalPaths.length"],
    /^0\n$/,
  ],
  "--heap-prof": [["--heap-prof", "-e", "0"], /^$/, "ls Heap*.heapprofile"],
  "--heap-prof-dir": [["--heap-prof", "--heap-prof-dir=p3", "-e", "0"], /^$/, "ls p3/Heap*"],
  "--heap-prof-interval": [
    ["--heap-prof", "--heap-prof-interval=1024", "--heap-prof-name=p5", "-e", "0"],
    /^$/,
    "ls p5",
  ],
  "--heap-prof-name": [["--heap-prof", "--heap-prof-name=p4", "-e", "0"], /^$/, "ls p4"],
  "--heapsnapshot-signal": [
    [
      "--heapsnapshot-signal=SIGUSR2",
      "-e",
      "process.kill(process.pid, 'SIGUSR2'); setTimeout(() => {}, 200)",
    ],
    /^$/,
    "ls Heap*.heapsnapshot",
  ],
  "--help": [["--help"], /Usage: node/],
  "--interactive": [["--interactive"], /Welcome to Node/],
  "--localstorage-file": [
    ["--localstorage-file=store", "-p", "localStorage.setItem('a', 1); localStorage.a"],
    /^1\n$/,
    "ls store",
  ],
  "--openssl-legacy-provider": [
    ["--openssl-legacy-provider", "-p", "crypto.createHash('md4').update('').digest('hex')"],
    /^31d6cfe0/,
  ],
  "--report-compact": [["--report-compact", "-p", "process.report.compact"], /^true\n$/],
  "--report-dir": [["--report-dir=/tmp", "-p", "process.report.directory"], /^\/tmp\n$/],
  "--report-exclude-env": [["--report-exclude-env", "-p", "process.report.excludeEnv"], /^true\n$/],
  "--report-exclude-network": [
    ["--report-exclude-network", "-p", "process.report.excludeNetwork"],
    /^true\n$/,
  ],
  "--report-filename": [["--report-filename=r", "-p", "process.report.filename"], /^r\n$/],
  "--report-on-signal": [["--report-on-signal", "-p", "process.report.reportOnSignal"], /^true\n$/],
  "--report-signal": [["--report-signal=SIGUSR1", "-p", "process.report.signal"], /^SIGUSR1\n$/],
  "--report-uncaught-exception": [
    ["--report-uncaught-exception", "-p", "process.report.reportOnUncaughtException"],
    /^true\n$/,
  ],
  "--require": [["--require", "./pre.js", "-p", "1"], /^pre\n1\n$/],
  "--run": [["--run", "x"], /^ran\n$/],
  "--stack-trace-limit": [["--stack-trace-limit=3", "-p", "Error.stackTraceLimit"], /^3\n$/],
  "--test": [["--test", "--test-isolation=none", "some.test.js"], /tested/],
  "--throw-deprecation": [["--throw-deprecation", "-p", "process.throwDeprecation"], /^true\n$/],
  "--title": [["--title=mine", "-p", "process.title"], /^mine\n$/],
  "--trace-deprecation": [["--trace-deprecation", "-p", "process.traceDeprecation"], /^true\n$/],
  "--trace-exit": [
    ["--trace-exit", "-e", "process.exit(0)"],
    /^\(node:\d+\) WARNING: Exited the environment with code 0\n/,
  ],
  "--trace-warnings": [["--trace-warnings", "-p", "process.traceProcessWarnings"], /^true\n$/],
  "--use-env-proxy": [
    [
      "--use-env-proxy",
      "-e",
      "fetch('http://example.test/').catch((e) => console.log(e.cause.port))",
    ],
    /^9\n$/,
    undefined,
    { HTTP_PROXY: "http://127.0.0.1:9" },
  ],
  "--version": [["--version"], /^v22\.0\.0\n$/],
  "--warnings": [["--no-warnings", "-e", "process.emitWarning('w')"], /^$/],
};

test("every option of the engine is in one class", () => {
  const unknown = options
    .filter(({ name, kind, asked }) => {
      const classes = [
        refusedOptions.has(name),
        acceptedHints.has(name) || kind === "kNoOp",
        name in effects,
        isNodeStartOption(name) || isV8StartFlag(name),
      ].filter(Boolean).length;
      return classes > 1 || (classes === 0 && !asked);
    })
    .map(({ name }) => name);
  assert.deepEqual(unknown, []);
  const known = new Set(options.map(({ name }) => name));
  const listed = [...refusedOptions.keys(), ...acceptedHints.keys()];
  assert.deepEqual(
    [...listed, ...Object.keys(effects)].filter((name) => !known.has(name)),
    [],
  );
});

const valueOf = {
  kString: "=x",
  kStringList: "=x",
  kInteger: "=2",
  kUInteger: "=2",
  kHostPort: "=0",
};

test("what is refused is refused by its name, on the command line and in NODE_OPTIONS", async () => {
  for (const { name, kind, environment } of options) {
    if (!refusedOptions.has(name)) continue;
    const flag = `${name}${valueOf[kind] ?? ""}`;
    const { exitCode, stdout, stderr } = await run([flag, "-p", "1"]);
    assert.deepEqual([exitCode, stdout], [9, ""], flag);
    assert.ok(
      stderr.startsWith(`node: ${name} is not available in this virtual machine: `),
      stderr,
    );
    if (!environment) continue;
    const inherited = await run(["-p", "1"], { NODE_OPTIONS: flag });
    assert.deepEqual([inherited.exitCode, inherited.stderr], [9, stderr], flag);
  }
});

test("hints are taken, and change nothing that a program sees", async () => {
  const flags = options
    .filter(({ name, kind }) => acceptedHints.has(name) || kind === "kNoOp")
    .map(
      ({ name, kind }) => `${name}${name === "--use-largepages" ? "=off" : (valueOf[kind] ?? "")}`,
    )
    .map((flag) => (/size/.test(flag) && !flag.includes("=") ? `${flag}=256` : flag));
  const { exitCode, stdout, stderr } = await run([...flags, "-p", "1"]);
  assert.deepEqual([exitCode, stdout, stderr], [0, "1\n", ""]);
});

test("what no JavaScript of Node's asks for takes effect all the same", async () => {
  for (const [name, [args, expected, command, env]] of Object.entries(effects)) {
    const { stdout, stderr } = await run(args, env);
    assert.match(stdout + stderr, expected, name);
    if (command === undefined) continue;
    const found = await rt.execCommand("sh", ["-c", command], { cwd: "/app" });
    assert.equal(found.exitCode, 0, `${name}: ${found.stderr}`);
  }
});

test("a wrong option is named as it was written, as the engine names it", async () => {
  for (const args of [["-e"], ["--eval"], ["-pe"], ["--no-max-http-header-size"]]) {
    const plain = spawnSync(findEngine().path, args, { argv0: "node", encoding: "utf8" });
    const { exitCode, stderr } = await run(args);
    assert.deepEqual([exitCode, stderr], [plain.status, plain.stderr]);
  }
});

test("NODE_OPTIONS takes what the engine lets it take", async () => {
  for (const { name, kind, environment } of options) {
    if (environment || kind === "kNoOp") continue;
    const { exitCode, stderr } = await run(["-p", "1"], {
      NODE_OPTIONS: `${name}${valueOf[kind] ?? ""}`,
    });
    assert.deepEqual([exitCode, stderr], [9, `node: ${name} is not allowed in NODE_OPTIONS\n`]);
  }
  assert.equal((await run(["-p", "1"], { NODE_OPTIONS: "x.js" })).exitCode, 9);
  const short = await run(["-p", "1"], { NODE_OPTIONS: "-v" });
  assert.equal(short.stderr, "node: -v is not allowed in NODE_OPTIONS\n");
  assert.equal(
    (await run(["-p", "1"], { NODE_OPTIONS: "--max-old-space-size=200" })).stdout,
    "1\n",
  );
});

test("the tables and the guide agree", () => {
  const guide = readFileSync(new URL("../../docs/options.md", import.meta.url), "utf8");
  for (const name of [...refusedOptions.keys(), ...acceptedHints.keys()])
    assert.ok(guide.includes(`\`${name}\``), name);
});
