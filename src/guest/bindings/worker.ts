/**
 * Owns the `worker` binding: a real thread with a real isolate, whose own
 * bindings are made virtual before Node runs anything of the program in it.
 *
 * A new thread waits for one message that says what to run. Here it gets two:
 * first one of ours, which evaluates the guest-side modules in the new isolate
 * (../thread.ts), then Node's own, which finds the thread as the zygote's
 * main thread was found. Nothing of Node's worker code is replaced.
 */
import type { GuestEnvironment, WorkerTools } from "../environment.js";
import { setInertFlags } from "../engine-flags.js";
import { ownScripts } from "../loader.js";
import type { SharedForms, Sources } from "../loader.js";
import { sharedIdentity } from "../identity.js";
import type { SharedIdentity } from "../identity.js";
import { newLedger, usesDatabases } from "./sqlite.js";
import type * as Ledger from "../sqlite/thread-ledger.js";
import { sharedImageLoader } from "../../sandbox/image-loader.js";
import { codeRangeMiB } from "../thread-slots.js";
import type { SharedSlots } from "../thread-slots.js";
import { later } from "../turns.js";
import { threadBegins, threadEnded, watchThreads } from "../living-threads.js";

/** The guest-side modules: their texts, or these and what the engine compiled of them in memory that threads share. */
export type Modules =
  | { sources: Sources; forms?: undefined }
  | { sources?: never; forms: SharedForms };

/** What ../thread.ts gets. */
export interface ThreadStart {
  modules: Modules;
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
  /** Whether it is the thread of module.register, which loads them once its hooks are in place. */
  isLoader: boolean;
  /** Whether preloaded modules are the last who may change what there is. */
  frozen: boolean;
  /** As the program asked for it; 0 if it did not. */
  codeRangeSizeMb: number;
  /** Whether files that the thread opens by number are closed with it. */
  tracksFiles: boolean;
  /** What this thread has to know of the other's databases. */
  databases: SharedArrayBuffer;
}

// Loaded by those whose workers open databases.
const ledgers = (): typeof Ledger => require("../sqlite/thread-ledger.js");

/** lib/internal/worker/io.js */
const LOAD_SCRIPT = "loadScript";
const UP_AND_RUNNING = "upAndRunning";
const ERROR_MESSAGE = "errorMessage";
/** What V8 takes on a machine of a few GiB. */
const youngMiB = 48;
const bytesPerMiB = 1024 * 1024;
/** src/node_exit_code.h; C++ has said where by then. */
const unsettledTopLevelAwait = 13;
const { defineProperty } = Object;
const { apply } = Reflect;

/** Run by Node as if it were `new Worker(text, { eval: true })`; global names are as there. */
const threadText = `{
  const { Script, compileFunction } = require("vm");
  const { sources = {}, forms } = require("worker_threads").workerData.modules;
  const id = "guest/loader", own = "${ownScripts}", exports = {};
  const factories = {};
  for (const { text, form } of forms?.start ?? []) {
    const cachedData = new Uint8Array(forms.memory, ...form);
    const script = new Script(Buffer.from(forms.memory).latin1Slice(...text), { filename: own + "thread", cachedData });
    Object.assign(factories, script.runInThisContext());
  }
  if (factories[id] === undefined)
    compileFunction(sources[id], ["exports"], { filename: own + id })(exports);
  else
    factories[id](exports, undefined, undefined, undefined, undefined, process, Buffer, setImmediate, clearImmediate, URL, TextDecoder);
  exports.begin("guest/thread", require, sources, undefined, undefined, forms, factories);
}`;

const aboutWarnings =
  /^--(no-warnings|no-deprecation|disable-warning=|trace-warnings|trace-deprecation|throw-deprecation)/;
const noTypes = /^--no-(experimental-)?strip-types$/;

/**
 * Flags that must not touch our own message: they name files, or say how a text is
 * read. What they ask for is done with Node's message.
 */
function takeLateFlags(flags: readonly string[]) {
  const others: string[] = [];
  const preloads: string[] = [];
  let inputType = "";
  let frozen = false;
  for (let at = 0; at < flags.length; at++) {
    const [, name, , value] = /^(-r|--require|--input-type)(=(.*))?$/s.exec(flags[at]!) ?? [];
    const operand = value ?? flags[at + 1];
    if (flags[at] === "--frozen-intrinsics") {
      frozen = true;
      continue;
    }
    if (name === undefined || operand === undefined) {
      others.push(flags[at]!);
      continue;
    }
    if (value === undefined) at++;
    if (name !== "--input-type") preloads.push(operand);
    else inputType = operand;
  }
  // The rest of the types run our text as it is.
  if (inputType.startsWith("commonjs")) others.push(`--input-type=${inputType}`);
  const isTyped = inputType === "module-typescript" && !flags.some((flag) => noTypes.test(flag));
  return { others, preloads, frozen, isModule: inputType === "module" || isTyped, isTyped };
}

type LateFlags = ReturnType<typeof takeLateFlags>;

/** Of a thread's text; parseAndEvalModuleTypeScript of internal/process/execution. */
function makeModule(message: LoadMessage, isTyped: boolean): void {
  if (isTyped) {
    const { stripTypeScriptModuleTypes } = engine.env.requireBuiltin("internal/modules/typescript");
    try {
      message.filename = stripTypeScriptModuleTypes(message.filename, "[eval]") as string;
    } catch {
      // It is the thread's error.
      message.filename = `import { stripTypeScriptTypes } from "node:module"; stripTypeScriptTypes(${JSON.stringify(message.filename)});`;
    }
  }
  message.doEval = "module";
}

/** Does for NODE_OPTIONS what `takeLateFlags` does: the engine reads the variable while it makes a thread. */
function withoutLateOptions(variables: unknown, make: (variables: unknown) => NativeHandle) {
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

/** What a thread is told to do; the rest of it is known once it begins. */
type Order = Omit<ThreadStart, "slot" | "socket">;

/** A message of lib/internal/worker.js to a thread, or of a thread's to it. */
interface LoadMessage {
  type?: string;
  doEval?: string;
  filename?: string;
}

interface MessagePort {
  postMessage?(message: unknown, transfer?: unknown): void;
  on?(type: string, listener: (message: LoadMessage) => void): unknown;
  close(): void;
}

/** The engine's own Worker; src/node_worker.h. */
interface NativeHandle {
  readonly threadId: number;
  /** Missing where the engine has refused a flag. */
  messagePort?: MessagePort;
  invalidExecArgv?: string[];
  onexit?: ((...args: unknown[]) => void) | null;
  startThread(): unknown;
  stopThread(): unknown;
  getResourceLimits(): Float64Array;
}

/** What threads of this one need; set when the binding is replaced. */
interface Engine extends WorkerTools {
  env: GuestEnvironment;
  NativeWorker: new (...args: unknown[]) => NativeHandle;
  threadId: number;
  MessageChannel: new () => { port1: MessagePort; port2: MessagePort };
  kMaxYoungGenerationSizeMb: number;
  kMaxOldGenerationSizeMb: number;
  kCodeRangeSizeMb: number;
}

let engine: Engine;

function own(target: object, name: string, value: unknown): void {
  defineProperty(target, name, { value, writable: true, configurable: true, enumerable: false });
}

/** Where a thread's V8 would have computed its limits from the machine's memory, it uses this one's. */
function adaptLimits(limits: Float64Array, memoryBytes: number): Float64Array {
  const adapted = Float64Array.from(limits);
  adapted[engine.kCodeRangeSizeMb] = codeRangeMiB;
  if (!(limits[engine.kMaxYoungGenerationSizeMb]! > 0))
    adapted[engine.kMaxYoungGenerationSizeMb] = youngMiB;
  if (!(limits[engine.kMaxOldGenerationSizeMb]! > 0))
    adapted[engine.kMaxOldGenerationSizeMb] = Math.max(
      16,
      Math.floor(memoryBytes / 2 / bytesPerMiB),
    );
  return adapted;
}

/** What a thread that was prepared occupies. */
interface Prepared {
  slot: number;
  /** Its number with the kernel. */
  thread: number;
}

/** Posts our message ahead of Node's first, with what the thread needs of the kernel; nothing where that has no room. */
function prepare(handle: NativeHandle, port: MessagePort, start: Order): Prepared | undefined {
  const opened = engine.env.openThreadSocket();
  if (typeof opened === "number") return undefined;
  const { fd: socket, thread } = opened;
  const { threads } = start.identity.start;
  const slot = engine.slots.take(engine.threadId, handle.threadId, socket, threads);
  if (slot < 0) {
    engine.env.closeSocket(socket);
    return undefined;
  }
  const { port1, port2 } = new engine.MessageChannel();
  port.postMessage!(
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
  return { slot, thread };
}

/** A thread that is made and has not begun: what its handle and its port are to Node, with ours ahead. */
class Beginning {
  readonly #handle: NativeHandle;
  readonly #start: Order;
  readonly #port: MessagePort;
  #prepared: Prepared | undefined;
  /** Its databases fail from now on, and the thread is stopped. */
  #retired = false;

  constructor(handle: NativeHandle, port: MessagePort, start: Order) {
    this.#handle = handle;
    this.#port = port;
    this.#start = start;
  }

  #release(): void {
    threadEnded(this.#port);
    const prepared = this.#prepared;
    if (prepared === undefined) return;
    this.#prepared = undefined;
    engine.slots.release(prepared.slot);
    // Its socket is closed by now: the engine closes a thread's handles before it tells of its end.
    engine.env.kernel.call("threadEnded", { thread: prepared.thread });
  }

  adapt(late: Pick<LateFlags, "isModule" | "isTyped">): void {
    this.#adaptPort(late);
    this.#adaptStart();
    this.#adaptEnd();
    this.#adaptLimits();
  }

  #adaptPort(late: Pick<LateFlags, "isModule" | "isTyped">): void {
    const port = this.#port;
    own(port, "postMessage", (message: LoadMessage, transfer: unknown) => {
      delete port.postMessage;
      this.#prepared = prepare(this.#handle, port, this.#start);
      if (late.isModule && message.doEval === "classic") makeModule(message, late.isTyped);
      try {
        return port.postMessage!(message, transfer);
      } catch (error) {
        this.#release();
        throw error;
      }
    });
    // The thread reports that it runs after each of the two messages; the program hears of the second.
    own(port, "on", (type: string, listener: (message: LoadMessage) => void) => {
      delete port.on;
      let running = false;
      return port.on!(type, (message: LoadMessage) => {
        if (!running && message?.type === UP_AND_RUNNING) {
          running = true;
          return;
        }
        // It is told to stop, and may have run into its databases failing first.
        if (this.#retired && message?.type === ERROR_MESSAGE) return;
        listener(message);
      });
    });
  }

  #adaptStart(): void {
    const handle = this.#handle;
    const { startThread } = handle;
    own(handle, "startThread", () => {
      // As Node reports a thread whose event loop could not be made.
      if (this.#prepared === undefined)
        return later(() => handle.onexit?.(1, "ERR_WORKER_INIT_FAILED", "EAGAIN"));
      threadBegins(this.#port);
      try {
        return apply(startThread, handle, []);
      } catch (error) {
        this.#release();
        throw error;
      }
    });
  }

  #adaptEnd(): void {
    const handle = this.#handle;
    const { stopThread } = handle;
    own(handle, "stopThread", () => {
      const { databases } = this.#start;
      this.#retired = usesDatabases(databases);
      if (this.#retired) new (ledgers().ThreadLedger)(databases).retire();
      return apply(stopThread, handle, []);
    });
    let onexit: ((...args: unknown[]) => void) | null = null;
    const ended = (...args: unknown[]): void => {
      this.#release();
      if (args[0] === unsettledTopLevelAwait) engine.env.kernel.event("enginePrinted", {});
      onexit?.(...args);
    };
    defineProperty(handle, "onexit", {
      get: () => (onexit === null ? null : ended),
      set(value) {
        onexit = value;
      },
      configurable: true,
      enumerable: true,
    });
  }

  #adaptLimits(): void {
    const handle = this.#handle;
    const { getResourceLimits } = handle;
    own(handle, "getResourceLimits", () => {
      const answer = Float64Array.from(apply(getResourceLimits, handle, []) as Float64Array);
      answer[engine.kCodeRangeSizeMb] = this.#start.codeRangeSizeMb;
      return answer;
    });
  }
}

function Worker(
  url: unknown,
  variables: unknown,
  flags: string[] | undefined,
  limits: Float64Array,
  ...rest: unknown[]
): unknown {
  const identity = sharedIdentity();
  // The engine's own threads, of the module loader, take no part in the program's options but for
  // warnings and what is to be loaded first.
  const isInternal = rest[1] === true;
  const own = isInternal
    ? { execArgv: [], flags: engine.ownFlags().flags.filter((flag) => aboutWarnings.test(flag)) }
    : engine.ownFlags();
  const inherited = isInternal ? takeLateFlags(engine.ownFlags().flags).preloads : [];
  const execArgv = [...(flags ?? own.execArgv)].filter((flag) => flag !== "--");
  const late = takeLateFlags(flags === undefined ? own.flags : execArgv);
  const asked = Float64Array.from(limits);
  // The first thread's young generation is large for speed; workers start small and grow, with room for their own start.
  setInertFlags(engine.env.internalBinding, "--min-semi-space-size=4");
  const make = (environment: unknown): NativeHandle =>
    new engine.NativeWorker(
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
  const codeRangeSizeMb = Math.max(0, asked[engine.kCodeRangeSizeMb]!);
  new Beginning(handle, handle.messagePort, {
    modules: engine.modules,
    identity,
    slots: engine.slots.shared,
    imageLoader: sharedImageLoader(),
    execArgv,
    nodeOptions,
    preloads: [...inherited, ...preloads, ...late.preloads],
    isLoader: isInternal,
    frozen: late.frozen,
    codeRangeSizeMb,
    tracksFiles: rest[0] === true,
    databases: newLedger(),
  }).adapt(late);
  return handle;
}

export function installWorker(env: GuestEnvironment): void {
  const binding = env.internalBinding("worker");
  const { MessageChannel, drainMessagePort } = env.internalBinding("messaging");
  watchThreads(drainMessagePort);
  const { kMaxYoungGenerationSizeMb, kMaxOldGenerationSizeMb, kCodeRangeSizeMb } = binding;
  engine = {
    env,
    ...env.workers,
    NativeWorker: binding.Worker,
    threadId: binding.threadId,
    MessageChannel,
    kMaxYoungGenerationSizeMb,
    kMaxOldGenerationSizeMb,
    kCodeRangeSizeMb,
  };
  Worker.prototype = binding.Worker.prototype;
  binding.Worker = Worker;
}
