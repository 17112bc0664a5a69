/**
 * Owns lists of system calls, as memory that some twenty instructions of machine code run: what a process does in which
 * there is no engine, or none yet.
 *
 * Invariants: what is called with what is laid out ahead; of results only the sign decides how it goes on.
 * Untrusted: nothing.
 */
import { cString } from "./libc.js";

const x64 = process.arch === "x64";
const numbers = {
  clone: x64 ? 56 : 220,
  close: x64 ? 3 : 57,
  close_range: 436,
  dup3: x64 ? 292 : 24,
  execve: x64 ? 59 : 221,
  exit_group: x64 ? 231 : 94,
  fcntl: x64 ? 72 : 25,
  landlock_create_ruleset: 444,
  landlock_restrict_self: 446,
  memfd_create: x64 ? 319 : 279,
  munmap: x64 ? 11 : 215,
  openat: x64 ? 257 : 56,
  pipe2: x64 ? 293 : 59,
  prctl: x64 ? 157 : 167,
  recvmsg: x64 ? 47 : 212,
  seccomp: x64 ? 317 : 277,
  socketpair: x64 ? 53 : 199,
  write: x64 ? 1 : 64,
} as const;

export const SIGCHLD = 17;
export const callFlags = Object.freeze({
  CLONE_PARENT_SETTID: 0x10_0000,
  PR_SET_PDEATHSIG: 1,
  PR_SET_NO_NEW_PRIVS: 38,
});
const AT_FDCWD = -100;
const O_RDWR = 2;

/**
 * A row is twelve words. The code stores the eleventh's value where the tenth says, makes the system call of word 0
 * with words 1 to 6, and goes on with the row in word 7 after a negative result, in word 8 after zero, in word 9 otherwise.
 */
const wordsPerRow = 12;
/** On x64, the code for the row at rbx, up to two jumps: of 8 bytes over a row's successor to the next, and of 12 to that after zero. */
export const oneRow: readonly (readonly number[])[] = [
  [0x48, 0x8b, 0x43, 0x50, 0x48, 0x8b, 0x4b, 0x58], // mov rax, [rbx+80]; mov rcx, [rbx+88]
  [0x48, 0x89, 0x08], // mov [rax], rcx
  [0x48, 0x8b, 0x03, 0x48, 0x8b, 0x7b, 0x08], // mov rax, [rbx]; mov rdi, [rbx+8]
  [0x48, 0x8b, 0x73, 0x10, 0x48, 0x8b, 0x53, 0x18], // mov rsi, [rbx+16]; mov rdx, [rbx+24]
  [0x4c, 0x8b, 0x53, 0x20, 0x4c, 0x8b, 0x43, 0x28], // mov r10, [rbx+32]; mov r8, [rbx+40]
  [0x4c, 0x8b, 0x4b, 0x30, 0x0f, 0x05], // mov r9, [rbx+48]; syscall
  [0x48, 0x85, 0xc0, 0x78, 0x08, 0x74, 0x0c], // test rax, rax; js negative; jz zero
];
/** The name of a row that is none: an address of 0. */
const nowhereName = "return";

/** Words and texts at addresses that are known while they are laid out. A bigint among the words may be an address. */
export class Memory {
  readonly #bytes: Buffer;
  readonly #base: bigint;
  readonly #addressesAt: number[] = [];
  #used = 0;

  /** The upper half of `size` is left free. */
  constructor(size: number, base: bigint) {
    this.#bytes = Buffer.alloc(size);
    this.#base = base;
  }

  get bytes(): Buffer {
    return this.#bytes;
  }

  get used(): number {
    return this.#used;
  }

  /** Where in `bytes` a word was given as a bigint. */
  get addressesAt(): readonly number[] {
    return this.#addressesAt;
  }

  reserve(size: number): bigint {
    const at = this.#used;
    this.#used += (size + 7) & ~7;
    if (this.#used > this.#bytes.length / 2) throw new RangeError("the list's memory is full");
    return this.#base + BigInt(at);
  }

  set(address: bigint, ...words: readonly (bigint | number)[]): void {
    let at = Number(address - this.#base);
    for (const word of words) {
      if (typeof word === "bigint") this.#addressesAt.push(at);
      at = this.#bytes.writeBigUInt64LE(BigInt.asUintN(64, BigInt(word)), at);
    }
  }

  words(...words: readonly (bigint | number)[]): bigint {
    const address = this.reserve(words.length * 8);
    this.set(address, ...words);
    return address;
  }

  content(bytes: Uint8Array): bigint {
    const address = this.reserve(bytes.length);
    this.#bytes.set(bytes, Number(address - this.#base));
    return address;
  }

  text(value: string): bigint {
    return this.content(cString(value));
  }
}

export interface Row {
  call: keyof typeof numbers;
  args: readonly (bigint | number)[];
  /** Names of rows: after a negative result, zero and a positive one; the next row when left out. "return": none. */
  negative?: string;
  zero?: string;
  positive?: string;
  name?: string;
  /** A word to set before the call. */
  store?: readonly [address: bigint, value: number];
}

/** Lays the rows out; answers the first one's address. */
export function layRows(memory: Memory, rows: readonly Row[]): bigint {
  const nowhere = memory.words(0);
  const addresses = rows.map(() => memory.reserve(wordsPerRow * 8));
  const at = (name: string | undefined, index: number): bigint | number => {
    if (name === nowhereName) return 0;
    const found = name === undefined ? index + 1 : rows.findIndex((row) => row.name === name);
    const address = addresses[found];
    if (address === undefined) throw new Error(`no row ${name ?? index + 1}`);
    return address;
  };
  rows.forEach((row, index) => {
    const args = [...row.args, 0, 0, 0, 0, 0, 0].slice(0, 6);
    const next = [row.negative, row.zero, row.positive].map((name) => at(name, index));
    const store = row.store ?? [nowhere, 0];
    memory.set(addresses[index]!, numbers[row.call], ...args, ...next, ...store);
  });
  return addresses[0]!;
}

/** Null devices as 0 and 1, opened for each process: nobody shares them. Each takes the lowest number that is free, which is the one just closed. */
export function standardStreams(memory: Memory): Row[] {
  const nothing = memory.text("/dev/null");
  return [0, 1].flatMap((fd): Row[] => [
    { call: "close", args: [fd] },
    { call: "openat", args: [AT_FDCWD, nothing, O_RDWR], negative: "leave" },
  ]);
}
