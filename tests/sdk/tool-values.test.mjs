// Host tools with more than JSON: bytes, structured values, results that come one by one, and namespaces.
import assert from "node:assert/strict";
import { test } from "node:test";
import { fromMcp } from "../../dist/ports/mcp/index.js";
import { machine } from "../support/machines.mjs";
import { until } from "../support/processes.mjs";

const it = (name, body) => test(name, { timeout: 120_000 }, body);

async function valueOf(rt, program, options) {
  const { value, stderr } = await rt.run(program, options);
  assert.equal(stderr, "");
  return value;
}

it("bytes cross in both directions, in JSON that is otherwise what it was", async () => {
  const got = [];
  const rt = await machine({
    tools: {
      flip: {
        inputSchema: {
          type: "object",
          properties: { image: {}, name: { type: "string" } },
          required: ["image"],
        },
        handler: (input) => {
          got.push(input);
          const image = new Uint8Array(input.image);
          return {
            image: image.map((byte) => byte ^ 0xff),
            whole: image.buffer.slice(0),
            name: input.name,
          };
        },
      },
    },
  });
  const value = await valueOf(
    rt,
    `const result = await callHostTool("flip", { image: Uint8Array.of(0, 1, 254), name: "a" });
    const again = await callHostTool("flip", { image: Uint8Array.of(7).buffer });
    __return([result.image instanceof Uint8Array, [...result.image], result.whole instanceof ArrayBuffer, result.name, [...again.image], "name" in again]);`,
  );
  assert.deepEqual(value, [true, [255, 254, 1], true, "a", [248], true]);
  assert.ok(got[0].image instanceof Uint8Array && got[1].image instanceof ArrayBuffer);
  const [refused] = await valueOf(
    rt,
    `const bad = await callHostTool("flip", { image: 1, name: Uint8Array.of(1) }).catch((error) => error);
    const map = await callHostTool("flip", { image: new Map() }, { encoding: "structured" }).catch((error) => error);
    __return([[bad.code, bad.path, map.code, map.message]]);`,
  );
  assert.deepEqual(refused, [
    "ERR_TOOL_INPUT",
    "$.name",
    "ERR_TOOL_INPUT",
    "ToolInputSchemaViolation at $: the tool takes JSON and bytes",
  ]);
});

it("encoding: structured carries maps, dates, BigInt and cycles", async () => {
  const rt = await machine({
    tools: {
      echo: {
        encoding: "structured",
        handler: (input) => {
          assert.ok(input.map instanceof Map && input.when instanceof Date && input.self === input);
          return { ...input, big: input.big * 2n };
        },
      },
      plain: { handler: () => new Map([[1, 2]]) },
    },
  });
  const value = await valueOf(
    rt,
    `const input = { map: new Map([["a", new Set([1])]]), when: new Date(5), big: 2n ** 70n };
    input.self = input;
    __return([await callHostTool("echo", input, { encoding: "structured" }), await callHostTool("plain")]);`,
    { encoding: "structured" },
  );
  const [echoed, plain] = value;
  assert.deepEqual(echoed.map, new Map([["a", new Set([1])]]));
  assert.deepEqual([echoed.when.getTime(), echoed.big], [5, 2n ** 71n]);
  assert.deepEqual(plain, {});
});

it("an async iterable is read one by one, no faster than the program wants it", async () => {
  const made = [];
  let finished = 0;
  const rt = await machine({
    tools: {
      count: {
        inputSchema: { type: "object", properties: { to: { type: "number" } } },
        handler: async function* ({ to = 3 }) {
          try {
            for (let at = 1; at <= to; at++) {
              made.push(at);
              yield at === 2 ? { bytes: Uint8Array.of(at) } : at;
            }
          } finally {
            finished++;
          }
        },
      },
      fails: {
        handler: async function* () {
          yield 1;
          throw Object.assign(new TypeError("the source ran dry"), { secret: "host" });
        },
      },
      stuck: {
        timeoutMs: 50,
        handler: async function* () {
          yield 1;
          await new Promise(() => {});
        },
      },
    },
  });
  const all = await valueOf(
    rt,
    `const all = [];
    for await (const one of await callHostTool("count")) all.push(one?.bytes ? [...one.bytes] : one);
    __return(all);`,
  );
  assert.deepEqual([all, made, finished], [[1, [2], 3], [1, 2, 3], 1]);
  made.length = 0;
  // Left in the middle: nothing beyond what was asked for was made.
  const some = await valueOf(
    rt,
    `const some = [];
    for await (const one of await callHostTool("count", { to: 1e9 })) { some.push(1); if (some.length === 3) break; }
    __return(some.length);`,
  );
  assert.deepEqual([some, made, finished], [3, [1, 2, 3], 2]);
  const errors = await valueOf(
    rt,
    `const errors = [];
    for (const name of ["fails", "stuck"]) {
      const got = [];
      try { for await (const one of await callHostTool(name)) got.push(one); } catch (error) { errors.push([got.length, error.name, error.message, error.secret]); }
    }
    __return(errors);`,
  );
  assert.deepEqual(errors, [
    [1, "TypeError", "the source ran dry", null],
    [1, "ToolTimeout", "the host tool stuck gave no further value within 50ms", null],
  ]);
});

it("a program that ends gives its streams up, and none reads another's", async () => {
  const ended = [];
  const signals = [];
  const rt = await machine({
    tools: {
      endless: {
        handler: async function* (_, { signal }) {
          signals.push(signal);
          try {
            for (;;) yield 1;
          } finally {
            ended.push(1);
          }
        },
      },
    },
  });
  const limits = await valueOf(
    rt,
    `const streams = [];
    let error;
    for (let i = 0; i < 70; i++) try { const stream = await callHostTool("endless"); await stream.next(); streams.push(stream); } catch (thrown) { error = thrown.code; }
    __return([streams.length, error]);`,
  );
  assert.deepEqual(limits, [64, "ERR_TOOL_LIMIT"]);
  // What the program has left is given up by the time its result is there, or a turn later.
  await until(() => ended.length === 64);
  assert.ok(signals.every(({ aborted }) => aborted));
});

it("namespaces are objects of the program, with types, search and description", async () => {
  const rt = await machine({
    tools: {
      github: {
        issues: {
          list: { description: "List the issues of a repository", handler: () => ["one"] },
        },
        whoAmI: { description: "The name of the user", handler: () => "ada" },
      },
      add: { description: "Add numbers", handler: ({ a, b }) => a + b },
    },
    permissions: {
      tool: { default: "deny", rules: [{ mode: "allow", patterns: ["github.*", "add"] }] },
    },
  });
  const value = await valueOf(
    rt,
    `const awaited = await tools.github;
    __return([await tools.github.issues.list(), await tools.github.whoAmI({}), await tools.add({ a: 1, b: 2 }), await callHostTool("github.whoAmI"),
      typeof awaited, tools.$search("issues of a repository"), tools.$describe("github.whoAmI").description, tools.$describe("nobody") ?? null,
      await tools.github.nothing().catch((error) => error.code)]);`,
  );
  assert.deepEqual(value, [
    ["one"],
    "ada",
    3,
    "ada",
    "function",
    [{ name: "github.issues.list", description: "List the issues of a repository" }],
    "The name of the user",
    null,
    "ERR_TOOL_NOT_FOUND",
  ]);
  const types = await rt.toolTypes();
  assert.match(
    types,
    /declare const tools: \{\n {2}add\(input\?: Record<string, unknown>\): Promise<any>;|declare const tools: \{/,
  );
  assert.match(
    types,
    /github: \{\n {4}issues: \{\n {6}\/\*\* List the issues of a repository \*\/\n {6}list\(/,
  );
  const { stdout } = await rt.execCommand("github.whoAmI");
  assert.equal(stdout, '{"ok":true,"result":"ada"}\n');
});

it("tools of an MCP server have a namespace of their own", async () => {
  const client = {
    listTools: async () => ({ tools: [{ name: "echo", inputSchema: { type: "object" } }] }),
    callTool: async ({ arguments: given }) => ({
      content: [{ type: "text", text: JSON.stringify(given) }],
    }),
  };
  const rt = await machine({ tools: await fromMcp(client, { namespace: "server" }) });
  assert.equal(await valueOf(rt, `__return(await tools.server.echo({ a: 1 }))`), '{"a":1}');
});

it("a recording has streams and bytes, and replays them", async () => {
  let calls = 0;
  const tools = {
    stream: {
      handler: async function* () {
        calls++;
        yield Uint8Array.of(1);
        yield 2;
      },
    },
  };
  const options = { deterministic: { seed: 1 }, tools };
  const recorded = await machine({ ...options, record: true });
  const program = `const all = []; for await (const one of await callHostTool("stream")) all.push(Number(one)); __return(all);`;
  const { recording, value } = await recorded.run(program);
  assert.deepEqual([value, calls], [[1, 2], 1]);
  const again = await machine(options);
  assert.deepEqual([(await again.replay(recording)).value, calls], [[1, 2], 1]);
});

it("inputs and results may be as long as limits.valueBytes, in any form", async () => {
  const most = 16 * 2 ** 20;
  const given = [];
  const tools = {
    echo: {
      handler: (input) => {
        given.push(input);
        return input;
      },
    },
    make: {
      handler: ({ bytes, length }) => (bytes ? new Uint8Array(length).fill(7) : "x".repeat(length)),
    },
    keep: { encoding: "structured", handler: (input) => new Map([["whole", input]]) },
  };
  // What has been sent of inputs counts there.
  const rt = await machine({ tools, limits: { kernelBytes: 8 * most, memoryBytes: 64 * most } });
  const program = `
    const code = (promise) => promise.then(() => "allowed", (error) => error.name + " " + error.code);
    const text = "\u20ac".repeat(5_000_000);
    const bytes = new Uint8Array(${most} - 100).fill(3);
    const [same, back, map] = await Promise.all([
      callHostTool("echo", { text }),
      callHostTool("echo", { bytes }),
      callHostTool("keep", { bytes, at: new Date(5) }, { encoding: "structured" }),
    ]);
    const whole = map.get("whole");
    __return({
      text: same.text === text,
      bytes: Buffer.compare(Buffer.from(back.bytes), Buffer.from(bytes)),
      structured: [Buffer.compare(Buffer.from(whole.bytes), Buffer.from(bytes)), whole.at.getTime()],
      results: [(await callHostTool("make", { length: ${most} - 2 })).length, (await callHostTool("make", { bytes: true, length: ${most} - 100 })).length],
      over: await Promise.all([
        code(callHostTool("echo", "x".repeat(${most}))),
        code(callHostTool("echo", new Uint8Array(${most} + 1))),
        code(callHostTool("make", { length: ${most} - 1 })),
        code(callHostTool("make", { bytes: true, length: ${most} })),
        code(callHostTool("none", "x".repeat(${most} / 2))),
      ]),
    });`;
  const { value, usage, stderr } = await rt.run(program);
  assert.equal(stderr, "");
  assert.deepEqual(value, {
    text: true,
    bytes: 0,
    structured: [0, 5],
    results: [most - 2, most - 100],
    over: [
      "ToolLimit ERR_TOOL_LIMIT",
      "ToolLimit ERR_TOOL_LIMIT",
      "ToolResultError ERR_TOOL_LIMIT",
      "ToolResultError ERR_TOOL_LIMIT",
      "ToolNotFound ERR_TOOL_NOT_FOUND",
    ],
  });
  // Neither parts of an input nor those of a result are calls.
  assert.equal(usage.toolCalls, 7);
  assert.equal(given.find(({ text }) => text !== undefined).text.length, 5_000_000);

  const large = await machine({ tools, limits: { valueBytes: 2 * most, kernelBytes: 4 * most } });
  assert.equal(
    await valueOf(
      large,
      `__return((await callHostTool("echo", { text: "x".repeat(${most} + 10) })).text.length)`,
    ),
    most + 10,
  );
  const plain = await machine({ tools });
  assert.deepEqual(
    await valueOf(
      plain,
      `const { text } = await callHostTool("echo", { text: "x".repeat(12_000_000) });
       __return([text.length, await callHostTool("echo", "x".repeat(${most} - 2)).catch(({ code }) => code)]);`,
    ),
    [12_000_000, "ENOMEM"],
  );
  const small = await machine({ tools, limits: { valueBytes: 1024 } });
  const lengths = await valueOf(
    small,
    `const { text } = await callHostTool("echo", { text: "x".repeat(4_000_000) });
     __return([text.length, await callHostTool("echo", "x".repeat(5_000_000)).catch(({ code }) => code)]);`,
  );
  assert.deepEqual(lengths, [4_000_000, "ERR_TOOL_LIMIT"]);
});

it("what is refused, given up or recorded leaves no part of a long value behind", async () => {
  const length = 6_000_000;
  let called = () => {};
  const tools = {
    secret: { handler: () => 1 },
    hangs: {
      handler: () => {
        called();
        return new Promise(() => {});
      },
    },
    size: { handler: ({ text }) => text.length },
    text: { handler: () => "y".repeat(length) },
  };
  const rt = await machine({
    tools,
    permissions: { tool: { default: "allow", rules: [{ mode: "deny", patterns: ["secret"] }] } },
  });
  const refused = await valueOf(
    rt,
    `const codes = new Set();
     for (let at = 0; at < 20; at++) codes.add(await callHostTool("secret", "x".repeat(${length})).catch(({ code }) => code));
     __return([[...codes], await callHostTool("size", { text: "x".repeat(${length}) })]);`,
  );
  // Three of them would be more than the machine may have in its kernel.
  assert.deepEqual(refused, [["EACCES"], length]);
  const there = new Promise((resolve) => (called = resolve));
  const waits = await rt.spawn(`await callHostTool("hangs", { text: "x".repeat(${length}) })`);
  await there;
  waits.kill("SIGKILL");
  assert.equal(await waits.wait(), 137);
  const again = `__return(await callHostTool("size", { text: "x".repeat(${2 * length}) }))`;
  assert.equal(await valueOf(rt, again), 2 * length);

  const options = { tools, deterministic: { seed: 1 } };
  const recorded = await machine({ ...options, record: true });
  const program = `const text = await callHostTool("text");
    __return([text.length, await callHostTool("size", { text }), (await callHostTool("text")).at(-1)]);`;
  const first = await recorded.run(program);
  assert.deepEqual(first.value, [length, length, "y"]);
  const replayed = await (await machine(options)).replay(first.recording);
  assert.deepEqual(replayed.value, first.value);
});
