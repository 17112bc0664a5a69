/**
 * Owns what an executable file means: Node, a command of ours, a host tool, a
 * WebAssembly command, a script for an interpreter that is one of these, or a native
 * program whose port to WebAssembly is installed beside it.
 *
 * Invariants: only files that the caller may execute are images; interpreters
 * nest at most `maxInterpreters` deep.
 * Untrusted: the path, PATH, and what the file says.
 */
import { Errno } from "../../abi/errno.js";
import { O_RDONLY, S_IFMT, S_IFREG, X_OK } from "../../abi/fcntl.js";
import { portOf } from "../../protocol/native-programs.js";
import { programKinds, programMagic, shellNames } from "../../protocol/programs.js";
import type { ProgramKind } from "../../protocol/programs.js";
import { kernelCredentials } from "../fs/index.js";
import type { Credentials, FileSystem } from "../fs/index.js";

/** One file of those that an execution comes to: the one named, then the interpreters of scripts. */
export interface ExecutedFile {
  /** Absolute, without links. */
  path: string;
  /** The program of the machine that it is, under whatever name: "node", "sh", "cat". Empty for a script. */
  program: string;
}

export interface Image {
  /** "host": a command that the host's executor runs; no file says so. */
  kind: ProgramKind | "wasm" | "host";
  /** Name of a command or tool; the path of a WebAssembly module; empty for Node. */
  name: string;
  /** With argv[0]. */
  argv: string[];
  /** What is executed; the last one is the program, those before it are scripts. */
  files: [ExecutedFile, ...ExecutedFile[]];
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
  file: string,
  given: readonly string[],
): Image | number {
  let path = file;
  let argv = [...given];
  const scripts: ExecutedFile[] = [];
  for (let depth = 0; depth <= maxInterpreters; depth++) {
    const opened = openImage(fs, who, path);
    if (typeof opened === "number") return opened;
    const { real, head } = opened;
    const base = real.slice(real.lastIndexOf("/") + 1);
    const found = (kind: Image["kind"], name: string, program: string): Image => {
      const [first = { path: real, program }, ...rest] = scripts;
      const files: Image["files"] =
        scripts.length === 0 ? [first] : [first, ...rest, { path: real, program }];
      return { kind, name, argv, files };
    };
    if (head.startsWith(programMagic)) {
      const kind = head.slice(programMagic.length).split("\n")[0] as ProgramKind;
      if (!programKinds.includes(kind)) return -Errno.ENOEXEC;
      if (kind === "node") return found(kind, "", "node");
      const name = shellNames.includes(base) ? "sh" : base;
      return found(kind, name, name);
    }
    if (head.startsWith("\0asm")) return found("wasm", real, base);
    scripts.push({ path: real, program: "" });
    if (head.startsWith("#!")) {
      const line = head.slice(2).split("\n")[0]!.trim();
      const space = line.search(/[ \t]/);
      const interpreter = space < 0 ? line : line.slice(0, space);
      if (interpreter === "") return -Errno.ENOEXEC;
      // Linux passes all that follows as one argument.
      const argument = space < 0 ? [] : [line.slice(space).trim()];
      argv = [interpreter, ...argument, path, ...argv.slice(1)];
      path = interpreter;
      continue;
    }
    if (head.startsWith("\x7fELF")) {
      const port = portOf(real);
      if (port === undefined || fs.access(who, port, X_OK) < 0) return -Errno.ENOEXEC;
      argv = [port, ...argv.slice(1)];
      path = port;
      continue;
    }
    // execvp(3): what the kernel does not know is a shell script, unless it is plainly not text.
    if (head.includes("\0")) return -Errno.ENOEXEC;
    argv = ["sh", path, ...argv.slice(1)];
    path = "/bin/sh";
  }
  return -Errno.ELOOP;
}

/** A file that `who` may execute: where it really lies, and how it begins. */
function openImage(
  fs: FileSystem,
  who: Credentials,
  path: string,
): { real: string; head: string } | number {
  const stat = fs.stat(who, path, true);
  if (typeof stat === "number") return stat;
  if ((stat.mode & S_IFMT) !== S_IFREG) return -Errno.EACCES;
  const allowed = fs.access(who, path, X_OK);
  if (allowed < 0) return allowed;
  const head = readHead(fs, who, path);
  if (typeof head === "number") return head;
  const real = fs.realpath(who, path);
  return typeof real === "number" ? real : { real, head };
}

/** The start of a file, one character per byte. Execution needs no read permission. */
function readHead(fs: FileSystem, who: Credentials, path: string): string | number {
  const file = fs.open({ ...kernelCredentials, cwd: who.cwd }, path, O_RDONLY, 0);
  if (typeof file === "number") return file;
  const buffer = Buffer.alloc(headBytes);
  const size = file.read(buffer, 0);
  file.unref();
  return size < 0 ? size : buffer.toString("latin1", 0, size);
}
