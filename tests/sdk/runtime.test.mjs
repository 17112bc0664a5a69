// The public API end to end: a real kernel, real guests, whole results.
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { NodeRuntime, SecureExecError, Sidecar, SidecarProcess } from "../../dist/index.js";

const limit = { timeout: 60_000 };
const it = (name, body) => test(name, limit, body);
const index = new URL("../../dist/index.js", import.meta.url).href;
const cli = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const delay = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const forever = "setInterval(() => {}, 1000);";
const result = (over = {}) => ({
  stdout: "",
  stderr: "",
  exitCode: 0,
  stdoutTruncated: false,
  stderrTruncated: false,
  ...over,
});
const restOf = (answer) => {
  const { stdout, ...rest } = answer;
  assert.equal(typeof stdout, "string");
  return rest;
};
const coded =
  (name, pattern = /./) =>
  (error) => {
    assert.equal(SecureExecError.isSecureExecError(error), true, String(error));
    assert.equal(error.code, `ERR_SECURE_EXEC_${name}`);
    assert.match(error.message, pattern);
    return true;
  };

/** Runs a program of the host and answers what it did. */
function host(command, args, options = {}) {
  return new Promise((resolve) => {
    const child = execFile(
      command,
      args,
      { timeout: 50_000, ...options },
      (error, stdout, stderr) =>
        resolve({ code: error ? (error.code ?? error.signal) : 0, stdout, stderr }),
    );
    child.stdin.end(options.input ?? "");
  });
}

let rt;
before(async () => {
  rt = await NodeRuntime.create({
    env: { MACHINE: "m", BOTH: "machine" },
    files: { "/root/deep/er/data.json": '{"ok":true}', "/tmp/bytes": Uint8Array.of(0, 255) },
  });
});
after(() => rt?.dispose());

it("exec answers both streams and the exit code", async () => {
  assert.deepEqual(
    await rt.exec(`console.log("out"); console.error("err"); process.exitCode = 3;`),
    result({ stdout: "out\n", stderr: "err\n", exitCode: 3 }),
  );
});

it("a program is an ES module in its working directory", async () => {
  const { stdout, ...rest } = await rt.exec(`
    import { sep } from "node:path";
    const { join } = await import("node:path");
    console.log(JSON.stringify([sep, join("a", "b"), import.meta.url, process.argv[1], typeof require]));`);
  const [sep, joined, url, main, kind] = JSON.parse(stdout);
  assert.deepEqual(
    [sep, joined, url, kind, rest],
    ["/", "a/b", `file://${main}`, "function", restOf(result())],
  );
  assert.equal(main, "/home/user/[eval1]");
});

it("run decodes the returned value", async () => {
  assert.deepEqual(
    await rt.run(`console.log("x"); __return({ a: [1, null, "é"], b: { c: true } });`),
    result({ stdout: "x\n", value: { a: [1, null, "é"], b: { c: true } } }),
  );
  assert.deepEqual(await rt.run(`__return(1); globalThis.__return(2);`), result({ value: 2 }));
  assert.deepEqual(await rt.run(`__return(undefined);`), result({ value: null }));
  assert.deepEqual(await rt.run(`1 + 1;`), result());
  assert.deepEqual(await rt.run(`__return(1); process.exit(4);`), result({ exitCode: 4 }));
});

it("a value JSON cannot carry rejects, but only when the program succeeded", async () => {
  const cycle = `const a = { list: [0, {}] }; a.list[1].self = a; __return(a);`;
  await assert.rejects(rt.run(cycle), coded("RETURN_VALUE"));
  assert.equal((await rt.run(`${cycle} process.exit(5);`)).exitCode, 5);
  await assert.rejects(rt.run(`__return(1n);`), coded("RETURN_VALUE"));
});

it("a returned __proto__ key does not arrive", async () => {
  const { value } = await rt.run(`__return(JSON.parse('{"__proto__":{"polluted":1},"x":1}'));`);
  assert.deepEqual(Object.keys(value), ["x"]);
  assert.equal(Object.assign({}, value).polluted, undefined);
});

it("an uncaught exception exits with 1 and leaves its stack on stderr", async () => {
  const { stderr, ...rest } = await rt.exec(`throw new Error("boom");`);
  assert.deepEqual(rest, {
    stdout: "",
    exitCode: 1,
    stdoutTruncated: false,
    stderrTruncated: false,
  });
  assert.match(stderr, /Error: boom\n {4}at /);
  assert.equal((await rt.exec(`Promise.reject(new Error("late"));`)).exitCode, 1);
});

it("env, cwd, args, stdin, name and language reach the program", async () => {
  const program = `
    let input = "";
    for await (const chunk of process.stdin) input += chunk;
    const { MACHINE, BOTH, OWN, HOME, SECRET } = process.env;
    __return({ env: { MACHINE, BOTH, OWN, HOME, SECRET }, cwd: process.cwd(), argv: process.argv.slice(1), input });`;
  process.env.SECRET = "of the host";
  const { value } = await rt.run(program, {
    env: { OWN: "o", BOTH: "run" },
    cwd: "/tmp",
    args: ["--flag", "ä b"],
    stdin: "stdin text",
    name: "named.mjs",
  });
  delete process.env.SECRET;
  assert.deepEqual(value, {
    env: { MACHINE: "m", BOTH: "run", OWN: "o", HOME: "/home/user" },
    cwd: "/tmp",
    argv: ["/tmp/named.mjs", "--flag", "ä b"],
    input: "stdin text",
  });
  const { argv, ...plain } = (await rt.run(program)).value;
  assert.deepEqual(plain, {
    env: { MACHINE: "m", BOTH: "machine", HOME: "/home/user" },
    cwd: "/home/user",
    input: "",
  });
  assert.equal(argv.length, 1);
});

it("stdin larger than a frame arrives whole", async () => {
  const stdin = new Uint8Array(1_000_000).map((_, at) => at);
  const { value } = await rt.run(
    `import { createHash } from "node:crypto";
     const hash = createHash("sha256"); let size = 0;
     for await (const chunk of process.stdin) { hash.update(chunk); size += chunk.length; }
     __return([size, hash.digest("hex")]);`,
    { stdin },
  );
  const { createHash } = await import("node:crypto");
  assert.deepEqual(value, [1_000_000, createHash("sha256").update(stdin).digest("hex")]);
});

it("TypeScript runs with its types stripped", async () => {
  const program = `const a: number = 1; interface B { c: string } __return(a as unknown);`;
  assert.deepEqual(await rt.run(program, { name: "a.ts" }), result({ value: 1 }));
  assert.deepEqual(await rt.run(program, { language: "ts" }), result({ value: 1 }));
  assert.equal((await rt.run(program)).exitCode, 1);
});

it("a timeout resolves with 137, also for an endless loop", async () => {
  const { stdout, exitCode } = await rt.exec(`console.log("before"); ${forever}`, { timeout: 500 });
  assert.deepEqual([stdout, exitCode], ["before\n", 137]);
  assert.equal((await rt.exec("while (true);", { timeout: 300 })).exitCode, 137);
});

it("an abort rejects at once with the reason, and the program ends even if it ignores SIGTERM", async () => {
  const reason = new Error("mine");
  const controller = new AbortController();
  const stubborn = `process.on("SIGTERM", () => {}); console.log("up"); ${forever}`;
  const running = rt.exec(stubborn, {
    signal: controller.signal,
    onStdout: () => controller.abort(reason),
  });
  const startedAt = Date.now();
  await assert.rejects(running, (error) => error === reason);
  assert.ok(Date.now() - startedAt < 5000);
  await assert.rejects(rt.exec(forever, { signal: AbortSignal.timeout(100) }), {
    name: "TimeoutError",
  });
});

it("a signal that is already aborted runs nothing; one aborted later changes nothing", async () => {
  await assert.rejects(
    rt.exec(`(await import("node:fs")).writeFileSync("/tmp/ran", "")`, {
      signal: AbortSignal.abort(),
    }),
    { name: "AbortError" },
  );
  await assert.rejects(rt.readFile("/tmp/ran"), coded("NO_SUCH_FILE"));
  const controller = new AbortController();
  assert.deepEqual(await rt.exec(`1;`, { signal: controller.signal }), result());
  controller.abort();
  assert.deepEqual(await rt.exec(`1;`), result());
});

it("hooks see every byte in order, and the result is still complete", async () => {
  const seen = [];
  const whole = Array.from({ length: 2000 }, (_, line) => `line ${line}\n`).join("");
  const answer = await rt.exec(`for (let i = 0; i < 2000; i++) console.log("line " + i);`, {
    onStdout: async (chunk) => {
      assert.equal(Object.getPrototypeOf(chunk), Uint8Array.prototype);
      await delay(1);
      seen.push(Buffer.from(chunk));
    },
  });
  assert.equal(Buffer.concat(seen).toString(), whole);
  assert.deepEqual(answer, result({ stdout: whole }));
});

it("a hook that throws ends the program and rejects", async () => {
  const wrong = new Error("hook");
  const onStdout = () => {
    throw wrong;
  };
  await assert.rejects(
    rt.exec(`console.log(1); ${forever}`, { onStdout }),
    (error) => error === wrong,
  );
  const onStderr = () => Promise.reject(wrong);
  await assert.rejects(
    rt.exec(`console.error(1); ${forever}`, { onStderr }),
    (error) => error === wrong,
  );
});

it("output is captured up to 16 MiB and the rest reported", async () => {
  const flood = `const block = "x".repeat(1 << 20); for (let i = 0; i < 17; i++) process.stdout.write(block);`;
  const { stdout, ...rest } = await rt.exec(flood);
  assert.equal(stdout, "x".repeat(16 << 20));
  assert.deepEqual(rest, restOf(result({ stdoutTruncated: true })));
  let shown = 0;
  const hooked = await rt.exec(flood, { onStdout: (chunk) => void (shown += chunk.length) });
  assert.deepEqual(
    [shown, hooked.stdout.length, hooked.stdoutTruncated],
    [17 << 20, 16 << 20, true],
  );
});

it("files are seeded, read and written", async () => {
  assert.equal(Buffer.from(await rt.readFile("/root/deep/er/data.json")).toString(), '{"ok":true}');
  assert.deepEqual(await rt.readFile("/tmp/bytes"), Uint8Array.of(0, 255));
  await rt.writeFile("/workspace/new/dir/a.txt", "text");
  const program = `import fs from "node:fs"; __return(fs.readFileSync("/workspace/new/dir/a.txt", "utf8"));
    fs.writeFileSync("/tmp/from-guest", "g");`;
  assert.equal((await rt.run(program)).value, "text");
  assert.equal(Buffer.from(await rt.readFile("/tmp/from-guest")).toString(), "g");
  await assert.rejects(rt.readFile("/nowhere"), coded("NO_SUCH_FILE", /\/nowhere/));
  await assert.rejects(rt.exec("1", { cwd: "/nowhere" }), coded("SPAWN_FAILED", /ENOENT/));
  await assert.rejects(rt.readFile("/tmp"), coded("FILE", /EISDIR/));
  await assert.rejects(rt.writeFile("/tmp", "x"), coded("FILE", /EISDIR/));
});

it("spawn answers a live process", async () => {
  let heard = "";
  const echo = await rt.spawn(
    `process.stdin.on("data", (chunk) => process.stdout.write("<" + chunk + ">"));`,
    {
      onStdout: (chunk) => void (heard += Buffer.from(chunk)),
    },
  );
  assert.ok(Number.isInteger(echo.pid) && echo.pid >= 2);
  assert.equal(echo.exitCode, null);
  echo.writeStdin("a");
  while (heard !== "<a>") await delay(5);
  echo.writeStdin(Buffer.from("b"));
  echo.closeStdin();
  echo.closeStdin();
  assert.throws(() => echo.writeStdin("c"), coded("STDIN_CLOSED"));
  assert.equal(await echo.wait(), 0);
  assert.equal(echo.exitCode, 0);
  assert.equal(await echo.wait(), 0);
  assert.equal(heard.replaceAll("><", ""), "<ab>");
  echo.kill();
});

it("kill: SIGTERM is 143, SIGKILL 137, a handler decides for itself", async () => {
  for (const [signal, code] of [
    [undefined, 143],
    ["SIGKILL", 137],
    [9, 137],
    ["SIGINT", 130],
  ]) {
    const guest = await rt.spawn(forever);
    guest.kill(signal);
    assert.equal(await guest.wait(), code);
    assert.equal(guest.exitCode, code);
  }
  let up = false;
  const handler = `process.on("SIGTERM", () => process.exit(7)); console.log("up"); ${forever}`;
  const guest = await rt.spawn(handler, { onStdout: () => void (up = true) });
  while (!up) await delay(5);
  guest.kill();
  assert.equal(await guest.wait(), 7);
  assert.throws(() => guest.kill("SIGNOPE"), coded("INVALID_OPTION"));
});

it("spawn heeds timeout, signal and stdin", async () => {
  assert.equal(await (await rt.spawn(forever, { timeout: 200 })).wait(), 137);
  assert.equal(await (await rt.spawn(forever, { signal: AbortSignal.timeout(200) })).wait(), 143);
  await assert.rejects(rt.spawn(forever, { signal: AbortSignal.abort() }), { name: "AbortError" });
  const copy = `let n = 0; for await (const chunk of process.stdin) n += chunk.length; process.exit(n);`;
  const guest = await rt.spawn(copy, { stdin: "12345" });
  assert.throws(() => guest.writeStdin("6"), coded("STDIN_CLOSED"));
  assert.equal(await guest.wait(), 5);
});

it("programs run side by side, each with globals of its own", async () => {
  const values = await Promise.all(
    Array.from({ length: 8 }, (_, n) =>
      rt.run(`globalThis.n = (globalThis.n ?? 0) + ${n}; __return(n);`),
    ),
  );
  assert.deepEqual(
    values.map(({ value }) => value),
    [0, 1, 2, 3, 4, 5, 6, 7],
  );
});

it("a resident runner keeps globals between snippets", async () => {
  const runner = await rt.createResidentRunner();
  assert.deepEqual(await runner.exec(`globalThis.n = 1; console.log("a"); console.error("e");`), {
    stdout: "a\n",
    stderr: "e\n",
    exitCode: 0,
  });
  assert.deepEqual(await runner.exec(`console.log(++globalThis.n);`), {
    stdout: "2\n",
    stderr: "",
    exitCode: 0,
  });
  assert.deepEqual(await runner.exec(`setTimeout(() => console.log("late"), 200);`), {
    stdout: "",
    stderr: "",
    exitCode: 0,
  });
  await delay(600);
  assert.deepEqual(await runner.exec(`console.log("next");`), {
    stdout: "late\nnext\n",
    stderr: "",
    exitCode: 0,
  });
  const slow = runner.exec(`await new Promise((resolve) => setTimeout(resolve, 100));`);
  await assert.rejects(
    runner.exec("1"),
    coded("RUNNER_BUSY", /^resident runner supports one in-flight exec$/),
  );
  assert.equal((await slow).exitCode, 0);
  const failed = await runner.exec(`throw new Error("boom");`);
  assert.equal(failed.exitCode, 1);
  assert.match(failed.stderr, /Error: boom/);
  assert.deepEqual(await runner.exec(`console.log("bye"); process.exit(6);`), {
    stdout: "bye\n",
    stderr: "",
    exitCode: 6,
  });
  await assert.rejects(runner.exec("1"), coded("RUNNER_ENDED"));
  await runner.dispose();
  await runner.dispose();
});

it("a resident snippet that takes too long rejects and ends the runner", async () => {
  const runner = await rt.createResidentRunner();
  await assert.rejects(
    runner.exec("while (true);", { timeout: 200 }),
    coded("RUNNER_TIMEOUT", /^resident runner timed out after 200ms$/),
  );
  await assert.rejects(runner.exec("1"), coded("RUNNER_ENDED"));
  const other = await rt.createResidentRunner();
  const pending = other.exec(`await new Promise(() => {}); ${forever}`);
  await Promise.all([assert.rejects(pending, coded("DISPOSED")), other.dispose()]);
  await assert.rejects(other.exec("1"), coded("DISPOSED"));
});

it("dispose ends what runs, is idempotent, and refuses later calls", async () => {
  const own = await NodeRuntime.create();
  const runner = await own.createResidentRunner();
  const spawned = await own.spawn(forever);
  const pending = [
    own.exec(forever),
    own.run(forever),
    runner.exec("await new Promise(() => {});"),
  ];
  const rejections = pending.map((call) => assert.rejects(call, coded("DISPOSED")));
  await delay(50);
  assert.equal(own.dispose(), own.dispose());
  await Promise.all([...rejections, own[Symbol.asyncDispose]()]);
  assert.equal(await spawned.wait(), 137);
  await assert.rejects(own.exec("1"), coded("DISPOSED", /runtime is disposed/));
  await assert.rejects(own.readFile("/tmp/a"), coded("DISPOSED"));
  await assert.rejects(own.spawn("1"), coded("DISPOSED"));
  await assert.rejects(own.createResidentRunner(), coded("DISPOSED"));
});

it("a sidecar carries several runtimes, and ends with them on it", async () => {
  assert.equal(Sidecar, SidecarProcess);
  const sidecar = SidecarProcess.spawn();
  const [one, two] = await Promise.all([
    NodeRuntime.create({ sidecar }),
    NodeRuntime.create({ sidecar }),
  ]);
  await one.writeFile("/tmp/mine", "1");
  await assert.rejects(two.readFile("/tmp/mine"), coded("NO_SUCH_FILE"));
  await one.dispose();
  assert.deepEqual(await two.run("__return(1)"), result({ value: 1 }));
  const pending = assert.rejects(two.exec(forever), coded("DISPOSED"));
  await delay(50);
  await sidecar.dispose();
  await sidecar.dispose();
  await pending;
  await assert.rejects(NodeRuntime.create({ sidecar }), coded("DISPOSED", /sidecar/));
  await two.dispose();
});

it("boot timings name their phases", async () => {
  const timings = [];
  const own = await NodeRuntime.create({ onBootTiming: (timing) => timings.push(timing) });
  await own.dispose();
  assert.deepEqual(
    timings.map(({ phase }) => phase),
    ["sidecar_spawn", "vm_create", "vm_configure"],
  );
  assert.ok(timings.every(({ durationMs }) => durationMs >= 0));
});

const script = (body) => [
  "--input-type=module",
  "-e",
  `import { NodeRuntime, SidecarProcess } from "${index}"; ${body}`,
];

it("an idle runtime does not keep the host alive, a running program does", async () => {
  const idle = await host(
    process.execPath,
    script(`await NodeRuntime.create(); console.log("idle");`),
  );
  assert.deepEqual(idle, { code: 0, stdout: "idle\n", stderr: "" });
  const busy = await host(
    process.execPath,
    script(`const rt = await NodeRuntime.create();
      rt.exec("setTimeout(() => {}, 300)").then(({ exitCode }) => console.log("ended", exitCode));`),
  );
  assert.deepEqual(busy, { code: 0, stdout: "ended 0\n", stderr: "" });
});

it("a killed kernel rejects what runs, and the next runtime gets a new one", async () => {
  const { stdout, code } = await host(
    process.execPath,
    script(`
      import { readdirSync, readFileSync } from "node:fs";
      const kernelPid = () => readdirSync("/proc").filter((name) => /^\\d+$/.test(name)).find((pid) => {
        try {
          return readFileSync("/proc/" + pid + "/cmdline", "utf8").startsWith("secure-exec-kernel\\0") &&
            readFileSync("/proc/" + pid + "/stat", "utf8").split(") ").pop().split(" ")[1] === String(process.pid);
        } catch { return false; }
      });
      const rt = await NodeRuntime.create();
      const running = rt.exec("setInterval(() => {}, 1000)").catch((error) => error.code);
      const spawned = await rt.spawn("setInterval(() => {}, 1000)");
      const waiting = spawned.wait().catch((error) => error.code);
      process.kill(Number(kernelPid()), "SIGKILL");
      console.log(await running, await waiting, await rt.exec("1").catch((error) => error.code));
      await rt.dispose();
      const next = await NodeRuntime.create();
      console.log((await next.run("__return(5)")).value);
      await next.dispose();
    `),
  );
  const lost = "ERR_SECURE_EXEC_KERNEL_LOST";
  assert.deepEqual([stdout, code], [`${lost} ${lost} ${lost}\n5\n`, 0]);
});

it("a missing or wrong engine is a coded error", async () => {
  const program = script(
    `await NodeRuntime.create().catch(({ code, message }) => console.log(code, message));`,
  );
  const run = (SECURE_EXEC_ENGINE) =>
    host(process.execPath, program, { env: { SECURE_EXEC_ENGINE } });
  assert.match((await run("/nonexistent")).stdout, /^ERR_SECURE_EXEC_ENGINE_MISSING /);
  const failed = "ERR_SECURE_EXEC_KERNEL_START_FAILED the kernel process did not start: exit code";
  assert.equal((await run("/bin/false")).stdout, `${failed} 1\n`);
  const folder = mkdtempSync(join(tmpdir(), "secure-exec-engine-"));
  try {
    const thrower = join(folder, "node");
    const said = "/a/file.js:1\\n throw\\n\\nTypeError: of the engine\\n    at a file";
    writeFileSync(thrower, `#!/bin/sh\nprintf '${said}' >&2; exit 7\n`, { mode: 0o755 });
    assert.equal((await run(thrower)).stdout, `${failed} 7: TypeError: of the engine\n`);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

it("the command line runs files with stdin, arguments and exit codes", async () => {
  const folder = mkdtempSync(join(tmpdir(), "secure-exec-cli-"));
  try {
    const file = join(folder, "program.ts");
    writeFileSync(
      file,
      `let input: string = "";
       for await (const chunk of process.stdin) input += chunk;
       console.log(process.argv[1], process.argv.slice(2).join("|"), input);
       console.error("err");
       process.exitCode = 9;`,
    );
    assert.deepEqual(
      await host(process.execPath, [cli, "run", file, "a", "-b"], { input: "piped" }),
      {
        code: 9,
        stdout: "/tmp/program.ts a|-b piped\n",
        stderr: "err\n",
      },
    );
    const waiting = join(folder, "waiting.mjs");
    writeFileSync(
      waiting,
      `process.on("SIGTERM", () => process.exit(12)); console.log("up"); ${forever}`,
    );
    const child = spawn(process.execPath, [cli, "run", waiting], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    child.stdout.once("data", () => child.kill("SIGTERM"));
    assert.equal(await new Promise((resolve) => child.once("close", resolve)), 12);
    assert.equal((await host(process.execPath, [cli, "run"])).code, 2);
    assert.equal((await host(process.execPath, [cli, "run", join(folder, "none")])).code, 1);
  } finally {
    rmSync(folder, { recursive: true });
  }
  const { version } = JSON.parse(
    readFileSync(new URL("../../package.json", import.meta.url), "utf8"),
  );
  assert.deepEqual(await host(process.execPath, [cli, "--version"]), {
    code: 0,
    stdout: `${version}\n`,
    stderr: "",
  });
  assert.match((await host(process.execPath, [cli, "--help"])).stdout, /^Usage:/);
});

it("doctor reports every layer and passes its self test", async () => {
  const { code, stdout } = await host(process.execPath, [cli, "doctor"]);
  assert.equal(code, 0, stdout);
  assert.match(stdout, /^seccomp +yes +required/m);
  assert.match(stdout, /^self test {4}passed$/m);
});

it("the example prints what its page shows", async () => {
  const example = new URL("../../examples/ai-agent-code-exec.mjs", import.meta.url);
  const program = readFileSync(example, "utf8").replace('"secure-exec"', JSON.stringify(index));
  assert.deepEqual(await host(process.execPath, ["--input-type=module", "-e", program]), {
    code: 0,
    stdout: [
      "exitCode: 0",
      "stdout: computed 20 fibonacci numbers",
      'returned value: {"fibonacci":[0,1,1,2,3,5,8,13,21,34,55,89,144,233,377,610,987,1597,2584,4181],"sum":10945}',
      "",
      "escape attempt exitCode: 0",
      "escape attempt stdout: guest hostname: secure-exec",
      "",
    ].join("\n"),
    stderr: "",
  });
});

it("endWhenSettled: a program ends with its module, whatever it left behind", async () => {
  const runtime = await NodeRuntime.create({
    tools: { never: { handler: () => new Promise(() => {}), timeoutMs: 0 } },
  });
  try {
    const left = "callHostTool('never'); setInterval(() => {}, 1000);";
    const options = { endWhenSettled: true };
    const good = await runtime.run(`${left} console.log("a"); await 1; __return(2);`, options);
    assert.deepEqual(good, result({ stdout: "a\n", value: 2 }));
    const code = await runtime.exec(`${left} process.exitCode = 3;`, options);
    assert.equal(code.exitCode, 3);
    const bad = await runtime.exec(`${left} throw new RangeError("late");`, options);
    assert.equal(bad.exitCode, 1);
    assert.match(bad.stderr, /RangeError: late/);
    // It is a choice: without it the interval goes on.
    const killed = await runtime.exec(left, { timeout: 500 });
    assert.equal(killed.exitCode, 137);
    await assert.rejects(
      runtime.exec("1", { endWhenSettled: 1 }),
      coded("INVALID_OPTION", /endWhenSettled must be a boolean/),
    );
    await assert.rejects(runtime.execCommand("true", [], options), coded("INVALID_OPTION"));
  } finally {
    await runtime.dispose();
  }
});
