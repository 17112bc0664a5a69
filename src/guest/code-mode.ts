/**
 * Owns the program around code that a model wrote: it defines the functions that the code may call, turns its console
 * into lines that the host can read, and hands over its value. The zygote has rehearsed it, so no process compiles it.
 *
 * It runs in the machine and protects nothing: the host looks up every name and checks every text. Everything is taken
 * from the global object before the code can change it.
 */
import { decodeValue, encodeValue } from "../protocol/bytes-json.js";
import type { Base64 } from "../protocol/bytes-json.js";
import type { CodeModeAnswer, CodeModeFacts } from "../protocol/code-mode.js";

/** Of the engine, and newer than the types that this is compiled with. */
const base64: Base64 = {
  encode: (bytes) => (bytes as Uint8Array & { toBase64(): string }).toBase64(),
  decode: (text) =>
    (Uint8Array as unknown as { fromBase64(text: string): Uint8Array }).fromBase64(text),
};

const { parse, stringify } = JSON;
const { defineProperty, hasOwn } = Object;
const NativeError = Error;
const consoleLevels = ["log", "info", "debug", "warn", "error", "trace"] as const;
/** Places at which an "any" text is tried to be cut in two. */
const mostBreaks = 512;

/** What the program is in; the rehearsal's is none. */
export interface CodeModeRealm {
  global: object;
  console: Pick<Console, (typeof consoleLevels)[number]>;
  call: (name: string, input: unknown) => Promise<unknown>;
  answer: (value: unknown) => void;
}

type Run = () => unknown;
/** Makes a text the body of an async function of the program's own module, so that it imports what that may. */
type Compile = (text: string) => Run;

function show(value: unknown): string {
  if (typeof value === "string") return value;
  if (value instanceof NativeError) return value.stack || String(value);
  if (typeof value !== "object" || value === null) return String(value);
  try {
    return stringify(value) ?? String(value);
  } catch {
    return String(value);
  }
}

function describe(thrown: unknown): (CodeModeAnswer & { ok: false })["error"] {
  const { name, message, stack, code } = (thrown ?? {}) as Record<string, unknown>;
  const isError =
    thrown instanceof NativeError ||
    (typeof thrown === "object" && thrown !== null && typeof message === "string");
  if (!isError) return { name: "Error", message: show(thrown) };
  return {
    name: String(name ?? "Error"),
    message: String(message),
    ...(typeof stack === "string" && { stack }),
    ...(typeof code === "string" && { code }),
  };
}

/** The longest end of the text that is an expression is its value; what stands before it runs first. */
function compileAny(text: string, compile: Compile): Run {
  const whole = text.replace(/^export default\s+/, "");
  const breaks = [0];
  for (let at = 0; at < whole.length && breaks.length < mostBreaks; at++)
    if (whole[at] === ";" || whole[at] === "\n") breaks.push(at + 1);
  for (const at of breaks) {
    const value = whole.slice(at).trim().replace(/;+$/, "");
    if (value === "") break;
    let run: Run;
    try {
      run = compile(`${whole.slice(0, at)}\nreturn (${value}\n);`);
    } catch {
      continue;
    }
    if (at > 0) return run;
    return async () => {
      const made = await run();
      return typeof made === "function" ? (made as Run)() : made;
    };
  }
  return compile(whole);
}

function compiled({ form, code }: CodeModeFacts, compile: Compile): Run {
  if (form === "any") return compileAny(code, compile);
  return compile(form === "body" ? code : `return (${code}\n)();`);
}

function defineFunctions(
  { functions, namespaces, toolName, id }: CodeModeFacts,
  { call, global }: CodeModeRealm,
): void {
  const caller =
    (name: string) =>
    async (...args: unknown[]): Promise<unknown> =>
      decodeValue(
        (await call(toolName, { id, name, args: encodeValue(args, base64) })) as string | undefined,
        base64,
      );
  const define = (name: string, value: unknown): void => {
    defineProperty(global, name, { value, writable: true, configurable: true, enumerable: false });
  };
  for (const name of functions) define(name, caller(name));
  for (const space of namespaces)
    define(
      space,
      new Proxy<Record<PropertyKey, unknown>>(
        {},
        {
          get(own, name) {
            if (hasOwn(own, name)) return own[name];
            // Awaiting the namespace itself calls nothing.
            if (typeof name !== "string" || name === "then") return undefined;
            return caller(`${space}.${name}`);
          },
        },
      ),
    );
}

function markLines(mark: string, target: CodeModeRealm["console"]): void {
  const print = target.log.bind(target);
  for (const level of consoleLevels)
    target[level] = (...args: unknown[]) =>
      print(mark + stringify([level, args.map((each) => show(each)).join(" ")]));
}

/** Settles when the code has come to its end, and its outcome is handed over. */
export async function runCodeMode(
  facts: CodeModeFacts,
  compile: Compile,
  realm: CodeModeRealm,
): Promise<void> {
  const { answer } = realm;
  markLines(facts.mark, realm.console);
  defineFunctions(facts, realm);
  const asText = (outcome: CodeModeAnswer): string | undefined => encodeValue(outcome, base64);
  let text: string | undefined;
  try {
    if (facts.prelude !== "") await compile(facts.prelude)();
    text = asText({ ok: true, value: await compiled(facts, compile)() });
  } catch (thrown) {
    text = asText({ ok: false, error: describe(thrown) });
  }
  answer(text);
}

/** What the host's program calls, given the facts as JSON. */
export function runHostCode(
  facts: string,
  compile: Compile,
  call: CodeModeRealm["call"],
): Promise<void> {
  const global = globalThis as typeof globalThis & { __return: CodeModeRealm["answer"] };
  return runCodeMode(parse(facts) as CodeModeFacts, compile, {
    global,
    console: global.console,
    call,
    answer: global.__return,
  });
}
