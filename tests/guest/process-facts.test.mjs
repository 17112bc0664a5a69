// What a process is told of itself and of what it holds, as plain Node tells it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { machine } from "../support/machines.mjs";
import { plainNode } from "../support/plain-node.mjs";

const rt = await machine({
  permissions: { network: "allow" },
  limits: { fileSystemBytes: 4 * 1024 ** 3 },
  files: {
    "/app/grow.js": "Object.defineProperty(Object.prototype, 'grown', { value: 1 })",
    "/app/worker.js": `
      const { Worker, isMainThread } = require("worker_threads");
      if (isMainThread) new Worker(__filename); else console.log({}.grown, Object.isFrozen(Object.prototype));`,
    "/app/modules.mjs":
      "import { SourceTextModule } from 'node:vm'; console.log(typeof SourceTextModule)",
  },
});
const node = (args, options = {}) =>
  rt.execCommand("node", args, { cwd: "/app", timeout: 30_000, ...options });
const sh = (command) => rt.execCommand("sh", ["-c", command], { cwd: "/app", timeout: 30_000 });

/** Both print the same for it. */
async function same(args) {
  const plain = plainNode(args);
  const { stdout, stderr } = await node(args);
  assert.deepEqual([stdout, stderr], [plain.stdout, plain.stderr], args.at(-1));
  return stdout;
}

test("active handles and resources are those that keep the loop alive", async () => {
  await same([
    "-e",
    `const net = require("net");
     const server = net.createServer((socket) => socket.resume()).listen(0, () => {
       const client = net.connect(server.address().port, () => {
         const names = process.getActiveResourcesInfo();
         const count = (name) => names.filter((one) => one === name).length;
         console.log(count("TCPSocketWrap"), count("TCPServerWrap"), process._getActiveHandles().includes(client), process._getActiveHandles().includes(server));
         client.unref();
         console.log(process._getActiveHandles().includes(client));
         client.destroy(); server.close();
       });
     });
     setTimeout(() => {}, 1);
     fs.open("/", () => {});
     console.log(process.getActiveResourcesInfo().join());`,
  ]);
});

test("a directory that is gone is no working directory", async () => {
  const source = `
    fs.mkdirSync("/tmp/gone-" + process.pid); process.chdir("/tmp/gone-" + process.pid); fs.rmdirSync("/tmp/gone-" + process.pid);
    try { process.cwd(); } catch ({ code, message }) { console.log(code, message); }
    process.chdir("/"); console.log(process.cwd());`;
  assert.match(await same(["-e", source]), /^ENOENT /);
});

test("names of users and groups are those of the machine's files", async () => {
  const { stdout } = await node([
    "-e",
    `for (const id of ["nobody", "nowhere", 0]) for (const name of ["seteuid", "setuid", "setgid"])
       try { process[name](id); console.log("?"); } catch (error) { console.log(error.code); }`,
  ]);
  assert.equal(
    stdout,
    "EPERM\nEPERM\nERR_UNKNOWN_CREDENTIAL\n" +
      "ERR_UNKNOWN_CREDENTIAL\n".repeat(3) +
      "EPERM\n".repeat(3),
  );
});

test("closed standard descriptors are the null device, and streams that are destroyed go on", async () => {
  const closed = await sh(
    "node -e 'fs.fstatSync(0); fs.fstatSync(1); fs.fstatSync(2); process.exitCode = 4' <&- >&- 2>&-; echo $?",
  );
  assert.equal(closed.stdout, "4\n");
  await same([
    "-e",
    "process.stdout.destroy(); console.log('on'); process.stderr.destroy(); console.error('and on')",
  ]);
});

test("times and turns count from the start of the process", async () => {
  const { stdout } = await node([
    "--expose-gc",
    "-e",
    `const { nodeStart, v8Start, environment, bootstrapComplete } = performance.nodeTiming;
     console.log(0 < nodeStart && nodeStart < v8Start && v8Start < environment && environment < bootstrapComplete);
     console.log(Object.values(performance.nodeTiming.uvMetricsInfo).join());
     const { PerformanceObserver } = require("perf_hooks");
     new PerformanceObserver((list, observer) => {
       const [{ startTime }] = list.getEntries();
       console.log(0 < startTime && startTime <= performance.now());
       observer.disconnect();
     }).observe({ entryTypes: ["gc"] });
     gc(); setImmediate(() => setImmediate(() => 0));`,
  ]);
  assert.equal(stdout, "true\n0,0,0\ntrue\n");
});

test("preloaded modules may change what is frozen behind them, in workers too", async () => {
  const { stdout, stderr } = await node(["--frozen-intrinsics", "-r", "./grow.js", "worker.js"]);
  assert.equal(stdout, "1 true\n", stderr);
});

test("what an option adds to a module is imported by name", async () => {
  const { stdout, stderr } = await node(["--experimental-vm-modules", "modules.mjs"]);
  assert.equal(stdout, "function\n", stderr);
});

test("a domain that was left active is not told of rounds of the loop", async () => {
  await same([
    "--no-warnings",
    "-e",
    `require("domain").create().enter();
     process.on("warning", ({ message }) => console.log(/Triggered by .*/.exec(message)[0]));
     require("net").createServer(function () {}).listen(0, function () { this.close(() => console.log("closed")); });`,
  ]);
});

test("descriptors have their path by the process's number as well", async () => {
  const { stdout, stderr } = await sh(
    "echo text | node -p 'fs.readFileSync(`/proc/${process.pid}/fd/0`, `utf8`) + /pipe/.test(fs.realpathSync(`/dev/stdin`))'",
  );
  assert.equal(stdout, "text\ntrue\n", stderr);
});

test("an address without a name has none", async () => {
  const { stdout } = await node([
    "-e",
    "require('dns').lookupService('192.0.2.1', 22, (error) => console.log(error?.code)); require('dns').lookupService('127.0.0.1', 22, (error, host) => console.log(host))",
  ]);
  assert.deepEqual(stdout.trim().split("\n").sort(), ["ENOTFOUND", "localhost"]);
});

test("a file that is larger than a buffer is refused before it is read", async () => {
  const { stdout } = await node([
    "-e",
    `fs.closeSync(fs.openSync("/tmp/large", "w")); fs.truncateSync("/tmp/large", 2 ** 31);
     fs.readFile("/tmp/large", (error) => { console.log(error.name, error.code); fs.unlinkSync("/tmp/large"); });`,
  ]);
  assert.equal(stdout, "RangeError ERR_FS_FILE_TOO_LARGE\n");
});
