/**
 * Owns what a dying program prints: the text that src/node_errors.cc, ReportFatalException,
 * writes, with the version that guests see. Node's C++ would print to a stderr that is no
 * guest's, and after it shut down an engine that a fork cannot shut down.
 *
 * C++ still finds the line of source and calls Node's own formatting; the last of its
 * calls is where the report is due. For what is no object it makes no call: then the report
 * is what C++ itself has printed, by the moment at which it would shut the engine down.
 */
import { beforeEngineEnds, holdEngineStderr } from "../sandbox/engine-stderr.js";
import { engineOption } from "./engine-options.js";
import type { EngineTools } from "./environment.js";
import { isOwnScript } from "./stack-frames.js";

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

/** What of the engine reports need; set when the first is prepared. */
interface Tools {
  inspect(value: unknown): string;
  getErrorSourcePositions(error: unknown): {
    sourceLine?: unknown;
    scriptResourceName: string;
    lineNumber: number;
    startColumn: number;
  };
  /** Texts of the engine's own modules by id. */
  natives: Record<string, string>;
  arrowMessage: symbol;
  decorated: symbol;
  afterInspector(error: object): unknown;
}

let tools: Tools;
/** Gets the text of the error that the engine has been told is fatal, after what C++ has printed itself. */
let waiting: { report: Reporter; printed(): string } | undefined;

/** `continued`: C++ printed the line of source when it was thrown, before anybody knew that it is fatal. */
type Reporter = (text: string, continued?: boolean) => void;

type Marked = { [mark: symbol]: unknown; stack?: unknown; message?: unknown; name?: unknown };

function version(): string {
  return engineOption("--extra-info-on-fatal-exception") === false
    ? ""
    : `\nNode.js ${process.version}\n`;
}

function hint(): string {
  return `(Use \`${programName()} --trace-uncaught ...\` to show where the exception was thrown)\n`;
}

/** The line of source that C++ found, or undefined when the stack has it already. */
function arrowOf(error: Marked): string | undefined {
  const arrow = error[tools.arrowMessage];
  if (typeof arrow !== "string" || error[tools.decorated] === true) return undefined;
  if (!isOwnScript(arrow)) return arrow;
  // Thrown where plain Node has native code: the caller is the place.
  const [, id, line, column] =
    /\(?node:([^\s()]+):(\d+):(\d+)\)?$/m.exec(String(error.stack)) ?? [];
  const text = tools.natives[id ?? ""]?.split("\n")[Number(line) - 1];
  if (text === undefined) return undefined;
  return `node:${id}:${line}\n${text}\n${" ".repeat(Number(column) - 1)}^\n`;
}

/** The same for an error that no C++ has looked at. */
function lineOf(error: unknown): string | undefined {
  const at = tools.getErrorSourcePositions(error);
  const line = String(at?.sourceLine ?? "");
  // An error that was thrown in another thread has no position here.
  if (line === "" || line.length > sourceLineLimit || isOwnScript(at.scriptResourceName))
    return undefined;
  const indent = " ".repeat(Math.max(0, at.startColumn));
  return `${at.scriptResourceName}:${at.lineNumber}\n${line}\n${indent}^\n`;
}

function traceOf(error: object): string {
  try {
    return String(tools.afterInspector(error));
  } catch {
    return "";
  }
}

/** What an error without a stack is called. */
function nameOf(error: Marked): string {
  try {
    const { message, name } = error;
    if (message !== undefined && name !== undefined)
      return `${name as string}: ${message as string}`;
    return nativeText(error);
  } catch {
    return "<toString() threw exception>";
  }
}

/** What C++ prints at once of an error that has no place to keep it in: the line of source. */
function printedLine(printed: string): string {
  return isOwnScript(printed.trimStart()) ? "" : printed;
}

/** The whole text of C++, with the version and the name of the program that guests see. */
function nativeReport(printed: string): string | undefined {
  const said = printed
    .replace(/\nNode\.js v[^\n]*\n$/, "")
    .replace(/\n    at [^\n]*node:internal\/secure-exec\/[^\n]*(?=\n)/g, "");
  if (said === "" || isOwnScript(said.trimStart())) return undefined;
  const hinted = said.replace(
    /\n\(Use `[^`\n]*` to show where the exception was thrown\)\n$/,
    "\n",
  );
  return `${hinted}${hinted === said ? "" : hint()}${version()}`;
}

function textOf(error: object): string {
  const arrow = arrowOf(error as Marked);
  const trace = traceOf(error);
  const body = trace === "" ? `${nameOf(error as Marked)}\n${hint()}` : `${trace}\n`;
  return `${arrow === undefined ? "" : `${arrow}\n`}${body}${version()}`;
}

/** Takes the place of Node's last call before C++ reports. */
export function installFatalReport({ internalBinding, requireBuiltin }: EngineTools): void {
  const errors = internalBinding("errors");
  const { privateSymbols } = internalBinding("util");
  const { beforeInspector, afterInspector } =
    requireBuiltin("internal/errors").fatalExceptionStackEnhancers;
  tools = {
    inspect: requireBuiltin("util").inspect,
    getErrorSourcePositions: errors.getErrorSourcePositions,
    natives: internalBinding("builtins").natives,
    arrowMessage: privateSymbols.arrow_message_private_symbol,
    decorated: privateSymbols.decorated_private_symbol,
    afterInspector,
  };
  errors.setEnhanceStackForFatalException(beforeInspector, (error: object): unknown => {
    const told = waiting;
    if (told === undefined) return afterInspector(error);
    waiting = undefined;
    told.report(printedLine(told.printed()) + textOf(error));
    return undefined;
  });
}

/** Before the engine is told that `error` is fatal: `report` will get the whole text. */
export function expectFatal(error: unknown, report: Reporter): void {
  const printed = holdEngineStderr();
  if (isObject(error) && engineOption("--trace-uncaught") !== true) {
    waiting = { report, printed };
    return;
  }
  beforeEngineEnds(() => {
    const native = nativeReport(printed());
    report(native ?? thrownText(error), native !== undefined && /^(?!\n|Uncaught:)/.test(native));
  });
}

/** The same for one that was thrown while the last was handled, and is thrown again from here. */
export function expectAgain(error: unknown, report: Reporter): void {
  if (isObject(error)) expectFatal(error, report);
  else report(thrownText(error));
}

function thrownText(error: unknown): string {
  return `Uncaught:\n${nativeText(error)}\n${hint()}${version()}`;
}

/** Notes the line of source for an error that is thrown again from here. */
export function locateFatal(error: unknown): void {
  if (isObject(error) && (error as Marked)[tools.arrowMessage] === undefined)
    (error as Marked)[tools.arrowMessage] = lineOf(error);
}

/** The text for an error that the engine does not get: one that is caught here. */
export function describeFatal(error: unknown): string {
  try {
    if (!isObject(error)) return `Uncaught:\n${nativeText(error)}\n`;
    const marked = error as Marked;
    const arrow = marked[tools.arrowMessage] === undefined ? lineOf(error) : arrowOf(marked);
    return `${arrow === undefined ? "" : `${arrow}\n`}${tools.inspect(error)}\n`;
  } catch {
    return "Uncaught error that could not be inspected\n";
  }
}
