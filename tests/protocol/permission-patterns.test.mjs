import assert from "node:assert/strict";
import { test } from "node:test";
import {
  PatternError,
  parseNameGlob,
  parseNetworkPattern,
  parsePathGlob,
} from "../../dist/protocol/permission-patterns.js";
import { byNumber } from "../../dist/protocol/table.js";
import { operationOf, permissionScopes, scopeOf } from "../../dist/protocol/permissions.js";

const bad = (parse, text, pattern) =>
  assert.throws(
    () => parse(text),
    (error) => error instanceof PatternError && pattern.test(error.message),
    text,
  );

test("bad globs are refused with a reason", () => {
  for (const [text, pattern] of [
    ["", /empty/],
    ["relative/x", /absolute/],
    ["/a\0b", /NUL/],
    ["/a[b", /unescaped "\["/],
    ["/a{b,c}", /unescaped "\{"/],
    ["/a**b", /stand alone/],
    ["/***", /stand alone/],
    ["/a/../b", /"\.\."/],
    ["/a/./b", /"\."/],
    ["/a\\", /backslash/],
    [`/${"a".repeat(5000)}`, /longer/],
  ]) {
    bad(parsePathGlob, text, pattern);
  }
  bad(parseNameGlob, "", /empty/);
  bad(parseNameGlob, "a]", /unescaped/);
});

test("network patterns", () => {
  const host = (name, below = false) => ({ kind: "name", name, below });
  const range = (address, prefix, family) => ({ kind: "range", address, prefix, family });
  for (const [text, expected] of [
    ["api.example.com", { protocol: undefined, host: host("api.example.com"), port: undefined }],
    ["API.Example.com.", { protocol: undefined, host: host("api.example.com"), port: undefined }],
    ["example.com:443", { protocol: undefined, host: host("example.com"), port: 443 }],
    ["*.example.com", { protocol: undefined, host: host("example.com", true), port: undefined }],
    ["*", { protocol: undefined, host: { kind: "any" }, port: undefined }],
    ["*:22", { protocol: undefined, host: { kind: "any" }, port: 22 }],
    ["tcp://db:5432", { protocol: "tcp", host: host("db"), port: 5432 }],
    ["udp://time:123", { protocol: "udp", host: host("time"), port: 123 }],
    ["dns://example.com", { protocol: "dns", host: host("example.com"), port: undefined }],
    ["http://a.b", { protocol: "tcp", host: host("a.b"), port: 80 }],
    ["https://a.b/", { protocol: "tcp", host: host("a.b"), port: 443 }],
    ["https://a.b:8443", { protocol: "tcp", host: host("a.b"), port: 8443 }],
    ["10.0.0.0/8", { protocol: undefined, host: range("10.0.0.0", 8, "ipv4"), port: undefined }],
    ["tcp://10.0.0.0/8", { protocol: "tcp", host: range("10.0.0.0", 8, "ipv4"), port: undefined }],
    ["fd00::/8", { protocol: undefined, host: range("fd00::", 8, "ipv6"), port: undefined }],
    ["127.0.0.1:80", { protocol: undefined, host: range("127.0.0.1", 32, "ipv4"), port: 80 }],
    ["::1", { protocol: undefined, host: range("::1", 128, "ipv6"), port: undefined }],
    ["[::1]:80", { protocol: undefined, host: range("::1", 128, "ipv6"), port: 80 }],
    [
      "bücher.example",
      { protocol: undefined, host: host("xn--bcher-kva.example"), port: undefined },
    ],
  ]) {
    assert.deepEqual(parseNetworkPattern(text), expected, text);
  }
  for (const [text, pattern] of [
    ["ftp://x", /unknown scheme/],
    ["http://x/path", /path/],
    ["x:99999", /valid port/],
    ["x:http", /valid port/],
    ["10.0.0.0/33", /address range/],
    ["a b", /valid host/],
    ["ex*mple.com", /valid host/],
    ["127.1", /unusual notation/],
    ["0x7f000001", /unusual notation/],
    ["2130706433", /unusual notation/],
    ["dns://x:53", /port for dns/],
    ["[::1", /valid/],
    ["", /empty/],
  ]) {
    bad(parseNetworkPattern, text, pattern);
  }
});

test("scopes and operations have one canonical name each", () => {
  assert.equal(scopeOf("binding"), "tool");
  assert.equal(scopeOf("hostFunction"), "tool");
  assert.equal(scopeOf("constructor"), undefined);
  for (const [scope, written, expected] of [
    ["fs", "read", "read"],
    ["fs", "fs.read", "read"],
    ["fs", "createDir", "mkdir"],
    ["fs", "fs.create_dir", "mkdir"],
    ["network", "connect", "http"],
    ["network", "network.fetch", "http"],
    ["childProcess", "child_process.spawn", "spawn"],
    ["tool", "tool.invoke", "invoke"],
    ["fs", "env.read", undefined],
    ["fs", "toString", undefined],
    ["fs", "", undefined],
  ]) {
    assert.equal(operationOf(scope, written), expected, `${scope} ${written}`);
  }
  // Two spellings that mean different operations would make one of them wrong.
  for (const [scope, { operations }] of Object.entries(permissionScopes)) {
    const all = Object.entries(operations).flatMap(([name, others]) => [name, ...others]);
    byNumber(Object.fromEntries(all.map((name) => [name, { nr: name }])));
    assert.equal(new Set(all).size, all.length, scope);
  }
});
