/**
 * What module loaders ask of files. A loader asks for one path after the other; what the kernel told of
 * the next ones is in load-ahead.ts.
 */
import { O_RDONLY } from "../../abi/fcntl.js";
import { AheadWants } from "../../protocol/fs-calls.js";
import { readFile, readOpenText } from "./fs-contents.js";
import { told, installLooking, readTold } from "./fs-looking.js";
import { ask } from "./fs-runner.js";
import type { Operation } from "./fs-runner.js";
import { text, toPath } from "./fs-values.js";
import type { PathArgument } from "./fs-values.js";
import { LoadAhead } from "./load-ahead.js";
import type { GuestEnvironment } from "../environment.js";

const { alloc } = Buffer;
const wasmMagic = 0x6d736100;

export let ahead: LoadAhead;

export function installLoading(env: GuestEnvironment): void {
  installLooking(env);
  ahead = new LoadAhead(env, told);
}

const dated = (changes: number): void => ahead.dated(changes);

/** What is answered without an operation, where it is known: `internalModuleStat`. */
export function knownKind(path: unknown): number | undefined {
  return typeof path === "string" ? ahead.kind(path) : undefined;
}

/** The same of `readFileUtf8`. */
export function knownText(path: unknown, flags: unknown): string | undefined {
  return typeof path === "string" && flags === O_RDONLY ? ahead.text(path) : undefined;
}

function* askAhead(directory: string, first: string): Operation<undefined> {
  const answer = yield* ask("directoryAhead", { directory, first, wants: AheadWants.content });
  ahead.tell(directory, answer);
  return undefined;
}

/** As `moduleStat`, for the loaders, whose next questions the kernel answers in advance. */
export function* loaderStat(pathArgument: PathArgument): Operation<number> {
  const path = toPath(pathArgument);
  const known = ahead.kind(path);
  if (known !== undefined) return known;
  const directory = ahead.wanted(path);
  if (directory !== undefined) {
    yield* askAhead(directory, path.slice(directory.length + 1));
    const kind = ahead.kind(path);
    if (kind !== undefined) return kind;
  }
  const result = yield* ask("moduleStat", { path, content: ahead.wantsContent(path) });
  if (typeof result === "number") return result;
  ahead.put(path, result);
  return result.kind;
}

/** As `readFile`, for blocking callers, of whom one is the loaders. */
export function* readAtOnce(pathArgument: PathArgument, flags: number): Operation<Uint8Array> {
  if (typeof pathArgument !== "string" || flags !== O_RDONLY)
    return yield* readFile(pathArgument, flags, false);
  const known = ahead.content(pathArgument);
  if (known !== undefined) return known;
  const directory = ahead.continued(pathArgument);
  if (directory !== undefined) yield* askAhead(directory, pathArgument.slice(directory.length + 1));
  if (directory !== undefined || (yield* readTold(pathArgument))) {
    const content = ahead.content(pathArgument);
    if (content !== undefined) return content;
  }
  return yield* readFile(pathArgument, flags, false, dated);
}

export function* readTextAtOnce(target: PathArgument | number, flags: number): Operation<string> {
  return typeof target === "number"
    ? yield* readOpenText(target)
    : text(yield* readAtOnce(target, flags));
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
