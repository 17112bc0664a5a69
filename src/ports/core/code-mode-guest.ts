/**
 * Owns the program around code that a model wrote: it defines the functions that the code may
 * call, turns its console into lines that the host can read, and hands over its value.
 *
 * It runs in the machine and protects nothing: the host looks up every name and checks every text.
 */
import { bytesJsonSource } from "./bytes-json.js";
import type { CodeModeProgram } from "./code-mode.js";

export interface HarnessFacts {
  /** What calls of this run carry. */
  id: string;
  /** What lines of the console begin with. */
  mark: string;
  toolName: string;
}

/** What every process would parse and none needs: comments of a line, indentation. Texts of ours have no longer literals. */
const lean = (text: string): string => text.replace(/^\s*(?:\/\/.*\n)?/gm, "");

/**
 * Everything is taken from the global object before the code can change it. A script line
 * separator cannot end a string of JSON in today's language, so texts are embedded as JSON.
 * Every run is a new process, which reads all of its text: it gets the parts that this program needs.
 */
const beginning = lean(String.raw`
const { id, mark, toolName, functions, namespaces, prelude, code } = facts;
const { encode, decode } = values;
const { stringify } = JSON;
const { hasOwn, defineProperty } = Object;
const call = globalThis.callHostTool;
const answer = globalThis.__return;
const NativeError = Error;
const AsyncFunction = (async () => {}).constructor;
const show = (value) => {
  if (typeof value === "string") return value;
  if (value instanceof NativeError) return value.stack || String(value);
  if (typeof value !== "object" || value === null) return String(value);
  try { return stringify(value) ?? String(value); } catch { return String(value); }
};
const print = console.log.bind(console);
for (const level of ["log", "info", "debug", "warn", "error", "trace"])
  console[level] = (...args) => print(mark + stringify([level, args.map(show).join(" ")]));
`);

const definitions = lean(String.raw`
const caller = (name) => async (...args) => decode(await call(toolName, { id, name, args: encode(args) }));
const define = (name, value) => defineProperty(globalThis, name, { value, writable: true, configurable: true, enumerable: false });
for (const name of functions) define(name, caller(name));
`);

const spaces = lean(String.raw`
for (const space of namespaces) define(space, new Proxy({}, {
  get: (own, name) => hasOwn(own, name) ? own[name]
    // Awaiting the namespace itself calls nothing.
    : typeof name !== "string" || name === "then" ? undefined : caller(space + "." + name),
}));
`);

const describing = lean(String.raw`
const describe = (thrown) => {
  if (!(thrown instanceof NativeError) && (typeof thrown !== "object" || thrown === null || typeof thrown.message !== "string"))
    return { name: "Error", message: show(thrown) };
  const { name, message, stack, code } = thrown;
  return { name: String(name ?? "Error"), message: String(message), stack: typeof stack === "string" ? stack : undefined, code: typeof code === "string" ? code : undefined };
};
`);

/** The longest end of the text that is an expression is its value; what stands before it runs first. */
const compileAny = lean(String.raw`
const compile = (text) => {
  const whole = text.replace(/^export default\s+/, "");
  const breaks = [0];
  for (let at = 0; at < whole.length && breaks.length < 512; at++)
    if (whole[at] === ";" || whole[at] === "\n") breaks.push(at + 1);
  for (const at of breaks) {
    const value = whole.slice(at).trim().replace(/;+$/, "");
    if (value === "") break;
    let run;
    try { run = new AsyncFunction(whole.slice(0, at) + "\nreturn (" + value + "\n);"); } catch { continue; }
    if (at > 0) return run;
    return async () => { const made = await run(); return typeof made === "function" ? made() : made; };
  }
  return new AsyncFunction(whole);
};
`);

const compiling = {
  body: "const compile = (text) => new AsyncFunction(text);\n",
  function: `const compile = (text) => new AsyncFunction("return (" + text + "\\n)();");\n`,
  any: compileAny,
} as const satisfies Record<NonNullable<CodeModeProgram["form"]>, string>;

const ending = lean(String.raw`
let outcome;
try {
  if (prelude !== "") await new AsyncFunction(prelude).call(undefined);
  outcome = encode({ ok: true, value: await compile(code)() });
} catch (thrown) {
  outcome = encode({ ok: false, error: describe(thrown) });
}
answer(outcome);
`);

const values = `const values = ${lean(bytesJsonSource)};\n`;

/** The text of an ES module that runs `program` and returns what `encodeValue` made of its outcome. */
export function harnessSource(program: CodeModeProgram, facts: HarnessFacts): string {
  const { code, form = "body", functions = [], namespaces = [], prelude = "" } = program;
  const all = { ...facts, functions, namespaces, prelude, code };
  return [
    `const facts = ${JSON.stringify(all)};\n`,
    values,
    beginning,
    ...(functions.length + namespaces.length > 0 ? [definitions] : []),
    ...(namespaces.length > 0 ? [spaces] : []),
    describing,
    compiling[form],
    ending,
  ].join("");
}
