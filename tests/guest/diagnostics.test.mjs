// What Node does in C++ beside its bindings: reports, env files, --run, snapshots, profiles, coverage.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { findEngine } from "../../dist/launcher/engine.js";
import { machine } from "../support/machines.mjs";

const engine = findEngine().path;
const manifest = JSON.stringify({
  scripts: {
    where: 'echo "$PATH|$NODE_RUN_SCRIPT_NAME|${NODE_RUN_PACKAGE_JSON_PATH##*/}|${PWD##*/}"',
    args: 'printf "[%s]" x',
    fails: "exit 7",
    odd: 3,
  },
});
const rt = await machine({
  limits: { memoryBytes: 512 * 1024 * 1024 },
  files: {
    "/home/user/.env": 'A=1\nB="x y\\nz" # c\nHOME=elsewhere\n',
    "/home/user/options.env": "NODE_OPTIONS=--no-warnings\nA=2\n",
    "/home/user/project/package.json": manifest,
    "/home/user/project/node_modules/.bin/tool": "",
    "/home/user/project/sub/node_modules/.bin/tool": "",
    "/home/user/broken/package.json": "{",
    "/home/user/list/package.json": "[]",
    "/home/user/bare/package.json": "{}",
    "/home/user/lib.js":
      "exports.pick = (a) => {\n  if (a) {\n    return 1;\n  }\n  return 2;\n};\n",
    "/home/user/pick.test.js": `require("node:test")("x", () => void require("./lib.js").pick(1));`,
    "/home/user/early.test.mjs": `import lib from "./lib.js"; lib.pick(1); import { test } from "node:test"; test("x");`,
    "/home/user/reporter.mjs": `export default async function* (events) {
      for await (const { type, data } of events)
        if (type === "test:coverage") yield data.summary.files.map(({ path }) => path.split("/").at(-1)).join() + "\\n";
    }`,
    "/home/user/covered.js": `const { Worker, isMainThread } = require("worker_threads");
      require("./lib.js").pick(isMainThread);
      if (isMainThread) new Worker(__filename);`,
  },
});
after(() => rt.dispose());

const node = (args, options = {}) =>
  rt.execCommand("node", args, { cwd: "/home/user", timeout: 60_000, ...options });

async function answers(source, options) {
  const { stdout, stderr, exitCode } = await node(["-e", source], options);
  assert.equal(exitCode, 0, stderr);
  return JSON.parse(stdout);
}

/** Every path of a value, with the kind of what is there; lists and numbered keys count once. */
function shape(value, path = "", found = new Map()) {
  if (Array.isArray(value)) for (const entry of value) shape(entry, `${path}[]`, found);
  else if (typeof value === "object" && value !== null) {
    for (const [name, entry] of Object.entries(value)) shape(entry, `${path}.${name}`, found);
  } else found.set(path, typeof value);
  return found;
}

test("a report has the shape of Node's own and nothing of the host", async () => {
  const source = "console.log(JSON.stringify(process.report.getReport()))";
  const got = await answers(source);
  const plain = JSON.parse(execFileSync(engine, ["-e", source], { encoding: "utf8" }));
  const wanted = shape(plain);
  const has = shape(got);
  const left = (path) =>
    /^\.(nativeStack|libuv|environmentVariables|workers|header\.(componentVersions|networkInterfaces))/.test(
      path,
    );
  for (const [path, type] of wanted)
    if (!left(path)) {
      // Limits are numbers or a word, on either side.
      if (path.startsWith(".userLimits")) assert.ok(has.has(path), path);
      else assert.equal(has.get(path), type, path);
    }
  assert.deepEqual(Object.keys(got), Object.keys(plain));
  assert.equal(got.header.platform, "linux");
  assert.equal(got.header.host, "secure-exec");
  assert.equal(got.environmentVariables.HOME, "/home/user");
  const text = JSON.stringify(got);
  for (const secret of [engine, dirname(engine), ...(hostname().length > 3 ? [hostname()] : [])])
    assert.equal(text.includes(secret), false, secret);
});

test("reports are written where the settings say", async () => {
  const { stdout, stderr } = await node([
    "-e",
    `process.report.directory = "/tmp";
     process.report.filename = "r.json";
     process.report.excludeNetwork = true;
     process.report.compact = true;
     const fs = require("fs");
     console.log(process.report.writeReport(new Error("why")));
     const text = fs.readFileSync("/tmp/r.json", "utf8");
     const { header, javascriptStack } = JSON.parse(text);
     console.log(text.split("\\n").length, header.trigger, "networkInterfaces" in header, javascriptStack.message);
     console.log(JSON.stringify(process.report.writeReport("/nowhere/r.json")));`,
  ]);
  assert.equal(stdout, 'r.json\n2 API false Error: why\n""\n');
  assert.match(stderr, /Writing Node.js report to file: r.json\nNode.js report completed\n/);
  assert.match(stderr, /Failed to open Node.js report file: \/nowhere\/r.json .*\(errno: 2\)/);
  const fatal = await node([
    "--report-uncaught-exception",
    "--report-filename=fatal.json",
    "-e",
    "throw new Error('last')",
  ]);
  assert.equal(fatal.exitCode, 1);
  const report = JSON.parse(Buffer.from(await rt.readFile("/home/user/fatal.json")).toString());
  assert.deepEqual([report.header.event, report.header.trigger], ["last", "Exception"]);
});

test("env files are those of the machine", async () => {
  const [a, b, home] = await answers(
    "process.loadEnvFile(); const { A, B, HOME } = process.env; console.log(JSON.stringify([A, B, HOME]))",
    { env: { HOME: "/home/user" } },
  );
  assert.deepEqual([a, b, home], ["1", "x y\nz", "/home/user"]);
  const missing = await answers(
    "try { process.loadEnvFile('no') } catch ({ message, code, path }) { console.log(JSON.stringify([message, code, path])) }",
  );
  assert.deepEqual(missing, ["ENOENT: no such file or directory, open 'no'", "ENOENT", "no"]);
  const given = await node([
    "--env-file=.env",
    "--env-file",
    "options.env",
    "--env-file-if-exists=none.env",
    "-p",
    "[process.env.A, process.noProcessWarnings, process.env.NODE_OPTIONS].join()",
  ]);
  assert.deepEqual(
    [given.stdout, given.stderr],
    ["2,true,--no-warnings\n", "none.env not found. Continuing without it.\n"],
  );
  const gone = await node(["--env-file=none.env", "-e", "0"]);
  assert.deepEqual([gone.exitCode, gone.stderr], [9, "node: none.env: not found\n"]);
  assert.deepEqual(await answers(`console.log(JSON.stringify(util.parseEnv("X='1'")))`), {
    X: "1",
  });
});

test("--run behaves as the engine's", async (t) => {
  const root = mkdtempSync(join(tmpdir(), "secure-exec-run-"));
  t.after(() => rmSync(root, { recursive: true }));
  for (const folder of ["project/sub/deep", "broken", "list", "bare"])
    mkdirSync(join(root, folder), { recursive: true });
  for (const folder of ["project", "project/sub"])
    mkdirSync(join(root, folder, "node_modules/.bin"), { recursive: true });
  writeFileSync(join(root, "project/package.json"), manifest);
  writeFileSync(join(root, "broken/package.json"), "{");
  writeFileSync(join(root, "list/package.json"), "[]");
  writeFileSync(join(root, "bare/package.json"), "{}");
  const awkward = ["", "it's", "'q'", 'a"b', "$x", "a b", "''", "a\\'b", "x'''y", "plain"];
  const rows = [
    ["project/sub", ["--run", "where"]],
    ["project", ["--run", "args", "--", ...awkward]],
    ["project", ["--run", "args", "ignored"]],
    ["project", ["--run=fails"]],
    ["project", ["--run", "odd"]],
    ["project", ["--run", "nope"]],
    ["project", ["--run"]],
    ["broken", ["--run", "a"]],
    ["list", ["--run", "a"]],
    ["bare", ["--run", "a"]],
  ];
  const paths = "/usr/local/bin:/usr/bin:/bin";
  for (const [cwd, args] of rows) {
    const wanted = spawnSync(engine, args, {
      cwd: join(root, cwd),
      env: { PATH: paths },
      encoding: "utf8",
    });
    const got = await node(args, { cwd: `/home/user/${cwd}`, env: { PATH: paths } });
    const plain = (text) => text.replaceAll(root, "/home/user").replaceAll(engine, "node");
    assert.deepEqual(
      [got.exitCode, got.stdout, got.stderr],
      [wanted.status, plain(wanted.stdout), plain(wanted.stderr)],
      args.join(" "),
    );
  }
});

test("heap snapshots and profiles are files of the machine", async () => {
  const { stdout, stderr } = await node([
    "-e",
    `const fs = require("fs");
     console.log(v8.writeHeapSnapshot("/tmp/h"), Object.keys(JSON.parse(fs.readFileSync("/tmp/h"))).includes("nodes"));
     console.log(/^Heap\\.\\d{8}\\.\\d{6}\\.\\d+\\.0\\.001\\.heapsnapshot$/.test(v8.writeHeapSnapshot()));
     try { v8.writeHeapSnapshot("/nowhere/h") } catch ({ code, path }) { console.log(code, path) }
     try { v8.setHeapSnapshotNearHeapLimit(1) } catch ({ code, message }) { console.log(code, message.split(" ", 1)[0]) }
     let bytes = 0;
     v8.getHeapSnapshot().on("data", (part) => (bytes += part.length)).on("end", () => console.log(bytes > 100000));`,
  ]);
  assert.equal(
    stdout,
    "/tmp/h true\ntrue\nENOENT /nowhere/h\nERR_FEATURE_UNAVAILABLE_ON_PLATFORM v8.setHeapSnapshotNearHeapLimit\ntrue\n",
    stderr,
  );
  // By the processor, of which it has little in 300 ms beside busy neighbours.
  const loop = `const begun = process.cpuUsage(); let x = 0;
    while (process.cpuUsage(begun).user < 300_000) for (let i = 0; i < 1e5; i++) x += Math.sqrt(x)`;
  await node([
    "--cpu-prof",
    "--cpu-prof-dir=/tmp/prof",
    "--cpu-prof-name=${pid}.cpuprofile",
    "--heap-prof",
    "--heap-prof-name=x.heapprofile",
    "--diagnostic-dir=/tmp/prof",
    "-e",
    loop,
  ]);
  const [samples, names] = await answers(
    `const fs = require("fs"); const names = fs.readdirSync("/tmp/prof").sort();
     const [cpu, heap] = names.map((name) => JSON.parse(fs.readFileSync("/tmp/prof/" + name)));
     console.log(JSON.stringify([cpu.samples.length, names.map((n) => n.replace(/^\\d+/, "")), typeof heap.head]))`,
  );
  assert.deepEqual(names, [".cpuprofile", "x.heapprofile"]);
  // The sampler runs: without its signal there would be two.
  assert.ok(samples > 10, `${samples} samples`);
  const alone = await node(["--cpu-prof-dir=x", "-e", "0"]);
  assert.deepEqual(
    [alone.exitCode, alone.stderr],
    [9, "node: --cpu-prof-dir must be used with --cpu-prof\n"],
  );
});

test("coverage of a process and its workers says what ran", async () => {
  const run = await node(["covered.js"], { env: { NODE_V8_COVERAGE: "cov" } });
  assert.equal(run.exitCode, 0, run.stderr);
  const functions = await answers(
    `const fs = require("fs");
     console.log(JSON.stringify(fs.readdirSync("cov").sort((a, b) => a.at(-6) - b.at(-6)).map((name) => {
       const { result } = JSON.parse(fs.readFileSync("cov/" + name));
       const { functions } = result.find(({ url }) => url === "file:///home/user/lib.js");
       return functions.find(({ functionName }) => functionName === "exports.pick").ranges.map(({ count }) => count);
     })))`,
  );
  // Main took the branch and not the rest, the worker the other way round.
  assert.deepEqual(functions, [
    [1, 0],
    [1, 0],
  ]);
  const [before, afterwards] = await answers(
    `const fs = require("fs");
     const count = () => fs.readdirSync("/tmp/taken").length;
     v8.takeCoverage();
     const before = count();
     v8.stopCoverage();
     v8.takeCoverage();
     console.log(JSON.stringify([before, count() - before <= 1]))`,
    { env: { NODE_V8_COVERAGE: "/tmp/taken" } },
  );
  assert.deepEqual([before, afterwards], [1, true]);
});

test("a process that signals itself has its coverage written first, and one with a listener goes on counting", async () => {
  const count = (name) => `require("fs").readdirSync("${name}").length`;
  const killed = await node(
    ["-e", `require("/home/user/lib.js").pick(true); process.kill(process.pid, "SIGTERM")`],
    { env: { NODE_V8_COVERAGE: "killed" } },
  );
  assert.equal(killed.exitCode, 143, killed.stderr);
  const listening = await node(
    [
      "-e",
      `process.once("SIGTERM", () => console.log(require("fs").existsSync("listened")));
       process.kill(process.pid, "SIGTERM"); setImmediate(() => {});`,
    ],
    { env: { NODE_V8_COVERAGE: "listened" } },
  );
  assert.equal(listening.stdout, "false\n", listening.stderr);
  assert.deepEqual(
    await answers(`console.log(JSON.stringify([${count("killed")}, ${count("listened")}]))`),
    [1, 1],
  );
});

test("the test runner's own coverage names the lines that did not run", async () => {
  const { stdout } = await node([
    "--test",
    "--experimental-test-coverage",
    "--test-reporter=tap",
    "pick.test.js",
  ]);
  assert.match(stdout, /^ok 1 - /m);
  assert.match(stdout, /# lib\.js +\| +83\.33 \| +66\.67 \| +100\.00 \| 5/);
});

test("a test file run alone is counted from its first line on, and who only runs others is not", async () => {
  const alone = await node([
    "--experimental-test-coverage",
    "--test-coverage-exclude=none",
    "--test-reporter=tap",
    "early.test.mjs",
  ]);
  assert.match(alone.stdout, /# lib\.js +\| +83\.33 \| +66\.67 \| +100\.00 \| 5/, alone.stderr);
  const args = [
    "--test",
    "--experimental-test-coverage",
    "--test-reporter=./reporter.mjs",
    "pick.test.js",
  ];
  const run = await node(args, { env: { NODE_V8_COVERAGE: "delegated" } });
  assert.equal(run.stdout, "lib.js\n", run.stderr);
  await node(["--test", "pick.test.js"], { env: { NODE_V8_COVERAGE: "delegated2" } });
  const counts = await answers(
    `const fs = require("fs"); console.log(JSON.stringify(["delegated", "delegated2"].map((name) => fs.readdirSync(name).length)))`,
  );
  assert.deepEqual(counts, [1, 1]);
});

test("the inspector stops an evaluation after its timeout", async () => {
  const { stdout, stderr } = await rt.execCommand(
    "node",
    [
      "-e",
      `const { Session } = require("inspector");
     const session = new Session();
     session.connect();
     const evaluate = (expression, timeout) =>
       session.post("Runtime.evaluate", { expression, timeout, returnByValue: true },
         (error, answer) => console.log(error ? error.message : JSON.stringify(answer.result.value)));
     evaluate("while (true) {}", 50);
     evaluate("Object.getOwnPropertyNames(globalThis).filter((name) => /secure|evaluate/i.test(name))", 60_000);
     evaluate("6 * 7");
     session.disconnect();`,
    ],
    { timeout: 60_000 },
  );
  assert.equal(stdout, "Inspector error -32000: Execution was terminated\n[]\n42\n", stderr);
});

test("the inspector works in the process and opens no port", async () => {
  const { stdout, stderr } = await node([
    "--input-type=module",
    "-e",
    `import inspector from "node:inspector";
     import { Session } from "node:inspector/promises";
     const session = new Session();
     session.connect();
     const { result } = await session.post("Runtime.evaluate", { expression: "6 * 7" });
     await session.post("Profiler.enable");
     await session.post("Profiler.start");
     const { profile } = await session.post("Profiler.stop");
     await session.post("Debugger.enable");
     console.log(result.value, typeof profile.nodes, inspector.url());
     session.disconnect();
     try { inspector.open(9230, "127.0.0.1") } catch ({ code, message }) { console.log(code, message.split(" ", 1)[0]) }
     try { inspector.waitForDebugger() } catch ({ code }) { console.log(code) }`,
  ]);
  assert.equal(
    stdout,
    "42 object undefined\nERR_FEATURE_UNAVAILABLE_ON_PLATFORM inspector.open(127.0.0.1:9230)\nERR_INSPECTOR_NOT_ACTIVE\n",
    stderr,
  );
});

test("priorities are kept, handed down and only lowered", async () => {
  const { stdout, stderr } = await node([
    "-e",
    `const os = require("os");
     os.setPriority(5);
     console.log(os.getPriority(), require("child_process").execFileSync(process.execPath, ["-p", "os.getPriority()"], { encoding: "utf8" }).trim());
     try { os.setPriority(1) } catch ({ info }) { console.log(info.code, info.syscall, info.message) }
     try { os.getPriority(4000) } catch ({ info }) { console.log(info.code) }
     try { process.execve("/bin/ls", ["a\\0"]) } catch ({ code }) { console.log(code) }`,
  ]);
  assert.equal(
    stdout,
    "5 5\nEACCES uv_os_setpriority permission denied\nESRCH\nERR_INVALID_ARG_VALUE\n",
    stderr,
  );
});

test("a refused module says why; no public module is just missing", async () => {
  const { builtinModules } = await import("node:module");
  const { stdout, stderr } = await node([
    "--no-warnings",
    "--input-type=module",
    "-e",
    `for (const id of ["node:ffi", "node:trace_events", "node:quic"])
       console.log(await import(id).catch(({ code, message }) => code + " " + message.split(" ", 1)[0]));
     const { createRequire, isBuiltin, builtinModules } = await import("node:module");
     const require = createRequire("/home/user/x.js");
     try { require("trace_events") } catch ({ code }) { console.log(code) }
     try { require("sea") } catch ({ code }) { console.log(code) }
     console.log(isBuiltin("node:ffi"), builtinModules.includes("node:ffi"));
     // A program of a machine is no single executable application, and learns so as it does from plain Node.
     const sea = require("node:sea");
     console.log(sea.isSea(), (() => { try { sea.getAsset("a") } catch ({ code }) { return code } })());
     const missing = ${JSON.stringify(builtinModules)}.filter((id) => {
       try { require(id) } catch ({ code }) { return code === "MODULE_NOT_FOUND" || code === "ERR_UNKNOWN_BUILTIN_MODULE" }
     });
     // The five _stream_ modules are gone from the engine itself.
     console.log(missing.filter((id) => !id.startsWith("_stream_")).join());`,
  ]);
  assert.equal(
    stdout,
    [
      "ERR_FEATURE_UNAVAILABLE_ON_PLATFORM node:ffi",
      "ERR_FEATURE_UNAVAILABLE_ON_PLATFORM node:trace_events",
      "ERR_UNKNOWN_BUILTIN_MODULE No",
      "ERR_FEATURE_UNAVAILABLE_ON_PLATFORM",
      "MODULE_NOT_FOUND",
      "true false",
      "false ERR_NOT_IN_SINGLE_EXECUTABLE_APPLICATION",
      "",
      "",
    ].join("\n"),
    stderr,
  );
});

test("util.getCallSites begins with its caller", async () => {
  const rt = await machine();
  const { value } = await rt.run(`
    import { getCallSites } from "node:util";
    function caller() { return getCallSites(2).map(({ functionName }) => functionName); }
    function outer() { return caller(); }
    __return(outer());`);
  assert.deepEqual(value, ["caller", "outer"]);
});
