// Raw native calls for the hostile tests, and a forked, filtered child to make them in.
import * as ffi from "node:ffi";
import * as libc from "../../../dist/sandbox/libc.js";
import { buildStage2, install } from "../../../dist/sandbox/seccomp.js";

const library = new ffi.DynamicLibrary("libc.so.6");
const call = library.getFunction("syscall", {
  arguments: ["i64", "u64", "u64", "u64", "u64", "u64", "u64"],
  return: "i64",
});
const errno = new Int32Array(
  ffi.toArrayBuffer(
    library.getFunction("__errno_location", { arguments: [], return: "pointer" })(),
    4,
    false,
  ),
);
const bsearch = library.getFunction("bsearch", {
  arguments: ["pointer", "pointer", "u64", "u64", "pointer"],
  return: "pointer",
});
const pthreadCreate = library.getFunction("pthread_create", {
  arguments: ["pointer", "pointer", "pointer", "pointer"],
  return: "i32",
});
const pthreadJoin = library.getFunction("pthread_join", {
  arguments: ["pointer", "pointer"],
  return: "i32",
});

const keep = [];
const u64 = (value) => BigInt.asUintN(64, BigInt(value));

export function address(value) {
  if (typeof value === "string") value = Buffer.from(`${value}\0`);
  keep.push(value);
  return ffi.getRawPointer(value);
}

export function words(...values) {
  return address(BigUint64Array.from(values.map(u64)));
}

/** { result, errno }; pointers as bigints, everything else as numbers or bigints. */
export function syscall(nr, ...args) {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = args;
  errno[0] = 0;
  const result = call(BigInt(nr), u64(a), u64(b), u64(c), u64(d), u64(e), u64(f));
  return { result: Number(result), errno: result === -1n ? errno[0] : 0 };
}

const INT_80 = [0xcd, 0x80];
const TWO_NOPS = [0x90, 0x90];

/** `int $0x80`, from code that was written and made executable after the filter came down. */
export const int80 = (nr) => generated(nr, INT_80);

/** The same code without the instruction in question: it must run. */
export const withoutInt80 = (nr) => generated(nr, TWO_NOPS);

function generated(nr, instruction) {
  const page = BigInt(syscall(9, 0, 4096, 3, 0x22, -1, 0).result);
  const code = [0x53, 0x89, 0xf8, ...instruction, 0x5b, 0xc3];
  new Uint8Array(ffi.toArrayBuffer(page, 4096, false)).set(code);
  const made = syscall(10, page, 4096, 7);
  if (made.result !== 0) return made;
  bsearch(BigInt(nr), page, 1n, 1n, page);
  return { result: 0, errno: 0 };
}

/** A real thread: clone with exactly glibc's flags. */
export function thread() {
  const handle = new BigUint64Array(1);
  const made = pthreadCreate(ffi.getRawPointer(handle), 0n, library.getSymbol("getpid"), 0n);
  if (made !== 0) return { result: -1, errno: made };
  return { result: pthreadJoin(handle[0], 0n), errno: 0 };
}

/**
 * Forks, filters the child, runs `body` there. Returns { result, errno } as
 * `body` did, or { signal }, { exit } when the child ended before its report.
 */
export function inGuest(body, { strict = false, prepare = () => {}, timeoutMs = 10_000 } = {}) {
  const [readEnd, writeEnd] = libc.pipe2(libc.O_CLOEXEC);
  const pid = libc.fork();
  if (pid === 0) {
    try {
      libc.setParentDeathSignal(libc.SIGKILL);
      libc.uvLoopFork();
      prepare();
      install(buildStage2({ pid: libc.getpid(), strict }));
      const report = Buffer.from(JSON.stringify(body()));
      libc.write(writeEnd, report, 0, report.length);
      libc._exit(0);
    } catch (error) {
      const text = Buffer.from(JSON.stringify({ thrown: String(error) }));
      libc.write(writeEnd, text, 0, text.length);
      libc._exit(99);
    }
  }
  libc.close(writeEnd);
  const buffer = Buffer.alloc(65536);
  let length = 0;
  for (;;) {
    if (libc.pollReadable(readEnd, timeoutMs) === 0) {
      libc.kill(pid, libc.SIGKILL);
      libc.waitpid(pid, 0);
      libc.close(readEnd);
      return { timeout: true };
    }
    const got = libc.read(readEnd, buffer, length, buffer.length - length);
    if (got <= 0) break;
    length += got;
  }
  libc.close(readEnd);
  const { status } = libc.waitpid(pid, 0);
  const signal = libc.signalOf(status);
  if (signal !== undefined) return { signal };
  if (length === 0) return { exit: libc.exitCodeOf(status) };
  return JSON.parse(buffer.toString("utf8", 0, length));
}
