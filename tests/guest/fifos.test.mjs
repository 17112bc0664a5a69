// Fifos in a machine behave as Linux' own: the same scripts and programs run here and on the host, with one answer.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { NodeRuntime } from "../../dist/index.js";
import { machine } from "../support/machines.mjs";

const shared = await machine();

/** What the host's bash and the machine's say to the same script, each in an empty folder of its own. */
async function bothBashes(script) {
  const folder = mkdtempSync(join(tmpdir(), "fifos-"));
  try {
    const env = { PATH: process.env.PATH, LC_ALL: "C" };
    const stdio = ["ignore", "pipe", "pipe"];
    const real = spawnSync("bash", ["-c", script], { cwd: folder, encoding: "utf8", env, stdio });
    await shared.execCommand("bash", ["-c", "rm -rf /tmp/f && mkdir /tmp/f"]);
    const own = await shared.execCommand("bash", ["-c", script], { cwd: "/tmp/f", env });
    return [
      { code: own.exitCode, stdout: own.stdout, stderr: own.stderr },
      { code: real.status, stdout: real.stdout, stderr: real.stderr },
    ];
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const scripts = {
  "a writer in the background": "mkfifo p; (echo x > p &); cat p",
  "a reader in the background": "mkfifo p; cat p > out & echo y > p; wait; cat out",
  "a builtin on each side": 'mkfifo p; { read -r x < p; echo "got $x"; } & echo hello > p; wait',
  "both sides in one shell":
    'mkfifo p; exec 3<>p; echo a >&3; echo b >&3; read -u 3 x; read -u 3 y; echo "$x$y"',
  "lines from several writers":
    "mkfifo p; exec 3<>p; for i in 1 2 3; do (for j in $(seq 50); do echo $i-$j; done > p) & done; head -n 150 <&3 | sort -u | wc -l; wait",
  "a worker with two fifos":
    'mkfifo in out; while read -r l; do echo "${l^^}"; done < in > out & exec 3> in 4< out; echo one >&3; read -r a <&4; echo two >&3; read -r b <&4; echo "$a $b"; exec 3>&-; wait; echo $?',
  "what it is":
    'mkfifo -m 640 p; [ -p p ] && echo pipe; [ -f p ] || echo no file; stat -c "%F %a %s %h" p; ls -l p | cut -c1-10; ls -F p; find . -type p; find . -type f; file p',
  "made by mknod": "mknod p p; [ -p p ]; echo $?; umask 077; mknod q p; stat -c %a q p",
  "made twice": "mkfifo p; mkfifo p q; echo $?; ls",
  "made nowhere":
    "mkfifo no/p; echo $?; mkfifo; echo $?; mkfifo -m 9 p; echo $?; mknod p; mknod p x; echo $?",
  removed: "mkfifo p; rm p; ls; mkdir d; mkfifo d/p; rm -r d; ls; mkfifo p; unlink p; ls",
  moved:
    "mkfifo p; mv p q; [ -p q ] && echo yes; (echo m > q &) ; cat q; ln q r; (echo l > r &); cat q",
  copied:
    "mkfifo p; cp -r p q; [ -p q ] && echo fifo; mkdir d; mkfifo d/p; cp -a d e; find e -type p; (echo c > p &) ; cp p f; cat f",
  archived:
    "mkdir d; mkfifo -m 600 d/p; tar cf a.tar d; tar tvf a.tar | cut -c1-10; rm -r d; tar xf a.tar; [ -p d/p ] && stat -c %a d/p",
  "searched by grep -r": "mkdir d; echo x > d/f; mkfifo d/p; grep -r x d",
  "tee into one": "mkfifo p; cat p > out & echo both | tee p; wait; cat out",
  "nobody reads any more":
    "mkfifo p; { read -r x < p; echo $x > out; } & (trap '' PIPE; for i in $(seq 20000); do echo $i || exit 3; done 2> /dev/null) > p; echo $?; wait; cat out",
  "killed while it waits":
    "mkfifo p; cat p & kill $!; wait $!; echo $?; sh -c 'echo x > p' & kill -9 $!; wait $! 2> /dev/null; echo $?",
  "appended to": "mkfifo p; cat p > out & echo a >> p; wait; cat out",
  "read by a script":
    "mkfifo p; (echo 'echo from a script' > p &); . ./p; (echo 'echo again' > p &); bash p",
  "until its end":
    "mkfifo p; (seq 3 > p &); while read -r n; do echo $((n * 2)); done < p; echo end",
};

for (const [what, script] of Object.entries(scripts))
  test(`bash: ${what}`, async () => {
    const [own, real] = await bothBashes(script);
    assert.deepEqual(own, real);
  });

/** Prints what fs says, for the same program here and on plain Node. */
const program = `
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
const { O_RDONLY, O_WRONLY, O_RDWR, O_NONBLOCK, O_CREAT, O_EXCL, O_APPEND } = fs.constants;
const said = (what, make) => {
  try { console.log(what, JSON.stringify(make() ?? null)); }
  catch (error) { console.log(what, error.code, error.syscall, error.errno); }
};
const shell = (text) => {
  const child = spawn("sh", ["-c", text], { stdio: ["ignore", "pipe", "inherit"] });
  return Object.assign(child, { over: once(child, "close") });
};
process.chdir(fs.mkdtempSync("/tmp/fifo-program-"));
execFileSync("mkfifo", ["p"]);
const stat = fs.statSync("p");
said("stat", () => [stat.isFIFO(), stat.isFile(), stat.size, stat.mode & 0o170000, stat.nlink]);
said("entries", () => fs.readdirSync(".", { withFileTypes: true }).map((entry) => [entry.name, entry.isFIFO()]));
said("a writer alone", () => fs.openSync("p", O_WRONLY | O_NONBLOCK));
said("exclusive", () => fs.openSync("p", O_RDONLY | O_CREAT | O_EXCL));
const reader = fs.openSync("p", O_RDONLY | O_NONBLOCK);
const bytes = Buffer.alloc(200_000);
said("nobody wrote", () => fs.readSync(reader, bytes));
const writer = fs.openSync("p", O_WRONLY | O_NONBLOCK);
said("nothing yet", () => fs.readSync(reader, bytes));
said("a wrong side", () => fs.writeSync(reader, "x"));
said("the other wrong side", () => fs.readSync(writer, bytes));
said("a position", () => fs.readSync(reader, bytes, 0, 1, 5));
said("a write", () => fs.writeSync(writer, "hello"));
said("part of it", () => fs.readSync(reader, bytes, 0, 2, null));
said("the rest", () => bytes.toString("utf8", 0, fs.readSync(reader, bytes)));
said("until it is full", () => { let n = 0; try { for (;;) n += fs.writeSync(writer, bytes, 0, 4096); } catch (error) { return [n, error.code]; } });
said("no room for a whole one", () => { fs.readSync(reader, bytes, 0, 4095, null); return fs.writeSync(writer, bytes, 0, 4096); });
said("an fstat", () => [fs.fstatSync(writer).isFIFO(), fs.fstatSync(writer).ino === stat.ino]);
said("an fchmod", () => { fs.fchmodSync(writer, 0o640); return fs.statSync("p").mode & 0o777; });
said("ftruncate", () => fs.ftruncateSync(writer, 0));
said("truncate", () => fs.openSync("p", "w+") > 0);
said("all of it", () => fs.readSync(reader, bytes));
fs.closeSync(reader);
process.on("SIGPIPE", () => undefined);
const all = fs.openSync("p", O_RDWR);
said("a third side holds it", () => fs.writeSync(all, "1"));
for (const fd of [all, writer]) fs.closeSync(fd);
const again = fs.openSync("p", O_RDONLY | O_NONBLOCK);
said("what was in it is gone", () => fs.readSync(again, bytes));
const broken = fs.openSync("p", O_WRONLY | O_NONBLOCK);
fs.closeSync(again);
// The descriptor of "truncate" reads as well: there is no EPIPE yet.
said("somebody could still read", () => fs.writeSync(broken, "x"));
execFileSync("mkfifo", ["q"]);
{
  const r = fs.openSync("q", O_RDONLY | O_NONBLOCK);
  const w = fs.openSync("q", O_WRONLY);
  fs.closeSync(r);
  said("nobody reads", () => fs.writeSync(w, "x"));
  fs.closeSync(w);
}
said("unlinked", () => { const r = fs.openSync("q", O_RDWR); fs.unlinkSync("q"); fs.writeSync(r, "u"); return [bytes.toString("utf8", 0, fs.readSync(r, bytes)), fs.fstatSync(r).nlink]; });
execFileSync("mkfifo", ["s"]);
{
  const child = shell("echo from a child > s");
  said("readFileSync", () => fs.readFileSync("s", "utf8"));
  await child.over;
}
{
  const child = shell("cat s");
  child.stdout.setEncoding("utf8");
  let text = "";
  child.stdout.on("data", (part) => (text += part));
  fs.writeFileSync("s", "to a child");
  await child.over;
  said("writeFileSync", () => text);
}
{
  const child = shell("head -c 300000 /dev/zero > s");
  let size = 0;
  for await (const part of fs.createReadStream("s")) size += part.length;
  await child.over;
  said("createReadStream", () => size);
}
{
  const opened = fs.promises.open("s", "r");
  // It waits, and nothing else does.
  const early = await Promise.race([opened.then(() => "opened"), new Promise((done) => setTimeout(done, 50, "waits"))]);
  const w = await fs.promises.open("s", "w");
  const r = await opened;
  await w.write("line one\\nline two\\n");
  await w.close();
  const lines = [];
  for await (const line of r.readLines()) lines.push(line);
  said("promises", () => [early, lines]);
}
{
  const opened = fs.promises.open("s", O_RDONLY);
  const w = fs.createWriteStream("s", { flags: "a" });
  w.write("a");
  w.end("b");
  const r = await opened;
  said("createWriteStream", () => 0);
  console.log(await r.readFile("utf8"));
  await r.close();
}
{
  execFileSync("mkfifo", ["t"]);
  // Held open, or an early writer's end would be the reader's as well.
  const held = fs.openSync("t", O_RDWR);
  const children = [1, 2, 3].map((n) => shell("for i in 1 2 3 4 5; do echo " + n + "; done > t"));
  for (const child of children) child.stdout.resume();
  await Promise.all(children.map(({ over }) => over));
  said("writers", () => [...bytes.toString("utf8", 0, fs.readSync(held, bytes))].sort().join("").trim());
}
process.exit(0);
`;

test("a program of node:fs on fifos says what it says on plain Node", async () => {
  const folder = mkdtempSync(join(tmpdir(), "fifos-"));
  try {
    writeFileSync(join(folder, "program.mjs"), program);
    const plain = spawnSync(process.execPath, [join(folder, "program.mjs")], { encoding: "utf8" });
    const own = await shared.exec(program);
    assert.equal(own.stdout, plain.stdout);
    assert.equal(own.stderr, plain.stderr);
    assert.match(own.stdout, /createReadStream 300000/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("they cost their quota, and rules and mounts decide about them", async () => {
  const host = mkdtempSync(join(tmpdir(), "fifos-"));
  try {
    const small = await machine({
      limits: { inodes: 2000 },
      mounts: [{ guestPath: "/mnt/rw", hostPath: host, readOnly: false }],
      permissions: {
        fs: {
          default: "allow",
          rules: [{ mode: "deny", operations: ["write"], paths: ["/workspace/closed/**"] }],
        },
      },
    });
    const { stdout } = await small.execCommand("bash", [
      "-c",
      `cd /workspace; mkdir closed open
      mkfifo closed/p 2>&1; mkfifo open/p && echo made; mkfifo /mnt/rw/p 2>&1
      chmod 000 open/p; cat open/p 2>&1
      i=0; while mkfifo open/$i 2> err; do i=$((i + 1)); [ $i -lt 5000 ] || break; mkfifo $(seq -f 'open/x%g' $((i * 100)) $((i * 100 + 99))) 2> err || break; done
      cut -d: -f3 err | sort -u`,
    ]);
    assert.deepEqual(stdout.split("\n").slice(0, 5), [
      "mkfifo: cannot create fifo 'closed/p': Permission denied",
      "made",
      "mkfifo: cannot create fifo '/mnt/rw/p': Operation not permitted",
      "cat: open/p: Permission denied",
      " No space left on device",
    ]);
  } finally {
    rmSync(host, { recursive: true });
  }
});

test("a snapshot and a clone have the name, and nothing of the pipe", async () => {
  const one = await machine();
  const made = await one.execCommand("bash", [
    "-c",
    "cd /workspace; mkfifo -m 600 p; exec 3<>p; echo first >&3; sleep 0.1",
  ]);
  assert.equal(made.exitCode, 0);
  assert.equal((await one.stat("/workspace/p")).type, "fifo");
  await assert.rejects(one.readFile("/workspace/p"), {
    code: "ERR_SECURE_EXEC_FILE",
    message: /ENXIO/,
  });
  await assert.rejects(one.writeFile("/workspace/p", "x"), {
    code: "ERR_SECURE_EXEC_FILE",
    message: /ENXIO/,
  });
  const copies = [await NodeRuntime.create({ snapshot: await one.snapshot() }), await one.clone()];
  for (const copy of copies) {
    try {
      const { stdout } = await copy.execCommand("bash", [
        "-c",
        "cd /workspace; stat -c '%F %a' p; (echo own > p &); cat p",
      ]);
      assert.equal(stdout, "fifo 600\nown\n");
    } finally {
      await copy.dispose();
    }
  }
});
