// Nothing of the host is in anything that a guest can read: every string reachable
// from its globals, modules, bindings and errors is searched for canaries.
import assert from "node:assert/strict";
import os from "node:os";
import { readFileSync } from "node:fs";
import { after, before, it } from "node:test";
import { fileURLToPath } from "node:url";

process.env["SECRET_CANARY_NAME"] = "canary-value-4711";
const { NodeRuntime } = await import("../../dist/index.js");
const repository = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");

let rt;
before(async () => {
  rt = await NodeRuntime.create();
});
after(() => rt.dispose());

const search = `
import { createRequire, builtinModules } from "node:module";
const needles = JSON.parse(process.env.NEEDLES);
process.on("unhandledRejection", () => {});
const found = new Set();
const seen = new Set();
let visited = 0;
const queue = [];
const check = (text, path) => { for (const needle of needles) if (text.includes(needle)) found.add(path + ": " + text.slice(0, 200)); };
const push = (value, path) => {
  if (typeof value === "string") return check(value, path);
  if ((typeof value !== "object" && typeof value !== "function") || value === null || seen.has(value)) return;
  seen.add(value);
  queue.push([value, path]);
};
for (const id of builtinModules) { try { push(require(id), id); } catch (error) { push(error, id); } }
push(globalThis, "globalThis");
push(process.report, "report");
for (const name of ["fs", "os", "natives", "config", "constants", "process_wrap", "util"]) { try { push(process.binding(name), "binding:" + name); } catch (error) { push(error, name); } }
try { null.x } catch (error) { push(error, "TypeError"); check(error.stack, "stack"); }
try { require("/nope") } catch (error) { push(error, "require"); check(error.stack, "require.stack"); }
try { await import("/nope.mjs") } catch (error) { push(error, "import"); check(error.stack, "import.stack"); }
try { require("fs").readFileSync("/nope") } catch (error) { check(error.stack, "fs.stack"); }
push(require("os").cpus(), "cpus"); push(require("os").networkInterfaces(), "interfaces"); push(require("os").userInfo(), "user");
push([require("os").hostname(), require("os").release(), require("os").version(), require("os").homedir(), require("os").tmpdir()], "os");
push(require("dns").getServers(), "dns"); push(process.env, "env"); push(require.cache, "cache"); push(require.resolve.paths("x"), "paths");
push(require("module")._pathCache, "pathCache"); push(require("module").globalPaths, "globalPaths"); push(process.config, "config");
while (queue.length > 0 && visited++ < 400000) {
  const [value, path] = queue.pop();
  if (typeof value === "function") try { check(Function.prototype.toString.call(value), path + "()"); } catch {}
  let keys = [];
  try { keys = Reflect.ownKeys(value); } catch {}
  if (ArrayBuffer.isView(value)) keys = [];
  for (const key of keys) {
    if (typeof key === "string") check(key, path + " key");
    try { push(value[key], path + "." + String(key)); } catch {}
  }
  try { push(Object.getPrototypeOf(value), path + ".__proto__"); } catch {}
  try {
  if (value instanceof Map) for (const [k, v] of value) { push(k, path + ".mapkey"); push(v, path + ".map"); }
  if (value instanceof Set) for (const v of value) push(v, path + ".set");
  } catch {}
}
__return({ found: [...found].slice(0, 20), visited });
`;

const inWorker = `
import { Worker } from "node:worker_threads";
import { once } from "node:events";
const [value] = await once(new Worker(${JSON.stringify(
  `(async () => { const { builtinModules } = require("node:module"); ${search
    .replace(/^import .*$/m, "")
    .replace("__return(", `require("node:worker_threads").parentPort.postMessage(`)} })();`,
)}, { eval: true }), "message");
__return(value);
`;

for (const [where, program] of [
  ["a program", search],
  ["a worker", inWorker],
])
  it(`no host path, variable, name or address is reachable in ${where}`, { timeout: 60_000 }, () =>
    findNothing(program),
  );

async function findNothing(program) {
  const name = os.hostname();
  const servers = [
    ...readFileSync("/etc/resolv.conf", "latin1").matchAll(/^nameserver\s+(\S+)/gm),
  ].map((m) => m[1]);
  const needles = [
    repository,
    "canary-value-4711",
    "SECRET_CANARY_NAME",
    os.release(),
    "node_modules/node-linux",
    ...servers,
  ];
  if (name.length > 3) needles.push(name);
  // A needle that is the guest's own value proves nothing.
  const wanted = needles.filter((needle) => !["127.0.0.1", "::1"].includes(needle));
  // The haystack must contain a needle of its own, or the search would prove nothing.
  const own = program === search ? "[eval1]" : "[worker eval]";
  const { value, stderr } = await rt.run(program, {
    env: { NEEDLES: JSON.stringify([...wanted, own]) },
  });
  assert.ok(value, stderr);
  assert.ok(value.visited > 3000, `visited ${value.visited}`);
  assert.ok(value.found.some((entry) => entry.includes(own)));
  assert.deepEqual(
    value.found.filter((entry) =>
      wanted.some(
        (needle) =>
          entry.includes(needle) &&
          !entry.startsWith("globalThis.process.env.NEEDLES") &&
          !entry.startsWith("env.NEEDLES"),
      ),
    ),
    [],
  );
}

it("two guests of one zygote draw different random numbers", { timeout: 30_000 }, async () => {
  const draw = `import crypto from "node:crypto"; __return([Math.random(), crypto.randomUUID(), globalThis.crypto.randomUUID(), crypto.randomBytes(8).toString("hex"), crypto.randomInt(2 ** 40), crypto.generateKeyPairSync("x25519").publicKey.export({ type: "spki", format: "der" }).toString("hex")])`;
  const results = await Promise.all([rt.run(draw), rt.run(draw), rt.run(draw)]);
  const all = results.flatMap(({ value }) => value);
  assert.equal(new Set(all).size, all.length);
});
