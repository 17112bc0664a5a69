// Every example runs unchanged, by the name of the package, and prints what its documentation shows.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import { basename, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import {
  NodeRuntime,
  allowAllFs,
  createNodeDriver,
  createNodeRuntimeDriverFactory,
} from "../../dist/index.js";
import { fixtures } from "../../scripts/fixtures.mjs";
import { noCompiler } from "../support/compiler.mjs";
import { postgres } from "../support/postgres.mjs";
import { typeCheck } from "../support/type-check.mjs";
import { findEngine } from "../../dist/launcher/engine.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const it = (name, body) => test(name, { timeout: 120_000 }, body);
/** The host's own Node may be too old for TypeScript; the pinned one strips types. */
const engine = findEngine();
assert.ok("path" in engine, "no engine");

const fibonacci = [
  "exitCode: 0",
  "stdout: computed 20 fibonacci numbers",
  'returned value: {"fibonacci":[0,1,1,2,3,5,8,13,21,34,55,89,144,233,377,610,987,1597,2584,4181],"sum":10945}',
  "",
  "escape attempt exitCode: 0",
  "escape attempt stdout: guest hostname: secure-exec",
];

/** Learned and written by hand: as many rules, and what is open under the learned ones is no more. */
const learnedPolicy = new RegExp(
  [
    "^learned: 4 rules, the service works, \\.env is shut",
    "  fs read,stat: /app/db/pool\\.js /app/db/schema\\.sql /app/node_modules/\\*\\* /app/package\\.json /app/routes/\\*\\.js /app/server\\.js",
    "  network http: localhost:\\d+",
    "  network listen: localhost:3000",
    "  env read: [A-Z_ ]+ PG\\* [A-Z_ ]+",
    "by hand: 4 rules, the service works, \\.env is open",
    "(?:  .*\n){4}without one of its rules it fails: 4 of 4\n$",
  ].join("\n"),
);

/** What each prints: lines, or a pattern where the machine has a say. */
const expected = {
  "ai-agent-code-exec.mjs": fibonacci,
  "ai-agent-code-exec.ts": fibonacci,
  "agent.ts": ["It is warmest in Lisbon.", "steps: 2 tool calls of the program: Lisbon Oslo Cairo"],
  "approval-flow.ts": [
    "asked for 20",
    "asked for 9000",
    "ann: receipt 1",
    "eve: the call of pay was not approved: that is too much",
    'paid: [{"to":"ann","amount":20}]',
  ],
  "ci-job.ts": [
    "{",
    "  passed: true,",
    "  log: [ 'test | # pass 1', 'test | # fail 0' ],",
    "  files: {",
    "    'sum.mjs': 'export const sum = (l) => l.reduce((a, b) => a + b, 0);\\n'",
    "  }",
    "}",
    "false test 0",
  ],
  "code-interpreter.ts": [
    "0 Mar chart.svg sales.csv",
    "bars: 80 60 100",
    '<img alt="Sales" src="data:image/svg+xml;base64,PHN2ZyB4',
  ],
  "learned-policy.ts": learnedPolicy,
  "multi-tenant-service.ts": [
    "{ stdout: 'ann\\n', exitCode: 0, ended: 'exit' }",
    "{ stdout: '', exitCode: 137, ended: 'cpuTimeMs' }",
    "{ error: 'no such customer' }",
    "{ stdout: 'false\\n', exitCode: 0, ended: 'exit' }",
    "runs billed: 2 2 true",
  ],
  "provided-files.ts": [
    'ann.json {"plan":"team"}',
    'eve.json {"plan":"free"}',
    "EIO",
    "{ plan: 'team' }",
    "changed /project/config.json",
    "added /project/notes.txt",
    '{"debug":false}',
  ],
  "warm-machines.ts": ["or 2", "not 3", "once for ann 5", "once for eve 5"],
  "notebook.ts": [
    "> globalThis.rows = [3, 1, 2]; console.log(rows.length)",
    "3",
    "> rows.sort(); console.log(rows.join())",
    "1,2,3",
    "> nothing.at.all",
    "failed: ReferenceError: nothing is not defined",
    "> console.log('still', rows.length)",
    "still 3",
    "> for (;;);",
    "restarted: ERR_SECURE_EXEC_RUNNER_TIMEOUT",
    "> console.log(typeof rows)",
    "undefined",
  ],
  // Denied, it would be EACCES.
  "ai-agent-network.ts": /^(ENOTFOUND|EAI_AGAIN)\n$/,
  "deterministic.ts": ["true true 2"],
  "dev-server.ts": ["3000 200 ok 143"],
  "executing-code.ts": ["platform: linux", " 0"],
  "executing-code-options.ts": ["0 PIPED THROUGH STDIN"],
  "executing-code-value.ts": ["42"],
  // Without a network the first fetch fails, with one the second: neither is printed.
  "permissions.ts": [],
  "permission-checks.ts": [
    "read written by the host",
    "write EACCES",
    "fetch EACCES",
    "node 2",
    "ls EACCES",
    "env HOME,PATH",
  ],
  "permission-helpers.ts": [
    "driver: fs network childProcess env",
    "selective: fs network",
    "commands: childProcess env",
  ],
  "permission-types.ts": ["fs network childProcess env"],
  "tools-streaming.ts": [
    "pixels Uint8Array(3) [ 255, 128, 0 ]",
    "seen [ 1, 2, 3 ]",
    "found [",
    "  {",
    "    name: 'images.invert',",
    "    description: 'Invert the pixels of an image'",
    "  }",
    "]",
  ],
  "secrets-outside.ts": ["200 hello from /v1/users", "403", "1"],
  "usage-and-audit.ts": [
    '{"default":"deny","rules":[{"mode":"allow","operations":["read"],"paths":["/data/*.txt"]}]}',
    "3 exit 1 true",
    "denied: fs.stat /etc/passwd",
    "uncaught error",
    "denied: fs.read /data/one.txt",
    "1",
  ],
  "plugin-host-tools.ts": ["looked-up user: Ada Lovelace"],
  "sdk-tour.ts": [
    "line one",
    "line two",
    "[ 'a', 'b' ]",
    `[ "it's here.txt" ]`,
    "event: exit code 3",
    "ERR_SECURE_EXEC_COMMAND_FAILED 3",
    "ENOENT",
  ],
  "port-ai.ts": ['{"value":8,"logs":[]}', '{"stdout":"HELLO\\n","stderr":"","exitCode":0}', "2"],
  "port-machines.ts": [
    '[{"path":"/work/a.md","line":1,"text":"# Title"}]',
    "a.txt",
    "/workspace",
    "hello world",
  ],
  "port-mcp.ts": ["[ 1, 4, 9 ]"],
  "port-e2b.ts": ["201 true"],
  "port-mastra.ts": ["hello world", "42"],
  "port-tanstack-sandbox.ts": ["3 true false"],
  "port-openai.ts": [
    '[["2",{"type":"exit","exitCode":0}],["",{"type":"exit","exitCode":3}]]',
    String.raw`0 "count to three\n1\n2\n3\n"`,
  ],
  "port-codemode.ts": ['{"result":{"city":"Lisbon","degrees":19},"logs":["asked about 2 cities"]}'],
  "port-tanstack-isolate.ts": ['true {"bolt":12,"nut":0}'],
  "plugin-typecheck.ts": [
    "shout: HELLO!",
    "count.ts refused: line 2, TS2322: Type 'number' is not assignable to type 'string'.",
  ],
  "plugin-systems.ts": [
    "guest stdout: running plugin: title-case",
    "exit code: 0",
    "plugin name: title-case",
    "plugin version: 1.0.0",
    "plugin output: Plugin says: Hello From Plugin Land",
    "network blocked: true",
  ],
  "run-options.ts": [
    "1 /tmp piped to the program",
    '0 "1 /tmp piped to the program\\n" "to stderr\\n"',
  ],
  "runtime-options.ts": [
    '{"added":"after boot"}',
    'https://example.test /home/user {"ok":true}',
    "1.2.3",
    '{"ok":true,"result":{"sum":3}}',
    "true",
    "arg 0 hello",
  ],
  "runtime-platform.ts": [
    "{",
    "  platform: 'linux',",
    "  hasProcess: true,",
    "  hasBuffer: true,",
    "  nodeVersion: '22.0.0',",
    "  sha256: 'fa7ce60dac0cc1bfe7424a68e47ad3d712345cf936431bb147cd5f5de0371a4a',",
    "  joinedPath: '/home/user/report.txt'",
    "}",
  ],
};
const errors = { "run-options.ts": "to stderr\n", "runtime-options.ts": "to stderr\n" };

/** Runs a program to its end. */
async function output(file, { cwd = root, env = {} } = {}) {
  const child = spawn(engine.path, [file], {
    cwd,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text) => (stderr += text));
  const [code, signal] = await once(child, "close");
  return { code, signal, stdout, stderr };
}

/** The program with its two made-up directories replaced by real ones. */
function withDirectories(t, file) {
  const directory = join(root, "build", `example-${process.pid}`);
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const typescript = join(directory, "typescript");
  const commands = join(directory, "commands");
  mkdirSync(typescript, { recursive: true });
  mkdirSync(commands);
  writeFileSync(join(typescript, "package.json"), '{"name":"typescript","main":"main.js"}');
  writeFileSync(join(typescript, "main.js"), 'exports.version = "1.2.3";');
  copyFileSync(join(root, "tests/fixtures/wasi/hello.wasm"), join(commands, "hello"));
  const program = readFileSync(file, "utf8");
  assert.ok(program.includes('"/abs/typescript"') && program.includes('"/abs/wasm/commands"'));
  const copy = join(directory, basename(file));
  writeFileSync(
    copy,
    program.replace("/abs/typescript", typescript).replace("/abs/wasm/commands", commands),
  );
  return copy;
}

/** Express and pg, and a server for them. */
async function withDatabase(t) {
  let cwd;
  try {
    cwd = fixtures();
  } catch (error) {
    t.skip(`the packages cannot be installed here: ${String(error.message).split("\n")[0]}`);
    return undefined;
  }
  const notes = [];
  const server = await postgres((query, [text]) => {
    if (query.startsWith("insert into notes")) notes.push(text);
    if (query.startsWith("insert into notes")) return [{ text }];
    return query.startsWith("select text from notes") ? notes.map((one) => ({ text: one })) : [];
  });
  t.after(() => server.close());
  t.diagnostic(server.real ? "PostgreSQL itself" : "a server of ours: PostgreSQL is not installed");
  return { cwd, env: { PGHOST: "127.0.0.1", PGPORT: String(server.port), PGUSER: "app" } };
}

it("there is an expectation for every example", () => {
  const examples = readdirSync(join(root, "examples")).filter((name) => /\.m?[jt]s$/.test(name));
  assert.deepEqual(examples.sort(), Object.keys(expected).sort());
});

for (const [name, lines] of Object.entries(expected)) {
  it(name, async (t) => {
    if (name === "plugin-typecheck.ts" && noCompiler) return t.skip(noCompiler);
    const file = join(root, "examples", name);
    const around = name === "learned-policy.ts" ? await withDatabase(t) : {};
    if (around === undefined) return;
    const result = await output(
      name === "runtime-options.ts" ? withDirectories(t, file) : file,
      around,
    );
    assert.equal(result.stderr, errors[name] ?? "");
    if (lines instanceof RegExp) assert.match(result.stdout, lines);
    else assert.equal(result.stdout, lines.map((line) => `${line}\n`).join(""));
    assert.deepEqual([result.code, result.signal], [0, null]);
  });
}

/** Those whose packages' types need those of a browser, and do not hold under every option. */
const withPackages = ["agent.ts"];

it("their types hold", () => {
  const check = (files, options) => {
    const { status, stdout } = typeCheck(
      files.map((name) => join(root, "examples", name)),
      options,
    );
    assert.equal(stdout, "");
    assert.equal(status, 0);
  };
  const files = Object.keys(expected).filter((name) => name.endsWith(".ts"));
  check(files.filter((name) => !withPackages.includes(name)));
  check(withPackages, { lib: ["dom"], flags: ["--exactOptionalPropertyTypes", "--skipLibCheck"] });
});

it("permissions.ts: what it allows happens, what it blocks does not", async (t) => {
  // A server on loopback stands in for example.com: its port is exempt, so that the policy alone decides.
  const requests = [];
  const server = http.createServer(({ headers }, response) => {
    requests.push(headers.host);
    response.end("reached");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const { port } = server.address();
  const source = readFileSync(join(root, "examples/permissions.ts"), "utf8");
  const guest = /runtime\.exec\(`\n([\s\S]*?)`\);/.exec(source)[1];
  const [write, allowed, blocked] = guest
    .trim()
    .split("\n")
    .slice(1)
    .map((line) => line.trim());
  assert.match(write, /^fs\.writeFileSync\('\/tmp\/test\.txt', 'hello'\);\s+\/\/ allowed$/);
  assert.match(allowed, /\/\/ allowed$/);
  assert.match(blocked, /\/\/ blocked$/);
  const policy = /permissions: (\{[\s\S]*?\n {4}\})/.exec(source)[1];
  const permissions = new Function("allowAllFs", `return ${policy}`)(allowAllFs);
  const runtime = new NodeRuntime({
    systemDriver: createNodeDriver({
      useDefaultNetwork: true,
      permissions,
      loopbackExemptPorts: [port],
    }),
    runtimeDriverFactory: createNodeRuntimeDriverFactory(),
  });
  t.after(() => runtime.dispose());
  const result = await runtime.exec(`
    const fs = require('fs');
    ${write}
    ${allowed.replace("https://example.com", `http://127.0.0.1:${port}`)}
    console.log("between");
    ${blocked.replace("8080", port)}
  `);
  assert.deepEqual(requests, [`127.0.0.1:${port}`]);
  assert.equal(result.stdout, "between\n");
  assert.equal(result.code, 1);
  assert.equal(result.errorMessage, "TypeError: fetch failed");
  assert.match(
    result.stderr,
    /EACCES: permission denied, dns:\/\/localhost: blocked by network\.dns policy/,
  );
  assert.equal(Buffer.from(await runtime.readFile("/tmp/test.txt")).toString(), "hello");
});
