// The real net, http, https, http2, tls, dgram, dns and fetch over the kernel's sockets.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { NodeRuntime } from "../../dist/index.js";
import { cert, key } from "../support/certificate.mjs";

const it = (name, body) => test(name, { timeout: 60_000 }, body);

let rt;
before(async () => {
  rt = await NodeRuntime.create({
    files: { "/srv/cert.pem": cert, "/srv/key.pem": key },
  });
});
after(() => rt.dispose());

const prelude = `
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import net from "node:net"; import http from "node:http"; import https from "node:https";
import http2 from "node:http2"; import tls from "node:tls"; import dgram from "node:dgram"; import dns from "node:dns";
const pem = () => ({ cert: readFileSync("/srv/cert.pem"), key: readFileSync("/srv/key.pem") });
const listening = async (server, ...args) => { server.listen(...args); await once(server, "listening"); return server.address(); };
const text = async (stream) => { let all = ""; stream.setEncoding("utf8"); for await (const part of stream) all += part; return all; };
`;
/** Runs a guest and answers what it returned; a guest that does not end by itself is a failure. */
async function guest(source) {
  const result = await rt.run(prelude + source, { timeout: 40_000 });
  assert.equal(result.stderr, "");
  assert.equal(result.exitCode, 0);
  return result.value;
}

it("a socket echoes, has both names, and lets the program end", async () => {
  const value = await guest(`
    const server = net.createServer((socket) => socket.pipe(socket));
    const { port, address } = await listening(server, 0, "127.0.0.1");
    const client = net.connect(port, "127.0.0.1");
    await once(client, "connect");
    client.end("hello");
    const names = [client.remoteAddress, client.remotePort === port, client.localAddress, client.localPort > 1024];
    const echoed = await text(client);
    server.close();
    __return({ address, names, echoed, read: client.bytesRead, written: client.bytesWritten });
  `);
  assert.deepEqual(value, {
    address: "127.0.0.1",
    names: ["127.0.0.1", true, "127.0.0.1", true],
    echoed: "hello",
    read: 5,
    written: 5,
  });
});

it("texts arrive as the bytes of their encodings, also those that no frame or window takes whole", async () => {
  const value = await guest(`
    const server = net.createServer((socket) => socket.pipe(socket));
    const { port } = await listening(server, 0, "127.0.0.1");
    const unlike = [];
    for (const encoding of ["latin1", "ascii", "utf8", "utf16le", "hex", "base64"])
      for (const length of [0, 1, 60, 1000, 1100, 16384, 16385, 40_000, 70_000, 200_000]) {
        const unit = encoding === "hex" ? "00ff" : encoding === "base64" ? "AAEC" : "a\u00e9\u20ac\ud83d\ude00\ud800z";
        const sent = unit.repeat(Math.ceil(length / unit.length)).slice(0, length);
        const client = net.connect(port, "127.0.0.1");
        client.write(sent, encoding);
        client.write(sent, encoding);
        client.end();
        const parts = [];
        for await (const part of client) parts.push(part);
        const once = Buffer.from(sent, encoding);
        if (!Buffer.concat(parts).equals(Buffer.concat([once, once])) || client.bytesWritten !== 2 * once.length)
          unlike.push([encoding, length]);
      }
    server.close();
    __return(unlike);
  `);
  assert.deepEqual(value, []);
});

it("half-open: the server answers after the client has ended", async () => {
  const value = await guest(`
    const server = net.createServer({ allowHalfOpen: true }, (socket) => {
      let question = "";
      socket.on("data", (part) => { question += part; });
      socket.on("end", () => socket.end("answer to " + question));
    });
    const { port } = await listening(server, 0);
    const client = net.connect(port);
    client.end("question");
    const answer = await text(client);
    server.close();
    __return(answer);
  `);
  assert.equal(value, "answer to question");
});

it("50 MB arrive whole and in order through windows of 64 KiB", async () => {
  const value = await guest(`
    const { createHash } = await import("node:crypto");
    const total = 50 * 1024 * 1024;
    const sent = createHash("sha1"), received = createHash("sha1");
    let bytes = 0, waited = 0, highest = 0;
    const server = net.createServer(async (socket) => {
      for await (const part of socket) { received.update(part); bytes += part.length; }
      socket.destroy();
      server.close();
    });
    const { port } = await listening(server, 0);
    const client = net.connect(port);
    await once(client, "connect");
    for (let at = 0; at < total; at += 1 << 20) {
      const part = Buffer.alloc(1 << 20, at >> 20);
      sent.update(part);
      if (!client.write(part)) { waited++; await once(client, "drain"); }
      highest = Math.max(highest, client.writableLength);
    }
    client.end();
    await once(server, "close");
    __return({ bytes, same: sent.digest("hex") === received.digest("hex"), waited: waited > 0, highest });
  `);
  assert.equal(value.bytes, 50 * 1024 * 1024);
  assert.equal(value.same, true);
  assert.equal(value.waited, true);
  assert.ok(value.highest <= 1 << 20, `${value.highest} bytes waited`);
});

it("a reader that stops holds the writer back", async () => {
  const value = await guest(`
    let held;
    const server = net.createServer((socket) => { held = socket; socket.pause(); });
    const { port } = await listening(server, 0);
    const client = net.connect(port);
    await once(client, "connect");
    let drained = false;
    client.on("drain", () => { drained = true; });
    client.write(Buffer.alloc(8 << 20));
    // What fits into windows and buffers has gone out once other traffic has made its way.
    for (let i = 0; i < 20; i++) {
      const other = net.connect(port);
      await once(other, "connect");
      other.destroy();
    }
    const waiting = client.writableLength;
    let bytes = 0;
    held = undefined;
    server.getConnections(() => undefined);
    client.destroy();
    server.close();
    __return({ drained, waiting });
  `);
  assert.deepEqual(value, { drained: false, waiting: 8 << 20 });
});

it("ports: refused, taken, ephemeral, free again after close", async () => {
  const value = await guest(`
    const errorOf = async (emitter) => { const [error] = await once(emitter, "error"); return [error.code, error.syscall, error.message]; };
    const refused = await errorOf(net.connect(9, "127.0.0.1"));
    const first = net.createServer();
    const { port } = await listening(first, 0, "127.0.0.1");
    const second = net.createServer();
    second.listen(port, "127.0.0.1");
    const taken = await errorOf(second);
    const wildcard = net.createServer();
    wildcard.listen(port);
    const both = (await errorOf(wildcard))[0];
    first.close();
    await once(first, "close");
    const third = net.createServer();
    await listening(third, port, "127.0.0.1");
    third.close();
    const elsewhere = net.createServer();
    elsewhere.listen(0, "192.168.7.7");
    const foreign = await errorOf(elsewhere);
    __return({ refused, taken: taken.slice(0, 2), both, foreign: foreign[0], ephemeral: port >= 32768 });
  `);
  assert.deepEqual(value, {
    refused: ["ECONNREFUSED", "connect", "connect ECONNREFUSED 127.0.0.1:9"],
    taken: ["EADDRINUSE", "listen"],
    both: "EADDRINUSE",
    foreign: "EADDRNOTAVAIL",
    ephemeral: true,
  });
});

it("IPv6 loopback and dual-stack listeners", async () => {
  const value = await guest(`
    const six = net.createServer((socket) => socket.end(socket.remoteAddress));
    const { port, family } = await listening(six, 0, "::1");
    const answer = await text(net.connect(port, "::1"));
    const [error] = await once(net.connect(port, "127.0.0.1"), "error");
    six.close();
    const dual = net.createServer((socket) => socket.end(socket.remoteAddress));
    const place = await listening(dual, 0, "::");
    const mapped = await text(net.connect(place.port, "127.0.0.1"));
    dual.close();
    __return({ family, answer, error: error.code, mapped });
  `);
  assert.deepEqual(value, {
    family: "IPv6",
    answer: "::1",
    error: "ECONNREFUSED",
    mapped: "::ffff:127.0.0.1",
  });
});

it("a reset, and what writing after it gives", async () => {
  const value = await guest(`
    const server = net.createServer((socket) => socket.resetAndDestroy());
    const { port } = await listening(server, 0);
    const client = net.connect(port);
    client.on("data", () => undefined);
    const [error] = await once(client, "error");
    server.close();
    __return([error.code, error.syscall]);
  `);
  assert.deepEqual(value, ["ECONNRESET", "read"]);
});

it("Unix sockets by path: the file appears, is in the way, and goes", async () => {
  const value = await guest(`
    const { statSync, existsSync } = await import("node:fs");
    const path = "/tmp/echo.sock";
    const server = net.createServer((socket) => socket.pipe(socket));
    const place = await listening(server, path);
    const isSocket = statSync(path).isSocket();
    const client = net.connect(path);
    client.end("over a file");
    const echoed = await text(client);
    const other = net.createServer();
    other.listen(path);
    const [taken] = await once(other, "error");
    server.close();
    await once(server, "close");
    const [missing] = await once(net.connect(path), "error");
    __return({ place, isSocket, echoed, taken: taken.code, left: existsSync(path), missing: missing.code });
  `);
  assert.deepEqual(value, {
    place: "/tmp/echo.sock",
    isSocket: true,
    echoed: "over a file",
    taken: "EADDRINUSE",
    left: false,
    missing: "ENOENT",
  });
});

it("http: keep-alive, chunked bodies, uploads, fetch", async () => {
  const value = await guest(`
    const server = http.createServer(async (request, response) => {
      if (request.method === "POST") return response.end(String((await text(request)).length));
      response.write("part one, ");
      setImmediate(() => response.end("part two of " + request.url));
    });
    const { port } = await listening(server, 0);
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    const get = (path) => new Promise((resolve, reject) => {
      http.get({ port, path, agent }, async (response) => resolve([await text(response), response.req.reusedSocket])).on("error", reject);
    });
    const first = await get("/a"), second = await get("/b");
    agent.destroy();
    const fetched = await fetch("http://localhost:" + port + "/c");
    const posted = await fetch("http://127.0.0.1:" + port, { method: "POST", body: "x".repeat(300000) });
    const texts = [await fetched.text(), await posted.text()];
    server.closeAllConnections();
    server.close();
    __return({ first, second, texts, status: fetched.status });
  `);
  assert.deepEqual(value, {
    first: ["part one, part two of /a", false],
    second: ["part one, part two of /b", true],
    texts: ["part one, part two of /c", "300000"],
    status: 200,
  });
});

it("https and tls end inside the guest; a wrong name is refused", async () => {
  const value = await guest(`
    const server = https.createServer(pem(), (request, response) => response.end("secret " + request.url));
    const { port } = await listening(server, 0);
    const answer = await new Promise((resolve, reject) => {
      https.get({ host: "localhost", port, path: "/x", ca: pem().cert, agent: false }, async (response) => resolve(await text(response))).on("error", reject);
    });
    const [unknown] = await once(https.get({ host: "localhost", port, agent: false }), "error");
    const [wrong] = await once(tls.connect({ port, host: "127.0.0.1", ca: pem().cert, servername: "example.org" }), "error");
    const big = tls.createServer(pem(), (socket) => socket.end(Buffer.alloc(3 << 20, 7)));
    const place = await listening(big, 0);
    let bytes = 0;
    for await (const part of tls.connect({ port: place.port, host: "localhost", ca: pem().cert })) bytes += part.length;
    big.close();
    server.close();
    server.closeAllConnections();
    __return({ answer, unknown: unknown.code, wrong: wrong.code, bytes });
  `);
  assert.deepEqual(value, {
    answer: "secret /x",
    unknown: "DEPTH_ZERO_SELF_SIGNED_CERT",
    wrong: "ERR_TLS_CERT_ALTNAME_INVALID",
    bytes: 3 << 20,
  });
});

it("http2: streams side by side on one secure session", async () => {
  const value = await guest(`
    const server = http2.createSecureServer(pem());
    server.on("stream", (stream, headers) => { stream.respond({ ":status": 200 }); stream.end("for " + headers[":path"]); });
    const { port } = await listening(server, 0);
    const session = http2.connect("https://localhost:" + port, { ca: pem().cert });
    const texts = await Promise.all(["/1", "/2", "/3"].map((path) => text(session.request({ ":path": path }))));
    session.close();
    await once(session, "close");
    server.close();
    __return(texts);
  `);
  assert.deepEqual(value, ["for /1", "for /2", "for /3"]);
});

it("WebSocket of the engine talks to a server in the same guest", async () => {
  const value = await guest(`
    const { createHash } = await import("node:crypto");
    const server = http.createServer();
    server.on("upgrade", (request, socket) => {
      const accept = createHash("sha1").update(request.headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest("base64");
      socket.write("HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\nSec-WebSocket-Accept: " + accept + "\\r\\n\\r\\n");
      socket.write(Buffer.from([0x81, 5, ...Buffer.from("hello")]));
      socket.once("data", () => { socket.end(Buffer.from([0x88, 2, 0x03, 0xe8])); });
    });
    const { port } = await listening(server, 0);
    const ws = new WebSocket("ws://localhost:" + port);
    const { data } = await new Promise((resolve, reject) => { ws.onmessage = resolve; ws.onerror = (event) => reject(event.error ?? event); });
    ws.close();
    await new Promise((resolve) => { ws.onclose = resolve; });
    server.close();
    server.closeAllConnections();
    __return(data);
  `);
  assert.equal(value, "hello");
});

it("datagrams: both families, connected sockets, sizes", async () => {
  const value = await guest(`
    const got = [];
    for (const [type, host] of [["udp4", "127.0.0.1"], ["udp6", "::1"]]) {
      const server = dgram.createSocket(type);
      server.bind(0, host);
      await once(server, "listening");
      const client = dgram.createSocket(type);
      client.connect(server.address().port, host);
      await once(client, "connect");
      client.send("ping");
      const [message, from] = await once(server, "message");
      server.send("pong", from.port, from.address);
      const [answer] = await once(client, "message");
      const error = await new Promise((resolve) => client.send(Buffer.alloc(70000), resolve));
      got.push([String(message), from.address, from.family, String(answer), error?.code]);
      client.close(); server.close();
    }
    __return(got);
  `);
  assert.deepEqual(value, [
    ["ping", "127.0.0.1", "IPv4", "pong", "EMSGSIZE"],
    ["ping", "::1", "IPv6", "pong", "EMSGSIZE"],
  ]);
});

it("names of the VM resolve without a policy; others are denied in the reference's words", async () => {
  const value = await guest(`
    const os = await import("node:os");
    const errorOf = (promise) => promise.then(() => "no error", (error) => [error.code, error.message]);
    __return({
      localhost: await dns.promises.lookup("localhost", { all: true }),
      six: (await dns.promises.lookup("localhost", { family: 6 })).address,
      own: (await dns.promises.lookup(os.hostname())).address,
      records: await dns.promises.resolve4("localhost"),
      reverse: await dns.promises.reverse("127.0.0.1"),
      service: await dns.promises.lookupService("127.0.0.1", 80),
      denied: await errorOf(dns.promises.lookup("example.com")),
      query: await errorOf(dns.promises.resolveMx("example.com")),
      fetched: await fetch("http://example.com/").catch((error) => [error.name, error.cause.code, error.cause.message]),
      connected: await new Promise((resolve) => net.connect(80, "93.184.216.34").on("error", (error) => resolve([error.code, error.message]))),
      sent: await new Promise((resolve) => { const socket = dgram.createSocket("udp4"); socket.send("x", 53, "8.8.8.8", (error) => { socket.close(); resolve([error.code, error.message]); }); }),
    });
  `);
  const dnsDenied = "EACCES: permission denied, dns://example.com: blocked by network.dns policy";
  assert.deepEqual(value, {
    localhost: [
      { address: "127.0.0.1", family: 4 },
      { address: "::1", family: 6 },
    ],
    six: "::1",
    own: "127.0.0.1",
    records: ["127.0.0.1"],
    reverse: ["localhost"],
    service: { hostname: "localhost", service: "http" },
    denied: ["EACCES", dnsDenied],
    query: ["EACCES", dnsDenied],
    fetched: ["TypeError", "EACCES", dnsDenied],
    connected: [
      "EACCES",
      "EACCES: permission denied, tcp://93.184.216.34:80: blocked by network.http policy",
    ],
    sent: ["EACCES", "EACCES: permission denied, udp://8.8.8.8:53: blocked by network.http policy"],
  });
});

it("an unreferenced server lets the program end; a referenced one holds it until closed", async () => {
  const ended = await rt.exec(`
    import net from "node:net";
    net.createServer().listen(0).unref();
    process.on("exit", () => console.log("ended"));
  `);
  assert.deepEqual([ended.stdout, ended.exitCode], ["ended\n", 0]);
});

it("two programs of one VM reach each other; another VM does not", async () => {
  // Its output may be here before its pid is.
  let up;
  const listening = new Promise((resolve) => {
    up = resolve;
  });
  const server = await rt.spawn(
    `import net from "node:net";
     net.createServer((socket) => socket.end("from " + process.pid)).listen(4100, () => console.log("up"));`,
    {
      onStdout: (chunk) => {
        if (Buffer.from(chunk).toString().includes("up")) up();
      },
    },
  );
  await listening;
  const ask = `
    const { default: net } = await import("node:net");
    const client = net.connect(4100);
    let all = "";
    client.on("data", (part) => { all += part; });
    client.on("error", (error) => { all = error.code; });
    client.on("close", () => __return(all));
  `;
  const other = await NodeRuntime.create();
  assert.equal((await rt.run(ask)).value, `from ${server.pid}`);
  assert.equal((await other.run(ask)).value, "ECONNREFUSED");
  server.kill();
  await server.wait();
  assert.equal((await rt.run(ask)).value, "ECONNREFUSED");
  await other.dispose();
});

it("a client that is killed is seen to go by its server", async () => {
  const value = await guest(`
    const { spawn } = await import("node:child_process");
    const server = net.createServer();
    const { port } = await listening(server, 0);
    const child = spawn(process.execPath, ["-e", "require('net').connect(" + port + ", () => setInterval(() => {}, 1000))"]);
    const [socket] = await once(server, "connection");
    const exited = once(child, "exit");
    const ended = once(socket, "end");
    child.kill("SIGKILL");
    socket.resume();
    await ended;
    await exited;
    server.close();
    __return(child.signalCode);
  `);
  assert.equal(value, "SIGKILL");
});

it("a child takes over a server and a socket of its parent; what the parent closed stays the child's", async () => {
  const value = await guest(`
    const { fork } = await import("node:child_process");
    const { writeFileSync } = await import("node:fs");
    writeFileSync("/tmp/taker.cjs", \`process.on("message", (message, handle) => {
      if (message === "server") { handle.on("connection", (socket) => socket.end("child server")); process.send("ready"); }
      else if (message === "socket") handle.end("child socket");
      else process.exit(0);
    });\`);
    const child = fork("/tmp/taker.cjs");
    const server = net.createServer();
    const { port } = await listening(server, 0, "127.0.0.1");
    child.send("server", server);
    await once(child, "message");
    server.close();
    const first = await text(net.connect(port, "127.0.0.1"));
    const other = net.createServer({ pauseOnConnect: true }, (socket) => child.send("socket", socket));
    const place = await listening(other, 0, "127.0.0.1");
    const second = await text(net.connect(place.port, "127.0.0.1"));
    other.close();
    const exited = once(child, "exit");
    child.send("exit");
    __return([first, second, (await exited)[0]]);
  `);
  assert.deepEqual(value, ["child server", "child socket", 0]);
});

it("cluster: workers share a port", async () => {
  const value = await guest(`
    const { fork } = await import("node:child_process");
    const { writeFileSync } = await import("node:fs");
    writeFileSync("/tmp/cluster.cjs", \`
      const cluster = require("cluster"), http = require("http");
      if (process.env.WORKER) {
        http.createServer((request, response) => response.end(String(process.pid))).listen(8000);
      } else {
        let up = 0;
        for (let i = 0; i < 2; i++) cluster.fork({ WORKER: "1" });
        cluster.on("listening", async () => {
          if (++up < 2) return;
          const pids = new Set();
          for (let i = 0; i < 6; i++)
            pids.add(await (await fetch("http://127.0.0.1:8000", { headers: { connection: "close" } })).text());
          process.send({ primary: cluster.isPrimary, workers: pids.size });
          for (const worker of Object.values(cluster.workers)) worker.kill();
          process.disconnect();
        });
      }
    \`);
    const primary = fork("/tmp/cluster.cjs");
    const [answer] = await once(primary, "message");
    await once(primary, "exit");
    __return(answer);
  `);
  assert.deepEqual(value, { primary: true, workers: 2 });
});

it("sockets and connections have limits, and they come back", async () => {
  const value = await guest(`
    const made = [];
    let refused;
    while (refused === undefined) {
      const socket = dgram.createSocket("udp4");
      socket.bind(0);
      const outcome = await Promise.race([once(socket, "listening").then(() => "ok", (error) => error.code)]);
      if (outcome === "ok") made.push(socket);
      else { refused = outcome; socket.close(); }
      if (made.length > 2000) break;
    }
    for (const socket of made) socket.close();
    const server = net.createServer((socket) => socket.end());
    const { port } = await listening(server, 0);
    const again = await text(net.connect(port));
    server.close();
    __return({ refused: refused === "ENFILE" || refused === "EMFILE", made: made.length > 100 && made.length <= 256, again });
  `);
  assert.deepEqual(value, { refused: true, made: true, again: "" });
});

it("a name server that the program sets is asked over the program's own sockets", async () => {
  const value = await guest(`
    const server = dgram.createSocket("udp4");
    server.on("message", (question, from) => {
      const end = question.indexOf(0, 12) + 5;
      const type = question.readUInt16BE(end - 4);
      const answers = {
        1: [[1, 2, 3, 4]],
        28: [[0x26, 6, 0x47, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x11, 0x11]],
        15: [[0, 10, 4, ...Buffer.from("mail"), 0xc0, 12]],
        16: [[2, ...Buffer.from("ab"), 1, ...Buffer.from("c")]],
      }[type] ?? [];
      const header = Buffer.from(question.subarray(0, 12));
      header.writeUInt16BE(type === 2 ? 0x8183 : 0x8180, 2);
      header.writeUInt16BE(answers.length, 6);
      const parts = [header, question.subarray(12, end)];
      for (const data of answers) {
        const record = Buffer.alloc(12);
        record.writeUInt16BE(0xc00c, 0); record.writeUInt16BE(type, 2); record.writeUInt16BE(1, 4);
        record.writeUInt32BE(60, 6); record.writeUInt16BE(data.length, 10);
        parts.push(record, Buffer.from(data));
      }
      // Noise of another question, then the answer; a circle of names for NAPTR.
      server.send(Buffer.alloc(12), from.port, from.address);
      server.send(Buffer.concat(parts), from.port, from.address);
    });
    server.bind(0, "127.0.0.1");
    await once(server, "listening");
    const resolver = new dns.promises.Resolver({ timeout: 5000, tries: 1 });
    resolver.setServers(["127.0.0.1:" + server.address().port]);
    const codeOf = (promise) => promise.then(() => "no error", (error) => error.code);
    const results = [
      await resolver.resolve4("example.org", { ttl: true }),
      await resolver.resolve6("example.org"),
      await resolver.resolveMx("example.org"),
      await resolver.resolveTxt("example.org"),
      await codeOf(resolver.resolveNs("example.org")),
      await codeOf(resolver.resolveSrv("example.org")),
    ];
    server.removeAllListeners("message");
    const pending = codeOf(resolver.resolve4("example.org"));
    await once(server, "message");
    resolver.cancel();
    results.push(await pending);
    server.on("message", (question, from) => {
      const reply = Buffer.from(question);
      reply.writeUInt16BE(0x8180, 2);
      reply.writeUInt16BE(9, 6);
      server.send(reply, from.port, from.address);
    });
    results.push(await codeOf(resolver.resolve4("example.org")));
    server.close();
    __return(results);
  `);
  assert.deepEqual(value, [
    [{ address: "1.2.3.4", ttl: 60 }],
    ["2606:4700::1111"],
    [{ exchange: "mail.example.org", priority: 10 }],
    [["ab", "c"]],
    "ENOTFOUND",
    "ENODATA",
    "ECANCELLED",
    "EBADRESP",
  ]);
});

it("a name server that is silent is waited for twice as long each round, up to maxTimeout", async () => {
  const value = await guest(`
    const server = dgram.createSocket("udp4").bind(0, "127.0.0.1");
    await once(server, "listening");
    const ended = [];
    const ask = async (name, options) => {
      const resolver = new dns.promises.Resolver({ timeout: 50, tries: 3, ...options });
      resolver.setServers(["127.0.0.1:" + server.address().port]);
      const code = await resolver.resolve4("example.org").catch((error) => error.code);
      ended.push(name + " " + code);
    };
    // 50 + 100 + 200 against three times 50: the one asked first ends last.
    await Promise.all([ask("growing"), ask("bounded", { maxTimeout: 50 })]);
    server.close();
    __return(ended);
  `);
  assert.deepEqual(value, ["bounded ETIMEOUT", "growing ETIMEOUT"]);
});

it("a peer that reads nothing hears of the end of one that is killed with both directions full", async () => {
  const value = await guest(`
    import { spawn } from "node:child_process";
    const server = net.createServer({ pauseOnConnect: true });
    const { port } = await listening(server, 0, "127.0.0.1");
    const child = spawn("node", ["-e", \`
      const socket = require("net").connect(\${port}, "127.0.0.1").pause();
      socket.write(Buffer.alloc(4 << 20));
    \`]);
    const [socket] = await once(server, "connection");
    const told = new Promise((resolve) => socket.on("close", resolve));
    const failed = new Promise((resolve) => socket.on("error", (error) => resolve(error.code)));
    let drained = false;
    socket.write(Buffer.alloc(4 << 20), (error) => (drained = error === null || error === undefined));
    // Until nothing moves any more.
    for (let before = -1; before !== socket.writableLength + socket._handle.writeQueueSize;) {
      before = socket.writableLength + socket._handle.writeQueueSize;
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
    child.kill("SIGKILL");
    await once(child, "exit");
    const code = await failed;
    await told;
    server.close();
    __return({ code, drained });
  `);
  assert.ok(["ECONNRESET", "EPIPE"].includes(value.code), value.code);
  assert.equal(value.drained, false);
});

it("a file that cannot be read ends a stream of HTTP/2 with an error and no end", async () => {
  const value = await guest(`
    const server = http2.createServer();
    const told = [];
    server.on("stream", (stream) => {
      stream.on("error", (error) => told.push("server " + error.code));
      stream.respondWithFD(4000);
    });
    const { port } = await listening(server, 0, "127.0.0.1");
    const client = http2.connect("http://127.0.0.1:" + port);
    const request = client.request();
    request.on("error", (error) => told.push("client " + error.code));
    for (const event of ["response", "data", "end"]) request.on(event, () => told.push(event));
    request.resume();
    await new Promise((resolve) => request.on("close", resolve));
    client.close();
    server.close();
    __return([...told, request.rstCode]);
  `);
  // The two ends hear of it in either order.
  const [first, second, ...rest] = value;
  assert.deepEqual([first, second].sort(), ["response", "server ERR_HTTP2_STREAM_ERROR"]);
  assert.deepEqual(rest, ["client ERR_HTTP2_STREAM_ERROR", 2]);
});
