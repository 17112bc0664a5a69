// child_process over the VM's kernel: every form, Node's own command line, pipes and IPC.
import assert from "node:assert/strict";
import { test } from "node:test";
import { machine } from "../support/machines.mjs";

const rt = await machine();

const prelude = `import cp from "node:child_process"; import fs from "node:fs"; import { once } from "node:events"; import { promisify } from "node:util";\n`;

/** What the program passed to __return. */
async function value(code, options) {
  const { value, stderr, exitCode } = await rt.run(prelude + code, options);
  assert.deepEqual([stderr, exitCode], ["", 0]);
  return value;
}

test("the node command line: version, eval, print, stdin, scripts, bad options", async () => {
  await rt.writeFile(
    "/tmp/args.cjs",
    "console.log(JSON.stringify([process.argv, process.execArgv, require.main === module]))",
  );
  const answers = await value(`
    const node = (...args) => { const r = cp.spawnSync("node", args, { input: "console.log('from stdin')" }); return [String(r.stdout).trim(), r.status]; };
    __return([node("--version"), node("-p", "[1].map(String)"), node("-pe", "40 + 2"), node("-"), node("-e", "process.exit(3)"),
      node("--no-warnings", "/tmp/args.cjs", "a", "--b"), node("--nonsense"), node("-e"), node("--input-type=module", "-e", "console.log(await 7)"),
      node("--check", "/tmp/args.cjs"), node("-r", "/tmp/args.cjs", "-e", "0")[1]]);`);
  assert.deepEqual(answers[0], ["v22.0.0", 0]);
  assert.deepEqual(answers[1], ["[ '1' ]", 0]);
  assert.deepEqual(answers[2], ["42", 0]);
  assert.deepEqual(answers[3], ["from stdin", 0]);
  assert.deepEqual(answers[4], ["", 3]);
  assert.deepEqual(JSON.parse(answers[5][0]), [
    ["/usr/local/bin/node", "/tmp/args.cjs", "a", "--b"],
    ["--no-warnings"],
    true,
  ]);
  assert.deepEqual(answers[6], ["", 9]);
  assert.deepEqual(answers[7], ["", 9]);
  assert.deepEqual(answers[8], ["7", 0]);
  assert.deepEqual(answers[9], ["", 0]);
  assert.equal(answers[10], 0);
});

test("sync forms: output, input, status, signals, timeout, maxBuffer, inherit", async () => {
  const result = await value(`
    const run = (code, options) => { const r = cp.spawnSync("node", ["-e", code], options); return [r.status, r.signal, r.error?.code ?? null, String(r.stdout ?? "").length]; };
    __return([
      run("process.stdin.pipe(process.stdout)", { input: "x".repeat(300000) }),
      run("process.exit(5)"),
      run("process.kill(process.pid, 'SIGTERM'); setInterval(() => {}, 1000)"),
      run("for (;;);", { timeout: 100 }),
      run("process.stdout.write('y'.repeat(5000)); setInterval(() => {}, 1000)", { maxBuffer: 100 }),
      cp.execFileSync("node", ["-p", "2 + 3"], { encoding: "utf8" }),
      cp.execSync("echo $HOME; exit 0").toString(),
      (() => { try { cp.execSync("echo oops >&2; exit 7", { stdio: "pipe" }); } catch (error) { return [error.status, String(error.stderr)]; } })(),
      (() => { try { cp.execFileSync("no-such-command"); } catch (error) { return [error.code, error.syscall, error.path]; } })(),
    ]);`);
  assert.deepEqual(result, [
    [0, null, null, 300000],
    [5, null, null, 0],
    [null, "SIGTERM", null, 0],
    [null, "SIGTERM", "ETIMEDOUT", 0],
    [null, "SIGTERM", "ENOBUFS", 5000],
    "5\n",
    "/home/user\n",
    [7, "oops\n"],
    ["ENOENT", "spawnSync no-such-command", "no-such-command"],
  ]);
});

test("spawn: pipes with back-pressure, close, kill, abort, environment, directory", async () => {
  const result = await value(`
    const all = async (stream) => { let text = ""; for await (const part of stream) text += part; return text; };
    const cat = cp.spawn("node", ["-e", "process.stdin.pipe(process.stdout)"]);
    cat.stdin.end("z".repeat(1 << 20));
    const echoed = (await all(cat.stdout)).length;
    const where = cp.spawn("node", ["-p", "process.cwd() + process.env.MARK + process.ppid"], { cwd: "/tmp", env: { MARK: ":m:" } });
    const placed = await all(where.stdout);
    const sleeper = cp.spawn("node", ["-e", "setInterval(() => {}, 1000)"], { stdio: "ignore" });
    await once(sleeper, "spawn"); sleeper.kill("SIGKILL");
    const killed = await once(sleeper, "exit");
    const controller = new AbortController();
    const aborted = cp.spawn("node", ["-e", "setInterval(() => {}, 1000)"], { signal: controller.signal });
    const failed = once(aborted, "error"); controller.abort();
    const [error] = await failed.catch((error) => [error]);
    const missing = cp.spawn("missing-program");
    const [reason] = await once(missing, "error").catch((error) => [error]);
    __return([echoed, placed.trim(), killed, error.name, [reason.code, reason.syscall], process.pid]);`);
  const pid = result.pop();
  assert.deepEqual(result, [
    1 << 20,
    `/tmp:m:${pid}`,
    [null, "SIGKILL"],
    "AbortError",
    ["ENOENT", "spawn missing-program"],
  ]);
});

test("fork: messages both ways, advanced serialization, disconnect", async () => {
  const result = await value(`
    fs.writeFileSync("/tmp/forked.js", "process.on('message', (m) => { if (m === 'end') process.disconnect(); else process.send({ got: m }); });");
    const talk = async (options, message) => {
      const child = cp.fork("/tmp/forked.js", options);
      child.send(message);
      const [answer] = await once(child, "message");
      child.send("end");
      const [code] = await once(child, "exit");
      return [answer, code, child.connected];
    };
    const plain = await talk({}, { a: 1 });
    const [map] = await talk({ serialization: "advanced" }, new Map([["k", 1n]]));
    __return([plain, map.got instanceof Map && map.got.get("k") === 1n]);`);
  assert.deepEqual(result, [[{ got: { a: 1 } }, 0, false], true]);
});

test("interpreters, execute permission and PATH", async () => {
  const result = await value(`
    fs.mkdirSync("/tmp/bin", { recursive: true });
    const put = (name, text, mode = 0o755) => { fs.writeFileSync("/tmp/bin/" + name, text); fs.chmodSync("/tmp/bin/" + name, mode); };
    put("script", "#!/usr/bin/env node\\nconsole.log('node', ...process.argv.slice(2))");
    put("shell", "#!/bin/sh\\necho sh $1");
    put("bare", "echo bare $1");
    put("locked", "#!/bin/sh\\n", 0o644);
    put("elf", "\\x7fELF\\0\\0");
    put("loop", "#!/tmp/bin/loop\\n");
    const run = (file) => { const r = cp.spawnSync(file, ["arg"], { env: { PATH: "/tmp/bin:/usr/bin:/usr/local/bin" } }); return r.error?.code ?? String(r.stdout).trim(); };
    __return(["script", "shell", "bare", "locked", "/tmp/bin/elf", "/tmp/bin/loop", "/tmp"].map(run));`);
  assert.deepEqual(result, [
    "node arg",
    "sh arg",
    "bare arg",
    "EACCES",
    "ENOEXEC",
    "ELOOP",
    "EACCES",
  ]);
});

test("processes of one VM see each other and nobody else", async () => {
  const other = await machine();
  const sleeper = await other.spawn("setInterval(() => {}, 1000)");
  const result = await value(`
    const child = cp.spawn("node", ["-e", "setInterval(() => {}, 1000)"], { stdio: "ignore" });
    await once(child, "spawn");
    const alive = process.kill(child.pid, 0);
    let foreign; try { process.kill(100000, 0); } catch (error) { foreign = error.code; }
    let init; try { process.kill(1, 0); } catch (error) { init = error.code; }
    child.kill(); const [, signal] = await once(child, "exit");
    let gone; try { process.kill(child.pid, 0); } catch (error) { gone = error.code; }
    __return([alive, foreign, init, signal, gone]);`);
  assert.deepEqual(result, [true, "ESRCH", "EPERM", "SIGTERM", "ESRCH"]);
  assert.equal(sleeper.exitCode, null);
  sleeper.kill();
  await sleeper.wait();
});

test("a fork bomb meets EAGAIN, and the machine keeps answering", async () => {
  const bombed = await machine();
  const bomb = await bombed.run(
    `${prelude}let made = 0; for (;;) { const r = cp.spawn("sleep", ["1000"], { stdio: "ignore" }); r.on("error", () => {}); if (r.pid === undefined) break; made++; } __return(made); process.exit(0);`,
  );
  assert.ok(bomb.value > 10 && bomb.value <= 256, String(bomb.value));
  assert.equal(await value("__return(1 + 1)"), 2);
});
