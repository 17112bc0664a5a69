// rt.sh: values are words, never shell; results and failures.
import assert from "node:assert/strict";
import { test } from "node:test";
import { machine } from "../support/machines.mjs";

const it = (name, body) => test(name, { timeout: 60_000 }, body);

const nasty = [
  "plain",
  "",
  " two  words ",
  "it's",
  '"quoted" $HOME `id` $(id) \\',
  "; rm -rf / #",
  "*",
  "~",
  "a\nb",
  "-n",
  "FOO=1",
  "if",
  "!",
  "2",
  "ü\u{1F600}",
  "\u0001\u007f",
];

it("every value is one word, whatever it holds", async () => {
  const rt = await machine();
  const show = `console.log(JSON.stringify(process.argv.slice(1)))`;
  for (const value of nasty)
    assert.deepEqual(await rt.sh`node -e ${show} -- ${value} after`.json(), [value, "after"]);
  assert.deepEqual(await rt.sh`node -e ${show} -- ${nasty}`.json(), nasty);
  assert.deepEqual(await rt.sh`node -e ${show} -- ${[]} ${[1, [2n, true]]} x${"y z"}`.json(), [
    "1",
    "2",
    "true",
    "xy z",
  ]);
  // In the place of a command, of a keyword and before a redirection.
  await assert.rejects(rt.sh`${"FOO=1"}`, { code: "ERR_SECURE_EXEC_COMMAND_FAILED" });
  await assert.rejects(rt.sh`${"if"} true; then echo; fi`, {
    code: "ERR_SECURE_EXEC_COMMAND_FAILED",
  });
  assert.equal(await rt.sh`echo ${2}>/tmp/out; cat /tmp/out`.text(), "2");
  for (const bad of [{}, null, undefined, () => 1, ["ok", {}], "a\0b"])
    assert.throws(() => rt.sh`echo ${bad}`, { code: "ERR_SECURE_EXEC_INVALID_OPTION" });
});

it("it is shell around the values, and runs once, when it is awaited", async () => {
  const rt = await machine();
  const command = rt.sh`echo run >> /tmp/log; printf 'b\na\n' | sort; echo note >&2`;
  assert.equal(await rt.exists("/tmp/log"), false);
  const [first, second] = await Promise.all([command, command]);
  assert.equal(first, second);
  assert.equal(first.stdout, "a\nb\n");
  assert.equal(first.stderr, "note\n");
  assert.deepEqual(await command.lines(), ["a", "b"]);
  assert.equal(await rt.readFile("/tmp/log", "utf8"), "run\n");
  assert.deepEqual(await rt.sh`true`.lines(), []);
  assert.deepEqual(await rt.sh`echo '{"n":1}'`.json(), { n: 1 });
  await assert.rejects(rt.sh`echo no`.json(), SyntaxError);
});

it("a failing command says what failed and how", async () => {
  const rt = await machine();
  const error = await rt.sh`echo out; echo because >&2; exit 3`.catch((caught) => caught);
  assert.equal(error.code, "ERR_SECURE_EXEC_COMMAND_FAILED");
  assert.match(error.message, /^the command failed with exit code 3: echo out; .*: because$/);
  const { exitCode, stdout, stderr, end } = error.details;
  assert.deepEqual(
    { exitCode, stdout, stderr },
    { exitCode: 3, stdout: "out\n", stderr: "because\n" },
  );
  assert.deepEqual(end, { reason: "exit" });
  assert.match(error.remedy, /nothrow/);
  assert.equal((await rt.sh`exit 3`.nothrow()).exitCode, 3);
});

it("options of one command, and of all", async () => {
  const rt = await machine({ env: { A: "1" } });
  const command = rt.sh`echo $A $B; pwd; cat`.env({ B: "2" }).cwd("/tmp").stdin("in");
  assert.deepEqual(await command.lines(), ["1 2", "/tmp", "in"]);
  const sh = rt.sh({ env: { A: "9" }, cwd: "/" });
  assert.deepEqual(await sh`echo $A; pwd`.lines(), ["9", "/"]);
  assert.deepEqual(await sh({ cwd: "/tmp" })`echo $A; pwd`.lines(), ["9", "/tmp"]);
  const late = await rt.sh`sleep 1000`.timeout(50).nothrow();
  assert.equal(late.exitCode, 137);
  assert.equal(late.end.reason, "timeout");
  const controller = new AbortController();
  controller.abort(new Error("enough"));
  await assert.rejects(rt.sh`true`.signal(controller.signal), /enough/);
  assert.throws(() => rt.sh("ls"), { code: "ERR_SECURE_EXEC_INVALID_OPTION" });
});
