// Commands as processes of their own: streaming, broken pipes, archives between ours and the
// machine's tools, and curl against a server of the test.
import assert from "node:assert/strict";
import { execFileSync, spawn, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { commandLine } from "./harness.mjs";

const scratch = fs.mkdtempSync(join(tmpdir(), "commands-"));
after(() => fs.rmSync(scratch, { recursive: true, force: true }));

function start(argv, stdio, cwd = scratch) {
  const { file, args, env } = commandLine(argv);
  return spawn(file, args, { env, stdio, cwd });
}

function ended(child) {
  return new Promise((resolve) => child.on("exit", (code, signal) => resolve({ code, signal })));
}

function run(argv, options = {}) {
  const { file, args, env } = commandLine(argv);
  return spawnSync(file, args, { env, cwd: scratch, maxBuffer: 1 << 28, ...options });
}

/** Like `spawnSync`, for when the test itself has to answer. */
async function runAsync(argv) {
  const child = start(argv, ["ignore", "pipe", "pipe"]);
  const [out, err] = [[], []];
  child.stdout.on("data", (data) => out.push(data));
  child.stderr.on("data", (data) => err.push(data));
  const status = await new Promise((resolve) => child.on("close", resolve));
  return { status, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString() };
}

describe("streams", () => {
  test("yes ends when head has what it wants, as SIGPIPE would end it", async () => {
    const yes = start(["yes"], ["ignore", "pipe", "inherit"]);
    const head = start(["head", "-n", "1"], [yes.stdout, "pipe", "inherit"]);
    yes.stdout.destroy();
    let output = "";
    head.stdout.on("data", (data) => (output += data));
    const [first, second] = await Promise.all([ended(yes), ended(head)]);
    assert.equal(output, "y\n");
    assert.equal(first.code, 141);
    assert.equal(second.code, 0);
  });

  test("a filter answers before its input ends", async () => {
    for (const argv of [["cat"], ["tee"], ["tr", "a-z", "A-Z"]]) {
      const child = start(argv, ["pipe", "pipe", "inherit"]);
      const done = ended(child);
      if (argv[0] === "tr") child.stdin.end("hello\n");
      else child.stdin.write("hello\n");
      const data = await new Promise((resolve) => child.stdout.once("data", resolve));
      assert.equal(String(data).toLowerCase(), "hello\n");
      child.stdin.end();
      assert.equal((await done).code, 0);
    }
  });

  test("sed q and grep -q leave a long input alone", () => {
    const input = Buffer.alloc(1 << 24, "line\n");
    assert.equal(run(["sed", "1q"], { input }).stdout.toString(), "line\n");
    assert.equal(run(["grep", "-q", "line"], { input }).status, 0);
  });

  test("200 MB through cat and wc stay within a small memory", async () => {
    const big = join(scratch, "big");
    const fd = fs.openSync(big, "w");
    fs.ftruncateSync(fd, 200_000_000);
    fs.closeSync(fd);
    const cat = start(["cat", big], ["ignore", "pipe", "inherit"]);
    const { file, args, env } = commandLine(["wc", "-c"]);
    const wc = spawn(file, ["--max-old-space-size=64", ...args], {
      env,
      stdio: [cat.stdout, "pipe", "inherit"],
    });
    cat.stdout.destroy();
    let output = "";
    wc.stdout.on("data", (data) => (output += data));
    const [first, second] = await Promise.all([ended(cat), ended(wc)]);
    assert.deepEqual([output, first.code, second.code], ["200000000\n", 0, 0]);
    fs.unlinkSync(big);
  });
});

describe("archives", () => {
  const long = `${"p".repeat(90)}/${"q".repeat(90)}/${"r".repeat(120)}`;
  const root = join(scratch, "tree");
  fs.mkdirSync(join(root, "t", long), { recursive: true });
  fs.writeFileSync(join(root, "t/a.txt"), "alpha\n");
  fs.writeFileSync(join(root, "t", long, "deep"), "x".repeat(70_000));
  fs.symlinkSync("a.txt", join(root, "t/l"));
  fs.linkSync(join(root, "t/a.txt"), join(root, "t/hard"));
  fs.chmodSync(join(root, "t/a.txt"), 0o640);
  const same = (other) =>
    assert.equal(
      spawnSync("diff", [
        "-r",
        "--no-dereference",
        join(root, "t"),
        join(other, "t"),
      ]).stdout.toString(),
      "",
    );

  test("ours is read by the machine's tar, and the other way round", () => {
    for (const [flags, name] of [
      ["cf", "o.tar"],
      ["czf", "o.tgz"],
    ]) {
      assert.equal(run(["tar", flags, join(scratch, name), "t"], { cwd: root }).status, 0);
      const theirs = fs.mkdtempSync(join(scratch, "x-"));
      execFileSync("tar", ["xf", join(scratch, name), "-C", theirs]);
      same(theirs);
      execFileSync("tar", [flags, join(scratch, `g${name}`), "t"], { cwd: root });
      const ours = fs.mkdtempSync(join(scratch, "x-"));
      const result = run(["tar", "xf", join(scratch, `g${name}`), "-C", ours]);
      assert.deepEqual([result.stderr.toString(), result.status], ["", 0]);
      same(ours);
      assert.equal(fs.statSync(join(ours, "t/a.txt")).mode & 0o777, 0o640);
      assert.equal(fs.statSync(join(ours, "t/hard")).nlink, 2);
      const list = run(["tar", "tf", join(scratch, `g${name}`)]).stdout.toString();
      assert.equal(list, execFileSync("tar", ["tf", join(scratch, `g${name}`)]).toString());
      const verbose = run(["tar", "tvf", join(scratch, `g${name}`)]).stdout.toString();
      assert.equal(
        verbose,
        execFileSync("tar", ["tvf", join(scratch, `g${name}`)], {
          env: { ...process.env, TZ: "UTC0", LC_ALL: "C" },
        }).toString(),
      );
    }
  });

  test("an archive cannot write outside of its folder", () => {
    const evil = join(scratch, "evil");
    fs.mkdirSync(evil);
    fs.writeFileSync(join(evil, "f"), "pwned");
    execFileSync("tar", ["cPf", join(scratch, "evil.tar"), "--transform=s,f,../../escaped,", "f"], {
      cwd: evil,
    });
    const target = fs.mkdtempSync(join(scratch, "x-"));
    assert.equal(run(["tar", "xf", join(scratch, "evil.tar"), "-C", target]).status, 2);
    assert.ok(!fs.existsSync(join(scratch, "escaped")));
  });

  test("gzip and gunzip undo each other and the machine's", () => {
    const data = Buffer.alloc(300_000, "some text that repeats; ");
    const packed = run(["gzip", "-c"], { input: data }).stdout;
    assert.ok(execFileSync("gunzip", ["-c"], { input: packed }).equals(data));
    const theirs = execFileSync("gzip", ["-9c"], { input: data });
    assert.ok(run(["zcat"], { input: theirs }).stdout.equals(data));
    assert.ok(
      run(["gunzip", "-c"], { input: Buffer.concat([theirs, packed]) }).stdout.equals(
        Buffer.concat([data, data]),
      ),
    );
    fs.writeFileSync(join(scratch, "z"), data);
    assert.equal(run(["gzip", "z"]).status, 0);
    assert.ok(!fs.existsSync(join(scratch, "z")));
    assert.equal(run(["gunzip", "z.gz"]).status, 0);
    assert.ok(fs.readFileSync(join(scratch, "z")).equals(data));
    assert.equal(run(["zcat"], { input: theirs.subarray(0, 100) }).status, 1);
  });
});

describe("curl", () => {
  const server = createServer((request, response) => {
    const parts = [];
    request.on("data", (data) => parts.push(data));
    request.on("end", () => {
      const { pathname } = new URL(request.url, "http://x");
      if (pathname === "/redirect") response.writeHead(302, { location: "/echo" }).end("moved");
      else if (pathname === "/missing") response.writeHead(404).end("nothing here\n");
      else {
        const { authorization, "x-a": a, "content-type": type } = request.headers;
        response.writeHead(200, { "content-type": "application/json", "x-b": "1" });
        response.end(
          JSON.stringify({
            method: request.method,
            url: request.url,
            body: Buffer.concat(parts).toString(),
            authorization,
            a,
            type,
          }),
        );
      }
    });
  });
  const listening = new Promise((resolve) =>
    server.listen(0, "127.0.0.1", () => resolve(`http://127.0.0.1:${server.address().port}`)),
  );
  after(() => server.close());

  test("methods, bodies, headers, redirects, output", async () => {
    const base = await listening;
    const echo = async (...args) => {
      const result = await runAsync(["curl", "-s", ...args]);
      return { ...result, json: result.status === 0 ? JSON.parse(result.stdout) : undefined };
    };
    assert.equal((await echo(`${base}/echo?q=1`)).json.url, "/echo?q=1");
    const post = (await echo("-d", "a=1", "-d", "b=2", `${base}/echo`)).json;
    assert.deepEqual(
      [post.method, post.body, post.type],
      ["POST", "a=1&b=2", "application/x-www-form-urlencoded"],
    );
    assert.equal((await echo("--json", '{"a":1}', `${base}/echo`)).json.type, "application/json");
    assert.equal((await echo("-X", "PUT", "--data-raw", "@x", `${base}/echo`)).json.body, "@x");
    const headers = (await echo("-H", "X-A: yes", "-u", "me:pw", `${base}/echo`)).json;
    assert.deepEqual([headers.a, headers.authorization], ["yes", "Basic bWU6cHc="]);
    assert.equal((await runAsync(["curl", "-s", `${base}/redirect`])).stdout, "moved");
    assert.equal((await echo("-L", "-d", "x", `${base}/redirect`)).json.method, "GET");
    const coded = await runAsync([
      "curl",
      "-s",
      "-o",
      "out.json",
      "-w",
      "%{http_code} %{content_type}\\n",
      `${base}/echo`,
    ]);
    assert.equal(coded.stdout, "200 application/json\n");
    assert.equal(JSON.parse(fs.readFileSync(join(scratch, "out.json"), "utf8")).method, "GET");
    assert.match(
      (await runAsync(["curl", "-si", `${base}/echo`])).stdout,
      /^HTTP\/1\.1 200 OK\r\n[^]*x-b: 1\r\n[^]*\r\n\r\n\{/,
    );
    assert.match(
      (await runAsync(["curl", "-sI", `${base}/echo`])).stdout,
      /^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\n$/,
    );
    assert.equal((await runAsync(["wget", "-q", "-O", "-", `${base}/missing`])).status, 8);
  });

  test("failures have curl's numbers", async () => {
    const base = await listening;
    const failed = await runAsync(["curl", "-sSf", `${base}/missing`]);
    assert.deepEqual(
      [failed.status, failed.stdout, failed.stderr],
      [22, "", "curl: (22) The requested URL returned error: 404\n"],
    );
    assert.equal((await runAsync(["curl", "-s", "http://127.0.0.1:1/"])).status, 7);
    assert.equal((await runAsync(["curl", "-s", "ftp://127.0.0.1/"])).status, 1);
    assert.equal((await runAsync(["curl"])).status, 2);
    // Before anything is sent; of curl 7.88.
    const badly =
      "curl: option -F: is badly used here\ncurl: try 'curl --help' or 'curl --manual' for more information\n";
    for (const [options, stderr] of [
      [[], `Warning: Illegally formatted input field!\n${badly}`],
      [["-s"], badly],
      [["-F", "a=b"], `Warning: Illegally formatted input field!\n${badly}`],
    ]) {
      const form = await runAsync(["curl", ...options, "-F", "nothing", `${base}/echo`]);
      assert.deepEqual([form.status, form.stdout, form.stderr], [2, "", stderr]);
    }
  });
});
