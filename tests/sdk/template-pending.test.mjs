/** What a set-up may leave behind: listeners and idle connections, which have a meaning in a copy; all else is named. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { machine } from "../support/machines.mjs";

const pending = { code: "ERR_SECURE_EXEC_TEMPLATE_PENDING" };

/** A set-up by what it leaves under way, and how the error names that. */
const refused = {
  "a timer": [`setTimeout(() => {}, 1e6)`, /Timeout/],
  "an interval": [`setInterval(() => {}, 1e6)`, /Timeout/],
  "a file that is being opened": [
    `import fs from "node:fs"; fs.readFile("/tmp/fifo", () => {})`,
    /readFile \(system call\)|open \(system call\)/,
  ],
  "a file that is being opened as a promise": [
    `import fs from "node:fs/promises"; void fs.readFile("/tmp/fifo")`,
    /readFile \(system call\)|open \(system call\)/,
  ],
  "a file stream": [
    `import fs from "node:fs"; fs.createReadStream("/tmp/fifo").resume()`,
    /FSReqCallback/,
  ],
  "work for the thread pool": [
    `import { pbkdf2 } from "node:crypto"; pbkdf2("a", "b", 1e8, 8, "sha256", () => {})`,
    /task of the thread pool \(1\)/,
  ],
  compression: [
    `import { randomBytes } from "node:crypto"; import { brotliCompress } from "node:zlib"; brotliCompress(randomBytes(2e7), () => {})`,
    /task of the thread pool \(1\)/,
  ],
  "a connection in use": [
    `import net from "node:net";
     const server = net.createServer(() => {}).listen(4100);
     globalThis.socket = net.connect(4100); await new Promise((resolve) => socket.once("connect", resolve));`,
    /tcp \(descriptor \d+\)/,
  ],
  "a socket of datagrams": [
    `import dgram from "node:dgram"; globalThis.socket = dgram.createSocket("udp4"); await new Promise((resolve) => socket.bind(4200, resolve)); socket.unref();`,
    /udp \(descriptor \d+\)/,
  ],
  "a child process": [
    `import { spawn } from "node:child_process"; globalThis.child = spawn("sleep", ["1000"], { stdio: "ignore" }); child.unref()`,
    /wait \(system call\)/,
  ],
  "pipes of a child process": [
    `import { spawn } from "node:child_process"; globalThis.child = spawn("sleep", ["1000"])`,
    /pipe \(descriptor \d+\)/,
  ],
  "a worker": [
    `import { Worker } from "node:worker_threads"; new Worker("setInterval(() => {}, 1e6)", { eval: true }).unref()`,
    /Worker/,
  ],
  "a port of messages": [
    `globalThis.pair = new MessageChannel(); pair.port1.onmessage = () => {};`,
    /MessagePort/,
  ],
  "a watch of files": [
    `import fs from "node:fs"; globalThis.watch = fs.watch("/tmp", () => {}); watch.unref()`,
    /file watch \(1\)/,
  ],
  "a call of a tool": [`void callHostTool("never", {})`, /\(system call\)/],
};

test("what is under way at the end of a set-up is refused by name", async (t) => {
  const tools = { never: { description: "", execute: () => new Promise(() => {}) } };
  const rt = await machine({
    tools,
    permissions: { fs: "allow", tool: "allow" },
  });
  await rt.execCommand("mkfifo", ["/tmp/fifo"]);
  for (const [name, [setUp, message]] of Object.entries(refused)) {
    await t.test(name, async () => {
      await assert.rejects(rt.template(setUp), { ...pending, message });
    });
  }
  const slow = await machine({
    permissions: { network: () => new Promise(() => {}) },
    permissionTimeoutMs: 600_000,
  });
  await t.test("a name that is looked up", async () => {
    const setUp = `import dns from "node:dns"; dns.lookup("name.example", () => {})`;
    await assert.rejects(slow.template(setUp), { ...pending, message: /resolve \(system call\)/ });
  });
  // And the machine is as it was: all of them are gone.
  assert.equal((await rt.run("__return(1)")).value, 1);
});

test("what has ended, or waits for nobody, is not", async () => {
  const rt = await machine();
  const tpl = await rt.template(`
    import { pbkdf2 } from "node:crypto"; import { execFile } from "node:child_process"; import { promisify } from "node:util";
    import fs from "node:fs"; import { Worker } from "node:worker_threads";
    await promisify(pbkdf2)("a", "b", 1, 8, "sha256");
    globalThis.listed = (await promisify(execFile)("echo", ["listed"])).stdout;
    fs.watch("/tmp", () => {}).close();
    await new Worker("1", { eval: true }).terminate();
    setTimeout(() => (globalThis.late = true), 10).unref();
    setImmediate(() => (globalThis.soon = true));
    process.on("SIGUSR2", () => process.exit(9));`);
  const { value } = await tpl.run(
    `while (!globalThis.late) await new Promise((resolve) => setTimeout(resolve, 1)); __return([listed, soon, late])`,
  );
  assert.deepEqual(value, ["listed\n", true, true]);
  const program = await tpl.spawn(
    `process.kill(process.pid, "SIGUSR2"); setInterval(() => {}, 1000)`,
  );
  assert.equal(await program.wait(), 9);
});

const listens = (address) => `
  import net from "node:net";
  globalThis.server = net.createServer((socket) => { socket.end(String(process.pid)); globalThis.served?.(socket); });
  await new Promise((resolve) => server.listen(${address}, resolve));`;
const asks = (address) => `
  import net from "node:net";
  const chunks = []; for await (const chunk of net.connect(${address})) chunks.push(chunk);
  __return(Number(Buffer.concat(chunks)));`;

for (const [kind, address] of [
  ["TCP", "4000"],
  ["Unix", '"/tmp/socket"'],
]) {
  test(`a ${kind} listener of the set-up is the copies', as after fork(2): one of them accepts, the template never`, async () => {
    const rt = await machine();
    const tpl = await rt.template(listens(address));
    // Nobody accepts yet: it waits in the backlog.
    const early = rt.run(asks(address));
    const first = await tpl.spawn(
      // Closing a Unix listener would take its name away, as it does after fork(2).
      `globalThis.served = (socket) => socket.on("close", () => (server.address().port ? server.close() : process.exit(0)))`,
    );
    assert.equal((await early).value, first.pid);
    assert.equal(await first.wait(), 0);
    // Closed in one, it is open in the others.
    const [second, third] = await Promise.all([
      tpl.spawn(`process.on("SIGTERM", () => process.exit(0))`),
      tpl.spawn(`process.on("SIGTERM", () => process.exit(0))`),
    ]);
    const answers = await Promise.all(Array.from({ length: 6 }, () => rt.run(asks(address))));
    for (const { value } of answers)
      assert.ok([second.pid, third.pid].includes(value), String(value));
    // A reference is what holds a program, as in any process.
    assert.equal((await tpl.run(`server.unref(); __return(server.listening)`)).value, true);
    assert.equal((await tpl.run(`__return(1)`, { endWhenSettled: true })).value, 1);
    second.kill("SIGTERM");
    third.kill("SIGTERM");
    await Promise.all([second.wait(), third.wait()]);
    await tpl.dispose();
    const { value: refusal } = await rt.run(
      `import net from "node:net"; __return(await new Promise((resolve) => net.connect(${address}).on("error", ({ code }) => resolve(code))))`,
    );
    assert.equal(refusal, "ECONNREFUSED");
  });
}

test("a server of HTTP in the set-up answers the host from a run", async () => {
  const rt = await machine();
  const tpl = await rt.template(`
    import http from "node:http";
    globalThis.hits = 0;
    globalThis.server = http.createServer((request, response) => response.end(name + ++hits));
    await new Promise((resolve) => server.listen(4300, resolve));`);
  const run = await tpl.spawn(
    `globalThis.name = "run "; process.on("SIGTERM", () => process.exit(0));`,
  );
  const texts = [];
  for (let time = 0; time < 2; time++)
    texts.push(await (await rt.fetch(4300, new Request("http://machine/"))).text());
  assert.deepEqual(texts, ["run 1", "run 2"]);
  run.kill("SIGTERM");
  await run.wait();
  const again = await tpl.spawn(
    `globalThis.name = "again "; process.on("SIGTERM", () => process.exit(0));`,
  );
  assert.equal(await (await rt.fetch(4300, new Request("http://machine/"))).text(), "again 1");
  again.kill("SIGTERM");
  await again.wait();
  await assert.rejects(
    (await import("../../dist/index.js")).NodeRuntime.create({ template: tpl }),
    {
      code: "ERR_SECURE_EXEC_TEMPLATE_HOLDS",
      message: /tcp/,
    },
  );
});

test("connections that the set-up keeps but does not use are closed: copies make their own", async () => {
  const rt = await machine();
  const server = await rt.spawn(`
    import http from "node:http";
    const server = http.createServer((request, response) => response.end(String(request.socket.remotePort)));
    server.keepAliveTimeout = 600_000;
    server.listen(4400);`);
  await rt.waitForListener({ port: 4400 });
  const get = `await (await fetch("http://127.0.0.1:4400/")).text()`;
  const tpl = await rt.template(`
    import net from "node:net";
    globalThis.ports = [${get}, ${get}];
    globalThis.idle = net.connect(4400); idle.on("error", (error) => console.log(error));
    await new Promise((resolve) => idle.once("connect", resolve));
    idle.unref();`);
  const program = `ports.push(${get}); __return({ ports, idle: [idle.destroyed, idle.readyState] })`;
  const results = await Promise.all([tpl.run(program), tpl.run(program)]);
  for (const { value, stdout, exitCode } of results) {
    assert.equal(exitCode, 0);
    assert.equal(stdout, "");
    const [first, second, own] = value.ports;
    assert.ok(![first, second].includes(own), String(value.ports));
    assert.deepEqual(value.idle, [true, "closed"]);
  }
  assert.notEqual(results[0].value.ports[2], results[1].value.ports[2]);
  server.kill("SIGKILL");
  await server.wait();
});

test("stdin is each copy's own, also where the set-up has looked at it", async () => {
  const rt = await machine();
  const tpl = await rt.template(
    `globalThis.kind = [process.stdin.isTTY, process.stdout.isTTY]; process.stdin.pause();`,
  );
  for (const stdin of ["one", "two"]) {
    const { value } = await tpl.run(
      `let text = ""; for await (const chunk of process.stdin) text += chunk; __return(text)`,
      { stdin },
    );
    assert.equal(value, stdin);
  }
});
