// Servers and clients, each talking to itself over the loopback of its machine. A row: name, program.
const listening = `
import { once } from "node:events";
const at = async (server) => { if (!server.listening) { server.listen(0, "127.0.0.1"); await once(server, "listening"); } return "http://127.0.0.1:" + server.address().port; };
const say = (...values) => console.log(...values.map((value) => typeof value === "string" ? value : JSON.stringify(value)));
`;

export default [
  [
    "express with helmet, compression, session, multer",
    `import express from "express"; import helmet from "helmet"; import compression from "compression"; import session from "express-session"; import multer from "multer";
import http from "node:http";
const app = express();
app.use(helmet()); app.use(compression({ threshold: 10 })); app.use(express.json());
app.use(session({ secret: "s", resave: false, saveUninitialized: true }));
app.get("/count", (req, res) => { req.session.count = (req.session.count ?? 0) + 1; res.json({ count: req.session.count }); });
app.post("/up/:id", multer().single("file"), (req, res) => res.json({ id: req.params.id, name: req.file.originalname, size: req.file.size, body: { ...req.body } }));
app.get("/long", (_, res) => res.send("x".repeat(5000)));
app.use((error, _q, res, _n) => res.status(500).json({ error: error.message }));
app.get("/bad", () => { throw new Error("bad"); });
const server = http.createServer(app); const base = await at(server);
const first = await fetch(base + "/count"); const cookie = first.headers.get("set-cookie").split(";")[0];
say(await first.json(), await (await fetch(base + "/count", { headers: { cookie } })).json(), first.headers.get("x-content-type-options"));
const form = new FormData(); form.set("title", "t"); form.set("file", new Blob(["hello"]), "h.txt");
say(await (await fetch(base + "/up/7", { method: "POST", body: form })).json());
const long = await fetch(base + "/long"); say(long.headers.get("content-encoding"), (await long.text()).length, (await fetch(base + "/none")).status);
server.close(); server.closeAllConnections();`,
  ],
  [
    "fastify",
    `import fastify from "fastify";
const app = fastify();
app.addHook("onSend", async (_q, reply) => { reply.header("x-hook", "yes"); });
app.post("/sum", { schema: { body: { type: "object", required: ["a", "b"], properties: { a: { type: "number" }, b: { type: "number" } } }, response: { 200: { type: "object", properties: { sum: { type: "number" } } } } } }, async ({ body }) => ({ sum: body.a + body.b, dropped: 1 }));
const base = await app.listen({ port: 0, host: "127.0.0.1" });
const post = (body) => fetch(base + "/sum", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
const good = await post({ a: 1, b: 2 }); say(await good.json(), good.headers.get("x-hook"));
const bad = await post({ a: "x" }); say(bad.status, await bad.json());
say((await app.inject({ url: "/nothing" })).statusCode); await app.close();`,
  ],
  [
    "hono on its node server",
    `import { Hono } from "hono"; import { serve } from "@hono/node-server"; import { cors } from "hono/cors"; import { streamText } from "hono/streaming";
const app = new Hono(); app.use("*", cors());
app.get("/hi/:name", (c) => c.json({ hi: c.req.param("name"), q: c.req.query("q") }));
app.get("/stream", (c) => streamText(c, async (stream) => { for (const part of ["a", "b", "c"]) await stream.write(part); }));
const server = serve({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" }); const base = await at(server);
const one = await fetch(base + "/hi/you?q=1"); say(await one.json(), one.headers.get("access-control-allow-origin"), await (await fetch(base + "/stream")).text(), (await fetch(base + "/x")).status);
server.close(); server.closeAllConnections();`,
  ],
  [
    "koa with a router",
    `import Koa from "koa"; import Router from "@koa/router"; import http from "node:http";
const app = new Koa(); const router = new Router();
app.use(async (ctx, next) => { try { await next(); } catch (error) { ctx.status = 418; ctx.body = error.message; } });
router.get("/a/:b", (ctx) => { ctx.body = { b: ctx.params.b, type: ctx.accepts("json", "html") }; }); router.get("/throw", () => { throw new Error("thrown"); });
app.use(router.routes()).use(router.allowedMethods());
const server = http.createServer(app.callback()); const base = await at(server);
say(await (await fetch(base + "/a/x")).json(), (await fetch(base + "/throw")).status, (await fetch(base + "/a/x", { method: "POST" })).status);
server.close(); server.closeAllConnections();`,
  ],
  [
    "hapi",
    `import Hapi from "@hapi/hapi";
const server = Hapi.server({ port: 0, host: "127.0.0.1" });
server.route({ method: "GET", path: "/h/{name?}", handler: (request, h) => h.response({ name: request.params.name ?? "none" }).code(201).header("x-a", "b") });
await server.start();
const one = await fetch(server.info.uri + "/h/n"); say(one.status, await one.json(), one.headers.get("x-a"));
say((await server.inject("/h")).result, (await server.inject("/none")).statusCode); await server.stop();`,
  ],
  [
    "socket.io and its client",
    `import { createServer } from "node:http"; import { Server } from "socket.io"; import { io as connect } from "socket.io-client";
const http = createServer(); const io = new Server(http);
io.on("connection", (socket) => { socket.on("sum", (a, b, answer) => answer(a + b)); socket.on("bytes", (data) => socket.emit("back", Buffer.from(data).toString("hex"))); });
const base = await at(http); const client = connect(base); await once(client, "connect");
say(await client.emitWithAck("sum", 2, 3)); const back = once(client, "back"); client.emit("bytes", Buffer.from("hi")); say((await back)[0]);
client.close(); await io.close();`,
  ],
  [
    "ws",
    `import { WebSocketServer, WebSocket } from "ws";
const server = new WebSocketServer({ port: 0, host: "127.0.0.1", perMessageDeflate: true }); await once(server, "listening");
server.on("connection", (socket) => { socket.on("message", (data, binary) => socket.send(data, { binary })); });
const socket = new WebSocket("ws://127.0.0.1:" + server.address().port); await once(socket, "open");
const got = []; const all = new Promise((resolve) => socket.on("message", (data, binary) => { got.push([binary, data.length]); if (got.length === 3) resolve(); }));
socket.send("text"); socket.send(Buffer.alloc(100_000)); socket.send("last"); await all; say(got);
socket.close(1000, "bye"); const [code, reason] = await once(socket, "close"); say(code, String(reason)); server.close();`,
  ],
  [
    "undici",
    `import { Agent, Pool, request, stream, MockAgent } from "undici"; import { createServer } from "node:http"; import { Writable } from "node:stream";
const server = createServer((q, s) => { let n = 0; q.on("data", (d) => { n += d.length; }); q.on("end", () => s.end(q.method + q.url + n)); }); const base = await at(server);
const agent = new Agent({ pipelining: 2 }); const { statusCode, body } = await request(base + "/r", { method: "PUT", body: "12345", dispatcher: agent }); say(statusCode, await body.text());
let text = ""; await stream(base + "/s", { dispatcher: agent, opaque: 1 }, () => new Writable({ write(c, _e, d) { text += c; d(); } })); say(text);
const pool = new Pool(base, { connections: 3 }); say((await Promise.all([1, 2, 3, 4].map(async (i) => (await pool.request({ path: "/" + i, method: "GET" })).body.text())))); await pool.close(); await agent.close();
const mock = new MockAgent(); mock.disableNetConnect(); mock.get("http://nowhere.test").intercept({ path: "/" }).reply(200, "mocked"); say(await (await request("http://nowhere.test/", { dispatcher: mock })).body.text()); server.close();`,
  ],
  [
    "axios, got, node-fetch, ky, superagent",
    `import axios from "axios"; import got from "got"; import fetchOf from "node-fetch"; import ky from "ky"; import superagent from "superagent"; import { createServer } from "node:http";
let tries = 0;
const server = createServer((q, s) => { if (q.url === "/redirect") return s.writeHead(302, { location: "/json" }).end(); if (q.url === "/flaky" && tries++ < 1) return s.writeHead(503).end(); if (q.url === "/404") return s.writeHead(404).end("no"); s.setHeader("content-type", "application/json"); s.end(JSON.stringify({ url: q.url, agent: q.headers["user-agent"] !== undefined })); });
const base = await at(server);
say((await axios.get(base + "/redirect")).data, (await axios.post(base + "/p", { a: 1 })).status, await axios.get(base + "/404").catch((e) => [e.name, e.response.status]));
say(await got(base + "/json").json(), await got(base + "/404", { retry: { limit: 0 } }).catch((e) => e.name), await (await fetchOf(base + "/json")).json());
say(await ky(base + "/flaky", { retry: { limit: 2, backoffLimit: 10 } }).json(), (await superagent.get(base + "/redirect").query({ a: 1 })).body); server.close(); server.closeAllConnections();`,
  ],
  [
    "supertest",
    `import request from "supertest"; import express from "express";
const app = express(); app.get("/user", (_, res) => res.status(200).json({ name: "john" }));
await request(app).get("/user").set("Accept", "application/json").expect("Content-Type", /json/).expect(200, { name: "john" });
say(await request(app).get("/user").expect(201).then(() => "?", (e) => e.message));`,
  ],
  [
    "graphql-yoga",
    `import { createYoga, createSchema } from "graphql-yoga"; import { createServer } from "node:http";
const yoga = createYoga({ logging: false, schema: createSchema({ typeDefs: "type Query { hello(name: String!): String! list: [Int!]! }", resolvers: { Query: { hello: (_, { name }) => "Hello " + name, list: () => [1, 2, 3] } } }) });
const server = createServer(yoga); const base = await at(server);
const ask = async (query) => (await fetch(base + "/graphql", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ query }) })).json();
say(await ask('{ hello(name: "w") list }'), (await ask("{ nothing }")).errors[0].message); server.close(); server.closeAllConnections();`,
  ],
  [
    "trpc",
    `import { initTRPC } from "@trpc/server"; import { createHTTPServer } from "@trpc/server/adapters/standalone"; import { createTRPCClient, httpBatchLink } from "@trpc/client"; import { z } from "zod";
const t = initTRPC.create(); const router = t.router({ add: t.procedure.input(z.object({ a: z.number(), b: z.number() })).query(({ input }) => input.a + input.b), fail: t.procedure.mutation(() => { throw new Error("nope"); }) });
const server = createHTTPServer({ router }); const base = await at(server.server ?? server); const client = createTRPCClient({ links: [httpBatchLink({ url: base })] });
say(await Promise.all([client.add.query({ a: 1, b: 2 }), client.add.query({ a: 3, b: 4 })]), await client.fail.mutate().catch((e) => e.message), await client.add.query({ a: "x" }).catch((e) => e.data.code)); const s = server.server ?? server; s.close(); s.closeAllConnections();`,
  ],
  [
    "grpc-js",
    `import grpc from "@grpc/grpc-js"; import loader from "@grpc/proto-loader"; import fs from "node:fs";
fs.writeFileSync("g.proto", 'syntax = "proto3"; service G { rpc Hi (Q) returns (A); rpc Count (Q) returns (stream A); } message Q { string name = 1; int32 n = 2; } message A { string text = 1; }');
const { G } = grpc.loadPackageDefinition(loader.loadSync("g.proto")); const server = new grpc.Server();
server.addService(G.service, { Hi: (call, done) => call.request.name ? done(null, { text: "hi " + call.request.name }) : done({ code: grpc.status.INVALID_ARGUMENT, message: "name" }), Count: (call) => { for (let i = 0; i < call.request.n; i++) call.write({ text: String(i) }); call.end(); } });
const port = await new Promise((y, n) => server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (e, p) => e ? n(e) : y(p)));
const client = new G("127.0.0.1:" + port, grpc.credentials.createInsecure()); const hi = (q) => new Promise((y) => client.Hi(q, (e, a) => y(e ? e.code : a.text))); say(await hi({ name: "x" }), await hi({}));
const got = []; for await (const { text } of client.Count({ n: 4 })) got.push(text); say(got); client.close(); server.forceShutdown();`,
  ],
  [
    "mqtt with aedes as its broker",
    `import { Aedes } from "aedes"; import mqtt from "mqtt"; import net from "node:net";
const broker = await Aedes.createBroker(); const server = net.createServer(broker.handle); const base = await at(server);
const client = await mqtt.connectAsync(base.replace("http", "mqtt")); await client.subscribeAsync("a/+", { qos: 1 }); const message = once(client, "message"); await client.publishAsync("a/b", "payload", { qos: 1 });
const [topic, payload] = await message; say(topic, String(payload)); await client.endAsync(); server.close(); broker.close();`,
  ],
  [
    "nodemailer to an smtp-server",
    `import nodemailer from "nodemailer"; import { SMTPServer } from "smtp-server";
let got = ""; const server = new SMTPServer({ authOptional: true, disabledCommands: ["STARTTLS"], onData(stream, session, done) { stream.on("data", (d) => { got += d; }); stream.on("end", () => done(null, "queued")); } });
server.listen(0, "127.0.0.1"); await once(server.server, "listening"); const transport = nodemailer.createTransport({ host: "127.0.0.1", port: server.server.address().port, secure: false });
const info = await transport.sendMail({ from: "a@x.test", to: "b@x.test", subject: "Grüße", text: "hi", attachments: [{ filename: "f.txt", content: "data" }] });
say(info.accepted, info.response, /Subject: =\\?UTF-8\\?/.test(got), /ZGF0YQ==/.test(got)); transport.close(); server.close();`,
  ],
  [
    "http-proxy",
    `import httpProxy from "http-proxy"; import http from "node:http";
const target = http.createServer((q, s) => s.end("target " + q.url + " " + q.headers["x-via"])); const to = await at(target);
const proxy = httpProxy.createProxyServer({ target: to }); proxy.on("proxyReq", (request) => request.setHeader("x-via", "proxy"));
const server = http.createServer((q, s) => proxy.web(q, s)); const base = await at(server); say(await (await fetch(base + "/path")).text());
for (const one of [server, target]) { one.close(); one.closeAllConnections(); } proxy.close();`,
  ],
  [
    "h3",
    `import { H3, serve, readBody, getQuery } from "h3";
const app = new H3(); app.get("/q", (event) => getQuery(event)); app.post("/b", async (event) => ({ got: await readBody(event) }));
const ask = async (path, init) => (await app.request(path, init)).text(); say(await ask("/q?a=1&b=2"), await ask("/b", { method: "POST", body: JSON.stringify({ x: 1 }), headers: { "content-type": "application/json" } }));
const server = serve(app, { port: 0, hostname: "127.0.0.1", silent: true }); await server.ready(); say(await (await fetch(new URL("/q?z=9", server.url))).json()); await server.close(true);`,
  ],
].map(([name, program]) => [name, listening + program]);
