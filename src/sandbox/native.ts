/**
 * Owns how a native function is bound. Every symbol is resolved when the module that names it loads, so that nothing is
 * looked up after a fork or a lock-down; but in a worker's thread, which begins after both and calls few of them, a
 * symbol is resolved by its first call: to resolve all of them took a tenth of a thread's start.
 */
import * as ffi from "node:ffi";

type Native<A extends unknown[], R> = (...args: A) => R;

/** A library object remembers one signature per symbol: a second signature needs a second object. */
export const openLibrary = (): ffi.DynamicLibrary => new ffi.DynamicLibrary("libc.so.6");

/** The running program itself. */
export const openEngine = (): ffi.DynamicLibrary => new ffi.DynamicLibrary(null);

let whenCalled = false;

/** In a worker's thread, before anything is bound. */
export function bindWhenCalled(): void {
  whenCalled = true;
}

export function bind<A extends unknown[], R>(
  from: ffi.DynamicLibrary,
  name: string,
  args: readonly ffi.ScalarType[],
  result: ffi.ScalarType,
): Native<A, R> {
  const resolve = (): Native<A, R> =>
    from.getFunction(name, { arguments: args, return: result }) as unknown as Native<A, R>;
  if (!whenCalled) return resolve();
  let native: Native<A, R> | undefined;
  return (...values) => (native ??= resolve())(...values);
}
