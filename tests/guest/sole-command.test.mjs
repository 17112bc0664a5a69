// `sh -c` of one simple command is that command: one process, under the pid that the parent was told.
import assert from "node:assert/strict";
import { test } from "node:test";
import { machine } from "../support/machines.mjs";

const host = await machine();
const tell =
  "console.log(JSON.stringify([process.pid, process.ppid, process.argv.slice(2), process.env.A]))";

/** Each script by /bin/sh or bash: what its parent sees, and the pid it was told. */
async function spawned(runtime, scripts, shell = "/bin/sh") {
  const { value, stderr } = await runtime.run(`
    const { spawnSync } = require("child_process");
    require("fs").writeFileSync("/tmp/tell.js", ${JSON.stringify(tell)});
    __return([process.pid, ${JSON.stringify(scripts)}.map((script) => {
      const { pid, status, signal, stdout, stderr } = spawnSync(${JSON.stringify(shell)}, ["-c", script, "name"],
        { encoding: "utf8", input: "in", env: { ...process.env, A: "b" } });
      return { pid, status, signal, stdout, stderr };
    })]);`);
  assert.equal(stderr, "");
  return { parent: value[0], children: value[1] };
}

for (const shell of ["/bin/sh", "bash"]) {
  test(`${shell}: one literal command has the pid, the parent and the arguments of the shell's`, async () => {
    const scripts = [
      `node /tmp/tell.js 'x  y' "" z`,
      "sh -c 'node /tmp/tell.js nested'",
      "  /usr/local/bin/node   /tmp/tell.js\n",
    ];
    const { parent, children } = await spawned(host, scripts, shell);
    const expected = [["x  y", "", "z"], ["nested"], []];
    children.forEach(({ pid, stdout, stderr }, at) =>
      assert.deepEqual([JSON.parse(stdout), stderr], [[pid, parent, expected[at], "b"], ""]),
    );
  });

  test(`${shell}: whatever is more than that stays the shell's`, async () => {
    const scripts = [
      "node /tmp/tell.js $A",
      "node /tmp/tell.js `echo b`",
      "A=c node /tmp/tell.js b",
      "node /tmp/tell.js b > /dev/stdout",
      "node /tmp/tell.js /tmp/tell.j?",
      "node /tmp/tell.js b; true",
      "! node /tmp/tell.js b",
      "f() { node /tmp/tell.js b; }; f",
    ];
    const { parent, children } = await spawned(host, scripts, shell);
    const told = children.map(({ stdout }) => JSON.parse(stdout));
    assert.ok(told.every(([, ppid], at) => ppid !== parent && ppid === children[at].pid));
    assert.deepEqual(
      told.map(([, , [argument]]) => argument),
      ["b", "b", "b", "b", "/tmp/tell.js", "b", "b", "b"],
    );
    assert.equal(told[2][3], "c");
  });

  test(`${shell}: input, status, signals and messages are those of the command or of the shell`, async () => {
    const scripts = [
      "cat",
      "cat /missing",
      "node -e 'process.exit(7)'",
      "node -e 'process.kill(process.pid)'",
      "missing one",
      "/tmp",
      "'unclosed",
    ];
    const { children } = await spawned(host, scripts, shell);
    assert.deepEqual(
      children.map(({ status, signal }) => status ?? signal),
      [0, 1, 7, "SIGTERM", 127, 126, 2],
    );
    assert.equal(children[0].stdout, "in");
    assert.equal(children[1].stderr, "cat: /missing: No such file or directory\n");
    assert.match(children[4].stderr, /^name: (?:1|line 1): missing: (?:command )?not found\n$/);
  });
}

test("ps and /proc show the command in the shell's place", async () => {
  const { children } = await spawned(host, ["cat /proc/self/cmdline", "ps -o pid=,ppid=,args="]);
  assert.equal(children[0].stdout, "cat\0/proc/self/cmdline\0");
  assert.ok(!/\bsh\b/.test(children[1].stdout), children[1].stdout);
});

test("the policy judges shell and command as before, each once, and denies the command alone", async () => {
  const asked = [];
  const runtime = await machine({
    permissions: {
      fs: "allow",
      childProcess: (request) => {
        asked.push([request.command, ...request.args].join(" "));
        return !request.command.endsWith("cat");
      },
    },
  });
  const { children } = await spawned(runtime, ["cat /tmp/tell.js", "ls /tmp/tell.js"]);
  assert.deepEqual(
    children.map(({ status }) => status),
    [126, 0],
  );
  assert.match(children[0].stderr, /cat: Permission denied/);
  assert.equal(children[1].stdout, "/tmp/tell.js\n");
  const shells = asked.filter((text) => /sh -c/.test(text));
  const commands = asked.filter((text) => !/sh -c/.test(text));
  assert.ok(shells.length >= 2, String(asked));
  assert.deepEqual(commands, [...new Set(commands)], "no name is asked about twice");
  assert.ok(commands.some((text) => text.endsWith("cat /tmp/tell.js")));
});

test("variables that a policy hides stay hidden from the command", async () => {
  const runtime = await machine({
    env: { SECRET: "s", A: "a" },
    permissions: {
      fs: "allow",
      childProcess: "allow",
      env: { default: "allow", rules: [{ mode: "deny", patterns: ["SECRET"] }] },
    },
  });
  const { children } = await spawned(runtime, ["printenv A SECRET"]);
  assert.deepEqual([children[0].stdout, children[0].status], ["b\n", 1]);
});
