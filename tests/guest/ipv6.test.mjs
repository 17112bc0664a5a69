// IPv6 in a machine: every form of an address, both families on one port, datagrams and multicast, as on Linux.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { machine } from "../support/machines.mjs";
import { plainNode } from "../support/plain-node.mjs";

const file = fileURLToPath(new URL("../fixtures/ipv6.mjs", import.meta.url));
const program = readFileSync(file, "utf8");
const hostHasIpv6 = () =>
  existsSync("/proc/net/if_inet6") && / lo$/m.test(readFileSync("/proc/net/if_inet6", "utf8"));

test(
  "sockets, datagrams and look-ups say what they say on plain Node",
  { timeout: 120_000 },
  async (t) => {
    if (!hostHasIpv6()) {
      return t.skip("the host has no IPv6 on its loopback to compare with");
    }
    const plain = plainNode([file], { timeout: 60_000 });
    const rt = await machine();
    const own = await rt.exec(program);
    assert.equal(own.stderr, "");
    assert.deepEqual(own.stdout.split("\n"), plain.stdout.split("\n"));
    assert.match(own.stdout, /proc \[\["0{24}01000000/);
  },
);

test("localhost is both, and who connects to it tries both", async () => {
  const rt = await machine();
  const { value } = await rt.run(`
    import dns from "node:dns/promises"; import http from "node:http"; import net from "node:net"; import os from "node:os"; import { once } from "node:events";
    const on = async (host) => { const s = http.createServer((_, r) => r.end(host)).listen(0, host); await once(s, "listening"); return s; };
    const texts = [];
    for (const host of ["127.0.0.1", "::1"]) {
      const server = await on(host);
      texts.push(await (await fetch("http://localhost:" + server.address().port)).text());
      server.closeAllConnections(); server.close();
    }
    const refused = await new Promise((done) => net.connect({ host: "localhost", port: 1 }).on("error", (e) => done(e.errors.map(({ address }) => address))));
    __return({
      texts, refused,
      all: (await dns.lookup("localhost", { all: true })).map(({ address }) => address),
      six: await dns.lookup("localhost", 6),
      first: (await dns.lookup("localhost", { order: "ipv6first" })).address,
      lo: os.networkInterfaces().lo.map(({ cidr }) => cidr),
    });
  `);
  assert.deepEqual(value, {
    texts: ["127.0.0.1", "::1"],
    refused: ["127.0.0.1", "::1"],
    all: ["127.0.0.1", "::1"],
    six: { address: "::1", family: 6 },
    first: "::1",
    lo: ["127.0.0.1/8", "::1/128"],
  });
});

const prelude = `
  import dgram from "node:dgram"; import { once } from "node:events";
  const bound = async (type, ...where) => { const s = dgram.createSocket(type); s.bind(...where); await once(s, "listening"); return s; };
  const why = (work) => { try { return work() ?? "ok"; } catch (error) { return error.code; } };`;

test("multicast: members hear it, on the machine's loopback", async () => {
  const rt = await machine();
  const { value } = await rt.run(`${prelude}
    const group = "224.0.0.114";
    const reuse = { type: "udp4", reuseAddr: true };
    const first = await bound(reuse, 0), { port } = first.address();
    const second = await bound(reuse, port), onGroup = await bound(reuse, port, group);
    for (const socket of [first, onGroup]) socket.addMembership(group);
    const sender = await bound("udp4", 0);
    sender.setMulticastTTL(1); sender.setMulticastLoopback(true); sender.setMulticastInterface("127.0.0.1");
    const all = Promise.all([first, second, onGroup].map((socket) => once(socket, "message")));
    sender.send("to all", port, group);
    const heard = (await all).map(([text, { address, port }]) => [String(text), address, port === sender.address().port]);
    // A datagram to itself comes behind what it should not hear.
    const next = once(first, "message");
    sender.send("to nobody", port, "224.0.0.115");
    sender.send("plain", port, "127.0.0.1");
    const after = String((await Promise.race([next, once(second, "message"), once(onGroup, "message")]))[0]);
    const six = await bound({ type: "udp6", reuseAddr: true }, 0);
    six.addMembership("ff02::1:2", "::%lo");
    const sixSender = await bound("udp6", 0, "::1");
    const sixHeard = once(six, "message");
    sixSender.send("six", six.address().port, "ff02::1:2");
    const [text, { address }] = await sixHeard;
    const one = await bound("udp4", 0);
    const rules = {
      twice: [why(() => one.addMembership(group)), why(() => one.addMembership(group))],
      dropped: [why(() => one.dropMembership(group)), why(() => one.dropMembership(group))],
      sources: [why(() => one.addSourceSpecificMembership("127.0.0.1", "232.1.1.1")), why(() => one.addMembership("232.1.1.1")), why(() => one.dropSourceSpecificMembership("127.0.0.1", "232.1.1.1"))],
      none: [why(() => one.addMembership("127.0.0.1")), why(() => one.addMembership("nonsense")), why(() => one.addMembership(group, "10.99.99.99"))],
      other: why(() => one.addMembership("ff02::1")),
      many: Array.from({ length: 21 }, (_, at) => why(() => one.addMembership("239.0.0." + at))).slice(18),
      interfaces: ["127.0.0.1", "0.0.0.0", "10.99.99.99", "::1", "nonsense"].map((name) => why(() => one.setMulticastInterface(name))),
    };
    for (const socket of [first, second, onGroup, sender, six, sixSender, one]) socket.close();
    __return({ heard, after, six: [String(text), address], rules });
  `);
  assert.deepEqual(value, {
    heard: Array.from({ length: 3 }, () => ["to all", "127.0.0.1", true]),
    after: "plain",
    six: ["six", "::1"],
    rules: {
      twice: ["ok", "EADDRINUSE"],
      dropped: ["ok", "EADDRNOTAVAIL"],
      sources: ["ok", "EADDRINUSE", "ok"],
      none: ["EINVAL", "EINVAL", "ENODEV"],
      other: "ENOPROTOOPT",
      many: ["ok", "ok", "ENOBUFS"],
      interfaces: ["ok", "ok", "EADDRNOTAVAIL", "ENOPROTOOPT", "EINVAL"],
    },
  });
});

test("a group is judged by its address, and nothing of it leaves the machine", async () => {
  const send = `${prelude}
    const sent = (type, to) => new Promise((done) => { const s = dgram.createSocket(type); s.send("x", 5353, to, (error) => { s.close(); done(error?.code ?? "sent"); }); });
    __return([await sent("udp4", "224.0.0.251"), await sent("udp6", "ff02::fb"), await sent("udp6", "::ffff:224.0.0.251"), await sent("udp4", "239.255.0.1")]);`;
  const cases = {
    // Which leaves the machine's own traffic alone.
    nothing: ["deny", ["sent", "sent", "sent", "sent"]],
    "two ranges": [
      { default: "allow", rules: [{ mode: "deny", patterns: ["224.0.0.0/24", "ff00::/8"] }] },
      ["EACCES", "EACCES", "EACCES", "sent"],
    ],
  };
  for (const [what, [network, wanted]] of Object.entries(cases)) {
    const rt = await machine({ permissions: { network } });
    const { value } = await rt.run(send);
    assert.deepEqual(value, wanted, what);
  }
});

test("a denial of a loopback address holds for each of its forms", async () => {
  const program = (port) => `
    import net from "node:net"; import { once } from "node:events";
    const server = net.createServer().listen(${port}, "::"); await once(server, "listening");
    const results = {};
    for (const host of ["127.0.0.1", "::ffff:127.0.0.1", "::ffff:7f00:1", "0:0:0:0:0:ffff:127.0.0.1", "0.0.0.0", "::ffff:0.0.0.0", "::1", "0:0:0:0:0:0:0:1", "::1%lo", "::"])
      results[host] = await new Promise((done) => { const s = net.connect({ host, port: ${port} }, () => { s.destroy(); done("in"); }); s.on("error", (error) => done(error.code)); });
    server.close();
    __return(results);`;
  const four = [
    "127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:7f00:1",
    "0:0:0:0:0:ffff:127.0.0.1",
    "0.0.0.0",
    "::ffff:0.0.0.0",
  ];
  const six = ["::1", "0:0:0:0:0:0:0:1", "::1%lo", "::"];
  for (const [pattern, shut, open] of [
    ["127.0.0.1:4000", four, six],
    ["[::1]:4000", six, four],
  ]) {
    const rt = await machine({
      permissions: {
        network: {
          default: "allow",
          rules: [{ mode: "deny", operations: ["http"], patterns: [pattern] }],
        },
      },
    });
    const { value } = await rt.run(program(4000));
    assert.deepEqual(
      value,
      Object.fromEntries(
        [...four, ...six].map((host) => [host, shut.includes(host) ? "EACCES" : "in"]),
      ),
      `${pattern} ${open.length}`,
    );
  }
});
