/**
 * What programs that block ask about files: whether one is there, what it is and where. What the kernel told of its directory
 * before is in look-ahead.ts.
 */
import { encodedName } from "../names.js";
import { toPath, toStats } from "./fs-values.js";
import type { PathArgument, StatArray } from "./fs-values.js";
import { statFailed } from "./fs-entries.js";
import { ask, failure } from "./fs-runner.js";
import type { Operation } from "./fs-runner.js";
import { LookAhead } from "./look-ahead.js";
import { ToldDirectories } from "./told-directories.js";
import type { GuestEnvironment } from "../environment.js";

export let told: ToldDirectories;
let looks: LookAhead;

export function installLooking(env: GuestEnvironment): void {
  told = new ToldDirectories(env);
  looks = new LookAhead(env, told);
}

/** Asks for the directory of `path` if it is time to; answers whether it is told now. */
function* askAround(path: string, reads: boolean): Operation<boolean> {
  const wanted = looks.wanted(path, reads);
  if (wanted === undefined) return false;
  const { directory, wants } = wanted;
  const first = path.slice(directory.length + 1);
  const answer = yield* ask("directoryAhead", { directory, first, wants });
  return looks.tell(directory, wants, answer);
}

/** Before a file is read whose content is not here: whether it may be now. Otherwise the kernel is asked for it. */
export function* readTold(path: string): Operation<boolean> {
  if (yield* askAround(path, true)) return true;
  looks.asked(path, true);
  return false;
}

/** As `statPath`. */
export function* statAtOnce(
  pathArgument: PathArgument,
  follow: boolean,
  bigint: boolean,
  mustExist: boolean,
  target?: StatArray,
): Operation<StatArray | undefined> {
  const path = toPath(pathArgument);
  let known = looks.stat(path);
  if (known === undefined && (yield* askAround(path, false))) known = looks.stat(path);
  if (known === undefined) {
    looks.asked(path, false);
    const result = yield* ask("look", { path, follow });
    if (typeof result === "number") return yield* statFailed(result, path, follow, mustExist);
    told.dated(result.changes);
    if (result.errno === 0) return toStats(result.values, bigint, target);
    known = result.errno;
  }
  if (typeof known !== "number") return toStats(known, bigint, target);
  return yield* statFailed(known, path, follow, mustExist);
}

export function* existsAtOnce(pathArgument: PathArgument): Operation<boolean> {
  const path = toPath(pathArgument);
  let known = looks.exists(path);
  if (known === undefined && (yield* askAround(path, false))) known = looks.exists(path);
  if (known !== undefined) return known;
  looks.asked(path, false);
  const result = yield* ask("exists", { path });
  if (typeof result === "number") return false;
  told.dated(result.changes);
  return result.found;
}

export function* realpathAtOnce(
  pathArgument: PathArgument,
  encoding: unknown,
): Operation<string | Buffer> {
  const path = toPath(pathArgument);
  let known = looks.real(path);
  if (known === undefined && (yield* askAround(path, false))) known = looks.real(path);
  if (known !== undefined) return encodedName(known, encoding);
  looks.asked(path, false);
  const result = yield* ask("realpath", { path });
  if (typeof result === "number") throw yield* failure(result, "realpath", path);
  told.dated(result.changes);
  return encodedName(result.path, encoding);
}
