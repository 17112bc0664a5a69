/** Owns `secure-exec/mastra`: what is public of the ports to Mastra. */
export { SecureExecCodeModeTransport } from "./code-mode-transport.js";
export type { CodeModeRun, CodeModeToolResult } from "./code-mode-transport.js";
export { SecureExecFilesystem } from "./filesystem.js";
export type { FileEntry, FileStat, FilesystemErrors } from "./filesystem.js";
export { SecureExecProcessHandle, SecureExecProcessManager } from "./processes.js";
export type { CommandResult, SpawnOptions } from "./processes.js";
export { SecureExecSandbox } from "./sandbox.js";
export type { SecureExecSandboxOptions } from "./sandbox.js";
