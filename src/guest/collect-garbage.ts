/**
 * Owns the collection that a process has before others are forked from it. A compact heap makes for
 * fewer pages that each copies.
 *
 * Invariant: it leaves no task behind. With incremental marking, V8 plans another collection after a
 * full one (MemoryReducer, heap/memory-reducer.cc), by a timer of a loop that does not turn here: each
 * process forked once that is due would mark the whole heap that it inherited. A zygote therefore starts
 * with incremental marking off, and what is forked from it has it on.
 */
import * as libc from "../sandbox/libc.js";
import type { RequireBuiltin } from "./engine-types.js";

interface Collection {
  /** Takes three times as long, and finds more. */
  lastResort?: boolean;
  /**
   * Of itself V8 moves what lies in its emptiest pages. Where all is moved, what a process makes from then on lies side by side
   * instead of in the holes of every page: each fork writes a sixth fewer of them. A process that is a fork itself would make
   * all pages that it shares its own.
   */
  moveAll?: boolean;
}

export function collectGarbage(
  requireBuiltin: RequireBuiltin,
  { lastResort = false, moveAll = false }: Collection = {},
): void {
  const { setFlagsFromString } = requireBuiltin("v8");
  setFlagsFromString("--expose-gc");
  // The flag adds `gc` to contexts made from now on; the program's own does not get it.
  const gc = requireBuiltin("vm").runInNewContext("gc") as (options: object) => void;
  setFlagsFromString("--no-expose-gc");
  setFlagsFromString("--no-incremental-marking");
  // A last resort is several collections: V8 would take what has not run meanwhile for old, and each fork compile it anew.
  setFlagsFromString("--no-flush-bytecode");
  if (moveAll) setFlagsFromString("--compact-on-every-full-gc");
  gc({ type: "major", execution: "sync", flavor: lastResort ? "last-resort" : "regular" });
  if (moveAll) setFlagsFromString("--no-compact-on-every-full-gc");
  setFlagsFromString("--flush-bytecode");
  setFlagsFromString("--incremental-marking");
  libc.sealHeap();
}
