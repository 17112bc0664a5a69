/**
 * Owns every way out of a guest process. Node's own shutdown joins threads that
 * a fork does not have and would hang, so the process always leaves through
 * libc's _exit, after it told the kernel its code.
 *
 * The report of an uncaught error is written here, with the virtual version,
 * because C++ prints its own only after the exit event.
 */
import * as libc from "../sandbox/libc.js";
import type { Channel } from "./channel.js";
import { engineOption } from "./engine-options.js";
import { fatalWork, leavingWork } from "./diagnostics/leaving-work.js";

/** Exit code of an uncaught error; src/node_exit_code.h: kGenericUserError. */
const genericUserError = 1;
/** kInvalidFatalExceptionMonkeyPatching there. */
const invalidFatalExceptionHandler = 6;
const ownScripts = "node:internal/secure-exec/";

export interface Leaving {
  leave(code: number): never;
  /** What Node prints for an uncaught error, without the trailing version line. */
  report(error: unknown): string;
}

const versionLine = (): string =>
  engineOption("--extra-info-on-fatal-exception") === false ? "" : `\nNode.js ${process.version}\n`;

export function installLeaving(
  internalBinding: (name: string) => any,
  requireBuiltin: (id: string) => any,
  channel: () => Channel,
): Leaving {
  const { inspect } = requireBuiltin("util");
  const { isNativeError } = internalBinding("util");
  const { getErrorSourcePositions } = internalBinding("errors");
  const { arrow_message_private_symbol: arrowMessage, decorated_private_symbol: decorated } =
    internalBinding("util").privateSymbols;
  let fatal = false;
  let exiting = false;
  let emptied = false;

  const leave = (code: number): never => {
    if (!emptied) {
      emptied = true;
      leavingWork((text) => channel().writeErrorReport(text));
      channel().event("exit", { code: code | 0 });
    }
    libc._exit(code & 0xff);
    throw new Error("unreachable");
  };

  const exitCode = (fallback: number): number => {
    const code = Number(process.exitCode ?? fallback);
    return Number.isInteger(code) ? code : fallback;
  };

  (process as any).reallyExit = (code: number) => leave(code ?? 0);

  const exit = process.exit;
  Object.defineProperty(process, "exit", {
    value: function exitProcess(code?: number) {
      exiting = true;
      try {
        return exit.call(process, code);
      } finally {
        exiting = false;
      }
    },
    writable: true,
    configurable: true,
    enumerable: true,
  });
  Object.defineProperty(process.exit, "name", { value: "exit" });

  // A natural end of the loop: C++ calls process.emit("exit", code) by name and
  // then shuts down, so the last listener's return is the moment to leave.
  const emit = process.emit;
  Object.defineProperty(process, "emit", {
    value: function emitOnProcess(this: unknown, ...args: [string, ...unknown[]]) {
      const result = Reflect.apply(emit, this === undefined ? process : this, args) as boolean;
      if (args[0] === "exit" && !exiting && !fatal && (process as any)._exiting) {
        leave(exitCode(Number(args[1] ?? 0)));
      }
      return result;
    },
    writable: true,
    configurable: true,
    enumerable: false,
  });

  const report = (error: unknown): string => {
    let head = "";
    let body: string;
    try {
      if (
        isNativeError(error) ||
        (typeof error === "object" && error !== null && "stack" in error)
      ) {
        const e = error as any;
        if (typeof e[arrowMessage] === "string") {
          if (e[decorated] !== true) head = `${e[arrowMessage]}\n`;
        } else {
          const at = getErrorSourcePositions(e);
          // An error that was thrown in another thread has no position here; V8 answers this one.
          const known = at?.sourceLine && !String(at.scriptResourceName).startsWith(ownScripts);
          if (known && typeof at.scriptResourceName === "string") {
            const line = String(at.sourceLine);
            if (line.length <= 512) {
              head = `${at.scriptResourceName}:${at.lineNumber}\n${line}\n${" ".repeat(Math.max(0, at.startColumn))}^\n\n`;
            }
          }
        }
        body = inspect(e);
      } else if ((typeof error === "object" && error !== null) || typeof error === "function") {
        body = `\n${inspect(error)}\n`;
      } else {
        head = "Uncaught:\n";
        body = `${String(error)}\n(Use \`node --trace-uncaught ...\` to show where the exception was thrown)`;
      }
    } catch {
      body = "Uncaught error that could not be inspected";
    }
    return `${head}${body}\n`;
  };

  const { format } = requireBuiltin("util");
  // C++ writes it past everything; the kernel puts it where the process's errors go.
  (process as any)._rawDebug = function _rawDebug(...args: unknown[]): void {
    channel().writeErrorReport(`${Reflect.apply(format, null, args)}\n`);
  };

  const fatalException = (process as any)._fatalException as (
    error: unknown,
    fromPromise: boolean,
  ) => boolean;
  const uncaught = (error: unknown, fromPromise: boolean): boolean => {
    fatal = true;
    let handled: boolean;
    let reported = error;
    let code = genericUserError;
    try {
      handled = fatalException(error, fromPromise);
    } catch (secondary) {
      // src/node_exit_code.h: kExceptionInFatalExceptionHandler
      handled = false;
      reported = secondary;
      code = 7;
      process.exitCode = undefined;
    }
    if (handled) {
      fatal = false;
      return true;
    }
    fatalWork(reported);
    channel().writeErrorReport(`${report(reported)}${versionLine()}`);
    return leave(exitCode(code));
  };

  let handler: unknown = uncaught;
  // C++ calls it by name; where a program took it away, Node ends with a code of its own.
  Object.defineProperty(process, "_fatalException", {
    get: () =>
      typeof handler === "function"
        ? handler
        : (error: unknown) => {
            channel().writeErrorReport(`${report(error)}${versionLine()}`);
            return leave(invalidFatalExceptionHandler);
          },
    set(value: unknown) {
      handler = value;
    },
    configurable: true,
    enumerable: true,
  });

  return { leave, report };
}
