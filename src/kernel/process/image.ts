/**
 * Owns what an executable file means: Node, a command of ours, a host tool, a
 * WebAssembly command, or a script for an interpreter that is one of these.
 *
 * Invariants: only files that the caller may execute are images; interpreters
 * nest at most `maxInterpreters` deep.
 * Untrusted: the path, PATH, and what the file says.
 */
import { Errno } from "../../abi/errno.js";
import { O_RDONLY, S_IFDIR, S_IFMT, S_IFREG, X_OK } from "../../abi/fcntl.js";
import { programKinds, programMagic, shellNames } from "../../protocol/programs.js";
import type { ProgramKind } from "../../protocol/programs.js";
import type { Credentials, FileSystem } from "../fs/index.js";

export interface Image {
  kind: ProgramKind | "wasm";
  /** Command or tool name; the path of a WebAssembly module; empty for Node. */
  name: string;
  /** With argv[0]. */
  argv: string[];
  /** The file that was found, without links; of a script, the script. */
  file: string;
}

/** fs/exec.c and include/linux/binfmts.h: BINPRM_BUF_SIZE, and five rewrites at most. */
const headBytes = 256;
const maxInterpreters = 4;
const defaultPath = "/usr/local/bin:/bin:/usr/bin";

/** execvp(3): `file` is searched in PATH unless it has a slash. */
export function findImage(
  fs: FileSystem,
  who: Credentials,
  file: string,
  argv: readonly string[],
  searchPath: string | undefined,
): Image | number {
  if (file === "") return -Errno.ENOENT;
  if (file.includes("\0")) return -Errno.EINVAL;
  if (file.includes("/")) return imageAt(fs, who, file, argv);
  let denied = false;
  for (const directory of (searchPath ?? defaultPath).split(":").slice(0, 256)) {
    const path = directory === "" ? file : `${directory}/${file}`;
    const image = imageAt(fs, who, path, argv);
    if (typeof image !== "number") return image;
    if (image === -Errno.EACCES) denied = true;
    else if (image !== -Errno.ENOENT && image !== -Errno.ENOTDIR) return image;
  }
  return denied ? -Errno.EACCES : -Errno.ENOENT;
}

function imageAt(
  fs: FileSystem,
  who: Credentials,
  path: string,
  argv: readonly string[],
): Image | number {
  const image = imageOf(fs, who, path, argv, 0);
  if (typeof image === "number") return image;
  const file = fs.realpath(who, path);
  return typeof file === "number" ? file : { ...image, file };
}

function imageOf(
  fs: FileSystem,
  who: Credentials,
  path: string,
  argv: readonly string[],
  depth: number,
): Omit<Image, "file"> | number {
  if (depth > maxInterpreters) return -Errno.ELOOP;
  const stat = fs.stat(who, path, true);
  if (typeof stat === "number") return stat;
  if ((stat.mode & S_IFMT) === S_IFDIR) return -Errno.EACCES;
  if ((stat.mode & S_IFMT) !== S_IFREG) return -Errno.EACCES;
  const allowed = fs.access(who, path, X_OK);
  if (allowed < 0) return allowed;
  const head = readHead(fs, who, path);
  if (typeof head === "number") return head;
  if (head.startsWith(programMagic)) {
    const kind = head.slice(programMagic.length).split("\n")[0] as ProgramKind;
    if (!programKinds.includes(kind)) return -Errno.ENOEXEC;
    const real = fs.realpath(who, path);
    if (typeof real === "number") return real;
    const base = real.slice(real.lastIndexOf("/") + 1);
    const name = shellNames.includes(base) ? "sh" : base;
    return { kind, name: kind === "node" ? "" : name, argv: [...argv] };
  }
  if (head.startsWith("\0asm")) {
    const real = fs.realpath(who, path);
    return typeof real === "number" ? real : { kind: "wasm", name: real, argv: [...argv] };
  }
  if (head.startsWith("#!")) {
    const line = head.slice(2).split("\n")[0]!.trim();
    const space = line.search(/[ \t]/);
    const interpreter = space < 0 ? line : line.slice(0, space);
    if (interpreter === "") return -Errno.ENOEXEC;
    // Linux passes all that follows as one argument.
    const argument = space < 0 ? [] : [line.slice(space).trim()];
    const rewritten = [interpreter, ...argument, path, ...argv.slice(1)];
    return imageOf(fs, who, interpreter, rewritten, depth + 1);
  }
  if (head.startsWith("\x7fELF")) return -Errno.ENOEXEC;
  // execvp(3): what the kernel does not know is a shell script, unless it is plainly not text.
  if (head.includes("\0")) return -Errno.ENOEXEC;
  return imageOf(fs, who, "/bin/sh", ["sh", path, ...argv.slice(1)], depth + 1);
}

/** The start of a file, one character per byte. Execution needs no read permission. */
function readHead(fs: FileSystem, who: Credentials, path: string): string | number {
  const file = fs.open({ uid: 0, gid: 0, umask: 0, cwd: who.cwd }, path, O_RDONLY, 0);
  if (typeof file === "number") return file;
  const buffer = Buffer.alloc(headBytes);
  const size = file.read(buffer, 0);
  file.unref();
  return size < 0 ? size : buffer.toString("latin1", 0, size);
}
