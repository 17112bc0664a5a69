/**
 * Owns the stacks that options have Node's C++ print to stderr: where a process exits
 * (--trace-exit) and where a synchronous call blocks its event loop (--trace-sync-io). The text
 * is that of src/env.cc and PrintStackTrace of src/node_errors.cc.
 */
import { onSyncCall } from "./bindings/fs-runner.js";
import type { Channel } from "./channel.js";
import type { EngineTools } from "./environment.js";
import { engineProcess } from "./engine-process.js";

interface CallSite {
  functionName: string;
  scriptName: string;
  lineNumber: number;
  columnNumber: number;
}

/** Environment::PrintSyncTrace. */
const syncFrames = 10;

function stackOf(tools: EngineTools, most: number): string {
  const sites = tools.internalBinding("util").getCallSites(most) as CallSite[];
  return sites
    .map(({ functionName, scriptName, lineNumber, columnNumber }) => {
      const place = `${scriptName}:${lineNumber}:${columnNumber}`;
      return `    at ${functionName === "" ? place : `${functionName} (${place})`}\n`;
    })
    .join("");
}

/** "(node:4)", or in a worker "(node:4, thread:1)". */
function whoOf(tools: EngineTools): string {
  const { threadId, isMainThread } = tools.internalBinding("worker") as {
    threadId: number;
    isMainThread: boolean;
  };
  return isMainThread ? `(node:${process.pid})` : `(node:${process.pid}, thread:${threadId})`;
}

/** Environment::Exit. */
export function traceExit(tools: EngineTools, channel: Channel, code: number): void {
  const { getOptionValue } = tools.requireBuiltin("internal/options");
  if (getOptionValue("--trace-exit") !== true) return;
  const stack = stackOf(tools, Number(getOptionValue("--stack-trace-limit")));
  channel.writeErrorReport(
    `${whoOf(tools)} WARNING: Exited the environment with code ${code}\n${stack}\n`,
  );
}

/** Once in a worker: its own C++ prints where nobody reads. */
export function traceExitOfThread(tools: EngineTools, channel: Channel): void {
  const { reallyExit } = engineProcess;
  engineProcess.reallyExit = function (...args: [code?: number]): never {
    traceExit(tools, channel, Number(args[0]) | 0);
    return Reflect.apply(reallyExit, process, args) as never;
  };
  Object.defineProperty(engineProcess.reallyExit, "name", { value: "reallyExit" });
}

/** Once the event loop of the thread runs. */
export function traceSyncCalls(tools: EngineTools, channel: Channel): void {
  onSyncCall(() =>
    channel.writeErrorReport(
      `${whoOf(tools)} WARNING: Detected use of sync API\n${stackOf(tools, syncFrames)}`,
    ),
  );
}
