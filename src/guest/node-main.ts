/**
 * Owns becoming what `node argv…` becomes: the options of the command line are made
 * the engine's, then one of the engine's own main scripts (internal/main/…) runs.
 *
 * A guest is forked from a process that has prepared its execution once, with no
 * options; `prepare` takes the place of that step and does what depends on them.
 */
import type { StartOptions } from "../protocol/guest-calls.js";
import { reportToWatcher } from "./engine-variables.js";
import { engineOption, inheritFlags, setEngineOption } from "./engine-options.js";
import { loadEnvFiles } from "./env-file.js";
import { notForEnvironment, parseCommandLine, splitNodeOptions } from "./node-cli.js";
import type { CommandLine, OptionTable, Types } from "./node-cli.js";
import type { OptionValue } from "./engine-options.js";
import { offerModules, renewExports, restrictBuiltins } from "./public-modules.js";
import { startCoverage, startTestCoverage } from "./bindings/diagnostics.js";
import { startCompileCache } from "./compile-cache/binding.js";
import type * as Profilers from "./diagnostics/profilers.js";
import { atLeaving } from "./diagnostics/leaving-work.js";
import { prepareStorage } from "./bindings/sqlite.js";
import { loadLegacyProvider } from "../sandbox/openssl.js";
import type * as TaskRunner from "./task-runner.js";
import { complaint, invalidArgument } from "./option-checks.js";
import { deprecateLooseVariables } from "./loose-variables.js";
import { later } from "./turns.js";
import { traceSyncCalls } from "./trace-stack.js";
import { refusal } from "./refused-options.js";
import type { Channel } from "./channel.js";
import { badEngineFlag, isNodeStartOption, isV8StartFlag } from "../protocol/engine-start.js";
import { applyV8Flag, isV8Flag } from "./v8-flags.js";
import type { InternalBinding, RequireBuiltin } from "./engine-types.js";
import { engineProcess } from "./engine-process.js";

/** PerIsolateOptions::HandleMaxOldSpaceSizePercentage of src/node_options.cc. */
const memoryShare = "--max-old-space-size-percentage";
const bytesPerMiB = 1024 * 1024;

export interface NodeCommand {
  channel: Channel;
  requireBuiltin: RequireBuiltin;
  internalBinding: InternalBinding;
}

// Loaded by those who need them.
const profilers = (): typeof Profilers => require("./diagnostics/profilers.js");
const tasks = (): typeof TaskRunner => require("./task-runner.js");

/** Variables that src/node.cc reads as options. */
const environmentFlags: readonly (readonly [variable: string, option: string])[] = [
  ["NODE_USE_ENV_PROXY", "--use-env-proxy"],
  ["NODE_PENDING_DEPRECATION", "--pending-deprecation"],
  ["NODE_USE_SYSTEM_CA", "--use-system-ca"],
  ["NODE_PRESERVE_SYMLINKS", "--preserve-symlinks"],
  ["NODE_PRESERVE_SYMLINKS_MAIN", "--preserve-symlinks-main"],
];

/** Properties of `process` that show an option; there while it is set. */
const processAliases: readonly (readonly [property: string, option: string])[] = [
  ["_eval", "--eval"],
  ["_print_eval", "--print"],
  ["_syntax_check_only", "--check"],
  ["_forceRepl", "--interactive"],
  ["_preload_modules", "--require"],
  ["noDeprecation", "--no-deprecation"],
  ["noProcessWarnings", "--no-warnings"],
  ["traceProcessWarnings", "--trace-warnings"],
  ["throwDeprecation", "--throw-deprecation"],
  ["traceDeprecation", "--trace-deprecation"],
];

/** Options that take globals away, or offer modules. */
const removedGlobals: readonly (readonly [option: string, names: readonly string[]])[] = [
  ["--no-experimental-global-navigator", ["navigator", "Navigator"]],
  ["--no-experimental-websocket", ["WebSocket", "CloseEvent"]],
  ["--no-experimental-webstorage", ["localStorage", "sessionStorage", "Storage"]],
];
const offeredModules: readonly (readonly [option: string, ids: readonly string[]])[] = [
  ["--experimental-stream-iter", ["stream/iter", "zlib/iter"]],
  ["--experimental-vfs", ["vfs"]],
  ["--experimental-bench", ["bench", "bench/reporters"]],
];

/** Functions of the `report` binding that options call. */
const reportSettings: readonly (readonly [option: string, setter: string])[] = [
  ["--report-dir", "setDirectory"],
  ["--report-directory", "setDirectory"],
  ["--report-filename", "setFilename"],
  ["--report-compact", "setCompact"],
  ["--report-exclude-network", "setExcludeNetwork"],
  ["--report-exclude-env", "setExcludeEnv"],
  ["--report-signal", "setSignal"],
  ["--report-on-signal", "setReportOnSignal"],
  ["--report-on-fatalerror", "setReportOnFatalError"],
  ["--report-uncaught-exception", "setReportOnUncaughtException"],
];

/** Left on the global object by the zygote's own start. */
const globalTraces = ["require", "module", "exports", "__filename", "__dirname"];

/** The default, before the command line was read. */
let zygotesCiphers: OptionValue | undefined;

export function runNodeCommand(tools: NodeCommand, start: StartOptions): void {
  const { requireBuiltin, internalBinding } = tools;
  const types = internalBinding("options").types as Types;
  const table = requireBuiltin("internal/options").getCLIOptionsInfo() as OptionTable;
  const line = parseCommandLine(start.argv, table, types);
  const missing = line.error === undefined ? loadEnvFiles(tools, line) : undefined;
  if (missing !== undefined) return refuse(start, `${missing}: not found`);
  // The files may have brought it.
  const inherited = parseCommandLine(
    splitNodeOptions(process.env["NODE_OPTIONS"] ?? ""),
    table,
    types,
  );
  zygotesCiphers = engineOption("--tls-cipher-list");
  const ownEngine = engineFlags([inherited, line], table, types, start.memoryLimitBytes);
  const badFlag = line.v8.find((flag) => !table.options.has(flag) && !isV8Flag(flag));
  const { kAllowedInEnvvar } = internalBinding("options").envSettings;
  const misplaced =
    inherited.rest[0] ?? notForEnvironment(inherited, table, kAllowedInEnvvar as number);
  const wrong =
    (misplaced === undefined ? inherited.error : `${misplaced} is not allowed in NODE_OPTIONS`) ??
    line.error ??
    (badFlag === undefined ? undefined : `bad option: ${badFlag}`);
  const complained = wrong === undefined ? complaint([inherited, line]) : undefined;
  if (complained !== undefined) return refuse(start, complained.text, complained.exitCode);
  const cold = start.engineFlags === undefined && line.values.has("--tls-keylog");
  if (wrong === undefined && (cold || (start.engineFlags?.length ?? 0) < ownEngine.length))
    return askForEngine(tools, start, ownEngine);
  const error = wrong ?? refusal(inherited.values, inherited.v8) ?? refusal(line.values, line.v8);
  if (error !== undefined) {
    if (line.missingValue === "--run") process.stderr.write(tasks().listTasks(tools));
    else return refuse(start, error);
    process.exit(invalidArgument);
  }

  setEngineOption("--warnings", true);
  for (const [variable, option] of environmentFlags)
    if (process.env[variable] === "1") setEngineOption(option, true);
  if (process.env["NODE_REDIRECT_WARNINGS"] !== undefined)
    setEngineOption("--redirect-warnings", process.env["NODE_REDIRECT_WARNINGS"]);
  for (const { values } of [inherited, line]) adopt(values);
  for (const flag of [...inherited.v8, ...line.v8]) applyV8Flag(requireBuiltin, flag);
  process.execArgv = line.execArgv;
  inheritFlags([...line.execArgv], line.values);

  const execPath = process.argv[0]!;
  if (engineOption("--print") === true && !line.values.has("--eval") && line.rest.length > 0)
    setEngineOption("--eval", line.rest.shift()!);
  const evaluates = line.values.has("--eval") || engineOption("--eval") !== "";
  setEngineOption("[has_eval_string]", evaluates);
  process.argv = [execPath, ...line.rest];
  if (engineOption("--version") === true) {
    process.stdout.write(`${process.version}\n`);
    return;
  }
  const lonely = profileOptions(line) ? profilers().profileError(line.values) : undefined;
  if (lonely !== undefined) return refuse(start, lonely);
  const task = line.values.get("--run");
  if (typeof task === "string") return tasks().runTask(tools, task, line.operands);
  runMain(tools, mainScript(tools, line, evaluates));
}

/** The options that an engine has to be started with, each as one text. */
function engineFlags(
  lines: readonly CommandLine[],
  table: OptionTable,
  types: Types,
  memoryBytes: number,
): string[] {
  const flags: string[] = [];
  let share = NaN;
  for (const { values, v8 } of lines) {
    for (const [name, value] of values) {
      if (!isNodeStartOption(name) || Array.isArray(value) || typeof value === "object") continue;
      const isSwitch = table.options.get(name)?.type === types.kBoolean;
      if (name === memoryShare) share = Number(value) / 100;
      else if (!isSwitch) flags.push(`${name}=${value}`);
      else flags.push(value === true ? name : `--no-${name.slice(2)}`);
    }
    flags.push(...v8.filter(isV8StartFlag));
  }
  // Of the machine's memory, where the engine would see the host's; it comes before any other size.
  if (!Number.isNaN(share))
    flags.push(`--max-old-space-size=${Math.floor((memoryBytes * share) / bytesPerMiB)}`);
  return flags;
}

/** This process ends here; what follows happens in another engine, to the same process of the machine. */
function askForEngine(tools: NodeCommand, start: StartOptions, flags: string[]): never {
  const bad = badEngineFlag(flags);
  if (bad !== undefined) return refuse(start, `${bad}: invalid value`);
  const result = tools.channel.call("ownEngine", { flags });
  return refuse(
    start,
    `no engine could be started with ${flags.join(" ")} (${JSON.stringify(result)})`,
  );
}

const profileOptions = (line: CommandLine): boolean =>
  [...line.values.keys()].some((name) => name.includes("-prof-"));

function refuse(start: StartOptions, error: string, exitCode = invalidArgument): never {
  process.stderr.write(`${start.argv0}: ${error}\n`);
  process.exit(exitCode);
}

/** NODE_OPTIONS comes first: lists are added to, everything else is replaced. */
function adopt(values: CommandLine["values"]): void {
  for (const [name, value] of values) {
    const list = engineOption(name);
    if (Array.isArray(list) && Array.isArray(value)) list.push(...value);
    else setEngineOption(name, value);
  }
}

/** The choice of src/node.cc, StartExecution. */
function mainScript(tools: NodeCommand, line: CommandLine, evaluates: boolean): string {
  const [script] = line.rest;
  const interactive = engineOption("--interactive") === true;
  if (engineOption("--help") === true) return "print_help";
  if (engineOption("--check") === true && !interactive) return "check_syntax";
  if (engineOption("--test") === true) return "test_runner";
  if (engineOption("--watch") === true && !interactive) return "watch_mode";
  if (evaluates && !interactive) return "eval_string";
  if (script !== undefined && script !== "-" && !interactive) return "run_main_module";
  const terminal = tools.requireBuiltin("internal/util").guessHandleType(0) === "TTY";
  return interactive || (script === undefined && terminal) ? "repl" : "eval_stdin";
}

function runMain(tools: NodeCommand, name: string): void {
  const { requireBuiltin, internalBinding } = tools;
  for (const global of globalTraces) delete (globalThis as Record<string, unknown>)[global];
  startCompileCache();
  reportToWatcher(tools);
  const preparation = requireBuiltin("internal/process/pre_execution");
  const { primordials } = requireBuiltin("internal/test/binding");
  preparation.prepareMainThreadExecution = (expandArgv1: boolean) =>
    prepare(tools, expandArgv1, true);
  preparation.prepareTestRunnerMainExecution = (preload: boolean) => prepare(tools, false, preload);
  preparation.markBootstrapComplete = () => {};
  const main = internalBinding("builtins").compileFunction(`internal/main/${name}`);
  main(process, requireBuiltin, internalBinding, primordials);
}

/** What internal/process/pre_execution does with options and variables; answers the path of the main script. */
function prepare(tools: NodeCommand, expandArgv1: boolean, preload: boolean): string | undefined {
  const { requireBuiltin } = tools;
  let entry: string | undefined;
  if (expandArgv1 && process.argv[1] !== undefined && !process.argv[1].startsWith("-")) {
    entry = requireBuiltin("path").resolve(process.argv[1]) as string;
    process.argv[1] = entry;
  }
  showOptions();
  if (engineOption("--warnings") === true && process.env["NODE_NO_WARNINGS"] !== "1")
    process.on("warning", requireBuiltin("internal/process/warning").onWarning);
  if (process.env["NODE_DEBUG"] !== undefined)
    requireBuiltin("internal/util/debuglog").initializeDebugEnv(process.env["NODE_DEBUG"]);
  offerFeatures(requireBuiltin);
  if (engineOption("--enable-source-maps") === true) process.setSourceMapsEnabled(true);
  if (engineOption("--dns-result-order") !== "")
    requireBuiltin("dns").setDefaultResultOrder(engineOption("--dns-result-order"));
  setNetworkDefaults(requireBuiltin);
  startDiagnostics(tools);
  joinParent(requireBuiltin);
  joinCluster(requireBuiltin);

  requireBuiltin("internal/modules/esm/get_format").initializeExtensionFormatMap();
  requireBuiltin("internal/modules/helpers").initializeCjsConditions();
  adaptConditions(requireBuiltin);
  requireBuiltin("module").Module.runMain = requireBuiltin(
    "internal/modules/run_main",
  ).executeUserEntryPoint;
  const preparation = requireBuiltin("internal/process/pre_execution");
  if (preload) {
    registerLoaders(requireBuiltin);
    // Called as a plain function, for what stacks show.
    const { loadPreloadModules } = preparation;
    loadPreloadModules();
  }
  // Behind them: they may change what there is.
  preparation.initializeFrozenIntrinsics();
  setupProxy(requireBuiltin);
  return entry;
}

/** The loader of ES modules exists by now and keeps its list; what is looked up is the set. */
function adaptConditions(requireBuiltin: RequireBuiltin): void {
  const { getConditionsSet } = requireBuiltin("internal/modules/esm/utils");
  const conditions = getConditionsSet(undefined) as Set<string>;
  for (const condition of engineOption("--conditions") as string[]) conditions.add(condition);
  if (engineOption("--no-addons") === true) conditions.delete("node-addons");
  if (engineOption("--no-require-module") === true) conditions.delete("module-sync");
}

function showOptions(): void {
  for (const [property, option] of processAliases) {
    const value = engineOption(option);
    Reflect.deleteProperty(process, property);
    if (value === undefined || value === false || value === "") continue;
    if (Array.isArray(value) && option !== "--require") continue;
    Object.defineProperty(process, property, {
      value,
      writable: false,
      configurable: true,
      enumerable: true,
    });
  }
  const title = engineOption("--title");
  if (typeof title === "string" && title !== "") process.title = title;
  const limit = engineOption("--stack-trace-limit");
  if (typeof limit === "number" && limit !== 10) Error.stackTraceLimit = limit;
}

/** Reports, profiles and coverage as the options and the environment ask for them. */
function startDiagnostics(tools: NodeCommand): void {
  const report = tools.internalBinding("report");
  for (const [option, setting] of reportSettings) {
    const value = engineOption(option);
    if (value !== undefined && value !== "" && value !== false) report[setting](value);
  }
  if (engineOption("--report-on-signal") === true)
    tools.requireBuiltin("internal/process/report").addSignalHandler();
  const snapshotSignal = engineOption("--heapsnapshot-signal");
  if (typeof snapshotSignal === "string" && snapshotSignal !== "") {
    tools.requireBuiltin("internal/validators").validateSignalName(snapshotSignal);
    const directory = engineOption("--diagnostic-dir");
    process.on(snapshotSignal as NodeJS.Signals, () => {
      const { heapSnapshotName } = profilers();
      tools.requireBuiltin("v8").writeHeapSnapshot(heapSnapshotName(tools, directory));
    });
  }
  if (engineOption("--cpu-prof") === true || engineOption("--heap-prof") === true)
    for (const finish of profilers().startProfiles(tools)) atLeaving("profile", finish);
  startCounting(tools);
  // Not of what the main script and its ticks do.
  if (engineOption("--trace-sync-io") === true) later(() => traceSyncCalls(tools, tools.channel));
  if (engineOption("--localstorage-file")) prepareStorage();
  if (engineOption("--openssl-legacy-provider") === true) loadLegacyProvider();
}

/**
 * StartProfilers of src/inspector_profiler.cc, and setupCoverageHooks of pre_execution: who has tests run by
 * other processes counts nothing of its own.
 */
function startCounting(tools: NodeCommand): void {
  const counts = !(
    engineOption("--test") === true && engineOption("--test-isolation") === "process"
  );
  if (engineOption("--experimental-test-coverage") !== true) startCoverage(tools, counts);
  else if (counts) startTestCoverage(tools);
}

/** Modules that read their options when they are loaded, which the zygote did. */
function setNetworkDefaults(requireBuiltin: RequireBuiltin): void {
  const given = (name: string): boolean => engineOption(name) === true;
  const net = requireBuiltin("net");
  if (given("--no-network-family-autoselection")) net.setDefaultAutoSelectFamily(false);
  const timeoutMs = engineOption("--network-family-autoselection-attempt-timeout");
  if (typeof timeoutMs === "number" && timeoutMs !== 500)
    net.setDefaultAutoSelectFamilyAttemptTimeout(timeoutMs);
  const ciphers = engineOption("--tls-cipher-list") as string;
  const minimum = ["1.0", "1.1", "1.2", "1.3"].find((version) => given(`--tls-min-v${version}`));
  const maximum = ["1.3", "1.2"].find((version) => given(`--tls-max-v${version}`));
  if (ciphers === zygotesCiphers && minimum === undefined && maximum === undefined) return;
  const tls = requireBuiltin("tls");
  tls.DEFAULT_CIPHERS = ciphers;
  if (minimum !== undefined) tls.DEFAULT_MIN_VERSION = `TLSv${minimum}`.replace(/\.0$/, "");
  if (maximum !== undefined) tls.DEFAULT_MAX_VERSION = `TLSv${maximum}`;
}

function offerFeatures(requireBuiltin: RequireBuiltin): void {
  for (const [option, names] of removedGlobals) {
    if (engineOption(option) !== true) continue;
    for (const name of names) delete (globalThis as Record<string, unknown>)[name];
  }
  for (const [option, ids] of offeredModules) {
    if (engineOption(option) === true) offerModules(ids);
  }
  if (engineOption("--no-experimental-sqlite") === true)
    restrictBuiltins(requireBuiltin, (id) => id !== "sqlite");
  if (engineOption("--no-global-search-paths") === true) {
    const { Module } = requireBuiltin("module");
    Module.globalPaths = [];
  }
  if (engineOption("--experimental-web-worker") === true)
    requireBuiltin("internal/util").exposeLazyInterfaces(globalThis, "internal/webworker", [
      "Worker",
    ]);
  disableProto(engineOption("--disable-proto"));
  if (engineOption("--experimental-vm-modules") === true) {
    const { Module, SourceTextModule, SyntheticModule } = requireBuiltin("internal/vm/module");
    Object.assign(requireBuiltin("vm"), { Module, SourceTextModule, SyntheticModule });
    renewExports("vm");
  }
  if (engineOption("--experimental-eventsource") === true)
    requireBuiltin("internal/util").exposeLazyInterfaces(
      globalThis,
      "internal/deps/undici/undici",
      ["EventSource"],
    );
  if (engineOption("--pending-deprecation") === true) {
    deprecateLooseVariables();
    const { deprecate } = requireBuiltin("internal/util");
    engineProcess.binding = deprecate(
      engineProcess.binding,
      "process.binding() is deprecated. Please use public APIs instead.",
      "DEP0111",
    );
  }
}

/** InitializePrimordials of src/api/environment.cc does it for a context that begins. */
function disableProto(mode: unknown): void {
  if (mode !== "delete" && mode !== "throw") return;
  if (mode === "delete") return void Reflect.deleteProperty(Object.prototype, "__proto__");
  const thrower = (): never => {
    throw Object.assign(
      new Error(
        "Accessing Object.prototype.__proto__ has been disallowed with --disable-proto=throw",
      ),
      { code: "ERR_PROTO_ACCESS" },
    );
  };
  Object.defineProperty(Object.prototype, "__proto__", {
    get: thrower,
    set: thrower,
    enumerable: false,
    configurable: true,
  });
}

/** setupHttpProxy of internal/process/pre_execution; the global agents are older than the program's options. */
function setupProxy(requireBuiltin: RequireBuiltin): void {
  if (engineOption("--use-env-proxy") !== true) return;
  const names = ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"];
  if (!names.some((name) => process.env[name])) return;
  const { setGlobalDispatcher, EnvHttpProxyAgent } = requireBuiltin("internal/deps/undici/undici");
  setGlobalDispatcher(new EnvHttpProxyAgent());
  const { getGlobalAgent } = requireBuiltin("internal/http");
  for (const id of ["http", "https"]) {
    const module = requireBuiltin(id);
    module.globalAgent = getGlobalAgent(process.env, module.Agent);
  }
}

/** `--experimental-loader` is `module.register` before anything else; the engine's loader exists by now. */
function registerLoaders(requireBuiltin: RequireBuiltin): void {
  const loaders = engineOption("--experimental-loader") as string[];
  if (loaders.length === 0) return;
  const { pathToFileURL } = requireBuiltin("url");
  process.emitWarning(
    "`--experimental-loader` may be removed in the future; instead use `register()`",
    "ExperimentalWarning",
  );
  const parent = `${pathToFileURL(process.cwd()).href}/`;
  for (const loader of loaders) requireBuiltin("module").register(loader, parent);
}

/** setupChildProcessIpcChannel of internal/process/pre_execution. */
function joinParent(requireBuiltin: RequireBuiltin): void {
  const { NODE_CHANNEL_FD: fd, NODE_CHANNEL_SERIALIZATION_MODE: mode } = process.env;
  if (fd !== undefined) {
    delete process.env["NODE_CHANNEL_FD"];
    delete process.env["NODE_CHANNEL_SERIALIZATION_MODE"];
    requireBuiltin("child_process")._forkChild(Number(fd), mode ?? "json");
  }
}

/** initializeClusterIPC there. The zygote may have loaded the primary's side of the module already. */
function joinCluster(requireBuiltin: RequireBuiltin): void {
  if (process.argv[1] === undefined || process.env["NODE_UNIQUE_ID"] === undefined) return;
  let cluster = requireBuiltin("cluster");
  if (cluster.isPrimary === true) {
    cluster = requireBuiltin("internal/cluster/child");
    const { map } = requireBuiltin("internal/modules/helpers").loadBuiltinModule("fs").constructor;
    const module = map.get("cluster");
    module.exports = cluster;
    module.exportKeys = Object.keys(cluster);
  }
  cluster._setupWorker();
  delete process.env["NODE_UNIQUE_ID"];
}
