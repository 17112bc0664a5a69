/**
 * Owns the memory for native callbacks into JavaScript. libffi maps executable pages for
 * them, which a guest's filter refuses, and never gives a table of them back while one is in
 * use: so the zygote makes as many as all threads of a guest may want and keeps a few.
 *
 * The pages are no more than what a guest has anyway, whose compiler writes code.
 */
import type * as ffi from "node:ffi";
import { openEngine } from "./native.js";

/** A table of libffi's holds about a hundred; one of them in use keeps it. */
const keptEvery = 40;

let library: ffi.DynamicLibrary | undefined;
const kept: bigint[] = [];

/** In the zygote, before anything is forked: room for `count` callbacks in each of its children. */
export function reserveCallbacks(count: number): void {
  library = openEngine();
  const signature = { arguments: [], return: "i32" } as const;
  const made: bigint[] = [];
  for (let at = 0; at < count; at++) made.push(library.registerCallback(signature, () => 0));
  made.forEach((pointer, at) => {
    if (at % keptEvery === 0) kept.push(pointer);
    else library!.unregisterCallback(pointer);
  });
}
