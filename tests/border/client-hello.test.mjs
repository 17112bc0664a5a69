// What the border reads of a TLS client's first bytes: those of OpenSSL, cut anywhere, and what no client says.
import assert from "node:assert/strict";
import { Duplex } from "node:stream";
import { test } from "node:test";
import { connect } from "node:tls";
import { openingOf } from "../../dist/border/client-hello.js";

/** The first message of a client that asks for `servername`. */
async function helloOf(servername) {
  let client;
  const hello = await new Promise((resolve) => {
    const socket = new Duplex({
      read() {},
      write(chunk, _encoding, done) {
        resolve(chunk);
        done();
      },
    });
    client = connect({ socket, ...(servername !== undefined && { servername }) });
    client.on("error", () => {});
  });
  client.destroy();
  return hello;
}

/** The same message in records of at most `size` bytes each. */
function inRecords(hello, size) {
  const message = hello.subarray(5);
  const parts = [];
  for (let at = 0; at < message.length; at += size) {
    const part = message.subarray(at, at + size);
    const head = Buffer.from(hello.subarray(0, 5));
    head.writeUInt16BE(part.length, 3);
    parts.push(head, part);
  }
  return Buffer.concat(parts);
}

test("the name that a client asks for is read, in lower case, or that it asks for none", async () => {
  assert.deepEqual(openingOf(await helloOf("API.Example.com")), {
    kind: "tls",
    serverName: "api.example.com",
  });
  assert.deepEqual(openingOf(await helloOf()), { kind: "tls", serverName: undefined });
});

test("as long as the message is not whole there is more to come, in however many records", async () => {
  const hello = await helloOf("api.example.com");
  for (const whole of [hello, inRecords(hello, 100), inRecords(hello, 1)]) {
    assert.equal(openingOf(whole).serverName, "api.example.com");
    for (let length = 0; length < whole.length; length += 7)
      assert.deepEqual(openingOf(whole.subarray(0, length)), { kind: "more" }, String(length));
  }
  // What follows is not looked at.
  assert.equal(openingOf(Buffer.concat([hello, hello])).serverName, "api.example.com");
});

test("what is not TLS is told from what is broken", async () => {
  assert.deepEqual(openingOf(Buffer.from("GET / HTTP/1.1\r\n")), { kind: "plain" });
  const hello = await helloOf("api.example.com");
  const changed = (change) => {
    const bytes = Buffer.from(hello);
    change(bytes);
    return openingOf(bytes).kind;
  };
  assert.equal(
    changed((bytes) => bytes.writeUInt16BE(0xffff, 3)),
    "broken",
    "a record that is too long",
  );
  assert.equal(
    changed((bytes) => (bytes[5] = 2)),
    "broken",
    "another message",
  );
  assert.equal(
    changed((bytes) => bytes.writeUIntBE(0xffffff, 6, 3)),
    "broken",
    "a message that is too long",
  );
  // Behind version and random: a session id that would end beyond the message.
  assert.equal(
    changed((bytes) => {
      bytes[5 + 4 + 2 + 32] = 0xff;
      bytes.fill(0xff, 5 + 4 + 2 + 32 + 1);
    }),
    "broken",
    "lengths beyond the end",
  );
});

test("no byte that is changed makes it throw", async () => {
  const hello = await helloOf("api.example.com");
  const kinds = new Set();
  for (let at = 0; at < hello.length; at++)
    for (const value of [0, 1, 0x7f, 0xff]) {
      const bytes = Buffer.from(hello);
      bytes[at] = value;
      kinds.add(openingOf(bytes).kind);
    }
  assert.deepEqual([...kinds].sort(), ["broken", "more", "plain", "tls"]);
});
