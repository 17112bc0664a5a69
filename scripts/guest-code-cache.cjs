// Run on the engine, with flags that say nothing to V8: compiles the guest-side modules to the last function, and keeps the
// forms for zygotes; src/launcher/zygote/compiled-forms.ts reads them.
const { readFileSync, writeFileSync } = require("node:fs");
const { join } = require("node:path");
const { setFlagsFromString } = require("node:v8");
const vm = require("node:vm");
const { Worker } = require("node:worker_threads");
const { crc32 } = require("node:zlib");

const dist = process.argv[2];
const text = readFileSync(join(dist, "guest.json"));
const sources = JSON.parse(text);
const programsText = readFileSync(join(dist, "programs.json"));
const load = (id) => {
  const exported = {};
  vm.compileFunction(sources[id], ["exports", "require"])(exported, require);
  return exported;
};
const { loadedWith, ownScripts, parameters, placesOf, scriptOf } = load("guest/loader");
const { digestOfFlags, packForms } = load("launcher/zygote/compiled-forms");

/**
 * Of these a thread runs what a rehearsal cannot: the way to the kernel, and what is done once that is there. They are compiled to the
 * last function; of the others a form has what has run by then and no more, because all of it is made anew in each thread.
 */
const wholeModules = [
  "guest/bindings/fs-runner",
  "guest/channel",
  "guest/engine-flags",
  "guest/identity",
  "guest/loader",
  "guest/platform",
  "guest/printer",
  "guest/stack-frames",
  "guest/thread",
  "guest/thread-slots",
  "guest/trace-stack",
  "protocol/codec",
  "protocol/frames",
  "protocol/port",
  "sandbox/libc",
];

/** Run in a thread: loads what a thread of a guest loads, installs it over nothing, and posts the forms. */
const rehearsal = `
  const { parentPort, workerData: { texts, filename } } = require("node:worker_threads");
  const { setFlagsFromString } = require("node:v8");
  const { Script } = require("node:vm");
  const scripts = texts.map(({ text, whole }) => {
    setFlagsFromString(whole ? "--no-lazy" : "--lazy");
    return new Script(text, { filename });
  });
  setFlagsFromString("--lazy");
  const factories = Object.assign({}, ...scripts.map((script) => script.runInThisContext()));
  const exported = {};
  const kept = [process, Buffer, setImmediate, clearImmediate, URL, TextDecoder];
  factories["guest/loader"](exported, undefined, undefined, undefined, undefined, ...kept);
  const tools = exported.toolsOf(require);
  const loader = new exported.Loader(tools, exported.textsOf({}), new exported.Programs(Buffer.alloc(0)), factories);
  loader.load("guest/thread");
  loader.load("guest/install").installBindings({ ...tools, channel() {}, callListeners: [], slots: {}, modules: {}, ownFlags() {} });
  loader.load("guest/public-modules").hideInternals(tools.requireBuiltin);
  parentPort.postMessage(scripts.map((script) => script.createCachedData()));`;

/** A text is a large object to V8 from 128 KiB on, and a few of those have it collect garbage. */
const largestPiece = 110_000;

function inPieces(ids) {
  const pieces = [];
  let room = 0;
  for (const id of ids) {
    room -= sources[id].length;
    if (room < 0) {
      pieces.push([]);
      room = largestPiece - sources[id].length;
    }
    pieces.at(-1).push(id);
  }
  return pieces;
}

/** What a thread's start loads, as scripts with their forms. */
function threadScripts() {
  const ids = loadedWith("guest/thread", sources);
  const texts = [true, false].flatMap((whole) => {
    const some = ids.filter((id) => wholeModules.includes(id) === whole);
    return inPieces(some).map((piece) => ({ text: scriptOf(piece, sources), whole }));
  });
  const execArgv = ["--no-warnings", "--expose-internals"];
  const workerData = { texts, filename: `${ownScripts}thread` };
  return new Promise((resolve, reject) => {
    const worker = new Worker(rehearsal, { eval: true, execArgv, workerData });
    worker.once("error", reject).once("message", (forms) => {
      resolve(
        texts.map(({ text }, i) => ({ text: Buffer.from(text), form: Buffer.from(forms[i]) })),
      );
    });
  });
}

/**
 * Programs that are worth a form: `git` is half a megabyte of text that each of its guests would compile for itself. Of the other
 * commands none is a tenth of that, and their forms would be memory of every zygote.
 */
const isWorthAForm = (id) => /^userland\/(?:vendor|commands\/git)\//.test(id);

/** Compiled as the loader would, to the last function. */
function formsOf(texts) {
  setFlagsFromString("--no-lazy");
  const forms = Object.entries(texts).map(([id, source]) => {
    const filename = ownScripts + id;
    const options = { filename, produceCachedData: true };
    return [id, vm.compileFunction(source, parameters, options).cachedData];
  });
  setFlagsFromString("--lazy");
  return new Map(forms);
}

async function main() {
  const { linkedAt } = await import(join(dist, "launcher/engine-symbols.js"));
  const flags = digestOfFlags(require);
  const thread = await threadScripts();
  const guest = { crc: crc32(text), forms: formsOf(sources) };
  const worth = Object.entries(JSON.parse(programsText)).filter(([id]) => isWorthAForm(id));
  const programs = { crc: crc32(programsText), forms: formsOf(Object.fromEntries(worth)) };
  // `static uint32_t flag_hash` of v8::internal in src/flags/flags.cc; compilers number what is static.
  const name = "_ZN2v88internalL9flag_hashE";
  const flagsAddress = linkedAt([name, `${name}.0`]) ?? 0;
  const texts = Object.fromEntries(placesOf(text));
  const ids = ["start", "main"].flatMap((name) => loadedWith(`launcher/zygote/${name}`, sources));
  const plain = new Map(ids.map((id) => [id, Buffer.from(sources[id], "latin1")]));
  const file = join(dist, `guest.${process.arch}.cache`);
  writeFileSync(file, packForms(guest, programs, thread, { flags, flagsAddress, texts, plain }));
}
void main();
