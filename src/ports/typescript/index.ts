/**
 * Owns `secure-exec/typescript`: the TypeScript compiler as an API, run in a machine, so that code of others can be
 * checked and compiled before it is trusted with anything.
 *
 * The compiler is the caller's own package (5.x or 6.x), shown to the machine read-only; nothing is imported from it
 * here. A template of the machine has it loaded, and each call begins in a copy.
 * Invariants: type errors are in the result and never thrown; a source's check reads and writes no file of the caller's machine.
 * Untrusted: the code, its project's files, and so what a call answers about them.
 */
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { NodeRuntime, SecureExecError } from "../../index.js";
import type { NodeRuntimeTemplate } from "../../index.js";
import { checkerSetup, compilerCall, compilerSetup } from "./compiler-guest.js";
import type { CompilerRequest } from "./compiler-guest.js";
import type {
  CompileProjectResult,
  CompileSourceResult,
  ProjectOptions,
  SourceOptions,
  TranspileOptions,
  TypeScriptToolsOptions,
  TypecheckResult,
} from "./types.js";

export type {
  CompileProjectResult,
  CompileSourceResult,
  ProjectOptions,
  SourceOptions,
  TranspileOptions,
  TypeScriptDiagnostic,
  TypeScriptToolsOptions,
  TypecheckResult,
} from "./types.js";

const defaultGuestDir = "/root/node_modules/typescript";
const defaultCwd = "/root";
const defaultTimeoutMs = 60_000;
const gibibyte = 1024 ** 3;
/** Version 7 is a program for the host's processor and has no such file. */
const compilerFile = "lib/typescript.js";

function compilerDir(given: string | undefined): string {
  const missing = (why: string): Error =>
    new Error(
      `${why}; install typescript 5.x or 6.x (npm i typescript@5) or name its directory in compilerPackageDir`,
    );
  if (given !== undefined) {
    if (!existsSync(join(given, compilerFile))) throw missing(`${given} has no ${compilerFile}`);
    return resolve(given);
  }
  // Beside this package, too: a service need not be started where its packages are.
  for (const from of [join(process.cwd(), "package.json"), import.meta.url]) {
    for (const name of ["typescript", "typescript-5"]) {
      try {
        const directory = dirname(createRequire(from).resolve(`${name}/package.json`));
        if (existsSync(join(directory, compilerFile))) return directory;
      } catch {
        // The next name.
      }
    }
  }
  throw missing("there is no TypeScript compiler with a JavaScript API here");
}

/**
 * A compiler in a machine of its own. Made by `createTypeScriptTools`; the machine is made with the first call.
 * @throws {INVALID_OPTION|KERNEL_START_FAILED} and all others as `NodeRuntime.create`, from the first call.
 * @throws {Error} from every call, when the compiler fails, is over its time, or the tools were disposed.
 * @throws {DISPOSED|KERNEL_LOST|NO_SUCH_FILE|FILE} from every call, as `NodeRuntime.readFile`.
 * @example
 * await using tools = createTypeScriptTools();
 * const { success, diagnostics } = await tools.typecheckSource({ sourceText: "const n: number = 'text';" });
 */
export class TypeScriptTools {
  readonly #options: TypeScriptToolsOptions;
  readonly #packageDir: string;
  readonly #guestDir: string;
  #runtime: Promise<NodeRuntime> | undefined;
  /** By the set-up of each: one for calls that check, and a smaller one for those that do not. */
  readonly #templates = new Map<string, Promise<NodeRuntimeTemplate | undefined>>();
  #disposed = false;

  /** As `createTypeScriptTools`. */
  constructor(options: TypeScriptToolsOptions = {}) {
    this.#options = options;
    this.#packageDir = compilerDir(options.compilerPackageDir);
    this.#guestDir = options.compilerGuestDir ?? defaultGuestDir;
  }

  /** The compiler's version. */
  get version(): string {
    const text = readFileSync(join(this.#packageDir, "package.json"), "utf8");
    return (JSON.parse(text) as { version: string }).version;
  }

  /** Checks a project of the machine's files. */
  typecheckProject = (options: ProjectOptions = {}): Promise<TypecheckResult> =>
    this.#call({ what: "typecheckProject", cwd: defaultCwd, ...options });

  /** Checks and compiles one; what it emits is written in the machine. */
  compileProject = (options: ProjectOptions = {}): Promise<CompileProjectResult> =>
    this.#call({ what: "compileProject", cwd: defaultCwd, ...options });

  /** Checks one text. */
  typecheckSource = (options: SourceOptions): Promise<TypecheckResult> =>
    this.#call({ what: "typecheckSource", cwd: defaultCwd, ...options });

  /** Checks and compiles one text. There is an `outputText` in spite of errors, unless `noEmitOnError` is set. */
  compileSource = (options: SourceOptions): Promise<CompileSourceResult> =>
    this.#call({ what: "compileSource", cwd: defaultCwd, ...options });

  /** Makes JavaScript of one text without looking at types, or at any file. Syntax errors are in the result. */
  transpileSource = ({
    filePath = "source.ts",
    ...options
  }: TranspileOptions): Promise<CompileSourceResult> =>
    this.#call({ what: "transpileSource", cwd: defaultCwd, filePath, ...options });

  /** A file of the machine, such as an emitted one. */
  async readFile(path: string): Promise<string> {
    return (await this.#machine()).readFile(path, "utf8");
  }

  /** Writes a file of the machine, creating its directories. */
  async writeFile(path: string, data: string | Uint8Array): Promise<void> {
    await (await this.#machine()).writeFile(path, data);
  }

  /** Ends the machine. Idempotent. */
  async dispose(): Promise<void> {
    this.#disposed = true;
    await (await this.#runtime?.catch(() => undefined))?.dispose();
  }

  /** The same as `dispose`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }

  #machine(): Promise<NodeRuntime> {
    if (this.#disposed) throw new Error("the TypeScript tools were disposed");
    this.#runtime ??= this.#make().catch((error: unknown) => {
      // The next call tries again.
      this.#runtime = undefined;
      throw error;
    });
    return this.#runtime;
  }

  #make(): Promise<NodeRuntime> {
    const { files, mounts = [], permissions, env, runtime = {} } = this.#options;
    const compiler = { guestPath: this.#guestDir, hostPath: this.#packageDir };
    return NodeRuntime.create({
      ...runtime,
      limits: { memoryBytes: gibibyte, ...runtime.limits },
      permissions: { network: "deny", childProcess: "deny", ...permissions },
      mounts: [...mounts, compiler],
      ...(files !== undefined && { files }),
      ...(env !== undefined && { env }),
    });
  }

  /** A process that has run `setup`, or undefined where this host cannot copy processes. */
  #loaded(runtime: NodeRuntime, setup: string): Promise<NodeRuntimeTemplate | undefined> {
    const known = this.#templates.get(setup);
    if (known !== undefined) return known;
    const template = runtime.template(setup).catch((error: unknown) => {
      if (
        SecureExecError.isSecureExecError(error) &&
        error.code === "ERR_SECURE_EXEC_TEMPLATE_UNAVAILABLE"
      )
        return undefined;
      this.#templates.delete(setup);
      throw error;
    });
    this.#templates.set(setup, template);
    return template;
  }

  async #call<R>(request: CompilerRequest): Promise<R> {
    const isProject = request.what === "typecheckProject" || request.what === "compileProject";
    if (!isProject && typeof request.sourceText !== "string")
      throw new TypeError("sourceText must be a string");
    const runtime = await this.#machine();
    const loading = compilerSetup(this.#guestDir);
    const setup = request.what === "transpileSource" ? loading : `${loading}\n${checkerSetup};`;
    const template = await this.#loaded(runtime, setup);
    const program = compilerCall(request);
    const options = { timeout: this.#options.timeoutMs ?? defaultTimeoutMs };
    const result = await (template === undefined
      ? runtime.run<R>(`${loading}\n${program}`, options)
      : template.run<R>(program, options));
    if (result.value !== undefined) return result.value;
    const { exitCode, stderr } = result;
    throw new Error(`the compiler ended with exit code ${exitCode}: ${stderr.trim().slice(-2000)}`);
  }
}

/**
 * A compiler in a machine of its own.
 * @throws {Error} where there is no compiler package.
 * @example
 * await using tools = createTypeScriptTools({ files: { "/root/a.ts": "export const a: number = 1;" } });
 * const { diagnostics } = await tools.typecheckProject();
 */
export function createTypeScriptTools(options?: TypeScriptToolsOptions): TypeScriptTools {
  return new TypeScriptTools(options);
}

/** One call of tools that are made for it and disposed afterwards; for several, keep `createTypeScriptTools`. */
async function once<R>(
  options: TypeScriptToolsOptions,
  call: (tools: TypeScriptTools) => Promise<R>,
): Promise<R> {
  const tools = new TypeScriptTools(options);
  try {
    return await call(tools);
  } finally {
    await tools.dispose();
  }
}

/**
 * As `TypeScriptTools.typecheckSource`, in a machine for this call.
 * @throws {Error} and all others as `TypeScriptTools`.
 * @example
 * const { success } = await typecheckSource({ sourceText: "const n: number = 1;" });
 */
export function typecheckSource(
  options: SourceOptions,
  tools: TypeScriptToolsOptions = {},
): Promise<TypecheckResult> {
  return once(tools, (made) => made.typecheckSource(options));
}

/**
 * As `TypeScriptTools.compileSource`, in a machine for this call.
 * @throws {Error} and all others as `TypeScriptTools`.
 * @example
 * const { outputText } = await compileSource({ sourceText: "export const n: number = 1;" });
 */
export function compileSource(
  options: SourceOptions,
  tools: TypeScriptToolsOptions = {},
): Promise<CompileSourceResult> {
  return once(tools, (made) => made.compileSource(options));
}

/**
 * As `TypeScriptTools.typecheckProject`, in a machine for this call.
 * @throws {Error} and all others as `TypeScriptTools`.
 * @example
 * const { diagnostics } = await typecheckProject({ files: { "/root/a.ts": "export const a: string = 1;" } });
 */
export function typecheckProject(
  options: ProjectOptions & TypeScriptToolsOptions,
): Promise<TypecheckResult> {
  const { cwd, configFilePath, ...tools } = options;
  return once(tools, (made) => made.typecheckProject(projectOf(cwd, configFilePath)));
}

/**
 * As `TypeScriptTools.compileProject`, with the texts of what was emitted, in a machine for this call.
 * @throws {Error} and all others as `TypeScriptTools`.
 * @example
 * const { files: emitted } = await compileProject({ files: { "/root/a.ts": "export const a = 1;" } });
 */
export function compileProject(
  options: ProjectOptions & TypeScriptToolsOptions,
): Promise<CompileProjectResult & { files: Record<string, string> }> {
  const { cwd, configFilePath, ...tools } = options;
  return once(tools, async (made) => {
    const result = await made.compileProject(projectOf(cwd, configFilePath));
    const texts = result.emittedFiles.map(
      async (path) => [path, await made.readFile(path)] as const,
    );
    return { ...result, files: Object.fromEntries(await Promise.all(texts)) };
  });
}

function projectOf(cwd: string | undefined, configFilePath: string | undefined): ProjectOptions {
  return {
    ...(cwd !== undefined && { cwd }),
    ...(configFilePath !== undefined && { configFilePath }),
  };
}
