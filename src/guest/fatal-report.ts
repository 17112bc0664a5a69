/**
 * Owns what a dying program prints: the text that src/node_errors.cc, ReportFatalException,
 * writes, with the version that guests see. Node's C++ would print to a stderr that is no
 * guest's, and after it shut down an engine that a fork cannot shut down.
 *
 * C++ still finds the line of source and calls Node's own formatting; the last of its
 * calls is where the report is due. For what is no object it makes no call, and nobody
 * but C++ knows where it was thrown: then the report lacks the line.
 */
import { engineOption } from "./engine-options.js";
import { isOwnScript } from "./stack-frames.js";

export interface FatalReport {
  /** Before the engine is told that `error` is fatal: `report` will get the whole text. */
  expect(error: unknown, report: (text: string) => void): void;
  /** Notes the line of source for an error that is thrown again from here. */
  locate(error: unknown): void;
  /** The text for an error that the engine does not get: one that is caught here. */
  describe(error: unknown): string;
}

/** src/node_errors.cc, GetErrorSource: longer lines are not shown. */
const sourceLineLimit = 512;

const isObject = (value: unknown): value is object =>
  (typeof value === "object" && value !== null) || typeof value === "function";

/** String::Utf8Value of it. */
function nativeText(value: unknown): string {
  return typeof value === "symbol" ? "" : String(value);
}

/** The last part of argv[0], which the hint names. */
function programName(): string {
  return process.argv0.slice(process.argv0.lastIndexOf("/") + 1) || "node";
}

export function createFatalReport(
  internalBinding: (name: string) => any,
  requireBuiltin: (id: string) => any,
): FatalReport {
  const { inspect } = requireBuiltin("util");
  const errors = internalBinding("errors");
  const { natives } = internalBinding("builtins") as { natives: Record<string, string> };
  const { arrow_message_private_symbol: arrowMessage, decorated_private_symbol: decorated } =
    internalBinding("util").privateSymbols;
  const { beforeInspector, afterInspector } =
    requireBuiltin("internal/errors").fatalExceptionStackEnhancers;
  let waiting: ((text: string) => void) | undefined;

  const version = (): string =>
    engineOption("--extra-info-on-fatal-exception") === false
      ? ""
      : `\nNode.js ${process.version}\n`;

  const hint = (): string =>
    `(Use \`${programName()} --trace-uncaught ...\` to show where the exception was thrown)\n`;

  /** The line of source that C++ found, or undefined when the stack has it already. */
  const arrowOf = (error: any): string | undefined => {
    const arrow: unknown = error[arrowMessage];
    if (typeof arrow !== "string" || error[decorated] === true) return undefined;
    if (!isOwnScript(arrow)) return arrow;
    // Thrown where plain Node has native code: the caller is the place.
    const [, id, line, column] =
      /\(?node:([^\s()]+):(\d+):(\d+)\)?$/m.exec(String(error.stack)) ?? [];
    const text = natives[id ?? ""]?.split("\n")[Number(line) - 1];
    if (text === undefined) return undefined;
    return `node:${id}:${line}\n${text}\n${" ".repeat(Number(column) - 1)}^\n`;
  };

  /** The same for an error that no C++ has looked at. */
  const lineOf = (error: unknown): string | undefined => {
    const at = errors.getErrorSourcePositions(error);
    const line = String(at?.sourceLine ?? "");
    // An error that was thrown in another thread has no position here.
    if (line === "" || line.length > sourceLineLimit || isOwnScript(at.scriptResourceName))
      return undefined;
    const indent = " ".repeat(Math.max(0, at.startColumn));
    return `${at.scriptResourceName}:${at.lineNumber}\n${line}\n${indent}^\n`;
  };

  const traceOf = (error: any): string => {
    try {
      return String(afterInspector(error));
    } catch {
      return "";
    }
  };

  /** What an error without a stack is called. */
  const nameOf = (error: any): string => {
    try {
      const { message, name } = error;
      if (message !== undefined && name !== undefined) return `${name}: ${message}`;
      return nativeText(error);
    } catch {
      return "<toString() threw exception>";
    }
  };

  const textOf = (error: object): string => {
    const arrow = arrowOf(error);
    const trace = traceOf(error);
    const body = trace === "" ? `${nameOf(error)}\n${hint()}` : `${trace}\n`;
    return `${arrow === undefined ? "" : `${arrow}\n`}${body}${version()}`;
  };

  errors.setEnhanceStackForFatalException(beforeInspector, (error: object): unknown => {
    const report = waiting;
    if (report === undefined) return afterInspector(error);
    waiting = undefined;
    report(textOf(error));
    return undefined;
  });

  return {
    expect(error, report) {
      if (isObject(error)) waiting = report;
      else report(`Uncaught:\n${nativeText(error)}\n${hint()}${version()}`);
    },

    locate(error) {
      if (isObject(error) && (error as any)[arrowMessage] === undefined)
        (error as any)[arrowMessage] = lineOf(error);
    },

    describe(error) {
      try {
        if (!isObject(error)) return `Uncaught:\n${nativeText(error)}\n`;
        const arrow = (error as any)[arrowMessage] === undefined ? lineOf(error) : arrowOf(error);
        return `${arrow === undefined ? "" : `${arrow}\n`}${inspect(error)}\n`;
      } catch {
        return "Uncaught error that could not be inspected\n";
      }
    },
  };
}
