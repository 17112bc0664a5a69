// Sockets as system calls: which descriptor takes which call, what waits, what is asked of the policy before.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Errno } from "../../../dist/abi/errno.js";
import { Network } from "../../../dist/kernel/net/network.js";
import { SocketType, maxDatagramBytes } from "../../../dist/protocol/net-calls.js";
import { callerOf, seen } from "./callers.mjs";

const machine = ({ fs, vm }) => ({
  network: new Network(fs, "machine", { sockets: 8, connections: 8 }, [], vm.transit),
});
const here = "127.0.0.1";
const socketOf = (call, type) => call("socket", { type }).fd;
const bind = (call, fd, address, port = 0) => call("bind", { fd, address, port, flags: 0 });
/** A listening socket of TCP, and its port. */
function listener(call) {
  const fd = socketOf(call, SocketType.tcp);
  assert.deepEqual(bind(call, fd, here), {});
  assert.deepEqual(call("listen", { fd, backlog: 4 }), {});
  return { fd, port: call("socketNames", { fd }).localPort };
}

test("a connection: both ends know both names, and what one writes the other reads", () => {
  const { call } = callerOf({ machine });
  const { fd: listening, port } = listener(call);
  const waiting = seen(call("accept", { fd: listening }));
  assert.deepEqual(waiting, []);
  const client = socketOf(call, SocketType.tcp);
  const names = call("connect", { fd: client, address: here, port });
  assert.deepEqual([names.peerAddress, names.peerPort, names.localAddress], [here, port, here]);
  const [{ fd: server, ...accepted }] = waiting;
  assert.deepEqual(accepted, {
    localAddress: here,
    localPort: port,
    peerAddress: here,
    peerPort: names.localPort,
  });
  assert.deepEqual(call("write", { fd: client, data: Buffer.from("hello"), position: -1 }), {
    written: 5,
  });
  const { data } = call("read", { fd: server, length: 10, position: -1 });
  assert.equal(Buffer.from(data).toString(), "hello");
});

test("where nobody listens connecting is refused, in the same call", () => {
  const { call } = callerOf({ machine });
  const fd = socketOf(call, SocketType.tcp);
  assert.equal(call("connect", { fd, address: here, port: 9 }), -Errno.ECONNREFUSED);
});

test("each call says what it does not work on", () => {
  const { call } = callerOf({ machine });
  const { reader: pipe } = call("pipe");
  const tcp = socketOf(call, SocketType.tcp);
  const udp = socketOf(call, SocketType.udp);
  const data = Buffer.from("x");
  const to = { address: here, port: 9, data };
  const group = { group: "224.0.0.251", source: "", via: "", joins: true };
  for (const [name, args, errno] of [
    ["socket", { type: 9 }, Errno.EAFNOSUPPORT],
    ["bind", { fd: 50, address: here, port: 0, flags: 0 }, Errno.EBADF],
    ["bind", { fd: pipe, address: here, port: 0, flags: 0 }, Errno.ENOTSOCK],
    ["listen", { fd: udp, backlog: 1 }, Errno.ENOTSOCK],
    ["accept", { fd: pipe }, Errno.ENOTSOCK],
    ["stopAccepting", { fd: 50 }, Errno.EBADF],
    ["connect", { fd: pipe, address: here, port: 9 }, Errno.ENOTSOCK],
    ["socketNames", { fd: pipe }, Errno.ENOTSOCK],
    ["sendTo", { fd: tcp, ...to }, Errno.EOPNOTSUPP],
    ["sendTo", { fd: udp, ...to, data: Buffer.alloc(maxDatagramBytes + 1) }, Errno.EMSGSIZE],
    ["receiveFrom", { fd: tcp }, Errno.EOPNOTSUPP],
    ["membership", { fd: tcp, ...group }, Errno.ENOPROTOOPT],
    ["resolve", { hostname: "localhost", family: 5 }, Errno.EINVAL],
  ])
    assert.equal(call(name, args), -errno, `${name} ${JSON.stringify(args).slice(0, 60)}`);
});

test("who stops accepting takes no connection any more, while others still may", () => {
  const { caller, call } = callerOf({ machine });
  const { fd, port } = listener(call);
  const copy = call("dup", { fd, to: -1 }).fd;
  const waiting = seen(call("accept", { fd }));
  assert.deepEqual(call("stopAccepting", { fd }), {});
  assert.equal(waiting.length, 1);
  assert.ok(waiting[0] < 0);
  assert.deepEqual(call("close", { fd }), {});
  const client = socketOf(call, SocketType.tcp);
  assert.equal(call("connect", { fd: client, address: here, port }).peerPort, port);
  assert.ok(call("accept", { fd: copy }).fd > copy);
  assert.equal(caller.vm.network.counts.sockets, 2);
});

test("an accepted connection without a descriptor to be had is lost to who tried", () => {
  const { call } = callerOf({ machine, descriptors: 2 });
  const { fd, port } = listener(call);
  const client = socketOf(call, SocketType.tcp);
  call("connect", { fd: client, address: here, port });
  assert.equal(call("accept", { fd }), -Errno.EMFILE);
});

test("datagrams: who waits gets one with its sender, and connecting one names its peer", () => {
  const { call } = callerOf({ machine });
  const [one, two] = [socketOf(call, SocketType.udp), socketOf(call, SocketType.udp)];
  assert.deepEqual([bind(call, one, here), bind(call, two, here)], [{}, {}]);
  const { localPort: port } = call("socketNames", { fd: one });
  const waiting = seen(call("receiveFrom", { fd: one }));
  const data = Buffer.from("hello");
  assert.deepEqual(call("sendTo", { fd: two, address: here, port, data }), { sent: 5 });
  assert.equal(Buffer.from(waiting[0].data).toString(), "hello");
  assert.equal(waiting[0].port, call("socketNames", { fd: two }).localPort);
  const connected = call("connect", { fd: two, address: here, port });
  assert.deepEqual([connected.peerAddress, connected.peerPort], [here, port]);
});

test("a Unix socket is a file, which the fs scope is asked for first", () => {
  const { caller, call } = callerOf({ machine });
  caller.fs.mkdir({ uid: 0, gid: 0, umask: 0, cwd: "/" }, "/s", 0o777);
  const server = socketOf(call, SocketType.unix);
  assert.deepEqual(bind(call, server, "/s/sock"), {});
  assert.deepEqual(call("listen", { fd: server, backlog: 1 }), {});
  const client = socketOf(call, SocketType.unix);
  assert.equal(call("connect", { fd: client, address: "/s/sock", port: 0 }).peerAddress, "/s/sock");
  assert.equal(bind(call, socketOf(call, SocketType.unix), "/s/sock"), -Errno.EADDRINUSE);
  assert.equal(bind(call, socketOf(call, SocketType.unix), ""), -Errno.EINVAL);
  assert.equal(bind(call, socketOf(call, SocketType.unix), "/s/a\0b"), -Errno.EINVAL);

  const shut = callerOf({ machine, fs: caller.fs, policies: { fs: "deny" } });
  const denied = bind(shut.call, socketOf(shut.call, SocketType.unix), "/s/other");
  assert.match(denied, /^EACCES: permission denied/);
  const fd = socketOf(shut.call, SocketType.unix);
  assert.match(
    shut.call("connect", { fd, address: "/s/sock", port: 0 }),
    /^EACCES: permission denied/,
  );
});

test("what leaves the machine is asked of the policy, and nothing is tried that it denies", () => {
  const { call } = callerOf({ machine, policies: { network: "deny" } });
  const tcp = socketOf(call, SocketType.tcp);
  assert.match(
    call("connect", { fd: tcp, address: "203.0.113.7", port: 80 }),
    /^EACCES: permission denied, .*203\.0\.113\.7/,
  );
  assert.match(call("resolve", { hostname: "example.com", family: 0 }), /^EACCES: .*example\.com/);
  assert.match(call("dnsQuery", { type: "MX", name: "example.com" }), /^EACCES: .*example\.com/);
});

test("names of the machine itself are answered without anybody being asked", () => {
  const { call } = callerOf({ machine });
  assert.deepEqual(call("resolve", { hostname: "localhost", family: 4 }), { addresses: [here] });
  assert.deepEqual(call("resolve", { hostname: "localhost", family: 0 }), {
    addresses: [here, "::1"],
  });
  assert.deepEqual(call("resolve", { hostname: "192.0.2.1", family: 0 }), {
    addresses: ["192.0.2.1"],
  });
  assert.equal(call("nameOf", { address: here, port: 443 }).service, "https");
  assert.equal(call("nameOf", { address: here, port: 4433 }).service, "4433");
});
