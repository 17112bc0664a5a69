// Learn mode: what a program needs, as permissions; it passes under them, and under less it fails.
import assert from "node:assert/strict";
import { createServer } from "node:net";
import { it } from "node:test";
import { NodeRuntime, generalizePermissions } from "../../dist/index.js";
import { Random } from "../fuzz/random.mjs";
import { add, machine } from "../support/machines.mjs";

const options = { timeout: 280_000 };

/** The same programs in every run. */
function generator(seed) {
  const random = new Random(seed);
  const below = (limit) => Math.floor(random.fraction() * limit);
  return { below, pick: (list) => list[below(list.length)] };
}

const files = Object.fromEntries(
  ["one.txt", "two.txt", "three.json", "[odd]*.txt"].map((name) => [`/data/${name}`, "content"]),
);
const names = Object.keys(files);

/** Things a program does, each of which throws when it may not. */
const actions = [
  (random) => `fs.readFileSync(${JSON.stringify(random.pick(names))});`,
  (random) => `fs.writeFileSync("/tmp/out-${random.below(3)}", "x");`,
  (random) => `fs.statSync(${JSON.stringify(random.pick(names))});`,
  () => `fs.readdirSync("/data");`,
  (random) => `fs.mkdirSync("/tmp/d${random.below(2)}", { recursive: true });`,
  (random) => `fs.chmodSync(${JSON.stringify(random.pick(names))}, 0o600);`,
  () => `fs.appendFileSync("/tmp/log", "x"); fs.unlinkSync("/tmp/log");`,
  () => `fs.writeFileSync("/tmp/from", "x"); fs.renameSync("/tmp/from", "/tmp/to");`,
  (random) => `ran(cp.spawnSync("cat", [${JSON.stringify(random.pick(names))}]));`,
  () => `ran(cp.spawnSync(process.execPath, ["-e", "0"]));`,
  () =>
    `{ const child = cp.spawn("sleep", ["60"]); process.kill(child.pid, "SIGKILL"); await once(child, "exit"); }`,
  () => `await callHostTool("add", { a: 1, b: 2 });`,
  (random, port) =>
    `{ const socket = net.connect(${port}, "127.0.0.1"); await once(socket, "connect"); socket.destroy(); }`,
  () =>
    `{ const server = net.createServer().listen(0); await once(server, "listening"); server.close(); }`,
];

function program(random, port) {
  const count = 2 + random.below(5);
  const chosen = Array.from({ length: count }, () => random.pick(actions)(random, port));
  return `import fs from "node:fs"; import cp from "node:child_process"; import net from "node:net";
import { once } from "node:events";
const ran = ({ status, error, stderr }) => { if (status !== 0) throw error ?? new Error(String(stderr)); };
for (const name of ["HOME", "PATH", "TOKEN", "PGHOST", "PGPORT"]) if (process.env[name] === undefined) throw new Error(name);
${chosen.join("\n")}`;
}

/** The permissions less one rule, for each rule there is. */
function* lessOne(permissions) {
  for (const [scope, policy] of Object.entries(permissions)) {
    if (typeof policy === "string") continue;
    for (const rule of policy.rules) {
      const rules = policy.rules.filter((other) => other !== rule);
      const rest = rules.length === 0 ? "deny" : { ...policy, rules };
      yield [{ ...permissions, [scope]: rest }, `${scope} ${JSON.stringify(rule)}`];
    }
  }
}

async function runUnder(permissions, code, port) {
  const rt = await NodeRuntime.create({
    permissions,
    files,
    env: { TOKEN: "x", PGHOST: "h", PGPORT: "5432" },
    tools: { add },
    loopbackExemptPorts: [port],
  });
  try {
    return await rt.run(code);
  } finally {
    await rt.dispose();
  }
}

it(
  "under what was learned a program passes, and without any rule of it fails",
  options,
  async () => {
    const server = createServer((socket) => socket.destroy());
    server.listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const { port } = server.address();
    const random = generator(20_260_731);
    let rules = 0;
    for (let round = 0; round < 8; round++) {
      const code = program(random, port);
      const learned = await runUnder("learn", code, port);
      assert.equal(learned.exitCode, 0, `${learned.stderr}\n${code}`);
      const { policy } = learned;
      assert.deepEqual(JSON.parse(JSON.stringify(policy)), policy);
      const again = await runUnder(policy, code, port);
      assert.equal(
        again.exitCode,
        0,
        `${again.stderr}\n${code}\n${JSON.stringify(policy, null, 1)}`,
      );
      const wide = generalizePermissions(policy);
      assert.ok(wide.env.rules.some(({ patterns }) => patterns.includes("PG*")));
      const widely = await runUnder(wide, code, port);
      assert.equal(widely.exitCode, 0, `${widely.stderr}\n${code}\n${JSON.stringify(wide)}`);
      // Once is enough for the wider ones, which are made of the others.
      for (const [less, what] of [...lessOne(policy), ...(round === 0 ? lessOne(wide) : [])]) {
        rules++;
        const { exitCode } = await runUnder(less, code, port);
        assert.notEqual(exitCode, 0, `passes without ${what}\n${code}`);
      }
    }
    server.close();
    assert.ok(rules > 20, `${rules} rules`);
  },
);

it("packages, and files that are not there", options, async () => {
  const rt = await machine({
    permissions: "learn",
    files: {
      "/tmp/node_modules/dep/package.json": '{"name":"dep","main":"lib/a.js"}',
      "/tmp/node_modules/dep/lib/a.js": "module.exports = require('./b.js');",
      "/tmp/node_modules/dep/lib/b.js": "module.exports = 7;",
    },
  });
  const code = `import dep from "dep"; __return(dep);`;
  const { value, policy } = await rt.run(code);
  assert.equal(value, 7);
  const wide = generalizePermissions(policy);
  assert.ok(
    wide.fs.rules.every(({ paths }) => paths.every((path) => path === "/tmp/node_modules/**")),
    JSON.stringify(wide.fs),
  );
  for (const permissions of [policy, wide]) {
    const strict = await machine({ permissions });
    for (const [path, text] of Object.entries({
      "/tmp/node_modules/dep/package.json": '{"name":"dep","main":"lib/a.js"}',
      "/tmp/node_modules/dep/lib/a.js": "module.exports = require('./b.js');",
      "/tmp/node_modules/dep/lib/b.js": "module.exports = 7;",
    }))
      await strict.writeFile(path, text);
    const under = await strict.run(code);
    assert.equal(under.value, 7, `${under.stderr}\n${JSON.stringify(permissions)}`);
  }
});

it(
  "asking whether a file is there needs a rule where it is there, and none where the answer is no in any case",
  options,
  async () => {
    const rt = await machine({ permissions: "learn", files });
    const code = `import fs from "node:fs";
    __return(["/data/none", ${JSON.stringify(Object.keys(files)[0])}].map((path) => fs.existsSync(path)));`;
    const { value, policy } = await rt.run(code);
    assert.deepEqual(value, [false, true]);
    const asked = policy.fs.rules.filter(({ operations }) => operations.includes("exists"));
    assert.deepEqual(
      asked.flatMap(({ paths }) => paths),
      [Object.keys(files)[0]],
    );
    const strict = await machine({ permissions: policy, files, audit: true });
    assert.deepEqual((await strict.run(code)).value, [false, true]);
    const { decision } = (await strict.audit()).find(({ resource }) => resource === "/data/none");
    assert.equal(decision, "deny");
  },
);

it("a machine adds up its programs, and generalizes on request", options, async () => {
  const rt = await machine({ permissions: "learn", files });
  const one = await rt.run(`import fs from "node:fs"; fs.readFileSync("/data/one.txt")`);
  const two = await rt.run(`import fs from "node:fs"; fs.readFileSync("/data/two.txt")`);
  const fs = (path) => ({
    default: "deny",
    rules: [{ mode: "allow", operations: ["read"], paths: [path] }],
  });
  assert.deepEqual(one.policy.fs, fs("/data/one.txt"));
  assert.deepEqual(two.policy.fs, fs("/data/two.txt"));
  const all = await rt.learnedPermissions();
  assert.deepEqual(all.fs.rules[0].paths, ["/data/one.txt", "/data/two.txt"]);
  assert.deepEqual((await rt.learnedPermissions({ generalize: true })).fs, fs("/data/*.txt"));
  assert.deepEqual(all.network, "deny");
  const enforcing = await machine();
  await assert.rejects(enforcing.learnedPermissions(), { code: "ERR_SECURE_EXEC_INVALID_OPTION" });
  assert.equal((await enforcing.exec("1")).policy, undefined);
});
