// In which order a program hears of frames, records and closed handles, and what it has said when it destroys a stream.
import assert from "node:assert/strict";
import { test } from "node:test";
import { cert, key } from "../support/certificate.mjs";
import { loadGuestModule } from "../support/guest-modules.mjs";
import { machine } from "../support/machines.mjs";
import { plainNode } from "../support/plain-node.mjs";

const { tlsRecords, http2Frames } = loadGuestModule("guest/wire-frames");
const rt = await machine({ permissions: { network: "allow" } });

/** Both run it as CommonJS, and print the same. */
async function same(source, expected) {
  const plain = plainNode(["-e", source]);
  assert.equal(plain.stdout, expected, plain.stderr);
  const { stdout, stderr } = await rt.execCommand("node", ["-e", source], { timeout: 30_000 });
  assert.equal(stdout, expected, stderr);
}

const endsOf = (makeFrames, bytes, piece) => {
  const frames = makeFrames();
  const ends = [];
  let total = 0;
  for (let from = 0; from < bytes.length; from += piece) {
    let rest = bytes.subarray(from, from + piece);
    while (rest.length > 0) {
      const taken = frames.take(rest);
      assert.ok(taken > 0 && taken <= rest.length);
      rest = rest.subarray(taken);
      total += taken;
      ends.push(total);
    }
  }
  return ends;
};

test("records end where their headers say, however the bytes come", () => {
  const record = (length) =>
    Buffer.concat([Buffer.from([23, 3, 3, length >> 8, length & 255]), Buffer.alloc(length)]);
  const records = Buffer.concat([record(0), record(700), record(1)]);
  assert.deepEqual(endsOf(tlsRecords, records, records.length), [5, 710, 716]);
  for (let piece = 1; piece < 40; piece++) {
    const ends = endsOf(tlsRecords, records, piece);
    for (const end of [5, 710, 716]) assert.ok(ends.includes(end), `${piece}`);
  }
});

test("frames of HTTP/2 end where their headers say, behind a client's preface and without one", () => {
  const frame = (length) =>
    Buffer.concat([
      Buffer.from([0, length >> 8, length & 255, 6, 0, 0, 0, 0, 0]),
      Buffer.alloc(length),
    ]);
  const frames = Buffer.concat([frame(0), frame(300), frame(8)]);
  const ends = [9, 318, 335];
  const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  assert.deepEqual(endsOf(http2Frames, frames, frames.length), ends);
  const whole = Buffer.concat([preface, frames]);
  assert.deepEqual(endsOf(http2Frames, whole, whole.length), [24, ...ends.map((end) => 24 + end)]);
  for (let piece = 1; piece < 40; piece++) {
    const found = endsOf(http2Frames, whole, piece);
    for (const end of ends) assert.ok(found.includes(24 + end), `${piece}`);
  }
});

test("ticks run between the frames of HTTP/2 that come in one piece", async () => {
  await same(
    `const http2 = require("http2"), net = require("net");
     const frame = (type, flags, body) => Buffer.concat([Buffer.from([0, 0, body.length, type, flags, 0, 0, 0, 0]), body]);
     const ping = frame(6, 0, Buffer.alloc(8));
     const server = net.createServer((socket) => {
       socket.on("error", () => {});
       socket.once("data", () => socket.write(Buffer.concat([frame(4, 0, Buffer.alloc(0)), ping, ping])));
     });
     server.listen(0, () => {
       const order = [];
       const client = http2.connect("http://localhost:" + server.address().port);
       client.on("ping", () => {
         order.push("ping");
         process.nextTick(() => order.push("tick"));
         if (order.length > 2) setImmediate(() => { console.log(order.join()); client.destroy(); server.close(); });
       });
     });`,
    "ping,tick,ping,tick\n",
  );
});

/** `connect(then)` makes a client over TLS of which `server` reads in one piece all that it says from the end of its first flight on to `send()`. */
const coalescing = `
  const tls = require("tls"), net = require("net"), { Duplex } = require("stream");
  const held = [];
  let raw, flights = 0;
  const send = () => raw.write(Buffer.concat(held));
  const connect = (server, then) => {
    raw = net.connect(server.address().port);
    const wire = new Duplex({
      read() {},
      write(data, encoding, done) {
        if (flights++ === 0) return raw.write(data, done);
        held.push(data);
        done();
      },
    });
    raw.on("data", (data) => wire.push(data)).on("end", () => wire.push(null)).on("error", () => {});
    const client = tls.connect({ socket: wire, rejectUnauthorized: false }, () => then(client));
    return client.on("error", () => {});
  };
  const options = ${JSON.stringify({ cert, key })};`;

test("an answer over TLS goes out before its connection is destroyed in the same turn", async () => {
  // Who has the end of the handshake and the question in one piece has not written its tickets by then.
  await same(
    `${coalescing}
     const server = tls.createServer(options, (socket) => {
       socket.on("error", () => {}).once("data", () => { socket.write("answer"); socket.destroy(); });
     });
     server.listen(0, () => {
       connect(server, (client) => client.write("question", send))
         .on("data", (data) => { console.log(String(data)); process.exit(); });
     });`,
    "answer\n",
  );
});

test("what comes behind a record of TLS whose reader throws is read", async () => {
  await same(
    `${coalescing}
     const read = [];
     process.on("uncaughtException", (error) => read.push(error.message));
     const server = tls.createServer(options, (socket) => {
       socket.on("error", () => {}).on("data", (data) => {
         read.push(String(data));
         if (read.length === 1) throw new Error("thrown");
         console.log(read.join());
         process.exit();
       });
     });
     server.listen(0, () => connect(server, (client) => { client.write("one"); client.write("two", send); }));`,
    "one,thrown,two\n",
  );
});

test("what an HTTP/2 stream has written goes out before it is destroyed", async () => {
  await same(
    `const http2 = require("http2");
     const server = http2.createServer();
     server.on("stream", (stream) => {
       stream.on("end", () => { stream.respond({ ":status": 203 }); stream.write("part"); stream.destroy(); }).resume();
     });
     server.listen(0, () => {
       const client = http2.connect("http://localhost:" + server.address().port);
       const request = client.request({ ":method": "POST" });
       request.on("response", (headers) => console.log(headers[":status"]));
       request.on("close", () => { client.close(); server.close(); }).resume().end();
     });`,
    "203\n",
  );
});

test("who reads one piece for each 'readable' gets all that TLS brings", async () => {
  await same(
    `const tls = require("tls");
     const big = Buffer.alloc(2 * 1024 * 1024, "b");
     const server = tls.createServer(${JSON.stringify({ cert, key })}, (socket) => { socket.end(big); socket.destroySoon(); });
     server.listen(0, () => {
       let bytes = 0;
       const client = tls.connect({ port: server.address().port, rejectUnauthorized: false });
       client.on("readable", () => { bytes += client.read()?.length ?? 0; });
       client.on("end", () => { console.log(bytes); server.close(); });
     });`,
    "2097152\n",
  );
});

test("a handle is closed behind the immediates", async () => {
  await same(
    `const net = require("net");
     const server = net.createServer().listen(0, () => {
       const socket = net.connect(server.address().port, () => {
         const order = [];
         socket.on("close", () => { order.push("close"); setImmediate(() => console.log(order.join())); server.close(); });
         socket.destroy();
         setImmediate(() => order.push("immediate"));
       });
     });`,
    "immediate,close\n",
  );
});

test("bytes of two writes that wait for a reader are one read", async () => {
  await same(
    `const fs = require("fs"), net = require("net");
     const reads = [];
     const server = net.createServer((socket) => {
       socket._handle.reading = true;
       socket.on("data", (data) => {
         reads.push(String(data));
         if (reads.length > 1) return;
         // Nobody reads until what comes next is in the process.
         socket._handle.readStop();
         client.write("b"); client.write("c");
         client.end("d", () => fs.stat("/", () => fs.stat("/", () => socket._handle.readStart())));
       });
       socket.on("end", () => { console.log(reads.join()); server.close(); });
     });
     const client = new net.Socket();
     server.listen(0, () => client.connect(server.address().port).write("a"));`,
    "a,bcd\n",
  );
});
