/**
 * Owns the `worker` binding: a real thread with a real isolate, whose own
 * bindings are made virtual before Node runs anything of the program in it.
 *
 * A new thread waits for one message that says what to run. Here it gets two:
 * first one of ours, which evaluates the guest-side modules in the new isolate
 * (../thread.ts), then Node's own, which finds the thread as the zygote's
 * main thread was found. Nothing of Node's worker code is replaced.
 */
import type { GuestEnvironment } from "../environment.js";
import type { InheritedFlags } from "../engine-options.js";
import type { Sources } from "../loader.js";
import { sharedIdentity } from "../identity.js";
import type { SharedIdentity } from "../identity.js";
import { newLedger, usesDatabases } from "./sqlite.js";
import type * as Ledger from "../sqlite/thread-ledger.js";
import { sharedImageLoader } from "../../sandbox/image-loader.js";
import { codeRangeMiB } from "../thread-slots.js";
import type { SharedSlots, ThreadSlots } from "../thread-slots.js";
import { later } from "../turns.js";

/** What ../thread.ts gets. */
export interface ThreadStart {
  sources: Sources;
  identity: SharedIdentity;
  slots: SharedSlots;
  slot: number;
  /** What loads native addons, where the process may. */
  imageLoader: bigint | undefined;
  socket: number;
  execArgv: string[];
  /** The variable of this name, where it was shortened while the thread was made. */
  nodeOptions: string | undefined;
  /** Modules that `--require` names. */
  preloads: string[];
  /** As the program asked for it; 0 if it did not. */
  codeRangeSizeMb: number;
  /** What this thread has to know of the other's databases. */
  databases: SharedArrayBuffer;
}

// Loaded by those whose workers open databases.
const ledgers = (): typeof Ledger => require("../sqlite/thread-ledger.js");

/** lib/internal/worker/io.js */
const LOAD_SCRIPT = "loadScript";
const UP_AND_RUNNING = "upAndRunning";
/** What V8 takes on a machine of a few GiB. */
const youngMiB = 48;
const bytesPerMiB = 1024 * 1024;
const { defineProperty } = Object;
const { apply } = Reflect;

/** Run by Node as if it were `new Worker(text, { eval: true })`; global names are as there. */
const threadText = `{
  const { compileFunction } = require("vm");
  const { sources } = require("worker_threads").workerData;
  const id = "guest/loader", exports = {};
  compileFunction(sources[id], ["exports"], { filename: "node:internal/secure-exec/" + id })(exports);
  exports.begin("guest/thread", require, sources);
}`;

/**
 * Flags that must not touch our own message: they name files, or say how a text is
 * read. What they ask for is done with Node's message.
 */
function takeLateFlags(flags: readonly string[]) {
  const others: string[] = [];
  const preloads: string[] = [];
  let inputType = "";
  for (let at = 0; at < flags.length; at++) {
    const [, name, , value] = /^(-r|--require|--input-type)(=(.*))?$/s.exec(flags[at]!) ?? [];
    const operand = value ?? flags[at + 1];
    if (name === undefined || operand === undefined) {
      others.push(flags[at]!);
      continue;
    }
    if (value === undefined) at++;
    if (name !== "--input-type") preloads.push(operand);
    else inputType = operand;
  }
  // The rest of the types run our text as it is; a TypeScript module is known by its syntax.
  if (inputType.startsWith("commonjs")) others.push(`--input-type=${inputType}`);
  return { others, preloads, esmText: inputType === "module" };
}

/** Does for NODE_OPTIONS what `takeLateFlags` does: the engine reads the variable while it makes a thread. */
function withoutLateOptions(variables: unknown, make: (variables: unknown) => any) {
  const inherited = typeof variables !== "object" || variables === null;
  const environment = (inherited ? process.env : variables) as NodeJS.ProcessEnv;
  const nodeOptions = environment["NODE_OPTIONS"];
  const late = takeLateFlags(nodeOptions?.split(" ").filter((word) => word !== "") ?? []);
  if (nodeOptions === undefined || late.preloads.length === 0)
    return { handle: make(variables), nodeOptions: undefined, preloads: [] };
  const { preloads } = late;
  const shortened = late.others.join(" ");
  if (!inherited) {
    return { handle: make({ ...environment, NODE_OPTIONS: shortened }), nodeOptions, preloads };
  }
  environment["NODE_OPTIONS"] = shortened;
  try {
    return { handle: make(variables), nodeOptions, preloads };
  } finally {
    environment["NODE_OPTIONS"] = nodeOptions;
  }
}

function own(target: object, name: string, value: unknown): void {
  defineProperty(target, name, { value, writable: true, configurable: true, enumerable: false });
}

export function installWorker(
  env: GuestEnvironment,
  slots: ThreadSlots,
  sources: Sources,
  /** Flags of the engine that this thread was started with, as the program sees them. */
  ownFlags: () => InheritedFlags,
): void {
  const binding = env.internalBinding("worker");
  const { kMaxYoungGenerationSizeMb, kMaxOldGenerationSizeMb, kCodeRangeSizeMb } = binding;
  const { Worker: NativeWorker, threadId } = binding;
  const { MessageChannel } = env.internalBinding("messaging");
  const { setFlagsFromString } = env.requireBuiltin("v8");

  /** Where a thread's V8 would have computed its limits from the machine's memory, it uses this one's. */
  function adaptLimits(limits: Float64Array, memoryBytes: number): Float64Array {
    const adapted = Float64Array.from(limits);
    adapted[kCodeRangeSizeMb] = codeRangeMiB;
    if (!(limits[kMaxYoungGenerationSizeMb]! > 0)) adapted[kMaxYoungGenerationSizeMb] = youngMiB;
    if (!(limits[kMaxOldGenerationSizeMb]! > 0))
      adapted[kMaxOldGenerationSizeMb] = Math.max(16, Math.floor(memoryBytes / 2 / bytesPerMiB));
    return adapted;
  }

  /** Posts our message ahead of Node's first, with what the thread needs of the kernel: the slot, or -errno. */
  function prepare(handle: any, port: any, start: Omit<ThreadStart, "slot" | "socket">): number {
    const socket = env.openThreadSocket();
    const slot =
      socket < 0
        ? socket
        : slots.take(threadId, handle.threadId, socket, start.identity.start.threads);
    if (slot < 0) {
      if (socket >= 0) env.closeSocket(socket);
      return slot;
    }
    const { port1, port2 } = new MessageChannel();
    port.postMessage(
      {
        type: LOAD_SCRIPT,
        doEval: "classic",
        filename: threadText,
        workerData: { ...start, slot, socket } satisfies ThreadStart,
        hasStdin: true,
        mainThreadPort: port2,
        cwdCounter: new Uint32Array(new SharedArrayBuffer(4)),
      },
      [port2],
    );
    port1.close();
    return slot;
  }

  function adapt(handle: any, esmText: boolean, start: Omit<ThreadStart, "slot" | "socket">): void {
    const port = handle.messagePort;
    let slot = -1;
    const ledger = (): Ledger.ThreadLedger => new (ledgers().ThreadLedger)(start.databases);
    const release = (): void => {
      if (usesDatabases(start.databases))
        for (const fd of ledger().takeFiles()) env.kernel.call("close", { fd });
      if (slot >= 0) slots.release(slot);
      slot = -1;
    };

    own(port, "postMessage", (message: any, transfer: unknown) => {
      delete port.postMessage;
      slot = prepare(handle, port, start);
      if (esmText && message.doEval === "classic") message.doEval = "module";
      try {
        return port.postMessage(message, transfer);
      } catch (error) {
        release();
        throw error;
      }
    });
    // The thread reports that it runs after each of the two messages; the program hears of the second.
    own(port, "on", (type: string, listener: (message: any) => void) => {
      delete port.on;
      let running = false;
      return port.on(type, (message: any) => {
        if (!running && message?.type === UP_AND_RUNNING) {
          running = true;
          return;
        }
        listener(message);
      });
    });
    const { startThread } = handle;
    own(handle, "startThread", () => {
      // As Node reports a thread whose event loop could not be made.
      if (slot < 0) return later(() => handle.onexit?.(1, "ERR_WORKER_INIT_FAILED", "EAGAIN"));
      try {
        return apply(startThread, handle, []);
      } catch (error) {
        release();
        throw error;
      }
    });
    const { stopThread } = handle;
    own(handle, "stopThread", () => {
      if (usesDatabases(start.databases)) ledger().retire();
      return apply(stopThread, handle, []);
    });
    let onexit: ((...args: unknown[]) => void) | null = null;
    defineProperty(handle, "onexit", {
      get: () =>
        onexit === null
          ? null
          : (...args: unknown[]) => {
              release();
              onexit?.(...args);
            },
      set(value) {
        onexit = value;
      },
      configurable: true,
      enumerable: true,
    });
    const { getResourceLimits } = handle;
    own(handle, "getResourceLimits", () => {
      const answer = Float64Array.from(apply(getResourceLimits, handle, []) as Float64Array);
      answer[kCodeRangeSizeMb] = start.codeRangeSizeMb;
      return answer;
    });
  }

  function Worker(
    url: unknown,
    variables: unknown,
    flags: string[] | undefined,
    limits: Float64Array,
    ...rest: unknown[]
  ): unknown {
    const identity = sharedIdentity();
    // The engine's own threads, of the module loader, take no part in the program's options.
    const own = rest[1] === true ? { execArgv: [], flags: [] } : ownFlags();
    const execArgv = [...(flags ?? own.execArgv)].filter((flag) => flag !== "--");
    const late = takeLateFlags(flags === undefined ? own.flags : execArgv);
    const asked = Float64Array.from(limits);
    // The first thread's young generation is large for speed; workers start small and grow.
    setFlagsFromString("--min-semi-space-size=1");
    const make = (environment: unknown): any =>
      new NativeWorker(
        url,
        environment,
        ["--expose-internals", ...late.others],
        adaptLimits(asked, identity.start.memoryLimitBytes),
        ...rest,
      );
    let made = withoutLateOptions(variables, make);
    if (flags === undefined && made.handle.invalidExecArgv !== undefined) {
      // Some are the process's alone.
      const refused = new Set<string>(made.handle.invalidExecArgv);
      late.others = late.others.filter(
        (flag) => !refused.has(flag.split("=", 1)[0]!) && !refused.has(flag),
      );
      made = withoutLateOptions(variables, make);
    }
    const { handle, nodeOptions, preloads } = made;
    // A refused flag; Node's own code reports it.
    if (handle.messagePort === undefined) return handle;
    const codeRangeSizeMb = Math.max(0, asked[kCodeRangeSizeMb]!);
    adapt(handle, late.esmText, {
      sources,
      identity,
      slots: slots.shared,
      imageLoader: sharedImageLoader(),
      execArgv,
      nodeOptions,
      preloads: [...preloads, ...late.preloads],
      codeRangeSizeMb,
      databases: newLedger(),
    });
    return handle;
  }
  Worker.prototype = NativeWorker.prototype;
  binding.Worker = Worker;
}
