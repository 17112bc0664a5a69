/**
 * Serves the imports about the program and the machine: arguments, environment,
 * randomness, the end; and sockets, of which there are none. Clocks are in
 * clocks.ts, waiting in poll.ts.
 * Untrusted: every argument.
 */
import { FileType, Right, WasiErrno, WasiError } from "./abi.js";
import { clockImports } from "./clocks.js";
import type { ImportTable, WasiContext } from "./context.js";
import { wasiLimits } from "./limits.js";
import { pollImport } from "./poll.js";

export function machineImports(context: WasiContext): ImportTable {
  const { memory, system } = context;
  return {
    ...textImports(context),
    ...clockImports(context),
    random_get(pointer: number, size: number) {
      const bytes = memory.bytes(pointer, size);
      for (let at = 0; at < bytes.byteLength; at += wasiLimits.randomBytes)
        system.fillRandom(bytes.subarray(at, at + wasiLimits.randomBytes));
    },
    poll_oneoff: pollImport(context),
    sched_yield: () => undefined,
    proc_exit(code: number) {
      system.exit(code);
    },
    proc_raise(signal: number) {
      system.raise(signal);
    },
    ...socketImports(context),
  };
}

/** Arguments and environment. */
function textImports({ memory, args, env }: WasiContext): ImportTable {
  const sizes = (texts: readonly Uint8Array[], countPointer: number, sizePointer: number): void => {
    memory.setU32(countPointer, texts.length);
    memory.setU32(
      sizePointer,
      texts.reduce((size, text) => size + text.byteLength + 1, 0),
    );
  };
  const copy = (texts: readonly Uint8Array[], pointers: number, buffer: number): void => {
    let at = buffer >>> 0;
    texts.forEach((text, index) => {
      memory.setU32((pointers >>> 0) + index * 4, at);
      memory.set(at, text);
      memory.setU8(at + text.byteLength, 0);
      at += text.byteLength + 1;
    });
  };
  return {
    args_sizes_get: (count: number, size: number) => sizes(args, count, size),
    args_get: (pointers: number, buffer: number) => copy(args, pointers, buffer),
    environ_sizes_get: (count: number, size: number) => sizes(env, count, size),
    environ_get: (pointers: number, buffer: number) => copy(env, pointers, buffer),
  };
}

function socketImports({ descriptors }: WasiContext): ImportTable {
  const socket = (fd: number): never => {
    const { type } = descriptors.get(fd, Right.none);
    throw new WasiError(
      type === FileType.file || type === FileType.directory
        ? WasiErrno.ENOTSOCK
        : WasiErrno.ENOTSUP,
    );
  };
  return { sock_accept: socket, sock_recv: socket, sock_send: socket, sock_shutdown: socket };
}
