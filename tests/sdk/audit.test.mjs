// What a host is told of decisions: live, afterwards, as text, and without their being enforced.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { it } from "node:test";
import { NodeRuntime } from "../../dist/index.js";
import { machine } from "../support/machines.mjs";

const options = { timeout: 120_000 };
const rules = {
  default: "deny",
  rules: [
    { mode: "deny", paths: ["/data/secret"] },
    { mode: "allow", operations: ["read"], paths: ["/data/**"] },
  ],
};
const files = { "/data/a": "a", "/data/secret": "s" };
const program = `import fs from "node:fs";
  fs.openSync("/data/a");
  for (const path of ["/data/secret", "/etc/hostname"]) try { fs.openSync(path); } catch {}`;
const short = ({ operation, resource, decision, rule }) => [operation, resource, decision, rule];
const expected = [
  ["read", "/data/a", "allow", 1],
  ["read", "/data/secret", "deny", 0],
  ["read", "/etc/hostname", "deny", "default"],
];

it("decisions of rules, with who asked and when", options, async () => {
  const rt = await machine({ permissions: { fs: rules }, files });
  const startedAt = Date.now();
  await rt.exec(program);
  const list = await rt.audit();
  assert.deepEqual(list.map(short), expected);
  assert.equal(list.dropped, 0);
  for (const { scope, time, process } of list) {
    assert.equal(scope, "fs");
    assert.ok(time >= startedAt && time <= Date.now());
    assert.deepEqual(process, { pid: 2, argv0: "node" });
  }
  const text = await rt.audit({ format: "jsonl" });
  assert.deepEqual(
    text
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line)),
    [...list],
  );
});

it("onDecision hears of everything before the result is there", options, async () => {
  const heard = [];
  const rt = await machine({
    permissions: {
      fs: rules,
      network: ({ operation }) => ({ allow: operation === "listen", reason: "no" }),
    },
    files,
    onDecision: (decision) => heard.push(decision),
  });
  await rt.exec(`${program}
    import net from "node:net"; import dns from "node:dns/promises"; import cp from "node:child_process";
    await dns.lookup("example.com").catch(() => {});
    cp.spawnSync("cat", ["/data/secret"]);`);
  const of = (scope) => heard.filter((decision) => decision.scope === scope);
  assert.deepEqual(of("fs").slice(0, 3).map(short), expected);
  const [lookup] = of("network");
  assert.deepEqual(short(lookup), ["dns", "dns://example.com", "deny", "function"]);
  assert.equal(lookup.reason, "no");
  const [spawned] = of("childProcess");
  assert.deepEqual(short(spawned), ["spawn", "cat", "allow", "allow"]);
  const inChild = of("fs").filter(({ process }) => process.pid === 3);
  assert.deepEqual(inChild.map(short).at(-1), ["read", "/data/secret", "deny", 0]);
  assert.equal(inChild[0].process.argv0, "cat");
  assert.ok(of("env").some(({ resource }) => resource === "PATH"));
});

it(
  "onDecision hears of what a resident runner was asked before its answer is there",
  options,
  async () => {
    const heard = [];
    const rt = await machine({
      onDecision: ({ resource }) => heard.push(resource),
    });
    const runner = await rt.createResidentRunner();
    for (let at = 0; at < 20; at++) {
      await runner.exec(`require("fs").existsSync("/tmp/asked-${at}")`);
      assert.equal(heard.at(-1), `/tmp/asked-${at}`);
    }
  },
);

it("the list is bounded, and says what it dropped", options, async () => {
  const heard = [];
  const rt = await machine({
    permissions: { fs: { default: "allow", rules: [{ mode: "deny", paths: ["/no"] }] } },
    audit: { entries: 10 },
    onDecision: (decision) => heard.push(decision),
  });
  const { exitCode } = await rt.exec(
    `import fs from "node:fs"; for (let i = 0; i < 2000; i++) fs.existsSync("/tmp/" + i + "x".repeat(3000));`,
  );
  assert.equal(exitCode, 0);
  const list = await rt.audit();
  assert.equal(list.length, 10);
  assert.ok(list.dropped >= 1990);
  assert.ok(list.every(({ resource }) => resource.length <= 1024));
  assert.ok(heard.length >= 10);
});

it("dry-run denies nothing and reports what it would", options, async () => {
  const rt = await machine({ permissions: { mode: "dry-run", fs: rules }, files });
  const { value } = await rt.run(`import fs from "node:fs";
    __return([fs.readFileSync("/data/secret", "utf8"), fs.readFileSync("/etc/hostname").length > 0]);`);
  assert.deepEqual(value, ["s", true]);
  const list = await rt.audit();
  assert.deepEqual(
    list.map(({ resource, decision, wouldDeny, rule }) => [resource, decision, wouldDeny, rule]),
    [
      ["/data/secret", "allow", true, 0],
      ["/etc/hostname", "allow", true, "default"],
    ],
  );
  const plain = await machine({ permissions: "dry-run" });
  await plain.exec(
    `import dns from "node:dns/promises"; await dns.lookup("localhost.invalid").catch(() => {});`,
  );
  const [lookup] = await plain.audit();
  assert.deepEqual(
    [lookup.resource, lookup.decision, lookup.wouldDeny],
    ["dns://localhost.invalid", "allow", true],
  );
});

it("bad options are refused", options, async () => {
  for (const given of [
    { audit: 5 },
    { audit: { entries: 0 } },
    { audit: { entries: 1e6 } },
    { audit: { bogus: 1 } },
    { onDecision: 5 },
    { permissions: "allow" },
    { permissions: { mode: "off" } },
  ])
    await assert.rejects(NodeRuntime.create(given), { code: "ERR_SECURE_EXEC_INVALID_OPTION" });
});

it("secure-exec run --audit FILE writes the decisions as they are made", options, () => {
  const folder = mkdtempSync(join(tmpdir(), "secure-exec-audit-"));
  try {
    const [script, audit] = [join(folder, "p.mjs"), join(folder, "audit.jsonl")];
    writeFileSync(
      script,
      `import dns from "node:dns/promises"; await dns.lookup("example.com").catch(() => {}); console.log("done");`,
    );
    const cli = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
    const out = execFileSync(process.execPath, [cli, "run", "--audit", audit, script], {
      encoding: "utf8",
    });
    assert.equal(out, "done\n");
    const lines = readFileSync(audit, "utf8")
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    assert.ok(
      lines.some(
        ({ resource, decision }) => resource === "dns://example.com" && decision === "deny",
      ),
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});

it("where all is allowed, every decision is heard of as where it is judged", options, async () => {
  const program = `import fs from "node:fs"; import cp from "node:child_process";
    process.chdir("/data");
    fs.readFileSync("a", "utf8"); fs.existsSync("/data/none"); fs.renameSync("/data/a", "/data/b");
    fs.mkdirSync("/data/x/y", { recursive: true }); fs.rmSync("/data/x", { recursive: true });
    const fd = fs.openSync("/data/b", "r+"); fs.ftruncateSync(fd, 0); fs.closeSync(fd);
    const child = cp.spawn("sleep", ["60"]);
    fs.symlinkSync("/proc/" + child.pid, "/data/child");
    fs.readFileSync("/data/child/cmdline"); fs.readFileSync("/proc/" + child.pid + "/status");
    fs.readFileSync("/proc/self/cmdline");
    child.kill();`;
  // The same with rules that allow everything.
  const rules = (scope) => ({ default: "allow", rules: [{ mode: "deny", ...scope }] });
  const judging = { fs: rules({ paths: ["/never"] }), process: () => true };
  const lists = [];
  for (const permissions of [{}, judging]) {
    const rt = await machine({ files, audit: { entries: 5000, all: true }, permissions });
    const { exitCode, stderr } = await rt.exec(program);
    assert.equal(exitCode, 0, stderr);
    const list = await rt.audit();
    lists.push(
      list
        .filter(({ scope, operation }) => scope === "fs" || operation === "inspect")
        .map(({ scope, operation, resource, process }) =>
          [scope, operation, resource, process.argv0].join(" "),
        ),
    );
  }
  const [noted, judged] = lists.map((list) => list.filter((line) => !line.includes("/usr/")));
  assert.deepEqual(noted.toSorted(), judged.toSorted());
  assert.ok(noted.filter((line) => line.startsWith("process inspect")).length >= 2);
});

it("mkdtemp's name is heard of as it is", options, async () => {
  const rt = await machine({ audit: true });
  const { value } = await rt.run(
    `import fs from "node:fs"; __return(fs.mkdtempSync("/tmp/made-"));`,
  );
  const made = (await rt.audit()).filter(({ operation }) => operation === "mkdir");
  assert.deepEqual(
    made.map(({ resource }) => resource),
    [value],
  );
});
