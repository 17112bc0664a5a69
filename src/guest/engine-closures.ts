/**
 * Owns putting another value where a built-in module of the engine keeps one of its variables.
 * What such a module took out of a binding when it was loaded, nobody can hand it anew; a
 * debugger can, so this is one, for the time of one call.
 *
 * It takes some milliseconds (the engine tells a debugger of every script): for the zygote, and for
 * threads whose program asks for what needs it. It gives nothing that a program could not do with
 * node:inspector to its own process.
 */
import type { EngineTools } from "./environment.js";
import type { EngineModule } from "./engine-types.js";

export interface ClosureVariable {
  name: string;
  value: unknown;
  /** Calls a function that was written in the same module; `value` is in place when it returns. */
  inside: (...args: EngineModule[]) => unknown;
  call(): void;
}

interface Message {
  id?: number;
  method?: string;
  params?: EngineModule;
  result?: EngineModule;
  error?: { message: string };
}

/** Not a name that a program has; gone before one could look. */
const handover = "secureExecHandover";
/** Only these of the engine's many are read. */
const wanted = /^\{"(?:id|method":"Debugger\.paused)"/;

class Debugger {
  readonly #connection: EngineModule;
  #reply: Message = {};
  onPaused: (params: EngineModule) => void = () => {};

  constructor(env: EngineTools) {
    const { Connection } = env.internalBinding("inspector");
    this.#connection = new Connection((text: string) => {
      if (!wanted.test(text)) return;
      const message = JSON.parse(text) as Message;
      if (message.id !== undefined) this.#reply = message;
      else this.onPaused(message.params);
    });
  }

  post(method: string, params: object = {}): Message {
    this.#connection.dispatch(JSON.stringify({ id: 1, method, params }));
    return this.#reply;
  }

  /** The name under which the engine's protocol knows `value`. */
  objectId(value: unknown): string {
    const hidden = globalThis as Record<string, unknown>;
    Object.defineProperty(hidden, handover, { value, configurable: true });
    try {
      return this.post("Runtime.evaluate", { expression: `globalThis.${handover}` }).result.result
        .objectId as string;
    } finally {
      delete hidden[handover];
    }
  }

  end(): void {
    this.#connection.disconnect();
  }
}

/** Throws where the engine has no such variable: a new engine may have none. */
export function replaceInClosures(env: EngineTools, variables: readonly ClosureVariable[]): void {
  const debug = new Debugger(env);
  try {
    debug.post("Debugger.enable");
    for (const variable of variables) {
      const { name, inside } = variable;
      const objectId = debug.objectId(variable.value);
      const functionId = debug.objectId(inside);
      let replaced = false;
      debug.onPaused = ({ callFrames: [frame] }) => {
        const { callFrameId, scopeChain } = frame as { callFrameId: string; scopeChain: unknown[] };
        for (let scopeNumber = 0; scopeNumber < scopeChain.length && !replaced; scopeNumber++) {
          const place = { scopeNumber, variableName: name, callFrameId };
          const reply = debug.post("Debugger.setVariableValue", {
            ...place,
            newValue: { objectId },
          });
          replaced = reply.error === undefined;
        }
      };
      const { breakpointId } = debug.post("Debugger.setBreakpointOnFunctionCall", {
        objectId: functionId,
      }).result;
      variable.call();
      debug.post("Debugger.removeBreakpoint", { breakpointId });
      if (!replaced) throw new Error(`the engine has no variable ${name} there`);
    }
  } finally {
    debug.end();
  }
}
