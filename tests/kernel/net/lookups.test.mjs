// Look-ups of a VM: bounded, in nobody's way, over when nobody waits; against name servers of our own.
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { after, it } from "node:test";
import { Account } from "../../../dist/kernel/machine/account.js";
import { Lookups } from "../../../dist/kernel/net/lookups.js";
import { limits } from "../../../dist/kernel/limits.js";
import { until } from "../../support/processes.mjs";

const open = [];
after(() => open.forEach((socket) => socket.close()));

/** A name server; `answer` gets the question's name and type and gives addresses, or nothing for silence. */
async function nameServer(answer) {
  const socket = createSocket("udp4");
  open.push(socket);
  const asked = new Set();
  socket.on("message", (message, from) => {
    let at = 12;
    const labels = [];
    while (message[at] !== 0) {
      labels.push(message.subarray(at + 1, at + 1 + message[at]).toString());
      at += 1 + message[at];
    }
    const name = labels.join(".");
    asked.add(name);
    const addresses = answer(name, message.readUInt16BE(at + 1));
    if (addresses === undefined) return;
    const head = Buffer.from(message.subarray(0, 12));
    head.writeUInt16BE(addresses === null ? 0x8183 : 0x8180, 2);
    head.writeUInt16BE(addresses?.length ?? 0, 6);
    head.writeUInt32BE(0, 8);
    const records = (addresses ?? []).map((bytes) =>
      Buffer.from([
        0xc0,
        12,
        0,
        bytes.length === 4 ? 1 : 28,
        0,
        1,
        0,
        0,
        0,
        9,
        0,
        bytes.length,
        ...bytes,
      ]),
    );
    const reply = Buffer.concat([head, message.subarray(12, at + 5), ...records]);
    socket.send(reply, from.port, from.address);
  });
  await new Promise((resolve) => socket.bind(0, "127.0.0.1", resolve));
  return { asked, servers: [`127.0.0.1:${socket.address().port}`] };
}

const settled = (deferred) => new Promise((resolve) => deferred.whenSettled(resolve));
const nothing = { kernelBytes: 0, kernelObjects: 0, hostDescriptors: 0 };

it("addresses of both families, one family, none, and a server that fails", async () => {
  const { servers } = await nameServer((name, type) => {
    if (name.startsWith("both.")) return [type === 1 ? [192, 0, 2, 1] : Array(16).fill(7)];
    return name.startsWith("four.") ? (type === 1 ? [[192, 0, 2, 4]] : []) : null;
  });
  const lookups = new Lookups(new Account(), servers);
  const both = (await settled(lookups.lookup("both.test", 0))).addresses;
  assert.deepEqual(both.toSorted(), ["192.0.2.1", "707:707:707:707:707:707:707:707"]);
  assert.deepEqual(await settled(lookups.lookup("four.test", 0)), { addresses: ["192.0.2.4"] });
  assert.equal(await settled(lookups.lookup("four.test", 6)), -3008);
  assert.equal(await settled(lookups.lookup("none.test", 0)), -3008);
  assert.deepEqual(await settled(lookups.query("A", "none.test")), {
    error: "ENOTFOUND",
    json: "",
  });
  assert.equal(
    (await settled(lookups.query("A", "both.test"))).json,
    '[{"address":"192.0.2.1","ttl":9}]',
  );
  assert.equal((await settled(lookups.query("NONE", "both.test"))).error, "EBADQUERY");
  assert.ok((await settled(lookups.lookup("localhost", 4))).addresses.includes("127.0.0.1"));
});

it("unanswered ones are bounded, are in nobody's way, and go when nobody waits", async () => {
  const silent = await nameServer(() => undefined);
  const speaking = await nameServer((_, type) => (type === 1 ? [[192, 0, 2, 9]] : []));
  const account = new Account();
  const stuck = new Lookups(account, silent.servers);
  const waiting = Array.from({ length: 100 }, (_, i) => stuck.lookup(`nothing${i}.test`, 4));
  await until(() => silent.asked.size >= limits.lookups);
  assert.equal(account.counts.lookup, limits.lookups);
  const other = new Lookups(new Account(), speaking.servers);
  assert.deepEqual(await settled(other.lookup("name.test", 4)), { addresses: ["192.0.2.9"] });
  assert.equal(silent.asked.size, limits.lookups);
  // Those whose callers are gone make room for the next.
  for (const one of waiting.slice(0, 50)) one.cancel();
  await until(() => silent.asked.size >= 2 * limits.lookups);
  stuck.close();
  assert.deepEqual(account.usage, nothing);
  assert.equal(await settled(stuck.lookup("late.test", 4)), -3001);
});

it("one that nobody answers ends by its deadline", { timeout: 30_000 }, async () => {
  const silent = await nameServer(() => undefined);
  const account = new Account();
  const lookups = new Lookups(account, silent.servers);
  const [address, record] = await Promise.all([
    settled(lookups.lookup("nothing.test", 4)),
    settled(lookups.query("MX", "nothing.test")),
  ]);
  assert.equal(address, -3001);
  assert.equal(record.error, "ETIMEOUT");
  assert.deepEqual(account.usage, nothing);
});
