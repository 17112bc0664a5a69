/**
 * Owns the two objects that the older generation puts a runtime together from: the
 * system driver, which is the options of a machine, and the factory of runtime
 * drivers, of which there is one kind.
 *
 * Invariants: what a driver does not allow is denied, in every scope; options are
 * checked when the driver is made and cannot be changed afterwards; one driver may
 * serve any number of runtimes, each with a machine of its own.
 */
import { resolve } from "node:path";
import { failure, invalidOption } from "../errors.js";
import type { HostDirectoryMount, NodeModulesMount } from "../mounts.js";
import { parseCreateOptions } from "../options.js";
import { bagOf } from "../option-checks.js";
import type { CreateOptions } from "../options.js";
import type { Bag } from "../option-checks.js";
import { scopeNames, scopeOf } from "../../protocol/permissions.js";
import type { Permissions } from "../permissions.js";
import type { HostTools } from "../tool-definitions.js";
import { DefaultNetworkAdapter, NodeV8Runtime } from "./older-parts.js";
import { checkCommandExecutor, executorTools } from "./host-commands.js";
import type { CommandExecutor } from "./host-commands.js";
import { NodeFileSystem } from "./node-file-system.js";
import { checkFileSystem } from "./served-file-system.js";
import { InMemoryFileSystem } from "./virtual-file-system.js";
import type { VirtualFileSystem } from "./virtual-file-system.js";
import type { NodeRuntimeFileProvider } from "../provider.js";

/** The options of a driver's machines. */
export interface NodeDriverOptions {
  /**
   * What programs may do. A scope that is left out is denied.
   * @default {}
   */
  permissions?: Permissions;
  /**
   * false shuts the network whatever `permissions.network` says.
   * @default true
   */
  useDefaultNetwork?: boolean;
  /**
   * As of `NodeRuntime.create`.
   * @default 10 000
   */
  permissionTimeoutMs?: number;
  /**
   * As of `NodeRuntime.create`.
   * @default []
   */
  loopbackExemptPorts?: number[];
  /**
   * As of `NodeRuntime.create`.
   * @default {}
   */
  env?: Record<string, string>;
  /**
   * As of `NodeRuntime.create`.
   * @default /home/user, or the root of a `NodeFileSystem`
   */
  cwd?: string;
  /**
   * As of `NodeRuntime.create`.
   * @default none
   */
  files?: Record<string, string | Uint8Array>;
  /**
   * As of `NodeRuntime.create`.
   * @default none
   */
  mounts?: HostDirectoryMount[];
  /**
   * As of `NodeRuntime.create`.
   * @default none
   */
  nodeModules?: string | NodeModulesMount;
  /**
   * As of `NodeRuntime.create`.
   * @default SECURE_EXEC_WASM_COMMANDS_DIR of the host, if set
   */
  commandsDir?: string;
  /**
   * As of `NodeRuntime.create`.
   * @default none
   */
  tools?: HostTools;
  /**
   * The node_modules of a directory of the host, shown read-only at /root/node_modules.
   * @default none
   */
  moduleAccess?: {
    /**
     * The directory of the host.
     * @default this process's working directory
     */
    cwd?: string;
  };
  /**
   * The same as `cwd` and `env`.
   * @default {}
   */
  processConfig?: {
    /** @default as `cwd` above */
    cwd?: string;
    /** @default as `env` above */
    env?: Record<string, string>;
  };
  /**
   * `createInMemoryFileSystem()`: the caller's view of the machine's files, before and after it is made. `new
   * NodeFileSystem({ root })`: a directory of the host at its own path, writable as far as `permissions.fs` says;
   * without `root`, the one of `cwd`. An object of the caller's own, with the methods of a `VirtualFileSystem` or
   * of node:fs/promises, serves the directories at its root at their own paths; see docs/driver-api.md.
   * @default the machine's own
   */
  filesystem?: InMemoryFileSystem | NodeFileSystem | VirtualFileSystem | NodeRuntimeFileProvider;
  /**
   * Made by `createDefaultNetworkAdapter()`; it opens nothing that the permissions do not.
   * @default none; programs have the machine's network all the same
   */
  networkAdapter?: DefaultNetworkAdapter;
  /**
   * Runs the commands that programs start and the machine has not (`git` is the machine's own, `make` is not), as
   * far as `permissions.childProcess` allows them by name. See `createNodeHostCommandExecutor`.
   * @default none
   */
  commandExecutor?: CommandExecutor;
}

const passedOn = [
  "permissionTimeoutMs",
  "loopbackExemptPorts",
  "env",
  "cwd",
  "files",
  "mounts",
  "nodeModules",
  "commandsDir",
  "tools",
] as const;
const driverNames = [
  ...passedOn,
  "permissions",
  "useDefaultNetwork",
  "moduleAccess",
  "processConfig",
  "filesystem",
  "networkAdapter",
  "commandExecutor",
];
const modulesPath = "/root/node_modules";

/** Adds a denial for each scope that is not named. */
function denyByDefault(given: Bag, useDefaultNetwork: boolean, toolsGiven: boolean): Bag {
  const complete: Record<string, unknown> = { ...given };
  const named = new Map(
    Object.entries(given)
      .filter(([, policy]) => policy !== undefined)
      .map(([name, policy]) => [scopeOf(name), policy]),
  );
  for (const scope of scopeNames) {
    if (named.has(scope)) continue;
    // Given tools open their scope, as everywhere.
    if (scope === "tool" && toolsGiven) continue;
    // The older generation has no such scope: who may start processes may signal them.
    const spawns = named.get("childProcess");
    const opened =
      scope === "process" && spawns !== undefined && !["deny", false].includes(spawns as never);
    complete[scope] = opened ? "allow" : "deny";
  }
  if (!useDefaultNetwork) complete["network"] = "deny";
  return complete;
}

/** `cwd` and `env`, wherever they were given. */
function processOf(given: Bag): Bag {
  const config = bagOf(given.processConfig, ["cwd", "env"]);
  for (const name of Object.keys(config))
    if (given[name] !== undefined)
      throw invalidOption(`processConfig.${name}`, `means the same as ${name}; give one`);
  return config;
}

/** Throws for parts that would have to act as the machine's own. */
function checkParts({ filesystem, networkAdapter, commandExecutor }: Bag): void {
  if (filesystem !== undefined) checkFileSystem(filesystem);
  if (networkAdapter !== undefined && !(networkAdapter instanceof DefaultNetworkAdapter))
    throw failure(
      "NOT_IMPLEMENTED",
      { option: "networkAdapter, but for one of createDefaultNetworkAdapter()," },
      { details: { option: "networkAdapter" } },
    );
  if (commandExecutor !== undefined) checkCommandExecutor(commandExecutor);
}

/** The host's directory at its own path. Its files are real ones: what `permissions.fs` allows, programs change. */
function shown({ root }: NodeFileSystem, given: Bag): Bag {
  const { cwd, mounts } = given as { cwd?: string; mounts?: HostDirectoryMount[] };
  const path = root ?? resolve(cwd ?? ".");
  const mount = { guestPath: path, hostPath: path, readOnly: false };
  return { cwd: cwd ?? path, mounts: [...(mounts ?? []), mount] };
}

function modulesOf(value: unknown): NodeModulesMount {
  const { cwd = process.cwd() } = bagOf(value, ["cwd"]);
  if (typeof cwd !== "string") throw invalidOption("moduleAccess.cwd", "must be a string");
  return { hostPath: resolve(cwd, "node_modules"), guestPath: modulesPath };
}

let optionsOf: (driver: NodeDriver, more: Bag) => CreateOptions;
export { optionsOf };

/**
 * The options of machines; made by `createNodeDriver`.
 * @example
 * const driver = createNodeDriver({ permissions: { fs: "allow" } });
 */
export class NodeDriver {
  readonly #given: Bag;
  readonly filesystem: InMemoryFileSystem | undefined;
  /** A file system of the caller's own. */
  readonly served: object | undefined;
  readonly commandExecutor: CommandExecutor | undefined;

  static {
    optionsOf = (driver, more) => {
      const options = parseCreateOptions({ ...driver.#given, ...more });
      const { commandExecutor } = driver;
      if (commandExecutor === undefined) return options;
      return { ...options, tools: new Map([...options.tools, ...executorTools(commandExecutor)]) };
    };
  }

  readonly #options: NodeDriverOptions;

  /**
   * The same as `createNodeDriver`.
   * @throws {INVALID_OPTION} for options.
   * @throws {NOT_IMPLEMENTED} for parts that the caller would have to provide.
   */
  constructor(options?: NodeDriverOptions) {
    this.#options = { ...options };
    const given = bagOf(options, driverNames);
    checkParts(given);
    const { filesystem } = given;
    this.filesystem = filesystem instanceof InMemoryFileSystem ? filesystem : undefined;
    const isOurs = this.filesystem !== undefined || filesystem instanceof NodeFileSystem;
    this.served = isOurs ? undefined : (filesystem as object | undefined);
    this.commandExecutor = given.commandExecutor as CommandExecutor | undefined;
    const { moduleAccess, nodeModules, permissions = {}, useDefaultNetwork = true } = given;
    if (typeof useDefaultNetwork !== "boolean")
      throw invalidOption("useDefaultNetwork", "must be a boolean");
    if (typeof permissions !== "object" || permissions === null || Array.isArray(permissions))
      throw invalidOption("permissions", "must be an object");
    if (moduleAccess !== undefined && nodeModules !== undefined)
      throw invalidOption("moduleAccess", "means the same as nodeModules; give one");
    const toolsGiven = given.tools !== undefined;
    this.#given = {
      ...Object.fromEntries(passedOn.map((name) => [name, given[name]])),
      permissions: denyByDefault(permissions as Bag, useDefaultNetwork, toolsGiven),
      ...(moduleAccess !== undefined && { nodeModules: modulesOf(moduleAccess) }),
      ...processOf(given),
    };
    if (filesystem instanceof NodeFileSystem)
      this.#given = { ...this.#given, ...shown(filesystem, this.#given) };
    parseCreateOptions(this.#given);
  }

  /** What a `NodeExecutionDriver` is given as `runtime`. */
  get runtime(): { process: { cwd?: string; env?: Record<string, string> }; os: object } {
    const { cwd, env } = this.#given as { cwd?: string; env?: Record<string, string> };
    return {
      process: { ...(cwd !== undefined && { cwd }), ...(env !== undefined && { env }) },
      os: {},
    };
  }

  /**
   * The same driver with other options, which replace its own.
   * @throws {INVALID_OPTION} for options.
   */
  with(options: Pick<NodeDriverOptions, "cwd" | "env" | "tools">): NodeDriver {
    const { processConfig, tools, ...own } = this.#options;
    return new NodeDriver({
      ...own,
      ...processConfig,
      ...options,
      ...((tools ?? options.tools) !== undefined && { tools: { ...tools, ...options.tools } }),
    });
  }
}

/**
 * The machine of a runtime, as options: a scope of `permissions` that is left out is denied. See
 * docs/driver-api.md.
 * @throws {INVALID_OPTION} for options.
 * @throws {NOT_IMPLEMENTED} for parts that the caller would have to provide.
 * @example
 * import { NodeRuntime, createNodeDriver, createNodeRuntimeDriverFactory } from "secure-exec";
 *
 * const rt = new NodeRuntime({
 *   systemDriver: createNodeDriver({ permissions: { fs: "allow" } }),
 *   runtimeDriverFactory: createNodeRuntimeDriverFactory(),
 * });
 * const { code } = await rt.exec("console.log('hello')");
 * console.log(code);
 * await rt.dispose();
 */
export function createNodeDriver(options?: NodeDriverOptions): NodeDriver {
  return new NodeDriver(options);
}

/**
 * Says how programs are run, of which there is one way: in OS processes of their own. Made by
 * `createNodeRuntimeDriverFactory`.
 * @example
 * const factory = createNodeRuntimeDriverFactory();
 */
export class NodeRuntimeDriverFactory {}

/**
 * What `new NodeRuntime` takes as `runtimeDriverFactory`; `v8Runtime` (default none) says nothing.
 * @throws {INVALID_OPTION} for options.
 * @example
 * const factory = createNodeRuntimeDriverFactory();
 */
export function createNodeRuntimeDriverFactory(options?: {
  v8Runtime?: NodeV8Runtime;
}): NodeRuntimeDriverFactory {
  const { v8Runtime } = bagOf(options, ["v8Runtime"]);
  if (v8Runtime !== undefined && !(v8Runtime instanceof NodeV8Runtime))
    throw invalidOption("v8Runtime", "must be made by createNodeV8Runtime()");
  return Object.freeze(new NodeRuntimeDriverFactory());
}

/** Both objects, or the reason why they are not what they should be. */
export function checkDrivers(systemDriver: unknown, factory: unknown): NodeDriver {
  if (!(systemDriver instanceof NodeDriver))
    throw invalidOption("systemDriver", "must be made by createNodeDriver()");
  if (!(factory instanceof NodeRuntimeDriverFactory))
    throw invalidOption("runtimeDriverFactory", "must be made by createNodeRuntimeDriverFactory()");
  return systemDriver;
}
