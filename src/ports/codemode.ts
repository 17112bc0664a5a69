/**
 * Owns `secure-exec/codemode`: the executor of Cloudflare's code mode, over core/code-mode.ts.
 *
 * Invariant: `execute` never throws or rejects. Types are written after the interface that
 * `@cloudflare/codemode` declares; nothing is imported from it.
 * Untrusted: the code, and what it calls functions with.
 */
import { logLines } from "./core/code-mode.js";
import type { CodeModeCall, CodeModeOptions } from "./core/code-mode.js";
import { MachinesAhead } from "./core/machines-ahead.js";

/** What code came to. */
export interface ExecuteResult {
  result: unknown;
  error?: string;
  logs?: string[];
}

/** Functions of the host that the code may call. */
// oxlint-disable-next-line typescript/no-explicit-any -- the type of the package that this stands in for
export type ProviderFunctions = Record<string, (...args: any[]) => Promise<unknown>>;

/** A namespace of such functions. */
export interface ResolvedProvider {
  /** The global object that the code finds the functions on. */
  name: string;
  fns: ProviderFunctions;
  /** Statements that run in the machine before the code and may add properties to the namespace. */
  prelude?: string;
}

/** An object of the host whose methods the code calls by name, with one argument. */
export interface ConnectorBinding {
  name: string;
  binding: {
    /** Calls a method of the object. */
    callTool(method: string, args: unknown): Promise<unknown>;
  };
}

/** What one execution has beside its functions. */
export interface ExecuteOptions {
  /**
   * Objects of the host.
   * @default []
   */
  connectors?: ConnectorBinding[];
}

/** As `@cloudflare/codemode` declares it. */
export interface Executor {
  /** Runs code. */
  execute(
    code: string,
    providersOrFns: ResolvedProvider[] | ProviderFunctions,
    options?: ExecuteOptions,
  ): Promise<ExecuteResult>;
}

/** How the machines are made, and what their code may import. */
export interface SecureExecExecutorOptions extends CodeModeOptions {
  /**
   * Milliseconds for one execution.
   * @default 60 000
   */
  timeout?: number;
  /**
   * Modules that the code may import: name → text of an ES module.
   * @default {}
   */
  modules?: Record<string, string>;
}

const defaultTimeoutMs = 60_000;
const identifier = /^[A-Za-z_$][\w$]*$/;
/** What the program around the code needs. */
const reserved = new Set([
  "Promise",
  "setTimeout",
  "Error",
  "console",
  "globalThis",
  "callHostTool",
]);
const paused = "__CODEMODE_PAUSE__";

/** As the package's own: what may stand in an identifier stays. */
function sanitized(name: string): string {
  const plain = name.replace(/[-.\s]/g, "_").replace(/[^\w$]/g, "");
  return plain === "" ? "_" : /^\d/.test(plain) ? `_${plain}` : plain;
}

/** The code without the fence of Markdown that models put around it. */
function unfenced(code: string): string {
  const fence = /^```(?:js|javascript|typescript|ts|tsx|jsx)?\s*\n([\s\S]*?)```\s*$/;
  return (fence.exec(code.trim())?.[1] ?? code).trim();
}

type Call = (args: unknown[]) => unknown;

/** Every function by `namespace.name`, or why they cannot be told apart. */
function callsOf(
  providers: readonly ResolvedProvider[],
  connectors: readonly ConnectorBinding[],
): { calls: Map<string, Call>; bindings: Map<string, ConnectorBinding> } | { error: string } {
  const seen = new Set<string>();
  const kinds = [
    ...providers.map(({ name }) => ({ name, kind: "Provider" })),
    ...connectors.map(({ name }) => ({ name, kind: "Connector" })),
  ];
  for (const { name, kind } of kinds) {
    if (reserved.has(name) || name.startsWith("__"))
      return { error: `${kind} name "${name}" is reserved` };
    if (!identifier.test(name))
      return { error: `${kind} name "${name}" is not a valid JavaScript identifier` };
    if (seen.has(name)) return { error: `Duplicate ${kind.toLowerCase()} name "${name}"` };
    seen.add(name);
  }
  const calls = new Map<string, Call>();
  for (const { name: space, fns } of providers) {
    const origins = new Map<string, string>();
    for (const [name, run] of Object.entries(fns)) {
      const plain = sanitized(name);
      const other = origins.get(plain);
      if (other !== undefined)
        return {
          error: `Tool names "${other}" and "${name}" both sanitize to "${plain}" in provider "${space}"`,
        };
      origins.set(plain, name);
      calls.set(`${space}.${plain}`, (args) => run(...args));
    }
  }
  return { calls, bindings: new Map(connectors.map((each) => [each.name, each])) };
}

/** What a connector answers may be an order to the code instead of a value. */
async function callConnector({ binding }: ConnectorBinding, method: string, argument: unknown) {
  const answer = await binding.callTool(method, argument);
  if (typeof answer === "object" && answer !== null && "__codemode_control__" in answer) {
    const { __codemode_control__: order, message } = answer as Record<string, unknown>;
    if (order === "pause") throw new Error(paused);
    if (order === "error") throw new Error(String(message));
  }
  return answer;
}

/** The machine's files that make `import("name")` find each module. */
function moduleFiles(modules: Record<string, string>, cwd = "/home/user"): Record<string, string> {
  const files = Object.entries(modules).flatMap(([name, text]) => {
    const directory = `${cwd}/node_modules/${name}`;
    return [
      [`${directory}/package.json`, JSON.stringify({ type: "module", exports: "./index.mjs" })],
      [`${directory}/index.mjs`, text],
    ];
  });
  return Object.fromEntries(files) as Record<string, string>;
}

/**
 * Runs code that a model wrote, each time in a machine of its own. Never throws: what fails is in the result.
 * @example
 * import { createExecutor } from "secure-exec/codemode";
 *
 * const executor = createExecutor({ timeout: 5000 });
 * console.log(await executor.execute("async () => await codemode.double(21)", { double: async (value) => value * 2 }));
 */
export class SecureExecExecutor implements Executor {
  readonly #machines: MachinesAhead;
  readonly #timeoutMs: number;

  /** As `createExecutor`. Never throws. */
  constructor(options: SecureExecExecutorOptions = {}) {
    const { timeout = defaultTimeoutMs, modules, ...rest } = options;
    this.#timeoutMs = timeout;
    this.#machines = new MachinesAhead(
      modules === undefined
        ? rest
        : {
            ...rest,
            runtime: {
              moduleResolution: "node",
              ...rest.runtime,
              files: { ...moduleFiles(modules, rest.runtime?.cwd), ...rest.runtime?.files },
            },
          },
    );
  }

  /**
   * Runs `code`: a function, an expression, or statements whose last one is an expression. `error` is the message
   * of what it threw, "Execution timed out…", or why it was not run. Never rejects.
   */
  async execute(
    code: string,
    providersOrFns: ResolvedProvider[] | ProviderFunctions,
    options: ExecuteOptions = {},
  ): Promise<ExecuteResult> {
    const providers = Array.isArray(providersOrFns)
      ? providersOrFns
      : [{ name: "codemode", fns: providersOrFns }];
    const { connectors = [] } = options;
    const known = callsOf(providers, connectors);
    if ("error" in known) return { result: undefined, error: known.error };
    const call = ({ name, args }: CodeModeCall): unknown => {
      const [space = "", method = ""] = name.split(".", 2);
      const connector = known.bindings.get(space);
      if (connector !== undefined) return callConnector(connector, method, args[0]);
      const run = known.calls.get(name);
      if (run === undefined) throw new Error(`Tool "${method}" not found`);
      return run(args);
    };
    const outcome = await this.#machines.run({
      code: unfenced(code),
      form: "any",
      namespaces: [...providers, ...connectors].map(({ name }) => name),
      prelude: providers.map(({ prelude = "" }) => prelude).join("\n;\n"),
      call,
      timeoutMs: this.#timeoutMs,
    });
    const logs = logLines(outcome.logs);
    if (outcome.ok) return { result: outcome.value, logs };
    return { result: undefined, error: outcome.error.message, logs };
  }
}

/**
 * An executor for `createCodeTool({ executor })`. Never throws.
 * @example
 * import { createExecutor } from "secure-exec/codemode";
 *
 * const executor = createExecutor({ timeout: 5000 });
 * console.log((await executor.execute("1 + 1", {})).result);
 */
export function createExecutor(options?: SecureExecExecutorOptions): SecureExecExecutor {
  return new SecureExecExecutor(options);
}
