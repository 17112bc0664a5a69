/**
 * Owns the start of a worker's thread: runs in the new isolate before anything of
 * the program, makes its bindings virtual and leaves no trace of itself. Node's
 * own start of the worker follows as the next message of its port.
 */
import "./late.js";
import { shareLedger } from "./bindings/sqlite.js";
import { followFiles } from "./bindings/unmanaged-files.js";
import type { ThreadStart } from "./bindings/worker.js";
import { startCompileCache } from "./compile-cache/binding.js";
import { startCoverageOfThread } from "./bindings/diagnostics.js";
import { Channel } from "./channel.js";
import type { CallListeners } from "./channel.js";
import { adoptPretence, setInertFlags } from "./engine-flags.js";
import { assumeSharedIdentity } from "./identity.js";
import { listenForFlows } from "./bindings/stream-handle.js";
import { installBindings } from "./install.js";
import type * as HostTools from "./host-tools.js";
import type { Loader } from "./loader.js";
import { applyPlatformToWorker } from "./platform.js";
import { hideInternals } from "./public-modules.js";
import { hideOwnFrames } from "./stack-frames.js";
import { adoptImageLoader } from "../sandbox/image-loader.js";
import * as libc from "../sandbox/libc.js";
import { ThreadSlots } from "./thread-slots.js";
import { traceExitOfThread } from "./trace-stack.js";
import type { EngineModule, InternalBinding, RequireBuiltin } from "./engine-types.js";

// Loaded where a program has tools.
const tools = (): typeof HostTools => require("./host-tools.js");

/** Loaded by now, over the native binding; loaded again when they are asked for next. */
const loadedTooEarly = ["internal/worker", "worker_threads", "internal/webworker"];

/** What Node leaves on the global object and the process for a script given as text. */
const globalTraces = ["require", "module", "exports", "__filename", "__dirname"];

/** Called by ./loader.ts, once. */
export function start({ tools: { internalBinding, requireBuiltin } }: Loader): void {
  startThread(requireBuiltin("worker_threads").workerData, internalBinding, requireBuiltin);
}

function startThread(
  start: ThreadStart,
  internalBinding: InternalBinding,
  requireBuiltin: RequireBuiltin,
): void {
  const binding = internalBinding("worker");
  const threadId = binding.threadId as number;
  const slots = new ThreadSlots(start.slots);
  if (start.modules.forms !== undefined) adoptPretence(start.modules.forms.pretence);
  const callListeners: CallListeners = [];
  const channel = new Channel(start.socket, callListeners, () => {
    libc._exit(1);
    throw new Error("unreachable");
  });
  channel.attach(internalBinding);
  slots.claimSocket(start.slot);
  // The main thread has the first slot.
  adoptImageLoader(start.imageLoader, start.slot + 1);
  // No output goes the quick way: the main thread's exit travels on another socket and must not
  // overtake it, and only that thread hears when a standard descriptor becomes something else.
  slots.whileSeeding(threadId, () => drawSeed(internalBinding));

  installBindings({
    internalBinding,
    requireBuiltin,
    channel: () => channel,
    callListeners,
    slots,
    modules: start.modules,
    ownFlags: () => ({ execArgv: start.execArgv, flags: start.execArgv }),
  });
  listenForFlows(channel);
  hideOwnFrames(internalBinding, requireBuiltin);
  traceExitOfThread({ internalBinding, requireBuiltin }, channel);
  shareLedger(start.databases);
  followFiles(channel, start.tracksFiles);
  assumeSharedIdentity(start.identity);
  process.argv = [process.execPath];
  process.execArgv = [...start.execArgv];
  if (start.nodeOptions !== undefined) process.env["NODE_OPTIONS"] = start.nodeOptions;
  binding.resourceLimits[binding.kCodeRangeSizeMb] = start.codeRangeSizeMb;

  const helpers = requireBuiltin("internal/modules/helpers");
  const { map } = helpers.loadBuiltinModule("fs").constructor;
  for (const id of loadedTooEarly) map.get(id).loaded = false;
  const preloading = requireBuiltin("internal/process/pre_execution");
  // initializeAsyncLoaderHooksOnLoaderHookWorker of internal/modules/esm/worker takes it from there.
  if (start.isLoader) preloading.loadPreloadModules = () => preload(requireBuiltin, start.preloads);
  beforeUserCode(helpers, () => {
    if (!start.isLoader) preload(requireBuiltin, start.preloads);
    if (start.frozen) freezeIntrinsics(requireBuiltin);
  });
  startCoverageOfThread({ internalBinding, requireBuiltin });
  startCompileCache();
  hideInternals(requireBuiltin);
  applyPlatformToWorker(requireBuiltin, start.identity.start.jsRuntime);
  const { mode, hostTools } = start.identity.start;
  if (mode !== "node" || hostTools) tools().installHostTools(channel);
  for (const name of globalTraces) delete (globalThis as Record<string, unknown>)[name];
}

/** V8 seeds a context's Math.random from its flag when the first number is drawn. */
function drawSeed(internalBinding: InternalBinding): void {
  const seed = libc.getrandom(4).readUInt32LE(0) & 0x7fffffff || 1;
  setInertFlags(internalBinding, `--random-seed=${seed}`);
  Math.random();
}

/**
 * Node insists once, right before it loads what `--require` names, that no program
 * has run yet; what has run was not the program.
 */
function beforeUserCode(helpers: EngineModule, run: () => void): void {
  const { hasStartedUserCJSExecution, hasStartedUserESMExecution } = helpers;
  helpers.hasStartedUserCJSExecution = () => false;
  helpers.hasStartedUserESMExecution = () => {
    Object.assign(helpers, { hasStartedUserCJSExecution, hasStartedUserESMExecution });
    run();
    return false;
  };
}

/** Kept from Node's own start of the thread, which would have looked for them too early. */
function preload(requireBuiltin: RequireBuiltin, names: readonly string[]): void {
  if (names.length > 0) requireBuiltin("module").Module._preloadModules(names);
}

/** initializeFrozenIntrinsics of internal/process/pre_execution, which has not been told of the option. */
function freezeIntrinsics(requireBuiltin: RequireBuiltin): void {
  requireBuiltin("internal/util").emitExperimentalWarning("Frozen intristics");
  requireBuiltin("internal/freeze_intrinsics")();
}
