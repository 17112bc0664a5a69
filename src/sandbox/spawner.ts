/**
 * Owns the one process that may execute: made before this process gives up that right, it starts
 * the same program with the same arguments whenever it is asked, and can do nothing else.
 *
 * It is a list of system calls, run by some twenty instructions of machine code in memory of its own:
 * before it listens it lets go of everything that it inherited, this process's memory included. Asked,
 * it makes the next spawner and becomes the program itself, so whoever is started is this process's
 * child, comes before the next spawner, and dies with this process from its first instruction on.
 *
 * Invariants: what is executed, with which arguments, environment and files, is fixed when the
 * spawner is made; whoever asks adds two descriptors and decides nothing.
 * Untrusted: who asks. Whoever runs code in this process is meant to get no more than honest programs.
 */
import { readFileSync, readdirSync } from "node:fs";
import { Memory, SIGCHLD, callFlags, layRows, oneRow, standardStreams } from "./call-list.js";
import type { Row } from "./call-list.js";
import * as libc from "./libc.js";
import { bind, openLibrary } from "./native.js";

/**
 * Runs rows of twelve words, the first of which it is given: stores the eleventh's value where the
 * tenth says, makes the system call of word 0 with words 1 to 6, and goes on with the row in word 7 after
 * a negative result, in word 8 after zero, in word 9 otherwise.
 */
const interpreter: Readonly<Record<string, readonly (readonly number[])[]>> = {
  x64: [
    [0x48, 0x89, 0xfb], // mov rbx, rdi
    ...oneRow, // again:
    [0x48, 0x8b, 0x5b, 0x48, 0xeb, 0xcb], // mov rbx, [rbx+72]; jmp again
    [0x48, 0x8b, 0x5b, 0x38, 0xeb, 0xc5], // negative: mov rbx, [rbx+56]; jmp again
    [0x48, 0x8b, 0x5b, 0x40, 0xeb, 0xbf], // zero: mov rbx, [rbx+64]; jmp again
  ],
  arm64: [
    [0xf3, 0x03, 0x00, 0xaa], // mov x19, x0
    [0x69, 0x2a, 0x45, 0xa9, 0x2a, 0x01, 0x00, 0xf9], // again: ldp x9, x10, [x19, #80]; str x10, [x9]
    [0x68, 0x02, 0x40, 0xf9, 0x60, 0x86, 0x40, 0xa9], // ldr x8, [x19]; ldp x0, x1, [x19, #8]
    [0x62, 0x8e, 0x41, 0xa9, 0x64, 0x96, 0x42, 0xa9], // ldp x2, x3, [x19, #24]; ldp x4, x5, [x19, #40]
    [0x01, 0x00, 0x00, 0xd4, 0x1f, 0x00, 0x00, 0xf1], // svc #0; cmp x0, #0
    [0x8b, 0x00, 0x00, 0x54, 0xa0, 0x00, 0x00, 0x54], // b.lt negative; b.eq zero
    [0x73, 0x26, 0x40, 0xf9, 0xf5, 0xff, 0xff, 0x17], // ldr x19, [x19, #72]; b again
    [0x73, 0x1e, 0x40, 0xf9, 0xf3, 0xff, 0xff, 0x17], // negative: ldr x19, [x19, #56]; b again
    [0x73, 0x22, 0x40, 0xf9, 0xf1, 0xff, 0xff, 0x17], // zero: ldr x19, [x19, #64]; b again
  ],
};

/** Code, then data with the stack in its upper half; no page is larger on arm64. */
const codeBytes = 64 * 1024;
const dataBytes = 64 * 1024;
/** More than libc has for a thread, on either side of its errno; a multiple of any page. */
const threadBytes = 64n * 1024n;
const PROT_READ_EXEC = 5;

const CLONE_PARENT = 0x8000;
/** struct msghdr on 64 bits: where msg_iov, msg_iovlen, msg_control and msg_controllen are. */
const messageWords = { iov: 2, iovLength: 3, control: 4, controlLength: 5, size: 7 };
/** CMSG_SPACE of two descriptors. */
const controlBytes = 24;

/** Where whoever is started finds what it is given: two descriptors of the asker's, then the files. */
const firstGiven = 2;
const givenCount = 2;
const firstFile = firstGiven + givenCount;
const pidBytes = 4;
/** It answers within a page table's copy; one that does not is stopped or gone. Shorter than the host's patience: nobody is served meanwhile. */
const answerMs = 2000;

export interface SpawnerOptions {
  /** An absolute path. */
  readonly path: string;
  /** The first is the program's name for itself. */
  readonly argv: readonly string[];
  /** All of its environment, as `NAME=value`. Default: none. */
  readonly environment?: readonly string[];
  /** Open files that everybody started shares, from descriptor 4 on: to be read at a position. */
  readonly files: readonly number[];
}

/** What of a mapping lies near an address, in whole pages. */
function around(address: bigint, from: bigint, to: bigint): [bigint, bigint] {
  const middle = address - (address % threadBytes);
  const [low, high] = [middle - threadBytes, middle + 2n * threadBytes];
  return [low > from ? low : from, high < to ? high : to];
}

/**
 * Everything that is mapped but the spawner's own memory, as ranges for munmap(2), and but the thread's
 * (errno is in it): Linux writes there whenever it goes on with the thread (rseq(2)).
 */
function everythingBut(first: bigint, end: bigint): [bigint, bigint][] {
  const kept: [bigint, bigint][] = [[first, end]];
  const thread = libc.addressOf(libc.errnoView);
  let last = end;
  for (const line of readFileSync("/proc/self/maps", "latin1").split("\n")) {
    // vsyscall is in no process's own address space.
    const range = /^([0-9a-f]+)-([0-9a-f]+) (?!.*\[vsyscall\])/.exec(line);
    if (range === null) continue;
    const [from, to] = [BigInt(`0x${range[1]}`), BigInt(`0x${range[2]}`)];
    if (from <= thread && thread < to) kept.push(around(thread, from, to));
    if (to > last) last = to;
  }
  kept.sort(([a], [b]) => (a < b ? -1 : 1));
  const starts = [0n, ...kept.map(([, to]) => to)];
  const ends = [...kept.map(([from]) => from), last];
  return starts.map((start, i): [bigint, bigint] => [start, ends[i]!]).filter(([a, b]) => a < b);
}

function program(memory: Memory, base: bigint, socket: number, options: SpawnerOptions): bigint {
  const pid = memory.words(0);
  const byte = memory.words(0);
  const control = memory.reserve(controlBytes);
  const vector = memory.words(byte, 1);
  const message = memory.reserve(messageWords.size * 8);
  memory.set(message + BigInt(messageWords.iov * 8), vector, 1, control, controlBytes);
  const controlLength = message + BigInt(messageWords.controlLength * 8);
  const path = memory.text(options.path);
  const argv = memory.words(...options.argv.map((text) => memory.text(text)), 0);
  const variables = options.environment ?? [];
  const environment = memory.words(...variables.map((text) => memory.text(text)), 0);
  const fileEnd = firstFile + options.files.length;
  const inherited = readdirSync("/proc/self/fd").map(Number);
  const fresh = standardStreams(memory);
  const rows: Row[] = [
    { call: "prctl", args: [callFlags.PR_SET_PDEATHSIG, libc.SIGKILL] },
    ...fresh,
    ...options.files.map((fd, i): Row => ({
      call: "dup3",
      args: [fd, firstFile + i, 0],
      negative: "leave",
    })),
    { call: "dup3", args: [socket, fileEnd, libc.O_CLOEXEC], negative: "leave" },
    ...inherited
      .filter((fd) => fd > fileEnd || (fd >= firstGiven && fd < firstFile))
      .map((fd): Row => ({ call: "close", args: [fd] })),
    ...everythingBut(base, base + BigInt(codeBytes + dataBytes)).map(([from, to]): Row => ({
      call: "munmap",
      args: [from, to - from],
    })),
    {
      name: "wait",
      call: "recvmsg",
      args: [fileEnd, message, 0],
      store: [controlLength, controlBytes],
      negative: "leave",
      zero: "leave",
    },
    {
      call: "clone",
      args: [CLONE_PARENT | callFlags.CLONE_PARENT_SETTID | SIGCHLD, 0, pid],
      negative: "leave",
      zero: "succeed",
    },
    { call: "write", args: [fileEnd, pid, pidBytes] },
    ...fresh,
    { call: "execve", args: [path, argv, environment] },
    { name: "leave", call: "exit_group", args: [1] },
    { name: "succeed", call: "prctl", args: [callFlags.PR_SET_PDEATHSIG, libc.SIGKILL] },
    ...Array.from({ length: givenCount }, (_, i): Row => ({
      call: "close",
      args: [firstGiven + i],
      ...(i === givenCount - 1 && { negative: "wait", zero: "wait", positive: "wait" }),
    })),
    // exit_group does not return; this is where its row would go on.
    { call: "exit_group", args: [1], negative: "leave", zero: "leave", positive: "leave" },
  ];
  return layRows(memory, rows);
}

/** Copies of descriptors above those that the spawner gives out, as it puts them in place one by one. */
function aloft(fds: readonly number[], least: number): number[] {
  return fds.map((fd) => {
    const copy = libc.duplicateFrom(fd, least);
    if (copy < 0) throw new Error(`fcntl: errno ${-copy}`);
    return copy;
  });
}

/** It was stopped or ended from outside: nothing can be started any more. */
export class SpawnerGone extends Error {
  constructor() {
    super("the process that starts zygotes is gone");
  }
}

export class Spawner {
  readonly #socket: number;
  #pid: number;

  private constructor(socket: number, pid: number) {
    this.#socket = socket;
    this.#pid = pid;
  }

  /** Throws when it cannot be made. */
  static start(options: SpawnerOptions): Spawner {
    const code = interpreter[process.arch];
    if (code === undefined) throw new Error(`no code for ${process.arch}`);
    const base = libc.reserveMemory(codeBytes + dataBytes);
    if (typeof base === "number") throw new Error(`mmap: errno ${-base}`);
    const pair = libc.socketpair(libc.SOCK_STREAM, libc.SOCK_CLOEXEC);
    if (typeof pair === "number") throw new Error(`socketpair: errno ${-pair}`);
    const [mine, theirs] = pair;
    const copies = aloft([...options.files, theirs], firstFile + options.files.length + 1);
    libc.close(theirs);
    const data = base + BigInt(codeBytes);
    const memory = new Memory(dataBytes, data);
    const first = program(memory, base, copies.at(-1)!, {
      ...options,
      files: copies.slice(0, -1),
    });
    libc.fillMemory(base, Buffer.from(code.flat()));
    libc.fillMemory(data, memory.bytes);
    const executable = libc.protectMemory(base, codeBytes, PROT_READ_EXEC);
    if (executable < 0) throw new Error(`mprotect: errno ${-executable}`);
    const clone = bind<[bigint, bigint, number, bigint], number>(
      openLibrary(),
      "clone",
      ["u64", "u64", "i32", "u64"],
      "i32",
    );
    const stack = data + BigInt(dataBytes);
    const pid = libc.checked(clone(base, stack, SIGCHLD, first));
    if (pid < 0) throw new Error(`clone: errno ${-pid}`);
    for (const fd of copies) libc.close(fd);
    libc.unmapMemory(base, codeBytes + dataBytes);
    return new Spawner(mine, pid);
  }

  /** Starts the program with two descriptors as its 2 and 3: its pid. Throws `SpawnerGone` when there is no spawner any more. */
  spawn(given: readonly [number, number]): number {
    const sent = libc.sendFds(this.#socket, Buffer.alloc(1), given);
    const next = Buffer.alloc(pidBytes);
    const readable = sent < 0 ? 0 : libc.pollReadable(this.#socket, answerMs);
    const size = (readable & libc.POLLIN) === 0 ? 0 : libc.read(this.#socket, next, 0, pidBytes);
    if (size !== pidBytes) throw new SpawnerGone();
    const pid = this.#pid;
    this.#pid = next.readInt32LE(0);
    return pid;
  }
}
