// Commands that a shell runs in its own process: what nobody could tell from a process of their own, and nothing else.
import assert from "node:assert/strict";
import { test } from "node:test";
import { machine } from "../../support/machines.mjs";

const host = await machine();
const environment = { HOME: "/home/user", LANG: "", LC_ALL: "C" };

const bash = (script, { rt = host, env = {}, ...options } = {}) =>
  rt.execCommand("bash", ["-c", script], {
    env: { ...environment, ...env },
    cwd: "/tmp",
    ...options,
  });

/** How many processes `script` comes to beside the shell, told by pids: one is two programs' distance. */
async function started(script, options) {
  const pid = "sh -c 'echo $$; :'";
  const { stdout, stderr } = await bash(
    `printf 'one\\ntwo\\n' > f; exec 7>&1; ${pid} >&7; { ${script}
    } > out 2>&1; ${pid} >&7; true`,
    options,
  );
  const [before, after] = stdout.trim().split("\n").map(Number);
  assert.ok(after > before, `${script}: ${stdout} ${stderr}`);
  return after - before - 1;
}

const inside = [
  "cat f; cat f f; cat < f; cat <<< text",
  "mkdir -p d/e; cp f d; cp -r d d2; mv d2 d3; ls d; touch d/t; rm -r d d3",
  "grep -q one f && sed -i s/one/1/ f; wc -l < f; head -1 f; tail -n1 f; cut -c1 f; uniq f; tr a-z A-Z < f",
  "x=$(cat f); y=$(basename $(dirname /a/b/c)); (cd / && ls && cat /tmp/f)",
  "for i in 1 2 3; do cat f; done; if grep one f; then :; fi; while ! rm f; do :; done",
  "cat nosuch; rm nosuch; grep; ls --nosuch; cat f > nosuch/dir; cat f 2>&1 > /dev/null",
  "trap 'echo end' EXIT; cat f; set -e; cat f",
  "cat f | grep o | wc -l; echo a b | tr a b | sed s/b/c/; ls / | sort -r | uniq -c | head -2; seq 9 | tail -1",
  'x=$(echo "$PATH" | cut -d: -f1); grep z f nosuch 2>/dev/null | cat; cat nosuch 2>&1 | wc -l',
  "f() { cat f; }; f; command cat f; LC_ALL=C.UTF-8 cut -c1 f; eval cat f",
];
for (const script of inside)
  test(`no process is started for: ${script}`, async () => {
    assert.equal(await started(script), 0);
  });

const apart = [
  // Members of pipelines, and what runs beside the shell, may wait for each other.
  ["cat f | while read l; do cat f > /dev/null; done", 2 + 1],
  ["cat f | (cat; cat)", 3],
  ["cat <(echo a) f", 1],
  ["x=1 cat f | cat; cat f | A=b cat; cat f | cat > g; cat f | sed -i p f | cat", 9],
  ["f2() { cat; }; cat f | f2; trap : ERR; cat f | cat", 4],
  ["seq 20000 | tail -1; cat < f | cat", 4],
  ["mkfifo q; echo a > q & cat q | cat; wait", 4],
  ["cat f & wait", 1],
  ["cat f & wait; cat f", 2],
  // Traps of signals are for the shell, the signal for the command.
  ["trap : USR1; cat f", 1],
  // What asks, goes on without end, or runs others.
  ["cp -i f g < /dev/null", 1],
  ["rm -rfi g < /dev/null", 1],
  ["timeout 0.1 tail -f f", 2],
  ["sed '1e echo' f", 2],
  ["sed s/one/echo/e f", 2],
  // What is another thing to each process, or of a process.
  ["cat /proc/self/comm", 1],
  ["cat /dev/stdin < f", 1],
  ["(cd /proc/self; cat comm)", 1],
  ["(ulimit -n 100; cat f)", 1],
  ["TZ=Asia/Tokyo ls -l f", 1],
  // Input that another process has to write.
  ["coproc echo a; cat <&${COPROC[0]}", 2],
  ["cat f >&-", 1],
  // A program of the machine's user under a command's name, and programs that are no plain commands.
  [
    "mkdir -p bin; printf '#!/bin/sh\\necho mine\\n' > bin/cat; chmod 755 bin/cat; PATH=/tmp/bin:$PATH; cat f",
    1,
  ],
  ["awk 1 f; env cat f", 3],
];
for (const [script, processes] of apart)
  test(`a process is started for: ${script}`, async () => {
    assert.equal(await started(script), processes);
  });

test("where somebody asks which command does what, each is a process", async () => {
  const all = { fs: "allow", childProcess: "allow", process: "allow", env: "allow" };
  const except = (rule) => ({ default: "allow", rules: [{ mode: "deny", ...rule }] });
  for (const options of [
    { audit: true },
    { permissions: { ...all, fs: except({ paths: ["/secret/**"] }) } },
    { permissions: { ...all, childProcess: except({ patterns: ["rm"] }) } },
  ]) {
    const rt = await machine(options);
    assert.equal(await started("cat f; cat f", { rt }), 2, JSON.stringify(options));
    await rt.dispose();
  }
  const rt = await machine({ permissions: all });
  assert.equal(await started("cat f; cat f", { rt }), 0);
  await rt.dispose();
});

test("what is printed, and in which order, is what processes print", async () => {
  const { stdout, stderr, exitCode } = await bash(`
    mkdir o; cd o; echo a > f
    { cat f nosuch f; echo b; cat f; } > both 2>&1; cat both
    x=$(cat f nosuch 2>&1; echo c); echo "$x"
    { read l; cat; } <<< $'1\\n2'; { head -1; echo -; cat; } < both; { head -1; cat; } <<< $'3\\n4'
    umask 077; mkdir m; touch m/t; stat -c %a m m/t; umask 022; (umask 0; mkdir n; stat -c %a n)
    (cd m; ls; cat ../f); rm -r m; pwd; cat f
    printf 'é\\n' > u; LC_ALL=C.UTF-8 cut -c1 u; cut -c1 u | od -An -tx1; LC_ALL=C.UTF-8 sed 's/./x/g' u; sed 's/./x/g' u
    grep nothing f; echo $?; grep a f nosuch; echo $?; hash | grep -c cat
    set -o pipefail; cat f | grep z; echo $?; ! cat f; echo $?; cat f && rm nosuch || echo $?`);
  assert.equal(
    stdout,
    `a
cat: nosuch: No such file or directory
a
b
a
a
cat: nosuch: No such file or directory
c
2
a
-
cat: nosuch: No such file or directory
a
b
a
3
700
600
777
t
a
/tmp/o
a
é
 c3 0a
x
xx
1
f:a
2
1
1
a
1
a
1
`,
  );
  assert.equal(
    stderr,
    "grep: nosuch: No such file or directory\nrm: cannot remove 'nosuch': No such file or directory\n",
  );
  assert.equal(exitCode, 0);
});

test("more than a pipe holds goes out and comes in, and who does not read ends the command", async () => {
  const { stdout, stderr } = await bash(`
    seq 300000 > big; x=$(cat big); echo \${#x}; cat big | wc -l; (cat big) | tail -1
    mkfifo p; wc -c < p & cat big > p; wait
    head -1 < p & cat big > p; echo $?; wait
    cat <<< "$x" | wc -c; wc -c <<< "$x"; { cat; } <<< "$x" > copy; cmp big copy; echo $?`);
  assert.deepEqual(stdout.split("\n").slice(0, 4), ["1988894", "300000", "300000", "1988895"]);
  assert.match(stdout, /\n141\n/);
  assert.equal(stdout.split("\n").slice(-4).join(), "1988895,1988895,0,");
  assert.equal(stderr, "");
});

test("members that run in turn pass on everything, and what was read is read again by who takes over", async () => {
  const { stdout, stderr } = await bash(`
    seq 3000 > f; printf 'a\nb\nc\n' > g
    cat f | sed 's/.*/& & & & & & & & & &/' | wc -c; cat f | sed 's/.*/& & & & & & & & & &/' | tail -1
    seq 100000 | wc -l; seq 100000 | head -1; echo "\${PIPESTATUS[@]: -1}"
    { read l; cat | tail -1; cat; } < g; { head -1 | cat; cat; } < g
    grep zzz g | cat; echo "\${PIPESTATUS[*]}"; set -o pipefail; grep zzz g | wc; echo $?; ! cat g | grep -q a; echo $?
    cat nosuch g 2>&1 | sort | head -2; cat nosuch | cat; echo $?
    printf 'x y\n' | cut -d' ' -f2 | tr y z; x='p  q'; echo "$x" | cat; echo $x | cat
    nosuch | cat; echo $?; cat g | nosuch 2> /dev/null; echo $?; set -e; cat g | grep -c b; echo on`);
  assert.equal(
    stdout,
    `138930
3000 3000 3000 3000 3000 3000 3000 3000 3000 3000
100000
1
0
c
a
b
c
1 0
      0       0       0
1
1
a
b
1
z
p  q
p q
127
127
1
on
`,
  );
  assert.equal(
    stderr,
    "cat: nosuch: No such file or directory\nbash: line 13: nosuch: command not found\n",
  );
});

test("a list in the background may be what a command waits for", async () => {
  const { stdout, exitCode } = await bash(`
    mkfifo w; { read line; echo "heard $line" > w; } <<< it & cat w; wait
    x=$({ sleep 0.1; seq 1 20000; echo done > w; } & cat w); echo "$x" | tail -n2 | sort`);
  assert.deepEqual({ stdout, exitCode }, { stdout: "heard it\n20000\ndone\n", exitCode: 0 });
});

test("what a command leaves open is closed, however many there are", async () => {
  const rt = await machine({ limits: { openFiles: 64 } });
  const { stdout, exitCode } = await bash(
    `seq 100 > f; for ((i = 0; i < 100; i++)); do sed -n '1R f
    2q' f; sed q f; done > out; wc -l < out; cat f > /dev/null; exec 9< f; echo $?`,
    { rt },
  );
  assert.equal(stdout, "200\n0\n");
  assert.equal(exitCode, 0);
  await rt.dispose();
});

test("a shell that runs a command itself ends by what ends it, and a bill counts it", async () => {
  const rt = await machine();
  const script = "mkfifo q; echo ready; cat q; echo not";
  const said = [];
  let started;
  const ready = new Promise((resolve) => (started = resolve));
  const waiting = await rt.spawnCommand("bash", ["-c", script], {
    cwd: "/tmp",
    onStdout: (data) => {
      said.push(Buffer.from(data).toString());
      started();
    },
  });
  await ready;
  waiting.kill("SIGTERM");
  assert.equal(await waiting.wait(), 143);
  assert.equal(said.join(""), "ready\n");
  const { usage } = await bash("mkdir z; cp -r z y; rmdir z y; true", { rt });
  assert.equal(usage.processes, 4);
  await rt.dispose();
});
