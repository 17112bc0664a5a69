/**
 * Puts our WASI under `node:wasi`: replaces the class of the `wasi` binding,
 * whose native one would make real system calls. Node's own lib/wasi.js stays
 * above it, so methods take what C++ takes and answer an errno.
 *
 * As the user of `node:wasi` expects, preopened directories confine the module.
 */
import { beforeLoad } from "../builtin-loads.js";
import type * as Abi from "../../userland/wasi/abi.js";
import type * as GuestSystem from "../programs/wasi-system.js";
import type * as Imports from "../../userland/wasi/imports.js";
import type { WasiContext, WasiSettings } from "../../userland/wasi/context.js";
import type { GuestEnvironment } from "../environment.js";

/** Not there in an engine without a compiler. */
declare const WebAssembly: { Memory: { prototype: object } } | undefined;

// Loaded when a program makes a WASI: few do, and the zygote's start would pay.
const abi = (): typeof Abi => require("../../userland/wasi/abi.js");
const guestSystem = (): typeof GuestSystem => require("../programs/wasi-system.js");
const imports = (): typeof Imports => require("../../userland/wasi/imports.js");

const { apply } = Reflect;
/** Throws for what is no WebAssembly.Memory. */
const bufferOf: (() => unknown) | undefined =
  typeof WebAssembly === "undefined"
    ? undefined
    : Object.getOwnPropertyDescriptor(WebAssembly.Memory.prototype, "buffer")!.get;

// oxlint-disable-next-line typescript/no-explicit-any -- checked against the types of the WebAssembly signature when called
type Method = (...args: any[]) => unknown;

/** Functions without a memory to look at yet refuse with this. */
function notStarted(): Error {
  return Object.assign(new Error("wasi.start() has not been called"), {
    code: "ERR_WASI_NOT_STARTED",
  });
}

function notDirectory(): Error {
  return Object.assign(new Error("not a directory"), { code: "ENOTDIR" });
}

/** The system of this thread; set when the class is replaced. */
let createSystem: () => ReturnType<typeof GuestSystem.createGuestSystem>;

type Files = ReturnType<typeof createSystem>["fs"];

/** Resolved as uvwasi does: a preopen that is not there is an error of the constructor. */
function preopensOf(fs: Files, list: readonly string[]): WasiSettings["preopens"] {
  const preopens = [];
  for (let at = 0; at + 1 < list.length; at += 2) {
    let path: string;
    try {
      path = fs.realpathSync.native(list[at + 1]!);
      if (!fs.statSync(path).isDirectory()) throw notDirectory();
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? "EINVAL";
      throw Object.assign(new Error(`uvwasi_init`), { code: `UVWASI_${code}` });
    }
    preopens.push({ name: list[at]!, path, confined: path !== "/" });
  }
  return preopens;
}

class WASI {
  [name: string]: Method;

  constructor(
    args: readonly string[],
    env: readonly string[],
    preopens: readonly string[],
    stdio: readonly [number, number, number],
  ) {
    const system = createSystem();
    const { context, functions } = imports().createPreview1(system, {
      args,
      env,
      stdio,
      preopens: preopensOf(system.fs, preopens),
      dotEntries: false,
    });
    for (const [name, run] of Object.entries(functions)) this[name] = method(context, name, run);
    this["_setMemory"] = (memory: Parameters<WasiContext["memory"]["attach"]>[0]) => {
      // Also of another context; instanceof would say no.
      try {
        apply(bufferOf!, memory, []);
      } catch {
        throw Object.assign(
          new TypeError('"instance.exports.memory" property must be a WebAssembly.Memory object'),
          { code: "ERR_INVALID_ARG_TYPE" },
        );
      }
      context.memory.attach(memory);
    };
  }
}

/** Refuses what is not of the type that the WebAssembly signature gives it, as C++ does. */
function method(context: WasiContext, name: string, run: Method): Method {
  return (...args) => {
    if (name !== "proc_exit" && !context.memory.attached) throw notStarted();
    for (const arg of args) {
      if (typeof arg !== "number" && typeof arg !== "bigint") return abi().WasiErrno.EINVAL;
    }
    return run(...args);
  };
}

export function installWasi({ channel, internalBinding, requireBuiltin }: GuestEnvironment): void {
  createSystem = () =>
    guestSystem().createGuestSystem({
      requireBuiltin,
      channel,
      exit: (code) => (process as unknown as { reallyExit(code: number): never }).reallyExit(code),
      identity: () => ({
        pid: process.pid,
        uid: process.getuid!(),
        gid: process.getgid!(),
      }),
    });
  beforeLoad(requireBuiltin, "wasi", () => {
    const binding = internalBinding("wasi");
    if (typeof binding?.WASI !== "function")
      throw new Error("the wasi binding is not in this engine");
    binding.WASI = WASI;
  });
}
