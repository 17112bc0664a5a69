/**
 * Owns what module loaders ask about files: kinds of paths, package.json above a directory, what is read next.
 *
 * Invariants: nothing is told that a rule of the policy would have to judge by itself; what is told ahead is small.
 * Untrusted: every path.
 */
import { posix } from "node:path";
import { Errno } from "../../abi/errno.js";
import { S_IFDIR } from "../../abi/fcntl.js";
import { ModuleKind, fsLimits } from "../../protocol/fs-calls.js";
import { type FsProcess, nothing, checkPath, isRegular, isDirectory } from "./fs-checks.js";

/** A package.json's bytes, or `undefined` for anything that cannot be one. */
export function readPackageFile(process: FsProcess, path: string): Buffer | undefined {
  const { fs, credentials } = process;
  const stat = fs.stat(credentials, path, true);
  if (typeof stat === "number" || !isRegular(stat) || stat.size > fsLimits.transferBytes)
    return undefined;
  const data = fs.readFile(credentials, path);
  return typeof data === "number" || data.length > fsLimits.transferBytes ? undefined : data;
}

/** Whether a walk from `directory` up to its beginning `above` meets what ends the search for a package. */
function insideModules(above: string, directory: string): boolean {
  const name = "/node_modules";
  return `${directory}/`.includes(`${name}/`, above.length - name.length);
}

export function moduleKind(process: FsProcess, path: string): number {
  const stat = process.fs.stat(process.credentials, path, true);
  if (typeof stat === "number") return stat;
  return isDirectory(stat) ? 1 : 0;
}

/** Nothing in files is judged, and nobody wants to know of it. */
export function isOpen({ policy }: FsProcess): boolean {
  return policy.allowsAll("fs") && policy.allowsAll("process");
}

/** Everything is allowed, and what is done is written down. */
export function isNoted({ policy }: FsProcess): boolean {
  return policy.onlyNotes("fs") && policy.onlyNotes("process");
}

/** What is told of a directory of which nothing is. */
export const noDirectory = {
  errno: -Errno.EACCES,
  real: "",
  near: nothing,
  open: false,
  names: "",
  kinds: nothing,
  places: nothing,
  data: nothing,
  stats: nothing,
  scope: "",
  scopeData: nothing,
  changes: 0,
};

/** Where `packageScopeOf` looks first; empty where that is nowhere, or at the top. */
export function packageScopePath(process: FsProcess, directory: string): string {
  const { fs, credentials } = process;
  const [at = ""] = fs.beginningsWith(credentials, directory, "package.json");
  return at === "" || insideModules(at, directory) ? "" : `${at}/package.json`;
}

export function packageScopeOf(
  process: FsProcess,
  directory: string,
  root: boolean,
): { path: string; data: Uint8Array } {
  for (const at of process.fs.beginningsWith(process.credentials, directory, "package.json")) {
    if (insideModules(at, directory) || (at === "" && !root)) break;
    const path = `${at}/package.json`;
    const data = readPackageFile(process, path);
    if (data !== undefined) return { path, data };
  }
  return { path: "", data: nothing };
}

/** What a loader reads next, if it is small; anything but a regular file it has to ask for. */
export function smallModule({ fs, credentials }: FsProcess, path: string): Buffer | undefined {
  const stat = fs.stat(credentials, path, true);
  if (typeof stat === "number" || !isRegular(stat) || stat.size > fsLimits.aheadFileBytes)
    return undefined;
  const data = fs.readFile(credentials, path);
  return typeof data === "number" ? undefined : data;
}

/** What each path is, those in one directory by one walk to it. */
export function nearKinds(process: FsProcess, paths: readonly string[]): number[] {
  const kinds: number[] = [];
  for (let at = 0; at < paths.length;) {
    const directory = posix.dirname(paths[at]!);
    const names: string[] = [];
    for (; at < paths.length && posix.dirname(paths[at]!) === directory; at++)
      names.push(posix.basename(paths[at]!));
    const types =
      checkPath(`${directory}/${names[0]!}`) < 0
        ? names.map(() => 0)
        : process.fs.typesIn(process.credentials, directory, names);
    // It would cost more to find out than to be asked.
    if (types === undefined) return [];
    for (const type of types) {
      if (type === 0) kinds.push(ModuleKind.absent);
      else kinds.push(type === S_IFDIR ? ModuleKind.directory : ModuleKind.file);
    }
  }
  return kinds;
}
