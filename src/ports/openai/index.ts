/** Owns `secure-exec/openai`: what is public of the ports to the OpenAI Agents SDK. */
export { createAgentMachine, SecureExecEditor, SecureExecShell } from "./shell-and-editor.js";
export type {
  ApplyDiff,
  PatchResult,
  SecureExecShellOptions,
  ShellAction,
  ShellOutput,
  ShellResult,
} from "./shell-and-editor.js";
export { SecureExecSandboxClient } from "./sandbox-client.js";
export type { SecureExecSandboxClientOptions } from "./sandbox-client.js";
export { SecureExecSandboxSession } from "./sandbox-session.js";
export type { SandboxState } from "./sandbox-session.js";
export type { SnapshotSpec } from "./workspace-snapshots.js";
