/**
 * Owns landlock, by which a process takes rights from itself and its children to come through the LSM, and
 * so independently of the filters. Linux 5.13 and later; what a kernel's ABI does not know is left out.
 *
 * A guest's zygote has no file, no TCP port and nobody outside to signal. The kernel process cannot have
 * its files fixed: which directories are mounted is decided while it runs, and a landlock domain never grows.
 * But with any domain at all Linux refuses it to look into a process that is not in the same one: the host
 * process, its environment and its memory.
 */
import { Errno } from "../abi/errno.js";
import * as libc from "./libc.js";
import { onEveryThread } from "./threads.js";

const SYS_CREATE_RULESET = 444;
const SYS_ADD_RULE = 445;
const SYS_RESTRICT_SELF = 446;

/** include/uapi/linux/landlock.h: how many of the rights exist in an ABI. */
const fileRights = [0, 13, 14, 15, 15, 16];
/** LANDLOCK_ACCESS_FS_EXECUTE, LANDLOCK_ACCESS_FS_READ_FILE, LANDLOCK_ACCESS_FS_REFER */
const right = { execute: 1 << 0, readFile: 1 << 2, refer: 1 << 13 } as const;
/** Before it, every ruleset forbade to rename a file from one directory into another. */
const referSinceAbi = 2;
const networkRights = 2;
const networkSinceAbi = 4;
/** LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET, LANDLOCK_SCOPE_SIGNAL */
const abstractSockets = 1n;
const signals = 2n;
const scopesSinceAbi = 6;
const LANDLOCK_RULE_PATH_BENEATH = 1;

const allBits = (count: number): bigint => (1n << BigInt(count)) - 1n;
const rightsOf = (abi: number): bigint =>
  allBits(fileRights[Math.min(abi, fileRights.length - 1)]!);

export interface Landlocked {
  readonly abi: number;
  readonly covers: string;
}

interface Ruleset {
  files?: bigint;
  network?: bigint;
  scoped?: bigint;
}

/** A ruleset of `landlockSignals` in words, for a process without an engine. */
export const signalWords: readonly number[] = Object.freeze([0, 0, Number(signals)]);

/** The ruleset's descriptor, or `-errno`. */
function createRuleset({ files = 0n, network = 0n, scoped = 0n }: Ruleset): number {
  const attributes = BigUint64Array.of(files, network, scoped);
  // An older kernel takes a longer structure as long as what it does not know is zero.
  return libc.syscall(SYS_CREATE_RULESET, libc.addressOf(attributes), attributes.byteLength, 0);
}

/** Restricts this thread, and so its children to come. Needs no_new_privs. Answers why not as text. */
function restrict(ruleset: Ruleset, readable: readonly string[] = []): string | undefined {
  const fd = createRuleset(ruleset);
  if (fd < 0) return `landlock_create_ruleset: errno ${-fd}`;
  const missed = readable.find((path) => allow(fd, path, right.execute | right.readFile) < 0);
  const result = missed === undefined ? libc.syscall(SYS_RESTRICT_SELF, fd, 0) : -Errno.ENOENT;
  libc.close(fd);
  return result < 0 ? `landlock_restrict_self: errno ${-result}` : undefined;
}

/** In a zygote, which has one thread: takes all there is but to read and execute the `readable` files. */
export function landlockEverything(readable: readonly string[] = []): Landlocked | string {
  const abi = libc.landlockAbi();
  if (abi <= 0) return `landlock_create_ruleset: errno ${-abi}`;
  const everything = {
    files: rightsOf(abi),
    ...(abi >= networkSinceAbi && { network: allBits(networkRights) }),
    ...(abi >= scopesSinceAbi && { scoped: abstractSockets | signals }),
  };
  const failed = restrict(everything, readable);
  if (failed !== undefined) return failed;
  const covers = ["files"];
  if (abi >= networkSinceAbi) covers.push("TCP");
  if (abi >= scopesSinceAbi) covers.push("signals", "abstract sockets");
  return { abi, covers: covers.join(", ") };
}

/**
 * In the kernel process before it has children: it and they signal nobody else. A domain without files, so
 * that its zygotes may still change what they have mounted. Where that was `tried` in vain and there is a child, only says why.
 */
export function landlockSignals(tried = false): string | undefined {
  if (libc.landlockAbi() < scopesSinceAbi) return "no scopes before ABI 6";
  return tried ? "refused before the engine's start" : restrict({ scoped: signals });
}

/**
 * In the kernel process once it has its spawner: a domain of its own, out of which it looks into no other
 * process, its zygotes included. From ABI 6 on one without files will do, and files are then left alone; before,
 * it takes what no mount needs. Restricts every thread. `abi` is for tests.
 */
export function landlockKernel(abi = libc.landlockAbi()): Landlocked | string {
  if (abi <= 0) return `landlock_create_ruleset: errno ${-abi}`;
  if (abi < referSinceAbi) return "files of mounts could not be renamed before ABI 2";
  const scoped = abi >= scopesSinceAbi;
  const ruleset = createRuleset(
    scoped ? { scoped: abstractSockets } : { files: BigInt(right.execute | right.refer) },
  );
  if (ruleset < 0) return `landlock_create_ruleset: errno ${-ruleset}`;
  const failed =
    (scoped ? undefined : allowRenaming(ruleset)) ?? onEveryThread(SYS_RESTRICT_SELF, ruleset, 0n);
  libc.close(ruleset);
  return (
    failed ?? {
      abi,
      covers: scoped ? "other processes, abstract sockets" : "other processes, programs",
    }
  );
}

/** Everywhere: a ruleset for files forbids it unless a rule allows it. */
function allowRenaming(ruleset: number): string | undefined {
  const result = allow(ruleset, "/", right.refer);
  return result < 0 ? `landlock_add_rule: errno ${-result}` : undefined;
}

/** Adds rights to a file, or to all below a directory: 0 or `-errno`. */
function allow(ruleset: number, path: string, rights: number): number {
  const fd = libc.openReadOnly(path);
  if (fd < 0) return fd;
  // struct landlock_path_beneath_attr, packed: u64 allowed_access, s32 parent_fd.
  const attribute = Buffer.alloc(12);
  attribute.writeBigUInt64LE(BigInt(rights), 0);
  attribute.writeInt32LE(fd, 8);
  const result = libc.syscall(
    SYS_ADD_RULE,
    ruleset,
    LANDLOCK_RULE_PATH_BENEATH,
    libc.addressOf(attribute),
    0,
  );
  libc.close(fd);
  return result;
}
