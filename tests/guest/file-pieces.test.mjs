// Files that a program reads and writes piece by piece, blocking: few round trips, and nothing that anybody could tell from one
// call for each piece.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, it } from "node:test";
import { machine } from "../support/machines.mjs";

const options = { timeout: 120_000 };
const top = mkdtempSync(join(tmpdir(), "file-pieces-"));
after(() => rmSync(top, { recursive: true }));

const prelude = `const fs = require("node:fs"), { spawnSync, spawn } = require("node:child_process");
  const all = Buffer.from(Array.from({ length: 40_000 }, (_, at) => "line " + at + "\\n").join(""));
  const next = (fd, bytes) => { const piece = Buffer.alloc(bytes); return piece.latin1Slice(0, fs.readSync(fd, piece)); };
  const rest = (fd, bytes) => { let text = ""; for (let part; (part = next(fd, bytes)) !== "";) text += part; return text; };
  const child = (fds, code) => spawnSync("node", ["-e", "const fs = require('node:fs'); " + code], { stdio: ["ignore", "pipe", "inherit", ...fds] }).stdout.toString();`;

async function result(rt, code) {
  const ended = await rt.run(`${prelude} ${code}`, { name: "/app/main.cjs" });
  assert.equal(ended.exitCode, 0, ended.stderr);
  return ended;
}
const value = async (rt, code) => (await result(rt, code)).value;

it(
  "pieces cost few calls, and bytes are billed once, with what is told and not used",
  options,
  async () => {
    const hostPath = join(top, "host");
    writeFileSync(hostPath, Buffer.alloc(400_000, "h"));
    const rt = await machine({ mounts: [{ guestPath: "/mnt/host", hostPath, readOnly: true }] });
    const read = (path, bytes, pieces) =>
      result(
        rt,
        `const fd = fs.openSync("${path}"); let n = 0; for (let i = 0; i < ${pieces}; i++) n += next(fd, ${bytes}).length; __return(n);`,
      );
    await value(rt, `fs.writeFileSync("/tmp/f", all);`);
    const few = await read("/tmp/f", 10, 10);
    const none = await read("/tmp/f", 10, 0);
    for (const [path, bytes, pieces] of [
      ["/tmp/f", 10, 20_000],
      ["/mnt/host", 100, 4000],
      ["/tmp/f", 1, 30_000],
    ]) {
      const { value: count, usage } = await read(path, bytes, pieces);
      assert.equal(count, bytes * pieces);
      const calls = usage.systemCalls - few.usage.systemCalls;
      assert.ok(calls < 60, `${calls} calls for ${pieces} pieces of ${path}`);
      const more = usage.bytesRead - none.usage.bytesRead;
      // What is told and not used is in it, whether that is little or as much as the file has.
      assert.ok(more >= bytes * pieces && more <= 430_000, `${more} bytes of ${path}`);
    }
    const whole = await read("/tmp/f", 10, 50_000);
    assert.equal(whole.usage.bytesRead - none.usage.bytesRead, whole.value);
  },
);

it("a position is where the last read ended, for everybody", options, async () => {
  const rt = await machine();
  const seen = await value(
    rt,
    `fs.writeFileSync("/tmp/f", all);
    const fd = fs.openSync("/tmp/f", "r+"), seen = [];
    let size = 0;
    for (let i = 0; i < 50; i++) size += next(fd, 100).length;
    // A child goes on where this one has stopped, and this one where the child has.
    seen.push(child([fd], "const b = Buffer.alloc(100); for (let i = 0; i < 7; i++) fs.readSync(3, b); process.stdout.write(b);") === all.latin1Slice(5600, 5700));
    seen.push(next(fd, 100) === all.latin1Slice(5700, 5800));
    for (let i = 0; i < 50; i++) next(fd, 100);
    // A write at the position.
    fs.writeSync(fd, "HERE"); seen.push(fs.readFileSync("/tmp/f").latin1Slice(10_800, 10_804));
    for (let i = 0; i < 50; i++) next(fd, 100);
    // Longer and shorter pieces than were told, up to the end.
    seen.push(next(fd, 70_000) === all.latin1Slice(15_804, 85_804), rest(fd, 999) === all.latin1Slice(85_804), next(fd, 1));
    __return(seen);`,
  );
  assert.deepEqual(seen, [true, true, "HERE", true, true, ""]);
});

it(
  "nothing is read twice from a file that two processes read at one position",
  options,
  async () => {
    const rt = await machine();
    const seen = await value(
      rt,
      `fs.writeFileSync("/tmp/f", all.subarray(0, 300_000));
    const fd = fs.openSync("/tmp/f");
    for (let i = 0; i < 30; i++) next(fd, 10);
    const other = spawn("node", ["-e", "const fs = require('node:fs'), b = Buffer.alloc(10); fs.writeFileSync('/tmp/up', ''); let n = 0, s; while ((s = fs.readSync(3, b)) > 0) n += s; console.log(n)"], { stdio: ["ignore", "pipe", "inherit", fd] });
    let text = ""; other.stdout.on("data", (part) => (text += part));
    while (!fs.existsSync("/tmp/up")) {}
    let size = 300; for (let n; (n = next(fd, 10).length) > 0;) size += n;
    other.on("close", () => __return([size + Number(text), Number(text) > 0]));`,
    );
    assert.deepEqual(seen, [300_000, true]);
  },
);

it("what changes between two reads is read", options, async () => {
  const rt = await machine();
  const seen = await value(
    rt,
    `fs.writeFileSync("/tmp/f", all); const seen = [];
    const reading = () => { const fd = fs.openSync("/tmp/f"); for (let i = 0; i < 30; i++) next(fd, 10); return fd; };
    let fd = reading(); fs.writeFileSync("/tmp/f", "x".repeat(1000)); seen.push(next(fd, 10));
    fd = reading(); child([], "fs.writeFileSync('/tmp/f', 'y'.repeat(1000))"); seen.push(next(fd, 10));
    fd = reading(); fs.truncateSync("/tmp/f", 305); seen.push(next(fd, 10), next(fd, 10));
    fs.writeFileSync("/tmp/f", all); fd = reading();
    const other = spawn("node", ["-e", "require('node:fs').writeFileSync('/tmp/f', 'z'.repeat(1000)); console.log('done')"]);
    // Heard by the event loop, in the middle of reading.
    other.stdout.once("data", () => { seen.push(next(fd, 10)); });
    for (let i = 0; i < 3; i++) next(fd, 10);
    other.on("exit", () => __return(seen));`,
  );
  assert.deepEqual(seen, ["x".repeat(10), "y".repeat(10), "y".repeat(5), "", "z".repeat(10)]);
});

it(
  "another thread's changes are read by who knows of them from shared memory",
  options,
  async () => {
    const rt = await machine();
    const seen = await value(
      rt,
      `const { Worker } = require("node:worker_threads");
    fs.writeFileSync("/tmp/f", all);
    const shared = new Int32Array(new SharedArrayBuffer(8));
    new Worker("const { workerData: s } = require('node:worker_threads'), fs = require('node:fs'); Atomics.store(s, 0, 1); Atomics.notify(s, 0);" +
      "Atomics.wait(s, 1, 0); const was = fs.readFileSync('/tmp/out', 'latin1').length; fs.writeFileSync('/tmp/f', 'w'.repeat(5000)); Atomics.store(s, 0, was); Atomics.notify(s, 0);",
      { eval: true, workerData: shared });
    Atomics.wait(shared, 0, 0);
    const fd = fs.openSync("/tmp/f"), out = fs.openSync("/tmp/out", "w");
    for (let i = 0; i < 30; i++) next(fd, 10);
    for (let i = 0; i < 30; i++) fs.writeSync(out, "0123456789");
    for (let i = 0; i < 30; i++) next(fd, 10);
    Atomics.store(shared, 1, 1); Atomics.notify(shared, 1); Atomics.wait(shared, 0, 1);
    __return([next(fd, 10), shared[0]]);`,
    );
    assert.deepEqual(seen, ["w".repeat(10), 300]);
  },
);

it(
  "pieces that nobody answers for are written, in order, and found by who is told",
  options,
  async () => {
    const rt = await machine();
    const seen = await value(
      rt,
      `const fd = fs.openSync("/tmp/f", "w+"), seen = [], twin = fs.openSync("/tmp/f", "r");
    const lines = (n) => { let text = ""; for (let i = 0; i < n; i++) { const line = "line " + i + "\\n"; text += line; if (fs.writeSync(fd, line) !== line.length) throw new Error(line); } return text; };
    let want = lines(3000);
    seen.push(fs.readFileSync("/tmp/f", "latin1") === want, fs.fstatSync(twin).size === want.length);
    want += lines(2000);
    seen.push(child([], "process.stdout.write(fs.readFileSync('/tmp/f'))") === want);
    want += lines(10);
    // The child writes on at the same position, and this one behind it.
    child([fd], "for (let i = 0; i < 20; i++) fs.writeSync(3, 'child\\\\n')"); want += "child\\n".repeat(20); want += lines(10);
    seen.push(fs.readFileSync("/tmp/f", "latin1") === want);
    // At a position, behind the end, and with O_APPEND.
    want += lines(10); fs.writeSync(fd, "AT", 5); fs.ftruncateSync(fd, want.length - 3); want += lines(10);
    const text = fs.readFileSync("/tmp/f", "latin1");
    seen.push(text.slice(5, 7), text.length === want.length, text.at(-lines.length));
    const log = fs.openSync("/tmp/log", "a"), also = fs.openSync("/tmp/log", "a");
    for (let i = 0; i < 30; i++) { fs.writeSync(log, "a"); fs.writeSync(log, "b"); fs.writeSync(also, "c"); }
    seen.push(fs.readFileSync("/tmp/log", "latin1") === "abc".repeat(30));
    process.on("exit", () => { for (let i = 0; i < 50; i++) fs.writeSync(log, "."); });
    __return(seen);`,
    );
    assert.deepEqual(seen.slice(0, 5), [true, true, true, true, "AT"]);
    assert.deepEqual([seen[5], seen[7]], [true, true]);
    assert.equal((await rt.readFile("/tmp/log")).length, 140);
  },
);

it(
  "a full disk is told by the very write that met it, to the byte, and nothing stays taken",
  options,
  async () => {
    const fileSystemBytes = 3 * 1024 * 1024;
    const rt = await machine({ limits: { fileSystemBytes } });
    const seen = await value(
      rt,
      `const seen = [];
    for (const size of [100, 1000, 5000, 8192]) {
      const fd = fs.openSync("/tmp/f", "w"), piece = Buffer.alloc(size, "p");
      let written = 0, code;
      try { for (;;) written += fs.writeSync(fd, piece); } catch (error) { code = error.code + " " + error.syscall; }
      seen.push([code, fs.fstatSync(fd).size === written, 3 * 1024 * 1024 - written < 64 * 1024 + 9000]);
      fs.closeSync(fd); fs.unlinkSync("/tmp/f");
    }
    const free = fs.statfsSync("/tmp").bfree;
    const fd = fs.openSync("/tmp/f", "w");
    for (let i = 0; i < 30; i++) fs.writeSync(fd, "0123456789");
    fs.closeSync(fd); fs.unlinkSync("/tmp/f");
    seen.push(fs.statfsSync("/tmp").bfree === free);
    // What is promised to one that then does nothing is given back when it has nothing more to do.
    const other = spawn("node", ["-e", "const fs = require('node:fs'); process.stdin.once('data', () => setTimeout(() => console.log(fs.statfsSync('/tmp').bfree), 100)); console.log('up')"]);
    const idle = fs.openSync("/tmp/f", "w");
    let heard = "";
    other.stdout.on("data", (part) => {
      heard += part;
      if (heard !== "up\\n") return;
      other.stdin.end("go");
      for (let i = 0; i < 300; i++) fs.writeSync(idle, "0123456789");
    });
    other.on("close", () => __return([...seen, heard === "up\\n" + (free - 1) + "\\n"]));`,
    );
    for (const one of seen.slice(0, 4)) assert.deepEqual(one, ["ENOSPC write", true, true]);
    assert.deepEqual(seen.slice(4), [true, true]);
  },
);

it("pieces that are written are billed", options, async () => {
  const rt = await machine();
  const write = (pieces) =>
    result(
      rt,
      `const fd = fs.openSync("/tmp/f", "w"); for (let i = 0; i < ${pieces}; i++) fs.writeSync(fd, "0123456789"); __return(fs.fstatSync(fd).size);`,
    );
  const few = await write(1);
  const many = await write(20_000);
  assert.equal(many.value, 200_000);
  assert.equal(many.usage.bytesWritten - few.usage.bytesWritten, 199_990);
});

it("what is promised is sent without a call, until there is one or the program hears of anything", () => {
  const text = JSON.parse(readFileSync(new URL("../../dist/guest.json", import.meta.url), "utf8"))[
    "guest/bindings/write-on"
  ];
  const module = {};
  new Function("exports", "require", text)(module, () => ({}));
  const sent = [];
  let listener;
  let microtask;
  const bindings = {
    worker: { isMainThread: true },
    task_queue: { enqueueMicrotask: (run) => (microtask = run) },
  };
  const writeOn = new module.WriteOn({
    internalBinding: (name) => bindings[name],
    kernel: {
      onCall: (heard) => (listener = heard),
      event: (name, { fd, data }) => sent.push([name, fd, data.length]),
    },
  });
  const bytes = (count) => new Uint8Array(count);
  const promised = (count) => {
    for (const first of [true, false]) {
      assert.equal(writeOn.wanted(3, 100) === 0, first, "asked for from the second piece on");
      listener("write");
    }
    writeOn.has(count);
  };
  const write = (count, fd = 3) => writeOn.write(fd, bytes(count));
  promised(250);
  assert.deepEqual(
    [write(100), write(100), write(100), write(50, 4), write(50), write(1)],
    [true, true, false, false, true, false],
  );
  assert.deepEqual(sent.splice(0), [
    ["writeOn", 3, 100],
    ["writeOn", 3, 100],
    ["writeOn", 3, 50],
  ]);
  listener("stat");
  promised(250);
  listener("stat");
  assert.equal(write(1), false, "after another call");
  promised(250);
  listener(undefined);
  assert.deepEqual([write(1), sent.splice(0)], [false, [["writeOn", 3, 0]]], "given back");
  promised(250);
  microtask();
  assert.deepEqual(
    [write(1), sent.splice(0)],
    [false, [["writeOn", 3, 0]]],
    "given back at the end of the turn",
  );
  listener("threadSocket");
  assert.equal(
    writeOn.wanted(3, 100) + writeOn.wanted(3, 100),
    0,
    "no promise beside another thread",
  );
});
