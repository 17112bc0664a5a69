/**
 * Owns how a guest's dynamic linker gets a shared object that the kernel process gave the guest as a sealed copy in
 * memory, its *image*. The linker opens, looks at and maps a file; in a guest that may load native addons each
 * of these raises SIGSYS (addon-policy.ts), and the handler here, machine code that any thread may run, answers in
 * the place of Linux:
 *
 * - `openat`, in a thread that serves an image: the image's descriptor, once. Otherwise ENOENT.
 * - `fstat` of that descriptor: a regular file with a number of its own. Otherwise EBADF.
 * - `mmap` of a descriptor: memory of the guest's own, with what can be read there.
 *
 * Invariants: no other call is answered; Linux makes none of these, so what is here protects nothing and can grant
 * nothing: a mistake is the guest's own. Each thread that serves has a slot of its own.
 * Untrusted: the image. What is wrong with it the linker finds out, or the process ends as by any other crash.
 */
import * as ffi from "node:ffi";
import { Errno } from "../abi/errno.js";
import * as libc from "./libc.js";
import { bind, openLibrary } from "./native.js";
import { IsolationUnavailable } from "./unavailable.js";

const SIGSYS = 31;
const SYS_GETTID = 186;
const PROT_READ_EXEC = 5;
/** dlfcn.h */
const [RTLD_LAZY, RTLD_NOLOAD] = [1, 4];

/** The main thread and each worker that a process may have. */
const slots = 13;
/** What a slot holds: a thread, what its next open gives, the image's descriptor, its number, the size of its first segment. */
const slot = { bytes: 32, thread: 0, opened: 4, fd: 8, number: 16, first: 24 } as const;
const pageBytes = 4096;

/**
 * `void handler(int, siginfo_t *, ucontext_t *)` for x64. r12 is the context, rbx the thread's slot or 0; offsets in the
 * context are those of the call's registers (sys/ucontext.h): r8 0x28, r9 0x30, r10 0x38, rdi 0x68, rsi 0x70, rdx 0x88,
 * rax 0x90. The linker's first mapping of a file sets all of its addresses aside and holds its first segment; the others
 * are mapped over it, so only that is read.
 */
const handler: readonly (readonly number[])[] = [
  [0x53, 0x55, 0x41, 0x54, 0x49, 0x89, 0xd4], // push rbx; push rbp; push r12; mov r12, rdx
  [0xb8, SYS_GETTID, 0, 0, 0, 0x0f, 0x05], // mov eax, gettid; syscall
  [0x48, 0xbb, 0, 0, 0, 0, 0, 0, 0, 0], // mov rbx, the slots
  [0xb9, slots, 0, 0, 0], // mov ecx, slots
  [0x39, 0x03, 0x74, 0x0a, 0x48, 0x83, 0xc3, slot.bytes, 0xff, 0xc9], // find: cmp [rbx], eax; je found; add rbx, 32; dec ecx
  [0x75, 0xf4, 0x31, 0xdb], // jne find; xor ebx, ebx
  [0x41, 0x8b, 0x8c, 0x24, 0x90, 0, 0, 0], // found: mov ecx, the call's rax: its number
  [0x49, 0x8b, 0x7c, 0x24, 0x68, 0x49, 0x8b, 0x74, 0x24, 0x70], // mov rdi, the call's rdi; mov rsi, its rsi
  [0x49, 0x8b, 0x94, 0x24, 0x88, 0, 0, 0], // mov rdx, its rdx
  [0x83, 0xf9, 9, 0x74, 0x62], // cmp ecx, 9 (mmap); je map
  [0x81, 0xf9, 1, 1, 0, 0, 0x74, 0x38], // cmp ecx, 257 (openat); je open
  [0xb8, Errno.EBADF, 0, 0, 0, 0x48, 0x85, 0xdb, 0x74, 0x48], // mov eax, EBADF; test rbx, rbx; je fail
  [0x3b, 0x7b, slot.fd, 0x75, 0x43, 0x83, 0xf9, 5, 0x74, 0x03], // cmp edi, the descriptor; jne fail; cmp ecx, 5 (fstat); je stat
  [0x48, 0x89, 0xd6], // mov rsi, rdx: newfstatat has the name before the result
  [0x48, 0x89, 0xf7, 0x31, 0xc0, 0xb9, 18, 0, 0, 0], // stat: mov rdi, rsi; xor eax, eax; mov ecx, 18
  [0xf3, 0x48, 0xab, 0x48, 0x8b, 0x4b, slot.number], // rep stosq; mov rcx, number
  [0x48, 0x89, 0x4e, 0x08], // mov [rsi + 8], rcx: st_ino
  [0xc7, 0x46, 0x18, 0x24, 0x81, 0, 0], // mov [rsi + 24], S_IFREG | 0444: st_mode
  [0xe9, 0xbe, 0, 0, 0], // jmp out
  [0xb8, Errno.ENOENT, 0, 0, 0, 0x48, 0x85, 0xdb, 0x74, 0x10], // open: mov eax, ENOENT; test rbx, rbx; je fail
  [0x48, 0x63, 0x43, slot.opened], // movsxd rax, what the open gives
  [0xc7, 0x43, slot.opened, 0xfe, 0xff, 0xff, 0xff], // mov it, -ENOENT
  [0xe9, 0xa4, 0, 0, 0], // jmp out
  [0x48, 0xf7, 0xd8, 0xe9, 0x9c, 0, 0, 0], // fail: neg rax; jmp out
  [0xba, 3, 0, 0, 0, 0x45, 0x8b, 0x54, 0x24, 0x38], // map: mov edx, READ | WRITE; mov r10d, the call's r10: flags
  [0x41, 0x83, 0xe2, 0x10, 0x44, 0x89, 0xd5], // and r10d, FIXED; mov ebp, r10d
  [0x41, 0x83, 0xca, 0x22, 0x49, 0x83, 0xc8, 0xff], // or r10d, PRIVATE | ANONYMOUS; or r8, -1
  [0x45, 0x31, 0xc9, 0xb8, 9, 0, 0, 0, 0x0f, 0x05], // xor r9d, r9d; mov eax, 9; syscall (mmap)
  [0x48, 0x3d, 0, 0xf0, 0xff, 0xff, 0x77, 0x71, 0x50], // cmp rax, -4096; ja out; push rax
  [0x48, 0x89, 0xc7, 0x49, 0x8b, 0x74, 0x24, 0x70], // mov rdi, rax; mov rsi, the call's rsi: length
  [0xba, 14, 0, 0, 0, 0xb8, 28, 0, 0, 0], // mov edx, HUGEPAGE; mov eax, 28
  [0x0f, 0x05, 0x48, 0x89, 0xfe, 0x49, 0x8b, 0x54, 0x24, 0x70], // syscall (madvise); mov rsi, rdi; mov rdx, length
  [0x85, 0xed, 0x75, 0x0e, 0x48, 0x85, 0xdb, 0x74, 0x09], // test ebp, ebp; jne whole; test rbx, rbx; je whole
  [0x48, 0x3b, 0x53, slot.first, 0x48, 0x0f, 0x47, 0x53, slot.first], // cmp rdx, first segment; cmova rdx, first segment
  [0x41, 0x8b, 0x7c, 0x24, 0x28, 0x4d, 0x8b, 0x54, 0x24, 0x30], // whole: mov edi, the call's r8: fd; mov r10, its r9: offset
  [0xb8, 17, 0, 0, 0, 0x0f, 0x05, 0x48, 0x85, 0xc0], // more: mov eax, 17; syscall (pread64); test rax, rax
  [0x7e, 0x0b, 0x48, 0x01, 0xc6, 0x49, 0x01, 0xc2], // jle end; add rsi, rax; add r10, rax
  [0x48, 0x29, 0xc2, 0x75, 0xe9], // sub rdx, rax; jne more
  [0x5f, 0x78, 0x1e, 0x57, 0x49, 0x8b, 0x74, 0x24, 0x70], // end: pop rdi; js out; push rdi; mov rsi, length
  [0x49, 0x8b, 0x94, 0x24, 0x88, 0, 0, 0], // mov rdx, the call's rdx: protection
  [0xb8, 10, 0, 0, 0, 0x0f, 0x05, 0x5f], // mov eax, 10; syscall (mprotect); pop rdi
  [0x48, 0x85, 0xc0, 0x75, 0x03, 0x48, 0x89, 0xf8], // test rax, rax; jne out; mov rax, rdi
  [0x49, 0x89, 0x84, 0x24, 0x90, 0, 0, 0, 0x41, 0x5c], // out: mov the call's rax, rax; pop r12
  [0x5d, 0x5b, 0xc3], // pop rbp; pop rbx; ret
];
/** Where the code says where the slots are. */
const slotsAt = 16;

/** Whether this architecture has the code. */
export const canLoadImages = process.arch === "x64";

/** The slots of this process, and which of them is this thread's. */
let table: bigint | undefined;
let own = 0;

/** In a guest that may load native addons, before its filter is there: its threads answer for Linux from now on. */
export function installImageLoader(): void {
  const unavailable = (why: string): Error => new IsolationUnavailable("native addons", why);
  if (!canLoadImages) throw unavailable(`no code for ${process.arch}`);
  const code = Buffer.from(handler.flat());
  const pages = libc.reserveMemory(2 * pageBytes);
  if (typeof pages === "number") throw unavailable(`mmap: errno ${-pages}`);
  table = pages + BigInt(pageBytes);
  code.writeBigUInt64LE(table, slotsAt);
  libc.fillMemory(pages, code);
  const result = libc.protectMemory(pages, pageBytes, PROT_READ_EXEC);
  if (result < 0) throw unavailable(`mprotect: errno ${-result}`);
  libc.setSignalHandler(SIGSYS, pages);
}

/** What another thread of the process needs to load as well; undefined where none can. */
export const sharedImageLoader = (): bigint | undefined => table;

/** In a worker, which has the slot of that index. */
export function adoptImageLoader(shared: bigint | undefined, index: number): void {
  table = shared;
  own = index;
}

/** What the linker finds when it opens a file. */
export interface Served {
  /** Of the image, which is closed when it was served; or why there is none, -errno. */
  readonly fd: number;
  /** What of the image its first segment fills, in whole pages; all of it, where that is not known. */
  readonly firstBytes?: number | undefined;
}

/** Of each image that is served, so that the linker takes no two for one. */
const nextNumber = (): bigint => (process.hrtime.bigint() << 4n) | BigInt(own);

/** Of a file that is read to its end. */
const all = 0xffff_ffff_ffff_ffffn;

/** Runs `work`, during which the first file that the linker opens in this thread is the image, or fails. */
export function whileServing<T>({ fd, firstBytes }: Served, work: () => T): T {
  if (table === undefined) throw new Error("this process loads no images");
  const place = table + BigInt(own * slot.bytes);
  const state = Buffer.from(ffi.toArrayBuffer(place, slot.bytes, false));
  // What is loaded may load something itself.
  const before = Buffer.from(state);
  state.writeUInt32LE(libc.syscall(SYS_GETTID), slot.thread);
  state.writeInt32LE(fd, slot.opened);
  state.writeInt32LE(Math.max(-1, fd), slot.fd);
  state.writeBigUInt64LE(nextNumber(), slot.number);
  state.writeBigUInt64LE(firstBytes === undefined ? all : BigInt(firstBytes), slot.first);
  try {
    return work();
  } finally {
    // Nobody has opened it; the linker closes what it opens.
    if (fd >= 0 && state.readInt32LE(slot.opened) === fd) libc.close(fd);
    before.copy(state);
  }
}

const linker = openLibrary();
const dlopen = bind<[Buffer, number], bigint>(linker, "dlopen", ["buffer", "i32"], "pointer");
const dlerror = bind<[], bigint>(linker, "dlerror", [], "pointer");
const dlclose = bind<[bigint], number>(linker, "dlclose", ["pointer"], "i32");

/** Whether the process has a shared object of that name or path. */
export function isLoaded(name: string): boolean {
  const found = dlopen(libc.cString(name), RTLD_LAZY | RTLD_NOLOAD);
  if (found === 0n) return false;
  dlclose(found);
  return true;
}

/** Loads a shared object for good: the linker's words for what is wrong with it, or undefined. */
export function loadLibrary(path: string): string | undefined {
  if (dlopen(libc.cString(path), RTLD_LAZY) !== 0n) return undefined;
  const words = dlerror();
  return words === 0n ? `${path}: not loaded` : ffi.toString(words);
}
