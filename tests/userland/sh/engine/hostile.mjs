// Scripts made to break an interpreter: none may crash, hang or escape as a JavaScript error. Prints
// what went wrong as JSON. Names of Object.prototype are used as every kind of name.
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadGuestModule } from "../../../support/guest-modules.mjs";
import { hostSystem } from "../../../support/host-shell-system.mjs";

const { main } = loadGuestModule("userland/sh/main");
const { Parser } = loadGuestModule("userland/sh/parser");
const { SyntaxFailure } = loadGuestModule("userland/sh/control");
const problems = [];

// --- texts that only have to be refused, or read ---------------------------------------------------

const MANY = 5_000;
const openers = [
  "(",
  "{ ",
  "$(",
  "`",
  '"${x:-',
  "${x:-",
  "${x#",
  "${x/",
  "${x:",
  "${x[",
  "$((",
  "((",
  "a=(",
  "a[",
  "if ",
  "while ",
  "until ",
  "for x in y; do ",
  "case x in x) ",
  "[[ ( ",
  "[[ ! ",
  "! ",
  "f() ",
  "f() {",
  "if a; then b; elif ",
  "a && ",
  "a | ",
  "a; ",
  "a & ",
  "<<E ",
  "<<E\n",
  "2>",
  ">&",
  "x=",
  "\\\n",
  "'",
  '"',
  "$'\\",
  "~",
  "[",
  "]]",
  "}",
  "))",
  ";;",
  "esac ",
  "\\",
  "\u{1f600}",
  "$(( 1 ? ",
  "`\\`",
  "{a,",
  "<<-'E'\n\t",
  "function f { ",
  "for ((",
  "for ((;;)) { ",
  "coproc ",
  "time ",
  "$\\\n{",
  "a[ ",
  "((${",
  "$'",
  "${!",
  "${#",
];
const closers = ["", ")", "}", "))", "`", '"', "done", "fi", "esac", "]]", "\n", "a", "E\n"];

function parseAll(text, bash) {
  const aliases = new Map([
    ["a", "b "],
    ["b", "a "],
    ["constructor", "x"],
  ]);
  try {
    const parser = new Parser(text, { bash, aliases, final: true, line: 1 });
    while (parser.nextCommand() !== undefined);
  } catch (error) {
    if (!(error instanceof SyntaxFailure)) {
      problems.push({
        text: text.slice(0, 60),
        error: String(error?.stack ?? error).slice(0, 400),
      });
    }
  }
}

for (const opener of openers) {
  parseAll(opener.repeat(MANY), true);
  for (const closer of closers) parseAll(opener.repeat(150) + closer.repeat(150), false);
}

// A generator with a fixed seed, so that a failure can be repeated.
let seed = 42;
const random = (below) => {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
  return Math.floor((seed / 2 ** 32) * below);
};
const tokens = [
  ...openers,
  ...closers,
  " ",
  "\n",
  "x",
  "1",
  "+",
  "$x",
  "*",
  "?",
  "=",
  "-",
  "do ",
  "in ",
  "then ",
];
for (let round = 0; round < 5_000; round++) {
  let text = "";
  for (let length = random(24); length >= 0; length--) text += tokens[random(tokens.length)];
  parseAll(text, round % 2 === 0);
}

// --- scripts that run ------------------------------------------------------------------------------

const prototypeNames = ["__proto__", "constructor", "toString", "hasOwnProperty", "valueOf"];
const scripts = [
  ...prototypeNames.map(
    (n) =>
      `${n}=v; [ "$${n}" = v ] || exit 9; unset ${n}; [ -z "$${n}" ] || exit 9; ${n}() { echo f; }; ${n}
      alias ${n}=x; case ${n} in [[:${n}:]]) ;; esac; declare -A m; m[${n}]=1; [ "\${m[${n}]}" = 1 ] || exit 9
      [ -z "\${m[x${n}]}" ] || exit 9; trap x ${n}; kill -${n} 1; set -o ${n}; printf "%${n}"; ulimit -${n}; exit 0`,
  ),
  "f() { f; }; f",
  "f() { f | :; }; f",
  "f() { (f); }; f",
  "f() { x=$(f); }; f",
  'x=\'eval "$x"\'; eval "$x"',
  "echo '. ./self' >self; . ./self",
  "trap 'exit 3' EXIT; exit",
  "trap 'eval \"$(trap)\"; trap x EXIT; exit' EXIT; exit",
  "x=a; while :; do x=$x$x$x$x; done",
  "x=aaaaaaaaaa; i=0; while [ $i -lt 6 ]; do x=${x//a/$x}; i=$((i+1)); done",
  "echo {1..100000000000}",
  `echo ${"{a,b}".repeat(40)}`,
  `echo ${"{a,".repeat(5000)}`,
  `x=${"a".repeat(20000)}; case $x in ${"*a".repeat(200)}b) ;; esac; echo \${x%%*a*a*a*a*a*b} \${x//*b/}`,
  `x=${"a".repeat(3000)}; echo \${x/#*a*a*a*b/}`,
  "x=x; echo $((x))",
  "x='y+1' y='x+1'; echo $((x))",
  "a='a[a]'; echo $((a[0]))",
  `echo $((${"(".repeat(100000)}1${")".repeat(100000)}))`,
  `echo $((${"-".repeat(100000)}1))`,
  `echo $((${"1+".repeat(20000)}1))`,
  `echo $((${"2**".repeat(50000)}1))`,
  `echo $((${"1?1:".repeat(50000)}1))`,
  `echo $((${"x=".repeat(50000)}1))`,
  `echo $((${"1?".repeat(50000)}1))`,
  "echo $((1<<-1)) $((1>>64)) $((2**63)) $((-9223372036854775808/-1)) $((-9223372036854775808%-1))",
  "printf '%999999999d' 1",
  "printf '%*d' 999999999 1",
  "printf '%.999999999f' 1",
  "printf '%.*s' -1 abc",
  "shift 99999999999999999999",
  "exec 99999999<self",
  "exec 5000>/dev/null",
  "echo x >&1024",
  "a[99999999999999999999]=1; a[-5]=1",
  "a[1000000000]=1; echo ${#a[@]}",
  "echo ${x:0:99999999999} ${x: -99999999999}",
  "break 99999999999",
  "exit 99999999999",
  "return 99999999999",
  "umask 99999999999",
  "kill -99999 $PPID",
  "kill 99999999999",
  "wait 99999999999",
  "read -n 99999999999 x <self",
  "read -t 99999999999 x </dev/null",
  "read -u 99999999999 x",
  "getopts : x -:",
  "OPTIND=-5; getopts a x -a",
  "OPTIND=99999999; getopts a x -a",
  "IFS=$(printf '\\377'); x=$(printf 'a\\377b'); set -- $x; echo $#",
  'set -- $(seq 20000); echo "$*" | wc -c; IFS=; echo "$*" | wc -c',
  "test " + "! ".repeat(20000) + "x",
  "test " + "\\( ".repeat(20000) + "x",
  "[ " + "a -a ".repeat(20000) + "a ]",
  "[[ x =~ (a+)+$ ]]; [[ x =~ [ ]]; [[ x =~ ( ]]; [[ x =~ *a ]]; [[ x =~ a{99999} ]]; [[ x =~ (?=x) ]]",
  "mkdir -p a/b/c b/c; echo */*/../*/../../*/*/../*/*/x */../*/../*/../*",
  "echo " + "*/".repeat(5000),
  "cd " + "a/".repeat(5000),
  "echo [[:x:] [a-] [z-a] [] [!] [^]",
  "printf '%b' '\\0777\\x\\uD800\\U99999999' | od -c | head -1",
  "printf '\\400\\777' | od -c | head -1",
  "cat <<E\n$(cat <<F\n$(cat <<G\ndeep\nG\n)\nF\n)\nE",
  "alias a='a a' b='c ' c='b '; a; b b b",
  "set -u; echo $((nope))",
  "readonly PATH IFS PWD OPTIND; cd /; getopts a x -a; IFS=x",
  "unset IFS PATH PWD OPTIND PS4; set -x; cd /; :",
];

const nothing = fs.openSync("/dev/null", "r+");
const cwd = fs.mkdtempSync(join(tmpdir(), "sh-hostile-"));
for (const shell of ["sh", "bash"]) {
  for (const script of scripts) {
    const system = hostSystem(["/bin/false"], [], cwd);
    // Descriptors that the shell may close as it likes.
    const fds = [0, 1, 2].map(() => system.dup(nothing));
    const inherited = { ...system, inheritedFds: fds };
    try {
      const argv = [
        shell,
        "-c",
        `exec 0<&${fds[0]} 1>&${fds[1]} 2>&${fds[2]}\ncd ${cwd}\n${script}`,
      ];
      const status = await main(inherited, argv, { PATH: "/usr/bin:/bin" });
      const wrong = !Number.isInteger(status) || (script.includes("exit 9") && status === 9);
      if (wrong) problems.push({ text: script.slice(0, 60), status });
    } catch (error) {
      problems.push({
        text: script.slice(0, 60),
        error: String(error?.stack ?? error).slice(0, 400),
      });
    }
  }
}
fs.rmSync(cwd, { recursive: true, force: true });
process.stdout.write(JSON.stringify({ scripts: scripts.length * 2, problems }), () =>
  process.exit(0),
);
