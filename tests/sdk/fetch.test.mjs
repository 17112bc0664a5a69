// Requests of the host into a machine, and who listens there.
import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import net from "node:net";
import { after, before, test } from "node:test";
import { NodeRuntime, SecureExecError } from "../../dist/index.js";

const it = (name, body) => test(name, { timeout: 60_000 }, body);
const coded = (name) => (error) => {
  assert.equal(SecureExecError.isSecureExecError(error), true, String(error));
  assert.equal(error.code, `ERR_SECURE_EXEC_${name}`);
  return true;
};

let rt;
before(async () => {
  rt = await NodeRuntime.create();
});
after(() => rt.dispose());

/** A program that serves until the test ends it. */
async function serve(t, source, runtime = rt) {
  const process = await runtime.spawn(
    `import http from "node:http"; import net from "node:net";\n${source}`,
  );
  t.after(async () => {
    process.kill("SIGKILL");
    await process.wait();
  });
  return process;
}

it("the dev-server pattern: spawn, wait, fetch, kill", async () => {
  const server = await rt.spawn(`
    import http from "node:http";
    http.createServer((_, res) => res.end("ok")).listen(3000);
  `);
  const listener = await rt.waitForListener({ port: 3000 });
  assert.deepEqual(listener, { processId: String(server.pid), host: "::", port: 3000 });
  const res = await rt.fetch(listener.port ?? 3000, { path: "/" });
  assert.deepEqual([res.status, res.statusText, res.body], [200, "OK", "ok"]);
  server.kill();
  await server.wait();
  assert.equal(rt.findListener({ port: 3000 }), null);
});

it("method, headers and body go in and out", async (t) => {
  await serve(
    t,
    `http.createServer((request, response) => {
      let body = "";
      request.setEncoding("utf8");
      request.on("data", (part) => { body += part; });
      request.on("end", () => {
        response.writeHead(201, "Made", [["X-One", "1"], ["Set-Cookie", "a=1"], ["Set-Cookie", "b=2"]]);
        response.write("chunked ");
        response.end(JSON.stringify([request.method, request.url, request.headers["x-in"], request.headers.host, body]));
      });
    }).listen(3101);`,
  );
  await rt.waitForListener({ port: 3101, host: "localhost" });
  const answer = await rt.fetch(3101, {
    path: "/a?b=c",
    method: "PUT",
    headers: { "X-In": "in" },
    body: "größe",
  });
  assert.equal(answer.status, 201);
  assert.equal(answer.statusText, "Made");
  assert.equal(answer.headers["x-one"], "1");
  assert.equal(answer.headers["set-cookie"], "a=1, b=2");
  assert.equal(
    answer.body,
    `chunked ${JSON.stringify(["PUT", "/a?b=c", "in", "localhost:3101", "größe"])}`,
  );
  const standard = await rt.fetch(
    3101,
    new Request("http://any/x", { method: "POST", body: "hi" }),
  );
  assert.equal(standard instanceof Response, true);
  assert.deepEqual(standard.headers.getSetCookie(), ["a=1", "b=2"]);
  assert.match(await standard.text(), /"POST","\/x"/);
});

it("fails closed: a listener of another machine or of the host is not reached", async (t) => {
  let reached = 0;
  const host = http.createServer((_, response) => {
    reached++;
    response.end("host");
  });
  host.listen(0, "127.0.0.1");
  await once(host, "listening");
  t.after(() => host.close());
  await assert.rejects(rt.fetch(host.address().port, { path: "/" }), coded("NO_LISTENER"));
  const other = await NodeRuntime.create();
  t.after(() => other.dispose());
  await serve(t, `http.createServer((_, r) => r.end("other")).listen(3102);`, other);
  await other.waitForListener({ port: 3102 });
  await assert.rejects(rt.fetch(3102, { path: "/" }), coded("NO_LISTENER"));
  assert.equal(rt.findListener({ port: 3102 }), null);
  assert.equal((await other.fetch(3102, { path: "/" })).body, "other");
  assert.equal(reached, 0);
});

it("answers that are too large, no HTTP, contradictory, or never come", async (t) => {
  await serve(
    t,
    `// A client that gives up resets the connection.
     process.on("uncaughtException", (error) => { if (error.code !== "ECONNRESET" && error.code !== "EPIPE") throw error; });
     http.createServer((_, r) => r.end("x".repeat(1024 * 1024 + 1))).listen(3110);
     http.createServer((_, r) => r.end("x".repeat(1024 * 1024))).listen(3111);
     net.createServer((socket) => socket.end("what is this")).listen(3112);
     net.createServer((socket) => socket.end("HTTP/1.1 200 OK\\r\\nContent-Length: 3\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n0\\r\\n\\r\\n")).listen(3113);
     net.createServer((socket) => socket.end("HTTP/1.1 200 OK\\r\\n" + "A: b\\r\\n".repeat(100000))).listen(3114);
     net.createServer((socket) => socket.resetAndDestroy()).listen(3115);
     net.createServer(() => undefined).listen(3116);`,
  );
  await rt.waitForListener({ port: 3116 });
  await assert.rejects(rt.fetch(3110, { path: "/" }), coded("FETCH_RESPONSE_LIMIT"));
  assert.equal((await rt.fetch(3111, { path: "/" })).body.length, 1024 * 1024);
  for (const port of [3112, 3113, 3114, 3115])
    await assert.rejects(rt.fetch(port, { path: "/" }), coded("FETCH_FAILED"));
  const controller = new AbortController();
  const waiting = rt.fetch(3116, new Request("http://x/", { signal: controller.signal }));
  controller.abort(new Error("enough"));
  await assert.rejects(waiting, /enough/);
});

it("a machine that ends fails what is under way", async () => {
  const machine = await NodeRuntime.create();
  await machine.spawn(
    `import net from "node:net"; net.createServer(() => undefined).listen(3120);`,
  );
  await machine.waitForListener({ port: 3120 });
  const pending = machine.fetch(3120, { path: "/" });
  const waiting = machine.waitForListener({ port: 3121 });
  const failed = Promise.all([
    assert.rejects(pending, coded("FETCH_FAILED")),
    assert.rejects(waiting, coded("DISPOSED")),
  ]);
  await machine.dispose();
  await failed;
  await assert.rejects(machine.fetch(3120, { path: "/" }), coded("DISPOSED"));
  assert.throws(() => machine.findListener({ port: 3120 }), coded("DISPOSED"));
});

it("bad input is refused before anything happens", async () => {
  for (const [port, input] of [
    [0, { path: "/" }],
    [70000, { path: "/" }],
    [80, { path: "http://evil/" }],
    [80, { path: "/", method: "GET / HTTP/1.1\r\nX" }],
    [80, { path: "/", headers: { "a\r\nb": "c" } }],
    [80, { path: "/", headers: { a: 1 } }],
    [80, { path: "/", body: 5 }],
    [80, undefined],
  ])
    await assert.rejects(rt.fetch(port, input), coded("INVALID_OPTION"));
  const server = await rt.spawn(
    `import http from "node:http"; http.createServer((_, r) => r.end("ok")).listen(3130);`,
  );
  await rt.waitForListener({ port: 3130 });
  await assert.rejects(rt.fetch(3130, { path: "/a b" }), coded("INVALID_OPTION"));
  await assert.rejects(
    rt.fetch(3130, { path: "/", headers: { a: "b\r\nc: d" } }),
    coded("INVALID_OPTION"),
  );
  server.kill();
  await server.wait();
  for (const query of [undefined, {}, { port: "x" }, { port: 0 }, { path: 1 }, { host: 1 }])
    assert.throws(() => rt.findListener(query), coded("INVALID_OPTION"));
});

it("waiting: timeout, abort, Unix sockets, closed listeners", async (t) => {
  await assert.rejects(rt.waitForListener({ port: 3140 }, { timeoutMs: 20 }), (error) => {
    coded("LISTENER_TIMEOUT")(error);
    assert.equal(error.message, "Timed out after 20ms waiting for a listener on port 3140");
    return true;
  });
  const controller = new AbortController();
  const waiting = rt.waitForListener({ port: 3140 }, { signal: controller.signal });
  controller.abort(new Error("no longer"));
  await assert.rejects(waiting, /no longer/);
  const server = await serve(
    t,
    `const unix = net.createServer().listen("/tmp/here.sock");
     const tcp = net.createServer((socket) => { tcp.close(); socket.end(); }).listen(3141, "127.0.0.1");`,
  );
  assert.deepEqual(await rt.waitForListener({ path: "/tmp/here.sock" }), {
    processId: String(server.pid),
    path: "/tmp/here.sock",
  });
  await rt.waitForListener({ port: 3141, host: "127.0.0.1" });
  assert.equal(rt.findListener({ port: 3141, host: "::1" }), null);
  await assert.rejects(rt.fetch(3141, { path: "/" }), coded("FETCH_FAILED"));
  await assert.rejects(rt.fetch(3141, { path: "/" }), coded("NO_LISTENER"));
  assert.equal(rt.findListener({ port: 3141 }), null);
});

it("an exempt port is open on the host while a program listens there", async (t) => {
  // A port that is free on the host right now.
  const probe = net.createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address();
  probe.close();
  await once(probe, "close");
  const machine = await NodeRuntime.create({ loopbackExemptPorts: [port] });
  t.after(() => machine.dispose());
  const source = `http.createServer((_, r) => r.end("from inside")).listen(${port});`;
  const server = await serve(t, source, machine);
  await machine.waitForListener({ port });
  const response = await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: "close" } });
  assert.equal(await response.text(), "from inside");
  server.kill("SIGKILL");
  await server.wait();
  const [error] = await once(net.connect(port, "127.0.0.1"), "error");
  assert.equal(error.code, "ECONNREFUSED");

  const taken = net.createServer().listen(port, "127.0.0.1");
  await once(taken, "listening");
  t.after(() => taken.close());
  await serve(t, source, machine);
  await assert.rejects(machine.waitForListener({ port }), coded("PORT_TAKEN"));
  // The policy denies what leaves the machine, the exempt port included.
  const denied = await machine.run(`
    const { default: net } = await import("node:net");
    const { port } = await new Promise((resolve) => { const s = net.createServer().listen(0, () => resolve(s.address()) || s.close()); });
    __return(typeof port);
  `);
  assert.equal(denied.value, "number");
  await assert.rejects(NodeRuntime.create({ loopbackExemptPorts: [0] }), coded("INVALID_OPTION"));
});

it("hostile status lines, headers and bodies: an answer or a coded error, never anything else", async (t) => {
  const answers = [
    "HTTP/1.1 999 Odd\\r\\nContent-Length: 2\\r\\n\\r\\nhi",
    "HTTP/1.1 000 None\\r\\nContent-Length: 0\\r\\n\\r\\n",
    "HTTP/1.1 99 Short\\r\\nContent-Length: 0\\r\\n\\r\\n",
    "HTTP/1.1 -1 Minus\\r\\n\\r\\n",
    "HTTP/1.1 2147483648 Big\\r\\n\\r\\n",
    "HTTP/1.1 101 Switching\\r\\nUpgrade: x\\r\\nConnection: upgrade\\r\\n\\r\\n",
    "HTTP/1.1 100 Continue\\r\\n\\r\\n",
    "HTTP/1.1 204 None\\r\\nContent-Length: 3\\r\\n\\r\\nabc",
    "HTTP/1.1 200 \\x01\\x7f\\xff\\r\\nContent-Length: 0\\r\\n\\r\\n",
    "HTTP/1.1 200 OK\\r\\n__proto__: polluted\\r\\nconstructor: c\\r\\nContent-Length: 0\\r\\n\\r\\n",
    "HTTP/1.1 200 OK\\r\\nX: \\xff\\xfe\\r\\nContent-Length: 0\\r\\n\\r\\n",
    "HTTP/1.1 200 OK\\r\\nX: a\\x00b\\r\\nContent-Length: 0\\r\\n\\r\\n",
    "HTTP/1.1 200 OK\\r\\nX Y: a\\r\\nContent-Length: 0\\r\\n\\r\\n",
    "HTTP/1.1 200 OK\\r\\nContent-Length: 4\\r\\n\\r\\n\\xff\\xfe\\xed\\xa0",
    "HTTP/1.1 200 OK\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\nfffffffffffffffff\\r\\n",
    "HTTP/1.1 200 OK\\r\\nContent-Length: 99\\r\\n\\r\\nshort",
    "HTTP/2.0 200 OK\\r\\n\\r\\n",
    "",
  ];
  const first = 3150;
  await serve(
    t,
    `const answers = [${answers.map((answer) => `"${answer}"`).join()}];
     process.on("uncaughtException", () => undefined);
     answers.forEach((answer, at) => net.createServer((socket) => {
       socket.on("error", () => undefined);
       socket.end(Buffer.from(answer, "latin1"));
     }).listen(${first} + at));`,
  );
  await rt.waitForListener({ port: first + answers.length - 1 });
  const ends = { answered: 0, refused: 0 };
  for (const [at, answer] of answers.entries())
    for (const input of [{ path: "/" }, new Request("http://x/")])
      try {
        const { headers, status } = await rt.fetch(first + at, input);
        ends.answered++;
        assert.ok(Number.isInteger(status), answer);
        if (headers instanceof Headers) continue;
        assert.equal(Object.hasOwn(headers, "__proto__"), false);
        assert.equal(Object.assign({}, headers).polluted, undefined);
      } catch (error) {
        ends.refused++;
        coded("FETCH_FAILED")(error);
      }
  assert.ok(ends.answered > 8 && ends.refused > 12, JSON.stringify(ends));
});

it("a body in chunks of single bytes comes whole, at the cost of its bytes", async (t) => {
  await serve(
    t,
    `const piece = Buffer.from("1\\r\\na\\r\\n".repeat(10_000));
     net.createServer((socket) => {
       socket.on("error", () => {}).on("data", () => {});
       socket.write("HTTP/1.1 200 OK\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n");
       let pieces = 0;
       const go = () => {
         while (pieces++ < 100) if (!socket.write(piece)) return socket.once("drain", go);
         socket.end("0\\r\\n\\r\\n");
       };
       go();
     }).listen(3100);`,
  );
  await rt.waitForListener({ port: 3100 });
  const url = new Request("http://localhost/");
  const bodies = await Promise.all(
    Array.from({ length: 3 }, async () => (await rt.fetch(3100, url)).text()),
  );
  assert.deepEqual(bodies, Array(3).fill("a".repeat(1_000_000)));
});

it("a listener that only ever says that it goes on is no answer", async (t) => {
  await serve(
    t,
    `const piece = "HTTP/1.1 103 Early Hints\\r\\na: b\\r\\n\\r\\n".repeat(100);
     net.createServer((socket) => {
       socket.on("error", () => {}).on("data", () => {});
       const go = () => { while (socket.write(piece)); socket.once("drain", go); };
       go();
     }).listen(3101);`,
  );
  await rt.waitForListener({ port: 3101 });
  await assert.rejects(rt.fetch(3101, new Request("http://localhost/")), coded("FETCH_FAILED"));
});
