// Who is bound to which port: what keeps others away, and what is free again.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Errno } from "../../../dist/abi/errno.js";
import { FileSystem } from "../../../dist/kernel/fs/index.js";
import { Account } from "../../../dist/kernel/machine/account.js";
import { Network } from "../../../dist/kernel/net/network.js";
import { UdpSocket } from "../../../dist/kernel/net/udp-socket.js";
import { BindFlags } from "../../../dist/protocol/net-calls.js";

function bound() {
  const network = new Network(new FileSystem(), "host", { sockets: 10, connections: 10 });
  const { ports } = network;
  /** Binds a new socket; it and where it is, or -errno. */
  const bind = (kind, address, port, flags = 0) => {
    const socket =
      kind === "udp" ? new UdpSocket(network, new Account()) : network.streamSocket("tcp");
    return { socket, at: ports.place(socket, address, port, flags) };
  };
  return { ports, bind };
}

test("datagrams of one port go to one socket, unless both share it; other addresses are others'", () => {
  const { ports, bind } = bound();
  const { socket, at } = bind("udp", "127.0.0.1", 5000);
  assert.deepEqual(at, { address: "127.0.0.1", port: 5000 });
  assert.equal(bind("udp", "127.0.0.1", 5000).at, -Errno.EADDRINUSE);
  assert.equal(bind("udp", "127.0.0.1", 5000, BindFlags.reuse).at, -Errno.EADDRINUSE);
  assert.equal(bind("udp", "0.0.0.0", 5000).at, -Errno.EADDRINUSE);
  // A dual-stack wildcard hears IPv4; one of IPv6 alone does not.
  assert.equal(bind("udp", "::", 5000).at, -Errno.EADDRINUSE);
  assert.equal(bind("udp", "::", 5000, BindFlags.ipv6Only).at.port, 5000);
  assert.equal(bind("udp", "127.0.0.2", 5000).at.port, 5000);
  assert.equal(bind("tcp", "127.0.0.1", 5000).at.port, 5000);
  ports.leave(socket);
  assert.equal(bind("udp", "127.0.0.1", 5000).at.port, 5000);
});

test("a stream that only is bound keeps nobody from its port, and one listens there", () => {
  const { ports, bind } = bound();
  const [first, second] = [bind("tcp", "127.0.0.1", 6000), bind("tcp", "0.0.0.0", 6000)];
  assert.equal(second.at.port, 6000);
  assert.equal(ports.mayListen(first.socket), true);
  assert.equal(ports.listenerAt({ family: 4, address: "127.0.0.1" }, 6000), undefined);
  first.socket.listen(1);
  assert.equal(ports.mayListen(second.socket), false);
  assert.equal(bind("tcp", "::", 6000).at, -Errno.EADDRINUSE);
  assert.equal(ports.listenerAt({ family: 6, address: "::ffff:127.0.0.1" }, 6000), first.socket);
  assert.equal(ports.listenerAt({ family: 4, address: "127.0.0.2" }, 6000), undefined);
});

test("a port is chosen from Linux's range from where is said on, until none is free", () => {
  const { ports, bind } = bound();
  ports.choose = (count) => count - 1;
  assert.equal(bind("udp", "127.0.0.1", 0).at.port, 60_999);
  assert.equal(bind("udp", "127.0.0.1", 0).at.port, 32_768);
  const taken = [];
  for (let { socket, at } = bind("udp", "127.0.0.1", 0); at !== -Errno.EADDRINUSE;) {
    taken.push(at.port);
    assert.equal(socket.local.port, at.port);
    ports.choose = () => at.port - 32_768;
    ({ socket, at } = bind("udp", "127.0.0.1", 0));
  }
  assert.equal(new Set(taken).size, 60_999 - 32_768 + 1 - 2);
});
