// What users meet first beside the rest: coverage, dates, tables, documents, mocks, a framework. A row: name, program.
const saying = `import fs from "node:fs"; import http from "node:http"; import { once } from "node:events"; import { spawnSync } from "node:child_process"; import { createRequire } from "node:module"; const require = createRequire(import.meta.url); const say = (...values) => console.log(...values.map((value) => typeof value === "string" ? value : JSON.stringify(value)));
const command = (file, ...words) => { const { status, stdout, stderr } = spawnSync(process.execPath, [new URL("../node_modules/" + file, import.meta.url).pathname, ...words], { encoding: "utf8" }); say(status, stdout + stderr); };
const ask = async (port, path, options) => { const answer = await fetch("http://127.0.0.1:" + port + path, options); say(answer.status, answer.headers.get("content-type"), await answer.text()); };
const serve = async (handler) => { const server = http.createServer(handler).listen(0, "127.0.0.1"); await once(server, "listening"); return server; };
`;

export default [
  [
    "nyc, over a program and its child",
    `fs.writeFileSync("package.json", "{}"); fs.writeFileSync("a.js", "function f(x) { if (x) { return 1 } else { return 2 } } console.log(f(1)); require('child_process').execFileSync(process.execPath, ['b.js'], { stdio: 'inherit' })"); fs.writeFileSync("b.js", "console.log('child'); if (0) { 1 }"); command("nyc/bin/nyc.js", "--reporter=text", process.execPath, "a.js");`,
  ],
  [
    "write-file-atomic, cleaned up at the end",
    `import write from "write-file-atomic"; await write("f", "one"); write("g", "x".repeat(1e6)); process.on("exit", () => say(fs.readFileSync("f", "utf8")));`,
  ],
  [
    "date-fns, dayjs and luxon",
    `import { addMonths, format, formatDistance } from "date-fns"; import { de } from "date-fns/locale"; import { DateTime } from "luxon"; const dayjs = require("dayjs"); dayjs.extend(require("dayjs/plugin/utc")); dayjs.extend(require("dayjs/plugin/timezone")); say(format(addMonths(new Date(2024, 0, 31), 1), "PPPP pppp"), formatDistance(new Date(0), new Date(1e10), { locale: de }), dayjs.tz("2024-06-01 12:00", "America/New_York").format(), dayjs.tz.guess(), DateTime.fromISO("2024-05-25T12:00", { zone: "Asia/Tokyo" }).setLocale("fr").toLocaleString(DateTime.DATETIME_FULL), DateTime.local().zoneName);`,
  ],
  [
    "pdfkit",
    `import Document from "pdfkit"; const file = fs.createWriteStream("o.pdf"); const doc = new Document({ info: { CreationDate: new Date(0) } }); doc.pipe(file); doc.fontSize(25).text("Hello").moveTo(0, 0).lineTo(100, 100).stroke(); doc.addPage().font("Times-Roman").text("x ".repeat(2000)); doc.end(); await once(file, "finish"); say(fs.readFileSync("o.pdf", "latin1").replace(/\\/ID \\[.*?\\]/s, "").length);`,
  ],
  [
    "p-queue",
    `import Queue from "p-queue"; const order = []; const queue = new Queue({ concurrency: 1 }); queue.add(async () => order.push(1)); queue.add(async () => order.push(2)); queue.add(async () => order.push(3), { priority: 5 }); await queue.onIdle(); say(order);`,
  ],
  [
    "nest",
    `import "reflect-metadata"; import { NestFactory } from "@nestjs/core"; import { BadRequestException, Controller, Get, Injectable, Module } from "@nestjs/common"; class Service { hi() { return "hi" } } Injectable()(Service); class Hello { constructor(service) { this.service = service } get() { return { m: this.service.hi() } } bad() { throw new BadRequestException("no") } } Reflect.defineMetadata("design:paramtypes", [Service], Hello); Controller("c")(Hello); for (const [name, path] of [["get"], ["bad", "bad"]]) Get(path)(Hello.prototype, name, Object.getOwnPropertyDescriptor(Hello.prototype, name)); class App {} Module({ controllers: [Hello], providers: [Service] })(App); const app = await NestFactory.create(App, { logger: false }); await app.listen(0, "127.0.0.1"); const { port } = app.getHttpServer().address(); await ask(port, "/c"); await ask(port, "/c/bad"); await ask(port, "/none"); await app.close();`,
  ],
  [
    "eventsource",
    `import { EventSource } from "eventsource"; const server = await serve((asked, answer) => { answer.writeHead(200, { "content-type": "text/event-stream" }); answer.write("id: 1\\ndata: one\\n\\n"); answer.write("event: x\\ndata: two\\ndata: three\\n\\n"); }); const source = new EventSource("http://127.0.0.1:" + server.address().port); source.onmessage = ({ data, lastEventId }) => say(data, lastEventId); await new Promise((done) => source.addEventListener("x", ({ data }) => { say(data); source.close(); done(); })); server.close(); server.closeAllConnections();`,
  ],
  [
    "papaparse",
    `import Papa from "papaparse"; say(Papa.parse('a,b\\n"1,2",3\\n', { header: true }).data, Papa.unparse([{ a: 1, b: "x,y" }])); fs.writeFileSync("o.csv", "i,s\\n" + Array.from({ length: 2000 }, (_, i) => i + ",a" + i).join("\\n")); let sum = 0; await new Promise((done) => Papa.parse(fs.createReadStream("o.csv"), { header: true, dynamicTyping: true, step: ({ data }) => { sum += data.i }, complete: done })); say(sum);`,
  ],
  [
    "nock",
    `import nock from "nock"; nock("http://ex.test").get("/a").reply(200, { ok: 1 }).post("/b", { x: 1 }).reply(404, "no"); say(await new Promise((done) => http.get("http://ex.test/a", (answer) => { let text = ""; answer.on("data", (part) => { text += part }).on("end", () => done(text)); }))); const denied = await fetch("http://ex.test/b", { method: "POST", headers: { "content-type": "application/json" }, body: '{"x":1}' }); say(denied.status, await denied.text(), nock.isDone());`,
  ],
  [
    "node-forge and hash-wasm",
    `import forge from "node-forge"; import { argon2id, blake2b } from "hash-wasm"; say(forge.md.sha1.create().update("a").digest().toHex(), await blake2b("a", 128), await argon2id({ password: "p", salt: "saltsaltsalt", parallelism: 1, iterations: 2, memorySize: 256, hashLength: 16, outputType: "hex" })); const keys = forge.pki.rsa.generateKeyPair(1024); const certificate = forge.pki.createCertificate(); certificate.publicKey = keys.publicKey; for (const set of ["setSubject", "setIssuer"]) certificate[set]([{ name: "commonName", value: "x" }]); certificate.sign(keys.privateKey); say(certificate.verify(certificate));`,
  ],
  [
    "peggy and xml2js",
    `import peggy from "peggy"; import { Builder, parseStringPromise } from "xml2js"; say(peggy.generate("s = a:[0-9]+ { return Number(a.join('')) }").parse("42"), await parseStringPromise("<a b='1'><c>x</c><c/></a>"), new Builder().buildObject({ r: { a: [1, 2] } }));`,
  ],
].map(([name, program]) => [name, saying + program]);
