/**
 * Owns the type of the option `limits`, whose texts editors show. Generated from protocol/limits.ts by
 * `node scripts/limit-types.mjs`.
 */

/** Bounds on one virtual machine; see docs/limits.md. */
export interface NodeRuntimeLimits {
  /**
   * Heap, buffers and WebAssembly of one process together. The process ends with 134, ERR_SECURE_EXEC_MEMORY_LIMIT
   * on its stderr; an allocation that can fail does so instead. With nativeAddons, the files that are being loaded
   * have as much again, for the machine.
   * Bytes, from 32 MiB to 4 GiB; any other is ERR_SECURE_EXEC_INVALID_OPTION.
   * @default 268435456 (256 MiB)
   */
  memoryBytes?: number;
  /**
   * CPU time of a program and all it starts, together; 0 means no limit. All of them end with 137.
   * Milliseconds, from 0 to 2147483647; any other is ERR_SECURE_EXEC_INVALID_OPTION.
   * @default 0 (no limit)
   */
  cpuTimeMs?: number;
  /**
   * Time from a program's start to its end and that of all it starts; 0 means no limit. All of them end with 137.
   * Milliseconds, from 0 to 2147483647; any other is ERR_SECURE_EXEC_INVALID_OPTION.
   * @default 0 (no limit)
   */
  wallTimeMs?: number;
  /**
   * Requests to the kernel of a program and all it starts, together; 0 means no limit. Further ones wait, after a
   * burst of a tenth of a second's.
   * A number, from 0 to 10000000; any other is ERR_SECURE_EXEC_INVALID_OPTION.
   * @default 0 (no limit)
   */
  systemCallsPerSecond?: number;
  /**
   * Processes of the machine at one time. Further ones fail with EAGAIN.
   * A number, from 1 to 4096; any other is ERR_SECURE_EXEC_INVALID_OPTION.
   * @default 256
   */
  processes?: number;
  /**
   * Workers of one process at one time. Further ones fail with ERR_WORKER_INIT_FAILED.
   * A number, from 0 to 12; any other is ERR_SECURE_EXEC_INVALID_OPTION.
   * @default 12
   */
  threads?: number;
  /**
   * Open descriptors of one process. Further ones fail with EMFILE.
   * A number, from 8 to 65536; any other is ERR_SECURE_EXEC_INVALID_OPTION.
   * @default 256
   */
  openFiles?: number;
  /**
   * Files and directories that one process watches. Further ones fail with ENOSPC.
   * A number, from 0 to 65536; any other is ERR_SECURE_EXEC_INVALID_OPTION.
   * @default 1024
   */
  watches?: number;
  /**
   * Sockets of the machine, accepted connections not counted. Further ones fail with ENFILE.
   * A number, from 0 to 65536; any other is ERR_SECURE_EXEC_INVALID_OPTION.
   * @default 256
   */
  sockets?: number;
  /**
   * Connections of the machine, those to the outside and from the host included. Further ones fail with ENOBUFS.
   * A number, from 0 to 65536; any other is ERR_SECURE_EXEC_INVALID_OPTION.
   * @default 256
   */
  connections?: number;
  /**
   * Pseudo-terminals of the machine at one time, those of openShell and spawn included. Further ones fail with
   * ENOSPC, those of the host with ERR_SECURE_EXEC_PROCESS_LIMIT.
   * A number, from 0 to 256; any other is ERR_SECURE_EXEC_INVALID_OPTION.
   * @default 16
   */
  terminals?: number;
  /**
   * Content of the machine's own file system. Writes beyond it fail with ENOSPC; mounts are not counted.
   * Bytes, from 0 to 64 GiB; any other is ERR_SECURE_EXEC_INVALID_OPTION.
   * @default 268435456 (256 MiB)
   */
  fileSystemBytes?: number;
  /**
   * Files and directories of the machine's own file system. Further ones fail with ENOSPC.
   * A number, from 1024 to 16777216; any other is ERR_SECURE_EXEC_INVALID_OPTION.
   * @default 16384
   */
  inodes?: number;
  /**
   * Memory that the kernel holds for the machine, content and inodes of its files not counted: processes, open
   * files, pipes and sockets with what is in them, calls that wait. Over it calls fail with ENFILE, ENOBUFS,
   * EAGAIN or ENOMEM, full pipes stay full, events are lost.
   * Bytes, from 2 MiB to 16 GiB; any other is ERR_SECURE_EXEC_INVALID_OPTION.
   * @default 16777216 (16 MiB)
   */
  kernelBytes?: number;
  /**
   * Such things by their number, as kernelBytes.
   * A number, from 1024 to 16777216; any other is ERR_SECURE_EXEC_INVALID_OPTION.
   * @default 65536
   */
  kernelObjects?: number;
  /**
   * Descriptors of the host that the machine holds: open files of mounts, connections out of it, two for each
   * process. Further ones fail with ENFILE or EAGAIN.
   * A number, from 16 to 1048576; any other is ERR_SECURE_EXEC_INVALID_OPTION.
   * @default 1024
   */
  hostDescriptors?: number;
  /**
   * Requests to each host that `network` names, in the machine's life; 0 means no limit. Further ones are answered
   * with status 429.
   * A number, from 0 to 1099511627776; any other is ERR_SECURE_EXEC_INVALID_OPTION.
   * @default 0 (no limit)
   */
  requestsPerHost?: number;
  /**
   * Bytes to and from each such host together; 0 means no limit. Connections that go over it are reset, further
   * requests answered with status 429.
   * Bytes, from 0 to 1048576 GiB; any other is ERR_SECURE_EXEC_INVALID_OPTION.
   * @default 0 (no limit)
   */
  bytesPerHost?: number;
  /**
   * Arguments and environment of a new process together. More fails with E2BIG.
   * Bytes, from 4 KiB to 4 MiB; any other is ERR_SECURE_EXEC_INVALID_OPTION.
   * @default 1048576 (1 MiB)
   */
  argumentBytes?: number;
  /**
   * One value of `__return`, as it travels; a larger one is ERR_SECURE_EXEC_RETURN_VALUE. One input or result of a
   * host tool, where it is over 4 MiB; a larger one is ERR_TOOL_LIMIT.
   * Bytes, from 1 KiB to 256 MiB; any other is ERR_SECURE_EXEC_INVALID_OPTION.
   * @default 16777216 (16 MiB)
   */
  valueBytes?: number;
  /**
   * Output kept for a result, per stream. The rest is dropped and the result says so.
   * Bytes, from 0 to 256 MiB; any other is ERR_SECURE_EXEC_INVALID_OPTION.
   * @default 16777216 (16 MiB)
   */
  outputBytes?: number;
}
