/**
 * Puts the virtual file system under Node's `fs`: replaces the functions and
 * classes of the `fs` and `fs_dir` bindings with ones that ask the kernel.
 *
 * Runs once, in the zygote, before any guest exists, and makes no kernel call
 * then. It protects nothing: seccomp stands behind every native function that
 * stays reachable.
 */
import type { EngineModule, ErrorContext } from "../engine-types.js";
import type { GuestEnvironment } from "../environment.js";
import { installCopies } from "./fs-copy.js";
import { DirHandle, FileHandle, opendir, opendirSync } from "./fs-handles.js";
import { CpDirJob, ReadFileJob, WriteFileJob } from "./fs-jobs.js";
import { patchLoadedModules } from "./fs-loaded.js";
import { resolveMain } from "./fs-main-file.js";
import {
  installContents,
  open,
  writeBuffer as writeView,
  writeString as writeText,
} from "./fs-contents.js";
import { installLoading } from "./fs-loading.js";
import { installRunner, runner, trimStack } from "./fs-runner.js";
import type { Operation, Request as FsRequest } from "./fs-runner.js";
import { blockingTable, knownTable, shareStats, table } from "./fs-table.js";
import type { BindingArguments } from "./fs-table.js";
import type { PathArgument } from "./fs-values.js";
import { FSEvent, StatWatcher, installWatchers } from "./fs-watch.js";

const { apply, ownKeys, defineProperty } = Reflect;

type Put = (name: string, run: Function) => void;

/** Gives `run` the name and the place of the native function it replaces. */
function replace(binding: EngineModule, name: string, run: Function): void {
  if (typeof binding[name] !== "function")
    throw new Error(`fs binding has no function ${name} in this engine`);
  defineProperty(run, "name", { value: name, configurable: true });
  binding[name] = run;
}

export function installFs(env: GuestEnvironment): void {
  const binding = env.internalBinding("fs");
  const directoryBinding = env.internalBinding("fs_dir");
  const natives = new Set<string>(
    (ownKeys(binding) as string[]).filter((name) => typeof binding[name] === "function"),
  );
  // Kept: it is how requests are recognised, and completing one touches nothing outside the process.
  natives.delete("FSReqCallback");

  const { kUsePromises } = binding;
  installRunner(env);
  installContents(env);
  installLoading(env);
  installCopies(env);
  shareStats(binding);
  const nativeJobs = { ReadFileJob: binding.ReadFileJob, WriteFileJob: binding.WriteFileJob };
  const put = (name: string, run: Function): void => {
    replace(binding, name, run);
    natives.delete(name);
  };

  installTable(env, put, kUsePromises);
  installWrites(put, kUsePromises);
  put("openFileHandle", (path: PathArgument, flags: number, mode: number) =>
    runner.promise(
      (function* () {
        return new FileHandle(yield* open(path, flags, mode));
      })(),
    ),
  );
  const legacyMainResolve = (packagePath: string, main: unknown, base: unknown): number => {
    try {
      return runner.sync(resolveMain(env, packagePath, main, base));
    } catch (error) {
      trimStack(error, legacyMainResolve);
      throw error;
    }
  };
  put("legacyMainResolve", legacyMainResolve);

  const classes = { FileHandle, ReadFileJob, WriteFileJob, CpDirJob };
  for (const [name, type] of Object.entries(classes)) put(name, type);
  installWatchers(env);
  put("StatWatcher", StatWatcher);
  replace(env.internalBinding("fs_event_wrap"), "FSEvent", FSEvent);
  replace(directoryBinding, "opendir", opendir);
  replace(directoryBinding, "opendirSync", opendirSync);
  replace(directoryBinding, "DirHandle", DirHandle);
  patchLoadedModules(env, nativeJobs);

  if (natives.size > 0)
    throw new Error(`fs binding functions left native: ${[...natives].join(", ")}`);
}

/** The functions of the tables, in the forms that C++ has of each. */
function installTable(env: GuestEnvironment, put: Put, kUsePromises: symbol): void {
  const { getValidatedFd } = env.requireBuiltin("internal/fs/utils");
  const { validateInteger } = env.requireBuiltin("internal/validators");
  for (const name in table) {
    const { request, run, checks } = table[name]!;
    const replacement = (...args: BindingArguments): unknown => {
      const req = args[request];
      if (checks === "fd") args[0] = getValidatedFd(args[0]);
      else if (checks === "mode") {
        const mode = args[request - 1] ?? 0;
        validateInteger(mode, "mode", 0, 7);
        args[request - 1] = mode;
      }
      if (req === undefined) {
        try {
          return runner.sync(run(args, true));
        } catch (error) {
          trimStack(error, replacement);
          throw error;
        }
      }
      if (req === kUsePromises) return runner.promise(run(args, false));
      runner.request(run(args, false), req);
      return undefined;
    };
    put(name, replacement);
  }

  for (const name in blockingTable) {
    const start = blockingTable[name]!;
    const known = knownTable[name];
    const replacement = (...args: BindingArguments): unknown => {
      const answer = known && apply(known, undefined, args);
      if (answer !== undefined) return answer;
      try {
        return runner.sync(apply(start, undefined, args));
      } catch (error) {
        trimStack(error, replacement);
        throw error;
      }
    };
    put(name, replacement);
  }
}

/** `writeBuffer` and `writeString` report to a context object in their blocking form. */
function installWrites(put: Put, kUsePromises: symbol): void {
  const dispatch = (
    operation: Operation<number>,
    request: FsRequest | symbol | undefined,
    context: ErrorContext | undefined,
    below: Function,
  ): unknown => {
    if (request === kUsePromises) return runner.promise(operation);
    if (request !== undefined) {
      runner.request(operation, request as FsRequest);
      return undefined;
    }
    try {
      return runner.sync(operation);
    } catch (error) {
      const { errno, syscall } = error as NodeJS.ErrnoException;
      if (context === undefined || errno === undefined) {
        trimStack(error, below);
        throw error;
      }
      context.errno = errno;
      context.syscall = syscall;
      return undefined;
    }
  };
  const writeBuffer = (
    fd: number,
    buffer: ArrayBufferView,
    offset: number,
    length: number,
    position: unknown,
    request: FsRequest | symbol | undefined,
    context: ErrorContext | undefined,
  ): unknown =>
    dispatch(
      writeView(fd, buffer, offset, length, position, request === undefined),
      request,
      context,
      writeBuffer,
    );
  const writeString = (
    fd: number,
    value: string,
    position: unknown,
    encoding: string | undefined,
    request: FsRequest | symbol | undefined,
    context: ErrorContext | undefined,
  ): unknown =>
    dispatch(
      writeText(fd, value, position, encoding, request === undefined),
      request,
      context,
      writeString,
    );
  put("writeBuffer", writeBuffer);
  put("writeString", writeString);
}
