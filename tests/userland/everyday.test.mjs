// Commands and shell behaviour that scripts of agents lean on; what is right was seen of bash 5.2, coreutils 9, util-linux and jq.
import assert from "node:assert/strict";
import { test } from "node:test";
import { machine } from "../support/machines.mjs";

const rt = await machine();
const run = async (script, env = {}) => {
  const { stdout, stderr, exitCode } = await rt.execCommand("bash", ["-c", script], {
    env: { HOME: "/home/user", LANG: "", LC_ALL: "C", ...env },
    cwd: "/tmp",
  });
  return { stdout, stderr, exitCode };
};

test("tput asks for a terminal's name, and knows what each can", async () => {
  const none = await run("tput cols");
  assert.deepEqual([none.stdout, none.exitCode], ["", 2]);
  assert.equal(none.stderr, "tput: No value for $TERM and no -T specified\n");
  const { stdout } = await run(
    "tput cols; tput colors; tput setaf 1; tput -T dumb colors; tput -T dumb setaf 1; echo $?; tput -T nosuch cols 2>&1; echo $?; tput nosuch 2>&1; echo $?",
    { TERM: "xterm-256color" },
  );
  assert.equal(
    stdout,
    "80\n256\n\x1b[31m-1\n1\ntput: unknown terminal \"nosuch\"\n3\ntput: unknown terminfo capability 'nosuch'\n4\n",
  );
});

test("tty, logger, lscpu, locale, link, sum, mountpoint, who", async () => {
  const { stdout, stderr } = await run(`
    tty; echo $?; tty -s; echo $?
    logger quiet; echo $?; logger -s -t tag -p local0.err said 2>&1 | sed 's/>.* tag/> tag/'
    lscpu | head -1 | tr -s ' '; lscpu -J | head -1
    locale | sed -n '1p;3p;$p'; locale charmap
    printf abc > a; rm -f b; link a b; stat -c %h a; link a b 2>&1; sum a; sum -s a
    mountpoint /proc; mountpoint /tmp; echo $?; who; users; killall nosuch 2>&1; echo $?`);
  assert.equal(stderr, "");
  assert.deepEqual(stdout.split("\n"), [
    "not a tty",
    "1",
    "1",
    "0",
    "<131> tag: said",
    `Architecture: ${process.arch === "arm64" ? "aarch64" : "x86_64"}`,
    "{",
    "LANG=",
    'LC_CTYPE="C"',
    "LC_ALL=C",
    "ANSI_X3.4-1968",
    "2",
    "link: cannot create link 'b' to 'a': File exists",
    "16556     1 a",
    "294 1 a",
    "/proc is a mountpoint",
    "/tmp is not a mountpoint",
    "32",
    "nosuch: no process found",
    "1",
    "",
  ]);
});

test("a process that a signal ends is told of by who started it, where its output does not go", async () => {
  const { stdout, stderr } = await run(
    "bash -c 'kill -9 $$' 2>&1; echo $?; bash -c 'kill $$'; echo $?",
  );
  assert.equal(stdout, "137\n143\n");
  assert.match(stderr, /^bash: line 1: +\d+ Killed {18}bash -c 'kill -9 \$\$' 2>&1\n$/);
});

test("jobs: wait -n leaves a status behind, and what was waited for is not told again", async () => {
  const { stdout } = await run(
    "(exit 3) & p=$!; wait -n; echo $?; wait $p; echo $?; sleep 10 & kill %1; wait %1 2> /dev/null; echo $?; jobs",
  );
  assert.equal(stdout, "3\n3\n143\n");
});

test("xtrace goes where the command's own redirections do not lead", async () => {
  const { stdout, stderr } = await run("set -x; echo a 2>&1; x=1; echo $x > /dev/null 2>&1");
  assert.equal(stdout, "a\n");
  assert.equal(stderr, "+ echo a\n+ x=1\n+ echo 1\n");
});

test("jq: names are checked before anything runs; errors come first", async () => {
  const { stdout } = await run(`
    jq -n '1, nosuch' 2> /dev/null; echo $?; jq -n '1, $nosuch' 2>&1 | head -1; jq -nc 'def f(g; $x): g + $x; f(1; 2), ([1,2] | . as [$a, $b] | $b), ({"a":3} | . as {a: $c} | $c), (reduce (1,2) as $n (0; . + $n)), ([label $out | 1, break $out])'
    jq -nc '[limit(3; repeat(1))], ([{}] | transpose?), [[1],[2,3]] | transpose?'
    jq -n '1, (1 | .a)' 2>&1; jq -n 'halt_error' 2>&1; echo $?`);
  assert.deepEqual(stdout.split("\n"), [
    "3",
    "jq: error: $nosuch is not defined at <top-level>, line 1:",
    "3",
    "2",
    "3",
    "3",
    "[1]",
    "[[1,2],[null,3]]",
    'jq: error (at <unknown>): Cannot index number with string "a"',
    "1",
    "5",
    "",
  ]);
});

test("what cannot be here says so: ssh", async () => {
  const { stderr, exitCode } = await run("ssh -V");
  assert.equal(exitCode, 126);
  assert.match(stderr, /^ssh: not available: this machine .*node/);
});

test("tar adds to an archive, takes the newer, joins and deletes", async () => {
  const { stdout, stderr } = await run(`rm -rf t && mkdir -p t/d && cd t
    seq 5000 > d/1; seq 7 > d/2; seq 4000 > d/3; touch -d 2024-01-01 d/1 d/2 d/3
    tar cf a.tar d/1; tar rf a.tar d/2 d/3; tar tf a.tar
    seq 8 > d/2; tar uvf a.tar d/1 d/2; tar xOf a.tar d/2 | tail -n 1
    tar --delete -f a.tar d/2; tar tf a.tar; mkdir o; tar xf a.tar -C o; cmp o/d/3 d/3 && echo whole
    tar --delete -f a.tar d/9; echo $?
    tar cf b.tar d/2; tar Af a.tar b.tar; tar tf a.tar; tar rf new.tar d/1; tar tf new.tar; stat -c %s b.tar
    tar czf z.tgz d; tar rf z.tgz d/1; echo $?; tar rf a.tar nofile; echo $?; tar rf - d 2> /dev/null; echo $?`);
  assert.equal(
    stdout,
    `${["d/1", "d/2", "d/3", "d/2", "8", "d/1", "d/3", "whole", "2", "d/1", "d/3", "d/2", "d/1"].join("\n")}\n10240\n2\n2\n2\n`,
  );
  assert.deepEqual(stderr.split("\n"), [
    "tar: d/9: Not found in archive",
    "tar: Exiting with failure status due to previous errors",
    "tar: Cannot update compressed archives",
    "tar: Error is not recoverable: exiting now",
    "tar: nofile: Cannot stat: No such file or directory",
    "tar: Exiting with failure status due to previous errors",
    "",
  ]);
});

test("tar -d says how files differ from an archive's members", async () => {
  const { stdout, stderr } = await run(`rm -rf t && mkdir -p t/d && cd t
    echo 1 > d/a; echo 2 > d/b; ln -s a d/l; tar cf a.tar d; tar df a.tar; echo $?
    echo 3 > d/b; touch -d 2020-01-01 d/b; chmod 600 d/a; ln -sf b d/l; tar df a.tar; echo $?
    echo 33 > d/b; tar df a.tar d/b | tail -n 1; rm d/a; mkdir d/a; tar df a.tar d/a; rm -r d; tar df a.tar; echo $?`);
  assert.deepEqual(stdout.split("\n"), [
    "0",
    "d/a: Mode differs",
    "d/b: Mod time differs",
    "d/b: Contents differ",
    "d/l: Symlink differs",
    "1",
    "d/b: Size differs",
    "d/a: File type differs",
    "1",
    "",
  ]);
  assert.deepEqual(stderr.split("\n").sort(), [
    "",
    "tar: d/a: Warning: Cannot stat: No such file or directory",
    "tar: d/b: Warning: Cannot stat: No such file or directory",
    "tar: d/l: Warning: Cannot readlink: No such file or directory",
    "tar: d: Warning: Cannot stat: No such file or directory",
  ]);
});
