// The adapters that run a model's code: Cloudflare's executor and TanStack's isolate driver.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createExecutor } from "secure-exec/codemode";
import { createIsolateDriver } from "secure-exec/tanstack";

const it = (name, body) => test(name, { timeout: 120_000 }, body);

it("codemode: providers, connectors, preludes and modules meet in one run", async () => {
  const executor = createExecutor({
    modules: { "helpers.js": 'export const greet = (name) => "hello " + name;' },
  });
  const providers = [
    {
      name: "codemode",
      fns: { "add-up": async ({ a, b }) => a + b },
      prelude: "codemode.twice = async (n) => n * 2;",
    },
  ];
  const connectors = [
    { name: "notes", binding: { callTool: async (method, args) => ({ method, args }) } },
  ];
  const code = `
    const { greet } = await import("helpers.js");
    const sum = await codemode.add_up({ a: 1, b: await codemode.twice(2) });
    console.warn("careful");
    ({ sum, note: await notes.list({ of: 1 }), greeting: greet("you") })`;
  assert.deepEqual(await executor.execute("```js\n" + code + "\n```", providers, { connectors }), {
    result: { sum: 5, note: { method: "list", args: { of: 1 } }, greeting: "hello you" },
    logs: ["[warn] careful"],
  });
});

it("codemode: what is wrong is an answer", async () => {
  const executor = createExecutor({ timeout: 1500 });
  const errorOf = async (code, providers = [], options) =>
    (await executor.execute(code, providers, options)).error;
  const fns = { f: async () => 1 };
  assert.match(await errorOf("1", [{ name: "Promise", fns }]), /"Promise" is reserved/);
  assert.match(await errorOf("1", [{ name: "a b", fns }]), /not a valid JavaScript identifier/);
  assert.match(
    await errorOf("1", [
      { name: "a", fns },
      { name: "a", fns },
    ]),
    /Duplicate provider/,
  );
  const both = { "a-b": fns.f, a_b: fns.f };
  assert.match(await errorOf("1", [{ name: "a", fns: both }]), /both sanitize to "a_b"/);
  assert.match(await errorOf("a.missing()", [{ name: "a", fns }]), /"missing" not found/);
  assert.match(await errorOf("a.toString()", [{ name: "a", fns }]), /"toString" not found/);
  assert.match(await errorOf("for (;;) {}"), /timed out/);
  const binding = { callTool: async () => ({ __codemode_control__: "pause" }) };
  assert.equal(
    await errorOf("n.list()", [], { connectors: [{ name: "n", binding }] }),
    "__CODEMODE_PAUSE__",
  );
});

it("tanstack: a context runs code against its bindings until it is disposed", async () => {
  const binding = {
    name: "lookup",
    description: "",
    inputSchema: { type: "object" },
    execute: async ({ id }) => ({ id, name: "Ada" }),
  };
  const driver = createIsolateDriver({ timeout: 20_000 });
  const context = await driver.createContext({ bindings: { lookup: binding }, memoryLimit: 48 });
  const code = "console.error('e'); return (await lookup({ id: 7 })).name";
  assert.deepEqual(await context.execute(code), {
    success: true,
    value: "Ada",
    logs: ["ERROR: e"],
  });
  const failed = await context.execute("throw new TypeError('no')");
  assert.deepEqual(
    [failed.success, failed.error.name, failed.error.message],
    [false, "TypeError", "no"],
  );
  await context.dispose();
  assert.equal((await context.execute("return 1")).error.name, "DisposedError");
});
