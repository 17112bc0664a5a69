/**
 * Owns fetch and its classes where there is no global Buffer: the engine's undici
 * reads Node's globals when it runs, so there it is compiled once more, with them
 * as its own names, as soon as a program touches one of its classes.
 */
import { replaceInternal } from "./public-modules.js";
import type { EngineModule, InternalBinding, RequireBuiltin } from "./engine-types.js";

const undiciId = "internal/deps/undici/undici";

/** Where undici keeps its agent between copies of itself; lib/global.js. */
const dispatchers = ["undici.globalDispatcher.1", "undici.globalDispatcher.2"] as const;

const classes = [
  "FormData",
  "Headers",
  "Request",
  "Response",
  "MessageEvent",
  "ErrorEvent",
  "WebSocket",
  "CloseEvent",
  "EventSource",
] as const;

export interface WebFetchTools {
  requireBuiltin: RequireBuiltin;
  internalBinding: InternalBinding;
}

/** Replaces what is there of fetch and its classes. Call before the globals go. */
export function installWebFetch(tools: WebFetchTools): void {
  const { requireBuiltin } = tools;
  const { compileFunction } = requireBuiltin("vm");
  const own = {
    process,
    Buffer,
    // The program's answer numbers.
    setTimeout,
    clearTimeout,
    setInterval,
    clearInterval,
    setImmediate,
    clearImmediate,
    global: globalThis,
    require: (id: string) => requireBuiltin(id.replace(/^node:/, "")),
  };
  let loaded: EngineModule;
  const undici = (): EngineModule => {
    if (loaded !== undefined) return loaded;
    const source = tools.internalBinding("builtins").natives[undiciId] as string;
    const module = { exports: {} };
    // A dispatcher of the zygote's copy would be used otherwise, with the globals of that.
    for (const name of dispatchers) {
      const key = Symbol.for(name);
      if (Object.hasOwn(globalThis, key)) (globalThis as Record<symbol, unknown>)[key] = undefined;
    }
    compileFunction(source, ["module", "exports", ...Object.keys(own)], {
      filename: `node:${undiciId}`,
    })(module, module.exports, ...Object.values(own));
    loaded = module.exports;
    replaceInternal(undiciId, loaded);
    return loaded;
  };
  const put = (name: string, value: unknown): void => {
    Object.defineProperty(globalThis, name, {
      value,
      writable: true,
      configurable: true,
      enumerable: name === "fetch",
    });
  };
  for (const name of classes) {
    if (!Object.hasOwn(globalThis, name)) continue;
    Object.defineProperty(globalThis, name, {
      get() {
        put(name, undici()[name]);
        return undici()[name];
      },
      set(value) {
        put(name, value);
      },
      configurable: true,
      enumerable: false,
    });
  }
  put("fetch", function fetch(input: unknown, init?: unknown): unknown {
    return undici().fetch(input, init);
  });
}
