// node:wasi in a guest: Node's own module over our WASI.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { NodeRuntime } from "../../dist/index.js";
import { fixture } from "../support/wasi.mjs";

const limit = { timeout: 60_000 };
const it = (name, body) => test(name, limit, body);

let rt;
before(async () => {
  rt = await NodeRuntime.create({
    files: Object.fromEntries(
      ["hello", "cat", "files", "machine"].map((name) => [`/tmp/${name}.wasm`, fixture(name)]),
    ),
  });
});
after(() => rt?.dispose());

const prelude = `
  import { WASI } from "node:wasi";
  import fs from "node:fs";
  const run = async (name, options) => {
    const wasi = new WASI({ version: "preview1", ...options });
    const module = await WebAssembly.compile(fs.readFileSync("/tmp/" + name + ".wasm"));
    return wasi.start(await WebAssembly.instantiate(module, wasi.getImportObject()));
  };
`;
const exec = async (code) => {
  const { stdout, stderr, exitCode } = await rt.exec(prelude + code);
  const shown = stderr.replace(/^\(node:\d+\) ExperimentalWarning: WASI.*\n(\(Use .*\n)?/m, "");
  return { stdout, stderr: shown, exitCode };
};

it("args, env and the exit code come back from start", async () => {
  assert.deepEqual(
    await exec(`
      console.log(await run("hello", { args: ["hello", "x"], env: { T_A: 1, T_B: undefined, EXIT: "9" } }));
      console.log(typeof WASI, (await import("node:module")).builtinModules.includes("wasi"));`),
    {
      stdout: "arg 0 hello\narg 1 x\nenv T_A=1\n9\nfunction true\n",
      stderr: "to stderr\n",
      exitCode: 0,
    },
  );
});

it("without returnOnExit the process ends with the module's code", async () => {
  const { stdout, exitCode } = await exec(`
    await run("hello", { args: ["h"], env: { EXIT: "3" }, returnOnExit: false });
    console.log("not reached");`);
  assert.deepEqual([stdout, exitCode], ["arg 0 h\n", 3]);
});

it("stdio may be any descriptors of the program", async () => {
  const { stdout, stderr, exitCode } = await exec(`
    fs.writeFileSync("/tmp/in", "some text");
    const stdin = fs.openSync("/tmp/in"), stdout = fs.openSync("/tmp/out", "w");
    console.log(await run("cat", { args: ["cat"], stdin, stdout }), fs.readFileSync("/tmp/out", "utf8"));`);
  assert.deepEqual(
    { stdout, stderr, exitCode },
    { stdout: "0 some text\n", stderr: "", exitCode: 0 },
  );
});

it("a preopened directory confines names and links", async () => {
  const { stdout } = await exec(`
    fs.mkdirSync("/tmp/box/in", { recursive: true });
    fs.writeFileSync("/tmp/secret", "secret");
    fs.writeFileSync("/tmp/box/ok", "fine ");
    const link = (target, name) => fs.symlinkSync(target, "/tmp/box/" + name);
    link("/tmp/secret", "absolute"); link("../secret", "relative"); link("ok", "good");
    link("/box/in/../ok", "mapped"); link("loop", "loop"); link("/tmp/boxes", "prefix"); link("..", "up");
    const names = "ok good mapped in/../ok absolute relative prefix up/secret ../secret in/../../secret loop ok/x /tmp/secret";
    for (const name of names.split(" ")) {
      const path = name.startsWith("/") ? name : "/box/" + name;
      const stderr = fs.openSync("/tmp/errors", "w");
      const code = await run("cat", { args: ["cat", path], preopens: { "/box": "/tmp/box" }, stderr });
      console.log(name, code, fs.readFileSync("/tmp/errors", "utf8").trim().split(": ").at(-1));
    }`);
  assert.deepEqual(stdout.trimEnd().split("\n"), [
    "fine ok 0 ",
    "fine good 0 ",
    "fine mapped 0 ",
    "fine in/../ok 0 ",
    ...["absolute", "relative", "prefix", "up/secret", "../secret", "in/../../secret"].map(
      (name) => `${name} 1 Capabilities insufficient`,
    ),
    "loop 1 Symbolic link loop",
    "ok/x 1 Not a directory",
    "/tmp/secret 1 Capabilities insufficient",
  ]);
});

it("a module works on the files of the machine", async () => {
  const { stdout } = await exec(`
    fs.mkdirSync("/tmp/work", { recursive: true });
    await run("files", { args: ["files", "/w"], preopens: { "/w": "/tmp/work" } });`);
  assert.match(stdout, /^mkdir: 0\nmkdir again: File exists\nwrite: 11\n/);
  assert.match(stdout, /rmdir: 0\nrmdir again: No such file or directory\n/);
});

it("misuse is refused as Node refuses it", async () => {
  const { stdout, stderr } = await exec(`
    const refused = (work) => { try { work(); console.log("?"); } catch ({ code, message }) { console.log(code, message); } };
    refused(() => new WASI({ version: "preview1", preopens: { "/x": "/nope" } }));
    refused(() => new WASI({ version: "preview1", preopens: { "/x": "/etc/passwd" } }));
    refused(() => new WASI({ version: "preview2" }));
    refused(() => new WASI({ version: "preview1", args: 1 }));
    refused(() => new WASI({ version: "preview1" }).wasiImport.fd_write(1, 2, 3, 4));
    refused(() => new WASI({ version: "preview1" }).start({ exports: { _start() {}, memory: {} } }));
    const wasi = new WASI({ version: "unstable" });
    console.log(Object.keys(wasi.getImportObject()), Object.keys(wasi.wasiImport).length);
    wasi.initialize({ exports: { memory: new WebAssembly.Memory({ initial: 1 }) } });
    console.log(wasi.wasiImport.fd_write("1", {}, [], null), wasi.wasiImport.fd_write(1, -1, 1, 0));`);
  assert.equal(stderr, "");
  const lines = stdout.trimEnd().split("\n");
  assert.deepEqual(lines.splice(0, 2), ["UVWASI_ENOENT uvwasi_init", "UVWASI_ENOTDIR uvwasi_init"]);
  assert.match(lines[0], /^ERR_INVALID_ARG_VALUE .*unsupported WASI version/);
  assert.match(lines[1], /^ERR_INVALID_ARG_TYPE .*options\.args/);
  assert.deepEqual(lines.slice(2), [
    "ERR_WASI_NOT_STARTED wasi.start() has not been called",
    'ERR_INVALID_ARG_TYPE "instance.exports.memory" property must be a WebAssembly.Memory object',
    "[ 'wasi_unstable' ] 46",
    "28 21",
  ]);
});
