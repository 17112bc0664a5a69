// What a runtime does, it does over a fleet: one server, one worker, the public API.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, test } from "node:test";
import { NodeRuntime } from "../../../dist/index.js";
import { natsServer, noServer, worker } from "../../support/fleets.mjs";
import { add } from "../../support/machines.mjs";

let fleet;
const made = [];

async function machine(options = {}) {
  const runtime = await NodeRuntime.create({ fleet, ...options });
  made.push(runtime);
  return runtime;
}

if (noServer === false) {
  before(async () => {
    const server = await natsServer();
    const { name } = await worker(server.url, "--name", "only one");
    assert.equal(name, "only one");
    fleet = { servers: server.url };
  });
  after(() => Promise.all(made.map((runtime) => runtime.dispose())));
}

test(
  "run, exec and commands, with output, values, exit codes and usage",
  { skip: noServer },
  async () => {
    const runtime = await machine({ env: { NAME: "fleet" }, files: { "/tmp/in.txt": "there" } });
    const { value, stdout, usage, end } = await runtime.run(
      'import { readFileSync } from "node:fs"; console.log(process.env.NAME); __return(readFileSync("/tmp/in.txt", "utf8"));',
    );
    assert.deepEqual([value, stdout, end.reason], ["there", "fleet\n", "exit"]);
    assert.ok(usage.cpuMs > 0);
    assert.equal((await runtime.exec("process.exit(7)")).exitCode, 7);
    assert.equal(
      (await runtime.execCommand("sh", ["-c", "echo $NAME | tr a-z A-Z"])).stdout,
      "FLEET\n",
    );
    assert.ok((await runtime.usage()).processes >= 3);
    await assert.rejects(runtime.execCommand("no-such-command"), {
      code: "ERR_SECURE_EXEC_SPAWN_FAILED",
    });
  },
);

test("a program with live stdin and output as it comes", { skip: noServer }, async () => {
  const runtime = await machine();
  let text = "";
  let heard = () => {};
  const child = await runtime.spawn(
    'process.stdin.on("data", (data) => process.stdout.write(String(data).toUpperCase()));',
    {
      onStdout: (chunk) => {
        text += Buffer.from(chunk).toString();
        heard();
      },
    },
  );
  for (const word of ["one\n", "two\n"]) {
    const came = new Promise((resolve) => {
      heard = () => text.endsWith(word.toUpperCase()) && resolve();
    });
    child.writeStdin(word);
    await came;
  }
  child.closeStdin();
  assert.equal(await child.wait(), 0);
  assert.equal(text, "ONE\nTWO\n");
});

test("files larger than a message of the broker, both ways", { skip: noServer }, async () => {
  const runtime = await machine();
  const content = randomBytes(18 * 1024 * 1024);
  await runtime.writeFile("/tmp/large", content);
  assert.ok(content.equals(await runtime.readFile("/tmp/large")));
  // More at a time than a worker keeps for a caller.
  const copies = await Promise.all(Array.from({ length: 6 }, () => runtime.readFile("/tmp/large")));
  assert.ok(copies.every((copy) => content.equals(copy)));
  await assert.rejects(runtime.readFile("/tmp/none"), { code: "ERR_SECURE_EXEC_NO_SUCH_FILE" });
});

test(
  "handlers of tools and permission functions run in this process",
  { skip: noServer },
  async () => {
    const asked = [];
    const runtime = await machine({
      tools: { add: { ...add, handler: ({ a, b }) => ({ sum: a + b, pid: process.pid }) } },
      permissions: {
        fs: (request) => {
          asked.push(request.path);
          return !request.path.endsWith("/secret");
        },
      },
    });
    const { stdout } = await runtime.execCommand("add", ["--a", "20", "--b", "22"]);
    assert.deepEqual(JSON.parse(stdout).result, { sum: 42, pid: process.pid });
    const { value } = await runtime.run(
      'import { readFile } from "node:fs/promises"; __return(await readFile("/tmp/secret").catch((error) => error.code));',
    );
    assert.equal(value, "EACCES");
    assert.ok(asked.includes("/tmp/secret"));
  },
);

test("listeners and requests to them", { skip: noServer }, async () => {
  const runtime = await machine();
  const server = await runtime.spawn(
    'import { createServer } from "node:http"; createServer((request, response) => response.end(request.method + request.url)).listen(3000);',
  );
  await runtime.waitForListener({ port: 3000 });
  const response = await runtime.fetch(3000, new Request("http://machine/path", { method: "PUT" }));
  assert.equal(await response.text(), "PUT/path");
  server.kill("SIGKILL");
  await server.wait();
  await assert.rejects(runtime.fetch(3000, new Request("http://machine/")), {
    code: "ERR_SECURE_EXEC_NO_LISTENER",
  });
});

test("a resident runner, a terminal, abort and timeout", { skip: noServer }, async () => {
  const runtime = await machine();
  const runner = await runtime.createResidentRunner();
  assert.equal((await runner.exec("globalThis.n = 41")).exitCode, 0);
  assert.equal((await runner.exec("console.log(n + 1)")).stdout, "42\n");
  const shell = await runtime.openShell({ command: "sh" });
  let screen = "";
  const reading = (async () => {
    for await (const chunk of shell) screen += Buffer.from(chunk).toString();
  })();
  shell.write("echo $((40+2)); exit\n");
  await reading;
  assert.match(screen, /42/);
  const controller = new AbortController();
  const endless = runtime.exec("console.log(1); for (;;);", {
    signal: controller.signal,
    onStdout: () => controller.abort(new Error("enough")),
  });
  await assert.rejects(endless, /enough/);
  const { exitCode, end } = await runtime.exec("for (;;);", { timeout: 200 });
  assert.deepEqual([exitCode, end.reason], [137, "timeout"]);
});

test("clone, snapshot and a machine made from it", { skip: noServer }, async () => {
  const runtime = await machine({ files: { "/home/user/a": "first" } });
  const second = await runtime.clone();
  made.push(second);
  await runtime.writeFile("/home/user/a", "changed");
  const chunks = [];
  for await (const chunk of await runtime.snapshot()) chunks.push(chunk);
  await runtime.dispose();
  // The session goes on with its other machine.
  assert.equal(Buffer.from(await second.readFile("/home/user/a")).toString(), "first");
  const moved = await machine({ snapshot: Buffer.concat(chunks) });
  assert.equal(Buffer.from(await moved.readFile("/home/user/a")).toString(), "changed");
});

test("a template with permissions, and a machine made from it", { skip: noServer }, async () => {
  const runtime = await machine({ files: { "/home/user/a": "first" } });
  const template = await runtime.template("globalThis.made = [1]", {
    permissions: { childProcess: "deny" },
  });
  const [other, warm] = [await machine(), await NodeRuntime.create({ template })];
  made.push(warm);
  const program = `import { spawnSync } from "node:child_process"; __return([made.push(2), spawnSync("true").error?.code])`;
  await runtime.writeFile("/home/user/a", "changed");
  for (const from of [template, warm, warm])
    assert.deepEqual((await from.run(program)).value, [2, "EACCES"]);
  assert.equal(await warm.readFile("/home/user/a", "utf8"), "first");
  assert.equal((await other.run("__return(typeof made)")).value, "undefined");
});

test("a deterministic machine is one there, too", { skip: noServer }, async () => {
  const values = [];
  for (let time = 0; time < 2; time++) {
    const runtime = await machine({ deterministic: { seed: 5 } });
    values.push((await runtime.run("__return([Math.random(), Date.now()])")).value);
  }
  assert.deepEqual(values[0], values[1]);
});

test(
  "after dispose everything rejects, and the worker's owner decides about its own host",
  { skip: noServer },
  async () => {
    const runtime = await machine();
    await runtime.dispose();
    await assert.rejects(runtime.run("1"), { code: "ERR_SECURE_EXEC_DISPOSED" });
    await assert.rejects(machine({ mounts: [{ hostPath: "/etc", guestPath: "/mnt/etc" }] }), {
      code: "ERR_SECURE_EXEC_FLEET_REFUSED",
    });
    await assert.rejects(machine({ loopbackExemptPorts: [8080] }), {
      code: "ERR_SECURE_EXEC_FLEET_REFUSED",
    });
  },
);

test("a tool that returns nothing has a result", { skip: noServer }, async () => {
  const runtime = await machine({ tools: { quiet: { handler: () => {} } } });
  const { value } = await runtime.run(
    'const first = await callHostTool("quiet"); __return([first === undefined, await callHostTool("quiet") === undefined]);',
  );
  assert.deepEqual(value, [true, true]);
});

test("a mount that is not there is told by option and path", { skip: noServer }, async () => {
  const server = await natsServer();
  await worker(server.url, "--mounts", "/");
  const there = (mount) =>
    NodeRuntime.create({ fleet: { servers: server.url }, mounts: [{ guestPath: "/x", ...mount }] });
  const refused = (option, message) => ({
    code: "ERR_SECURE_EXEC_INVALID_OPTION",
    message,
    details: { option },
  });
  await assert.rejects(
    there({ hostPath: "/no/such/place" }),
    refused(
      "mounts[0].hostPath",
      "mounts[0].hostPath does not exist on the worker: /no/such/place",
    ),
  );
  await assert.rejects(
    there({ overlay: { lower: "/dev/null" } }),
    refused("mounts[0].overlay.lower", "mounts[0].overlay.lower must be a directory of the worker"),
  );
});
