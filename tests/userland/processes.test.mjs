// ps, pgrep, pkill and their like in a machine, where pids are its own.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { NodeRuntime } from "../../dist/index.js";

let rt;
before(async () => {
  rt = await NodeRuntime.create();
});
after(() => rt.dispose());

async function sh(script) {
  const { stdout, stderr, exitCode } = await rt.execCommand("sh", ["-c", script]);
  return { stdout, stderr, exitCode };
}

test("ps: what tree-kill, ps-list and people ask", async () => {
  const { stdout, stderr } = await sh(`
    sleep 100 & child=$!
    ps -o pid --no-headers --ppid $$ | tr -d ' ' | grep -cx $child
    ps -p $child -o ppid= | tr -d ' ' | grep -cx $$
    ps axo pid,ppid,comm,args | head -n 1
    ps -ef | head -n 1
    ps aux | head -n 1
    ps | head -n 1
    ps -C sleep -o comm=
    ps -o pid=,ppid= -p $child | wc -w
    ps -eo pid,comm --sort=-pid | sed -n 2p | grep -c ' '
    ps -p 99999; echo $?
    ps -o nonsense; echo $?
    kill $child; wait`);
  assert.deepEqual(stdout.split("\n"), [
    "1",
    "1",
    "    PID    PPID COMMAND         COMMAND",
    "UID          PID    PPID  C STIME TTY          TIME CMD",
    "USER         PID %CPU %MEM    VSZ   RSS TTY      STAT  START   TIME COMMAND",
    "    PID TTY          TIME CMD",
    "sleep",
    "2",
    "1",
    "    PID TTY          TIME CMD",
    "1",
    "1",
    "",
  ]);
  assert.match(stderr, /unknown user-defined format specifier "nonsense"/);
});

test("pgrep and pkill find by name, words and parent, and never themselves", async () => {
  const { stdout } = await sh(`
    sleep 101 & sleep 102 &
    pgrep -c sleep
    pgrep -f '^sleep 101' | wc -l
    pgrep -P $$ -x sleep | wc -l
    pgrep -a sleep | sed 's/^[0-9]* //' | sort
    pgrep nothing; echo $?
    pkill -9 -f '^sleep 101'; echo $?
    pkill -x sleep; wait
    pgrep -x sleep; echo $?`);
  assert.deepEqual(stdout.split("\n"), [
    "2",
    "1",
    "2",
    "sleep 101",
    "sleep 102",
    "1",
    "0",
    "1",
    "",
  ]);
});

test("the machine's figures", async () => {
  const { stdout, stderr, exitCode } = await sh(`
    free -m | sed -n 2p | awk '{ print $1, ($2 > 0) }'
    uptime -p | cut -c 1-3
    getent passwd root; getent hosts localhost > /dev/null; echo $?
    getent passwd nosuch; echo $?
    getconf PAGESIZE
    top -b -n 1 | grep -c PID
    flock lock echo locked
    echo 'a $HOME' | envsubst`);
  assert.equal(stderr, "");
  assert.equal(exitCode, 0);
  assert.deepEqual(stdout.split("\n"), [
    "Mem: 1",
    "up ",
    "root:x:0:0:root:/root:/bin/sh",
    "0",
    "2",
    "4096",
    "1",
    "locked",
    "a /home/user",
    "",
  ]);
});

test("trees and searches leave out what they should", async () => {
  const { stdout } = await sh(`
    mkdir -p t/.git t/src t/node_modules && cd t
    echo node_modules > .gitignore
    echo 'const needle = 1;' > src/a.js; echo needle > src/b.txt; echo needle > node_modules/c.js; echo needle > .hidden
    rg -n needle
    rg -l needle -t js
    rg -c needle -g '!*.txt'
    rg -uu --files | sort | tr '\\n' ' '; echo
    rg nothing; echo $?
    rg -o 'n(e+)dle' -r '$1' src/b.txt
    tree -a -I .git --noreport
    tree -d src`);
  assert.deepEqual(stdout.split("\n"), [
    "src/a.js:1:const needle = 1;",
    "src/b.txt:1:needle",
    "src/a.js",
    "src/a.js:1",
    ".gitignore .hidden node_modules/c.js src/a.js src/b.txt ",
    "1",
    "ee",
    ".",
    "├── .gitignore",
    "├── .hidden",
    "├── node_modules",
    "│\u00a0\u00a0 └── c.js",
    "└── src",
    "    ├── a.js",
    "    └── b.txt",
    "src",
    "",
    "1 directory",
    "",
  ]);
});

test("what cannot be here says what to use instead", async () => {
  for (const [name, pattern] of [
    ["python3", /pyodide/],
    ["perl", /node, sed or awk/],
    ["npm", /mount/],
  ]) {
    const { stderr, exitCode } = await rt.execCommand(name, ["x"]);
    assert.match(stderr, pattern, name);
    assert.notEqual(exitCode, 0, name);
  }
});

test("curl: heads into a file, files of the machine, figures", async () => {
  const result = await rt.run(`
    import { createServer } from "node:http";
    import { spawn } from "node:child_process";
    import { readFileSync, writeFileSync } from "node:fs";
    const server = createServer((request, response) => {
      response.setHeader("x-there", "yes");
      response.statusCode = request.url === "/missing" ? 404 : 200;
      response.end("body\\n");
    }).listen(0, "127.0.0.1");
    await new Promise((resolve) => server.on("listening", resolve));
    const url = "http://127.0.0.1:" + server.address().port;
    const run = (file, args) => new Promise((resolve) => {
      const child = spawn(file, args);
      let out = "", err = "";
      child.stdout.on("data", (data) => (out += data));
      child.stderr.on("data", (data) => (err += data));
      child.on("close", (code) => resolve([code, out, err]));
    });
    const results = [
      await run("curl", ["-s", "-D", "/tmp/head", "--noproxy", "*", "-w", "%{http_code} %header{x-there}", url + "/"]),
      /x-there: yes/.test(readFileSync("/tmp/head", "utf8")),
      (writeFileSync("/tmp/f", "local"), await run("curl", ["-s", "file:///tmp/f"])),
      (await run("curl", ["-s", "file:///tmp/none"]))[0],
      (await run("curl", ["-s", "--cacert", "/tmp/none", url]))[0],
      await run("wget", ["--spider", url + "/"]),
      await run("wget", ["--spider", "-q", url + "/missing"]),
    ];
    server.close();
    __return(results);`);
  assert.deepEqual(result.value, [
    [0, "body\n200 yes", ""],
    true,
    [0, "local", ""],
    37,
    77,
    [0, "", "Remote file exists.\n\n"],
    [8, "", ""],
  ]);
});

test("a native program whose port to WebAssembly lies beside it is that", async () => {
  const { stdout, exitCode } = await sh(`
    mkdir -p /tmp/app/node_modules/@esbuild/linux-x64/bin /tmp/app/node_modules/esbuild-wasm/bin
    cd /tmp/app/node_modules
    printf '\\177ELF\\2\\1\\1\\0' > @esbuild/linux-x64/bin/esbuild
    printf '#!/usr/bin/env node\nconsole.log("port", process.argv.slice(2).join());' > esbuild-wasm/bin/esbuild
    chmod +x @esbuild/linux-x64/bin/esbuild esbuild-wasm/bin/esbuild
    @esbuild/linux-x64/bin/esbuild --a b`);
  assert.deepEqual([exitCode, stdout], [0, "port --a,b\n"]);
});

test("a native program is named as one, with what to use instead", async () => {
  const { stderr, exitCode } = await sh(`
    mkdir -p /tmp/bin && printf '\\177ELF\\2\\1\\1\\0' > /tmp/bin/esbuild && chmod +x /tmp/bin/esbuild
    bash -c '/tmp/bin/esbuild; exit $?'`);
  assert.equal(exitCode, 126);
  assert.match(stderr, /Exec format error \(a native program.*: use the esbuild-wasm package\)/);
  const { value } = await rt.run(`
    import { spawn } from "node:child_process";
    try {
      spawn("/tmp/bin/esbuild", []);
    } catch (error) {
      __return([error.code, error.message, error.syscall]);
    }`);
  assert.equal(value[0], "ENOEXEC");
  assert.match(value[1], /^spawn .tmp.bin.esbuild ENOEXEC: a native program.*esbuild-wasm/);
  const unknown = await rt.execCommand("bash", ["-c", "vi x"]);
  assert.equal(unknown.exitCode, 127);
  assert.match(unknown.stderr, /vi: command not found/);
});
