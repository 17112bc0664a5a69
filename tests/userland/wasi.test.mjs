// WebAssembly commands end to end: real modules in real processes of a machine.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { SecureExecError } from "../../dist/index.js";
import { savings } from "../../dist/sdk/savings.js";
import { addCommands, fixture, machineWith } from "../support/wasi.mjs";

const limit = { timeout: 100_000 };
const it = (name, body) => test(name, limit, body);

let rt;
before(async () => {
  rt = await machineWith({
    hello: fixture("hello"),
    cat: fixture("cat"),
    files: fixture("files"),
    machine: fixture("machine"),
  });
});
after(() => rt?.dispose());

const run = async (command, args = [], options = {}) => {
  const { stdout, stderr, exitCode } = await rt.execCommand(command, args, options);
  return { stdout, stderr, exitCode };
};
const output = async (...args) => {
  const { stdout, stderr, exitCode } = await run(...args);
  assert.deepEqual({ stderr, exitCode }, { stderr: "", exitCode: 0 });
  return stdout;
};

it("arguments, environment, both streams and the exit code", async () => {
  assert.deepEqual(await run("hello", ["a", "b c", "é"], { env: { T_X: "1=2", EXIT: "7" } }), {
    stdout: "arg 0 hello\narg 1 a\narg 2 b c\narg 3 é\nenv T_X=1=2\n",
    stderr: "to stderr\n",
    exitCode: 7,
  });
  // As wait(2) has it: eight bits.
  assert.equal((await run("hello", [], { env: { EXIT: "258" } })).exitCode, 2);
});

it("stdin arrives as it is written, and output as it is made", async () => {
  const seen = [];
  let wake;
  const next = () => new Promise((resolve) => (wake = resolve));
  const process = await rt.spawnCommand("cat", [], {
    onStdout: (data) => {
      seen.push(Buffer.from(data).toString());
      wake();
    },
  });
  for (const line of ["one\n", "two\n", "three\n"]) {
    const answered = next();
    process.writeStdin(line);
    await answered;
  }
  assert.deepEqual(seen, ["one\n", "two\n", "three\n"]);
  assert.equal(process.exitCode, null);
  process.closeStdin();
  assert.equal(await process.wait(), 0);
});

it("megabytes pass unchanged through stdin and from a file", async () => {
  const data = Buffer.alloc(9_000_001);
  for (let at = 0; at + 4 <= data.length; at += 4) data.writeUInt32LE((at * 2654435761) >>> 0, at);
  const text = data.toString("latin1");
  const sum = createHash("sha256").update(Buffer.from(text)).digest("hex");
  const fromStdin = await output("cat", [], { stdin: text });
  assert.equal(createHash("sha256").update(fromStdin).digest("hex"), sum);
  await rt.writeFile("/tmp/big", Buffer.from(text).subarray(0, 6_000_000));
  assert.equal((await output("cat", ["/tmp/big", "/tmp/big"])).length > 6_000_000, true);
});

it("files: every path call does what it does natively", async () => {
  const expected = readFileSync(new URL("../fixtures/wasi/files.txt", import.meta.url), "utf8");
  assert.equal(await output("files", ["/tmp"]), expected);
  assert.equal(await output("files", ["."], { cwd: "/workspace" }), expected);
  const root = await run("files", ["."], { cwd: "/" });
  assert.deepEqual([root.exitCode, root.stdout.split("\n")[0]], [1, "mkdir: Permission denied"]);
});

it("absolute and relative paths, also where the names look alike", async () => {
  await rt.writeFile("/tmp/etc/hosts", "not the real one\n");
  await rt.writeFile("/tmp/sub/file", "sub\n");
  await rt.writeFile("/workspace/tmp/only-here", "in workspace\n");
  const hosts = await output("cat", ["/etc/hosts"]);
  assert.match(hosts, /localhost/);
  assert.equal(await output("cat", ["sub/file"], { cwd: "/tmp" }), "sub\n");
  assert.equal(await output("cat", ["./sub/../sub/file"], { cwd: "/tmp" }), "sub\n");
  assert.equal(await output("cat", ["../tmp/sub/file"], { cwd: "/tmp" }), "sub\n");
  assert.equal(await output("cat", ["/tmp/sub/file"], { cwd: "/tmp" }), "sub\n");
  assert.equal(await output("cat", ["etc/hosts"], { cwd: "/tmp" }), "not the real one\n");
  assert.equal(await output("cat", ["/tmp/sub/file"], { cwd: "/workspace" }), "sub\n");
  assert.equal(await output("cat", ["tmp/only-here"], { cwd: "/workspace" }), "in workspace\n");
  const missing = await run("cat", ["nothing", "/root/none/such"]);
  assert.deepEqual(missing, {
    stdout: "",
    stderr:
      "cat: nothing: No such file or directory\ncat: /root/none/such: No such file or directory\n",
    exitCode: 1,
  });
});

it("what the file system refuses, a module is refused", async () => {
  await rt.exec(`
    import { chmodSync, writeFileSync } from "node:fs";
    writeFileSync("/tmp/locked", "secret"); chmodSync("/tmp/locked", 0);`);
  assert.deepEqual(await run("cat", ["/tmp/locked"]), {
    stdout: "",
    stderr: "cat: /tmp/locked: Permission denied\n",
    exitCode: 1,
  });
});

it("a trap, an abort and a recursion without end leave 134 and the reason", async () => {
  const trap = await run("machine", ["trap"]);
  assert.deepEqual([trap.exitCode, trap.stdout], [134, "before\n"]);
  assert.match(trap.stderr, /^machine: RuntimeError: unreachable\n\s+at wasm:/);
  const abort = await run("machine", ["abort"]);
  assert.deepEqual([abort.exitCode, /unreachable/.test(abort.stderr)], [134, true]);
  const recursion = await run("machine", ["recurse"]);
  assert.equal(recursion.exitCode, 134);
  assert.match(
    recursion.stderr,
    /^machine: (RuntimeError: memory access out of bounds|RangeError: Maximum)/,
  );
});

it("an endless loop is ended by the timeout and by kill", async () => {
  const { stdout, exitCode } = await run("machine", ["spin"], { timeout: 1500 });
  assert.deepEqual([stdout, exitCode], ["spinning\n", 137]);
  let started;
  const running = new Promise((resolve) => (started = resolve));
  const process = await rt.spawnCommand("machine", ["spin"], { onStdout: () => started() });
  await running;
  process.kill("SIGTERM");
  assert.equal(await process.wait(), 143);
});

it("memory grows up to the limit of the process, and no further", async () => {
  // A guest of a zygote that is not warm has some room more, to collect its garbage in.
  await savings();
  const [mebibytes, ...reason] = (await output("machine", ["memory"])).trim().split(" ");
  assert.equal(reason.join(" "), "Out of memory");
  assert.ok(Number(mebibytes) > 100 && Number(mebibytes) < 256, mebibytes);
});

it("clocks, waiting and randomness", async () => {
  const slept = Number(await output("machine", ["sleep"]));
  assert.ok(slept >= 119, String(slept));
  const before = Date.now();
  const now = Number(await output("machine", ["clock"]));
  assert.ok(now >= before - 1000 && now <= Date.now() + 1000, String(now - before));
  assert.equal(await output("machine", ["poll"], { stdin: "x" }), "1 1\n");
  assert.match(await output("machine", ["cpu"]), /^\d{6,}\n$/);
  const first = await output("machine", ["random"]);
  assert.match(first, /^[0-9a-f]{200}$/);
  assert.notEqual(first, await output("machine", ["random"]));
});

it("no stream of the host is a terminal", async () => {
  assert.equal(await output("machine", ["tty"]), "0 0 0\n");
  assert.equal(await output("machine", ["tty"], { stdin: "x" }), "0 0 0\n");
});

it("guests start WebAssembly commands, and pipe between them", async () => {
  const { stdout, stderr, exitCode } = await rt.exec(
    `
    import { execFileSync, spawn, spawnSync } from "node:child_process";
    console.log(execFileSync("hello", ["x"], { stdio: ["ignore", "pipe", "ignore"] }).toString());
    console.log(spawnSync("hello", [], { env: { ...process.env, EXIT: "3" } }).status);
    console.log(spawnSync("cat", { input: "through a pipe" }).stdout.toString());
    console.log(spawnSync("machine", ["trap"]).status);
    const cat = spawn("cat");
    cat.stdout.on("data", (data) => { console.log(String(data)); cat.kill("SIGKILL"); });
    cat.on("exit", (code, signal) => console.log(code, signal));
    cat.stdin.write("streamed");`,
  );
  assert.deepEqual(
    { stdout, stderr, exitCode },
    {
      stdout: "arg 0 hello\narg 1 x\n\n3\nthrough a pipe\n134\nstreamed\nnull SIGKILL\n",
      stderr: "",
      exitCode: 0,
    },
  );
});

it("a command that is not there, or may not be executed, is an error with the reason", async () => {
  const coded = (errno) => (error) => {
    assert.ok(SecureExecError.isSecureExecError(error), String(error));
    assert.equal(error.code, "ERR_SECURE_EXEC_SPAWN_FAILED");
    assert.equal(error.details.errno, errno);
    return true;
  };
  await assert.rejects(rt.execCommand("no-such-command"), coded("ENOENT"));
  await assert.rejects(rt.execCommand("/opt/wasm/none"), coded("ENOENT"));
  await rt.writeFile("/tmp/plain.wasm", fixture("hello"));
  await assert.rejects(rt.spawnCommand("/tmp/plain.wasm"), coded("EACCES"));
  await assert.rejects(rt.execCommand("/tmp"), coded("EACCES"));
  // Relative to the working directory of the run.
  const relative = await rt.execCommand("./hello", [], { cwd: "/opt/wasm" });
  assert.deepEqual([relative.stdout, relative.exitCode], ["arg 0 ./hello\n", 0]);
});

it("options of commands are checked before anything runs", async () => {
  const refused = (problem) => (error) => {
    assert.equal(error.code, "ERR_SECURE_EXEC_INVALID_OPTION");
    assert.match(error.message, problem);
    return true;
  };
  await assert.rejects(rt.execCommand(1), refused(/command must be a string/));
  await assert.rejects(rt.execCommand(""), refused(/command must not be empty/));
  await assert.rejects(rt.execCommand("hello", "x"), refused(/args must be an array/));
  await assert.rejects(rt.execCommand("hello", [1]), refused(/args\[0\] must be a string/));
  await assert.rejects(rt.execCommand("hello", ["a\0"]), refused(/NUL/));
  await assert.rejects(
    rt.spawnCommand("hello", [], { args: ["x"] }),
    refused(/args is not a known/),
  );
  await assert.rejects(rt.execCommand("hello", [], { language: "js" }), refused(/not a known/));
  const controller = new AbortController();
  controller.abort(new Error("enough"));
  await assert.rejects(rt.execCommand("hello", [], { signal: controller.signal }), /enough/);
});

// The binaries of the npm package @agentos-software/coreutils, which is not a dependency:
// its .aospkg holds a tar of them after a header.
const coreutils = process.env["WASI_COREUTILS_DIR"];
test(
  "coreutils built for host_* imports run unmodified",
  {
    ...limit,
    skip:
      coreutils !== undefined && existsSync(coreutils)
        ? false
        : "WASI_COREUTILS_DIR names no directory of binaries",
  },
  async () => {
    const wanted = ["sh", "cat", "ls", "sort", "tr", "wc", "seq", "cp", "chmod", "id", "stat"];
    const names = readdirSync(coreutils).filter((name) => wanted.includes(name));
    assert.deepEqual(names.sort(), wanted.sort());
    const tools = await machineWith({});
    try {
      for (const name of names)
        await addCommands(tools, { [name]: readFileSync(join(coreutils, name)) });
      const sh = async (script, options) => {
        const { stdout, stderr, exitCode } = await tools.execCommand("sh", ["-c", script], options);
        return [stdout, stderr, exitCode];
      };
      assert.deepEqual(await sh("seq 5 | sort -r | tr 1-5 a-e; echo $?"), [
        "e\nd\nc\nb\na\n0\n",
        "",
        0,
      ]);
      assert.deepEqual(await sh("echo $((6*7)) > f; cp f g; cat < g; ls; exit 3"), [
        "42\nf\ng\n",
        "",
        3,
      ]);
      assert.deepEqual(await sh("x=$(id); echo ${x%% *}; chmod 640 f; stat -c %a f"), [
        "uid=1000(user)\n640\n",
        "",
        0,
      ]);
      assert.deepEqual(await sh("read a; echo $a", { stdin: "one\ntwo\n" }), ["one\n", "", 0]);
    } finally {
      await tools.dispose();
    }
  },
);
