import assert from "node:assert/strict";
import { test } from "node:test";
import { NodeRuntime } from "../../dist/index.js";
import { add, machine } from "../support/machines.mjs";

/** A program that returns what a call resolves or rejects with. */
const attempt = (call) => `
  __return(await ${call}.then(
    (value) => ({ value: value === undefined ? "undefined" : value }),
    (e) => ({ name: e.name, message: e.message, code: e.code, path: e.path, keys: Object.keys(e), error: e instanceof Error }),
  ));`;

test("the seed's example: a plugin calls a tool by name", async () => {
  const runtime = await machine({
    tools: {
      lookupUser: {
        inputSchema: { type: "object", properties: { id: { type: "string" } }, required: ["id"] },
        handler: ({ id }) => ({ id, name: id === "u_1" ? "Ada Lovelace" : "Unknown" }),
      },
    },
  });
  const { value } = await runtime.run(`
    const user = await callHostTool("lookupUser", { id: "u_1" });
    __return(user);`);
  assert.deepEqual(value, { id: "u_1", name: "Ada Lovelace" });
  for (const call of [
    `callHostTool("lookup-user", { id: "u_1" })`,
    `callBinding("lookupUser", { id: "u_1" })`,
    `globalThis.callHostTool("lookupUser", { id: "u_1" })`,
  ]) {
    assert.equal((await runtime.run(attempt(call))).value.value.name, "Ada Lovelace");
  }
});

test("exec, run, spawn and the resident runner have it", async () => {
  const seen = [];
  const runtime = await machine({ tools: { note: { handler: ({ text }) => seen.push(text) } } });
  const program = (text) => `await callHostTool("note", { text: "${text}" }); console.log("done")`;
  assert.equal((await runtime.exec(program("exec"))).stdout, "done\n");
  await runtime.run(program("run"));
  const spawned = await runtime.spawn(program("spawn"));
  assert.equal(await spawned.wait(), 0);
  const runner = await runtime.createResidentRunner();
  assert.equal((await runner.exec(program("resident"))).stdout, "done\n");
  await runner.exec(program("again"));
  await runner.dispose();
  assert.deepEqual(seen, ["exec", "run", "spawn", "resident", "again"]);
});

test("worker threads have it, each with its own answers", async () => {
  const runtime = await machine({ tools: { add } });
  const { value } = await runtime.run(`
    import { Worker } from "node:worker_threads";
    const text = 'callHostTool("add", { a: require("worker_threads").workerData, b: 1 })' +
      '.then((r) => require("worker_threads").parentPort.postMessage(r.sum))';
    const one = (a) => new Promise((resolve, reject) => {
      new Worker(text, { eval: true, workerData: a }).on("message", resolve).on("error", reject);
    });
    __return(await Promise.all([one(1), one(10), callHostTool("add", { a: 100, b: 1 }).then((r) => r.sum)]));`);
  assert.deepEqual(value, [2, 11, 101]);
});

test("tools may be registered later; that does not open the scope by itself", async () => {
  const runtime = await machine({ tools: { add } });
  await runtime.registerTools({ now: { description: "epoch ms", handler: () => 1234 } });
  assert.deepEqual((await runtime.run(attempt(`callHostTool("now")`))).value, { value: 1234 });
  await runtime.registerTools({ add: { handler: () => "replaced" } });
  assert.deepEqual((await runtime.run(attempt(`callHostTool("add", {})`))).value.value, "replaced");
  await assert.rejects(runtime.registerTools({ "x y": add }), {
    code: "ERR_SECURE_EXEC_INVALID_OPTION",
  });

  const closed = await machine();
  let called = false;
  await closed.registerTools({ late: { handler: () => (called = true) } });
  const { value } = await closed.run(attempt(`callHostTool("late")`));
  assert.equal(value.code, "EACCES");
  assert.equal(value.message, "EACCES: permission denied, late: blocked by tool.invoke policy");
  assert.equal(called, false);
});

test("the other option names mean the same", async () => {
  for (const name of ["bindings", "hostFunctions"]) {
    const runtime = await machine({ [name]: { add } });
    const { value } = await runtime.run(attempt(`callHostTool("add", { a: 1, b: 2 })`));
    assert.deepEqual(value, { value: { sum: 3 } });
  }
  await assert.rejects(NodeRuntime.create({ tools: { add }, bindings: { add } }), {
    code: "ERR_SECURE_EXEC_INVALID_OPTION",
  });
});

test("the tool scope gates single tools, by rule and by function", async () => {
  const called = [];
  const handler = (name) => ({ handler: () => called.push(name) });
  const tools = { add: handler("add"), dropTable: handler("dropTable") };
  for (const tool of [
    { default: "deny", rules: [{ mode: "allow", patterns: ["add"] }] },
    ({ name }) => name === "add",
    async ({ op, name }) => ({ allow: op === "invoke" && name === "add" }),
  ]) {
    called.length = 0;
    const runtime = await machine({ tools, permissions: { tool } });
    assert.deepEqual((await runtime.run(attempt(`callHostTool("add")`))).value, { value: 1 });
    // By its alias, too: the policy is asked about the tool, not about what it was called.
    for (const name of ["dropTable", "drop-table"]) {
      const { value } = await runtime.run(attempt(`callHostTool("${name}")`));
      assert.match(
        value.message,
        /^EACCES: permission denied, dropTable: blocked by tool\.invoke policy/,
      );
    }
    assert.deepEqual(called, ["add"]);
  }
});

test("failures arrive as errors of the guest, with nothing of the host on them", async () => {
  const runtime = await machine({
    limits: { kernelBytes: 64 * 2 ** 20 },
    tools: {
      add,
      fails: {
        handler() {
          throw Object.assign(new TypeError("not today"), { secret: "s", code: "EHOST" });
        },
      },
      slow: { timeoutMs: 10, handler: () => new Promise(() => {}) },
      nothing: { handler() {} },
    },
  });
  const of = async (call) => (await runtime.run(attempt(call))).value;
  assert.deepEqual(await of(`callHostTool("fails")`), {
    name: "TypeError",
    message: "not today",
    keys: [],
    error: true,
  });
  assert.deepEqual(await of(`callHostTool("add", { a: 1 })`), {
    name: "ToolInputSchemaViolation",
    message: "ToolInputSchemaViolation at $.b: missing required property",
    code: "ERR_TOOL_INPUT",
    path: "$.b",
    keys: ["code", "path"],
    error: true,
  });
  assert.equal((await of(`callHostTool("slow")`)).code, "ERR_TOOL_TIMEOUT");
  assert.equal((await of(`callHostTool("missing")`)).code, "ERR_TOOL_NOT_FOUND");
  assert.equal((await of(`callHostTool("__proto__")`)).code, "ERR_TOOL_NOT_FOUND");
  assert.equal((await of(`callHostTool("x".repeat(1e6))`)).code, "ERR_TOOL_NOT_FOUND");
  assert.equal((await of(`callHostTool(5)`)).name, "TypeError");
  assert.equal((await of(`callHostTool("nothing", () => 1)`)).name, "TypeError");
  assert.equal((await of(`callHostTool("nothing", 1n)`)).name, "TypeError");
  assert.equal(
    (await of(`callHostTool("nothing", { x: "x".repeat(17 * 2 ** 20) })`)).code,
    "ERR_TOOL_LIMIT",
  );
  assert.deepEqual(await of(`callHostTool("nothing")`), { value: "undefined" });
});

test("many calls at once each get their own answer", async () => {
  const runtime = await machine({ tools: { add, echo: { handler: (input) => input } } });
  const { value } = await runtime.run(`
    const calls = Array.from({ length: 3000 }, (_, i) => callHostTool(i % 2 ? "add" : "echo", { a: i, b: 1 }));
    const results = await Promise.all(calls);
    __return(results.filter((r, i) => (i % 2 ? r.sum === i + 1 : r.a === i)).length);`);
  assert.equal(value, 3000);
});

test("a tool may run guest code, also in the machine that called it", async () => {
  const runtime = await machine({
    tools: {
      evaluate: { handler: async ({ code }) => (await runtime.run(`__return(${code})`)).value },
    },
  });
  const { value } = await runtime.run(attempt(`callHostTool("evaluate", { code: "6 * 7" })`));
  assert.deepEqual(value, { value: 42 });
});

test("a handler learns that the program which called it is gone", async () => {
  let started;
  const running = new Promise((resolve) => (started = resolve));
  let aborted;
  const told = new Promise((resolve) => (aborted = resolve));
  const runtime = await machine({
    tools: {
      wait: {
        handler: (_, { signal }) =>
          new Promise((resolve) => {
            signal.addEventListener("abort", () => aborted(signal.reason.code));
            started();
            void resolve;
          }),
      },
    },
  });
  const program = await runtime.spawn(`await callHostTool("wait")`);
  await running;
  program.kill("SIGKILL");
  assert.equal(await program.wait(), 137);
  assert.equal(await told, "ERR_SECURE_EXEC_TOOL_CANCELLED");
});

test("a pending call keeps a program alive, and disposing ends it", async () => {
  let finish;
  const reached = [];
  const runtime = await machine({
    tools: {
      hold: { handler: () => new Promise((resolve) => (finish = resolve)) },
      mark: { handler: ({ at }) => (reached.push(at), at === 1 && finish("late")) },
    },
  });
  const { value } = await runtime.run(`
    const held = callHostTool("hold");
    await callHostTool("mark", { at: 1 });
    __return(await held);`);
  assert.equal(value, "late");
  const pending = runtime.run(`await callHostTool("mark", { at: 2 }); await callHostTool("hold")`);
  while (reached.length < 2) await new Promise(setImmediate);
  const rejected = assert.rejects(pending, { code: "ERR_SECURE_EXEC_DISPOSED" });
  await runtime.dispose();
  await rejected;
});
