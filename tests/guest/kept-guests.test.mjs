// A program's commands, one after the other, are one process of the OS as long as none leaves anything behind; and
// nobody can tell but by the clock.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { machine } from "../support/machines.mjs";
import { tree, until } from "../support/processes.mjs";

const options = { timeout: 120_000 };
/** Guests that were there when it was called. */
const seen = [];
const look = {
  description: "Looks at the guests",
  inputSchema: { type: "object", properties: {} },
  handler: () => {
    seen.push(tree().guests);
    return seen.length;
  },
};
const host = await machine({ tools: { look } });

/** Guests in the way of a program: those that wait, and its own. */
const usual = 3 + 1;

/** Runs `body` with `sh(script)`, which answers what it printed, and `look()`; answers its value and how many guests were seen. */
async function program(body, on = host) {
  seen.length = 0;
  const { value, stderr, exitCode } = await on.run(`
    const { execSync, spawnSync } = require("node:child_process");
    const fs = require("node:fs");
    const sh = (script, options) => execSync(script, { encoding: "utf8", ...options });
    const look = () => callHostTool("look", {});
    ${body}`);
  assert.equal(exitCode, 0, stderr);
  return { value, guests: new Set(seen.flat()).size };
}

test("many commands are few processes", options, async () => {
  const { value, guests } = await program(`
    const pids = [];
    for (let i = 0; i < 30; i++) {
      pids.push(Number(sh("echo $$; ls / | sort -r | head -n 1 > /dev/null")));
      await look();
    }
    __return(pids);`);
  assert.equal(new Set(value).size, 30);
  assert.ok(value.every((pid, at) => at === 0 || pid > value[at - 1]));
  // Those that were forked ahead, and a few more where a command began before the one before it was kept.
  assert.ok(guests <= usual + 10, `${guests} guests`);
});

test("a command finds nothing of the one before it", options, async () => {
  const report =
    "echo $PWD; umask; env | sort | grep -v -e ^_= -e ^SHLVL=; trap; alias; set -o | grep on$; echo $? $# $-; ulimit -n; date +%Z; ls /proc/self/fd | wc -l";
  const changes = [
    "cd /tmp; umask 077; export A=1 TZ=Asia/Tokyo LC_ALL=C; date; alias a=b; set -u; f() { :; }",
    "export TZ=America/New_York; date > /dev/null; unset HOME PATH",
    "readonly R=1; exit 3",
    "ulimit -n 20",
    "IFS=x; set -- a b c; shopt -s 2>/dev/null; exec 2>&1",
    "git -c core.abbrev=20 init -q /tmp/g; cd /tmp/g; git config core.abbrev 30",
    `printf '{"__proto__": {"polluted": 1}, "constructor": 2}' | jq -c .`,
    `awk 'BEGIN { OFS = "-"; FS = "x"; srand(1); getline line < "/etc/passwd"; exit 1 }'`,
    "export LC_ALL=C.UTF-8; echo é | wc -m",
    "trap 'echo bye' EXIT TERM; true",
    "exec 3>/tmp/three 4</etc/passwd; echo x >&3",
    "sleep 0.2 & true",
    "kill -TERM $$",
  ];
  const { value, guests } = await program(`
    const report = () => sh(${JSON.stringify(report)}, { stdio: ["ignore", "pipe", "pipe"] });
    const first = report();
    const all = [];
    for (const change of ${JSON.stringify(changes)}) {
      const { status, signal } = spawnSync("bash", ["-c", change]);
      all.push([change, status, signal, report()]);
      await look();
    }
    __return([first, all]);`);
  const [first, all] = value;
  for (const [change, , , after] of all) assert.equal(after, first, change);
  assert.deepEqual(
    all.map(([, status]) => status),
    [0, 0, 3, 0, 0, 0, 0, 1, 0, 0, 0, 0, null],
  );
  assert.equal(all.at(-1)[2], "SIGTERM");
  assert.ok(guests < usual + 2 * changes.length, `${guests} guests`);
});

test("input and output are those of the command they belong to", options, async () => {
  const { value } = await program(`
    const out = [];
    for (let i = 0; i < 20; i++) {
      out.push(sh("cat", { input: "in " + i }));
      const { output, status } = spawnSync("sh", ["-c", "read a; echo $a; echo err >&2; echo three >&3; exit 7"],
        { input: i + "\\nrest\\n", stdio: ["pipe", "pipe", "pipe", "pipe"], encoding: "utf8" });
      out.push([status, ...output.slice(1)].join());
      fs.writeFileSync("/tmp/in", "file " + i);
      out.push(sh("cat", { stdio: [fs.openSync("/tmp/in"), "pipe", "inherit"] }));
    }
    __return(out);`);
  assert.deepEqual(
    value,
    Array.from({ length: 20 }, (_, i) => [`in ${i}`, `7,${i}\n,err\n,three\n`, `file ${i}`]).flat(),
  );
});

test("a shell that becomes a program has what it was given", options, async () => {
  const { value } = await program(`
    const code = \`require("fs").writeSync(3, "three"); console.log(typeof require, process.argv0, process.env.A)\`;
    fs.writeFileSync("/tmp/program.js", code);
    const out = [];
    for (let i = 0; i < 3; i++) {
      sh("true; echo a | sed s/a/b/");
      const { output, status } = spawnSync("sh", ["-c", "node /tmp/program.js"],
        { env: { ...process.env, A: i }, stdio: ["ignore", "pipe", "pipe", "pipe"], encoding: "utf8" });
      out.push([status, ...output.slice(1)]);
    }
    __return(out);`);
  assert.deepEqual(
    value,
    [0, 1, 2].map((i) => [0, `function node ${i}\n`, "", "three"]),
  );
});

test("what is left behind, or large, is the process's last", options, async () => {
  for (const script of [
    "exec 3>/tmp/open",
    "sleep 1 &",
    "trap : TERM",
    "awk 'BEGIN { for (i = 0; i < 400000; i++) a[i] = i \"some text that is long enough\" }'",
  ]) {
    const { guests } = await program(`
      for (let i = 0; i < 8; i++) {
        spawnSync("sh", ["-c", ${JSON.stringify(script)}], { stdio: "ignore" });
        await look();
      }`);
    assert.ok(guests >= usual + 4, `${script}: ${guests} guests`);
  }
});

test("one that dies while it is kept is missed by nobody", options, async () => {
  const ticks = (pid) => {
    const fields = readFileSync(`/proc/${pid}/stat`, "latin1").split(") ")[1].split(" ");
    return Number(fields[11]) + Number(fields[12]);
  };
  let killed = 0;
  const killer = {
    description: "Ends all guests but the one that has worked most",
    inputSchema: { type: "object", properties: {} },
    handler: async () => {
      const [, ...others] = tree().guests.toSorted((a, b) => ticks(b) - ticks(a));
      for (const pid of others) process.kill(pid, "SIGKILL");
      killed += others.length;
      // The kernel has had them reaped, and so knows of it.
      await until(() => others.every((pid) => !tree().guests.includes(pid)));
    },
  };
  const rt = await machine({ tools: { killer } });
  const { exitCode, stdout, stderr } = await rt.exec(`
    const { execSync } = require("node:child_process");
    for (const until = performance.now() + 300; performance.now() < until;);
    for (let i = 0; i < 10; i++) {
      process.stdout.write(execSync("echo " + i));
      process.stdout.write(execSync("echo " + i));
      await callHostTool("killer", {});
    }`);
  assert.equal(exitCode, 0, stderr);
  assert.equal(stdout, Array.from({ length: 10 }, (_, i) => `${i}\n${i}\n`).join(""));
  assert.ok(killed >= 10, `${killed} were ended`);
});

test("the bill has each command's time once", options, async () => {
  const burn = "awk 'BEGIN { for (i = 0; i < 100000; i++) s += i }'";
  const cpuMs = async (times) => {
    const { usage, exitCode } = await host.exec(
      `for (let i = 0; i < ${times}; i++) require("node:child_process").execSync(${JSON.stringify(burn)});`,
    );
    assert.equal(exitCode, 0);
    assert.ok(usage.processes >= times);
    return usage.cpuMs;
  };
  await cpuMs(2);
  // Of sums of sums there would be sixteen times as much.
  const [few, many] = [await cpuMs(20), await cpuMs(80)];
  assert.ok(many > 1.5 * few && many < 8 * few, `${few} ms of twenty, ${many} ms of eighty`);
});
