import assert from "node:assert/strict";
import { test } from "node:test";
import { Deferred } from "../../../dist/kernel/io/deferred.js";
import { admit } from "../../../dist/kernel/policy/admission.js";
import { Policy } from "../../../dist/kernel/policy/policy.js";
import { FileSystem } from "../../../dist/kernel/fs/index.js";
import { systemCalls } from "../../../dist/kernel/syscalls/table.js";
import { leadsTo } from "../fs/leads-to.mjs";
import { parsePermissions } from "../../../dist/sdk/permissions.js";

/** The policy of an option as users write it. */
function policyOf(permissions, answer) {
  const asked = [];
  const policy = new Policy(parsePermissions(permissions, false).policies, (scope, requests) => {
    const deferred = new Deferred();
    asked.push({ scope, requests, deferred });
    if (answer !== undefined) deferred.settle(requests.map((request) => answer(request)));
    return deferred;
  });
  return { policy, asked };
}
const denied = (decision, message) => {
  assert.notEqual(decision, 0);
  assert.equal(decision.errno, -13);
  assert.equal(decision.message, message);
};
const fs = (operation, path) => ({ scope: "fs", operation, path });
const net = (request) => ({
  scope: "network",
  operation: "http",
  protocol: "tcp",
  loopback: false,
  ...request,
});

test("the first rule that matches decides, then the default, then deny", () => {
  const { policy } = policyOf({
    fs: {
      rules: [
        { mode: "allow", operations: ["read"], paths: ["/vault/public/**"] },
        { mode: "deny", paths: ["/vault/**"] },
        { mode: "allow", operations: ["read", "stat"] },
      ],
    },
  });
  assert.equal(policy.judge(fs("read", "/vault/public/a")), 0);
  denied(
    policy.judge(fs("write", "/vault/public/a")),
    "EACCES: permission denied, /vault/public/a: blocked by fs.write policy",
  );
  denied(
    policy.judge(fs("read", "/vault/a")),
    "EACCES: permission denied, /vault/a: blocked by fs.read policy",
  );
  assert.equal(policy.judge(fs("read", "/elsewhere")), 0);
  denied(
    policy.judge(fs("write", "/elsewhere")),
    "EACCES: permission denied, /elsewhere: blocked by fs.write policy",
  );
  assert.equal(
    policyOf({
      fs: { default: "allow", rules: [{ mode: "deny", operations: ["write"] }] },
    }).policy.judge(fs("read", "/a")),
    0,
  );
});

test("network denied, by default or by word, is no egress, and leaves loopback and listeners", () => {
  for (const permissions of [undefined, { network: "deny" }]) {
    const { policy } = policyOf(permissions);
    denied(
      policy.judge(net({ hostname: "example.com", port: 80 })),
      "EACCES: permission denied, tcp://example.com:80: blocked by network.http policy",
    );
    denied(
      policy.judge({ ...net({ hostname: "example.com" }), operation: "dns", protocol: "dns" }),
      "EACCES: permission denied, dns://example.com: blocked by network.dns policy",
    );
    const listen = {
      ...net({ hostname: "127.0.0.1", port: 0, loopback: true }),
      operation: "listen",
    };
    assert.equal(policy.judge(listen), 0);
    assert.equal(policy.judge(net({ hostname: "localhost", port: 3000, loopback: true })), 0);
    assert.equal(policy.judge(net({ hostname: "x", address: "127.8.8.8", port: 1 })), 0);
    assert.equal(policy.judge(net({ hostname: "x", address: "::1", port: 1 })), 0);
    assert.notEqual(policy.judge(net({ hostname: "x", address: "128.0.0.1", port: 1 })), 0);
    assert.notEqual(policy.judge(net({ hostname: "127.0.0.1", address: "1.2.3.4", port: 1 })), 0);
  }
  const { policy } = policyOf({
    network: { rules: [{ mode: "allow", patterns: ["example.com"] }] },
  });
  denied(
    policy.judge({
      ...net({ hostname: "127.0.0.1", port: 0, loopback: true }),
      operation: "listen",
    }),
    "EACCES: permission denied, tcp://127.0.0.1:0: blocked by network.listen policy",
  );
});

test("network patterns, allowed and denied", () => {
  const allows = (pattern, request) =>
    policyOf({ network: { rules: [{ mode: "allow", patterns: [pattern] }] } }).policy.judge(
      net(request),
    ) === 0;
  const dns = (hostname) => ({ operation: "dns", protocol: "dns", hostname });
  for (const [pattern, request, expected] of [
    ["example.com", { hostname: "example.com", port: 1234 }, true],
    ["example.com", { hostname: "EXAMPLE.com.", port: 80 }, true],
    ["example.com", { hostname: "www.example.com", port: 80 }, false],
    ["example.com", { hostname: "example.com.evil.net", port: 80 }, false],
    ["example.com", dns("example.com"), true],
    ["example.com:443", { hostname: "example.com", port: 443 }, true],
    ["example.com:443", { hostname: "example.com", port: 80 }, false],
    ["example.com:443", dns("example.com"), true],
    ["*.example.com", { hostname: "a.b.example.com", port: 80 }, true],
    ["*.example.com", { hostname: "example.com", port: 80 }, false],
    ["*.example.com", { hostname: "evilexample.com", port: 80 }, false],
    ["tcp://example.com:80", { hostname: "example.com", port: 80 }, true],
    ["tcp://example.com:80", { hostname: "example.com", port: 80, protocol: "udp" }, false],
    ["udp://example.com:53", { hostname: "example.com", port: 53, protocol: "udp" }, true],
    ["https://example.com", { hostname: "example.com", port: 443 }, true],
    ["https://example.com", { hostname: "example.com", port: 80 }, false],
    ["dns://example.com", dns("example.com"), true],
    ["dns://example.com", { hostname: "example.com", port: 80 }, false],
    ["10.0.0.0/8", { hostname: "db", address: "10.1.2.3", port: 5432 }, true],
    ["10.0.0.0/8", { hostname: "db", address: "11.1.2.3", port: 5432 }, false],
    ["10.0.0.0/8", { hostname: "10.1.1.1", port: 5432 }, true],
    // A name cannot pretend to be an address, nor hide one.
    ["10.0.0.0/8", { hostname: "10.1.1.1", address: "8.8.8.8", port: 5432 }, false],
    ["10.0.0.0/8", { hostname: "db", address: "::ffff:10.1.2.3", port: 5432 }, true],
    ["[::1]:80", { hostname: "::1", port: 80 }, true],
    ["*", { hostname: "anything", port: 1 }, true],
  ]) {
    assert.equal(allows(pattern, request), expected, `${pattern} ${JSON.stringify(request)}`);
  }
  // A denied port leaves the name's look-up alone.
  const { policy } = policyOf({
    network: { default: "allow", rules: [{ mode: "deny", patterns: ["example.com:25"] }] },
  });
  assert.equal(policy.judge(net(dns("example.com"))), 0);
  assert.notEqual(policy.judge(net({ hostname: "example.com", port: 25 })), 0);
});

test("only a rule that names an address opens what is shut to all others", () => {
  const names = (patterns, request, mode = "allow") =>
    policyOf({ network: { default: "allow", rules: [{ mode, patterns }] } }).policy.names({
      operation: "http",
      protocol: "tcp",
      loopback: false,
      ...request,
    });
  const inside = { hostname: "db.internal", address: "10.0.0.5", port: 5432 };
  assert.equal(names(["10.0.0.0/8"], inside), true);
  assert.equal(names(["10.0.0.5"], inside), true);
  assert.equal(names(["tcp://10.0.0.5:5432"], inside), true);
  assert.equal(names(["10.0.0.5:22"], inside), false);
  assert.equal(names(["0.0.0.0/0"], inside), false);
  assert.equal(names(["*"], inside), false);
  assert.equal(names(["db.internal"], inside), false);
  assert.equal(names(["10.0.0.0/8"], inside, "deny"), false);
  assert.equal(names(["fd00::/8"], { hostname: "x", address: "fd00::1", port: 1 }), true);
  for (const network of ["allow", "deny", () => true])
    assert.equal(policyOf({ network }).policy.names(inside), false);
  const shadowed = policyOf({
    network: {
      rules: [
        { mode: "deny", patterns: ["10.0.0.5"] },
        { mode: "allow", patterns: ["10.0.0.0/8"] },
      ],
    },
  });
  assert.equal(shadowed.policy.names({ operation: "http", protocol: "tcp", ...inside }), false);
});

test("commands by name, which an allowing rule trusts only in the system's directories", () => {
  const spawn = (command, path) => ({
    scope: "childProcess",
    operation: "spawn",
    command,
    ...(path !== undefined && { path }),
    args: [],
    cwd: "/",
    env: {},
  });
  const allow = policyOf({
    childProcess: { rules: [{ mode: "allow", patterns: ["node"] }] },
  }).policy;
  assert.equal(allow.judge(spawn("node", "/usr/local/bin/node")), 0);
  assert.equal(allow.judge(spawn("node")), 0);
  assert.equal(allow.judge(spawn("/usr/bin/node", "/usr/bin/node")), 0);
  denied(
    allow.judge(spawn("node", "/tmp/node")),
    "EACCES: permission denied, node: blocked by child_process.spawn policy",
  );
  assert.notEqual(allow.judge(spawn("/tmp/node")), 0);
  assert.notEqual(allow.judge(spawn("sh", "/bin/sh")), 0);
  const deny = policyOf({
    childProcess: { default: "allow", rules: [{ mode: "deny", patterns: ["sh", "/opt/**"] }] },
  }).policy;
  assert.notEqual(deny.judge(spawn("sh", "/tmp/sh")), 0);
  assert.notEqual(deny.judge(spawn("tool", "/opt/tool")), 0);
  assert.equal(deny.judge(spawn("ls", "/bin/ls")), 0);
});

test("process, env and tool patterns", () => {
  const { policy } = policyOf({
    process: { rules: [{ mode: "allow", operations: ["kill"], patterns: ["7", "node"] }] },
    tool: { default: "deny", rules: [{ mode: "allow", patterns: ["add", "get*"] }] },
  });
  const kill = (pid, command) => ({
    scope: "process",
    operation: "kill",
    pid,
    ...(command && { command }),
  });
  assert.equal(policy.judge(kill(7)), 0);
  assert.equal(policy.judge(kill(9, "/usr/local/bin/node x.js")), 0);
  denied(
    policy.judge(kill(8)),
    "EACCES: permission denied, process 8: blocked by process.kill policy",
  );
  assert.notEqual(policy.judge({ ...kill(7), operation: "inspect" }), 0);
  const invoke = (name) => ({ scope: "tool", operation: "invoke", name });
  assert.equal(policy.judge(invoke("add")), 0);
  assert.equal(policy.judge(invoke("getUser")), 0);
  denied(
    policy.judge(invoke("drop")),
    "EACCES: permission denied, drop: blocked by tool.invoke policy",
  );
});

test("variables are filtered by reading, and a child's new ones by writing, too", () => {
  const env = { PATH: "/bin", API_KEY: "k", HOME: "/h" };
  assert.deepEqual(policyOf().policy.filterEnv(env), env);
  assert.deepEqual({ ...policyOf({ env: "deny" }).policy.filterEnv(env) }, {});
  const rules = {
    default: "allow",
    rules: [
      { mode: "deny", operations: ["read"], patterns: ["API_*"] },
      { mode: "deny", operations: ["write"], patterns: ["PATH"] },
    ],
  };
  const { policy } = policyOf({ env: rules });
  assert.deepEqual({ ...policy.filterEnv(env) }, { PATH: "/bin", HOME: "/h" });
  assert.deepEqual(
    { ...policy.filterEnv({ ...env, PATH: "/evil", NEW: "1" }, env) },
    {
      HOME: "/h",
      NEW: "1",
    },
  );
  // A name of the prototype is a name like any other.
  const odd = JSON.parse('{"__proto__":"x","constructor":"y"}');
  assert.deepEqual(Object.keys(policy.filterEnv(odd)).sort(), ["__proto__", "constructor"]);
});

test("functions: allowed, denied with a reason, unanswered, cancelled", () => {
  const { policy, asked } = policyOf({ fs: () => true });
  const outcome = (answers) => {
    const decision = policy.judge(fs("read", "/a"));
    let got;
    decision.whenSettled((value) => (got = value));
    assert.equal(got, undefined);
    asked.at(-1).deferred.settle(answers);
    return got;
  };
  assert.equal(outcome([{ allow: true }]), 0);
  denied(
    outcome([{ allow: false, reason: "not today" }]),
    "EACCES: permission denied, /a: blocked by fs.read policy: not today",
  );
  denied(
    outcome(-110),
    "EACCES: permission denied, /a: blocked by fs.read policy: no answer from the policy",
  );
  assert.notEqual(outcome([]), 0);
  assert.notEqual(outcome([{ allow: "yes" }]), 0);

  const decision = policy.judge(fs("read", "/a"));
  decision.whenSettled(() => assert.fail("cancelled"));
  decision.cancel();
  assert.ok(asked.at(-1).deferred.settled);
});

test("several requests are one question, and one denial denies", () => {
  const { policy, asked } = policyOf({ fs: () => true }, ({ path }) => ({ allow: path !== "/b" }));
  let got;
  policy.judgeAll([fs("read", "/a"), fs("write", "/b")]).whenSettled((value) => (got = value));
  denied(got, "EACCES: permission denied, /b: blocked by fs.write policy");
  assert.equal(asked.length, 1);
  assert.equal(policy.judgeAll([]), 0);
});

test("the path that is judged is where a path leads", () => {
  const root = { uid: 0, gid: 0, umask: 0o022, cwd: "/" };
  const files = new FileSystem();
  for (const path of ["/vault", "/tmp", "/tmp/deep"])
    assert.equal(files.mkdir(root, path, 0o755), 0);
  for (const [target, path] of [
    ["/vault", "/tmp/link"],
    ["../vault", "/tmp/relative"],
    ["/tmp/link", "/tmp/second"],
    ["/vault/missing", "/tmp/dangling"],
    ["loop", "/tmp/loop"],
    ["deep/..", "/tmp/odd"],
  ]) {
    assert.equal(files.symlink(root, target, path), 0);
  }
  const who = { ...root, uid: 1000, gid: 1000, cwd: "/tmp" };
  for (const [path, expected, follow = true] of [
    ["/vault/a", "/vault/a"],
    ["/tmp/../vault/./a", "/vault/a"],
    ["/tmp/link/a", "/vault/a"],
    ["relative/a", "/vault/a"],
    ["/tmp/second", "/vault"],
    ["/tmp/second", "/tmp/second", false],
    ["/tmp/second/.", "/vault", false],
    ["/tmp/dangling", "/vault/missing"],
    ["/tmp/dangling", "/tmp/dangling", false],
    ["/tmp/odd/link/x", "/vault/x"],
    ["../../..", "/"],
    ["/", "/"],
    ["/tmp/loop", -40],
    // Nothing is touched where the walk ends, and so nothing behind it is looked at.
    ["/tmp/none/../link/x", "/tmp/link/x"],
  ]) {
    assert.equal(leadsTo(files, who, path, follow), expected, path);
  }
  // `mkdir -p` makes what is missing and comes back from there.
  assert.deepEqual(files.planTree(who, "/tmp/none/../link/x/y"), [
    "/tmp/none",
    "/vault/x",
    "/vault/x/y",
  ]);
  assert.deepEqual(files.planTree(who, "second/../tmp/deep"), ["/tmp/deep"]);
});

test("what /proc tells of another process is for the process scope", () => {
  const root = { uid: 0, gid: 0, umask: 0o022, cwd: "/" };
  const files = new FileSystem();
  for (const path of ["/proc", "/proc/7", "/proc/8"]) files.mkdir(root, path, 0o755);
  files.symlink(root, "7", "/proc/self");
  const outcome = (permissions, path, operation = "stat") => {
    const { policy } = policyOf(permissions, ({ pid }) => ({ allow: pid === 8 }));
    const caller = { pid: 7, fs: files, credentials: root, descriptors: new Map(), policy };
    let answer = admit(caller, systemCalls[operation], { path, follow: true }, () => "ran");
    if (answer instanceof Deferred) {
      const deferred = answer;
      deferred.whenSettled((late) => (answer = late));
    }
    return answer;
  };
  const blocked = "EACCES: permission denied, process 8: blocked by process.inspect policy";
  assert.equal(outcome({ process: "deny" }, "/proc/7"), "ran");
  assert.equal(outcome({ process: "deny" }, "/proc/self/../self"), "ran");
  assert.equal(outcome({ process: "deny" }, "/proc"), "ran");
  assert.equal(outcome({ process: "deny" }, "/proc/8").message, blocked);
  assert.equal(outcome({ process: "deny" }, "/proc/self/../8/status").message, blocked);
  assert.equal(
    outcome({ process: { rules: [{ mode: "allow", operations: ["kill"] }] } }, "/proc/8").message,
    blocked,
  );
  assert.equal(outcome(undefined, "/proc/8"), "ran");
  // Both scopes have to agree, whoever decides in each.
  assert.equal(outcome({ process: () => true }, "/proc/8"), "ran");
  assert.equal(outcome({ process: () => true, fs: "deny" }, "/proc/8").errno, -13);
  assert.match(
    outcome({ process: () => true }, "/proc/9").message,
    /process 9: blocked by process\.inspect/,
  );
});
