// Every way to name one endpoint, judged by rules and by functions, without leaving the process.
import assert from "node:assert/strict";
import { networkInterfaces } from "node:os";
import { test } from "node:test";
import { Errno } from "../../../dist/abi/errno.js";
import { Deferred } from "../../../dist/kernel/io/deferred.js";
import { Transit } from "../../../dist/kernel/io/transit.js";
import { Account } from "../../../dist/kernel/machine/account.js";
import { parseAddress } from "../../../dist/kernel/net/address.js";
import { isHostAddress } from "../../../dist/kernel/net/host-addresses.js";
import { Policy } from "../../../dist/kernel/policy/policy.js";
import { parsePermissions } from "../../../dist/sdk/permissions.js";
import { GovernedNetwork } from "../net/governed-network.mjs";

const evil = "93.184.216.34";
const addresses = {
  "evil.test": [evil, "2606:2800::34"],
  "good.test": ["93.184.216.99"],
  "alias.test": [evil],
  "shared.test": [evil],
  "sub.evil.test": ["93.184.216.40"],
};
const aliases = { "alias.test": ["middle.test", "evil.test"] };

/** The world outside: what it is asked for, and nothing of it real. */
function makeOutside() {
  const reached = [];
  const later = (value) => {
    const deferred = new Deferred();
    deferred.settle(value);
    return deferred;
  };
  return {
    reached,
    lookup: (name, family) =>
      later({
        addresses: (addresses[name] ?? []).filter(
          (address) => family === 0 || address.includes(":") === (family === 6),
        ),
      }),
    aliases: (name) => later({ names: aliases[name] ?? [] }),
    query: (type, name) =>
      later({
        error: "",
        json: JSON.stringify(
          (addresses[name] ?? [])
            .filter((address) => address.includes(":") === (type === "AAAA"))
            .map((address) => ({ address, ttl: 1 })),
        ),
      }),
    connect: ({ address }, port) => {
      reached.push(`tcp ${address} ${port}`);
      return later(-Errno.ECONNREFUSED);
    },
    send: (_socket, { address }, port) => reached.push(`udp ${address} ${port}`),
    close() {},
  };
}

function networkOf(network) {
  const { policies, functions } = parsePermissions({ network }, false);
  const policy = new Policy(policies, (scope, requests) => {
    const deferred = new Deferred();
    Promise.all(requests.map((request) => functions.get(scope)(request))).then((answers) =>
      deferred.settle(answers.map((allow) => ({ allow }))),
    );
    return deferred;
  });
  const outside = makeOutside();
  const made = new GovernedNetwork(
    {},
    "secure-exec",
    { sockets: 64, connections: 64 },
    [],
    new Transit(new Account()),
    outside,
  );
  made.policy = policy;
  return { network: made, outside };
}

const settled = (answer) =>
  answer instanceof Deferred ? new Promise((resolve) => answer.whenSettled(resolve)) : answer;
const isDenied = (answer) => typeof answer === "object" && /EACCES/.test(answer.message);

/** Looks `host` up as a guest does and goes to each address; whether anything was let out. */
async function reaches({ network, outside }, protocol, host, port) {
  let targets = [host];
  if (!/[:\d]$/.test(host)) {
    const found = await settled(network.resolve(host, 0));
    if (isDenied(found)) return "no look-up";
    targets = found.addresses;
  }
  const before = outside.reached.length;
  for (const target of targets) {
    const socket = protocol === "tcp" ? network.streamSocket("tcp") : network.udpSocket();
    await settled(
      protocol === "tcp"
        ? network.connectTcp(socket, target, port)
        : network.send(socket, target, port, Buffer.from("x")),
    );
    socket.unref();
  }
  return outside.reached.length > before ? "out" : "denied";
}

const deny = (...patterns) => ({ default: "allow", rules: [{ mode: "deny", patterns }] });
const allow = (...patterns) => ({ rules: [{ mode: "allow", patterns }] });
const mapped = `::ffff:${evil}`;
const nat64 = "64:ff9b::5db8:d822";
const sixToFour = "2002:5db8:d822::";

for (const [name, policy, expectations] of [
  ["everything", "allow", ["evil.test:80 out", "good.test:80 out", `${mapped}:80 out`]],
  ["nothing", "deny", ["evil.test:80 no look-up", `${evil}:80 denied`, `${mapped}:80 denied`]],
  [
    "a denied name and port",
    deny("evil.test:8080"),
    [
      "evil.test:8080 denied",
      "evil.test:80 out",
      `${evil}:8080 denied`,
      `${mapped}:8080 denied`,
      `${nat64}:8080 denied`,
      `${sixToFour}:8080 denied`,
      "EVIL.TEST.:8080 denied",
      "shared.test:8080 denied",
      "good.test:8080 out",
    ],
  ],
  ["a denied protocol", deny("tcp://evil.test"), ["evil.test:1 denied", "udp evil.test:1 out"]],
  ["denied datagrams", deny("udp://evil.test:53"), ["udp evil.test:53 denied", "evil.test:53 out"]],
  ["a denied URL", deny("http://evil.test"), ["evil.test:80 denied", "evil.test:81 out"]],
  ["a denied name", deny("evil.test"), ["evil.test:80 no look-up", "sub.evil.test:80 out"]],
  ["names below", deny("*.evil.test:80"), ["sub.evil.test:80 denied", "evil.test:80 out"]],
  ["an alias", deny("evil.test"), ["alias.test:80 no look-up", "good.test:80 out"]],
  ["an alias's port", deny("evil.test:8080"), ["alias.test:8080 denied", "alias.test:80 out"]],
  ["an alias is enough to be allowed", allow("alias.test:80"), ["alias.test:80 out"]],
  ["what it stands for is not", allow("evil.test:80"), ["alias.test:80 no look-up"]],
  [
    "an operation",
    { default: "allow", rules: [{ mode: "deny", operations: ["http"], patterns: ["evil.test"] }] },
    ["evil.test:80 denied", "udp evil.test:80 denied", "good.test:80 out"],
  ],
  [
    "look-ups alone",
    { default: "allow", rules: [{ mode: "deny", operations: ["dns"], patterns: ["evil.test"] }] },
    ["evil.test:80 no look-up", `${evil}:80 out`],
  ],
  [
    "a denied address",
    deny(evil),
    [
      `${evil}:80 denied`,
      `${mapped}:80 denied`,
      `::ffff:5db8:d822:80 denied`,
      `${nat64}:80 denied`,
      `${sixToFour}:80 denied`,
      "shared.test:80 denied",
      "good.test:80 out",
    ],
  ],
  ["a denied port", deny("*:8080"), ["evil.test:8080 denied", `${evil}:80 out`]],
  [
    "an allowed name and port",
    allow("evil.test:8080"),
    [
      `${evil}:8080 denied`,
      "evil.test:8080 out",
      "evil.test:80 denied",
      "udp evil.test:8080 out",
      "shared.test:8080 no look-up",
      "sub.evil.test:8080 no look-up",
      "localhost:8080 no look-up",
    ],
  ],
  ["an allowed address", allow(evil), [`${evil}:80 out`, `${mapped}:80 out`, `${nat64}:80 denied`]],
  [
    "the first rule that matches any name decides",
    {
      rules: [
        { mode: "allow", patterns: ["good.test"] },
        { mode: "deny", patterns: ["*"] },
      ],
    },
    ["good.test:80 out", "evil.test:80 no look-up"],
  ],
  [
    "an allowed name of an address that is denied",
    {
      default: "allow",
      rules: [
        { mode: "deny", patterns: [evil] },
        { mode: "allow", patterns: ["evil.test"] },
      ],
    },
    ["shared.test:80 denied"],
  ],
  [
    "a function, by name",
    ({ hostname }) => hostname !== "evil.test",
    ["evil.test:80 no look-up", "good.test:80 out"],
  ],
  [
    "a function, by name, for connections",
    ({ operation, hostname }) => operation === "dns" || hostname !== "evil.test",
    [
      "evil.test:80 denied",
      `${evil}:80 denied`,
      `${mapped}:80 denied`,
      "shared.test:80 denied",
      "udp evil.test:80 denied",
      "good.test:80 out",
    ],
  ],
  [
    "a function, by port and protocol",
    ({ protocol, port }) => protocol === "dns" || (protocol === "tcp" && port === 443),
    ["evil.test:443 out", "evil.test:80 denied", "udp evil.test:443 denied"],
  ],
  [
    "a function, by address",
    ({ address }) => address !== evil,
    ["shared.test:80 denied", `${mapped}:80 denied`, "good.test:80 out"],
  ],
  [
    "a function that knows names only",
    ({ hostname }) => hostname === "good.test",
    ["good.test:80 out", "evil.test:80 no look-up", `${evil}:80 denied`],
  ],
]) {
  test(`network: ${name}`, async () => {
    const made = networkOf(policy);
    for (const expectation of expectations) {
      const [, udp, host, port, outcome] = /^(udp )?(.+):(\d+) (.+)$/.exec(expectation);
      const protocol = udp === undefined ? "tcp" : "udp";
      assert.equal(await reaches(made, protocol, host, Number(port)), outcome, expectation);
    }
  });
}

test("a look-up by record type is remembered and judged as any other", async () => {
  const { network, outside } = networkOf(deny("evil.test:80"));
  assert.match((await settled(network.query("A", "evil.test"))).json, /93\.184\.216\.34/);
  assert.equal(await reaches({ network, outside }, "tcp", evil, 80), "denied");
  const refusing = networkOf(deny("evil.test"));
  assert.equal(isDenied(await settled(refusing.network.query("A", "alias.test"))), true);
  assert.equal(isDenied(await settled(refusing.network.query("MX", "evil.test"))), true);
});

test("inside the VM, localhost is a name of every loopback address", async () => {
  const { network } = networkOf(deny("localhost:3000"));
  const listen = async (port, address) => {
    const socket = network.streamSocket("tcp");
    assert.equal(network.bindTcp(socket, address, port, 0), 0);
    return isDenied(await settled(network.listen(socket, 2, 64))) ? "denied" : socket;
  };
  assert.equal(await listen(3000, "127.0.0.1"), "denied");
  assert.equal(await listen(3000, "::"), "denied");
  const server = await listen(3001, "::");
  const connects = async (address, port) => {
    const client = network.streamSocket("tcp");
    const answer = await settled(network.connectTcp(client, address, port));
    client.unref();
    return isDenied(answer) ? "denied" : typeof answer;
  };
  for (const address of ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "0.0.0.0", "::"]) {
    assert.equal(await connects(address, 3000), "denied", address);
    assert.equal(await connects(address, 3001), "object", address);
  }
  server.unref();

  const asked = networkOf(
    ({ operation, hostname }) => operation !== "http" || hostname !== "localhost",
  );
  assert.equal(typeof asked.network.resolve("localhost", 4), "object");
  await settled(asked.network.resolve("localhost", 4));
  const client = asked.network.streamSocket("tcp");
  assert.equal(isDenied(await settled(asked.network.connectTcp(client, "127.0.0.1", 1))), true);
  client.unref();
});

test("the host's own addresses are shut but to a rule that names them", async (t) => {
  const own = Object.values(networkInterfaces())
    .flat()
    .find(({ family, internal }) => family === "IPv4" && !internal)?.address;
  if (own === undefined) return t.skip("the machine has no address beside loopback");
  addresses["own.test"] = [own];
  t.after(() => delete addresses["own.test"]);
  for (const [policy, expected] of [
    ["allow", "denied"],
    [{ default: "allow", rules: [{ mode: "deny", patterns: ["evil.test"] }] }, "denied"],
    [allow("*"), "denied"],
    [allow("*.test"), "denied"],
    [allow(`${own}:80`, "own.test"), "out"],
    [() => true, "denied"],
  ])
    assert.equal(await reaches(networkOf(policy), "tcp", "own.test", 80), expected);
});

test("an address of the host is known in every form", () => {
  const interfaces = Object.values(networkInterfaces()).flat();
  for (const { address, family } of interfaces) {
    const forms =
      family === "IPv4" ? [address, `::ffff:${address}`, `64:ff9b::${address}`] : [address];
    for (const form of forms) assert.equal(isHostAddress(parseAddress(form)), true, form);
  }
  assert.notEqual(interfaces.length, 0);
  for (const form of [evil, mapped, nat64, "2606:2800::34"])
    assert.equal(isHostAddress(parseAddress(form)), false, form);
});
