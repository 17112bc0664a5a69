/**
 * Owns the library that the dynamic loader runs in the kernel process before its engine's first instruction: one list
 * of system calls. They begin the first zygote, so that both engines start side by side; one after the other they would be half
 * of what a host waits for. The zygote is a child of the kernel process like those that the spawner starts, and has
 * from its first instruction on what those have: the same arguments, environment and descriptors, no_new_privs, death with
 * the kernel process, the domain in which neither may signal anybody else, and stage 1 of the filter.
 *
 * Invariants: the kernel process itself is left as its own first steps would make it, or as it was: where Linux refuses anything,
 * those steps begin a zygote as ever (../kernel/first-zygote.ts). Nothing that was inherited beyond what was handed
 * is open in either afterwards. Untrusted: what the host's parent left open.
 */
import { earlyFd, earlyReportBytes, earlyWordsFd } from "../abi/handed.js";
import { Memory, SIGCHLD, callFlags, layRows, oneRow, standardStreams } from "./call-list.js";
import type { Row } from "./call-list.js";
import { earlyReservation, sealing } from "./early-reservation.js";
import { codeAt, dataAt, elfLibrary } from "./elf-library.js";
import { signalWords } from "./landlock.js";
import { O_CLOEXEC, SIGKILL, SOCK_STREAM } from "./libc.js";

/** As the spawner's code, but a function: it begins with the row behind it and returns at an address of 0. */
const code: readonly (readonly number[])[] = [
  [0x53, 0x48, 0x8d, 0x1d, 0, 0, 0, 0], // push rbx; lea rbx, [rip + first row]
  [0x48, 0x85, 0xdb, 0x74, 0x41], // again: test rbx, rbx; jz done
  ...oneRow,
  [0x48, 0x8b, 0x5b, 0x48, 0xeb, 0xc6], // mov rbx, [rbx+72]; jmp again
  [0x48, 0x8b, 0x5b, 0x38, 0xeb, 0xc0], // negative: mov rbx, [rbx+56]; jmp again
  [0x48, 0x8b, 0x5b, 0x40, 0xeb, 0xba], // zero: mov rbx, [rbx+64]; jmp again
  [0x5b, 0xc3], // done: pop rbx; ret
];
/** Where in it the distance to the first row stands, and from where that is counted. */
const distanceAt = 4;

const memoryBytes = 64 * 1024;
const AF_UNIX = 1;
const EVERY_DESCRIPTOR = 0xffff_ffff;
const SECCOMP_SET_MODE_FILTER = 1;
const filterWordBytes = 8;
/** By whatever path it is found: the kernel process and its zygotes are the same program. */
const ownProgram = "/proc/self/exe";

export interface EarlyOptions {
  readonly argv: readonly string[];
  readonly environment: readonly string[];
  /** Stage 1 of the filter. */
  readonly filter: Uint8Array;
  /** What the first byte on its control socket tells the zygote. */
  readonly kind: number;
}

/** Each descriptor takes the lowest number that is free, and from here on all are. */
const free = earlyFd + 1;
const fds = {
  ruleset: free,
  reservation: free,
  control: free + 1,
  theirControl: free + 2,
  words: free + 3,
  theirWords: free + 4,
} as const;

/** `report` is what the kernel process reads first. */
function before(memory: Memory, report: bigint): Row[] {
  const ruleset = memory.words(...signalWords);
  const rulesetBytes = signalWords.length * 8;
  const name = memory.text("secure-exec");
  const library = earlyReservation();
  const content = memory.content(library);
  const pair = memory.words(0);
  const { PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS } = callFlags;
  return [
    { call: "close_range", args: [free, EVERY_DESCRIPTOR, 0], negative: "return" },
    { call: "prctl", args: [PR_SET_PDEATHSIG, SIGKILL], negative: "return" },
    { call: "prctl", args: [PR_SET_NO_NEW_PRIVS, 1], negative: "return" },
    // Before ABI 6 there is no such domain.
    { call: "landlock_create_ruleset", args: [ruleset, rulesetBytes, 0], negative: "prepare" },
    { call: "landlock_restrict_self", args: [fds.ruleset, 0], negative: "unconfined" },
    { call: "close", args: [fds.ruleset], store: [report + 8n, 1], zero: "prepare" },
    { name: "unconfined", call: "close", args: [fds.ruleset] },
    { name: "prepare", call: "memfd_create", args: [name, sealing.flags], negative: "give up" },
    { call: "write", args: [fds.reservation, content, library.length], negative: "give up" },
    {
      call: "fcntl",
      args: [fds.reservation, sealing.command, sealing.seals],
      negative: "give up",
    },
    { call: "socketpair", args: [AF_UNIX, SOCK_STREAM | O_CLOEXEC, 0, pair], negative: "give up" },
    { call: "pipe2", args: [pair, O_CLOEXEC], negative: "give up" },
  ];
}

/** The new process, until it is the zygote. */
function child(memory: Memory, { argv, environment, filter }: EarlyOptions): Row[] {
  const texts = (list: readonly string[]): bigint =>
    memory.words(...list.map((text) => memory.text(text)), 0);
  const path = memory.text(ownProgram);
  const program = memory.words(filter.length / filterWordBytes, memory.content(filter));
  return [
    { name: "child", call: "prctl", args: [callFlags.PR_SET_PDEATHSIG, SIGKILL] },
    ...standardStreams(memory),
    { call: "dup3", args: [fds.theirWords, 2, 0], negative: "leave" },
    { call: "dup3", args: [fds.theirControl, 3, 0], negative: "leave" },
    { call: "dup3", args: [fds.reservation, earlyFd, 0], negative: "leave" },
    { call: "close_range", args: [free, EVERY_DESCRIPTOR, 0], negative: "leave" },
    { call: "seccomp", args: [SECCOMP_SET_MODE_FILTER, 0, program], negative: "leave" },
    { call: "execve", args: [path, texts(argv), texts(environment)] },
    { name: "leave", call: "exit_group", args: [1], negative: "return", zero: "return" },
  ];
}

/** The kernel process, once there is one: its ends go where it looks for them. */
function after(memory: Memory, report: bigint, kind: number): Row[] {
  const first = memory.content(Uint8Array.of(kind));
  return [
    { name: "parent", call: "write", args: [fds.theirControl, report, earlyReportBytes] },
    { call: "write", args: [fds.control, first, 1] },
    { call: "dup3", args: [fds.words, earlyWordsFd, O_CLOEXEC] },
    { call: "dup3", args: [fds.control, earlyFd, O_CLOEXEC] },
    { call: "close_range", args: [earlyWordsFd + 1, EVERY_DESCRIPTOR, 0], ...onward("return") },
    {
      name: "give up",
      call: "close_range",
      args: [free, EVERY_DESCRIPTOR, 0],
      ...onward("return"),
    },
  ];
}

const onward = (name: string): Pick<Row, "negative" | "zero" | "positive"> => ({
  negative: name,
  zero: name,
  positive: name,
});

/** The library as a file; it is for x64. */
export function earlyLibrary(options: EarlyOptions): Buffer {
  const memory = new Memory(memoryBytes, BigInt(dataAt));
  const report = memory.words(0, 0);
  const rows: Row[] = [
    ...before(memory, report),
    {
      call: "clone",
      args: [callFlags.CLONE_PARENT_SETTID | SIGCHLD, 0, report],
      negative: "give up",
      zero: "child",
      positive: "parent",
    },
    ...child(memory, options),
    ...after(memory, report, options.kind),
  ];
  const first = Number(layRows(memory, rows));
  const bytes = Buffer.from(code.flat());
  bytes.writeInt32LE(first - (codeAt + distanceAt + 4), distanceAt);
  const { addressesAt, used } = memory;
  return elfLibrary({ code: bytes, data: memory.bytes.subarray(0, used), addressesAt });
}
