// `ulimit -f`: a limit on files that commands, programs and the shell itself meet, as bash 5.2 on Linux shows it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { machine } from "../../support/machines.mjs";

const rt = await machine();
const bash = async (script, shell = "bash") => {
  const { stdout, stderr, exitCode } = await rt.execCommand(shell, ["-c", script], {
    cwd: "/tmp",
    timeout: 20_000,
  });
  return { stdout, stderr: stderr.replace(/ +\d+ File(?=.*seq)/, " PID File"), exitCode };
};
const print = async (script, shell) => (await bash(script, shell)).stdout;

test("blocks are 1024 bytes in bash, and 512 where POSIX is asked for", async () => {
  assert.equal(
    await print(
      `ulimit -f 8; ulimit -f; grep 'file size' /proc/self/limits; set -o posix; ulimit -f`,
    ),
    "8\nMax file size             8192                 8192                 bytes     \n" +
      "Max core file size        0                    unlimited            bytes     \n16\n",
  );
  assert.equal(
    await print("ulimit -f 8; grep 'Max file size' /proc/self/limits", "sh"),
    "Max file size             4096                 4096                 bytes     \n",
  );
});

test("a command that writes further is ended by the signal, and what fitted is there", async () => {
  const words = "bash: line 1: PID File size limit exceeded";
  assert.deepEqual(await bash("ulimit -f 1; seq 1000 > a; echo $?; wc -c a"), {
    stdout: "153\n1024 a\n",
    stderr: `${words}seq 1000 > a\n`,
    exitCode: 0,
  });
  assert.equal(
    await print("ulimit -f 1; seq 1000 | tee b >/dev/null; echo ${PIPESTATUS[@]}; wc -c b"),
    "0 153\n1024 b\n",
  );
});

test("who ignores the signal hears of the error", async () => {
  assert.deepEqual(await bash("ulimit -f 1; trap '' XFSZ; seq 1000 > c; echo $?"), {
    stdout: "1\n",
    stderr: "seq: write error: File too large\n",
    exitCode: 0,
  });
});

test("what the shell prints itself counts, in each of its environments by that one's limit", async () => {
  assert.deepEqual(await bash("ulimit -f 1; printf %2000s x > d; echo never"), {
    stdout: "",
    stderr: "",
    exitCode: 153,
  });
  const { stderr } = await bash("(ulimit -f 1; printf %2000s x > e)");
  assert.match(
    stderr,
    /^bash: line 1: +\d+ File size limit exceeded\( ulimit -f 1; printf %2000s x > e \)\n$/,
  );
  assert.equal(
    await print(
      "(ulimit -f 1; printf %2000s x > e); echo $?; wc -c e; printf %2000s x > e; wc -c e",
    ),
    "153\n1024 e\n2000 e\n",
  );
  assert.deepEqual(await bash("ulimit -f 1; trap 'echo got' XFSZ; printf %2000s x > f; echo $?"), {
    stdout: "got\n1\n",
    stderr: "bash: line 1: printf: write error: File too large\n",
    exitCode: 0,
  });
});

test("a shell below inherits it, and raises what is soft alone", async () => {
  assert.equal(
    await print(
      `ulimit -Sf 8; bash -c 'ulimit -Sf; ulimit -Hf; ulimit -Sf 16; ulimit -f; ulimit -f 8; ulimit -f 16; echo $?'`,
    ),
    "8\nunlimited\n16\n1\n",
  );
  assert.equal(
    await print("ulimit -f 1; bash -c 'printf %2000s x > g; echo no'; echo $?; wc -c g"),
    "153\n1024 g\n",
  );
});

test("Node ignores the signal, and has EFBIG; who listens hears it", async () => {
  const program = `const fd = fs.openSync("h", "w");
    let total = 0;
    try { for (;;) total += fs.writeSync(fd, Buffer.alloc(100)); } catch (error) { console.log(total, error.code); }
    process.on("SIGXFSZ", () => { console.log("signal"); clearTimeout(timer); });
    const timer = setTimeout(() => {}, 10_000);
    try { fs.writeFileSync("i", Buffer.alloc(2000)); } catch (error) { console.log(error.code); }
    console.log(fs.statSync("i").size, process.report.getReport().userLimits.file_size_blocks);`;
  assert.equal(
    await print(`ulimit -f 1; node -e '${program}'`),
    "1024 EFBIG\nEFBIG\n1024 { soft: 1024, hard: 1024 }\nsignal\n",
  );
});

test("several limits are set and shown by one call", async () => {
  assert.equal(
    await print(
      "ulimit -f 8 -n 64; ulimit -f; ulimit -n; ulimit -Sf 4; ulimit -Sf hard; ulimit -f; ulimit -f x; echo $?",
    ),
    "8\n64\n8\n1\n",
  );
  assert.match(await print("ulimit -f 8 -n"), /^open files {29}\(-n\) 256\n$/);
});
