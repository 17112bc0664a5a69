// process.execve: a process becomes another program.
import assert from "node:assert/strict";
import { test } from "node:test";
import { machine } from "../support/machines.mjs";
import { plainNode } from "../support/plain-node.mjs";

const rt = await machine({
  permissions: { network: "allow" },
  files: {
    "/app/second.js": `
      const { readFileSync, readdirSync } = require("fs");
      console.log(JSON.stringify([process.pid, process.ppid, process.cwd(), process.umask(), process.argv.slice(2), process.env, readFileSync(0, "utf8"), readdirSync("/proc/self/fd")]));
      process.exitCode = 7;`,
  },
});
const node = (args, options = {}) =>
  rt.execCommand("node", args, { cwd: "/app", timeout: 30_000, ...options });

test("the process stays who it is, and keeps its standard descriptors alone", async () => {
  const source = `
    process.chdir("/tmp"); process.umask(0o27);
    const kept = [process.pid, process.ppid];
    require("fs").openSync("/app/second.js"); process.on("exit", () => console.log("no"));
    require("net").createServer().listen(0, function () {
      setInterval(() => {}, 1000);
      console.log("before");
      process.execve(process.execPath, ["node", "/app/second.js", "a", "é"], { ONE: "1", KEPT: kept.join() });
    });`;
  const { stdout, exitCode, stderr } = await node(["-e", source], { stdin: "typed" });
  const [before, after] = stdout.trim().split("\n");
  assert.equal(before, "before", stderr);
  const [pid, ppid, cwd, umask, argv, env, input, fds] = JSON.parse(after);
  assert.deepEqual([cwd, umask, argv, input], ["/tmp", 0o27, ["a", "é"], "typed"]);
  assert.deepEqual(env, { ONE: "1", KEPT: `${pid},${ppid}` });
  assert.deepEqual(
    fds.filter((fd) => Number(fd) > 3),
    [],
  );
  assert.equal(exitCode, 7);
});

test("a parent waits for the same child, whatever that becomes, also with options of an engine", async () => {
  const source = `
    const { spawnSync } = require("child_process");
    const replace = (argv) => \`process.execve("\${argv[0]}", \${JSON.stringify(argv.slice(1))}, {})\`;
    for (const argv of [["/bin/sh", "sh", "-c", "echo shell; exit 4"], ["/usr/local/bin/node", "node", "--max-old-space-size=90", "-p", "v8.getHeapStatistics().heap_size_limit < 2 ** 28"]]) {
      const { status, stdout, pid } = spawnSync(process.execPath, ["-e", replace(argv)], { encoding: "utf8" });
      console.log(status, stdout.trim());
    }`;
  const { stdout, stderr } = await node(["-e", source]);
  assert.equal(stdout, "4 shell\n0 true\n", stderr);
});

test("what cannot be executed is said as plain Node says it, and the process goes on", async () => {
  const source = `
    for (const args of [["/nowhere", ["x"], {}], ["/", [], {}], [1], ["/bin/sh", ["a\\0"]], ["/bin/sh", [], { A: 1 }]])
      try { process.execve(...args); } catch (error) { console.log(error.name, error.code, error.syscall, error.path); }
    setImmediate(() => console.log("on"));`;
  const plain = plainNode(["--no-warnings", "-e", source]);
  const { stdout } = await node(["--no-warnings", "-e", source]);
  assert.equal(stdout, plain.stdout);
});

test("it is judged as a spawn of the same file", async () => {
  const strict = await machine({ permissions: { childProcess: "deny" } });
  const { stdout } = await strict.exec(
    `try { process.execve("/bin/sh", ["sh", "-c", "echo no"], {}); } catch (error) { console.log(error.code); }`,
  );
  assert.equal(stdout, "EACCES\n");
});
