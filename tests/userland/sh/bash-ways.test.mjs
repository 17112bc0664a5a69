// Ways of bash that scripts lean on, each with what bash 5.2 answered (on x86-64, where printf has a long double).
import assert from "node:assert/strict";
import { test } from "node:test";
import { machine } from "../../support/machines.mjs";

const rt = await machine();
const bash = async (script) => {
  const { stdout, stderr, exitCode } = await rt.execCommand("bash", ["-c", script], {
    cwd: "/tmp",
    timeout: 20_000,
  });
  return { stdout, stderr, exitCode };
};
const lines = async (script) => (await bash(script)).stdout.split("\n").slice(0, -1);

test("an alias counts from the command behind `shopt -s expand_aliases` on", async () => {
  const script = `shopt -s expand_aliases
alias ll="echo al"
ll x
f() { ll y; }; f`;
  assert.deepEqual(await bash(script), { stdout: "al x\nal y\n", stderr: "", exitCode: 0 });
});

test("printf rounds half to even on the exact value, and has a long double's digits", async () => {
  assert.deepEqual(
    await lines(`printf '%.0f %.1f %.2f %.5e %.0e\\n' 2.5 0.25 1.005 12345.65 2.5
      printf '%.20f %.30g\\n' 0.1 0.1
      printf '%f\\n' 1e30 0x1p3 0xff
      printf '%a %A %.2a %a %a\\n' 1 0.5 3.14 0 1e300
      printf '[%8.3f] [%-8.2f] [%08.2f] [%+.1f] [%#.0f] [%#g]\\n' 3.14159 3.14159 -3.14159 2.25 3 1
      printf '%f %f %5.1f\\n' inf -nan -1e9999999999
      printf '%f\\n' 1e4000 | wc -c; printf '%g\\n' 1e-9999999999
      /usr/bin/printf '%a %.1f %5.2e\\n' 1 2.25 1.125
      awk 'BEGIN { printf "%.2e %.0e %a\\n", 1.125, 2.5, 1 }'`),
    [
      "2 0.2 1.00 1.23457e+04 2e+00",
      "0.10000000000000000000 0.100000000000000000001355252716",
      "1000000000000000000024696061952.000000",
      "8.000000",
      "255.000000",
      "0x8p-3 0X8P-4 0xc.8fp-2 0x0p+0 0xb.f21e44003acdd2dp+993",
      "[   3.142] [3.14    ] [-0003.14] [+2.2] [3.] [1.00000]",
      "inf -nan  -inf",
      "4008",
      "0",
      "0x8p-3 2.2 1.12e+00",
      "1.12e+00 2e+00 0x1p+0",
    ],
  );
});

test("%q is cut as quoted, %Q before it is", async () => {
  assert.deepEqual(await lines("printf '%.3q|%.3Q|\\n' 'a b c d' 'a b c d'"), ["a\\ |a\\ b|"]);
});

test("a dot of =~ matches a newline, -R tells a reference", async () => {
  assert.deepEqual(
    await lines(`[[ $'a\\nb' =~ ^a.b$ ]] && echo newline
      declare -n r=q; [[ -R r ]] && echo reference; [ -R r ] && echo test; [[ -R q ]] || echo no`),
    ["newline", "reference", "test", "no"],
  );
});

test("set -u names the element, and functions and traces keep the quotes of arrays", async () => {
  const unset = await bash("set -u; k=2; echo ${b[k+1]}");
  assert.deepEqual(unset, {
    stdout: "",
    stderr: "bash: line 1: b[k+1]: unbound variable\n",
    exitCode: 127,
  });
  assert.deepEqual(await lines('f() { local a=(x "b c" $HOME [k]+="z y"); }; declare -f f'), [
    "f () ",
    "{ ",
    '    local a=(x "b c" $HOME [k]+="z y")',
    "}",
  ]);
  assert.equal((await bash('set -x; y=(a "b c" [5]=z)')).stderr, '+ y=(a "b c" [5]=z)\n');
  assert.equal((await bash('bash -v -c "echo v\necho w"')).stderr, "echo v\necho w\n");
});

test("`wait` takes a coprocess's names and descriptors away", async () => {
  assert.deepEqual(
    await lines(`coproc tr a-z A-Z; w=\${COPROC[1]}; echo hi >&$w; eval "exec $w>&-"
      cat <&\${COPROC[0]}; wait; echo "\${COPROC[@]-unset}" "\${COPROC_PID-none}"`),
    ["HI", "unset none"],
  );
});

test("rules of `complete` are kept, listed and removed", async () => {
  const script = `complete -W "a b" foo; complete -p; complete -r foo; complete -p foo; complete -F _f bar; complete -p bar
    complete -o nospace -A file z; complete -p z; complete -A hostname -P p -S 's q' -X '*.o' -C 'cmd a' y; complete -p y
    compopt -o nospace y; compopt x; echo $?`;
  const { stdout, stderr } = await bash(script);
  assert.deepEqual(stdout.split("\n"), [
    "complete -W 'a b' foo",
    "complete -F _f bar",
    "complete -o nospace -f z",
    "complete -A hostname -P 'p' -S 's q' -X '*.o' -C 'cmd a' y",
    "1",
    "",
  ]);
  assert.equal(
    stderr,
    "bash: line 1: complete: foo: no completion specification\nbash: line 3: compopt: x: no completion specification\n",
  );
});

test("what ERR hears of a call is said of the call's line, and of a pipeline's member alone nothing", async () => {
  assert.deepEqual(
    await lines(`set -E; trap 'echo "err $LINENO: $BASH_COMMAND" >&3' ERR; exec 3>&1
f() {
  return 2
}
f
g() { false
}
h() {
  g
}
h
false | cat
f | cat
{ false; } | cat
for i in 1; do
  f
done`),
    [
      "err 5: return 2",
      "err 6: false",
      "err 9: false",
      "err 11: false",
      "err 14: false",
      "err 16: return 2",
    ],
  );
});

test("an error of an expansion that ends a function names the function's source", async () => {
  const { stderr } = await bash("f() { echo ${1:?need}; }; (f); set -u; f() { echo $nosuch; }; f");
  assert.equal(
    stderr,
    "environment: line 1: 1: need\nenvironment: line 1: nosuch: unbound variable\n",
  );
});

test("the status of a text that an unset variable ends is 127, and 1 under errexit", async () => {
  assert.deepEqual(
    await lines(`for o in -uc -euc; do bash $o 'echo $x' 2> /dev/null; echo $?; done
      bash -ec 'echo \${x?}' 2> /dev/null; echo $?`),
    ["127", "1", "1"],
  );
});

test("a loop of select that `break` leaves is a success", async () => {
  const { stdout } = await bash(
    `select x in a b; do [ "$REPLY" = q ] && break; done <<< $'7\nq' 2> /dev/null; echo $?`,
  );
  assert.equal(stdout, "0\n");
});

test("a text that ends where a newline is wrong says so, and [[ has words of its own", async () => {
  const errorOf = async (script) => (await bash(script)).stderr;
  const near = (text) =>
    `bash: -c: line 1: syntax error near unexpected token \`newline'\nbash: -c: line 1: \`${text}'\n`;
  assert.equal(await errorOf("syntax ("), near("syntax ("));
  assert.equal(await errorOf("echo <"), near("echo <"));
  const say = (words) => `bash: -c: line 1: ${words}\n`;
  assert.equal(await errorOf("x=("), say("unexpected EOF while looking for matching `)'"));
  assert.equal(await errorOf("[[ a b ]]"), say("conditional binary operator expected"));
  assert.equal(await errorOf("[[ ( a ]]"), say("unexpected token `]]', expected `)'"));
  assert.equal(
    await errorOf("[[ a == ]]"),
    say("unexpected argument `]]' to conditional binary operator"),
  );
});

test("a shell that stops itself right behind a background list goes on when that tells it to", async () => {
  const { stdout } = await bash("(sleep 0.2; kill -CONT $$) & kill -STOP $$; echo went on");
  assert.equal(stdout, "went on\n");
});

test("SIGPIPE that a shell sends itself ends it", async () => {
  assert.deepEqual(
    await lines(`bash -c 'kill -PIPE $$; echo no'; echo $?
      bash -c 'trap "echo caught" PIPE; kill -PIPE $$; echo on'
      bash -c 'trap "" PIPE; kill -PIPE $$; echo ignored'`),
    ["141", "caught", "on", "ignored"],
  );
});

test("under set -m, a text of -c is told of its jobs' ends after each wait", async () => {
  const { stdout, stderr } = await bash(`set -m; sleep 0.01 & wait; true & wait $!; jobs
    (exit 3) & wait; sleep 5 & kill %1; wait; { sleep 0.01; false; } & sleep 0.2; echo x
    sleep 0.05 & fg > /dev/null; set +m; sleep 0.01 & wait`);
  assert.equal(stdout, "x\n");
  assert.deepEqual(stderr.split("\n"), [
    "[1]+  Done                    sleep 0.01",
    "[1]+  Done                    true",
    "[1]+  Exit 3                  ( exit 3 )",
    "[1]+  Terminated              sleep 5",
    "[1]+  Exit 1                  { sleep 0.01; false; }",
    "",
  ]);
});

test("a subshell that a signal ends is told of, as a command is; `timeout` does not outlive the SIGKILL that it sends", async () => {
  const told = async (script) => {
    const { stdout, stderr } = await bash(script);
    return [stdout, stderr.replace(/ +\d+ (?=[KU])/, " PID ")];
  };
  assert.deepEqual(await told("(kill -9 $BASHPID); echo $?"), [
    "137\n",
    "bash: line 1: PID Killed                  ( kill -9 $BASHPID )\n",
  ]);
  assert.deepEqual(await told("f() { kill -USR1 $BASHPID; }; ( echo a; f; echo b ); echo $?"), [
    "a\n138\n",
    "bash: line 1: PID User defined signal 1   ( echo a; f; echo b )\n",
  ]);
  assert.deepEqual(
    await told(
      "x=$(kill -9 $BASHPID); echo $?; { kill -9 $BASHPID; } | cat; echo ${PIPESTATUS[@]}",
    ),
    ["137\n137 0\n", ""],
  );
  assert.deepEqual(
    await told(
      "timeout -s KILL 0.2 sleep 5; echo $?; timeout --foreground -s KILL 0.2 sleep 5; echo $?",
    ),
    ["137\n137\n", "bash: line 1: PID Killed                  timeout -s KILL 0.2 sleep 5\n"],
  );
});

test("tar's --transform takes what GNU's does: empty matches, expressions in a row, escaped delimiters", async () => {
  const script = `mkdir tr; cd tr; mkdir d; touch d/a.txt
for how in 's/^/pre\\//' 's,^d,e,;s,\\(.*\\)\\.txt$,\\1.md,' 'flags=r;s|^|x/|' 's/A/\\&\\/b/i' 's,(t)x,\\1y,x' 's/^/x/g'; do
  tar cf a.tar --transform="$how" d; tar tf a.tar | tail -1
done
tar xf a.tar --transform='s,^xd,out,'; ls out; tar cf a.tar --transform=x d 2>/dev/null; echo $?`;
  assert.deepEqual(await lines(script), [
    "pre/d/a.txt",
    "e/a.md",
    "x/d/a.txt",
    "d/&/b.txt",
    "d/a.tyt",
    "xd/a.txt",
    "a.txt",
    "2",
  ]);
});
