// The socket table by itself: what is judged, what leaves the VM, what is given back.
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { createServer } from "node:net";
import { networkInterfaces } from "node:os";
import { test } from "node:test";
import { Errno } from "../../../dist/abi/errno.js";
import { Deferred } from "../../../dist/kernel/io/deferred.js";
import { limits } from "../../../dist/kernel/limits.js";
import { SocketDuplex } from "../../../dist/kernel/net/socket-duplex.js";
import { Policy } from "../../../dist/kernel/policy/policy.js";
import { denial } from "../../../dist/kernel/policy/decision.js";
import { parsePermissions } from "../../../dist/sdk/permissions.js";
import { GovernedNetwork } from "./governed-network.mjs";

const limit = { timeout: 30_000 };
// The file system, which only Unix sockets by path need, does not load in every Node.
const make = (exempt = []) =>
  new GovernedNetwork({}, "secure-exec", { sockets: 256, connections: 256 }, exempt);
const settled = (answer) =>
  answer instanceof Deferred
    ? new Promise((resolve) => answer.whenSettled(resolve))
    : Promise.resolve(answer);
const policyOf = (network, seen = []) =>
  new Policy(parsePermissions({ network }, false).policies, undefined, {
    observer: { wantsAll: true, decided: ({ request }) => seen.push(request), learned() {} },
  });
const allowAll = (seen) => policyOf("allow", seen);
/** A rule opens what is shut to "allow". */
const opening = (address, seen) =>
  policyOf({ rules: [{ mode: "allow", patterns: [address] }] }, seen);
function listen(network, address, port) {
  const socket = network.streamSocket("tcp");
  assert.equal(network.bindTcp(socket, address, port, 0), 0);
  const answer = network.listen(socket, 2, 16);
  assert.deepEqual(answer, {});
  return socket;
}

test(
  "a policy that allows everything still opens no forbidden range, in no notation",
  limit,
  async () => {
    let reached = 0;
    const host = createServer(() => reached++);
    host.listen(0, "0.0.0.0");
    await once(host, "listening");
    const { port } = host.address();
    const own = Object.values(networkInterfaces())
      .flat()
      .map(({ address }) => address);
    const network = make();
    network.policy = allowAll();
    for (const address of [
      ...own,
      "127.0.0.1",
      "127.0.0.2",
      "0.0.0.0",
      "::",
      "::1",
      "::ffff:127.0.0.1",
      "::ffff:7f00:1",
      "::127.0.0.1",
      "64:ff9b::127.0.0.1",
      "2002:7f00:1::",
      "::ffff:0:127.0.0.1",
      "127.1",
      "2130706433",
      "0x7f.1",
      "0177.0.0.1",
      "169.254.169.254",
      "10.0.0.1",
      "fe80::1",
      "localhost",
    ]) {
      const socket = network.streamSocket("tcp");
      const answer = await settled(network.connectTcp(socket, address, port));
      const refused =
        answer === -Errno.ECONNREFUSED ||
        answer === -Errno.EINVAL ||
        /^EACCES: permission denied, tcp:.*is not a public address$/.test(answer.message);
      assert.equal(refused, true, `${address}: ${JSON.stringify(answer)}`);
      socket.unref();
      const datagrams = network.udpSocket();
      const sent = await settled(network.send(datagrams, address, port, Buffer.from("x")));
      assert.equal(
        typeof sent === "number" || sent.message !== undefined || /^(127|0\.|::)/.test(address),
        true,
      );
      datagrams.unref();
    }
    assert.equal(reached, 0);
    assert.deepEqual(network.counts, { sockets: 0, connections: 0 });
    host.close();
    network.close();
  },
);

test(
  "an address that a rule names is connected to; bytes and ends travel both ways",
  limit,
  async (t) => {
    const own = Object.values(networkInterfaces())
      .flat()
      .find(({ family, internal }) => family === "IPv4" && !internal);
    if (own === undefined) return t.skip("the machine has no address beside loopback");
    const host = createServer({ allowHalfOpen: true }, (socket) => {
      let text = "";
      socket.on("data", (part) => {
        text += part;
      });
      socket.on("end", () => socket.end(`echo ${text}`));
    });
    host.listen(0, own.address);
    await once(host, "listening");
    const network = make();
    const seen = [];
    network.policy = opening(own.address, seen);
    const socket = network.streamSocket("tcp");
    const answer = await settled(network.connectTcp(socket, own.address, host.address().port));
    assert.deepEqual(answer, {});
    assert.equal(seen.at(-1).address, own.address);
    const stream = new SocketDuplex(socket);
    stream.end("hello");
    let text = "";
    for await (const part of stream) text += part;
    assert.equal(text, "echo hello");
    host.close();
    await once(host, "close");
    const refused = network.streamSocket("tcp");
    assert.equal(await settled(network.connectTcp(refused, own.address, 1)), -Errno.ECONNREFUSED);
    refused.unref();
    network.close();
  },
);

test("datagrams out: only who was written to may answer", limit, async (t) => {
  const own = Object.values(networkInterfaces())
    .flat()
    .find(({ family, internal }) => family === "IPv4" && !internal);
  if (own === undefined) return t.skip("the machine has no address beside loopback");
  const peer = createSocket("udp4").bind(0, own.address);
  await once(peer, "listening");
  const stranger = createSocket("udp4");
  const network = make();
  network.policy = opening(own.address);
  const socket = network.udpSocket();
  network.send(socket, own.address, peer.address().port, Buffer.from("ask"));
  const [message, from] = await once(peer, "message");
  assert.equal(String(message), "ask");
  await new Promise((resolve) => stranger.send("intruder", from.port, own.address, resolve));
  peer.send("answer", from.port, from.address);
  const first = await settled(socket.receive());
  assert.equal(String(first.data), "answer");
  assert.equal(first.from.port, peer.address().port);
  socket.unref();
  peer.close();
  stranger.close();
  network.close();
});

test(
  "an exempt port reaches the host's loopback only where the policy allows it and nobody listens",
  limit,
  async () => {
    const host = createServer((socket) => socket.end("host"));
    host.listen(0, "127.0.0.1");
    await once(host, "listening");
    const { port } = host.address();
    const network = make([port]);
    const connect = async () => {
      const socket = network.streamSocket("tcp");
      const answer = await settled(network.connectTcp(socket, "127.0.0.1", port));
      if (answer.message !== undefined) {
        socket.unref();
        return answer.message;
      }
      let text = "";
      for await (const part of new SocketDuplex(socket)) text += part;
      return text;
    };
    assert.equal(
      await connect(),
      `EACCES: permission denied, tcp://localhost:${port}: blocked by network.http policy`,
    );
    const seen = [];
    network.policy = allowAll(seen);
    assert.equal(await connect(), "host");
    assert.equal(seen[0].loopback, false);
    const inside = listen(network, "127.0.0.1", port);
    const socket = network.streamSocket("tcp");
    assert.deepEqual(await settled(network.connectTcp(socket, "127.0.0.1", port)), {});
    assert.notEqual(await settled(inside.accept()), undefined);
    socket.unref();
    inside.unref();
    host.close();
    network.close();
  },
);

test("rules see every listener, look-up and loopback connection", limit, async () => {
  const network = make();
  const seen = [];
  network.policy = {
    judgeAll: ([request]) => {
      seen.push(
        `${request.operation} ${request.protocol} ${request.hostname}:${request.port ?? ""}`,
      );
      return denial(request);
    },
  };
  const server = network.streamSocket("tcp");
  network.bindTcp(server, "0.0.0.0", 8080, 0);
  assert.match(
    network.listen(server, 2, 1).message,
    /tcp:\/\/127\.0\.0\.1:8080: blocked by network\.listen policy$/,
  );
  const client = network.streamSocket("tcp");
  assert.match(
    network.connectTcp(client, "::1", 8080).message,
    /tcp:\/\/\[::1\]:8080: blocked by network\.http/,
  );
  assert.match(
    network.resolve("LOCALHOST.", 0).message,
    /dns:\/\/localhost: blocked by network\.dns/,
  );
  assert.match(
    network.query("A", "example.com").message,
    /dns:\/\/example\.com: blocked by network\.dns/,
  );
  const datagrams = network.udpSocket();
  assert.match(
    network.bindUdp(datagrams, "127.0.0.1", 53, 0).message,
    /udp:\/\/127\.0\.0\.1:53: blocked by network\.listen/,
  );
  assert.deepEqual(seen, [
    "listen tcp 127.0.0.1:8080",
    "http tcp ::1:8080",
    "dns dns localhost:",
    "dns dns example.com:",
    "listen udp 127.0.0.1:53",
  ]);
  for (const socket of [server, client, datagrams]) socket.unref();
  assert.deepEqual(network.counts, { sockets: 0, connections: 0 });
});

test("a decision that comes late, or never for one who has gone", limit, async () => {
  const network = make();
  const decision = new Deferred();
  const server = listen(network, "127.0.0.1", 9000);
  network.policy = { judgeAll: () => decision };
  const client = network.streamSocket("tcp");
  const answer = network.connectTcp(client, "127.0.0.1", 9000);
  assert.equal(client.state, "connecting");
  assert.equal(network.connectTcp(client, "127.0.0.1", 9000), -Errno.EALREADY);
  decision.settle(0);
  assert.deepEqual(await settled(answer), {});
  assert.equal(client.state, "connected");
  for (const socket of [client, server]) socket.unref();

  const forgotten = new Deferred();
  let cancelled = false;
  forgotten.onCancel(() => {
    cancelled = true;
  });
  network.policy = { judgeAll: () => forgotten };
  const gone = network.streamSocket("tcp");
  const waiting = network.connectTcp(gone, "127.0.0.1", 9000);
  waiting.cancel();
  gone.unref();
  assert.equal(cancelled, true);
  assert.deepEqual(network.counts, { sockets: 0, connections: 0 });
});

test("a full backlog makes clients wait, and closing refuses those who wait", limit, async () => {
  const network = make();
  const server = network.streamSocket("tcp");
  network.bindTcp(server, "127.0.0.1", 9001, 0);
  network.listen(server, 2, 1);
  const clients = [0, 1, 2].map(() => network.streamSocket("tcp"));
  const answers = clients.map((client) => network.connectTcp(client, "127.0.0.1", 9001));
  assert.deepEqual(answers[0], {});
  assert.ok(answers[1] instanceof Deferred && answers[2] instanceof Deferred);
  const accepted = server.accept();
  assert.deepEqual(await settled(answers[1]), {});
  server.unref();
  assert.equal(await settled(answers[2]), -Errno.ECONNREFUSED);
  // Never accepted, so reset.
  assert.equal(clients[1].read(10), -Errno.ECONNRESET);
  for (const socket of [accepted, ...clients]) socket.unref();
  assert.deepEqual(network.counts, { sockets: 0, connections: 0 });
});

test("ends, resets and unread bytes as on Linux", limit, () => {
  const network = make();
  const server = listen(network, "::", 9002);
  const pair = () => {
    const client = network.streamSocket("tcp");
    network.connectTcp(client, "127.0.0.1", 9002);
    return [client, server.accept()];
  };
  const text = (data) => (typeof data === "number" ? data : Buffer.from(data).toString());

  let [a, b] = pair();
  a.write(Buffer.from("last words"));
  a.shutdown();
  assert.equal(a.write(Buffer.from("x")), -Errno.EPIPE);
  assert.equal(text(b.read(100)), "last words");
  assert.equal(text(b.read(100)), "");
  assert.equal(b.write(Buffer.from("still")), 5);
  assert.equal(text(a.read(100)), "still");
  a.unref();
  // The first write meets a reset that is on its way, the second knows.
  assert.equal(b.write(Buffer.from("y")), 1);
  assert.equal(b.write(Buffer.from("y")), -Errno.EPIPE);
  b.unref();

  [a, b] = pair();
  b.write(Buffer.from("unread"));
  a.write(Buffer.from("read me"));
  a.unref();
  assert.equal(text(b.read(100)), "read me");
  assert.equal(b.read(100), -Errno.ECONNRESET);
  assert.equal(text(b.read(100)), "");
  b.unref();

  [a, b] = pair();
  let sent = 0;
  for (let taken = 0; taken >= 0; taken = a.write(Buffer.alloc(65536))) sent += taken;
  assert.equal(sent, limits.socketBufferBytes);
  b.read(1000);
  assert.equal(a.write(Buffer.alloc(65536)), 1000);
  a.unref();
  b.unref();
  server.unref();
  assert.deepEqual(network.counts, { sockets: 0, connections: 0 });
});

test("limits of sockets and connections are those of the VM", limit, () => {
  const network = make();
  const sockets = [];
  for (;;) {
    const socket = network.streamSocket("tcp");
    if (typeof socket === "number") {
      assert.equal(socket, -Errno.ENFILE);
      break;
    }
    sockets.push(socket);
  }
  assert.equal(sockets.length, 256);
  for (const socket of sockets) socket.unref();
  const server = listen(network, "127.0.0.1", 9003);
  const ends = [];
  for (;;) {
    const socket = network.connectFromHost(9003);
    if (typeof socket === "number") {
      assert.equal(socket === -Errno.ENOBUFS || socket === -Errno.EAGAIN, true);
      break;
    }
    ends.push(socket, server.accept());
  }
  assert.equal(ends.length, 256 * 2);
  for (const end of ends) end.unref();
  server.unref();
  assert.deepEqual(network.counts, { sockets: 0, connections: 0 });
});

test("names that are no names never reach the resolver", limit, () => {
  const network = make();
  network.policy = allowAll();
  for (const name of [
    "a b",
    "a/b",
    "a\0b",
    "x".repeat(254),
    "[::1",
    "a@b",
    "%0a",
    "",
    "x".repeat(64),
    "a..b",
  ])
    assert.equal(network.resolve(name, 0), -3008, JSON.stringify(name));
  assert.deepEqual(network.resolve("localhost", 4), { addresses: ["127.0.0.1"] });
  assert.deepEqual(network.resolve("a.b.localhost", 6), { addresses: ["::1"] });
  assert.deepEqual(network.resolve("::1", 4), -3008);
});
