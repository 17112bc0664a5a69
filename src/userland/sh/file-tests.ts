/** Owns the tests of files that `test` and `[[` share. */
import {
  R_OK,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  S_IFSOCK,
  S_ISGID,
  S_ISUID,
  S_ISVTX,
  W_OK,
  X_OK,
} from "../../abi/fcntl.js";
import type { Environment } from "./environment.js";
import type { Interpreter } from "./interpreter.js";
import type { FileStatus } from "../system.js";

const types: Readonly<Record<string, number>> = {
  b: S_IFBLK,
  c: S_IFCHR,
  d: S_IFDIR,
  f: S_IFREG,
  p: S_IFIFO,
  S: S_IFSOCK,
};
const bits: Readonly<Record<string, number>> = { g: S_ISGID, k: S_ISVTX, u: S_ISUID };
const modes: Readonly<Record<string, number>> = { r: R_OK, w: W_OK, x: X_OK };

export const fileOperators = new Set("b c d e f g h k L p r s S t u w x G O N a".split(" "));

/** `-d path` and its like; `letter` is one of `fileOperators`. */
export function testFile(
  shell: Interpreter,
  env: Environment,
  letter: string,
  operand: string,
): boolean {
  const { system } = shell;
  if (letter === "t") {
    const real = /^\d{1,6}$/.test(operand)
      ? env.descriptors.get(Number(operand))?.real()
      : undefined;
    return real !== undefined && real >= 0 && system.isatty(real);
  }
  if (operand === "") return false;
  const path = env.resolve(operand);
  if (letter === "h" || letter === "L") {
    const status = system.lstat(path);
    return typeof status !== "number" && (status.mode & S_IFMT) === S_IFLNK;
  }
  const mode = modes[letter];
  if (mode !== undefined) return system.access(path, mode) >= 0;
  const status = system.stat(path);
  if (typeof status === "number") return false;
  const type = types[letter];
  if (type !== undefined) return (status.mode & S_IFMT) === type;
  const bit = bits[letter];
  if (bit !== undefined) return (status.mode & bit) !== 0;
  return letter === "s" ? status.size > 0 : true;
}

/** `-nt`, `-ot` and `-ef`. */
export function compareFiles(
  shell: Interpreter,
  env: Environment,
  left: string,
  operator: string,
  right: string,
): boolean {
  const status = (path: string): FileStatus | undefined => {
    const result = shell.system.stat(env.resolve(path));
    return typeof result === "number" ? undefined : result;
  };
  const a = status(left);
  const b = status(right);
  switch (operator) {
    case "-nt":
      return a !== undefined && (b === undefined ? shell.bash : a.mtimeMs > b.mtimeMs);
    case "-ot":
      return b !== undefined && (a === undefined ? shell.bash : a.mtimeMs < b.mtimeMs);
    default:
      return a !== undefined && b !== undefined && a.dev === b.dev && a.ino === b.ino;
  }
}
