// DEBUG=secure-exec*: a line for each launch, decision, listener and tool call; none without it. And errors that say what to change.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { NodeRuntime } from "../../dist/index.js";

const it = (name, body) => test(name, { timeout: 120_000 }, body);
/** Whose directories mounts name. */
const owner = process.env.SECURE_EXEC_TEST_FLEET ? "worker" : "host";
const entry = new URL("../../dist/index.js", import.meta.url).href;
const program = `
import { NodeRuntime } from ${JSON.stringify(entry)};
const rt = await NodeRuntime.create({
  permissions: {
    fs: { default: "allow", rules: [{ mode: "deny", paths: ["/etc/**"] }] },
    network: { rules: [{ mode: "allow", patterns: ["127.0.0.1"] }] },
  },
  tools: { add: { handler: ({ a, b }) => a + b } },
});
await rt.execCommand("sh", ["-c", "cat /etc/passwd\\u001b[31m"]);
await rt.run("await callHostTool('add', { a: 1, b: 2 })");
await rt.run(\`
  import { once } from "node:events";
  import net from "node:net";
  for (const attempt of [1, 2]) await once(net.connect(5432, "127.0.0.1"), "error");
  const server = net.createServer((socket) => socket.end());
  await once(server.listen(5433, "127.0.0.1"), "listening");
  await once(net.connect(5433, "127.0.0.1").resume(), "close");
  server.close();
\`);
await rt.dispose();
`;

function linesWith(DEBUG) {
  const { status, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", program], {
    env: { ...process.env, DEBUG },
    encoding: "utf8",
    timeout: 100_000,
  });
  assert.equal(status, 0, stderr);
  return stderr.split("\n").filter((line) => line !== "");
}

it("shows each decision and launch, and only what it was asked for", () => {
  const all = linesWith("other,secure-exec*");
  const has = (pattern) =>
    assert.ok(
      all.some((line) => pattern.test(line)),
      `${pattern}\n${all.join("\n")}`,
    );
  has(/^secure-exec:kernel started \d+ .*\+\d+ms$/);
  has(/^secure-exec:machine vm_create: [\d.]+ ms \+\d+ms$/);
  has(/^secure-exec:launch \[\d+\] "sh" "-c" "cat \/etc\/passwd\\u001b\[31m"/);
  has(/^secure-exec:launch \[\d+\] ended: 1 \{"reason":"exit"\}/);
  has(/^secure-exec:decision deny fs\.\w+ \/etc\/passwd.* by rule 0 for /);
  has(/^secure-exec:tool add: called/);
  has(/^secure-exec:tool add: answered after \d+ ms/);
  // The host's database, which a rule alone does not open; what the program itself listens on is no such thing.
  const hints = all.filter((line) => line.includes("loopbackExemptPorts"));
  assert.deepEqual(
    hints.map((line) => /loopbackExemptPorts: \[\d+\]/.exec(line)?.[0]),
    ["loopbackExemptPorts: [5432]"],
  );
  assert.ok(all.every((line) => !line.includes("\u001b")));
  const names = new Set(
    linesWith("secure-exec:* -secure-exec:decision").map((line) => line.split(" ")[0]),
  );
  assert.ok(names.has("secure-exec:launch"));
  assert.ok(!names.has("secure-exec:decision"));
  assert.deepEqual(linesWith("secure-exe"), []);
});

it("an option that is misspelt is told from the one that was meant", async () => {
  const refused = async (options, message) =>
    assert.rejects(NodeRuntime.create(options), {
      code: "ERR_SECURE_EXEC_INVALID_OPTION",
      message,
    });
  await refused({ permisions: {} }, "permisions is not a known option; did you mean permissions?");
  await refused(
    { limits: { memory: 1 } },
    "limits.memory is not a known option; did you mean limits.memoryBytes?",
  );
  await refused({ decision() {} }, "decision is not a known option; did you mean onDecision?");
  await refused(
    { limits: { memoryByte: 1 } },
    "limits.memoryByte is not a known option; did you mean limits.memoryBytes?",
  );
  await refused({ entirelyElse: 1 }, "entirelyElse is not a known option");
  await refused(
    { permissions: { netwrok: "deny" } },
    /netwrok is not a known scope; did you mean network\?/,
  );
  await refused(
    { nodeModules: "/no/such/place" },
    `nodeModules does not exist on the ${owner}: /no/such/place`,
  );
  await refused(
    { mounts: [{ hostpath: "/" }] },
    /mounts\[0\]\.hostpath is not a known option; did you mean mounts\[0\]\.hostPath\?/,
  );
});

it("errors carry what to do about them", async () => {
  const rt = await NodeRuntime.create();
  await rt.dispose();
  await assert.rejects(rt.exec(""), { remedy: "Dispose only after the last program has ended." });
  await assert.rejects(NodeRuntime.create({ nope: 1 }), { remedy: /^Correct the option/ });
});
