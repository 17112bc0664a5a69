/**
 * Owns every way out of a guest process. Node's own shutdown joins threads that
 * a fork does not have and would hang, so the process always leaves through
 * libc's _exit, after it told the kernel its code.
 *
 * The code is the one that C++ would read: what `process.exitCode` set, or the
 * reason's own. The report of an uncaught error is ./fatal-report.ts.
 */
import * as libc from "../sandbox/libc.js";
import type { Channel } from "./channel.js";
import { fatalWork, leavingWork } from "./diagnostics/leaving-work.js";
import { describeFatal, expectFatal, installFatalReport, locateFatal } from "./fatal-report.js";
import { traceExit } from "./trace-stack.js";

/** src/node_exit_code.h. */
const exitCodes = {
  noFailure: 0,
  genericUserError: 1,
  invalidFatalExceptionMonkeyPatching: 6,
  exceptionInFatalExceptionHandler: 7,
} as const;

/** Where Node's own JavaScript begins the end of a process. */
const nodesOwnExits = /^node:internal\/process\/(per_thread|execution)$/;

export interface Leaving {
  leave(code: number): never;
  /** What Node prints for an uncaught error, without the trailing version line. */
  report(error: unknown): string;
}

export function installLeaving(
  internalBinding: (name: string) => any,
  requireBuiltin: (id: string) => any,
  channel: () => Channel,
): Leaving {
  const { format } = requireBuiltin("util");
  const { privateSymbols, constants } = internalBinding("util");
  installFatalReport({ internalBinding, requireBuiltin });
  const exitInfo = (process as any)[privateSymbols.exit_info_private_symbol] as Int32Array;
  let told = false;
  /** C++ has emitted `exit` and would shut down once the listeners have returned. */
  let endsNaturally = false;

  const leave = (code: number): never => {
    if (!told) {
      told = true;
      leavingWork((text) => channel().writeErrorReport(text));
      channel().event("exit", { code: code | 0 });
    }
    libc._exit(code & 0xff);
    throw new Error("unreachable");
  };

  /** Environment::exit_code of src/env.h. */
  const exitCode = (otherwise: number): number =>
    exitInfo[constants.kHasExitCode] === 1 ? exitInfo[constants.kExitCode]! : otherwise;

  (process as any).reallyExit = function reallyExit(...[code]: [code?: number]): never {
    const status = Number(code) | 0;
    traceExit({ internalBinding, requireBuiltin }, channel(), status);
    return leave(status);
  };

  const callSites = (): { scriptName: string }[] => internalBinding("util").getCallSites(1);

  // A natural end of the loop: C++ calls process.emit("exit", code) by name and
  // then shuts down, so the last listener's return is the moment to leave.
  const { emit } = process;
  const prototype = Object.getPrototypeOf(process) as { emit?: unknown };
  const { emitUntilTheEnd } = {
    emitUntilTheEnd(this: unknown, type: string, ...args: unknown[]): boolean {
      const natural = type === "exit" && !endsNaturally && exitInfo[constants.kExiting] === 1;
      if (natural) endsNaturally = true;
      const heard = Reflect.apply(emit, this ?? process, [type, ...args]) as boolean;
      if (!natural) return heard;
      // As C++ does when a callback has returned: microtasks, then rejections that nobody handled.
      (process as any)._tickCallback();
      return leave(exitCode(Number(args[0])));
    },
  };
  Object.defineProperty(emitUntilTheEnd, "name", { value: "emit", configurable: true });
  const watchEnd = (): void =>
    void Object.defineProperty(prototype, "emit", {
      value: emitUntilTheEnd,
      writable: true,
      configurable: true,
      enumerable: false,
    });
  watchEnd();
  // Where Node's JavaScript says that the process exits, C++ will not.
  const exiting = Object.getOwnPropertyDescriptor(process, "_exiting")!;
  Object.defineProperty(process, "_exiting", {
    ...exiting,
    set(value: unknown) {
      exiting.set!.call(process, value);
      const [caller] = callSites();
      if (!value) watchEnd();
      else if (nodesOwnExits.test(String(caller?.scriptName))) delete prototype.emit;
    },
  });

  // C++ writes it past everything; the kernel puts it where the process's errors go.
  (process as any)._rawDebug = function _rawDebug(...args: unknown[]): void {
    channel().writeErrorReport(`${Reflect.apply(format, null, args)}\n`);
  };

  /** Has the engine report `error` on its way out, and leaves with `code` before it would shut down. */
  const die = (error: unknown, code: number): void =>
    expectFatal(error, (text) => {
      fatalWork(error);
      channel().writeErrorReport(text);
      channel().event("uncaught", {});
      leave(code);
    });

  let handler: unknown = (process as any)._fatalException;
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
      die(secondary, exitCodes.exceptionInFatalExceptionHandler);
      locateFatal(secondary);
      throw secondary;
    }
    if (handled === false) die(error, exitCode(exitCodes.genericUserError));
    else if (endsNaturally) leave(exitCode(exitCodes.noFailure));
    else watchEnd();
    return handled as boolean;
  };
  Object.defineProperty(process, "_fatalException", {
    get: () => uncaught,
    set(value: unknown) {
      handler = value;
    },
    configurable: true,
    enumerable: true,
  });

  return { leave, report: describeFatal };
}
