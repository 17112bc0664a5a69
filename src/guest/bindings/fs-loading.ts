/**
 * What module loaders ask of files. A loader asks for one path after the other; the kernel answers
 * the next questions with the first (see `createLookahead`).
 */
import { Errno } from "../../abi/errno.js";
import { O_RDONLY } from "../../abi/fcntl.js";
import { ModuleKind, nearModulePaths } from "../../protocol/fs-calls.js";
import type { GuestEnvironment } from "../environment.js";
import { ask } from "./fs-runner.js";
import type { Operation } from "./fs-runner.js";
import { toPath } from "./fs-values.js";
import type { PathArgument } from "./fs-values.js";

const { alloc } = Buffer;
const wasmMagic = 0x6d736100;

interface Lookahead {
  take(path: string): number | undefined;
  put(path: string, kind: number, near: Uint8Array): void;
}

let ahead: Lookahead;

export function installLoading(env: GuestEnvironment): void {
  ahead = createLookahead(env);
}

/** Calls that a loader makes between its questions, and that change nothing. */
const loaderCalls = new Set<string>([
  "moduleStat",
  "packageScope",
  "readPackage",
  "realpath",
  "readFile",
]);

/**
 * Answers that came along with others. Each serves once, but for directories, which a loader asks for with
 * every module in them; and none outlives the run of JavaScript that asked, or any call that could change a
 * file: a stale one can only be as old as an answer that had been asked for just before.
 */
function createLookahead(env: GuestEnvironment): Lookahead {
  const answers = new Map<string, number>();
  const { enqueueMicrotask } = env.internalBinding("task_queue") as {
    enqueueMicrotask(run: () => void): void;
  };
  const clear = (): void => answers.clear();
  env.kernel.onCall((name) => {
    if (answers.size > 0 && !loaderCalls.has(name)) answers.clear();
  });
  return {
    take(path: string): number | undefined {
      const kind = answers.get(path);
      if (kind !== undefined && kind !== ModuleKind.directory) answers.delete(path);
      return kind;
    },
    put(path: string, kind: number, near: Uint8Array): void {
      if (answers.size === 0) enqueueMicrotask(clear);
      if (kind === ModuleKind.directory) answers.set(path, kind);
      const paths = nearModulePaths(path, kind);
      for (let at = 0; at < near.length; at++) {
        const found = near[at]!;
        answers.set(paths[at]!, found === ModuleKind.absent ? -Errno.ENOENT : found);
      }
    },
  };
}

/** As `moduleStat`, for the loaders, whose next questions the kernel answers in advance. */
export function* loaderStat(pathArgument: PathArgument): Operation<number> {
  const path = toPath(pathArgument);
  const known = ahead.take(path);
  if (known !== undefined) return known;
  const result = yield* ask("moduleStat", { path });
  if (typeof result === "number") return result;
  ahead.put(path, result.kind, result.near);
  return result.kind;
}

/** 1 for WebAssembly, 0 for anything else, missing files included. */
export function* extensionlessFormat(path: PathArgument): Operation<number> {
  const opened = yield* ask("open", { path: toPath(path), flags: O_RDONLY, mode: 0 });
  if (typeof opened === "number") return 0;
  const magic = alloc(4);
  const result = yield* ask("read", { fd: opened.fd, length: 4, position: 0 });
  yield* ask("close", { fd: opened.fd });
  if (typeof result === "number") return 0;
  magic.set(result.data);
  return magic.readUInt32LE(0) === wasmMagic ? 1 : 0;
}
