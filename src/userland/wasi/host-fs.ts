/**
 * Serves host_fs: modes, owners and sizes, which preview 1 has no calls for.
 * Untrusted: every argument.
 */
import { Right, WasiErrno, WasiError } from "./abi.js";
import type { ImportTable, WasiContext } from "./context.js";
import { ownerOf } from "./files.js";
import { join } from "./paths.js";

const atWorkingDirectory = -1;

export function hostFs(context: WasiContext): ImportTable {
  const files = new HostFiles(context);
  return {
    set_open_mode(mode: number) {
      context.createMode = mode & 0o7777;
    },
    set_open_direct: () => undefined,
    ...questions(context, files),
    ...changes(context, files),
  };
}

/** Files by name and by number, as these calls mean them. */
class HostFiles {
  constructor(private readonly context: WasiContext) {}

  /**
   * C libraries pass names as their caller gave them, relative to the working directory,
   * with the number of a preopened directory or -1; and those that they made relative to it.
   */
  path(fd: number, pointer: number, size: number, follow: number): string {
    const { memory, descriptors, paths, system } = this.context;
    const name = memory.path(pointer, size);
    const directory = fd === atWorkingDirectory ? undefined : descriptors.directory(fd, Right.none);
    if (directory === undefined || directory.preopen !== undefined) {
      const here = name.startsWith("/") ? name : join(system.cwd(), name);
      if (directory === undefined || paths.exists(here)) return here;
    }
    return paths.resolve(directory, name, follow !== 0);
  }

  stat(fd: number, pointer: number, size: number, follow: number) {
    const { fs } = this.context.system;
    const at = this.path(fd, pointer, size, follow);
    return follow !== 0 ? fs.statSync(at) : fs.lstatSync(at);
  }

  fstat(fd: number) {
    const { fs } = this.context.system;
    const file = this.context.descriptors.get(fd, Right.none);
    return file.fd < 0 ? fs.statSync(file.path) : fs.fstatSync(file.fd);
  }
}

/** These answer a value; 0 is what they say about a file that is not there. */
function valueOr0<T extends unknown[]>(value: (...args: T) => number): (...args: T) => number {
  return (...args) => {
    try {
      return value(...args);
    } catch {
      return 0;
    }
  };
}

function bigOr0<T extends unknown[]>(value: (...args: T) => number): (...args: T) => bigint {
  const found = valueOr0(value);
  return (...args) => BigInt(found(...args));
}

/** fd, pointer, size and whether links are followed. */
type Named = [fd: number, pointer: number, size: number, follow: number];

function questions({ memory, system }: WasiContext, files: HostFiles): ImportTable {
  const { fs } = system;
  const owner = (stats: { uid: number; gid: number }, uid: number, gid: number): void => {
    memory.setU32(uid, stats.uid);
    memory.setU32(gid, stats.gid);
  };
  return {
    path_mode: valueOr0((...at: Named) => files.stat(...at).mode),
    path_size: bigOr0((...at: Named) => files.stat(...at).size),
    path_blocks: bigOr0((...at: Named) => files.stat(...at).blocks),
    path_rdev: bigOr0((...at: Named) => files.stat(...at).rdev),
    fd_mode: valueOr0((fd: number) => files.fstat(fd).mode),
    fd_size: bigOr0((fd: number) => files.fstat(fd).size),
    fd_blocks: bigOr0((fd: number) => files.fstat(fd).blocks),
    path_owner(
      fd: number,
      pointer: number,
      size: number,
      follow: number,
      uid: number,
      gid: number,
    ) {
      owner(files.stat(fd, pointer, size, follow), uid, gid);
    },
    fd_owner: (fd: number, uid: number, gid: number) => owner(files.fstat(fd), uid, gid),
    path_access(fd: number, pointer: number, size: number, mode: number, _flags: number) {
      fs.accessSync(files.path(fd, pointer, size, 1), mode);
    },
  };
}

function changes({ descriptors, system }: WasiContext, files: HostFiles): ImportTable {
  const { fs } = system;
  const chown = (
    fd: number,
    pointer: number,
    size: number,
    uid: number,
    gid: number,
    follow: number,
  ): void => {
    const at = files.path(fd, pointer, size, follow);
    if (follow !== 0) fs.chownSync(at, ownerOf(uid), ownerOf(gid));
    else fs.lchownSync(at, ownerOf(uid), ownerOf(gid));
  };
  const fchown = (fd: number, uid: number, gid: number): void => {
    const file = descriptors.get(fd, Right.none);
    if (file.fd < 0) fs.chownSync(file.path, ownerOf(uid), ownerOf(gid));
    else fs.fchownSync(file.fd, ownerOf(uid), ownerOf(gid));
  };
  return {
    chown,
    path_chown: chown,
    fchown,
    fd_chown: fchown,
    chmod(fd: number, pointer: number, size: number, mode: number) {
      fs.chmodSync(files.path(fd, pointer, size, 1), mode & 0o7777);
    },
    fchmod(fd: number, mode: number) {
      const file = descriptors.get(fd, Right.none);
      if (file.fd < 0) fs.chmodSync(file.path, mode & 0o7777);
      else fs.fchmodSync(file.fd, mode & 0o7777);
    },
    ftruncate(fd: number, size: bigint) {
      if (size < 0n) throw new WasiError(WasiErrno.EINVAL);
      fs.ftruncateSync(descriptors.get(fd, Right.fdFilestatSetSize).fd, Number(size));
    },
  };
}
