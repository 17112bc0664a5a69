/** Owns `secure-exec/tanstack`: what is public of the ports to TanStack AI. */
export { createIsolateDriver } from "./isolate-driver.js";
export type {
  ExecutionResult,
  IsolateConfig,
  IsolateContext,
  IsolateDriver,
  IsolateDriverOptions,
  ToolBinding,
} from "./isolate-driver.js";
export { SecureExecSandboxHandle, secureExecSandbox } from "./sandbox-provider.js";
export type {
  ProcessOptions,
  SandboxCapabilities,
  SandboxCreateInput,
  SandboxFsStat,
  SecureExecSandboxOptions,
} from "./sandbox-provider.js";
export type { SandboxGit } from "./sandbox-git.js";
