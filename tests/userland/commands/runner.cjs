// Runs under the pinned engine: reads cases as JSON from standard input, runs each with our commands
// from dist/programs.json, and what they share with guests from dist/guest.json, in a folder of its own, and prints the results as JSON. With arguments it is
// one command on this process's own descriptors instead.
const fs = require("node:fs");
const { compileFunction } = require("node:vm");
const childProcess = require("node:child_process");

const bundle = process.env.COMMANDS_BUNDLE;
delete process.env.COMMANDS_BUNDLE;
const { dirname, join } = require("node:path");
const sources = Object.assign(
  JSON.parse(fs.readFileSync(join(dirname(bundle), "guest.json"), "utf8")),
  JSON.parse(fs.readFileSync(bundle, "utf8")),
);
const loaded = new Map();
function load(id) {
  if (loaded.has(id)) return loaded.get(id).exports;
  if (sources[id] === undefined) throw new Error(`no guest module ${id}`);
  const module = { exports: {} };
  loaded.set(id, module);
  const localRequire = (name) => {
    if (!name.startsWith(".")) return require(name);
    const parts = id.split("/").slice(0, -1);
    for (const part of name.replace(/\.js$/, "").split("/")) {
      if (part === "..") parts.pop();
      else if (part !== ".") parts.push(part);
    }
    return load(parts.join("/"));
  };
  const names = ["exports", "require", "module"];
  compileFunction(sources[id], names, { filename: id })(module.exports, localRequire, module);
  return module.exports;
}

const { Output, endOf, runCommand, runInContext } = load("userland/run-command");

/** By the system's own tool, as Node has no function for it. */
function makeFifo(path, mode) {
  const octal = mode.toString(8);
  const { status } = childProcess.spawnSync("sh", [
    "-c",
    `mkfifo "$1" && chmod ${octal} "$1"`,
    "sh",
    path,
  ]);
  return status === 0 ? 0 : fs.existsSync(path) ? -17 : -2;
}

function memoryContext(argv, { stdin = "", env = {} }) {
  const out = [];
  const err = [];
  const output = new Output((data) => out.push(Buffer.from(data)));
  const input = Buffer.from(stdin, "latin1");
  let position = 0;
  const context = {
    argv,
    name: argv[0],
    env: { ...process.env, ...env },
    fs,
    readInput(maxBytes = 65536) {
      const chunk = input.subarray(position, position + maxBytes);
      position += chunk.length;
      return chunk;
    },
    unreadInput(byteCount) {
      position -= byteCount;
    },
    write: (data) => output.write(data),
    writeBytes: (text) => output.writeBytes(text),
    flush: () => output.flush(),
    writeError(text) {
      output.flush();
      err.push(Buffer.from(text));
    },
    writeErrorFirst: (text) => void err.push(Buffer.from(text)),
    cwd: () => process.cwd(),
    isTerminal: () => false,
    makeFifo,
    spawn: (file, args, options) => Promise.resolve(context.spawnSync(file, args, options)),
    spawnSync(file, args, options = {}) {
      output.flush();
      const given = options.input ?? (options.stdin === "ignore" ? "" : input.subarray(position));
      if (options.input === undefined && options.stdin !== "ignore") position = input.length;
      const result = childProcess.spawnSync(file, args, {
        env: options.env ?? context.env,
        cwd: options.cwd,
        input: given,
      });
      if (!options.capture && result.stdout) out.push(result.stdout);
      if (result.stderr) err.push(result.stderr);
      const error = result.error?.code === "EPIPE" ? undefined : result.error?.code;
      return { ...endOf(result.status, result.signal, error), stdout: result.stdout };
    },
  };
  return { context, result: () => ({ stdout: Buffer.concat(out), stderr: Buffer.concat(err) }) };
}

async function main() {
  const { cases } = JSON.parse(fs.readFileSync(0, "utf8"));
  const results = [];
  for (const each of cases) {
    process.chdir(each.cwd);
    const { context, result } = memoryContext(each.argv, each);
    const status = await runInContext(context, each.argv[0]);
    const { stdout, stderr } = result();
    results.push({ status, stdout: stdout.toString("latin1"), stderr: stderr.toString("latin1") });
  }
  fs.writeSync(1, JSON.stringify(results));
}

if (process.argv.length > 2) {
  const [name, ...args] = process.argv.slice(2);
  runCommand(name, [name, ...args], { seekBy: () => 0, makeFifo }).then((status) =>
    process.exit(status),
  );
} else main();
