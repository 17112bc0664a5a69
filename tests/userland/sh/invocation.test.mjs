// How the shell is called and what it says: standard input, options, interactive use, error texts.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { engine } from "../../sandbox/engine.mjs";
import { environment } from "./cases.mjs";
import { runCases } from "./run-cases.mjs";

const script = fileURLToPath(new URL("engine/sh.mjs", import.meta.url));
const cwd = mkdtempSync(join(tmpdir(), "sh-invocation-"));
after(() => rmSync(cwd, { recursive: true, force: true }));

/** The shell's answer to arguments and a standard input. `name` is what it is called by. */
function sh(args, input = "", name = "sh") {
  return new Promise((resolve, reject) => {
    const child = spawn(engine, ["--no-warnings", script, name, ...args], {
      cwd,
      env: environment,
    });
    const output = { stdout: "", stderr: "" };
    for (const stream of ["stdout", "stderr"]) {
      child[stream].setEncoding("utf8").on("data", (text) => (output[stream] += text));
    }
    child.on("error", reject);
    child.on("close", (status) => resolve({ ...output, status }));
    child.stdin.on("error", () => {});
    child.stdin.end(input);
  });
}

test("a script on standard input leaves the lines behind a command to that command", async () => {
  const { stdout, status } = await sh(
    [],
    'read x\ndata line\necho "got $x"\nhead -1\nfor head\necho end\n',
  );
  assert.equal(stdout, "got data line\nfor head\n");
  // head takes more than its line from a pipe; from a file the shell gives back what it did not use.
  assert.equal(status, 0);
  writeFileSync(
    join(cwd, "s"),
    "cat <<E\nbody\nE\nhead -1\nnext\nf() {\n  echo in f\n}\nf\nexit 3\n",
  );
  const file = await sh(["-c", `exec '${engine}' --no-warnings '${script}' sh <s`]);
  assert.deepEqual(file, { stdout: "body\nnext\nin f\n", stderr: "", status: 3 });
});

test("commands before a syntax error have run", async () => {
  const fromInput = await sh([], "echo one\necho two; fi\necho three\n");
  assert.equal(fromInput.stdout, "one\n");
  assert.equal(fromInput.stderr, 'sh: 2: Syntax error: "fi" unexpected\n');
  assert.equal(fromInput.status, 2);
  const unfinished = await sh([], "echo one\nif true; then\necho two\n");
  assert.equal(unfinished.stdout, "one\n");
  assert.equal(unfinished.stderr, 'sh: 4: Syntax error: end of file unexpected (expecting "fi")\n');
});

test("-s, -c, a file, and their parameters", async () => {
  assert.equal((await sh(["-s", "a", "b c"], 'echo "$0 $1 $2 $#"\n')).stdout, "sh a b c 2\n");
  assert.equal((await sh(["-c", 'echo "$0 $1 $#"', "name", "x"])).stdout, "name x 1\n");
  writeFileSync(join(cwd, "file.sh"), 'echo "$0 $1"; exit 5');
  const file = await sh(["file.sh", "arg"]);
  assert.deepEqual([file.stdout, file.status], ["file.sh arg\n", 5]);
  assert.equal((await sh(["-ec", "false; echo no"])).status, 1);
  assert.equal((await sh(["-c", "echo {a,b}"])).stdout, "{a,b}\n");
  assert.equal((await sh(["-c", "echo {a,b}"], "", "bash")).stdout, "a b\n");
  assert.equal((await sh(["-z"])).stderr, "sh: 0: Illegal option -z\n");
});

test("an interactive shell prompts, and survives errors", async () => {
  const input =
    'PS1="> " PS2=". "\necho ${x?}\nnosuch\necho )\nif true\nthen echo yes\nfi\nexit 4\n';
  const { stdout, stderr, status } = await sh(["-i"], input);
  assert.equal(stdout, "yes\n");
  assert.match(stderr, /^\$ > sh: 2: x: parameter not set\n> sh: 3: nosuch: not found\n/);
  assert.match(stderr, /> sh: 4: Syntax error: "\)" unexpected\n> \. \. > $/);
  assert.equal(status, 4);
});

test("a list in the background is a process with the shell's state", async () => {
  const text = `trap 'echo bye' EXIT; v='a b'; f() { echo "f $1 $v $$"; return 7; }; set -- p
{ f "$1"; } & child=$!; wait $child; echo "$? $$"; [ "$child" != "$$" ] && echo differs`;
  const { stdout } = await sh(["-c", text]);
  const [first, second, third, last] = stdout.split("\n");
  const pid = second.split(" ")[1];
  assert.equal(first, `f p a b ${pid}`);
  assert.equal(second, `7 ${pid}`);
  assert.deepEqual([third, last], ["differs", "bye"]);
});

const complaints = [
  ["nosuch", "nosuch: not found"],
  ["./nosuch", "./nosuch: not found"],
  ["/", "/: Permission denied"],
  ["cd /nosuch", "cd: can't cd to /nosuch"],
  ["echo x >/nosuch/y", "cannot create /nosuch/y: Directory nonexistent"],
  ["cat </nosuch", "cannot open /nosuch: No such file"],
  [". ./nosuch", ".: cannot open ./nosuch: No such file"],
  ["exec nosuch", "exec: nosuch: not found"],
  ["shift 3", "shift: can't shift that many"],
  ["readonly x=1; x=2", "x: is read only"],
  ["echo ${x?}", "x: parameter not set"],
  ["echo ${x:?why}", "x: why"],
  ["echo ${x!y}", "Bad substitution"],
  ["set -u; echo $x", "x: parameter not set"],
  ["echo $((1/0))", 'arithmetic expression: division by zero: "1/0"'],
  ["x=a; echo $((x))", "Illegal number: a"],
  ["[ a -eq 1 ]", "[: Illegal number: a"],
  ["[ a", "[: missing ]"],
  ["unset a.b", "unset: a.b: bad variable name"],
  ["set -o nope", "set: Illegal option -o nope"],
  ["wait %1", "wait: No such job: %1"],
  ["echo x >&7", "7: Bad file descriptor"],
  ["if true; fi", 'Syntax error: "fi" unexpected (expecting "then")'],
  ["echo 'abc", "Syntax error: Unterminated quoted string"],
  ["(", "Syntax error: end of file unexpected"],
  ["for 1 in a; do :; done", "Syntax error: Bad for loop variable"],
];

test("errors are worded as dash words them", async () => {
  const answers = await runCases(
    complaints.map(([text]) => ({ name: text, script: text, shell: "sh", isolated: false })),
  );
  for (const [text, message] of complaints) {
    const { stderr } = answers.get(text);
    assert.ok(stderr.startsWith(`sh: 1: ${message}`), `${text}: ${stderr}`);
  }
  assert.equal((await sh(["-c", "true\n\nnosuch"])).stderr, "sh: 3: nosuch: not found\n");
});

test("the last command of -c gets the shell's signals, and its end is the shell's", async () => {
  for (const text of ["cat", "true && cat", "exec cat", "x=1; cat"]) {
    const child = spawn(engine, ["--no-warnings", script, "sh", "-c", text], {
      cwd,
      env: environment,
    });
    const echoed = new Promise((resolve) => child.stdout.once("data", resolve));
    child.stdin.write("ready\n");
    await echoed;
    child.kill("SIGTERM");
    const [code, signal] = await new Promise((resolve) => {
      child.on("close", (...end) => resolve(end));
    });
    // "close" needs the end of cat, too: it holds the pipe.
    assert.deepEqual([code, signal], [null, "SIGTERM"], text);
  }
  assert.equal((await sh(["-c", "trap 'echo trapped' EXIT; cat"], "x\n")).stdout, "x\ntrapped\n");
});
