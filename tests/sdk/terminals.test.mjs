// Programs in a terminal, by the public API: what they find, what is typed, what stops and goes on.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { NodeRuntime, SecureExecError } from "../../dist/index.js";
import { Screen } from "../support/screen.mjs";

const it = (name, body) => test(name, { timeout: 60_000 }, body);
let rt;
before(async () => {
  rt = await NodeRuntime.create();
});
after(() => rt.dispose());

/** A program in a terminal, and its screen. */
async function open(code, { cols = 80, rows = 24, ...options } = {}) {
  const screen = new Screen(cols, rows);
  const process = await rt.spawn(code, {
    pty: { cols, rows },
    onStdout: (chunk) => screen.write(chunk),
    ...options,
  });
  return { process, screen };
}

it("a program finds a terminal of that size, with colours", async () => {
  const { process, screen } = await open(
    `const { stdin, stdout, stderr } = process;
    console.log([stdin.isTTY, stdout.isTTY, stderr.isTTY].join(), stdin.constructor.name, stdout.constructor.name);
    console.log(String(stdout.getWindowSize()), String(stdout.columns), stdout.getColorDepth() > 1, process.env.TERM);
    console.log(String(stdin.isRaw), stdin.fd, stdout.fd);`,
    { cols: 100, rows: 30 },
  );
  assert.equal(await process.wait(), 0);
  assert.deepEqual(await screen.lines(), [
    "true,true,true ReadStream WriteStream",
    "100,30 100 true xterm-256color",
    "false 0 1",
  ]);
});

it("all that a program wrote is there at its end, errors among it in order", async () => {
  let text = "";
  const program = await rt.spawn(
    `for (let i = 0; i < 20000; i++) (i % 2 ? console.error : console.log)("line", String(i));
    process.stdout.write("end"); process.exit(5);`,
    { pty: true, onStdout: (chunk) => void (text += Buffer.from(chunk)) },
  );
  assert.equal(await program.wait(), 5);
  const lines = Array.from({ length: 20_000 }, (_, i) => `line ${i}\r\n`).join("");
  assert.ok(text === `${lines}end`, text.slice(-200));
});

it("lines are edited and echoed, ^C is SIGINT, raw mode gives every key", async () => {
  const { process, screen } = await open(`
    process.on("SIGINT", () => console.log("caught"));
    process.stdin.on("data", (data) => {
      console.log(JSON.stringify(String(data)));
      if (String(data) === "raw\\n") { process.stdin.setRawMode(true); console.log("is raw"); }
      if (String(data) === "q") process.exit(3);
    });
    console.log("ready");`);
  await screen.until("ready");
  process.writeStdin("hallo\x7f\x7fo wórld\r");
  await screen.until('"halo wórld\\n"');
  process.writeStdin("\x03");
  await screen.until("caught");
  process.writeStdin("raw\r");
  await screen.until("is raw");
  process.writeStdin("\x03");
  await screen.until('"\\u0003"');
  process.writeStdin("q");
  assert.equal(await process.wait(), 3);
  assert.deepEqual(await screen.lines(), [
    "ready",
    "halo wórld",
    '"halo wórld\\n"',
    "^Ccaught",
    "raw",
    '"raw\\n"',
    "is raw",
    '"\\u0003"',
    '"q"',
  ]);
});

it("without a handler ^C ends it as SIGINT, ^\\ as SIGQUIT", async () => {
  for (const [key, code] of [
    ["\x03", 130],
    ["\x1c", 131],
  ]) {
    const { process, screen } = await open("console.log('on'); setInterval(() => {}, 1e6)");
    await screen.until("on");
    process.writeStdin(key);
    assert.equal(await process.wait(), code);
  }
});

it("a new size reaches the program as an event", async () => {
  const { process, screen } = await open(`
    process.stdout.on("resize", () => {
      console.log(process.stdout.columns + "x" + process.stdout.rows);
      process.exit();
    });
    console.log("on"); setInterval(() => {}, 1e6)`);
  await screen.until("on");
  process.resize(120, 40);
  assert.equal(await process.wait(), 0);
  assert.deepEqual(await screen.lines(), ["on", "120x40"]);
  assert.throws(() => process.resize(0, 40), { code: "ERR_SECURE_EXEC_INVALID_OPTION" });
});

it("closeStdin is ^D; children share the terminal and read what their parent left", async () => {
  const { process, screen } = await open(`
    import { spawnSync } from "node:child_process";
    process.stdin.once("data", (data) => {
      process.stdin.pause();
      console.log("mine", String(data).trim());
      setImmediate(() => {
        const { status } = spawnSync("head", ["-n1"], { stdio: "inherit" });
        console.log("status", String(status));
        process.stdin.on("data", (rest) => console.log("rest", String(rest).trim()));
        process.stdin.on("end", () => console.log("end"));
        process.stdin.resume();
      });
    });
    console.log("on");`);
  await screen.until("on");
  process.writeStdin("one\r");
  await screen.until("mine one");
  process.writeStdin("two\r");
  await screen.until("status 0");
  process.writeStdin("three\r");
  await screen.until("rest three");
  process.closeStdin();
  assert.equal(await process.wait(), 0);
  assert.deepEqual(await screen.lines(), [
    "on",
    "one",
    "mine one",
    "two",
    "two",
    "status 0",
    "three",
    "rest three",
    "end",
  ]);
});

it("readline asks, edits and completes", async () => {
  const { process, screen } = await open(`
    import { createInterface } from "node:readline/promises";
    const rl = createInterface({
      input: process.stdin, output: process.stdout,
      completer: (line) => [["alpha", "beta"].filter((word) => word.startsWith(line)), line],
    });
    console.log("you said " + await rl.question("name? "));
    rl.close();`);
  await screen.until("name?");
  process.writeStdin("al\t");
  await screen.until("name? alpha");
  // A key at a time: Node does not redraw for what comes pasted.
  for (const key of ["\x1b[D", "\x1b[D"]) process.writeStdin(key);
  await screen.until((_, { cursor }) => cursor[0] === "name? alpha".length - 2);
  process.writeStdin("X");
  await screen.until("alpXha");
  process.writeStdin("\x01");
  await screen.until((_, { cursor }) => cursor[0] === "name? ".length);
  process.writeStdin(">");
  await screen.until(">alpXha");
  process.writeStdin("\r");
  assert.equal(await process.wait(), 0);
  assert.deepEqual(await screen.lines(), ["name? >alpXha", "you said >alpXha"]);
});

it("SIGSTOP stops a process, SIGCONT lets it go on, ps shows T", async () => {
  const { value } = await rt.run(`
    import { spawn, execFileSync } from "node:child_process";
    import { readFileSync } from "node:fs";
    const child = spawn("node", ["-e", "let n = 0; const t = () => { process.stdout.write(++n + '.'); setTimeout(t, 2) }; t()"]);
    let text = "";
    child.stdout.on("data", (data) => (text += data));
    const more = async () => { const before = text.length; while (text.length === before) await new Promise((r) => setTimeout(r, 5)); };
    const state = () => /\\) (.)/.exec(readFileSync("/proc/" + child.pid + "/stat", "utf8"))[1];
    await more();
    child.kill("SIGSTOP");
    const stopped = state();
    const shown = execFileSync("ps", ["-o", "stat=", "-p", String(child.pid)], { encoding: "utf8" }).trim()[0];
    await new Promise((r) => setTimeout(r, 100));
    const before = text;
    await new Promise((r) => setTimeout(r, 300));
    const quiet = text === before;
    child.kill("SIGCONT");
    const running = state();
    await more();
    child.kill("SIGSTOP");
    child.kill("SIGTERM");
    const held = child.exitCode === null && child.signalCode === null;
    const ended = new Promise((resolve) => child.on("exit", (code, signal) => resolve(signal)));
    child.kill("SIGCONT");
    __return({ stopped, shown, quiet, running, held, signal: await ended });`);
  assert.deepEqual(value, {
    stopped: "T",
    shown: "T",
    quiet: true,
    running: "S",
    held: true,
    signal: "SIGTERM",
  });
});

it("SIGKILL ends a stopped process, and so does the machine's end", async () => {
  const other = await NodeRuntime.create();
  const process = await other.spawn("setInterval(() => {}, 1e6)", { pty: true });
  process.kill("SIGSTOP");
  process.kill("SIGKILL");
  assert.equal(await process.wait(), 137);
  const left = await other.spawn("setInterval(() => {}, 1e6)", { pty: true });
  left.kill("SIGSTOP");
  await other.dispose();
  assert.equal(await left.wait(), 137);
});

it("a terminal is closed with its program: who is left gets SIGHUP", async () => {
  const { process, screen } = await open(`
    import { spawn } from "node:child_process";
    const child = spawn("node", ["-e", "process.on('SIGHUP', () => { require('fs').writeFileSync('/tmp/hup', 'hup'); process.exit() }); console.log('child'); setInterval(() => {}, 1e6)"], { stdio: "inherit" });
    process.stdin.once("data", () => process.exit());`);
  await screen.until("child");
  process.writeStdin("\r");
  assert.equal(await process.wait(), 0);
  for (;;) {
    if (await rt.exists("/tmp/hup")) break;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
});

it("bad options are refused, and there are only so many terminals", async () => {
  const refused = (pty) =>
    assert.rejects(rt.spawn("", { pty }), { code: "ERR_SECURE_EXEC_INVALID_OPTION" });
  for (const pty of [1, "yes", { cols: 0 }, { rows: 1.5 }, { cols: 70_000 }, { width: 80 }])
    await refused(pty);
  await assert.rejects(rt.exec("", { pty: true }), { code: "ERR_SECURE_EXEC_INVALID_OPTION" });
  const small = await NodeRuntime.create({ limits: { terminals: 1 } });
  const first = await small.spawn("setInterval(() => {}, 1e6)", { pty: true });
  await assert.rejects(
    small.spawn("", { pty: true }),
    (error) => SecureExecError.isSecureExecError(error) && /limits\.terminals/.test(error.message),
  );
  first.kill("SIGKILL");
  await first.wait();
  assert.equal(await (await small.spawn("", { pty: true })).wait(), 0);
  await small.dispose();
});
