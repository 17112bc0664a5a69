/**
 * Runs file-system operations. An operation is a generator that yields kernel
 * calls and returns the value Node expects; the same generator serves the
 * blocking, the callback and the promise form of a binding function.
 *
 * Invariants: a callback never runs inside the call that asked for it; it runs in
 * the async context of that call, and ticks and microtasks run between two of them.
 */
import type { Own } from "../../protocol/port.js";
import type { CallArgs, CallResult } from "../../protocol/table.js";
import { currentFrame, deliver } from "../delivery.js";
import type { GuestCalls, GuestEnvironment, KernelClient } from "../environment.js";
import { toProgram } from "../names.js";
import { later } from "../turns.js";

type Name = keyof GuestCalls;
/** Something other than a kernel call to wait for. */
export interface Wait<T> {
  block(): T;
  /** Calls back later, never at once. */
  wait(done: (value: T) => void): void;
}
type Call = {
  [K in Name]: readonly [name: K, args: CallArgs<GuestCalls, K>, own: Own | undefined];
}[Name];
/** Answered with the kernel's own words for the failure that the last call of this operation met, or "". */
const words: unique symbol = Symbol("words");
// oxlint-disable-next-line typescript/no-explicit-any -- each step has an answer of its own type, and a generator takes one
type Answer = any;
export type Step = Call | Wait<Answer> | typeof words;
export type Operation<T> = Generator<Step, T, Answer>;

const { captureStackTrace } = Error;
const NativeError = Error;
const NativePromise = Promise;
const { defineProperty } = Reflect;

/** Told of each operation that blocks its thread; src/env.cc, PrintSyncTrace. */
let syncListener: (() => void) | undefined;

export function onSyncCall(listener: () => void): void {
  syncListener = listener;
}

export const toldOfSyncCall = (): void => syncListener?.();

/**
 * One kernel call inside an operation: its result, or a negative errno. Where it blocks, `own` keeps the bytes of
 * the result, which have memory of their own otherwise.
 */
export function* ask<K extends Name>(
  name: K,
  args: CallArgs<GuestCalls, K>,
  own?: Own,
): Operation<CallResult<GuestCalls, K> | number> {
  return (yield [name, args, own] as unknown as Call) as CallResult<GuestCalls, K> | number;
}

export function* waitFor<T>(wait: Wait<T>): Operation<T> {
  return (yield wait) as T;
}

/** Error names and texts of libuv, by negative errno; filled by `installRunner`. */
let uvErrors: ReadonlyMap<number, readonly [code: string, message: string]> = new Map();

/** The error of an operation's failed call; what the kernel has said of it is the text. */
export function* failure(
  errno: number,
  syscall: string,
  path?: string,
  dest?: string,
): Operation<Error> {
  return systemError((yield words) as string, errno, syscall, path, dest);
}

/**
 * What C++ throws for a failed system call: the same text, unless `said` has another one, and the
 * same properties in the same order.
 */
export function systemError(
  said: string,
  errno: number,
  syscall: string,
  path?: string,
  dest?: string,
): Error {
  const [code, text] = uvErrors.get(errno) ?? ["UNKNOWN", "unknown error"];
  let message = `${code}: ${text}, ${syscall}`;
  const shown = path === undefined ? undefined : toProgram(path);
  const shownDest = dest === undefined ? undefined : toProgram(dest);
  if (shown !== undefined) message += ` '${shown}'`;
  if (shownDest !== undefined) message += ` -> '${shownDest}'`;
  if (said !== "") message = said;
  const error = new NativeError(message) as NodeJS.ErrnoException & { dest?: string };
  error.errno = errno;
  error.code = code;
  error.syscall = syscall;
  if (shown !== undefined) error.path = shown;
  if (shownDest !== undefined) error.dest = shownDest;
  return error;
}

/** An error that C++ makes from its own text and code. */
export function codedError(code: string, message: string): Error {
  const error = new NativeError(message) as NodeJS.ErrnoException;
  error.code = code;
  return error;
}

interface Runner {
  /** Blocks until the operation is through. */
  sync<T>(operation: Operation<T>): T;
  /** `settle` runs later, exactly once, in the caller's async context. */
  async<T>(
    operation: Operation<T>,
    resource: object | undefined,
    settle: (error: unknown, value: T | undefined) => void,
  ): void;
  promise<T>(operation: Operation<T>): Promise<T>;
  /** Completes an `FSReqCallback`. */
  request<T>(operation: Operation<T>, request: Request): void;
}

export interface Request {
  oncomplete(...args: unknown[]): void;
}

/** An own error of an asynchronous call has no frames: nobody's code was on the stack. */
function withoutFrames(error: unknown): unknown {
  if (
    error instanceof NativeError &&
    typeof (error as NodeJS.ErrnoException).syscall === "string"
  ) {
    const { name, message } = error;
    defineProperty(error, "stack", {
      value: `${name}: ${message}`,
      writable: true,
      configurable: true,
      enumerable: false,
    });
  }
  return error;
}

let kernel: KernelClient;

function runSync<T>(operation: Operation<T>): T {
  syncListener?.();
  let said = "";
  const explain = (text: string): void => {
    said = text;
  };
  const take = (step: Step): unknown => {
    if (step === words) return said;
    if ("block" in step) return step.block();
    said = "";
    return kernel.call(step[0], step[1] as Answer, explain, step[2]);
  };
  let state = operation.next();
  while (state.done !== true) state = operation.next(take(state.value));
  return state.value;
}

function runAsync<T>(
  operation: Operation<T>,
  resource: object | undefined,
  settle: (error: unknown, value: T | undefined) => void,
): void {
  const frame = currentFrame();
  let asked = false;
  let said = "";
  const finish = (error: unknown, value: T | undefined): void => {
    const run = () => deliver(frame, resource, () => settle(error, value));
    if (asked) run();
    else later(run);
  };
  const advance = (answer: unknown): void => {
    let state: IteratorResult<Step, T>;
    try {
      state = operation.next(answer);
    } catch (error) {
      finish(withoutFrames(error), undefined);
      return;
    }
    if (state.done === true) {
      finish(null, state.value);
      return;
    }
    const step = state.value;
    if (step === words) return advance(said);
    const answered = (result: unknown, text = ""): void => {
      asked = true;
      said = text;
      advance(result);
    };
    if ("wait" in step) step.wait(answered);
    else kernel.callAsync(step[0], step[1] as Answer, answered);
  };
  advance(undefined);
}

function asPromise<T>(operation: Operation<T>): Promise<T> {
  return new NativePromise<T>((resolve, reject) => {
    runAsync(operation, undefined, (error, value) => {
      if (error === null) resolve(value as T);
      else reject(error);
    });
  });
}

function asRequest<T>(operation: Operation<T>, request: Request): void {
  runAsync(operation, request, (error, value) => {
    if (error !== null) request.oncomplete(error);
    else if (value === undefined) request.oncomplete(null);
    else request.oncomplete(null, value);
  });
}

/** How operations run. */
export const runner: Runner = {
  sync: runSync,
  async: runAsync,
  promise: asPromise,
  request: asRequest,
};

/** Once in each thread. */
export function installRunner(env: GuestEnvironment): void {
  ({ kernel } = env);
  uvErrors = env.internalBinding("uv").getErrorMap() as Map<number, [string, string]>;
}

/** Hides the frames of `below` and what it called from a thrown error, as if C++ had thrown it. */
export function trimStack(error: unknown, below: Function): void {
  if (error instanceof NativeError) captureStackTrace(error, below);
}
