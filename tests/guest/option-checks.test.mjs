// What is wrong with a command line, what options have printed, and what they make of the process: as plain Node.
import assert from "node:assert/strict";
import { test } from "node:test";
import { cert } from "../support/certificate.mjs";
import { machine } from "../support/machines.mjs";
import { plainNode } from "../support/plain-node.mjs";

const timeout = 120_000;
const rt = await machine({
  limits: { memoryBytes: 512 * 1024 * 1024 },
  files: {
    "/app/deep.js": "const f = (n) => (n === 0 ? process.exit(3) : f(n - 1)); f(20);",
    "/app/worker.js": `
      const { Worker, isMainThread } = require("worker_threads");
      if (isMainThread) new Worker(__filename, { env: { NODE_OPTIONS: "--trace-exit" } });
      else setImmediate(() => process.exit(0));`,
    "/app/contexts.js": `
      const { Worker, isMainThread } = require("worker_threads");
      const has = () => require("vm").runInNewContext("'__proto__' in {}");
      if (!isMainThread) return console.log("thread", "__proto__" in {}, has());
      console.log("main", "__proto__" in {}, has());
      new Worker(__filename);`,
    "/app/tls.cjs": `
      const tls = require("tls");
      const { readFileSync } = require("fs");
      const text = readFileSync("/app/both.pem", "utf8");
      const server = tls.createServer({ key: text, cert: text }, (socket) => socket.end()).listen(0, () => {
        const socket = tls.connect({ port: server.address().port, rejectUnauthorized: false });
        socket.resume().on("close", () => server.close());
      });`,
    "/app/both.pem": (await import("../support/certificate.mjs")).key + cert,
    "/trust/one.pem": cert,
  },
});
const node = (args, env = {}) =>
  rt.execCommand("node", args, { cwd: "/app", env, timeout: 60_000 });

test(
  "values and pairs that the engine does not take are refused in its words",
  { timeout },
  async () => {
    for (const args of [
      ["--use-largepages=huge"],
      ["--disable-proto=hide"],
      ["--max-old-space-size-percentage=0"],
      ["--max-old-space-size-percentage=101"],
      ["--max-old-space-size-percentage=1%"],
      ["--max-old-space-size-percentage="],
      ["--title="],
      ["--use-openssl-ca", "--use-bundled-ca"],
      ["--use-openssl-ca", "--use-system-ca"],
      ["--tls-min-v1.3", "--tls-max-v1.2"],
      ["--security-revert=CVE-1"],
      ["--check", "--eval", "1"],
      ["--test", "--check", "a.js"],
      ["--test", "--eval", "1"],
      ["--watch", "--eval", "1"],
      ["--input-type=neither", "--eval", "1"],
      ["--trace-require-module=1"],
    ]) {
      const plain = plainNode(args, { argv0: "node" });
      const { exitCode, stdout, stderr } = await node(args);
      assert.deepEqual(
        [exitCode, stdout, stderr],
        [plain.status, plain.stdout, plain.stderr],
        args[0],
      );
    }
    for (const NODE_OPTIONS of ["--expose_internals", "-e", "--", "--title="]) {
      const plain = plainNode(["-p", "1"], { argv0: "node", env: { NODE_OPTIONS } });
      const { exitCode, stderr } = await node(["-p", "1"], { NODE_OPTIONS });
      assert.deepEqual([exitCode, stderr], [plain.status, plain.stderr], NODE_OPTIONS);
    }
  },
);

test("a value that begins with a dash is written with a backslash", { timeout }, async () => {
  const { stdout } = await node(["-p", "\\-42"]);
  assert.equal(stdout, "-42\n");
});

test("a share of the memory is one of the machine's", { timeout }, async () => {
  const limit = async (args) =>
    Number((await node([...args, "-p", "v8.getHeapStatistics().heap_size_limit"])).stdout);
  const [half, same] = [
    await limit(["--max-old-space-size=100", "--max-old-space-size-percentage=50"]),
    await limit(["--max-old-space-size=256"]),
  ];
  assert.equal(half, same);
  assert.ok(half < 512 * 1024 * 1024);
});

test("--disable-proto holds in new contexts and in workers", { timeout }, async () => {
  const { stdout } = await node(["--disable-proto=delete", "contexts.js"]);
  assert.equal(stdout, "main false false\nthread false false\n");
});

test(
  "--trace-exit shows as much of the stack as asked for, in workers too",
  { timeout },
  async () => {
    const deep = await node(["--trace-exit", "--stack-trace-limit=50", "deep.js"]);
    assert.equal(deep.exitCode, 3);
    assert.match(
      deep.stderr,
      /^\(node:\d+\) WARNING: Exited the environment with code 3\n {4}at exit /,
    );
    assert.equal(deep.stderr.match(/at f \(\/app\/deep\.js/g).length, 21);
    const { stderr } = await node(["worker.js"]);
    assert.match(stderr, /^\(node:\d+, thread:1\) WARNING: Exited the environment with code 0\n/);
    assert.match(stderr, /worker\.js:4/);
  },
);

test("--trace-sync-io shows what blocks the loop, once it runs", { timeout }, async () => {
  const early = "fs.statSync('/'); Promise.resolve().then(() => fs.statSync('/'));";
  const [plain, inside] = [
    plainNode(["--trace-sync-io", "-e", early]),
    await node(["--trace-sync-io", "-e", early]),
  ];
  assert.deepEqual([plain.stderr, inside.stderr], ["", ""]);
  const late = "setImmediate(() => { fs.statSync('/'); child_process.spawnSync('true'); })";
  const { stderr } = await node(["--trace-sync-io", "-e", late]);
  const frames = stderr.match(/(?<=at )\w+(?= \(node:(fs|internal\/child_process):)/g);
  assert.equal(stderr.match(/^\(node:\d+\) WARNING: Detected use of sync API$/gm).length, 2);
  assert.deepEqual(frames, ["statSync", "spawnSync"]);
});

test("--pending-deprecation tells of a variable that gets no text", { timeout }, async () => {
  const source = `
    process.env.A = 1; process.env.B = undefined; process.env.C = null;
    console.log(process.env.A, process.env.B, Object.keys(process.env).includes("C"), delete process.env.C, "C" in process.env);`;
  for (const [args, env] of [
    [["--pending-deprecation"], {}],
    [[], { NODE_PENDING_DEPRECATION: "1" }],
  ]) {
    const { stdout, stderr } = await node([...args, "-e", source], env);
    assert.equal(stdout, "1 undefined true true false\n");
    assert.equal(stderr.match(/\[DEP0104\]/g)?.length, 1, stderr);
  }
  assert.equal((await node(["-e", source])).stderr, "");
});

test("--tls-keylog writes the secrets of connections", { timeout }, async () => {
  const { stderr, exitCode } = await node(["--tls-keylog=/tmp/keys", "tls.cjs"]);
  assert.equal(exitCode, 0, stderr);
  assert.match(stderr, /Using --tls-keylog makes TLS connections insecure/);
  assert.match(await rt.readFile("/tmp/keys", "utf8"), /^CLIENT_HANDSHAKE_TRAFFIC_SECRET /m);
});

test(
  "the certificates of the machine's system are trusted when asked for",
  { timeout },
  async () => {
    const count =
      "const { getCACertificates: get } = tls; [get('system').length, get('default').length - get('bundled').length].join()";
    const env = { SSL_CERT_DIR: "/trust", SSL_CERT_FILE: "/nowhere" };
    assert.equal((await node(["-p", count], env)).stdout, "1,0\n");
    assert.equal((await node(["--use-system-ca", "-p", count], env)).stdout, "1,1\n");
    assert.equal((await node(["-p", count], { ...env, NODE_USE_SYSTEM_CA: "1" })).stdout, "1,1\n");
    const ask = `
    const { readFileSync } = require("fs");
    const text = readFileSync("/app/both.pem", "utf8");
    const server = tls.createServer({ key: text, cert: text }, (socket) => socket.end()).listen(0, () =>
      tls.connect({ port: server.address().port, servername: "localhost" })
        .on("error", (error) => console.log(error.code)).on("secureConnect", () => console.log("trusted"))
        .resume().on("close", () => server.close()));`;
    assert.equal((await node(["-e", ask], env)).stdout, "DEPTH_ZERO_SELF_SIGNED_CERT\n");
    assert.equal((await node(["--use-system-ca", "-e", ask], env)).stdout, "trusted\n");
    assert.equal((await node(["--use-openssl-ca", "-e", ask], env)).stdout, "trusted\n");
    const { stderr } = await node(["-e", ask], { NODE_EXTRA_CA_CERTS: "/nowhere" });
    assert.match(
      stderr,
      /extra certs from `\/nowhere`, load failed: error:80000002:system library::No such file/,
    );
  },
);

test(
  "the title is the first word of the command line, and then what the program says",
  { timeout },
  async () => {
    const { stdout } = await rt.execCommand("sh", [
      "-c",
      `/usr/local/bin/node -e 'console.log(process.title); process.title = "tea pot"; console.log(process.title, child_process.execSync("ps -o args").toString().includes("tea pot"));'`,
    ]);
    assert.equal(stdout, "/usr/local/bin/node\ntea pot true\n");
    const short = await node([
      "-p",
      `process.title = "t".repeat(9999); process.title.length < 500`,
    ]);
    assert.equal(short.stdout, "true\n");
  },
);
