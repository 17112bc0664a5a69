// What threads take over from the process and leave to it, beside plain Node: preloaded modules in the thread of
// module.register, what is printed there at the end, titles, and texts in TypeScript.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { tmpdir } from "node:os";
import { after, test } from "node:test";
import { machine } from "../support/machines.mjs";
import { plainNode } from "../support/plain-node.mjs";

const timeout = 60_000;
const hook = (body) =>
  `data:text/javascript,${encodeURIComponent(`export function resolve(specifier, context, next) { ${body} return next(specifier, context); }`)}`;
const files = {
  "announces.cjs": `require("node:fs").writeSync(1, "preloaded\\n");`,
  "registers.cjs": `require("node:module").register(${JSON.stringify(
    hook(`process.getBuiltinModule("node:fs").writeSync(1, "asked\\n");`),
  )});`,
  "empty.mjs": "",
  "last-words.mjs": `
    import { register } from "node:module";
    register(${JSON.stringify(hook(`console.log("said in the hook");`))});
    await import("node:os");
    process.on("exit", () => console.log("exit"));`,
};
const directory = mkdtempSync(join(tmpdir(), "loader-thread-"));
after(() => rmSync(directory, { recursive: true, force: true }));
for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text);
const rt = await machine({
  files: Object.fromEntries(Object.entries(files).map(([name, text]) => [`/app/${name}`, text])),
});

/** The same command line in the machine and in plain Node. */
async function both(args) {
  const guest = await rt.execCommand("node", args, { cwd: "/app", timeout: 30_000 });
  const plain = plainNode(args, { cwd: directory });
  return { guest, plain };
}

async function same(args) {
  const { guest, plain } = await both(args);
  assert.deepEqual(
    [guest.exitCode, guest.stdout, guest.stderr],
    [plain.status, plain.stdout, plain.stderr],
  );
  return guest;
}

test("the thread of module.register loads what --require names", { timeout }, async () => {
  const { stdout } = await same([
    "--no-warnings",
    "--require",
    "./announces.cjs",
    "--experimental-loader",
    "data:text/javascript,",
    "./empty.mjs",
  ]);
  assert.equal(stdout, "preloaded\npreloaded\n");
});

test("a preloaded module may register hooks, there as well", { timeout }, async () => {
  const { stdout } = await same(["--no-warnings", "--require", "./registers.cjs", "./empty.mjs"]);
  assert.match(stdout, /^(asked\n){2,}$/);
});

test("what a hook has printed is not lost when the process ends", { timeout }, async () => {
  const { guest, plain } = await both(["--no-warnings", "./last-words.mjs"]);
  // Before the listeners of `exit` or behind them, as the thread is quick or slow.
  const lines = ({ stdout }) => stdout.split("\n").toSorted();
  assert.deepEqual(lines(guest), ["", "exit", "said in the hook"]);
  assert.deepEqual(lines(plain), lines(guest));
});

test("a worker's title is its own", { timeout }, async () => {
  const { stdout } = await rt.execCommand("node", [
    "-e",
    `const { Worker } = require("node:worker_threads");
     const text = 'process.title = "mine"; require("node:worker_threads").parentPort.postMessage(process.title)';
     new Worker(text, { eval: true }).on("message", (title) => console.log(title, process.title));`,
  ]);
  assert.equal(stdout, "mine node\n");
});

test("a worker's text is the TypeScript that --input-type says", { timeout }, async () => {
  const program = (text) => `
    const { Worker } = require("node:worker_threads");
    new Worker(${JSON.stringify(text)}, { eval: true, execArgv: ["--no-warnings", "--input-type=module-typescript"] })
      .on("message", (message) => console.log(message))
      .on("error", ({ name, code, message }) => console.log(name, code, message.split("\\n", 1)[0]));`;
  for (const [text, said] of [
    [
      `import { parentPort } from "node:worker_threads"; parentPort.postMessage([import.meta.main as boolean]);`,
      "[ true ]\n",
    ],
    [
      `const port: object = require("node:worker_threads");`,
      /^ReferenceError undefined require is not defined/,
    ],
    [`enum Colour { red } export {};`, /ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX/],
  ]) {
    const { stdout } = await same(["-e", program(text)]);
    if (typeof said === "string") assert.equal(stdout, said);
    else assert.match(stdout, said);
  }
});
