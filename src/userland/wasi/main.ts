/**
 * Runs a WASI module as a command: reads, checks, instantiates and starts it.
 *
 * Invariants: whatever the file holds, the answer is an exit code and a message
 * on stderr; the module's own end is the process's end.
 * Untrusted: the module.
 */
import type { Preopen } from "./context.js";
import { createCommandImports } from "./imports.js";
import { wasiLimits } from "./limits.js";
import type { LinearMemory } from "./memory.js";
import type { WasiSystem } from "./system.js";

/** What is used here of it; it is not in the library that this is compiled against. */
declare const WebAssembly: {
  Module: {
    new (bytes: Uint8Array): object;
    imports(module: object): { module: string; name: string; kind: string }[];
  };
  Instance: new (
    module: object,
    imports: Record<string, object>,
  ) => { exports: Record<string, unknown> };
  /** One that is shared has another buffer, and is refused. */
  Memory: new (descriptor: { initial: number }) => LinearMemory;
  RuntimeError: new (message: string) => Error;
};

/** Exit codes: of a shell for a file it cannot execute; of a process that aborted. */
const cannotExecute = 126;
const aborted = 134;
const reportedFrames = 8;

class Refusal extends Error {}

export async function runWasiCommand(
  system: WasiSystem,
  modulePath: string,
  argv0: string,
  argv: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<number> {
  const say = (text: string): void => {
    const line = Buffer.from(`${argv0}: ${text}\n`);
    try {
      system.fs.writeSync(2, line);
    } catch {
      // Nobody reads; the exit code says it all the same.
    }
  };
  let start: () => void;
  try {
    start = prepare(system, modulePath, [argv0, ...argv], env);
  } catch (error) {
    say(error instanceof Refusal ? error.message : `cannot be executed: ${messageOf(error)}`);
    return error instanceof WebAssembly.RuntimeError ? aborted : cannotExecute;
  }
  try {
    start();
    return 0;
  } catch (error) {
    say(`${messageOf(error)}${framesOf(error)}`);
    return aborted;
  }
}

/** Reads and instantiates the module; answers its entry point. */
function prepare(
  system: WasiSystem,
  path: string,
  args: string[],
  env: Readonly<Record<string, string>>,
): () => void {
  const module = new WebAssembly.Module(readModule(system, path));
  const wanted = WebAssembly.Module.imports(module);
  const extended = wanted.some(({ module: name }) => name.startsWith("host_"));
  const cwd = system.cwd();
  const variables = extended ? { ...env, PWD: cwd } : env;
  const { context, imports } = createCommandImports(system, {
    args,
    env: Object.entries(variables).map(([name, value]) => `${name}=${value}`),
    stdio: [0, 1, 2],
    preopens: preopensOf(cwd, extended),
    dotEntries: true,
  });
  const missing = wanted.filter(
    ({ module: from, name, kind }) =>
      kind !== "function" || !Object.hasOwn(imports.get(from) ?? {}, name),
  );
  if (missing.length > 0) {
    const shown = missing
      .slice(0, 10)
      .map(({ module: from, name, kind }) =>
        kind === "function" ? `${from}.${name}` : `${from}.${name} (${kind})`,
      );
    const more = missing.length > shown.length ? ` and ${missing.length - shown.length} more` : "";
    throw new Refusal(`needs imports that are not offered: ${shown.join(", ")}${more}`);
  }
  const instance = new WebAssembly.Instance(module, Object.fromEntries(imports));
  const { memory, _start } = instance.exports;
  if (typeof _start !== "function") throw new Refusal("is not a command: it exports no _start");
  if (!(memory instanceof WebAssembly.Memory)) throw new Refusal("exports no memory");
  if (!(memory.buffer instanceof ArrayBuffer))
    throw new Refusal("has shared memory, which is not supported");
  context.memory.attach(memory);
  return () => void _start();
}

/**
 * What the module may open names under. C libraries with the extensions of
 * host_* take the working directory from PWD; plain wasi-libc knows none, and
 * strips the slash of absolute paths, see paths.ts.
 */
function preopensOf(cwd: string, extended: boolean): Preopen[] {
  const root: Preopen = { name: "/", path: "/", confined: false };
  if (extended || cwd === "/") return [root];
  return [
    root,
    { name: cwd, path: cwd, confined: false },
    { name: ".", path: cwd, confined: false, ambiguous: true },
  ];
}

function readModule(system: WasiSystem, path: string): Uint8Array {
  const bytes = system.readFile(path, wasiLimits.moduleBytes);
  if (bytes === undefined) {
    const mebibytes = wasiLimits.moduleBytes / 1024 / 1024;
    throw new Refusal(`is longer than the ${mebibytes} MiB that a module may have`);
  }
  return bytes;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}

/** Where in the module a trap happened. */
function framesOf(error: unknown): string {
  const stack = error instanceof Error ? String(error.stack) : "";
  const frames = stack.split("\n").filter((line) => /^\s+at .*wasm:\/\//.test(line));
  return frames
    .slice(0, reportedFrames)
    .map((frame) => `\n${frame}`)
    .join("");
}
