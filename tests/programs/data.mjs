// Databases in WebAssembly, git, and clients of models, against servers of their own. A row: name, program.
const saying = `import fs from "node:fs"; const say = (...values) => console.log(...values.map((value) => typeof value === "string" ? value : JSON.stringify(value)));\n`;

export default [
  [
    "sql.js",
    `import init from "sql.js"; const SQL = await init(); const db = new SQL.Database(); db.run("create table t (a int, b text); insert into t values (1, 'x'), (2, 'y')"); say(db.exec("select sum(a), group_concat(b) from t")[0].values); const again = new SQL.Database(db.export()); say(again.exec("select count(*) from t")[0].values);`,
  ],
  [
    "node-sqlite3-wasm",
    `import pkg from "node-sqlite3-wasm"; const db = new pkg.Database("f.db"); db.exec("create table t (a)"); db.exec("begin"); for (let i = 0; i < 100; i++) db.run("insert into t values (?)", [i]); db.exec("commit"); say(db.get("select sum(a) s from t")); db.close(); say(fs.statSync("f.db").size > 4000, new pkg.Database("f.db").all("select a from t where a > 97"));`,
  ],
  [
    "quickjs",
    `import { getQuickJS } from "quickjs-emscripten"; const QuickJS = await getQuickJS(); say(QuickJS.evalCode("[1,2,3].map(x => x * 2).join()")); const vm = QuickJS.newContext(); const f = vm.newFunction("f", (a) => vm.newNumber(vm.getNumber(a) + 1)); vm.setProp(vm.global, "f", f); f.dispose(); const r = vm.unwrapResult(vm.evalCode("f(41)")); say(vm.getNumber(r)); r.dispose(); vm.dispose();`,
  ],
  [
    "isomorphic-git",
    `import git from "isomorphic-git"; const author = { name: "a", email: "a@x", timestamp: 1700000000, timezoneOffset: 0 }; await git.init({ fs, dir: "r", defaultBranch: "main" }); fs.writeFileSync("r/f", "1\\n"); await git.add({ fs, dir: "r", filepath: "f" }); say(await git.commit({ fs, dir: "r", message: "m", author, committer: author })); fs.writeFileSync("r/f", "2\\n"); say(await git.statusMatrix({ fs, dir: "r" }), (await git.log({ fs, dir: "r" })).map((c) => c.commit.message));`,
  ],
  [
    "MCP over stdio",
    `import { Client } from "@modelcontextprotocol/sdk/client/index.js"; import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js"; const base = new URL("..", import.meta.url).href; const server = \`import { McpServer } from "\${base}node_modules/@modelcontextprotocol/sdk/dist/esm/server/mcp.js"; import { StdioServerTransport } from "\${base}node_modules/@modelcontextprotocol/sdk/dist/esm/server/stdio.js"; import { z } from "\${base}node_modules/zod/index.js"; const s = new McpServer({ name: "s", version: "1" }); s.registerTool("add", { inputSchema: { a: z.number(), b: z.number() } }, ({ a, b }) => ({ content: [{ type: "text", text: String(a + b) }] })); await s.connect(new StdioServerTransport());\`; fs.writeFileSync("server.mjs", server); const client = new Client({ name: "c", version: "1" }); await client.connect(new StdioClientTransport({ command: process.execPath, args: ["server.mjs"] })); say((await client.listTools()).tools.map((t) => [t.name, t.inputSchema]), (await client.callTool({ name: "add", arguments: { a: 2, b: 3 } })).content); await client.close();`,
  ],
  [
    "openai with a server here",
    `import OpenAI from "openai"; import { createServer } from "node:http"; import { once } from "node:events"; const server = createServer((q, s) => { let body = ""; q.on("data", (d) => { body += d; }); q.on("end", () => { const { stream, messages } = JSON.parse(body); if (!stream) { s.setHeader("content-type", "application/json"); return s.end(JSON.stringify({ id: "1", choices: [{ index: 0, message: { role: "assistant", content: "you said " + messages[0].content } }] })); } s.setHeader("content-type", "text/event-stream"); for (const part of ["a", "b", "c"]) s.write("data: " + JSON.stringify({ choices: [{ index: 0, delta: { content: part } }] }) + "\\n\\n"); s.end("data: [DONE]\\n\\n"); }); }).listen(0, "127.0.0.1"); await once(server, "listening"); const client = new OpenAI({ apiKey: "k", baseURL: "http://127.0.0.1:" + server.address().port, maxRetries: 0 }); const ask = { model: "m", messages: [{ role: "user", content: "hi" }] }; say((await client.chat.completions.create(ask)).choices[0].message.content); let text = ""; for await (const chunk of await client.chat.completions.create({ ...ask, stream: true })) text += chunk.choices[0].delta.content; say(text); server.close(); server.closeAllConnections();`,
  ],
  [
    "ai with a model of its own",
    `import { generateText, streamText, tool, stepCountIs } from "ai"; import { MockLanguageModelV3, simulateReadableStream } from "ai/test"; import { z } from "zod"; const usage = { inputTokens: { total: 1 }, outputTokens: { total: 1 } }; let step = 0; const model = new MockLanguageModelV3({ doGenerate: async () => step++ === 0 ? { content: [{ type: "tool-call", toolCallId: "1", toolName: "add", input: '{"a":2,"b":3}' }], finishReason: { unified: "tool-calls" }, usage, warnings: [] } : { content: [{ type: "text", text: "done" }], finishReason: { unified: "stop" }, usage, warnings: [] } }); const { text, steps } = await generateText({ model, prompt: "p", stopWhen: stepCountIs(3), tools: { add: tool({ inputSchema: z.object({ a: z.number(), b: z.number() }), execute: ({ a, b }) => a + b }) } }); say(text, steps.length, steps[0].toolResults[0].output);`,
  ],
].map(([name, program]) => [name, saying + program]);
