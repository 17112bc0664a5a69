// What an MCP server's owner adds to it, the machine's files as resources, and what a server says and asks of itself.
import assert from "node:assert/strict";
import { once } from "node:events";
import { PassThrough } from "node:stream";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { McpServer, serveMcpHttp, serveStdio } from "secure-exec/mcp";
import { z } from "zod";

const it = (name, body) => test(name, { timeout: 120_000 }, body);
const request = (id, method, params) => ({ jsonrpc: "2.0", id, method, params });
const call = (id, name, given, meta) =>
  request(id, "tools/call", {
    name,
    arguments: given,
    ...(meta !== undefined && { _meta: meta }),
  });
const initialize = (capabilities = {}) =>
  request(0, "initialize", { protocolVersion: "2025-11-25", capabilities });

/** A server, and what it has said of itself. */
async function server(t, options) {
  const made = new McpServer(options);
  t.after(() => made.dispose());
  const said = [];
  const outlet = { send: (message) => said.push(message) };
  const ask = async (message) => made.handle(message, outlet);
  const result = async (message) => (await ask(message)).result;
  return { made, said, outlet, ask, result };
}

it("tools of the owner's: inputs by their schema, content, failures, no name twice", async (t) => {
  const tools = {
    twice: {
      description: "Doubles",
      inputSchema: {
        type: "object",
        properties: { n: { type: "integer", maximum: 10 } },
        required: ["n"],
      },
      annotations: { readOnlyHint: true },
      handler: ({ n }) => ({
        content: [
          { type: "text", text: String(2 * n) },
          { type: "image", data: new Uint8Array([1, 2, 3]), mimeType: "image/png" },
          { type: "resource", resource: { uri: "x://y", blob: new Uint8Array([4]) } },
        ],
        structuredContent: { doubled: 2 * n },
      }),
    },
    fails: {
      description: "Throws",
      handler: () => {
        throw new TypeError("it does");
      },
    },
  };
  const { result } = await server(t, { tools, machineTools: false });
  const { tools: listed } = await result(request(1, "tools/list"));
  assert.deepEqual(
    listed.map(({ name, handler, inputSchema, annotations }) => [
      name,
      handler,
      Object.keys(inputSchema.properties ?? {}),
      annotations,
    ]),
    [
      ["twice", undefined, ["n"], { readOnlyHint: true }],
      ["fails", undefined, [], undefined],
    ],
  );
  assert.deepEqual(await result(call(2, "twice", { n: 4 })), {
    content: [
      { type: "text", text: "8" },
      { type: "image", data: "AQID", mimeType: "image/png" },
      { type: "resource", resource: { uri: "x://y", blob: "BA==" } },
    ],
    structuredContent: { doubled: 8 },
    isError: false,
  });
  for (const n of ["4", 11, 1.5]) {
    const { isError } = await result(call(3, "twice", { n }));
    assert.equal(isError, true);
  }
  assert.deepEqual(await result(call(4, "fails")), {
    content: [{ type: "text", text: "it does" }],
    isError: true,
  });
  assert.equal((await result(call(5, "fails", { more: 1 }))).isError, true);
  const wrong = { a: { description: "a", inputSchema: { type: "objekt" }, handler: () => "" } };
  assert.throws(() => new McpServer({ tools: wrong }), /tools\.a\.inputSchema\.type must be of/);
  const twin = { run_code: { description: "another", handler: () => "" } };
  assert.throws(() => new McpServer({ tools: twin }), /two tools would have the name run_code/);
});

it("an input that a schema would judge for years is refused, and others are answered meanwhile", async (t) => {
  const { result } = await server(t, {
    machineTools: false,
    tools: {
      named: {
        inputSchema: {
          type: "object",
          properties: { name: { type: "string", pattern: "^([a-z]+)+$" } },
        },
        handler: ({ name }) => name,
      },
    },
  });
  const order = [];
  const ask = async (id, name) => {
    const { content, isError } = await result(call(id, "named", { name }));
    order.push(id);
    return [isError, content[0].text];
  };
  const [slow, pong, deep] = await Promise.all([
    ask(1, `${"a".repeat(60)}!`),
    result(request(2, "ping")).then((said) => (order.push(2), said)),
    ask(3, JSON.parse(`${"[".repeat(200_000)}${"]".repeat(200_000)}`)),
  ]);
  assert.deepEqual(slow, [true, "named: $: the tool's schema did not decide within 1000ms"]);
  assert.deepEqual(pong, {});
  assert.deepEqual(deep, [true, "arguments are nested too deeply"]);
  assert.deepEqual(order, [2, 3, 1]);
  assert.deepEqual(await ask(4, "abc"), [false, "abc"]);
});

it("a tool's schema may be one of zod", async (t) => {
  const tools = {
    adds: {
      description: "Adds",
      inputSchema: z.object({ a: z.number(), b: z.number().default(1) }),
      handler: ({ a, b }) => String(a + b),
    },
  };
  const { result } = await server(t, { tools, machineTools: false });
  const [{ inputSchema }] = (await result(request(1, "tools/list"))).tools;
  assert.deepEqual(Object.keys(inputSchema.properties), ["a", "b"]);
  assert.equal((await result(call(2, "adds", { a: 2 }))).content[0].text, "3");
  const refused = await result(call(3, "adds", { a: "2" }));
  assert.equal(refused.isError, true);
  assert.match(refused.content[0].text, /^adds: \$\.a: /);
});

it("a tool that takes too long is told so, and so is its caller", async (t) => {
  let told;
  const tools = {
    waits: {
      description: "Never answers",
      timeoutMs: 20,
      handler: (_input, { signal }) =>
        new Promise(() => signal.addEventListener("abort", () => (told = signal.reason.message))),
    },
  };
  const { result } = await server(t, { tools, machineTools: false });
  const { isError, content } = await result(call(1, "waits"));
  assert.deepEqual([isError, content[0].text], [true, "no answer within 20 ms"]);
  assert.equal(told, "no answer within 20 ms");
});

it("resources and templates of the owner's", async (t) => {
  const { ask, result } = await server(t, {
    resources: [
      { uri: "app://text", name: "text", description: "a text", read: () => "said" },
      { uri: "app://bytes", name: "bytes", mimeType: "image/png", read: () => Buffer.from([1]) },
    ],
    resourceTemplates: [
      {
        uriTemplate: "app://users/{id}/files/{+path}",
        name: "file",
        read: ({ id, path }) => `${id}: ${path}`,
        complete: { id: (value) => ["ann", "ada", "bob"].filter((id) => id.startsWith(value)) },
      },
    ],
  });
  assert.deepEqual(
    (await result(request(1, "resources/list"))).resources.map(({ uri, read }) => [uri, read]),
    [
      ["app://text", undefined],
      ["app://bytes", undefined],
    ],
  );
  const { resourceTemplates } = await result(request(2, "resources/templates/list"));
  assert.deepEqual(
    resourceTemplates.map(({ uriTemplate }) => uriTemplate),
    ["app://users/{id}/files/{+path}", "file:///{+path}"],
  );
  const read = async (uri) => (await result(request(3, "resources/read", { uri }))).contents;
  assert.deepEqual(await read("app://text"), [
    { uri: "app://text", mimeType: "text/plain", text: "said" },
  ]);
  assert.deepEqual(await read("app://bytes"), [
    { uri: "app://bytes", mimeType: "image/png", blob: "AQ==" },
  ]);
  assert.equal((await read("app://users/a%20b/files/c/d"))[0].text, "a b: c/d");
  for (const uri of ["app://none", "app://users/a/b/files/c", "app://users/%ff/files/c"])
    assert.equal((await ask(request(4, "resources/read", { uri }))).error.code, -32002, uri);
  const ref = { type: "ref/resource", uri: "app://users/{id}/files/{+path}" };
  const completed = await result(
    request(5, "completion/complete", { ref, argument: { name: "id", value: "a" } }),
  );
  assert.deepEqual(completed.completion, { values: ["ann", "ada"], total: 2, hasMore: false });
});

it("files of the machine are resources, and are watched", async (t) => {
  const { made, ask, result } = await server(t);
  const heard = new PassThrough({ objectMode: true });
  made.connect({ send: (message) => heard.write(message) });
  const list = async () => (await result(request(1, "resources/list"))).resources;
  // Nothing is made for a list.
  assert.deepEqual(await list(), []);
  await result(call(2, "write_file", { path: "a b.json", content: "{}" }));
  await result(call(3, "run_command", { command: "mkdir d; printf '\\0\\1' > d/x.png" }));
  assert.deepEqual(await list(), [
    {
      uri: "file:///workspace/a%20b.json",
      name: "a b.json",
      mimeType: "application/json",
      size: 2,
    },
  ]);
  const read = (uri) => ask(request(4, "resources/read", { uri }));
  assert.deepEqual((await read("file:///workspace/a%20b.json")).result.contents, [
    { uri: "file:///workspace/a%20b.json", mimeType: "application/json", text: "{}" },
  ]);
  assert.deepEqual((await read("file:///workspace/d/x.png")).result.contents, [
    { uri: "file:///workspace/d/x.png", mimeType: "image/png", blob: "AAE=" },
  ]);
  // The machine's root is not the host's.
  assert.equal((await read(import.meta.url)).error.code, -32002);
  assert.equal((await read("file:///workspace")).error.code, -32002);
  await result(call(5, "run_command", { command: "truncate -s 9M big" }));
  assert.match((await read("file:///workspace/big")).error.message, /over 8388608 bytes/);
  const { completion } = await result(
    request(6, "completion/complete", {
      ref: { type: "ref/resource", uri: "file:///{+path}" },
      argument: { name: "path", value: "workspace/d" },
    }),
  );
  assert.deepEqual(completion.values, ["workspace/d/"]);

  const uri = "file:///workspace/a%20b.json";
  assert.deepEqual(await result(request(7, "resources/subscribe", { uri })), {});
  await result(call(8, "run_command", { command: "echo '[1]' > 'a b.json'" }));
  const [{ method, params }] = await once(heard, "data");
  assert.deepEqual([method, params], ["notifications/resources/updated", { uri }]);
  assert.deepEqual(await result(request(9, "resources/unsubscribe", { uri })), {});
  const nowhere = { uri: "file:///nowhere/at/all" };
  assert.match((await ask(request(10, "resources/subscribe", nowhere))).error.message, /watched/);
});

it("prompts of the owner's", async (t) => {
  const prompts = {
    review: {
      description: "Reviews a file",
      arguments: [{ name: "path", required: true, complete: (value) => [`${value}.ts`] }],
      get: ({ path }) => `Review ${path}`,
    },
    shown: {
      get: () => [
        {
          role: "assistant",
          content: { type: "image", data: Buffer.from([1]), mimeType: "image/png" },
        },
      ],
    },
  };
  const { ask, result } = await server(t, { prompts });
  assert.deepEqual(await result(request(1, "prompts/list")), {
    prompts: [
      {
        name: "review",
        description: "Reviews a file",
        arguments: [{ name: "path", required: true }],
      },
      { name: "shown" },
    ],
  });
  const get = (name, given) => ask(request(2, "prompts/get", { name, arguments: given }));
  assert.deepEqual((await get("review", { path: "a.ts" })).result, {
    description: "Reviews a file",
    messages: [{ role: "user", content: { type: "text", text: "Review a.ts" } }],
  });
  assert.equal((await get("shown")).result.messages[0].content.data, "AQ==");
  for (const [name, given] of [
    ["review", {}],
    ["review", { path: 1 }],
    ["toString", {}],
  ])
    assert.equal((await get(name, given)).error.code, -32602);
  const argument = { name: "path", value: "main" };
  const ref = { type: "ref/prompt", name: "review" };
  const { completion } = await result(request(3, "completion/complete", { ref, argument }));
  assert.deepEqual(completion.values, ["main.ts"]);
});

it("progress, logs by level, and questions to the client", async (t) => {
  const tools = {
    asks: {
      description: "Asks",
      handler: async (_input, { log, progress, sample, elicit }) => {
        log("debug", "not wanted");
        log("warning", { about: 1 }, "mine");
        progress(1, 2, "half");
        const { model } = await sample({ messages: [], maxTokens: 1 });
        const { action, content } = await elicit({ message: "who?", requestedSchema: {} });
        return `${model} ${action} ${content.name}`;
      },
    },
  };
  const { made, said, outlet, result, ask } = await server(t, { tools });
  // Before the client has said what it can, it is not asked.
  assert.match((await result(call(1, "asks"))).content[0].text, /no capability "sampling"/);
  await result(initialize({ sampling: {}, elicitation: {} }));
  assert.deepEqual(await result(request(2, "logging/setLevel", { level: "warning" })), {});
  assert.equal((await ask(request(2, "logging/setLevel", { level: "loud" }))).error.code, -32602);
  said.length = 0;
  outlet.send = (message) => {
    said.push(message);
    const { id, method } = message;
    if (method === "sampling/createMessage")
      void made.handle({ jsonrpc: "2.0", id, result: { model: "m" } });
    if (method === "elicitation/create")
      void made.handle({
        jsonrpc: "2.0",
        id,
        result: { action: "accept", content: { name: "ada" } },
      });
  };
  const answer = await result(call(3, "asks", {}, { progressToken: "p" }));
  assert.equal(answer.content[0].text, "m accept ada");
  assert.deepEqual(
    said.map(({ method, params }) => [method, params]),
    [
      ["notifications/message", { level: "warning", logger: "mine", data: { about: 1 } }],
      ["notifications/progress", { progressToken: "p", progress: 1, total: 2, message: "half" }],
      ["sampling/createMessage", { messages: [], maxTokens: 1 }],
      ["elicitation/create", { message: "who?", requestedSchema: {} }],
    ],
  );
  // A client that refuses is an error of the tool.
  outlet.send = ({ id, method }) => {
    if (method === "sampling/createMessage")
      void made.handle({ jsonrpc: "2.0", id, error: { code: -1, message: "not today" } });
  };
  assert.match((await result(call(4, "asks"))).content[0].text, /not today/);
  // And without a way to it there is no question.
  assert.match((await made.handle(call(5, "asks"))).result.content[0].text, /no way to ask/);
});

it("a cancelled call takes its question back", async (t) => {
  const tools = {
    asks: { description: "Asks", timeoutMs: 0, handler: (_input, { elicit }) => elicit({}) },
  };
  const { made, said, outlet, ask, result } = await server(t, { tools });
  await result(initialize({ elicitation: {} }));
  const asked = new Promise((resolve) => {
    outlet.send = (message) => {
      said.push(message);
      resolve(message);
    };
  });
  const pending = ask(call("c", "asks"));
  const { id } = await asked;
  await made.handle({
    jsonrpc: "2.0",
    method: "notifications/cancelled",
    params: { requestId: "c" },
  });
  assert.equal(await pending, undefined);
  assert.deepEqual(said.at(-1), {
    jsonrpc: "2.0",
    method: "notifications/cancelled",
    params: { requestId: id },
  });
});

it("a command says how far it is", async (t) => {
  const { said, result } = await server(t);
  await result(call(1, "run_command", { command: "echo first" }, { progressToken: 7 }));
  const [{ method, params }] = said;
  assert.equal(method, "notifications/progress");
  assert.deepEqual(params, { progressToken: 7, progress: 6, message: "first" });
});

it("stdio: questions on the way, and none after the client is gone", async (t) => {
  const tools = {
    asks: {
      description: "Asks",
      timeoutMs: 0,
      handler: async (_input, { elicit }) => (await elicit({ message: "?" })).action,
    },
  };
  const made = new McpServer({ tools });
  t.after(() => made.dispose());
  const [input, output] = [new PassThrough(), new PassThrough()];
  const served = serveStdio(made, input, output);
  const lines = createInterface(output)[Symbol.asyncIterator]();
  const next = async () => JSON.parse((await lines.next()).value);
  const say = (message) => input.write(`${JSON.stringify(message)}\n`);
  say(initialize({ elicitation: {} }));
  await next();
  say(call(1, "asks"));
  const { id, method } = await next();
  assert.equal(method, "elicitation/create");
  say({ jsonrpc: "2.0", id, result: { action: "decline" } });
  assert.equal((await next()).result.content[0].text, "decline");
  say(call(2, "asks"));
  assert.equal((await next()).method, "elicitation/create");
  input.end();
  assert.match((await next()).result.content[0].text, /the client is gone/);
  await served;
});

/** Events of a response, as they come. */
async function* eventsOf(response) {
  let text = "";
  for await (const chunk of response.body) {
    text += Buffer.from(chunk).toString("utf8");
    for (let end = text.indexOf("\n\n"); end !== -1; end = text.indexOf("\n\n")) {
      const fields = Object.fromEntries(
        text
          .slice(0, end)
          .split("\n")
          .map((line) => /^(\w+): ?(.*)$/.exec(line).slice(1)),
      );
      text = text.slice(end + 2);
      yield { id: fields.id, message: fields.data === "" ? undefined : JSON.parse(fields.data) };
    }
  }
}

async function allOf(events) {
  const all = [];
  for await (const event of events) all.push(event);
  return all;
}

/** A client over HTTP in a session of its own. */
async function client(t, options, capabilities = {}) {
  const served = await serveMcpHttp(options);
  t.after(served.close);
  const accept = "application/json, text/event-stream";
  const post = (message, headers = {}) =>
    fetch(served.url, {
      method: "POST",
      headers: { accept, ...headers },
      body: JSON.stringify(message),
    });
  const begun = await post(initialize(capabilities));
  await begun.json();
  const session = { "mcp-session-id": begun.headers.get("mcp-session-id") };
  const get = (headers = {}) =>
    fetch(served.url, { headers: { accept: "text/event-stream", ...session, ...headers } });
  return { served, post: (message, headers) => post(message, { ...session, ...headers }), get };
}

it("http: what is said under way makes events of an answer, and a question is answered by another request", async (t) => {
  const tools = {
    asks: {
      description: "Asks",
      handler: async (_input, { log, elicit }) => {
        log("info", "begun");
        return (await elicit({ message: "?" })).action;
      },
    },
    plain: { description: "Says nothing", handler: () => "plain" },
  };
  const { post } = await client(t, { tools }, { elicitation: {} });
  const plain = await post(call(1, "plain"));
  assert.match(plain.headers.get("content-type"), /json/);
  assert.equal((await plain.json()).result.content[0].text, "plain");
  const response = await post(call(2, "asks"));
  assert.match(response.headers.get("content-type"), /event-stream/);
  const events = eventsOf(response);
  const next = async () => (await events.next()).value;
  // An event without data, by which a client can come back.
  assert.deepEqual(await next(), { id: "1-0", message: undefined });
  assert.equal((await next()).message.params.data, "begun");
  const { id } = (await next()).message;
  const answered = await post({ jsonrpc: "2.0", id, result: { action: "cancel" } });
  assert.equal(answered.status, 202);
  assert.equal((await next()).message.result.content[0].text, "cancel");
  assert.equal((await events.next()).done, true);
  // One that takes no events is told nothing, and cannot be asked.
  const deaf = await post(call(3, "asks"), { accept: "application/json" });
  assert.match((await deaf.json()).result.content[0].text, /no way to ask/);
});

it("http: a client that lost its connection gets the rest, and no more than that", async (t) => {
  let go;
  const tools = {
    works: {
      description: "Works",
      handler: async (_input, { log, release }) => {
        log("info", "one");
        log("info", "two");
        release();
        await new Promise((resolve) => (go = resolve));
        log("info", "three");
        return "done";
      },
    },
  };
  const { post, get } = await client(t, { tools });
  const events = await allOf(eventsOf(await post(call(1, "works"))));
  assert.deepEqual(
    events.map(({ id, message }) => [id, message?.params.data]),
    [
      ["1-0", undefined],
      ["1-1", "one"],
      ["1-2", "two"],
    ],
  );
  const resumed = await get({ "last-event-id": "1-1" });
  go();
  const rest = await allOf(eventsOf(resumed));
  assert.deepEqual(
    rest.map(({ id, message }) => [id, message?.params?.data ?? message?.result.content[0].text]),
    [
      ["1-1", undefined],
      ["1-2", "two"],
      ["1-3", "three"],
      ["1-4", "done"],
    ],
  );
  for (const id of ["9-0", "x", "1-", "-1"])
    assert.equal((await get({ "last-event-id": id })).status, 400, id);
});

it("http: a resource that changed is told on the stream of its session", async (t) => {
  const resources = [{ uri: "app://a", name: "a", read: () => "a" }];
  const { served, post, get } = await client(t, { resources });
  const events = eventsOf(await get());
  assert.equal((await events.next()).value.message, undefined);
  await (await post(request(1, "resources/subscribe", { uri: "app://a" }))).json();
  served.resourceUpdated("app://other");
  served.resourceUpdated("app://a");
  const { message } = (await events.next()).value;
  assert.deepEqual(message.params, { uri: "app://a" });
});
