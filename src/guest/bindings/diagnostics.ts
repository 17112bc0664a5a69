/**
 * Puts the machine's file system under what V8 and the inspector write: heap snapshots,
 * coverage, profiles; and keeps the inspector's port shut. It protects nothing: files are
 * the kernel's to allow, and the filter of the process has no sockets.
 */
import type * as HeapSnapshot from "../diagnostics/heap-snapshot.js";
import type * as Profilers from "../diagnostics/profilers.js";
import { installEvaluationTimeout } from "../diagnostics/evaluation-timeout.js";
import { atFatalError, atLeaving } from "../diagnostics/leaving-work.js";
import { afterLoad } from "../builtin-loads.js";
import type { EngineModule } from "../engine-types.js";
import type { EngineTools } from "../environment.js";
import { unavailable } from "../unavailable.js";

// Loaded when a program asks for one: few do.
const heapSnapshots = (): typeof HeapSnapshot => require("../diagnostics/heap-snapshot.js");
const profilers = (): typeof Profilers => require("../diagnostics/profilers.js");

/** Of the `profiler` binding; node:v8 has copies of two. */
const coverageNames = [
  "setCoverageDirectory",
  "setSourceMapCacheGetter",
  "startCoverage",
  "takeCoverage",
  "stopCoverage",
  "endCoverage",
] as const;

const notAtTheLimit = "a file cannot be written from where the heap has run out";

export function installDiagnostics(env: EngineTools): void {
  const profiler = env.internalBinding("profiler");

  for (const name of coverageNames)
    profiler[name] = (...args: never[]) =>
      (profilers().coverageFunctions(env)[name] as (...args: never[]) => void)(...args);
  // Loaded by the zygote's own start, before any binding was replaced.
  afterLoad(env.requireBuiltin, "v8", (v8) => replaceFunctions(env, v8, profiler));
  env.internalBinding("heap_utils").triggerHeapSnapshot = (path: unknown, options: Uint8Array) =>
    heapSnapshots().writeHeapSnapshot(env, path, options);

  installEvaluationTimeout(env);
  const report = env.internalBinding("report");
  atFatalError((error) => {
    if (report.shouldReportOnUncaughtException() !== true) return;
    const message = error instanceof Error ? error.message : String(error);
    report.writeReport(message, "Exception", null, error);
  });
  shutInspectorPort(env);
}

function replaceFunctions(env: EngineTools, v8: EngineModule, profiler: EngineModule): void {
  const { getHeapSnapshotOptions } = env.requireBuiltin("internal/heap_utils");
  const { getValidatedPath } = env.requireBuiltin("internal/fs/utils");
  const replaced = {
    writeHeapSnapshot(filename?: unknown, options?: unknown): string {
      const path = filename === undefined ? undefined : getValidatedPath(filename);
      return heapSnapshots().writeHeapSnapshot(env, path, getHeapSnapshotOptions(options));
    },
    setHeapSnapshotNearHeapLimit(): never {
      throw unavailable("v8.setHeapSnapshotNearHeapLimit", notAtTheLimit);
    },
    setHeapProfileNearHeapLimit(): never {
      throw unavailable("v8.setHeapProfileNearHeapLimit", notAtTheLimit);
    },
    takeCoverage: profiler.takeCoverage,
    stopCoverage: profiler.stopCoverage,
  };
  for (const [name, value] of Object.entries(replaced)) if (name in v8) v8[name] = value;
}

function shutInspectorPort(env: EngineTools): void {
  env.internalBinding("inspector").open = (port: unknown, host: unknown): never => {
    const wanted = `${String(host ?? "127.0.0.1")}:${String(port ?? process.debugPort)}`;
    throw unavailable(
      `inspector.open(${wanted})`,
      "no port of the inspector opens here; a Session in the process itself works",
    );
  };
}

/** In each thread, before the program: what NODE_V8_COVERAGE asks for. Without `counts` only children hear of it. */
export function startCoverage(env: EngineTools, counts = true): void {
  const directory = process.env["NODE_V8_COVERAGE"];
  if (directory === undefined || directory === "") return;
  profilers().startCoverageFor(env, directory, counts);
  if (!counts) return;
  atLeaving("coverage", () => profilers().finishCoverage(env));
}

/** The same for `--experimental-test-coverage`, which keeps what it counts to itself. */
export function startTestCoverage(env: EngineTools): void {
  profilers().beginCoverage(env);
}

/** In a worker, which ends where Node lets it end. */
export function startCoverageOfThread(env: EngineTools): void {
  const directory = process.env["NODE_V8_COVERAGE"];
  if (directory === undefined || directory === "") return;
  profilers().startCoverageFor(env, directory);
  process.on("exit", () => profilers().finishCoverage(env));
}
