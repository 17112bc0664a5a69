/**
 * Owns `NodeExecutionDriver` of the older generation: a driver's machine with functions of the host, which
 * programs find as `SecureExec.bindings`, and results that have a program's exports.
 *
 * Invariant: everything a program does it does in a machine of the driver's options; bindings are host tools, with
 * their bounds. Untrusted: the programs, their exports and what they call bindings with.
 */
import { invalidOption } from "../errors.js";
import { bagOf } from "../option-checks.js";
import { NodeRuntime } from "../runtime.js";
import type { HostTools } from "../tool-definitions.js";
import type { NodeRuntimeDriverExecOptions, NodeRuntimeDriverOptions } from "./driver-run.js";
import { createNodeRuntimeDriverFactory, NodeDriver } from "./system-driver.js";

/** Gets the arguments of the call, as JSON carries them; its result is JSON, too. */
// oxlint-disable-next-line typescript/no-explicit-any -- a caller gives its own function, with the parameter types it expects
export type BindingFunction = (...args: any[]) => unknown;

/** Functions by name, in groups. */
export interface BindingTree {
  [name: string]: BindingFunction | BindingTree;
}

/** What `new NodeExecutionDriver` is given. */
export interface NodeExecutionDriverOptions extends Pick<
  NodeRuntimeDriverOptions,
  "memoryLimit" | "cpuTimeLimitMs" | "onStdio" | "timingMitigation"
> {
  /** The machine: made by `createNodeDriver()`. */
  system: NodeDriver;
  /**
   * `driver.runtime`, or other values for `process`; `os` is accepted and says nothing.
   * @default the driver's
   */
  runtime?: {
    /**
     * Other properties are accepted and say nothing.
     * @default the driver's
     */
    process?: {
      /** @default the driver's */
      cwd?: string;
      /** @default the driver's */
      env?: Record<string, string>;
      [more: string]: unknown;
    };
    /**
     * Accepted; says nothing.
     * @default none
     */
    os?: Record<string, unknown>;
  };
  /**
   * At most 64 functions, 4 levels deep, called as `await SecureExec.bindings.group.name(…)`.
   * @default none
   */
  bindings?: BindingTree;
}

/** What a program came to; `code` is its exit code. */
export interface NodeExecutionDriverResult<T = unknown> {
  code: number;
  stdout: string;
  stderr: string;
  errorMessage?: string;
  /** Of a CommonJS program `module.exports`, of a module its named exports and `default`: as JSON carries them. */
  exports?: T;
}

const identifier = /^[A-Za-z_$][\w$]{0,63}$/;
const mostBindings = 64;
const mostLevels = 4;
const toolName = "secureExecBinding";

/** Every function by its path, as `group.name`. */
function leavesOf(tree: unknown, path: readonly string[] = []): [string, BindingFunction][] {
  if (typeof tree === "function") return [[path.join("."), tree as BindingFunction]];
  const option = ["bindings", ...path].join(".");
  if (typeof tree !== "object" || tree === null || Array.isArray(tree))
    throw invalidOption(option, "must be a function or an object of functions");
  if (path.length >= mostLevels)
    throw invalidOption(option, `is nested deeper than ${mostLevels} levels`);
  return Object.entries(tree).flatMap(([name, entry]) => {
    if (!identifier.test(name) || name === "__proto__")
      throw invalidOption(`${option}.${name}`, "must be named by an identifier");
    return leavesOf(entry, [...path, name]);
  });
}

function bindingTools(leaves: ReadonlyMap<string, BindingFunction>): HostTools {
  return {
    [toolName]: {
      description: "calls a binding of the host by its path",
      handler: ({ path, args }: { path: unknown; args: unknown }) => {
        const binding = typeof path === "string" ? leaves.get(path) : undefined;
        if (binding === undefined || !Array.isArray(args))
          throw new Error("there is no such binding");
        return binding(...(args as unknown[]));
      },
    },
  };
}

/** One line of the program's own first line: it moves no line number. */
function prelude(paths: readonly string[]): string {
  return `globalThis.SecureExec ??= ((bindings) => {
    const call = globalThis.callHostTool;
    for (const path of ${JSON.stringify(paths)}) {
      const names = path.split(".");
      const last = names.pop();
      const at = names.reduce((group, name) => (group[name] ??= {}), bindings);
      at[last] = (...args) => call("${toolName}", { path, args });
    }
    return { bindings };
  })({});`.replace(/\n\s*/g, " ");
}

/** Runs a program for its exports: a module by a `data:` URL, which no file permission is needed for. */
function runnerOf(code: string, filePath: string, first: string): string {
  const isModule =
    /\.[mc]?js$/.exec(filePath)?.[0] === ".mjs" || /^\s*(?:export|import)\b/m.test(code);
  if (isModule) {
    const url = `data:text/javascript;base64,${Buffer.from(first + code).toString("base64")}`;
    return `const exports = { ...(await import(${JSON.stringify(url)})) }; __return(exports);`;
  }
  return `${first}
    const { createRequire } = await import("node:module");
    const { compileFunction } = await import("node:vm");
    const path = ${JSON.stringify(filePath)};
    const module = { exports: {}, filename: path, id: path };
    compileFunction(${JSON.stringify(code)}, ["exports", "require", "module", "__filename", "__dirname"], { filename: path })
      .call(module.exports, module.exports, createRequire(path), module, path, path.slice(0, path.lastIndexOf("/")) || "/");
    __return(module.exports);`;
}

/**
 * A machine for programs of the older generation that are run for what they export.
 * @example
 * import { NodeExecutionDriver, createNodeDriver } from "secure-exec";
 *
 * const driver = new NodeExecutionDriver({ system: createNodeDriver() });
 * const { exports } = await driver.run<{ sum: number }>("exports.sum = 1 + 2");
 * console.log(exports);
 * await driver.terminate();
 */
export class NodeExecutionDriver {
  readonly #runtime: NodeRuntime;
  readonly #prelude: string;

  /**
   * The machine is made when it is first used.
   * @throws {INVALID_OPTION} for options.
   */
  constructor(options: NodeExecutionDriverOptions) {
    const limits = ["memoryLimit", "cpuTimeLimitMs", "onStdio", "timingMitigation"];
    const known = ["system", "runtime", "bindings", ...limits];
    const { system, runtime, bindings = {}, ...rest } = bagOf(options, known);
    if (!(system instanceof NodeDriver))
      throw invalidOption("system", "must be made by createNodeDriver()");
    const { process = {} } = bagOf(runtime, ["process", "os"]);
    const { cwd, env } = process as { cwd?: string; env?: Record<string, string> };
    const leaves = new Map(leavesOf(bindings));
    if (leaves.size > mostBindings)
      throw invalidOption("bindings", `has ${leaves.size} functions, the limit is ${mostBindings}`);
    this.#prelude = leaves.size === 0 ? "" : prelude([...leaves.keys()]);
    this.#runtime = new NodeRuntime({
      ...(rest as Omit<NodeRuntimeDriverOptions, "systemDriver" | "runtimeDriverFactory">),
      systemDriver: system.with({
        ...(cwd !== undefined && { cwd }),
        ...(env !== undefined && { env }),
        ...(leaves.size > 0 && { tools: bindingTools(leaves) }),
      }),
      runtimeDriverFactory: createNodeRuntimeDriverFactory(),
    });
  }

  /**
   * Runs a program for its output.
   * @throws {INVALID_OPTION|DISPOSED|KERNEL_LOST|SPAWN_FAILED|PROCESS_LIMIT|OUTCOME_UNKNOWN} and all others as
   * `NodeRuntime.exec`.
   */
  exec(code: string, options: NodeRuntimeDriverExecOptions = {}): ReturnType<NodeRuntime["exec"]> {
    return this.#runtime.exec(this.#prelude + code, options);
  }

  /**
   * Runs a program for its exports.
   * @throws {RETURN_VALUE} for exports that are no JSON.
   * @throws {DISPOSED|KERNEL_LOST|SPAWN_FAILED|PROCESS_LIMIT|OUTCOME_UNKNOWN} and all others as `NodeRuntime.run`.
   */
  async run<T = unknown>(
    code: string,
    filePath = "/entry.js",
  ): Promise<NodeExecutionDriverResult<T>> {
    const { value, exitCode, stdout, stderr, ...more } = await this.#runtime.run<T>(
      runnerOf(code, filePath, this.#prelude),
    );
    const { errorMessage } = more as { errorMessage?: string };
    return {
      code: exitCode,
      stdout,
      stderr,
      ...(errorMessage !== undefined && { errorMessage }),
      ...(value !== undefined && { exports: value }),
    };
  }

  /** Ends the machine and whatever runs in it, without waiting. Never throws. */
  dispose(): void {
    this.#runtime.dispose().catch(() => {});
  }

  /**
   * As `dispose`, and waits for it.
   * @throws {INTERNAL} when the kernel refuses, which is a defect.
   */
  terminate(): Promise<void> {
    return this.#runtime.dispose();
  }
}
