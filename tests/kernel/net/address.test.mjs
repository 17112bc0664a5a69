// What is an address, and which of them only a rule opens.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  embeddedIpv4,
  isForbidden,
  isLoopback,
  parseAddress,
} from "../../../dist/kernel/net/address.js";

const refused = [
  "0.0.0.0",
  "0.1.2.3",
  "10.0.0.1",
  "100.64.0.1",
  "100.127.255.255",
  "127.0.0.1",
  "127.255.255.254",
  "169.254.169.254",
  "172.16.0.1",
  "172.31.255.255",
  "192.0.0.8",
  "192.168.1.1",
  "198.18.0.1",
  "224.0.0.1",
  "239.255.255.250",
  "240.0.0.1",
  "255.255.255.255",
  "::",
  "::1",
  "0:0:0:0:0:0:0:1",
  "::127.0.0.1",
  "::ffff:127.0.0.1",
  "::ffff:7f00:1",
  "::FFFF:10.0.0.1",
  "0:0:0:0:0:ffff:a00:1",
  "::ffff:0:127.0.0.1",
  "64:ff9b::7f00:1",
  "64:ff9b::169.254.169.254",
  "64:ff9b:1::1",
  "2002:7f00:1::",
  "2002:a9fe:a9fe::1",
  "2001::1",
  "2001:db8::1",
  "fc00::1",
  "fd12:3456::1",
  "fe80::1",
  "fe80::1%eth0",
  "febf::1",
  "fec0::1",
  "ff02::1",
  "100::1",
];
const open = [
  "1.1.1.1",
  "8.8.8.8",
  "9.255.255.255",
  "100.63.255.255",
  "100.128.0.0",
  "172.15.255.255",
  "172.32.0.0",
  "192.167.255.255",
  "223.255.255.255",
  "2606:4700::1111",
  "2a00:1450::1",
  "64:ff9b::8.8.8.8",
  "2002:808:808::1",
  "::ffff:8.8.8.8",
];
/** What Linux' inet_aton would take and Node does not: never an address, so never connected to. */
const notations = [
  "127.1",
  "2130706433",
  "0x7f000001",
  "0177.0.0.1",
  "127.0.0.01",
  "127.0.0.1.",
  "[::1]",
  " 127.0.0.1",
  "127.0.0.1\0",
  "::ffff:0x7f.0.0.1",
  "1.2.3.4.5",
  "",
  "localhost",
];

test("every forbidden address is refused in every notation", () => {
  for (const text of refused) {
    const ip = parseAddress(text);
    assert.ok(ip !== undefined, text);
    assert.equal(isForbidden(ip), true, text);
  }
});

test("public addresses are not", () => {
  for (const text of open) assert.equal(isForbidden(parseAddress(text)), false, text);
});

test("other notations are no addresses", () => {
  for (const text of notations) assert.equal(parseAddress(text), undefined, JSON.stringify(text));
});

test("canonical forms, and IPv4 in its coats", () => {
  assert.deepEqual(parseAddress("0:0:0:0:0:FFFF:7F00:1"), {
    family: 6,
    address: "::ffff:127.0.0.1",
  });
  assert.equal(isLoopback(parseAddress("::ffff:127.9.9.9")), true);
  assert.equal(isLoopback(parseAddress("::2")), false);
  for (const [text, inner] of [
    ["::ffff:1.2.3.4", "1.2.3.4"],
    ["::1.2.3.4", "1.2.3.4"],
    ["64:ff9b::1.2.3.4", "1.2.3.4"],
    ["2002:102:304::9", "1.2.3.4"],
    ["2606:4700::1", undefined],
    ["::1", undefined],
  ])
    assert.equal(embeddedIpv4(parseAddress(text).address), inner, text);
});
