// What the engine compiled when the package was built: taken for the very text that it was made of, and for no other.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { crc32 } from "node:zlib";
import { findEngine } from "../../../dist/launcher/engine.js";
import { loadGuestModule } from "../../support/guest-modules.mjs";
import { copyBuild } from "../../support/natives.mjs";

const dist = fileURLToPath(new URL("../../../dist", import.meta.url));
const formsFile = `guest.${process.arch}.cache`;
const { CompiledForms, packForms } = loadGuestModule("launcher/zygote/compiled-forms");

/** How many modules the zygote of a build found compiled, and what a program in it comes to. */
async function modulesOf(build) {
  const sdk = (file) => import(pathToFileURL(join(build, "dist", file)).href);
  const { NodeRuntime } = await sdk("index.js");
  const { savings } = await sdk("sdk/savings.js");
  const rt = await NodeRuntime.create();
  try {
    const { value } = await rt.run("__return(6 * 7)");
    return { value, modules: (await savings()).compiledModules };
  } finally {
    await rt.dispose();
  }
}

test("a zygote compiles none of the modules that it loads", async () => {
  const { value, modules } = await modulesOf(copyBuild(dist));
  assert.equal(value, 42);
  assert.ok(modules > 100, `${modules} modules`);
});

test("a build with other modules, or without forms, compiles its own", async () => {
  const changed = copyBuild(dist);
  const bundle = join(changed, "dist/guest.json");
  const sources = JSON.parse(readFileSync(bundle, "utf8"));
  const { length } = sources["guest/return-value"];
  // As long as before: V8 itself compares no more than the length.
  sources["guest/return-value"] = sources["guest/return-value"].replace(
    "function createReturn(",
    "function createReturn/**/(",
  );
  sources["guest/return-value"] = sources["guest/return-value"].replace("    ", "");
  assert.equal(sources["guest/return-value"].length, length);
  writeFileSync(bundle, JSON.stringify(sources));
  assert.deepEqual(await modulesOf(changed), { value: 42, modules: 0 });

  const without = copyBuild(dist);
  writeFileSync(join(without, "dist", formsFile), "");
  assert.deepEqual(await modulesOf(without), { value: 42, modules: 0 });
});

test("forms are of one text and one engine", () => {
  const text = Buffer.from("text");
  const thread = [{ text: Buffer.from("script"), form: Buffer.alloc(20, 9) }];
  const internalBinding = () => ({ crc32: (bytes) => bytes.length });
  const programs = { crc: 4, forms: new Map([["c/d", Buffer.alloc(21, 8)]]) };
  const guest = { crc: text.length, forms: new Map([["a/b", Buffer.alloc(20, 7)]]) };
  const packed = packForms(guest, programs, thread, {
    flags: 0x01020304,
    flagsAddress: 0,
    texts: {},
    plain: new Map([["e/f", Buffer.from("plain")]]),
  });
  const open = (file, of) => CompiledForms.open(internalBinding, file, of);
  const forms = open(packed, text);
  assert.equal(forms.of("a/b").length, 20);
  assert.equal(forms.of("a/b").readUInt32LE(12), 0x01020304);
  assert.equal(forms.of("toString"), undefined);
  assert.equal(forms.text("e/f"), "plain");
  assert.equal(forms.text("a/b"), undefined);
  assert.equal(forms.text("toString"), undefined);
  forms.addPrograms(internalBinding, Buffer.alloc(3));
  assert.equal(forms.of("c/d"), undefined);
  forms.addPrograms(internalBinding, Buffer.alloc(4));
  assert.equal(forms.of("c/d").length, 21);
  assert.equal(forms.of("c/d")[0], 8);
  assert.equal(forms.of("a/b")[0], 7);
  assert.equal(open(packed, Buffer.from("other")), undefined);
  assert.equal(open(Buffer.alloc(0), text), undefined);
  const other = Buffer.from(
    packed.toString("latin1").replace(process.version, process.version.replace(/\d/, "0")),
    "latin1",
  );
  assert.equal(open(other, text), undefined);
});

/** The header of the forms in a build, changed by `change`. */
function changeHeader(build, change) {
  const path = join(build, "dist", formsFile);
  const packed = readFileSync(path);
  const end = 4 + packed.readUInt32LE(0);
  const header = JSON.parse(packed.toString("latin1", 4, end));
  change(header);
  const json = Buffer.from(JSON.stringify(header));
  const size = Buffer.alloc(4);
  size.writeUInt32LE(json.length);
  writeFileSync(path, Buffer.concat([size, json, packed.subarray(end)]));
}

/** What `git --version` prints in a machine of a build. */
async function gitOf(build) {
  const { NodeRuntime } = await import(pathToFileURL(join(build, "dist/index.js")).href);
  const rt = await NodeRuntime.create();
  try {
    return (await rt.execCommand("git", ["--version"])).stdout;
  } finally {
    await rt.dispose();
  }
}

test("git is found compiled, where its text is what the forms were made of", async () => {
  const changed = copyBuild(dist);
  const path = join(changed, "dist/programs.json");
  const text = readFileSync(path, "utf8");
  // As long as before: V8 itself compares no more than the length.
  const other = text.replace('gitVersion = \\"2.39.0', 'gitVersion = \\"2.39.9');
  assert.ok(other !== text, "the version is written otherwise");
  writeFileSync(path, other);
  assert.match(await gitOf(changed), /^git version 2\.39\.9 \(iso/);

  // Elsewhere V8 takes no forms in a zygote.
  if (process.arch !== "x64") return;
  // Taken for the text of the forms, it is not compiled: what they were made of is what it prints.
  const believed = copyBuild(dist);
  writeFileSync(join(believed, "dist/programs.json"), other);
  changeHeader(believed, (header) => (header.programs.crc = crc32(other)));
  assert.match(await gitOf(believed), /^git version 2\.39\.0 \(iso/);
});

test("an engine that keeps its digest elsewhere is left as it is, and compiles its own", async () => {
  for (const moveTo of [(address) => address + 4, () => 4096, () => 2 ** 46]) {
    const build = copyBuild(dist);
    changeHeader(build, (header) => (header.flagsAddress = moveTo(header.flagsAddress)));
    assert.deepEqual(await modulesOf(build), { value: 42, modules: 0 });
  }
});

/** Node's modules that were loaded after it pretended: with Node's own forms, and without. */
const engineProgram = `
  const fs = require("fs");
  const { internalBinding } = require("internal/test/binding");
  const [dist, formsFile] = process.argv.slice(1);
  const exported = {};
  const source = JSON.parse(fs.readFileSync(dist + "/guest.json", "utf8"))["launcher/zygote/compiled-forms"];
  require("vm").compileFunction(source, ["exports", "require"])(exported, require);
  const packed = fs.readFileSync(dist + "/" + formsFile);
  const bundle = fs.readFileSync(dist + "/guest.json");
  const forms = exported.CompiledForms.open(internalBinding, packed, bundle);
  const usage = () => internalBinding("builtins").getCacheUsage();
  const [before, without] = [usage().compiledWithCache.size, usage().compiledWithoutCache.size];
  forms.pretendPlainFlags(require);
  require("http2");
  console.log(JSON.stringify({
    before,
    taken: usage().compiledWithCache.size - before,
    compiled: usage().compiledWithoutCache.size - without,
  }));`;

test(
  "under a zygote's flags Node's modules come out of Node's own forms",
  { skip: process.arch === "x64" ? false : "the engine is linked to no address there" },
  () => {
    const flags = ["--no-warnings", "--expose-internals", "--minor-ms", "--no-maglev-osr"];
    const argv = [...flags, "-e", engineProgram, dist, formsFile];
    const said = JSON.parse(execFileSync(findEngine().path, argv, { encoding: "utf8" }));
    assert.equal(said.before, 0);
    assert.equal(said.compiled, 0);
    assert.ok(said.taken > 20, `${said.taken} modules`);
  },
);

/** The scripts of a thread's start, made with their forms as a thread does, on plain Node. */
const threadProgram = `
  const fs = require("fs");
  const { Script } = require("vm");
  const packed = fs.readFileSync(process.argv[1]);
  const formsAt = 4 + packed.readUInt32LE(0);
  const { thread } = JSON.parse(packed.toString("latin1", 4, formsAt));
  const rejected = [];
  const modules = thread.flatMap(({ text: [from, to], form: [at, bytes] }) => {
    const cachedData = packed.subarray(formsAt + at, formsAt + at + bytes);
    const source = packed.toString("latin1", formsAt + from, formsAt + to);
    const script = new Script(source, { filename: "node:internal/secure-exec/thread", cachedData });
    rejected.push(script.cachedDataRejected);
    return Object.keys(script.runInThisContext());
  });
  console.log(JSON.stringify({ modules, rejected: rejected.some((is) => is !== false) }));`;

test("a thread finds all that its start loads in few scripts, compiled", () => {
  const argv = ["-e", threadProgram, join(dist, formsFile)];
  const said = JSON.parse(execFileSync(findEngine().path, argv, { encoding: "utf8" }));
  assert.equal(said.rejected, false);
  assert.equal(said.modules.length, new Set(said.modules).size);
  // What it begins with, what that loads, and what loads it; nothing that a start puts off.
  for (const id of ["guest/thread", "guest/install", "guest/channel", "guest/loader"])
    assert.ok(said.modules.includes(id), id);
  assert.ok(!said.modules.includes("guest/sqlite/databases"));
});

/** What V8 takes its flags to be: here, in a worker, after a program has set one, and in a worker after that. */
const tagsProgram = `
  const v8 = require("v8");
  const { Worker } = require("worker_threads");
  const text = 'require("worker_threads").parentPort.postMessage(require("v8").cachedDataVersionTag())';
  const ofWorker = () =>
    new Promise((resolve) => new Worker(text, { eval: true }).on("message", resolve));
  (async () => {
    const tags = [v8.cachedDataVersionTag(), await ofWorker()];
    v8.setFlagsFromString("--no-opt");
    tags.push(v8.cachedDataVersionTag() === tags[0], (await ofWorker()) === tags[0]);
    console.log(JSON.stringify(tags));
  })();`;

test(
  "V8 takes Node's own forms in a guest and in its workers, until a program sets a flag",
  { skip: process.arch === "x64" ? false : "the engine is linked to no address there" },
  async () => {
    const plain = execFileSync(findEngine().path, ["-e", tagsProgram], { encoding: "utf8" });
    const { NodeRuntime } = await import(pathToFileURL(join(dist, "index.js")).href);
    const rt = await NodeRuntime.create();
    try {
      const { stdout, stderr } = await rt.execCommand("node", ["-e", tagsProgram]);
      assert.equal(stdout, plain, stderr);
      assert.match(stdout, /^\[(\d+),\1,false,false\]$/m);
    } finally {
      await rt.dispose();
    }
  },
);
