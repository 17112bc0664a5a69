/** Owns `secure-exec/ai`: what is public of the ports to the AI SDK. */
export { Session } from "../core/session.js";
export type { SessionOptions } from "../core/session.js";
export { SecureExecSandboxSession } from "./session.js";
export type { PathOptions, ProcessOptions, SandboxFileStat, SandboxProcess } from "./session.js";
export {
  SecureExecNetworkSandboxSession,
  SecureExecSandboxProvider,
  createSecureExecSandbox,
} from "./harness.js";
export type { CreateSessionOptions, SandboxProviderOptions } from "./harness.js";
export type { NetworkPolicy } from "./network-policy.js";
export type { RequestTransformation } from "./session-network.js";
export { codeTool, codeToolCaller, commandTool } from "./tools.js";
export type { CodeToolOptions, CommandToolOptions } from "./tools.js";
