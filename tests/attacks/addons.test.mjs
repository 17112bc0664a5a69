// Native addons as an attacker makes them: what their code tries gets what any native code in a guest gets, and what
// loading adds gives nothing to keep, to write to or to take from others.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { built, noAddons } from "../support/addons.mjs";
import { importWithNatives } from "../support/natives.mjs";
import { openDescriptors, tree } from "../support/processes.mjs";

const timeout = 120_000;

describe("hostile addons", { skip: noAddons }, () => {
  let sum;
  let attacker;
  let bystander;
  before(async () => {
    sum = built("sum.c", "sum.node");
    const hostile = built("hostile.c", "hostile.node");
    const { NodeRuntime } = await importWithNatives();
    const files = { "/app/sum.node": sum, "/app/hostile.node": hostile };
    attacker = await NodeRuntime.create({ nativeAddons: true, files });
    bystander = await NodeRuntime.create({ nativeAddons: true, files });
  });
  after(() => Promise.all([attacker.dispose(), bystander.dispose()]));

  const isUnharmed = async () =>
    assert.equal((await bystander.run(`__return(require("/app/sum.node").sum(40, 2))`)).value, 42);

  test(
    "a constructor gets nothing of the host, and no file by racing for it",
    { timeout },
    async () => {
      const { value } = await attacker.run(`__return(require("/app/hostile.node").tried);`);
      const [EPERM, ENOENT, EBADF, EACCES, ENOSYS] = [-1, -2, -9, -13, -38];
      const not = 0;
      assert.deepEqual(value, [
        ["openat", ENOENT],
        ["openat plainly", ENOENT],
        ["openat to write", ENOENT],
        ["openat below a descriptor", ENOENT],
        ["open", ENOENT],
        ["openat2", ENOSYS],
        ["dlopen", not],
        ["dlopen of a library", not],
        ["stat", ENOENT],
        ["fstat", EBADF],
        ["fstat by name", EBADF],
        ["socket", EACCES],
        ["socketpair", EPERM],
        ["execve", EPERM],
        ["execveat", EPERM],
        ["fork", EPERM],
        ["ptrace", EPERM],
        ["kill", EPERM],
        ["memfd_create", EPERM],
        ["seccomp", EPERM],
        ["process_vm_readv", EPERM],
        ["io_uring_setup", ENOSYS],
        ["bpf", EPERM],
        ["unshare", EPERM],
        ["mount", EPERM],
        ["ftruncate", EPERM],
        ["add seals", EPERM],
        ["memory that is shared", EPERM],
        // Of the null device there is nothing to read: memory of its own, empty.
        ["a mapping of a descriptor", 1],
        ["a mapping of a descriptor", 1],
        ["a mapping of a descriptor", not],
        ["a mapping of a descriptor", not],
        ...Array(4).fill(["a read at a position", not]),
        ...Array(4).fill(["openat in another thread", not]),
        ["a handler of SIGSYS", not],
      ]);
      await isUnharmed();
    },
  );

  /** For raw calls: `image()` is the descriptor of a copy of the module. */
  const natives = `
    import { openSync } from "node:fs";
    const { libc, channel, ffi } = globalThis.__natives;
    const fd = openSync("/app/sum.node");
    const image = (of = fd, library = "") => channel.callForDescriptor("image", { fd: of, library });
    const bytes = Buffer.alloc(4);
    const magic = (of) => { const read = libc.readAt(of, bytes, 1); return read < 0 ? read : bytes.toString("latin1", 0, Math.min(3, read)); };
  `;

  test(
    "an image cannot be written, unsealed, made longer or shared, and is empty after the next word",
    { timeout },
    async () => {
      const { value } = await attacker.run(`${natives}
      const [PWRITE, FTRUNCATE, FCHMOD, FCNTL, FALLOCATE, MMAP] = [18, 77, 91, 72, 285, 9];
      const [F_ADD_SEALS, F_SETLEASE] = [1033, 1024];
      const SHARED = 1;
      const from = image();
      const call = (...args) => libc.syscall(...args);
      const tried = [magic(from), libc.write(from, bytes, 0, 4), call(PWRITE, from, libc.addressOf(bytes), 4, 0), call(FTRUNCATE, from, 0), call(FCHMOD, from, 0o777),
        call(FCNTL, from, F_ADD_SEALS, 0), call(FCNTL, from, F_SETLEASE, 1), call(FALLOCATE, from, 0, 0, 1 << 20)];
      // The handler answers with memory of the process's own, whatever was asked for.
      const at = call(MMAP, 0, 4096, 3, SHARED, from, 0);
      ffi.setInt32(BigInt(at), 0, 7);
      tried.push(magic(from));
      channel.call("getcwd", {});
      __return([...tried, magic(from)]);`);
      const [EPERM, EBADF] = [-1, -9];
      assert.deepEqual(value, ["ELF", EBADF, EPERM, EPERM, EPERM, EPERM, EPERM, EPERM, "ELF", ""]);
      await isUnharmed();
    },
  );

  test(
    "only the process's own regular files, and four libraries by name",
    { timeout },
    async () => {
      const { value } = await attacker.run(`${natives}
      const pipe = channel.call("pipe", {});
      const names = ["/etc/passwd", "../../../etc/passwd", "libc.so.6", "librt.so.1/../../../etc/passwd", "librt.so.1\\0x", "x".repeat(4000)];
      __return([image(-1), image(999), image(pipe.reader), image(openSync("/")), image(openSync("/dev/null")), ...names.map((name) => image(-1, name))]);`);
      const [ENOENT, EBADF, EACCES, EINVAL] = [-2, -9, -13, -22];
      assert.deepEqual(value, [EBADF, EBADF, EINVAL, EACCES, EACCES, ...Array(6).fill(ENOENT)]);
      const none = await bystander.clone();
      await none.dispose();
    },
  );

  test(
    "images without end leave the kernel process what it was, read or not",
    { timeout },
    async () => {
      await isUnharmed();
      const { kernel } = tree();
      const before = openDescriptors(kernel);
      const ended = attacker
        .exec(
          `${natives}
      // Each is read, and kept.
      const kept = [];
      for (let at = 0; at < 400; at++) { const got = image(); if (got < 0) break; kept.push(got); }
      // None is read.
      for (let at = 0; at < 20_000; at++) channel.begin("image", { fd, library: "" }, () => {});
      setInterval(() => {}, 1000);`,
          { timeout: 20_000 },
        )
        .then(
          ({ exitCode }) => exitCode,
          ({ code }) => code,
        );
      for (let at = 0; at < 5; at++) await isUnharmed();
      // Its own two, its copy's two on their way, and what waits ahead.
      assert.ok(openDescriptors(kernel) < before + 64);
      assert.ok([137, "ERR_SECURE_EXEC_OUTCOME_UNKNOWN"].includes(await ended));
      await isUnharmed();
    },
  );

  test(
    "a program of a machine without the option gets no image and no signal",
    { timeout },
    async () => {
      const { NodeRuntime } = await importWithNatives();
      const rt = await NodeRuntime.create({ files: { "/app/sum.node": sum } });
      try {
        const { value } = await rt.run(`${natives}
        const [MMAP, FSTAT, PREAD, OPENAT] = [9, 5, 17, 257];
        const path = libc.cString("/etc/passwd");
        __return([image(), libc.syscall(MMAP, 0, 4096, 1, 2, 0, 0), libc.syscall(FSTAT, 0, libc.addressOf(Buffer.alloc(256))),
          libc.readAt(0, bytes, 0), libc.syscall(OPENAT, -100, libc.addressOf(path), 0x80000, 0)]);`);
        const [EPERM, ENOENT, EBADF] = [-1, -2, -9];
        assert.deepEqual(value, [EPERM, EPERM, EBADF, EPERM, ENOENT]);
      } finally {
        await rt.dispose();
      }
    },
  );

  test("a module that is broken anywhere costs its own process alone", { timeout }, async () => {
    let seed = 1;
    const random = (below) => (seed = (seed * 48_271) % 2_147_483_647) % below;
    for (let round = 0; round < 24; round++) {
      const bytes = Buffer.from(sum);
      // Headers, tables of the linker and code.
      const span = [64, 1024, bytes.length][round % 3];
      for (let change = 0; change < 12; change++) bytes[random(span)] = random(256);
      await attacker.writeFile("/app/broken.node", bytes);
      const end = await attacker
        .exec(
          `try { require("/app/broken.node").state(); } catch ({ code }) { process.exit(code === undefined ? 1 : 2); }`,
          { timeout: 4000 },
        )
        .then(
          ({ exitCode }) => exitCode,
          ({ code }) => code,
        );
      assert.ok(Number.isInteger(end) || end.startsWith("ERR_SECURE_EXEC_"), String(end));
    }
    await isUnharmed();
  });

  test("many threads load at once, and what one serves no other gets", { timeout }, async () => {
    const { value } = await attacker.run(`
      import { once } from "node:events";
      import { writeFileSync, readFileSync } from "node:fs";
      import { Worker } from "node:worker_threads";
      const bytes = readFileSync("/app/sum.node");
      for (let at = 0; at < 8; at++) writeFileSync("/tmp/" + at + ".node", bytes);
      const text = \`
        const { parentPort, workerData } = require("node:worker_threads");
        const seen = [];
        for (let at = 0; at < 8; at++) seen.push(require("/tmp/" + ((at + workerData) % 8) + ".node").state()[1]);
        parentPort.postMessage(seen.length);
        // A worker that ends lets go of what it has loaded.
        parentPort.once("message", () => {});\`;
      const workers = [0, 2, 4, 6].map((workerData) => new Worker(text, { eval: true, workerData }));
      const done = await Promise.all(workers.map((worker) => once(worker, "message")));
      // Each of the eight is one object for the whole process: the fifth call.
      const counts = [...Array(8).keys()].map((at) => require("/tmp/" + at + ".node").state()[1]);
      for (const worker of workers) worker.postMessage("");
      __return([done.flat(), counts]);`);
    assert.deepEqual(value, [[8, 8, 8, 8], Array(8).fill(45)]);
    await isUnharmed();
  });
});
