// The MCP server over stdio and HTTP, and a client's tools in a machine.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import http from "node:http";
import { createInterface } from "node:readline";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { NodeRuntime } from "secure-exec";
import { McpServer, mcpTools, serveMcpHttp, serveStdio } from "secure-exec/mcp";

const it = (name, body) => test(name, { timeout: 120_000 }, body);
const cli = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const request = (id, method, params) => ({ jsonrpc: "2.0", id, method, params });
const call = (id, name, given) => request(id, "tools/call", { name, arguments: given });
const textOf = ({ result }) => result.content[0].text;

async function server(t, options) {
  const made = new McpServer(options);
  t.after(() => made.dispose());
  return made;
}

it("initialize, list, ping, and what is no request", async (t) => {
  const made = await server(t);
  const answer = await made.handle(request(1, "initialize", { protocolVersion: "2025-06-18" }));
  assert.equal(answer.result.protocolVersion, "2025-06-18");
  assert.equal(answer.result.serverInfo.name, "secure-exec");
  const other = await made.handle(request(1, "initialize", { protocolVersion: "1999-01-01" }));
  assert.equal(other.result.protocolVersion, "2025-11-25");
  assert.equal(
    await made.handle({ jsonrpc: "2.0", method: "notifications/initialized" }),
    undefined,
  );
  assert.equal(await made.handle({ jsonrpc: "2.0", id: 9, result: {} }), undefined);
  assert.deepEqual((await made.handle(request(2, "ping"))).result, {});
  const { tools } = (await made.handle(request(3, "tools/list"))).result;
  assert.deepEqual(
    tools.map(({ name, inputSchema }) => [name, inputSchema.required]),
    [
      ["run_code", ["code"]],
      ["run_command", ["command"]],
      ["read_file", ["path"]],
      ["write_file", ["path", "content"]],
      ["list_files", []],
    ],
  );
  for (const [message, code, id] of [
    [undefined, -32600, null],
    [[], -32600, null],
    [{ id: 4, method: "ping" }, -32600, 4],
    [request(5, "tasks/list"), -32601, 5],
    [call(6, "toString", {}), -32602, 6],
  ]) {
    const { error, id: answered } = await made.handle(message);
    assert.deepEqual([error.code, answered], [code, id], JSON.stringify(message));
  }
  // A wrong input is a result, so that the model sees what to change.
  for (const [message, text] of [
    [call(7, "run_code", {}), /run_code: \$\.code: missing required property/],
    [call(8, "run_code", { code: 1 }), /run_code: \$\.code: expected string/],
    [call(9, "run_code", { code: "1", more: "2" }), /run_code: \$\.more: unexpected property/],
    [call(10, "run_code", "1"), /must be an object/],
  ]) {
    const answered = await made.handle(message);
    assert.equal(answered.result.isError, true);
    assert.match(textOf(answered), text);
  }
});

it("tools: code, commands, files", async (t) => {
  const made = await server(t, { timeoutMs: 20_000, outputChars: 1000 });
  assert.equal(
    textOf(await made.handle(call(1, "run_code", { code: "console.log('hi'); return { a: 1 }" }))),
    'hi\n{\n  "a": 1\n}',
  );
  const thrown = await made.handle(call(2, "run_code", { code: "throw new TypeError('no')" }));
  assert.deepEqual([thrown.result.isError, textOf(thrown)], [true, "TypeError: no"]);
  await made.handle(call(3, "write_file", { path: "d/a.txt", content: "text" }));
  const shown = await made.handle(call(4, "run_command", { command: "pwd; cat a.txt", cwd: "d" }));
  assert.deepEqual(
    [shown.result.isError, textOf(shown)],
    [false, "/workspace/d\ntext\n[exit code 0]"],
  );
  assert.equal(textOf(await made.handle(call(5, "read_file", { path: "d/a.txt" }))), "text");
  assert.equal(textOf(await made.handle(call(6, "list_files", {}))), "d/");
  assert.equal((await made.handle(call(7, "read_file", { path: "none" }))).result.isError, true);
  const much = textOf(await made.handle(call(8, "run_command", { command: "yes | head -c 5000" })));
  assert.match(much, /characters more\]$/);
  assert.ok(much.length < 1100);
});

it("a cancelled call is killed and not answered", async (t) => {
  const made = await server(t);
  const pending = made.handle(call("c", "run_command", { command: "echo > begun; sleep 60" }));
  const session = await made.session();
  while ((await session.stat("begun")) === undefined);
  const params = { requestId: "c", reason: "no need" };
  await made.handle({ jsonrpc: "2.0", method: "notifications/cancelled", params });
  assert.equal(await pending, undefined);
});

it("stdio: lines however they are cut, answers for all before the end", async (t) => {
  const made = await server(t);
  const [input, output] = [new PassThrough(), new PassThrough()];
  const served = serveStdio(made, input, output);
  const text = `${JSON.stringify(request(1, "ping"))}\n\nnot json\n${JSON.stringify(call(2, "run_code", { code: "return '\u00e9'" }))}\n`;
  for (const byte of Buffer.from(text)) input.write(Buffer.from([byte]));
  input.end();
  await served;
  const lines = output.read().toString().trim().split("\n").map(JSON.parse);
  assert.deepEqual(
    lines
      .sort((a, b) => (a.id ?? 0) - (b.id ?? 0))
      .map(({ id, error, result }) => [id, error?.code ?? result.content?.[0].text ?? result]),
    [
      [null, -32700],
      [1, {}],
      [2, '"\u00e9"'],
    ],
  );
  const long = new PassThrough();
  const refused = serveStdio(made, long, new PassThrough());
  long.end(Buffer.alloc(17 * 1024 * 1024, 97));
  await assert.rejects(refused, RangeError);
});

it("the command line serves on stdin and stdout, and on a port", async (t) => {
  const child = spawn(process.execPath, [cli, "mcp"], { stdio: ["pipe", "pipe", "inherit"] });
  t.after(() => child.kill("SIGKILL"));
  const lines = createInterface(child.stdout);
  child.stdin.write(`${JSON.stringify(call(1, "run_code", { code: "return 6 * 7" }))}\n`);
  const [line] = await once(lines, "line");
  assert.equal(textOf(JSON.parse(line)), "42");
  child.stdin.end();
  assert.deepEqual(await once(child, "exit"), [0, null]);

  const env = { ...process.env, SECURE_EXEC_MCP_TOKEN: "secret" };
  const web = spawn(process.execPath, [cli, "mcp", "--http", "0"], { env });
  t.after(() => web.kill("SIGKILL"));
  const [said] = await once(createInterface(web.stderr), "line");
  const url = /^listening at (http:\S+\/mcp)$/.exec(said)[1];
  assert.equal((await fetch(url, { method: "POST" })).status, 401);
  web.kill("SIGTERM");
  assert.deepEqual(await once(web, "exit"), [0, null]);
});

it("http: sessions, tokens, and no foreign pages", async (t) => {
  const { url, close } = await serveMcpHttp({ token: "secret", sessions: 1 });
  t.after(close);
  const post = (message, headers = {}) =>
    fetch(url, {
      method: "POST",
      headers: { authorization: "Bearer secret", ...headers },
      body: JSON.stringify(message),
    });
  const begun = await post(request(1, "initialize", { protocolVersion: "2025-11-25" }));
  const session = { "mcp-session-id": begun.headers.get("mcp-session-id") };
  assert.equal((await begun.json()).result.serverInfo.name, "secure-exec");
  assert.equal(
    (await post({ jsonrpc: "2.0", method: "notifications/initialized" }, session)).status,
    202,
  );
  const answer = await post(call(2, "run_code", { code: "return 1" }), session);
  assert.equal(textOf(await answer.json()), "1");
  assert.equal((await post(request(3, "ping"))).status, 404);
  assert.equal((await post(request(3, "ping"), { authorization: "Bearer other" })).status, 401);
  assert.equal(
    (await post(request(3, "ping"), { ...session, origin: "https://evil.example" })).status,
    403,
  );
  assert.equal(
    (await post(request(3, "ping"), { ...session, origin: "http://localhost:3000" })).status,
    200,
  );
  const bearer = { authorization: "Bearer secret" };
  assert.equal((await fetch(url, { headers: bearer })).status, 406);
  const listens = { ...bearer, accept: "text/event-stream" };
  assert.equal((await fetch(url, { headers: listens })).status, 404);
  assert.equal((await fetch(url, { method: "PUT", headers: bearer })).status, 405);
  const strange = { ...session, "mcp-protocol-version": "1999-01-01" };
  assert.equal((await post(request(3, "ping"), strange)).status, 400);
  const { port } = new URL(url);
  const rebound = http.request({
    port,
    path: "/mcp",
    method: "POST",
    headers: { host: "evil.example" },
  });
  rebound.end("{}");
  const [response] = await once(rebound, "response");
  assert.equal(response.statusCode, 403);
  response.resume();
  // One more is one too many: the oldest has to go.
  const next = await post(request(1, "initialize", {}));
  assert.equal(next.status, 200);
  assert.equal((await post(request(4, "ping"), session)).status, 404);
  const own = { "mcp-session-id": next.headers.get("mcp-session-id") };
  const headers = { authorization: "Bearer secret", ...own };
  assert.equal((await fetch(url, { method: "DELETE", headers })).status, 204);
  assert.equal((await fetch(url, { method: "DELETE", headers })).status, 404);
  await assert.rejects(serveMcpHttp({ host: "0.0.0.0" }), /needs a token/);
});

it("a client's tools are tools of a machine", async (t) => {
  const schema = { type: "object", properties: { n: { type: "number" } }, required: ["n"] };
  const pages = [
    { tools: [{ name: "double.it", inputSchema: schema }], nextCursor: "next" },
    { tools: [{ name: "fail", description: "fails", inputSchema: { type: "object" } }] },
  ];
  const client = {
    listTools: async ({ cursor }) => pages[cursor === undefined ? 0 : 1],
    callTool: async ({ name, arguments: given }) =>
      name === "fail"
        ? { isError: true, content: [{ type: "text", text: "it failed" }] }
        : { content: [{ type: "text", text: String(given.n * 2) }] },
  };
  const tools = await mcpTools(client, { prefix: "x_" });
  assert.deepEqual(Object.keys(tools), ["x_double_it", "x_fail"]);
  const runtime = await NodeRuntime.create({ tools });
  t.after(() => runtime.dispose());
  const { value } = await runtime.run(`__return([
    await callHostTool("x_double_it", { n: 4 }),
    await callHostTool("x_double_it", { n: "4" }).catch((error) => error.code),
    await callHostTool("x_fail").catch((error) => error.message),
  ])`);
  assert.deepEqual(value, ["8", "ERR_TOOL_INPUT", "it failed"]);
  pages[1].tools.push({ name: "double_it", inputSchema: schema });
  await assert.rejects(
    mcpTools(client, { prefix: "x_" }),
    /two tools would have the name x_double_it/,
  );
});
