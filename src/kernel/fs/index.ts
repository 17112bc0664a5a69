/**
 * The in-memory POSIX file system of the sandbox kernel.
 *
 * Owns: the public surface of this directory; import nothing else from it.
 * Results follow the Linux convention: a negative number is `-errno`.
 * Untrusted: see file-system.ts.
 */
export { type BootIdentity, bootLayout } from "./boot-layout.js";
export { hostCredentials, kernelCredentials } from "./credentials.js";
export type { Credentials, Identity, Walks } from "./credentials.js";
export { FileSystem } from "./file-system.js";
export type { Fifo } from "./special-files.js";
export { statNumbers } from "./file-stat.js";
export type { DirectoryEntry, FileStat, FileSystemStat } from "./file-stat.js";
export { providerAnswerOf } from "./provider-answers.js";
export type { Provided } from "./provider-answers.js";
export type { AskProvider } from "./provider-mount.js";
export type { OverlayChange } from "./overlay-changes.js";
export type { MountEntry, MountRequest } from "./mount-table.js";
export { PAGE_BYTES } from "./page-memory.js";
export { lastOf } from "./open.js";
export { OpenFile, writeAll } from "./open-file.js";
export { checkPath, Last, type Located } from "./path-walk.js";
export { type DescriptorView, type MachineView, mountLines, type ProcessView } from "./proc.js";
export type { FileSystemLimits, Quota } from "./quota.js";
export { temporaryName } from "./tree.js";
export { archiveEnd, PathTooLong, type TreeImport } from "./tree-archive.js";
export type { Failure } from "../../abi/errno.js";
export type { WriteGrant } from "./write-grant.js";
