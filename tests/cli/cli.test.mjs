// The command line as a Unix person expects it: streams, signals, exit codes, options, help, completion.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";

const cli = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const it = (name, body) => test(name, { timeout: 180_000 }, body);
const folder = mkdtempSync(join(tmpdir(), "secure-exec-cli-"));
after(() => rmSync(folder, { recursive: true, force: true }));

function file(name, text) {
  const path = join(folder, name);
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, text);
  return path;
}

/** @param {string[]} words @param {{ input?: string, env?: Record<string, string> }} [options] */
async function se(words, { input = "", env = {} } = {}) {
  const child = spawn(process.execPath, [cli, ...words], {
    cwd: folder,
    env: { ...process.env, ...env },
    stdio: ["pipe", "pipe", "pipe"],
  });
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text) => (stderr += text));
  child.stdin.on("error", () => {});
  child.stdin.end(input);
  const [code] = await once(child, "close");
  return { code, stdout, stderr };
}

it("run: a file, stdin, a text; what the program is given and gives", async () => {
  const show = "console.log(process.argv.slice(2).join('|')); process.exitCode = 5;";
  assert.deepEqual(await se(["run", file("a.mjs", show), "--json", "-x", "--", "y"]), {
    code: 5,
    stdout: "--json|-x|--|y\n",
    stderr: "",
  });
  assert.equal((await se(["run", "-", "b"], { input: show })).stdout, "b\n");
  assert.equal((await se(["run", "-e", show, "c"])).stdout, "c\n");
  const typed = await se(["run", "--ts", "-e", "const n: number = 2; console.log(n)"]);
  assert.equal(typed.stdout, "2\n");
  const { code, stdout } = await se([
    "run",
    "--json",
    "-e",
    "console.log(1); __return({ a: [2] })",
  ]);
  const { usage, end, ...rest } = JSON.parse(stdout);
  assert.deepEqual(rest, {
    stdout: "1\n",
    stderr: "",
    exitCode: 0,
    stdoutTruncated: false,
    stderrTruncated: false,
    value: { a: [2] },
  });
  assert.deepEqual(end, { reason: "exit" });
  assert.ok(usage.wallMs > 0);
  assert.equal(code, 0);
});

it("run --project: a file with what is beside it, and nothing above", async () => {
  file(
    "project/src/main.ts",
    `import { name } from "./part.mjs"; console.log(name, process.cwd(), process.argv[2]);`,
  );
  file("project/src/part.mjs", `export const name: string = "part";`.replace(": string", ""));
  file("secret.txt", "secret");
  const { stdout, stderr, code } = await se([
    "run",
    "--project",
    "project",
    "project/src/main.ts",
    "x",
  ]);
  assert.deepEqual({ stdout, code }, { stdout: "part /app x\n", code: 0 }, stderr);
  assert.equal(
    (await se(["run", "--project", "project", "src/main.ts", "y"])).stdout,
    "part /app y\n",
  );
  const look =
    "try { require('fs').readFileSync('/app/../secret.txt'); } catch (e) { console.log(e.code); }";
  assert.equal((await se(["run", "--project", "project", "-e", look])).stdout, "ENOENT\n");
});

it("exec: commands of the machine, and the exit codes of a shell", async () => {
  const said = await se(["exec", "--", "sh", "-c", "cat; echo err >&2; exit 3"], { input: "in" });
  assert.deepEqual(said, { code: 3, stdout: "in", stderr: "err\n" });
  assert.equal((await se(["exec", "no-such-command"])).code, 127);
  assert.equal((await se(["exec", "/etc/passwd"])).code, 126);
  const killed = await se(["exec", "--", "sh", "-c", "kill -TERM $$"]);
  assert.equal(killed.code, 143);
});

it("why a program was ended is on stderr, and in the exit code", async () => {
  const forever = "setInterval(() => {}, 1000)";
  const late = await se(["run", "--timeout", "300ms", "-e", forever]);
  assert.deepEqual(late, {
    code: 137,
    stdout: "",
    stderr: "secure-exec: the program was killed at its --timeout\n",
  });
  const greedy = await se(["run", "--cpu-time", "200ms", "-e", "for (;;);"]);
  assert.equal(greedy.code, 137);
  assert.match(greedy.stderr, /went over limits\.cpuTimeMs; --limit cpuTimeMs=… allows more\n$/);
});

it("options: variables, mounts, permissions, limits", async () => {
  const data = file("data/one.txt", "one");
  const env = file(".env", "# a comment\nA=1\nexport B='two words'\n\n");
  const words = ["--env-file", env, "--env", "A=9", "--env", "FROM_HOST"];
  const shown = await se(
    [
      "exec",
      ...words,
      "--mount",
      `${join(data, "..")}:/data`,
      "--",
      "sh",
      "-c",
      "echo $A $B $FROM_HOST; cat /data/one.txt; echo x > /data/two 2>/dev/null || echo read-only",
    ],
    { env: { FROM_HOST: "host" } },
  );
  assert.deepEqual(shown.stdout, "9 two words host\noneread-only\n", shown.stderr);
  const writable = ["-v", `${join(data, "..")}:/data:rw`];
  await se(["exec", ...writable, "--", "sh", "-c", "echo new > /data/new.txt"]);
  assert.equal(readFileSync(join(data, "../new.txt"), "utf8"), "new\n");

  const tries = `const fs = require("fs");
    for (const path of ["/etc/passwd", "/tmp/a"]) try { fs.statSync(path); console.log("yes"); } catch (e) { console.log(e.code); }`;
  const denied = await se(["run", "--deny", "fs=/etc/**", "-e", tries]);
  assert.equal(denied.stdout, "EACCES\nENOENT\n");
  const log = join(folder, "log.jsonl");
  const dry = await se(["run", "--deny", "fs=/etc/**", "--dry-run", "--audit", log, "-e", tries]);
  assert.equal(dry.stdout, "yes\nENOENT\n");
  const decisions = readFileSync(log, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  assert.ok(
    decisions.some(({ wouldDeny, resource }) => wouldDeny === true && resource === "/etc/passwd"),
  );
  const limited = await se([
    "run",
    "--limit",
    "processes=1",
    "-e",
    "console.log(require('child_process').spawnSync('true').error?.code)",
  ]);
  assert.equal(limited.stdout, "EAGAIN\n", limited.stderr);
});

it("options: the network of the host, by port and permission", async () => {
  const server = createServer((_request, response) => response.end("from the host"));
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address();
  const ask = `fetch("http://127.0.0.1:${port}").then((r) => r.text()).then(console.log, (e) => console.log(e.cause.code))`;
  try {
    const allow = [`--allow-net=127.0.0.1:${port}`];
    assert.equal(
      (await se(["run", "-p", String(port), ...allow, "-e", ask])).stdout,
      "from the host\n",
    );
    assert.match((await se(["run", "-e", ask])).stdout, /^E/);
  } finally {
    server.close();
  }
});

it("audit: what a program asked for, and the least it needs", async () => {
  const program = file(
    "asks.mjs",
    `import { readFileSync } from "node:fs"; readFileSync("/etc/hostname"); console.log("output");`,
  );
  const report = await se(["audit", program]);
  assert.equal(report.code, 0, report.stderr);
  assert.match(report.stdout, /^TIMES +DECISION +OPERATION +RESOURCE +RULE\n/);
  assert.match(report.stdout, /^1 +allow +fs\.read +\/etc\/hostname +allow$/m);
  assert.equal(report.stderr, "output\n");
  const learned = await se(["audit", "--learn", program]);
  const permissions = JSON.parse(learned.stdout);
  assert.equal(permissions.network ?? "deny", "deny");
  const needs = file("needs.json", learned.stdout);
  assert.equal((await se(["run", "--permissions", needs, program])).stdout, "output\n");
  const other = file(
    "other.mjs",
    `import { readFileSync } from "node:fs"; readFileSync("/etc/passwd");`,
  );
  assert.match((await se(["run", "--permissions", needs, other])).stderr, /EACCES/);
  const command = await se([
    "audit",
    "--denied",
    "--deny",
    "fs=/etc/**",
    "--",
    "cat",
    "/etc/passwd",
  ]);
  assert.match(command.stdout, /^1 +deny +fs\.\w+ +\/etc\/passwd +0$/m);
  assert.equal(command.code, 1);
});

it("snapshot: a machine that was prepared, and one that begins with it", async () => {
  file("site/index.html", "<p>");
  const archive = join(folder, "base.tar");
  const prepare = ["--copy", "site:/srv/site", "--", "sh", "-c", "echo built > /srv/site/out"];
  const wrote = await se(["snapshot", "-o", archive, ...prepare]);
  assert.equal(wrote.code, 0, wrote.stderr);
  const listed = await se([
    "exec",
    "--snapshot",
    archive,
    "--",
    "sh",
    "-c",
    "ls /srv/site; cat /srv/site/out",
  ]);
  assert.equal(listed.stdout, "index.html\nout\nbuilt\n");
  const failed = await se(["snapshot", "-o", join(folder, "none.tar"), "--", "false"]);
  assert.equal(failed.code, 1);
  assert.equal(existsSync(join(folder, "none.tar")), false);
  assert.equal(existsSync(join(folder, "none.tar.part")), false);
});

it("restore: a command over an archive, files out of it, and what is refused", async () => {
  const archive = join(folder, "made.tar");
  const made = ["sh", "-c", "mkdir -p /tmp/tree/deep && echo first > /tmp/tree/deep/file"];
  const wrote = await se(["snapshot", "-o", archive, "--deny", "fs=/etc/passwd", "--", ...made]);
  assert.equal(wrote.code, 0, wrote.stderr);
  const before = readFileSync(archive);

  const change = ["--", "sh", "-c", "cat /tmp/tree/deep/file; echo second > /tmp/tree/more"];
  const out = join(folder, "restored");
  const ran = await se(["restore", "--copy", `/tmp/tree:${out}`, archive, ...change]);
  assert.deepEqual([ran.code, ran.stdout], [0, "first\n"], ran.stderr);
  assert.equal(readFileSync(join(out, "deep/file"), "utf8"), "first\n");
  assert.equal(readFileSync(join(out, "more"), "utf8"), "second\n");
  assert.deepEqual(readFileSync(archive), before);

  const nothing = join(folder, "nothing");
  const failed = await se([
    "restore",
    "--copy",
    `/tmp/tree:${nothing}`,
    archive,
    "sh",
    "-c",
    "exit 3",
  ]);
  assert.equal(failed.code, 3);
  assert.match(failed.stderr, /ended with 3; nothing was copied/);
  assert.equal(existsSync(nothing), false);

  // Only who trusts an archive is bound by its permissions.
  const trusted = await se(["restore", "--trust", archive, "--", "cat", "/etc/passwd"]);
  assert.deepEqual([trusted.code, trusted.stdout], [1, ""]);
  assert.match(trusted.stderr, /Permission denied/);
  const untrusted = await se(["restore", archive, "--", "cat", "/etc/passwd"]);
  assert.equal(untrusted.code, 0, untrusted.stderr);

  file("cut.tar", before.subarray(0, before.length / 2));
  const cut = await se(["restore", "cut.tar", "true"]);
  assert.equal(cut.code, 1);
  assert.match(cut.stderr, /ERR_SECURE_EXEC_SNAPSHOT_INVALID/);
  for (const wrong of [[], [archive], ["--snapshot", archive, archive, "true"]])
    assert.equal((await se(["restore", ...wrong])).code, 2, wrong.join(" "));
  assert.equal((await se(["restore", "--copy", "srv:out", archive])).code, 2);
});

it("signals reach the program, and a reader that is gone ends it", async () => {
  const trap =
    "process.on('SIGINT', () => process.exit(12)); console.log('up'); setInterval(() => {}, 1000)";
  const child = spawn(process.execPath, [cli, "run", "-e", trap], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  child.stdout.once("data", () => child.kill("SIGINT"));
  assert.equal((await once(child, "close"))[0], 12);
  const noisy = spawn(
    process.execPath,
    [cli, "run", "-e", "for (;;) console.log('y'.repeat(1000))"],
    {
      stdio: ["pipe", "pipe", "inherit"],
    },
  );
  noisy.stdout.once("data", () => noisy.stdout.destroy());
  assert.equal((await once(noisy, "close"))[0], 141);
});

it("at a terminal a program has one, with its size and colours; the terminal is as before", async (t) => {
  if (spawnSync("script", ["--version"]).status !== 0) return t.skip("there is no script(1) here");
  const program = file(
    "tty.mjs",
    `console.log([process.stdin.isTTY, process.stdout.isTTY, process.stdout.hasColors()].join() + " " + process.stdout.columns);
    process.stdin.setRawMode?.(false); process.stdin.once("data", (data) => { console.log("got", String(data).trim()); process.exit(4); });`,
  );
  const line = `stty cols 91; ${process.execPath} ${cli} run ${program}; echo code $?; stty -a | grep -o '.icanon'`;
  const child = spawn("script", ["-qec", line, "/dev/null"], {
    env: { ...process.env, TERM: "xterm-256color", NO_COLOR: undefined, SHELL: "/bin/sh" },
    stdio: ["pipe", "pipe", "inherit"],
  });
  t.after(() => child.kill());
  let seen = "";
  child.stdout.setEncoding("utf8").on("data", (text) => {
    if (!seen.includes("true,true,true 91") && (seen + text).includes("true,true,true 91"))
      child.stdin.write("typed\r");
    seen += text;
  });
  await once(child, "close");
  assert.match(seen, /got typed\s/);
  assert.match(seen, /code 4\s/);
  assert.match(seen, / icanon|^icanon/m);
});

it("wrong usage is 2, and says what was meant", async () => {
  const refused = async (words, message) => {
    const { code, stdout, stderr } = await se(words);
    assert.deepEqual([code, stdout], [2, ""], words.join(" "));
    assert.match(stderr, message);
    assert.match(stderr, /^Try: secure-exec .*--help$/m);
  };
  await refused([], /a command is missing/);
  await refused(["rnu"], /unknown command rnu; did you mean run\?/);
  await refused(["run"], /run needs a FILE/);
  await refused(
    ["run", "--tiemout", "1s", "x"],
    /unknown option --tiemout; did you mean --timeout\?/,
  );
  await refused(["run", "--timeout", "soon", "x"], /must be a time such as/);
  await refused(["run", "--memory"], /--memory needs a value: SIZE/);
  await refused(["run", "--json=1", "x"], /--json takes no value/);
  await refused(["run", "--allow", "netwrok", "x"], /netwrok is no scope; did you mean network\?/);
  await refused(["run", "--limit", "memoryByte=1", "x"], /did you mean memoryBytes\?/);
  await refused(["run", "--mount", "nowhere", "x"], /HOST:GUEST/);
  await refused(["run", "--env", "SURELY_NOT_SET_HERE", "x"], /no such variable/);
  await refused(["exec"], /exec needs a COMMAND/);
  await refused(["shell"], /needs a terminal/);
  await refused(["mcp", "more"], /mcp takes nothing/);
  await refused(["serve"], /serve takes --e2b and a port/);
  await refused(["serve", "--e2b", "x"], /--e2b takes a whole number/);
  await refused(["doctor", "more"], /doctor takes no arguments/);
  const missing = await se(["run", join(folder, "none.mjs")]);
  assert.equal(missing.code, 1);
  assert.match(missing.stderr, /^secure-exec: ENOENT/);
  // What the SDK refuses says what to do about it.
  const place = await se(["exec", "--mount", `${join(folder, "none")}:/data`, "true"]);
  assert.equal(place.code, 2);
  assert.match(
    place.stderr,
    /does not exist on the host: .*none \[ERR_SECURE_EXEC_INVALID_OPTION\]\n/,
  );
});

it("serve: the variables of a client on stdout, until a signal", async () => {
  const child = spawn(process.execPath, [cli, "serve", "--e2b"]);
  let said = "";
  for await (const chunk of child.stdout) if ((said += chunk).split("\n").length === 4) break;
  const [, url, key] =
    /^E2B_API_URL=(\S+)\nE2B_SANDBOX_URL=\1\nE2B_API_KEY=(e2b_[0-9a-f]{40})\n$/.exec(said);
  const listed = await fetch(`${url}/v2/sandboxes`, { headers: { "x-api-key": key } });
  assert.deepEqual([listed.status, await listed.json()], [200, []]);
  const ended = once(child, "exit");
  child.kill("SIGTERM");
  assert.deepEqual(await ended, [0, null]);
});

it("playground: the address on stdout, a file in the editor, tools of a module, until a signal", async () => {
  const program = file("shown.ts", "const shown: number = 1;");
  const tools = file("tools.mjs", "export const tools = { twice: { handler: ({ n }) => n * 2 } };");
  const child = spawn(process.execPath, [cli, "playground", "--tools", tools, program]);
  const ended = once(child, "close");
  const [line] = await once(child.stdout.setEncoding("utf8"), "data");
  const url = line.trim();
  assert.match(url, /^http:\/\/127\.0\.0\.1:\d+\/[\w-]{32}\/$/);
  const ask = async (name, body) => {
    const headers = { "content-type": "application/json" };
    const sent = { method: "POST", headers, body: JSON.stringify(body) };
    return (await fetch(url + name, sent)).json();
  };
  assert.deepEqual(await ask("example", {}), {
    name: "shown.ts",
    source: "const shown: number = 1;",
  });
  const source = "__return(await callHostTool('twice', { n: 21 }))";
  assert.deepEqual(await ask("run", { source, language: "js", stdin: "", timeoutMs: 60_000 }), {
    run: 1,
  });
  const events = await fetch(`${url}events`);
  let text = "";
  for await (const chunk of events.body.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    if (text.includes('"kind":"ended"')) break;
  }
  assert.match(text, /"value":"42"/);
  child.kill("SIGTERM");
  assert.deepEqual(await ended, [0, null]);
  const wrong = await se(["playground", "--http", "70000"]);
  assert.equal(wrong.code, 2);
});

it("run: what a program failed for want of is told with the option that gives it", async () => {
  file("lone.mjs", 'import { x } from "./beside.mjs"; console.log(x)');
  file("beside.mjs", "export const x = 7");
  const lone = await se(["run", "lone.mjs"]);
  assert.equal(lone.code, 1);
  // What it says is the command as it can be copied.
  const advice =
    /\nsecure-exec: nothing of the host is beside .*: secure-exec (run --project .+)\n$/;
  const adviceOf = ({ stderr }) => advice.exec(stderr)?.[1] ?? assert.fail(stderr);
  assert.equal(adviceOf(lone), "run --project . lone.mjs");
  assert.equal((await se(adviceOf(lone).split(" "))).stdout, "7\n");
  // A package is shown whole, wherever in it the program is, and whatever the program says.
  file("its package/package.json", "{}");
  file("its package/lib.mjs", "export const x = 8");
  const upward = 'import { x } from "../lib.mjs"; console.log(x)';
  const packaged = await se(["run", file("its package/src/up.mjs", upward)]);
  const quoted = join(folder, "its package/src/up.mjs");
  assert.equal(adviceOf(packaged), `run --project 'its package' '${quoted}'`);
  assert.equal((await se(["run", "--project", "its package", quoted])).stdout, "8\n");
  const atHome = await se(["run", "lone.mjs"], { env: { HOME: folder } });
  assert.equal(adviceOf(atHome), "run --project DIR FILE");
  const liar = `console.error("Cannot find module '/etc/../x'"); process.exit(1);`;
  assert.equal(
    adviceOf(await se(["run", file("liar.mjs", liar)])),
    `run --project . ${folder}/liar.mjs`,
  );
  const packages = await se(["run", "-e", 'import "no-such-package"']);
  assert.match(
    packages.stderr,
    /\nsecure-exec: packages of the host are there with --node-modules/,
  );
  const denied = await se(["run", "-e", 'await fetch("http://a.example:81/");']);
  assert.match(denied.stderr, /\nsecure-exec: the network was denied; --allow-net=a\.example/);
  // Port 1 of the machine's own loopback, where nothing listens.
  const own = 'require("node:net").connect(1, "127.0.0.1")';
  const refused = await se(["run", "--allow-net=127.0.0.1:1", "-e", own]);
  assert.match(
    refused.stderr,
    /\nsecure-exec: localhost is the machine's own; --port 1, with --allow-net=127\.0\.0\.1:1, opens/,
  );
  const caught = await se(["run", "-e", 'await fetch("http://a.example/").catch(() => {});']);
  assert.deepEqual([caught.code, caught.stderr], [0, ""]);
  const foul = await se([
    "run",
    "-e",
    'require("node:dns").lookup("a;rm -rf.example", () => process.exit(1))',
  ]);
  assert.deepEqual([foul.code, foul.stderr], [1, ""]);
});

it("help of every command, completion scripts and the man page come from one table", async () => {
  const { stdout } = await se(["--help"]);
  const names = [...stdout.split("Exit codes")[0].matchAll(/^ {2}([a-z]+) {2,}/gm)].map(
    ([, name]) => name,
  );
  assert.deepEqual(names, [
    "run",
    "exec",
    "shell",
    "audit",
    "snapshot",
    "restore",
    "serve",
    "typecheck",
    "mcp",
    "playground",
    "worker",
    "fleet",
    "doctor",
  ]);
  const page = readFileSync(new URL("../../docs/secure-exec.1", import.meta.url), "utf8");
  for (const name of names) {
    const own = await se([name, "--help"]);
    assert.deepEqual([own.code, own.stderr], [0, ""]);
    assert.match(own.stdout, new RegExp(`^Usage: secure-exec ${name}`));
    assert.equal((await se(["help", name])).stdout, own.stdout);
    assert.ok(page.includes(`.SS ${name}\n`));
  }
  const check = spawnSync(
    process.execPath,
    [fileURLToPath(new URL("../../scripts/man.mjs", import.meta.url)), "--check"],
    { encoding: "utf8" },
  );
  assert.equal(check.status, 0, check.stderr);
  for (const words of [
    ["help", "--help"],
    ["help", "help"],
  ])
    assert.equal((await se(words)).stdout, stdout);
  assert.match((await se(["completion", "--help"])).stdout, /^Usage: secure-exec completion bash/);
  for (const shell of ["bash", "zsh", "fish"]) {
    const script = (await se(["completion", shell])).stdout;
    for (const word of ["snapshot", "allow-net"]) assert.ok(script.includes(word), shell);
    if (spawnSync(shell, ["-c", "true"]).status === 0)
      assert.equal(spawnSync(shell, ["-n", file(`${shell}-syntax`, script)]).status, 0, shell);
  }
  const words = "source fish-syntax; complete -C 'secure-exec help ty'";
  const fish = spawnSync("fish", ["--no-config", "-c", words], { cwd: folder, encoding: "utf8" });
  if (fish.error === undefined) assert.equal(fish.stdout.trim(), "typecheck");
  if (spawnSync("bash", ["-c", "true"]).status !== 0) return;
  file("completion", (await se(["completion", "bash"])).stdout);
  const complete = (line) => {
    const program = `source ./completion; COMP_WORDS=(${line}); COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)); _secure_exec; echo "\${COMPREPLY[@]}"`;
    return spawnSync("bash", ["-c", program], { cwd: folder, encoding: "utf8" }).stdout.trim();
  };
  assert.equal(complete("secure-exec sn"), "snapshot");
  assert.equal(complete("secure-exec run --ti"), "--timeout");
});

it("doctor --json: layers, the engine and a self test; the command that repairs an installation", async () => {
  const { code, stdout } = await se(["doctor", "--json"]);
  const report = JSON.parse(stdout);
  assert.equal(code, 0);
  assert.equal(report.healthy, true);
  assert.deepEqual(report.problems, []);
  assert.ok(
    report.layers.some(
      ({ layer, available, required }) => layer === "seccomp" && available && required,
    ),
  );
  assert.equal(report.selfTest.passed, true);
  const broken = await se(["doctor", "--json"], { env: { SECURE_EXEC_ENGINE: "/no/engine" } });
  assert.equal(broken.code, 1);
  assert.equal(JSON.parse(broken.stdout).healthy, false);
});
