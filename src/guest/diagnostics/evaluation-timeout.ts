/**
 * Has `timeout` of the inspector's evaluations take effect, by which the REPL previews what is typed. V8 would
 * stop one from a worker thread of its platform; a guest has none, and V8 ends the process where there is none.
 * So V8 is told of no timeout, and the watchdog of `vm`, a thread of its own, stops the evaluation, which V8 answers
 * as it answers its own timeout.
 *
 * Invariant: the name on the global object is gone before anything of the program runs.
 */
import type { EngineTools } from "../environment.js";

const name = "secureExecEvaluate";
const source = `{ const evaluate = globalThis.${name}; delete globalThis.${name}; evaluate(); }`;
const evaluations = /"method":"(?:Runtime|Debugger)\.evaluate/;

/** The watchdog takes a positive int32. */
const longest = 2 ** 31 - 1;

interface Message {
  params: { timeout?: unknown };
}

/** What V8 is told, and within how many milliseconds; 0 is without end. */
function withoutTimeout(text: string): [text: string, timeout: number] {
  const message = JSON.parse(text) as Message;
  const timeout = Number(message.params?.timeout);
  delete message.params?.timeout;
  return [JSON.stringify(message), timeout > 0 ? Math.min(Math.ceil(timeout), longest) : 0];
}

export function installEvaluationTimeout(env: EngineTools): void {
  const { Connection } = env.internalBinding("inspector");
  if (typeof Connection?.prototype?.dispatch !== "function") return;
  const { Script } = env.requireBuiltin("vm");
  const { runInThisContext } = Script.prototype;
  const { dispatch } = Connection.prototype;
  let script: object | undefined;
  Connection.prototype.dispatch = function (this: object, text: string): void {
    const timed = evaluations.test(text) && text.includes('"timeout"');
    const sent = timed ? withoutTimeout(text) : undefined;
    const value = () => void Reflect.apply(dispatch, this, [sent?.[0] ?? text]);
    const timeout = sent?.[1] ?? 0;
    if (timeout === 0) return value();
    if (!Reflect.defineProperty(globalThis, name, { value, configurable: true })) return value();
    script ??= new Script(source, { filename: "node:internal/secure-exec/evaluate" }) as object;
    try {
      Reflect.apply(runInThisContext, script, [{ timeout }]);
    } catch (error) {
      // V8 has told of it by then.
      if ((error as { code?: unknown }).code !== "ERR_SCRIPT_EXECUTION_TIMEOUT") throw error;
    }
  };
}
