// Libraries that compute, read and write files, start children and threads. A row: name, program.
const saying = `const say = (...values) => console.log(...values.map((value) => typeof value === "string" ? value : JSON.stringify(value)));\n`;

export default [
  [
    "jsdom",
    `import { JSDOM } from "jsdom"; const { window } = new JSDOM('<p id=a>x</p><script>document.body.append("made " + [1,2].map((x) => x * 2))</script>', { runScripts: "dangerously" }); say(window.document.body.textContent, window.document.querySelector("#a").outerHTML);`,
  ],
  [
    "happy-dom",
    `import { Window } from "happy-dom"; const window = new Window({ url: "http://x.test/" }); window.document.body.innerHTML = "<ul><li>1</li><li>2</li></ul>"; say([...window.document.querySelectorAll("li")].map((li) => li.textContent)); await window.happyDOM.close();`,
  ],
  [
    "cheerio",
    `import * as cheerio from "cheerio"; const $ = cheerio.load("<h2 class=t>Hi</h2><a href=/x>l</a>"); $("h2.t").text("There").addClass("w"); say($.html(), $("a").attr("href"));`,
  ],
  [
    "pino",
    `import pino from "pino"; const log = pino({ base: undefined, timestamp: false, redact: ["password"] }, pino.destination({ sync: true })); log.info({ a: 1, password: "p" }, "hello %s", "you"); log.child({ b: 2 }).error(new Error("bad").message);`,
  ],
  [
    "winston",
    `import winston from "winston"; import fs from "node:fs"; import { once } from "node:events"; const file = new winston.transports.File({ filename: "w.log" }); const log = winston.createLogger({ format: winston.format.json(), transports: [new winston.transports.Console({ format: winston.format.simple() }), file] }); log.info("one", { k: 1 }); log.warn("two"); const done = once(file, "finish"); log.end(); await done; say(fs.readFileSync("w.log", "utf8").trim().split("\\n").map((l) => JSON.parse(l).message));`,
  ],
  [
    "commander",
    `import { Command } from "commander"; const program = new Command("tool").exitOverride().configureOutput({ writeErr: (t) => say("err " + t.trim()) }); program.option("-n, --number <n>", "a number", Number, 1); program.command("add <a> [b]").action((a, b, _o, c) => say(a, b ?? "none", c.optsWithGlobals())); program.parse(["add", "1", "2", "-n", "5"], { from: "user" }); try { program.parse(["nope"], { from: "user" }); } catch (e) { say(e.code); } say(program.helpInformation());`,
  ],
  [
    "yargs",
    `import yargs from "yargs"; const argv = await yargs(["--a", "1", "--no-b", "c", "--d.e", "x"]).exitProcess(false).parse(); say({ ...argv, $0: undefined }); say(await yargs(["--help"]).scriptName("y").usage("$0 <x>").exitProcess(false).getHelp());`,
  ],
  [
    "chalk",
    `import chalk, { Chalk } from "chalk"; say(chalk.red("plain"), new Chalk({ level: 3 }).hex("#ff8800").bold("colour"), chalk.level);`,
  ],
  [
    "execa",
    `import { execa, execaNode, $ } from "execa"; say((await execa("sh", ["-c", "echo out; echo err >&2"])).stdout, await execa("sh", ["-c", "exit 3"]).catch((e) => [e.exitCode, e.shortMessage])); say((await execa({ input: "b\\na\\n" })\`sort\`).stdout, (await execa("echo", ["p"]).pipe("cat")).stdout, (await $\`echo \${"a b"}\`).stdout, await execa("sleep", ["30"], { timeout: 50 }).catch((e) => [e.timedOut, e.signal])); const lines = []; for await (const line of execa("seq", ["3"])) lines.push(line); say(lines);`,
  ],
  [
    "zx",
    `import { $, within, quote, fs } from "zx"; $.verbose = false; const name = "a file"; await $\`touch \${name}; echo x > \${name}\`; say((await $\`cat \${name}\`).stdout, (await $\`exit 4\`.nothrow()).exitCode, quote("it's"), await $\`seq 3\`.pipe($\`tail -n 1\`).text(), fs.existsSync(name)); await within(async () => { $.prefix = "set -e; "; say((await $\`pwd\`).stdout.trim() === process.cwd()); });`,
  ],
  [
    "shelljs",
    `import shell from "shelljs"; shell.config.silent = true; shell.mkdir("-p", "d/e"); shell.ShellString("one\\ntwo\\n").to("d/e/f"); say(shell.cat("d/e/f").grep("two").stdout, shell.ls("-R", "d").slice(), shell.exec("echo run; exit 2").code, shell.sed("one", "1", "d/e/f").stdout, shell.which("sh") !== null); shell.rm("-rf", "d"); say(shell.test("-e", "d"));`,
  ],
  [
    "fs-extra",
    `import fs from "fs-extra"; await fs.outputJson("a/b/c.json", { x: 1 }); await fs.copy("a", "z"); await fs.move("z/b/c.json", "y/c.json"); say(await fs.readJson("y/c.json"), await fs.pathExists("z/b/c.json"), (await fs.readdir("z")).sort()); await fs.emptyDir("a"); say(await fs.readdir("a")); await fs.ensureSymlink("y", "link"); say(await fs.readlink("link"));`,
  ],
  [
    "glob and fast-glob",
    `import fs from "node:fs"; import { glob } from "glob"; import fg from "fast-glob"; for (const f of ["a/b/c.js", "a/d.ts", "a/.h.js", "e.js"]) { fs.mkdirSync(f.includes("/") ? f.slice(0, f.lastIndexOf("/")) : ".", { recursive: true }); fs.writeFileSync(f, ""); } say((await glob("**/*.{js,ts}", { ignore: "e.js" })).sort(), (await fg(["**/*.js", "!a/b/**"], { dot: true })).sort(), fg.sync("a/*", { onlyDirectories: true }));`,
  ],
  [
    "chokidar",
    `import chokidar from "chokidar"; import fs from "node:fs"; import { once } from "node:events"; fs.mkdirSync("w"); const watcher = chokidar.watch("w"); await once(watcher, "ready"); const added = once(watcher, "add"); fs.writeFileSync("w/x", "1"); say((await added)[0]); const changed = once(watcher, "change"); fs.appendFileSync("w/x", "22"); say((await changed)[0]); const gone = once(watcher, "unlink"); fs.rmSync("w/x"); say((await gone)[0]); await watcher.close();`,
  ],
  [
    "graceful-fs and proper-lockfile",
    `import gfs from "graceful-fs"; import lockfile from "proper-lockfile"; const files = Array.from({ length: 300 }, (_, i) => "f" + i); await Promise.all(files.map((f) => new Promise((y, n) => gfs.writeFile(f, f, (e) => e ? n(e) : y())))); say(gfs.readdirSync(".").length); const release = await lockfile.lock("f0"); say(await lockfile.check("f0"), await lockfile.lock("f0").catch((e) => e.code)); await release(); say(await lockfile.check("f0"));`,
  ],
  [
    "archiver, unzipper, adm-zip, jszip, tar",
    `import { ZipArchive } from "archiver"; import unzipper from "unzipper"; import AdmZip from "adm-zip"; import JSZip from "jszip"; import * as tar from "tar"; import fs from "node:fs"; import { once } from "node:events"; fs.mkdirSync("in"); fs.writeFileSync("in/a.txt", "aaaa".repeat(100)); fs.writeFileSync("in/b.txt", "b"); const archive = new ZipArchive({ zlib: { level: 9 } }); const out = fs.createWriteStream("x.zip"); archive.pipe(out); archive.directory("in", false); await archive.finalize(); if (!out.closed) await once(out, "close"); const dir = await unzipper.Open.file("x.zip"); say(dir.files.map((f) => f.path).sort(), String(await dir.files.find((f) => f.path === "a.txt").buffer()).length); const zip = new AdmZip("x.zip"); zip.addFile("c.txt", Buffer.from("c")); say(zip.getEntries().length, zip.readAsText("b.txt")); const js = await JSZip.loadAsync(zip.toBuffer()); say(await js.file("c.txt").async("string")); await tar.create({ gzip: true, file: "x.tgz" }, ["in"]); fs.mkdirSync("out"); await tar.extract({ file: "x.tgz", cwd: "out" }); say(fs.readFileSync("out/in/b.txt", "utf8"));`,
  ],
  [
    "pdf-lib",
    `import { PDFDocument, StandardFonts } from "pdf-lib"; const doc = await PDFDocument.create(); const page = doc.addPage([200, 100]); page.drawText("Hello", { x: 10, y: 50, font: await doc.embedFont(StandardFonts.Helvetica) }); const bytes = await doc.save(); say(Buffer.from(bytes.slice(0, 5)).toString(), (await PDFDocument.load(bytes)).getPageCount());`,
  ],
  [
    "pngjs",
    `import { PNG } from "pngjs"; import { createHash } from "node:crypto"; const png = new PNG({ width: 16, height: 16 }); for (let i = 0; i < png.data.length; i++) png.data[i] = (i * 7) % 256; const bytes = PNG.sync.write(png); const back = PNG.sync.read(bytes); say(back.width, createHash("sha256").update(back.data).digest("hex"));`,
  ],
  [
    "jose and jsonwebtoken",
    `import * as jose from "jose"; import jwt from "jsonwebtoken"; const key = new TextEncoder().encode("a secret of thirty-two characters"); const token = await new jose.SignJWT({ a: 1 }).setProtectedHeader({ alg: "HS256" }).setIssuedAt(1700000000).setIssuer("i").sign(key); say(token, (await jose.jwtVerify(token, key, { issuer: "i" })).payload, jwt.verify(token, Buffer.from(key)), (() => { try { jwt.verify(token, "wrong"); } catch (e) { return e.message; } })()); const { publicKey, privateKey } = await jose.generateKeyPair("ES256"); say((await jose.jwtVerify(await new jose.SignJWT({}).setProtectedHeader({ alg: "ES256" }).sign(privateKey), publicKey)).protectedHeader);`,
  ],
  [
    "piscina, tinypool, workerpool",
    `import { Piscina } from "piscina"; import { Tinypool } from "tinypool"; import workerpool from "workerpool"; import fs from "node:fs"; import { resolve } from "node:path"; import { pathToFileURL } from "node:url"; fs.writeFileSync("w.mjs", "export default (n) => { let s = 0; for (let i = 0; i <= n; i++) s += i; return s; }"); const filename = pathToFileURL(resolve("w.mjs")).href; const one = new Piscina({ filename, maxThreads: 2 }); say(await Promise.all([10, 100, 1000].map((n) => one.run(n)))); await one.destroy(); const two = new Tinypool({ filename, maxThreads: 1 }); say(await two.run(5)); await two.destroy(); const three = workerpool.pool({ maxWorkers: 1 }); say(await three.exec((a, b) => a * b, [6, 7])); await three.terminate();`,
  ],
  [
    "lodash and rxjs",
    `import _ from "lodash"; import { from, interval, lastValueFrom } from "rxjs"; import { map, take, toArray, mergeMap } from "rxjs/operators"; say(_.groupBy([1.2, 1.8, 2.1], Math.floor), _.merge({ a: { b: 1 } }, { a: { c: 2 } }), _.template("<%= x %>!")({ x: "y" })); say(await lastValueFrom(from([1, 2, 3]).pipe(mergeMap((x) => interval(1).pipe(take(2), map((y) => x * 10 + y))), toArray())).then((l) => l.sort()));`,
  ],
  [
    "zod, ajv, joi",
    `import { z } from "zod"; import Ajv from "ajv"; import Joi from "joi"; say(z.object({ a: z.string().email(), b: z.coerce.number().int() }).safeParse({ a: "x", b: "1.5" }).error.issues.map((i) => [i.path, i.code]), z.toJSONSchema(z.object({ n: z.number().optional() }))); const check = new Ajv({ allErrors: true }).compile({ type: "object", properties: { n: { type: "integer", minimum: 3 } }, required: ["m"] }); say(check({ n: 1 }), check.errors.map((e) => e.message)); say(Joi.object({ d: Joi.date().iso(), e: Joi.string().required() }).validate({ d: "2020-01-01" }).error.message);`,
  ],
  [
    "handlebars, ejs, pug",
    `import Handlebars from "handlebars"; import ejs from "ejs"; import pug from "pug"; say(Handlebars.compile("{{#each list}}{{@index}}:{{this}} {{/each}}{{{html}}}")({ list: ["a", "b"], html: "<b>" }), ejs.render("<% for (const x of l) { %>[<%= x %>]<% } %>", { l: [1, "<"] }), pug.render("ul\\n  each x in l\\n    li= x", { l: [1, 2] }));`,
  ],
  [
    "js-yaml, csv-parse, fast-xml-parser",
    `import * as yaml from "js-yaml"; import { parse } from "csv-parse/sync"; import { XMLParser, XMLBuilder } from "fast-xml-parser"; say(yaml.load("a: [1, 2]\\nb: &x {c: d}\\ne: *x"), yaml.dump({ a: [1, { b: "multi\\nline" }] }), parse('a,b\\n1,"x ""y"" z"\\n', { columns: true })); const xml = new XMLParser({ ignoreAttributes: false }).parse('<r a="1"><i>x</i><i>y</i></r>'); say(xml, new XMLBuilder({ ignoreAttributes: false }).build(xml));`,
  ],
  [
    "marked and markdown-it",
    `import { marked } from "marked"; import MarkdownIt from "markdown-it"; const text = "# T\\n\\n* a\\n* **b**\\n\\n| x | y |\\n|---|---|\\n| 1 | 2 |\\n"; say(marked.parse(text), new MarkdownIt({ html: false }).render(text));`,
  ],
  [
    "semver, uuid, iconv-lite",
    `import semver from "semver"; import { v5, v4, validate } from "uuid"; import iconv from "iconv-lite"; say(semver.maxSatisfying(["1.2.3", "1.3.0", "2.0.0"], "^1.2"), semver.inc("1.2.3", "minor"), v5("x", v5.URL), validate(v4()), iconv.decode(Buffer.from([0xe4, 0x80]), "win1252"), iconv.encode("日本", "shift_jis").toString("hex"));`,
  ],
].map(([name, program]) => [name, saying + program]);
