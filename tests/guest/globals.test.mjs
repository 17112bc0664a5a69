/** What a program finds on its global object and in the global scope: plain Node's names, and none of this runtime's. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { machine } from "../support/machines.mjs";
import { plainNode } from "../support/plain-node.mjs";

const rt = await machine({});
const both = async (args) => {
  const plain = plainNode(args);
  const { stdout, stderr, exitCode } = await rt.execCommand("node", args);
  assert.equal(plain.status, 0, plain.stderr);
  assert.equal(exitCode, 0, stderr);
  return [JSON.parse(stdout), JSON.parse(plain.stdout)];
};
const names = (what) =>
  `JSON.stringify(Reflect.ownKeys(${what}).map((key) => {
    const { enumerable, configurable, writable } = Reflect.getOwnPropertyDescriptor(${what}, key);
    return [String(key), enumerable, configurable, writable];
  }).sort())`;

/** What the bootstrap and its modules declare, and what an engine with --expose-internals has. */
const ours =
  "main load sources programs program guest other id filename internalBinding requireBuiltin primordials loader preload builtins begin start compiler eager setFlagsFromString BuiltinModule hostRequire makeLoader sourceOf preloading webName".split(
    " ",
  );

/** Made by the first touch of `fetch` in plain Node, and for good: guests are forked after it. */
const touched = /^Symbol\(undici\.globalDispatcher\.\d\)$/;
/** Refused to guests: docs/compatibility.md. */
const refused = /^(node:ffi|trace_events),/;
const compare = ([got, plain]) => {
  const rows = (list) => list.filter(([name]) => !touched.test(name)).map(String);
  const [mine, theirs] = [rows(got), rows(plain)];
  assert.ok(theirs.length > 50);
  assert.deepEqual(
    {
      extra: mine.filter((row) => !theirs.includes(row)),
      missing: theirs.filter((row) => !mine.includes(row) && !refused.test(row)),
    },
    { extra: [], missing: [] },
  );
};

test("a script may declare any name, and none of the launcher's is in scope", async () => {
  const found = await both([
    "-p",
    `JSON.stringify(${JSON.stringify(ours)}.filter((name) => eval("typeof " + name) !== "undefined"))`,
  ]);
  assert.deepEqual(found, [[], []]);
  const declarations = ours.map((name) => `const ${name} = 1;`).join(" ");
  for (const text of [
    `${declarations} console.log("[1]")`,
    `var vm = 2, load = 3; function main() {} console.log("[1]")`,
  ])
    assert.deepEqual(await both(["-e", text]), [[1], [1]]);
});

for (const [how, args] of Object.entries({
  "node -e": (what) => ["-e", `console.log(${names(what)})`],
  "node -e, a module": (what) => ["--input-type=module", "-e", `console.log(${names(what)})`],
  "node -p": (what) => ["-p", names(what)],
})) {
  test(`${how}: the global object has plain Node's names`, async () => {
    compare(await both(args("globalThis")));
  });
}

test("in a worker, too", async () => {
  const text = `new (require("worker_threads").Worker)(${JSON.stringify(`console.log(${names("globalThis")})`)}, { eval: true })`;
  compare(await both(["-e", text]));
});
