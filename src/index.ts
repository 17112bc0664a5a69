/**
 * Owns what users import. Everything exported here is public and documented.
 */
export { NodeRuntime } from "./sdk/runtime.js";
export type {
  NodeRuntimeAudit,
  NodeRuntimeExecResult,
  NodeRuntimeRunResult,
} from "./sdk/results.js";
export type { NodeRuntimeResidentOptions } from "./sdk/run-options.js";
export type {
  NodeRuntimeBootTiming,
  NodeRuntimeCreateOptions,
  NodeRuntimeExecOptions,
  NodeRuntimeDecision,
  NodeRuntimeDeterministic,
  NodeRuntimeLimitWarning,
  NodeRuntimeCommandOptions,
  NodeRuntimeShellOptions,
  NodeRuntimeSpawnCommandOptions,
  NodeRuntimeSpawnOptions,
  NodeRuntimeTerminalSize,
} from "./sdk/option-types.js";
export type {
  NodeRuntimeFleetCredentials,
  NodeRuntimeFleetOptions,
  NodeRuntimeFleetPlacement,
  NodeRuntimeFleetTls,
} from "./sdk/fleet/options.js";
export type {
  EndReason,
  NodeRuntimeEnd,
  NodeRuntimeHostUsage,
  NodeRuntimeMachineUsage,
  NodeRuntimeUsage,
} from "./sdk/usage.js";
export type { NodeRuntimeFetchInput, NodeRuntimeFetchResponse } from "./sdk/host-fetch.js";
export type {
  NodeRuntimeListener,
  NodeRuntimeListenerQuery,
  NodeRuntimeWaitOptions,
} from "./sdk/listeners.js";
export type {
  NodeRuntimeDirectoryEntry,
  NodeRuntimeFileOptions,
  NodeRuntimeFileStat,
  NodeRuntimeFileType,
  NodeRuntimeChange,
} from "./sdk/files.js";
export type {
  NodeRuntimeCopyOptions,
  NodeRuntimeCopyProgress,
  NodeRuntimeCopyResult,
} from "./sdk/copy.js";
export type { NodeRuntimeRecording } from "./sdk/recording.js";
export type { NodeRuntimeSnapshotSource } from "./sdk/snapshot.js";
export type {
  NodeRuntimeFileProvider,
  NodeRuntimeProvidedEntry,
  NodeRuntimeProvidedStat,
} from "./sdk/provider.js";
export type {
  FileProviderMount,
  HostDirectoryMount,
  NodeModulesMount,
  OverlayMount,
} from "./sdk/mounts.js";
export type {
  ChildProcessPermissionRequest,
  EnvPermissionRequest,
  FsPermissionRequest,
  NetworkPermissionRequest,
  Permission,
  PermissionAnswer,
  PermissionCheck,
  PermissionRule,
  PermissionRules,
  Permissions,
  ProcessPermissionRequest,
  ToolPermissionRequest,
  // Their names in the older generation.
  ChildProcessPermissionRequest as ChildProcessAccessRequest,
  EnvPermissionRequest as EnvAccessRequest,
  FsPermissionRequest as FsAccessRequest,
  NetworkPermissionRequest as NetworkAccessRequest,
} from "./sdk/permissions.js";
export type {
  IsolationLayer,
  IsolationOptions,
  NodeRuntimeIsolationLayer,
} from "./sdk/isolation.js";
export type {
  NodeRuntimeInjection,
  NodeRuntimeNetworkOptions,
  NodeRuntimePairMatcher,
  NodeRuntimeRequestRule,
  NodeRuntimeRequestTransformation,
  NodeRuntimeSecret,
  NodeRuntimeTextMatcher,
} from "./sdk/network-options.js";
export type { NodeRuntimeLimits } from "./sdk/limit-types.js";
export type { NodeRuntimeRunLimits } from "./sdk/limits.js";
export type { JsRuntimeOptions } from "./sdk/platform-options.js";
export type {
  HostToolApproval,
  HostToolCall,
  HostToolContext,
  HostToolDefinition,
  HostToolExample,
  HostToolNamespaces,
  HostTools,
} from "./sdk/tool-definitions.js";
export type { StandardSchema } from "./sdk/tool-schema.js";
export type { OutputHook } from "./sdk/output-channel.js";
export type { NodeRuntimeShell } from "./sdk/shell.js";
export type { NodeRuntimeProcess, NodeRuntimeProcessEvents } from "./sdk/process.js";
export type { NodeRuntimeOutput } from "./sdk/output.js";
export type {
  NodeRuntimeDraining,
  NodeRuntimeEvents,
  NodeRuntimeProcessEnd,
  NodeRuntimeProcessStart,
} from "./sdk/runtime-events.js";
export type { NodeRuntimeFs } from "./sdk/guest-fs.js";
export type { NodeRuntimeFsError } from "./sdk/file-errors.js";
export type { NodeRuntimeDirent, NodeRuntimeFileKind, NodeRuntimeStats } from "./sdk/file-facts.js";
export type { NodeRuntimeSh, NodeRuntimeShellCommand, ShellValue } from "./sdk/shell-template.js";
export type { NodeRuntimeTemplate, NodeRuntimeTemplateOptions } from "./sdk/template.js";
export type {
  NodeRuntimeResidentResult,
  NodeRuntimeResidentRunner,
} from "./sdk/resident-runner.js";
export {
  allowAll,
  allowAllChildProcess,
  allowAllEnv,
  allowAllFs,
  allowAllNetwork,
} from "./sdk/driver/allow.js";
export type { AllowAll } from "./sdk/driver/allow.js";
export type {
  NodeRuntimeDriverExecOptions,
  NodeRuntimeDriverOptions,
} from "./sdk/driver/driver-run.js";
export type { StdioEvent, StdioHook } from "./sdk/driver/stdio-lines.js";
export { createInMemoryFileSystem } from "./sdk/driver/virtual-file-system.js";
export type {
  InMemoryFileSystem,
  VirtualDirEntry,
  VirtualFileSystem,
  VirtualStat,
} from "./sdk/driver/virtual-file-system.js";
export { createDefaultNetworkAdapter, createNodeV8Runtime } from "./sdk/driver/older-parts.js";
export type { DefaultNetworkAdapter, NodeV8Runtime } from "./sdk/driver/older-parts.js";
export { createNodeHostCommandExecutor } from "./sdk/driver/host-commands.js";
export type {
  CommandExecutor,
  NodeHostCommandExecutorOptions,
} from "./sdk/driver/host-commands.js";
export { NodeFileSystem } from "./sdk/driver/node-file-system.js";
export { NodeExecutionDriver } from "./sdk/driver/execution-driver.js";
export type {
  BindingFunction,
  BindingTree,
  NodeExecutionDriverOptions,
  NodeExecutionDriverResult,
} from "./sdk/driver/execution-driver.js";
export { createNodeDriver, createNodeRuntimeDriverFactory } from "./sdk/driver/system-driver.js";
export type {
  NodeDriver,
  NodeDriverOptions,
  NodeRuntimeDriverFactory,
} from "./sdk/driver/system-driver.js";
export { SidecarProcess, SidecarProcess as Sidecar } from "./sdk/sidecar-process.js";
export type { SidecarProcessOptions } from "./sdk/sidecar-process.js";
export { generalizePermissions } from "./sdk/learned-permissions.js";
export type { LearnedPermissions } from "./sdk/learned-permissions.js";
export { SecureExecError } from "./sdk/errors.js";
export type { ErrorDetails, SecureExecErrorCode } from "./sdk/errors.js";
