/**
 * Owns landlock: a process that gives itself no file, no TCP port and nobody outside to signal, by the
 * LSM and so independently of the filter. Linux 5.13 and later; what a kernel's ABI does not know
 * is left out, and the answer says which ABI it was.
 */
import * as libc from "./libc.js";

const SYS_CREATE_RULESET = 444;
const SYS_ADD_RULE = 445;
const SYS_RESTRICT_SELF = 446;

/** include/uapi/linux/landlock.h: how many of the rights exist in an ABI. */
const fileRights = [0, 13, 14, 15, 15, 16];
/** LANDLOCK_RULE_PATH_BENEATH, LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE */
const rulePathBeneath = 1;
const executeAndRead = 5n;
const networkRights = 2;
const networkSinceAbi = 4;
/** LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET, LANDLOCK_SCOPE_SIGNAL */
const scopes = 3;
const scopesSinceAbi = 6;

const allBits = (count: number): bigint => (1n << BigInt(count)) - 1n;

export interface Landlocked {
  readonly abi: number;
  readonly covers: string;
}

/**
 * Restricts this process, its children to come and nothing else; `files` may be read and executed still.
 * Needs no_new_privs. Answers why not as text.
 */
export function landlockEverything(files: readonly string[] = []): Landlocked | string {
  const abi = libc.landlockAbi();
  if (abi <= 0) return `landlock_create_ruleset: errno ${-abi}`;
  const attributes = new BigUint64Array(3);
  attributes[0] = allBits(fileRights[Math.min(abi, fileRights.length - 1)]!);
  if (abi >= networkSinceAbi) attributes[1] = allBits(networkRights);
  if (abi >= scopesSinceAbi) attributes[2] = BigInt(scopes);
  // An older kernel takes a longer structure as long as what it does not know is zero.
  const ruleset = libc.syscall(
    SYS_CREATE_RULESET,
    libc.addressOf(attributes),
    attributes.byteLength,
    0,
  );
  if (ruleset < 0) return `landlock_create_ruleset: errno ${-ruleset}`;
  const missed = files.map((path) => allowFile(ruleset, path)).find((failed) => failed < 0);
  const result = missed ?? libc.syscall(SYS_RESTRICT_SELF, ruleset, 0);
  libc.close(ruleset);
  if (result < 0) return `landlock_restrict_self: errno ${-result}`;
  const covers = ["files"];
  if (abi >= networkSinceAbi) covers.push("TCP");
  if (abi >= scopesSinceAbi) covers.push("signals", "abstract sockets");
  return { abi, covers: covers.join(", ") };
}

function allowFile(ruleset: number, path: string): number {
  const fd = libc.openReadOnly(path);
  if (fd < 0) return fd;
  // struct landlock_path_beneath_attr, packed: u64 allowed_access, s32 parent_fd.
  const rule = Buffer.alloc(12);
  rule.writeBigUInt64LE(executeAndRead, 0);
  rule.writeInt32LE(fd, 8);
  const result = libc.syscall(SYS_ADD_RULE, ruleset, rulePathBeneath, libc.addressOf(rule), 0);
  libc.close(fd);
  return result;
}
