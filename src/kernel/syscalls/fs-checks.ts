/**
 * Owns what all calls about files look at: the process that asks, the form of paths, kinds of files.
 *
 * Untrusted: paths.
 */
import { S_IFDIR, S_IFMT, S_IFREG } from "../../abi/fcntl.js";
import { fsLimits } from "../../protocol/fs-calls.js";
import type { ResourceLimit } from "../../abi/resources.js";
import type { Bill } from "../process/bill.js";
import type { WatchList } from "../process/watches.js";
import { checkPath as checkText } from "../fs/index.js";
import type { Credentials, FileStat, FileSystem, OpenFile } from "../fs/index.js";
import type { Account } from "../machine/account.js";
import { Stream } from "../io/stream.js";
import type { Policy } from "../policy/policy.js";
import type { DescriptorTable } from "../process/descriptors.js";

/** What these calls need to know of a process. */
export interface FsProcess {
  readonly fs: FileSystem;
  readonly account: Account;
  readonly credentials: Credentials;
  readonly policy: Pick<Policy, "allowsAll" | "onlyNotes">;
  readonly watches: WatchList;
  /** Job control: 0, or why a stream must not be used now; -EAGAIN waits for the stream. */
  mayRead(stream: Stream): number;
  mayWrite(stream: Stream): number;
  /** The terminal that a path names, opened: a stream, or -errno; undefined when it names none. */
  openTerminal(path: string, flags: number): Stream | number | undefined;
  /** Where content that stays in the kernel is counted. */
  readonly bill?: Bill;
  /** Promises that so many bytes will fit at the file's position, until its next call: how many. */
  promises(file: OpenFile, bytes: number): number;
  /** A write met nobody to read it: SIGPIPE. */
  brokenPipe(): void;
  /** RLIMIT_FSIZE; see fs-limit.ts. */
  readonly fileBytes: ResourceLimit;
  /** A file would have become longer than that: SIGXFSZ. */
  fileTooLong(): void;
  readonly descriptors: DescriptorTable;
}

export const nothing = new Uint8Array(0);

export const modeBits = 0o7777;

/** For what looks at a path before the file system does, or at two of them; getname() refuses both before either is walked. */
export function checkPath(path: string): number {
  return checkText(path, fsLimits.pathBytes);
}

export function isRegular(stat: FileStat): boolean {
  return (stat.mode & S_IFMT) === S_IFREG;
}

export function isDirectory(stat: FileStat): boolean {
  return (stat.mode & S_IFMT) === S_IFDIR;
}
