/**
 * Owns the table of system calls on the kernel's side: one row per call of the protocol, which says
 * what runs it, what it demands of the policy first, and how far it is what Linux or Node has.
 * Names, arguments and results are the protocol's; docs/system-calls.md is made from both.
 *
 * Invariant: a call without a row does not compile; one without a demand touches only what its
 * process holds already, or is judged where the text says.
 * Untrusted: every argument.
 */
import { Errno } from "../../abi/errno.js";
import { O_CREAT, O_EXCL, O_WRONLY } from "../../abi/fcntl.js";
import {
  COPYFILE_EXCL,
  ModuleKind,
  nearModulePaths,
  nearPackagePaths,
} from "../../protocol/fs-calls.js";
import type { guestCalls } from "../../protocol/guest-calls.js";
import type { CallArgs, CallResult } from "../../protocol/table.js";
import { Last, lastOf, temporaryName } from "../fs/index.js";
import type { AdmissionRule } from "../policy/admission.js";
import { at, object, opening } from "../policy/demand.js";
import type { Demand } from "../policy/demand.js";
import type { Process } from "../process/process.js";
import { descriptorHandlers } from "./descriptors.js";
import type { Handlers } from "./dispatch.js";
import { fsHandlers } from "./fs.js";
import { noDirectory } from "./fs-modules.js";
import { netHandlers } from "./net.js";
import { killRequests, priorityRequests, processHandlers } from "./process.js";
import { terminalHandlers } from "./terminal.js";
import { toolHandlers, toolRequests } from "./tools.js";

type Calls = typeof guestCalls;

/** The bytes of a call that got its result, for the bill. */
export interface Moves<A, R> {
  readonly direction: "in" | "out";
  bytes(result: R, args: A): number;
}

/** How much of it there is. "own": no call of Linux, but what the engine or the SDK needs. */
export type Support = "full" | "partial" | "own";

interface OpensSome<R> {
  /** The descriptors that it opened, from its result: a worker's end with it. Below 0 is none. */
  readonly opens: (result: R) => readonly number[];
}
/** What answers an `fd` has opened it. */
type Opens<R> = R extends { readonly fd: number } ? OpensSome<R> : Partial<OpensSome<R>>;

export type Row<K extends keyof Calls> = RowOfAny<K> & Opens<CallResult<Calls, K>>;

interface RowOfAny<K extends keyof Calls> extends AdmissionRule<
  Process,
  CallArgs<Calls, K>,
  CallResult<Calls, K>
> {
  /** "door": answered by the thread itself, which it is about. */
  readonly run: K extends keyof Handlers ? Handlers[K] : "door";
  /** What it demands of the policy, in words; nothing when left out. */
  readonly asks?: string;
  /** Content that it carries, if it does. */
  readonly moves?: Moves<CallArgs<Calls, K>, CallResult<Calls, K>>;
  /** A file watch that began with it, or is over: a worker's end with it. */
  readonly watches?: (
    result: CallResult<Calls, K>,
    args: CallArgs<Calls, K>,
  ) => { readonly watch: number; readonly lasts: boolean };
  /** Default: "full". */
  readonly support?: Support;
  readonly note?: string;
}

const opensOne = ({ fd }: { readonly fd: number }): readonly number[] => [fd];

const nothing = new Uint8Array(0);
const unseen = { found: false, data: nothing, changes: 0 };
/** What a loader was told of a directory: what is there and beside it, and the content of some of it. */
function toldOf({
  real,
  near,
  names,
  places,
  scope,
}: CallResult<Calls, "directoryAhead">): readonly Demand[] {
  if (real === "") return [];
  const sizes = new DataView(places.buffer, places.byteOffset, places.byteLength);
  const read = (path: string): Demand => at("read", path, Last.Follow);
  const told = names
    .split("/")
    .filter((name, place) => name !== "" && sizes.getInt32(8 * place + 4, true) >= 0)
    .map((name) => read(real === "/" ? `/${name}` : `${real}/${name}`));
  const beside = nearPackagePaths(real)
    .filter((_, place) => (near[place] ?? ModuleKind.absent) !== ModuleKind.absent)
    .map((path) => at("stat", path, Last.Follow));
  const nearest = scope === "" ? [] : [read(scope)];
  return [at("readdir", real, Last.Follow), ...beside, ...told, ...nearest];
}

const dataRead = {
  direction: "in",
  bytes: ({ data }: { data: Uint8Array }) => data.byteLength,
} as const;

export const systemCalls: { readonly [K in keyof Calls]: Row<K> } = {
  open: {
    run: fsHandlers.open,
    opens: opensOne,
    demand: ({ path, flags }) => opening(path, flags),
    asks: "fs `read`, `write` or both, by its flags",
  },
  close: { run: fsHandlers.close },
  read: { run: fsHandlers.read, moves: dataRead },
  write: {
    run: fsHandlers.write,
    moves: { direction: "out", bytes: ({ written }) => written },
  },
  fstat: { run: fsHandlers.fstat },
  lock: {
    run: fsHandlers.lock,
    support: "own",
    note: "F_OFD_SETLK, several in one call, for the engine's database binding",
  },
  locked: { run: fsHandlers.locked, support: "own", note: "F_OFD_GETLK" },
  fchmod: {
    run: fsHandlers.fchmod,
    demand: ({ fd }) => [{ operation: "chmod", on: { fd } }],
    asks: "fs `chmod` of where the file was opened",
  },
  fchown: {
    run: fsHandlers.fchown,
    demand: ({ fd }) => [{ operation: "chown", on: { fd } }],
    asks: "fs `chown` of where the file was opened",
  },
  futimes: {
    run: fsHandlers.futimes,
    demand: ({ fd }) => [{ operation: "utimes", on: { fd } }],
    asks: "fs `utimes` of where the file was opened",
  },
  ftruncate: {
    run: fsHandlers.ftruncate,
    demand: ({ fd }) => [{ operation: "truncate", on: { fd } }],
    asks: "fs `truncate` of where the file was opened",
  },
  fsync: {
    run: fsHandlers.fsync,
    support: "partial",
    note: "memory is never behind; a mount is flushed",
  },
  readFd: { run: fsHandlers.readFd, moves: dataRead },
  writeFirst: {
    run: fsHandlers.writeFirst,
    // What is behind that is counted as it comes: `writeOn`.
    moves: { direction: "out", bytes: ({ written }) => written },
    support: "own",
    note: "for who writes a file piece by piece: the next ones need no answer",
  },
  writeWithin: {
    run: fsHandlers.writeWithin,
    moves: { direction: "out", bytes: ({ written }) => written },
    support: "own",
    note: "for a shell's environments, which have RLIMIT_FSIZE each",
  },
  readAhead: {
    // It counts what it tells itself, each byte once.
    run: fsHandlers.readAhead,
    support: "own",
    note: "for who reads a file piece by piece: several of them in one call",
  },
  readFile: {
    run: fsHandlers.readFile,
    opens: opensOne,
    moves: dataRead,
    demand: ({ path, flags }) => opening(path, flags),
    asks: "fs `read`, and `write` by its flags",
  },
  writeFile: {
    run: fsHandlers.writeFile,
    opens: opensOne,
    moves: { direction: "out", bytes: (_result, { data }) => data.byteLength },
    demand: ({ path, flags }) => opening(path, flags),
    asks: "fs `write`, and `read` by its flags",
  },
  copyFile: {
    run: fsHandlers.copyFile,
    demand: ({ from, to, mode }) => [
      at("read", from, Last.Follow),
      at("write", to, lastOf(O_WRONLY | O_CREAT | ((mode & COPYFILE_EXCL) !== 0 ? O_EXCL : 0))),
    ],
    asks: "fs `read` of `from`, `write` of `to`",
    support: "partial",
    note: "a forced clone (FICLONE_FORCE) is EOPNOTSUPP",
  },
  stat: {
    run: fsHandlers.stat,
    demand: ({ path, follow }) => [at("stat", path, object(follow))],
    asks: "fs `stat`",
  },
  access: {
    run: fsHandlers.access,
    demand: ({ path }) => [at("exists", path, Last.Follow)],
    asks: "fs `exists`",
  },
  exists: {
    run: fsHandlers.exists,
    demand: ({ path }) => [at("exists", path, Last.Follow)],
    asks: "fs `exists`",
    whenDenied: () => ({ found: false, changes: 0 }),
    foundNothing: ({ found }) => !found,
    note: "access(2) where every error is a no",
  },
  mkdir: {
    run: fsHandlers.mkdir,
    demand: ({ path, recursive }) => [
      { ...at("mkdir", path, Last.Entry), ...(recursive && { also: "missing" as const }) },
    ],
    asks: "fs `mkdir`; recursive, of each directory made",
  },
  makeFifo: {
    run: fsHandlers.makeFifo,
    demand: ({ path }) => [at("write", path, Last.Entry)],
    asks: "fs `write`",
    support: "partial",
    note: "mknod(2) of a fifo; nobody may make another kind",
  },
  rmdir: {
    run: fsHandlers.rmdir,
    demand: ({ path }) => [at("rm", path, Last.Entry)],
    asks: "fs `rm`",
  },
  unlink: {
    run: fsHandlers.unlink,
    demand: ({ path }) => [at("rm", path, Last.Entry)],
    asks: "fs `rm`",
  },
  rm: {
    run: fsHandlers.rm,
    demand: ({ path, recursive }) => [
      { ...at("rm", path, Last.Entry), ...(recursive && { also: "tree" as const }) },
      // What it is, which the call asks first.
      at("rm", path, Last.NoFollow),
    ],
    asks: "fs `rm`; recursive, of each entry below",
  },
  rename: {
    run: fsHandlers.rename,
    demand: ({ from, to }) => [
      { ...at("rename", from, Last.Entry), to, also: "moved" },
      at("rename", to, Last.Entry),
    ],
    asks: "fs `rename` of both and of each entry below",
  },
  link: {
    run: fsHandlers.link,
    demand: ({ from, to }) => [
      { ...at("link", from, Last.NoFollow), to, also: "moved" },
      at("link", to, Last.Entry),
    ],
    asks: "fs `link` of both",
  },
  symlink: {
    run: fsHandlers.symlink,
    demand: ({ target, path }) => [{ ...at("symlink", path, Last.Entry), to: target }],
    asks: "fs `symlink` of `path`",
  },
  readlink: {
    run: fsHandlers.readlink,
    demand: ({ path }) => [at("readlink", path, Last.NoFollow)],
    asks: "fs `readlink`",
  },
  realpath: {
    run: fsHandlers.realpath,
    demand: ({ path }) => [at("stat", path, Last.Follow)],
    asks: "fs `stat`",
  },
  readdir: {
    run: fsHandlers.readdir,
    demand: ({ path }) => [at("readdir", path, Last.Follow)],
    asks: "fs `readdir`",
  },
  chmod: {
    run: fsHandlers.chmod,
    demand: ({ path }) => [at("chmod", path, Last.Follow)],
    asks: "fs `chmod`",
  },
  chown: {
    run: fsHandlers.chown,
    demand: ({ path, follow }) => [at("chown", path, object(follow))],
    asks: "fs `chown`",
  },
  utimes: {
    run: fsHandlers.utimes,
    demand: ({ path, follow }) => [at("utimes", path, object(follow))],
    asks: "fs `utimes`",
  },
  mkdtemp: {
    run: fsHandlers.mkdtemp,
    demand: ({ prefix }) => [at("mkdir", prefix && temporaryName(prefix), Last.Entry)],
    choosesName: true,
    asks: "fs `mkdir` of the name made",
  },
  statfs: {
    run: fsHandlers.statfs,
    demand: ({ path }) => [at("stat", path, Last.Follow)],
    asks: "fs `stat`",
    support: "partial",
    note: "of the file system in memory or the mount, never of the host",
  },
  watch: {
    run: fsHandlers.watch,
    watches: ({ watch }) => ({ watch, lasts: true }),
    demand: ({ path }) => [at("stat", path, Last.Follow), at("readdir", path, Last.Follow)],
    asks: "fs `stat` and `readdir`",
    support: "partial",
    note: "no rename cookies; a mount reports what inotify tells",
  },
  unwatch: { run: fsHandlers.unwatch, watches: (_, { watch }) => ({ watch, lasts: false }) },
  look: {
    run: fsHandlers.look,
    demand: ({ path, follow }) => [at("stat", path, object(follow))],
    asks: "fs `stat`",
    support: "own",
    note: "`stat`, for who asks for many",
  },
  moduleStat: {
    run: fsHandlers.moduleStat,
    demand: ({ path }) => [at("stat", path, Last.Follow)],
    asks: "fs `stat`",
    whenDenied: () => ({ ...unseen, kind: -Errno.EACCES, near: nothing, real: "", scope: "" }),
    foundNothing: ({ kind }) => kind < 0,
    // Only the path itself was judged, not its neighbours, and not for reading.
    whenJudged: (result) => ({ ...result, ...unseen, near: nothing, real: "", scope: "" }),
    told: ({ path }, { kind, near, real, found }) => [
      ...nearModulePaths(path, kind)
        .filter((_, place) => (near[place] ?? ModuleKind.absent) !== ModuleKind.absent)
        .map((one) => at("stat", one, Last.Follow)),
      ...(found ? [at("read", real, Last.Follow)] : []),
    ],
    moves: dataRead,
  },
  directoryAhead: {
    run: fsHandlers.directoryAhead,
    moves: dataRead,
    // Not answered where anything is judged: each file would have to be.
    found: {
      demand: toldOf,
      none: () => noDirectory,
    },
    asks: "fs `readdir`, and `read` of each file whose content it tells: EOPNOTSUPP unless fs allows everything",
    support: "own",
    note: "for loaders of modules and other programs that ask for one file after the other",
  },
  packageScope: {
    run: fsHandlers.packageScope,
    moves: dataRead,
    asks: "fs `read` of what it found",
    found: {
      demand: ({ path }) => (path === "" ? [] : [at("read", path, Last.Follow)]),
      none: () => ({ path: "", data: nothing, changes: 0 }),
    },
  },
  readPackage: {
    run: fsHandlers.readPackage,
    moves: dataRead,
    demand: ({ path }) => [at("read", path, Last.Follow)],
    asks: "fs `read`",
    whenDenied: () => unseen,
    foundNothing: ({ found }) => !found,
  },

  socket: {
    run: netHandlers.socket,
    opens: opensOne,
    support: "partial",
    note: "TCP, UDP and Unix streams",
  },
  bind: {
    run: netHandlers.bind,
    asks: "fs `write` of a Unix path; network `listen` for datagrams",
    support: "partial",
    note: "loopback and unspecified addresses only",
  },
  listen: { run: netHandlers.listen, asks: "network `listen`" },
  accept: { run: netHandlers.accept, opens: opensOne },
  stopAccepting: { run: netHandlers.stopAccepting },
  connect: {
    run: netHandlers.connect,
    asks: "network `http` of the address under each of its names; fs `write` of a Unix path",
    support: "partial",
    note: "a datagram socket only remembers its peer",
  },
  socketNames: { run: netHandlers.socketNames },
  resolve: { run: netHandlers.resolve, asks: "network `dns`" },
  nameOf: { run: netHandlers.nameOf, asks: "network `dns`" },
  dnsQuery: {
    run: netHandlers.dnsQuery,
    asks: "network `dns`",
    support: "partial",
    note: "the record types of node:dns",
  },
  sendTo: {
    run: netHandlers.sendTo,
    moves: { direction: "out", bytes: ({ sent }) => sent },
    asks: "network `http`, as `connect`",
  },
  membership: {
    run: netHandlers.membership,
    support: "partial",
    note: "groups inside the VM, on its loopback",
  },
  receiveFrom: { run: netHandlers.receiveFrom, moves: dataRead },

  pipe: { run: descriptorHandlers.pipe, opens: ({ reader, writer }) => [reader, writer] },
  socketpair: { run: descriptorHandlers.socketpair, opens: ({ first, second }) => [first, second] },
  dup: { run: descriptorHandlers.dup, opens: opensOne },
  shutdown: { run: descriptorHandlers.shutdown },
  describe: { run: descriptorHandlers.describe, support: "own", note: "what a descriptor is" },
  seek: { run: descriptorHandlers.seek, support: "partial", note: "no SEEK_DATA, no SEEK_HOLE" },
  readLine: {
    run: descriptorHandlers.readLine,
    moves: dataRead,
    support: "own",
    note: "a line in one call",
  },
  waitReadable: {
    run: descriptorHandlers.waitReadable,
    support: "partial",
    note: "poll(2) of one descriptor for input",
  },

  chdir: {
    run: processHandlers.chdir,
    demand: ({ path }) => [at("stat", path, Last.Follow)],
    asks: "fs `stat`",
  },
  getcwd: { run: processHandlers.getcwd },
  umask: { run: processHandlers.umask },
  interruptible: {
    run: processHandlers.interruptible,
    support: "own",
    note: "for `breakOnSigint` of `node:vm` and the REPL",
  },
  kill: {
    run: processHandlers.kill,
    requests: ({ pid, signal }, process) => killRequests(process, pid, signal),
    asks: "process `kill` of each target but the caller",
  },
  spawn: {
    run: processHandlers.spawn,
    opens: ({ ends }) => ends,
    asks: "fs `stat` of the directory and the file; childProcess `spawn` of each file that runs, under each of its names; env of each variable",
    support: "own",
    note: "fork and execvp in one; with `here` only what they would come to",
  },
  exec: {
    run: processHandlers.exec,
    asks: "what `spawn` asks for the same file",
    support: "partial",
    note: "used by `sh -c` of one simple command",
  },
  execve: {
    run: processHandlers.execve,
    asks: "what `spawn` asks for the same file",
    support: "partial",
    note: "`process.execve`: descriptors above 2 are closed",
  },
  ownEngine: {
    run: processHandlers.ownEngine,
    support: "own",
    note: "for options of `node` that an engine reads at its start alone; once per process",
  },
  wait: { run: processHandlers.wait, support: "partial", note: "one child by its pid" },
  setProcessGroup: { run: processHandlers.setProcessGroup },
  priority: {
    run: processHandlers.priority,
    requests: ({ pid, nice }, process) => priorityRequests(process, pid, nice),
    asks: "process `inspect` of somebody else, `kill` to change it",
    support: "partial",
    note: "kept and reported; nobody is scheduled by it",
  },
  outputPipe: {
    run: "door",
    support: "own",
    note: "for programs that print much: the reply brings the writing end of a pipe of the OS",
  },
  sqliteEntry: {
    run: processHandlers.sqliteEntry,
    support: "own",
    note: "for the engine's database binding",
  },
  image: {
    run: "door",
    support: "own",
    note: "what a native addon is loaded from: the reply brings a descriptor of a sealed copy in memory of what the process has open, or of a part of the libc",
  },
  valuePart: { run: processHandlers.valuePart, support: "own", note: "for `__return`" },
  usage: {
    run: processHandlers.usage,
    support: "partial",
    note: "times and resident memory of getrusage(2)",
  },

  waitState: {
    run: terminalHandlers.waitState,
    support: "partial",
    note: "waitpid(2) of one child, of a group or of all; no WNOWAIT",
  },
  terminalGet: {
    run: terminalHandlers.terminalGet,
    support: "own",
    note: "tcgetattr, tcgetpgrp, tcgetsid, TIOCGWINSZ and TIOCGPTN in one",
  },
  terminalSet: {
    run: terminalHandlers.terminalSet,
    support: "partial",
    note: "at once, never after output has drained",
  },
  terminalResize: { run: terminalHandlers.terminalResize },
  terminalForeground: { run: terminalHandlers.terminalForeground },

  callTool: {
    run: toolHandlers.callTool,
    requests: ({ name }, process) => toolRequests(process, name),
    asks: "tool `invoke`",
    support: "own",
    note: "runs in the host",
  },
  toolInput: { run: toolHandlers.toolInput, support: "own", note: "for host tools" },
  toolNext: { run: toolHandlers.toolNext, support: "own", note: "for host tools" },
  describeTools: {
    run: toolHandlers.describeTools,
    asks: "shows what tool rules let be invoked",
    support: "own",
  },
  hostCommand: {
    run: toolHandlers.hostCommand,
    asks: "what the spawn of its process asked",
    support: "own",
    note: "only for a process that stands for a command of the host's executor",
  },

  threadSocket: { run: "door", support: "own", note: "the reply brings a descriptor" },
  threadEnded: { run: "door", support: "own", note: "closes what a worker has left open" },
  awaitFork: { run: "door", support: "own", note: "the reply brings three descriptors" },
  flowShutdown: { run: "door", note: "of a flow, behind what was written" },
};
