/**
 * Applies the file actions of posix_spawn to the descriptors that a child will have.
 * Untrusted: all of it; the actions are a byte stream of the module's.
 */
import { WasiErrno, WasiError } from "./abi.js";
import type { WasiContext } from "./context.js";
import { wasiLimits } from "./limits.js";
import { join } from "./paths.js";
import type { WasiSpawn, WasiSystem } from "./system.js";

/** One record of the file actions: six u32 and the bytes of a path. */
const actionBytes = 24;
const Kind = Object.freeze({ close: 1, dup2: 2, open: 3, chdir: 4 });
/** open(2) flags as wasi-libc numbers them. */
const LibcOpen = Object.freeze({
  read: 0x04000000,
  write: 0x10000000,
  create: 1 << 12,
  directory: 2 << 12,
  exclusive: 4 << 12,
  truncate: 8 << 12,
  append: 1,
});
/** In a list of descriptors: the child has none of this number. */
export const closed = -1;

interface FileAction {
  kind: number;
  target: number;
  source: number;
  flags: number;
  mode: number;
  path: string;
}

/** Changes `request`; answers what was opened for it and is to be closed here. */
export function applyFileActions(
  context: WasiContext,
  request: WasiSpawn,
  pointer: number,
  size: number,
): number[] {
  const opened: number[] = [];
  try {
    for (const action of fileActions(context, pointer, size))
      apply(context, request, action, opened);
  } catch (error) {
    for (const fd of opened) context.system.fs.closeSync(fd);
    throw error;
  }
  return opened;
}

function* fileActions(
  { memory }: WasiContext,
  pointer: number,
  size: number,
): Generator<FileAction> {
  if (size >>> 0 > wasiLimits.argumentBytes) throw new WasiError(WasiErrno.E2BIG);
  const end = (pointer >>> 0) + (size >>> 0);
  memory.bytes(pointer, size);
  for (let at = pointer >>> 0; at < end;) {
    if (at + actionBytes > end) throw new WasiError(WasiErrno.EINVAL);
    const word = (index: number) => memory.u32(at + index * 4);
    const [kind, target, source, flags, mode] = [word(0), word(1), word(2), word(3), word(4)];
    const length = word(5);
    at += actionBytes;
    if (length > end - at) throw new WasiError(WasiErrno.EINVAL);
    const path = length > 0 ? memory.path(at, length) : "";
    at += length;
    yield { kind, target, source, flags, mode, path };
  }
}

function apply(
  { descriptors, system }: WasiContext,
  request: WasiSpawn,
  { kind, target, source, flags, mode, path }: FileAction,
  opened: number[],
): void {
  switch (kind) {
    case Kind.close:
      if (target < request.fds.length) request.fds[target] = closed;
      return;
    case Kind.dup2: {
      const given = request.fds[source] ?? closed;
      // A descriptor may be close-on-exec here and still be what the child gets.
      const fd = given >= 0 ? given : (descriptors.find(source)?.fd ?? closed);
      if (fd < 0) throw new WasiError(WasiErrno.EBADF);
      return put(request, target, fd);
    }
    case Kind.open: {
      const full = absolute(system, request.cwd, path);
      const { fs } = system;
      const fd = fs.openSync(full, openFlags(system, flags), mode === 0 ? 0o666 : mode & 0o7777);
      opened.push(fd);
      return put(request, target, fd);
    }
    case Kind.chdir:
      request.cwd = absolute(system, request.cwd, path);
      return;
    default:
      throw new WasiError(WasiErrno.ENOTSUP);
  }
}

function put(request: WasiSpawn, number: number, fd: number): void {
  if (number >>> 0 >= wasiLimits.descriptors) throw new WasiError(WasiErrno.EBADF);
  while (request.fds.length <= number) request.fds.push(closed);
  request.fds[number] = fd;
}

function absolute(system: WasiSystem, cwd: string, path: string): string {
  return path.startsWith("/") ? path : join(cwd === "" ? system.cwd() : cwd, path);
}

/** What the module's open flags are here; those of libraries that use Linux's numbers are taken as they are. */
function openFlags({ fs: { constants } }: WasiSystem, flags: number): number {
  if ((flags & (LibcOpen.read | LibcOpen.write)) === 0) return flags;
  let result: number = constants.O_RDONLY;
  if ((flags & LibcOpen.write) !== 0)
    result = (flags & LibcOpen.read) !== 0 ? constants.O_RDWR : constants.O_WRONLY;
  if ((flags & LibcOpen.create) !== 0) result |= constants.O_CREAT;
  if ((flags & LibcOpen.directory) !== 0) result |= constants.O_DIRECTORY;
  if ((flags & LibcOpen.exclusive) !== 0) result |= constants.O_EXCL;
  if ((flags & LibcOpen.truncate) !== 0) result |= constants.O_TRUNC;
  if ((flags & LibcOpen.append) !== 0) result |= constants.O_APPEND;
  return result;
}
