// What hostile and broken modules get: an errno, or a message and an exit code; never a crash of what runs them.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { addCommands, fixture, machineWith } from "../support/wasi.mjs";
import {
  call,
  drop,
  forever,
  i32,
  i64,
  load,
  load8,
  store,
  unreachable,
  wasm,
} from "../support/wasm.mjs";

const limit = { timeout: 100_000 };
const it = (name, body) => test(name, limit, body);
const preview1 = "wasi_snapshot_preview1";
const exit = [preview1, "proc_exit", ["i32"], []];
const write = [preview1, "fd_write", ["i32", "i32", "i32", "i32"], ["i32"]];

const Errno = {
  SUCCESS: 0,
  E2BIG: 1,
  EBADF: 8,
  EFAULT: 21,
  EILSEQ: 25,
  EINVAL: 28,
  EMFILE: 33,
  ENAMETOOLONG: 37,
  ENOENT: 44,
  ENOSYS: 52,
  ENOTDIR: 54,
  ENOTSUP: 58,
  EPERM: 63,
  ESPIPE: 70,
  ENOTCAPABLE: 76,
};

let rt;
before(async () => {
  rt = await machineWith({ hello: fixture("hello") });
});
after(() => rt?.dispose());

let count = 0;
/** Runs a module under a fresh name. */
async function run(module, options = {}, args = []) {
  const name = `m${count++}`;
  await addCommands(rt, { [name]: module });
  const { stdout, stderr, exitCode } = await rt.execCommand(name, args, options);
  return { name, stdout, stderr: stderr.replace(`${name}: `, ""), exitCode };
}

/** The value of one expression that leaves an i32, as the exit code. */
async function valueOf(imports, body, more = {}) {
  const module = wasm({
    imports: [...imports, exit],
    body: [...body, call(imports.length)],
    ...more,
  });
  const { stderr, exitCode } = await run(module, more.options);
  assert.equal(stderr, "");
  return exitCode;
}

const head = (...bytes) => Uint8Array.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, ...bytes]);

const refused = {
  "nothing but the magic number": [Uint8Array.from([0, 0x61, 0x73, 0x6d]), /CompileError/],
  "another version": [Uint8Array.from([0, 0x61, 0x73, 0x6d, 9, 0, 0, 0]), /CompileError/],
  "an empty module": [head(), /exports no _start/],
  "a section longer than the file": [head(1, 0xff, 0xff, 0xff, 0x7f), /CompileError/],
  "a section of garbage": [head(1, 4, 1, 2, 3, 4), /CompileError/],
  "four billion functions": [head(3, 5, 0xff, 0xff, 0xff, 0xff, 0x0f), /CompileError/],
  "a truncated real module": [fixture("hello").subarray(0, 9000), /CompileError/],
  "more memory than there can be": [wasm({ memory: [65_537] }), /CompileError/],
  "a table of ten million and one": [wasm({ table: [10_000_001] }), /CompileError/],
  "a body that does not fit its type": [wasm({ body: [i32(1)] }), /CompileError/],
  "no memory": [wasm({ memory: undefined, exports: ["_start"] }), /exports no memory/],
  "no _start": [wasm({ exports: ["memory"] }), /exports no _start/],
  "a library": [wasm({ exports: ["_initialize", "memory"] }), /exports no _start/],
  "its memory imported": [
    wasm({ memory: undefined, memoryImport: true, exports: ["_start"] }),
    /env\.memory \(memory\)/,
  ],
  "imports that nobody offers": [
    wasm({
      imports: [
        ["env", "launch", [], []],
        [preview1, "fd_teleport", ["i32"], ["i32"]],
        ["__proto__", "toString", [], []],
        [preview1, "constructor", [], []],
        write,
      ],
    }),
    /not offered: env\.launch, wasi_snapshot_preview1\.fd_teleport, __proto__\.toString, wasi_snapshot_preview1\.constructor\n/,
  ],
  "very many of them": [
    wasm({ imports: Array.from({ length: 500 }, (_, at) => ["x", `f${at}`, [], []]) }),
    /x\.f9 and 490 more\n/,
  ],
};
for (const [what, [module, reason]] of Object.entries(refused)) {
  it(`refused with 126: ${what}`, async () => {
    const { exitCode, stdout, stderr } = await run(module);
    assert.deepEqual([exitCode, stdout], [126, ""], stderr);
    assert.match(stderr, reason);
    assert.ok(stderr.length < 2000);
  });
}

it("a module's start function runs before there is a memory, and may trap", async () => {
  const early = await run(
    wasm({ imports: [write], body: [i32(1), i32(0), i32(1), i32(0), call(0), drop], start: true }),
  );
  assert.deepEqual([early.exitCode, early.stderr], [0, ""]);
  const trap = await run(wasm({ body: [unreachable], start: true }));
  assert.equal(trap.exitCode, 134);
  assert.match(trap.stderr, /RuntimeError: unreachable/);
});

it("memory that the process may not have is refused, not fatal", async () => {
  const { exitCode, stderr } = await run(wasm({ memory: [16_384] }));
  assert.equal(exitCode, 126);
  assert.match(stderr, /RangeError: .*[Mm]emory/);
});

it("an endless loop in the start function is ended by the timeout", async () => {
  const { exitCode } = await run(wasm({ body: [forever], start: true }), { timeout: 1500 });
  assert.equal(exitCode, 137);
});

it("parameters of other types than preview 1 says are a trap", async () => {
  const { exitCode, stderr } = await run(
    wasm({
      imports: [[preview1, "fd_filestat_set_size", ["i32", "i32"], ["i32"]]],
      body: [i32(1), i32(5), call(0), drop],
    }),
  );
  assert.equal(exitCode, 134);
  assert.match(stderr, /^TypeError: /);
});

/** Every function of preview 1: parameters as letters, I for i64. What harms the rest of the run comes last. */
const functions = {
  args_get: "ii",
  args_sizes_get: "ii",
  environ_get: "ii",
  environ_sizes_get: "ii",
  clock_res_get: "ii",
  clock_time_get: "iIi",
  fd_advise: "iIIi",
  fd_allocate: "iII",
  fd_datasync: "i",
  fd_fdstat_get: "ii",
  fd_fdstat_set_flags: "ii",
  fd_filestat_get: "ii",
  fd_filestat_set_size: "iI",
  fd_filestat_set_times: "iIIi",
  fd_pread: "iiiIi",
  fd_prestat_get: "ii",
  fd_prestat_dir_name: "iii",
  fd_pwrite: "iiiIi",
  fd_read: "iiii",
  fd_readdir: "iiiIi",
  fd_seek: "iIii",
  fd_sync: "i",
  fd_tell: "ii",
  fd_write: "iiii",
  path_create_directory: "iii",
  path_filestat_get: "iiiii",
  path_filestat_set_times: "iiiiIIi",
  path_link: "iiiiiii",
  path_open: "iiiiiIIii",
  path_readlink: "iiiiii",
  path_remove_directory: "iii",
  path_rename: "iiiiii",
  path_symlink: "iiiii",
  path_unlink_file: "iii",
  poll_oneoff: "iiii",
  proc_raise: "i",
  random_get: "ii",
  sched_yield: "",
  sock_accept: "iii",
  sock_recv: "iiiiii",
  sock_send: "iiiii",
  sock_shutdown: "ii",
  fd_renumber: "ii",
  fd_fdstat_set_rights: "iII",
  fd_close: "i",
};
const results = 4096;

/** Calls them all with `first`, then `rest` for every other parameter; the errnos by name. */
async function callAll(first, rest, report = 1) {
  const names = Object.keys(functions);
  const module = wasm({
    imports: [
      ...names.map((name) => [
        preview1,
        name,
        [...functions[name]].map((type) => (type === "I" ? "i64" : "i32")),
        ["i32"],
      ]),
      write,
    ],
    memory: [1],
    body: [
      ...names.map((name, index) => [
        ...i32(results + index),
        ...[...functions[name]].flatMap((type, at) =>
          type === "I" ? i64(rest) : i32(at === 0 && name !== "proc_raise" ? first : rest),
        ),
        ...call(index),
        0x3a,
        0,
        0,
      ]),
      store(0, i32(results)),
      store(4, i32(names.length)),
      [...i32(report), ...i32(0), ...i32(1), ...i32(8), ...call(names.length), ...drop],
    ],
  });
  const { exitCode, ...streams } = await run(module, { onStdout: () => {} });
  assert.equal(exitCode, 0, streams.stderr);
  return { names, ...streams };
}

/** Exact errnos, over the fixed streams: read as latin1 so that each byte is one character. */
function decode({ names, stdout, stderr }, stream) {
  const bytes = Buffer.from(stream === 1 ? stdout : stderr, "utf8");
  assert.equal(bytes.length, names.length);
  return Object.fromEntries(names.map((name, at) => [name, bytes[at]]));
}

it("every function of preview 1 survives descriptors and pointers that lead nowhere", async () => {
  assert.equal(Object.keys(functions).length + 1, 46);
  const none = decode(await callAll(-1, -1, 2), 2);
  const harmless = new Set(["sched_yield"]);
  for (const [name, errno] of Object.entries(none)) {
    if (harmless.has(name)) assert.equal(errno, 0, name);
    else assert.notEqual(errno, 0, name);
    if (/^(fd|path|sock)_/.test(name) && !["path_symlink"].includes(name))
      assert.equal(errno, Errno.EBADF, name);
  }
  assert.equal(none.args_get, Errno.EFAULT);
  assert.equal(none.random_get, Errno.EFAULT);
  assert.equal(none.poll_oneoff, Errno.EINVAL);

  // On stdout: reported on stderr, because fd_close closes it.
  const onStream = decode(await callAll(1, -1, 2), 2);
  assert.equal(onStream.fd_write, Errno.EINVAL);
  assert.equal(onStream.fd_fdstat_get, Errno.EFAULT);
  assert.equal(onStream.fd_seek, Errno.ESPIPE);
  assert.equal(onStream.path_open, Errno.ENOTDIR);
  assert.equal(onStream.fd_prestat_get, Errno.EBADF);
  assert.equal(onStream.sock_send, Errno.ENOTSUP);
  assert.equal(onStream.fd_close, Errno.SUCCESS);

  const onDirectory = decode(await callAll(3, -1, 2), 2);
  assert.equal(onDirectory.path_open, Errno.ENAMETOOLONG);
  assert.equal(onDirectory.path_create_directory, Errno.ENAMETOOLONG);
  assert.equal(onDirectory.fd_readdir, Errno.EFAULT);
  assert.equal(onDirectory.fd_prestat_get, Errno.EFAULT);
  assert.equal(onDirectory.fd_filestat_get, Errno.EFAULT);
  assert.equal(onDirectory.fd_close, Errno.SUCCESS);
});

it("pointers at the very end of memory are checked to their last byte", async () => {
  const end = 65_536;
  const stat = [preview1, "fd_fdstat_get", ["i32", "i32"], ["i32"]];
  assert.equal(await valueOf([stat], [i32(1), i32(end - 24), call(0)]), Errno.SUCCESS);
  assert.equal(await valueOf([stat], [i32(1), i32(end - 23), call(0)]), Errno.EFAULT);
  const random = [preview1, "random_get", ["i32", "i32"], ["i32"]];
  assert.equal(await valueOf([random], [i32(0), i32(end), call(0)]), Errno.SUCCESS);
  assert.equal(await valueOf([random], [i32(1), i32(end), call(0)]), Errno.EFAULT);
  assert.equal(await valueOf([random], [i32(-8), i32(16), call(0)]), Errno.EFAULT);
  // A list of buffers of which the second is outside: nothing is written.
  const list = [store(0, i32(64)), store(4, i32(2)), store(8, i32(end - 1)), store(12, i32(2))];
  assert.equal(
    await valueOf([write], [...list, i32(1), i32(0), i32(2), i32(32), call(0)], {
      data: [[64, "no"]],
    }),
    Errno.EFAULT,
  );
});

it("names: too long, not UTF-8, with a NUL, empty, absolute", async () => {
  const mkdir = [preview1, "path_create_directory", ["i32", "i32", "i32"], ["i32"]];
  const made = (pointer, size) =>
    valueOf([mkdir], [i32(3), i32(pointer), i32(size), call(0)], {
      data: [[0, Buffer.from("tmp/\xff\xfetmp/a\0b/etc", "latin1")]],
    });
  assert.equal(await made(0, 5000), Errno.ENAMETOOLONG);
  assert.equal(await made(0, 6), Errno.EILSEQ);
  assert.equal(await made(6, 7), Errno.EINVAL);
  assert.equal(await made(0, 0), Errno.ENOENT);
  assert.equal(await made(13, 4), 20);
});

it("descriptors run out as EMFILE, and rights only shrink", async () => {
  const open = [
    preview1,
    "path_open",
    ["i32", "i32", "i32", "i32", "i32", "i64", "i64", "i32", "i32"],
    ["i32"],
  ];
  const opened = [3, 0, 0, 10, 0].map((value) => i32(value)).flat();
  const again = [...opened, ...i64(2), ...i64(0), ...i32(0), ...i32(64), ...call(0)];
  // loop: open; branch back while it answers 0; then once more for the answer.
  const loop = [0x03, 0x40, ...again, 0x45, 0x0d, 0x00, 0x0b];
  assert.equal(await valueOf([open], [loop, again], { data: [[0, "etc/passwd"]] }), Errno.EMFILE);
  const setRights = [preview1, "fd_fdstat_set_rights", ["i32", "i64", "i64"], ["i32"]];
  const widen = [i32(1), i64(0), i64(0), call(0), drop, i32(1), i64(1), i64(0), call(0)];
  assert.equal(await valueOf([setRights], widen.flat()), Errno.ENOTCAPABLE);
  const shrink = [i32(1), i64(0), i64(0), call(0), drop, i32(1), i32(0), i32(0), i32(8), call(1)];
  assert.equal(await valueOf([setRights, write], shrink.flat()), Errno.ENOTCAPABLE);
});

it("extension imports: who one is, and nobody else", async () => {
  const one = (name, parameters) => ["host_user", name, parameters.map(() => "i32"), ["i32"]];
  const getuid = one("getuid", [0]);
  assert.equal(
    await valueOf([getuid], [i32(16), call(0), drop, load(16), i32(1000), 0x46].flat()),
    1,
  );
  assert.equal(await valueOf([getuid], [i32(-1), call(0)]), Errno.EFAULT);
  const setuid = one("setuid", [0]);
  assert.equal(await valueOf([setuid], [i32(0), call(0)]), Errno.EPERM);
  assert.equal(await valueOf([setuid], [i32(1000), call(0)]), Errno.SUCCESS);
  const getpwuid = one("getpwuid", [0, 0, 0, 0]);
  const first = [i32(1000), i32(64), i32(100), i32(16), call(0), drop, load8(64)];
  assert.equal(await valueOf([getpwuid], first.flat()), "u".charCodeAt(0));
  assert.equal(
    await valueOf([getpwuid], [i32(1000), i32(64), i32(3), i32(16), call(0)].flat()),
    68,
  );
  assert.equal(
    await valueOf([getpwuid], [i32(4242), i32(64), i32(100), i32(16), call(0)].flat()),
    Errno.ENOENT,
  );
  const socket = ["host_net", "net_socket", ["i32", "i32", "i32", "i32"], ["i32"]];
  assert.equal(
    await valueOf([socket], [i32(1), i32(1), i32(0), i32(16), call(0)].flat()),
    Errno.ENOSYS,
  );
});

const spawnImport = [
  "host_process",
  "proc_spawn_v3",
  Array.from({ length: 17 }, () => "i32"),
  ["i32"],
];
const wait = ["host_process", "proc_waitpid_v2", Array.from({ length: 6 }, () => "i32"), ["i32"]];
/** File at 0, argv, environment, actions as [pointer, size], no cwd, the pid at 1024. */
const spawning = (file, argv, env, actions, index = 0) =>
  [...file, ...argv, ...env, ...actions, 0, 0, 0, 0, 0, 0, 0, 0, 1024]
    .flatMap((value) => i32(value))
    .concat(call(index));

it("extension imports: a module starts a command, redirects it and waits for it", async () => {
  const file = "/opt/wasm/hello";
  const argv = "renamed\0one\0";
  const env = "EXIT=41\0T_Y=z\0";
  const path = "/tmp/child-out";
  const u32 = (...values) => Buffer.from(Uint32Array.from(values).buffer);
  // open(path, O_WRONLY | O_CREAT | O_TRUNC) as 1, then 1 as 2.
  const actions = Buffer.concat([
    u32(3, 1, 0, 0x1000_0000 | (1 << 12) | (8 << 12), 0o600, path.length),
    Buffer.from(path),
    u32(2, 2, 1, 0, 0, 0),
  ]);
  const data = [
    [0, file],
    [100, argv],
    [200, env],
    [300, actions],
  ];
  const body = [
    spawning([0, file.length], [100, argv.length], [200, env.length], [300, actions.length]),
    drop,
    [i32(-1), i32(0), i32(1028), i32(1032), i32(1036), i32(1040), call(1), drop].flat(),
    // Only when the child that ended is the child that was started: its exit code.
    [load(1028), load(1024), load(1036), 0x46, 0x6c].flat(),
  ];
  assert.equal(await valueOf([spawnImport, wait], body, { data }), 41);
  const written = Buffer.from(await rt.readFile(path)).toString();
  const lines = ["arg 0 renamed", "arg 1 one", "env T_Y=z", "to stderr"];
  assert.deepEqual(written.trimEnd().split("\n").sort(), lines);
});

it("extension imports: what cannot be started or waited for is an errno", async () => {
  const data = [
    [0, "/no/such"],
    [100, Buffer.from(Uint32Array.of(9, 0, 0, 0, 0, 0).buffer)],
    [200, Buffer.from(Uint32Array.of(3, 1, 0, 0, 0, 0x7fffffff).buffer)],
    [300, Buffer.from(Uint32Array.of(2, 1, 77, 0, 0, 0).buffer)],
    [400, Buffer.from(Uint32Array.of(2, 0xfffffff0, 1, 0, 0, 0).buffer)],
    [500, "/opt/wasm/hello"],
  ];
  const errno = (...parts) => valueOf([spawnImport], [spawning(...parts)], { data });
  const file = [500, 15];
  const no = [0, 0];
  assert.equal(await errno([0, 8], no, no, no), Errno.ENOENT);
  assert.equal(await errno([-1, 8], no, no, no), Errno.EFAULT);
  assert.equal(await errno(file, [-8, 100], no, no), Errno.EFAULT);
  assert.equal(await errno(file, [0, -1], no, no), Errno.E2BIG);
  assert.equal(await errno(file, no, no, [100, 24]), Errno.ENOTSUP);
  assert.equal(await errno(file, no, no, [100, 23]), Errno.EINVAL);
  assert.equal(await errno(file, no, no, [200, 24]), Errno.EINVAL);
  assert.equal(await errno(file, no, no, [300, 24]), Errno.EBADF);
  assert.equal(await errno(file, no, no, [400, 24]), Errno.EBADF);
  const waiting = [i32(-1), i32(0), i32(8), i32(8), i32(8), i32(8), call(0)].flat();
  assert.equal(await valueOf([wait], [waiting]), 12);
});

it("the machine works after all that", async () => {
  const { stdout, exitCode } = await rt.execCommand("hello");
  assert.deepEqual([stdout, exitCode], ["arg 0 hello\n", 0]);
});
