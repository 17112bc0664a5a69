/** Owns what the compiler is asked and what it answers. */
import type { HostDirectoryMount, NodeRuntimeCreateOptions, Permissions } from "../../index.js";

/** What the compiler says. */
export interface TypeScriptDiagnostic {
  /** The compiler's number, as 2322 for TS2322. */
  code: number;
  category: "error" | "warning" | "suggestion" | "message";
  message: string;
  /** In the machine. */
  filePath?: string;
  /** From 1 on. */
  line?: number;
  column?: number;
}

/** What a check came to. */
export interface TypecheckResult {
  /** Whether there is no error among the diagnostics. */
  success: boolean;
  diagnostics: TypeScriptDiagnostic[];
}

/** What compiling a project came to. */
export interface CompileProjectResult extends TypecheckResult {
  emitSkipped: boolean;
  /** In the machine; `readFile` of the tools reads them. */
  emittedFiles: string[];
}

/** What compiling a text came to. */
export interface CompileSourceResult extends TypecheckResult {
  /** There unless the compiler had nothing to say. */
  outputText?: string;
  /** With `sourceMap`. */
  sourceMapText?: string;
}

/** Which project. */
export interface ProjectOptions {
  /**
   * Where the project is, in the machine.
   * @default `/root`
   */
  cwd?: string;
  /**
   * Relative to `cwd`.
   * @default the next tsconfig.json at or above it
   */
  configFilePath?: string;
}

/** Which text, and how it is read. */
export interface SourceOptions {
  /** TypeScript. */
  sourceText: string;
  /**
   * What the text is called, relative to `cwd`: .ts, .tsx, .mts, .cts. No file of that name is read or written.
   * @default `source.ts`
   */
  filePath?: string;
  /**
   * From where imports are resolved, in the machine.
   * @default `/root`
   */
  cwd?: string;
  /**
   * Whose options count, relative to `cwd`.
   * @default strict, ES2022, modules as a bundler resolves them
   */
  configFilePath?: string;
  /**
   * As in tsconfig.json, over those.
   * @default {}
   */
  compilerOptions?: Record<string, unknown>;
}

/** A text to be brought into a form that the engine reads. */
export interface TranspileOptions {
  /** The program. */
  sourceText: string;
  /**
   * What diagnostics call it; JSX is read in .tsx.
   * @default `source.ts`
   */
  filePath?: string;
  /**
   * As in tsconfig.json.
   * @default ES2022, modules, JSX for `react/jsx-runtime` unless a comment in the text says otherwise
   */
  compilerOptions?: Record<string, unknown>;
}

/** How the compiler's machine is made. */
export interface TypeScriptToolsOptions {
  /**
   * The compiler's package on the host.
   * @default `typescript` as the working directory's packages have it
   */
  compilerPackageDir?: string;
  /**
   * Where the machine sees it.
   * @default `/root/node_modules/typescript`
   */
  compilerGuestDir?: string;
  /**
   * Files and directories of the project; as in `NodeRuntime.create`.
   * @default none
   */
  files?: Record<string, string | Uint8Array>;
  /**
   * Directories of the host; as in `NodeRuntime.create`.
   * @default none
   */
  mounts?: HostDirectoryMount[];
  /** @default no network, no child processes */
  permissions?: Permissions;
  /**
   * Variables of the machine.
   * @default {}
   */
  env?: Record<string, string>;
  /**
   * The machine's other options.
   * @default `limits: { memoryBytes: 1 GiB }`
   */
  runtime?: Omit<NodeRuntimeCreateOptions, "files" | "mounts" | "permissions" | "env">;
  /**
   * Milliseconds for one call.
   * @default 60 000
   */
  timeoutMs?: number;
}
