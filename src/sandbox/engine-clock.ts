/**
 * Owns a clock of ours under the engine's own: what its C++ takes the time from, which is the code that Linux
 * maps into every process (vdso(7)). In this process, that code becomes a jump to ours, which reads
 * the time from memory. It is for deterministic runs: Dates that Node makes inside itself, those of other
 * contexts, and marks of `performance` would tell the real time otherwise.
 *
 * Invariants: the clock stands until it is set; other threads of the process, which wait for real, go on asking
 * Linux. It changes nothing outside the process, and protects nothing.
 */
import * as ffi from "node:ffi";
import * as libc from "./libc.js";
import { bind, openLibrary } from "./native.js";

/** getauxval(3): where the vDSO is. */
const AT_SYSINFO_EHDR = 33n;
const pageBytes = 4096;
const [PROT_READ_EXEC, PROT_ALL] = [5, 7];
/** elf(5). */
const [PT_LOAD, PT_DYNAMIC, DT_NULL, DT_HASH, DT_STRTAB, DT_SYMTAB] = [1, 2, 0, 4, 5, 6];
const [programHeaderBytes, symbolBytes] = [56, 24];
/** The vDSO of x86-64 has two pages. */
const mostVdsoBytes = 8 * pageBytes;
/** Where in our page the code begins behind the numbers: monotonic time, what to add for the time of day, the thread. */
const dataBytes = 24;
const dataWords = { monotonicNs: 0, epochNs: 1, thread: 2 } as const;

/** Machine code, in hexadecimal. */
const x86 = (text: string): number[] => [...Buffer.from(text.replaceAll(" ", ""), "hex")];
const u64 = (value: bigint): number[] => [...new Uint8Array(BigUint64Array.of(value).buffer)];
const u32 = (value: number): number[] => [...new Uint8Array(Uint32Array.of(value).buffer)];

/** mov rax, data; a thread that is not the first one asks Linux; rcx is the monotonic time. */
const prologue = (data: bigint, call: number): number[] => [
  ...x86("48 b8"),
  ...u64(data), // mov rax, data
  ...x86("64 48 8b 0c 25 10 00 00 00"), // mov rcx, fs:[16]
  ...x86("48 3b 48 10"), // cmp rcx, [rax+16]
  ...x86("74 08"), // je +8
  ...x86("b8"),
  ...u32(call),
  ...x86("0f 05 c3"), // mov eax, call; syscall; ret
  ...x86("48 8b 08"), // mov rcx, [rax]
];
const addEpoch = x86("48 03 48 08"); // add rcx, [rax+8]
const divide = (by: number): number[] => [
  ...x86("31 d2"), // xor edx, edx
  ...x86("b9"),
  ...u32(by), // mov ecx, by
  ...x86("48 f7 f1"), // div rcx
];
const toSeconds = [0x48, 0x89, 0xc8, ...divide(1_000_000_000)]; // mov rax, rcx; …
const answerZero = x86("31 c0 c3"); // xor eax, eax; ret

/** The functions of the vDSO and what they become; the number is that of the system call. */
const functions: Readonly<Record<string, (data: bigint) => number[]>> = {
  // clock_gettime(edi, rsi): 0 and 5 are times of day, all others count from some start.
  __vdso_clock_gettime: (data) => [
    ...prologue(data, 228),
    ...x86("85 ff 74 05"), // test edi, edi; je +5
    ...x86("83 ff 05 75 04"), // cmp edi, 5; jne +4
    ...addEpoch,
    ...toSeconds,
    ...x86("48 89 06 48 89 56 08"), // mov [rsi], rax; mov [rsi+8], rdx
    ...answerZero,
  ],
  // gettimeofday(rdi, rsi)
  __vdso_gettimeofday: (data) => [
    ...prologue(data, 96),
    ...addEpoch,
    ...x86("48 85 ff 75 03"), // test rdi, rdi; jne +3
    ...answerZero,
    ...toSeconds,
    ...x86("48 89 07 48 89 d0"), // mov [rdi], rax; mov rax, rdx
    ...divide(1000),
    ...x86("48 89 47 08"), // mov [rdi+8], rax
    ...answerZero,
  ],
  // time(rdi)
  __vdso_time: (data) => [
    ...prologue(data, 201),
    ...addEpoch,
    ...toSeconds,
    ...x86("48 85 ff 74 03 48 89 07"), // test rdi, rdi; je +3; mov [rdi], rax
    0xc3, // ret
  ],
};

/** mov r11, target; jmp r11. */
const jump = (target: bigint): number[] => [0x49, 0xbb, ...u64(target), 0x41, 0xff, 0xe3];

interface Vdso {
  base: bigint;
  bytes: number;
  /** Offsets of its functions by name. */
  functions: ReadonlyMap<string, number>;
}

/** Reads the vDSO as what it is, a small shared library in memory. */
function readVdso(base: bigint): Vdso | undefined {
  const first = Buffer.from(ffi.toArrayBuffer(base, pageBytes, false));
  const headers = Number(first.readBigUInt64LE(32));
  let [bytes, dynamic] = [0, 0];
  for (
    let at = headers, left = first.readUInt16LE(56);
    left > 0;
    at += programHeaderBytes, left--
  ) {
    const kind = first.readUInt32LE(at);
    if (kind === PT_LOAD) bytes = Number(first.readBigUInt64LE(at + 40));
    if (kind === PT_DYNAMIC) dynamic = Number(first.readBigUInt64LE(at + 16));
  }
  bytes = Math.ceil(bytes / pageBytes) * pageBytes;
  if (bytes === 0 || bytes > mostVdsoBytes || dynamic === 0) return undefined;
  const memory = Buffer.from(ffi.toArrayBuffer(base, bytes, false));
  const found = new Map<number, number>();
  for (let at = dynamic; ; at += 16) {
    const tag = Number(memory.readBigInt64LE(at));
    if (tag === DT_NULL) break;
    found.set(tag, Number(memory.readBigUInt64LE(at + 8)));
  }
  const [hash, strings, symbols] = [DT_HASH, DT_STRTAB, DT_SYMTAB].map((tag) => found.get(tag));
  if (hash === undefined || strings === undefined || symbols === undefined) return undefined;
  const offsets = new Map<string, number>();
  for (let index = 0; index < memory.readUInt32LE(hash + 4); index++) {
    const symbol = symbols + index * symbolBytes;
    const start = strings + memory.readUInt32LE(symbol);
    const name = memory.toString("latin1", start, memory.indexOf(0, start));
    offsets.set(name, Number(memory.readBigUInt64LE(symbol + 8)));
  }
  return { base, bytes, functions: offsets };
}

export class EngineClock {
  readonly #words: BigInt64Array;

  private constructor(words: BigInt64Array) {
    this.#words = words;
  }

  /** Puts it in place, standing at the time that it is; or answers why that cannot be. */
  static install(): EngineClock | string {
    if (process.arch !== "x64") return `there is no code for ${process.arch}`;
    const library = openLibrary();
    const auxiliary = bind<[bigint], bigint>(library, "getauxval", ["u64"], "u64");
    const self = bind<[], bigint>(library, "pthread_self", [], "u64");
    const base = auxiliary(AT_SYSINFO_EHDR);
    const vdso = base === 0n ? undefined : readVdso(base);
    if (vdso === undefined) return "this Linux maps no clock into processes";
    const page = libc.reserveMemory(2 * pageBytes);
    if (typeof page === "number") return `mmap: errno ${-page}`;
    const words = new BigInt64Array(ffi.toArrayBuffer(page, dataBytes, false));
    words[dataWords.monotonicNs] = process.hrtime.bigint();
    words[dataWords.epochNs] = BigInt(Date.now()) * 1_000_000n - words[dataWords.monotonicNs]!;
    words[dataWords.thread] = self();
    const entries = placeCode(vdso, page + BigInt(pageBytes), page);
    if (typeof entries === "string") return entries;
    const why = redirect(vdso, entries);
    return why ?? new EngineClock(words);
  }

  /** Nanoseconds; `epochNs` since the epoch. */
  set(monotonicNs: bigint, epochNs: bigint): void {
    this.#words[dataWords.monotonicNs] = monotonicNs;
    this.#words[dataWords.epochNs] = epochNs - monotonicNs;
  }
}

/** Writes our functions to a page of their own: by offsets in the vDSO, where each is. */
function placeCode(vdso: Vdso, page: bigint, data: bigint): Map<number, bigint> | string {
  const memory = new Uint8Array(ffi.toArrayBuffer(page, pageBytes, false));
  const entries = new Map<number, bigint>();
  let at = 0;
  for (const [name, codeOf] of Object.entries(functions)) {
    const offset = vdso.functions.get(name);
    if (offset === undefined) return `the clock of this Linux has no ${name}`;
    const code = codeOf(data);
    memory.set(code, at);
    entries.set(offset, page + BigInt(at));
    at += Math.ceil(code.length / 16) * 16;
  }
  const sealed = libc.protectMemory(page, pageBytes, PROT_READ_EXEC);
  return sealed < 0 ? `mprotect: errno ${-sealed}` : entries;
}

function redirect({ base, bytes }: Vdso, entries: ReadonlyMap<number, bigint>): string | undefined {
  const opened = libc.protectMemory(base, bytes, PROT_ALL);
  // Some Linux is built to have it never changed (mseal).
  if (opened < 0)
    return `the clock that this Linux maps into processes cannot be replaced: errno ${-opened}`;
  const memory = new Uint8Array(ffi.toArrayBuffer(base, bytes, false));
  for (const [offset, target] of entries) memory.set(jump(target), offset);
  libc.protectMemory(base, bytes, PROT_READ_EXEC);
  return undefined;
}
