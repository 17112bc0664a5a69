// Which requests may leave through a border: hosts, methods, and paths that two servers may read in two ways.
import assert from "node:assert/strict";
import { test } from "node:test";
import { RequestRules } from "../../../dist/kernel/border/request-rules.js";

test("hosts that are looked into are known by the pattern that the host gave", () => {
  const rules = new RequestRules(["*.example.com", "192.0.2.1", "other.example:8443"], []);
  assert.equal(rules.patternOf("api.example.com", 443), "*.example.com");
  assert.equal(rules.patternOf("192.0.2.1", 80), "192.0.2.1");
  assert.equal(rules.patternOf("other.example", 8443), "other.example:8443");
  assert.equal(rules.patternOf("other.example", 443), undefined);
  assert.equal(rules.patternOf("elsewhere.example", 443), undefined);
});

test("a host that a rule names gets what one allows, another one everything", () => {
  const rules = new RequestRules(
    ["a.example", "b.example"],
    [
      { host: "a.example", methods: ["GET"], paths: ["/v1/**"] },
      { host: "a.example", methods: ["POST"] },
    ],
  );
  assert.equal(rules.verdict("a.example", 443, "GET", "/v1/x/y?q=1"), 0);
  assert.equal(rules.verdict("a.example", 443, "POST", "/anything"), 1);
  assert.equal(rules.verdict("a.example", 443, "GET", "/v2"), "deny");
  assert.equal(rules.verdict("a.example", 443, "DELETE", "/v1/x"), "deny");
  assert.equal(rules.verdict("b.example", 443, "DELETE", "/v1/x"), "allow");
});

test("a path that servers may read in more than one way is none that a rule names", () => {
  const rules = new RequestRules(["a.example"], [{ host: "a.example", paths: ["/open/**"] }]);
  const verdict = (path) => rules.verdict("a.example", 443, "GET", path);
  assert.equal(verdict("/open/a"), 0);
  // The same path, written otherwise.
  assert.equal(verdict("/open/%61"), 0);
  for (const path of [
    "/open/../shut",
    "/open/./../shut",
    "/open/%2e%2e/shut",
    "/open/..;x=1/shut",
    "/open/a%2fb",
    "/open/a%5cb",
    "/open/a\\b",
    "/open/%00",
    "/open/%",
    "/open/%2561",
    "/open/%ff",
  ])
    assert.equal(verdict(path), "deny", path);
  // A query is no part of it.
  assert.equal(verdict("/open/a?x=/../shut"), 0);
});
