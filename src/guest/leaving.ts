/**
 * Owns every way out of a guest process. Node's own shutdown joins threads that
 * a fork does not have and would hang, so the process always leaves through
 * libc's _exit, after it told the kernel its code.
 *
 * Nothing in it iterates over an array: a program may have deleted the iterator, and has to leave all the same.
 *
 * The code is the one that C++ would read: what `process.exitCode` set, or the
 * reason's own. The report of an uncaught error is ./fatal-report.ts.
 */
import * as libc from "../sandbox/libc.js";
import type { Channel } from "./channel.js";
import { engineOption } from "./engine-options.js";
import { engineProcess } from "./engine-process.js";
import type { EngineTools } from "./environment.js";
import { fatalWork, leavingWork } from "./diagnostics/leaving-work.js";
import {
  describeFatal,
  expectAgain,
  expectFatal,
  installFatalReport,
  locateFatal,
} from "./fatal-report.js";
import { drainThreads } from "./living-threads.js";
import { traceExit } from "./trace-stack.js";

/** src/node_exit_code.h. */
const exitCodes = {
  noFailure: 0,
  genericUserError: 1,
  invalidFatalExceptionMonkeyPatching: 6,
  exceptionInFatalExceptionHandler: 7,
  /** C++ has said by then where it waits: EmitProcessExitInternal of src/api/hooks.cc. */
  unsettledTopLevelAwait: 13,
} as const;

/** Where Node's own JavaScript begins the end of a process. */
const nodesOwnExits = /^node:internal\/process\/(per_thread|execution)$/;

export interface Leaving {
  leave(code: number): never;
  /** What Node prints for an uncaught error, without the trailing version line. */
  report(error: unknown): string;
}

/** What of the engine this needs; set once per process. */
interface Engine extends EngineTools {
  channel(): Channel;
  /** What C++ and JavaScript share about the end; `process_state` of src/env.h. */
  exitInfo: Int32Array;
  places: { kHasExitCode: number; kExitCode: number; kExiting: number };
  emit: typeof process.emit;
}

let engine: Engine;
let told = false;
/** C++ has emitted `exit` and would shut down once the listeners have returned. */
let endsNaturally = false;
/** What the program, or Node, put at `process._fatalException`. */
let handler: unknown;

/** Tells the kernel `code` and ends the process. */
function leave(code: number): never {
  const { channel } = engine;
  if (!told) {
    told = true;
    leavingWork((text) => channel().writeErrorReport(text));
    channel().event("exit", { code: code | 0, again: false });
  }
  libc._exit(code & 0xff);
  throw new Error("unreachable");
}

/** Environment::exit_code of src/env.h. */
function exitCode(otherwise: number): number {
  const { exitInfo, places } = engine;
  return exitInfo[places.kHasExitCode] === 1 ? exitInfo[places.kExitCode]! : otherwise;
}

function callerScript(): string {
  const sites: { scriptName: string }[] = engine.internalBinding("util").getCallSites(1);
  return String(sites[0]?.scriptName);
}

type Emit = (this: unknown, type: string, ...args: unknown[]) => boolean;

/** What C++ calls in the place of `emit`, which may be a program's own: it has returned before the process leaves. */
function untilTheEnd(emit: Emit): Emit {
  const ending = {
    emit(this: unknown, type: string, ...args: unknown[]): boolean {
      const natural = type === "exit" && !endsNaturally;
      if (natural) {
        endsNaturally = true;
        if (args[0] === exitCodes.unsettledTopLevelAwait && engineOption("--warnings") === true)
          engine.channel().event("enginePrinted", {});
      }
      const code = Number(args[0]);
      args.unshift(type);
      const heard = Reflect.apply(emit, this, args) as boolean;
      if (!natural) return heard;
      // As C++ does when a callback has returned: microtasks, then rejections that nobody handled.
      engineProcess._tickCallback();
      drainThreads();
      return leave(exitCode(code));
    },
  };
  return ending.emit;
}

/** Whether the end that begins next is C++'s own: it is, unless Node's JavaScript said that the process exits. */
let endIsNatural = true;

/** `emit` as whoever reads it gets it: once C++ says that the process exits, it is the next to read. */
function emitFor(emit: unknown): unknown {
  const { exitInfo, places } = engine;
  if (!endIsNatural || endsNaturally || exitInfo[places.kExiting] !== 1) return emit;
  return typeof emit === "function" ? untilTheEnd(emit as Emit) : emit;
}

/**
 * A natural end of the loop: C++ reads process.emit, calls it with "exit" and
 * then shuts down, so its return is the moment to leave. A program may have put
 * a function of its own there, and that has things to do after the listeners.
 */
function watchEnd(): void {
  const replaceable = (emit: unknown, enumerable: boolean): PropertyDescriptor => ({
    get: () => emitFor(emit),
    set(this: object, value: unknown) {
      const own = this === process ? replaceable(value, true) : { value, writable: true };
      Object.defineProperty(this, "emit", { enumerable: true, configurable: true, ...own });
    },
    configurable: true,
    enumerable,
  });
  Object.defineProperty(Object.getPrototypeOf(process), "emit", replaceable(engine.emit, false));
}

/** Where Node's JavaScript says that the process exits, C++ will not. */
function watchExiting(): void {
  const exiting = Object.getOwnPropertyDescriptor(process, "_exiting")!;
  Object.defineProperty(process, "_exiting", {
    ...exiting,
    set(value: unknown) {
      exiting.set!.call(process, value);
      const caller = callerScript();
      if (!value) endIsNatural = true;
      else if (nodesOwnExits.test(caller)) endIsNatural = false;
    },
  });
}

/** Has the engine report `error` on its way out, and leaves with `code` before it would shut down. */
function die(error: unknown, code: number, expect = expectFatal): void {
  expect(error, (text, continued) => {
    fatalWork(error);
    if (continued === true) engine.channel().event("enginePrinted", {});
    engine.channel().writeErrorReport(text);
    engine.channel().event("uncaught", {});
    leave(code);
  });
}

/** C++ calls it by name. Where a program put a value that is no function, Node has a code for that. */
const uncaught = (error: unknown, fromPromise: boolean): boolean => {
  if (typeof handler !== "function") {
    die(error, exitCodes.invalidFatalExceptionMonkeyPatching);
    return false;
  }
  let handled: unknown;
  try {
    handled = Reflect.apply(handler, process, [error, fromPromise]);
  } catch (secondary) {
    // Stacks call it by the property that holds it.
    Object.defineProperty(process, "_fatalException", { value: handler });
    die(secondary, exitCodes.exceptionInFatalExceptionHandler, expectAgain);
    locateFatal(secondary);
    throw secondary;
  }
  if (handled === false) die(error, exitCode(exitCodes.genericUserError));
  else if (endsNaturally) leave(exitCode(exitCodes.noFailure));
  else endIsNatural = true;
  return handled as boolean;
};

function watchUncaught(): void {
  handler = engineProcess._fatalException;
  Object.defineProperty(process, "_fatalException", {
    get: () => uncaught,
    set(value: unknown) {
      handler = value;
    },
    configurable: true,
    enumerable: true,
  });
}

export function installLeaving(tools: EngineTools, channel: () => Channel): Leaving {
  const { internalBinding, requireBuiltin } = tools;
  const { format } = requireBuiltin("util");
  const { privateSymbols, constants } = internalBinding("util");
  installFatalReport(tools);
  engine = {
    ...tools,
    channel,
    exitInfo: engineProcess[privateSymbols.exit_info_private_symbol] as Int32Array,
    places: constants,
    emit: process.emit,
  };
  engineProcess.reallyExit = function reallyExit(...args: [code?: number]): never {
    const status = Number(args[0]) | 0;
    traceExit(engine, channel(), status);
    return leave(status);
  };
  watchEnd();
  watchExiting();
  // C++ writes it past everything; the kernel puts it where the process's errors go.
  engineProcess._rawDebug = function _rawDebug(...args: unknown[]): void {
    channel().writeErrorReport(`${Reflect.apply(format, null, args)}\n`);
  };
  watchUncaught();
  return { leave, report: describeFatal };
}
