// A ShellSystem on the host's own Linux, for running our shell next to dash. Works in the engine only
// (node:ffi). All waiting is one poll() over descriptors, pidfds and deadlines; see `wait` below.
import * as ffi from "node:ffi";
import * as fs from "node:fs";
import * as libc from "../../dist/sandbox/libc.js";
import { loadGuestModule } from "./guest-modules.mjs";

const { decodeText, encodeText } = loadGuestModule("userland/sh/text");
const { signalNames } = loadGuestModule("userland/sh/signals");

const library = new ffi.DynamicLibrary("libc.so.6");
const again = new ffi.DynamicLibrary("libc.so.6");
const bind = (from, name, args, result = "i32") =>
  from.getFunction(name, { arguments: args, return: result });

const posixSpawn = bind(library, "posix_spawn", Array(6).fill("pointer"));
const actionsInit = bind(library, "posix_spawn_file_actions_init", ["pointer"]);
const actionsDestroy = bind(library, "posix_spawn_file_actions_destroy", ["pointer"]);
const actionsDup2 = bind(library, "posix_spawn_file_actions_adddup2", ["pointer", "i32", "i32"]);
const actionsCloseFrom = bind(library, "posix_spawn_file_actions_addclosefrom_np", [
  "pointer",
  "i32",
]);
const actionsClose = bind(library, "posix_spawn_file_actions_addclose", ["pointer", "i32"]);
const actionsChdir = bind(library, "posix_spawn_file_actions_addchdir_np", ["pointer", "pointer"]);
const attrInit = bind(library, "posix_spawnattr_init", ["pointer"]);
const attrDestroy = bind(library, "posix_spawnattr_destroy", ["pointer"]);
const attrFlags = bind(library, "posix_spawnattr_setflags", ["pointer", "i32"]);
const attrGroup = bind(library, "posix_spawnattr_setpgroup", ["pointer", "i32"]);
const attrDefault = bind(library, "posix_spawnattr_setsigdefault", ["pointer", "pointer"]);
const attrMask = bind(library, "posix_spawnattr_setsigmask", ["pointer", "pointer"]);
const setSignal = bind(library, "signal", ["i32", "u64"], "u64");
const open3 = bind(library, "open", ["pointer", "i32", "u32"]);
const lseek = bind(library, "lseek", ["i32", "i64", "i32"], "i64");
const fcntl = bind(library, "fcntl", ["i32", "i32", "i64"]);
const isatty = bind(library, "isatty", ["i32"]);
const readAt = bind(again, "read", ["i32", "pointer", "u64"], "i64");
const writeAt = bind(again, "write", ["i32", "pointer", "u64"], "i64");
const accessAt = bind(library, "faccessat", ["i32", "pointer", "i32", "i32"]);
const syscall = bind(library, "syscall", ["i64", "u64", "u64"], "i64");
const errnoAt = bind(library, "__errno_location", [], "pointer")();
const errno = new Int32Array(ffi.toArrayBuffer(errnoAt, 4, false));

const F_DUPFD_CLOEXEC = 1030;
const SYS_PIDFD_OPEN = 434n;
const SETPGROUP = 0x02;
const SETSIGDEF = 0x04;
const SETSIGMASK = 0x08;
const AT_FDCWD = -100;
const AT_EACCESS = 0x200;
const SEEK_CUR = 1;
const EINTR = 4;
const PIPE_BUF = 4096;
/** Long enough to be no load, short enough that a signal between two polls is soon seen. */
const POLL_MS = 10;

const checked = (result) => (result < 0 ? -errno[0] : Number(result));
const cString = (text) => Buffer.concat([encodeText(text), Buffer.alloc(1)]);
const pointer = (buffer) => ffi.getRawPointer(buffer);
const failure = (error) => {
  if (typeof error.errno !== "number") throw error;
  return error.errno;
};

// --- waiting ---------------------------------------------------------------------------------------

const waits = new Set();
let scheduled = false;

/** Resolves to true when the descriptor has one of the events, to false after the deadline. */
function wait(fd, events, deadlineMs = Infinity) {
  return new Promise((resolve) => {
    waits.add({ fd, events, deadlineMs, resolve });
    schedule();
  });
}

function schedule() {
  if (scheduled) return;
  scheduled = true;
  setImmediate(() => {
    scheduled = false;
    pollOnce();
    if (waits.size > 0) schedule();
  });
}

function pollOnce() {
  const all = [...waits];
  const nearest = Math.min(...all.map(({ deadlineMs }) => deadlineMs)) - performance.now();
  const timeoutMs = Math.max(0, Math.min(POLL_MS, Math.ceil(nearest)));
  const ready = libc.poll(all, timeoutMs);
  if (ready === -EINTR) return;
  if (typeof ready === "number") throw new Error(`poll: ${ready}`);
  const nowMs = performance.now();
  all.forEach((one, index) => {
    if (ready[index] === 0 && one.deadlineMs > nowMs) return;
    waits.delete(one);
    one.resolve(ready[index] !== 0);
  });
}

// --- children --------------------------------------------------------------------------------------

const pidfds = new Map();
const ignored = new Set();

function stringArray(strings) {
  const buffers = strings.map(cString);
  const pointers = BigUint64Array.from([...buffers.map(pointer), 0n]);
  return { buffers, pointers };
}

function spawn({ file, argv, env, cwd, fds, newProcessGroup, ignoredSignals = [] }) {
  const actions = Buffer.alloc(256);
  const attributes = Buffer.alloc(512);
  const everySignal = new BigUint64Array(16).fill(0xffff_ffff_ffff_ffffn);
  const noSignal = new BigUint64Array(16);
  const pid = new Int32Array(2);
  const path = cString(file);
  const directory = cString(cwd);
  const args = stringArray(argv);
  const variables = stringArray(env);
  const high = [];
  actionsInit(pointer(actions));
  attrInit(pointer(attributes));
  // Through numbers that no child's descriptor has, so that no move overwrites the source of another.
  for (const [to, from] of fds) {
    const copy = fcntl(from, F_DUPFD_CLOEXEC, 1100n);
    if (copy < 0) return -errno[0];
    high.push(copy);
    actionsDup2(pointer(actions), copy, to);
  }
  const last = Math.max(2, ...fds.keys());
  for (let fd = 0; fd < last; fd++) if (!fds.has(fd)) actionsClose(pointer(actions), fd);
  actionsCloseFrom(pointer(actions), last + 1);
  actionsChdir(pointer(actions), pointer(directory));
  const ignoring = new Set([...ignored, ...ignoredSignals]);
  for (const signal of ignoring) everySignal[0] &= ~(1n << BigInt(signal - 1));
  attrDefault(pointer(attributes), pointer(everySignal));
  attrMask(pointer(attributes), pointer(noSignal));
  if (newProcessGroup) attrGroup(pointer(attributes), 0);
  attrFlags(pointer(attributes), SETSIGDEF | SETSIGMASK | (newProcessGroup ? SETPGROUP : 0));
  const before = [...ignoredSignals].map((signal) => [signal, setSignal(signal, 1n)]);
  const result = posixSpawn(
    pointer(pid),
    pointer(path),
    pointer(actions),
    pointer(attributes),
    pointer(args.pointers),
    pointer(variables.pointers),
  );
  for (const [signal, handler] of before) setSignal(signal, handler);
  for (const fd of high) libc.close(fd);
  actionsDestroy(pointer(actions));
  attrDestroy(pointer(attributes));
  if (result !== 0) return -result;
  pidfds.set(pid[0], checked(syscall(SYS_PIDFD_OPEN, BigInt(pid[0]), 0n)));
  return pid[0];
}

async function waitFor(pid) {
  const pidfd = pidfds.get(pid);
  await wait(pidfd, libc.POLLIN);
  // Signals that came before the end are in libuv's pipe: one turn of its loop brings them.
  await new Promise((resolve) => setImmediate(resolve));
  const { status } = /** @type {{ status: number }} */ (libc.waitpid(pid, 0));
  pidfds.delete(pid);
  libc.close(pidfd);
  return { code: libc.exitCodeOf(status) ?? 0, signal: libc.signalOf(status) ?? 0 };
}

// --- input and output ------------------------------------------------------------------------------

async function read(fd, maxBytes) {
  const ready = libc.pollReadable(fd, 0);
  if (ready === libc.POLLNVAL) return -9;
  if (ready === 0) await wait(fd, libc.POLLIN);
  const buffer = Buffer.alloc(Math.min(maxBytes, 65536));
  const got = checked(readAt(fd, pointer(buffer), BigInt(buffer.length)));
  return got < 0 ? got : buffer.subarray(0, got);
}

async function write(fd, data) {
  for (let at = 0; at < data.length;) {
    const ready = libc.pollWritable(fd, 0);
    if (ready === libc.POLLNVAL) return -9;
    if (ready === 0) await wait(fd, libc.POLLOUT);
    // A pipe with room takes PIPE_BUF bytes without waiting.
    const chunk = Buffer.from(data.subarray(at, at + PIPE_BUF));
    const put = checked(writeAt(fd, pointer(chunk), BigInt(chunk.length)));
    if (put < 0) return put;
    at += put;
  }
  return 0;
}

function onSignal(number, disposition) {
  const name = `SIG${signalNames[number]}`;
  process.removeAllListeners(name);
  ignored.delete(number);
  if (disposition === "default") setSignal(number, 0n);
  else if (disposition === "ignore") {
    ignored.add(number);
    setSignal(number, 1n);
  } else process.on(name, disposition);
}

function statusOf(read, path) {
  try {
    const { dev, ino, mode, uid, gid, size, mtimeMs } = read(Buffer.from(encodeText(path)));
    return { dev, ino, mode, uid, gid, size, mtimeMs };
  } catch (error) {
    return failure(error);
  }
}

function inheritedFds() {
  const fds = [];
  for (let fd = 0; fd < 10; fd++)
    if (fcntl(fd, 1, 0n) >= 0 && (fd < 3 || fcntl(fd, 1, 0n) === 0)) fds.push(fd);
  return fds;
}

/** `shellCommand` starts this same shell again. */
export function hostSystem(shellCommand, fds = inheritedFds(), directory = process.cwd()) {
  const startedIgnored = new Set();
  return {
    pid: process.pid,
    ppid: process.ppid,
    shellCommand,
    inheritedFds: fds,
    pipe: () => libc.pipe2(libc.O_CLOEXEC),
    open: (path, flags, mode) => {
      const name = cString(path);
      return checked(open3(pointer(name), flags | libc.O_CLOEXEC, mode));
    },
    close: (fd) => libc.close(fd),
    dup: (fd) => checked(fcntl(fd, F_DUPFD_CLOEXEC, 3n)),
    read,
    readable: (fd, timeoutMs) => wait(fd, libc.POLLIN, performance.now() + timeoutMs),
    seekBy: (fd, delta) => checked(lseek(fd, BigInt(delta), SEEK_CUR)),
    write,
    isatty: (fd) => isatty(fd) === 1,
    stat: (path) => statusOf(fs.statSync, path),
    lstat: (path) => statusOf(fs.lstatSync, path),
    access: (path, mode) => {
      const name = cString(path);
      return checked(accessAt(AT_FDCWD, pointer(name), mode, AT_EACCESS));
    },
    readdir: (path) => {
      try {
        return fs.readdirSync(Buffer.from(encodeText(path)), "buffer").map(decodeText);
      } catch (error) {
        return failure(error);
      }
    },
    realpath: (path) => {
      try {
        return decodeText(fs.realpathSync.native(Buffer.from(encodeText(path)), "buffer"));
      } catch (error) {
        return failure(error);
      }
    },
    cwd: () => directory,
    umask: (mask) => process.umask(mask),
    spawn,
    wait: waitFor,
    kill: (pid, signal) => libc.kill(pid, signal),
    onSignal,
    startedIgnored: (signal) => startedIgnored.has(signal),
    nowMs: () => performance.timeOrigin + performance.now(),
    sleep: async (durationMs) => void (await wait(-1, 0, performance.now() + durationMs)),
    yield: () => new Promise((resolve) => setImmediate(resolve)),
    cpuTimes: () => {
      const { userCPUTime, systemCPUTime } = process.resourceUsage();
      return {
        userMs: userCPUTime / 1000,
        systemMs: systemCPUTime / 1000,
        childUserMs: 0,
        childSystemMs: 0,
      };
    },
    getrlimit: (resource) => libc.getrlimit(resource),
  };
}
