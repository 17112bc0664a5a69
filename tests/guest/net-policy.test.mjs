// What rules and functions of the host let out of a machine, judged on the connected address.
import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import { networkInterfaces } from "node:os";
import { after, before, test } from "node:test";
import { NodeRuntime } from "../../dist/index.js";

const it = (name, body) => test(name, { timeout: 60_000 }, body);
const own = Object.values(networkInterfaces())
  .flat()
  .find(({ family, internal }) => family === "IPv4" && !internal)?.address;

let host;
let port;
let reached = 0;
before(async () => {
  host = http.createServer((request, response) => {
    reached++;
    request.pipe(response);
  });
  host.listen(0);
  await once(host, "listening");
  ({ port } = host.address());
});
after(() => {
  host.closeAllConnections();
  host.close();
});

/** What a guest's fetch of each address gave: the body, or the code and message of the cause. */
async function attempt(t, permissions, hosts, more = {}) {
  const rt = await NodeRuntime.create({ permissions, ...more });
  t.after(() => rt.dispose());
  const { value, stderr } = await rt.run(`
    const results = [];
    for (const host of ${JSON.stringify(hosts)}) {
      const url = "http://" + host + ":${port}/";
      results.push(await fetch(url, { method: "POST", body: "hello" }).then((r) => r.text(), (e) => [e.cause?.code, e.cause?.message ?? e.message]));
    }
    __return(results);
  `);
  assert.equal(stderr, "");
  return value;
}

it('"allow" reaches nothing that is not public, however it is written', async (t) => {
  const before = reached;
  const hosts = [
    "127.0.0.1",
    "localhost",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "0.0.0.0",
    "[::]",
    "127.1",
    "2130706433",
    "0x7f.0.0.1",
    "0177.0.0.1",
    "user:pass@127.0.0.1",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
    ...(own === undefined ? [] : [own, `[::ffff:${own}]`]),
  ];
  const results = await attempt(t, { network: "allow" }, hosts);
  results.forEach((result, at) => {
    assert.equal(Array.isArray(result), true, `${hosts[at]}: ${result}`);
    assert.match(
      String(result[0] ?? result[1]),
      /^(ECONNREFUSED|EACCES|ENOTFOUND|.*credentials.*|undefined)$/,
      `${hosts[at]}: ${result}`,
    );
  });
  assert.equal(reached, before);
});

it("a rule that names the address opens it, and nothing beside it", async (t) => {
  if (own === undefined) return t.skip("the machine has no address beside loopback");
  const rules = { default: "deny", rules: [{ mode: "allow", patterns: [`${own}:${port}`] }] };
  const [answer, other] = await attempt(t, { network: rules }, [own, "93.184.216.34"]);
  assert.equal(answer, "hello");
  assert.deepEqual(other, [
    "EACCES",
    `EACCES: permission denied, tcp://93.184.216.34:${port}: blocked by network.http policy`,
  ]);
});

it("a redirect is judged like any other connection", async (t) => {
  if (own === undefined) return t.skip("the machine has no address beside loopback");
  const redirector = http.createServer((_, response) => {
    response.writeHead(302, { location: `http://169.254.169.254:${port}/latest/meta-data` });
    response.end();
  });
  redirector.listen(0, own);
  await once(redirector, "listening");
  t.after(() => redirector.close());
  const rt = await NodeRuntime.create({
    permissions: { network: { default: "deny", rules: [{ mode: "allow", patterns: [own] }] } },
  });
  t.after(() => rt.dispose());
  const { value } = await rt.run(`
    __return(await fetch("http://${own}:${redirector.address().port}/").then((r) => r.status, (e) => e.cause.message));
  `);
  assert.equal(
    value,
    `EACCES: permission denied, tcp://169.254.169.254:${port}: blocked by network.http policy`,
  );
});

it("a function of the host judges listeners and loopback too", async (t) => {
  const seen = [];
  const rt = await NodeRuntime.create({
    permissions: {
      network: (request) => {
        seen.push([request.operation, request.hostname, request.port]);
        return request.port !== 4200;
      },
    },
  });
  t.after(() => rt.dispose());
  const { value, stderr } = await rt.run(`
    const { default: net } = await import("node:net");
    const errorOf = (emitter) => new Promise((resolve) => emitter.on("error", (error) => resolve([error.code, error.message])));
    const denied = await errorOf(net.createServer().listen(4200, "127.0.0.1"));
    const server = net.createServer((socket) => socket.end("in")).listen(4201, "127.0.0.1");
    await new Promise((resolve) => server.on("listening", resolve));
    const text = await new Promise((resolve) => net.connect(4201, "127.0.0.1").on("data", (data) => resolve(String(data))));
    server.close();
    __return({ denied, text });
  `);
  assert.equal(stderr, "");
  assert.deepEqual(value, {
    denied: [
      "EACCES",
      "EACCES: permission denied, tcp://127.0.0.1:4200: blocked by network.listen policy",
    ],
    text: "in",
  });
  assert.deepEqual(seen, [
    ["listen", "127.0.0.1", 4200],
    ["listen", "127.0.0.1", 4201],
    ["http", "127.0.0.1", 4201],
  ]);
});

it("an exempt port leads to the host's loopback only with the policy's leave", async (t) => {
  const more = { loopbackExemptPorts: [port] };
  const before = reached;
  const [denied] = await attempt(t, {}, ["127.0.0.1"], more);
  assert.equal(denied[0], "EACCES");
  assert.equal(reached, before);
  const [answer] = await attempt(t, { network: "allow" }, ["127.0.0.1"], more);
  assert.equal(answer, "hello");
});

it("file rules hold for Unix sockets", async (t) => {
  const rt = await NodeRuntime.create({
    permissions: {
      fs: {
        default: "allow",
        rules: [{ mode: "deny", operations: ["write"], paths: ["/vault/**"] }],
      },
    },
    files: { "/vault/x": "" },
  });
  t.after(() => rt.dispose());
  const { value } = await rt.run(`
    const { default: net } = await import("node:net");
    const [error] = await new Promise((resolve) => net.createServer().listen("/vault/s.sock").on("error", (...e) => resolve(e)));
    __return(error.code);
  `);
  assert.equal(value, "EACCES");
});
