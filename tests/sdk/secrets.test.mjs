// What `network` adds to requests outside of the machine, which requests it lets go, and that nothing of it is
// ever inside. Every server is on the host's loopback.
import assert from "node:assert/strict";
import { once } from "node:events";
import { closeSync, openSync, readFileSync, readSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import { createHash } from "node:crypto";
import { after, before, test } from "node:test";
import { cert, key } from "../support/certificate.mjs";
import { machine } from "../support/machines.mjs";
import { alive, tree, until } from "../support/processes.mjs";

const it = (name, body) => test(name, { timeout: 120_000 }, body);
const secret = "s3cret-4711-of-the-host";
const bearer = `Bearer ${secret}`;

/** What the servers got: port, method, target, headers, body. */
const seen = [];
const servers = [];

async function listen(server) {
  servers.push(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return server.address().port;
}

async function answer(request, response) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const { method, url, headers, rawHeaders, socket } = request;
  const body = Buffer.concat(chunks).toString();
  seen.push({ port: socket.localPort, method, url, headers, rawHeaders, body, socket });
  if (url.startsWith("/redirect")) {
    response.writeHead(302, {
      location: `http://localhost:${other}/landed?from=${headers.authorization}`,
    });
    return response.end();
  }
  response.end(JSON.stringify({ url, authorization: headers.authorization, body }));
}

let plain, secure, other;
before(async () => {
  plain = await listen(http.createServer(answer));
  other = await listen(http.createServer(answer));
  secure = await listen(https.createServer({ key, cert }, answer));
});
after(() => {
  for (const server of servers) {
    server.closeAllConnections?.();
    server.close();
  }
});

const reachable = {
  network: { rules: [{ mode: "allow", patterns: ["localhost", "*.localhost"] }] },
};

/** A machine that may reach all the servers, and adds the secret to requests of the first. */
const guarded = (network, more = {}) =>
  machine({
    loopbackExemptPorts: [plain, other, secure],
    permissions: reachable,
    ca: cert,
    network: network ?? {
      inject: [
        { host: `localhost:${plain}`, header: "authorization", value: bearer },
        { host: `localhost:${secure}`, header: "authorization", value: async () => bearer },
      ],
    },
    ...more,
  });

/** The value of a program, which writes nothing to stderr. */
async function valueOf(rt, program) {
  const { value, stderr } = await rt.run(program);
  assert.equal(stderr, "");
  return value;
}

const since = (start, port = plain) => seen.slice(start).filter((one) => one.port === port);

it("a header and a parameter are added to requests of the named host, over HTTP and HTTPS", async () => {
  const rt = await guarded({
    inject: [
      { host: `localhost:${plain}`, header: "authorization", value: bearer },
      { host: `localhost:${secure}`, query: "key", value: async () => secret },
    ],
  });
  const start = seen.length;
  const answers = await valueOf(
    rt,
    `const get = async (url) => (await fetch(url, { headers: { authorization: "the program's own" } })).json();
    __return([await get("http://localhost:${plain}/a?x=1"), await get("https://localhost:${secure}/b?key=mine&y=2"), await get("http://localhost:${other}/c")]);`,
  );
  const [first] = since(start);
  assert.equal(first.headers.authorization, bearer);
  assert.equal(first.rawHeaders.filter((name) => name.toLowerCase() === "authorization").length, 1);
  const [second] = since(start, secure);
  assert.equal(second.url, `/b?y=2&key=${secret}`);
  assert.equal(second.headers.authorization, "the program's own");
  assert.equal(since(start, other)[0].headers.authorization, "the program's own");
  // The servers repeat what they got.
  assert.equal(answers[0].authorization, "*".repeat(bearer.length));
  assert.equal(answers[1].url, `/b?y=2&key=${"*".repeat(secret.length)}`);
});

it("curl, workers, https and children are served alike", async () => {
  const rt = await guarded();
  const start = seen.length;
  const codes = await valueOf(
    rt,
    `import { execFileSync } from "node:child_process";
    import https from "node:https";
    import { Worker } from "node:worker_threads";
    import { once } from "node:events";
    const url = "https://localhost:${secure}/";
    const curl = execFileSync("curl", ["-s", "-o", "/dev/null", "-w", "%{http_code}", url + "curl"]).toString();
    const worker = new Worker('fetch("' + url + 'worker").then((r) => require("node:worker_threads").parentPort.postMessage(r.status))', { eval: true });
    const [status] = await once(worker, "message");
    await worker.terminate();
    const [response] = await once(https.get(url + "https"), "response");
    response.resume();
    const child = execFileSync("node", ["-e", 'fetch("' + url + 'child").then((r) => console.log(r.status))']).toString().trim();
    __return([curl, status, response.statusCode, child]);`,
  );
  assert.deepEqual(codes, ["200", 200, 200, "200"]);
  assert.deepEqual(
    since(start, secure).map(({ url, headers }) => [url, headers.authorization]),
    ["/curl", "/worker", "/https", "/child"].map((url) => [url, bearer]),
  );
});

const pageBytes = 4096;
const mostPages = 1024;

/** Runs of pages between two addresses that are in memory: where each begins and ends. */
function* presentPages(pagemap, from, to) {
  // 8 bytes a page; the highest bit says that it is there. Documentation/admin-guide/mm/pagemap.rst.
  const entries = Buffer.alloc(8 * mostPages);
  let begin;
  for (let at = from; at < to; at += mostPages * pageBytes) {
    const pages = Math.min(mostPages, (to - at) / pageBytes);
    readSync(pagemap, entries, 0, 8 * pages, (at / pageBytes) * 8);
    for (let page = 0; page < pages; page++) {
      const address = at + page * pageBytes;
      const isPresent = entries[8 * page + 7] >= 0x80;
      if (isPresent) begin ??= address;
      else if (begin !== undefined) {
        yield [begin, address];
        begin = undefined;
      }
    }
  }
  if (begin !== undefined) yield [begin, to];
}

/**
 * Whether what `pid` has written in memory holds `text`. What it has not is not read: reading makes pages, half a gigabyte of
 * them where code may lie, and the process would be ended for having them.
 */
function memoryHolds(pid, text) {
  const needle = Buffer.from(text);
  const files = [];
  const open = (name) => files[files.push(openSync(`/proc/${pid}/${name}`, "r")) - 1];
  const chunk = Buffer.alloc(4 * 1024 * 1024);
  try {
    const [memory, pagemap] = [open("mem"), open("pagemap")];
    const maps = readFileSync(`/proc/${pid}/maps`, "latin1");
    for (const [, ...range] of maps.matchAll(/^([0-9a-f]+)-([0-9a-f]+) rw/gm)) {
      const [from, to] = range.map((address) => Number.parseInt(address, 16));
      for (const [begin, end] of presentPages(pagemap, from, to))
        for (let at = begin; at < end; at += chunk.length - needle.length) {
          const size = readSync(memory, chunk, 0, Math.min(chunk.length, end - at), at);
          if (chunk.subarray(0, size).includes(needle)) return true;
        }
    }
    return false;
  } catch (error) {
    // It has ended.
    if (["ENOENT", "ESRCH", "EIO"].includes(error.code)) return false;
    throw error;
  } finally {
    for (const fd of files) closeSync(fd);
  }
}

it("no process of the machine ever holds it: memory, environment, errors, audit", async (t) => {
  if (process.getuid() !== 0) return t.skip("reading a guest's memory takes root");
  const own = `${secret}-${process.pid}-in-memory`;
  const inject = [plain, secure].map((port) => ({
    host: `localhost:${port}`,
    header: "authorization",
    value: () => `Bearer ${own}`,
  }));
  const rt = await guarded({ inject });
  const mark = `mark-of-the-program-${process.pid}`;
  const program = await rt.spawn(`
    globalThis.kept = ["${mark}", process.env];
    const texts = [];
    for (const path of ["/one", "/redirect"])
      for (const base of ["http://localhost:${plain}", "https://localhost:${secure}"]) {
        const response = await fetch(base + path, { redirect: "manual" });
        texts.push(await response.text(), [...response.headers].join());
      }
    await fetch("http://localhost:${plain}/", { method: "TRACE" }).catch((error) => texts.push(error.stack));
    texts.push(JSON.stringify(process.env), require("node:fs").readFileSync("/proc/self/environ", "latin1"));
    globalThis.texts = texts;
    console.log(JSON.stringify(texts));
    setInterval(() => {}, 1000);`);
  let output = "";
  for await (const chunk of program.stdout) {
    output += Buffer.from(chunk).toString();
    if (output.includes("\n")) break;
  }
  assert.match(output, /\*{20}/);
  assert.equal(output.includes(own), false);
  const { guests } = tree();
  const programs = guests.filter((pid) => memoryHolds(pid, mark));
  assert.equal(programs.length, 1);
  assert.equal(memoryHolds(programs[0], own), false);
  // The search finds what is there: the border's own process sends it.
  assert.equal(guests.filter((pid) => memoryHolds(pid, own)).length, 1);
  assert.equal((await rt.audit({ format: "jsonl" })).includes(own), false);
  assert.equal(JSON.stringify(await rt.usage()).includes(own), false);
  await program.kill();
});

it("nor a template, its copies, a worker's thread, or what a crash could leave", async (t) => {
  if (process.getuid() !== 0) return t.skip("reading a guest's memory takes root");
  const own = `${secret}-${process.pid}-of-a-template`;
  const value = () => `Bearer ${own}`;
  const rt = await guarded({
    inject: [{ host: `localhost:${plain}`, header: "authorization", value }],
  });
  const mark = `mark-of-the-template-${process.pid}`;
  const asked = (path) => `await (await fetch("http://localhost:${plain}${path}")).text()`;
  const template = await rt.template(`globalThis.kept = ["${mark}", ${asked("/setup")}];`);
  const copy = await template.spawn(`
    const { Worker } = require("node:worker_threads");
    const worker = new Worker(\`(async () => {
      globalThis.kept = ${asked("/worker")};
      require("node:worker_threads").parentPort.postMessage(globalThis.kept);
      setInterval(() => {}, 1000);
    })()\`, { eval: true });
    const [fromWorker] = await require("node:events").once(worker, "message");
    globalThis.kept.push(fromWorker, ${asked("/copy")});
    console.log(JSON.stringify(globalThis.kept));
    setInterval(() => {}, 1000);`);
  let output = "";
  for await (const chunk of copy.stdout) {
    output += Buffer.from(chunk).toString();
    if (output.includes("\n")) break;
  }
  const texts = JSON.parse(output).slice(1);
  assert.deepEqual(
    texts.map((text) => JSON.parse(text).url),
    ["/setup", "/worker", "/copy"],
  );
  // All three got it from outside, and each saw stars in its place.
  for (const text of texts) assert.match(JSON.parse(text).authorization, /\*{20}/);
  const { guests } = tree();
  const programs = guests.filter((pid) => memoryHolds(pid, mark));
  assert.ok(programs.length >= 2, `${programs.length} processes of a template and its copy`);
  assert.deepEqual(
    programs.filter((pid) => memoryHolds(pid, own)),
    [],
  );
  assert.equal(guests.filter((pid) => memoryHolds(pid, own)).length, 1);
  // Whoever has it leaves no core of it, nor does anybody else.
  for (const pid of guests)
    if (alive(pid))
      assert.match(readFileSync(`/proc/${pid}/limits`, "latin1"), /^Max core file size +0 +0 /m);
  await copy.kill();
  await template.dispose();
});

it("a redirect to another host takes nothing along", async () => {
  const rt = await guarded();
  const start = seen.length;
  const { url } = await valueOf(
    rt,
    `__return(await (await fetch("http://localhost:${plain}/redirect", { headers: { authorization: "mine" } })).json());`,
  );
  assert.equal(url, `/landed?from=${"*".repeat(bearer.length)}`);
  const [landed] = since(start, other);
  assert.equal(JSON.stringify(landed.headers).includes(secret), false);
  assert.equal(landed.url.includes(secret), false);
});

it("requests of one connection are each judged and each get it; the server's connection is kept", async () => {
  const rt = await guarded();
  const start = seen.length;
  await valueOf(
    rt,
    `import http from "node:http";
    import { once } from "node:events";
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    for (const path of ["/1", "/2", "/3"]) {
      const [response] = await once(http.get("http://localhost:${plain}" + path, { agent }), "response");
      response.resume();
      await once(response, "end");
    }
    agent.destroy();
    __return(true);`,
  );
  const got = since(start);
  assert.deepEqual(
    got.map(({ url, headers }) => [url, headers.authorization]),
    [
      ["/1", bearer],
      ["/2", bearer],
      ["/3", bearer],
    ],
  );
  assert.equal(new Set(got.map(({ socket }) => socket)).size, 1);
});

it("a WebSocket goes through, with the secret on its first request", async () => {
  let upgraded;
  const server = http.createServer();
  server.on("upgrade", (request, socket) => {
    upgraded = request.headers;
    const accept = createHash("sha1")
      .update(`${request.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
      .digest("base64");
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    // One text frame, "hello"; what the client then sends is sent back unmasked.
    socket.write(Buffer.from([0x81, 5, ...Buffer.from("hello")]));
    socket.on("data", (frame) => {
      const length = frame[1] & 0x7f;
      const mask = frame.subarray(2, 6);
      const text = frame.subarray(6, 6 + length).map((byte, at) => byte ^ mask[at % 4]);
      if ((frame[0] & 0x0f) === 1) socket.write(Buffer.concat([Buffer.from([0x81, length]), text]));
    });
    socket.on("error", () => {});
  });
  const port = await listen(server);
  const rt = await guarded(
    { inject: [{ host: `localhost:${port}`, header: "x-key", value: secret }] },
    { loopbackExemptPorts: [port] },
  );
  const messages = await valueOf(
    rt,
    `const socket = new WebSocket("ws://localhost:${port}/chat");
    const messages = [];
    await new Promise((resolve, reject) => {
      socket.onerror = (event) => reject(event.error ?? new Error("failed"));
      socket.onmessage = ({ data }) => { messages.push(data); messages.length === 1 ? socket.send("and back") : resolve(); };
    });
    __return(messages);
    process.exit(0);`,
  );
  assert.deepEqual(messages, ["hello", "and back"]);
  assert.equal(upgraded["x-key"], secret);
});

it("bodies stream both ways, in chunks", async () => {
  const server = http.createServer(async (request, response) => {
    response.write("first;");
    for await (const chunk of request) response.write(`got ${chunk};`);
    response.end("last");
  });
  const port = await listen(server);
  const rt = await guarded(
    { inject: [{ host: `localhost:${port}`, header: "x-key", value: secret }] },
    { loopbackExemptPorts: [port] },
  );
  // Each side waits for what the other has sent before it goes on.
  const parts = await valueOf(
    rt,
    `import http from "node:http";
    import { once } from "node:events";
    const request = http.request("http://localhost:${port}/", { method: "POST", headers: { "transfer-encoding": "chunked" } });
    request.flushHeaders();
    const [response] = await once(request, "response");
    response.setEncoding("utf8");
    let text = "";
    const until = async (end) => { while (!text.endsWith(end)) text += (await once(response, "data"))[0]; };
    await until("first;");
    request.write("one");
    await until("got one;");
    request.write("two");
    await until("got two;");
    request.end();
    await until("last");
    __return(text);`,
  );
  assert.equal(parts, "first;got one;got two;last");
});

it("a program that waits for 100 Continue gets the server's", async () => {
  const server = http.createServer();
  let asked = 0;
  server.on("checkContinue", (request, response) => {
    asked++;
    if (request.url === "/no") {
      response.writeHead(417, { "content-length": 0 });
      return response.end();
    }
    response.writeContinue();
    answer(request, response);
  });
  const port = await listen(server);
  const rt = await guarded(
    { inject: [{ host: `localhost:${port}`, header: "x-key", value: secret }] },
    { loopbackExemptPorts: [port] },
  );
  const results = await valueOf(
    rt,
    `import http from "node:http";
    import { once } from "node:events";
    const results = [];
    for (const path of ["/yes", "/no"]) {
      const request = http.request("http://localhost:${port}" + path, { method: "PUT", headers: { expect: "100-continue", "content-length": 4 } });
      request.on("continue", () => { results.push("continue"); request.end("body"); });
      request.flushHeaders();
      const [response] = await once(request, "response");
      response.resume();
      results.push(response.statusCode);
    }
    __return(results);
    process.exit(0);`,
  );
  assert.deepEqual(results, ["continue", 200, 417]);
  assert.equal(asked, 2);
});

/** Writes `text` to the port as it is; answers all that comes back. */
const raw = (port, text) => `
  await new Promise((resolve) => {
    const socket = net.connect(${port}, "localhost", () => socket.end(${JSON.stringify(text)}));
    let all = "";
    socket.setEncoding("latin1").on("data", (data) => (all += data)).on("error", (error) => (all += error.code)).on("close", () => { answers.push(all); resolve(); });
  });`;

it("no way of writing a request brings the secret elsewhere, or another request past the border", async () => {
  const rules = [{ host: `localhost:${plain}`, methods: ["GET", "POST"], paths: ["/open/**"] }];
  const rt = await guarded({
    rules,
    inject: [{ host: `localhost:${plain}`, header: "authorization", value: bearer }],
  });
  const host = `Host: localhost:${plain}\r\n`;
  const attacks = {
    "length and chunks": `POST /open/a HTTP/1.1\r\n${host}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /shut HTTP/1.1\r\n${host}\r\n`,
    "two lengths": `POST /open/a HTTP/1.1\r\n${host}Content-Length: 0\r\nContent-Length: 40\r\n\r\nGET /shut HTTP/1.1\r\n${host}\r\n`,
    "chunks in disguise": `POST /open/a HTTP/1.1\r\n${host}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\nGET /shut HTTP/1.1\r\n${host}\r\n`,
    "a coding below chunks": `POST /open/a HTTP/1.1\r\n${host}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`,
    "a space before the colon": `POST /open/a HTTP/1.1\r\n${host}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n`,
    "a folded header": `GET /open/a HTTP/1.1\r\n${host}X: a\r\n b: c\r\n\r\n`,
    "two hosts": `GET /open/a HTTP/1.1\r\n${host}Host: localhost:${other}\r\n\r\n`,
    "no host": `GET /open/a HTTP/1.1\r\n\r\n`,
    "another host": `GET /open/a HTTP/1.1\r\nHost: evil.localhost:${plain}\r\n\r\n`,
    "another port": `GET /open/a HTTP/1.1\r\nHost: localhost:${other}\r\n\r\n`,
    "the address": `GET /shut HTTP/1.1\r\nHost: 127.0.0.1:${plain}\r\n\r\n`,
    "a whole URL": `GET http://localhost:${other}/open/a HTTP/1.1\r\n${host}\r\n`,
    "a tunnel": `CONNECT localhost:${other} HTTP/1.1\r\n${host}\r\n`,
    "a line end in the target": `GET /open/a\nX:b HTTP/1.1\r\n${host}\r\n`,
    "a climb": `GET /open/../shut HTTP/1.1\r\n${host}\r\n`,
    "a climb in disguise": `GET /open/%2e%2E/shut HTTP/1.1\r\n${host}\r\n`,
    "a climb by slashes": `GET /open/..%2fshut HTTP/1.1\r\n${host}\r\n`,
    "a climb by backslashes": `GET /open/..\\shut HTTP/1.1\r\n${host}\r\n`,
    "a repetition": `TRACE /open/a HTTP/1.1\r\n${host}\r\n`,
    "another method": `DELETE /open/a HTTP/1.1\r\n${host}\r\n`,
    "HTTP/2": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
  };
  const start = seen.length;
  const answers = await valueOf(
    rt,
    `import net from "node:net";\nconst answers = [];\n${Object.values(attacks)
      .map((text) => raw(plain, text))
      .join("\n")}\n__return(answers);`,
  );
  const got = seen.slice(start);
  const names = Object.keys(attacks);
  for (const [index, text] of answers.entries())
    assert.match(
      text,
      /^(?:HTTP\/1\.1 (?:400|403|405|421|501|505) |ECONNRESET$|$)/,
      `${names[index]}: ${text}`,
    );
  assert.deepEqual(
    got.map(({ method, url }) => `${method} ${url}`),
    [],
  );
  // The same connection, whose requests all may go, is served in order.
  const two = `GET /open/1 HTTP/1.1\r\n${host}Connection: authorization, keep-alive\r\n\r\nGET /open/2 HTTP/1.1\r\n${host}Connection: close\r\n\r\n`;
  const [both] = await valueOf(
    rt,
    `import net from "node:net";\nconst answers = [];\n${raw(plain, two)}\n__return(answers);`,
  );
  assert.equal(both.match(/HTTP\/1\.1 200/g).length, 2);
  assert.deepEqual(
    since(start).map(({ url, headers }) => [url, headers.authorization]),
    [
      ["/open/1", bearer],
      ["/open/2", bearer],
    ],
  );
});

it("names that share an address are told apart: TLS by its name, HTTP by its host", async () => {
  const rt = await guarded({
    inject: [{ host: `api.localhost:${plain}`, header: "authorization", value: bearer }],
  });
  const start = seen.length;
  await valueOf(
    rt,
    `for (const name of ["api.localhost", "other.localhost"]) await (await fetch("http://" + name + ":${plain}/" + name)).text();
    __return(true);`,
  );
  assert.deepEqual(
    since(start).map(({ url, headers }) => [url, headers.authorization]),
    [
      ["/api.localhost", bearer],
      ["/other.localhost", undefined],
    ],
  );
  const tlsMachine = await guarded({
    inject: [{ host: `api.localhost:${secure}`, header: "authorization", value: bearer }],
  });
  // Not the named host: its own certificate, and not a byte read on the way.
  const subject = await valueOf(
    tlsMachine,
    `import tls from "node:tls";
    import dns from "node:dns/promises";
    await dns.lookup("api.localhost");
    const of = (servername) => new Promise((resolve, reject) => {
      const socket = tls.connect({ host: "localhost", port: ${secure}, servername, checkServerIdentity: () => undefined }, () => { resolve(socket.getPeerCertificate().issuer.CN); socket.destroy(); });
      socket.on("error", (error) => resolve(error.code));
    });
    __return([await of("localhost"), await of("api.localhost"), await of("unheard.localhost")]);`,
  );
  assert.deepEqual(subject, ["localhost", "secure-exec border of this machine", "ECONNRESET"]);
});

it("rules say which requests a host gets; audit, usage and limits count them", async () => {
  const rt = await guarded(
    {
      rules: [
        { host: `localhost:${plain}`, methods: ["get"], paths: ["/read/**"] },
        { host: `localhost:${plain}`, methods: ["POST"], paths: ["/write"] },
      ],
    },
    { limits: { requestsPerHost: 3 } },
  );
  const start = seen.length;
  const answers = await valueOf(
    rt,
    `const answers = [];
    for (const [method, path] of [["GET", "/read/a/b"], ["POST", "/read/a"], ["POST", "/write?x"], ["GET", "/write"], ["GET", "/read"], ["GET", "/read/c"]]) {
      const response = await fetch("http://localhost:${plain}" + path, { method });
      answers.push([response.status, response.ok ? "" : await response.text()]);
    }
    __return(answers);`,
  );
  assert.deepEqual(
    answers.map(([status]) => status),
    [200, 403, 200, 403, 200, 429],
  );
  assert.match(
    answers[1][1],
    /EACCES: permission denied, POST http:\/\/localhost:\d+\/read\/a: blocked by network\.request policy/,
  );
  assert.match(answers[5][1], /limits\.requestsPerHost/);
  assert.deepEqual(
    since(start).map(({ method, url }) => `${method} ${url}`),
    ["GET /read/a/b", "POST /write?x", "GET /read"],
  );
  const decisions = (await rt.audit()).filter(({ operation }) => operation === "request");
  assert.deepEqual(
    decisions.map(({ resource, decision, rule, process: { pid, argv0 } }) => [
      resource.replace(/:\d+/, ""),
      decision,
      rule,
      pid > 1,
      argv0,
    ]),
    [
      ["GET http://localhost/read/a/b", "allow", 0, true, "node"],
      ["POST http://localhost/read/a", "deny", "default", true, "node"],
      ["POST http://localhost/write", "allow", 1, true, "node"],
      ["GET http://localhost/write", "deny", "default", true, "node"],
      ["GET http://localhost/read", "allow", 0, true, "node"],
      ["GET http://localhost/read/c", "allow", 0, true, "node"],
    ],
  );
  const { hosts } = await rt.usage();
  assert.deepEqual(Object.keys(hosts), [`localhost:${plain}`]);
  const { requests, bytesSent, bytesReceived } = hosts[`localhost:${plain}`];
  assert.equal(requests, 3);
  assert.ok(bytesSent > 100 && bytesReceived > 100);
});

it("limits.bytesPerHost ends a connection in the middle of an answer", async () => {
  const server = http.createServer((request, response) => {
    response.on("error", () => {});
    const more = () => {
      while (response.write(Buffer.alloc(16 * 1024)));
      response.once("drain", more);
    };
    more();
  });
  const port = await listen(server);
  const rt = await guarded(
    { rules: [{ host: `localhost:${port}` }] },
    { loopbackExemptPorts: [port], limits: { bytesPerHost: 256 * 1024 } },
  );
  const [got, error, next] = await valueOf(
    rt,
    `let got = 0, error = "";
    try { for await (const chunk of (await fetch("http://localhost:${port}/")).body) got += chunk.length; } catch (thrown) { error = thrown.message; }
    const next = await fetch("http://localhost:${port}/");
    __return([got, error, next.status]);`,
  );
  assert.ok(got > 0 && got <= 256 * 1024, `${got}`);
  assert.notEqual(error, "");
  assert.equal(next, 429);
});

it("a server whose certificate is not trusted gets nothing", async () => {
  const rt = await guarded(undefined, { ca: undefined });
  const start = seen.length;
  const [status, text] = await valueOf(
    rt,
    `const response = await fetch("https://localhost:${secure}/");
    __return([response.status, await response.text()]);`,
  );
  assert.equal(status, 502);
  assert.match(text, /the server gave no answer: DEPTH_ZERO_SELF_SIGNED_CERT/);
  assert.equal(seen.length, start);
});

it("a program that knows the server's own certificate meets the border's", async () => {
  const rt = await guarded(undefined, { files: { "/home/user/pinned.pem": cert } });
  const codes = await valueOf(
    rt,
    `import https from "node:https";
    import tls from "node:tls";
    import { readFileSync } from "node:fs";
    const ca = readFileSync("pinned.pem");
    const pinned = await new Promise((resolve) => https.get("https://localhost:${secure}/", { ca }, (r) => resolve(r.statusCode)).on("error", (error) => resolve(error.code)));
    const http2 = await new Promise((resolve) => {
      const socket = tls.connect({ host: "localhost", port: ${secure}, ALPNProtocols: ["h2"] }, () => resolve(socket.alpnProtocol));
      socket.on("error", (error) => resolve(error.code));
    });
    const both = await new Promise((resolve) => {
      const socket = tls.connect({ host: "localhost", port: ${secure}, ALPNProtocols: ["h2", "http/1.1"] }, () => { resolve(socket.alpnProtocol); socket.destroy(); });
    });
    __return([pinned, http2, both]);`,
  );
  assert.deepEqual(codes, [
    "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
    "ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL",
    "http/1.1",
  ]);
});

it("certificates that a program is given beside are trusted as before", async () => {
  const rt = await guarded(
    { inject: [{ host: `localhost:${secure}`, header: "authorization", value: bearer }] },
    {
      ca: cert,
      files: { "/home/user/more.pem": cert },
      env: { NODE_EXTRA_CA_CERTS: "/home/user/more.pem" },
    },
  );
  const start = seen.length;
  // By address it is not the named host, and the server's own certificate is what the program sees.
  const statuses = await valueOf(
    rt,
    `import https from "node:https";
    const get = (url) => new Promise((resolve) => https.get(url, (r) => { r.resume(); resolve(r.statusCode); }).on("error", (error) => resolve(error.code)));
    __return([await get("https://localhost:${secure}/named")]);`,
  );
  assert.deepEqual(statuses, [200]);
  assert.equal(since(start, secure)[0].headers.authorization, bearer);
});

it("a function that throws stops the request, and says nothing of why", async () => {
  const rt = await guarded({
    inject: [
      {
        host: `localhost:${plain}`,
        header: "authorization",
        value: () => {
          throw new Error(`the vault said ${secret}`);
        },
      },
    ],
  });
  const start = seen.length;
  const [status, text] = await valueOf(
    rt,
    `const response = await fetch("http://localhost:${plain}/");
    __return([response.status, await response.text()]);`,
  );
  assert.deepEqual(
    [status, text],
    [502, "secure-exec: the host gave nothing to add to the request\n"],
  );
  assert.equal(seen.length, start);
});

it("transformations match as the AI SDK's do", async () => {
  const rt = await guarded({
    transform: [
      {
        match: {
          host: `localhost:${plain}`,
          path: { startsWith: "/v1/" },
          method: ["POST"],
          queryString: [{ key: { exact: "tenant" }, value: { regex: "^t[0-9]+$" } }],
          headers: [{ key: { exact: "x-api-key" }, value: { exact: "placeholder" } }],
        },
        transform: { headers: { "x-api-key": secret } },
      },
    ],
  });
  const start = seen.length;
  await valueOf(
    rt,
    `const send = (path, method, headers) => fetch("http://localhost:${plain}" + path, { method, headers }).then((r) => r.text());
    const placeholder = { "x-api-key": "placeholder" };
    await send("/v1/a?tenant=t1", "POST", placeholder);
    await send("/v1/a?tenant=x", "POST", placeholder);
    await send("/v1/a?tenant=t1", "GET", placeholder);
    await send("/v2/a?tenant=t1", "POST", placeholder);
    await send("/v1/a?tenant=t1", "POST", { "x-api-key": "other" });
    __return(true);`,
  );
  assert.deepEqual(
    since(start).map(({ headers }) => headers["x-api-key"]),
    [secret, "placeholder", "placeholder", "placeholder", "other"],
  );
});

it("a border that dies is made again, and goes with its machine", async (t) => {
  if (process.getuid() !== 0)
    return t.skip("finding the border's process takes reading its memory");
  const own = `${secret}-${process.pid}-that-dies`;
  const rt = await guarded({
    inject: [{ host: `localhost:${plain}`, header: "x-key", value: own }],
  });
  const get = `const response = await fetch("http://localhost:${plain}/", { signal: AbortSignal.timeout(60_000) }); __return(response.status);`;
  assert.equal(await valueOf(rt, get), 200);
  const holders = () => tree().guests.filter((pid) => alive(pid) && memoryHolds(pid, own));
  const [border, ...rest] = holders();
  assert.deepEqual([border > 1, rest], [true, []]);
  process.kill(border, "SIGKILL");
  await until(() => !alive(border));
  assert.equal(await valueOf(rt, get), 200);
  const again = holders();
  assert.equal(again.length, 1);
  await rt.dispose();
  await until(() => !again.some(alive));
});

it("a clone and a machine of a snapshot have authorities of their own", async () => {
  const rt = await guarded();
  const clone = await rt.clone();
  const path = "/etc/ssl/certs/secure-exec-border.pem";
  const snapshot = await rt.snapshot();
  const chunks = [];
  for await (const chunk of snapshot) chunks.push(chunk);
  const without = await machine({ snapshot: Buffer.concat(chunks) });
  const again = await guarded(undefined, { snapshot: Buffer.concat(chunks) });
  try {
    const texts = await Promise.all([rt, clone, again].map((one) => one.readFile(path, "utf8")));
    assert.equal(new Set(texts).size, 3);
    assert.equal(await without.exists(path), false);
    const get = `__return((await fetch("https://localhost:${secure}/")).status);`;
    assert.deepEqual(await Promise.all([clone, again].map((one) => valueOf(one, get))), [200, 200]);
  } finally {
    await clone.dispose();
  }
});

it("what cannot be meant is refused before anything is made", async () => {
  const refused = (network, option) =>
    assert.rejects(
      guarded(network),
      (error) => error.code === "ERR_SECURE_EXEC_INVALID_OPTION" && error.details.option === option,
    );
  await refused({ inject: [{ host: "*", header: "a", value: "b" }] }, "network.inject[0].host");
  await refused(
    { inject: [{ host: "10.0.0.0/8", header: "a", value: "b" }] },
    "network.inject[0].host",
  );
  await refused({ inject: [{ host: "a.example", value: "b" }] }, "network.inject[0]");
  await refused(
    { inject: [{ host: "a.example", header: "a b", value: "b" }] },
    "network.inject[0].header",
  );
  await refused(
    { inject: [{ host: "a.example", header: "Host", value: "b" }] },
    "network.inject[0].header",
  );
  await refused(
    { inject: [{ host: "a.example", header: "a", value: "b\r\nc: d" }] },
    "network.inject[0].value",
  );
  await refused(
    { rules: [{ host: "a.example", paths: ["relative"] }] },
    "network.rules[0].paths[0]",
  );
  await refused({ rules: [{ host: "a.example", methods: [] }] }, "network.rules[0].methods");
  await refused(
    {
      transform: [
        { match: { host: "a.example", path: { regex: "(" } }, transform: { headers: {} } },
      ],
    },
    "network.transform[0].match.path.regex",
  );
});

it("what is added changes while the machine runs; rules do not", async () => {
  const rules = [{ host: `localhost:${plain}`, paths: ["/open/**"] }];
  const rt = await guarded({ rules });
  const start = seen.length;
  const program = await rt.spawn(`
    const http = require("node:http");
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    const get = (port, path) => new Promise((resolve, reject) => http.get({ host: "localhost", port, path, agent }, (response) => {
      response.resume().on("end", () => resolve(response.statusCode));
    }).on("error", reject));
    process.stdin.on("data", async (text) => {
      const [port, path] = text.toString().split(" ");
      console.log(await get(Number(port), path));
    });`);
  const lines = program.lines();
  const ask = async (port, path) => {
    program.writeStdin(`${port} ${path}`);
    return (await lines.next()).value;
  };
  const given = (port) => seen.slice(start).findLast((one) => one.port === port)?.headers["x-key"];
  assert.equal(await ask(plain, "/open/1"), "200");
  assert.equal(given(plain), undefined);
  const header = "x-key";
  const inject = [{ host: `localhost:${plain}`, header, value: "one" }];
  await rt.setNetwork({ inject });
  // The connection was read before, since a rule names its host.
  assert.equal(await ask(plain, "/open/2"), "200");
  assert.equal(given(plain), "one");
  assert.equal(await ask(plain, "/shut"), "403");
  const transform = [
    {
      match: { host: `localhost:${other}` },
      transform: { headers: { [header]: async () => "two" } },
    },
  ];
  await rt.setNetwork({ transform });
  assert.equal(await ask(other, "/"), "200");
  assert.equal(given(other), "two");
  assert.equal(await ask(plain, "/open/3"), "200");
  assert.equal(given(plain), undefined);
  const clone = await rt.clone();
  assert.equal(
    await valueOf(clone, `__return((await fetch("http://localhost:${other}/clone")).status)`),
    200,
  );
  assert.equal(given(other), "two");
  await clone.dispose();
  await rt.setNetwork({});
  // Its host is named no more, and its requests are read all the same: it counts where it did.
  assert.equal(await ask(other, "/"), "200");
  assert.equal(given(other), undefined);
  assert.equal((await rt.usage()).hosts[`localhost:${other}`].requests, 2);
  await assert.rejects(rt.setNetwork({ rules: [] }), /network\.rules cannot change/);
  await assert.rejects(rt.setNetwork({ inject: [{ host: "a" }] }), {
    code: "ERR_SECURE_EXEC_INVALID_OPTION",
  });
  await assert.rejects((await machine({})).setNetwork({}), /made without the option/);
  program.kill();
});
