/**
 * Owns the rehearsal of code mode: the program around a model's code runs in the zygote, in a realm of its own that has
 * one function, so that a guest finds it compiled and with feedback. It is a step of warming up, as most guests run other programs.
 *
 * Invariants: only the texts here run; nothing turns the event loop and no random number is drawn; the globals and the
 * console of the zygote stay as they are.
 */
import { runCodeMode } from "../../guest/code-mode.js";
import type { CodeModeRealm } from "../../guest/code-mode.js";
import type { CodeModeFacts } from "../../protocol/code-mode.js";

/** Two programs in each: enough for the engine to compile what both of them call. */
const rounds = 12;

const AsyncFunction = (async () => {}).constructor as new (
  ...texts: string[]
) => (global: object) => unknown;

const common = { id: "a", mark: "b", toolName: "c", functions: ["f"], namespaces: ["n"] } as const;
const programs: readonly CodeModeFacts[] = [
  { ...common, prelude: "", form: "any", code: "async () => [await f(1), await n.m(2)]" },
  { ...common, prelude: "await null", form: "body", code: "return [await f(1), await n.m(2)]" },
];

function silent(): void {}

/** Nothing of the zygote is in it: what the program defines goes with it. */
function realm(answer: CodeModeRealm["answer"]): CodeModeRealm {
  return {
    global: {},
    console: {
      log: silent,
      info: silent,
      debug: silent,
      warn: silent,
      error: silent,
      trace: silent,
    },
    call: async () => "[1]",
    answer,
  };
}

/** `answer` is told what each program came to. */
export async function rehearseCodeMode(answer: CodeModeRealm["answer"] = silent): Promise<void> {
  for (let round = 0; round < rounds; round++)
    for (const facts of programs) {
      const its = realm(answer);
      const compile = (text: string): (() => unknown) =>
        new AsyncFunction("global", `const { f, n } = global; ${text}`).bind(undefined, its.global);
      await runCodeMode(facts, compile, its);
    }
}
