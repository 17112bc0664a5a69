/**
 * What Node's `fs` binding does with directory entries and attributes, as operations over kernel
 * calls (see fs-runner.ts). Values have the shapes that Node's own JavaScript expects from C++.
 */
import { Errno } from "../../abi/errno.js";
import { UvDirent } from "../../protocol/fs-calls.js";
import type { CallArgs } from "../../protocol/table.js";
import type { GuestCalls } from "../environment.js";
import { ask, codedError, failure } from "./fs-runner.js";
import type { Operation } from "./fs-runner.js";
import { encodedName } from "../names.js";
import { toPath, toStats } from "./fs-values.js";
import type { PathArgument, StatArray } from "./fs-values.js";

const NativeBigInt = BigInt;

export interface DirectoryListing {
  names: string[];
  types: number[];
}

/** Runs a call that answers nothing of interest. */
export function* simple<K extends keyof GuestCalls>(
  call: K,
  args: CallArgs<GuestCalls, K>,
  syscall: string,
  path?: string,
  dest?: string,
): Operation<undefined> {
  const result = yield* ask(call, args);
  if (typeof result === "number") throw yield* failure(result, syscall, path, dest);
  return undefined;
}

export function* access(pathArgument: PathArgument, mode: number): Operation<undefined> {
  const path = toPath(pathArgument);
  return yield* simple("access", { path, mode }, "access", path);
}

/** `undefined` for a missing file unless `mustExist`. */
export function* statPath(
  pathArgument: PathArgument,
  follow: boolean,
  bigint: boolean,
  mustExist: boolean,
  target?: StatArray,
): Operation<StatArray | undefined> {
  const path = toPath(pathArgument);
  const result = yield* ask("stat", { path, follow });
  if (typeof result !== "number") return toStats(result.values, bigint, target);
  return yield* statFailed(result, path, follow, mustExist);
}

/** `undefined`, or what `stat` and `lstat` throw. */
export function* statFailed(
  errno: number,
  path: string,
  follow: boolean,
  mustExist: boolean,
): Operation<undefined> {
  if (!mustExist && (errno === -Errno.ENOENT || errno === -Errno.ENOTDIR)) return undefined;
  throw yield* failure(errno, follow ? "stat" : "lstat", path);
}

export function* fstat(fd: number, bigint: boolean, target?: StatArray): Operation<StatArray> {
  const result = yield* ask("fstat", { fd });
  if (typeof result === "number") throw yield* failure(result, "fstat");
  return toStats(result.values, bigint, target);
}

export function* statfs(
  pathArgument: PathArgument,
  bigint: boolean,
): Operation<Float64Array | BigInt64Array> {
  const path = toPath(pathArgument);
  const result = yield* ask("statfs", { path });
  if (typeof result === "number") throw yield* failure(result, "statfs", path);
  const [type = 0, bsize = 0, ...rest] = result.values;
  // Node tells fragment and block size apart; ours are one.
  const values = [type, bsize, bsize, ...rest];
  return bigint
    ? BigInt64Array.from(values, (value) => NativeBigInt(value))
    : Float64Array.from(values);
}

export function* list(path: string, syscall: string, named = true): Operation<DirectoryListing> {
  const names: string[] = [];
  const types: number[] = [];
  for (;;) {
    const result = yield* ask("readdir", { path, start: names.length });
    if (typeof result === "number") throw yield* failure(result, syscall, named ? path : undefined);
    for (let at = 0; at < result.names.length; at++) {
      names[names.length] = result.names[at]!;
      types[types.length] = result.types[at]!;
    }
    if (!result.more || result.names.length === 0) return { names, types };
  }
}

export function* readdir(
  path: PathArgument,
  encoding: unknown,
  withTypes: boolean,
): Operation<unknown> {
  const { names, types } = yield* list(toPath(path), "scandir");
  const encoded = names.map((name) => encodedName(name, encoding));
  return withTypes ? [encoded, types] : encoded;
}

export function* moduleStat(path: PathArgument): Operation<number> {
  const result = yield* ask("moduleStat", { path: toPath(path), content: false });
  return typeof result === "number" ? result : result.kind;
}

/** Breadth first, directories in name order, links to directories entered. */
export function* readdirRecursive(
  pathArgument: PathArgument,
  encoding: unknown,
  withTypes: boolean,
): Operation<unknown> {
  const base = toPath(pathArgument);
  const directories = [""];
  const counts: number[] = [];
  const names: (string | Buffer)[] = [];
  const types: number[] = [];
  for (let index = 0; index < directories.length; index++) {
    const relative = directories[index]!;
    const directory = relative === "" ? base : `${base}/${relative}`;
    const listing = yield* list(directory, "scandir");
    counts[index] = listing.names.length;
    for (let at = 0; at < listing.names.length; at++) {
      const name = listing.names[at]!;
      const type = listing.types[at]!;
      const inner = relative === "" ? name : `${relative}/${name}`;
      names[names.length] = encodedName(withTypes ? name : inner, encoding);
      types[types.length] = type;
      const enter =
        type === UvDirent.directory ||
        (type === UvDirent.link && (yield* moduleStat(`${directory}/${name}`)) === 1);
      if (enter) directories[directories.length] = inner;
    }
  }
  if (!withTypes) return names;
  const encoded = directories.map((directory) => encodedName(directory, encoding));
  return [names, Uint8Array.from(types), Uint32Array.from(counts), encoded];
}

export function* mkdir(
  pathArgument: PathArgument,
  mode: number,
  recursive: boolean,
): Operation<string | undefined> {
  const path = toPath(pathArgument);
  const result = yield* ask("mkdir", { path, mode, recursive: recursive === true });
  if (typeof result === "number") throw yield* failure(result, "mkdir", path);
  return result.first === "" ? undefined : result.first;
}

export function* rmSync(pathArgument: PathArgument, recursive: boolean): Operation<undefined> {
  const path = toPath(pathArgument);
  const result = yield* ask("rm", { path, recursive, force: true });
  if (typeof result !== "number") return undefined;
  if (result === -Errno.EISDIR && !recursive)
    throw codedError("ERR_FS_EISDIR", `Path is a directory: ${path}`);
  throw yield* failure(result, "rm", path);
}

export function* onePath(
  call: "rmdir" | "unlink",
  pathArgument: PathArgument,
): Operation<undefined> {
  const path = toPath(pathArgument);
  return yield* simple(call, { path }, call, path);
}

export function* twoPaths(
  call: "rename" | "link",
  first: PathArgument,
  second: PathArgument,
): Operation<undefined> {
  const source = toPath(first);
  const target = toPath(second);
  return yield* simple(call, { from: source, to: target }, call, source, target);
}

export function* symlink(
  targetArgument: PathArgument,
  pathArgument: PathArgument,
): Operation<undefined> {
  const target = toPath(targetArgument);
  const path = toPath(pathArgument);
  return yield* simple("symlink", { target, path }, "symlink", target, path);
}

export function* readlink(
  pathArgument: PathArgument,
  encoding: unknown,
): Operation<string | Buffer> {
  const path = toPath(pathArgument);
  const result = yield* ask("readlink", { path });
  if (typeof result === "number") throw yield* failure(result, "readlink", path);
  return encodedName(result.target, encoding);
}

export function* realpath(
  pathArgument: PathArgument,
  encoding: unknown,
): Operation<string | Buffer> {
  const path = toPath(pathArgument);
  const result = yield* ask("realpath", { path });
  if (typeof result === "number") throw yield* failure(result, "realpath", path);
  return encodedName(result.path, encoding);
}

export function* copyFile(
  fromArgument: PathArgument,
  toArgument: PathArgument,
  mode: number,
): Operation<undefined> {
  const source = toPath(fromArgument);
  const target = toPath(toArgument);
  return yield* simple("copyFile", { from: source, to: target, mode }, "copyfile", source, target);
}

export function* chmod(pathArgument: PathArgument, mode: number): Operation<undefined> {
  const path = toPath(pathArgument);
  return yield* simple("chmod", { path, mode }, "chmod", path);
}

export function* chown(
  pathArgument: PathArgument,
  uid: number,
  gid: number,
  follow: boolean,
): Operation<undefined> {
  const path = toPath(pathArgument);
  return yield* simple("chown", { path, uid, gid, follow }, follow ? "chown" : "lchown", path);
}

export function* utimes(
  pathArgument: PathArgument,
  atime: number,
  mtime: number,
  follow: boolean,
): Operation<undefined> {
  const path = toPath(pathArgument);
  const args = { path, atimeMs: atime * 1000, mtimeMs: mtime * 1000, follow };
  return yield* simple("utimes", args, follow ? "utime" : "lutime", path);
}

export function* mkdtemp(
  prefixArgument: PathArgument,
  encoding: unknown,
): Operation<string | Buffer> {
  const prefix = toPath(prefixArgument);
  const result = yield* ask("mkdtemp", { prefix });
  if (typeof result === "number") throw yield* failure(result, "mkdtemp", `${prefix}XXXXXX`);
  return encodedName(result.path, encoding);
}
