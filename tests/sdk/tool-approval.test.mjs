// Calls that wait for a person: parked, resumed, refused, given up; and the tools as a text of types.
import assert from "node:assert/strict";
import { it } from "node:test";
import { NodeRuntime } from "../../dist/index.js";
import { machine } from "../support/machines.mjs";

const options = { timeout: 300_000 };

function deferred() {
  let resolve;
  const promise = new Promise((settle) => (resolve = settle));
  return { promise, resolve };
}

it(
  "hundreds of calls of one machine wait for approval, and others go past them",
  options,
  async () => {
    const asked = new Map();
    const parked = deferred();
    const count = 300;
    const rt = await machine({
      tools: {
        pay: {
          inputSchema: { type: "object", properties: { n: { type: "number" } }, required: ["n"] },
          handler: ({ n }) => ({ paid: n }),
          timeoutMs: 60_000,
          approval: ({ tool, input, signal }) => {
            assert.equal(tool, "pay");
            assert.equal(signal.aborted, false);
            const answer = deferred();
            asked.set(input.n, answer.resolve);
            if (asked.size === count) parked.resolve();
            return answer.promise;
          },
        },
        free: { handler: () => "at once" },
      },
    });
    const run = rt.run(`
    const calls = Array.from({ length: ${count} }, (_, n) => callHostTool("pay", { n })
      .then(({ paid }) => paid, (error) => error.code + " " + error.message));
    __return({ free: await callHostTool("free"), answers: await Promise.all(calls) });`);
    await parked.promise;
    // All wait: whoever does not is still served.
    assert.equal((await rt.run(`__return(await callHostTool("free"))`)).value, "at once");
    for (const [n, answer] of asked)
      answer(
        n % 3 === 0 ? true : n % 3 === 1 ? { approve: false, reason: "too much" } : { approve: 1 },
      );
    const { value } = await run;
    assert.equal(value.free, "at once");
    value.answers.forEach((answer, n) =>
      assert.equal(
        answer,
        [
          n,
          "ERR_TOOL_REFUSED the call of pay was not approved: too much",
          "ERR_TOOL_REFUSED the call of pay was not approved",
        ][n % 3],
      ),
    );
  },
);

it(
  "approval takes none of the handler's time, and an input is checked before anybody is asked",
  options,
  async () => {
    const asked = [];
    const rt = await machine({
      tools: {
        quick: {
          timeoutMs: 1000,
          inputSchema: { type: "object", properties: { n: { type: "number" } } },
          handler: ({ n }) => n,
          // Longer than the tool may take.
          approval: async ({ input }) => {
            asked.push(input);
            await new Promise((resolve) => setTimeout(resolve, 1500));
            return true;
          },
        },
        broken: {
          handler: () => assert.fail("ran"),
          approval: () => {
            throw new Error("a secret of the host");
          },
        },
      },
    });
    const { value } = await rt.run(`
    const said = (call) => call.catch((error) => error.code + " " + error.message);
    __return([await callHostTool("quick", { n: 5 }), await said(callHostTool("quick", { n: "5" })), await said(callHostTool("broken"))]);`);
    assert.equal(value[0], 5);
    assert.match(value[1], /^ERR_TOOL_INPUT/);
    assert.equal(value[2], "ERR_TOOL_REFUSED the call of broken was not approved");
    assert.deepEqual(asked, [{ n: 5 }]);
  },
);

it("an approval that nobody waits for any more is told so", options, async () => {
  const asked = deferred();
  const aborted = deferred();
  const rt = await machine({
    tools: {
      wait: {
        handler: () => assert.fail("ran"),
        approval: ({ signal }) => {
          signal.addEventListener("abort", () => aborted.resolve());
          asked.resolve();
          return aborted.promise.then(() => true);
        },
      },
    },
  });
  const proc = await rt.spawn(`await callHostTool("wait")`);
  await asked.promise;
  proc.kill("SIGKILL");
  await aborted.promise;
  await assert.rejects(NodeRuntime.create({ tools: { bad: { handler() {}, approval: true } } }), {
    code: "ERR_SECURE_EXEC_INVALID_OPTION",
  });
});

it("tools are a text of types", options, async () => {
  const rt = await machine({
    tools: {
      now: { description: "The time.\nIn */ UTC.", handler: () => 1 },
      find: {
        inputSchema: {
          type: "object",
          required: ["kind", "where"],
          properties: {
            kind: { enum: ["user", "group", 3, null] },
            where: { $ref: "#/$defs/place" },
            "max-count": { type: ["integer", "null"], description: "At most." },
            pair: {
              type: "array",
              prefixItems: [{ type: "string" }, { const: { a: 1 } }],
              items: false,
            },
            tags: { type: "array", items: { anyOf: [{ type: "string" }, { type: "boolean" }] } },
            none: { type: "object", additionalProperties: false },
            map: { type: "object", additionalProperties: { type: "number" } },
          },
          $defs: { place: { type: "object", properties: { next: { $ref: "#/$defs/place" } } } },
        },
        handler: () => [],
      },
    },
  });
  const text = await rt.toolTypes();
  assert.match(
    text,
    /^declare function callHostTool\(name: "find", input: \{\n {2}kind: "user" \| "group" \| 3 \| null;\n/,
  );
  for (const line of [
    '  /** At most. */\n  "max-count"?: number | null;\n',
    '  pair?: [string, { "a": 1 }];\n',
    "  tags?: Array<string | boolean>;\n",
    "  none?: Record<string, never>;\n",
    "  map?: Record<string, number>;\n",
    '/**\n * The time.\n * In *\\/ UTC.\n */\ndeclare function callHostTool(name: "now", input?: Record<string, unknown>): Promise<any>;\n',
  ])
    assert.ok(text.includes(line), `${line} in ${text}`);
  // As the engine's own reader of TypeScript sees it.
  assert.equal((await rt.exec(`${text}\nconsole.log(1)`, { language: "ts" })).stdout, "1\n");
});

it(
  "a schema whose references go round and branch is a bounded text of types",
  options,
  async () => {
    const names = Array.from({ length: 7 }, (_, at) => `p${at}`);
    const rt = await machine({
      tools: {
        round: {
          inputSchema: {
            type: "object",
            properties: Object.fromEntries(
              names.map((name) => [name, { $ref: "#", description: "d".repeat(2000) }]),
            ),
          },
          handler: () => 1,
        },
        plain: {
          inputSchema: { type: "object", properties: { n: { type: "number" } } },
          handler() {},
        },
      },
    });
    const text = await rt.toolTypes();
    assert.ok(text.length < 1024 * 1024, `${text.length} characters`);
    assert.match(text, /name: "plain", input\?: \{\n {2}n\?: number;\n\}/);
    assert.match(text, /p6\?: unknown;/);
    assert.equal((await rt.exec(`${text}\nconsole.log(1)`, { language: "ts" })).stdout, "1\n");
  },
);
