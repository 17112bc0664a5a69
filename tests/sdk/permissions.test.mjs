import assert from "node:assert/strict";
import { test } from "node:test";
import { askFunction, parsePermissions } from "../../dist/sdk/permissions.js";

const defaults = {
  fs: "allow",
  network: "deny",
  childProcess: "allow",
  process: "allow",
  env: "allow",
  tool: "deny",
};
const parse = (value, toolsGiven = false) => parsePermissions(value, toolsGiven).policies;

test("what is given is merged per scope over the defaults", () => {
  assert.deepEqual(parse(undefined), defaults);
  assert.deepEqual(parse({ network: "allow" }), { ...defaults, network: "allow" });
  assert.deepEqual(parse({ fs: false, network: true, env: undefined }), {
    ...defaults,
    fs: "deny",
    network: "allow",
  });
  assert.deepEqual(parse({ fs: { rules: [{ mode: "allow" }] } }).fs, {
    default: "deny",
    rules: [{ mode: "allow" }],
  });
});

test("tools passed along open their scope, unless a policy is given", () => {
  assert.equal(parse(undefined, true).tool, "allow");
  assert.equal(parse({ tool: "deny" }, true).tool, "deny");
  assert.equal(parse({ binding: "deny" }, true).tool, "deny");
  assert.equal(parse({ tool: "allow" }).tool, "allow");
});

test("operations and the wildcard become canonical", () => {
  const rules = [
    { mode: "allow", operations: ["fs.createDir", "read"], paths: ["/a/**"] },
    { mode: "deny", operations: ["*"], paths: ["*"] },
  ];
  assert.deepEqual(parse({ fs: { default: "allow", rules } }).fs, {
    default: "allow",
    rules: [
      { mode: "allow", operations: ["mkdir", "read"], patterns: ["/a/**"] },
      { mode: "deny" },
    ],
  });
});

test("the caller cannot change a policy afterwards", () => {
  const paths = ["/a"];
  const policy = parse({ fs: { rules: [{ mode: "allow", paths }] } });
  paths[0] = "/**";
  assert.deepEqual(policy.fs.rules[0].patterns, ["/a"]);
});

test("what is wrong is refused with the place it is in", () => {
  const rule = (scope, given) => ({ [scope]: { rules: [{ mode: "allow", ...given }] } });
  for (const [permissions, option] of [
    ["allow", "permissions"],
    [{ telepathy: "allow" }, "permissions.telepathy"],
    [{ __proto__: null, constructor: "allow" }, "permissions.constructor"],
    [{ fs: "maybe" }, "permissions.fs"],
    [{ fs: 1 }, "permissions.fs"],
    [{ fs: null }, "permissions.fs"],
    [{ fs: [] }, "permissions.fs"],
    [{ fs: {} }, "permissions.fs.rules"],
    [{ fs: { rules: [] } }, "permissions.fs.rules"],
    [{ fs: { default: "ask", rules: [{ mode: "allow" }] } }, "permissions.fs.default"],
    [{ fs: { rule: [], rules: [{ mode: "allow" }] } }, "permissions.fs.rule"],
    [{ fs: { rules: ["allow"] } }, "permissions.fs.rules[0]"],
    [rule("fs", { mode: "ask" }), "permissions.fs.rules[0].mode"],
    [rule("fs", { operations: [] }), "permissions.fs.rules[0].operations"],
    [rule("fs", { operations: "read" }), "permissions.fs.rules[0].operations"],
    [rule("fs", { operations: ["read", "fly"] }), "permissions.fs.rules[0].operations[1]"],
    [rule("fs", { paths: [] }), "permissions.fs.rules[0].paths"],
    [rule("fs", { paths: ["/a", "b"] }), "permissions.fs.rules[0].paths[1]"],
    [rule("fs", { patterns: ["/a"] }), "permissions.fs.rules[0].patterns"],
    [rule("network", { paths: ["a"] }), "permissions.network.rules[0].paths"],
    [rule("network", { patterns: ["gopher://x"] }), "permissions.network.rules[0].patterns[0]"],
    [rule("env", { patterns: ["A[B"] }), "permissions.env.rules[0].patterns[0]"],
    [
      rule("childProcess", { patterns: ["bin/../sh"] }),
      "permissions.childProcess.rules[0].patterns[0]",
    ],
    [{ tool: "allow", binding: "deny" }, "permissions.binding"],
  ]) {
    assert.throws(
      () => parse(permissions),
      (error) => error.code === "ERR_SECURE_EXEC_INVALID_OPTION" && error.details.option === option,
      option,
    );
  }
});

test("functions: only true and { allow: true } allow", async () => {
  const ask = async (check, request = { scope: "fs", operation: "read", path: "/a" }) => {
    const { functions } = parsePermissions({ [request.scope]: check }, false);
    const [answer] = await askFunction(functions, request.scope, [request]);
    return answer;
  };
  assert.deepEqual(await ask(() => true), { allow: true });
  assert.deepEqual(await ask(async () => ({ allow: true })), { allow: true });
  assert.deepEqual(await ask(() => ({ allow: false, reason: "no" })), {
    allow: false,
    reason: "no",
  });
  for (const answer of [false, undefined, null, 1, "true", {}, { allow: 1 }, [true]])
    assert.equal((await ask(() => answer)).allow, false, JSON.stringify(answer));
  for (const failing of [
    () => {
      throw new Error("host secret");
    },
    async () => {
      throw new Error("host secret");
    },
    () => ({
      get allow() {
        throw new Error("host secret");
      },
    }),
  ]) {
    const answer = await ask(failing);
    assert.equal(answer.allow, false);
    assert.doesNotMatch(JSON.stringify(answer), /secret/);
  }
  // No function in the scope: nobody to say yes.
  assert.deepEqual(await askFunction(new Map(), "fs", [{ scope: "fs" }]), [{ allow: false }]);
});

test("requests carry the spellings of both generations", async () => {
  const seen = async (request) => {
    let got;
    const { functions } = parsePermissions(
      { [request.scope]: (given) => void (got = given) },
      false,
    );
    await askFunction(functions, request.scope, [request]);
    return got;
  };
  assert.deepEqual(await seen({ scope: "env", operation: "read", name: "A" }), {
    operation: "read",
    op: "read",
    name: "A",
    key: "A",
  });
  const network = { operation: "http", protocol: "tcp", hostname: "::1", port: 80, loopback: true };
  assert.deepEqual(await seen({ scope: "network", ...network }), {
    ...network,
    op: "http",
    url: "tcp://[::1]:80",
  });
});
