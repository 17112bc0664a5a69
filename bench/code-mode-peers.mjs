/**
 * Owns what a code-mode call costs in other packages: a program that calls one asynchronous function of the host and
 * answers its value, once in a fresh isolate of isolated-vm, once in a fresh QuickJS.
 *   node bench/code-mode-peers.mjs FOLDER    where node_modules has them; prints JSON: rows, and why one is missing
 * They run in a process of their own: an addon that does not fit this Node may end it.
 */
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { measuredCall } from "./measure.mjs";

const folder = process.argv[2] ?? ".";
const require = createRequire(join(folder, "package.json"));
const load = (name) => import(pathToFileURL(require.resolve(name)).href);

const double = async (n) => n * 2;
const program = "(async () => double(21))()";
const megabytes = 128;

async function isolatedVm() {
  const { default: ivm } = await load("isolated-vm");
  const inContext = async (isolate) => {
    const context = await isolate.createContext();
    await context.evalClosure(
      "globalThis.double = (n) => $0.apply(undefined, [n], { result: { promise: true } })",
      [double],
      { arguments: { reference: true } },
    );
    const value = await context.eval(program, { promise: true, timeout: 30_000 });
    context.release();
    return value;
  };
  const fresh = await measuredCall("isolated-vm: a fresh isolate for each call", async () => {
    const isolate = new ivm.Isolate({ memoryLimit: megabytes });
    try {
      return await inContext(isolate);
    } finally {
      isolate.dispose();
    }
  });
  const isolate = new ivm.Isolate({ memoryLimit: megabytes });
  const shared = await measuredCall("isolated-vm: a context for each call", () =>
    inContext(isolate),
  );
  isolate.dispose();
  return [fresh, shared];
}

async function quickJs() {
  const { getQuickJS } = await load("quickjs-emscripten");
  const quick = await getQuickJS();
  const call = async () => {
    const runtime = quick.newRuntime();
    runtime.setMemoryLimit(megabytes * 1024 * 1024);
    const context = runtime.newContext();
    try {
      const handle = context.newFunction("double", (argument) => {
        const n = context.getNumber(argument);
        const promise = context.newPromise();
        void double(n).then((value) => {
          promise.resolve(context.newNumber(value));
          runtime.executePendingJobs();
        });
        return promise.handle;
      });
      context.setProp(context.global, "double", handle);
      handle.dispose();
      const started = context.unwrapResult(context.evalCode(program));
      const settled = context.resolvePromise(started);
      runtime.executePendingJobs();
      const value = context.unwrapResult(await settled);
      started.dispose();
      const answer = context.getNumber(value);
      value.dispose();
      return answer;
    } finally {
      context.dispose();
      runtime.dispose();
    }
  };
  return [await measuredCall("quickjs-emscripten: a runtime for each call", call)];
}

const [rows, missing] = [[], []];
for (const [name, measure] of [
  ["isolated-vm", isolatedVm],
  ["quickjs-emscripten", quickJs],
]) {
  try {
    rows.push(...(await measure()));
  } catch (error) {
    missing.push(`${name}: ${String(error.message).split("\n")[0]}`);
  }
}
console.log(JSON.stringify({ rows, missing }));
