// In which order a program hears of frames, records and closed handles, and what it has said when it destroys a stream.
import assert from "node:assert/strict";
import { test } from "node:test";
import { cert, key } from "../support/certificate.mjs";
import { loadGuestModule } from "../support/guest-modules.mjs";
import { machine } from "../support/machines.mjs";
import { plainNode } from "../support/plain-node.mjs";

const { TlsRecords } = loadGuestModule("guest/tls-records");
const rt = await machine({ permissions: { network: "allow" } });

/** Both run it as CommonJS, and print the same. */
async function same(source, expected) {
  const plain = plainNode(["-e", source]);
  assert.equal(plain.stdout, expected, plain.stderr);
  const { stdout, stderr } = await rt.execCommand("node", ["-e", source], { timeout: 30_000 });
  assert.equal(stdout, expected, stderr);
}

const endsOf = (bytes, piece) => {
  const records = new TlsRecords();
  const ends = [];
  let total = 0;
  for (let from = 0; from < bytes.length; from += piece) {
    let rest = bytes.subarray(from, from + piece);
    while (rest.length > 0) {
      const taken = records.take(rest);
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
  assert.deepEqual(endsOf(records, records.length), [5, 710, 716]);
  for (let piece = 1; piece < 40; piece++) {
    const ends = endsOf(records, piece);
    for (const end of [5, 710, 716]) assert.ok(ends.includes(end), `${piece}`);
  }
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
